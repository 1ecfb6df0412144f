//! `train`: a run from its file to its report.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use omni_judge::Ledger;
use omni_policy::{CpuPolicy, Policy};
use omni_record::RunFolder;
use omni_train::{Ending, RunConfig, Training};

use crate::args::{Arguments, Train};
use crate::console;
use crate::dry_run;
use crate::engine::Engine;
use crate::evidence::Measured;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::progress::Renderer;
use crate::resume::same_run;
use crate::run::{self, Run};
use crate::schedule::PluginScheduler;

/// What the lock calls the file that the scheduler chose by.
const EVIDENCE: &str = "schedule.evidence";

/// Trains, and shows what came of it.
pub(crate) fn run(arguments: &Arguments, train: &Train) -> Outcome<()> {
    let out = out_folder(train);
    let folder = RunFolder::new(&out);
    omni_train::check_train_folder(&folder).map_err(run::train_fault)?;
    if !train.resume && folder.events_jsonl().exists() {
        return Err(Fault::input(format!(
            "{} already holds a run: go on with it with --resume, or choose another folder with \
             --out",
            out.display()
        )));
    }
    if train.dry_run {
        return dry_run::train(arguments, train);
    }
    let ledger = Arc::new(Ledger::recording(&folder.replies_jsonl()).or_input()?);
    let ready = Run::open(arguments, &train.run, &train.set, &ledger)?;
    let config = &ready.config;
    let (mut policy, tokenizer) = run::policy(config, &config.policy.model)?;
    let mut scheduler = scheduler(&ready.engine, &ready.config)?;
    let mut lock = ready.lock()?;
    if let Some(checkpoint) = &config.policy.continue_from {
        // Before anything is written, so that a wrong path leaves no folder behind. A run that is
        // under way has read all that it needs of it, and what it continued may be gone.
        if train.resume && !folder.checkpoint_steps().or_run()?.is_empty() {
            lock.add_checkpoint(checkpoint)?;
            lock.keep_checkpoint(&folder.lock_toml())?;
        } else {
            omni_train::check_continued(checkpoint).map_err(run::train_fault)?;
            lock.check_origin(checkpoint)?;
            lock.add_checkpoint(checkpoint)?;
        }
    }
    let measured = Measured::of_run(config)?;
    if let Some(measured) = &measured {
        lock.files.insert(EVIDENCE.to_owned(), crate::lock::digest(measured.text.as_bytes()));
    }
    if train.resume {
        same_run(config, &folder.run_toml())?;
        lock.check(&folder.lock_toml())?;
    }
    folder.create().or_run()?;
    write(&folder.run_toml(), &config.to_toml().or_input()?)?;
    write(&folder.lock_toml(), &lock.to_toml()?)?;
    if let Some(measured) = &measured {
        write(&folder.evidence_json(), &measured.text)?;
        measured.notice(config).into_iter().for_each(console::say);
    }
    let evidence = measured.as_ref().map(Measured::for_scheduler);

    let model = config.policy.model.clone();
    let threads = run::threads(config.policy.threads);
    let mut reference =
        || CpuPolicy::load(&model, threads).map(|policy| Box::new(policy) as Box<dyn Policy>);
    let stop = run::stop_flag("this step is finished and a checkpoint written")?;
    let renderer = Renderer::new(ready.task_names());
    console::say(format!("run folder: {}", out.display()));
    let summary = omni_train::train(Training {
        config,
        tasks: &ready.specs,
        policy: &mut policy,
        reference: &mut reference,
        tokenizer: &tokenizer,
        problems: &ready.problems,
        scorer: &ready.scorer,
        scheduler: &mut scheduler,
        evidence: evidence.as_ref(),
        progress: &renderer,
        stop,
        folder: &folder,
        resume: train.resume,
    });
    renderer.finish();
    ready.models.say();
    let summary = summary.map_err(run::train_fault).map_err(|fault| hint(fault, &folder, train))?;

    let page = omni_report::write(&out).or_run()?;
    if summary.ending == Ending::Interrupted {
        console::say(format!(
            "interrupted after step {}; go on with: {}",
            summary.steps,
            again(train)
        ));
        return Ok(());
    }
    if let Some(table) = omni_report::Summary::of(&folder.events().or_run()?) {
        let head = table.head();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        console::result(console::table(&head, &table.cells()))?;
        console::say(table.caption());
    }
    console::say(format!("policy: {}", folder.checkpoint(summary.steps).display()));
    if let Some(best) = summary.best {
        console::say(format!("best by validation: step {best}"));
    }
    console::say(format!("report: {}", page.display()));
    Ok(())
}

/// `--out`, or a folder called after the run file.
fn out_folder(train: &Train) -> PathBuf {
    train.out.clone().unwrap_or_else(|| Path::new("runs").join(run_name(&train.run)))
}

/// The name of a run that is called after its file.
pub(crate) fn run_name(run: &Path) -> String {
    let stem = run.file_stem().unwrap_or_default();
    // Many run files are called run.toml; their folder then says more.
    let name = match run.parent().and_then(Path::file_name) {
        Some(parent) if stem == "run" => parent,
        _ => stem,
    };
    name.to_string_lossy().into_owned()
}

/// The scheduler that a run file names, with its configuration.
pub(crate) fn scheduler(engine: &Engine, config: &RunConfig) -> Outcome<PluginScheduler> {
    let schedule = &config.schedule;
    let component = engine
        .packs()
        .component(&schedule.plugin, omni_pack::Kind::Scheduler)
        .or_input_at("`schedule.plugin`")?;
    let plugin = engine.scheduler(&component)?;
    let mut config = component.config;
    config.extend(schedule.config.clone());
    let config = serde_json::Value::Object(config).to_string();
    Ok(PluginScheduler { plugin, config, observes: component.observes })
}

/// Says how to go on after a failure that left a checkpoint.
fn hint(fault: Fault, folder: &RunFolder, train: &Train) -> Fault {
    let steps = folder.checkpoint_steps().unwrap_or_default();
    match (fault, steps.last()) {
        (Fault::Run(message), Some(step)) => Fault::Run(format!(
            "{message}\n  the checkpoint of step {step} stands; once that is mended, go on with: {}",
            again(train)
        )),
        (fault, _) => fault,
    }
}

fn again(train: &Train) -> String {
    resume_command("train", &train.run, train.out.as_deref(), &train.set)
}

/// What a person types to go on with a run.
pub(crate) fn resume_command(
    command: &str,
    run: &Path,
    out: Option<&Path>,
    set: &[String],
) -> String {
    let mut words = vec![format!("omni-host {command}"), quoted(&run.display().to_string())];
    if let Some(out) = out {
        words.push(format!("--out {}", quoted(&out.display().to_string())));
    }
    for set in set {
        words.push(format!("--set {}", quoted(set)));
    }
    words.push("--resume".to_owned());
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Writes a small file whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> Outcome<()> {
    let aside = path.with_extension("toml.aside");
    std::fs::write(&aside, text)
        .and_then(|()| std::fs::rename(&aside, path))
        .or_run_at(format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resume_command_can_be_pasted() {
        let train = Train {
            run: "my run.toml".into(),
            resume: false,
            out: Some("out".into()),
            set: vec!["task.0.config={x='y'}".into(), "seed=3".into()],
            dry_run: false,
            json: false,
        };
        assert_eq!(
            again(&train),
            "omni-host train 'my run.toml' --out out --set 'task.0.config={x='\\''y'\\''}' \
             --set seed=3 --resume"
        );
    }

    #[test]
    fn a_run_folder_is_called_after_its_file() {
        let folder = |run: &str| {
            out_folder(&Train {
                run: run.into(),
                resume: false,
                out: None,
                set: Vec::new(),
                dry_run: false,
                json: false,
            })
        };
        assert_eq!(folder("examples/quickstart/run.toml"), Path::new("runs/quickstart"));
        assert_eq!(folder("math.toml"), Path::new("runs/math"));
        assert_eq!(folder("run.toml"), Path::new("runs/run"));
    }
}
