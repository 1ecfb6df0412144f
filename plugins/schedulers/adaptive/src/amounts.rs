//! How many prompts of each task a run is to use that ends before its prompts do.

/// Learning signals below this are alike.
const LEAST_SIGNAL: f64 = 0.05;

/// A task has at most `e²` times as much as the others for its signal, and at least `e⁻²`.
const MOST: f64 = 2.0;

/// What a run has used and is to use, by task.
pub(crate) struct Amounts<'a> {
    /// Prompts of each task at the start.
    pub(crate) prompts: &'a [f64],
    /// Prompts of each task now.
    pub(crate) left: &'a [f64],
    /// Prompts that the whole run uses, of all tasks.
    pub(crate) planned: f64,
    /// Those of them that are still to come.
    pub(crate) ahead: f64,
}

impl Amounts<'_> {
    /// The prompts that the rest of the run is to use: all that are left, where it can. Else the
    /// whole run uses of each task in proportion to `prompts · (signal / mean signal)^exponent`,
    /// and what was used already counts.
    pub(crate) fn rest(&self, signals: &[Option<f64>], exponent: f64) -> Vec<f64> {
        if self.ahead >= self.left.iter().sum() || self.ahead <= 0.0 {
            return self.left.to_vec();
        }
        let seen = || self.prompts.iter().zip(signals).filter_map(|(n, it)| Some((n, (*it)?)));
        let weight: f64 = seen().map(|(n, _)| n).sum();
        let mean = seen().map(|(n, signal)| n * signal).sum::<f64>() / weight.max(1.0);
        let wanted = |(n, signal): (&f64, &Option<f64>)| {
            // A task that was not seen yet is taken for an average one.
            let more = signal.map_or(1.0, |it| (it + LEAST_SIGNAL) / (mean + LEAST_SIGNAL));
            n * (exponent * more.ln()).clamp(-MOST, MOST).exp()
        };
        let wanted: Vec<f64> = self.prompts.iter().zip(signals).map(wanted).collect();
        let whole = fill(&wanted, self.prompts, self.planned);
        let used = self.prompts.iter().zip(self.left).map(|(all, left)| all - left);
        let rest: Vec<f64> =
            whole.iter().zip(used).map(|(whole, used)| (whole - used).max(0.0)).collect();
        fill(&rest, self.left, self.ahead)
    }
}

/// Shares `amount` in proportion to `wanted`; whoever would have more than `most` has that, and the
/// others share what remains.
fn fill(wanted: &[f64], most: &[f64], mut amount: f64) -> Vec<f64> {
    let mut wanted = wanted.to_vec();
    let mut filled = vec![0.0; most.len()];
    loop {
        let sum: f64 = wanted.iter().sum();
        if !(sum > 0.0 && amount > 0.0) {
            return filled;
        }
        let scale = amount / sum;
        let full = (0..most.len()).find(|at| wanted[*at] > 0.0 && wanted[*at] * scale >= most[*at]);
        let Some(full) = full else {
            return filled.iter().zip(&wanted).map(|(it, wanted)| it + scale * wanted).collect();
        };
        filled[full] = most[full];
        amount -= most[full];
        wanted[full] = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(left: [f64; 3], ahead: f64, signals: [Option<f64>; 3]) -> Vec<f64> {
        let prompts = [100.0, 100.0, 200.0];
        Amounts { prompts: &prompts, left: &left, planned: 200.0, ahead }.rest(&signals, 1.0)
    }

    fn near(found: &[f64], expected: [f64; 3]) {
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-9, "{found:?}, not {expected:?}");
    }

    #[test]
    fn without_signals_the_run_uses_the_same_part_of_every_task() {
        near(&rest([100.0, 100.0, 200.0], 200.0, [None; 3]), [50.0, 50.0, 100.0]);
        // Used early is used: the others come later.
        near(&rest([50.0, 100.0, 200.0], 150.0, [None; 3]), [0.0, 50.0, 100.0]);
        // A run that can use all uses all.
        near(&rest([5.0, 0.0, 7.0], 12.0, [None; 3]), [5.0, 0.0, 7.0]);
    }

    #[test]
    fn more_is_used_where_there_is_more_to_learn_but_no_more_than_there_is() {
        let found = rest([100.0, 100.0, 200.0], 200.0, [Some(0.8), Some(0.0), Some(0.2)]);
        near(&found, [100.0, 100.0 / 11.0, 1000.0 / 11.0]);
    }
}
