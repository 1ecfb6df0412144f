//! What a study shows, in sentences that claim no more than its intervals do.

mod evidence;
mod missing;
mod orders;

use omni_record::{Method, MethodKind, OrderRecord};

use super::accuracy::main_methods;
use super::names::{Letters, count, list};
use super::numbers::{Difference, Numbers, Run, difference, mean};
use crate::table::Form;
pub(super) use missing::missing;

/// Letters of a method's name in a sentence.
const LABEL: usize = 44;

/// The sentences, most important first.
pub(super) fn findings(numbers: &Numbers<'_>, letters: &Letters) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(best(numbers, letters));
    all.extend(below_base(numbers, letters));
    all.extend(chosen(numbers, letters));
    all.extend(orders::confidence(numbers, letters));
    all.extend(orders::ranking(numbers));
    all.extend(orders::spread(numbers, letters));
    all.extend(orders::joint(numbers, letters));
    all.extend(orders::prediction_error(numbers));
    all.extend(evidence::transfers(numbers));
    all.extend(evidence::entropy(numbers));
    all.extend(evidence::floor(numbers));
    if numbers.one_seed() && numbers.study.methods.len() > 1 {
        all.push(
            "Every method was trained with one seed. Errors are over items alone, and another seed \
             may move any of these numbers by more than they say."
                .into(),
        );
    }
    all
}

fn signed(value: f64) -> String {
    Form::Signed.number(value)
}

fn gain_text(runs: &[Run]) -> String {
    mean(runs).map_or("–".to_owned(), |m| Form::Signed.measured(m.value, m.error))
}

fn quoted(letters: &Letters, method: &Method) -> String {
    format!("“{}”", letters.method(method, LABEL))
}

/// A difference with its interval.
fn interval(of: &Difference) -> String {
    match of.half {
        Some(half) => format!(
            "{} (95 % interval {} to {})",
            signed(of.value),
            signed(of.value - half),
            signed(of.value + half)
        ),
        None => format!("{} (no error is known)", signed(of.value)),
    }
}

fn best(numbers: &Numbers<'_>, letters: &Letters) -> Option<String> {
    let trained: Vec<(String, Vec<Run>)> = main_methods(numbers)
        .into_iter()
        .filter(|method| method.kind != MethodKind::Base)
        .map(|method| (quoted(letters, method), numbers.gain(method)))
        .filter(|(_, runs)| mean(runs).is_some())
        .collect();
    let value = |runs: &[Run]| mean(runs).map_or(f64::NEG_INFINITY, |m| m.value);
    let (name, runs) = trained.iter().rev().max_by(|a, b| value(&a.1).total_cmp(&value(&b.1)))?;
    if trained.len() < 2 {
        return None;
    }
    let like: Vec<String> = trained
        .iter()
        .filter(|(other, of)| other != name && difference(runs, of).is_none_or(|d| !d.is_clear()))
        .map(|(other, of)| format!("{other} ({})", gain_text(of)))
        .collect();
    let said = format!(
        "On average over the tasks, the highest of {} is {name}: mean log gain over the base ×100 \
         of {} on the test split.",
        count(trained.len(), "method"),
        gain_text(runs)
    );
    Some(match like.len() {
        0 => format!(
            "{said} Every other method is below it by more than the 95 % interval of their difference."
        ),
        n if n + 1 == trained.len() => format!(
            "{said} None of the others can be told from it: {} lie within the 95 % intervals.",
            list(&like)
        ),
        _ => format!(
            "{said} Within the 95 % interval of the difference, it cannot be told from {}.",
            list(&like)
        ),
    })
}

fn below_base(numbers: &Numbers<'_>, letters: &Letters) -> Option<String> {
    let base = numbers.gain(numbers.base?);
    let (mut below, mut unclear, mut all, mut two) = (Vec::new(), Vec::new(), 0, false);
    for method in main_methods(numbers).into_iter().filter(|m| m.kind != MethodKind::Base) {
        let Some(of) = difference(&numbers.gain(method), &base) else { continue };
        all += 1;
        if !of.is_clear() {
            unclear.push(quoted(letters, method));
            two |= of.seeds == 2;
        } else if of.value < 0.0 {
            below.push(quoted(letters, method));
        }
    }
    let mut said = Vec::new();
    if !below.is_empty() {
        said.push(format!("{} ended below the base by more than the errors.", list(&below)));
    }
    if !unclear.is_empty() {
        said.push(format!("{} cannot be told from the base.", list(&unclear)));
    }
    if two {
        said.push(
            "An interval from two seeds is 12.7 standard errors over them to either side.".into(),
        );
    }
    (all > 0 && !said.is_empty()).then(|| said.join(" "))
}

/// The chosen order against joint training and against the worst predicted.
fn chosen(numbers: &Numbers<'_>, letters: &Letters) -> Vec<String> {
    let mut said = Vec::new();
    let exact = numbers.study.orders.iter().find(|o| rule(o, "exact"));
    let curriculum = numbers.kind(MethodKind::Curriculum);
    let order = curriculum.and_then(|m| m.order.as_deref()).or(exact.map(|o| &o.order[..]));
    let Some(order) = order else { return said };
    let runs = match numbers.method_of(order).map(|m| numbers.gain(m)) {
        Some(runs) if !runs.is_empty() => runs,
        _ => numbers.order(order).map(|o| numbers.order_gain(o)).unwrap_or_default(),
    };
    let verdict = |of: &Difference, other: &str| match (of.is_clear(), of.value > 0.0) {
        (true, true) => format!("is above {other}, clear of the errors"),
        (true, false) => format!("is below {other}, clear of the errors"),
        (false, _) => format!("cannot be told from {other}"),
    };
    let name = letters.brief(order);
    let mut compare = |other: &str, against: &[Run]| {
        let Some(of) = difference(&runs, against) else { return };
        said.push(format!(
            "The chosen order {name} {}: mean log gain ×100 of {}, a difference of {}{}.",
            verdict(&of, other),
            gain_text(&runs),
            interval(&of),
            if of.seeds > 1 {
                format!(" over {} seeds", of.seeds)
            } else {
                " with one seed, by errors over items".to_owned()
            }
        ));
    };
    if let Some(joint) = numbers.kind(MethodKind::Joint) {
        compare(&quoted(letters, joint), &numbers.gain(joint));
    }
    if let Some(worst) = numbers.study.orders.iter().find(|o| rule(o, "worst") && o.order != order)
    {
        let text = format!("the order predicted worst, {}", letters.brief(&worst.order));
        let runs = match numbers.method_of(&worst.order).map(|m| numbers.gain(m)) {
            Some(runs) if !runs.is_empty() => runs,
            _ => numbers.order_gain(worst),
        };
        compare(&text, &runs);
    }
    said
}

fn rule(order: &OrderRecord, rule: &str) -> bool {
    order.chosen_by.iter().any(|by| by == rule)
}
