//! What a study shows, in sentences that claim no more than its intervals do.

use omni_record::{Method, MethodKind, OrderRecord, Ranking};

use super::accuracy::main_methods;
use super::matrices;
use super::names::{Letters, count, label, list};
use super::numbers::{Difference, NORMAL, Numbers, Run, difference, mean};
use crate::table::Form;

/// Letters of a method's name in a sentence.
const LABEL: usize = 44;

/// The sentences, most important first.
pub(super) fn findings(numbers: &Numbers<'_>, letters: &Letters) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(best(numbers, letters));
    all.extend(below_base(numbers, letters));
    all.extend(chosen(numbers, letters));
    all.extend(confidence(numbers, letters));
    all.extend(ranking(numbers));
    all.extend(spread(numbers, letters));
    all.extend(prediction_error(numbers));
    all.extend(transfers(numbers));
    all.extend(entropy(numbers));
    all.extend(floor(numbers));
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
    let (mut below, mut unclear, mut all) = (Vec::new(), Vec::new(), 0);
    for method in main_methods(numbers).into_iter().filter(|m| m.kind != MethodKind::Base) {
        let Some(of) = difference(&numbers.gain(method), &base) else { continue };
        all += 1;
        if !of.is_clear() {
            unclear.push(quoted(letters, method));
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
            if of.seeds > 1 { format!(" over {} seeds", of.seeds) } else { String::new() }
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

/// How sure the evidence is of its order.
fn confidence(numbers: &Numbers<'_>, letters: &Letters) -> Option<String> {
    let orders = &numbers.study.orders;
    let best = orders.iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
    let probability = best.probability?;
    let like = orders.iter().filter(|o| o.indistinguishable && o.order != best.order).count();
    Some(format!(
        "The order predicted best, {}, is best in {} % of the bootstrap samples of the evidence{}.",
        letters.brief(&best.order),
        Form::Percent.number(probability),
        match like {
            0 => ", and is told from every other order by it".to_owned(),
            1 if orders.len() == 2 =>
                "; the other order cannot be told from it by that evidence".to_owned(),
            n => format!(
                "; {n} of the {} others cannot be told from it by that evidence",
                orders.len() - 1
            ),
        }
    ))
}

fn ranking(numbers: &Numbers<'_>) -> Vec<String> {
    let Some(ranking) = &numbers.study.ranking else { return Vec::new() };
    let two = Form::Plain(2);
    let of = |c: &omni_record::Correlation| {
        format!(
            "{} (95 % interval {} to {})",
            two.number(c.value),
            two.number(c.low),
            two.number(c.high)
        )
    };
    let spearman = &ranking.spearman;
    let by_chance = spearman.p_value.map(|p| {
        format!(
            "p = {} by exchanging the tasks' names in the predictions",
            Form::Plain(3).number(p)
        )
    });
    let likely = spearman.p_value.is_none_or(|p| p > 0.05);
    let away = spearman.low > 0.0 || spearman.high < 0.0;
    let meaning = match (away, likely, by_chance) {
        (true, false, Some(p)) if spearman.low > 0.0 => format!(
            "The noise of evaluations does not explain it (the interval is above zero), and it is \
             not likely by chance ({p}): predictions rank these orders."
        ),
        (true, false, Some(p)) => format!(
            "The interval is below zero and it is not likely by chance ({p}): predictions rank these \
             orders the wrong way round."
        ),
        (true, _, Some(p)) => format!(
            "The interval, which knows only the noise of evaluations, leaves zero out; but it may \
             well be chance ({p}): that predictions rank these orders is not shown."
        ),
        (true, _, None) => "The interval, which knows only the noise of evaluations, leaves zero \
                            out; how likely that is by chance is not known."
            .to_owned(),
        (false, _, _) => "The interval holds zero (or is not known): that predictions rank these \
                          orders at all is not shown."
            .to_owned(),
    };
    let mut said = vec![format!(
        "Over {} orders that were trained, predicted and measured mean log gains have a Spearman \
         correlation of {} and a Kendall correlation of {}. {meaning}",
        ranking.orders,
        of(spearman),
        of(&ranking.kendall)
    )];
    said.push(ceiling(ranking, of));
    said
}

fn ceiling(ranking: &Ranking, of: impl Fn(&omni_record::Correlation) -> String) -> String {
    let Some(ceiling) = &ranking.ceiling else {
        return "There is no noise ceiling, since no orders were trained with a second seed: how \
                much of the measured ranking is noise is not known."
            .into();
    };
    let meaning = if ceiling.spearman.low > 0.0 {
        format!(
            "A perfect prediction would agree with one seed somewhat better than another seed does \
             (about the root of it, {}), and not with 1.",
            Form::Plain(2).number(ceiling.spearman.value.sqrt())
        )
    } else {
        "Its interval holds zero: two seeds are not shown to agree on the ranking, so no prediction \
         could be shown to be right about it here."
            .to_owned()
    };
    format!(
        "Noise ceiling: measured gains of seed {} and seed {} have a Spearman correlation of {} over \
         {} orders. {meaning}",
        ceiling.seeds.0,
        ceiling.seeds.1,
        of(&ceiling.spearman),
        ceiling.orders
    )
}

/// How far the orders lie apart, beside the error of one.
fn spread(numbers: &Numbers<'_>, letters: &Letters) -> Option<String> {
    let gains: Vec<(&OrderRecord, f64, Option<f64>)> = numbers
        .trained()
        .filter_map(|o| mean(&numbers.order_gain(o)).map(|m| (o, m.value, m.error)))
        .collect();
    if gains.len() < 3 {
        return None;
    }
    let high = gains.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let low = gains.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let mut errors: Vec<f64> = gains.iter().filter_map(|g| g.2).collect();
    errors.sort_by(f64::total_cmp);
    let error = errors.get(errors.len() / 2);
    Some(format!(
        "Of {} orders trained (compared over {}), {} is measured best ({}) and {} worst ({}){}. The ends of so many \
         noisy numbers lie further apart than the orders do.",
        gains.len(),
        numbers.ranked_seeds(),
        letters.brief(&high.0.order),
        signed(high.1),
        letters.brief(&low.0.order),
        signed(low.1),
        error.map_or(String::new(), |e| format!(
            ", with a standard error of {} for one order (the median)",
            Form::Percent.number(*e)
        ))
    ))
}

/// How far measured accuracies lie from predicted ones.
fn prediction_error(numbers: &Numbers<'_>) -> Option<String> {
    let (mut sum, mut absolute, mut n) = (0.0, 0.0, 0usize);
    let mut orders = 0;
    for order in numbers.trained() {
        orders += 1;
        for task in &numbers.study.tasks {
            let Some(predicted) = order.predicted.get(task).filter(|p| p.is_finite()) else {
                continue;
            };
            let Some(measured) = mean(&numbers.order_accuracy(order, task)) else { continue };
            sum += measured.value - predicted;
            absolute += (measured.value - predicted).abs();
            n += 1;
        }
    }
    let way = if sum < 0.0 { "below" } else { "above" };
    (n > 0).then(|| {
        format!(
            "Measured accuracies lie {} points from the predicted ones on average over {} and the \
             tasks; on the mean they are {} points {way} them.",
            Form::Percent.number(absolute / n as f64),
            count(orders, "trained order"),
            Form::Percent.number((sum / n as f64).abs())
        )
    })
}

fn transfers(numbers: &Numbers<'_>) -> Option<String> {
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
fn entropy(numbers: &Numbers<'_>) -> Vec<String> {
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

fn floor(numbers: &Numbers<'_>) -> Option<String> {
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

/// What is missing while a study is not finished; none for one that is.
pub(super) fn missing(numbers: &Numbers<'_>) -> Vec<String> {
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
