//! The operations that a Qwen2 forward and backward are written in.
//!
//! One implementation is on the CPU ([`cpu::CpuBackend`]); another device implements the same
//! trait. Every operation with a forward has its backward as a required method. Shapes: `T` rows
//! (tokens), `H` hidden, `I` intermediate, `Hq`/`Hkv` query/key heads of width `D`, `V`
//! vocabulary, `N` predictions. Matrices are row-major, weights `[outputs, inputs]` as Hugging Face
//! stores them. Token ids, positions and layouts are small and come from the host.
//!
//! Contract: an operation's result is a function of its arguments alone, not of the number of
//! threads, and no operation reads what it has not been told to (so buffers may hold old values).

pub mod cpu;

use std::ops::Range;

use crate::arena::Parameter;
use crate::model::layout::Layout;
use crate::policy::{AdamWConfig, KeptSet};
use crate::real::Real;
use crate::{PolicyError, Sampling};

/// A linear layer; its parameters are the weights `[outputs, inputs]`, then, with `bias`, the
/// biases `[outputs]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Width of a row that goes in.
    pub inputs: usize,
    /// Width of a row that comes out.
    pub outputs: usize,
    /// Whether biases follow the weights.
    pub bias: bool,
}

/// The attention heads of a row of queries, keys and values `[(Hq + 2 Hkv) · D]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// `Hq`
    pub queries: usize,
    /// `Hkv`; divides `Hq`.
    pub keys: usize,
    /// `D`
    pub dim: usize,
}

impl Heads {
    /// Width of a row of queries, keys and values.
    pub fn row(&self) -> usize {
        (self.queries + 2 * self.keys) * self.dim
    }

    /// Width of a row of attention output.
    pub fn out(&self) -> usize {
        self.queries * self.dim
    }
}

/// What is predicted from the rows of the final hidden state.
#[derive(Debug, Clone, Copy)]
pub struct Predictions<'a> {
    /// Token predicted, `[N]`.
    pub targets: &'a [u32],
    /// Support of each, `[N]`, or empty: the whole vocabulary for all.
    pub kept: &'a [Option<&'a KeptSet>],
    /// Logits are divided by it.
    pub temperature: f32,
}

/// What the head measured, each `[N]`.
#[derive(Debug, Clone, Default)]
pub struct HeadStats<R> {
    /// Log-probability of the target.
    pub logp: Vec<R>,
    /// Entropy of the distribution.
    pub entropy: Vec<R>,
    /// Logarithm of the sum of the exponentials of the tempered logits.
    pub lse: Vec<R>,
}

/// One row of a decoding step.
#[derive(Debug, Clone, Copy)]
pub struct DecodeRow {
    /// The sequence's place in the cache.
    pub sequence: usize,
    /// The shared prompt it continues.
    pub prefix: usize,
}

/// The random numbers of one draw.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    /// The request's seed.
    pub seed: u64,
    /// Index of the sample within its request.
    pub sample: u64,
    /// Index of the token within the completion.
    pub position: u64,
}

/// One drawn token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The token.
    pub token: u32,
    /// What it was drawn from, where that was to be recorded.
    pub kept: Option<KeptSet>,
}

/// A step of AdamW, with what depends on the step counter worked out.
#[derive(Debug, Clone)]
pub struct AdamWStep<'a> {
    /// Settings.
    pub config: &'a AdamWConfig,
    /// Counts from 1.
    pub step: u64,
    /// Factor on the gradient (clipping).
    pub scale: f64,
    /// Where matrices, biases and norms lie.
    pub parameters: &'a [Parameter],
}

/// A device with its memory and operations.
pub trait Backend: Send + Sync + Sized {
    /// What the host sees numbers as.
    type Real: Real;
    /// An array on the device.
    type Buffer: Send + Sync;
    /// A part of an array, to read.
    type View<'a>: Copy + Send + Sync;
    /// A part of an array, to write.
    type ViewMut<'a>: Send;
    /// A weight matrix laid out for decoding.
    type Packed: Send + Sync;
    /// Keys and values of sequences being generated.
    type Cache: Send;

    /// An array of zeros.
    fn zeros(&self, len: usize) -> Self::Buffer;
    /// Length of an array.
    fn len(&self, buffer: &Self::Buffer) -> usize;
    /// A part to read.
    fn view<'a>(&self, buffer: &'a Self::Buffer, range: Range<usize>) -> Self::View<'a>;
    /// A part to write.
    fn view_mut<'a>(&self, buffer: &'a mut Self::Buffer, range: Range<usize>) -> Self::ViewMut<'a>;
    /// Host to device.
    fn upload(&self, to: Self::ViewMut<'_>, from: &[Self::Real]);
    /// Device to host.
    fn download(&self, from: Self::View<'_>, to: &mut [Self::Real]);
    /// Fills with a value.
    fn fill(&self, x: Self::ViewMut<'_>, value: Self::Real);
    /// Copies.
    fn copy(&self, to: Self::ViewMut<'_>, from: Self::View<'_>);
    /// `to += from`.
    fn add(&self, to: Self::ViewMut<'_>, from: Self::View<'_>);

    /// A backend for one of several independent streams of work that run at the same time, or
    /// `None` where one wide stream is faster.
    fn fork(&self) -> Option<Self>;

    /// `out[t] = table[ids[t]]`.
    fn embedding(&self, width: usize, ids: &[u32], out: Self::ViewMut<'_>, table: Self::View<'_>);
    /// `dtable[ids[t]] += dout[t]`.
    fn embedding_backward(
        &self,
        width: usize,
        ids: &[u32],
        dtable: Self::ViewMut<'_>,
        dout: Self::View<'_>,
    );

    /// `out[n] = x[rows[n]]`.
    fn gather(&self, width: usize, rows: &[u32], out: Self::ViewMut<'_>, x: Self::View<'_>);
    /// `dx = 0; dx[rows[n]] += dout[n]`.
    fn gather_backward(
        &self,
        width: usize,
        rows: &[u32],
        dx: Self::ViewMut<'_>,
        dout: Self::View<'_>,
    );

    /// `out = residual + x Wᵀ + b`; `out [T, outputs]`, `x [T, inputs]`.
    fn linear(
        &self,
        layer: Linear,
        out: Self::ViewMut<'_>,
        x: Self::View<'_>,
        params: Self::View<'_>,
        residual: Option<Self::View<'_>>,
    );
    /// `dx = dout W`.
    fn linear_backward_input(
        &self,
        layer: Linear,
        dx: Self::ViewMut<'_>,
        dout: Self::View<'_>,
        params: Self::View<'_>,
    );
    /// `dW += doutᵀ x`, `db += Σ_t dout[t]`.
    fn linear_backward_params(
        &self,
        layer: Linear,
        dparams: Self::ViewMut<'_>,
        dout: Self::View<'_>,
        x: Self::View<'_>,
    );

    /// Eq: `out = x / √(mean x² + eps) · weight`, by rows.
    fn rms_norm(&self, eps: f64, out: Self::ViewMut<'_>, x: Self::View<'_>, weight: Self::View<'_>);
    /// Adds to `dx` and to `dweight`.
    fn rms_norm_backward(
        &self,
        eps: f64,
        dx: Self::ViewMut<'_>,
        dweight: Self::ViewMut<'_>,
        dout: Self::View<'_>,
        x: Self::View<'_>,
        weight: Self::View<'_>,
    );

    /// Rotates the queries and keys of `qkv [T, (Hq + 2 Hkv) D]` in place by their positions;
    /// `table [positions, D]` holds `D/2` cosines, then `D/2` sines. Pairs are `(d, d + D/2)`.
    fn rope(&self, heads: Heads, positions: &[u32], qkv: Self::ViewMut<'_>, table: Self::View<'_>);
    /// The rotation back.
    fn rope_backward(
        &self,
        heads: Heads,
        positions: &[u32],
        dqkv: Self::ViewMut<'_>,
        table: Self::View<'_>,
    );

    /// Eq: `out = silu(gate) · up`; `gate_up [T, 2 I]`, `out [T, I]`.
    fn swiglu(&self, inner: usize, out: Self::ViewMut<'_>, gate_up: Self::View<'_>);
    /// In place: `gate_up` becomes its gradient, and `dout` becomes the forward's output again,
    /// which the layer below needs.
    fn swiglu_backward(&self, inner: usize, gate_up: Self::ViewMut<'_>, dout: Self::ViewMut<'_>);

    /// Causal attention over the layout's groups. `out [T, Hq D]`, `lse [T, Hq]` (the logarithm of
    /// the softmax's denominator, for the backward), `qkv [T, (Hq + 2 Hkv) D]` after rotation.
    fn attention(
        &self,
        heads: Heads,
        layout: &Layout<'_>,
        out: Self::ViewMut<'_>,
        lse: Self::ViewMut<'_>,
        qkv: Self::View<'_>,
    );
    /// Writes `dqkv` from `dout` and what the forward read and wrote.
    fn attention_backward(
        &self,
        heads: Heads,
        layout: &Layout<'_>,
        dqkv: Self::ViewMut<'_>,
        dout: Self::View<'_>,
        forward: AttentionForward<Self::View<'_>>,
    );

    /// Log-probabilities and entropies of the predictions from `hidden [N, H]` and the output
    /// matrix `table [V, H]`, in blocks of rows and of the vocabulary.
    fn head(
        &self,
        width: usize,
        predictions: Predictions<'_>,
        hidden: Self::View<'_>,
        table: Self::View<'_>,
    ) -> HeadStats<Self::Real>;
    /// Writes `dhidden`, adds to `dtable`; `dlogp [N]` is the loss's derivative by each
    /// log-probability, `lse [N]` the forward's.
    #[expect(clippy::too_many_arguments, reason = "an operation's operands, each with its name")]
    fn head_backward(
        &self,
        width: usize,
        predictions: Predictions<'_>,
        dlogp: &[Self::Real],
        lse: &[Self::Real],
        dhidden: Self::ViewMut<'_>,
        dtable: Self::ViewMut<'_>,
        hidden: Self::View<'_>,
        table: Self::View<'_>,
    );

    /// `Σ x²`.
    fn norm_squared(&self, x: Self::View<'_>) -> f64;
    /// One AdamW step over the arena; all arrays of its length.
    fn adamw(
        &self,
        step: &AdamWStep<'_>,
        weights: Self::ViewMut<'_>,
        grad: Self::View<'_>,
        first: Self::ViewMut<'_>,
        second: Self::ViewMut<'_>,
    );

    /// Lays a layer's parameters out for [`Backend::packed_linear`].
    fn pack(&self, layer: Linear, params: Self::View<'_>) -> Self::Packed;
    /// [`Backend::linear`] with packed parameters, for the few rows of a decoding step.
    fn packed_linear(
        &self,
        out: Self::ViewMut<'_>,
        x: Self::View<'_>,
        packed: &Self::Packed,
        residual: Option<Self::View<'_>>,
    );

    /// A cache of `layers` layers for up to `sequences` sequences and as many prefixes.
    fn cache(&self, heads: Heads, layers: usize, sequences: usize) -> Self::Cache;
    /// Stores a prompt's keys and values (rows of a prefilled `qkv`) as prefix `prefix`.
    fn cache_prefix(
        &self,
        cache: &mut Self::Cache,
        layer: usize,
        prefix: usize,
        qkv: Self::View<'_>,
    );
    /// Forgets a prefix.
    fn cache_drop_prefix(&self, cache: &mut Self::Cache, prefix: usize);
    /// Forgets a sequence's own keys and values.
    fn cache_drop_sequence(&self, cache: &mut Self::Cache, sequence: usize);
    /// Appends each row's key and value to its sequence and attends over prefix and sequence;
    /// `out [rows, Hq D]`, `qkv [rows, (Hq + 2 Hkv) D]`.
    fn decode_attention(
        &self,
        cache: &mut Self::Cache,
        layer: usize,
        rows: &[DecodeRow],
        out: Self::ViewMut<'_>,
        qkv: Self::View<'_>,
    );
    /// Draws a token from each row of `logits [rows, V]`, which are overwritten.
    ///
    /// # Errors
    /// Logits that are not finite.
    fn sample(
        &self,
        sampling: &Sampling,
        draws: &[Draw],
        logits: Self::ViewMut<'_>,
    ) -> Result<Vec<Drawn>, PolicyError>;
}

/// What attention read and wrote, for its backward.
#[derive(Debug, Clone, Copy)]
pub struct AttentionForward<V> {
    /// `[T, (Hq + 2 Hkv) D]`
    pub qkv: V,
    /// `[T, Hq D]`
    pub out: V,
    /// `[T, Hq]`
    pub lse: V,
}
