//! What a run speaks of, and what it keeps.
//!
//! [`values`] holds the values that every other crate exchanges: items, rollouts, scored or
//! undefined components. The rest is the run folder: its versioned records are written here and
//! read here alone, so that old runs stay readable. Deliberately absent: anything that computes.

mod values;

pub use values::{
    Component, Finish, Fuel, GroupScore, Item, Message, ReasonKind, Role, Rollout, Undefined, Value,
};
