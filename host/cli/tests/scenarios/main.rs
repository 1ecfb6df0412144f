//! Whole-system scenarios: the built binary, with real packs, as a person would run it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a scenario stops at the first surprise, and says what it skips"
)]

mod bad_input;
mod common;
mod score;
mod train;
