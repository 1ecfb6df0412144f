//! `items.json`: what an evaluation showed of each item, for comparisons of policies by pairs.
//!
//! Items stand in the order of evaluation. It depends on the tasks and their data alone, so the
//! n-th entry of two policies' files is the same item, as `ids` says. What makes an item hard for
//! every policy then cancels in a difference, which means alone cannot show.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::RecordError;

/// The version of [`EvalItems`].
pub const ITEMS_VERSION: u32 = 1;

/// One evaluation, item by item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvalItems {
    /// [`ITEMS_VERSION`] of the writer.
    pub version: u32,
    /// `validation` or `test`.
    pub purpose: String,
    /// By task.
    pub tasks: BTreeMap<String, TaskItems>,
}

/// The items of one task; the three lists are equally long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskItems {
    /// The split.
    pub split: String,
    /// The component that the values are of.
    pub metric: String,
    /// The items' ids. Those whose prompts are too long are not among them.
    pub ids: Vec<String>,
    /// Mean of the metric over an item's sampled outputs; none where none has a value, or none were
    /// sampled. The mean of what is there is the task's `sampled` accuracy.
    pub sampled: Vec<Option<f64>>,
    /// The same of the greedy output.
    pub greedy: Vec<Option<f64>>,
}

impl EvalItems {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is no such file, is of a newer version, or has lists of different
    /// lengths.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let damaged = |message: String| RecordError::Damaged { path: path.to_owned(), message };
        let bytes = std::fs::read(path).map_err(RecordError::io("read", path))?;
        let items: Self = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if items.version > ITEMS_VERSION {
            return Err(RecordError::Version {
                path: path.to_owned(),
                found: items.version,
                known: ITEMS_VERSION,
            });
        }
        for (name, task) in &items.tasks {
            let [ids, sampled, greedy] = [task.ids.len(), task.sampled.len(), task.greedy.len()];
            if sampled != ids || greedy != ids {
                return Err(damaged(format!(
                    "task `{name}` has {ids} ids, {sampled} sampled and {greedy} greedy values"
                )));
            }
        }
        Ok(items)
    }
}
