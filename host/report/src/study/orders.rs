//! Orders as predicted and as measured: tables, scatter plots, both rankings side by side.

use omni_record::{Correlation, OrderRecord, Ranking};

use super::names::{Letters, arrows};
use super::numbers::{Numbers, Run, mean};
use crate::chart::{Bar, Bars, Group, Point, RankChart, Ranked, Scatter, shared_ranks};
use crate::table::{Cell, Column, Form, Mark, Table};

/// Orders on the page that were not trained; files hold all of them.
const UNTRAINED: usize = 24;

/// Orders in the chart of rankings.
const RANKED: usize = 60;

/// An order with both its ranks, from 0.
struct Entry<'a> {
    order: &'a OrderRecord,
    predicted: usize,
    measured: Option<usize>,
    gain: Vec<Run>,
}

fn entries<'a>(numbers: &Numbers<'a>) -> Vec<Entry<'a>> {
    let orders = &numbers.study.orders;
    let predicted = shared_ranks(orders.iter().map(|o| o.score));
    let gains: Vec<Vec<Run>> = orders.iter().map(|o| numbers.order_gain(o)).collect();
    let measured: Vec<(usize, f64)> = gains
        .iter()
        .enumerate()
        .filter_map(|(index, runs)| Some((index, mean(runs)?.value)))
        .collect();
    let places = shared_ranks(measured.iter().map(|(_, value)| *value));
    let mut entries: Vec<Entry<'a>> = orders
        .iter()
        .zip(predicted)
        .zip(gains)
        .map(|((order, predicted), gain)| Entry { order, predicted, measured: None, gain })
        .collect();
    for ((index, _), place) in measured.into_iter().zip(places) {
        entries[index].measured = Some(place);
    }
    // What was trained or chosen first, then the rest as predicted.
    entries.sort_by_key(|e| (e.measured.is_none() && e.order.chosen_by.is_empty(), e.predicted));
    entries
}

/// Every order, trained and chosen ones first.
pub(super) fn table(numbers: &Numbers<'_>, letters: &Letters) -> Table {
    let entries = entries(numbers);
    let flagged = entries.iter().any(|e| !e.order.entropy_flags.is_empty());
    let probable = entries.iter().any(|e| e.order.probability.is_some());
    let trained = entries.iter().any(|e| e.measured.is_some());
    let column = |key: &str, head: &str, form: Form, shown: bool| {
        let column = Column::new(key, head, form);
        if shown { column } else { column.in_files() }
    };
    let columns = vec![
        Column::new("letters", "order", Form::Text),
        Column::new("order", "order", Form::Text).in_files(),
        column("chosen_by", "chosen by", Form::Text, true),
        column("predicted_rank", "predicted rank", Form::Count, true),
        column("predicted", "predicted gain ×100", Form::Signed, true).with_errors(),
        column("probability", "chance of best, %", Form::Percent, probable),
        column("indistinguishable", "like the best", Form::Text, probable),
        column("measured_rank", "measured rank", Form::Count, trained),
        column("measured", "measured gain ×100", Form::Signed, trained).with_errors(),
        column("seeds", "seeds", Form::Count, trained),
        column("entropy_flags", "entropy speaks against", Form::Text, flagged),
    ];
    let most = entries
        .iter()
        .filter(|e| e.measured.is_some() || !e.order.chosen_by.is_empty())
        .count()
        .max(UNTRAINED);
    let rows = entries
        .iter()
        .map(|entry| {
            let order = entry.order;
            let gain = mean(&entry.gain);
            let flags: Vec<String> = order
                .entropy_flags
                .iter()
                .map(|(raising, lowering)| format!("{raising} before {lowering}"))
                .collect();
            let mark = |best: bool| if best { Mark::Best } else { Mark::None };
            vec![
                Cell::text(letters.order(&order.order)),
                Cell::text(arrows(&order.order)),
                Cell::text(order.chosen_by.join(", ")),
                Cell::count(entry.predicted as u64 + 1),
                Cell {
                    mark: mark(entry.predicted == 0),
                    ..Cell::measured(order.score, order.score_error)
                },
                Cell::maybe(order.probability),
                Cell::text(if order.indistinguishable { "≈" } else { "" }),
                Cell::maybe(entry.measured.map(|rank| rank as f64 + 1.0)),
                Cell {
                    mark: mark(entry.measured == Some(0)),
                    ..gain.map_or_else(Cell::default, |g| Cell::measured(g.value, g.error))
                },
                Cell::count(entry.gain.len() as u64),
                Cell::text(flags.join("; ")),
            ]
        })
        .collect();
    let mut note = "Gains are mean log gains over the base, times 100: predicted from the \
                    single-task runs' validation splits (METHOD section 4), measured on the test \
                    split of models trained in that order. ± is one standard error: predicted by \
                    the bootstrap over items, measured "
        .to_owned();
    note.push_str(if numbers.ranked.len() == 1 {
        "over items. "
    } else {
        "over seeds (of two seeds the larger of those over seeds and over items). "
    });
    if trained {
        note.push_str(&format!("Measured gains are of {}. ", numbers.ranked_seeds()));
    }
    if probable {
        note.push_str(
            "The chance of being best is the share of bootstrap samples of the evidence in which \
             an order scores highest; ≈ marks those that the bootstrap cannot tell from the best \
             predicted. ",
        );
    }
    note.push_str("Bold is the best of each ranking; equal gains share a rank.");
    Table { name: "orders", title: String::new(), note, columns, rows, most: Some(most) }
}

/// Predicted and measured accuracy of every trained order, by task.
pub(super) fn predictions(numbers: &Numbers<'_>, letters: &Letters) -> Table {
    let tasks = &numbers.study.tasks;
    let mut columns = vec![
        Column::new("letters", "order", Form::Text),
        Column::new("order", "order", Form::Text).in_files(),
    ];
    for task in tasks {
        let head = format!("{task} predicted");
        columns.push(Column::new(format!("{task}_predicted"), head, Form::Percent).with_errors());
        columns
            .push(Column::new(format!("{task}_measured"), "measured", Form::Percent).with_errors());
    }
    let rows = numbers
        .trained()
        .map(|order| {
            let mut row =
                vec![Cell::text(letters.order(&order.order)), Cell::text(arrows(&order.order))];
            for task in tasks {
                let predicted = numbers.predicted(order, task);
                row.push(
                    predicted.map_or_else(Cell::default, |(value, e)| Cell::measured(value, e)),
                );
                row.push(
                    mean(&numbers.order_accuracy(order, task))
                        .map_or_else(Cell::default, |m| Cell::measured(m.value, m.error)),
                );
            }
            row
        })
        .collect();
    Table {
        name: "predictions",
        title: "Accuracy, predicted and measured".into(),
        note:
            "In percent on the test split, for every order that was trained, best predicted first. \
             Predicted is the base's test accuracy × e^(log gain), with the log gain predicted from \
             validation splits; its ± is that of the log gain. A product of gains knows no ceiling: \
             above 100 % it says only that the task should come out near its best."
                .into(),
        columns,
        rows,
        most: None,
    }
}

/// Rules in the order in which their marks are drawn, with colours of their own.
const RULES: [(&str, usize); 4] =
    [("worst", 7), ("forgettability", 3), ("greedy", 4), ("exact", 1)];

/// The rule by which an order is coloured.
fn rule(order: &OrderRecord) -> Option<usize> {
    RULES.iter().rev().find(|(rule, _)| order.chosen_by.iter().any(|c| c == rule)).map(|r| r.1)
}

/// Predicted against measured accuracy, a chart for each task.
pub(super) fn accuracy_charts(numbers: &Numbers<'_>, letters: &Letters) -> Vec<Scatter> {
    let charts = numbers.study.tasks.iter().map(|task| {
        let point = |order: &OrderRecord| {
            let (predicted, error) = numbers.predicted(order, task)?;
            let measured = mean(&numbers.order_accuracy(order, task))?;
            Some(Point {
                at: (100.0 * predicted, 100.0 * measured.value),
                errors: (error.map(|e| 100.0 * e), measured.error.map(|e| 100.0 * e)),
                name: letters.order(&order.order),
            })
        };
        Scatter {
            title: format!("{task}: accuracy, predicted and measured"),
            caption: "One point an order, both on the test split: predicted is the base's accuracy \
                      × e^(predicted log gain). On the dashed line, prediction and measurement agree."
                .into(),
            x: "predicted test accuracy, %".into(),
            y: "measured test accuracy, %".into(),
            groups: groups(numbers, point),
            diagonal: true,
        }
    });
    charts.filter(|chart| chart.groups.iter().any(|g| !g.points.is_empty())).collect()
}

/// Predicted against measured mean log gain.
pub(super) fn gain_chart(numbers: &Numbers<'_>, letters: &Letters) -> Scatter {
    let point = |order: &OrderRecord| {
        let measured = mean(&numbers.order_gain(order))?;
        Some(Point {
            at: (100.0 * order.score, 100.0 * measured.value),
            errors: (order.score_error.map(|e| 100.0 * e), measured.error.map(|e| 100.0 * e)),
            name: letters.order(&order.order),
        })
    };
    Scatter {
        title: "Mean log gain of orders, predicted and measured".into(),
        caption: "One point an order; bars are one standard error. Both are gains over the base on \
                  the same items, predicted on validation and measured on test splits. On the dashed \
                  line they agree; a ranking is right where points rise to the right."
            .into(),
        x: "predicted mean log gain ×100".into(),
        y: "measured mean log gain ×100".into(),
        groups: groups(numbers, point),
        diagonal: true,
    }
}

/// Trained orders by the rule that chose them; the others first, so that they lie below.
fn groups(numbers: &Numbers<'_>, point: impl Fn(&OrderRecord) -> Option<Point>) -> Vec<Group> {
    let mut groups = vec![Group { name: "other orders".into(), look: 5, points: Vec::new() }];
    groups.extend(RULES.iter().map(|(_, look)| Group { look: *look, ..Group::default() }));
    for order in numbers.trained() {
        let Some(point) = point(order) else { continue };
        let look = rule(order).unwrap_or(5);
        if let Some(group) = groups.iter_mut().find(|group| group.look == look) {
            if look != 5 {
                group.name = format!("{} ({})", order.chosen_by.join(", "), point.name);
            }
            group.points.push(point);
        }
    }
    groups.retain(|group| !group.points.is_empty());
    groups
}

/// Both rankings side by side; none for fewer than two orders.
pub(super) fn rank_chart(numbers: &Numbers<'_>, letters: &Letters) -> Option<RankChart> {
    let entries: Vec<Ranked> = numbers
        .trained()
        .take(RANKED)
        .filter_map(|order| {
            let measured = mean(&numbers.order_gain(order))?.value;
            Some(Ranked {
                name: letters.order(&order.order),
                left: order.score,
                right: measured,
                text: (Form::Signed.number(order.score), Form::Signed.number(measured)),
                colour: rule(order),
            })
        })
        .collect();
    let cut = match numbers.trained().count() > RANKED {
        true => format!(" The best {RANKED} predicted of those trained."),
        false => String::new(),
    };
    let named = |(_, look): &(&str, usize)| {
        let order = numbers.trained().take(RANKED).find(|o| rule(o) == Some(*look))?;
        Some((order.chosen_by.join(", "), *look))
    };
    (entries.len() > 1).then(|| RankChart {
        title: "The ranking, predicted and measured".into(),
        caption: format!(
            "Best above; a line joins both places of an order (mean log gain ×100).{cut}"
        ),
        sides: ("predicted".into(), "measured".into()),
        legend: RULES.iter().rev().filter_map(named).collect(),
        entries,
    })
}

/// Rank correlations: of predictions, and between seeds.
pub(super) fn correlations(ranking: &Ranking, tasks: usize) -> Table {
    let columns = vec![
        Column::new("of", "of", Form::Text),
        Column::new("coefficient", "coefficient", Form::Text),
        Column::new("value", "value", Form::Plain(2)),
        Column::new("low", "95 % from", Form::Plain(2)),
        Column::new("high", "to", Form::Plain(2)),
        Column::new("p_value", "p", Form::Plain(4)),
        Column::new("orders", "orders", Form::Count),
    ];
    let rows = lines(ranking)
        .into_iter()
        .map(|(of, coefficient, value, orders)| {
            vec![
                Cell::text(of),
                Cell::text(coefficient),
                Cell::number(value.value),
                Cell::number(value.low),
                Cell::number(value.high),
                Cell::maybe(value.p_value),
                Cell::count(orders),
            ]
        })
        .collect();
    let mut note = "Rank correlation of predicted and measured mean log gains over the orders that \
                    were trained: 1 is the same ranking, 0 none, −1 the reverse. 95 % intervals are \
                    of the noise of evaluations (items drawn again), not of training's. p: of all \
                    ways to exchange the tasks' names in the predictions, the share that correlates \
                    as far from zero"
        .to_owned();
    note.push_str(&match least_p(tasks) {
        Some(least) => {
            format!("; of {tasks} tasks it is never below {}. ", Form::Plain(4).number(least))
        }
        None => ". ".to_owned(),
    });
    note.push_str(match ranking.ceiling {
        Some(_) => {
            "The noise ceiling is the correlation of measured gains between two seeds: where it is \
             low, the measured ranking itself is mostly noise, and no prediction can agree with it \
             much. It leaves out what both seeds share: they are tested on the same items, so what \
             is particular to those items counts as agreement, which a prediction from other items \
             cannot have. A prediction has something of its own instead: an order's first phase is \
             the very run that it was made from, training's noise included."
        }
        None => {
            "There is no noise ceiling: no orders were trained with a second seed, so how much of \
             the measured ranking is noise is not known."
        }
    });
    Table { name: "ranking", title: String::new(), note, columns, rows, most: None }
}

/// The least that p can be: one of the K! ways to name the tasks is the right one. None of so many
/// tasks that it makes no difference.
pub(super) fn least_p(tasks: usize) -> Option<f64> {
    (1..=6).contains(&tasks).then(|| 1.0 / (1..=tasks).product::<usize>() as f64)
}

type Line = (String, &'static str, Correlation, u32);

fn lines(ranking: &Ranking) -> Vec<Line> {
    let of = match ranking.of.as_str() {
        "" => "predicted, measured".to_owned(),
        of => format!("predicted, measured ({of})"),
    };
    let mut lines = vec![
        (of.clone(), "Spearman", ranking.spearman, ranking.orders),
        (of, "Kendall", ranking.kendall, ranking.orders),
    ];
    if let Some(ceiling) = &ranking.ceiling {
        let of = format!("noise ceiling: seed {}, seed {}", ceiling.seeds.0, ceiling.seeds.1);
        lines.push((of.clone(), "Spearman", ceiling.spearman, ceiling.orders));
        lines.push((of, "Kendall", ceiling.kendall, ceiling.orders));
    }
    lines
}

/// The same as points with their intervals.
pub(super) fn correlation_chart(ranking: &Ranking) -> Bars {
    let bars = lines(ranking)
        .into_iter()
        .enumerate()
        .map(|(index, (_, coefficient, of, _))| Bar {
            name: format!("{coefficient}{}", if index > 1 { ", ceiling" } else { "" }),
            value: of.value,
            ends: Some((of.low, of.high)),
            text: Form::Plain(2).number(of.value),
            colour: if index > 1 { 5 } else { 1 },
        })
        .collect();
    Bars {
        title: "How well predictions rank orders".into(),
        caption: format!(
            "Rank correlations; whiskers are 95 % intervals of the noise of evaluations.{}",
            if ranking.ceiling.is_some() { " Ceiling: between two seeds." } else { "" }
        ),
        x: "rank correlation".into(),
        bars,
        points: true,
        include: vec![-1.0, 0.0, 1.0],
        ..Bars::default()
    }
}
