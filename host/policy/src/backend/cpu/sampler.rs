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
        let chunks = logits.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks.chain(std::iter::once(rest)) {
            for ((most, nothing), &x) in most.iter_mut().zip(&mut nothing).zip(chunk) {
                *most = most.max(x);
                *nothing = x.mul_add(R::ZERO, *nothing);
            }
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
