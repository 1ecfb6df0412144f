//! One rollout phase: prompts, outputs and scores, advantages, and one update for each batch.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Instant;

use omni_policy::AdamWConfig;
use omni_record::{Event, RewardMap, SampleOutput, StepEvent};

use crate::config::{AggregationDenominator, Decay, LogprobSupport};
use crate::faults::Count;
use crate::grade::Graded;
use crate::outside::{Observation, Phase, Report};
use crate::prompts::{Made, Prompt, Prompts};
use crate::rollout::{Manner, Rolled, Roller, Seconds};
use crate::run::{PhaseEnd, Run};
use crate::schedule::learning_rate;
use crate::unfinished::{Before, Unfinished};
use crate::update::{self, Lesson, Output};
use crate::{TrainError, evaluate};

/// One optimizer batch of a phase.
pub(crate) struct Batch {
    /// Its prompts among the phase's.
    pub(crate) prompts: Range<usize>,
    /// Prompts left out for their length, by task.
    pub(crate) long_prompts: Vec<u32>,
    /// The tasks that it draws from.
    pub(crate) tasks: Vec<usize>,
}

impl Run<'_> {
    /// Takes the steps of the phase that was decided, or those that are left of an unfinished one.
    pub(crate) fn phase(&mut self, rest: Option<Unfinished>) -> Result<PhaseEnd, TrainError> {
        let (decided, before, done) = match &rest {
            Some(rest) => (rest.batches.clone(), rest.begin_again(&mut self.state), rest.done),
            None => {
                self.state.phase_began = self.state.step;
                (self.state.decided.take().unwrap_or_default(), Before::of(&self.state), 0)
            }
        };
        let (prompts, batches) = self.gather(&decided)?;
        let (rolled, kept, seconds) = match rest {
            Some(rest) => {
                let (rolled, old) = rest.outputs(self.parts.tokenizer)?;
                (rolled, Some(old), Seconds::default())
            }
            None => {
                let (rolled, seconds) = self.roll(&prompts)?;
                (rolled, None, seconds)
            }
        };
        self.check_faults(&prompts, &rolled)?;
        let (graded, curves) = self.grade(&prompts, &rolled, &batches);
        let lessons: Vec<Vec<Lesson<'_>>> =
            batches.iter().map(|b| self.lessons(b, &prompts, &rolled, &graded)).collect();
        let phase_tokens: usize = lessons.iter().map(|l| update::tokens(l)).sum();
        // The later batches meet a policy that is no longer the one that wrote them.
        let old = match kept {
            Some(old) => old,
            None => {
                let mut old = vec![None];
                for batch in lessons.iter().skip(1) {
                    let policy = &mut *self.parts.policy;
                    old.push(Some(self.rules.log_probabilities(policy, batch, |_| true)?));
                }
                old
            }
        };
        let share = 1.0 / batches.len() as f64;
        let seconds = Seconds { generate: seconds.generate * share, score: seconds.score * share };
        let mut stopped = None;
        let all = batches.iter().zip(&lessons).zip(&old).enumerate();
        for (index, ((batch, lessons), old)) in all.skip(done) {
            let begun = Instant::now();
            let dapo_tokens = match self.parts.config.loss.denominator {
                AggregationDenominator::Batch => update::tokens(lessons),
                AggregationDenominator::Generation => phase_tokens,
            };
            let reference = match &mut self.reference {
                Some(reference) => {
                    let wanted = |l: &Lesson<'_>| self.rules.tasks[l.task].beta > 0.0;
                    Some(self.rules.log_probabilities(&mut **reference, lessons, wanted)?)
                }
                None => None,
            };
            self.parts.policy.zero_grad();
            let learned = self.rules.accumulate(
                &mut *self.parts.policy,
                lessons,
                old.as_ref(),
                reference.as_ref(),
                dapo_tokens,
            )?;
            let (lr, grad_norm) = self.step(lessons)?;
            let mut event = self.describe(batch, &prompts, &rolled, &graded, lessons, &learned);
            for (task, curve) in self.parts.tasks.iter().zip(&curves) {
                if let (Some(seen), Some(c)) = (event.tasks.get_mut(&task.name), curve) {
                    seen.reward_map = Some(RewardMap { median: c.median, spread: c.spread });
                }
            }
            event.lr = lr;
            event.grad_norm = grad_norm;
            event.seconds = [
                ("generate", seconds.generate),
                ("score", seconds.score),
                ("update", begun.elapsed().as_secs_f64()),
            ]
            .map(|(name, s)| (name.to_owned(), s))
            .into();
            self.observe(&event);
            self.show(batch, &prompts, &rolled, &graded)?;
            self.parts.progress.report(Report::Step(&event));
            self.records.event(&Event::Step(event))?;
            let taken = index + 1;
            if taken < batches.len() && self.parts.stop.load(Ordering::Relaxed) {
                stopped = Some(taken);
                break;
            }
        }
        let Some(taken) = stopped else { return Ok(PhaseEnd::Finished) };
        self.save_with(Some(&Unfinished::new(decided, taken, before, &rolled, &old)))?;
        Ok(PhaseEnd::Stopped)
    }

    /// The prompts of all batches, each task's in its own order.
    fn gather(
        &mut self,
        decided: &[Vec<(usize, u32)>],
    ) -> Result<(Vec<Prompt>, Vec<Batch>), TrainError> {
        let maker = Prompts {
            config: self.parts.config,
            tasks: self.parts.tasks,
            problems: self.parts.problems,
            tokenizer: self.parts.tokenizer,
            max_positions: self.parts.policy.max_positions(),
        };
        let mut prompts = Vec::new();
        let mut batches = Vec::new();
        for shares in decided {
            let begin = prompts.len();
            let mut long_prompts = vec![0; self.parts.tasks.len()];
            for (task, count) in shares {
                let first = self.state.taken[*task];
                let positions = first..first + u64::from(*count);
                self.state.taken[*task] = positions.end;
                let numbers: Vec<u32> =
                    positions.clone().map(|p| self.orders[*task].item(p)).collect();
                let items =
                    maker.fetch(*task, &self.parts.config.task[*task].train_split, &numbers)?;
                for (position, item) in positions.zip(items) {
                    match maker.make(*task, item, "rollout", position, self.longest)? {
                        Made::Prompt(prompt) => prompts.push(*prompt),
                        Made::TooLong => long_prompts[*task] += 1,
                    }
                }
            }
            let tasks = shares.iter().map(|s| s.0).collect();
            batches.push(Batch { prompts: begin..prompts.len(), long_prompts, tasks });
        }
        Ok((prompts, batches))
    }

    fn roll(&mut self, prompts: &[Prompt]) -> Result<(Vec<Rolled>, Seconds), TrainError> {
        let parts = &mut self.parts;
        let settings = &parts.config.rollout;
        let truncates = settings.top_k > 0 || settings.top_p < 1.0;
        let manner = Manner {
            samples: settings.group_size as usize,
            temperatures: self.rules.temperatures.clone(),
            top_k: (settings.top_k > 0).then_some(settings.top_k),
            top_p: settings.top_p,
            max_new_tokens: settings.max_completion_tokens as usize,
            record_kept: truncates && settings.logprob_support == LogprobSupport::Sampled,
            phase: Phase::Generate,
            before: 0,
            total: prompts.len(),
        };
        let roller = Roller {
            tasks: parts.tasks,
            tokenizer: parts.tokenizer,
            scorer: parts.scorer,
            progress: parts.progress,
            threads: settings.scoring_threads,
        };
        roller.roll(&mut *parts.policy, prompts, &manner)
    }

    /// Counts outputs that the machinery failed to score.
    fn check_faults(&mut self, prompts: &[Prompt], rolled: &[Rolled]) -> Result<(), TrainError> {
        for (index, task) in self.parts.tasks.iter().enumerate() {
            let mut count = Count::default();
            for (_, rolled) in prompts.iter().zip(rolled).filter(|(p, _)| p.task == index) {
                rolled.score.rollouts.iter().for_each(|c| count.add(&task.reward, c));
            }
            let limit = self.parts.config.task[index].fault_limit;
            self.state.faults[index].check(&task.name, count, limit)?;
        }
        Ok(())
    }

    fn lessons<'p>(
        &self,
        batch: &Batch,
        prompts: &'p [Prompt],
        rolled: &'p [Rolled],
        graded: &[Graded],
    ) -> Vec<Lesson<'p>> {
        let mask = self.parts.config.loss.mask_truncated;
        batch
            .prompts
            .clone()
            .map(|i| {
                let valid =
                    graded[i].outcomes.iter().enumerate().filter(|(_, o)| o.reward().is_some());
                let outputs = valid
                    .map(|(o, _)| {
                        let generated = &rolled[i].generated[o];
                        Output {
                            tokens: &generated.tokens,
                            kept: generated.kept.as_deref(),
                            advantage: graded[i].advantages[o],
                            masked: mask && !generated.stopped,
                        }
                    })
                    .collect();
                Lesson { task: prompts[i].task, prompt: &prompts[i].tokens, outputs }
            })
            .collect()
    }

    /// The optimizer's step; a batch without a single valid output moves nothing.
    fn step(&mut self, lessons: &[Lesson<'_>]) -> Result<(f64, f64), TrainError> {
        self.state.step += 1;
        let optimizer = &self.parts.config.optimizer;
        let lr = learning_rate(optimizer, self.state.steps_in_all(), self.total);
        if lessons.iter().all(|l| l.outputs.is_empty()) {
            return Ok((lr, 0.0));
        }
        let norm = (optimizer.max_grad_norm > 0.0).then_some(optimizer.max_grad_norm);
        let stats = self.parts.policy.step(&adamw(optimizer, lr), norm)?;
        Ok((lr, stats.grad_norm))
    }

    /// Keeps what the scheduler is to be told.
    fn observe(&mut self, event: &StepEvent) {
        for task in self.parts.tasks {
            let Some(seen) = event.tasks.get(&task.name) else { continue };
            self.state.observations.push(Observation {
                task: task.name.clone(),
                prompts: seen.prompts,
                mean_reward: seen.reward_mean.unwrap_or(0.0),
                mean_abs_advantage: seen.mean_abs_advantage,
                gradient_norm: seen.grad_norm.unwrap_or(event.grad_norm),
                entropy: seen.entropy.unwrap_or(0.0),
                accuracy: None,
            });
        }
    }

    /// Writes some prompts of a batch to the samples, other places of the batch at every step.
    fn show(
        &mut self,
        batch: &Batch,
        prompts: &[Prompt],
        rolled: &[Rolled],
        graded: &[Graded],
    ) -> Result<(), TrainError> {
        let size = batch.prompts.len();
        let count = (self.parts.config.checkpoint.samples_per_step as usize).min(size);
        for n in 0..count {
            let place = (self.state.step as usize).wrapping_mul(count).wrapping_add(n) % size;
            let i = batch.prompts.start + place;
            let task = &self.parts.tasks[prompts[i].task];
            let mut sample =
                evaluate::sample(task, &prompts[i], &rolled[i], "train", self.state.step);
            let outputs: &mut Vec<SampleOutput> = &mut sample.outputs;
            for (output, advantage) in outputs.iter_mut().zip(&graded[i].advantages) {
                output.advantage = Some(*advantage);
            }
            self.records.sample(&sample)?;
        }
        Ok(())
    }
}

/// The optimizer's settings at a learning rate.
pub(crate) fn adamw(optimizer: &crate::config::Optimizer, lr: f64) -> AdamWConfig {
    AdamWConfig {
        lr,
        beta1: optimizer.betas[0],
        beta2: optimizer.betas[1],
        eps: optimizer.eps,
        weight_decay: optimizer.weight_decay,
        decay: match optimizer.decay {
            Decay::Matrices => omni_policy::Decay::Matrices,
            Decay::All => omni_policy::Decay::All,
        },
    }
}
