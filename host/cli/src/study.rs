//! `study`: a study's steps as commands of this program, one after the other or side by side.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use omni_judge::Ledger;
use omni_study::{
    Facts, Finished, Happened, Hold, Measured, Processes, Rates, Session, SftFacts, Standing, Step,
    StepKind, StudyConfig, StudyError, TaskFacts, execute, survey,
};
use omni_train::config::{LrSchedule, read_settings};
use omni_train::{ConfigError, RunConfig};

use crate::args::{Arguments, Study};
use crate::console;
use crate::fault::{Blame as _, Fault, Outcome, chain};
use crate::lock::Lock;
use crate::run::{self, Run};
use crate::train::write;

mod plan;
mod table;

/// Runs the study, goes on with it, or says what it would do.
pub(crate) fn run(arguments: &Arguments, asked: &Study) -> Outcome<()> {
    let read = Read::of(asked)?;
    let out = std::path::absolute(out_folder(asked)).or_input_at("--out")?;
    if asked.dry_run {
        return plan::show(asked, &read, &out);
    }
    if out.exists() && !out.is_dir() {
        return Err(Fault::input(format!("--out {}: that is a file", out.display())));
    }
    std::fs::create_dir_all(&out).or_run_at(format!("cannot make {}", out.display()))?;
    let _hold = Hold::take(&out).map_err(fault)?;
    let text = read.same_run(&out.join("run.toml"))?;
    // Only what loads is written down: a mistake that is mended leaves nothing that contradicts it.
    let lock = check(arguments, &read, &out)?;
    write(&out.join("run.toml"), &text)?;
    write(&out.join("study.toml"), &toml::to_string(&read.study).or_run_at("study.toml")?)?;

    let threads = threads(arguments, asked.jobs);
    let mut session =
        Session::new(&out, read.name.clone(), read.study.clone(), read.facts.clone(), &text);
    let standing = survey(&out, &mut session, &asked.redo).map_err(fault)?;
    let all = standing.graph.steps.len();
    console::say(format!(
        "study folder: {}\n{} of {all} known steps are finished; {} at a time, {threads} thread(s) \
         each",
        out.display(),
        standing.done.len(),
        asked.jobs,
    ));
    let stops = stop_count()?;
    let mut processes = Processes {
        root: out.clone(),
        program: program()?,
        options: options(arguments),
        threads,
        base: read.run.policy.model.clone(),
        stops,
        check: &|step, folder| same_bytes(&lock, step, folder),
        waits: &|step| {
            console::say(format!(
                "{}: a process that an earlier call left is still at it; waiting for it",
                step.id
            ));
        },
    };
    let mut progress = Progress::new(asked.jobs);
    let result =
        execute(&out, asked.jobs, &mut processes, &mut session, standing, &mut |happened| {
            progress.say(&happened)
        });
    let standing = result.map_err(fault)?;
    end(&out, &standing)
}

/// What was asked, read and checked.
pub(crate) struct Read {
    pub(crate) study: StudyConfig,
    run_file: PathBuf,
    pub(crate) run: RunConfig,
    pub(crate) facts: Facts,
    pub(crate) name: String,
}

impl Read {
    fn of(asked: &Study) -> Outcome<Self> {
        let file = &asked.file;
        // `run.` reaches into the run file; what is left is for the study file.
        let (inner, own): (Vec<&String>, Vec<&String>) =
            asked.set.iter().partition(|set| set.trim_start().starts_with("run."));
        let own: Vec<String> = own.into_iter().cloned().collect();
        let place = |invalid: omni_study::Invalid| ConfigError {
            file: Some(file.clone()),
            line: None,
            key: Some(invalid.key),
            message: invalid.message,
            help: None,
        };
        let mut study: StudyConfig =
            read_settings(file, &own, |study: &StudyConfig| study.validate().map_err(place))
                .map_err(run_key)
                .or_input()?;
        study.orders.all |= asked.all_orders;
        let inner = inner.iter().map(|set| set.trim_start().trim_start_matches("run.").to_owned());
        study.set.extend(inner);
        let folder = file.parent().unwrap_or(Path::new(""));
        let run_file = folder.join(&study.run);
        // Overrides of the run file come from the study file's `set`, or with it.
        let mut run = RunConfig::resolve(&run_file, &study.set)
            .map_err(|mut error| {
                error.file.get_or_insert_with(|| file.clone());
                error
            })
            .or_input()?;
        // Results do not depend on it, and `--jobs` shares the cores out.
        run.policy.threads = 0;
        // Later steps begin from a run's last checkpoint.
        run.checkpoint.keep = run.checkpoint.keep.max(1);
        let facts = facts(&run)?;
        read_settings(file, &own, |_: &StudyConfig| facts.check(&study).map_err(place))
            .or_input()?;
        let name = study.name.clone().unwrap_or_else(|| study_name(file));
        Ok(Self { study, run_file, run, facts, name })
    }

    /// The resolved run file as the study's folder has it, refusing another one's.
    fn same_run(&self, file: &Path) -> Outcome<String> {
        let text = self.run.to_toml().or_input()?;
        if !file.exists() {
            return Ok(text);
        }
        let found = std::fs::read_to_string(file).or_input_at(file.display())?;
        let old: RunConfig = toml::from_str(&found).or_input_at(file.display())?;
        match crate::resume::what_differs(&old, &self.run)? {
            // The text that steps were made from, also where a newer version would write another.
            None => Ok(found),
            Some(what) => Err(Fault::input(format!(
                "{}: the study cannot go on with other settings: {what}; bring them back (in the \
                 run file, or with --set run.KEY=VALUE), or begin another study with --out",
                file.display()
            ))),
        }
    }
}

/// Says how the run file is reached, where an override of the study file went wrong.
fn run_key(mut error: ConfigError) -> ConfigError {
    if let (None, Some(key)) = (&error.file, &error.key) {
        let reach = format!("in the run file it would be --set run.{key}=…");
        error.help = Some(match error.help {
            Some(help) => format!("{help}; {reach}"),
            None => reach,
        });
    }
    error
}

/// What the graph depends on.
fn facts(run: &RunConfig) -> Outcome<Facts> {
    let epochs = run.schedule.epochs;
    let tasks = run
        .task
        .iter()
        .map(|task| TaskFacts {
            name: task.label().to_owned(),
            weight: task.weight,
            // What the run file alone says; a dataset may have fewer rows than its limit.
            prompts: crate::dry_run::training_items(task)
                .most()
                .map(|items| (items as f64 * epochs).ceil() as u64),
        })
        .collect();
    let (eval, last) = (&run.eval, &run.eval.last);
    Ok(Facts {
        tasks,
        batch: run.rollout.prompts_per_batch.into(),
        group: run.rollout.group_size.into(),
        max_steps: run.schedule.max_steps,
        constant_rate: run.optimizer.schedule == LrSchedule::Constant,
        validates: eval.every > 0,
        validation: Measured {
            items: eval.items,
            samples: eval.samples,
            greedy: eval.greedy,
            temperature: eval.temperature,
        },
        test: Measured {
            items: last.items,
            samples: last.samples,
            greedy: last.greedy,
            temperature: last.temperature,
        },
        // Weights and two moments of each.
        checkpoint_bytes: 3 * weights_bytes(&run.policy.model),
        sft: sft(run),
    })
}

fn sft(run: &RunConfig) -> Option<SftFacts> {
    let estimate = crate::dry_run::estimate_sft(run);
    Some(SftFacts { prompts: estimate.prompts.most()?, outputs: estimate.outputs.most()? })
}

fn weights_bytes(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let weights = files.filter(|file| file.extension().is_some_and(|it| it == "safetensors"));
    weights.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}

/// Loads all that the steps will use, so that what is wrong is said before the first begins, and
/// compares it with what the study began with.
fn check(arguments: &Arguments, read: &Read, out: &Path) -> Outcome<Lock> {
    let ledger = Arc::new(Ledger::in_memory());
    let ready = Run::open(arguments, &read.run_file, &read.study.set, &ledger)?;
    run::check_folder(&read.run.policy.model)?;
    let named = read.study.schedule.iter().map(|schedule| schedule.plugin.as_str());
    let needed = if read.facts.constant_rate { None } else { Some("schedulers/sequence") };
    for name in named.chain(["schedulers/joint"]).chain(needed) {
        let at = format!("scheduler `{name}`");
        let kind = omni_pack::Kind::Scheduler;
        let component = ready.engine.packs().component(name, kind).or_input_at(at)?;
        ready.engine.scheduler(&component)?;
    }
    let mut lock = ready.lock()?;
    let file = out.join("lock.toml");
    if file.exists() {
        let old = Lock::read(&file)?;
        if let Some(name) = changed(&old, &lock) {
            return Err(Fault::input(format!(
                "{}: {name} has changed since the study began; bring it back, or begin another \
                 study with --out",
                file.display()
            )));
        }
        // What is not used any more was used by finished steps.
        lock.components.extend(old.components);
    }
    write(&file, &lock.to_toml()?)?;
    Ok(lock)
}

/// Why a step was not made of what the study is made of; none where it was.
fn same_bytes(lock: &Lock, step: &Step, folder: &Path) -> Option<String> {
    if step.kind == StepKind::Merge {
        return None;
    }
    let mut own = match Lock::read(&folder.join("lock.toml")) {
        Ok(own) => own,
        Err(fault) => return Some(fault.message().to_owned()),
    };
    // Steps begin from policies of the study's own making.
    own.policy.clear();
    let name = changed(lock, &own)?;
    Some(format!(
        "{name} changed while the study ran; bring it back, and make the step again with --redo {}",
        step.id
    ))
}

/// The first of what both locks hold that differs between them.
fn changed(old: &Lock, new: &Lock) -> Option<String> {
    let pairs = [
        (&old.policy, &new.policy),
        (&old.models, &new.models),
        (&old.components, &new.components),
        (&old.files, &new.files),
    ];
    pairs.into_iter().find_map(|(old, new)| {
        let differs = |(name, digest): &(&String, &String)| {
            old.get(*name).is_some_and(|known| known != *digest)
        };
        new.iter().find(differs).map(|(name, _)| name.clone())
    })
}

/// `--out`, or a folder called after the study file.
fn out_folder(asked: &Study) -> PathBuf {
    let default = || Path::new("runs").join(study_name(&asked.file) + "-study");
    asked.out.clone().unwrap_or_else(default)
}

/// The file's name, or its folder's where the file is called like all others.
fn study_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default();
    let name = match file.parent().and_then(Path::file_name) {
        Some(parent) if stem == "study" => parent,
        _ => stem,
    };
    name.to_string_lossy().into_owned()
}

/// Threads of each step: the cores, shared out.
fn threads(arguments: &Arguments, jobs: usize) -> usize {
    let cores = arguments
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    (cores / jobs.max(1)).max(1)
}

/// This very program, also where its file has been replaced meanwhile.
fn program() -> Outcome<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if own.exists() {
        return Ok(own.to_owned());
    }
    std::env::current_exe().or_run_at("cannot tell where omni-host itself is")
}

/// Global options of every step.
fn options(arguments: &Arguments) -> Vec<String> {
    let folders = arguments.plugins.iter();
    folders.flat_map(|folder| ["--plugins".to_owned(), folder.display().to_string()]).collect()
}

/// Counts Ctrl-C and SIGTERM; the third ends the process at once.
fn stop_count() -> Outcome<&'static AtomicU32> {
    static STOPS: AtomicU32 = AtomicU32::new(0);
    ctrlc::set_handler(move || match STOPS.fetch_add(1, Ordering::SeqCst) {
        0 => console::say(
            "stopping: running steps write their checkpoints (once more to stop them at once)",
        ),
        1 => console::say("stopping at once; the last checkpoints stand"),
        _ => std::process::exit(1),
    })
    .or_run_at("cannot listen for Ctrl-C")?;
    Ok(&STOPS)
}

/// A line for each step.
struct Progress {
    jobs: usize,
    graph: omni_study::Graph,
    done: std::collections::BTreeMap<String, Finished>,
}

impl Progress {
    fn new(jobs: usize) -> Self {
        Self { jobs, graph: omni_study::Graph::default(), done: Default::default() }
    }

    fn say(&mut self, happened: &Happened<'_>) {
        let all = self.graph.steps.len();
        match happened {
            Happened::Grown { graph, done } => {
                if !self.graph.steps.is_empty() && graph.steps.len() > all {
                    let more = graph.steps.len() - all;
                    console::say(format!("the evidence is there: {more} more steps"));
                }
                (self.graph, self.done) = ((*graph).clone(), (*done).clone());
            }
            Happened::Began(step) => console::say(format!("{}: {} …", step.id, step.kind.as_str())),
            Happened::Done { step, record } => {
                self.done.insert(step.id.clone(), (*record).clone());
                let left = Rates::of(&self.graph, &self.done);
                let left = left.left(&self.graph, &self.done, self.jobs);
                let left = left.filter(|_| self.done.len() < all);
                let left =
                    left.map_or(String::new(), |left| format!("; about {} left", duration(left)));
                let (done, took) = (self.done.len(), duration(record.seconds));
                console::say(format!("[{done}/{all}] {}: done in {took}{left}", step.id));
            }
            Happened::Failed { step, message } => {
                console::say(format!("{}: failed: {}", step.id, lines(message)));
            }
            Happened::Interrupted(step) => console::say(format!("{}: interrupted", step.id)),
        }
    }
}

/// Seconds for people.
pub(crate) fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

/// A child's words, fit for a terminal.
fn lines(text: &str) -> String {
    text.lines().map(console::printable).collect::<Vec<_>>().join("\n")
}

/// What came of it.
fn end(out: &Path, standing: &Standing) -> Outcome<()> {
    if standing.interrupted {
        console::say(format!(
            "interrupted with {} of {} known steps finished; go on with the same command",
            standing.done.len(),
            standing.graph.steps.len()
        ));
        let failed: Vec<&str> = standing.failed.keys().map(String::as_str).collect();
        return match failed.is_empty() {
            true => Ok(()),
            false => Err(Fault::run(format!("failed before that: {}", failed.join(", ")))),
        };
    }
    if standing.failed.is_empty() {
        table::show(&out.join("study.json"))?;
        let page = omni_report::write(out).or_run()?;
        console::say(format!("report: {}", page.display()));
        return Ok(());
    }
    let waiting = standing.graph.steps.len() - standing.done.len() - standing.failed.len();
    let failed: Vec<String> =
        standing.failed.iter().map(|(id, message)| format!("{id}: {}", lines(message))).collect();
    Err(Fault::run(format!(
        "{} step(s) failed, and {waiting} that wait for them were not begun; once that is mended, go \
         on with the same command\n{}",
        failed.len(),
        failed.join("\n")
    )))
}

/// Whose fault a study's error is.
pub(crate) fn fault(error: StudyError) -> Fault {
    if error.is_input() { Fault::Input(chain(&error)) } else { Fault::Run(chain(&error)) }
}
