//! How a study was measured, in sentences.

use std::fmt::Write as _;

use super::accuracy::errors;
use super::numbers::Numbers;
use crate::html::escape;

/// The section's HTML.
pub(super) fn html(numbers: &Numbers<'_>) -> String {
    let mut out = String::from("<ul>");
    for sentence in sentences(numbers) {
        let _ = write!(out, "<li>{}</li>", escape(&sentence));
    }
    out.push_str("</ul>");
    out
}

fn sentences(numbers: &Numbers<'_>) -> Vec<String> {
    let (study, measure) = (numbers.study, &numbers.study.measure);
    let outputs = match (measure.outputs.as_str(), measure.temperature) {
        ("sampled", Some(temperature)) => format!(
            "Accuracy is the mean metric of {} sampled output{} an item at temperature {temperature}.",
            measure.samples,
            if measure.samples == 1 { "" } else { "s" }
        ),
        ("greedy", _) => "Accuracy is the mean metric of one greedy output an item.".to_owned(),
        (other, _) => format!("Accuracy is the mean metric of {other} outputs."),
    };
    let mut all = vec![
        outputs,
        format!(
            "Tables and measured gains are of the test splits ({} items a task); matrices, \
             predictions, chosen orders and checkpoints come from the validation splits ({} items a \
             task). Whether the splits share items is not checked here.",
            measure.test_items, measure.validation_items
        ),
        format!("± is one standard error, in accuracies and measured gains {}.", errors(numbers)),
        "Two methods are told apart where the 95 % interval of their difference leaves zero out. It \
         is the wider of two: Student's t over the differences seed by seed (with two seeds or \
         more), and 1.96 standard errors over items, which are added as if both methods had been \
         evaluated on different items, though they share the items and the base: where errors over \
         items decide, two methods are rather called alike too often. Many comparisons are made; \
         one in twenty would be clear by chance."
            .to_owned(),
        format!(
            "Mean log gain (eq. 14) is Σ α ln(accuracy / base accuracy) / Σ α over the tasks, with \
             weights α: {}. Accuracies below {} count as it in logarithms.",
            weights(numbers),
            measure.floor
        ),
        format!(
            "Standard errors of transfers, of predictions and the chances of being best come from \
             {} bootstrap samples of the items, drawn alike for all policies (paired). They know \
             nothing of training's own noise.",
            measure.bootstrap
        ),
        "Predictions multiply what a task reached when trained alone by the transfers of all tasks \
         that come after it. That supposes each phase long enough to saturate its task, and \
         transfers that do not depend on what was trained before. Beside measurements, a predicted \
         accuracy is the base's test accuracy × e^(predicted log gain), so that a difference between \
         the splits is in neither."
            .to_owned(),
    ];
    if study.seeds.len() > 1 {
        all.push(
            "Where evidence is the mean over seeds, predictions and orders come from that mean."
                .to_owned(),
        );
    }
    all
}

fn weights(numbers: &Numbers<'_>) -> String {
    let study = numbers.study;
    let of = |index: usize| numbers.weight(index);
    if (0..study.tasks.len()).all(|index| of(index) == of(0)) {
        return "all alike".to_owned();
    }
    let all: Vec<String> =
        study.tasks.iter().enumerate().map(|(i, task)| format!("{task} {}", of(i))).collect();
    all.join(", ")
}
