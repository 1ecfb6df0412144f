//! Plugins for omni-host in Rust.
//!
//! A plugin is a pure function that the host calls. It imports nothing but a
//! log: what it cannot compute itself (run a program, compare two texts, ask a
//! model) it *returns as a request*, and is called again with all replies.
//! There are five kinds, one feature and one trait each:
//!
//! | feature | trait | gives |
//! |---|---|---|
//! | `task` | [`task::Task`] | problems |
//! | `reward` | [`reward::Reward`] | components for each rollout of a group |
//! | `judge` | [`judge::Judge`] | verdicts on pairs of texts |
//! | `interpreter` | [`interpreter::Interpreter`] | runs programs in one language |
//! | `scheduler` | [`scheduler::Scheduler`] | which tasks come next |
//!
//! # A reward
//!
//! A crate of its own, `crate-type = ["cdylib", "rlib"]`, that depends on
//! `omni-sdk` with the feature `reward`. This is all of it:
//!
//! ```
//! use omni_sdk::reward::{Component, Item, Result, Reward, Rollout};
//! use serde::Deserialize;
//!
//! /// 1 if the answer is the reference, else 0.
//! #[derive(Deserialize, Default)]
//! #[serde(default, deny_unknown_fields)]
//! struct Exact {
//!     ignore_case: bool,
//! }
//!
//! impl Reward for Exact {
//!     fn components(&self) -> Vec<String> {
//!         vec!["accuracy".into()]
//!     }
//!
//!     fn rollout(&self, item: &Item, rollout: &Rollout) -> Result<Vec<Component>> {
//!         let reference = item.reference()?;
//!         let right = omni_sdk::text::answer(&rollout.text).is_some_and(|answer| {
//!             answer == reference || self.ignore_case && answer.eq_ignore_ascii_case(reference)
//!         });
//!         Ok(vec![Component::scored("accuracy", f64::from(u8::from(right)))])
//!     }
//! }
//!
//! omni_sdk::export!(reward Exact);
//! ```
//!
//! The type is its own configuration: its fields are read from the JSON object
//! that the pack's manifest or the run sets for the plugin, and an unknown key
//! is an error that names it. (With one kind in the crate, `export!(Exact)`
//! does too.)
//!
//! It is tested like any Rust, with no host:
//!
//! ```
//! # use omni_sdk::reward::*;
//! # #[derive(serde::Deserialize, Default)]
//! # struct Exact {}
//! # impl Reward for Exact {
//! #     fn components(&self) -> Vec<String> { vec!["accuracy".into()] }
//! #     fn rollout(&self, item: &Item, rollout: &Rollout) -> Result<Vec<Component>> {
//! #         let right = omni_sdk::text::answer(&rollout.text) == item.reference.as_deref();
//! #         Ok(vec![Component::scored("accuracy", f64::from(u8::from(right)))])
//! #     }
//! # }
//! let item = Item::new("capital", "What is the capital of Laos?").with_reference("Vientiane");
//! let group = Group::new(item, &["<answer>Vientiane</answer>", "<answer>Lima</answer>", ""]);
//! let Turn::Done(scores) = Exact::default().score(&group, &[]).unwrap() else { panic!() };
//! let accuracy: Vec<_> = scores.iter().map(|rollout| rollout[0].value.clone()).collect();
//! assert_eq!(accuracy, [Value::Scored(1.0), Value::Scored(0.0), Value::Scored(0.0)]);
//! ```
//!
//! # Faults
//!
//! Three cases are kept apart. The policy's fault (no answer, a wrong one, a
//! program that raises) scores 0. What the item or the configuration lacks is
//! [`Error::invalid_input`]. What the system could not do (no interpreter, no
//! verdict) is [`reward::Component::undefined`], which the host leaves out of
//! the sum instead of taking it for a zero. Any `std::error::Error` becomes
//! `error.internal` by `?`, with its message and the place of that `?`; a panic
//! does too, by the log.
//!
//! # Asking the host
//!
//! A reward that needs a program run writes `score` and returns
//! [`reward::Turn::Ask`]. The host runs all requests in parallel, each in a
//! fresh instance, and calls again with every reply so far:
//!
//! ```
//! use omni_sdk::reward::*;
//! # use serde::Deserialize;
//! # #[derive(Deserialize, Default)]
//! # struct Prints {}
//! impl Reward for Prints {
//! #   fn components(&self) -> Vec<String> { vec!["accuracy".into()] }
//!     fn score(&self, group: &Group, replies: &[Reply]) -> Result<Turn> {
//!         let want = group.item.reference()?;
//!         if replies.is_empty() {
//!             let run = |rollout: &Rollout| {
//!                 let source = omni_sdk::text::answer(&rollout.text).unwrap_or("");
//!                 Request::Execute(Program::new("python", source))
//!             };
//!             return Ok(Turn::Ask(group.rollouts.iter().map(run).collect()));
//!         }
//!         let score = |reply: &Reply| match reply {
//!             Reply::Executed(run) if run.status == Status::Exited => {
//!                 let right = run.stdout.trim() == want;
//!                 Component::scored("accuracy", f64::from(u8::from(right)))
//!             }
//!             Reply::Executed(_) => Component::scored("accuracy", 0.0),
//!             Reply::Failed(why) => Component::undefined("accuracy", why),
//!             Reply::Compared(_) => Component::undefined("accuracy", "nothing was compared"),
//!         };
//!         Ok(Turn::Done(replies.iter().map(|reply| vec![score(reply)]).collect()))
//!     }
//! }
//! ```
//!
//! # A task
//!
//! The same arguments always give the same items, so a generator draws from a
//! [`rng::Rng`] keyed by split and index, and needs no state:
//!
//! ```
//! use omni_sdk::task::*;
//!
//! #[derive(serde::Deserialize, Default)]
//! #[serde(default, deny_unknown_fields)]
//! struct Sums {
//!     seed: u64,
//! }
//!
//! impl Task for Sums {
//!     fn splits(&self) -> Result<Vec<Split>> {
//!         Ok(vec![Split::endless("train"), Split::of("test", 100)])
//!     }
//!
//!     fn item(&self, split: &str, index: u32) -> Result<Item> {
//!         let mut rng = Rng::keyed(self.seed, split, index.into());
//!         // Even first summands in one split, odd ones in the other: no item is in both.
//!         let a = 2 * rng.range(0, 49) + i64::from(split == "test");
//!         let b = rng.range(0, 99);
//!         let item = Item::new(format!("{split}-{index}"), format!("{a}+{b}="));
//!         Ok(item.with_reference((a + b).to_string()))
//!     }
//! }
//!
//! omni_sdk::export!(task Sums);
//!
//! let items = Sums::default().items("test", 98, 10).unwrap();
//! assert_eq!(items.len(), 2);
//! ```
//!
//! # Building it
//!
//! A pack is a folder with `pack.toml` and the crates of its components:
//!
//! ```toml
//! [pack]
//! name = "capitals"
//! version = "0.1.0"
//! license = "Apache-2.0"
//!
//! [[component]]
//! name = "exact"
//! kind = "reward"
//! wasm = "exact.wasm"
//! source = { lang = "rust", crate = "exact" }
//! ```
//!
//! `omni-host pack build capitals` compiles and seals it.

#[cfg(all(
    target_family = "wasm",
    any(
        feature = "task",
        feature = "reward",
        feature = "judge",
        feature = "interpreter",
        feature = "scheduler"
    )
))]
#[doc(hidden)]
pub mod glue;

pub mod config;
pub mod error;
pub mod interpreter;
pub mod judge;
pub mod judgements;
pub mod log;
pub mod programs;
pub mod reward;
pub mod rng;
pub mod scheduler;
pub mod task;
pub mod text;
pub mod values;

pub use error::{Error, ErrorKind, Result};
pub use values::{Finish, Item, Message, Role, Rollout};

#[doc(hidden)]
pub mod export;
