//! The forward pass over packed rows.
//!
//! For each block, with `T` rows:
//!
//! ```text
//! qkv      = rope(norm(x) Wqkvᵀ + b)      [T, (Hq + 2 Hkv) D]
//! attended = attention(qkv)               [T, Hq D]
//! mid      = x + attended Woᵀ             [T, H]
//! gate_up  = norm(mid) Wguᵀ               [T, 2 I]
//! x'       = mid + swiglu(gate_up) Wdᵀ    [T, H]
//! ```
//!
//! Kept for the backward are `x`, `qkv`, `attended`, its `lse`, `mid` and `gate_up`; the norms'
//! and the gate's outputs are cheap and computed again.

use super::layout::Layout;
use super::{Network, ensure};
use crate::arena::LayerRanges;
use crate::backend::Backend;

/// What a forward pass leaves for a backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing: there will be none.
    Nothing,
    /// Each block's input; the backward runs the block's forward again.
    Inputs,
    /// Everything that the backward reads.
    All,
}

/// One block's intermediate values.
pub(super) struct LayerActivations<B: Backend> {
    pub(super) qkv: B::Buffer,
    pub(super) attended: B::Buffer,
    pub(super) lse: B::Buffer,
    pub(super) mid: B::Buffer,
    pub(super) gate_up: B::Buffer,
}

/// Buffers of a forward pass, reused from one to the next.
pub(crate) struct Activations<B: Backend> {
    /// Inputs of the blocks and, after the last, the output; two in turn when nothing is kept.
    pub(super) x: Vec<B::Buffer>,
    /// One for each block, or a single one when they are not kept.
    pub(super) layers: Vec<LayerActivations<B>>,
    /// `[T, H]`
    pub(super) normed: B::Buffer,
    /// `[T, I]`
    pub(super) inner: B::Buffer,
    /// Index of the last block's output in `x`.
    last: usize,
}

impl<B: Backend> Activations<B> {
    pub(crate) fn new(b: &B) -> Self {
        let (normed, inner) = (b.zeros(0), b.zeros(0));
        Self { x: Vec::new(), layers: Vec::new(), normed, inner, last: 0 }
    }

    /// The last block's output, `[T, H]`.
    pub(crate) fn output(&self) -> &B::Buffer {
        &self.x[self.last]
    }

    fn prepare(&mut self, b: &B, network: &Network<'_, B>, rows: usize, keep: Keep) {
        let config = network.config;
        let heads = network.heads();
        let blocks = config.num_hidden_layers;
        let (inputs, layers) = match keep {
            Keep::Nothing => (2, 1),
            Keep::Inputs => (blocks + 1, 1),
            Keep::All => (blocks + 1, blocks),
        };
        while self.x.len() < inputs {
            self.x.push(b.zeros(0));
        }
        while self.layers.len() < layers {
            self.layers.push(LayerActivations {
                qkv: b.zeros(0),
                attended: b.zeros(0),
                lse: b.zeros(0),
                mid: b.zeros(0),
                gate_up: b.zeros(0),
            });
        }
        let h = config.hidden_size;
        self.x.iter_mut().take(inputs).for_each(|x| ensure(b, x, rows * h));
        for layer in self.layers.iter_mut().take(layers) {
            ensure(b, &mut layer.qkv, rows * heads.row());
            ensure(b, &mut layer.attended, rows * heads.out());
            ensure(b, &mut layer.lse, rows * heads.queries);
            ensure(b, &mut layer.mid, rows * h);
            ensure(b, &mut layer.gate_up, rows * 2 * config.intermediate_size);
        }
        ensure(b, &mut self.normed, rows * h);
        ensure(b, &mut self.inner, rows * config.intermediate_size);
    }
}

impl<B: Backend> Network<'_, B> {
    /// Runs all blocks; `each` sees every block's `qkv` after rotation.
    pub(crate) fn forward(
        &self,
        b: &B,
        layout: &Layout<'_>,
        a: &mut Activations<B>,
        keep: Keep,
        each: &mut dyn FnMut(usize, &B::Buffer),
    ) {
        let rows = layout.len();
        let h = self.config.hidden_size;
        a.prepare(b, self, rows, keep);
        let table = b.view(self.weights, self.arena.embedding.clone());
        b.embedding(h, &layout.tokens, b.view_mut(&mut a.x[0], 0..rows * h), table);
        for (l, ranges) in self.arena.layers.iter().enumerate() {
            let (from, to) = match keep {
                Keep::Nothing => (l % 2, (l + 1) % 2),
                _ => (l, l + 1),
            };
            let layer = &mut a.layers[if keep == Keep::All { l } else { 0 }];
            self.attend(b, layout, ranges, &a.x[from], layer, &mut a.normed);
            each(l, &layer.qkv);
            self.feed_forward(b, rows, ranges, layer, &mut a.normed);
            let inner = self.config.intermediate_size;
            let gate_up = b.view(&layer.gate_up, 0..rows * 2 * inner);
            b.swiglu(inner, b.view_mut(&mut a.inner, 0..rows * inner), gate_up);
            b.linear(
                self.linears().down,
                b.view_mut(&mut a.x[to], 0..rows * h),
                b.view(&a.inner, 0..rows * inner),
                b.view(self.weights, ranges.down.clone()),
                Some(b.view(&layer.mid, 0..rows * h)),
            );
            a.last = to;
        }
    }

    /// From the block's input to `mid`.
    pub(super) fn attend(
        &self,
        b: &B,
        layout: &Layout<'_>,
        ranges: &LayerRanges,
        x: &B::Buffer,
        layer: &mut LayerActivations<B>,
        normed: &mut B::Buffer,
    ) {
        let rows = layout.len();
        let (h, heads, shapes) = (self.config.hidden_size, self.heads(), self.linears());
        let LayerActivations { qkv, attended, lse, mid, .. } = layer;
        let x = b.view(x, 0..rows * h);
        let weight = b.view(self.weights, ranges.input_norm.clone());
        b.rms_norm(self.config.rms_norm_eps, b.view_mut(normed, 0..rows * h), x, weight);
        b.linear(
            shapes.qkv,
            b.view_mut(qkv, 0..rows * heads.row()),
            b.view(normed, 0..rows * h),
            b.view(self.weights, ranges.qkv.clone()),
            None,
        );
        let rope = b.view(self.rope, 0..b.len(self.rope));
        b.rope(heads, &layout.positions, b.view_mut(qkv, 0..rows * heads.row()), rope);
        b.attention(
            heads,
            layout,
            b.view_mut(attended, 0..rows * heads.out()),
            b.view_mut(lse, 0..rows * heads.queries),
            b.view(qkv, 0..rows * heads.row()),
        );
        b.linear(
            shapes.output,
            b.view_mut(mid, 0..rows * h),
            b.view(attended, 0..rows * heads.out()),
            b.view(self.weights, ranges.output.clone()),
            Some(x),
        );
    }

    /// From `mid` to `gate_up`.
    pub(super) fn feed_forward(
        &self,
        b: &B,
        rows: usize,
        ranges: &LayerRanges,
        layer: &mut LayerActivations<B>,
        normed: &mut B::Buffer,
    ) {
        let h = self.config.hidden_size;
        let weight = b.view(self.weights, ranges.post_norm.clone());
        let mid = b.view(&layer.mid, 0..rows * h);
        b.rms_norm(self.config.rms_norm_eps, b.view_mut(normed, 0..rows * h), mid, weight);
        b.linear(
            self.linears().gate_up,
            b.view_mut(&mut layer.gate_up, 0..rows * 2 * self.config.intermediate_size),
            b.view(normed, 0..rows * h),
            b.view(self.weights, ranges.gate_up.clone()),
            None,
        );
    }

    /// The norm before the head.
    pub(crate) fn final_norm(&self, b: &B, out: &mut B::Buffer, x: &B::Buffer, rows: usize) {
        let range = 0..rows * self.config.hidden_size;
        let weight = b.view(self.weights, self.arena.final_norm.clone());
        let (out, x) = (b.view_mut(out, range.clone()), b.view(x, range));
        b.rms_norm(self.config.rms_norm_eps, out, x, weight);
    }
}
