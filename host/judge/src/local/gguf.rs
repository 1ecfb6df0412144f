//! A GGUF file of the Qwen2 or Llama family. Its tokenizer and chat template come from a folder,
//! as `tokenizer.json` and `tokenizer_config.json`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Tensor};
use candle_transformers::models::{quantized_llama, quantized_qwen2};
use omni_policy::Tokenizer;

use super::{Loaded, Network};
use crate::error::OpenError;

impl Network for quantized_qwen2::ModelWeights {
    fn forward(&mut self, tokens: &Tensor, offset: usize) -> candle_core::Result<Tensor> {
        self.forward(tokens, offset)
    }

    fn clear(&mut self) {
        self.clear_kv_cache();
    }
}

impl Network for quantized_llama::ModelWeights {
    fn forward(&mut self, tokens: &Tensor, offset: usize) -> candle_core::Result<Tensor> {
        self.forward(tokens, offset)
    }

    fn clear(&mut self) {
        self.clear_kv_cache();
    }
}

pub(super) fn load(file: &Path, tokenizer: &Path) -> Result<Loaded, OpenError> {
    let wrong = |error: candle_core::Error| OpenError::file(file, error);
    let opened = File::open(file).map_err(|error| OpenError::file(file, error))?;
    let mut reader = BufReader::new(opened);
    let content = Content::read(&mut reader).map_err(wrong)?;
    let family = match content.metadata.get("general.architecture") {
        Some(Value::String(family)) => family.clone(),
        _ => return Err(OpenError::file(file, "has no `general.architecture`")),
    };
    let number = |key: &str| {
        let name = format!("{family}.{key}");
        match content.metadata.get(&name).map(Value::to_u32) {
            Some(Ok(value)) if value > 0 => Ok(value as usize),
            Some(_) => Err(OpenError::file(file, format!("`{name}` is no number above 0"))),
            None => Err(OpenError::file(file, format!("has no `{name}`"))),
        }
    };
    // What candle divides by.
    for key in ["attention.head_count", "attention.head_count_kv", "embedding_length"] {
        if matches!(family.as_str(), "qwen2" | "llama") {
            number(key)?;
        }
    }
    let tokens = content.tensor_infos.get("token_embd.weight").map(|info| info.shape.dims()[0]);
    let ends = content
        .metadata
        .get("tokenizer.ggml.eos_token_id")
        .and_then(|id| id.to_u32().ok())
        .into_iter()
        .collect();
    let words = Tokenizer::load_alone(tokenizer)?;
    if let Some(tokens) = tokens {
        words.check_fits(tokens)?;
    }
    let (network, positions): (Box<dyn Network>, usize) = match family.as_str() {
        "qwen2" => {
            let positions = number("context_length")?;
            let weights =
                quantized_qwen2::ModelWeights::from_gguf(content, &mut reader, &Device::Cpu);
            (Box::new(weights.map_err(wrong)?), positions)
        }
        "llama" => {
            let positions = number("context_length")?.min(quantized_llama::MAX_SEQ_LEN);
            let weights =
                quantized_llama::ModelWeights::from_gguf(content, &mut reader, &Device::Cpu);
            (Box::new(weights.map_err(wrong)?), positions)
        }
        other => {
            return Err(OpenError::file(
                file,
                format!(
                    "models of the family `{other}` are not supported here; qwen2 and llama are. \
                     Others can be served by another program and named as an endpoint"
                ),
            ));
        }
    };
    Ok(Loaded { network, tokenizer: words, ends, positions })
}
