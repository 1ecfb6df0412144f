//! Tasks: where problems come from.

use serde::de::DeserializeOwned;

pub use crate::error::{Error, Result};
pub use crate::rng::Rng;
pub use crate::values::{Item, Message, Role};

/// One split of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Such as `train` or `test`.
    pub name: String,
    /// How many items; none for a generator that never runs out.
    pub items: Option<u32>,
}

impl Split {
    /// A split that never runs out.
    pub fn endless(name: impl Into<String>) -> Self {
        Self { name: name.into(), items: None }
    }

    /// A split of so many items.
    pub fn of(name: impl Into<String>, items: u32) -> Self {
        Self { name: name.into(), items: Some(items) }
    }
}

/// A source of problems. The type is its own configuration, see
/// `omni_sdk::reward::Reward`. The same arguments always give the same items.
pub trait Task: DeserializeOwned {
    /// The splits that this task has.
    ///
    /// # Errors
    /// When the configuration makes no sense.
    fn splits(&self) -> Result<Vec<Split>>;

    /// The item at `index` of a split. The splits must not share items.
    ///
    /// # Errors
    /// `invalid-input` for an unknown split or an index past its end.
    fn item(&self, split: &str, index: u32) -> Result<Item>;

    /// Items `offset .. offset + limit` of a split, fewer where it ends.
    ///
    /// # Errors
    /// As [`item`](Self::item).
    fn items(&self, split: &str, offset: u32, limit: u32) -> Result<Vec<Item>> {
        let splits = self.splits()?;
        let Some(found) = splits.iter().find(|known| known.name == split) else {
            let known: Vec<_> = splits.iter().map(|split| split.name.as_str()).collect();
            return Err(Error::invalid_input(format!(
                "no split `{split}`; there are {}",
                known.join(", ")
            )));
        };
        let end = offset.saturating_add(limit).min(found.items.unwrap_or(u32::MAX));
        (offset..end).map(|index| self.item(split, index)).collect()
    }
}
