//! The policy behind an OpenAI-compatible HTTP interface, and scoring beside it.
//!
//! `/v1/chat/completions` and `/v1/completions` (whole or streamed), `/v1/models`, `POST /v1/score`
//! for tasks that are loaded, and `/health`. One thread owns the policy, which takes requests in as
//! places become free, so that nobody waits for another one's whole answer; what a request samples
//! depends on its own seed alone.
//!
//! Invariants:
//! - beyond loopback nothing is served without a token, and the token is never logged;
//! - a parameter that would change the answer and is not supported is refused, not ignored;
//! - a client that goes away ends its generation at the next token;
//! - scoring runs on plain threads of its own, never on those that serve connections.
//!
//! Deliberately absent: TLS (a proxy's work), tools, log-probabilities, and any knowledge of
//! plugins: scoring comes through the trait [`Scorer`].

mod access;
mod answer;
mod app;
mod complete;
mod config;
mod error;
mod fields;
mod prompt;
mod queue;
mod refusal;
mod sampling;
mod score;
mod server;
mod stop;
mod text;
mod threads;

pub use config::{Config, Token};
pub use error::ServeError;
pub use score::Scorer;
pub use server::{Bound, Model, Parts};
pub use stop::Stop;
