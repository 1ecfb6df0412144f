//! Accuracy of every method on every task: the table, the bars, and all measurements in files.

use std::fmt::Write as _;

use omni_record::{Method, MethodKind};

use super::names::{Letters, arrows, label};
use super::numbers::{Mean, Numbers, Run, SEEDS, difference, mean};
use crate::chart::{Bar, Bars};
use crate::table::{Cell, Column, Form, Mark, Table};

/// Letters of a method's name beside a bar.
pub(super) const LABEL: usize = 19;

/// Orders that the main table has room for, whether a rule chose them or not.
const FEW_ORDERS: usize = 3;

/// Kinds by the colour of their bars.
fn colour(kind: MethodKind) -> usize {
    match kind {
        MethodKind::Base => 7,
        MethodKind::Single => 5,
        MethodKind::Curriculum => 1,
        MethodKind::Joint => 0,
        MethodKind::Schedule => 2,
        MethodKind::Sft => 3,
        MethodKind::Merge => 4,
        _ => 6,
    }
}

/// What a kind is called.
pub(super) fn kind(kind: MethodKind) -> &'static str {
    match kind {
        MethodKind::Base => "base",
        MethodKind::Single => "single task",
        MethodKind::Curriculum => "curriculum",
        MethodKind::Order => "order",
        MethodKind::Joint => "joint",
        MethodKind::Schedule => "schedule",
        MethodKind::Sft => "sft",
        MethodKind::Merge => "merge",
        MethodKind::Variant => "variant",
        _ => "other",
    }
}

/// Methods of the main table: all but orders that no rule chose, where there are many.
pub(super) fn main_methods<'a>(numbers: &Numbers<'a>) -> Vec<&'a Method> {
    let all = &numbers.study.methods;
    all.iter().filter(|method| is_main(numbers, method)).collect()
}

fn is_main(numbers: &Numbers<'_>, method: &Method) -> bool {
    let chosen = || {
        let order = method.order.as_deref().and_then(|order| numbers.order(order));
        order.is_some_and(|order| !order.chosen_by.is_empty())
    };
    let curriculum = || numbers.kind(MethodKind::Curriculum).and_then(|m| m.order.as_ref());
    let all = || numbers.study.methods.iter().filter(|m| m.kind == MethodKind::Order).count();
    method.kind != MethodKind::Order
        || ((chosen() || all() <= FEW_ORDERS) && curriculum() != method.order.as_ref())
}

/// Column by column: which rows are best, and which cannot be told from it.
fn marks(columns: &[Vec<Run>], rows: &mut [Vec<Cell>], column: usize) {
    let value = |runs: &Vec<Run>| mean(runs).map(|m| m.value);
    let best = columns
        .iter()
        .enumerate()
        .filter_map(|(row, runs)| Some((row, value(runs)?)))
        .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    let Some((best, _)) = best else { return };
    for (row, runs) in columns.iter().enumerate() {
        let Some(cell) = rows.get_mut(row).and_then(|cells| cells.get_mut(column)) else {
            continue;
        };
        if row == best {
            cell.mark = Mark::Best;
        } else if difference(&columns[best], runs).is_some_and(|d| !d.is_clear()) {
            cell.mark = Mark::Tie;
        }
    }
}

/// Methods by tasks.
pub(super) fn table(numbers: &Numbers<'_>) -> Table {
    let study = numbers.study;
    let shown = main_methods(numbers);
    let hidden = study.methods.iter().filter(|method| !is_main(numbers, method));
    let methods: Vec<&Method> = shown.iter().copied().chain(hidden).collect();
    let mut columns = vec![
        Column::new("method", "method", Form::Text),
        Column::new("name", "name", Form::Text).in_files(),
        Column::new("kind", "kind", Form::Text).in_files(),
        Column::new("order", "order", Form::Text).in_files(),
    ];
    columns.extend(
        study
            .tasks
            .iter()
            .map(|task| Column::new(format!("accuracy_{task}"), task, Form::Percent).with_errors()),
    );
    columns.push(Column::new("mean_log_gain", "mean log gain ×100", Form::Signed).with_errors());
    columns.push(Column::new("seeds", "seeds", Form::Count));
    let first = 4;
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for method in &methods {
        let order = method.order.as_ref().map(|order| arrows(order));
        let mut row = vec![
            Cell::text(label(method)),
            Cell::text(&method.name),
            Cell::text(kind(method.kind)),
            order.map_or_else(Cell::default, Cell::text),
        ];
        row.extend(study.tasks.iter().map(|task| cell(mean(&numbers.accuracy(method, task)))));
        let gain = mean(&numbers.gain(method));
        row.push(match method.kind {
            // Its gain over itself is nothing, without an error.
            MethodKind::Base => Cell::maybe(gain.map(|g| g.value)),
            _ => cell(gain),
        });
        row.push(Cell::count(method.runs.len() as u64));
        rows.push(row);
    }
    for (index, task) in study.tasks.iter().enumerate() {
        let runs: Vec<Vec<Run>> = shown.iter().map(|m| numbers.accuracy(m, task)).collect();
        marks(&runs, &mut rows, first + index);
    }
    let runs: Vec<Vec<Run>> = shown.iter().map(|m| numbers.gain(m)).collect();
    marks(&runs, &mut rows, first + study.tasks.len());
    let mut note = String::new();
    let measure = &study.measure;
    let _ = write!(
        note,
        "Accuracy in percent on the test split, {} items a task, ± one standard error {}. Mean log \
         gain is eq. 14: the weighted mean over tasks of ln(accuracy / base accuracy), times 100. \
         Bold is the best of a column, ≈ what cannot be told from it: their difference's 95 % \
         interval holds zero.",
        measure.test_items,
        errors(numbers)
    );
    if study.methods.iter().any(|method| method.runs.len() == 2) {
        note.push_str(
            " Of two seeds that is 12.7 standard errors over them to either side, so that what has \
             two is seldom told from anything.",
        );
    }
    if shown.len() < methods.len() {
        let _ = write!(note, " Orders that no rule chose have a table of their own below.");
    }
    Table { name: "accuracy", title: String::new(), note, columns, most: Some(shown.len()), rows }
}

/// What standard errors are over.
pub(super) fn errors(numbers: &Numbers<'_>) -> &'static str {
    let runs = || {
        let methods = numbers.study.methods.iter().filter(|m| m.kind != MethodKind::Base);
        methods.map(|m| m.runs.len())
    };
    if numbers.one_seed() {
        "over items (there is one seed, so training's own noise is not in it)"
    } else if runs().all(|n| n >= SEEDS) {
        "over seeds"
    } else if runs().all(|n| n < SEEDS) {
        "(of two seeds the larger of those over seeds and over items; of one seed over items)"
    } else {
        "over seeds (of two seeds the larger of those over seeds and over items, of one seed over \
         items)"
    }
}

fn cell(mean: Option<Mean>) -> Cell {
    mean.map_or_else(Cell::default, |m| Cell::measured(m.value, m.error))
}

/// A chart for each task, and one of the mean log gain.
pub(super) fn charts(numbers: &Numbers<'_>, letters: &Letters) -> Vec<Bars> {
    let methods = main_methods(numbers);
    let bars = |form: Form, scale: f64, of: &dyn Fn(&Method) -> Option<Mean>| -> Vec<Bar> {
        let bar = |method: &&Method| {
            let mean = of(method)?;
            let half = mean.error;
            Some(Bar {
                name: letters.method(method, LABEL),
                value: scale * mean.value,
                ends: half.map(|h| (scale * (mean.value - h), scale * (mean.value + h))),
                text: form.number(mean.value),
                colour: colour(method.kind),
            })
        };
        methods.iter().filter_map(bar).collect()
    };
    let gain = |method: &Method| {
        let of = mean(&numbers.gain(method))?;
        (method.kind != MethodKind::Base).then_some(of)
    };
    let mut charts = vec![Bars {
        title: "Mean log gain over the base".into(),
        caption: "All tasks together (eq. 14); whiskers are one standard error.".into(),
        x: "mean log gain ×100".into(),
        bars: bars(Form::Signed, 100.0, &gain),
        ..Bars::default()
    }];
    for task in &numbers.study.tasks {
        let accuracy = |method: &Method| mean(&numbers.accuracy(method, task));
        let base = numbers.base.and_then(&accuracy);
        charts.push(Bars {
            title: format!("{task}: accuracy"),
            caption: "The dashed line is the base, whiskers one standard error.".into(),
            x: "accuracy, %".into(),
            bars: bars(Form::Percent, 100.0, &accuracy),
            line: base.map(|b| 100.0 * b.value),
            ..Bars::default()
        });
    }
    charts
}

/// Every measurement, for files.
pub(super) fn measurements(numbers: &Numbers<'_>) -> Table {
    let text = |key: &str| Column::new(key, key, Form::Text);
    let columns = vec![
        text("method"),
        Column::new("seed", "seed", Form::Count),
        text("split"),
        text("task"),
        Column::new("accuracy", "accuracy", Form::Percent).with_errors(),
        Column::new("items", "items", Form::Count),
        Column::new("entropy", "entropy", Form::Plain(4)),
        Column::new("rouge_l", "rouge_l", Form::Plain(4)),
        Column::new("completion_length", "completion_length", Form::Plain(1)),
    ];
    let mut rows = Vec::new();
    for method in &numbers.study.methods {
        for run in &method.runs {
            for (split, of) in [("test", &run.test), ("validation", &run.validation)] {
                for (task, measure) in of {
                    rows.push(vec![
                        Cell::text(&method.name),
                        Cell::count(run.seed),
                        Cell::text(split),
                        Cell::text(task),
                        Cell::measured(
                            measure.accuracy.mean,
                            Some(measure.accuracy.standard_error),
                        ),
                        Cell::count(measure.accuracy.items),
                        Cell::maybe(measure.entropy),
                        Cell::maybe(measure.rouge_l),
                        Cell::number(measure.completion_length),
                    ]);
                }
            }
        }
    }
    Table {
        name: "measurements",
        title: "Every measurement".into(),
        note: "One row for each method, seed, split and task; standard errors are over items."
            .into(),
        columns,
        rows,
        most: None,
    }
}
