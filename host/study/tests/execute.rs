//! The executor, with commands that only leave files: what is run, in which order, and what is
//! never run again.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use common::{evaluation, facts, study};
use omni_study::{
    Ended, Facts, Finished, Growing, Happened, Outcome, Runner, Session, Standing, Step, StepKind,
    StudyConfig, StudyError, execute, survey,
};

/// Leaves what a command would leave; a run of `a` helps `a` and hurts the others.
struct Fake {
    root: PathBuf,
    facts: Facts,
    /// Commands in the order in which they began.
    began: Vec<String>,
    running: usize,
    most_at_once: usize,
    fails: BTreeSet<String>,
    /// The user stops after so many have begun.
    stop_after: usize,
}

impl Fake {
    fn new(root: &Path, facts: &Facts) -> Self {
        Self {
            root: root.to_owned(),
            facts: facts.clone(),
            began: Vec::new(),
            running: 0,
            most_at_once: 0,
            fails: BTreeSet::new(),
            stop_after: usize::MAX,
        }
    }

    fn leave(&self, step: &Step) {
        let folder = self.root.join(&step.id);
        match step.kind {
            StepKind::Eval => {
                let at = step.after.first().cloned().unwrap_or_default();
                let trained: Vec<&str> =
                    at.split('/').rev().nth(1).unwrap_or("").split('+').collect();
                let accuracy = |task: &str| -> Vec<f64> {
                    let mut level: f64 = 0.4;
                    for done in &trained {
                        level = match *done {
                            "" => level,
                            done if done == task => 0.8,
                            // What is trained later hurts, `b` most.
                            "b" => level * 0.7,
                            _ => level * 0.9,
                        };
                    }
                    let right = (1000.0 * level).round();
                    (0..1000).map(|n| if f64::from(n) < right { 1.0 } else { 0.0 }).collect()
                };
                let values: Vec<(String, Vec<f64>)> = self
                    .facts
                    .tasks
                    .iter()
                    .map(|task| (task.name.clone(), accuracy(&task.name)))
                    .collect();
                let tasks: Vec<(&str, &[f64], f64)> = values
                    .iter()
                    .map(|(name, values)| (name.as_str(), values.as_slice(), 1.0))
                    .collect();
                evaluation(&self.root, &step.id, &tasks);
            }
            StepKind::Merge => {
                std::fs::create_dir_all(folder.join("policy")).unwrap();
                std::fs::write(folder.join("policy/model.safetensors"), &step.id).unwrap();
            }
            StepKind::Train | StepKind::Sft => {
                let checkpoint = folder.join("checkpoints/step-4");
                std::fs::create_dir_all(&checkpoint).unwrap();
                std::fs::write(checkpoint.join("model.safetensors"), &step.id).unwrap();
            }
        }
    }
}

impl Runner for Fake {
    type Job = (Step, u32, bool);

    fn start(&mut self, step: &Step) -> Result<Self::Job, StudyError> {
        self.began.push(step.id.clone());
        self.running += 1;
        self.most_at_once = self.most_at_once.max(self.running);
        Ok((step.clone(), 2, false))
    }

    fn poll(
        &mut self,
        (step, left, interrupted): &mut Self::Job,
    ) -> Result<Option<Ended>, StudyError> {
        *left -= 1;
        if *left > 0 && !*interrupted {
            return Ok(None);
        }
        self.running -= 1;
        let outcome = if *interrupted {
            Outcome::Interrupted
        } else if self.fails.contains(&step.id) {
            Outcome::Failed("ended with 1\n  error: no space left".into())
        } else {
            self.leave(step);
            Outcome::Done
        };
        Ok(Some(Ended { outcome, seconds: 10.0, processor_seconds: Some(8.0) }))
    }

    fn interrupt(&mut self, job: &mut Self::Job) {
        job.2 = true;
    }

    fn wait(&mut self) {}

    fn stops(&self) -> u32 {
        u32::from(self.began.len() >= self.stop_after)
    }

    fn threads(&self) -> usize {
        1
    }
}

fn session(root: &Path, study: &StudyConfig, facts: &Facts) -> Session {
    Session::new(root, "tiny".into(), study.clone(), facts.clone(), "seed = 0\n")
}

fn go(root: &Path, study: &StudyConfig, runner: &mut Fake, jobs: usize) -> Standing {
    let mut session = session(root, study, &runner.facts.clone());
    let standing = survey(root, &mut session, &[]).unwrap();
    execute(root, jobs, runner, &mut session, standing, &mut |_| {}).unwrap()
}

const SMALL: &str = "methods = [\"curriculum\", \"joint\", \"ties\"]";

#[test]
fn a_study_grows_from_its_evidence_and_is_never_run_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (study, facts) = (study(SMALL), facts(&["a", "b", "c"]));
    let mut first = Fake::new(folder.path(), &facts);
    let standing = go(folder.path(), &study, &mut first, 3);
    assert!(standing.failed.is_empty());
    assert_eq!(standing.done.len(), standing.graph.steps.len());
    assert_eq!(first.most_at_once, 3);
    // `b` hurts most, so it comes first, and in the worst order last.
    assert!(
        first.began.iter().any(|id| id.starts_with("seed-0/orders/b+") && id.ends_with("test"))
    );
    assert!(first.began.iter().any(|id| id.ends_with("+b/test")));
    for name in ["evidence.json", "seed-0/evidence.json", "study.json"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    let mut again = Fake::new(folder.path(), &facts);
    let standing = go(folder.path(), &study, &mut again, 1);
    assert_eq!(again.began, Vec::<String>::new());
    assert_eq!(standing.done.len(), standing.graph.steps.len());
}

#[test]
fn the_record_holds_methods_evidence_orders_and_progress() {
    let folder = tempfile::tempdir().unwrap();
    let (study, facts) =
        (study("methods = [\"ties\"]\norders = { all = true }"), facts(&["a", "b", "c"]));
    go(folder.path(), &study, &mut Fake::new(folder.path(), &facts), 2);
    let text = std::fs::read_to_string(folder.path().join("study.json")).unwrap();
    let record: omni_record::Study = serde_json::from_str(&text).unwrap();
    assert_eq!(record.progress.done, record.progress.total);
    assert_eq!(record.progress.seconds, 8.0 * f64::from(record.progress.done));
    let names: Vec<&str> = record.methods.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(&names[..5], ["base", "single-a", "single-b", "single-c", "ties"]);
    assert_eq!(record.evidence.len(), 1);
    assert!((record.evidence[0].backward_transfer[0][1] - 0.7_f64.ln()).abs() < 1e-12);
    assert_eq!(record.orders.len(), 6);
    // The fake's transfers are constant, so predictions are what is measured.
    for order in &record.orders {
        let measured = &order.measured[0];
        assert!((order.score - measured.score).abs() < 0.02, "{order:?}");
        assert!(measured.standard_error > 0.0);
    }
    assert_eq!(record.orders[0].chosen_by, ["exact", "greedy", "forgettability"]);
    assert_eq!(record.orders[5].chosen_by, ["worst"]);
    let probabilities: f64 = record.orders.iter().filter_map(|it| it.probability).sum();
    assert!((probabilities - 1.0).abs() < 1e-9);
    let ranking = record.ranking.unwrap();
    assert_eq!((ranking.orders, ranking.of.as_str()), (6, "seed 0"));
    assert!(ranking.spearman.value > 0.8, "{ranking:?}");
    assert!(ranking.ceiling.is_none());
    let single = record.methods.iter().find(|it| it.name == "single-a").unwrap();
    // Steps are those that the runs took, as their checkpoints say.
    assert_eq!((single.runs[0].steps, single.runs[0].prompts), (4, 1280));
    assert!(!single.runs[0].validation.is_empty());
    let order = record.methods.iter().find(|it| it.name == "b+a+c").unwrap();
    assert_eq!((order.runs[0].steps, order.runs[0].seconds), (12, 24.0));
}

#[test]
fn a_failure_stops_what_waits_for_it_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (study, facts) = (study(SMALL), facts(&["a", "b", "c"]));
    let mut runner = Fake::new(folder.path(), &facts);
    runner.fails = ["seed-0/orders/b/run".to_owned()].into();
    let standing = go(folder.path(), &study, &mut runner, 2);
    assert_eq!(standing.failed.keys().collect::<Vec<_>>(), ["seed-0/orders/b/run"]);
    assert!(standing.failed["seed-0/orders/b/run"].contains("no space left"));
    let done = |id: &str| standing.done.contains_key(id);
    assert!(done("seed-0/orders/c/test") && done("seed-0/joint/test"));
    assert!(!done("seed-0/orders/b/validation") && !done("seed-0/ties/model"));
    assert!(!folder.path().join("evidence.json").exists(), "one task is not measured");
    // Once that is mended, only what is left runs.
    let mut runner = Fake::new(folder.path(), &facts);
    let standing = go(folder.path(), &study, &mut runner, 2);
    assert!(standing.failed.is_empty());
    assert_eq!(runner.began[0], "seed-0/orders/b/run");
    assert!(!runner.began.contains(&"seed-0/orders/c/run".to_owned()));
    let record = Finished::read(&folder.path().join("seed-0/orders/b/run")).unwrap().unwrap();
    assert_eq!((record.attempts, record.seconds), (2, 20.0));
}

#[test]
fn when_the_user_stops_running_commands_are_asked_and_nothing_new_begins() {
    let folder = tempfile::tempdir().unwrap();
    let (study, facts) = (study(SMALL), facts(&["a", "b", "c"]));
    let mut runner = Fake::new(folder.path(), &facts);
    runner.stop_after = 4;
    let standing = go(folder.path(), &study, &mut runner, 2);
    assert!(standing.interrupted && standing.failed.is_empty());
    assert_eq!(runner.began.len(), 4);
    assert_eq!(standing.done.len(), 2);
    let mut again = Fake::new(folder.path(), &facts);
    let standing = go(folder.path(), &study, &mut again, 2);
    assert_eq!(standing.done.len(), standing.graph.steps.len());
    assert!(again.began.contains(&runner.began[3]), "what was interrupted is gone on with");
}

#[test]
fn a_step_that_would_be_made_otherwise_now_is_refused_until_it_is_redone() {
    let folder = tempfile::tempdir().unwrap();
    let facts = facts(&["a", "b", "c"]);
    go(folder.path(), &study(SMALL), &mut Fake::new(folder.path(), &facts), 1);
    let other = study(&format!("{SMALL}\nmerge = {{ density = 0.5 }}"));
    let mut session = session(folder.path(), &other, &facts);
    let error = survey(folder.path(), &mut session, &[]).unwrap_err();
    assert!(error.is_input());
    let message = error.to_string();
    for words in ["seed-0/ties/model", "`0.2`", "`0.5`", "--redo seed-0/ties/model"] {
        assert!(message.contains(words), "no {words:?} in: {message}");
    }
    assert_eq!(message.lines().count(), 1, "what only waits for it is not named: {message}");
    let redo = ["seed-0/ties".to_owned()];
    let standing = survey(folder.path(), &mut session, &redo).unwrap();
    let mut runner = Fake::new(folder.path(), &facts);
    execute(folder.path(), 1, &mut runner, &mut session, standing, &mut |_| {}).unwrap();
    assert_eq!(runner.began, ["seed-0/ties/model", "seed-0/ties/test"]);
    let nothing = survey(folder.path(), &mut session, &["seed-0/tise".to_owned()]).unwrap_err();
    assert!(nothing.to_string().contains("there is no such step"), "{nothing}");
}

#[test]
fn redoing_a_single_task_run_redoes_all_that_was_made_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let (study, facts) = (study(SMALL), facts(&["a", "b", "c"]));
    go(folder.path(), &study, &mut Fake::new(folder.path(), &facts), 1);
    let mut session = session(folder.path(), &study, &facts);
    let standing = survey(folder.path(), &mut session, &["seed-0/orders/b/run".into()]).unwrap();
    let mut runner = Fake::new(folder.path(), &facts);
    execute(folder.path(), 1, &mut runner, &mut session, standing, &mut |_| {}).unwrap();
    let began: BTreeSet<&str> = runner.began.iter().map(String::as_str).collect();
    for id in ["orders/b/run", "orders/b/validation", "orders/b/test", "ties/model", "ties/test"] {
        assert!(began.contains(format!("seed-0/{id}").as_str()), "{id} in {began:?}");
    }
    assert!(!began.contains("seed-0/orders/a/run"));
}

#[test]
fn another_run_file_is_another_study() {
    let folder = tempfile::tempdir().unwrap();
    let (study, facts) = (study(SMALL), facts(&["a", "b", "c"]));
    go(folder.path(), &study, &mut Fake::new(folder.path(), &facts), 1);
    let mut other = Session::new(folder.path(), "tiny".into(), study, facts, "seed = 1\n");
    let message = survey(folder.path(), &mut other, &[]).unwrap_err().to_string();
    assert!(message.contains("base/validation: run.toml"), "{message}");
}

#[test]
fn evaluations_of_other_items_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (study, facts) = (study(SMALL), facts(&["a", "b"]));
    go(folder.path(), &study, &mut Fake::new(folder.path(), &facts), 1);
    let file = folder.path().join("seed-0/orders/b/validation/items.json");
    let text = std::fs::read_to_string(&file).unwrap().replacen("a-7", "a-99", 1);
    std::fs::write(&file, text).unwrap();
    let error = omni_study::gather(folder.path(), &study, &facts, &[0]).unwrap_err().to_string();
    assert!(error.contains("`a-99` where the base has `a-7`"), "{error}");
}

#[test]
fn every_step_that_begins_is_told_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (study, facts) = (study(SMALL), facts(&["a", "b"]));
    let mut session = session(folder.path(), &study, &facts);
    let standing = survey(folder.path(), &mut session, &[]).unwrap();
    let mut told: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut runner = Fake::new(folder.path(), &facts);
    let mut watch = |happened: Happened<'_>| match happened {
        Happened::Began(step) => told.entry(step.id.clone()).or_default().0 += 1,
        Happened::Done { step, record } => {
            told.entry(step.id.clone()).or_default().1 += 1;
            assert_eq!(record.seconds, 10.0);
        }
        _ => {}
    };
    let standing =
        execute(folder.path(), 2, &mut runner, &mut session, standing, &mut watch).unwrap();
    assert_eq!(told.len(), standing.done.len());
    assert!(told.values().all(|it| *it == (1, 1)), "{told:?}");
    assert!(session.inputs().contains_key("evidence.json"));
}

#[test]
fn a_step_that_a_process_still_works_on_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (study, facts) = (study(SMALL), facts(&["a", "b"]));
    go(folder.path(), &study, &mut Fake::new(folder.path(), &facts), 1);
    let lock = std::fs::File::create(folder.path().join("seed-0/ties/test/.busy")).unwrap();
    lock.lock().unwrap();
    let mut session = session(folder.path(), &study, &facts);
    let redo = ["seed-0/ties/test".to_owned()];
    let error = survey(folder.path(), &mut session, &redo).unwrap_err();
    assert!(error.to_string().contains("still at work"), "{error}");
    assert!(folder.path().join("seed-0/ties/test/eval.json").exists());
    drop(lock);
    survey(folder.path(), &mut session, &redo).unwrap();
    assert!(!folder.path().join("seed-0/ties/test").exists());
}

#[test]
fn orders_trained_with_two_seeds_have_a_ceiling() {
    let folder = tempfile::tempdir().unwrap();
    let text = "seeds = [3, 5]\nmethods = [\"curriculum\"]\norders = { all = true, repeat = 6 }";
    let (study, facts) = (study(text), facts(&["a", "b", "c"]));
    let standing = go(folder.path(), &study, &mut Fake::new(folder.path(), &facts), 2);
    let done = |id: &str| standing.done.contains_key(id);
    assert!(done("seed-3/orders/c+b+a/test") && done("seed-5/orders/c+b+a/test"));
    let text = std::fs::read_to_string(folder.path().join("study.json")).unwrap();
    let record: omni_record::Study = serde_json::from_str(&text).unwrap();
    let seeds: Vec<Option<u64>> = record.evidence.iter().map(|it| it.seed).collect();
    assert_eq!(seeds, [None, Some(3), Some(5)]);
    let ranking = record.ranking.unwrap();
    assert_eq!((ranking.orders, ranking.of.as_str()), (6, "mean of 2 seeds"));
    // Of the six ways to name three tasks, the right one is among those that fit as well.
    let p_value = ranking.spearman.p_value.unwrap();
    assert!((1.0 / 6.0..0.5).contains(&p_value), "{p_value}");
    let ceiling = ranking.ceiling.unwrap();
    assert_eq!((ceiling.seeds, ceiling.orders), ((3, 5), 6));
    // The fake's seeds do the same.
    assert!((ceiling.spearman.value - 1.0).abs() < 1e-12);
    assert!((ceiling.kendall.value - 1.0).abs() < 1e-12);
}
