//! What became of a dataset's rows: every one is counted, whether it was kept or not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Reasons told apart; the rest are counted together.
const MAX_REASONS: usize = 24;

/// Counts of a split's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Where the rows came from.
    pub source: String,
    /// Rows read.
    pub rows: usize,
    /// Rows kept.
    pub kept: usize,
    /// Rows left out on purpose, by the filter's name.
    pub filtered: BTreeMap<String, usize>,
    /// Rows that a limit left out.
    pub not_chosen: usize,
    /// Rows that went to other splits, by their names.
    pub taken: BTreeMap<String, usize>,
    /// Rows that do not fit, by reason.
    pub misfits: BTreeMap<String, Misfits>,
    /// Rows kept whose id stood before; `#2` and so on was put behind it.
    pub repeated_ids: usize,
    /// Rows kept whose prompt stands in another split too, by that split's name.
    pub shared_prompts: BTreeMap<String, usize>,
}

/// Rows that do not fit for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misfits {
    /// How many.
    pub rows: usize,
    /// The first of them: file and row.
    pub first: String,
}

impl Report {
    /// Counts another dataset's rows too.
    pub(crate) fn add(&mut self, other: Self) {
        let source = std::mem::take(&mut self.source);
        self.source =
            if source.is_empty() { other.source } else { format!("{source} + {}", other.source) };
        self.rows += other.rows;
        self.kept += other.kept;
        self.not_chosen += other.not_chosen;
        self.repeated_ids += other.repeated_ids;
        for (name, rows) in other.filtered {
            *self.filtered.entry(name).or_default() += rows;
        }
        for (reason, misfits) in other.misfits {
            let into = self.misfits.entry(reason).or_default();
            if into.rows == 0 {
                into.first = misfits.first;
            }
            into.rows += misfits.rows;
        }
    }

    /// Rows that do not fit.
    #[must_use]
    pub fn misfit_rows(&self) -> usize {
        self.misfits.values().map(|misfits| misfits.rows).sum()
    }

    pub(crate) fn misfit(&mut self, reason: String, place: impl FnOnce() -> String) {
        let reason = if self.misfits.len() < MAX_REASONS || self.misfits.contains_key(&reason) {
            reason
        } else {
            "other reasons".to_owned()
        };
        let misfits = self.misfits.entry(reason).or_default();
        if misfits.rows == 0 {
            misfits.first = place();
        }
        misfits.rows += 1;
    }

    /// The reasons, the most frequent first.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<_> = self.misfits.iter().collect();
        reasons.sort_by_key(|(_, misfits)| std::cmp::Reverse(misfits.rows));
        reasons
            .into_iter()
            .map(|(reason, misfits)| match misfits.rows {
                1 => format!("{reason} ({})", misfits.first),
                rows => format!("{reason} ({rows} rows, the first {})", misfits.first),
            })
            .collect()
    }
}

/// One line that says all of it.
impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} rows of {}", self.kept, self.rows, self.source)?;
        let mut parts = Vec::new();
        let filtered: Vec<String> = self
            .filtered
            .iter()
            .filter(|(_, rows)| **rows > 0)
            .map(|(name, rows)| format!("{name} {rows}"))
            .collect();
        if !filtered.is_empty() {
            parts.push(format!("filtered out: {}", filtered.join(", ")));
        }
        if self.not_chosen > 0 {
            parts.push(format!("{} beyond the limit", self.not_chosen));
        }
        for (split, rows) in &self.taken {
            parts.push(format!("{rows} to {split}"));
        }
        if !self.misfits.is_empty() {
            let reasons = self.reasons().join("; ");
            parts.push(format!("{} do not fit: {reasons}", self.misfit_rows()));
        }
        if self.repeated_ids > 0 {
            parts.push(format!("{} repeat an id", self.repeated_ids));
        }
        for (split, rows) in &self.shared_prompts {
            parts.push(format!("{rows} prompts stand in {split} too"));
        }
        for part in parts {
            write!(f, "; {part}")?;
        }
        Ok(())
    }
}
