//! Drawing a token from a row of logits, exactly.
//!
//! In transformers' order: temperature, top-k (all that tie with the k-th are kept), top-p (of the
//! tokens in falling order, those before which less than `p` of the mass lies; at least one). The
//! token is then the inverse of the kept tokens' distribution function at one uniform number, with
//! tokens in the order of their ids.

use super::simd::{LANES, simd_fn};
use crate::backend::{Draw, Drawn};
use crate::generate::rng;
use crate::policy::KeptSet;
use crate::real::Real;
use crate::{PolicyError, Sampling};

/// Tokens of a block of the distribution function.
const BLOCK: usize = 64;

/// Draws from one row, which is overwritten.
pub(super) fn draw<R: Real>(
    sampling: &Sampling,
    draw: Draw,
    logits: &mut [R],
) -> Result<Drawn, PolicyError> {
    let kept = |ids: Vec<u32>| sampling.record_kept.then(|| KeptSet { ids: ids.into() });
    let (best, most) = most_likely(logits)?;
    if sampling.temperature == 0.0 {
        return Ok(Drawn { token: best, kept: kept(vec![best]) });
    }
    let inverse = R::from_f64(1.0 / f64::from(sampling.temperature));
    let u = rng::uniform(draw);
    if !sampling.truncates(logits.len()) {
        exponentials(logits, most, inverse);
        return Ok(Drawn { token: invert(logits, u), kept: None });
    }
    let ids = truncate(sampling, logits, most, inverse);
    exponentials(logits, most, inverse);
    let weights: Vec<R> = ids.iter().map(|&id| logits[id as usize]).collect();
    let token = ids[invert(&weights, u) as usize];
    Ok(Drawn { token, kept: kept(ids) })
}

/// The greatest logit and its first place.
fn most_likely<R: Real>(logits: &[R]) -> Result<(u32, R), PolicyError> {
    let (most, nothing) = scan(logits);
    match logits.iter().position(|&x| x == most) {
        Some(best) if nothing == R::ZERO => Ok((best as u32, most)),
        _ => Err(PolicyError::NotFiniteLogits),
    }
}

simd_fn! {
    /// The greatest logit, and the sum of all times 0: NaN if one of them is not finite.
    fn scan<R>(logits: &'a [R]) -> (R, R) {
        let (mut most, mut nothing) = ([R::NEG_INFINITY; LANES], [R::ZERO; LANES]);
        let (chunks, rest) = logits.as_chunks::<LANES>();
        for chunk in chunks {
            for ((most, nothing), &x) in most.iter_mut().zip(&mut nothing).zip(chunk) {
                *most = most.max(x);
                *nothing = x.mul_add(R::ZERO, *nothing);
            }
        }
        for ((most, nothing), &x) in most.iter_mut().zip(&mut nothing).zip(rest) {
            *most = most.max(x);
            *nothing = x.mul_add(R::ZERO, *nothing);
        }
        (most.into_iter().fold(R::NEG_INFINITY, R::max), nothing.into_iter().sum())
    }
}

/// The ids that top-k and top-p keep, ascending.
fn truncate<R: Real>(sampling: &Sampling, logits: &[R], most: R, inverse: R) -> Vec<u32> {
    let falling = |a: &R, b: &R| b.partial_cmp(a).unwrap_or(std::cmp::Ordering::Equal);
    let threshold = match sampling.top_k {
        Some(k) if (k as usize) < logits.len() => {
            let mut values = logits.to_vec();
            *values.select_nth_unstable_by((k as usize).max(1) - 1, falling).1
        }
        _ => R::NEG_INFINITY,
    };
    let mut ids: Vec<u32> =
        (0..logits.len() as u32).filter(|&id| logits[id as usize] >= threshold).collect();
    if sampling.top_p < 1.0 {
        // Stable: among equals the lower id comes first.
        ids.sort_by(|&a, &b| falling(&logits[a as usize], &logits[b as usize]));
        let weight = |id: &u32| ((logits[*id as usize] - most) * inverse).exp().to_f64();
        let total: f64 = ids.iter().map(weight).sum();
        let enough = total * f64::from(sampling.top_p);
        let mut before = 0.0;
        let len = ids
            .iter()
            .take_while(|id| {
                let take = before < enough;
                before += weight(id);
                take
            })
            .count();
        ids.truncate(len.max(1));
        ids.sort_unstable();
    }
    ids
}

simd_fn! {
    /// `x ← e^((x − most) · inverse)`
    fn exponentials<R>(logits: &'a mut [R], most: R, inverse: R) {
        for x in logits {
            *x = ((*x - most) * inverse).exp();
        }
    }
}

/// The first index whose cumulated weight exceeds `u` of the total; weights that are 0 are never
/// chosen. Sums are in f64, over blocks and then within the block that holds the answer.
fn invert<R: Real>(weights: &[R], u: f64) -> u32 {
    let sum = |block: &[R]| {
        let mut lanes = [0.0_f64; 8];
        for chunk in block.chunks(8) {
            for (lane, &w) in lanes.iter_mut().zip(chunk) {
                *lane += w.to_f64();
            }
        }
        lanes.iter().sum::<f64>()
    };
    let sums: Vec<f64> = weights.chunks(BLOCK).map(sum).collect();
    let goal = u * sums.iter().sum::<f64>();
    let mut before = 0.0;
    let mut last = 0;
    for (n, (block, &sum)) in weights.chunks(BLOCK).zip(&sums).enumerate() {
        if before + sum > goal {
            let mut within = before;
            for (i, w) in block.iter().enumerate() {
                within += w.to_f64();
                if w.to_f64() > 0.0 {
                    last = n * BLOCK + i;
                    if within > goal {
                        return last as u32;
                    }
                }
            }
            // Rounding: the block's sum passed the goal, its running sum did not.
            return last as u32;
        }
        if let Some(i) = block.iter().rposition(|w| w.to_f64() > 0.0) {
            last = n * BLOCK + i;
        }
        before += sum;
    }
    last as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f32, top_k: Option<u32>, top_p: f32) -> Sampling {
        Sampling { temperature, top_k, top_p, max_new_tokens: 1, record_kept: true }
    }

    fn kept(logits: &[f64], sampling: &Sampling) -> Vec<u32> {
        let at = Draw { seed: 1, sample: 2, position: 3 };
        let drawn = draw(sampling, at, &mut logits.to_vec()).unwrap();
        let ids = drawn.kept.unwrap().ids.to_vec();
        assert!(ids.contains(&drawn.token));
        ids
    }

    #[test]
    fn ties_with_the_last_of_top_k_are_kept() {
        let logits = [1.0, 2.0, 0.5, 1.0, 1.0];
        assert_eq!(kept(&logits, &sampling(1.0, Some(1), 1.0)), [1]);
        assert_eq!(kept(&logits, &sampling(1.0, Some(2), 1.0)), [0, 1, 3, 4]);
    }

    #[test]
    fn top_p_keeps_the_smallest_set_that_reaches_it() {
        // Masses 0.5, 0.25, 0.125, 0.125.
        let logits = [0.125_f64, 0.5, 0.125, 0.25].map(f64::ln);
        for (p, want) in [(1e-6, vec![1]), (0.4, vec![1]), (0.6, vec![1, 3]), (0.8, vec![0, 1, 3])]
        {
            assert_eq!(kept(&logits, &sampling(1.0, None, p)), want);
        }
        // After top-k the masses are 2/3 and 1/3.
        assert_eq!(kept(&logits, &sampling(1.0, Some(2), 0.6)), [1]);
        // A high temperature flattens them.
        assert_eq!(kept(&logits, &sampling(100.0, None, 0.6)), [0, 1, 3]);
    }

    #[test]
    fn greedy_takes_the_first_of_equals() {
        assert_eq!(kept(&[0.0, 3.0, 3.0], &sampling(0.0, Some(2), 0.5)), [1]);
    }

    #[test]
    fn logits_that_are_not_finite_are_an_error() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for len in [1, 17, 40] {
                let mut logits = vec![0.0; len];
                logits[len - 1] = bad;
                let at = Draw { seed: 0, sample: 0, position: 0 };
                let drawn = draw(&sampling(1.0, None, 1.0), at, &mut logits);
                assert!(matches!(drawn, Err(PolicyError::NotFiniteLogits)));
            }
        }
    }

    #[test]
    fn the_distribution_function_is_inverted() {
        // Goals well within a weight, so that no rounding decides.
        let weights: Vec<f64> = (0..200).map(|i| f64::from(i % 3)).collect();
        let total: f64 = weights.iter().sum();
        for n in 0..total as u32 {
            for within in [0.25, 0.75] {
                let goal = f64::from(n) + within;
                let mut before = 0.0;
                let want = weights.iter().position(|w| {
                    before += w;
                    before > goal
                });
                assert_eq!(Some(invert(&weights, goal / total) as usize), want);
            }
        }
        assert_eq!(invert(&[0.0, 1.0, 0.0], 1.0 - 1e-16), 1);
    }
}
