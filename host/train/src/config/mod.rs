//! What a run is told: `RUN.toml`, its presets, its overrides, its errors.
//!
//! Everything has a default, so that a file says only what differs. [`RunConfig::resolve`] puts
//! preset, file and overrides on top of each other; the result, written with
//! [`RunConfig::to_toml`], reads back identically.

mod dataset;
mod error;
mod models;
mod preset;
mod read;
mod settings;
mod sft;
mod task;
mod validate;
mod warmup;

pub use dataset::{Data, DataFilter, DataFormat, DataJoin, Dataset, LastMessage};
pub use error::ConfigError;
pub use models::ModelSource;
pub use preset::Preset;
pub use read::read_settings;
pub use settings::{
    Advantage, AggregationDenominator, Checkpoint, Decay, Device, Evaluation, FinalEvaluation,
    LogprobSupport, LongPrompts, Loss, LossKind, LrSchedule, MedianMap, Normalise, Optimizer,
    PolicySource, RatioLevel, Rollouts, RunConfig, Scale, Schedule,
};
pub use sft::Sft;
pub use task::{Task, UndefinedRule};
pub use warmup::{ModelShape, TokenizerSettings, WarmupConfig, WarmupTask};

/// The JSON schema of `RUN.toml`.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RunConfig).to_value()
}

/// The JSON schema of the file that `warmup` reads.
#[must_use]
pub fn warmup_schema() -> serde_json::Value {
    schemars::schema_for!(WarmupConfig).to_value()
}
