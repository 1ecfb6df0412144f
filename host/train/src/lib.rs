//! Training: groups of outputs to rewards, advantages, losses and steps; evaluation; warm-up.
//!
//! The policy is seen through [`omni_policy::Policy`], everything else through the traits of
//! [`outside`], so that losses are tested without a model and the loop without a plugin.
//! Invariants: an excluded output counts in no mean and no denominator; gradient accumulation
//! never changes a result; the same seed gives the same bytes, whatever the number of threads and
//! across a kill and a resume. Deliberately absent: printing, plugins, networks.

pub mod advantage;
mod checkpoint;
mod clock;
pub mod config;
mod describe;
mod error;
mod evaluate;
mod faults;
mod grade;
pub mod loss;
mod measure;
pub mod outside;
mod parts;
mod phase;
mod prompts;
mod random;
pub mod reward;
mod rollout;
pub mod rouge;
mod run;
mod schedule;
mod sft;
mod start;
mod supervised;
mod unfinished;
mod update;
mod warmup;

pub use checkpoint::check_continued;
pub use config::{ConfigError, Preset, RunConfig, WarmupConfig};
pub use error::TrainError;
pub use evaluate::{EvalPlan, Evaluated, Evaluation, answers_of, evaluate, too_much_lost};
pub use parts::{Ending, Summary, TaskSpec, Training};
pub use random::scheduler as scheduler_seed;
pub use run::train;
pub use sft::{Sft, SftSummary, check_sft_folder, check_train_folder, sft};
pub use warmup::{Warmup, WarmupSummary, corpus, warmup};
