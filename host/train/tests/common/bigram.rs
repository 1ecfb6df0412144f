//! A real policy small enough for many runs in a test: a table of logits, next token by last.
//!
//! It samples, differentiates and steps as a model does, so the loop cannot tell it from one.

use std::fs;
use std::path::Path;

use omni_policy::{
    AdamWConfig, Generated, GenerationRequest, Group, Policy, PolicyError, Sampling, StepStats,
    TokenGradient, TokenStats,
};

pub struct Bigram {
    vocabulary: usize,
    end: u32,
    weights: Vec<f32>,
    gradient: Vec<f32>,
    aside: Vec<f32>,
    moments: [Vec<f32>; 2],
    steps: u64,
    /// Saving the optimizer fails as on a full disk, once this many saves were made.
    pub full_after: Option<std::cell::Cell<u32>>,
}

fn scatter(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn uniform(seed: u64, a: u64, b: u64) -> f64 {
    (scatter(scatter(scatter(seed) ^ a) ^ b) >> 11) as f64 / (1u64 << 53) as f64
}

impl Bigram {
    pub fn new(vocabulary: usize, end: u32) -> Self {
        let size = vocabulary * vocabulary;
        let weights = (0..size).map(|i| uniform(1, i as u64, 0) as f32 - 0.5).collect();
        Self {
            vocabulary,
            end,
            weights,
            gradient: vec![0.0; size],
            aside: vec![0.0; size],
            moments: [vec![0.0; size], vec![0.0; size]],
            steps: 0,
            full_after: None,
        }
    }

    fn row(&self, last: u32) -> &[f32] {
        &self.weights[last as usize * self.vocabulary..][..self.vocabulary]
    }

    fn probabilities(&self, last: u32, temperature: f64) -> Vec<f64> {
        let row = self.row(last);
        let most = row.iter().fold(f64::MIN, |m, x| m.max(f64::from(*x)));
        let exp: Vec<f64> =
            row.iter().map(|x| ((f64::from(*x) - most) / temperature).exp()).collect();
        let sum: f64 = exp.iter().sum();
        exp.into_iter().map(|e| e / sum).collect()
    }

    fn next(&self, last: u32, sampling: &Sampling, random: f64) -> u32 {
        if sampling.temperature == 0.0 {
            let row = self.row(last);
            return (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
                as u32;
        }
        let mut left = random;
        let p = self.probabilities(last, f64::from(sampling.temperature));
        p.iter()
            .position(|p| {
                left -= p;
                left < 0.0
            })
            .unwrap_or(p.len() - 1) as u32
    }
}

/// Each token of a completion with the one before it.
fn pairs<'a>(prompt: &'a [u32], tokens: &'a [u32]) -> impl Iterator<Item = (u32, u32)> + 'a {
    prompt.last().into_iter().chain(tokens).copied().zip(tokens.iter().copied())
}

fn write(path: &Path, numbers: &[f32]) -> Result<(), PolicyError> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(path, bytes).map_err(|source| PolicyError::Io {
        action: "write",
        path: path.into(),
        source,
    })
}

fn read(path: &Path) -> Result<Vec<f32>, PolicyError> {
    let bytes = fs::read(path).map_err(|source| PolicyError::Io {
        action: "read",
        path: path.into(),
        source,
    })?;
    Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect())
}

impl Policy for Bigram {
    fn generate(
        &mut self,
        requests: &[GenerationRequest<'_>],
        sampling: &Sampling,
        on_group: &mut dyn FnMut(usize, Vec<Generated>),
    ) -> Result<(), PolicyError> {
        // Last first: nothing may depend on the order in which groups finish.
        for (index, request) in requests.iter().enumerate().rev() {
            let group = (0..request.samples).map(|sample| {
                let mut last = *request.prompt.last().unwrap();
                let mut tokens = Vec::new();
                while tokens.len() < sampling.max_new_tokens
                    && (last != self.end || tokens.is_empty())
                {
                    last = self.next(
                        last,
                        sampling,
                        uniform(request.seed, sample as u64, tokens.len() as u64),
                    );
                    tokens.push(last);
                }
                Generated { stopped: last == self.end, tokens, kept: None }
            });
            let group = group.collect();
            on_group(index, group);
        }
        Ok(())
    }

    fn token_stats(
        &mut self,
        groups: &[Group<'_>],
        temperature: f32,
    ) -> Result<TokenStats, PolicyError> {
        let mut stats = TokenStats::default();
        for group in groups {
            let (mut logp, mut entropy) = (Vec::new(), Vec::new());
            for completion in &group.completions {
                let seen = pairs(group.prompt, completion.tokens).map(|(last, token)| {
                    let p = self.probabilities(last, f64::from(temperature));
                    let h = p.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum::<f64>();
                    (p[token as usize].ln() as f32, h as f32)
                });
                let (l, h): (Vec<f32>, Vec<f32>) = seen.unzip();
                logp.push(l);
                entropy.push(h);
            }
            stats.logp.push(logp);
            stats.entropy.push(entropy);
        }
        Ok(stats)
    }

    fn accumulate(
        &mut self,
        groups: &[Group<'_>],
        temperature: f32,
        gradient: &mut dyn FnMut(&TokenStats) -> TokenGradient,
    ) -> Result<(), PolicyError> {
        let slopes = gradient(&self.token_stats(groups, temperature)?);
        for (group, slopes) in groups.iter().zip(slopes) {
            for (completion, slopes) in group.completions.iter().zip(slopes) {
                assert_eq!(slopes.len(), completion.tokens.len(), "a derivative for each token");
                for ((last, token), slope) in pairs(group.prompt, completion.tokens).zip(slopes) {
                    let p = self.probabilities(last, f64::from(temperature));
                    let row =
                        &mut self.gradient[last as usize * self.vocabulary..][..self.vocabulary];
                    for (v, (g, p)) in row.iter_mut().zip(p).enumerate() {
                        let hit = if v == token as usize { 1.0 } else { 0.0 };
                        *g += (f64::from(slope) * (hit - p) / f64::from(temperature)) as f32;
                    }
                }
            }
        }
        Ok(())
    }

    fn zero_grad(&mut self) {
        self.gradient.fill(0.0);
    }

    fn grad_norm(&self) -> f64 {
        self.gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt()
    }

    fn set_grad_aside(&mut self) -> f64 {
        let norm = self.grad_norm();
        for (aside, gradient) in self.aside.iter_mut().zip(&mut self.gradient) {
            *aside += std::mem::take(gradient);
        }
        norm
    }

    fn take_grad_back(&mut self) {
        for (aside, gradient) in self.aside.iter_mut().zip(&mut self.gradient) {
            *gradient += std::mem::take(aside);
        }
    }

    fn step(
        &mut self,
        adamw: &AdamWConfig,
        max_grad_norm: Option<f64>,
    ) -> Result<StepStats, PolicyError> {
        let grad_norm = self.grad_norm();
        let scale = max_grad_norm.map_or(1.0, |m| (m / (grad_norm + 1e-6)).min(1.0));
        self.steps += 1;
        let corrections = [adamw.beta1, adamw.beta2].map(|b| 1.0 - b.powi(self.steps as i32));
        let [first, second] = &mut self.moments;
        for i in 0..self.weights.len() {
            let g = f64::from(self.gradient[i]) * scale;
            let m = adamw.beta1 * f64::from(first[i]) + (1.0 - adamw.beta1) * g;
            let v = adamw.beta2 * f64::from(second[i]) + (1.0 - adamw.beta2) * g * g;
            (first[i], second[i]) = (m as f32, v as f32);
            let update = m / corrections[0] / ((v / corrections[1]).sqrt() + adamw.eps);
            let w = f64::from(self.weights[i]);
            self.weights[i] = (w - adamw.lr * (update + adamw.weight_decay * w)) as f32;
        }
        Ok(StepStats { grad_norm, clipped: scale < 1.0 })
    }

    fn parameters(&self) -> usize {
        self.weights.len()
    }

    fn max_positions(&self) -> usize {
        256
    }

    fn vocab_size(&self) -> usize {
        self.vocabulary
    }

    fn save_model(&self, dir: &Path) -> Result<(), PolicyError> {
        write(&dir.join("config.json"), &[])?;
        write(&dir.join("model.safetensors"), &self.weights)
    }

    fn load_weights(&mut self, dir: &Path) -> Result<(), PolicyError> {
        self.weights = read(&dir.join("model.safetensors"))?;
        Ok(())
    }

    fn save_optimizer(&self, file: &Path) -> Result<(), PolicyError> {
        if let Some(left) = &self.full_after {
            if left.get() == 0 {
                let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
                return Err(PolicyError::Io { action: "write", path: file.into(), source });
            }
            left.set(left.get() - 1);
        }
        write(file, &[&self.moments[0][..], &self.moments[1][..], &[self.steps as f32]].concat())
    }

    fn load_optimizer(&mut self, file: &Path) -> Result<(), PolicyError> {
        let all = read(file)?;
        let n = self.weights.len();
        self.moments = [all[..n].to_vec(), all[n..2 * n].to_vec()];
        self.steps = all[2 * n] as u64;
        Ok(())
    }
}
