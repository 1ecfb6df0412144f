//! `study.json`: what a study knows so far.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use omni_curriculum::{Confidence, Prediction, all_orders};
use omni_record::{
    Gain, Measure, MeasuredOrder, Method, MethodKind, MethodRun, OrderRecord, Progress, RunFolder,
    STUDY_VERSION, Study, TaskMeasure,
};

use crate::compare::Gained;
use crate::config::{Outputs, Rule, StudyConfig};
use crate::evidence::{Gathered, by_rule};
use crate::execute::Standing;
use crate::facts::Facts;
use crate::finished::Finished;
use crate::graph::{Row, RowRun};
use crate::ranking::{Trained, rank};
use crate::statistics::deviation;
use crate::tested::{Test, Tested};

/// What a record is made of.
pub(crate) struct Sources<'a> {
    pub(crate) root: &'a Path,
    pub(crate) name: &'a str,
    pub(crate) study: &'a StudyConfig,
    pub(crate) facts: &'a Facts,
    pub(crate) standing: &'a Standing,
    pub(crate) tested: &'a Tested,
    pub(crate) pooled: Option<&'a Gathered>,
    pub(crate) by_seed: &'a [Gathered],
    pub(crate) confidence: Option<&'a Confidence>,
}

/// Puts it together.
pub(crate) fn build(sources: &Sources<'_>) -> Study {
    let (study, facts, standing) = (sources.study, sources.facts, sources.standing);
    let several = sources.by_seed.len() > 1;
    let by_seed = sources.by_seed.iter().filter(|_| several);
    let evidence = sources.pooled.into_iter().chain(by_seed);
    let seconds = |record: &Finished| record.processor_seconds.unwrap_or(record.seconds);
    let trained = trained(sources);
    let pooled = sources.pooled;
    Study {
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
        methods: table(sources),
        evidence: evidence.map(|gathered| gathered.record.clone()).collect(),
        orders: pooled.map(|pooled| orders(sources, pooled, &trained)).unwrap_or_default(),
        ranking: pooled.and_then(|pooled| rank(pooled, &trained, &study.seeds)),
    }
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

/// The rows of the table: what was chosen and what it is compared with, then the other orders.
fn table(sources: &Sources<'_>) -> Vec<Method> {
    let rows = &sources.standing.graph.rows;
    let mut methods: Vec<Method> = rows.iter().filter_map(|row| method(sources, row)).collect();
    methods.sort_by_key(|method| method.kind == MethodKind::Order);
    methods
}

/// A row of the table; none before its first test is done.
fn method(sources: &Sources<'_>, row: &Row) -> Option<Method> {
    let runs: Vec<MethodRun> = row
        .runs
        .iter()
        .filter_map(|run| Some(method_run(sources, run, sources.tested.get(&run.test)?)))
        .collect();
    let order = row.order.as_ref().map(|order| names(sources, order));
    (!runs.is_empty()).then(|| Method {
        name: row.name.clone(),
        kind: row.kind,
        label: row.label.clone(),
        order,
        runs,
    })
}

fn method_run(sources: &Sources<'_>, run: &RowRun, test: &Test) -> MethodRun {
    let done = &sources.standing.done;
    let validation = run.validation.as_ref().and_then(|id| sources.tested.get(id));
    let steps = &sources.standing.graph.steps;
    let costs = run.made_by.iter().filter_map(|id| steps.iter().find(|step| step.id == *id));
    let costs: Vec<_> = costs.map(|step| step.cost).collect();
    MethodRun {
        seed: run.seed,
        test: test.tasks.clone(),
        validation: validation.map(|it| it.tasks.clone()).unwrap_or_default(),
        steps: run.made_by.iter().map(|id| steps_of(&sources.root.join(id))).sum(),
        prompts: costs.iter().filter_map(|cost| cost.prompts).sum(),
        seconds: run.made_by.iter().filter_map(|id| done.get(id)).map(alone).sum(),
        gain: test
            .gained
            .as_ref()
            .map(|gained| Gain { score: gained.score, standard_error: gained.standard_error() }),
        runs: run.made_by.iter().map(PathBuf::from).collect(),
        outputs: Some(PathBuf::from(&run.test)),
    }
}

/// Optimizer steps that a run took.
fn steps_of(run: &Path) -> u64 {
    RunFolder::new(run).checkpoint_steps().ok().and_then(|steps| steps.last().copied()).unwrap_or(0)
}

/// Seconds that a step would have taken with nothing beside it: what its processors worked, shared
/// out among its threads.
fn alone(record: &Finished) -> f64 {
    record
        .processor_seconds
        .map_or(record.seconds, |seconds| seconds / record.threads.max(1) as f64)
}

/// Whole orders that were trained and tested, with their gains.
fn trained(sources: &Sources<'_>) -> Vec<Trained> {
    whole_orders(sources)
        .filter_map(|(order, row)| {
            let by_seed: Vec<(u64, Gained)> = row
                .runs
                .iter()
                .filter_map(|run| Some((run.seed, sources.tested.get(&run.test)?.gained.clone()?)))
                .collect();
            (!by_seed.is_empty()).then(|| Trained { order: order.clone(), by_seed })
        })
        .collect()
}

fn whole_orders<'a>(
    sources: &'a Sources<'_>,
) -> impl Iterator<Item = (&'a Vec<usize>, &'a Row)> + use<'a> {
    let rows = sources.standing.graph.rows.iter();
    rows.filter(|row| matches!(row.kind, MethodKind::Curriculum | MethodKind::Order))
        .filter_map(|row| Some((row.order.as_ref()?, row)))
}

/// Every order, best predicted first; of more than eight tasks those that a rule chooses or that
/// were trained.
fn orders(sources: &Sources<'_>, pooled: &Gathered, trained: &[Trained]) -> Vec<OrderRecord> {
    let evidence = &pooled.evidence;
    let all = all_orders(evidence);
    let rules = [
        ("exact", by_rule(evidence, Rule::Exact)),
        ("greedy", by_rule(evidence, Rule::Greedy)),
        ("forgettability", by_rule(evidence, Rule::Forgettability)),
    ];
    let mut chosen: Vec<(&str, Vec<usize>)> = rules.into();
    chosen.extend(all.as_ref().and_then(|all| Some(("worst", all.last()?.order.clone()))));
    let mut predictions = all.unwrap_or_default();
    let named = chosen.iter().map(|(_, order)| order);
    for order in named.chain(trained.iter().map(|it| &it.order)) {
        if predictions.iter().all(|it| it.order != *order) {
            predictions.push(Prediction::of(evidence, order));
        }
    }
    predictions.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.order.cmp(&b.order)));
    predictions.iter().map(|it| order_record(sources, pooled, it, &chosen)).collect()
}

fn order_record(
    sources: &Sources<'_>,
    pooled: &Gathered,
    prediction: &Prediction,
    chosen: &[(&str, Vec<usize>)],
) -> OrderRecord {
    let order = &prediction.order;
    let tasks = sources.facts.names();
    let samples = 0..pooled.transfer.resampled.len();
    let again: Vec<Vec<f64>> =
        samples.clone().map(|at| pooled.resampled_accuracies(order, at)).collect();
    let error = |task: usize| deviation(&again.iter().map(|it| it[task]).collect::<Vec<_>>());
    let scores: Vec<f64> = samples.map(|at| pooled.resampled_score(order, at)).collect();
    let standing = sources.confidence.and_then(|confidence| {
        confidence.standings.iter().find(|standing| standing.order == *order)
    });
    let flags = pooled.entropy.as_ref().map(|entropy| entropy.flags(order)).unwrap_or_default();
    let by_name =
        |values: Vec<f64>| -> BTreeMap<String, f64> { tasks.iter().cloned().zip(values).collect() };
    OrderRecord {
        order: names(sources, order),
        predicted: by_name(prediction.accuracies.clone()),
        predicted_errors: by_name((0..tasks.len()).map(error).collect()),
        score: prediction.score,
        score_error: Some(deviation(&scores)),
        probability: sources.confidence.map(|_| standing.map_or(0.0, |it| it.probability)),
        indistinguishable: standing.is_some_and(omni_curriculum::Standing::is_indistinguishable),
        entropy_flags: flags
            .iter()
            .map(|flag| (tasks[flag.raising].clone(), tasks[flag.lowering].clone()))
            .collect(),
        chosen_by: chosen
            .iter()
            .filter(|(_, by)| by == order)
            .map(|(rule, _)| (*rule).to_owned())
            .collect(),
        measured: measured(sources, order),
    }
}

fn measured(sources: &Sources<'_>, order: &[usize]) -> Vec<MeasuredOrder> {
    let rows = whole_orders(sources).filter(|(of, _)| of.as_slice() == order);
    rows.flat_map(|(_, row)| &row.runs)
        .filter_map(|run| {
            let test = sources.tested.get(&run.test)?;
            let gained = test.gained.as_ref()?;
            let of = |(name, task): (&String, &TaskMeasure)| (name.clone(), task.accuracy.mean);
            Some(MeasuredOrder {
                seed: run.seed,
                accuracy: test.tasks.iter().map(of).collect(),
                score: gained.score,
                standard_error: gained.standard_error(),
            })
        })
        .collect()
}

fn names(sources: &Sources<'_>, order: &[usize]) -> Vec<String> {
    order.iter().map(|&task| sources.facts.tasks[task].name.clone()).collect()
}
