//! `eval`: a policy measured on the test splits of a run file's tasks.

use std::sync::atomic::Ordering;

use omni_record::{Estimate, EvalEvent};
use omni_train::{EvalPlan, Evaluation, evaluate};

use crate::args::{Arguments, Eval};
use crate::console;
use crate::fault::{Fault, Outcome};
use crate::progress::Renderer;
use crate::run::{self, Run};

/// Evaluates and shows.
pub(crate) fn run(arguments: &Arguments, eval: &Eval) -> Outcome<()> {
    let ready = Run::open(arguments, &eval.run, &eval.set)?;
    let (mut policy, tokenizer) = run::policy(&ready.config, &eval.policy)?;
    let plan = EvalPlan::test(&ready.config);
    if !plan.is_something() {
        return Err(Fault::input(format!(
            "{}: nothing to evaluate: `eval.final` has items = {}, samples = {}, greedy = {}; \
             set them in the file or with --set eval.final.items=200",
            eval.run.display(),
            plan.items,
            plan.samples,
            plan.greedy
        )));
    }
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
    let Some((event, _)) = measured.map_err(run::train_fault)? else {
        debug_assert!(stop.load(Ordering::SeqCst), "only a stop gives no result");
        return Err(Fault::run("interrupted; nothing was measured"));
    };
    if eval.json {
        return console::json(&event);
    }
    console::result(table(&event, &ready.task_names()))
}

/// One row a task.
fn table(event: &EvalEvent, tasks: &[String]) -> String {
    let estimate = |value: Option<Estimate>| {
        value.map_or("–".to_owned(), |value| {
            format!("{:.1} ± {:.1}", 100.0 * value.mean, 100.0 * value.standard_error)
        })
    };
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .filter_map(|name| Some((name, event.tasks.get(name)?)))
        .map(|(name, task)| {
            let undefined: u64 = task.undefined.values().sum();
            let pass = task.pass_at_k.iter().next_back();
            vec![
                name.clone(),
                task.metric.clone(),
                task.items.to_string(),
                estimate(task.sampled),
                estimate(task.greedy),
                pass.map_or("–".to_owned(), |(k, value)| {
                    format!("{:.1} (k = {k})", 100.0 * value)
                }),
                task.entropy.map_or("–".to_owned(), |entropy| format!("{entropy:.2}")),
                format!("{:.1}", task.completion_length),
                undefined.to_string(),
            ]
        })
        .collect();
    let head = [
        "task",
        "metric",
        "items",
        "sampled %",
        "greedy %",
        "pass@k %",
        "entropy",
        "tokens",
        "undefined",
    ];
    console::table(&head, &rows)
}
