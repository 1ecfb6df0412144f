//! Causal attention over packed groups, in blocks of queries, forward and backward.
//!
//! A *segment* is a prompt or a completion. Its queries see the group's prompt (for a completion)
//! and their own segment up to themselves. The query heads that share a key head are stacked into
//! one matrix of rows `(query, head)`, so that scores are one product with the keys:
//! `S = Q Kᵀ / √D`, `P = softmax S`, `O = P V`. Of the scores one block is held at a time; the
//! backward computes it again from the stored `lse`.

use std::ops::Range;

use super::exec::{Exec, Scratch, split_mut};
use super::gemm::{Mat, gemm};
use super::simd::{dot, greatest, simd_fn};
use crate::backend::{AttentionForward, Heads};
use crate::model::layout::{GroupRows, Layout};
use crate::real::Real;

/// Queries of a block.
const QUERIES: usize = 64;

/// Rows of a segment, and of the prompt before it.
#[derive(Clone)]
struct Segment {
    prefix: Range<usize>,
    own: Range<usize>,
}

fn segments(group: &GroupRows) -> impl Iterator<Item = Segment> + '_ {
    let prompt = Segment { prefix: 0..0, own: group.prompt.clone() };
    let completions = group.completions.iter();
    std::iter::once(prompt)
        .chain(completions.map(|own| Segment { prefix: group.prompt.clone(), own: own.clone() }))
}

/// One block of queries of a segment, for one key head.
struct Block<'a, R> {
    heads: Heads,
    key_head: usize,
    /// All rows `[T, (Hq + 2 Hkv) D]`.
    qkv: &'a [R],
    prefix: Range<usize>,
    /// The segment's rows up to the block's last query: the keys that the block can see.
    own: Range<usize>,
    queries: Range<usize>,
}

impl<'a, R: Real> Block<'a, R> {
    /// Blocks of a segment for one key head.
    fn all(
        heads: Heads,
        key_head: usize,
        qkv: &'a [R],
        segment: &Segment,
    ) -> impl Iterator<Item = Self> + use<'a, R> {
        let Segment { prefix, own } = segment.clone();
        own.clone().step_by(QUERIES).map(move |start| {
            let queries = start..(start + QUERIES).min(own.end);
            let (prefix, own) = (prefix.clone(), own.start..queries.end);
            Block { heads, key_head, qkv, prefix, own, queries }
        })
    }

    /// Query heads of the key head.
    fn sharing(&self) -> usize {
        self.heads.queries / self.heads.keys
    }

    /// Stacked rows `(query, head)`.
    fn rows(&self) -> usize {
        self.queries.len() * self.sharing()
    }

    /// Keys that the block sees.
    fn context(&self) -> usize {
        self.prefix.len() + self.own.len()
    }

    /// Column of the first of the block's query heads, in a row of queries or of output.
    fn query_column(&self) -> usize {
        self.key_head * self.sharing() * self.heads.dim
    }

    fn key_column(&self) -> usize {
        (self.heads.queries + self.key_head) * self.heads.dim
    }

    fn value_column(&self) -> usize {
        (self.heads.queries + self.heads.keys + self.key_head) * self.heads.dim
    }

    /// Keys or values of `rows` as a matrix `[rows, D]`.
    fn matrix(&self, rows: &Range<usize>, column: usize) -> Mat<'a, R> {
        let width = self.heads.row();
        Mat::new(&self.qkv[(rows.start * width + column).min(self.qkv.len())..], width)
    }

    /// The two stretches of keys, with where each starts among the columns of the scores.
    fn stretches(&self) -> impl Iterator<Item = (Range<usize>, usize)> + use<R> {
        [(self.prefix.clone(), 0), (self.own.clone(), self.prefix.len())]
            .into_iter()
            .filter(|(rows, _)| !rows.is_empty())
    }

    /// Stacks the block's rows of `from`, whose rows are `width` long, times `factor`.
    fn stack(&self, to: &mut [R], from: &[R], width: usize, factor: R) {
        let n = self.sharing() * self.heads.dim;
        for (to, row) in to.chunks_exact_mut(n).zip(self.queries.clone()) {
            let from = &from[row * width + self.query_column()..][..n];
            for (to, &from) in to.iter_mut().zip(from) {
                *to = from * factor;
            }
        }
    }

    /// `scores = a Bᵀ` for stacked rows `a [rows, D]` and the keys' or values' matrix `B`.
    fn times_transposed(&self, scores: &mut [R], a: &[R], column: usize) {
        let (rows, context, dim) = (self.rows(), self.context(), self.heads.dim);
        for (keys, at) in self.stretches() {
            let b = self.matrix(&keys, column).t();
            let size = (rows, keys.len(), dim);
            gemm(size, (&mut scores[at..], context), false, Mat::new(a, dim), b);
        }
    }

    /// `out = scores B`, stacked.
    fn times(&self, out: &mut [R], scores: &[R], column: usize) {
        let (rows, context, dim) = (self.rows(), self.context(), self.heads.dim);
        for (n, (keys, at)) in self.stretches().enumerate() {
            let (a, b) = (Mat::new(&scores[at..], context), self.matrix(&keys, column));
            gemm((rows, dim, keys.len()), (out, dim), n > 0, a, b);
        }
    }

    /// Adds `scoresᵀ a` to the rows of the keys in `grad`, whose first row is `first`.
    fn add_transposed(&self, grad: &mut [R], first: usize, scores: &[R], a: &[R], column: usize) {
        let (rows, context, dim) = (self.rows(), self.context(), self.heads.dim);
        let width = self.heads.row();
        for (keys, at) in self.stretches() {
            let c = &mut grad[(keys.start - first) * width + column..];
            let scores = Mat::new(&scores[at..], context).t();
            gemm((keys.len(), dim, rows), (c, width), true, scores, Mat::new(a, dim));
        }
    }

    /// Keys that the first query sees; each later one sees one more.
    fn first_visible(&self) -> usize {
        self.prefix.len() + self.queries.start - self.own.start + 1
    }
}

/// `out [T, Hq D]`, `lse [T, Hq]`.
pub(super) fn forward<R: Real>(
    exec: Exec,
    scratch: &Scratch<R>,
    heads: Heads,
    layout: &Layout<'_>,
    out: &mut [R],
    lse: &mut [R],
    qkv: &[R],
) {
    let all: Vec<Segment> = layout.groups.iter().flat_map(segments).collect();
    let outs = split_mut(out, all.iter().map(|s| s.own.len() * heads.out()));
    let lses = split_mut(lse, all.iter().map(|s| s.own.len() * heads.queries));
    let work = all.iter().zip(outs).zip(lses).collect();
    exec.map(work, |((segment, out), lse)| {
        for key_head in 0..heads.keys {
            for block in Block::all(heads, key_head, qkv, segment) {
                let (stacked, scores) = (block.rows() * heads.dim, block.rows() * block.context());
                scratch.with(2 * stacked + scores + block.rows(), |s| {
                    let (q, s) = s.split_at_mut(stacked);
                    let (o, s) = s.split_at_mut(stacked);
                    let (scores, row_lse) = s.split_at_mut(scores);
                    block.stack(q, qkv, heads.row(), scale(heads));
                    block.times_transposed(scores, q, block.key_column());
                    softmax(
                        scores,
                        row_lse,
                        block.context(),
                        block.sharing(),
                        block.first_visible(),
                    );
                    block.times(o, scores, block.value_column());
                    let first = block.queries.start - segment.own.start;
                    let n = block.sharing() * heads.dim;
                    for (i, o) in o.chunks_exact(n).enumerate() {
                        let at = (first + i) * heads.out() + block.query_column();
                        out[at..at + n].copy_from_slice(o);
                    }
                    for (i, l) in row_lse.chunks_exact(block.sharing()).enumerate() {
                        let at = (first + i) * heads.queries + key_head * block.sharing();
                        lse[at..at + l.len()].copy_from_slice(l);
                    }
                });
            }
        }
    });
}

/// Eq: `dV = Pᵀ dO`, `dP = dO Vᵀ`, `dS = P ∘ (dP − Σ_d dO ∘ O)`, `dQ = dS K / √D`,
/// `dK = dSᵀ Q / √D`. Groups are independent; within one the prompt's `dK` and `dV` are summed
/// over its completions in their order.
pub(super) fn backward<R: Real>(
    exec: Exec,
    scratch: &Scratch<R>,
    heads: Heads,
    layout: &Layout<'_>,
    dqkv: &mut [R],
    dout: &[R],
    AttentionForward { qkv, out, lse }: AttentionForward<&[R]>,
) {
    let width = heads.row();
    let parts = split_mut(dqkv, layout.groups.iter().map(|g| g.all().len() * width));
    exec.map(layout.groups.iter().zip(parts).collect(), |(group, dqkv)| {
        dqkv.fill(R::ZERO);
        let first = group.prompt.start;
        let work =
            segments(group).flat_map(|segment| (0..heads.keys).map(move |k| (segment.clone(), k)));
        for (segment, key_head) in work {
            for block in Block::all(heads, key_head, qkv, &segment) {
                let (stacked, scores) = (block.rows() * heads.dim, block.rows() * block.context());
                scratch.with(3 * stacked + 2 * scores + 2 * block.rows(), |s| {
                    let (q, s) = s.split_at_mut(stacked);
                    let (d_o, s) = s.split_at_mut(stacked);
                    let (dq, s) = s.split_at_mut(stacked);
                    let (p, s) = s.split_at_mut(scores);
                    let (ds, s) = s.split_at_mut(scores);
                    let (row_lse, delta) = s.split_at_mut(block.rows());
                    block.stack(q, qkv, width, scale(heads));
                    block.stack(d_o, dout, heads.out(), R::ONE);
                    // `dq` holds the forward's output until the queries' gradient is known.
                    block.stack(dq, out, heads.out(), R::ONE);
                    for ((delta, o), d_o) in delta
                        .iter_mut()
                        .zip(dq.chunks_exact(heads.dim))
                        .zip(d_o.chunks_exact(heads.dim))
                    {
                        *delta = dot(o, d_o);
                    }
                    for (l, row) in
                        row_lse.chunks_exact_mut(block.sharing()).zip(block.queries.clone())
                    {
                        let at = row * heads.queries + key_head * block.sharing();
                        l.copy_from_slice(&lse[at..at + block.sharing()]);
                    }
                    block.times_transposed(p, q, block.key_column());
                    block.times_transposed(ds, d_o, block.value_column());
                    let (context, sharing) = (block.context(), block.sharing());
                    softmax_backward(
                        p,
                        ds,
                        row_lse,
                        delta,
                        context,
                        sharing,
                        block.first_visible(),
                    );
                    block.times(dq, ds, block.key_column());
                    block.add_transposed(dqkv, first, ds, q, block.key_column());
                    block.add_transposed(dqkv, first, p, d_o, block.value_column());
                    let n = block.sharing() * heads.dim;
                    for (dq, row) in dq.chunks_exact(n).zip(block.queries.clone()) {
                        let at = (row - first) * width + block.query_column();
                        for (to, &dq) in dqkv[at..at + n].iter_mut().zip(dq) {
                            *to = dq * scale(heads);
                        }
                    }
                });
            }
        }
    });
}

/// `1 / √D`.
fn scale<R: Real>(heads: Heads) -> R {
    R::from_f64(1.0 / (heads.dim as f64).sqrt())
}

simd_fn! {
    /// Softmax of the visible part of each row in place, zero beyond; `lse` of each row.
    fn softmax<R>(scores: &'a mut [R], lse: &'a mut [R], context: usize, sharing: usize, first: usize) {
        for (i, (row, lse)) in scores.chunks_exact_mut(context).zip(lse).enumerate() {
            let (seen, hidden) = row.split_at_mut(first + i / sharing);
            hidden.fill(R::ZERO);
            let most = greatest(seen);
            let sum = exponentials(seen, most);
            let inverse = R::ONE / sum;
            seen.iter_mut().for_each(|p| *p *= inverse);
            *lse = most + sum.ln();
        }
    }
}

simd_fn! {
    /// From scores `p` and `dP` in `ds`: the probabilities into `p` and `dS` into `ds`.
    fn softmax_backward<R>(
        p: &'a mut [R],
        ds: &'a mut [R],
        lse: &'a [R],
        delta: &'a [R],
        context: usize,
        sharing: usize,
        first: usize,
    ) {
        let rows = p.chunks_exact_mut(context).zip(ds.chunks_exact_mut(context));
        for (i, ((p, ds), (&lse, &delta))) in rows.zip(lse.iter().zip(delta)).enumerate() {
            let seen = first + i / sharing;
            p[seen..].fill(R::ZERO);
            ds[seen..].fill(R::ZERO);
            for (p, ds) in p[..seen].iter_mut().zip(&mut ds[..seen]) {
                *p = (*p - lse).exp();
                *ds = *p * (*ds - delta);
            }
        }
    }
}

/// `x ← exp(x − shift)`, and their sum in lanes.
#[inline(always)]
fn exponentials<R: Real>(x: &mut [R], shift: R) -> R {
    use super::simd::LANES;
    let mut lanes = [R::ZERO; LANES];
    let mut chunks = x.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *x = (*x - shift).exp();
            *lane += *x;
        }
    }
    for (lane, x) in lanes.iter_mut().zip(chunks.into_remainder()) {
        *x = (*x - shift).exp();
        *lane += *x;
    }
    lanes.into_iter().sum()
}
