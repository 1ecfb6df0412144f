//! A scheduler whose configuration, then whose state, names a fault.

#[allow(missing_docs, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/0.1.0", world: "scheduler-plugin" });
}

use bindings::exports::omni::plugin::scheduler::{
    Decision, Error, Guest, Observation, Setup, Share,
};

struct Hostile;
bindings::export!(Hostile with_types_in bindings);

impl Guest for Hostile {
    fn start(setup: Setup) -> Result<Vec<u8>, Error> {
        hostile_faults::act(&setup.config);
        match setup.config.strip_prefix("later:") {
            Some(fault) => Ok(fault.into()),
            None => Ok(setup.tasks.first().map_or(vec![], |t| t.name.clone().into())),
        }
    }

    fn next(state: Vec<u8>, observations: Vec<Observation>) -> Result<Decision, Error> {
        let name = String::from_utf8_lossy(&state).into_owned();
        hostile_faults::act(&name);
        let prompts = observations.iter().map(|o| o.prompts).sum::<u32>() + 1;
        Ok(Decision { state, batch: vec![Share { task: name, prompts }] })
    }
}
