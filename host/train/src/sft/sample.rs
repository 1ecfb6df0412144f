//! Rejection sampling: outputs of the base policy for every training prompt, scored as in training,
//! sifted, and written down prompt by prompt.
//!
//! A prompt's samples depend on the run's seed and its place alone, not on what is sampled beside
//! it, so sampling goes on after a kill where `rejection.jsonl` ends and no line is different for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use omni_record::{
    Finish, Item, KeptOutput, Rejection, RejectionEvent, RejectionTask, RejectionWriter,
    read_rejections,
};

use super::Sft;
use super::keep::choose;
use crate::faults::{Count, Faults};
use crate::measure::SUCCESS;
use crate::outside::{Phase, Report};
use crate::prompts::{Made, Order, Prompt, Prompts};
use crate::reward::Outcome;
use crate::rollout::{Manner, Rolled, Roller};
use crate::supervised::Example;
use crate::{ConfigError, TaskSpec, TrainError, clock, random};

/// Outputs that are held in memory at once, if a prompt has not more.
const CHUNK: usize = 1024;
/// Prompts, and outputs, that the rate of faults is judged by at least.
const JUDGED: (u64, u64) = (16, 256);
/// Lines that the audience is given about sampling.
const LINES: u64 = 10;

/// What is learned from, and what it was sifted from.
pub(super) struct Sampled {
    /// Task and example, in the order of sampling.
    pub(super) examples: Vec<(usize, Example)>,
    pub(super) event: RejectionEvent,
    /// Prompts that were sampled, and prompts in all.
    pub(super) done: u64,
    pub(super) total: u64,
}

/// A prompt that is to be sampled.
#[derive(Clone, Copy)]
struct Place {
    task: usize,
    position: u64,
    /// Its number in its split.
    number: u32,
    /// The last of its task.
    last: bool,
}

/// Whether the latest prompts of a task can be relied on.
#[derive(PartialEq, Eq)]
enum Judged {
    Fine,
    /// Some had faults, and it is too early to say whether they are too many.
    Open,
}

/// Samples what `rejection.jsonl` does not hold yet, until all is there or `stop` is set.
///
/// # Errors
/// A source, model or reward that fails; a file of another run; more faults than a task allows.
pub(super) fn sample(parts: &mut Sft<'_>) -> Result<Sampled, TrainError> {
    let config = parts.config;
    let maker = Prompts {
        config,
        tasks: parts.tasks,
        problems: parts.problems,
        tokenizer: parts.tokenizer,
        max_positions: parts.policy.max_positions(),
    };
    let longest = maker.longest()?;
    let places = places(parts, &maker)?;
    let mut sifter = Sifter::new(parts, places.len() as u64);
    let path = parts.folder.rejection_jsonl();
    sifter.read_back(parts, &path, &places)?;
    parts.folder.create()?;
    let mut writer = RejectionWriter::open(&path)?;

    let temperatures = temperatures(parts);
    let settings = &config.rollout;
    let chunk = (CHUNK / config.sft.samples as usize).max(1);
    let begun = Instant::now();
    let mut held: Vec<Rejection> = Vec::new();
    while sifter.done < sifter.total && !parts.stop.load(Ordering::Relaxed) {
        let first = sifter.done as usize + held.len();
        let now = &places[first..places.len().min(first + chunk)];
        let (prompts, made) = prepare(&maker, now, longest)?;
        let manner = Manner {
            samples: config.sft.samples as usize,
            temperatures: temperatures.clone(),
            top_k: (settings.top_k > 0).then_some(settings.top_k),
            top_p: settings.top_p,
            max_new_tokens: settings.max_completion_tokens as usize,
            record_kept: false,
            phase: Phase::Sample,
            before: first,
            total: places.len(),
        };
        let roller = Roller {
            tasks: parts.tasks,
            tokenizer: parts.tokenizer,
            scorer: parts.scorer,
            progress: parts.progress,
            threads: settings.scoring_threads,
        };
        let (rolled, _) = roller.roll(&mut *parts.policy, &prompts, &manner)?;
        let mut rolled = prompts.iter().zip(&rolled);
        for (place, made) in now.iter().zip(made) {
            let spec = &parts.tasks[place.task];
            let (line, count) = match made {
                None => {
                    let Some((prompt, rolled)) = rolled.next() else { continue };
                    sift(spec, prompt, rolled, place.position, parts)
                }
                Some(too_long) => (too_long_line(spec, too_long, place.position), Count::default()),
            };
            held.push(line);
            // Nothing that may yet prove to be an outage is written down: what goes on after it is
            // mended does it again.
            if sifter.judge(parts, place, count)? == Judged::Fine {
                for line in held.drain(..) {
                    writer.append(&line)?;
                    sifter.take(parts, place.task, &line)?;
                }
            }
        }
        writer.sync()?;
        sifter.event.seconds = begun.elapsed().as_secs_f64();
        sifter.tell(parts);
    }
    sifter.event.time = clock::now();
    let Sifter { examples, event, done, total, .. } = sifter;
    Ok(Sampled { examples, event, done, total })
}

/// The training prompts of all trained tasks, task by task.
fn places(parts: &Sft<'_>, maker: &Prompts<'_>) -> Result<Vec<Place>, TrainError> {
    let config = parts.config;
    let mut places = Vec::new();
    for (task, (spec, settings)) in parts.tasks.iter().zip(&config.task).enumerate() {
        if !config.schedule.trains(&spec.name) {
            continue;
        }
        let items = maker.training_items(task, settings)?;
        let wanted = match (items, config.sft.prompts) {
            (Some(items), wanted) => wanted.map_or(items, |wanted| wanted.min(items)),
            (None, Some(wanted)) => wanted,
            (None, None) => {
                return Err(ConfigError::new(
                    format!("task.{task}.items"),
                    "this task never runs out of items",
                )
                .help("say how many to sample for with it, or with sft.prompts for every task")
                .into());
            }
        };
        let mut order = Order::new(&spec.name, config.seed, items);
        places.extend((0..u64::from(wanted)).map(|position| Place {
            task,
            position,
            number: order.item(position),
            last: position + 1 == u64::from(wanted),
        }));
    }
    Ok(places)
}

fn temperatures(parts: &Sft<'_>) -> Vec<f64> {
    let config = parts.config;
    config
        .task
        .iter()
        .map(|t| config.sft.temperature.or(t.temperature).unwrap_or(config.rollout.temperature))
        .collect()
}

/// The prompts of some places, and by place the item that is too long to be one.
fn prepare(
    maker: &Prompts<'_>,
    places: &[Place],
    longest: usize,
) -> Result<(Vec<Prompt>, Vec<Option<Item>>), TrainError> {
    let (mut prompts, mut made) = (Vec::new(), Vec::with_capacity(places.len()));
    for of_task in places.chunk_by(|a, b| a.task == b.task) {
        let task = of_task[0].task;
        let numbers: Vec<u32> = of_task.iter().map(|place| place.number).collect();
        let items = maker.fetch(task, &maker.config.task[task].train_split, &numbers)?;
        for (place, item) in of_task.iter().zip(items) {
            match maker.make(task, item.clone(), "rejection", place.position, longest)? {
                Made::Prompt(prompt) => {
                    prompts.push(*prompt);
                    made.push(None);
                }
                Made::TooLong => made.push(Some(item)),
            }
        }
    }
    Ok((prompts, made))
}

/// One prompt's outputs to its line, with what of them is anybody's fault.
fn sift(
    spec: &TaskSpec,
    prompt: &Prompt,
    rolled: &Rolled,
    position: u64,
    parts: &Sft<'_>,
) -> (Rejection, Count) {
    let mut line = Rejection {
        task: spec.name.clone(),
        position,
        item: prompt.item.id.clone(),
        prompt: prompt.text.clone(),
        seed: prompt.score_seed,
        sampled: rolled.rollouts.len() as u32,
        ..Rejection::default()
    };
    let mut count = Count::default();
    let mut rewards = Vec::with_capacity(rolled.rollouts.len());
    let mut texts = Vec::with_capacity(rolled.rollouts.len());
    for (rollout, components) in rolled.rollouts.iter().zip(&rolled.score.rollouts) {
        count.add(&spec.reward, components);
        let metric = spec.reward.metric(components);
        let reward = match spec.reward.outcome(components) {
            Outcome::Reward(reward) => Some(reward),
            Outcome::Excluded(_) => None,
        };
        let correct = metric.is_some_and(|metric| metric >= SUCCESS);
        let cut = rollout.finish == Finish::Length;
        line.correct += u32::from(correct);
        line.cut += u32::from(cut);
        line.undefined += u32::from(metric.is_none() || reward.is_none());
        rewards.push(reward);
        texts.push((correct && !cut && reward.is_some()).then_some(rollout.text.as_str()));
    }
    line.faults = count.faults as u32;
    line.unsupported = line.sampled - count.outputs as u32;
    let seed = random::seed(parts.config.seed, "keep", &spec.name, position);
    let chosen = choose(&texts, parts.config.sft.keep, seed);
    line.distinct = chosen.distinct;
    line.kept = chosen
        .outputs
        .into_iter()
        .map(|output| KeptOutput {
            sample: output as u32,
            text: rolled.rollouts[output].text.clone(),
            tokens: rolled.generated[output].tokens.clone(),
            reward: rewards[output].unwrap_or_default(),
            components: rolled.score.rollouts[output].clone(),
        })
        .collect();
    if !line.kept.is_empty() {
        line.reference.clone_from(&prompt.item.reference);
        line.problem = Some(Box::new(prompt.item.clone()));
    }
    (line, count)
}

fn too_long_line(spec: &TaskSpec, item: Item, position: u64) -> Rejection {
    let task = spec.name.clone();
    Rejection { task, position, item: item.id, long_prompt: true, ..Rejection::default() }
}

/// What the lines so far come to.
struct Sifter {
    examples: Vec<(usize, Example)>,
    event: RejectionEvent,
    /// By task: faults so far, and those not judged yet with the number of their prompts.
    faults: Vec<(Faults, Count, u64)>,
    done: u64,
    total: u64,
    told: u64,
}

impl Sifter {
    fn new(parts: &Sft<'_>, total: u64) -> Self {
        let config = parts.config;
        let trained = parts.tasks.iter().filter(|t| config.schedule.trains(&t.name));
        let tasks: BTreeMap<String, RejectionTask> =
            trained.map(|t| (t.name.clone(), RejectionTask::default())).collect();
        let (samples, keep) = (config.sft.samples, config.sft.keep);
        let event = RejectionEvent { samples, keep, tasks, ..RejectionEvent::default() };
        let faults = parts.tasks.iter().map(|_| Default::default()).collect();
        Self { examples: Vec::new(), event, faults, done: 0, total, told: 0 }
    }

    /// Takes in what was sampled before.
    fn read_back(
        &mut self,
        parts: &Sft<'_>,
        path: &std::path::Path,
        places: &[Place],
    ) -> Result<(), TrainError> {
        let mut result = Ok(());
        read_rejections(path, |line| {
            if result.is_ok() {
                result = self.read_line(parts, path, places, &line);
            }
        })?;
        result?;
        if self.done == 0 {
            return Ok(());
        }
        parts.progress.report(Report::Notice(&format!(
            "{} of {} prompts were sampled before: {}",
            self.done,
            self.total,
            path.display()
        )));
        self.told = self.done * LINES / self.total;
        Ok(())
    }

    fn read_line(
        &mut self,
        parts: &Sft<'_>,
        path: &std::path::Path,
        places: &[Place],
        line: &Rejection,
    ) -> Result<(), TrainError> {
        let number = self.done + 1;
        let expected = places.get(self.done as usize);
        let place = expected
            .filter(|p| parts.tasks[p.task].name == line.task && p.position == line.position)
            .ok_or_else(|| {
                TrainError::Resume(format!(
                    "{}:{number}: prompt {} of task `{}` is not what this run samples there; it is \
                     of other settings: start a new run with another --out",
                    path.display(),
                    line.position,
                    line.task
                ))
            })?;
        let count =
            Count::of(u64::from(line.sampled - line.unsupported.min(line.sampled)), line.faults);
        self.judge(parts, place, count)?;
        self.take(parts, place.task, line)
    }

    /// Stops sampling that the machinery fails to score. Judged are many prompts at once, or the
    /// last of a task: one problem that breaks its reward is no reason.
    fn judge(
        &mut self,
        parts: &Sft<'_>,
        place: &Place,
        count: Count,
    ) -> Result<Judged, TrainError> {
        let (faults, open, prompts) = &mut self.faults[place.task];
        *prompts += 1;
        open.join(count);
        if !place.last && (*prompts < JUDGED.0 || open.outputs < JUDGED.1) {
            return Ok(if open.faults == 0 { Judged::Fine } else { Judged::Open });
        }
        *prompts = 0;
        let limit = parts.config.task[place.task].fault_limit;
        faults.check(&parts.tasks[place.task].name, std::mem::take(open), limit)?;
        Ok(Judged::Fine)
    }

    /// Takes in a line: counts and examples.
    fn take(&mut self, parts: &Sft<'_>, task: usize, line: &Rejection) -> Result<(), TrainError> {
        self.done += 1;
        let count = self.event.tasks.entry(line.task.clone()).or_default();
        if line.long_prompt {
            count.long_prompts += 1;
            return Ok(());
        }
        count.prompts += 1;
        count.sampled += u64::from(line.sampled);
        count.correct += u64::from(line.correct);
        count.cut += u64::from(line.cut);
        count.undefined += u64::from(line.undefined);
        count.kept += line.kept.len() as u64;
        count.without += u64::from(line.kept.is_empty());
        if line.kept.is_empty() {
            return Ok(());
        }
        let prompt: Arc<[u32]> = parts.tokenizer.encode(&line.prompt)?.into();
        self.examples.extend(line.kept.iter().map(|kept| {
            let (prompt, completion) = (Arc::clone(&prompt), kept.tokens.clone());
            (task, Example { prompt, completion })
        }));
        Ok(())
    }

    /// Tells the audience, but not of every chunk.
    fn tell(&mut self, parts: &Sft<'_>) {
        let tenth = self.done * LINES / self.total.max(1);
        if tenth > self.told {
            self.told = tenth;
            let (done, total, event) = (self.done, self.total, &self.event);
            parts.progress.report(Report::Rejection { done, total, event });
        }
    }
}
