//! The file that `warmup` reads: supervised training on the tasks' own demonstrations.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Device, Optimizer};

/// A supervised warm-up, of a new model or of an existing one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WarmupConfig {
    /// The same seed, files and machine give the same bytes.
    pub seed: u64,
    /// Optimizer steps.
    pub steps: u64,
    /// Demonstrations in one step.
    pub batch: u32,
    /// Tokens that one forward and backward pass holds; 0 takes a whole batch.
    pub micro_batch_tokens: usize,
    /// Longer demonstrations are left out; they are counted and shown.
    pub max_tokens: u32,
    /// Steps between two progress records.
    pub report_every: u64,
    /// Where to compute.
    pub device: Device,
    /// Threads; 0 takes all cores. The result does not depend on it.
    pub threads: usize,
    /// AdamW and its learning rate.
    pub optimizer: Optimizer,
    /// A Hugging Face model folder to continue from, relative to this file; absent: a new model
    /// with the tables `model` and `tokenizer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// The new model's shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelShape>,
    /// The new model's tokenizer, trained on the demonstrations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerSettings>,
    /// Where the demonstrations come from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub task: Vec<WarmupTask>,
}

impl Default for WarmupConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            steps: 1000,
            batch: 64,
            micro_batch_tokens: 16_384,
            max_tokens: 512,
            report_every: 50,
            device: Device::Auto,
            threads: 0,
            optimizer: Optimizer { lr: 1e-3, ..Optimizer::default() },
            from: None,
            model: None,
            tokenizer: None,
            task: Vec::new(),
        }
    }
}

/// The shape of a new Qwen2 model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelShape {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layers.
    pub intermediate_size: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Longest sequence.
    pub max_positions: usize,
    /// Base of the rotary embedding.
    pub rope_theta: f64,
    /// One matrix for embedding and output.
    pub tied: bool,
}

impl Default for ModelShape {
    fn default() -> Self {
        Self {
            hidden_size: 128,
            intermediate_size: 352,
            layers: 4,
            heads: 4,
            kv_heads: 2,
            max_positions: 512,
            rope_theta: 10_000.0,
            tied: true,
        }
    }
}

/// A new byte-pair tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TokenizerSettings {
    /// Tokens, special ones included.
    pub vocab_size: usize,
    /// Demonstrations of each task that it is trained on.
    pub items: u32,
}

impl Default for TokenizerSettings {
    fn default() -> Self {
        Self { vocab_size: 512, items: 2000 }
    }
}

/// One source of demonstrations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WarmupTask {
    /// The pack's task: `pack/name`, or the bare name where it is unique.
    #[serde(rename = "use")]
    pub uses: String,
    /// The split that the demonstrations are taken from.
    pub split: String,
    /// Demonstrations; each is used once before any is used twice.
    pub items: u32,
    /// Share of each batch, relative to the other tasks.
    pub weight: f64,
    /// What the source of problems is told, over what the pack says.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub config: serde_json::Map<String, serde_json::Value>,
}

impl Default for WarmupTask {
    fn default() -> Self {
        Self {
            uses: String::new(),
            split: "warmup".into(),
            items: 20_000,
            weight: 1.0,
            config: serde_json::Map::new(),
        }
    }
}
