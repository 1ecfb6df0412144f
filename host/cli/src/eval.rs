//! `eval`: a policy measured on the held-out splits of a run file's tasks.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use omni_judge::Ledger;
use omni_record::{EvalEvent, RunFolder};
use omni_train::{EvalPlan, Evaluated, Evaluation, RunConfig, evaluate, too_much_lost};

use crate::args::{Arguments, Eval, Splits};
use crate::console;
use crate::dry_run;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::progress::Renderer;
use crate::run::{self, Run};

/// Evaluates and shows.
pub(crate) fn run(arguments: &Arguments, eval: &Eval) -> Outcome<()> {
    if let Some(out) = &eval.out
        && out.join("eval.json").exists()
    {
        return Err(Fault::input(format!(
            "{} already holds an evaluation: choose another folder with --out",
            out.display()
        )));
    }
    if eval.dry_run {
        return dry_run::eval(arguments, eval);
    }
    let ledger = Arc::new(match &eval.out {
        Some(out) => Ledger::recording(&RunFolder::new(out).replies_jsonl()).or_input()?,
        None => Ledger::in_memory(),
    });
    let mut ready = Run::open(arguments, &eval.run, &eval.set, &ledger)?;
    let (mut policy, tokenizer) = run::policy(&ready.config, &eval.policy)?;
    // What is written down is what was measured, not what the run began from.
    ready.config.policy.model =
        std::path::absolute(&eval.policy).unwrap_or_else(|_| eval.policy.clone());
    ready.config.policy.continue_from = None;
    let plan = plan(&ready.config, eval)?;
    if let Some(out) = &eval.out {
        prepare(out, &ready)?;
    }
    plan.notice().into_iter().for_each(console::say);
    let stop = run::stop_flag("giving up")?;
    let renderer = Renderer::new(ready.task_names());
    let measured = evaluate(
        Evaluation {
            config: &ready.config,
            tasks: &ready.specs,
            policy: &mut policy,
            tokenizer: &tokenizer,
            problems: &ready.problems,
            scorer: &ready.scorer,
            progress: &renderer,
            stop,
        },
        &plan,
        0,
    );
    renderer.finish();
    ready.models.say();
    let Some(measured) = measured.map_err(run::train_fault)? else {
        debug_assert!(stop.load(Ordering::SeqCst), "only a stop gives no result");
        return Err(Fault::run("interrupted; nothing was measured"));
    };
    if let Some(out) = &eval.out {
        keep(out, &measured)?;
    }
    if eval.json {
        console::json(&measured.event)?;
    } else {
        show(&measured.event, &ready.task_names())?;
    }
    let faults = too_much_lost(&measured.event, &ready.config);
    if faults.is_empty() { Ok(()) } else { Err(Fault::run(faults.join("\n"))) }
}

/// What the run file says of the split, and how many outputs are kept.
pub(crate) fn plan(config: &RunConfig, eval: &Eval) -> Outcome<EvalPlan> {
    let (mut plan, table) = match eval.split {
        Splits::Test => (EvalPlan::test(config), "eval.final"),
        Splits::Validation => (EvalPlan::validation(config), "eval"),
    };
    if !plan.is_something() {
        return Err(Fault::input(format!(
            "{}: nothing to evaluate: `{table}` has items = {}, samples = {}, greedy = {}; \
             set them in the file or with --set {table}.items=200",
            eval.run.display(),
            plan.items,
            plan.samples,
            plan.greedy
        )));
    }
    plan.shown = eval.samples.unwrap_or(5);
    Ok(plan)
}

/// Makes the folder, and writes what the evaluation is of before it begins.
fn prepare(out: &Path, ready: &Run) -> Outcome<()> {
    std::fs::create_dir_all(out).or_run_at(format!("cannot make {}", out.display()))?;
    // What `score --replay` needs beside the replies.
    write(&out.join("lock.toml"), ready.lock()?.to_toml()?.as_bytes())?;
    write(&out.join("run.toml"), ready.config.to_toml().or_input()?.as_bytes())
}

/// Writes the result, item by item too, and the outputs.
fn keep(out: &Path, measured: &Evaluated) -> Outcome<()> {
    let mut lines = Vec::new();
    for sample in &measured.samples {
        serde_json::to_writer(&mut lines, sample).or_run()?;
        lines.push(b'\n');
    }
    write(&RunFolder::new(out).samples_jsonl(), &lines)?;
    let mut items = serde_json::to_vec(&measured.items).or_run()?;
    items.push(b'\n');
    write(&out.join("items.json"), &items)?;
    let mut json = serde_json::to_vec_pretty(&measured.event).or_run()?;
    json.push(b'\n');
    // Last, so that a folder with it is complete.
    write(&out.join("eval.json"), &json)
}

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Outcome<()> {
    let aside = path.with_extension("aside");
    std::fs::File::create(&aside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&aside, path))
        .or_run_at(format!("cannot write {}", path.display()))
}

/// Table by table.
fn show(event: &EvalEvent, tasks: &[String]) -> Outcome<()> {
    for table in omni_report::eval_tables(event, tasks) {
        let head: Vec<&str> = table.head.iter().map(String::as_str).collect();
        console::result(&table.title)?;
        console::result(console::table(&head, &table.rows))?;
        if !table.note.is_empty() {
            console::result(wrap(&table.note, 98))?;
        }
        console::result("")?;
    }
    Ok(())
}

/// Lines of at most so many characters, broken between words.
fn wrap(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width
        });
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_break_between_words() {
        assert_eq!(wrap("a bb ccc dddd", 6), "a bb\nccc\ndddd");
        assert_eq!(wrap("abcdefgh i", 3), "abcdefgh\ni");
        assert_eq!(wrap("", 3), "");
    }
}
