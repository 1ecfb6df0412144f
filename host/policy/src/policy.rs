//! The trait through which training and evaluation see a model, and the values that pass it.
//!
//! Lengths: `G` groups, each of one prompt and any number of completions; a completion of `n`
//! tokens has `n` log-probabilities. Ragged results are nested `[group][completion][token]`.

use std::path::Path;

use crate::PolicyError;

/// The token ids that sampling kept at one position (after top-k and top-p), in ascending order.
///
/// Shared between the generator, which records it, and the trainer, which renormalises over it
/// when log-probabilities are to be those of the sampled distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSet {
    /// Ascending, without duplicates; holds at least the sampled token.
    pub ids: Box<[u32]>,
}

/// One completion of a group's prompt.
#[derive(Debug, Clone, Copy)]
pub struct Completion<'a> {
    /// The completion's tokens, the end-of-sequence token included where there was one.
    pub tokens: &'a [u32],
    /// The support each token was sampled from; `None` means the full vocabulary.
    pub kept: Option<&'a [KeptSet]>,
}

/// A prompt with its completions. The prompt's activations are computed once for all of them.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// At least one token.
    pub prompt: &'a [u32],
    /// Any number, each of any length (an empty completion has no log-probabilities).
    pub completions: Vec<Completion<'a>>,
}

/// Log-probability and entropy of every completion token, `[group][completion][token]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenStats {
    /// `ln π(token)` at the given temperature, over the kept set where one was given.
    pub logp: Vec<Vec<Vec<f32>>>,
    /// `−Σ_v π(v) ln π(v)` over the same support as `logp`, in nats.
    pub entropy: Vec<Vec<Vec<f32>>>,
}

/// Derivative of the loss by each log-probability, in the shape of [`TokenStats::logp`].
pub type TokenGradient = Vec<Vec<Vec<f32>>>;

/// How tokens are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it; 0 takes the most likely token.
    pub temperature: f32,
    /// Keep the `k` most likely tokens (all that tie with the last of them are kept).
    pub top_k: Option<u32>,
    /// Keep the smallest set of most likely tokens whose mass reaches it; 1 keeps all.
    pub top_p: f32,
    /// Longest completion, the end-of-sequence token included.
    pub max_new_tokens: usize,
    /// Record the kept set of every token, where top-k or top-p cuts any off.
    pub record_kept: bool,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: 1.0, max_new_tokens: 256, record_kept: false }
    }
}

impl Sampling {
    /// Whether some of `vocabulary` tokens are cut off before drawing.
    pub(crate) fn truncates(&self, vocabulary: usize) -> bool {
        self.top_k.is_some_and(|k| (k as usize) < vocabulary) || self.top_p < 1.0
    }
}

/// A prompt to complete several times.
#[derive(Debug, Clone, Copy)]
pub struct GenerationRequest<'a> {
    /// At least one token.
    pub prompt: &'a [u32],
    /// How many completions.
    pub samples: usize,
    /// Every random number is a function of (seed, sample index, position), so a request's
    /// samples do not depend on what is generated beside it.
    pub seed: u64,
}

/// One sampled completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The end-of-sequence token included when it ended the completion.
    pub tokens: Vec<u32>,
    /// True when an end-of-sequence token ended it, false when the length limit did.
    pub stopped: bool,
    /// One set for each token when [`Sampling::record_kept`] was asked for and tokens were cut off;
    /// without it the whole vocabulary was kept.
    pub kept: Option<Vec<KeptSet>>,
}

/// Which parameters weight decay acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// Matrices only: not biases, not norms (the Hugging Face trainer's rule).
    Matrices,
    /// Every parameter.
    All,
}

/// Decoupled weight decay Adam (`torch.optim.AdamW`).
#[derive(Debug, Clone, PartialEq)]
pub struct AdamWConfig {
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// `θ ← θ − lr · weight_decay · θ` before the update.
    pub weight_decay: f64,
    /// Which parameters decay.
    pub decay: Decay,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            lr: 1e-6,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            decay: Decay::Matrices,
        }
    }
}

/// What an optimizer step saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepStats {
    /// L2 norm of the whole gradient, before clipping.
    pub grad_norm: f64,
    /// Whether the gradient was scaled down to the maximum norm.
    pub clipped: bool,
}

/// A language model that can be sampled from and trained.
pub trait Policy: Send {
    /// Completes every request; `on_group` is called on this thread with a request's index and its
    /// samples as soon as they are finished, in no fixed order.
    ///
    /// # Errors
    /// Unusable prompts (empty, an unknown token, longer than the model's positions) or settings.
    fn generate(
        &mut self,
        requests: &[GenerationRequest<'_>],
        sampling: &Sampling,
        on_group: &mut dyn FnMut(usize, Vec<Generated>),
    ) -> Result<(), PolicyError>;

    /// Log-probabilities and entropies, without a gradient.
    ///
    /// # Errors
    /// Unusable tokens or kept sets.
    fn token_stats(
        &mut self,
        groups: &[Group<'_>],
        temperature: f32,
    ) -> Result<TokenStats, PolicyError>;

    /// Forward, then `gradient` maps the log-probabilities to the loss's derivative by each of
    /// them, then backward. Adds to the gradient, so that micro-batches accumulate.
    ///
    /// # Errors
    /// Unusable tokens, or a derivative of another shape than the log-probabilities.
    fn accumulate(
        &mut self,
        groups: &[Group<'_>],
        temperature: f32,
        gradient: &mut dyn FnMut(&TokenStats) -> TokenGradient,
    ) -> Result<(), PolicyError>;

    /// Sets the gradient to zero.
    fn zero_grad(&mut self);

    /// L2 norm of the accumulated gradient.
    fn grad_norm(&self) -> f64;

    /// Adds the accumulated gradient to those set aside, sets it to zero, and returns its L2 norm.
    /// So the parts of one gradient are measured; it costs a second copy of it.
    fn set_grad_aside(&mut self) -> f64;

    /// Adds what was set aside to the accumulated gradient, and forgets it.
    fn take_grad_back(&mut self);

    /// One AdamW step with the accumulated gradient, which is left as it is (call
    /// [`Policy::zero_grad`] before the next).
    ///
    /// # Errors
    /// A gradient that is not finite; the parameters are then untouched.
    fn step(
        &mut self,
        adamw: &AdamWConfig,
        max_grad_norm: Option<f64>,
    ) -> Result<StepStats, PolicyError>;

    /// Number of parameters (tied weights counted once).
    fn parameters(&self) -> usize;

    /// Longest sequence, prompt and completion together.
    fn max_positions(&self) -> usize;

    /// Number of token ids that the model knows.
    fn vocab_size(&self) -> usize;

    /// Writes `config.json`, `generation_config.json` and `model.safetensors` (f32, synced) into an
    /// existing folder. The tokenizer is saved by [`Tokenizer::save`](crate::Tokenizer::save).
    ///
    /// # Errors
    /// The file that could not be written.
    fn save_model(&self, dir: &Path) -> Result<(), PolicyError>;

    /// Replaces the weights by those of a Hugging Face folder of the same architecture; moments
    /// and gradient are left as they are.
    ///
    /// # Errors
    /// The file and tensor that are missing, damaged or of another shape.
    fn load_weights(&mut self, dir: &Path) -> Result<(), PolicyError>;

    /// Writes the moments and the step counter as safetensors, synced.
    ///
    /// # Errors
    /// The file that could not be written.
    fn save_optimizer(&self, file: &Path) -> Result<(), PolicyError>;

    /// Reads what [`Policy::save_optimizer`] wrote.
    ///
    /// # Errors
    /// The file, when it is missing, damaged or of another model.
    fn load_optimizer(&mut self, file: &Path) -> Result<(), PolicyError>;
}
