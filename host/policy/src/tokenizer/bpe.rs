//! Training a byte-level BPE vocabulary for a small policy.
//!
//! Ids: special tokens first (pad, start, end), then the added tokens, the 256 bytes, the merges.
//! Added tokens are not special: they are kept when tokens are decoded, as `<think>` must be.

use serde_json::{Map, Value, json};
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::processors::byte_level::ByteLevel as ByteLevelProcessor;
use tokenizers::tokenizer::{AddedToken, SplitDelimiterBehavior, TokenizerBuilder};

/// How Qwen2 splits a text before merging: contractions, words, single digits, punctuation, space.
const SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// ChatML, as Qwen2 has it, without a default system message.
const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// What to train.
#[derive(Debug, Clone)]
pub struct BpeConfig {
    /// Size of the whole vocabulary; a corpus too small for it gives fewer tokens.
    pub vocab_size: usize,
    /// Padding token (special).
    pub pad: String,
    /// Starts a chat message (special).
    pub start: String,
    /// Ends a chat message and a completion (special).
    pub end: String,
    /// Texts that are always one token and that decoding keeps, such as `<answer>`.
    pub added: Vec<String>,
    /// Jinja source of the chat template.
    pub chat_template: String,
}

impl Default for BpeConfig {
    fn default() -> Self {
        Self {
            vocab_size: 512,
            pad: "<|endoftext|>".into(),
            start: "<|im_start|>".into(),
            end: "<|im_end|>".into(),
            added: ["<think>", "</think>", "<answer>", "</answer>"].map(String::from).into(),
            chat_template: CHATML.into(),
        }
    }
}

/// Returns the text of `tokenizer.json` and the settings of `tokenizer_config.json`.
pub(super) fn train<S: AsRef<str> + Send>(
    texts: impl Iterator<Item = S> + Send,
    config: &BpeConfig,
) -> Result<(String, Map<String, Value>), String> {
    let special = [&config.pad, &config.start, &config.end].map(|t| AddedToken::from(t, true));
    let added = config.added.iter().map(|token| AddedToken::from(token, false).normalized(false));
    let tokens: Vec<AddedToken> = special.into_iter().chain(added).collect();
    let least = tokens.len() + 256;
    if config.vocab_size < least {
        return Err(format!(
            "a vocabulary of {} is too small: 256 bytes and {} given tokens need {least}",
            config.vocab_size,
            tokens.len()
        ));
    }
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(config.vocab_size)
        .min_frequency(2)
        .special_tokens(tokens)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let text = |e: tokenizers::Error| e.to_string();
    let split =
        Split::new(SplitPattern::Regex(SPLIT.into()), SplitDelimiterBehavior::Isolated, false)
            .map_err(text)?;
    let mut tokenizer = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(Some(NFC))
        .with_pre_tokenizer(Some(Sequence::new(vec![
            PreTokenizerWrapper::Split(split),
            PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, false)),
        ])))
        .with_post_processor(Some(ByteLevelProcessor::new(false, false, false)))
        .with_decoder(Some(ByteLevelDecoder::new(false, false, false)))
        .build()
        .map_err(text)?;
    tokenizer.train(&mut trainer, texts).map_err(text)?;
    let settings = json!({
        "add_prefix_space": false,
        "bos_token": null,
        "chat_template": config.chat_template,
        "clean_up_tokenization_spaces": false,
        "eos_token": config.end,
        "model_max_length": 1_000_000,
        "pad_token": config.pad,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": null,
    });
    let Value::Object(settings) = settings else { unreachable!("an object was written above") };
    Ok((tokenizer.to_string(true).map_err(text)?, settings))
}
