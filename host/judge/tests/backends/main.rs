//! Endpoints that fail in every way, local models, and what is kept of both.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;
mod faults;
mod ledger;
mod local;
mod server;
