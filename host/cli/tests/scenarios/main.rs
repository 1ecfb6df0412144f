//! Whole-system scenarios: the built binary, with real packs, as a person would run it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a scenario stops at the first surprise, and says what it skips"
)]

mod bad_input;
mod common;
mod data;
mod eval;
mod judges;
mod paper;
mod report;
mod score;
mod serve;
mod sft;
mod study;
mod train;
mod writing;

/// The endpoint that misbehaves on purpose, which the judges' own tests talk to as well.
#[path = "../../../judge/tests/backends/server.rs"]
#[expect(dead_code, reason = "those tests use more of it")]
mod server;
