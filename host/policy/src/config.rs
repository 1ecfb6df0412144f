//! The architecture, read from and written to a Hugging Face `config.json`.
//!
//! Both forms of the rotary base are read: `rope_parameters.rope_theta` (transformers 5) and
//! `rope_theta` (earlier). Settings that would change the numbers and that this crate does not
//! implement (rope scaling, sliding windows, another activation) are errors, never ignored.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::PolicyError;

/// The architecture's file.
pub(crate) const CONFIG: &str = "config.json";
/// The end-of-sequence tokens' and sampling defaults' file.
pub(crate) const GENERATION_CONFIG: &str = "generation_config.json";

/// The shape of a Qwen2 model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Number of token ids.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the gated feed-forward layer.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides the query heads.
    pub num_key_value_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary angles.
    pub rope_theta: f64,
    /// Longest sequence.
    pub max_position_embeddings: usize,
    /// Whether the output head is the embedding.
    pub tie_word_embeddings: bool,
    /// Standard deviation of freshly made weights.
    pub initializer_range: f64,
    /// Tokens that end a completion.
    pub eos_token_ids: Vec<u32>,
    /// The padding token, written back into saved folders.
    pub pad_token_id: Option<u32>,
}

impl ModelConfig {
    /// Reads `config.json`, and `generation_config.json` where there is one (its end-of-sequence
    /// tokens win, as they do in transformers).
    ///
    /// # Errors
    /// The file and the key that is missing or unusable.
    pub fn load(dir: &Path) -> Result<Self, PolicyError> {
        let path = dir.join(CONFIG);
        let text = std::fs::read_to_string(&path).map_err(|e| PolicyError::read(&path, e))?;
        let mut config = Self::parse(&text).map_err(|m| PolicyError::config(&path, m))?;
        let path = dir.join(GENERATION_CONFIG);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let object = object(&text).map_err(|m| PolicyError::config(&path, m))?;
                let eos = token_ids(&object, "eos_token_id")
                    .map_err(|m| PolicyError::config(&path, m))?;
                if !eos.is_empty() {
                    config.eos_token_ids = eos;
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(PolicyError::read(&path, e)),
        }
        config.validate().map_err(|m| PolicyError::config(&dir.join(CONFIG), m))?;
        Ok(config)
    }

    /// Reads the text of a `config.json`.
    fn parse(text: &str) -> Result<Self, String> {
        let o = object(text)?;
        if let Some(kind) = o.get("model_type").and_then(Value::as_str)
            && kind != "qwen2"
        {
            return Err(format!("model_type is {kind:?}; only \"qwen2\" is supported"));
        }
        if let Some(act) = o.get("hidden_act").and_then(Value::as_str)
            && act != "silu"
        {
            return Err(format!("hidden_act is {act:?}; only \"silu\" is supported"));
        }
        if o.get("use_sliding_window").and_then(Value::as_bool) == Some(true) {
            return Err("use_sliding_window is true; sliding windows are not supported".into());
        }
        let hidden_size = size(&o, "hidden_size")?;
        let num_attention_heads = size(&o, "num_attention_heads")?;
        let optional = |key: &str, default: usize| match o.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(_) => size(&o, key),
        };
        Ok(Self {
            vocab_size: size(&o, "vocab_size")?,
            hidden_size,
            intermediate_size: size(&o, "intermediate_size")?,
            num_hidden_layers: size(&o, "num_hidden_layers")?,
            num_attention_heads,
            num_key_value_heads: optional("num_key_value_heads", num_attention_heads)?,
            head_dim: optional("head_dim", hidden_size / num_attention_heads)?,
            rms_norm_eps: number(&o, "rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta: rope_theta(&o)?,
            max_position_embeddings: size(&o, "max_position_embeddings")?,
            tie_word_embeddings: flag(&o, "tie_word_embeddings")?.unwrap_or(false),
            initializer_range: number(&o, "initializer_range")?.unwrap_or(0.02),
            eos_token_ids: token_ids(&o, "eos_token_id")?,
            pad_token_id: token_ids(&o, "pad_token_id")?.first().copied(),
        })
    }

    /// Checks what the rest of the crate relies on.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let multiple = |what: &str, a: usize, b: usize| {
            if b == 0 || !a.is_multiple_of(b) {
                return Err(format!("{what}: {a} is not a multiple of {b}"));
            }
            Ok(())
        };
        multiple(
            "num_attention_heads over num_key_value_heads",
            self.num_attention_heads,
            self.num_key_value_heads,
        )?;
        if self.head_dim == 0 {
            return Err("head_dim: must not be 0".into());
        }
        multiple("head_dim", self.head_dim, 2)?;
        if u32::try_from(self.vocab_size).is_err() {
            return Err(format!("vocab_size: {} does not fit 32 bits", self.vocab_size));
        }
        for (key, id) in self
            .eos_token_ids
            .iter()
            .map(|id| ("eos_token_id", id))
            .chain(self.pad_token_id.iter().map(|id| ("pad_token_id", id)))
        {
            if *id as usize >= self.vocab_size {
                return Err(format!(
                    "{key}: {id} is outside the vocabulary of {}",
                    self.vocab_size
                ));
            }
        }
        Ok(())
    }

    /// The text of a `config.json` that transformers reads, in both of its forms.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "architectures": ["Qwen2ForCausalLM"],
            "attention_dropout": 0.0,
            "bos_token_id": null,
            "dtype": "float32",
            "eos_token_id": ids_json(&self.eos_token_ids),
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "initializer_range": self.initializer_range,
            "intermediate_size": self.intermediate_size,
            "layer_types": vec!["full_attention"; self.num_hidden_layers],
            "max_position_embeddings": self.max_position_embeddings,
            "max_window_layers": self.num_hidden_layers,
            "model_type": "qwen2",
            "num_attention_heads": self.num_attention_heads,
            "num_hidden_layers": self.num_hidden_layers,
            "num_key_value_heads": self.num_key_value_heads,
            "pad_token_id": self.pad_token_id,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_parameters": { "rope_theta": self.rope_theta, "rope_type": "default" },
            "rope_theta": self.rope_theta,
            "sliding_window": null,
            "tie_word_embeddings": self.tie_word_embeddings,
            "torch_dtype": "float32",
            "use_cache": true,
            "use_sliding_window": false,
            "vocab_size": self.vocab_size,
        })
    }

    /// The text of a `generation_config.json`.
    pub(crate) fn generation_json(&self) -> Value {
        json!({
            "eos_token_id": ids_json(&self.eos_token_ids),
            "pad_token_id": self.pad_token_id,
        })
    }
}

fn ids_json(ids: &[u32]) -> Value {
    match ids {
        [] => Value::Null,
        [one] => json!(one),
        many => json!(many),
    }
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(o)) => Ok(o),
        Ok(_) => Err("is not a JSON object".into()),
        Err(e) => Err(format!("is not JSON: {e}")),
    }
}

fn size(o: &Map<String, Value>, key: &str) -> Result<usize, String> {
    let value = o.get(key).ok_or_else(|| format!("{key} is missing"))?;
    value
        .as_u64()
        .filter(|n| (1..=u64::from(u32::MAX)).contains(n))
        .map(|n| n as usize)
        .ok_or_else(|| format!("{key}: {value} is not a positive whole number"))
}

fn number(o: &Map<String, Value>, key: &str) -> Result<Option<f64>, String> {
    match o.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(v) => v.as_f64().map(Some).ok_or_else(|| format!("{key}: {v} is not a number")),
    }
}

fn flag(o: &Map<String, Value>, key: &str) -> Result<Option<bool>, String> {
    match o.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(v) => v.as_bool().map(Some).ok_or_else(|| format!("{key}: {v} is not true or false")),
    }
}

fn rope_theta(o: &Map<String, Value>) -> Result<f64, String> {
    let supported = |key: &str, rope: &Map<String, Value>| match rope
        .get("rope_type")
        .or_else(|| rope.get("type"))
        .and_then(Value::as_str)
    {
        None | Some("default") => Ok(()),
        Some(kind) => Err(format!("{key}: rope type {kind:?} is not supported, only \"default\"")),
    };
    if let Some(Value::Object(scaling)) = o.get("rope_scaling") {
        supported("rope_scaling", scaling)?;
    }
    if let Some(Value::Object(parameters)) = o.get("rope_parameters") {
        supported("rope_parameters", parameters)?;
        if let Some(theta) = number(parameters, "rope_theta")? {
            return Ok(theta);
        }
    }
    Ok(number(o, "rope_theta")?.unwrap_or(10_000.0))
}

/// One id, a list of ids, or none.
fn token_ids(o: &Map<String, Value>, key: &str) -> Result<Vec<u32>, String> {
    let id = |v: &Value| {
        v.as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| format!("{key}: {v} is not a token id"))
    };
    match o.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(id).collect(),
        Some(one) => Ok(vec![id(one)?]),
    }
}
