//! Curves over a run's steps.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use omni_record::{Event, StepEvent, SupervisedEvent, TaskStep};

use crate::chart::{Chart, Series};

/// Points of a step curve that the heavy line averages.
const SMOOTH: usize = 10;

/// A curve's name, and what it takes of a step.
type Line<'a> = (&'a str, fn(&StepEvent) -> f64);

/// What a curve takes of a task's step.
type Pick<'a> = &'a dyn Fn(&TaskStep) -> Option<f64>;

pub(super) fn rewards(steps: &[&StepEvent], tasks: &[String]) -> Chart {
    let (title, y) = ("Reward of training outputs", "mean reward");
    by_task(steps, tasks, title, y, &[0.0], &|task| task.reward_mean)
}

/// One line a task.
fn by_task(
    steps: &[&StepEvent],
    tasks: &[String],
    title: &str,
    y: &str,
    include: &[f64],
    pick: Pick<'_>,
) -> Chart {
    let series = tasks
        .iter()
        .map(|task| Series {
            name: task.clone(),
            points: steps
                .iter()
                .filter_map(|step| Some((step.step as f64, pick(step.tasks.get(task)?)?)))
                .collect(),
            marks: false,
        })
        .collect();
    step_chart(title, y, include, series)
}

pub(super) fn curves(body: &mut String, events: &[Event], steps: &[&StepEvent], tasks: &[String]) {
    body.push_str("<h2>Curves</h2>");
    if steps.len() > 1 || events.iter().any(|e| matches!(e, Event::Supervised(_))) {
        let _ = write!(
            body,
            "<p class=\"note\">Pale lines are single steps, heavy lines the mean of the last \
             {SMOOTH} that held the task.</p>"
        );
    }
    body.push_str("<div class=\"charts\">");
    if steps.is_empty() {
        for chart in supervised(events, tasks) {
            body.push_str(&chart.render());
        }
        let held_out = held_out(events, tasks);
        if !held_out.is_empty() {
            body.push_str(&held_out.render());
        }
        body.push_str("</div>");
        return;
    }
    let by_task = |title: &str, y: &str, include: &[f64], pick: Pick<'_>| {
        by_task(steps, tasks, title, y, include, pick)
    };
    let overall = |title: &str, y: &str, include: &[f64], lines: &[Line<'_>]| {
        let series = lines
            .iter()
            .map(|(name, pick)| Series {
                name: (*name).to_owned(),
                points: steps.iter().map(|step| (step.step as f64, pick(step))).collect(),
                marks: false,
            })
            .collect();
        step_chart(title, y, include, series)
    };
    let mut charts = vec![
        rewards(steps, tasks),
        held_out(events, tasks),
        by_task("Token entropy", "nats", &[0.0], &|task| task.entropy),
        by_task("Length of outputs", "tokens", &[0.0], &|task| Some(task.completion_length)),
        by_task("Groups without variance in reward", "fraction", &[0.0, 1.0], &|task| {
            Some(task.zero_variance_fraction)
        }),
        by_task("Outputs cut by the length limit", "fraction", &[0.0], &|task| {
            Some(task.truncated_fraction)
        }),
        overall("Loss", "loss", &[], &[("loss", |step| step.loss)]),
        overall(
            "Gradient norm before clipping",
            "L2 norm",
            &[0.0],
            &[("norm", |step| step.grad_norm)],
        ),
        overall(
            "Clipped tokens",
            "fraction",
            &[0.0],
            &[("from below", |step| step.clip_low), ("from above", |step| step.clip_high)],
        ),
        overall("Learning rate", "", &[0.0], &[("lr", |step| step.lr)]),
        phases(steps),
    ];
    // A run without a reference model has no KL to show.
    if steps.iter().any(|step| step.kl != 0.0) {
        charts.insert(
            7,
            overall("KL to the reference (k3)", "nats", &[0.0], &[("kl", |step| step.kl)]),
        );
    }
    if steps.iter().any(|step| step.tasks.values().any(|task| task.reward_map.is_some())) {
        let median = |task: &TaskStep| Some(task.reward_map?.median);
        charts.insert(
            2,
            by_task("Running median that rewards are mapped by", "reward", &[0.0], &median),
        );
    }
    for chart in charts {
        body.push_str(&chart.render());
    }
    body.push_str("</div>");
}

fn step_chart(title: &str, y: &str, include: &[f64], series: Vec<Series>) -> Chart {
    Chart {
        title: title.to_owned(),
        x: "step".to_owned(),
        y: y.to_owned(),
        series,
        smooth: SMOOTH,
        include: include.to_vec(),
        ..Chart::default()
    }
}

/// The metric on held-out items: validation during training, and the test split at both ends.
fn held_out(events: &[Event], tasks: &[String]) -> Chart {
    let evals: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Eval(eval) => Some(eval),
            _ => None,
        })
        .collect();
    let purpose =
        if evals.iter().any(|eval| eval.purpose == "validation") { "validation" } else { "test" };
    let series = tasks
        .iter()
        .map(|task| Series {
            name: task.clone(),
            points: evals
                .iter()
                .filter(|eval| eval.purpose == purpose)
                .filter_map(|eval| {
                    let accuracy = eval.tasks.get(task)?.accuracy()?;
                    Some((eval.step as f64, accuracy.mean))
                })
                .collect(),
            marks: true,
        })
        .collect();
    let mut chart = step_chart(
        &format!("Held-out metric ({purpose} split)"),
        "accuracy or preference",
        &[0.0],
        series,
    );
    chart.smooth = 0;
    chart
}

fn phases(steps: &[&StepEvent]) -> Chart {
    let names: BTreeSet<&String> = steps.iter().flat_map(|step| step.seconds.keys()).collect();
    let series = names
        .into_iter()
        .map(|name| Series {
            name: name.clone(),
            points: steps
                .iter()
                .filter_map(|step| Some((step.step as f64, *step.seconds.get(name)?)))
                .collect(),
            marks: false,
        })
        .collect();
    step_chart("Time of a step's phases", "seconds", &[0.0], series)
}

/// What supervised training showed.
fn supervised(events: &[Event], tasks: &[String]) -> Vec<Chart> {
    let steps: Vec<&SupervisedEvent> = events
        .iter()
        .filter_map(|event| match event {
            Event::Supervised(step) => Some(step),
            _ => None,
        })
        .collect();
    if steps.is_empty() {
        return Vec::new();
    }
    let overall = |title: &str, y: &str, include: &[f64], pick: fn(&SupervisedEvent) -> f64| {
        let points = steps.iter().map(|step| (step.step as f64, pick(step))).collect();
        let series = Series { name: y.to_owned(), points, marks: false };
        step_chart(title, y, include, vec![series])
    };
    let losses = tasks
        .iter()
        .map(|task| Series {
            name: task.clone(),
            points: steps
                .iter()
                .filter_map(|step| Some((step.step as f64, step.tasks.get(task)?.loss)))
                .collect(),
            marks: false,
        })
        .collect();
    vec![
        step_chart("Supervised loss by task", "nats a token", &[0.0], losses),
        overall("Supervised loss of the batch", "nats a token", &[0.0], |step| step.loss),
        overall("Gradient norm before clipping", "L2 norm", &[0.0], |step| step.grad_norm),
        overall("Learning rate", "", &[0.0], |step| step.lr),
        overall("Tokens of completions in a batch", "tokens", &[0.0], |step| step.tokens as f64),
        overall("Time of a step", "seconds", &[0.0], |step| step.seconds),
    ]
}
