//! Fine-tuning on what was kept: the order of the examples, the steps, and the run around them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Instant;

use omni_record::{Event, SupervisedEvent, SupervisedTask};

use crate::config::{Optimizer, RunConfig};
use crate::outside::Report;
use crate::phase::adamw;
use crate::prompts::Order;
use crate::run::Run;
use crate::schedule::learning_rate;
use crate::supervised::{self, Example};
use crate::{Ending, TrainError, clock};

/// What is learned, in which order.
pub(super) struct Course {
    examples: Vec<(usize, Example)>,
    optimizer: Optimizer,
    batch: u64,
    /// Uses of examples in all.
    uses: u64,
    /// Steps in all.
    pub(super) steps: u64,
}

impl Course {
    /// A course over examples, of which there must be one at least.
    pub(super) fn new(config: &RunConfig, examples: Vec<(usize, Example)>) -> Self {
        let sft = &config.sft;
        let batch = u64::from(sft.batch);
        let uses = ((examples.len() as f64 * sft.epochs).round() as u64).max(1);
        let limit = if sft.max_steps == 0 { u64::MAX } else { sft.max_steps };
        let steps = uses.div_ceil(batch).min(limit);
        Self { examples, optimizer: sft.optimizer(&config.optimizer), batch, uses, steps }
    }

    /// A digest of the examples, FNV-1a over their tasks and tokens.
    pub(super) fn digest(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut take = |number: u64| {
            for byte in number.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        };
        for (task, example) in &self.examples {
            take(*task as u64);
            for tokens in [&example.prompt[..], &example.completion] {
                take(tokens.len() as u64);
                tokens.iter().for_each(|token| take(u64::from(*token)));
            }
        }
        hash
    }

    /// Tasks and examples of a step, counted from 1. `order` goes over all examples again and again,
    /// each time in another order; an epoch may end within a batch.
    fn batch(&self, order: &mut Order, step: u64) -> Vec<&(usize, Example)> {
        let uses = (step - 1) * self.batch..self.uses.min(step * self.batch);
        uses.map(|at| &self.examples[order.item(at) as usize]).collect()
    }

    fn epoch(&self, step: u64) -> f64 {
        self.uses.min(step * self.batch) as f64 / self.examples.len() as f64
    }
}

impl Run<'_> {
    /// Takes the steps that are left, with what lies between them.
    pub(super) fn learn(&mut self, course: &Course) -> Result<Ending, TrainError> {
        let seed = self.parts.config.seed;
        let mut order = Order::new("sft", seed, Some(course.examples.len() as u32));
        loop {
            let last = self.state.step >= course.steps;
            if let Some(ending) = self.between(last)? {
                return Ok(ending);
            }
            self.lesson(course, &mut order)?;
        }
    }

    /// Between two steps: validation, the test at both ends, a checkpoint. Says how the run ends,
    /// where it does.
    fn between(&mut self, last: bool) -> Result<Option<Ending>, TrainError> {
        let config = self.parts.config;
        let step = self.state.step;
        let mut improved = false;
        if step == 0 || last || self.crossed(config.eval.every) {
            let validated = self.validate()?;
            // They are for schedulers.
            self.state.observations.clear();
            match validated {
                Some(better) => improved = better,
                None => return self.interrupted(),
            }
        }
        if (step == 0 || last) && !self.test()? {
            return self.interrupted();
        }
        if last || improved || self.crossed(config.checkpoint.every) {
            self.save()?;
        }
        if last {
            return Ok(Some(Ending::Finished));
        }
        if self.parts.stop.load(Ordering::Relaxed) {
            return self.interrupted();
        }
        Ok(None)
    }

    fn interrupted(&mut self) -> Result<Option<Ending>, TrainError> {
        self.save()?;
        Ok(Some(Ending::Interrupted))
    }

    fn lesson(&mut self, course: &Course, order: &mut Order) -> Result<(), TrainError> {
        let begun = Instant::now();
        let config = self.parts.config;
        self.state.phase_began = self.state.step;
        self.state.step += 1;
        let step = self.state.step;
        let batch = course.batch(order, step);
        let examples: Vec<&Example> = batch.iter().map(|(_, example)| example).collect();
        let policy = &mut *self.parts.policy;
        policy.zero_grad();
        let losses = supervised::accumulate(policy, &examples, config.loss.micro_batch_tokens)?;
        let lr = learning_rate(&course.optimizer, step, Some(course.steps));
        let norm = course.optimizer.max_grad_norm;
        let stats = policy.step(&adamw(&course.optimizer, lr), (norm > 0.0).then_some(norm))?;
        let tokens = supervised::tokens(&examples);
        let event = SupervisedEvent {
            step,
            time: clock::now(),
            loss: losses.iter().sum::<f64>() / tokens.max(1) as f64,
            grad_norm: stats.grad_norm,
            lr,
            epoch: course.epoch(step),
            examples: examples.len() as u64,
            tokens: tokens as u64,
            prompt_tokens: examples.iter().map(|e| e.prompt.len() as u64).sum(),
            seconds: begun.elapsed().as_secs_f64(),
            tasks: self.by_task(&batch, &losses),
        };
        self.parts.progress.report(Report::Supervised(&event));
        Ok(self.records.event(&Event::Supervised(event))?)
    }

    fn by_task(
        &self,
        batch: &[&(usize, Example)],
        losses: &[f64],
    ) -> BTreeMap<String, SupervisedTask> {
        let mut tasks: BTreeMap<String, SupervisedTask> = BTreeMap::new();
        for ((task, example), loss) in batch.iter().zip(losses) {
            let seen = tasks.entry(self.parts.tasks[*task].name.clone()).or_default();
            seen.examples += 1;
            seen.tokens += example.completion.len() as u64;
            // The sum for now.
            seen.loss += loss;
        }
        tasks.values_mut().for_each(|seen| seen.loss /= seen.tokens.max(1) as f64);
        tasks
    }
}
