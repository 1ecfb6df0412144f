//! Models that run here, on the CPU, by candle-transformers.
//!
//! One question at a time. Sampling is seeded by the question's content, so the same question has
//! the same answer wherever it is asked on this machine; at temperature 0 the likeliest token is
//! taken.

mod folder;
mod gguf;

pub(crate) use folder::weight_files;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use candle_core::{Device, Tensor};
use candle_transformers::generation::LogitsProcessor;
use omni_policy::Tokenizer;

use crate::budget::{Budget, Spent};
use crate::error::OpenError;
use crate::ledger::{Digest, Landed};
use crate::question::{Failure, FailureKind, Question};

/// Tokens of a prompt that are read at once. Together with [`pieces`] it bounds the masks that
/// candle keeps by length.
const PIECE: usize = 256;

/// Tokens that end an answer in the chat formats of the families that are read here.
const ENDS: [&str; 3] = ["<|im_end|>", "<|eot_id|>", "<|end_of_text|>"];

/// A model of candle-transformers.
trait Network: Send {
    /// Logits of what follows `tokens`, which themselves follow `offset` earlier ones.
    fn forward(&mut self, tokens: &Tensor, offset: usize) -> candle_core::Result<Tensor>;
    /// Forgets the earlier ones.
    fn clear(&mut self);
}

/// What reading a model's files gives.
struct Loaded {
    network: Box<dyn Network>,
    tokenizer: Tokenizer,
    /// Further tokens that end an answer.
    ends: Vec<u32>,
    /// Tokens that it can hold.
    positions: usize,
}

/// A model with its tokenizer.
pub(crate) struct Local {
    network: Mutex<Box<dyn Network>>,
    tokenizer: Tokenizer,
    ends: Vec<u32>,
    positions: usize,
}

impl Local {
    /// Reads a Hugging Face folder.
    pub(crate) fn folder(folder: &Path) -> Result<Self, OpenError> {
        Self::new(folder::load(folder)?, folder)
    }

    /// Reads a GGUF file, with the tokenizer of a folder.
    pub(crate) fn gguf(file: &Path, tokenizer: &Path) -> Result<Self, OpenError> {
        Self::new(gguf::load(file, tokenizer)?, tokenizer)
    }

    fn new(loaded: Loaded, template_of: &Path) -> Result<Self, OpenError> {
        let Loaded { network, tokenizer, mut ends, positions } = loaded;
        tokenizer.apply_chat_template(&[("user", "?")], true).map_err(|error| {
            OpenError::file(template_of, format!("a judge's model needs a chat template: {error}"))
        })?;
        ends.extend_from_slice(tokenizer.eos_ids());
        ends.extend(ENDS.iter().filter_map(|end| tokenizer.token_to_id(end)));
        if ends.is_empty() {
            return Err(OpenError::file(
                template_of,
                "no end-of-sequence token: name one as `eos_token` in tokenizer_config.json",
            ));
        }
        Ok(Self { network: Mutex::new(network), tokenizer, ends, positions })
    }

    /// Answers questions one after the other.
    pub(crate) fn ask(
        &self,
        questions: &[(&Question, Digest)],
        budget: &Budget,
        mut landed: impl FnMut(usize, Landed),
    ) {
        for (index, (question, digest)) in questions.iter().enumerate() {
            let mut spent = Spent::default();
            let answer = budget.check().and_then(|()| self.write(question, digest, &mut spent));
            budget.spend(spent);
            landed(index, Landed { answer, spent, tries: 1 });
        }
    }

    fn write(
        &self,
        question: &Question,
        digest: &Digest,
        spent: &mut Spent,
    ) -> Result<String, Failure> {
        let failed =
            |error: &dyn std::error::Error| Failure::new(FailureKind::Local, error.to_string());
        let messages: Vec<(&str, &str)> = question
            .messages
            .iter()
            .map(|message| (message.role.as_str(), message.content.as_str()))
            .collect();
        let text =
            self.tokenizer.apply_chat_template(&messages, true).map_err(|error| failed(&error))?;
        let prompt = self.tokenizer.encode(&text).map_err(|error| failed(&error))?;
        let room = self.positions.saturating_sub(prompt.len()).min(question.max_tokens as usize);
        if prompt.is_empty() || room == 0 {
            let message = format!(
                "the question has {} tokens, the model holds {}",
                prompt.len(),
                self.positions
            );
            return Err(Failure::new(FailureKind::Rejected, message));
        }
        spent.prompt_tokens = prompt.len() as u64;
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        network.clear();
        let written = generate(&mut **network, &prompt, room, &self.ends, question, digest);
        network.clear();
        drop(network);
        let (written, stopped) = written.map_err(|error| failed(&error))?;
        spent.completion_tokens = written.len() as u64 + u64::from(stopped);
        let text = self.tokenizer.decode(&written).map_err(|error| failed(&error))?;
        if text.trim().is_empty() {
            return Err(Failure::new(FailureKind::Empty, "the model wrote no text"));
        }
        Ok(text)
    }
}

/// The tokens written, and whether an end token followed.
fn generate(
    network: &mut dyn Network,
    prompt: &[u32],
    room: usize,
    ends: &[u32],
    question: &Question,
    digest: &Digest,
) -> candle_core::Result<(Vec<u32>, bool)> {
    let mut seed = [0; 8];
    seed.copy_from_slice(&digest[..8]);
    let temperature = Some(f64::from(question.temperature));
    let mut sampler = LogitsProcessor::new(u64::from_le_bytes(seed), temperature, None);
    let mut logits = None;
    let mut at = 0;
    for length in pieces(prompt.len()) {
        logits = Some(step(network, &prompt[at..at + length], at)?);
        at += length;
    }
    let mut written = Vec::new();
    while let Some(next) = logits.take() {
        let token = sampler.sample(&next)?;
        if ends.contains(&token) {
            return Ok((written, true));
        }
        written.push(token);
        if written.len() < room {
            logits = Some(step(network, &[token], at)?);
            at += 1;
        }
    }
    Ok((written, false))
}

fn step(network: &mut dyn Network, tokens: &[u32], at: usize) -> candle_core::Result<Tensor> {
    let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
    network.forward(&input, at)?.flatten_all()
}

/// A length in whole pieces and then powers of two: few different lengths, for all prompts.
fn pieces(length: usize) -> impl Iterator<Item = usize> {
    let whole = std::iter::repeat_n(PIECE, length / PIECE);
    let rest = length % PIECE;
    whole.chain((0..PIECE.ilog2()).rev().map(|bit| 1 << bit).filter(move |size| rest & size != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_whole() {
        for length in [0, 1, 2, 3, 255, 256, 257, 1000, 4096] {
            assert_eq!(pieces(length).sum::<usize>(), length);
        }
        assert_eq!(pieces(517).collect::<Vec<_>>(), [256, 256, 4, 1]);
    }
}
