//! Text to tokens and back, and chat messages to text, as a Hugging Face folder says.
//!
//! A folder holds `tokenizer.json`, `tokenizer_config.json` (special tokens, chat template) and
//! perhaps `chat_template.jinja`, which then wins. Saving writes the files back byte for byte, so
//! that settings this crate does not know survive a training run.

mod bpe;
mod chat;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::{ModelConfig, PolicyError, files};
use chat::ChatTemplate;

pub use bpe::BpeConfig;

const TOKENIZER: &str = "tokenizer.json";
const CONFIG: &str = "tokenizer_config.json";
const TEMPLATE: &str = "chat_template.jinja";

/// A tokenizer with its chat template and special tokens.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// For messages: the folder it was read from, or `<trained>`.
    origin: PathBuf,
    /// Text of `tokenizer.json`.
    json: String,
    config: Map<String, Value>,
    template: Option<ChatTemplate>,
    template_is_file: bool,
    eos_ids: Vec<u32>,
    pad_id: Option<u32>,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("origin", &self.origin)
            .field("vocab_size", &self.vocab_size())
            .field("eos_ids", &self.eos_ids)
            .finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Reads a folder; where it also holds a model, the tokenizer must fit its vocabulary, and the
    /// model's end-of-sequence tokens are used.
    ///
    /// # Errors
    /// The file that is missing or unusable, or the token that the model does not know.
    pub fn load(dir: &Path) -> Result<Self, PolicyError> {
        let path = dir.join(TOKENIZER);
        let json = std::fs::read_to_string(&path).map_err(|e| PolicyError::read(&path, e))?;
        let config = read_config(&dir.join(CONFIG))?;
        let template_path = dir.join(TEMPLATE);
        let file_template = files::read_optional(&template_path)?;
        let model = match dir.join("config.json").exists() {
            true => Some(ModelConfig::load(dir)?),
            false => None,
        };
        let mut tokenizer = Self::from_parts(&path, json, config, file_template)?;
        if let Some(model) = model {
            tokenizer.check_fits(model.vocab_size)?;
            if !model.eos_token_ids.is_empty() {
                tokenizer.eos_ids = model.eos_token_ids;
            }
        }
        Ok(tokenizer)
    }

    /// Reads a folder as a tokenizer's alone, whatever model else lies in it: the tokens that end a
    /// completion are those that the tokenizer's own settings name.
    ///
    /// # Errors
    /// The file that is missing or unusable.
    pub fn load_alone(dir: &Path) -> Result<Self, PolicyError> {
        let path = dir.join(TOKENIZER);
        let json = std::fs::read_to_string(&path).map_err(|e| PolicyError::read(&path, e))?;
        let config = read_config(&dir.join(CONFIG))?;
        let file_template = files::read_optional(&dir.join(TEMPLATE))?;
        Self::from_parts(&path, json, config, file_template)
    }

    fn from_parts(
        path: &Path,
        json: String,
        config: Map<String, Value>,
        file_template: Option<String>,
    ) -> Result<Self, PolicyError> {
        let inner = tokenizers::Tokenizer::from_bytes(json.as_bytes())
            .map_err(|e| PolicyError::tokenizer(path, format!("is not a tokenizer: {e}")))?;
        let special = |key: &str| match config.get(key).and_then(special_token) {
            None => Ok(None),
            Some(token) => inner.token_to_id(token).map(Some).ok_or_else(|| {
                PolicyError::tokenizer(path, format!("{key} {token:?} is not in the vocabulary"))
            }),
        };
        let (eos_ids, pad_id) =
            (special("eos_token")?.into_iter().collect(), special("pad_token")?);
        let template_is_file = file_template.is_some();
        let template = file_template
            .or_else(|| config.get("chat_template").and_then(chat::default_template))
            .map(|source| ChatTemplate::new(source, &config))
            .transpose()
            .map_err(|message| PolicyError::tokenizer(path, message))?;
        Ok(Self {
            inner,
            origin: path.to_owned(),
            json,
            config,
            template,
            template_is_file,
            eos_ids,
            pad_id,
        })
    }

    /// Trains a byte-level BPE tokenizer (Qwen2's splitting: every digit stands alone).
    ///
    /// # Errors
    /// A vocabulary too small for the bytes and the given tokens, or an unusable template.
    pub fn train_bpe<S: AsRef<str> + Send>(
        texts: impl Iterator<Item = S> + Send,
        config: &BpeConfig,
    ) -> Result<Self, PolicyError> {
        let origin = Path::new("<trained>");
        let (json, settings) =
            bpe::train(texts, config).map_err(|m| PolicyError::tokenizer(origin, m))?;
        Self::from_parts(origin, json, settings, None)
    }

    /// Writes the tokenizer's files (synced) into an existing folder.
    ///
    /// # Errors
    /// The file that could not be written.
    pub fn save(&self, dir: &Path) -> Result<(), PolicyError> {
        files::write_synced(&dir.join(TOKENIZER), self.json.as_bytes())?;
        files::write_json(&dir.join(CONFIG), &Value::Object(self.config.clone()))?;
        if let (true, Some(template)) = (self.template_is_file, &self.template) {
            files::write_synced(&dir.join(TEMPLATE), template.source().as_bytes())?;
        }
        Ok(())
    }

    /// Checks that a model of `vocab_size` tokens knows every token of this tokenizer.
    ///
    /// # Errors
    /// The first token that it does not know.
    pub fn check_fits(&self, vocab_size: usize) -> Result<(), PolicyError> {
        let outside = self
            .inner
            .get_vocab(true)
            .into_iter()
            .filter(|(_, id)| *id as usize >= vocab_size)
            .min_by_key(|(_, id)| *id);
        match outside {
            None => Ok(()),
            Some((token, id)) => Err(PolicyError::tokenizer(
                &self.origin,
                format!(
                    "does not fit the model: token {token:?} has id {id}, the model's vocabulary \
                     (vocab_size in config.json) is {vocab_size}"
                ),
            )),
        }
    }

    /// The tokens of a text. Special tokens written in it are recognised; none are added.
    ///
    /// # Errors
    /// A text that the tokenizer's model cannot represent.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, PolicyError> {
        self.inner
            .encode_fast(text, false)
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|e| PolicyError::tokenizer(&self.origin, format!("cannot encode: {e}")))
    }

    /// The text of tokens, special tokens left out.
    ///
    /// # Errors
    /// Tokens that the tokenizer's decoder refuses.
    pub fn decode(&self, ids: &[u32]) -> Result<String, PolicyError> {
        self.inner
            .decode(ids, true)
            .map_err(|e| PolicyError::tokenizer(&self.origin, format!("cannot decode: {e}")))
    }

    /// The text of a chat of `(role, content)` messages, ready to be encoded.
    ///
    /// # Errors
    /// No template in the folder, or one that fails on these messages.
    pub fn apply_chat_template(
        &self,
        messages: &[(&str, &str)],
        add_generation_prompt: bool,
    ) -> Result<String, PolicyError> {
        self.template
            .as_ref()
            .ok_or_else(|| {
                PolicyError::tokenizer(
                    &self.origin,
                    format!("has no chat template: add chat_template to {CONFIG}, or {TEMPLATE}"),
                )
            })?
            .render(messages, add_generation_prompt)
            .map_err(|message| PolicyError::Template { message })
    }

    /// Tokens that end a completion.
    pub fn eos_ids(&self) -> &[u32] {
        &self.eos_ids
    }

    /// The padding token.
    pub fn pad_id(&self) -> Option<u32> {
        self.pad_id
    }

    /// One more than the greatest token id.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
    }

    /// The id of a token, by its exact text.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }
}

fn read_config(path: &Path) -> Result<Map<String, Value>, PolicyError> {
    let Some(text) = files::read_optional(path)? else { return Ok(Map::new()) };
    match serde_json::from_str(&text) {
        Ok(Value::Object(config)) => Ok(config),
        Ok(_) => Err(PolicyError::config(path, "is not a JSON object")),
        Err(e) => Err(PolicyError::config(path, format!("is not JSON: {e}"))),
    }
}

/// `"<eos>"` or `{"content": "<eos>", …}`.
fn special_token(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}
