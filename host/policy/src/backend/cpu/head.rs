//! The output head: log-probability and entropy of given tokens, and their backward.
//!
//! Logits exist in tiles of a block of rows by a stretch of the vocabulary. The forward keeps, for
//! each row, the running maximum `m`, `s = Σ e^(x−m)` and `u = Σ e^(x−m) x` of the tempered logits
//! `x`, from which `lse = m + ln s`, `logp = x_target − lse` and the entropy is `lse − u / s`.
//! The backward computes each tile again and turns it into
//! `dlogits = dlogp · (onehot − e^(x−lse)) / temperature`.

use std::ops::Range;

use super::exec::{Exec, Scratch};
use super::gemm::{Mat, gemm};
use super::simd::{LANES, greatest, simd_fn};
use crate::backend::{HeadStats, Predictions};
use crate::policy::KeptSet;
use crate::real::Real;

/// Rows of a tile.
const ROWS: usize = 128;
/// Tokens of a tile.
const VOCABULARY: usize = 1024;
/// Rows whose tiles are held at a time by the backward.
const HELD_ROWS: usize = 1024;
/// Tokens of a block of the matrix's gradient.
const TABLE_ROWS: usize = 128;

/// The part of a kept set within a stretch of the vocabulary.
fn kept_within<'a>(kept: &'a KeptSet, stretch: &Range<usize>) -> &'a [u32] {
    let at = |limit: usize| kept.ids.partition_point(|&id| (id as usize) < limit);
    &kept.ids[at(stretch.start)..at(stretch.end)]
}

fn stretches(vocabulary: usize) -> impl Iterator<Item = Range<usize>> {
    (0..vocabulary)
        .step_by(VOCABULARY)
        .map(move |start| start..(start + VOCABULARY).min(vocabulary))
}

/// Running sums of one row.
#[derive(Clone, Copy)]
struct Running<R> {
    most: R,
    sum: R,
    weighted: R,
    target: R,
}

impl<R: Real> Running<R> {
    const START: Self =
        Self { most: R::NEG_INFINITY, sum: R::ZERO, weighted: R::ZERO, target: R::ZERO };

    /// Raises the maximum, rescaling the sums.
    #[inline(always)]
    fn raise(&mut self, most: R) {
        if most > self.most {
            let factor = if self.sum > R::ZERO { (self.most - most).exp() } else { R::ZERO };
            self.sum *= factor;
            self.weighted *= factor;
            self.most = most;
        }
    }

    #[inline(always)]
    fn add(&mut self, x: R) {
        let e = (x - self.most).exp();
        self.sum += e;
        self.weighted += e * x;
    }
}

/// `[N]` each.
pub(super) fn forward<R: Real>(
    exec: Exec,
    scratch: &Scratch<R>,
    width: usize,
    predictions: Predictions<'_>,
    hidden: &[R],
    table: &[R],
) -> HeadStats<R> {
    let inverse = R::from_f64(1.0 / f64::from(predictions.temperature));
    let blocks = hidden.chunks(ROWS * width).enumerate().collect();
    let vocabulary = table.len() / width;
    let running = exec.map(blocks, |(n, hidden): (usize, &[R])| {
        let rows = hidden.len() / width;
        let mut running = vec![Running::START; rows];
        scratch.with(rows * VOCABULARY.min(vocabulary), |tile| {
            for stretch in stretches(vocabulary) {
                let len = stretch.len();
                let matrix = Mat::new(&table[stretch.start * width..], width).t();
                gemm((rows, len, width), (tile, len), false, Mat::new(hidden, width), matrix);
                let tile = tile.chunks_exact_mut(len).zip(&mut running);
                for (i, (logits, running)) in tile.enumerate() {
                    let row = n * ROWS + i;
                    let target = predictions.targets[row] as usize;
                    if stretch.contains(&target) {
                        running.target = logits[target - stretch.start] * inverse;
                    }
                    match predictions.kept.get(row).copied().flatten() {
                        None => take_all(logits, running, inverse),
                        Some(kept) => {
                            for &id in kept_within(kept, &stretch) {
                                let x = logits[id as usize - stretch.start] * inverse;
                                running.raise(x);
                                running.add(x);
                            }
                        }
                    }
                }
            }
        });
        running
    });
    let mut stats = HeadStats::default();
    for row in running.iter().flatten() {
        let lse = row.most + row.sum.ln();
        stats.lse.push(lse);
        stats.logp.push(row.target - lse);
        stats.entropy.push(lse - row.weighted / row.sum);
    }
    stats
}

simd_fn! {
    fn take_all<R>(logits: &'a mut [R], running: &'a mut Running<R>, inverse: R) {
        logits.iter_mut().for_each(|x| *x *= inverse);
        running.raise(greatest(logits));
        let most = running.most;
        let (mut sum, mut weighted) = ([R::ZERO; LANES], [R::ZERO; LANES]);
        let (chunks, rest) = logits.as_chunks::<LANES>();
        for chunk in chunks {
            for ((sum, weighted), &x) in sum.iter_mut().zip(&mut weighted).zip(chunk) {
                let e = (x - most).exp();
                *sum += e;
                *weighted = e.mul_add(x, *weighted);
            }
        }
        for ((sum, weighted), &x) in sum.iter_mut().zip(&mut weighted).zip(rest) {
            let e = (x - most).exp();
            *sum += e;
            *weighted = e.mul_add(x, *weighted);
        }
        running.sum += sum.into_iter().sum();
        running.weighted += weighted.into_iter().sum();
    }
}

/// Writes `dhidden`, adds to `dtable`.
#[expect(clippy::too_many_arguments, reason = "the operation's operands")]
pub(super) fn backward<R: Real>(
    exec: Exec,
    scratch: &Scratch<R>,
    width: usize,
    predictions: Predictions<'_>,
    dlogp: &[R],
    lse: &[R],
    dhidden: &mut [R],
    dtable: &mut [R],
    hidden: &[R],
    table: &[R],
) {
    let vocabulary = table.len() / width;
    let held = HELD_ROWS * width;
    for (n, (dhidden, hidden)) in dhidden.chunks_mut(held).zip(hidden.chunks(held)).enumerate() {
        let rows = hidden.len() / width;
        scratch.with(rows * VOCABULARY.min(vocabulary), |tiles| {
            for stretch in stretches(vocabulary) {
                let len = stretch.len();
                let tiles = &mut tiles[..rows * len];
                let part = &table[stretch.start * width..stretch.end * width];
                let matrix = Mat::new(part, width);
                exec.blocks2((tiles, ROWS * len), (dhidden, ROWS * width), |b, tile, dhidden| {
                    let rows = tile.len() / len;
                    let hidden = Mat::new(&hidden[b * ROWS * width..], width);
                    gemm((rows, len, width), (tile, len), false, hidden, matrix.t());
                    for (i, logits) in tile.chunks_exact_mut(len).enumerate() {
                        let row = n * HELD_ROWS + b * ROWS + i;
                        logits_to_gradient(
                            logits,
                            row,
                            &stretch,
                            predictions,
                            dlogp[row],
                            lse[row],
                        );
                    }
                    let tile = Mat::new(tile, len);
                    let more = stretch.start > 0;
                    gemm((rows, width, len), (dhidden, width), more, tile, matrix);
                });
                let dpart = &mut dtable[stretch.start * width..stretch.end * width];
                exec.blocks(dpart, TABLE_ROWS * width, |b, dpart| {
                    let tiles = Mat::new(&tiles[b * TABLE_ROWS..], len).t();
                    let size = (dpart.len() / width, width, rows);
                    gemm(size, (dpart, width), true, tiles, Mat::new(hidden, width));
                });
            }
        });
    }
}

/// `logits ← dlogp · (onehot − e^(x−lse)) / temperature`, zero outside the kept set.
fn logits_to_gradient<R: Real>(
    logits: &mut [R],
    row: usize,
    stretch: &Range<usize>,
    predictions: Predictions<'_>,
    dlogp: R,
    lse: R,
) {
    let inverse = R::from_f64(1.0 / f64::from(predictions.temperature));
    let weight = dlogp * inverse;
    match predictions.kept.get(row).copied().flatten() {
        None => softmax_times(logits, inverse, lse, -weight),
        Some(kept) => {
            // Kept ids ascend: everything between two of them becomes zero.
            let mut from = 0;
            for &id in kept_within(kept, stretch) {
                let at = id as usize - stretch.start;
                logits[from..at].fill(R::ZERO);
                logits[at] = -weight * (logits[at] * inverse - lse).exp();
                from = at + 1;
            }
            logits[from..].fill(R::ZERO);
        }
    }
    let target = predictions.targets[row] as usize;
    if stretch.contains(&target) {
        logits[target - stretch.start] += weight;
    }
}

simd_fn! {
    /// `x ← factor · e^(x · inverse − lse)`
    fn softmax_times<R>(logits: &'a mut [R], inverse: R, lse: R, factor: R) {
        for x in logits {
            *x = factor * x.mul_add(inverse, -lse).exp();
        }
    }
}
