//! A Hugging Face folder of the Qwen2 family.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::{Activation, VarBuilder};
use candle_transformers::models::qwen2;
use omni_policy::{ModelConfig, Tokenizer};

use super::{Loaded, Network};
use crate::error::OpenError;

/// The weights' list of files, where there is more than one.
const INDEX: &str = "model.safetensors.index.json";
const SINGLE: &str = "model.safetensors";

struct Qwen2(qwen2::ModelForCausalLM);

impl Network for Qwen2 {
    fn forward(&mut self, tokens: &Tensor, offset: usize) -> candle_core::Result<Tensor> {
        self.0.forward(tokens, offset)
    }

    fn clear(&mut self) {
        self.0.clear_kv_cache();
    }
}

pub(super) fn load(folder: &Path) -> Result<Loaded, OpenError> {
    if !folder.is_dir() {
        return Err(OpenError::file(
            folder,
            "there is no such folder; a model is a Hugging Face folder with config.json, \
             model.safetensors and tokenizer.json",
        ));
    }
    let config = ModelConfig::load(folder)?;
    let tokenizer = Tokenizer::load(folder)?;
    if config.head_dim * config.num_attention_heads != config.hidden_size {
        return Err(OpenError::file(
            folder.join("config.json"),
            "heads that are not hidden_size / num_attention_heads wide are not supported here",
        ));
    }
    let shape = qwen2::Config {
        vocab_size: config.vocab_size,
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        num_key_value_heads: config.num_key_value_heads,
        max_position_embeddings: config.max_position_embeddings,
        // No window: every earlier token is seen.
        sliding_window: config.max_position_embeddings,
        max_window_layers: config.num_hidden_layers,
        tie_word_embeddings: config.tie_word_embeddings,
        rope_theta: config.rope_theta,
        rms_norm_eps: config.rms_norm_eps,
        use_sliding_window: false,
        hidden_act: Activation::Silu,
    };
    let mut tensors = HashMap::new();
    for file in weight_files(folder)? {
        let wrong = |error: candle_core::Error| OpenError::file(&file, error);
        let read = candle_core::safetensors::load(&file, &Device::Cpu).map_err(wrong)?;
        for (name, tensor) in read {
            // The CPU computes in f32, whatever the file holds.
            tensors.insert(name, tensor.to_dtype(DType::F32).map_err(wrong)?);
        }
    }
    if config.tie_word_embeddings {
        tensors.remove("lm_head.weight");
    }
    let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let network = qwen2::ModelForCausalLM::new(&shape, weights)
        .map_err(|error| OpenError::file(folder, error))?;
    Ok(Loaded {
        network: Box::new(Qwen2(network)),
        tokenizer,
        ends: Vec::new(),
        positions: config.max_position_embeddings,
    })
}

/// The files that hold the weights.
pub(crate) fn weight_files(folder: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let index = folder.join(INDEX);
    if !index.exists() {
        let single = folder.join(SINGLE);
        if !single.is_file() {
            return Err(OpenError::file(single, "is missing; the weights belong there"));
        }
        return Ok(vec![single]);
    }
    let text = std::fs::read_to_string(&index).map_err(|error| OpenError::file(&index, error))?;
    let parsed: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| OpenError::file(&index, error))?;
    let map = parsed.get("weight_map").and_then(serde_json::Value::as_object);
    let map = map.ok_or_else(|| OpenError::file(&index, "has no `weight_map`"))?;
    let names: BTreeSet<&str> = map.values().filter_map(serde_json::Value::as_str).collect();
    names
        .into_iter()
        .map(|name| {
            // A name, not a way to another place.
            if Path::new(name).components().count() == 1 && !name.contains("..") {
                Ok(folder.join(name))
            } else {
                Err(OpenError::file(&index, format!("`{name}` is not a file of this folder")))
            }
        })
        .collect()
}
