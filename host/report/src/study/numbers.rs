//! Means over seeds, log gains over the base, and whether two methods can be told apart.
//!
//! An error is over seeds where there are at least three. Two seeds may lie together by chance, so the
//! error of fewer is the larger one of that over seeds and that over items. Two methods are compared
//! by their differences seed by seed; a difference is clear where its 95 % interval leaves zero
//! out. The interval is the wider one of two: from the spread over seeds (Student's t), and from
//! the errors over items, which no number of seeds on the same items makes smaller.

use omni_record::{
    Estimate, MeasuredOrder, Method, MethodKind, MethodRun, OrderRecord, Study, TaskMeasure,
};

/// A value with one seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) value: f64,
    /// Its standard error over items.
    pub(super) error: Option<f64>,
    /// The base's: it has no seed of its own, and stands for all of them.
    pub(super) fixed: bool,
}

/// A mean over seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mean {
    pub(super) value: f64,
    /// Its standard error: over seeds from [`SEEDS`] on, else the larger of those over seeds and items.
    pub(super) error: Option<f64>,
    pub(super) seeds: usize,
}

/// One method less another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) value: f64,
    /// Half of its 95 % interval; none where no error is known.
    pub(super) half: Option<f64>,
    /// Seeds that both were measured with; fewer than two say nothing of training's noise.
    pub(super) seeds: usize,
}

impl Difference {
    /// Whether its interval leaves zero out.
    pub(super) fn is_clear(&self) -> bool {
        self.half.is_some_and(|half| self.value.abs() > half)
    }
}

/// Seeds from which on their spread alone is an error.
pub(super) const SEEDS: usize = 3;

/// The mean of what is finite.
pub(super) fn mean(runs: &[Run]) -> Option<Mean> {
    let runs: Vec<&Run> = runs.iter().filter(|run| run.value.is_finite()).collect();
    let first = runs.first()?;
    let values: Vec<f64> = runs.iter().map(|run| run.value).collect();
    let (value, spread) = moments(&values);
    // Policies are evaluated on the same items, so the mean of seeds has the items' error of one.
    let items: Option<Vec<f64>> = runs.iter().map(|run| run.error).collect();
    let items = items.map(|errors| moments(&errors).0);
    let error = match runs.len() {
        1 => first.error,
        n if n < SEEDS => Some(items.map_or(spread, |items| items.max(spread))),
        _ => Some(spread),
    };
    Some(Mean { value, error: error.filter(|e| e.is_finite()), seeds: runs.len() })
}

/// `a` less `b`, seed by seed where they have two in common.
pub(super) fn difference(a: &[Run], b: &[Run]) -> Option<Difference> {
    if a.iter().all(|run| run.fixed) && b.iter().any(|run| !run.fixed) {
        return difference(b, a).map(|of| Difference { value: -of.value, ..of });
    }
    let of = |seed: u64| {
        b.iter().find(|run| run.seed == seed).or_else(|| b.first().filter(|run| run.fixed))
    };
    let both = |a: &Run, b: &Run| a.value.is_finite() && b.value.is_finite();
    let mut pairs: Vec<(&Run, &Run)> =
        a.iter().filter_map(|run| Some((run, of(run.seed)?))).filter(|(a, b)| both(a, b)).collect();
    let seeds = pairs.len();
    if pairs.is_empty() {
        // Without a seed in common, whatever there is.
        pairs.extend(a.first().zip(b.first()).filter(|(a, b)| both(a, b)));
    }
    let values: Vec<f64> = pairs.iter().map(|(a, b)| a.value - b.value).collect();
    let items: Option<Vec<f64>> =
        pairs.iter().map(|(a, b)| Some(a.error?.hypot(b.error?))).collect();
    let items = items.filter(|e| !e.is_empty()).map(|e| NORMAL * moments(&e).0);
    if values.is_empty() {
        return None;
    }
    let (value, spread) = moments(&values);
    let over_seeds = (values.len() > 1).then(|| student(values.len() - 1) * spread);
    let half = match (over_seeds, items) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    Some(Difference { value, half: half.filter(|h| h.is_finite()), seeds })
}

/// The 97.5th percentile of a normal distribution.
pub(super) const NORMAL: f64 = 1.96;

/// The mean, and its standard error from the spread.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0) / n).sqrt())
}

/// The 97.5th percentile of Student's t.
fn student(freedom: usize) -> f64 {
    const T: [f64; 15] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131,
    ];
    match T.get(freedom.saturating_sub(1)) {
        Some(t) => *t,
        // Above the truth, by less than 0.3 %, from here on.
        None => NORMAL + 2.6 / freedom as f64,
    }
}

/// A study with what its numbers need at hand.
pub(super) struct Numbers<'a> {
    pub(super) study: &'a Study,
    pub(super) base: Option<&'a Method>,
    /// Seeds that every trained order has: orders are ranked over these alone, since a seed may lift
    /// all orders that have it.
    pub(super) ranked: Vec<u64>,
}

impl<'a> Numbers<'a> {
    pub(super) fn of(study: &'a Study) -> Self {
        let trained = || study.orders.iter().filter(|order| !order.measured.is_empty());
        let everywhere = |seed: &u64| trained().all(|o| o.measured.iter().any(|m| m.seed == *seed));
        let mut ranked: Vec<u64> =
            trained().flat_map(|o| &o.measured).map(|m| m.seed).filter(everywhere).collect();
        ranked.sort_unstable();
        ranked.dedup();
        Self { study, base: study.methods.iter().find(|m| m.kind == MethodKind::Base), ranked }
    }

    /// A method's accuracies on the test split.
    pub(super) fn accuracy(&self, method: &Method, task: &str) -> Vec<Run> {
        measured(method, task, |of| Some(of.accuracy))
    }

    /// A method's mean log gains over the base; empty while a task is missing.
    pub(super) fn gain(&self, method: &Method) -> Vec<Run> {
        method.runs.iter().filter_map(|run| self.gain_of(method, run)).collect()
    }

    fn gain_of(&self, method: &Method, run: &MethodRun) -> Option<Run> {
        if method.kind == MethodKind::Base {
            let whole = self.study.tasks.iter().all(|task| run.test.contains_key(task));
            return whole.then_some(Run {
                seed: run.seed,
                value: 0.0,
                error: Some(0.0),
                fixed: true,
            });
        }
        if let Some(gain) = run.gain {
            let error = Some(gain.standard_error);
            return Some(Run { seed: run.seed, value: gain.score, error, fixed: false });
        }
        let paired = method.order.as_ref().and_then(|order| self.order(order));
        if let Some(of) = paired.and_then(|o| o.measured.iter().find(|m| m.seed == run.seed)) {
            let error = Some(of.standard_error);
            return Some(Run { seed: run.seed, value: of.score, error, fixed: false });
        }
        self.gain_from_accuracies(run)
    }

    /// By the delta method, as if base and method had been measured on different items.
    fn gain_from_accuracies(&self, run: &MethodRun) -> Option<Run> {
        let base = self.base?;
        let base = base.runs.iter().find(|b| b.seed == run.seed).or_else(|| base.runs.first())?;
        let (mut gain, mut variance, mut weights) = (0.0, 0.0, 0.0);
        for (index, task) in self.study.tasks.iter().enumerate() {
            let weight = self.weight(index);
            let (after, before) = (&run.test.get(task)?.accuracy, &base.test.get(task)?.accuracy);
            gain += weight * (self.log(after.mean) - self.log(before.mean));
            for of in [after, before] {
                let relative = of.standard_error / of.mean.max(self.study.measure.floor);
                variance += (weight * relative).powi(2);
            }
            weights += weight;
        }
        let value = gain / weights;
        let error = Some(variance.sqrt() / weights);
        value.is_finite().then_some(Run { seed: run.seed, value, error, fixed: false })
    }

    /// The weight of a task; 1 where the record has none.
    pub(super) fn weight(&self, index: usize) -> f64 {
        self.study.weights.get(index).copied().unwrap_or(1.0)
    }

    /// A logarithm with the study's floor.
    pub(super) fn log(&self, accuracy: f64) -> f64 {
        accuracy.max(self.study.measure.floor).ln()
    }

    /// What is known of an order.
    pub(super) fn order(&self, order: &[String]) -> Option<&'a OrderRecord> {
        self.study.orders.iter().find(|o| o.order == order)
    }

    /// The method that was trained in an order: the curriculum, where both are.
    pub(super) fn method_of(&self, order: &[String]) -> Option<&'a Method> {
        let of = |kind: MethodKind| {
            self.study.methods.iter().find(|m| m.kind == kind && m.order.as_deref() == Some(order))
        };
        of(MethodKind::Curriculum).or_else(|| of(MethodKind::Order))
    }

    /// The first method of a kind.
    pub(super) fn kind(&self, kind: MethodKind) -> Option<&'a Method> {
        self.study.methods.iter().find(|m| m.kind == kind)
    }

    /// What an order came to with the seeds that orders are ranked over; with all of its own, where
    /// orders have no seed in common.
    fn measured(&self, order: &'a OrderRecord) -> impl Iterator<Item = &'a MeasuredOrder> {
        let of = |m: &&MeasuredOrder| self.ranked.is_empty() || self.ranked.contains(&m.seed);
        order.measured.iter().filter(of)
    }

    /// Measured mean log gains of an order.
    pub(super) fn order_gain(&self, order: &'a OrderRecord) -> Vec<Run> {
        let run = |m: &MeasuredOrder| {
            let error = Some(m.standard_error);
            Run { seed: m.seed, value: m.score, error, fixed: false }
        };
        self.measured(order).map(run).collect()
    }

    /// Measured accuracies of an order; errors over items come from its method.
    pub(super) fn order_accuracy(&self, order: &'a OrderRecord, task: &str) -> Vec<Run> {
        let method = self.method_of(&order.order);
        self.measured(order)
            .filter_map(|m| {
                let run = method.and_then(|method| method.runs.iter().find(|r| r.seed == m.seed));
                let error = run.and_then(|r| r.test.get(task)).map(|t| t.accuracy.standard_error);
                let value = *m.accuracy.get(task)?;
                Some(Run { seed: m.seed, value, error, fixed: false })
            })
            .collect()
    }

    /// An order's predicted accuracy on the test split with its standard error: the base's test
    /// accuracy raised by the predicted log gain, which is of validation splits.
    pub(super) fn predicted(&self, order: &OrderRecord, task: &str) -> Option<(f64, Option<f64>)> {
        let index = self.study.tasks.iter().position(|name| name == task)?;
        let evidence = super::matrices::shown(self.study)?;
        let floor = self.study.measure.floor;
        let before = evidence.base_accuracy.get(index)?.max(floor);
        let base = mean(&self.accuracy(self.base?, task))?.value.max(floor);
        let scale = base / before;
        let value = scale * order.predicted.get(task)?;
        let error = order.predicted_errors.get(task).map(|error| scale * error);
        value.is_finite().then_some((value, error))
    }

    /// The seeds that orders are ranked over, in words.
    pub(super) fn ranked_seeds(&self) -> String {
        let seeds: Vec<String> = self.ranked.iter().map(u64::to_string).collect();
        match seeds.len() {
            0 => "whatever seeds each was trained with".to_owned(),
            1 => format!("seed {}, which all of them have", seeds[0]),
            _ => format!("seeds {}, which all of them have", super::names::list(&seeds)),
        }
    }

    /// Orders that were trained, as they stand in the record: best predicted first.
    pub(super) fn trained(&self) -> impl Iterator<Item = &'a OrderRecord> {
        self.study.orders.iter().filter(|order| !order.measured.is_empty())
    }

    /// Whether every method that was measured has one seed alone.
    pub(super) fn one_seed(&self) -> bool {
        let trained = self.study.methods.iter().filter(|m| m.kind != MethodKind::Base);
        trained.map(|m| m.runs.len()).max().unwrap_or(0) < 2
    }
}

/// Values of a method on a task's test split.
pub(super) fn measured(
    method: &Method,
    task: &str,
    pick: impl Fn(&TaskMeasure) -> Option<Estimate>,
) -> Vec<Run> {
    method
        .runs
        .iter()
        .filter_map(|run| {
            let of = pick(run.test.get(task)?)?;
            // An error of nothing says that none was made.
            let error = (of.standard_error > 0.0 || of.items > 0).then_some(of.standard_error);
            let fixed = method.kind == MethodKind::Base;
            Some(Run { seed: run.seed, value: of.mean, error, fixed })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(values: &[f64]) -> Vec<Run> {
        let run = |(seed, value): (usize, &f64)| Run {
            seed: seed as u64,
            value: *value,
            error: Some(0.01),
            fixed: false,
        };
        values.iter().enumerate().map(run).collect()
    }

    #[test]
    fn one_seed_has_the_items_error_and_three_have_their_own() {
        assert_eq!(mean(&runs(&[0.5])).unwrap().error, Some(0.01));
        let two = mean(&runs(&[0.4, 0.6])).unwrap();
        assert!((two.value - 0.5).abs() < 1e-12 && (two.error.unwrap() - 0.1).abs() < 1e-12);
        // Two seeds that happen to agree are no better known than their items.
        assert_eq!(mean(&runs(&[0.5, 0.5])).unwrap().error, Some(0.01));
        assert_eq!(mean(&runs(&[0.5, 0.5, 0.5])).unwrap().error, Some(0.0));
        assert_eq!(mean(&runs(&[f64::NAN])), None);
    }

    #[test]
    fn a_difference_is_taken_seed_by_seed() {
        // Seeds differ far more than the methods do.
        let (a, b) = (runs(&[0.10, 0.50, 0.90]), runs(&[0.05, 0.44, 0.85]));
        let paired = difference(&a, &b).unwrap();
        assert!((paired.value - 0.16 / 3.0).abs() < 1e-9);
        assert_eq!(paired.seeds, 3);
        assert!(paired.is_clear(), "{paired:?}");
        // However alike the seeds are, items have errors of their own.
        let same = difference(&runs(&[0.51, 0.51]), &runs(&[0.5, 0.5])).unwrap();
        assert!(!same.is_clear(), "{same:?}");
        assert!((same.half.unwrap() - NORMAL * 0.01f64.hypot(0.01)).abs() < 1e-12);
    }

    #[test]
    fn the_base_stands_for_every_seed() {
        let base = [Run { seed: 0, value: 0.4, error: Some(0.01), fixed: true }];
        let above = difference(&runs(&[0.50, 0.51, 0.52]), &base).unwrap();
        assert_eq!(above.seeds, 3);
        assert!((above.value - 0.11).abs() < 1e-9 && above.is_clear());
        let below = difference(&base, &runs(&[0.50, 0.51, 0.52])).unwrap();
        assert_eq!((below.value, below.half), (-above.value, above.half));
    }

    #[test]
    fn two_seeds_are_few() {
        let (a, b) = (runs(&[0.30, 0.50]), runs(&[0.20, 0.30]));
        let of = difference(&a, &b).unwrap();
        assert!((of.half.unwrap() - 12.706 * 0.05).abs() < 1e-9);
        assert!(!of.is_clear());
    }

    #[test]
    fn without_errors_nothing_is_clear() {
        let bare = |value| vec![Run { seed: 0, value, error: None, fixed: false }];
        assert!(!difference(&bare(0.9), &bare(0.1)).unwrap().is_clear());
        assert_eq!(difference(&[], &bare(0.1)), None);
    }

    #[test]
    fn students_t_falls_towards_the_normal() {
        let t: Vec<f64> = (1..60).map(student).collect();
        assert!(t.windows(2).all(|w| w[0] > w[1]) && t[58] > NORMAL);
    }
}
