//! What a prompt of each task is worth now rather than later, under the paper's model of transfer
//! taken to its continuous limit. The derivation is in `docs/schedules.md`.

/// The state that the worth depends on.
pub(crate) struct Rest<'a> {
    /// α: the tasks' weights.
    pub(crate) weights: &'a [f64],
    /// N: prompts of each task, all epochs together.
    pub(crate) prompts: &'a [f64],
    /// The part of them that is left, 0 to 1.
    pub(crate) left: &'a [f64],
    /// How many times over a task closes a factor e of its gap in all its prompts.
    pub(crate) saturation: f64,
}

impl Rest<'_> {
    /// By task: what is gained in `Σ α ln Acc` by using a prompt of it now rather than some time
    /// later, times the mean number of prompts of a task. `transfer(i, j)` is the change of
    /// `ln Acc_i` by all prompts of task j.
    ///
    /// ```text
    /// N_j A_j = x Σ_m [ α_j h(x ℓ_j) ℓ_m β_jm − α_m h(x ℓ_m) ℓ_m β_mj ]
    /// ```
    pub(crate) fn now_rather_than_later(&self, transfer: impl Fn(usize, usize) -> f64) -> Vec<f64> {
        let size = self.prompts.len();
        let mean = self.prompts.iter().sum::<f64>() / size.max(1) as f64;
        let erased: Vec<f64> =
            self.left.iter().map(|left| erased(self.saturation * left)).collect();
        let worth = |j: usize| {
            if self.prompts[j] <= 0.0 {
                return 0.0;
            }
            let pairs = (0..size).filter(|m| *m != j).map(|m| {
                let forgets = self.weights[j] * erased[j] * transfer(j, m);
                let disturbs = self.weights[m] * erased[m] * transfer(m, j);
                self.left[m] * (forgets - disturbs)
            });
            mean / self.prompts[j] * self.saturation * pairs.sum::<f64>()
        };
        (0..size).map(worth).collect()
    }
}

/// `h(x) = ∫₀¹ u e^{−xu} du = (1 − (1 + x) e^{−x}) / x²`: 1/2 at 0, and falling.
fn erased(x: f64) -> f64 {
    // The difference loses its digits where x is small.
    if x < 1e-2 {
        return 0.5 - x / 3.0 + x * x / 8.0;
    }
    (1.0 - (1.0 + x) * (-x).exp()) / (x * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The final `Σ α a` of `da_i = s_i λ_i (c_i − a_i) + Σ_j s_j b_ij`, tasks proportionally to
    /// what is left, but for a little of task j's prompts that are used first.
    fn simulate(rest: &Rest<'_>, transfer: &[[f64; 3]; 3], first: usize, some: f64) -> f64 {
        let (steps, size) = (20_000, 3);
        let (mut a, c) = ([-1.0, -0.7, -0.9], [-0.1, -0.2, -0.3]);
        let mut use_up = |amounts: [f64; 3]| {
            let mut change = [0.0; 3];
            for i in 0..size {
                change[i] += amounts[i] / rest.prompts[i] * rest.saturation * (c[i] - a[i]);
                for j in (0..size).filter(|j| *j != i) {
                    change[i] += amounts[j] / rest.prompts[j] * transfer[i][j];
                }
            }
            for i in 0..size {
                a[i] += change[i];
            }
        };
        let mut left: Vec<f64> = (0..size).map(|i| rest.left[i] * rest.prompts[i]).collect();
        let mut begin = [0.0; 3];
        begin[first] = some / 100.0;
        for _ in 0..100 {
            use_up(begin);
        }
        left[first] -= some;
        for _ in 0..steps {
            use_up([0, 1, 2].map(|i| left[i] / f64::from(steps)));
        }
        (0..size).map(|i| rest.weights[i] * a[i]).sum()
    }

    #[test]
    fn it_is_the_derivative_of_the_final_accuracy() {
        let transfer = [[0.0, -0.3, 0.1], [0.05, 0.0, -0.2], [-0.4, -0.1, 0.0]];
        let rest = Rest {
            weights: &[1.0, 2.0, 0.5],
            prompts: &[100.0, 400.0, 250.0],
            left: &[0.9, 0.5, 0.7],
            saturation: 3.0,
        };
        let worth = rest.now_rather_than_later(|i, j| transfer[i][j]);
        let mean = 250.0;
        for (task, worth) in worth.iter().enumerate() {
            let some = 0.05;
            let gained =
                simulate(&rest, &transfer, task, some) - simulate(&rest, &transfer, task, 0.0);
            let expected = gained / some * mean;
            assert!((worth - expected).abs() < 0.01, "{task}: {worth}, simulated {expected}");
        }
    }

    #[test]
    fn the_series_meets_the_formula() {
        let x = 1e-2_f64;
        let formula = (1.0 - (1.0 + x) * (-x).exp()) / (x * x);
        assert!((erased(x * (1.0 - 1e-9)) - formula).abs() < 1e-7);
        assert!((erased(0.0) - 0.5).abs() < 1e-15);
    }
}
