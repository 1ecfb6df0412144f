//! The backend on the CPU: slices of f32 (or f64), fixed blocks of work, one matrix-product crate.

mod adamw;
mod attention;
mod decode;
mod dense;
mod exec;
mod gemm;
mod head;
mod rows;
mod sampler;
mod simd;

use std::ops::Range;

use super::{
    AdamWStep, AttentionForward, Backend, DecodeRow, Draw, Drawn, HeadStats, Heads, Linear,
    Predictions,
};
use crate::model::layout::Layout;
use crate::real::Real;
use crate::{PolicyError, Sampling};
use exec::{Exec, Scratch};

pub use decode::Cache;
pub use dense::PackedLinear;

/// Computes in `R` on the surrounding rayon pool.
#[derive(Debug)]
pub struct CpuBackend<R> {
    exec: Exec,
    scratch: Scratch<R>,
}

impl<R: Real> CpuBackend<R> {
    /// A backend whose operations are spread over the rayon pool they are called in.
    pub fn new() -> Self {
        Self { exec: Exec::Parallel, scratch: Scratch::default() }
    }
}

impl<R: Real> Default for CpuBackend<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Real> Backend for CpuBackend<R> {
    type Real = R;
    type Buffer = Vec<R>;
    type View<'a> = &'a [R];
    type ViewMut<'a> = &'a mut [R];
    type Packed = PackedLinear<R>;
    type Cache = Cache<R>;

    fn zeros(&self, len: usize) -> Vec<R> {
        vec![R::ZERO; len]
    }

    fn len(&self, buffer: &Vec<R>) -> usize {
        buffer.len()
    }

    fn view<'a>(&self, buffer: &'a Vec<R>, range: Range<usize>) -> &'a [R] {
        &buffer[range]
    }

    fn view_mut<'a>(&self, buffer: &'a mut Vec<R>, range: Range<usize>) -> &'a mut [R] {
        &mut buffer[range]
    }

    fn upload(&self, to: &mut [R], from: &[R]) {
        to.copy_from_slice(from);
    }

    fn add(&self, to: &mut [R], from: &[R]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to += *from;
        }
    }

    fn download(&self, from: &[R], to: &mut [R]) {
        to.copy_from_slice(from);
    }

    fn fill(&self, x: &mut [R], value: R) {
        x.fill(value);
    }

    fn copy(&self, to: &mut [R], from: &[R]) {
        to.copy_from_slice(from);
    }

    fn fork(&self) -> Option<Self> {
        Some(Self { exec: Exec::Serial, scratch: Scratch::default() })
    }

    fn embedding(&self, width: usize, ids: &[u32], out: &mut [R], table: &[R]) {
        rows::gather(self.exec, width, ids, out, table);
    }

    fn embedding_backward(&self, width: usize, ids: &[u32], dtable: &mut [R], dout: &[R]) {
        rows::scatter_add(self.exec, width, ids, dtable, dout);
    }

    fn gather(&self, width: usize, rows: &[u32], out: &mut [R], x: &[R]) {
        rows::gather(self.exec, width, rows, out, x);
    }

    fn gather_backward(&self, width: usize, rows: &[u32], dx: &mut [R], dout: &[R]) {
        dx.fill(R::ZERO);
        rows::scatter_add(self.exec, width, rows, dx, dout);
    }

    fn linear(&self, layer: Linear, out: &mut [R], x: &[R], params: &[R], residual: Option<&[R]>) {
        dense::linear(self.exec, layer, out, x, params, residual);
    }

    fn linear_backward_input(&self, layer: Linear, dx: &mut [R], dout: &[R], params: &[R]) {
        dense::backward_input(self.exec, layer, dx, dout, params);
    }

    fn linear_backward_params(&self, layer: Linear, dparams: &mut [R], dout: &[R], x: &[R]) {
        dense::backward_params(self.exec, layer, dparams, dout, x);
    }

    fn rms_norm(&self, eps: f64, out: &mut [R], x: &[R], weight: &[R]) {
        rows::rms_norm(self.exec, eps, out, x, weight);
    }

    fn rms_norm_backward(
        &self,
        eps: f64,
        dx: &mut [R],
        dweight: &mut [R],
        dout: &[R],
        x: &[R],
        weight: &[R],
    ) {
        rows::rms_norm_backward(self.exec, eps, dx, dweight, dout, x, weight);
    }

    fn rope(&self, heads: Heads, positions: &[u32], qkv: &mut [R], table: &[R]) {
        rows::rope(self.exec, heads, positions, qkv, table, R::ONE);
    }

    fn rope_backward(&self, heads: Heads, positions: &[u32], dqkv: &mut [R], table: &[R]) {
        rows::rope(self.exec, heads, positions, dqkv, table, -R::ONE);
    }

    fn swiglu(&self, inner: usize, out: &mut [R], gate_up: &[R]) {
        rows::swiglu(self.exec, inner, out, gate_up);
    }

    fn swiglu_backward(&self, inner: usize, gate_up: &mut [R], dout: &mut [R]) {
        rows::swiglu_backward(self.exec, inner, gate_up, dout);
    }

    fn attention(
        &self,
        heads: Heads,
        layout: &Layout<'_>,
        out: &mut [R],
        lse: &mut [R],
        qkv: &[R],
    ) {
        attention::forward(self.exec, &self.scratch, heads, layout, out, lse, qkv);
    }

    fn attention_backward(
        &self,
        heads: Heads,
        layout: &Layout<'_>,
        dqkv: &mut [R],
        dout: &[R],
        forward: AttentionForward<&[R]>,
    ) {
        attention::backward(self.exec, &self.scratch, heads, layout, dqkv, dout, forward);
    }

    fn head(
        &self,
        width: usize,
        predictions: Predictions<'_>,
        hidden: &[R],
        table: &[R],
    ) -> HeadStats<R> {
        head::forward(self.exec, &self.scratch, width, predictions, hidden, table)
    }

    fn head_backward(
        &self,
        width: usize,
        predictions: Predictions<'_>,
        dlogp: &[R],
        lse: &[R],
        dhidden: &mut [R],
        dtable: &mut [R],
        hidden: &[R],
        table: &[R],
    ) {
        head::backward(
            self.exec,
            &self.scratch,
            width,
            predictions,
            dlogp,
            lse,
            dhidden,
            dtable,
            hidden,
            table,
        );
    }

    fn norm_squared(&self, x: &[R]) -> f64 {
        adamw::norm_squared(self.exec, x)
    }

    fn adamw(
        &self,
        step: &AdamWStep<'_>,
        weights: &mut [R],
        grad: &[R],
        first: &mut [R],
        second: &mut [R],
    ) {
        adamw::step(self.exec, step, weights, grad, first, second);
    }

    fn pack(&self, layer: Linear, params: &[R]) -> PackedLinear<R> {
        PackedLinear::new(layer, params)
    }

    fn packed_linear(
        &self,
        out: &mut [R],
        x: &[R],
        packed: &PackedLinear<R>,
        residual: Option<&[R]>,
    ) {
        packed.apply(self.exec, out, x, residual);
    }

    fn cache(&self, heads: Heads, layers: usize, sequences: usize) -> Cache<R> {
        Cache::new(heads, layers, sequences)
    }

    fn cache_prefix(&self, cache: &mut Cache<R>, layer: usize, prefix: usize, qkv: &[R]) {
        cache.store_prefix(layer, prefix, qkv);
    }

    fn cache_drop_prefix(&self, cache: &mut Cache<R>, prefix: usize) {
        cache.drop_prefix(prefix);
    }

    fn cache_drop_sequence(&self, cache: &mut Cache<R>, sequence: usize) {
        cache.drop_sequence(sequence);
    }

    fn decode_attention(
        &self,
        cache: &mut Cache<R>,
        layer: usize,
        rows: &[DecodeRow],
        out: &mut [R],
        qkv: &[R],
    ) {
        cache.attend(layer, rows, out, qkv);
    }

    fn sample(
        &self,
        sampling: &Sampling,
        draws: &[Draw],
        logits: &mut [R],
    ) -> Result<Vec<Drawn>, PolicyError> {
        let vocabulary = logits.len() / draws.len().max(1);
        logits
            .chunks_exact_mut(vocabulary.max(1))
            .zip(draws)
            .map(|(logits, draw)| sampler::draw(sampling, *draw, logits))
            .collect()
    }
}
