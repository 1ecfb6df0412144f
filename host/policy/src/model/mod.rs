//! The Qwen2 model: parameters in one arena, and the passes over them.
//!
//! `layout` packs groups into rows, `forward` and `backward` write the passes out over a
//! [`Backend`], `training` holds gradient, moments and the optimizer's step.

mod backward;
mod forward;
pub mod layout;
mod training;

use crate::arena::Arena;
use crate::backend::{Backend, Heads, Linear};
use crate::generate::rng;
use crate::policy::Group;
use crate::real::Real;
use crate::{ModelConfig, PolicyError};

pub(crate) use forward::{Activations, Keep};
pub use training::Qwen2;

/// What a pass reads: architecture, weights, rotary table. Shared by streams of generation.
pub(crate) struct Network<'m, B: Backend> {
    pub(crate) config: &'m ModelConfig,
    pub(crate) arena: &'m Arena,
    pub(crate) weights: &'m B::Buffer,
    /// `[positions, D]`: `D/2` cosines, then `D/2` sines.
    pub(crate) rope: &'m B::Buffer,
}

impl<B: Backend> Clone for Network<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Network<'_, B> {}

/// Shapes of the linear layers of a block, and of the head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linears {
    pub(crate) qkv: Linear,
    pub(crate) output: Linear,
    pub(crate) gate_up: Linear,
    pub(crate) down: Linear,
    pub(crate) head: Linear,
}

impl<B: Backend> Network<'_, B> {
    pub(crate) fn heads(&self) -> Heads {
        Heads {
            queries: self.config.num_attention_heads,
            keys: self.config.num_key_value_heads,
            dim: self.config.head_dim,
        }
    }

    pub(crate) fn linears(&self) -> Linears {
        let (h, i) = (self.config.hidden_size, self.config.intermediate_size);
        let heads = self.heads();
        let linear = |inputs, outputs| Linear { inputs, outputs, bias: false };
        Linears {
            qkv: Linear { bias: true, ..linear(h, heads.row()) },
            output: linear(heads.out(), h),
            gate_up: linear(h, 2 * i),
            down: linear(i, h),
            head: linear(h, self.config.vocab_size),
        }
    }

    /// Every token must be one of the vocabulary's.
    pub(crate) fn check_tokens(&self, tokens: &[u32]) -> Result<(), String> {
        let vocabulary = self.config.vocab_size;
        match tokens.iter().find(|&&t| t as usize >= vocabulary) {
            Some(t) => Err(format!("token {t} is outside the model's vocabulary of {vocabulary}")),
            None => Ok(()),
        }
    }

    /// Groups that the model can be run on.
    pub(crate) fn check_groups(
        &self,
        groups: &[Group<'_>],
        temperature: f32,
    ) -> Result<(), PolicyError> {
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(PolicyError::input(format!("temperature {temperature} is not positive")));
        }
        for (n, group) in groups.iter().enumerate() {
            let fail = |m: String| Err(PolicyError::input(format!("group {n}: {m}")));
            if group.prompt.is_empty() {
                return fail("the prompt is empty".into());
            }
            self.check_tokens(group.prompt).or_else(fail)?;
            for (c, completion) in group.completions.iter().enumerate() {
                let fail =
                    |m: String| Err(PolicyError::input(format!("group {n}, completion {c}: {m}")));
                self.check_tokens(completion.tokens).or_else(fail)?;
                let len = group.prompt.len() + completion.tokens.len();
                let most = self.config.max_position_embeddings;
                if len > most {
                    return fail(format!("{len} tokens; the model has {most} positions"));
                }
                let Some(kept) = completion.kept else { continue };
                if kept.len() != completion.tokens.len() {
                    let tokens = completion.tokens.len();
                    return fail(format!("{} kept sets for {tokens} tokens", kept.len()));
                }
                for (kept, token) in kept.iter().zip(completion.tokens) {
                    self.check_tokens(&kept.ids).or_else(fail)?;
                    if !kept.ids.is_sorted_by(|a, b| a < b) {
                        return fail("a kept set does not ascend".into());
                    }
                    if kept.ids.binary_search(token).is_err() {
                        return fail(format!("token {token} is not in its kept set"));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Makes a buffer at least `len` long; its content is lost when it grows.
pub(crate) fn ensure<B: Backend>(backend: &B, buffer: &mut B::Buffer, len: usize) {
    if backend.len(buffer) < len {
        *buffer = backend.zeros(len);
    }
}

/// Eq: angle of position `p` and pair `d`: `p · theta^(−2d/D)`.
pub(crate) fn rope_table<R: Real>(config: &ModelConfig, positions: usize) -> Vec<R> {
    let half = config.head_dim / 2;
    let frequencies: Vec<f64> = (0..half)
        .map(|d| config.rope_theta.powf(-(2.0 * d as f64) / config.head_dim as f64))
        .collect();
    (0..positions)
        .flat_map(|p| {
            let angle = move |f: &f64| p as f64 * f;
            let cos = frequencies.iter().map(move |f| angle(f).cos());
            cos.chain(frequencies.iter().map(move |f| angle(f).sin()))
        })
        .map(R::from_f64)
        .collect()
}

/// Fresh weights: normal with `initializer_range`, biases 0, norms 1 (as transformers does).
pub(crate) fn random_weights<R: Real>(config: &ModelConfig, arena: &Arena, seed: u64) -> Vec<R> {
    let mut weights = Vec::with_capacity(arena.len);
    for (sample, parameter) in arena.parameters.iter().enumerate() {
        let is_bias = parameter.name.ends_with(".bias");
        weights.extend((0..parameter.range.len()).map(|position| {
            R::from_f64(match (parameter.is_matrix(), is_bias) {
                (true, _) => {
                    let (sample, position) = (sample as u64, position as u64);
                    let draw = crate::backend::Draw { seed, sample, position };
                    config.initializer_range * rng::normal(draw)
                }
                (false, true) => 0.0,
                (false, false) => 1.0,
            })
        }));
    }
    weights
}
