//! The policy: a Qwen2-family language model that is sampled from and trained.
//!
//! Everything the trainer needs of a model goes through the object-safe trait [`Policy`]: generate
//! groups of completions, measure the log-probability and entropy of given tokens, accumulate the
//! gradient of a loss over those log-probabilities, take an AdamW step, read and write Hugging Face
//! folders. [`CpuPolicy`] implements it in f32 on the CPU.
//!
//! Invariants that the rest of the project leans on:
//! - the same inputs give the same bytes, whatever the number of threads;
//! - what a prompt's samples are does not depend on which other prompts are generated with them;
//! - a group's prompt is computed once, in generation and in training.
//!
//! Deliberately absent: losses (they live in `omni-train`), devices other than the CPU (they will
//! implement [`backend::Backend`]), and model families other than Qwen2.

pub mod arena;
pub mod backend;
mod config;
mod cpu;
mod error;
mod files;
mod generate;
pub mod model;
mod policy;
pub mod real;
mod tokenizer;
mod weights;

pub use config::ModelConfig;
pub use cpu::CpuPolicy;
pub use error::PolicyError;
pub use generate::live::{Desk, LivePolicy, LiveRequest};
pub use policy::{
    AdamWConfig, Completion, Decay, Generated, GenerationRequest, Group, KeptSet, Policy, Sampling,
    StepStats, TokenGradient, TokenStats,
};
pub use tokenizer::{BpeConfig, Tokenizer};
pub use weights::StoredType;
