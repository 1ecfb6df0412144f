//! What a run speaks of, and what it keeps.
//!
//! `values` holds what every other crate exchanges: items, rollouts, scored or undefined
//! components. The rest is the run folder: its versioned records are written here and read here
//! alone, so that old runs stay readable. Deliberately absent: anything that computes, and the
//! contents of `run.toml`, `lock.toml` and checkpoints, which belong to those who write them.

mod error;
mod evaluation;
mod events;
mod folder;
mod items;
mod lines;
mod rejection;
mod replies;
mod study;
mod tensorboard;
mod values;

pub use error::RecordError;
pub use evaluation::{
    Average, Bootstrap, DomainEval, Estimate, EvalEvent, Lost, PartEval, TaskEval, Verdicts,
};
pub use events::{
    Event, RejectionEvent, RejectionTask, RewardMap, Sample, SampleOutput, StartEvent, StepEvent,
    SupervisedEvent, SupervisedTask, TaskStep, VERSION,
};
pub use folder::{Position, RecordWriter, RunFolder};
pub use items::{EvalItems, ITEMS_VERSION, TaskItems};
pub use lines::LineWriter;
pub use rejection::{KeptOutput, Rejection, RejectionWriter, read_rejections};
pub use replies::{RecordedAnswer, RecordedQuestion, Reply, ReplyWriter, read_replies};
pub use study::{
    Ceiling, Correlation, Gain, Measure, MeasuredOrder, Method, MethodKind, MethodRun, OrderRecord,
    Progress, Ranking, STUDY_VERSION, Study, StudyEvidence, TaskMeasure,
};
pub use values::{
    Component, Finish, Fuel, GroupScore, Item, Message, ReasonKind, Role, Rollout, Undefined, Value,
};
