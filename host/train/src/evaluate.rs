//! Evaluation on held-out items: greedy, or sampled at a temperature, with pass@k and entropy.
//!
//! Whole distributions are sampled (no top-k, no top-p). An item's random numbers depend on the
//! run's seed and the item alone, so two evaluations of one run differ by the weights only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use omni_policy::{Completion, Group, Policy, Tokenizer};
use omni_record::{Estimate, EvalEvent, Finish, Sample, SampleOutput, TaskEval};

use crate::measure::{Components, Mean, PassAtK};
use crate::outside::{Phase, Problems, Progress, Scorer};
use crate::prompts::{Made, Prompt, Prompts};
use crate::reward::Outcome;
use crate::rollout::{Manner, Rolled, Roller};
use crate::{RunConfig, TaskSpec, TrainError, clock};

/// Prompts between two looks at the stop flag.
const CHUNK: usize = 512;

/// What to evaluate on.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalPlan {
    /// Written to the record: `validation` or `test`.
    pub purpose: String,
    /// One split for each task.
    pub splits: Vec<String>,
    /// Items of each split; fewer where it has fewer.
    pub items: u32,
    /// Sampled outputs for each item; 0 leaves sampling out.
    pub samples: u32,
    /// Their temperature.
    pub temperature: f64,
    /// Also one greedy output for each item.
    pub greedy: bool,
    /// Items of each task whose sampled outputs the entropy is measured on; it costs a forward
    /// pass.
    pub entropy_items: u32,
    /// Items of each task whose outputs are returned as samples.
    pub shown: u32,
}

impl EvalPlan {
    /// What `[eval]` says: the validation splits.
    #[must_use]
    pub fn validation(config: &RunConfig) -> Self {
        Self {
            purpose: "validation".into(),
            splits: config.task.iter().map(|t| t.validation_split.clone()).collect(),
            items: config.eval.items,
            samples: config.eval.samples,
            temperature: config.eval.temperature,
            greedy: config.eval.greedy,
            entropy_items: config.eval.items,
            shown: 1,
        }
    }

    /// What `[eval.final]` says: the test splits.
    #[must_use]
    pub fn test(config: &RunConfig) -> Self {
        let last = &config.eval.last;
        Self {
            purpose: "test".into(),
            splits: config.task.iter().map(|t| t.test_split.clone()).collect(),
            items: last.items,
            samples: last.samples,
            temperature: last.temperature,
            greedy: last.greedy,
            entropy_items: 200.min(last.items),
            shown: 5,
        }
    }

    /// False where there is nothing to do.
    #[must_use]
    pub fn is_something(&self) -> bool {
        self.items > 0 && (self.samples > 0 || self.greedy)
    }
}

/// Everything that an evaluation is made of.
pub struct Evaluation<'a> {
    /// The resolved configuration: lengths, seed.
    pub config: &'a RunConfig,
    /// One for each `[[task]]`, in the same order.
    pub tasks: &'a [TaskSpec],
    /// The policy.
    pub policy: &'a mut dyn Policy,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Where items come from.
    pub problems: &'a dyn Problems,
    /// Scores outputs.
    pub scorer: &'a dyn Scorer,
    /// The audience.
    pub progress: &'a dyn Progress,
    /// Set from outside to give up.
    pub stop: &'a AtomicBool,
}

/// What has been seen of one task so far.
struct Tally {
    sampled: Mean,
    greedy: Mean,
    entropy: Mean,
    length: Mean,
    truncated: Mean,
    pass_at_k: PassAtK,
    components: Components,
    items: u32,
    long_prompts: u32,
}

/// Evaluates; none where `stop` was set before it was done. `step` is written to the record.
///
/// # Errors
/// A model, source or reward that fails, or a task without the split.
pub fn evaluate(
    mut evaluation: Evaluation<'_>,
    plan: &EvalPlan,
    step: u64,
) -> Result<Option<(EvalEvent, Vec<Sample>)>, TrainError> {
    let begun = Instant::now();
    let mut tallies: Vec<Tally> = evaluation.tasks.iter().map(Tally::new).collect();
    let prompts = evaluation.prompts(plan, &mut tallies)?;
    let mut samples = Vec::new();
    let mut done = 0;
    let passes = [(plan.samples > 0, false), (plan.greedy, true)];
    let total = prompts.len() * passes.iter().filter(|(wanted, _)| *wanted).count();
    for (_, greedy) in passes.into_iter().filter(|(wanted, _)| *wanted) {
        let mut seen = vec![0u32; evaluation.tasks.len()];
        for chunk in prompts.chunks(CHUNK) {
            if evaluation.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let rolled = evaluation.roll(chunk, plan, greedy, (done, total))?;
            done += chunk.len();
            let mut measured = Vec::new();
            for (prompt, rolled) in chunk.iter().zip(&rolled) {
                let (task, number) = (&evaluation.tasks[prompt.task], seen[prompt.task]);
                seen[prompt.task] += 1;
                tallies[prompt.task].add(task, rolled, greedy, plan.samples > 0);
                if !greedy && number < plan.entropy_items {
                    measured.push((prompt, rolled));
                }
                if number < plan.shown && greedy == (plan.samples == 0) {
                    samples.push(sample(task, prompt, rolled, &plan.purpose, step));
                }
            }
            evaluation.entropy(&measured, plan.temperature, &mut tallies)?;
        }
    }
    let named = evaluation.tasks.iter().zip(tallies).zip(&plan.splits);
    let event = EvalEvent {
        step,
        time: clock::now(),
        purpose: plan.purpose.clone(),
        temperature: (plan.samples > 0).then_some(plan.temperature),
        tasks: named
            .map(|((task, tally), split)| (task.name.clone(), tally.finish(task, split, plan)))
            .collect(),
        seconds: begun.elapsed().as_secs_f64(),
        ..EvalEvent::default()
    };
    Ok(Some((event, samples)))
}

impl Evaluation<'_> {
    fn prompts(&self, plan: &EvalPlan, tallies: &mut [Tally]) -> Result<Vec<Prompt>, TrainError> {
        let maker = Prompts {
            config: self.config,
            tasks: self.tasks,
            problems: self.problems,
            tokenizer: self.tokenizer,
            max_positions: self.policy.max_positions(),
        };
        let longest = maker.longest()?;
        let mut prompts = Vec::new();
        for (task, (split, tally)) in plan.splits.iter().zip(tallies).enumerate() {
            let size = maker.split_size(task, split)?;
            let numbers: Vec<u32> = (0..size.map_or(plan.items, |n| n.min(plan.items))).collect();
            for (index, item) in maker.fetch(task, split, &numbers)?.into_iter().enumerate() {
                match maker.make(task, item, &plan.purpose, index as u64, longest)? {
                    Made::Prompt(prompt) => {
                        tally.items += 1;
                        prompts.push(*prompt);
                    }
                    Made::TooLong => tally.long_prompts += 1,
                }
            }
        }
        Ok(prompts)
    }

    fn roll(
        &mut self,
        prompts: &[Prompt],
        plan: &EvalPlan,
        greedy: bool,
        (before, total): (usize, usize),
    ) -> Result<Vec<Rolled>, TrainError> {
        let roller = Roller {
            tasks: self.tasks,
            tokenizer: self.tokenizer,
            scorer: self.scorer,
            progress: self.progress,
            threads: self.config.rollout.scoring_threads,
        };
        let manner = Manner {
            samples: if greedy { 1 } else { plan.samples as usize },
            temperatures: vec![if greedy { 0.0 } else { plan.temperature }; self.tasks.len()],
            top_k: None,
            top_p: 1.0,
            max_new_tokens: self.config.rollout.max_completion_tokens as usize,
            record_kept: false,
            phase: Phase::Evaluate,
            before,
            total,
        };
        Ok(roller.roll(self.policy, prompts, &manner)?.0)
    }

    /// Eq: METHOD section 5: mean over prompts and outputs of the mean over tokens.
    fn entropy(
        &mut self,
        measured: &[(&Prompt, &Rolled)],
        temperature: f64,
        tallies: &mut [Tally],
    ) -> Result<(), TrainError> {
        let budget = self.config.loss.micro_batch_tokens.max(1);
        let cost = |(p, r): &(&Prompt, &Rolled)| {
            p.tokens.len() + r.generated.iter().map(|g| g.tokens.len()).sum::<usize>()
        };
        let mut rest = measured;
        while !rest.is_empty() {
            let mut held = 0;
            let fits = rest.iter().take_while(|m| {
                held += cost(m);
                held <= budget
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            rest = later;
            let groups: Vec<Group<'_>> = now
                .iter()
                .map(|(p, r)| Group {
                    prompt: &p.tokens,
                    completions: r
                        .generated
                        .iter()
                        .map(|g| Completion { tokens: &g.tokens, kept: None })
                        .collect(),
                })
                .collect();
            let stats = self.policy.token_stats(&groups, temperature as f32)?;
            for ((prompt, _), outputs) in now.iter().zip(stats.entropy) {
                for row in outputs.iter().filter(|row| !row.is_empty()) {
                    let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / row.len() as f64;
                    tallies[prompt.task].entropy.add(mean);
                }
            }
        }
        Ok(())
    }
}

impl Tally {
    fn new(task: &TaskSpec) -> Self {
        Self {
            sampled: Mean::default(),
            greedy: Mean::default(),
            entropy: Mean::default(),
            length: Mean::default(),
            truncated: Mean::default(),
            pass_at_k: PassAtK::default(),
            components: Components::new(task),
            items: 0,
            long_prompts: 0,
        }
    }

    fn add(&mut self, task: &TaskSpec, rolled: &Rolled, greedy: bool, sampling: bool) {
        let mut metric = Mean::default();
        rolled
            .score
            .rollouts
            .iter()
            .filter_map(|c| task.reward.metric(c))
            .for_each(|m| metric.add(m));
        if let Some(mean) = metric.get() {
            if greedy { self.greedy.add(mean) } else { self.sampled.add(mean) }
        }
        if greedy && sampling {
            return;
        }
        self.pass_at_k.add(task, &rolled.score);
        for (rollout, components) in rolled.rollouts.iter().zip(&rolled.score.rollouts) {
            self.length.add(f64::from(rollout.tokens));
            self.truncated.add(f64::from(u8::from(rollout.finish == Finish::Length)));
            self.components.add(components);
        }
    }

    fn finish(self, task: &TaskSpec, split: &str, plan: &EvalPlan) -> TaskEval {
        let estimate = |mean: &Mean| {
            let value = mean.get()?;
            Some(Estimate {
                mean: value,
                standard_error: mean.error(),
                items: mean.count() as u32,
                ..Estimate::default()
            })
        };
        TaskEval {
            split: split.to_owned(),
            items: self.items,
            long_prompts: self.long_prompts,
            metric: task.reward.metric.clone(),
            sampled: estimate(&self.sampled),
            greedy: estimate(&self.greedy),
            pass_at_k: if plan.samples > 0 { self.pass_at_k.means() } else { Default::default() },
            entropy: self.entropy.get(),
            components: self.components.means(),
            completion_length: self.length.get().unwrap_or(0.0),
            truncated_fraction: self.truncated.get().unwrap_or(0.0),
            undefined: self.components.undefined,
            ..TaskEval::default()
        }
    }
}

/// One prompt with its outputs, for people to read.
pub(crate) fn sample(
    task: &TaskSpec,
    prompt: &Prompt,
    rolled: &Rolled,
    purpose: &str,
    step: u64,
) -> Sample {
    let outputs = rolled
        .rollouts
        .iter()
        .zip(&rolled.score.rollouts)
        .map(|(rollout, components)| SampleOutput {
            text: rollout.text.clone(),
            tokens: rollout.tokens,
            finish: rollout.finish,
            reward: match task.reward.outcome(components) {
                Outcome::Reward(reward) => Some(reward),
                Outcome::Excluded(_) => None,
            },
            advantage: None,
            components: components.clone(),
        })
        .collect();
    Sample {
        step,
        purpose: purpose.to_owned(),
        task: task.name.clone(),
        item: prompt.item.id.clone(),
        turn: None,
        set: None,
        prompt: prompt.text.clone(),
        reference: prompt.item.reference.clone(),
        problem: Some(Box::new(prompt.item.clone())),
        seed: Some(prompt.score_seed),
        outputs,
    }
}
