//! What is found of orders: how sure their prediction is, how well it ranks them.

use omni_record::{Correlation, MethodKind, OrderRecord, Ranking};

use super::{Letters, count, interval, mean, quoted, signed};
use crate::study::numbers::{Numbers, difference};
use crate::study::orders::least_p;
use crate::table::Form;

/// p from which on chance is not likely.
const SMALL: f64 = 0.05;

/// Where p can hardly be smaller than [`SMALL`], it is no verdict alone.
const COARSE: f64 = SMALL / 2.0;

/// p above which nobody would speak of an association.
const NOT_RARE: f64 = 0.25;

/// How sure the evidence is of its order.
pub(super) fn confidence(numbers: &Numbers<'_>, letters: &Letters) -> Option<String> {
    let orders = &numbers.study.orders;
    let best = orders.iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
    let probability = best.probability?;
    let like = orders.iter().filter(|o| o.indistinguishable && o.order != best.order).count();
    Some(format!(
        "The order predicted best, {}, is best in {} % of the bootstrap samples of the evidence{}.",
        letters.brief(&best.order),
        Form::Percent.number(probability),
        match like {
            0 => ", and that evidence tells it from every other".to_owned(),
            1 if orders.len() == 2 =>
                "; the other order cannot be told from it by that evidence".to_owned(),
            n => format!(
                "; {n} of the {} others cannot be told from it by that evidence",
                orders.len() - 1
            ),
        }
    ))
}

pub(super) fn ranking(numbers: &Numbers<'_>) -> Vec<String> {
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
    let meaning = meaning(spearman, numbers.study.tasks.len());
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

/// What the correlation shows. Whether it is chance is for p to say: the interval knows the noise of
/// evaluations alone, and leaves zero out too often where there is nothing.
fn meaning(of: &Correlation, tasks: usize) -> String {
    let away = of.low > 0.0 || of.high < 0.0;
    if !away {
        return "The interval holds zero (or is not known): that predictions rank these orders at all \
                is not shown."
            .into();
    }
    let Some(p) = of.p_value else {
        return "The interval, which knows only the noise of evaluations, leaves zero out; how likely \
                that is by chance is not known."
            .into();
    };
    let three = Form::Plain(3);
    let least = least_p(tasks);
    let coarse = least.filter(|least| *least > COARSE);
    let mut chance =
        format!("p = {} by exchanging the tasks' names in the predictions", three.number(p));
    if let Some(least) = coarse {
        chance
            .push_str(&format!("; of {tasks} tasks it can never be below {}", three.number(least)));
    }
    let way = if of.low > 0.0 { "" } else { " the wrong way round" };
    let side = if of.low > 0.0 { "above" } else { "below" };
    match coarse {
        _ if p <= SMALL => format!(
            "The noise of evaluations does not explain it (the interval is {side} zero), and it is \
             not likely by chance ({chance}): predictions rank these orders{way}."
        ),
        // One of the ways is the right one: 2 of 24 are already more than one in twenty.
        Some(least) => format!(
            "The interval, which knows only the noise of evaluations, is {side} zero. Against chance \
             there are few ways to compare with: {} of the {} correlate as far from zero, the right \
             one among them ({chance}). That predictions rank these orders{way} is {} by it.",
            (p / least).round(),
            (1.0 / least).round(),
            if p <= NOT_RARE { "neither shown nor ruled out" } else { "not shown" }
        ),
        None => format!(
            "The interval, which knows only the noise of evaluations, leaves zero out; but it may \
             well be chance ({chance}): that predictions rank these orders is not shown."
        ),
    }
}

/// How well a perfect prediction would correlate with the mean of `seeds` seeds, of which two
/// correlate by `r` with one another (Spearman and Brown).
fn perfect(r: f64, seeds: f64) -> f64 {
    (seeds * r / (1.0 + (seeds - 1.0) * r)).sqrt()
}

/// How many seeds the ranking is the mean of.
fn seeds_of(ranking: &Ranking) -> Option<f64> {
    ranking.of.strip_prefix("mean of ")?.split(' ').next()?.parse().ok()
}

fn ceiling(ranking: &Ranking, of: impl Fn(&omni_record::Correlation) -> String) -> String {
    let Some(ceiling) = &ranking.ceiling else {
        return "There is no noise ceiling, since no orders were trained with a second seed: how \
                much of the measured ranking is noise is not known."
            .into();
    };
    let meaning = if ceiling.spearman.low > 0.0 {
        let seeds = seeds_of(ranking).unwrap_or(1.0);
        let with = match seeds > 1.0 {
            true => format!("the mean of {seeds} seeds, which is ranked here,"),
            false => "one seed, which is ranked here,".to_owned(),
        };
        format!(
            "A perfect prediction would correlate with {with} at about {} and not at 1 (rather less, \
             since both seeds are tested on the same items).",
            Form::Plain(2).number(perfect(ceiling.spearman.value, seeds))
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
pub(super) fn spread(numbers: &Numbers<'_>, letters: &Letters) -> Option<String> {
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
        "Of {} orders trained (compared over {}), {} is measured best ({}) and {} \
         worst ({}){}. The best and \
         the worst of many noisy numbers lie further apart than the orders themselves do.",
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

/// Joint training beside every order that was trained.
pub(super) fn joint(numbers: &Numbers<'_>, letters: &Letters) -> Option<String> {
    let method = numbers.kind(MethodKind::Joint)?;
    let joint = numbers.gain(method);
    let mut best: Option<(&OrderRecord, f64)> = None;
    let (mut all, mut above, mut clear) = (0usize, 0usize, 0usize);
    for order in numbers.trained() {
        let runs = numbers.order_gain(order);
        let Some(value) = mean(&runs).map(|m| m.value) else { continue };
        let Some(of) = difference(&joint, &runs) else { continue };
        all += 1;
        above += usize::from(of.value > 0.0);
        clear += usize::from(of.value > 0.0 && of.is_clear());
        if best.is_none_or(|(_, best)| value > best) {
            best = Some((order, value));
        }
    }
    let (best, _) = best.filter(|_| all > 1)?;
    let of = difference(&joint, &numbers.order_gain(best))?;
    let name = quoted(letters, method);
    let how = match above {
        0 => format!("{name} is measured above none of the {all} orders that were trained."),
        n if n == all => format!(
            "{name} is measured above every one of the {all} orders that were trained, {}.",
            if clear == all {
                "clear of the errors".to_owned()
            } else {
                format!("above {clear} of them clear of the errors")
            }
        ),
        n => format!(
            "{name} is measured above {n} of the {all} orders that were trained, above {clear} of \
             them clear of the errors."
        ),
    };
    Some(format!(
        "{how} Its mean log gain ×100 less that of the order measured best, {}, is {}.",
        letters.brief(&best.order),
        interval(&of)
    ))
}

/// How far measured accuracies lie from predicted ones.
pub(super) fn prediction_error(numbers: &Numbers<'_>) -> Option<String> {
    let (mut sum, mut absolute, mut n, mut beyond) = (0.0, 0.0, 0usize, 0usize);
    let (mut orders, mut lower, mut gains) = (0usize, 0usize, 0.0);
    for order in numbers.trained() {
        orders += 1;
        if let Some(measured) = mean(&numbers.order_gain(order)) {
            lower += usize::from(measured.value < order.score);
            gains += measured.value - order.score;
        }
        for task in &numbers.study.tasks {
            let Some((predicted, _)) = numbers.predicted(order, task) else { continue };
            let Some(measured) = mean(&numbers.order_accuracy(order, task)) else { continue };
            sum += measured.value - predicted;
            absolute += (measured.value - predicted).abs();
            n += 1;
            beyond += usize::from(predicted > 1.0);
        }
    }
    let way = if sum < 0.0 { "below" } else { "above" };
    let beyond = match beyond {
        0 => String::new(),
        _ => format!(
            " {beyond} of the {n} predictions are above 100 %, which no accuracy is: they multiply \
             gains, and know no ceiling."
        ),
    };
    (n > 0).then(|| {
        format!(
            "Measured test accuracies lie {} points from the predicted ones (the base's test accuracy \
             × e^(predicted log gain)) on average over {} and the tasks; on the mean they are {} \
             points {way} them.{beyond} Measured mean log gains are below the predicted ones for \
             {lower} of the {orders}, and measured less predicted is {} (×100) on the mean.",
            Form::Percent.number(absolute / n as f64),
            count(orders, "trained order"),
            Form::Percent.number((sum / n as f64).abs()),
            signed(gains / orders as f64)
        )
    })
}
