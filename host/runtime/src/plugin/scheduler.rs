//! Says which tasks the next batch is drawn from.

use std::sync::Arc;

use super::plugin_handle;
use crate::bindings::exports::omni::plugin::scheduler as wit;
use crate::bindings::exports::omni::plugin::scheduler::GuestIndices;
use crate::error::CallError;
use crate::guest::{Call, Guest};
use crate::values::{Decision, Observation, Setup, Share};

/// A loaded scheduler plugin.
#[derive(Clone)]
pub struct SchedulerPlugin {
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

plugin_handle!(SchedulerPlugin, "scheduler", GuestIndices);

impl SchedulerPlugin {
    /// The state before the first batch.
    ///
    /// # Errors
    /// When the plugin faults or refuses the setup.
    pub fn start(&self, setup: &Setup) -> Result<Vec<u8>, CallError> {
        let Shared { guest, indices } = &*self.shared;
        let setup = wit::Setup::from(setup);
        let bytes =
            setup.config.len() + setup.tasks.iter().map(|t| t.name.len() + 24).sum::<usize>();
        let call = Call::new("start", "", bytes as u64);
        let indices = indices.clone();
        let outcome = guest.call(guest.limits, call, move |store, instance| {
            indices.load(&mut *store, instance)?.call_start(store, &setup)
        });
        guest.finish("start", outcome.flatten())
    }

    /// The next batch, after what the last one showed.
    ///
    /// # Errors
    /// When the plugin faults or refuses its arguments.
    pub fn next(&self, state: &[u8], observations: &[Observation]) -> Result<Decision, CallError> {
        let Shared { guest, indices } = &*self.shared;
        let observations: Vec<wit::Observation> = observations.iter().map(Into::into).collect();
        let bytes = state.len() + observations.iter().map(|o| o.task.len() + 64).sum::<usize>();
        let call = Call::new("next", "", bytes as u64);
        let (indices, state) = (indices.clone(), state.to_vec());
        let outcome = guest.call(guest.limits, call, move |store, instance| {
            indices.load(&mut *store, instance)?.call_next(store, &state, &observations)
        });
        let decision = guest.finish("next", outcome.flatten())?;
        Ok(Decision {
            state: decision.state,
            batch: decision
                .batch
                .into_iter()
                .map(|s| Share { task: s.task, prompts: s.prompts })
                .collect(),
        })
    }
}
