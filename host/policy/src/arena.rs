//! Where each parameter lies in the one flat array that holds them all.
//!
//! Weights, gradient and both moments are arrays of the same layout, so that clipping, AdamW and
//! zeroing are single passes. Parameters that are used together lie together: queries, keys and
//! values (then their biases) are one matrix product, gate and up another.

use std::ops::Range;

use crate::ModelConfig;

/// One parameter under its Hugging Face name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Such as `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// `[outputs, inputs]` for matrices, `[n]` for biases and norms.
    pub shape: Vec<usize>,
    /// Place in the arena.
    pub range: Range<usize>,
}

impl Parameter {
    /// Matrices decay under [`Decay::Matrices`](crate::Decay::Matrices); biases and norms do not.
    pub fn is_matrix(&self) -> bool {
        self.shape.len() == 2
    }
}

/// Ranges of one block's parameters.
#[derive(Debug, Clone)]
pub struct LayerRanges {
    /// `[H]`
    pub input_norm: Range<usize>,
    /// `[(Hq + 2 Hkv) · D, H]`, then the biases `[(Hq + 2 Hkv) · D]`.
    pub qkv: Range<usize>,
    /// `[H, Hq · D]`
    pub output: Range<usize>,
    /// `[H]`
    pub post_norm: Range<usize>,
    /// Gate and up: `[2 I, H]`.
    pub gate_up: Range<usize>,
    /// `[H, I]`
    pub down: Range<usize>,
}

/// The whole layout.
#[derive(Debug, Clone)]
pub struct Arena {
    /// In the order they lie in, without gaps.
    pub parameters: Vec<Parameter>,
    /// `[V, H]`
    pub embedding: Range<usize>,
    /// One for each block.
    pub layers: Vec<LayerRanges>,
    /// `[H]`
    pub final_norm: Range<usize>,
    /// `[V, H]`; the embedding itself when tied.
    pub head: Range<usize>,
    /// Number of parameters.
    pub len: usize,
}

impl Arena {
    /// Lays out a model.
    pub fn new(config: &ModelConfig) -> Self {
        let (h, i, v) = (config.hidden_size, config.intermediate_size, config.vocab_size);
        let q = config.num_attention_heads * config.head_dim;
        let kv = config.num_key_value_heads * config.head_dim;
        let mut b = Builder::default();
        let embedding = b.add("model.embed_tokens.weight", &[v, h]);
        let layers = (0..config.num_hidden_layers)
            .map(|n| {
                let name = |part: &str| format!("model.layers.{n}.{part}");
                let input_norm = b.add(name("input_layernorm.weight"), &[h]);
                let start = b.len;
                b.add(name("self_attn.q_proj.weight"), &[q, h]);
                b.add(name("self_attn.k_proj.weight"), &[kv, h]);
                b.add(name("self_attn.v_proj.weight"), &[kv, h]);
                b.add(name("self_attn.q_proj.bias"), &[q]);
                b.add(name("self_attn.k_proj.bias"), &[kv]);
                b.add(name("self_attn.v_proj.bias"), &[kv]);
                let qkv = start..b.len;
                let output = b.add(name("self_attn.o_proj.weight"), &[h, q]);
                let post_norm = b.add(name("post_attention_layernorm.weight"), &[h]);
                let start = b.len;
                b.add(name("mlp.gate_proj.weight"), &[i, h]);
                b.add(name("mlp.up_proj.weight"), &[i, h]);
                let gate_up = start..b.len;
                let down = b.add(name("mlp.down_proj.weight"), &[h, i]);
                LayerRanges { input_norm, qkv, output, post_norm, gate_up, down }
            })
            .collect();
        let final_norm = b.add("model.norm.weight", &[h]);
        let head = match config.tie_word_embeddings {
            true => embedding.clone(),
            false => b.add("lm_head.weight", &[v, h]),
        };
        Self { parameters: b.parameters, embedding, layers, final_norm, head, len: b.len }
    }
}

#[derive(Default)]
struct Builder {
    parameters: Vec<Parameter>,
    len: usize,
}

impl Builder {
    fn add(&mut self, name: impl Into<String>, shape: &[usize]) -> Range<usize> {
        let range = self.len..self.len + shape.iter().product::<usize>();
        self.len = range.end;
        let (name, shape) = (name.into(), shape.to_vec());
        self.parameters.push(Parameter { name, shape, range: range.clone() });
        range
    }
}
