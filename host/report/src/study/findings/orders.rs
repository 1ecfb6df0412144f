//! What is found of orders: how sure their prediction is, how well it ranks them.

use omni_record::{OrderRecord, Ranking};

use super::{Letters, count, mean, signed};
use crate::study::numbers::Numbers;
use crate::table::Form;

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

/// How far measured accuracies lie from predicted ones.
pub(super) fn prediction_error(numbers: &Numbers<'_>) -> Option<String> {
    let (mut sum, mut absolute, mut n, mut beyond) = (0.0, 0.0, 0usize, 0usize);
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
            beyond += usize::from(*predicted > 1.0);
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
            "Measured accuracies lie {} points from the predicted ones on average over {} and the \
             tasks; on the mean they are {} points {way} them.{beyond}",
            Form::Percent.number(absolute / n as f64),
            count(orders, "trained order"),
            Form::Percent.number((sum / n as f64).abs())
        )
    })
}
