//! Schedulers.

use std::marker::PhantomData;

use super::{enter, error};
use crate::scheduler::{Evidence, Observation, Scheduler, Setup, TaskInfo};
use crate::{Error, Result as SdkResult};
use bindings::exports::omni::plugin::scheduler as wit;
use bindings::omni::plugin::types;

/// What wit-bindgen made of the world.
#[allow(warnings, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1.0",
        world: "scheduler-plugin",
        pub_export_macro: true,
        export_macro_name: "__export_scheduler_plugin",
        default_bindings_module: "omni_sdk::glue::scheduler::bindings",
    });
}

error!(types::Error);

/// The world's exports for a plugin's own type.
#[derive(Debug)]
pub struct Glue<T>(PhantomData<T>);

impl<T: Scheduler> wit::Guest for Glue<T> {
    fn start(setup: wit::Setup) -> Result<Vec<u8>, types::Error> {
        enter();
        Ok(to_bytes(&T::start(&setup_in(setup))?)?)
    }

    fn next(
        state: Vec<u8>,
        observations: Vec<wit::Observation>,
    ) -> Result<wit::Decision, types::Error> {
        enter();
        let mut scheduler: T = from_bytes(&state)?;
        let observations: Vec<_> = observations.into_iter().map(observation_in).collect();
        let batch = scheduler.next(&observations)?;
        let batch = batch.into_iter().map(|it| wit::Share { task: it.task, prompts: it.prompts });
        Ok(wit::Decision { state: to_bytes(&scheduler)?, batch: batch.collect() })
    }
}

fn to_bytes(state: &impl serde::Serialize) -> SdkResult<Vec<u8>> {
    Ok(serde_json::to_vec(state)?)
}

fn from_bytes<T: serde::de::DeserializeOwned>(state: &[u8]) -> SdkResult<T> {
    serde_json::from_slice(state)
        .map_err(|error| Error::invalid_input(format!("the kept state does not fit: {error}")))
}

fn setup_in(setup: wit::Setup) -> Setup {
    let task =
        |task: wit::TaskInfo| TaskInfo { name: task.name, items: task.items, weight: task.weight };
    Setup {
        tasks: setup.tasks.into_iter().map(task).collect(),
        prompts_per_batch: setup.prompts_per_batch,
        epochs: setup.epochs,
        evidence: setup.evidence.map(|evidence| Evidence {
            tasks: evidence.tasks,
            base_accuracy: evidence.base_accuracy,
            self_accuracy: evidence.self_accuracy,
            backward_transfer: evidence.backward_transfer,
            entropy_change: evidence.entropy_change,
        }),
        config: setup.config,
        seed: setup.seed,
    }
}

fn observation_in(observation: wit::Observation) -> Observation {
    Observation {
        task: observation.task,
        prompts: observation.prompts,
        mean_reward: observation.mean_reward,
        mean_abs_advantage: observation.mean_abs_advantage,
        gradient_norm: observation.gradient_norm,
        entropy: observation.entropy,
        accuracy: observation.accuracy,
    }
}
