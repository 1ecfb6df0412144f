//! The policy on the CPU, in f32.

use std::path::Path;

use crate::{
    AdamWConfig, GenerationRequest, Generated, Group, ModelConfig, Policy, PolicyError, Sampling,
    StepStats, TokenGradient, TokenStats,
};

/// A Qwen2 policy on the CPU.
#[derive(Debug)]
pub struct CpuPolicy {
    config: ModelConfig,
}

impl CpuPolicy {
    /// Reads a Hugging Face folder. `threads` of `None` takes every core.
    ///
    /// # Errors
    /// The file, key or tensor that is missing or unusable.
    pub fn load(dir: &Path, threads: Option<usize>) -> Result<Self, PolicyError> {
        let _ = threads;
        Ok(Self { config: ModelConfig::load(dir)? })
    }

    /// A policy with random weights (normal, `initializer_range`; biases 0, norms 1).
    ///
    /// # Errors
    /// A configuration that contradicts itself.
    pub fn init_random(
        config: ModelConfig,
        seed: u64,
        threads: Option<usize>,
    ) -> Result<Self, PolicyError> {
        let _ = (seed, threads);
        Ok(Self { config })
    }

    /// Keeps each layer's input only and computes the rest again in the backward pass.
    pub fn set_recompute(&mut self, recompute: bool) {
        let _ = recompute;
    }

    /// The architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }
}

fn missing<T>() -> Result<T, PolicyError> {
    Err(PolicyError::input("not built yet"))
}

impl Policy for CpuPolicy {
    fn generate(&mut self, _: &[GenerationRequest<'_>], _: &Sampling, _: &mut dyn FnMut(usize, Vec<Generated>)) -> Result<(), PolicyError> { missing() }
    fn token_stats(&mut self, _: &[Group<'_>], _: f32) -> Result<TokenStats, PolicyError> { missing() }
    fn accumulate(&mut self, _: &[Group<'_>], _: f32, _: &mut dyn FnMut(&TokenStats) -> TokenGradient) -> Result<(), PolicyError> { missing() }
    fn zero_grad(&mut self) {}
    fn grad_norm(&self) -> f64 { 0.0 }
    fn step(&mut self, _: &AdamWConfig, _: Option<f64>) -> Result<StepStats, PolicyError> { missing() }
    fn parameters(&self) -> usize { 0 }
    fn max_positions(&self) -> usize { self.config.max_position_embeddings }
    fn vocab_size(&self) -> usize { self.config.vocab_size }
    fn save_model(&self, _: &Path) -> Result<(), PolicyError> { missing() }
    fn load_weights(&mut self, _: &Path) -> Result<(), PolicyError> { missing() }
    fn save_optimizer(&self, _: &Path) -> Result<(), PolicyError> { missing() }
    fn load_optimizer(&mut self, _: &Path) -> Result<(), PolicyError> { missing() }
}
