//! Whole-system scenarios: the built binary, with real packs, as a person would run it.

mod bad_input;
mod common;
mod score;
mod train;
