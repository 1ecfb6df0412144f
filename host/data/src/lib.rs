//! Datasets to rows: JSON Lines, JSON and Parquet, local or from the Hugging Face hub.
//!
//! [`load`] reads what [`Settings`] say: where the files lie ([`HubSettings`] for the hub), which
//! columns make a row (a [`Mapping`], ready or one's own), which rows are left out, and how many
//! are taken. Every row that is not kept is counted in the [`Report`], with the reason. What a
//! mapping can say is in docs/data.md.
//!
//! Nothing is printed here, and nothing is executed: a mapping is data, and of a pickle only a text
//! is read.

mod chance;
pub mod distractors;
mod error;
mod expression;
mod filter;
mod hub;
mod livecodebench;
mod load;
mod look;
mod mapping;
mod plan;
mod read;
mod report;
mod samples;
mod settings;
mod source;
mod splits;
mod transform;

pub use error::DataError;
pub use hub::{HubSettings, Progress};
pub use load::{Context, Loaded, load};
pub use look::{Look, Missing, look};
pub use mapping::{Mapper, Mapping};
pub use report::{Misfits, Report};
pub use settings::{FilterSettings, Format, Join, LastMessage, Settings};
pub use source::Used;
pub use splits::{Splits, load_splits};
