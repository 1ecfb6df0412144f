//! How groups are packed into one array of rows.
//!
//! Rows of a group are contiguous: the prompt's tokens, then each completion's tokens but the last
//! (nothing is predicted from it). A completion's row sees the prompt and the rows of its own
//! completion up to itself; its position continues the prompt's. The prediction of a completion's
//! first token is made at the prompt's last row.

use std::ops::Range;

use crate::policy::{Group, KeptSet};

/// Rows of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRows {
    /// Rows of the prompt.
    pub prompt: Range<usize>,
    /// Rows of each completion; empty for a completion of at most one token.
    pub completions: Vec<Range<usize>>,
}

impl GroupRows {
    /// All rows of the group.
    pub fn all(&self) -> Range<usize> {
        self.prompt.start..self.completions.last().map_or(self.prompt.end, |c| c.end)
    }
}

/// A packed batch.
#[derive(Debug, Default)]
pub struct Layout<'a> {
    /// Token of each row, `[T]`.
    pub tokens: Vec<u32>,
    /// Rotary position of each row, `[T]`.
    pub positions: Vec<u32>,
    /// In order, covering all rows.
    pub groups: Vec<GroupRows>,
    /// Row each prediction is made at, `[N]`, one for each completion token, in order.
    pub rows: Vec<u32>,
    /// Token predicted, `[N]`.
    pub targets: Vec<u32>,
    /// Support of each prediction, `[N]`, or empty where no completion has any.
    pub kept: Vec<Option<&'a KeptSet>>,
    /// Tokens of each completion, `[group][completion]`.
    pub lengths: Vec<Vec<usize>>,
}

impl<'a> Layout<'a> {
    /// Packs groups, whose tokens have been checked.
    pub fn new(groups: &[Group<'a>]) -> Self {
        let mut layout = Self::default();
        let any_kept = groups.iter().flat_map(|g| &g.completions).any(|c| c.kept.is_some());
        for group in groups {
            let prompt = layout.push(group.prompt, 0);
            let mut completions = Vec::with_capacity(group.completions.len());
            for completion in &group.completions {
                let inputs = &completion.tokens[..completion.tokens.len().saturating_sub(1)];
                let rows = layout.push(inputs, group.prompt.len());
                let before = [prompt.end - 1].into_iter().chain(rows.clone());
                for (n, (&target, row)) in completion.tokens.iter().zip(before).enumerate() {
                    layout.targets.push(target);
                    layout.rows.push(row as u32);
                    if any_kept {
                        layout.kept.push(completion.kept.map(|kept| &kept[n]));
                    }
                }
                completions.push(rows);
            }
            layout.lengths.push(group.completions.iter().map(|c| c.tokens.len()).collect());
            layout.groups.push(GroupRows { prompt, completions });
        }
        layout
    }

    fn push(&mut self, tokens: &[u32], position: usize) -> Range<usize> {
        let start = self.tokens.len();
        self.tokens.extend_from_slice(tokens);
        self.positions.extend((position..position + tokens.len()).map(|p| p as u32));
        start..self.tokens.len()
    }

    /// Number of rows, `T`.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Splits a flat array `[N]` into `[group][completion][token]`.
    pub fn nest(&self, flat: impl IntoIterator<Item = f32>) -> Vec<Vec<Vec<f32>>> {
        let mut flat = flat.into_iter();
        self.lengths
            .iter()
            .map(|group| group.iter().map(|&n| flat.by_ref().take(n).collect()).collect())
            .collect()
    }
}
