//! Fixtures and small models for the tests.

#![allow(
    clippy::allow_attributes,
    dead_code,
    unreachable_pub,
    reason = "each test file uses its part"
)]

use std::path::{Path, PathBuf};

use omni_policy::ModelConfig;
use omni_policy::backend::cpu::CpuBackend;
use omni_policy::model::Qwen2;
use safetensors::{Dtype, SafeTensors};

/// A model whose numbers are f64.
pub type Exact = Qwen2<CpuBackend<f64>>;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The nano policy in f64.
pub fn nano() -> Exact {
    Qwen2::load(CpuBackend::new(), &fixture("nano")).unwrap().0
}

/// A safetensors file in memory.
pub struct Tensors(Vec<u8>);

impl Tensors {
    pub fn open(name: &str) -> Self {
        Self(std::fs::read(fixture(name)).unwrap())
    }

    /// Shape and numbers of a tensor of any type.
    pub fn get(&self, name: &str) -> (Vec<usize>, Vec<f64>) {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        let bytes = tensor.data();
        let numbers = match tensor.dtype() {
            Dtype::F64 => bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
            Dtype::F32 => {
                bytes.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
            }
            Dtype::I64 => {
                bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect()
            }
            other => panic!("{name} is {other:?}"),
        };
        (tensor.shape().to_vec(), numbers)
    }

    pub fn ids(&self, name: &str) -> Vec<u32> {
        self.get(name).1.into_iter().map(|x| x as u32).collect()
    }
}

/// Prompts and completions of `b_c_batch`, two groups of four.
pub struct Batch {
    pub prompts: Vec<Vec<u32>>,
    pub completions: Vec<Vec<u32>>,
}

impl Batch {
    pub fn open(tensors: &Tensors) -> Self {
        let rows = |ids: &str, len: &str, left_padded: bool| -> Vec<Vec<u32>> {
            let (shape, _) = tensors.get(ids);
            let width = shape[1];
            tensors
                .ids(ids)
                .chunks(width)
                .zip(tensors.ids(len))
                .map(|(row, len)| {
                    let len = len as usize;
                    if left_padded { row[width - len..].to_vec() } else { row[..len].to_vec() }
                })
                .collect()
        };
        Self {
            prompts: rows("prompt_ids", "prompt_len", true),
            completions: rows("completion_ids", "completion_len", false),
        }
    }

    /// The values of the batch's tokens in a padded `[8, 12]` array, in order.
    pub fn unpad(&self, padded: &[f64]) -> Vec<f64> {
        padded
            .chunks(padded.len() / self.completions.len())
            .zip(&self.completions)
            .flat_map(|(row, c)| row[..c.len()].to_vec())
            .collect()
    }

    pub fn groups(&self) -> Vec<omni_policy::Group<'_>> {
        (0..2)
            .map(|g| omni_policy::Group {
                prompt: &self.prompts[4 * g],
                completions: self.completions[4 * g..4 * g + 4]
                    .iter()
                    .map(|tokens| omni_policy::Completion { tokens, kept: None })
                    .collect(),
            })
            .collect()
    }
}

/// A model small enough for finite differences, with heads that share keys.
pub fn tiny(tied: bool) -> ModelConfig {
    ModelConfig {
        vocab_size: 19,
        hidden_size: 12,
        intermediate_size: 10,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 6,
        rms_norm_eps: 1e-6,
        rope_theta: 100.0,
        max_position_embeddings: 256,
        tie_word_embeddings: tied,
        initializer_range: 0.4,
        eos_token_ids: vec![1],
        pad_token_id: Some(0),
    }
}

/// A reproducible stream of numbers for tests.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// In [−1, 1).
    pub fn signed(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    pub fn tokens(&mut self, len: usize, vocabulary: u32) -> Vec<u32> {
        (0..len).map(|_| (self.next() >> 33) as u32 % vocabulary).collect()
    }

    pub fn vector(&mut self, len: usize) -> Vec<f64> {
        (0..len).map(|_| self.signed()).collect()
    }
}

/// Largest difference relative to `1 + |want|`.
pub fn worst(got: impl IntoIterator<Item = f64>, want: &[f64]) -> f64 {
    let mut count = 0;
    let worst = got
        .into_iter()
        .zip(want)
        .map(|(got, want)| {
            count += 1;
            (got - want).abs() / (1.0 + want.abs())
        })
        .fold(0.0, |a: f64, b| if b.is_nan() { f64::INFINITY } else { a.max(b) });
    assert_eq!(count, want.len());
    worst
}
