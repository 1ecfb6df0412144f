//! The objective and its derivative by each token's log-probability. Eq: METHOD section 1.
//!
//! All in f64 and of log-probabilities alone: no model is needed to test it. A batch's loss is
//! `Σ_rows w_row Σ_t l_t`, where the weight of a row holds the whole aggregation; it is known
//! before the first micro-batch, so accumulation never changes the result. Excluded outputs never
//! become a [`Row`], and so are in no denominator.

use crate::config::{self, LossKind, RatioLevel};

/// What can differ from task to task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TaskLoss {
    /// Clip from below at `1 − epsilon_low`.
    pub epsilon_low: f64,
    /// Clip from above at `1 + epsilon_high`.
    pub epsilon_high: f64,
    /// Weight of the KL term.
    pub beta: f64,
}

impl TaskLoss {
    /// A task's settings over the run's.
    #[must_use]
    pub fn of(run: &config::Loss, task: &config::Task) -> Self {
        Self {
            epsilon_low: task.epsilon_low.unwrap_or(run.epsilon_low),
            epsilon_high: task.epsilon_high.unwrap_or(run.epsilon_high),
            beta: task.beta.unwrap_or(run.beta),
        }
    }
}

/// One valid output of `n` tokens.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Log-probabilities now, `[n]`.
    pub logp: &'a [f64],
    /// Those of the policy that sampled it; none: the same as now, held constant (on-policy).
    pub old: Option<&'a [f64]>,
    /// Those of the reference; needed where `task.beta > 0`.
    pub reference: Option<&'a [f64]>,
    /// Its advantage.
    pub advantage: f64,
    /// Whether its tokens are taken out of the loss (it was cut and `mask_truncated` is set).
    pub masked: bool,
    /// Its task's settings.
    pub task: TaskLoss,
}

/// What the sums of a batch are divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Denominators {
    /// Valid outputs of the optimizer batch.
    pub sequences: usize,
    /// Their unmasked completion tokens (`dapo`; of the whole phase with
    /// `denominator = "generation"`).
    pub tokens: usize,
    /// Unmasked completion tokens of the micro-batch (`bnpo`).
    pub micro_tokens: usize,
    /// Micro-batches of the optimizer batch (`bnpo`).
    pub micro_batches: usize,
    /// Longest completion allowed (`dr_grpo`).
    pub max_completion_tokens: usize,
}

impl Denominators {
    /// The weight of each token's loss in a row of `n` tokens.
    fn weight(&self, kind: LossKind, n: usize) -> f64 {
        let inverse = |x: usize| 1.0 / x.max(1) as f64;
        match kind {
            LossKind::Grpo => inverse(self.sequences) * inverse(n),
            LossKind::Dapo => inverse(self.tokens),
            LossKind::Bnpo => inverse(self.micro_tokens) * inverse(self.micro_batches),
            LossKind::DrGrpo => inverse(self.sequences) * inverse(self.max_completion_tokens),
        }
    }
}

/// Sums for the record; those of micro-batches add up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// The loss (already divided).
    pub loss: f64,
    /// k3, over unmasked tokens of rows with a KL term.
    pub kl: f64,
    /// How many tokens that were.
    pub kl_tokens: f64,
    /// Ratios that were clipped from below (and whose advantage is negative).
    pub clipped_low: f64,
    /// Ratios that were clipped from above (and whose advantage is positive).
    pub clipped_high: f64,
    /// Ratios: unmasked tokens, or sequences where the ratio is the sequence's.
    pub ratios: f64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.kl += other.kl;
        self.kl_tokens += other.kl_tokens;
        self.clipped_low += other.clipped_low;
        self.clipped_high += other.clipped_high;
        self.ratios += other.ratios;
    }
}

impl Tally {
    /// Mean k3 of a token; 0 where no task has a KL term.
    #[must_use]
    pub fn mean_kl(&self) -> f64 {
        self.kl / self.kl_tokens.max(1.0)
    }

    /// Fraction clipped from below.
    #[must_use]
    pub fn clip_low(&self) -> f64 {
        self.clipped_low / self.ratios.max(1.0)
    }

    /// Fraction clipped from above.
    #[must_use]
    pub fn clip_high(&self) -> f64 {
        self.clipped_high / self.ratios.max(1.0)
    }
}

/// Loss of a micro-batch's rows (its part of the batch's), and for each row the derivative by
/// each of its log-probabilities, `[row][token]`.
#[must_use]
pub fn loss(
    rows: &[Row<'_>],
    settings: &config::Loss,
    denominators: &Denominators,
) -> (Tally, Vec<Vec<f64>>) {
    let mut tally = Tally::default();
    let gradients =
        rows.iter().map(|row| row_loss(row, settings, denominators, &mut tally)).collect();
    (tally, gradients)
}

fn row_loss(
    row: &Row<'_>,
    settings: &config::Loss,
    denominators: &Denominators,
    tally: &mut Tally,
) -> Vec<f64> {
    let n = row.logp.len();
    if row.masked || n == 0 {
        // A sequence whose tokens are all masked has ratio 1 and still counts as a sequence.
        if settings.ratio == RatioLevel::Sequence {
            tally.ratios += 1.0;
        }
        return vec![0.0; n];
    }
    let weight = denominators.weight(settings.kind, n);
    let log_ratio = |t: usize| row.old.map_or(0.0, |old| row.logp[t] - old[t]);
    let reference = row.reference.filter(|_| row.task.beta != 0.0);
    let mut gradient = vec![0.0; n];
    let mut total = 0.0;
    match settings.ratio {
        RatioLevel::Token => {
            for t in 0..n {
                let ratio = log_ratio(t).exp();
                let (surrogate, slope) = clipped(ratio, row, tally);
                total += surrogate;
                gradient[t] += weight * slope * ratio;
                if let Some(reference) = reference {
                    let (k3, dk3) = k3(reference[t] - row.logp[t], tally);
                    let (value, by_logp) = if settings.kl_correction {
                        (k3 * ratio, (dk3 + k3) * ratio)
                    } else {
                        (k3, dk3)
                    };
                    total += row.task.beta * value;
                    gradient[t] += weight * row.task.beta * by_logp;
                }
            }
        }
        RatioLevel::Sequence => {
            let ratio = ((0..n).map(log_ratio).sum::<f64>() / n as f64).exp();
            let (surrogate, slope) = clipped(ratio, row, tally);
            total += surrogate * n as f64;
            // n equal token losses, each with d ratio / d logp = ratio / n.
            gradient.fill(weight * slope * ratio);
            if let Some(reference) = reference {
                let mut sum = 0.0;
                let scale = if settings.kl_correction { ratio } else { 1.0 };
                for t in 0..n {
                    let (k3, dk3) = k3(reference[t] - row.logp[t], tally);
                    sum += k3;
                    gradient[t] += weight * row.task.beta * scale * dk3;
                }
                total += row.task.beta * scale * sum;
                if settings.kl_correction {
                    let by_ratio = weight * row.task.beta * sum * ratio / n as f64;
                    gradient.iter_mut().for_each(|g| *g += by_ratio);
                }
            }
        }
    }
    tally.loss += weight * total;
    gradient
}

/// `− min(ρ A, clip(ρ) A)` and its slope by ρ.
fn clipped(ratio: f64, row: &Row<'_>, tally: &mut Tally) -> (f64, f64) {
    let (low, high) = (1.0 - row.task.epsilon_low, 1.0 + row.task.epsilon_high);
    let a = row.advantage;
    tally.ratios += 1.0;
    if a == 0.0 {
        return (0.0, 0.0);
    }
    if a < 0.0 && ratio < low {
        tally.clipped_low += 1.0;
        return (-low * a, 0.0);
    }
    if a > 0.0 && ratio > high {
        tally.clipped_high += 1.0;
        return (-high * a, 0.0);
    }
    (-ratio * a, -a)
}

/// `exp(d) − d − 1` for `d = ref − logp`, and its derivative by `logp`.
fn k3(d: f64, tally: &mut Tally) -> (f64, f64) {
    let value = d.exp_m1() - d;
    tally.kl += value;
    tally.kl_tokens += 1.0;
    (value, -d.exp_m1())
}
