//! Evaluation on held-out items: greedy, or sampled at a temperature, with pass@k and entropy.
//!
//! Whole distributions are sampled (no top-k, no top-p). An item's random numbers depend on the
//! run's seed and the item alone, so two evaluations of one run differ by the weights only. Items
//! whose `data` says so are conversations, or are compared with several sets of references.

mod conversation;
mod lost;
mod plan;
mod shown;
mod tally;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use omni_policy::{Completion, Group, Policy, Tokenizer};
use omni_record::{DomainEval, EvalEvent, EvalItems, ITEMS_VERSION, Sample};

use self::conversation::Conversation;
pub use self::conversation::answers_of;
use self::shown::sets;
use self::tally::{Place, Stratum, Tally};
use crate::measure::Resampler;
use crate::outside::{Phase, Problems, Progress, Scorer};
use crate::prompts::{Made, Prompt, Prompts};
use crate::rollout::{Manner, Rolled, Roller};
use crate::{RunConfig, TaskSpec, TrainError, clock};

pub use lost::too_much_lost;
pub use plan::EvalPlan;
pub(crate) use shown::sample;

/// Prompts between two looks at the stop flag.
const CHUNK: usize = 512;

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

/// An output that is to be written: which item it is of, and where it stands.
struct Origin {
    subject: usize,
    turn: u32,
    sample: u32,
}

/// An item that is evaluated.
struct Subject {
    /// Its place in its task's tally.
    item: usize,
    conversation: Conversation,
}

/// One pass over the items: sampled or greedy.
#[derive(Clone, Copy)]
struct Pass {
    greedy: bool,
    /// Whether components and the like are taken from it.
    primary: bool,
}

/// What an evaluation showed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evaluated {
    /// Its numbers.
    pub event: EvalEvent,
    /// Some outputs, as the plan says.
    pub samples: Vec<Sample>,
    /// The accuracies item by item.
    pub items: EvalItems,
}

/// Evaluates; none where `stop` was set before it was done. `step` is written to the record.
///
/// # Errors
/// A model, source or reward that fails, or a task without the split.
pub fn evaluate(
    mut evaluation: Evaluation<'_>,
    plan: &EvalPlan,
    step: u64,
) -> Result<Option<Evaluated>, TrainError> {
    let begun = Instant::now();
    let mut tallies: Vec<Tally> = evaluation.tasks.iter().map(Tally::new).collect();
    let (prompts, subjects) = evaluation.prompts(plan, &mut tallies)?;
    let mut samples = Vec::new();
    let passes: Vec<Pass> = [(plan.samples > 0, false), (plan.greedy, true)]
        .into_iter()
        .filter(|(wanted, _)| *wanted)
        .map(|(_, greedy)| Pass { greedy, primary: greedy == (plan.samples == 0) })
        .collect();
    let later: usize = subjects.iter().map(|s| s.conversation.turns() as usize - 1).sum();
    let outputs = |pass: &Pass| if pass.greedy { 1 } else { plan.samples as usize };
    let total = passes.iter().map(|pass| prompts.len() + later * outputs(pass)).sum();
    let mut done = 0;
    for pass in passes {
        let mut first = 0;
        for chunk in prompts.chunks(CHUNK) {
            let mut origins: Vec<Origin> = (first..first + chunk.len())
                .map(|subject| Origin { subject, turn: 1, sample: 0 })
                .collect();
            first += chunk.len();
            let mut asked = chunk.to_vec();
            while !asked.is_empty() {
                if evaluation.stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let turn = origins[0].turn;
                let rolled = evaluation.roll(&asked, plan, pass, turn, (done, total))?;
                done += asked.len();
                for ((prompt, rolled), origin) in asked.iter().zip(&rolled).zip(&origins) {
                    let (task, subject) =
                        (&evaluation.tasks[prompt.task], &subjects[origin.subject]);
                    let Pass { greedy, primary } = pass;
                    let (item, sample) = (subject.item, origin.sample);
                    let place = Place { item, turn, sample, greedy, primary };
                    tallies[prompt.task].add(task, prompt, rolled, place);
                    if pass.primary && (subject.item as u64) < u64::from(plan.shown) {
                        let several = (subject.conversation.turns() > 1).then_some(turn);
                        samples.extend(sets(task, prompt, rolled, &plan.purpose, step, several));
                    }
                }
                if turn == 1 && !pass.greedy && plan.measures_entropy() {
                    let measured: Vec<(&Prompt, &Rolled)> = asked
                        .iter()
                        .zip(&rolled)
                        .zip(&origins)
                        .filter(|(_, o)| subjects[o.subject].item < plan.entropy_items as usize)
                        .map(|(measured, _)| measured)
                        .collect();
                    evaluation.entropy(&measured, &mut tallies)?;
                }
                (asked, origins) = evaluation.next_turn(
                    &asked,
                    &rolled,
                    &origins,
                    &subjects,
                    pass,
                    &mut tallies,
                    plan,
                )?;
            }
        }
    }
    let config = evaluation.config;
    let resampler = Resampler { resamples: plan.bootstrap, seed: config.seed };
    let mut tasks = BTreeMap::new();
    let mut items =
        EvalItems { version: ITEMS_VERSION, purpose: plan.purpose.clone(), tasks: BTreeMap::new() };
    let mut domains: BTreeMap<String, Vec<Stratum>> = BTreeMap::new();
    let named = evaluation.tasks.iter().zip(tallies).zip(&plan.splits).zip(&config.task);
    for (((task, tally), split), settings) in named {
        items.tasks.insert(task.name.clone(), tally.items(task, split));
        let (mut eval, strata) = tally.finish(task, split, plan, &resampler);
        if let Some(domain) = &settings.domain {
            eval.domain = Some(domain.clone());
            domains.entry(domain.clone()).or_default().extend(strata);
        }
        tasks.insert(task.name.clone(), eval);
    }
    let event = EvalEvent {
        step,
        time: clock::now(),
        purpose: plan.purpose.clone(),
        temperature: (plan.samples > 0).then_some(plan.temperature),
        tasks,
        domains: domains
            .into_iter()
            .map(|(d, s)| (d.clone(), domain(&d, &s, &resampler)))
            .collect(),
        bootstrap: resampler.describe(),
        seconds: begun.elapsed().as_secs_f64(),
    };
    Ok(Some(Evaluated { event, samples, items }))
}

fn domain(name: &str, strata: &[Stratum], resampler: &Resampler) -> DomainEval {
    let of = |pick: fn(&Stratum) -> &[f64], what: &str| {
        let values: Vec<&[f64]> = strata.iter().map(pick).collect();
        let name = match strata {
            // The draws of the task itself, whose average this is.
            [only] => format!("{}//{what}", only.name),
            _ => format!("domain/{name}/{what}"),
        };
        resampler.mean_of_means(&values, &name)
    };
    DomainEval {
        benchmarks: strata.iter().map(|s| s.name.clone()).collect(),
        sampled: of(|s| &s.sampled, "sampled"),
        greedy: of(|s| &s.greedy, "greedy"),
    }
}

impl Evaluation<'_> {
    fn maker(&self) -> Prompts<'_> {
        Prompts {
            config: self.config,
            tasks: self.tasks,
            problems: self.problems,
            tokenizer: self.tokenizer,
            max_positions: self.policy.max_positions(),
        }
    }

    /// The first prompts of all items, with what is to become of each.
    fn prompts(
        &self,
        plan: &EvalPlan,
        tallies: &mut [Tally],
    ) -> Result<(Vec<Prompt>, Vec<Subject>), TrainError> {
        let maker = self.maker();
        let longest = maker.longest()?;
        let mut prompts = Vec::new();
        let mut subjects = Vec::new();
        for (task, (split, tally)) in plan.splits.iter().zip(tallies).enumerate() {
            let size = maker.split_size(task, split)?;
            let numbers: Vec<u32> = (0..size.map_or(plan.items, |n| n.min(plan.items))).collect();
            for (index, item) in maker.fetch(task, split, &numbers)?.into_iter().enumerate() {
                let conversation = Conversation::of(&item).map_err(|message| {
                    let name = &self.tasks[task].name;
                    TrainError::task(name, format!("item `{}`: {message}", item.id))
                })?;
                match maker.make(task, item, &plan.purpose, index as u64, longest)? {
                    Made::Prompt(mut prompt) => {
                        prompt.views = conversation.views(&prompt.item, 1);
                        let item = tally.item(&prompt.item);
                        subjects.push(Subject { item, conversation });
                        prompts.push(*prompt);
                    }
                    Made::TooLong => tally.long_prompt(),
                }
            }
        }
        Ok((prompts, subjects))
    }

    /// What the users of conversations that are not over say to the outputs at hand.
    #[expect(clippy::too_many_arguments, reason = "a round's parts, each borrowed for itself")]
    fn next_turn(
        &self,
        asked: &[Prompt],
        rolled: &[Rolled],
        origins: &[Origin],
        subjects: &[Subject],
        pass: Pass,
        tallies: &mut [Tally],
        plan: &EvalPlan,
    ) -> Result<(Vec<Prompt>, Vec<Origin>), TrainError> {
        let maker = self.maker();
        // What a user says may be short, but the policy's own answers stand before it: here only
        // the model's positions are a limit, not `rollout.max_prompt_tokens`.
        let room = self
            .policy
            .max_positions()
            .saturating_sub(self.config.rollout.max_completion_tokens as usize);
        let (mut prompts, mut next) = (Vec::new(), Vec::new());
        for ((prompt, rolled), origin) in asked.iter().zip(rolled).zip(origins) {
            let conversation = &subjects[origin.subject].conversation;
            if origin.turn >= conversation.turns() {
                continue;
            }
            for (output, rollout) in rolled.rollouts.iter().enumerate() {
                let Some(item) = conversation.follow(&prompt.item, origin.turn, &rollout.text)
                else {
                    continue;
                };
                let (turn, sample) = (origin.turn + 1, origin.sample + output as u32);
                let purpose = format!("{} turn {turn}", plan.purpose);
                let index = (subjects[origin.subject].item as u64) << 32 | u64::from(sample);
                let mut made = maker.prepare(prompt.task, item, &purpose, index)?;
                if made.tokens.len() > room {
                    if pass.primary {
                        tallies[prompt.task].long_turn();
                    }
                    continue;
                }
                made.views = conversation.views(&made.item, turn);
                prompts.push(made);
                next.push(Origin { subject: origin.subject, turn, sample });
            }
        }
        Ok((prompts, next))
    }

    fn roll(
        &mut self,
        prompts: &[Prompt],
        plan: &EvalPlan,
        Pass { greedy, .. }: Pass,
        turn: u32,
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
            // Each output of a first turn goes on as a conversation of its own.
            samples: if greedy || turn > 1 { 1 } else { plan.samples as usize },
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

    /// METHOD.md, section 5: mean over prompts and outputs of the mean over tokens, at a
    /// temperature of 1.
    fn entropy(
        &mut self,
        measured: &[(&Prompt, &Rolled)],
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
            let stats = self.policy.token_stats(&groups, 1.0)?;
            for ((prompt, _), outputs) in now.iter().zip(stats.entropy) {
                for row in outputs.iter().filter(|row| !row.is_empty()) {
                    let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / row.len() as f64;
                    tallies[prompt.task].entropy(mean);
                }
            }
        }
        Ok(())
    }
}
