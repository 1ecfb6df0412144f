//! What is found of single-task training: transfers, entropy, the floor.

use super::{count, list, rule, signed};
use crate::study::matrices;
use crate::study::numbers::{NORMAL, Numbers};

pub(super) fn transfers(numbers: &Numbers<'_>) -> Option<String> {
    let evidence = matrices::shown(numbers.study)?;
    let (all, below, above) = matrices::clear(evidence, numbers.study.tasks.len())?;
    (all > 0).then(|| {
        format!(
            "Of {} between different tasks, {below} {} and {above} {} clearly (further from zero \
             than {NORMAL} standard errors); {} cannot be told from none. About one in twenty would \
             seem clear by chance.",
            count(all, "transfer"),
            if below == 1 { "hurts" } else { "hurt" },
            if above == 1 { "helps" } else { "help" },
            all - below - above
        )
    })
}

/// Mean change of the other tasks' entropy by training one.
pub(super) fn entropy(numbers: &Numbers<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let tasks = &numbers.study.tasks;
    let matrix = matrices::shown(numbers.study).and_then(|e| e.entropy_change.as_ref());
    if let Some(matrix) = matrix.filter(|m| tasks.len() > 1 && m.len() == tasks.len()) {
        let others = |row: usize| {
            let of = matrix[row].iter().enumerate().filter(|(j, v)| *j != row && v.is_finite());
            let values: Vec<f64> = of.map(|(_, v)| *v).collect();
            values.iter().sum::<f64>() / values.len().max(1) as f64
        };
        let words: Vec<String> = tasks
            .iter()
            .enumerate()
            .map(|(row, task)| format!("{task} {} %", signed(others(row))))
            .collect();
        said.push(format!(
            "Mean change of the other tasks' token entropy by training on one: {}.",
            list(&words)
        ));
    }
    let flagged = numbers.study.orders.iter().filter(|o| !o.entropy_flags.is_empty()).count();
    if flagged > 0 {
        let chosen = numbers.study.orders.iter().find(|o| rule(o, "exact"));
        let chosen = match chosen {
            Some(order) if !order.entropy_flags.is_empty() => ", the one predicted best among them",
            Some(_) => ", but not against the one predicted best",
            None => "",
        };
        said.push(format!(
            "Entropy speaks against {flagged} of {}{chosen} (METHOD section 5: a task that raises \
             the others' entropy comes before one that lowers it).",
            count(numbers.study.orders.len(), "order")
        ));
    }
    said
}

pub(super) fn floor(numbers: &Numbers<'_>) -> Option<String> {
    let floor = numbers.study.measure.floor;
    let acted: Vec<String> = numbers
        .study
        .evidence
        .iter()
        .flat_map(|e| e.floored.iter().map(move |(task, by)| (e.seed, task, by)))
        .map(|(seed, task, by)| {
            let by =
                by.as_ref().map_or("the base".to_owned(), |by| format!("after training on {by}"));
            let seed = seed.map_or(String::new(), |seed| format!(", seed {seed}"));
            format!("{task} ({by}{seed})")
        })
        .collect();
    (!acted.is_empty()).then(|| {
        format!(
            "Accuracies below the floor of {floor} were counted as it in logarithms, so these \
             transfers say only that they are extreme: {}.",
            list(&acted)
        )
    })
}
