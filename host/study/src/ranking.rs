//! How well predictions rank the orders that were trained, and how well anything could.
//!
//! Intervals are of the noise of evaluations: items of the validation splits are resampled for the
//! predictions, items of the test splits for the measured scores. They do not cover the noise of
//! training, which the ceiling shows: the same orders with another seed. P-values come from giving
//! the tasks of the prediction other names in all K! ways; exchanging whole orders instead would take
//! K! orders for independent, though their scores follow from far fewer numbers.

use omni_curriculum::{Evidence, Prediction};
use omni_record::{Ceiling, Correlation, Ranking};

use crate::compare::Gained;
use crate::evidence::Gathered;
use crate::graph::permutations;
use crate::statistics::{interval, kendall, spearman};

/// Fewer orders have no ranking.
const FEWEST: usize = 3;

/// More tasks have no p-value: they have too many names (7! is 5,040).
const MOST_NAMED: usize = 7;

/// An order that was trained, with its gain by seed.
pub(crate) struct Trained {
    pub(crate) order: Vec<usize>,
    pub(crate) by_seed: Vec<(u64, Gained)>,
}

impl Trained {
    fn with(&self, seed: u64) -> Option<&Gained> {
        self.by_seed.iter().find(|(of, _)| *of == seed).map(|(_, gained)| gained)
    }
}

/// Ranks the orders that were trained; none for fewer than three.
///
/// Of several seeds the mean is ranked where every order has them all, else the first seed.
pub(crate) fn rank(pooled: &Gathered, trained: &[Trained], seeds: &[u64]) -> Option<Ranking> {
    let everywhere = |order: &&Trained| seeds.iter().all(|&seed| order.with(seed).is_some());
    let first = *seeds.first()?;
    let whole = seeds.len() > 1 && trained.iter().all(|order| everywhere(&order));
    let used: Vec<(&[usize], Gained)> = trained
        .iter()
        .filter_map(|order| {
            let gained = if whole {
                let all: Vec<&Gained> = order.by_seed.iter().map(|(_, gained)| gained).collect();
                Gained::mean(&all)?
            } else {
                order.with(first)?.clone()
            };
            Some((order.order.as_slice(), gained))
        })
        .collect();
    if used.len() < FEWEST {
        return None;
    }
    let measured: Vec<f64> = used.iter().map(|(_, gained)| gained.score).collect();
    let predicted = scores(&pooled.evidence, used.iter().map(|(order, _)| *order));
    let samples = pooled.transfer.resampled.len().min(used[0].1.resampled.len());
    let pairs: Vec<(Vec<f64>, Vec<f64>)> = (0..samples)
        .map(|at| {
            let again = used.iter().map(|(order, _)| pooled.resampled_score(order, at)).collect();
            let measured = used.iter().map(|(_, gained)| gained.resampled[at]).collect();
            (again, measured)
        })
        .collect();
    let tasks = pooled.evidence.size();
    let names = if tasks <= MOST_NAMED { permutations(tasks) } else { Vec::new() };
    let renamed: Vec<Vec<f64>> = names
        .into_iter()
        .map(|names| {
            let orders: Vec<Vec<usize>> = used
                .iter()
                .map(|(order, _)| order.iter().map(|&task| names[task]).collect())
                .collect();
            scores(&pooled.evidence, orders.iter().map(Vec::as_slice))
        })
        .collect();
    let correlation = |of: fn(&[f64], &[f64]) -> Option<f64>| -> Option<Correlation> {
        let value = of(&predicted, &measured)?;
        let again: Vec<f64> = pairs.iter().filter_map(|(x, y)| of(x, y)).collect();
        let (low, high) = interval(value, &again);
        let as_far = renamed.iter().filter(|names| {
            // Rounding must not make the prediction itself less far than it is.
            of(names, &measured).is_some_and(|it| it.abs() >= value.abs() - 1e-9)
        });
        let p_value = (!renamed.is_empty()).then(|| as_far.count() as f64 / renamed.len() as f64);
        Some(Correlation { value, low, high, p_value })
    };
    Some(Ranking {
        orders: used.len() as u32,
        of: match whole {
            true => format!("mean of {} seeds", seeds.len()),
            false => format!("seed {first}"),
        },
        spearman: correlation(spearman)?,
        kendall: correlation(kendall)?,
        ceiling: ceiling(trained, seeds),
    })
}

fn scores<'a>(evidence: &Evidence, orders: impl Iterator<Item = &'a [usize]>) -> Vec<f64> {
    orders.map(|order| Prediction::of(evidence, order).score).collect()
}

/// The first two seeds' measured scores against each other.
fn ceiling(trained: &[Trained], seeds: &[u64]) -> Option<Ceiling> {
    let (&a, &b) = (seeds.first()?, seeds.get(1)?);
    let both: Vec<(&Gained, &Gained)> =
        trained.iter().filter_map(|order| Some((order.with(a)?, order.with(b)?))).collect();
    if both.len() < FEWEST {
        return None;
    }
    let column = |of: &dyn Fn(&Gained) -> f64| -> (Vec<f64>, Vec<f64>) {
        both.iter().map(|(a, b)| (of(a), of(b))).unzip()
    };
    let (x, y) = column(&|gained| gained.score);
    let samples = both.iter().map(|(a, _)| a.resampled.len()).min().unwrap_or(0);
    let again: Vec<_> = (0..samples).map(|at| column(&|gained| gained.resampled[at])).collect();
    let correlation = |of: fn(&[f64], &[f64]) -> Option<f64>| -> Option<Correlation> {
        let value = of(&x, &y)?;
        let samples: Vec<f64> = again.iter().filter_map(|(x, y)| of(x, y)).collect();
        let (low, high) = interval(value, &samples);
        Some(Correlation { value, low, high, p_value: None })
    };
    Some(Ceiling {
        seeds: (a, b),
        orders: both.len() as u32,
        spearman: correlation(spearman)?,
        kendall: correlation(kendall)?,
    })
}
