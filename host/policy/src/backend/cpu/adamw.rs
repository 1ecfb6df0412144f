//! AdamW and the gradient's norm over the flat arena.

use std::ops::Range;

use super::exec::{Exec, split_mut};
use super::simd::simd_fn;
use crate::backend::AdamWStep;
use crate::policy::Decay;
use crate::real::Real;

/// Elements of a block.
const BLOCK: usize = 1 << 14;

/// `Σ x²` in f64: blocks in lanes, then the blocks in order.
pub(super) fn norm_squared<R: Real>(exec: Exec, x: &[R]) -> f64 {
    exec.map(x.chunks(BLOCK).collect(), block_norm_squared).into_iter().sum()
}

simd_fn! {
    fn block_norm_squared<R>(x: &'a [R]) -> f64 {
        let mut lanes = [0.0; 16];
        for chunk in x.chunks(16) {
            for (lane, &x) in lanes.iter_mut().zip(chunk) {
                let x = x.to_f64();
                *lane += x * x;
            }
        }
        lanes.into_iter().sum()
    }
}

/// What one parameter's update needs, in the number type.
#[derive(Clone, Copy)]
struct Factors<R> {
    scale: R,
    beta1: R,
    one_minus_beta1: R,
    beta2: R,
    one_minus_beta2: R,
    /// `lr / (1 − β1ᵗ)`
    rate: R,
    /// `1 / √(1 − β2ᵗ)`
    root: R,
    eps: R,
    /// `1 − lr · weight decay`
    keep: R,
}

/// Eq: `m ← β1 m + (1−β1) g`, `v ← β2 v + (1−β2) g²`,
/// `θ ← θ (1 − lr λ) − lr/(1−β1ᵗ) · m / (√v / √(1−β2ᵗ) + eps)`.
pub(super) fn step<R: Real>(
    exec: Exec,
    step: &AdamWStep<'_>,
    weights: &mut [R],
    grad: &[R],
    first: &mut [R],
    second: &mut [R],
) {
    let c = step.config;
    let exponent = i32::try_from(step.step).unwrap_or(i32::MAX);
    let r = R::from_f64;
    let decaying = Factors {
        scale: r(step.scale),
        beta1: r(c.beta1),
        one_minus_beta1: r(1.0 - c.beta1),
        beta2: r(c.beta2),
        one_minus_beta2: r(1.0 - c.beta2),
        rate: r(c.lr / (1.0 - c.beta1.powi(exponent))),
        root: r(1.0 / (1.0 - c.beta2.powi(exponent)).sqrt()),
        eps: r(c.eps),
        keep: r(1.0 - c.lr * c.weight_decay),
    };
    let plain = Factors { keep: R::ONE, ..decaying };
    // Blocks of one parameter each, so that a block either decays or does not.
    let blocks: Vec<(Range<usize>, Factors<R>)> = step
        .parameters
        .iter()
        .flat_map(|p| {
            let decays = c.decay == Decay::All || p.is_matrix();
            let factors = if decays { decaying } else { plain };
            let end = p.range.end;
            p.range
                .clone()
                .step_by(BLOCK)
                .map(move |start| (start..(start + BLOCK).min(end), factors))
        })
        .collect();
    let lengths = || blocks.iter().map(|(range, _)| range.len());
    let arrays = split_mut(weights, lengths())
        .into_iter()
        .zip(split_mut(first, lengths()))
        .zip(split_mut(second, lengths()));
    let work = blocks.iter().zip(arrays).collect();
    exec.map(work, |((range, factors), ((w, m), v)): (&(Range<usize>, _), _)| {
        update(*factors, w, &grad[range.clone()], m, v);
    });
}

simd_fn! {
    fn update<R>(f: Factors<R>, w: &'a mut [R], g: &'a [R], m: &'a mut [R], v: &'a mut [R]) {
        for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            let g = g * f.scale;
            *m = f.beta1.mul_add(*m, f.one_minus_beta1 * g);
            *v = f.beta2.mul_add(*v, f.one_minus_beta2 * g * g);
            let denominator = (*v).sqrt().mul_add(f.root, f.eps);
            *w = *w * f.keep - f.rate * *m / denominator;
        }
    }
}
