//! Packs: what a domain brings along, as a folder.
//!
//! A pack holds `pack.toml`, WASM components, prompts and data. This crate
//! reads and checks manifests ([`Manifest`], [`Pack`]), finds its way among
//! several packs ([`PackSet`]), reads data rows ([`rows`]), renders prompt
//! templates ([`Template`]) and builds packs from their sources ([`build()`]).
//!
//! It knows nothing of wasmtime: packs are validated, built and shared without
//! being run. What only a running plugin can say (which components a reward
//! returns) is checked by whoever runs it, with [`RewardUse::weights`].

pub mod build;
mod candidates;
mod digest;
mod error;
mod imports;
mod lock;
mod manifest;
mod pack;
pub mod rows;
mod set;
mod suggest;
mod task;
mod template;

pub use build::{BuildOptions, BuildReport, build};
pub use candidates::candidates;
pub use digest::sha256_file;
pub use error::PackError;
pub use lock::Lock;
pub use manifest::{
    ComponentEntry, DataEntry, JudgeEntry, JudgeWith, Kind, Limits, Manifest, Observed, PackInfo,
    ProgramLimits, RewardEntry, RustSource, Source, TaskEntry, TaskSource,
};
pub use pack::Pack;
pub use rows::{Row, RowError, RowMessage};
pub use set::PackSet;
pub use suggest::did_you_mean;
pub use task::{Component, ItemSource, JudgeUse, RewardUse, Task};
pub use template::Template;
