//! One run's page: before and after, curves, what could not be scored, sample outputs.

mod curves;
mod samples;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use omni_record::{Event, RunFolder, Sample, StartEvent, StepEvent};

use crate::ReportError;
use crate::evaluation::eval_tables;
use crate::html::{escape, page, table};
use crate::output::Document;
use crate::summary::Summary;
use crate::table::duration;

/// The report of a run folder.
pub(crate) fn document(folder: &Path) -> Result<Document, ReportError> {
    let run = RunFolder::new(folder);
    let events = run.events()?;
    if events.is_empty() {
        return Err(ReportError::NoRun(folder.to_owned()));
    }
    let samples = run.samples()?;
    let name = crate::name_of(folder).unwrap_or_else(|| "run".to_owned());
    Ok(Document {
        kind: "run",
        page: run_page(&name, &events, &samples),
        name,
        findings: Vec::new(),
        tables: tables::all(&events),
    })
}

/// The page of a run, from its records.
#[must_use]
pub fn run_page(name: &str, events: &[Event], samples: &[Sample]) -> String {
    let start = events.iter().find_map(|event| match event {
        Event::Start(start) => Some(start),
        _ => None,
    });
    let steps: Vec<&StepEvent> = events
        .iter()
        .filter_map(|event| match event {
            Event::Step(step) => Some(step),
            _ => None,
        })
        .collect();
    let tasks = task_names(start, events);

    let mut body = String::new();
    let _ = write!(body, "<h1>{}</h1>", escape(name));
    facts(&mut body, start, events, &steps);
    before_and_after(&mut body, events);
    evaluation(&mut body, events, &tasks);
    let rejection = tables::rejection(events);
    if !rejection.rows.is_empty() {
        body.push_str(&rejection.html());
    }
    curves::curves(&mut body, events, &steps, &tasks);
    if !steps.is_empty() {
        undefined(&mut body, &steps, &tasks);
    }
    samples::outputs(&mut body, samples, &tasks);
    page(&format!("{name} – omni-host"), &body)
}

/// The picture of a run: the reward of its training outputs by task, as an SVG file.
#[must_use]
pub fn run_picture(events: &[Event]) -> String {
    let start = events.iter().find_map(|event| match event {
        Event::Start(start) => Some(start),
        _ => None,
    });
    let steps: Vec<&StepEvent> = events
        .iter()
        .filter_map(|event| match event {
            Event::Step(step) => Some(step),
            _ => None,
        })
        .collect();
    curves::rewards(&steps, &task_names(start, events)).standalone()
}

fn task_names(start: Option<&StartEvent>, events: &[Event]) -> Vec<String> {
    let mut names = start.map(|start| start.tasks.clone()).unwrap_or_default();
    let mut seen: BTreeSet<String> = names.iter().cloned().collect();
    for event in events {
        let more: Vec<&String> = match event {
            Event::Step(step) => step.tasks.keys().collect(),
            Event::Eval(eval) => eval.tasks.keys().collect(),
            Event::Supervised(step) => step.tasks.keys().collect(),
            _ => Vec::new(),
        };
        for name in more {
            if seen.insert(name.clone()) {
                names.push(name.clone());
            }
        }
    }
    names
}

fn facts(body: &mut String, start: Option<&StartEvent>, events: &[Event], steps: &[&StepEvent]) {
    let mut facts = Vec::new();
    if let Some(start) = start {
        facts.push(format!("{} parameters", start.parameters));
        facts.push(format!("seed {}", start.seed));
    }
    let supervised = events.iter().filter(|e| matches!(e, Event::Supervised(_))).count();
    if supervised > 0 {
        facts.push(format!("{supervised} supervised steps"));
    }
    if supervised == 0 || !steps.is_empty() {
        facts.push(format!("{} steps", steps.len()));
    }
    let rollouts: u64 =
        steps.iter().flat_map(|step| step.tasks.values()).map(|t| u64::from(t.rollouts)).sum();
    if rollouts > 0 {
        facts.push(format!("{rollouts} outputs"));
    }
    let training: f64 = steps.iter().flat_map(|step| step.seconds.values()).sum::<f64>()
        + events.iter().map(supervised_seconds).sum::<f64>();
    if training > 0.0 {
        facts.push(format!("{} in training steps", duration(training)));
    }
    let evaluating: f64 = events
        .iter()
        .map(|event| match event {
            Event::Eval(eval) => eval.seconds,
            _ => 0.0,
        })
        .sum();
    if evaluating > 0.0 {
        facts.push(format!("{} in evaluations", duration(evaluating)));
    }
    let _ = write!(body, "<p class=\"facts\">{}</p>", escape(&facts.join(" · ")));
}

fn supervised_seconds(event: &Event) -> f64 {
    match event {
        Event::Supervised(step) => step.seconds,
        _ => 0.0,
    }
}

fn before_and_after(body: &mut String, events: &[Event]) {
    body.push_str("<h2>Before and after</h2>");
    let Some(summary) = Summary::of(events) else {
        body.push_str("<p class=\"none\">Nothing was evaluated.</p>");
        return;
    };
    let head = summary.head();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    body.push_str(&table(&head, &summary.cells()));
    let _ = write!(body, "<p class=\"note\">{}</p>", escape(&summary.caption()));
}

/// The last test, or else the last validation, table by table.
fn evaluation(body: &mut String, events: &[Event], tasks: &[String]) {
    let last = |purpose: &str| {
        events.iter().rev().find_map(|event| match event {
            Event::Eval(eval) if eval.purpose == purpose => Some(eval),
            _ => None,
        })
    };
    let Some(eval) = last("test").or_else(|| last("validation")) else { return };
    let _ = write!(body, "<h2>Evaluation at step {}</h2>", eval.step);
    for shown in eval_tables(eval, tasks) {
        let head: Vec<&str> = shown.head.iter().map(String::as_str).collect();
        let _ = write!(body, "<h3>{}</h3>", escape(&shown.title));
        body.push_str(&table(&head, &shown.rows));
        if !shown.note.is_empty() {
            let _ = write!(body, "<p class=\"note\">{}.</p>", escape(&shown.note));
        }
    }
}

fn undefined(body: &mut String, steps: &[&StepEvent], tasks: &[String]) {
    body.push_str("<h2>What could not be scored</h2>");
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut rollouts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (task, step) in steps.iter().flat_map(|step| &step.tasks) {
        let outputs = rollouts.entry(task).or_default();
        outputs.0 += u64::from(step.rollouts);
        outputs.1 += u64::from(step.valid);
        for (kind, count) in &step.undefined {
            *counts.entry((task, kind)).or_default() += count;
        }
    }
    let kinds: BTreeSet<&str> = counts.keys().map(|(_, kind)| *kind).collect();
    if kinds.is_empty() {
        body.push_str("<p class=\"none\">Every component of every training output was scored.</p>");
        return;
    }
    let mut head = vec!["task", "outputs", "excluded"];
    head.extend(kinds.iter().copied());
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .filter_map(|task| {
            let (outputs, valid) = rollouts.get(task.as_str())?;
            let mut row = vec![task.clone(), outputs.to_string(), (outputs - valid).to_string()];
            row.extend(kinds.iter().map(|kind| {
                counts.get(&(task.as_str(), *kind)).copied().unwrap_or_default().to_string()
            }));
            Some(row)
        })
        .collect();
    body.push_str(&table(&head, &rows));
    body.push_str(
        "<p class=\"note\">Undefined components of training outputs, by the kind of their reason. \
         They are left out, never counted as zero.</p>",
    );
}

#[cfg(test)]
mod tests {
    use omni_record::{Component, Finish, ReasonKind, SampleOutput, TaskStep, Undefined, Value};

    use super::*;

    fn step(number: u64, reward: f64) -> Event {
        let task = TaskStep {
            prompts: 4,
            rollouts: 32,
            valid: 30,
            reward_mean: Some(reward),
            entropy: Some(1.5),
            undefined: BTreeMap::from([("fuel".to_owned(), 2)]),
            ..TaskStep::default()
        };
        Event::Step(StepEvent {
            step: number,
            tasks: BTreeMap::from([("math".to_owned(), task)]),
            loss: 0.1,
            seconds: BTreeMap::from([("generate".to_owned(), 0.2)]),
            ..StepEvent::default()
        })
    }

    fn hostile() -> Sample {
        Sample {
            step: 1,
            purpose: "train".into(),
            task: "math".into(),
            item: "\"><img src=x onerror=alert(1)>".into(),
            turn: None,
            set: None,
            prompt: "</pre><script>alert(2)</script>".into(),
            reference: Some("<svg/onload=alert(3)>".into()),
            problem: None,
            seed: None,
            outputs: vec![SampleOutput {
                text: "</details><iframe>".into(),
                tokens: 3,
                finish: Finish::Stop,
                reward: None,
                advantage: None,
                components: vec![Component {
                    name: "accuracy".into(),
                    value: Value::Undefined(Undefined {
                        kind: ReasonKind::Trap,
                        message: "<b>boom</b>".into(),
                    }),
                }],
            }],
        }
    }

    #[test]
    fn a_page_shows_curves_and_counts() {
        let page = run_page("demo", &[step(1, 0.2), step(2, 0.4)], &[]);
        assert!(page.contains("Reward of training outputs"));
        assert!(page.contains("<td>64</td><td>4</td><td>4</td>"), "{page}");
        assert!(!page.contains("KL to the reference"));
    }

    #[test]
    fn a_page_shows_the_last_evaluation_and_what_rewards_were_mapped_by() {
        let eval = |purpose: &str, step: u64| {
            Event::Eval(omni_record::EvalEvent {
                step,
                purpose: purpose.into(),
                tasks: BTreeMap::from([(
                    "math".to_owned(),
                    omni_record::TaskEval { unsupported: 7, ..Default::default() },
                )]),
                ..Default::default()
            })
        };
        let mut mapped = step(2, 0.4);
        if let Event::Step(step) = &mut mapped
            && let Some(task) = step.tasks.get_mut("math")
        {
            task.reward_map = Some(omni_record::RewardMap { median: 0.4, spread: 0.1 });
        }
        let events = [step(1, 0.2), mapped, eval("test", 2), eval("validation", 3)];
        let page = run_page("demo", &events, &[]);
        assert!(page.contains("Evaluation at step 2"), "tests stand above validations");
        assert!(page.contains("<th>unsupported</th>") && page.contains("<td>7</td>"));
        assert!(page.contains("Running median that rewards are mapped by"));
        let page = run_page("demo", &[step(1, 0.2)], &[]);
        assert!(!page.contains("Evaluation at") && !page.contains("Running median"));
    }

    #[test]
    fn nothing_that_a_model_wrote_becomes_markup() {
        let page = run_page("<i>name</i>", &[step(1, 0.2)], &[hostile()]);
        for tag in ["<script", "<img", "<iframe", "<b>", "<i>name", "onload=alert(3)>"] {
            assert!(!page.contains(tag), "{tag} in {page}");
        }
    }

    #[test]
    fn the_same_records_give_the_same_bytes() {
        let events = [step(1, 0.2), step(2, 0.4)];
        assert_eq!(run_page("a", &events, &[hostile()]), run_page("a", &events, &[hostile()]));
    }

    #[test]
    fn an_empty_run_has_a_page_too() {
        let page = run_page("empty", &[], &[]);
        assert!(page.contains("Nothing was evaluated") && page.contains("No samples were kept"));
    }
}
