//! `study.json`: what a study knows so far.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use omni_record::{
    Measure, Method, MethodRun, Progress, STUDY_VERSION, Study, TaskEval, TaskMeasure,
};

use crate::StudyError;
use crate::config::{Outputs, StudyConfig};
use crate::evidence::{Gathered, eval_event};
use crate::execute::Standing;
use crate::facts::Facts;
use crate::graph::{Row, RowRun};

/// What a record is made of.
pub(crate) struct Sources<'a> {
    pub(crate) root: &'a Path,
    pub(crate) name: &'a str,
    pub(crate) study: &'a StudyConfig,
    pub(crate) facts: &'a Facts,
    pub(crate) standing: &'a Standing,
    pub(crate) pooled: Option<&'a Gathered>,
    pub(crate) by_seed: &'a [Gathered],
}

/// Puts it together.
pub(crate) fn build(sources: &Sources<'_>) -> Result<Study, StudyError> {
    let (study, facts, standing) = (sources.study, sources.facts, sources.standing);
    let mut methods = Vec::new();
    for row in &standing.graph.rows {
        methods.extend(method(sources, row)?);
    }
    let several = sources.by_seed.len() > 1;
    let by_seed = sources.by_seed.iter().filter(|_| several);
    let evidence = sources.pooled.into_iter().chain(by_seed);
    let seconds = |record: &crate::Finished| record.processor_seconds.unwrap_or(record.seconds);
    Ok(Study {
        version: STUDY_VERSION,
        name: sources.name.to_owned(),
        tasks: facts.names(),
        weights: facts.tasks.iter().map(|task| task.weight).collect(),
        seeds: study.seeds.clone(),
        measure: measure(study, facts),
        progress: Progress {
            done: standing.done.len() as u32,
            total: standing.graph.steps.len() as u32,
            seconds: standing.done.values().map(seconds).sum(),
            failed: standing.failed.clone(),
        },
        methods,
        evidence: evidence.map(|gathered| gathered.record.clone()).collect(),
        orders: Vec::new(),
        ranking: None,
    })
}

fn measure(study: &StudyConfig, facts: &Facts) -> Measure {
    let outputs = facts.outputs_of(study);
    let test = facts.test_of(study);
    let sampled = outputs == Outputs::Sampled;
    Measure {
        outputs: if sampled { "sampled" } else { "greedy" }.into(),
        temperature: sampled.then_some(test.temperature),
        samples: if sampled { test.samples } else { 1 },
        test_items: test.items,
        validation_items: facts.validation_of(study).items,
        floor: study.evidence.floor,
        bootstrap: study.evidence.bootstrap,
    }
}

/// A row of the table; none before its first test is done.
fn method(sources: &Sources<'_>, row: &Row) -> Result<Option<Method>, StudyError> {
    let mut runs = Vec::new();
    for run in &row.runs {
        if sources.standing.done.contains_key(&run.test) {
            runs.push(method_run(sources, run)?);
        }
    }
    let tasks = &sources.facts.tasks;
    let order = row.order.as_ref();
    let order = order.map(|order| order.iter().map(|&it| tasks[it].name.clone()).collect());
    Ok((!runs.is_empty()).then(|| Method {
        name: row.name.clone(),
        kind: row.kind,
        label: row.label.clone(),
        order,
        runs,
    }))
}

fn method_run(sources: &Sources<'_>, run: &RowRun) -> Result<MethodRun, StudyError> {
    let done = &sources.standing.done;
    let validation = match &run.validation {
        Some(id) if done.contains_key(id) => measured(sources, id)?,
        _ => BTreeMap::new(),
    };
    let steps = &sources.standing.graph.steps;
    let costs = run.made_by.iter().filter_map(|id| steps.iter().find(|step| step.id == *id));
    let costs: Vec<_> = costs.map(|step| step.cost).collect();
    Ok(MethodRun {
        seed: run.seed,
        test: measured(sources, &run.test)?,
        validation,
        steps: costs.iter().filter_map(|cost| cost.steps).sum(),
        prompts: costs.iter().filter_map(|cost| cost.prompts).sum(),
        seconds: run.made_by.iter().filter_map(|id| done.get(id)).map(|it| it.seconds).sum(),
        runs: run.made_by.iter().map(PathBuf::from).collect(),
        outputs: Some(PathBuf::from(&run.test)),
        ..MethodRun::default()
    })
}

/// An evaluation by task; tasks without an accuracy are left out.
fn measured(sources: &Sources<'_>, id: &str) -> Result<BTreeMap<String, TaskMeasure>, StudyError> {
    let outputs = sources.facts.outputs_of(sources.study);
    let event = eval_event(sources.root, id)?;
    let of = |task: &TaskEval| {
        let accuracy = match outputs {
            Outputs::Sampled => task.sampled,
            Outputs::Greedy => task.greedy,
        };
        Some(TaskMeasure {
            accuracy: accuracy?,
            entropy: task.entropy,
            rouge_l: task.rouge_l.map(|rouge| rouge.mean),
            completion_length: task.completion_length,
        })
    };
    Ok(event.tasks.iter().filter_map(|(name, task)| Some((name.clone(), of(task)?))).collect())
}
