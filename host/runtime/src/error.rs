//! What can go wrong: a component that cannot be loaded, a call that gave no result.
//!
//! A call's failure is data: it keeps its kind, since the kind decides whose fault it was.

use omni_record::{ReasonKind, Undefined};

use crate::plugin::PluginLabel;

/// The runtime itself could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// wasmtime refused the configuration, or the machine could not satisfy it.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
    /// The threads that run guests could not be started.
    #[error("cannot start the threads that run plugins: {0}")]
    Threads(String),
    /// The folder for compiled code cannot be used.
    #[error("cannot use the compile cache {folder}: {reason}; set another folder or none")]
    Cache {
        /// The folder.
        folder: String,
        /// Why not.
        reason: String,
    },
}

/// A component was refused before anything of it ran.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The bytes are not a WebAssembly component.
    #[error("not a WebAssembly component: {reason}")]
    NotAComponent {
        /// What was found instead.
        reason: String,
    },
    /// It was built against a version of the contract that this host does not have.
    #[error(
        "the component uses `{found}`, this host supports {supported}; build it with the SDK of a supported version, or use another omni-host"
    )]
    Version {
        /// The interface with its version, as the component names it.
        found: String,
        /// The versions that this host has.
        supported: String,
    },
    /// It wants something that no plugin is given.
    #[error("the component imports `{import}`; plugins may import {allowed} and nothing else")]
    UnknownImport {
        /// What it imports.
        import: String,
        /// What it may import.
        allowed: String,
    },
    /// It exports none of the plugin interfaces.
    #[error("the component exports {found}; a plugin exports one of {wanted}")]
    NoKind {
        /// What it exports.
        found: String,
        /// The interfaces that make a plugin.
        wanted: String,
    },
    /// It exports more than one plugin interface.
    #[error("the component exports {found}; a plugin is of one kind")]
    SeveralKinds {
        /// The plugin interfaces that it exports.
        found: String,
    },
    /// An interface lacks a function, or has it with another type.
    #[error("the component's `{interface}` does not fit this host's: {reason}")]
    Mismatch {
        /// The exported interface.
        interface: String,
        /// What is missing or different.
        reason: String,
    },
    /// Compiling failed or ran into its limits.
    #[error("compiling the component failed: {reason}")]
    Compile {
        /// What the compiler said.
        reason: String,
    },
    /// It needs more memories, tables or instances than one call gets.
    #[error("the component needs {what}; one call gets at most {limit}")]
    TooBig {
        /// What it needs.
        what: String,
        /// What there is.
        limit: String,
    },
    /// An instance of it could not be started within its limits.
    #[error("the component does not start: {kind}: {reason}")]
    Start {
        /// The kind of fault.
        kind: &'static str,
        /// What happened.
        reason: String,
    },
    /// The compile cache could not be read or written.
    #[error("the compile cache: {0}")]
    Cache(#[from] std::io::Error),
}

/// A call into a plugin gave no result.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{label}, {call}: {kind}: {message}", kind = reason.kind.as_str(), message = reason.message)]
pub struct CallError {
    /// The plugin.
    pub label: PluginLabel,
    /// The function that was called.
    pub call: &'static str,
    /// What happened, and whose fault it was.
    pub reason: Undefined,
    /// Fuel consumed until then.
    pub fuel: u64,
    /// False where time decided.
    pub reproducible: bool,
}

/// Shorthand for building a reason.
pub(crate) fn undefined(kind: ReasonKind, message: impl Into<String>) -> Undefined {
    Undefined { kind, message: message.into() }
}
