//! The backward pass: the forward's lines in reverse, each by its backend operation.
//!
//! `dx [T, H]` is the gradient by the residual stream and is carried through the blocks in place.
//! The gradients of gate and up, and of the rotated `qkv`, replace or accompany the values they
//! belong to, so that no more than one block's gradients exist at a time.

use super::forward::{Activations, Keep, LayerActivations};
use super::layout::Layout;
use super::{Network, ensure};
use crate::backend::{AttentionForward, Backend};

/// Buffers of a backward pass, reused from one to the next.
pub(super) struct Gradients<B: Backend> {
    /// `[T, H]`, by the residual stream.
    pub(super) dx: B::Buffer,
    /// `[T, H]`, by a norm's output.
    dnormed: B::Buffer,
    /// `[T, I]`
    dinner: B::Buffer,
    /// `[T, Hq D]`
    dattended: B::Buffer,
    /// `[T, (Hq + 2 Hkv) D]`
    dqkv: B::Buffer,
}

impl<B: Backend> Gradients<B> {
    pub(super) fn new(b: &B) -> Self {
        Self {
            dx: b.zeros(0),
            dnormed: b.zeros(0),
            dinner: b.zeros(0),
            dattended: b.zeros(0),
            dqkv: b.zeros(0),
        }
    }

    pub(super) fn prepare(&mut self, b: &B, network: &Network<'_, B>, rows: usize) {
        let (config, heads) = (network.config, network.heads());
        ensure(b, &mut self.dx, rows * config.hidden_size);
        ensure(b, &mut self.dnormed, rows * config.hidden_size);
        ensure(b, &mut self.dinner, rows * config.intermediate_size);
        ensure(b, &mut self.dattended, rows * heads.out());
        ensure(b, &mut self.dqkv, rows * heads.row());
    }
}

impl<B: Backend> Network<'_, B> {
    /// From `g.dx`, the gradient by the last block's output, to the embedding; adds to `grad`.
    /// What `keep` left of the forward is used up.
    pub(super) fn backward(
        &self,
        b: &B,
        layout: &Layout<'_>,
        a: &mut Activations<B>,
        keep: Keep,
        g: &mut Gradients<B>,
        grad: &mut B::Buffer,
    ) {
        let h = self.config.hidden_size;
        for l in (0..self.arena.layers.len()).rev() {
            let Activations { x, layers, normed, .. } = &mut *a;
            let layer = &mut layers[if keep == Keep::All { l } else { 0 }];
            if keep == Keep::Inputs {
                let ranges = &self.arena.layers[l];
                self.attend(b, layout, ranges, &x[l], layer, normed);
                self.feed_forward(b, layout.len(), ranges, layer, normed);
            }
            self.feed_forward_backward(b, layout.len(), l, layer, normed, g, grad);
            self.attend_backward(b, layout, l, &x[l], layer, normed, g, grad);
        }
        b.embedding_backward(
            h,
            &layout.tokens,
            b.view_mut(grad, self.arena.embedding.clone()),
            b.view(&g.dx, 0..layout.len() * h),
        );
    }

    /// `dx` by the block's output becomes `dx` by `mid`.
    #[expect(clippy::too_many_arguments, reason = "buffers of one pass, each with its name")]
    fn feed_forward_backward(
        &self,
        b: &B,
        rows: usize,
        l: usize,
        layer: &mut LayerActivations<B>,
        normed: &mut B::Buffer,
        g: &mut Gradients<B>,
        grad: &mut B::Buffer,
    ) {
        let (ranges, shapes) = (&self.arena.layers[l], self.linears());
        let (h, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let eps = self.config.rms_norm_eps;
        let (wide, narrow) = (0..rows * inner, 0..rows * h);
        let weights = |range: &std::ops::Range<usize>| b.view(self.weights, range.clone());
        let dx = b.view(&g.dx, narrow.clone());
        let dinner = b.view_mut(&mut g.dinner, wide.clone());
        b.linear_backward_input(shapes.down, dinner, dx, weights(&ranges.down));
        let gate_up = b.view_mut(&mut layer.gate_up, 0..2 * wide.end);
        b.swiglu_backward(inner, gate_up, b.view_mut(&mut g.dinner, wide.clone()));
        let dparams = b.view_mut(grad, ranges.down.clone());
        b.linear_backward_params(shapes.down, dparams, dx, b.view(&g.dinner, wide.clone()));

        let dgate_up = b.view(&layer.gate_up, 0..2 * wide.end);
        let dnormed = b.view_mut(&mut g.dnormed, narrow.clone());
        b.linear_backward_input(shapes.gate_up, dnormed, dgate_up, weights(&ranges.gate_up));
        let mid = b.view(&layer.mid, narrow.clone());
        let norm = weights(&ranges.post_norm);
        b.rms_norm(eps, b.view_mut(normed, narrow.clone()), mid, norm);
        let dparams = b.view_mut(grad, ranges.gate_up.clone());
        b.linear_backward_params(shapes.gate_up, dparams, dgate_up, b.view(normed, narrow.clone()));
        b.rms_norm_backward(
            eps,
            b.view_mut(&mut g.dx, narrow.clone()),
            b.view_mut(grad, ranges.post_norm.clone()),
            b.view(&g.dnormed, narrow),
            mid,
            norm,
        );
    }

    /// `dx` by `mid` becomes `dx` by the block's input.
    #[expect(clippy::too_many_arguments, reason = "buffers of one pass, each with its name")]
    fn attend_backward(
        &self,
        b: &B,
        layout: &Layout<'_>,
        l: usize,
        x: &B::Buffer,
        layer: &LayerActivations<B>,
        normed: &mut B::Buffer,
        g: &mut Gradients<B>,
        grad: &mut B::Buffer,
    ) {
        let rows = layout.len();
        let (ranges, shapes, heads) = (&self.arena.layers[l], self.linears(), self.heads());
        let eps = self.config.rms_norm_eps;
        let narrow = 0..rows * self.config.hidden_size;
        let (out, row) = (0..rows * heads.out(), 0..rows * heads.row());
        let weights = |range: &std::ops::Range<usize>| b.view(self.weights, range.clone());
        let dx = b.view(&g.dx, narrow.clone());
        let dattended = b.view_mut(&mut g.dattended, out.clone());
        b.linear_backward_input(shapes.output, dattended, dx, weights(&ranges.output));
        let attended = b.view(&layer.attended, out.clone());
        let dparams = b.view_mut(grad, ranges.output.clone());
        b.linear_backward_params(shapes.output, dparams, dx, attended);
        b.attention_backward(
            heads,
            layout,
            b.view_mut(&mut g.dqkv, row.clone()),
            b.view(&g.dattended, out),
            AttentionForward {
                qkv: b.view(&layer.qkv, row.clone()),
                out: attended,
                lse: b.view(&layer.lse, 0..rows * heads.queries),
            },
        );
        let rope = b.view(self.rope, 0..b.len(self.rope));
        b.rope_backward(heads, &layout.positions, b.view_mut(&mut g.dqkv, row.clone()), rope);

        let dqkv = b.view(&g.dqkv, row);
        let dnormed = b.view_mut(&mut g.dnormed, narrow.clone());
        b.linear_backward_input(shapes.qkv, dnormed, dqkv, weights(&ranges.qkv));
        let x = b.view(x, narrow.clone());
        let norm = weights(&ranges.input_norm);
        b.rms_norm(eps, b.view_mut(normed, narrow.clone()), x, norm);
        let dparams = b.view_mut(grad, ranges.qkv.clone());
        b.linear_backward_params(shapes.qkv, dparams, dqkv, b.view(normed, narrow.clone()));
        b.rms_norm_backward(
            eps,
            b.view_mut(&mut g.dx, narrow.clone()),
            b.view_mut(grad, ranges.input_norm.clone()),
            b.view(&g.dnormed, narrow),
            x,
            norm,
        );
    }
}
