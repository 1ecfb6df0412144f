//! A run's numbers for other programs: a row for each step and task, and for each evaluation and
//! task.

use std::collections::BTreeSet;

use omni_record::{Estimate, EvalEvent, Event, StepEvent, SupervisedEvent, TaskEval, TaskStep};

use crate::table::{Cell, Column, Form, Table};

/// A column's name, and what it holds of a step and one of its tasks.
type Of<A, B> = (&'static str, fn(&A, &B) -> Option<f64>);

const STEP: [Of<StepEvent, TaskStep>; 18] = [
    ("prompts", |_, t| Some(f64::from(t.prompts))),
    ("long_prompts", |_, t| Some(f64::from(t.long_prompts))),
    ("rollouts", |_, t| Some(f64::from(t.rollouts))),
    ("valid", |_, t| Some(f64::from(t.valid))),
    ("reward_mean", |_, t| t.reward_mean),
    ("reward_std", |_, t| t.reward_std),
    ("mean_abs_advantage", |_, t| Some(t.mean_abs_advantage)),
    ("entropy", |_, t| t.entropy),
    ("completion_length", |_, t| Some(t.completion_length)),
    ("truncated_fraction", |_, t| Some(t.truncated_fraction)),
    ("zero_variance_fraction", |_, t| Some(t.zero_variance_fraction)),
    ("loss", |s, _| Some(s.loss)),
    ("kl", |s, _| Some(s.kl)),
    ("clip_low", |s, _| Some(s.clip_low)),
    ("clip_high", |s, _| Some(s.clip_high)),
    ("grad_norm", |s, _| Some(s.grad_norm)),
    ("lr", |s, _| Some(s.lr)),
    ("step_seconds", |s, _| Some(s.seconds.values().sum())),
];

/// The tables that have rows.
pub(super) fn all(events: &[Event]) -> Vec<Table> {
    let tables = [rejection(events), steps(events), supervised(events), evaluations(events)];
    tables.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

/// Every step by task. Values of the whole step (from `loss` on) stand in the row of each of its
/// tasks.
fn steps(events: &[Event]) -> Table {
    let steps = || {
        events.iter().filter_map(|event| match event {
            Event::Step(step) => Some(step),
            _ => None,
        })
    };
    let components: BTreeSet<&String> =
        steps().flat_map(|s| s.tasks.values()).flat_map(|t| t.components.keys()).collect();
    let mut columns = keys(&["step", "task"]);
    columns.extend(STEP.iter().map(|(key, _)| Column::new(*key, *key, Form::Plain(6))));
    columns.extend(components.iter().map(|name| {
        let key = format!("component_{name}");
        Column::new(key.clone(), key, Form::Plain(6))
    }));
    let mut rows = Vec::new();
    for step in steps() {
        for (name, task) in &step.tasks {
            let mut row = vec![Cell::count(step.step), Cell::text(name)];
            row.extend(STEP.iter().map(|(_, of)| Cell::maybe(of(step, task))));
            row.extend(
                components
                    .iter()
                    .map(|name| Cell::maybe(task.components.get(*name).copied().flatten())),
            );
            rows.push(row);
        }
    }
    Table {
        name: "steps",
        title: "Optimisation steps".into(),
        note: "One row for each step and task; from loss on, values are the whole step's.".into(),
        columns,
        rows,
        most: None,
    }
}

/// What supervised training learns from.
pub(super) fn rejection(events: &[Event]) -> Table {
    let all = events.iter().filter_map(|event| match event {
        Event::Rejection(rejection) => Some(rejection),
        _ => None,
    });
    let heads = [
        "prompts",
        "sampled",
        "correct",
        "kept",
        "prompts without any",
        "cut",
        "undefined",
        "too long prompts",
    ];
    let mut columns = keys(&["task"]);
    columns.extend(heads.map(|head| Column::new(head.replace(' ', "_"), head, Form::Count)));
    let (mut rows, mut note) = (Vec::new(), String::new());
    for event in all {
        note = format!(
            "{} outputs were sampled for each prompt before training; at most {} distinct ones \
             that the rewards call correct were kept.",
            event.samples, event.keep
        );
        for (name, t) in &event.tasks {
            let counts = [t.prompts, t.sampled, t.correct, t.kept, t.without, t.cut];
            let mut row = vec![Cell::text(name)];
            row.extend(counts.into_iter().chain([t.undefined, t.long_prompts]).map(Cell::count));
            rows.push(row);
        }
    }
    let title = "Rejection sampling".to_owned();
    Table { name: "rejection", title, note, columns, rows, most: None }
}

/// Every supervised step by task.
fn supervised(events: &[Event]) -> Table {
    let steps = events.iter().filter_map(|event| match event {
        Event::Supervised(step) => Some(step),
        _ => None,
    });
    type Whole = (&'static str, fn(&SupervisedEvent) -> f64);
    let whole: [Whole; 5] = [
        ("batch_loss", |s| s.loss),
        ("grad_norm", |s| s.grad_norm),
        ("lr", |s| s.lr),
        ("epoch", |s| s.epoch),
        ("step_seconds", |s| s.seconds),
    ];
    let mut columns = keys(&["step", "task"]);
    for key in ["examples", "tokens"] {
        columns.push(Column::new(key, key, Form::Count));
    }
    let plain = ["loss"].into_iter().chain(whole.iter().map(|(key, _)| *key));
    columns.extend(plain.map(|key| Column::new(key, key, Form::Plain(6))));
    let mut rows = Vec::new();
    for step in steps {
        for (name, task) in &step.tasks {
            let mut row = vec![Cell::count(step.step), Cell::text(name)];
            row.extend([Cell::count(task.examples), Cell::count(task.tokens)]);
            row.push(Cell::number(task.loss));
            row.extend(whole.iter().map(|(_, of)| Cell::number(of(step))));
            rows.push(row);
        }
    }
    Table {
        name: "supervised",
        title: "Supervised steps".into(),
        note: "One row for each step and task; from batch_loss on, values are the whole batch's."
            .into(),
        columns,
        rows,
        most: None,
    }
}

const EVALUATION: [Of<EvalEvent, TaskEval>; 8] = [
    ("items", |_, t| Some(f64::from(t.items))),
    ("unsupported", |_, t| Some(f64::from(t.unsupported))),
    ("unscored", |_, t| Some(f64::from(t.unscored))),
    ("temperature", |e, _| e.temperature),
    ("entropy", |_, t| t.entropy),
    ("completion_length", |_, t| Some(t.completion_length)),
    ("truncated_fraction", |_, t| Some(t.truncated_fraction)),
    ("faults_fraction", |_, t| Some(t.lost.fraction())),
];

/// Every evaluation by task.
fn evaluations(events: &[Event]) -> Table {
    let evals = || {
        events.iter().filter_map(|event| match event {
            Event::Eval(eval) => Some(eval),
            _ => None,
        })
    };
    let passes: BTreeSet<u32> =
        evals().flat_map(|e| e.tasks.values()).flat_map(|t| t.pass_at_k.keys().copied()).collect();
    let mut columns = keys(&["step", "purpose", "task", "metric"]);
    for key in ["sampled", "greedy", "rouge_l"] {
        columns.push(Column::new(key, key, Form::Percent).with_errors());
    }
    columns.extend(EVALUATION.iter().map(|(key, _)| Column::new(*key, *key, Form::Plain(6))));
    columns.extend(passes.iter().map(|k| {
        let key = format!("pass_at_{k}");
        Column::new(key.clone(), key, Form::Percent)
    }));
    let estimate = |value: Option<Estimate>| {
        value.map_or_else(Cell::default, |e| Cell::measured(e.mean, Some(e.standard_error)))
    };
    let mut rows = Vec::new();
    for eval in evals() {
        for (name, task) in &eval.tasks {
            let mut row = vec![Cell::count(eval.step), Cell::text(&eval.purpose), Cell::text(name)];
            row.push(Cell::text(&task.metric));
            row.extend([task.sampled, task.greedy, task.rouge_l].map(estimate));
            row.extend(EVALUATION.iter().map(|(_, of)| Cell::maybe(of(eval, task))));
            row.extend(passes.iter().map(|k| Cell::maybe(task.pass_at_k.get(k).copied())));
            rows.push(row);
        }
    }
    Table {
        name: "evaluations",
        title: "Evaluations".into(),
        note: "One row for each evaluation and task; standard errors are over items.".into(),
        columns,
        rows,
        most: None,
    }
}

fn keys(names: &[&str]) -> Vec<Column> {
    names
        .iter()
        .map(|name| {
            let form = if *name == "step" { Form::Count } else { Form::Text };
            Column::new(*name, *name, form)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use omni_record::SupervisedTask;

    use super::*;

    #[test]
    fn a_step_has_a_row_for_each_task() {
        let task = |reward| TaskStep {
            prompts: 4,
            reward_mean: reward,
            components: BTreeMap::from([("format".to_owned(), Some(0.5))]),
            ..TaskStep::default()
        };
        let step = StepEvent {
            step: 3,
            loss: -0.25,
            tasks: [("code", task(None)), ("math", task(Some(0.125)))]
                .map(|(n, t)| (n.to_owned(), t))
                .into(),
            ..StepEvent::default()
        };
        let csv = steps(&[Event::Step(step)]).csv();
        let mut lines = csv.lines();
        let head: Vec<&str> = lines.next().unwrap().split(',').collect();
        let row: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        let at =
            |row: &[&str], key: &str| row[head.iter().position(|h| *h == key).unwrap()].to_owned();
        assert_eq!((row.len(), at(&row[1], "reward_mean").as_str()), (2, "0.125"));
        assert_eq!(
            (at(&row[0], "reward_mean").as_str(), at(&row[0], "loss").as_str()),
            ("", "-0.25")
        );
        assert_eq!(at(&row[0], "component_format"), "0.5");
    }

    #[test]
    fn evaluations_and_supervised_steps_have_tables() {
        let task = TaskEval {
            metric: "accuracy".into(),
            greedy: Some(Estimate { mean: 0.5, standard_error: 0.125, ..Estimate::default() }),
            pass_at_k: BTreeMap::from([(8, 0.75)]),
            ..TaskEval::default()
        };
        let eval = EvalEvent {
            step: 2,
            purpose: "test".into(),
            tasks: BTreeMap::from([("math".to_owned(), task)]),
            ..EvalEvent::default()
        };
        let json = evaluations(&[Event::Eval(eval)]).json();
        let row = &json["rows"][0];
        assert_eq!((&row["greedy"], &row["greedy_se"]), (&0.5.into(), &0.125.into()));
        assert_eq!((&row["pass_at_8"], &row["purpose"]), (&0.75.into(), &"test".into()));
        assert!(row["sampled"].is_null());
        let step = SupervisedEvent {
            step: 1,
            tasks: BTreeMap::from([(
                "qa".to_owned(),
                SupervisedTask { examples: 3, tokens: 40, loss: 1.5 },
            )]),
            ..SupervisedEvent::default()
        };
        let csv = supervised(&[Event::Supervised(step)]).csv();
        assert!(csv.lines().nth(1).unwrap().starts_with("1,qa,3,40,1.5,"), "{csv}");
    }
}
