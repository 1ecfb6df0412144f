//! The learning rate of a step.

use crate::config::{LrSchedule, Optimizer};

/// The learning rate of a step, counted from 1. With a warm-up of `w` steps, step `w` is the first
/// with the full rate; a falling schedule then goes towards 0, which it would reach one step after
/// `total`.
pub(crate) fn learning_rate(optimizer: &Optimizer, step: u64, total: Option<u64>) -> f64 {
    let warmup = optimizer.warmup_steps;
    if step < warmup {
        return optimizer.lr * step as f64 / warmup as f64;
    }
    let done = match total {
        // The first step after the warm-up, or the first of all, has the full rate.
        Some(total) if total > warmup => {
            ((step - warmup.max(1)) as f64 / (total + 1 - warmup.max(1)) as f64).min(1.0)
        }
        _ => 0.0,
    };
    optimizer.lr
        * match optimizer.schedule {
            LrSchedule::Constant => 1.0,
            LrSchedule::Linear => 1.0 - done,
            LrSchedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: LrSchedule, warmup_steps: u64, total: u64) -> Vec<f64> {
        let optimizer = Optimizer { lr: 1.0, schedule, warmup_steps, ..Optimizer::default() };
        (1..=total).map(|s| learning_rate(&optimizer, s, Some(total))).collect()
    }

    #[test]
    fn linear_falls_as_transformers_does() {
        assert_eq!(rates(LrSchedule::Linear, 0, 4), [1.0, 0.75, 0.5, 0.25]);
    }

    #[test]
    fn warm_up_rises_to_the_full_rate_and_then_falls() {
        assert_eq!(rates(LrSchedule::Constant, 4, 6), [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]);
        assert_eq!(rates(LrSchedule::Linear, 2, 5), [0.5, 1.0, 0.75, 0.5, 0.25]);
    }

    #[test]
    fn cosine_is_half_way_in_the_middle_and_never_negative() {
        let rates = rates(LrSchedule::Cosine, 0, 4);
        assert!((rates[2] - 0.5).abs() < 1e-12, "{rates:?}");
        let optimizer = Optimizer { lr: 1.0, schedule: LrSchedule::Cosine, ..Optimizer::default() };
        assert!(learning_rate(&optimizer, 99, Some(4)).abs() < 1e-12);
    }
}
