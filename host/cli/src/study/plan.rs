//! `study --dry-run`: the steps, what they wait for, and what they cost.

use std::collections::BTreeSet;
use std::path::Path;

use omni_study::{Graph, Rates, Session, Standing, Step, StepKind, graph, placeholder, survey};
use serde_json::json;

use super::{Read, duration, fault};
use crate::args::Study;
use crate::console;
use crate::fault::Outcome;

/// Prints the graph; with `--json` as JSON.
pub(crate) fn show(asked: &Study, read: &Read, out: &Path) -> Outcome<()> {
    let text = read.same_run(&out.join("run.toml"))?;
    let (study, facts) = (&read.study, &read.facts);
    let mut session = Session::new(out, read.name.clone(), study.clone(), facts.clone(), &text);
    let standing = survey(out, &mut session, &[]).map_err(fault)?;
    let known: BTreeSet<&str> = standing.graph.steps.iter().map(|it| it.id.as_str()).collect();
    // Before the evidence: what would be trained if it chose the run file's order.
    let whole = match session.chosen() {
        Some(_) => standing.graph.clone(),
        None => graph(study, facts, Some(&placeholder(study, facts))),
    };
    let rates = Rates::of(&whole, &standing.done);
    let view = View { whole: &whole, standing: &standing, known, rates, jobs: asked.jobs };
    if asked.json { console::json(&view.json(read)) } else { console::result(view.text()) }
}

struct View<'a> {
    whole: &'a Graph,
    standing: &'a Standing,
    known: BTreeSet<&'a str>,
    rates: Rates,
    jobs: usize,
}

impl View<'_> {
    fn state(&self, step: &Step) -> &'static str {
        if self.standing.done.contains_key(&step.id) {
            "done"
        } else if self.known.contains(step.id.as_str()) {
            ""
        } else {
            "for example"
        }
    }

    fn json(&self, read: &Read) -> serde_json::Value {
        let steps: Vec<serde_json::Value> = self
            .whole
            .steps
            .iter()
            .map(|step| {
                let words: Vec<String> = step.command.iter().map(|it| it.symbolic()).collect();
                let done = self.standing.done.get(&step.id);
                json!({
                    "step": step.id,
                    "command": words,
                    "after": step.after,
                    "known": self.known.contains(step.id.as_str()),
                    "done": done.is_some(),
                    "optimizer_steps": step.cost.steps,
                    "prompts": step.cost.prompts,
                    "outputs_trained": step.cost.generated,
                    "outputs_evaluated": step.cost.evaluated,
                    "disk_bytes": step.cost.disk,
                    "seconds": done.map(|it| it.seconds).or_else(|| self.rates.seconds(step)),
                })
            })
            .collect();
        json!({
            "study": read.name,
            "steps": steps,
            "orders_chosen": self.whole.steps.len() == self.known.len(),
            "seconds_left": self.rates.left(self.whole, &self.standing.done, self.jobs),
        })
    }

    fn text(&self) -> String {
        let head = [
            "step",
            "waits for",
            "opt. steps",
            "prompts",
            "outputs trained",
            "outputs evaluated",
            "disk",
            "time",
            "",
        ];
        let count = |n: Option<u64>| match n {
            Some(0) => String::new(),
            Some(n) => grouped(n),
            None => "as the data say".into(),
        };
        let rows: Vec<Vec<String>> = self
            .whole
            .steps
            .iter()
            .map(|step| {
                let cost = &step.cost;
                let trains = step.kind == StepKind::Train;
                let of_training = |n| if trains { count(n) } else { String::new() };
                let done = self.standing.done.get(&step.id).map(|it| it.seconds);
                let seconds = done.or_else(|| self.rates.seconds(step));
                vec![
                    step.id.clone(),
                    waits(step),
                    of_training(cost.steps),
                    of_training(cost.prompts),
                    cost.generated.map_or_else(|| of_training(None), |n| count(Some(n))),
                    count(Some(cost.evaluated)),
                    if cost.disk > 0 { bytes(cost.disk) } else { String::new() },
                    seconds.map_or(String::new(), duration),
                    self.state(step).to_owned(),
                ]
            })
            .collect();
        let mut text = console::table(&head, &rows);
        text.push('\n');
        text.push_str(&self.totals());
        text
    }

    fn totals(&self) -> String {
        let steps = &self.whole.steps;
        let sum = |of: &dyn Fn(&Step) -> u64| steps.iter().map(of).sum::<u64>();
        let phases = steps.iter().filter(|it| it.kind == StepKind::Train).count();
        let done = self.standing.done.len();
        // Without the model nobody knows how large its checkpoints are.
        let disk = match sum(&|it| it.cost.disk) {
            0 => "the model is not there, so what it takes on the disk is unknown".to_owned(),
            all => format!("about {} on disk", bytes(all)),
        };
        let mut text = format!(
            "{} steps, {done} of them done: {phases} training runs with {} optimizer steps; {} outputs \
             to generate and score for training and {} for evaluations, at most; {disk}",
            steps.len(),
            grouped(sum(&|it| it.cost.steps.unwrap_or(0))),
            grouped(sum(&|it| it.cost.generated.unwrap_or(0))),
            grouped(sum(&|it| it.cost.evaluated)),
        );
        let trains = |it: &&Step| matches!(it.kind, StepKind::Train | StepKind::Sft);
        if steps.iter().filter(trains).any(|it| it.cost.generated.is_none()) {
            text.push_str("; what only the data know is not counted");
        }
        if self.whole.steps.len() > self.known.len() {
            text.push_str(
                "\nthe evidence chooses the orders; those marked `for example` stand for them",
            );
        }
        match self.rates.left(self.whole, &self.standing.done, self.jobs) {
            Some(left) if done < steps.len() => {
                text.push_str(&format!(
                    "\nabout {} left with --jobs {}, judged by finished steps",
                    duration(left),
                    self.jobs
                ));
            }
            Some(_) => {}
            None => text.push_str(
                "\nthe time is judged by finished steps: a training run and an evaluation at least",
            ),
        }
        text
    }
}

/// What a step waits for, said as briefly as its own name allows.
fn waits(step: &Step) -> String {
    if step.evidence {
        return "the evidence".into();
    }
    let split = |id: &str| -> (String, String) {
        id.rsplit_once('/').map_or_else(Default::default, |(a, b)| (a.into(), b.into()))
    };
    match step.after.as_slice() {
        [] => String::new(),
        [one] => {
            let ((own, _), (folder, name)) = (split(&step.id), split(one));
            if own == folder {
                return name;
            }
            // Beside it: the name of the folder says it.
            split(&folder).1
        }
        several => format!("{} runs", several.len()),
    }
}

/// 12,345.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn bytes(n: u64) -> String {
    match n as f64 {
        n if n >= 1e9 => format!("{:.1} GB", n / 1e9),
        n => format!("{:.0} MB", n / 1e6),
    }
}
