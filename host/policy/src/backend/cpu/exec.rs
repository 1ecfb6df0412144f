//! How work is cut up: fixed blocks, whoever computes them.
//!
//! A block's size depends on the operation's shape alone, and results of blocks are combined in
//! their order. The number of threads therefore changes when a block is computed, never what is
//! computed. [`Exec::Serial`] takes the same blocks one after the other.

use std::sync::Mutex;

use rayon::prelude::*;

/// Whether blocks are handed to the surrounding rayon pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exec {
    Parallel,
    Serial,
}

impl Exec {
    /// `f(n, block)` for every `len` elements of `out` (the last may be shorter).
    pub(super) fn blocks<R: Send>(
        self,
        out: &mut [R],
        len: usize,
        f: impl Fn(usize, &mut [R]) + Sync,
    ) {
        match self {
            Self::Parallel => {
                out.par_chunks_mut(len).enumerate().for_each(|(n, block)| f(n, block));
            }
            Self::Serial => out.chunks_mut(len).enumerate().for_each(|(n, block)| f(n, block)),
        }
    }

    /// [`Exec::blocks`] over two arrays side by side.
    pub(super) fn blocks2<R: Send>(
        self,
        (a, a_len): (&mut [R], usize),
        (b, b_len): (&mut [R], usize),
        f: impl Fn(usize, &mut [R], &mut [R]) + Sync,
    ) {
        match self {
            Self::Parallel => {
                a.par_chunks_mut(a_len)
                    .zip(b.par_chunks_mut(b_len))
                    .enumerate()
                    .for_each(|(n, (a, b))| f(n, a, b));
            }
            Self::Serial => {
                a.chunks_mut(a_len)
                    .zip(b.chunks_mut(b_len))
                    .enumerate()
                    .for_each(|(n, (a, b))| f(n, a, b));
            }
        }
    }

    /// `f` on every item, results in the items' order.
    pub(super) fn map<I: Send, O: Send>(self, items: Vec<I>, f: impl Fn(I) -> O + Sync) -> Vec<O> {
        match self {
            Self::Parallel => items.into_par_iter().map(&f).collect(),
            Self::Serial => items.into_iter().map(f).collect(),
        }
    }
}

/// Arrays for intermediate values, kept between operations so that hot loops do not allocate.
#[derive(Debug, Default)]
pub(super) struct Scratch<R>(Mutex<Vec<Vec<R>>>);

impl<R: Copy + Default> Scratch<R> {
    /// Runs `f` with `len` elements of unspecified content.
    pub(super) fn with<O>(&self, len: usize, f: impl FnOnce(&mut [R]) -> O) -> O {
        // A poisoned pool only means that some array was lost to a panic.
        let lock = || self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut array = lock().pop().unwrap_or_default();
        if array.len() < len {
            array.resize(len, R::default());
        }
        let result = f(&mut array[..len]);
        lock().push(array);
        result
    }
}

/// Cuts `slice` at the ends of consecutive parts of the given lengths.
pub(super) fn split_mut<R>(
    mut slice: &mut [R],
    lengths: impl Iterator<Item = usize>,
) -> Vec<&mut [R]> {
    lengths
        .map(|len| {
            let (part, rest) = std::mem::take(&mut slice).split_at_mut(len);
            slice = rest;
            part
        })
        .collect()
}
