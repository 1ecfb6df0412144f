//! A model with its gradient and optimizer state.

use std::path::Path;

use super::backward::Gradients;
use super::forward::{Activations, Keep};
use super::layout::Layout;
use super::{Network, ensure, random_weights, rope_table};
use crate::arena::Arena;
use crate::backend::{AdamWStep, Backend, HeadStats, Predictions};
use crate::policy::{AdamWConfig, StepStats};
use crate::weights::{self, StoredType};
use crate::{ModelConfig, PolicyError};

/// Gradient and moments, made when training starts.
pub(crate) struct Optimizer<B: Backend> {
    pub(crate) grad: B::Buffer,
    pub(crate) first: B::Buffer,
    pub(crate) second: B::Buffer,
    /// Steps taken.
    pub(crate) steps: u64,
}

/// A Qwen2 model on a backend.
pub struct Qwen2<B: Backend> {
    pub(crate) backend: B,
    pub(crate) config: ModelConfig,
    pub(crate) arena: Arena,
    pub(crate) weights: B::Buffer,
    rope: B::Buffer,
    activations: Activations<B>,
    gradients: Gradients<B>,
    /// Gathered rows, their norm, and the gradients of both, `[N, H]`.
    head: [B::Buffer; 4],
    pub(crate) optimizer: Option<Optimizer<B>>,
    /// The sum of the gradients set aside; none where none is.
    aside: Option<B::Buffer>,
    /// Whether the backward computes blocks again instead of keeping their values.
    pub recompute: bool,
}

impl<B: Backend> Qwen2<B> {
    /// A model with the given weights, in the arena's order.
    ///
    /// # Errors
    /// A configuration that contradicts itself, or another number of weights.
    pub fn new(backend: B, config: ModelConfig, weights: &[B::Real]) -> Result<Self, PolicyError> {
        config.validate().map_err(PolicyError::input)?;
        let arena = Arena::new(&config);
        if weights.len() != arena.len {
            let (got, want) = (weights.len(), arena.len);
            return Err(PolicyError::input(format!("{got} weights for a model of {want}")));
        }
        let mut buffer = backend.zeros(arena.len);
        backend.upload(backend.view_mut(&mut buffer, 0..arena.len), weights);
        let empty = || backend.zeros(0);
        Ok(Self {
            rope: empty(),
            activations: Activations::new(&backend),
            gradients: Gradients::new(&backend),
            head: [empty(), empty(), empty(), empty()],
            weights: buffer,
            optimizer: None,
            aside: None,
            recompute: false,
            config,
            arena,
            backend,
        })
    }

    /// A model from a Hugging Face folder, and the number type its weights were stored in.
    ///
    /// # Errors
    /// The file, key or tensor that is missing or unusable.
    pub fn load(backend: B, dir: &Path) -> Result<(Self, StoredType), PolicyError> {
        let config = ModelConfig::load(dir)?;
        let (values, stored) = weights::read(dir, &Arena::new(&config))?;
        Ok((Self::new(backend, config, &values)?, stored))
    }

    /// A model with random weights.
    ///
    /// # Errors
    /// A configuration that contradicts itself.
    pub fn random(backend: B, config: ModelConfig, seed: u64) -> Result<Self, PolicyError> {
        config.validate().map_err(PolicyError::input)?;
        let weights = random_weights(&config, &Arena::new(&config), seed);
        Self::new(backend, config, &weights)
    }

    /// Makes the rotary table reach `positions`.
    pub(crate) fn reach(&mut self, positions: usize) {
        let b = &self.backend;
        if b.len(&self.rope) < positions * self.config.head_dim {
            let positions = positions.next_power_of_two();
            let table = rope_table::<B::Real>(&self.config, positions);
            self.rope = b.zeros(table.len());
            b.upload(b.view_mut(&mut self.rope, 0..table.len()), &table);
        }
    }

    pub(crate) fn network(&self) -> Network<'_, B> {
        let Self { config, arena, weights, rope, .. } = self;
        Network { config, arena, weights, rope }
    }

    /// The weights, in the arena's order.
    pub fn weights(&self) -> Vec<B::Real> {
        self.read(&self.weights)
    }

    /// Replaces the weights.
    pub(crate) fn set_weights(&mut self, weights: &[B::Real]) {
        let to = self.backend.view_mut(&mut self.weights, 0..self.arena.len);
        self.backend.upload(to, weights);
    }

    /// The accumulated gradient, in the arena's order; zeros before the first.
    pub fn gradient(&self) -> Vec<B::Real> {
        match &self.optimizer {
            Some(o) => self.read(&o.grad),
            None => vec![Default::default(); self.arena.len],
        }
    }

    pub(crate) fn read(&self, buffer: &B::Buffer) -> Vec<B::Real> {
        let mut values = vec![Default::default(); self.arena.len];
        self.backend.download(self.backend.view(buffer, 0..self.arena.len), &mut values);
        values
    }

    /// Where each parameter lies.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    fn forward(&mut self, layout: &Layout<'_>, temperature: f32, keep: Keep) -> HeadStats<B::Real> {
        self.reach(layout.positions.iter().max().map_or(0, |&p| p as usize + 1));
        let Self { config, arena, weights, rope, backend: b, activations, head, .. } = self;
        let network = Network { config, arena, weights, rope };
        network.forward(b, layout, activations, keep, &mut |_, _| {});
        let [gathered, normed, ..] = head;
        let (h, n) = (config.hidden_size, layout.rows.len());
        ensure(b, gathered, n * h);
        ensure(b, normed, n * h);
        let x = b.view(activations.output(), 0..layout.len() * h);
        b.gather(h, &layout.rows, b.view_mut(gathered, 0..n * h), x);
        network.final_norm(b, normed, gathered, n);
        let table = b.view(weights, arena.head.clone());
        b.head(h, predictions(layout, temperature), b.view(normed, 0..n * h), table)
    }

    /// Logits `[N, V]` of a packed batch's predictions, all at once: for looking into a model, not
    /// for training it.
    pub fn logits(&mut self, layout: &Layout<'_>) -> Vec<B::Real> {
        self.forward(layout, 1.0, Keep::Nothing);
        let b = &self.backend;
        let (n, v) = (layout.rows.len(), self.config.vocab_size);
        let mut logits = b.zeros(n * v);
        let normed = b.view(&self.head[1], 0..n * self.config.hidden_size);
        let table = b.view(&self.weights, self.arena.head.clone());
        let layer = self.network().linears().head;
        b.linear(layer, b.view_mut(&mut logits, 0..n * v), normed, table, None);
        let mut values = vec![Default::default(); n * v];
        b.download(b.view(&logits, 0..n * v), &mut values);
        values
    }

    /// Log-probabilities and entropies of a packed batch.
    pub fn stats(&mut self, layout: &Layout<'_>, temperature: f32) -> HeadStats<B::Real> {
        self.forward(layout, temperature, Keep::Nothing)
    }

    /// The first half of a gradient: the forward, keeping what [`Qwen2::finish`] reads.
    pub fn begin(&mut self, layout: &Layout<'_>, temperature: f32) -> HeadStats<B::Real> {
        self.forward(layout, temperature, self.keep())
    }

    fn keep(&self) -> Keep {
        if self.recompute { Keep::Inputs } else { Keep::All }
    }

    /// The second half: the backward from `dlogp [N]`, the loss's derivative by each
    /// log-probability; adds to the gradient. Nothing may have run on the model since
    /// [`Qwen2::begin`] with the same layout and temperature, which gave `stats`.
    ///
    /// # Panics
    /// If `dlogp` has another length.
    pub fn finish(
        &mut self,
        layout: &Layout<'_>,
        temperature: f32,
        stats: &HeadStats<B::Real>,
        dlogp: &[B::Real],
    ) {
        assert_eq!(dlogp.len(), layout.rows.len(), "one derivative for each log-probability");
        let keep = self.keep();
        self.optimizer();
        let Self { config, arena, weights, rope, backend: b, activations, gradients, head, .. } =
            self;
        let Some(optimizer) = &mut self.optimizer else { return };
        let grad = &mut optimizer.grad;
        let network = Network { config, arena, weights, rope };
        let (h, n) = (config.hidden_size, layout.rows.len());
        let [gathered, normed, dgathered, dnormed] = head;
        ensure(b, dgathered, n * h);
        ensure(b, dnormed, n * h);
        b.head_backward(
            h,
            predictions(layout, temperature),
            dlogp,
            &stats.lse,
            b.view_mut(dnormed, 0..n * h),
            b.view_mut(grad, arena.head.clone()),
            b.view(normed, 0..n * h),
            b.view(weights, arena.head.clone()),
        );
        b.fill(b.view_mut(dgathered, 0..n * h), Default::default());
        b.rms_norm_backward(
            config.rms_norm_eps,
            b.view_mut(dgathered, 0..n * h),
            b.view_mut(grad, arena.final_norm.clone()),
            b.view(dnormed, 0..n * h),
            b.view(gathered, 0..n * h),
            b.view(weights, arena.final_norm.clone()),
        );
        gradients.prepare(b, &network, layout.len());
        let dx = b.view_mut(&mut gradients.dx, 0..layout.len() * h);
        b.gather_backward(h, &layout.rows, dx, b.view(dgathered, 0..n * h));
        network.backward(b, layout, activations, keep, gradients, grad);
    }

    pub(crate) fn optimizer(&mut self) -> &mut Optimizer<B> {
        let (b, len) = (&self.backend, self.arena.len);
        self.optimizer.get_or_insert_with(|| Optimizer {
            grad: b.zeros(len),
            first: b.zeros(len),
            second: b.zeros(len),
            steps: 0,
        })
    }

    /// Sets the gradient to zero.
    pub fn zero_grad(&mut self) {
        if let Some(optimizer) = &mut self.optimizer {
            let grad = self.backend.view_mut(&mut optimizer.grad, 0..self.arena.len);
            self.backend.fill(grad, Default::default());
        }
    }

    /// L2 norm of the gradient.
    pub fn grad_norm(&self) -> f64 {
        self.optimizer.as_ref().map_or(0.0, |o| {
            self.backend.norm_squared(self.backend.view(&o.grad, 0..self.arena.len)).sqrt()
        })
    }

    /// Moves the gradient to those set aside, and sets it to zero; returns its L2 norm.
    pub fn set_grad_aside(&mut self) -> f64 {
        let norm = self.grad_norm();
        self.optimizer();
        let len = self.arena.len;
        let (b, Some(o)) = (&self.backend, &mut self.optimizer) else { return norm };
        match &mut self.aside {
            None => self.aside = Some(std::mem::replace(&mut o.grad, b.zeros(len))),
            Some(aside) => {
                b.add(b.view_mut(aside, 0..len), b.view(&o.grad, 0..len));
                b.fill(b.view_mut(&mut o.grad, 0..len), Default::default());
            }
        }
        norm
    }

    /// Adds what was set aside to the gradient, and forgets it.
    pub fn take_grad_back(&mut self) {
        let len = self.arena.len;
        let (b, Some(o), Some(aside)) = (&self.backend, &mut self.optimizer, self.aside.take())
        else {
            return;
        };
        b.add(b.view_mut(&mut o.grad, 0..len), b.view(&aside, 0..len));
    }

    /// One AdamW step; the gradient is scaled to `max_grad_norm` where it is greater.
    ///
    /// # Errors
    /// A gradient that is not finite; nothing is changed.
    pub fn step(
        &mut self,
        adamw: &AdamWConfig,
        max_grad_norm: Option<f64>,
    ) -> Result<StepStats, PolicyError> {
        let norm = self.grad_norm();
        if !norm.is_finite() {
            return Err(PolicyError::NotFinite { norm });
        }
        // torch.nn.utils.clip_grad_norm_'s factor.
        let scale = max_grad_norm.map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0));
        self.optimizer();
        let len = self.arena.len;
        let (b, Some(o)) = (&self.backend, &mut self.optimizer) else {
            return Ok(StepStats { grad_norm: norm, clipped: false });
        };
        o.steps += 1;
        let step =
            AdamWStep { config: adamw, step: o.steps, scale, parameters: &self.arena.parameters };
        b.adamw(
            &step,
            b.view_mut(&mut self.weights, 0..len),
            b.view(&o.grad, 0..len),
            b.view_mut(&mut o.first, 0..len),
            b.view_mut(&mut o.second, 0..len),
        );
        Ok(StepStats { grad_norm: norm, clipped: scale < 1.0 })
    }
}

fn predictions<'l>(layout: &'l Layout<'_>, temperature: f32) -> Predictions<'l> {
    Predictions { targets: &layout.targets, kept: &layout.kept, temperature }
}
