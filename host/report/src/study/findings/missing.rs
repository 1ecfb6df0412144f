//! What a study that is not finished lacks.

use std::collections::BTreeMap;

use omni_record::MethodKind;

use super::count;
use crate::chart::short;
use crate::study::names::label;
use crate::study::numbers::Numbers;

/// Failed steps that are named, and characters of what each said.
const FAILED: usize = 5;
const SAID: usize = 240;

/// What is missing while a study is not finished; none for one that is.
pub(in crate::study) fn missing(numbers: &Numbers<'_>) -> Vec<String> {
    let study = numbers.study;
    let progress = &study.progress;
    let mut said = Vec::new();
    let unfinished = progress.done < progress.total || !progress.failed.is_empty();
    if !unfinished {
        return said;
    }
    said.push(format!(
        "This study is not finished: {} of the {} steps known so far are done. What follows is made \
         of what there is.",
        progress.done, progress.total
    ));
    if numbers.base.is_none_or(|base| base.runs.is_empty()) {
        said.push("The base is not evaluated yet, so there are no gains.".into());
    }
    if study.evidence.is_empty() {
        said.push(
            "The single-task runs are not finished, so there are neither matrices nor predictions."
                .into(),
        );
    }
    let trained = numbers.trained().count();
    if !study.orders.is_empty() && trained == 0 {
        said.push("No order has been trained yet.".into());
    }
    for method in &study.methods {
        let runs = method.runs.iter();
        let lacks = runs.filter(|r| study.tasks.iter().any(|t| !r.test.contains_key(t))).count();
        if lacks > 0 {
            said.push(format!(
                "{}: {} without all of the tasks.",
                label(method),
                count(lacks, "evaluation")
            ));
        } else if method.kind != MethodKind::Base
            && !method.runs.is_empty()
            && method.runs.len() < study.seeds.len()
            && method.kind != MethodKind::Order
        {
            said.push(format!(
                "{} has {} of {} seeds.",
                label(method),
                method.runs.len(),
                study.seeds.len()
            ));
        }
    }
    said.extend(failed(&progress.failed));
    said
}

/// Failed steps with the last that each said; its log has the rest.
fn failed(steps: &BTreeMap<String, String>) -> Vec<String> {
    let why = |said: &str| {
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        short(last.unwrap_or("it said nothing"), SAID)
    };
    let mut all: Vec<String> = steps
        .iter()
        .take(FAILED)
        .map(|(step, said)| format!("{step} failed: {}", why(said)))
        .collect();
    if steps.len() > FAILED {
        all.push(format!("{} failed as well.", count(steps.len() - FAILED, "further step")));
    }
    all
}
