//! Loaded plugins, one type for each kind; clones are cheap and share the component.

mod interpreter;
mod judge;
mod reward;
mod scheduler;
mod task;

use std::fmt;
use std::sync::Arc;

use wasmtime::component::Component;

use crate::engine::Inner;
use crate::error::LoadError;
use crate::guest::Guest;
use crate::inspect::Kind;
use crate::limits::Limits;

pub use interpreter::InterpreterPlugin;
pub(crate) use interpreter::PendingRun;
pub use judge::JudgePlugin;
pub(crate) use judge::Judged;
pub use reward::{GroupCall, RewardPlugin};
pub use scheduler::SchedulerPlugin;
pub use task::TaskPlugin;

/// Which plugin this is; every message about it begins so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PluginLabel {
    /// The pack that brought it.
    pub pack: String,
    /// Its name in the pack.
    pub name: String,
    /// The pack's version.
    pub version: String,
}

impl fmt::Display for PluginLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {}", self.pack, self.name, self.version)
    }
}

/// A loaded plugin.
#[derive(Clone, Debug)]
pub enum Plugin {
    /// A source of problems.
    Task(TaskPlugin),
    /// A verifier.
    Reward(RewardPlugin),
    /// Comparisons to verdicts.
    Judge(JudgePlugin),
    /// Runs programs.
    Interpreter(InterpreterPlugin),
    /// Says which tasks come next.
    Scheduler(SchedulerPlugin),
}

impl Plugin {
    pub(crate) fn new(
        runtime: Arc<Inner>,
        component: &Component,
        kind: Kind,
        label: PluginLabel,
        limits: Limits,
    ) -> Result<Self, LoadError> {
        let guest = Guest::new(runtime, component, label, limits)?;
        Ok(match kind {
            Kind::Task => Self::Task(TaskPlugin::new(guest)?),
            Kind::Reward => Self::Reward(RewardPlugin::new(guest)?),
            Kind::Judge => Self::Judge(JudgePlugin::new(guest)?),
            Kind::Interpreter => Self::Interpreter(InterpreterPlugin::new(guest)?),
            Kind::Scheduler => Self::Scheduler(SchedulerPlugin::new(guest)?),
        })
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Task(_) => Kind::Task,
            Self::Reward(_) => Kind::Reward,
            Self::Judge(_) => Kind::Judge,
            Self::Interpreter(_) => Kind::Interpreter,
            Self::Scheduler(_) => Kind::Scheduler,
        }
    }

    /// Which plugin it is.
    #[must_use]
    pub fn label(&self) -> &PluginLabel {
        match self {
            Self::Task(p) => p.label(),
            Self::Reward(p) => p.label(),
            Self::Judge(p) => p.label(),
            Self::Interpreter(p) => p.label(),
            Self::Scheduler(p) => p.label(),
        }
    }
}

/// A function whose type is not this host's.
fn mismatch(interface: &str) -> impl FnOnce(wasmtime::Error) -> LoadError + '_ {
    move |error| LoadError::Mismatch {
        interface: format!("omni:plugin/{interface}@{}", crate::inspect::SUPPORTED_VERSION),
        reason: format!("{error:#}"),
    }
}

/// What every kind has: a guest, its typed functions, a label, a debug form.
macro_rules! plugin_handle {
    ($name:ident, $interface:literal, $indices:ty) => {
        impl $name {
            pub(crate) fn new(guest: crate::guest::Guest) -> Result<Self, crate::error::LoadError> {
                let indices = <$indices>::new(&guest.pre).map_err(super::mismatch($interface))?;
                let guest = std::sync::Arc::new(guest);
                let checked = indices.clone();
                guest.try_out(move |store, instance| {
                    checked.load(store, instance).map(drop).map_err(super::mismatch($interface))
                })?;
                Ok(Self { shared: std::sync::Arc::new(Shared::new(guest, indices)) })
            }

            /// Which plugin it is.
            #[must_use]
            pub fn label(&self) -> &super::PluginLabel {
                &self.shared.guest.label
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.label())
            }
        }
    };
}
use plugin_handle;
