//! The language models that answer judges' questions: endpoints over HTTP and local models.
//!
//! A [`JudgeModel`] is one `[models.NAME]` of a run file. It is called from any number of threads
//! and blocks until every question has its [`Answer`]. What it answers goes through a [`Ledger`]:
//! the same content is asked once, answers are recorded as they come, and a recorded run is
//! answered again from its record alone.
//!
//! Invariants: a failure is a typed value with its [`FailureKind`], never an empty text; a key is
//! sent to its endpoint and goes nowhere else (no `Debug`, no log, no record, no message holds it);
//! what is handed out was recorded first. Deliberately absent: prompts and verdicts, which are
//! plugins', and everything that knows of runs and tasks.

mod budget;
mod endpoint;
mod error;
mod ledger;
mod local;
mod model;
mod question;
mod settings;
mod texts;

pub use budget::{Budget, Prices, Spent};
pub use endpoint::retry::{RetryPolicy, Step};
pub use error::OpenError;
pub use ledger::{Ledger, Mode};
pub use model::{JudgeModel, Tally};
pub use question::{Answer, Failure, FailureKind, Question};
pub use settings::{EndpointSettings, Key, ModelSettings, Source};
