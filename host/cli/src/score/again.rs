//! A recorded run's samples, scored again from its record, and compared with what it recorded.

use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use omni_record::{GroupScore, Item, Rollout, RunFolder, Sample, Value};
use omni_train::reward::RewardSpec;
use serde_json::json;

use super::output::Output;
use super::setup::Setup;
use super::totals::Totals;
use super::{scores, spread};
use crate::args::Score;
use crate::console;
use crate::fault::{Blame as _, Fault, Outcome};

/// Samples in memory with their scores at a time.
const BATCH: usize = 1024;
/// Differences that are told one by one.
const TOLD: usize = 20;

/// Scores the samples of the run's entry again.
pub(super) fn run(setup: &Setup, score: &Score, folder: &Path) -> Outcome<()> {
    let Some((label, spec)) = &setup.entry else {
        return Err(Fault::input("--replay: the recorded run has no such entry"));
    };
    let file = RunFolder::new(folder).samples_jsonl();
    let samples = RunFolder::new(folder).samples().or_input()?;
    let samples: Vec<Sample> = samples.into_iter().filter(|it| it.task == *label).collect();
    if samples.is_empty() {
        return Err(Fault::input(format!(
            "{}: holds no sample of `{label}`; name rows to score with --input, or record more \
             with `checkpoint.samples_per_step`",
            file.display()
        )));
    }
    let mut output = Output::open(score.output.as_deref())?;
    let (started, mut totals) = (Instant::now(), Totals::default());
    let (mut old, mut outputs) = (0, 0);
    let mut differ: Vec<String> = Vec::new();
    for batch in samples.chunks(BATCH) {
        let next = AtomicUsize::new(0);
        let results = spread(setup.threads, batch.len(), &next, &|index| {
            let sample = &batch[index];
            let (Some(item), Some(seed)) = (&sample.problem, sample.seed) else { return None };
            Some((item.id.clone(), rescore(setup, sample, item, seed)))
        })?;
        for (sample, result) in batch.iter().zip(results) {
            let Some((id, scored)) = result else {
                old += 1;
                continue;
            };
            outputs += sample.outputs.len();
            differ.extend(differences(sample, &scored, spec));
            totals.add(sample.outputs.len(), &scored);
            output.write(&json!({
                "id": id,
                "step": sample.step,
                "purpose": sample.purpose,
                "scores": scores(&setup.components, &scored),
                "fuel": {"reward": scored.fuel.reward, "programs": scored.fuel.programs},
            }))?;
        }
    }
    output.finish()?;
    totals.say(started.elapsed().as_secs_f64());
    if old > 0 {
        console::say(format!(
            "{old} samples were left out: an older omni-host recorded them without their problem"
        ));
    }
    for line in differ.iter().take(TOLD) {
        console::say(console::printable(line));
    }
    if differ.is_empty() {
        console::say(format!("{outputs} outputs score as the run recorded them"));
        return Ok(());
    }
    Err(Fault::run(format!(
        "{} of {outputs} outputs score otherwise than the run recorded them",
        differ.len()
    )))
}

fn rescore(setup: &Setup, sample: &Sample, item: &Item, seed: u32) -> GroupScore {
    let rollouts: Vec<Rollout> = sample
        .outputs
        .iter()
        .map(|output| Rollout {
            text: output.text.clone(),
            tokens: output.tokens,
            finish: output.finish,
        })
        .collect();
    setup.task.score(item, &rollouts, seed)
}

/// Outputs that score otherwise, one line each.
fn differences(sample: &Sample, scored: &GroupScore, spec: &RewardSpec) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, (output, components)) in sample.outputs.iter().zip(&scored.rollouts).enumerate() {
        let reward = spec.outcome(components).reward();
        let same_components = output.components.len() == components.len()
            && output
                .components
                .iter()
                .zip(components)
                .all(|(was, is)| was.name == is.name && same(&was.value, &is.value));
        if same_components && reward.map(f64::to_bits) == output.reward.map(f64::to_bits) {
            continue;
        }
        let first = output
            .components
            .iter()
            .filter_map(|was| {
                let is = components.iter().find(|is| is.name == was.name)?;
                (!same(&was.value, &is.value)).then(|| {
                    format!("`{}` was {}, is {}", was.name, word(&was.value), word(&is.value))
                })
            })
            .next()
            .unwrap_or_else(|| format!("the reward was {:?}, is {reward:?}", output.reward));
        lines.push(format!(
            "step {}, {}, item {}, output {}: {first}",
            sample.step,
            sample.purpose,
            sample.item,
            index + 1
        ));
    }
    lines
}

/// The same score to the last bit, or undefined for the same kind of reason.
fn same(was: &Value, is: &Value) -> bool {
    match (was, is) {
        (Value::Scored(was), Value::Scored(is)) => was.to_bits() == is.to_bits(),
        (Value::Undefined(was), Value::Undefined(is)) => {
            was.kind == is.kind && was.judge_failure() == is.judge_failure()
        }
        _ => false,
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Scored(score) => score.to_string(),
        Value::Undefined(why) => format!("undefined ({}: {})", why.kind.as_str(), why.message),
    }
}
