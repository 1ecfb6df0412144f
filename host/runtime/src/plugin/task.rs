//! A source of problems.

use std::sync::Arc;

use omni_record::{Item, ReasonKind};

use super::plugin_handle;
use crate::bindings::exports::omni::plugin::task::GuestIndices;
use crate::convert;
use crate::error::{CallError, undefined};
use crate::guest::{Call, Guest, Outcome};
use crate::values::Split;

/// A loaded task plugin.
#[derive(Clone)]
pub struct TaskPlugin {
    shared: Arc<Shared>,
}

struct Shared {
    guest: Arc<Guest>,
    indices: GuestIndices,
}

impl Shared {
    fn new(guest: Arc<Guest>, indices: GuestIndices) -> Self {
        Self { guest, indices }
    }
}

plugin_handle!(TaskPlugin, "task", GuestIndices);

impl TaskPlugin {
    /// The splits that this task has.
    ///
    /// # Errors
    /// When the plugin faults or refuses its configuration.
    pub fn splits(&self, config: &str) -> Result<Vec<Split>, CallError> {
        let Shared { guest, indices } = &*self.shared;
        let call = Call::new("splits", "", config.len() as u64);
        let (indices, config) = (indices.clone(), config.to_owned());
        let outcome = guest.call(guest.limits, call, move |store, instance| {
            indices.load(&mut *store, instance)?.call_splits(store, &config)
        });
        let splits = guest.finish("splits", outcome.flatten())?;
        Ok(splits.into_iter().map(Into::into).collect())
    }

    /// Items `offset .. offset + limit` of a split; fewer at its end.
    ///
    /// # Errors
    /// When the plugin faults, refuses its arguments, or gives more items than were asked for
    /// or items whose data is not a JSON object.
    pub fn items(
        &self,
        config: &str,
        split: &str,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Item>, CallError> {
        let Shared { guest, indices } = &*self.shared;
        let call = Call::new("items", split, (config.len() + split.len()) as u64);
        let (indices, config, split) = (indices.clone(), config.to_owned(), split.to_owned());
        let outcome = guest.call(guest.limits, call, move |store, instance| {
            let task = indices.load(&mut *store, instance)?;
            task.call_items(store, &config, &split, offset, limit)
        });
        let outcome = outcome.flatten();
        let result = outcome.result.and_then(|items| {
            if items.len() > limit as usize {
                let message = format!("{} items, {limit} were asked for", items.len());
                return Err(undefined(ReasonKind::Contract, message));
            }
            let items: Result<Vec<Item>, String> = items.into_iter().map(convert::item).collect();
            items.map_err(|e| undefined(ReasonKind::Contract, e))
        });
        let Outcome { fuel, reproducible, .. } = outcome;
        guest.finish("items", Outcome { result, fuel, reproducible })
    }
}
