//! The KV cache and attention of one decoding step.
//!
//! Keys and values lie in pages of [`PAGE`] tokens: a page of one key head holds its keys
//! transposed, `[D, PAGE]`, so that scores are computed for a whole page at a time, and its values
//! `[PAGE, D]`. A prompt's pages are held once and shared by all its samples; a sequence's own
//! tokens start on a page of their own.

use super::simd::simd_fn;
use crate::backend::{DecodeRow, Heads};
use crate::real::Real;

/// Tokens of a page: two AVX-512 registers of f32.
const PAGE: usize = 32;

/// Keys and values of consecutive tokens of one layer.
#[derive(Debug, Clone, Default)]
struct Pages<R> {
    /// `[pages][Hkv][keys [D, PAGE], values [PAGE, D]]`
    data: Vec<R>,
    tokens: usize,
}

/// Keys and values of all sequences being generated.
#[derive(Debug)]
pub struct Cache<R> {
    heads: Heads,
    /// `[layer][prefix]`
    prefixes: Vec<Vec<Pages<R>>>,
    /// `[layer][sequence]`
    sequences: Vec<Vec<Pages<R>>>,
    /// Scores of one key head's queries, reused.
    scores: Vec<R>,
}

impl<R: Real> Pages<R> {
    fn clear(&mut self) {
        self.data.clear();
        self.tokens = 0;
    }

    /// Appends one token's keys and values from its row of queries, keys and values.
    fn push(&mut self, heads: Heads, row: &[R]) {
        let dim = heads.dim;
        let half = dim * PAGE;
        let page_len = heads.keys * 2 * half;
        let (page, slot) = (self.tokens / PAGE, self.tokens % PAGE);
        if slot == 0 {
            self.data.resize((page + 1) * page_len, R::ZERO);
        }
        let page = &mut self.data[page * page_len..];
        let keys = &row[heads.queries * dim..][..heads.keys * dim];
        let values = &row[(heads.queries + heads.keys) * dim..][..heads.keys * dim];
        let heads = keys.chunks_exact(dim).zip(values.chunks_exact(dim));
        for (head, (key, value)) in page.chunks_exact_mut(2 * half).zip(heads) {
            let (k, v) = head.split_at_mut(half);
            for (column, &key) in k.chunks_exact_mut(PAGE).zip(key) {
                column[slot] = key;
            }
            v[slot * dim..][..dim].copy_from_slice(value);
        }
        self.tokens += 1;
    }

    /// The pages of one key head with the number of tokens in each.
    #[inline(always)]
    fn head(&self, heads: Heads, head: usize) -> impl Iterator<Item = Page<'_, R>> + Clone {
        let half = heads.dim * PAGE;
        let tokens = self.tokens;
        self.data.chunks_exact(heads.keys * 2 * half).enumerate().map(move |(n, page)| {
            let (keys, values) = page[head * 2 * half..][..2 * half].split_at(half);
            (keys, values, (tokens - n * PAGE).min(PAGE))
        })
    }
}

impl<R: Real> Cache<R> {
    pub(super) fn new(heads: Heads, layers: usize, sequences: usize) -> Self {
        let empty = || vec![vec![Pages { data: Vec::new(), tokens: 0 }; sequences]; layers];
        Self { heads, prefixes: empty(), sequences: empty(), scores: Vec::new() }
    }

    pub(super) fn store_prefix(&mut self, layer: usize, prefix: usize, qkv: &[R]) {
        let pages = &mut self.prefixes[layer][prefix];
        pages.clear();
        for row in qkv.chunks_exact(self.heads.row()) {
            pages.push(self.heads, row);
        }
    }

    pub(super) fn drop_prefix(&mut self, prefix: usize) {
        self.prefixes.iter_mut().for_each(|layer| layer[prefix].clear());
    }

    pub(super) fn drop_sequence(&mut self, sequence: usize) {
        self.sequences.iter_mut().for_each(|layer| layer[sequence].clear());
    }

    /// Appends each row's key and value, then attends.
    pub(super) fn attend(&mut self, layer: usize, rows: &[DecodeRow], out: &mut [R], qkv: &[R]) {
        let heads = self.heads;
        let scale = R::from_f64(1.0 / (heads.dim as f64).sqrt());
        let qkv = qkv.chunks_exact(heads.row());
        for ((row, qkv), out) in rows.iter().zip(qkv).zip(out.chunks_exact_mut(heads.out())) {
            self.sequences[layer][row.sequence].push(heads, qkv);
            let parts = [&self.prefixes[layer][row.prefix], &self.sequences[layer][row.sequence]];
            let pages: usize = parts.iter().map(|p| p.tokens.div_ceil(PAGE)).sum();
            self.scores.resize(self.scores.len().max(pages * PAGE), R::ZERO);
            let scores = &mut self.scores[..pages * PAGE];
            attend_row(heads, scale, qkv, out, parts, scores);
        }
    }
}

simd_fn! {
    /// All queries of a row over the pages of its prefix and its sequence.
    fn attend_row<R>(
        heads: Heads,
        scale: R,
        qkv: &'a [R],
        out: &'a mut [R],
        parts: [&'a Pages<R>; 2],
        scores: &'a mut [R],
    ) {
        let sharing = heads.queries / heads.keys;
        let queries = qkv.chunks_exact(heads.dim).zip(out.chunks_exact_mut(heads.dim));
        for (n, (q, out)) in queries.enumerate() {
            let pages = || parts.into_iter().flat_map(|p| p.head(heads, n / sharing));
            let inverse = weigh(scale, q, pages(), scores);
            average(inverse, out, pages(), scores);
        }
    }
}

/// A page of one key head: keys `[D, PAGE]`, values `[PAGE, D]`, number of tokens.
type Page<'a, R> = (&'a [R], &'a [R], usize);

/// Unnormalised weights of all slots into `scores`; the inverse of their sum. Slots of the last
/// pages that hold no token get the score −∞, hence next to no weight (and their values are 0).
#[inline(always)]
fn weigh<'a, R: Real>(
    scale: R,
    q: &[R],
    pages: impl Iterator<Item = Page<'a, R>>,
    scores: &mut [R],
) -> R {
    let mut most = [R::NEG_INFINITY; PAGE];
    for ((keys, _, tokens), scores) in pages.zip(scores.chunks_exact_mut(PAGE)) {
        // Two sums side by side, so that the additions need not wait for each other.
        let (mut even, mut odd) = ([R::ZERO; PAGE], [R::ZERO; PAGE]);
        for (columns, q) in keys.chunks_exact(2 * PAGE).zip(q.chunks_exact(2)) {
            let (first, second) = columns.split_at(PAGE);
            for i in 0..PAGE {
                even[i] = first[i].mul_add(q[0], even[i]);
                odd[i] = second[i].mul_add(q[1], odd[i]);
            }
        }
        for i in 0..PAGE {
            let score = (even[i] + odd[i]) * scale;
            scores[i] = if i < tokens { score } else { R::NEG_INFINITY };
            most[i] = most[i].max(scores[i]);
        }
    }
    let most = most.into_iter().fold(R::NEG_INFINITY, R::max);
    let mut total = [R::ZERO; PAGE];
    for scores in scores.chunks_exact_mut(PAGE) {
        for (score, total) in scores.iter_mut().zip(&mut total) {
            *score = (*score - most).exp();
            *total += *score;
        }
    }
    R::ONE / total.into_iter().sum()
}

/// The values' average by the weights; a stretch of the output stays in registers while all tokens
/// pass.
#[inline(always)]
fn average<'a, R: Real>(
    inverse: R,
    out: &mut [R],
    pages: impl Iterator<Item = Page<'a, R>> + Clone,
    scores: &[R],
) {
    let dim = out.len();
    let (stretches, rest) = out.as_chunks_mut::<PAGE>();
    let done = dim - rest.len();
    for (n, out) in stretches.iter_mut().enumerate() {
        let at = n * PAGE;
        let (mut even, mut odd) = ([R::ZERO; PAGE], [R::ZERO; PAGE]);
        for ((_, values, tokens), scores) in pages.clone().zip(scores.chunks_exact(PAGE)) {
            // An odd token out is paired with an empty slot, whose value is 0.
            let pairs = values.chunks_exact(2 * dim).zip(scores.chunks_exact(2));
            for (values, p) in pairs.take(tokens.div_ceil(2)) {
                let (first, second) = (&values[at..at + PAGE], &values[dim + at..][..PAGE]);
                for i in 0..PAGE {
                    even[i] = first[i].mul_add(p[0], even[i]);
                    odd[i] = second[i].mul_add(p[1], odd[i]);
                }
            }
        }
        for i in 0..PAGE {
            out[i] = (even[i] + odd[i]) * inverse;
        }
    }
    for (n, out) in rest.iter_mut().enumerate() {
        let mut sum = R::ZERO;
        for ((_, values, tokens), scores) in pages.clone().zip(scores.chunks_exact(PAGE)) {
            for (value, &p) in values.chunks_exact(dim).zip(scores).take(tokens) {
                sum = value[done + n].mul_add(p, sum);
            }
        }
        *out = sum * inverse;
    }
}
