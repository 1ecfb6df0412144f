//! `sft`: rejection sampling and fine-tuning on what it keeps, from a run file to its report.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use omni_judge::Ledger;
use omni_record::{RejectionEvent, RunFolder};
use omni_train::{Ending, TrainError, check_sft_folder};

use crate::args::{Arguments, Sft};
use crate::console;
use crate::dry_run;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::progress::Renderer;
use crate::resume::same_run;
use crate::run::{self, Run};
use crate::train::{resume_command, run_name, write};

/// Samples, keeps, trains, and shows what came of it.
pub(crate) fn run(arguments: &Arguments, sft: &Sft) -> Outcome<()> {
    let out = out_folder(sft);
    let folder = RunFolder::new(&out);
    check_sft_folder(&folder, sft.resume).map_err(run::train_fault)?;
    if sft.dry_run {
        return dry_run::sft(arguments, sft);
    }
    let ledger = Arc::new(Ledger::recording(&folder.replies_jsonl()).or_input()?);
    let ready = Run::open(arguments, &sft.run, &sft.set, &ledger)?;
    let config = &ready.config;
    config.validate_for_sft().or_input_at(sft.run.display())?;
    let (mut policy, tokenizer) = run::policy(config, &config.policy.model)?;
    let lock = ready.lock()?;
    if sft.resume {
        same_run(config, &folder.run_toml())?;
        lock.check(&folder.lock_toml())?;
    }
    folder.create().or_run()?;
    write(&folder.run_toml(), &config.to_toml().or_input()?)?;
    write(&folder.lock_toml(), &lock.to_toml()?)?;

    let stop = run::stop_flag("what is at hand is finished and written")?;
    let renderer = Renderer::new(ready.task_names());
    console::say(format!("run folder: {}", out.display()));
    let summary = omni_train::sft(omni_train::Sft {
        config,
        tasks: &ready.specs,
        policy: &mut policy,
        tokenizer: &tokenizer,
        problems: &ready.problems,
        scorer: &ready.scorer,
        progress: &renderer,
        stop,
        folder: &folder,
        resume: sft.resume,
    });
    renderer.finish();
    ready.models.say();
    let summary = summary.map_err(|error| explain(error, &folder, sft))?;

    let training = &summary.training;
    if training.ending == Ending::Interrupted {
        let at = if summary.sampled < summary.prompts {
            format!("after sampling {} of {} prompts", summary.sampled, summary.prompts)
        } else {
            omni_report::write(&out).or_run()?;
            format!("after step {}", training.steps)
        };
        console::say(format!("interrupted {at}; go on with: {}", again(sft)));
        return Ok(());
    }
    let page = omni_report::write(&out).or_run()?;
    let rows = rows(&summary.sampling, &ready.task_names());
    console::result(console::table(
        &["task", "prompts", "sampled", "correct", "kept", "prompts without", "undefined"],
        &rows,
    ))?;
    if let Some(table) = omni_report::Summary::of(&folder.events().or_run()?) {
        let head = table.head();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        console::result(console::table(&head, &table.cells()))?;
        console::say(table.caption());
    }
    console::say(format!("kept outputs: {}", folder.rejection_jsonl().display()));
    console::say(format!("policy: {}", folder.checkpoint(training.steps).display()));
    if let Some(best) = training.best {
        console::say(format!("best by validation: step {best}"));
    }
    console::say(format!("report: {}", page.display()));
    Ok(())
}

/// `--out`, or a folder called after the run file, beside that of `train`.
fn out_folder(sft: &Sft) -> PathBuf {
    sft.out.clone().unwrap_or_else(|| Path::new("runs").join(run_name(&sft.run) + "-sft"))
}

fn rows(sampling: &RejectionEvent, tasks: &[String]) -> Vec<Vec<String>> {
    let row = |name: &String| {
        let task = sampling.tasks.get(name)?;
        let correct = match task.sampled {
            0 => "–".to_owned(),
            sampled => format!("{:.1} %", 100.0 * task.correct as f64 / sampled as f64),
        };
        let counts = [task.kept, task.without, task.undefined].map(|n| n.to_string());
        let [kept, without, undefined] = counts;
        let (prompts, sampled) = (task.prompts.to_string(), task.sampled.to_string());
        Some(vec![name.clone(), prompts, sampled, correct, kept, without, undefined])
    };
    tasks.iter().filter_map(row).collect()
}

fn again(sft: &Sft) -> String {
    resume_command("sft", &sft.run, sft.out.as_deref(), &sft.set)
}

/// Says how to go on after a failure that left something behind.
fn explain(error: TrainError, folder: &RunFolder, sft: &Sft) -> Fault {
    if matches!(error, TrainError::NothingKept(_)) {
        let Fault::Run(message) = run::train_fault(error) else {
            return Fault::run("nothing was kept");
        };
        let file = folder.rejection_jsonl();
        return Fault::Run(format!(
            "{message}\n  what was sampled is in {}; other settings need another --out",
            file.display()
        ));
    }
    let fault = run::train_fault(error);
    let steps = folder.checkpoint_steps().unwrap_or_default();
    let stands = match steps.last() {
        Some(step) => format!("the checkpoint of step {step} stands"),
        None if folder.rejection_jsonl().exists() => "what was sampled stands".to_owned(),
        None => return fault,
    };
    match fault {
        Fault::Run(message) => Fault::Run(format!(
            "{message}\n  {stands}; once that is mended, go on with: {}",
            again(sft)
        )),
        fault => fault,
    }
}
