//! The arithmetic of a merge, on pieces of a tensor. Eq: METHOD section 6.

use crate::trim::Cursors;

/// How models are merged.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// `Σ w_t θ_t / Σ w_t`; the base only lends its other files.
    Linear,
    /// `θ0 + λ Σ w_t (θ_t − θ0)`.
    TaskArithmetic {
        /// λ.
        lambda: f64,
    },
    /// TIES (Yadav et al., 2023): of each task vector `w_t (θ_t − θ0)` keep the largest by
    /// magnitude, elect each entry's sign by the sum over tasks (0 counts as +), average the kept
    /// values that agree with it, and add λ times that to the base.
    Ties {
        /// The fraction that is kept, in (0, 1].
        density: f64,
        /// λ.
        lambda: f64,
        /// Where the fraction is taken of.
        scope: Scope,
    },
}

/// What TIES takes its fraction of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of a model's parameters together (the paper's; found in streaming passes first).
    #[default]
    Global,
    /// Each tensor (PEFT's and mergekit's).
    Tensor,
}

impl Method {
    /// The merged numbers of a piece; `models[t]` are those of model `t`.
    pub(crate) fn merged(
        self,
        base: &[f64],
        models: &[Vec<f64>],
        weights: &[f64],
        mut kept: Option<&mut Cursors>,
    ) -> Vec<f64> {
        let all: f64 = weights.iter().sum();
        let merge = |(n, base): (usize, &f64)| {
            let task = |t: usize| weights[t] * (models[t][n] - base);
            match self {
                Self::Linear => {
                    let sum: f64 = (0..models.len()).map(|t| weights[t] * models[t][n]).sum();
                    sum / all
                }
                Self::TaskArithmetic { lambda } => {
                    base + lambda * (0..models.len()).map(task).sum::<f64>()
                }
                Self::Ties { lambda, .. } => {
                    let mut keeps = |t: usize| {
                        let magnitude = (models[t][n] - base).abs();
                        kept.as_mut().is_none_or(|kept| kept.keeps(t, magnitude))
                    };
                    let trimmed: Vec<f64> =
                        (0..models.len()).map(|t| if keeps(t) { task(t) } else { 0.0 }).collect();
                    base + lambda * elected_mean(&trimmed)
                }
            }
        };
        base.iter().enumerate().map(merge).collect()
    }
}

/// The mean of the values that have the sign of their sum; 0 where there is none.
fn elected_mean(values: &[f64]) -> f64 {
    let positive = values.iter().sum::<f64>() >= 0.0;
    let agreeing = || values.iter().filter(|it| if positive { **it > 0.0 } else { **it < 0.0 });
    let count = agreeing().count();
    if count == 0 { 0.0 } else { agreeing().sum::<f64>() / count as f64 }
}
