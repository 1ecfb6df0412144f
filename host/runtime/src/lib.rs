//! Runs plugins: everything that a domain brings, in a sandbox, as pure functions.
//!
//! A [`Runtime`] owns the WebAssembly engine, the threads that guests run on and the cache of
//! compiled code. [`Runtime::load`] turns a component's bytes into a [`Plugin`] of one of five
//! kinds after reading kind and contract version from its type. Each call gets a fresh store
//! with its limits refilled; what a reward cannot compute itself it returns as requests, which
//! [`RewardPlugin::score`] performs and answers until the reward is done.
//!
//! Invariants: fuel decides outcomes, so the same inputs give the same bytes for any number of
//! threads; a fault is a typed value ([`omni_record::Undefined`]), never a zero; no store
//! outlives a call. Deliberately absent: packs and manifests, models' clients, and any host
//! function but the log.

mod bindings;
mod cache;
mod compile;
mod convert;
mod engine;
mod error;
mod guest;
mod inspect;
mod limits;
mod model;
mod plugin;
mod requests;
mod store;
mod values;
mod workers;

pub use compile::{Compiler, compile_main};
pub use engine::{Runtime, RuntimeConfig};
pub use error::{CallError, LoadError, RuntimeError};
pub use inspect::{Inspection, Interface, Kind, SUPPORTED_VERSION};
pub use limits::{Backstop, Limits, LoopLimits, ProgramLimits};
pub use model::{Answer, Model, NoModel, Question};
pub use plugin::{
    GroupCall, InterpreterPlugin, JudgePlugin, Plugin, PluginLabel, RewardPlugin, SchedulerPlugin,
    TaskPlugin,
};
pub use requests::{ConfiguredJudge, Effects};
pub use values::{
    Comparison, Decision, Evidence, Execution, Observation, Preference, Program, Setup, Share,
    Split, Status, StopKind, TaskInfo, Verdict,
};
