//! Both matrices as heat maps, with what each task's own training did set apart.

use omni_record::{Study, StudyEvidence};

use super::numbers::{NORMAL, Numbers};
use crate::chart::{HeatCell, HeatMap};
use crate::table::{Cell, Column, Form, Table};

/// The evidence that the page shows: the mean over seeds, else the first seed's.
pub(super) fn shown(study: &Study) -> Option<&StudyEvidence> {
    study.evidence.iter().find(|e| e.seed.is_none()).or_else(|| study.evidence.first())
}

/// An entry of a matrix; none where the record is short.
fn at(matrix: &[Vec<f64>], row: usize, column: usize) -> Option<f64> {
    matrix.get(row)?.get(column).copied().filter(|value| value.is_finite())
}

/// `ln(self / base)`: what a task's own training did for it.
fn own(numbers: &Numbers<'_>, evidence: &StudyEvidence, task: usize) -> Option<f64> {
    let (base, own) = (evidence.base_accuracy.get(task)?, evidence.self_accuracy.get(task)?);
    Some(numbers.log(*own) - numbers.log(*base)).filter(|value| value.is_finite())
}

/// A standard error; none in evidence without any.
fn error(evidence: &StudyEvidence, row: usize, column: usize) -> Option<f64> {
    let made = evidence.standard_errors.iter().flatten().any(|error| *error > 0.0);
    at(&evidence.standard_errors, row, column).filter(|_| made)
}

/// The seed of evidence; the mean over one seed is that seed's.
fn seed(numbers: &Numbers<'_>, evidence: &StudyEvidence) -> String {
    match (evidence.seed, &numbers.study.seeds[..]) {
        (Some(seed), _) => format!("seed {seed}"),
        (None, [seed]) => format!("seed {seed}"),
        (None, _) => "mean over seeds".to_owned(),
    }
}

/// Backward transfer: rows evaluated, columns trained.
pub(super) fn transfer(numbers: &Numbers<'_>, evidence: &StudyEvidence) -> HeatMap {
    let tasks = &numbers.study.tasks;
    let cell = |row: usize, column: usize| {
        let value = if row == column {
            own(numbers, evidence, row)
        } else {
            at(&evidence.backward_transfer, row, column)
        };
        let text = value.map_or("–".to_owned(), |value| Form::Signed.number(value));
        let below = error(evidence, row, column)
            .map_or(String::new(), |error| format!("± {}", Form::Percent.number(error)));
        HeatCell { value: value.unwrap_or(f64::NAN), text: (text, below), apart: row == column }
    };
    HeatMap {
        title: format!("Backward transfer ({})", seed(numbers, evidence)),
        caption:
            "Rows: the task evaluated. Columns: the task trained alone, from the base. Change \
                  of ln accuracy ×100 on validation splits, ± one standard error (paired bootstrap \
                  over items). In dashed frames: what training on a task did for itself."
                .into(),
        rows: "evaluated on".into(),
        columns: "trained on".into(),
        names: tasks.clone(),
        cells: square(tasks.len(), cell),
        ends: ("hurt".into(), "helped".into()),
        form: Some(|value| Form::Signed.number(value)),
    }
}

/// Entropy changes: rows trained, columns evaluated.
pub(super) fn entropy(numbers: &Numbers<'_>, evidence: &StudyEvidence) -> Option<HeatMap> {
    let matrix = evidence.entropy_change.as_ref()?;
    let tasks = &numbers.study.tasks;
    let cell = |row: usize, column: usize| {
        let value = at(matrix, row, column);
        let text = value.map_or("–".to_owned(), |value| Form::Signed.number(value));
        HeatCell {
            value: value.unwrap_or(f64::NAN),
            text: (text, String::new()),
            apart: row == column,
        }
    };
    Some(HeatMap {
        title: format!("Change of token entropy ({})", seed(numbers, evidence)),
        caption: "Rows: the task trained alone, from the base. Columns: the task evaluated (the \
                  other way round than in backward transfer, as in the paper). Relative change in \
                  percent at T = 1 on validation prompts. In dashed frames: a task's effect on \
                  itself."
            .into(),
        rows: "trained on".into(),
        columns: "evaluated on".into(),
        names: tasks.clone(),
        cells: square(tasks.len(), cell),
        ends: ("lower".into(), "higher".into()),
        form: Some(|value| Form::Signed.number(value)),
    })
}

fn square(size: usize, cell: impl Fn(usize, usize) -> HeatCell) -> Vec<Vec<HeatCell>> {
    (0..size).map(|row| (0..size).map(|column| cell(row, column)).collect()).collect()
}

/// What a task's own training did for it, by seed.
pub(super) fn own_table(numbers: &Numbers<'_>) -> Table {
    let study = numbers.study;
    let columns = vec![
        Column::new("task", "task", Form::Text),
        Column::new("seed", "seed", Form::Text),
        Column::new("base", "base, %", Form::Percent),
        Column::new("self", "after training on it, %", Form::Percent),
        Column::new("log_gain", "log gain ×100", Form::Signed),
        Column::new("entropy_change", "entropy change, %", Form::Signed),
    ];
    let first = shown(study);
    let others = study.evidence.iter().filter(|e| first.is_none_or(|f| !std::ptr::eq(*e, f)));
    let mut rows = Vec::new();
    for evidence in first.into_iter().chain(others) {
        for (index, task) in study.tasks.iter().enumerate() {
            let entropy = evidence.entropy_change.as_ref();
            rows.push(vec![
                Cell::text(task),
                Cell::text(seed(numbers, evidence).replace("seed ", "").replace(" over seeds", "")),
                Cell::maybe(evidence.base_accuracy.get(index).copied()),
                Cell::maybe(evidence.self_accuracy.get(index).copied()),
                Cell::maybe(own(numbers, evidence, index)),
                Cell::maybe(entropy.and_then(|matrix| at(matrix, index, index))),
            ]);
        }
    }
    Table {
        name: "self",
        title: "What training on a task alone did for the task".into(),
        note: "Validation splits; the diagonals of both matrices.".into(),
        columns,
        rows,
        most: Some(study.tasks.len()),
    }
}

/// Both matrices in files, an entry a row.
pub(super) fn table(numbers: &Numbers<'_>) -> Table {
    let study = numbers.study;
    let columns = vec![
        Column::new("seed", "seed", Form::Text),
        Column::new("trained", "trained", Form::Text),
        Column::new("evaluated", "evaluated", Form::Text),
        Column::new("backward_transfer", "backward transfer ×100", Form::Signed).with_errors(),
        Column::new("entropy_change", "entropy change, %", Form::Signed),
    ];
    let mut rows = Vec::new();
    for evidence in &study.evidence {
        for (j, trained) in study.tasks.iter().enumerate() {
            for (i, evaluated) in study.tasks.iter().enumerate() {
                let transfer = if i == j {
                    own(numbers, evidence, i)
                } else {
                    at(&evidence.backward_transfer, i, j)
                };
                let entropy = evidence.entropy_change.as_ref().and_then(|h| at(h, j, i));
                rows.push(vec![
                    Cell::text(
                        seed(numbers, evidence).replace("seed ", "").replace(" over seeds", ""),
                    ),
                    Cell::text(trained),
                    Cell::text(evaluated),
                    transfer.map_or_else(Cell::default, |value| {
                        Cell::measured(value, error(evidence, i, j))
                    }),
                    Cell::maybe(entropy),
                ]);
            }
        }
    }
    Table {
        name: "matrices",
        title: "Both matrices".into(),
        note: "One row for each seed, task trained and task evaluated.".into(),
        columns,
        rows,
        most: None,
    }
}

/// Off-diagonal transfers: how many there are, are clearly below zero, and clearly above.
pub(super) fn clear(evidence: &StudyEvidence, size: usize) -> Option<(usize, usize, usize)> {
    let mut counts = (0, 0, 0);
    for row in 0..size {
        for column in (0..size).filter(|column| *column != row) {
            let value = at(&evidence.backward_transfer, row, column)?;
            let half = NORMAL * error(evidence, row, column)?;
            counts.0 += 1;
            counts.1 += usize::from(value < -half);
            counts.2 += usize::from(value > half);
        }
    }
    Some(counts)
}
