//! The k-th largest of more numbers than memory holds, exactly.
//!
//! The bits of a non-negative `f64` order as the numbers do. Each pass counts, among the numbers
//! that share the bits known so far, how many have each value of the next 16, which settles those;
//! after four passes at most the number is known, and after one or two what is left usually fits
//! in memory and is sorted.

use crate::error::MergeError;

/// Candidates that are sorted in memory instead of counted once more.
const FEW: u64 = 1 << 20;

/// What is kept of a list of magnitudes: all above `threshold`, and the first `ties` equal to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Threshold {
    pub(crate) magnitude: f64,
    pub(crate) ties: u64,
}

/// Finds what keeps the `keep` largest. `visit` hands every magnitude (not negative, not NaN) to
/// its argument, in the same order each time.
pub(crate) fn threshold(
    keep: u64,
    mut visit: impl FnMut(&mut dyn FnMut(&[f64])) -> Result<(), MergeError>,
) -> Result<Threshold, MergeError> {
    if keep == 0 {
        return Ok(Threshold { magnitude: f64::INFINITY, ties: 0 });
    }
    // Of the numbers whose upper bits are `prefix`, the `left` largest are kept.
    let (mut prefix, mut shift, mut left) = (0_u64, 64_u32, keep);
    while shift > 0 {
        let next = shift - 16;
        let mut counts = vec![0_u64; 1 << 16];
        visit(&mut |magnitudes| {
            for bits in magnitudes.iter().map(|it| it.to_bits()) {
                if shift == 64 || bits >> shift == prefix {
                    counts[usize::from((bits >> next) as u16)] += 1;
                }
            }
        })?;
        let mut bucket = counts.len() - 1;
        while counts[bucket] < left && bucket > 0 {
            left -= counts[bucket];
            bucket -= 1;
        }
        left = left.min(counts[bucket]);
        prefix = (if shift == 64 { 0 } else { prefix << 16 }) | bucket as u64;
        shift = next;
        if shift > 0 && counts[bucket] <= FEW {
            let mut few = Vec::new();
            visit(&mut |magnitudes| {
                few.extend(magnitudes.iter().filter(|it| it.to_bits() >> shift == prefix));
            })?;
            few.sort_by(|a: &f64, b| b.total_cmp(a));
            let at = (left as usize).saturating_sub(1);
            let magnitude = few.get(at).copied().unwrap_or(0.0);
            let above = few.iter().filter(|it| **it > magnitude).count() as u64;
            return Ok(Threshold { magnitude, ties: left - above });
        }
    }
    Ok(Threshold { magnitude: f64::from_bits(prefix), ties: left })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(values: &[f64], keep: u64) -> Vec<f64> {
        let found = threshold(keep, |see| {
            values.chunks(7).for_each(&mut *see);
            Ok(())
        })
        .unwrap();
        let mut ties = found.ties;
        let mut kept: Vec<f64> = values
            .iter()
            .copied()
            .filter(|it| {
                *it > found.magnitude
                    || (*it == found.magnitude && {
                        let keeps = ties > 0;
                        ties = ties.saturating_sub(1);
                        keeps
                    })
            })
            .collect();
        kept.sort_by(f64::total_cmp);
        kept
    }

    proptest! {
        #[test]
        fn the_largest_are_kept(
            values in prop::collection::vec(prop_oneof![0.0..1.0_f64, Just(0.5), Just(0.0), 1e-300..1e-290_f64], 1..200),
            share in 0.0..=1.0_f64,
        ) {
            let keep = (share * values.len() as f64) as usize;
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(kept(&values, keep as u64), sorted.split_off(values.len() - keep));
        }
    }

    #[test]
    fn more_ties_than_fit_in_memory_are_counted_to_the_last_bit() {
        let piece = vec![0.25; 1 << 16];
        let found = threshold((1 << 21) - 5, |see| {
            (0..1 << 5).for_each(|_| see(&piece));
            see(&[1.0, 0.125]);
            Ok(())
        });
        assert_eq!(found.unwrap(), Threshold { magnitude: 0.25, ties: (1 << 21) - 6 });
    }
}
