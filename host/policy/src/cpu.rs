//! The policy on the CPU, in f32.

use std::path::Path;
use std::sync::mpsc;

use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::Value;

use crate::backend::Backend;
use crate::backend::cpu::CpuBackend;
use crate::config::{CONFIG, GENERATION_CONFIG};
use crate::generate::live::{self, Desk, LivePolicy};
use crate::generate::{self, PackedNetwork, Sink, Stream};
use crate::model::Qwen2;
use crate::model::layout::Layout;
use crate::weights::{self, Moments, StoredType};
use crate::{
    AdamWConfig, Generated, GenerationRequest, Group, ModelConfig, Policy, PolicyError, Sampling,
    StepStats, TokenGradient, TokenStats, files,
};

/// Rows that [`Policy::token_stats`] runs at a time, so that its memory does not grow with the
/// number of groups.
const STATS_ROWS: usize = 8192;

/// A Qwen2 policy on the CPU.
pub struct CpuPolicy {
    model: Qwen2<CpuBackend<f32>>,
    stored: StoredType,
    /// `config.json` and `generation_config.json`, to be written again.
    files: [Value; 2],
    pool: ThreadPool,
}

impl std::fmt::Debug for CpuPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CpuPolicy")
            .field("config", &self.model.config)
            .field("threads", &self.pool.current_num_threads())
            .finish_non_exhaustive()
    }
}

impl CpuPolicy {
    /// Reads a Hugging Face folder. `threads` of `None` takes every core.
    ///
    /// # Errors
    /// The file, key or tensor that is missing or unusable.
    pub fn load(dir: &Path, threads: Option<usize>) -> Result<Self, PolicyError> {
        let (model, stored) = Qwen2::load(CpuBackend::new(), dir)?;
        // Saved as they came, so that settings which this crate does not know survive.
        let files = [
            files::read_json(&dir.join(CONFIG))?.unwrap_or_else(|| model.config.to_json()),
            files::read_json(&dir.join(GENERATION_CONFIG))?
                .unwrap_or_else(|| model.config.generation_json()),
        ];
        Ok(Self { model, stored, files, pool: pool(threads)? })
    }

    /// A policy with random weights (normal, `initializer_range`; biases 0, norms 1).
    ///
    /// # Errors
    /// A configuration that contradicts itself.
    pub fn init_random(
        config: ModelConfig,
        seed: u64,
        threads: Option<usize>,
    ) -> Result<Self, PolicyError> {
        let model = Qwen2::random(CpuBackend::new(), config, seed)?;
        let files = [model.config.to_json(), model.config.generation_json()];
        Ok(Self { model, stored: StoredType::F32, files, pool: pool(threads)? })
    }

    /// Keeps each layer's input only and computes the rest again in the backward pass.
    pub fn set_recompute(&mut self, recompute: bool) {
        self.model.recompute = recompute;
    }

    /// The architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.model.config
    }

    /// [`Policy::save_model`] in the number type the weights were loaded in, for publishing; a
    /// checkpoint to go on from needs all of f32.
    ///
    /// # Errors
    /// The file that could not be written.
    pub fn export_model(&self, dir: &Path) -> Result<(), PolicyError> {
        self.save(dir, self.stored)
    }

    fn save(&self, dir: &Path, stored: StoredType) -> Result<(), PolicyError> {
        let [config, generation] = &self.files;
        let mut config = config.clone();
        let name = match stored {
            StoredType::F32 => "float32",
            StoredType::Bf16 => "bfloat16",
            StoredType::F16 => "float16",
        };
        // The new key and the old one.
        config["dtype"] = name.into();
        config["torch_dtype"] = name.into();
        files::write_json(&dir.join(CONFIG), &config)?;
        files::write_json(&dir.join(GENERATION_CONFIG), generation)?;
        weights::write(dir, &self.model.arena, &self.model.weights(), stored)
    }
}

fn pool(threads: Option<usize>) -> Result<ThreadPool, PolicyError> {
    // rayon reads 0 as "every core".
    let threads = threads.unwrap_or(0);
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|n| format!("policy-{n}"))
        .build()
        .map_err(|e| PolicyError::Threads { threads, message: e.to_string() })
}

/// A finished request's index and samples, or what ended its stream.
type Message = Result<(usize, Vec<Generated>), PolicyError>;

/// Sends finished groups to the thread that asked for them.
struct Finished<'s>(&'s mpsc::Sender<Message>);

impl Sink for Finished<'_> {
    fn finished(&mut self, request: usize, samples: Vec<Generated>) {
        // The receiver outlives the scope, so a failed send cannot happen.
        let _ = self.0.send(Ok((request, samples)));
    }
}

impl LivePolicy for CpuPolicy {
    fn generate_live(&mut self, desk: &dyn Desk, places: usize) {
        self.model.reach(self.max_positions());
        let network = self.model.network();
        let backend = &self.model.backend;
        let packed = PackedNetwork::new(backend, &network);
        // Every thread runs a stream of its own, as in `generate`.
        let streams = self.pool.current_num_threads().min(places.max(1));
        self.pool.in_place_scope(|scope| {
            for n in 0..streams {
                let packed = &packed;
                let places = (places.max(1) + n) / streams;
                scope.spawn(move |_| {
                    let fork = || backend.fork().unwrap_or_default();
                    live::stream(desk, fork, network, packed, places);
                });
            }
        });
    }
}

impl Policy for CpuPolicy {
    fn generate(
        &mut self,
        requests: &[GenerationRequest<'_>],
        sampling: &Sampling,
        on_group: &mut dyn FnMut(usize, Vec<Generated>),
    ) -> Result<(), PolicyError> {
        generate::check(&self.model.network(), requests, sampling)?;
        let longest = requests.iter().map(|r| r.prompt.len()).max().unwrap_or_default();
        let positions = (longest + sampling.max_new_tokens).min(self.max_positions());
        self.model.reach(positions);
        let network = self.model.network();
        let backend = &self.model.backend;
        let packed = PackedNetwork::new(backend, &network);
        let (sender, receiver) = mpsc::channel();
        self.pool.in_place_scope(|scope| {
            for part in generate::parts(requests) {
                let sender = sender.clone();
                let packed = &packed;
                scope.spawn(move |_| {
                    let backend = backend.fork().unwrap_or_default();
                    let mut stream = Stream::new(backend, network, packed, sampling, part);
                    if let Err(error) = stream.run(&mut Finished(&sender)) {
                        let _ = sender.send(Err(error));
                    }
                });
            }
            drop(sender);
            let mut result = Ok(());
            for message in receiver {
                match message {
                    Ok((index, samples)) => on_group(index, samples),
                    Err(error) => result = Err(error),
                }
            }
            result
        })
    }

    fn token_stats(
        &mut self,
        groups: &[Group<'_>],
        temperature: f32,
    ) -> Result<TokenStats, PolicyError> {
        self.model.network().check_groups(groups, temperature)?;
        let Self { model, pool, .. } = self;
        let mut stats = TokenStats::default();
        for groups in chunks(groups, STATS_ROWS) {
            let layout = Layout::new(groups);
            let part = pool.install(|| model.stats(&layout, temperature));
            stats.logp.extend(layout.nest(part.logp));
            stats.entropy.extend(layout.nest(part.entropy));
        }
        Ok(stats)
    }

    fn accumulate(
        &mut self,
        groups: &[Group<'_>],
        temperature: f32,
        gradient: &mut dyn FnMut(&TokenStats) -> TokenGradient,
    ) -> Result<(), PolicyError> {
        self.model.network().check_groups(groups, temperature)?;
        let layout = Layout::new(groups);
        let Self { model, pool, .. } = self;
        // The caller's closure need not be Send, so it runs here, between two visits to the pool.
        let forward = pool.install(|| model.begin(&layout, temperature));
        let stats = TokenStats {
            logp: layout.nest(forward.logp.iter().copied()),
            entropy: layout.nest(forward.entropy.iter().copied()),
        };
        let dlogp = flatten(gradient(&stats), &layout.lengths)?;
        pool.install(|| model.finish(&layout, temperature, &forward, &dlogp));
        Ok(())
    }

    fn zero_grad(&mut self) {
        self.model.zero_grad();
    }

    fn grad_norm(&self) -> f64 {
        self.pool.install(|| self.model.grad_norm())
    }

    fn set_grad_aside(&mut self) -> f64 {
        let model = &mut self.model;
        self.pool.install(|| model.set_grad_aside())
    }

    fn take_grad_back(&mut self) {
        let model = &mut self.model;
        self.pool.install(|| model.take_grad_back());
    }

    fn step(
        &mut self,
        adamw: &AdamWConfig,
        max_grad_norm: Option<f64>,
    ) -> Result<StepStats, PolicyError> {
        let Self { model, pool, .. } = self;
        pool.install(|| model.step(adamw, max_grad_norm))
    }

    fn parameters(&self) -> usize {
        self.model.arena.len
    }

    fn max_positions(&self) -> usize {
        self.model.config.max_position_embeddings
    }

    fn vocab_size(&self) -> usize {
        self.model.config.vocab_size
    }

    fn save_model(&self, dir: &Path) -> Result<(), PolicyError> {
        self.save(dir, StoredType::F32)
    }

    fn load_weights(&mut self, dir: &Path) -> Result<(), PolicyError> {
        let (values, _) = weights::read(dir, &self.model.arena)?;
        self.model.set_weights(&values);
        Ok(())
    }

    fn save_optimizer(&self, file: &Path) -> Result<(), PolicyError> {
        let moments = match &self.model.optimizer {
            Some(o) => Moments {
                first: self.model.read(&o.first),
                second: self.model.read(&o.second),
                steps: o.steps,
            },
            None => {
                let zeros = vec![0.0; self.model.arena.len];
                Moments { first: zeros.clone(), second: zeros, steps: 0 }
            }
        };
        weights::write_moments(file, &moments)
    }

    fn load_optimizer(&mut self, file: &Path) -> Result<(), PolicyError> {
        let moments = weights::read_moments(file, self.model.arena.len)?;
        let optimizer = self.model.optimizer();
        optimizer.first.copy_from_slice(&moments.first);
        optimizer.second.copy_from_slice(&moments.second);
        optimizer.steps = moments.steps;
        Ok(())
    }
}

/// Cuts groups into runs of at most `most` rows, or of one group.
fn chunks<'g, 'a>(
    mut groups: &'g [Group<'a>],
    most: usize,
) -> impl Iterator<Item = &'g [Group<'a>]> {
    std::iter::from_fn(move || {
        if groups.is_empty() {
            return None;
        }
        let mut rows = 0;
        let fitting = groups.iter().take_while(|g| {
            rows += g.prompt.len() + g.completions.iter().map(|c| c.tokens.len()).sum::<usize>();
            rows <= most
        });
        let (now, later) = groups.split_at(fitting.count().max(1));
        groups = later;
        Some(now)
    })
}

/// The derivative in the order of the layout's predictions.
fn flatten(gradient: TokenGradient, lengths: &[Vec<usize>]) -> Result<Vec<f32>, PolicyError> {
    let shape: Vec<Vec<usize>> =
        gradient.iter().map(|g| g.iter().map(Vec::len).collect()).collect();
    if shape != lengths {
        return Err(PolicyError::input(
            "the loss's derivative has another shape than the log-probabilities",
        ));
    }
    Ok(gradient.into_iter().flatten().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_hold_whole_groups_and_never_none() {
        let tokens = [0_u32; 10];
        let group = |n: usize| Group { prompt: &tokens[..n], completions: Vec::new() };
        let groups: Vec<_> = [3, 4, 9, 1, 1, 1].into_iter().map(group).collect();
        let sizes: Vec<usize> = chunks(&groups, 7).map(<[_]>::len).collect();
        assert_eq!(sizes, [2, 1, 3]);
    }
}
