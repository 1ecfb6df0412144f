//! What a study that is not finished lacks.

use omni_record::MethodKind;

use super::count;
use crate::study::names::label;
use crate::study::numbers::Numbers;

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
    said.extend(progress.failed.iter().map(|(step, why)| format!("{step} failed: {why}")));
    said
}
