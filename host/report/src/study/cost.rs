//! What methods cost, and how diverse their writing is.

use omni_record::{Method, MethodRun};

use super::accuracy::{LABEL, main_methods};
use super::names::{Letters, label};
use super::numbers::{Numbers, Run, mean};
use crate::chart::{Bar, Bars};
use crate::table::{Cell, Column, Form, Table};

/// Steps, prompts and seconds by method.
pub(super) fn table(numbers: &Numbers<'_>) -> Table {
    let columns = vec![
        Column::new("method", "method", Form::Text),
        Column::new("steps", "steps", Form::Plain(0)),
        Column::new("prompts", "prompts, planned", Form::Plain(0)),
        Column::new("seconds", "processor time by threads", Form::Seconds),
    ];
    let mut rows = Vec::new();
    for method in spending(numbers) {
        let of = |pick: fn(&MethodRun) -> f64| Cell::number(average(method, pick));
        rows.push(vec![
            Cell::text(label(method)),
            of(|run| run.steps as f64),
            of(|run| run.prompts as f64),
            of(|run| run.seconds),
        ]);
    }
    Table {
        name: "cost",
        title: String::new(),
        note: "Of one model, the mean over seeds: optimisation steps from the base on, prompts that \
               were planned for them, and processor seconds divided by the threads that they were \
               shared among (evaluations left out). That is no time by the clock: training alone on \
               the machine takes longer wherever not all threads have work. What methods share is \
               counted for each: an order's first phase is the single-task run, and a merge needs \
               all single-task runs."
            .into(),
        columns,
        rows,
        most: None,
    }
}

/// Methods that took any time or step.
fn spending<'a>(numbers: &Numbers<'a>) -> Vec<&'a Method> {
    let spent = |run: &MethodRun| run.steps > 0 || run.seconds > 0.0;
    main_methods(numbers).into_iter().filter(|m| m.runs.iter().any(spent)).collect()
}

/// A method's mean over seeds.
fn average(method: &Method, of: impl Fn(&MethodRun) -> f64) -> f64 {
    method.runs.iter().map(of).sum::<f64>() / method.runs.len() as f64
}

/// The same as bars.
pub(super) fn chart(numbers: &Numbers<'_>, letters: &Letters) -> Bars {
    let bars = spending(numbers)
        .into_iter()
        .map(|method| {
            let seconds = average(method, |run| run.seconds);
            Bar {
                name: letters.method(method, LABEL),
                value: seconds / 60.0,
                text: Form::Seconds.number(seconds),
                ..Bar::default()
            }
        })
        .collect();
    Bars {
        title: "Processor time of training, by threads".into(),
        caption: "Processor minutes divided by threads, for one model; less than by the clock."
            .into(),
        x: "processor minutes / threads".into(),
        bars,
        ..Bars::default()
    }
}

/// ROUGE-L with the references by method and task of preferences; none where nothing has one.
pub(super) fn diversity(numbers: &Numbers<'_>, letters: &Letters) -> Option<(Table, Vec<Bars>)> {
    let rouge = |method: &Method, task: &str| -> Vec<Run> {
        let of = |run: &MethodRun| {
            let value = run.test.get(task)?.rouge_l?;
            Some(Run { seed: run.seed, value, error: None, fixed: false })
        };
        method.runs.iter().filter_map(of).collect()
    };
    let methods = main_methods(numbers);
    let any = |task: &&String| methods.iter().any(|m| !rouge(m, task).is_empty());
    let tasks: Vec<&String> = numbers.study.tasks.iter().filter(any).collect();
    if tasks.is_empty() {
        return None;
    }
    let mut columns = vec![Column::new("method", "method", Form::Text)];
    columns.extend(
        tasks.iter().map(|task| {
            Column::new(format!("rouge_l_{task}"), *task, Form::Plain(3)).with_errors()
        }),
    );
    let mut rows = Vec::new();
    for method in &methods {
        let mut row = vec![Cell::text(label(method))];
        row.extend(tasks.iter().map(|task| {
            mean(&rouge(method, task))
                .map_or_else(Cell::default, |m| Cell::measured(m.value, m.error))
        }));
        rows.push(row);
    }
    let charts = tasks
        .iter()
        .map(|task| Bars {
            title: format!("ROUGE-L, {task}"),
            caption: "Mean overlap of outputs with their references.".into(),
            x: "ROUGE-L (F measure, 0 to 1)".into(),
            bars: methods
                .iter()
                .filter_map(|method| {
                    let of = mean(&rouge(method, task))?;
                    Some(Bar {
                        name: letters.method(method, LABEL),
                        value: of.value,
                        ends: of.error.map(|e| (of.value - e, of.value + e)),
                        text: Form::Plain(3).number(of.value),
                        colour: 2,
                    })
                })
                .collect(),
            ..Bars::default()
        })
        .collect();
    let table = Table {
        name: "diversity",
        title: String::new(),
        note: "Mean ROUGE-L (F measure) between outputs and references: lower means that the \
               policy's wording is further from the reference's. ± is one standard error over \
               seeds, where there are several."
            .into(),
        columns,
        rows,
        most: None,
    };
    Some((table, charts))
}
