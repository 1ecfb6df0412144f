//! A study: a graph of training runs, evaluations and merges, and what they say of the order in
//! which tasks are best trained. Eq: METHOD sections 3 to 7.
//!
//! Steps are ordinary commands of the same program, each with a folder of its own; a step's
//! `step.json`, written last, says that it is finished and what it was made from. The graph is a
//! pure function of the study file, the run file and the evidence. Deliberately absent: policies,
//! plugins, printing.

mod compare;
mod config;
mod error;
mod estimate;
mod evidence;
mod execute;
mod facts;
mod finished;
mod graph;
mod process;
mod ranking;
mod record;
mod session;
mod statistics;
mod step;
mod survey;
mod tested;

pub use compare::Gained;
pub use config::{
    Curriculum, EvidenceSettings, Invalid, Merging, MethodName, Orders, Outputs, Rule, Schedule,
    Scope, StudyConfig, TestSettings, Variant, schema,
};
pub use error::StudyError;
pub use estimate::Rates;
pub use evidence::{Gathered, by_rule, gather, placeholder, wanted};
pub use execute::{Ended, Growing, Happened, Outcome, Runner, Standing, execute};
pub use facts::{Facts, Measured, SftFacts, TaskFacts};
pub use finished::{Finished, STEP_VERSION};
pub use graph::{Chosen, Graph, Row, RowRun, graph};
pub use process::{Job, Processes, last_checkpoint};
pub use session::{Hold, Session};
pub use statistics::{interval, kendall, spearman};
pub use step::{Cost, Place, Step, StepKind, Word};
pub use survey::survey;
