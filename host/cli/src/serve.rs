//! `serve`: the policy and the tasks' rewards over HTTP.

use crate::args::{Arguments, Serve};
use crate::fault::{Fault, Outcome};

/// Serves until it is told to stop.
pub(crate) fn run(_: &Arguments, _: &Serve) -> Outcome<()> {
    Err(Fault::unsupported("omni-host serve"))
}
