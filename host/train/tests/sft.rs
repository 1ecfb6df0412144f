//! Rejection sampling and fine-tuning: what is kept, what is learned, and the same bytes after any
//! interruption.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop at the first surprise too")]

mod common;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use common::bigram::Bigram;
use common::world::{ITEMS, Session, World, checkpoint, events, specs};
use omni_policy::Policy;
use omni_record::{
    Component, Event, Finish, Fuel, GroupScore, Item, Rejection, Rollout, RunFolder,
    SupervisedEvent, Undefined, Value, read_rejections,
};
use omni_train::outside::{Phase, Progress, Report, Scorer};
use omni_train::{Ending, RunConfig, Sft, SftSummary, TrainError, sft};

/// Likes texts of an even number of characters, calls those of three ties, and fails at those of
/// five; all from the text, so that a test can do it again.
struct Even;

fn accuracy(text: &str) -> Value {
    match text.chars().count() {
        3 => Value::Scored(0.5),
        5 => Value::Undefined(Undefined {
            kind: omni_record::ReasonKind::Fuel,
            message: "out of fuel".into(),
        }),
        n => Value::Scored(f64::from(u8::from(n % 2 == 0))),
    }
}

impl Scorer for Even {
    fn score(&self, _: usize, _: &Item, rollouts: &[Rollout], _: u32) -> GroupScore {
        let score = |r: &Rollout| {
            let ended = f64::from(u8::from(r.finish == Finish::Stop));
            vec![
                Component { name: "accuracy".into(), value: accuracy(&r.text) },
                Component { name: "ended".into(), value: Value::Scored(ended) },
            ]
        };
        GroupScore {
            rollouts: rollouts.iter().map(score).collect(),
            fuel: Fuel { reward: 10, programs: 1 },
            reproducible: true,
        }
    }
}

/// Likes nothing.
struct Never;

impl Scorer for Never {
    fn score(&self, task: usize, item: &Item, rollouts: &[Rollout], seed: u32) -> GroupScore {
        let mut score = Even.score(task, item, rollouts, seed);
        for components in &mut score.rollouts {
            components[0].value = Value::Scored(0.5);
        }
        score
    }
}

/// When the stop flag is set.
#[derive(Clone, Copy)]
enum When {
    Never,
    /// This many prompts were sampled.
    Sampled(usize),
    /// This step was taken.
    Step(u64),
    /// An evaluation is under way.
    Evaluating,
}

struct Stopper<'a> {
    when: When,
    stop: &'a AtomicBool,
}

impl Progress for Stopper<'_> {
    fn report(&self, report: Report<'_>) {
        let now = match (self.when, report) {
            (When::Sampled(n), Report::Phase { phase: Phase::Sample, done, .. }) => done >= n,
            (When::Step(n), Report::Supervised(e)) => e.step == n,
            (When::Evaluating, Report::Phase { phase: Phase::Evaluate, .. }) => true,
            _ => false,
        };
        if now {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

struct Begin<'a> {
    scorer: &'a dyn Scorer,
    policy: Bigram,
    when: When,
    resume: bool,
}

fn begin<'a>(world: &World) -> Begin<'a> {
    Begin { scorer: &Even, policy: world.policy(), when: When::Never, resume: false }
}

fn go(
    world: &World,
    config: &RunConfig,
    folder: &Path,
    mut begin: Begin<'_>,
) -> Result<SftSummary, TrainError> {
    let stop = AtomicBool::new(false);
    sft(Sft {
        config,
        tasks: &specs(config),
        policy: &mut begin.policy,
        tokenizer: &world.tokenizer,
        problems: world,
        scorer: begin.scorer,
        progress: &Stopper { when: begin.when, stop: &stop },
        stop: &stop,
        folder: &RunFolder::new(folder),
        resume: begin.resume,
    })
}

const SMALL: [&str; 8] = [
    "rollout.max_completion_tokens=40",
    "sft.samples=60",
    "sft.keep=3",
    "sft.batch=16",
    "sft.epochs=2.5",
    "sft.lr=0.05",
    "task.letters.fault_limit=1.0",
    "task.short.fault_limit=1.0",
];

fn config(overrides: &[&str]) -> RunConfig {
    common::world::config(&[&SMALL[..], overrides].concat())
}

fn lines(folder: &Path) -> Vec<Rejection> {
    let mut lines = Vec::new();
    read_rejections(&RunFolder::new(folder).rejection_jsonl(), |line| lines.push(line)).unwrap();
    lines
}

fn supervised(folder: &Path) -> Vec<SupervisedEvent> {
    let step = |e| match e {
        Event::Supervised(e) => Some(e),
        _ => None,
    };
    RunFolder::new(folder).events().unwrap().into_iter().filter_map(step).collect()
}

/// The events without what a clock says.
fn records(folder: &Path) -> Vec<Event> {
    let mut events = events(folder);
    for event in &mut events {
        match event {
            Event::Supervised(e) => (e.time, e.seconds) = (0.0, 0.0),
            Event::Rejection(e) => (e.time, e.seconds) = (0.0, 0.0),
            _ => {}
        }
    }
    events
}

#[test]
fn only_correct_finished_and_different_outputs_are_kept() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    let config = config(&["sft.max_steps=1", "eval.every=0", "eval.final.items=0"]);
    let summary = go(&world, &config, dir.path(), begin(&world)).unwrap();
    let lines = lines(dir.path());
    assert_eq!(lines.len(), 2 * ITEMS as usize);
    assert_eq!((summary.sampled, summary.prompts), (48, 48));
    let mut prompts: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for line in &lines {
        assert!(prompts.entry(&line.task).or_default().insert(&line.item), "sampled once");
        assert_eq!(line.sampled, 60);
        assert!(line.cut > 0 && line.correct >= line.distinct, "{line:?}");
        assert_eq!(line.kept.len() as u32, line.distinct.min(3), "{line:?}");
        assert_eq!(line.problem.is_some(), !line.kept.is_empty());
        let texts: HashSet<&str> = line.kept.iter().map(|k| k.text.as_str()).collect();
        assert_eq!(texts.len(), line.kept.len(), "each text once");
        for kept in &line.kept {
            assert_eq!(accuracy(&kept.text), Value::Scored(1.0));
            assert_eq!(kept.components[0].value, Value::Scored(1.0));
            assert!((kept.reward - 1.1).abs() < 1e-12, "{}", kept.reward);
            assert_eq!(kept.tokens.last(), Some(&world.tokenizer.eos_ids()[0]), "it ended");
            assert_eq!(world.tokenizer.decode(&kept.tokens).unwrap(), kept.text);
        }
    }
    assert!(lines.iter().any(|l| l.distinct > 3), "there was something to choose from");
    assert!(lines.iter().any(|l| l.kept.iter().any(|k| k.sample > 30)), "not the first alone");
    assert!(lines.iter().any(|l| l.undefined > 0), "and something undefined to leave out");
    for (name, task) in &summary.sampling.tasks {
        let of: Vec<&Rejection> = lines.iter().filter(|l| l.task == *name).collect();
        let sum = |f: fn(&Rejection) -> u64| of.iter().map(|l| f(l)).sum::<u64>();
        assert_eq!((task.prompts, task.sampled), (24, 24 * 60));
        assert_eq!(task.correct, sum(|l| u64::from(l.correct)));
        assert_eq!(task.cut, sum(|l| u64::from(l.cut)));
        assert_eq!(task.undefined, sum(|l| u64::from(l.undefined)));
        assert_eq!(task.kept, sum(|l| l.kept.len() as u64));
        assert_eq!(task.without, sum(|l| u64::from(l.kept.is_empty())));
    }
    let events = RunFolder::new(dir.path()).events().unwrap();
    assert!(matches!(&events[1], Event::Rejection(e) if *e == summary.sampling));
}

#[test]
fn every_kept_output_is_used_as_often_as_the_run_file_says() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    let config = config(&["eval.every=0", "eval.final.samples=1", "sft.lr=0.3"]);
    let summary = go(&world, &config, dir.path(), begin(&world)).unwrap();
    let kept: u64 = summary.sampling.tasks.values().map(|t| t.kept).sum();
    let tokens: usize =
        lines(dir.path()).iter().flat_map(|l| &l.kept).map(|k| k.tokens.len()).sum();
    let steps = supervised(dir.path());
    let uses = (kept as f64 * 2.5).round() as u64;
    assert_eq!(steps.len() as u64, uses.div_ceil(16));
    assert_eq!(steps.iter().map(|s| s.examples).sum::<u64>(), uses);
    assert!(steps[..steps.len() - 1].iter().all(|s| s.examples == 16), "a short one comes last");
    assert!((steps.last().unwrap().epoch - 2.5).abs() < 0.01);
    // The first two passes hold every example twice: their tokens tell, up to the batch that the
    // second pass ends in.
    let two: Vec<&SupervisedEvent> = steps.iter().filter(|s| s.epoch <= 2.0).collect();
    let seen: u64 = two.iter().map(|s| s.tokens).sum();
    let short = (2 * kept - two.iter().map(|s| s.examples).sum::<u64>()) * 40;
    assert!(seen <= 2 * tokens as u64 && seen + short >= 2 * tokens as u64, "{seen} {tokens}");
    // Half a cosine, and a loss that falls.
    assert!((steps[0].lr - 0.3).abs() < 1e-12 && steps.last().unwrap().lr < 0.005);
    assert!(steps.windows(2).all(|w| w[1].lr < w[0].lr));
    assert!(steps.last().unwrap().loss < 0.8 * steps[0].loss, "{steps:?}");
    for step in &steps {
        let by_task = |f: fn(&omni_record::SupervisedTask) -> f64| step.tasks.values().map(f).sum();
        let examples: f64 = by_task(|t| t.examples as f64);
        let loss: f64 = by_task(|t| t.loss * t.tokens as f64);
        assert_eq!(examples, step.examples as f64);
        assert!((loss / step.tokens as f64 - step.loss).abs() < 1e-9);
    }
    assert!(steps.iter().any(|s| s.tasks.len() == 2), "tasks are mixed");
    // As a run of `train` leaves it: tests at both ends, and the policy.
    let (before, after) = (summary.training.before.unwrap(), summary.training.after.unwrap());
    assert_eq!((before.step, after.step), (0, steps.len() as u64));
    assert!(RunFolder::new(dir.path()).checkpoint(after.step).join("model.safetensors").is_file());
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_bytes() {
    let world = World::new();
    let config = config(&[]);
    let whole = tempfile::tempdir().unwrap();
    let steps = go(&world, &config, whole.path(), begin(&world)).unwrap().training.steps;
    assert!(steps > 6);
    let same = |folder: &Path, what: &str| {
        for file in ["rejection.jsonl", "samples.jsonl"] {
            let [ours, theirs] = [folder, whole.path()].map(|f| fs::read(f.join(file)).unwrap());
            assert!(ours == theirs, "{what}: {file}");
        }
        assert!(checkpoint(folder, steps) == checkpoint(whole.path(), steps), "{what}");
        assert_eq!(records(folder), records(whole.path()), "{what}");
    };
    for (when, what) in [
        (When::Sampled(1), "after the first prompts"),
        (When::Sampled(20), "among the second task's prompts"),
        (When::Evaluating, "in the first evaluation"),
        (When::Step(1), "after the first step"),
        (When::Step(5), "after a step without a checkpoint"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let summary = go(&world, &config, dir.path(), Begin { when, ..begin(&world) }).unwrap();
        assert_eq!(summary.training.ending, Ending::Interrupted, "{what}");
        assert!(summary.training.steps < steps);
        if matches!(when, When::Sampled(_)) {
            assert!(summary.sampled < summary.prompts, "{what}");
        }
        let resumed =
            go(&world, &config, dir.path(), Begin { resume: true, ..begin(&world) }).unwrap();
        assert_eq!(resumed.training.ending, Ending::Finished, "{what}");
        same(dir.path(), what);
    }
    // Killed while sampling: the last line is torn, at whatever byte.
    let all = fs::read(whole.path().join("rejection.jsonl")).unwrap();
    for cut in [1, all.len() / 3, all.len() - 1] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("rejection.jsonl"), &all[..cut]).unwrap();
        go(&world, &config, dir.path(), Begin { resume: true, ..begin(&world) }).unwrap();
        same(dir.path(), &format!("killed at byte {cut}"));
    }
    // Killed between checkpoints: the records were further than the checkpoint.
    let dir = tempfile::tempdir().unwrap();
    go(&world, &config, dir.path(), begin(&world)).unwrap();
    fs::remove_dir_all(dir.path().join(format!("checkpoints/step-{steps}"))).unwrap();
    go(&world, &config, dir.path(), Begin { resume: true, ..begin(&world) }).unwrap();
    same(dir.path(), "an earlier checkpoint");
    // A finished run has nothing left to do.
    go(&world, &config, dir.path(), Begin { resume: true, ..begin(&world) }).unwrap();
    same(dir.path(), "finished");
}

#[test]
fn micro_batches_and_threads_change_nothing_but_rounding() {
    let world = World::new();
    let run = |overrides: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let quiet = ["eval.every=0", "eval.final.items=0", "sft.max_steps=4"];
        let config = config(&[&quiet[..], overrides].concat());
        go(&world, &config, dir.path(), begin(&world)).unwrap();
        checkpoint(dir.path(), 4)
    };
    let whole = run(&["loss.micro_batch_tokens=0"]);
    assert!(whole == run(&["loss.micro_batch_tokens=0", "rollout.scoring_threads=1"]));
    let weights = |bytes: &[u8]| -> Vec<f32> {
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let begun = {
        let dir = tempfile::tempdir().unwrap();
        world.policy().save_model(dir.path()).unwrap();
        fs::read(dir.path().join("model.safetensors")).unwrap()
    };
    let furthest = |a: &[u8], b: &[u8]| {
        weights(a).iter().zip(weights(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    for budget in ["loss.micro_batch_tokens=1", "loss.micro_batch_tokens=300"] {
        let apart = furthest(&whole[0], &run(&[budget])[0]);
        assert!(apart < 2e-4, "{budget}: {apart}");
    }
    assert!(furthest(&whole[0], &begun) > 0.05, "something was learned");
}

#[test]
fn the_seed_decides_what_is_sampled_and_in_which_order_it_is_learned() {
    let world = World::new();
    let run = |overrides: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let quiet = ["eval.every=0", "eval.final.items=0", "sft.max_steps=3", "sft.prompts=10"];
        go(&world, &config(&[&quiet[..], overrides].concat()), dir.path(), begin(&world)).unwrap();
        let rejection = fs::read(dir.path().join("rejection.jsonl")).unwrap();
        (rejection, checkpoint(dir.path(), 3))
    };
    let (first, again, other) = (run(&[]), run(&[]), run(&["seed=4"]));
    assert!(first == again);
    assert!(first.0 != other.0 && first.1[0] != other.1[0]);
    // The learning rate changes what is learned, not what is sampled.
    let slower = run(&["sft.lr=0.01"]);
    assert!(first.0 == slower.0 && first.1[0] != slower.1[0]);
}

#[test]
fn only_the_tasks_that_are_trained_are_sampled_and_prompts_are_those_of_train() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    let config = config(&[
        "schedule.tasks=[\"short\"]",
        "sft.prompts=5",
        "sft.max_steps=1",
        "eval.every=0",
        "eval.final.samples=1",
    ]);
    let summary = go(&world, &config, dir.path(), begin(&world)).unwrap();
    let sampled = lines(dir.path());
    assert!(sampled.iter().all(|l| l.task == "short"));
    assert_eq!(summary.training.after.unwrap().tasks.len(), 2, "all are evaluated");
    // The same five prompts that reinforcement would use first.
    let other = tempfile::tempdir().unwrap();
    let rl = common::world::config(&[
        "schedule.tasks=[\"short\"]",
        "rollout.prompts_per_batch=5",
        "schedule.max_steps=1",
        "eval.every=0",
        "eval.final.items=0",
    ]);
    let reinforced = World::new();
    Session::new(&reinforced).run(&rl, other.path()).unwrap();
    let mut items: Vec<String> = sampled.iter().map(|l| l.item.clone()).collect();
    items.sort();
    assert_eq!(items, reinforced.taken(1));
}

#[test]
fn long_prompts_are_written_down_and_left_out() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    let base =
        ["rollout.max_prompt_tokens=60", "sft.max_steps=1", "eval.every=0", "eval.final.items=0"];
    let error = go(&world, &config(&base), dir.path(), begin(&world)).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("long_prompts"), "{error}");
    let skip = config(&[&base[..], &["rollout.long_prompts=skip"]].concat());
    let dir = tempfile::tempdir().unwrap();
    let summary = go(&world, &skip, dir.path(), begin(&world)).unwrap();
    let task = &summary.sampling.tasks["letters"];
    assert_eq!((task.prompts, task.long_prompts), (20, 4));
    assert_eq!(lines(dir.path()).iter().filter(|l| l.long_prompt && l.sampled == 0).count(), 8);
}

#[test]
fn nothing_kept_is_the_runs_fault_and_says_what_was_sampled() {
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    let config = config(&["sft.prompts=2"]);
    let error =
        go(&world, &config, dir.path(), Begin { scorer: &Never, ..begin(&world) }).unwrap_err();
    assert!(matches!(error, TrainError::NothingKept(_)) && !error.is_input());
    for words in ["letters 0 of 120 correct", "cut by the limit", "sft.samples"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(lines(dir.path()).len(), 4, "what was sampled can be looked at");
}

/// Cannot score the second task at all.
struct Down;

impl Scorer for Down {
    fn score(&self, task: usize, item: &Item, rollouts: &[Rollout], seed: u32) -> GroupScore {
        let mut score = Even.score(task, item, rollouts, seed);
        if task == 1 {
            score
                .rollouts
                .iter_mut()
                .for_each(|components| components[0].value = accuracy("fives"));
        }
        score
    }
}

#[test]
fn too_many_faults_stop_the_sampling_and_none_of_them_is_written_down() {
    let world = World::new();
    let config = config(&["task.short.fault_limit=0.5", "sft.max_steps=2"]);
    let dir = tempfile::tempdir().unwrap();
    let down = Begin { scorer: &Down, ..begin(&world) };
    match go(&world, &config, dir.path(), down).unwrap_err() {
        TrainError::Faults { task, kind: "fuel", undefined, rollouts, .. } => {
            assert_eq!((task.as_str(), undefined, rollouts), ("short", 16 * 60, 16 * 60));
        }
        other => panic!("{other:?}"),
    }
    let sampled = lines(dir.path());
    assert!(sampled.len() == 24 && sampled.iter().all(|l| l.task == "letters"));
    assert!(sampled.iter().any(|l| l.faults > 0), "a few faults are no reason");
    // Once it is mended, the run is as if nothing had been.
    let whole = tempfile::tempdir().unwrap();
    go(&world, &config, whole.path(), begin(&world)).unwrap();
    go(&world, &config, dir.path(), Begin { resume: true, ..begin(&world) }).unwrap();
    let [ours, theirs] =
        [&dir, &whole].map(|d| fs::read(d.path().join("rejection.jsonl")).unwrap());
    assert!(ours == theirs);
    assert!(checkpoint(dir.path(), 2) == checkpoint(whole.path(), 2));
    // A task of few prompts is judged at its end.
    let few = tempfile::tempdir().unwrap();
    let config = common::world::config(
        &[&SMALL[..], &["task.short.fault_limit=0.5", "sft.prompts=3"]].concat(),
    );
    let down = Begin { scorer: &Down, ..begin(&world) };
    let error = go(&world, &config, few.path(), down).unwrap_err();
    assert!(matches!(error, TrainError::Faults { undefined: 180, .. }), "{error}");
}

#[test]
fn a_folder_of_another_run_is_refused_before_anything_is_sampled() {
    let world = World::new();
    let config = config(&["sft.max_steps=2", "sft.prompts=6", "schedule.max_steps=2"]);
    let dir = tempfile::tempdir().unwrap();
    go(&world, &config, dir.path(), begin(&world)).unwrap();
    let refused = |begin: Begin<'_>, config: &RunConfig, folder: &Path, words: &str| {
        let error = go(&world, config, folder, begin).unwrap_err();
        assert!(error.is_input() && error.to_string().contains(words), "{error}");
    };
    refused(begin(&world), &config, dir.path(), "--resume");
    let resume = || Begin { resume: true, ..begin(&world) };
    // Fewer prompts than there are lines, and other prompts.
    let fewer =
        common::world::config(&[&SMALL[..], &["sft.max_steps=2", "sft.prompts=5"]].concat());
    refused(resume(), &fewer, dir.path(), "rejection.jsonl:6");
    // What was kept has been changed.
    let path = dir.path().join("rejection.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let token = format!(",{}],", world.tokenizer.eos_ids()[0]);
    assert!(text.contains(&token));
    fs::write(&path, text.replacen(&token, &format!(",65{token}"), 1)).unwrap();
    refused(resume(), &config, dir.path(), "not what the run's checkpoint learned from");
    fs::write(&path, "{\"task\": 1}\n").unwrap();
    let error = go(&world, &config, dir.path(), resume()).unwrap_err();
    assert!(error.to_string().contains("rejection.jsonl:1"), "{error}");
    // A run of reinforcement, and the other way round.
    let other = tempfile::tempdir().unwrap();
    Session::new(&world).run(&config, other.path()).unwrap();
    refused(resume(), &config, other.path(), "omni-host train --resume");
    assert!(!other.path().join("rejection.jsonl").exists());
    let error =
        Session { resume: true, ..Session::new(&world) }.run(&config, dir.path()).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("omni-host sft --resume"), "{error}");
}

#[test]
fn an_endless_task_needs_a_number_of_prompts() {
    let world = World::new();
    let endless = ["task.letters.train_split=endless", "sft.max_steps=1", "eval.every=0"];
    let dir = tempfile::tempdir().unwrap();
    let error = go(&world, &config(&endless), dir.path(), begin(&world)).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("sft.prompts"), "{error}");
    let summary = go(
        &world,
        &config(&[&endless[..], &["sft.prompts=3"]].concat()),
        dir.path(),
        begin(&world),
    )
    .unwrap();
    assert_eq!(summary.prompts, 6);
}
