//! What joins the SDK's types to wit-bindgen's, on wasm32 alone.
//!
//! Each kind has a generated module and an adapter `Glue<T>` that
//! implements the generated `Guest` trait for a plugin's own type. The types
//! of the interfaces `types`, `programs` and `judgements` are generated anew
//! in every world, so their conversions are macros.

#![allow(dead_code, unused_macros, reason = "no kind needs every conversion")]

const _: () = assert!(
    cfg!(feature = "task") as u8
        + cfg!(feature = "reward") as u8
        + cfg!(feature = "judge") as u8
        + cfg!(feature = "interpreter") as u8
        + cfg!(feature = "scheduler") as u8
        == 1,
    "a component has one kind: build each plugin with one feature of omni-sdk"
);

#[cfg(feature = "interpreter")]
pub mod interpreter;
#[cfg(feature = "judge")]
pub mod judge;
#[cfg(feature = "reward")]
pub mod reward;
#[cfg(feature = "scheduler")]
pub mod scheduler;
#[cfg(feature = "task")]
pub mod task;

#[cfg(feature = "interpreter")]
use interpreter::bindings as world;
#[cfg(feature = "judge")]
use judge::bindings as world;
#[cfg(feature = "reward")]
use reward::bindings as world;
#[cfg(feature = "scheduler")]
use scheduler::bindings as world;
#[cfg(feature = "task")]
use task::bindings as world;

/// Hands one line to the host.
pub(crate) fn log(level: crate::log::Level, message: &str) {
    use world::omni::plugin::log as host;
    let level = match level {
        crate::log::Level::Trace => host::Level::Trace,
        crate::log::Level::Debug => host::Level::Debug,
        crate::log::Level::Info => host::Level::Info,
        crate::log::Level::Warn => host::Level::Warn,
        crate::log::Level::Error => host::Level::Error,
    };
    host::write(level, message);
}

/// Called first in every export. A panic cannot be caught where it aborts, so
/// its message and place go to the log; the host, which sees the trap, takes
/// the last error line that starts with `panic: ` for the call's error.
pub(crate) fn enter() {
    use std::sync::Once;
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("a value that is no text");
            let place = panic.location().map_or_else(String::new, |at| format!(" ({at})"));
            log(crate::log::Level::Error, &format!("panic: {message}{place}"));
        }));
    });
}

/// Reads the plugin's own type from the configuration.
pub(crate) fn configured<T: serde::de::DeserializeOwned>(config: &str) -> crate::Result<T> {
    crate::config::read(config).map_err(|error| {
        // The place would be one in this SDK, which tells nobody anything.
        crate::Error::placeless(error.kind(), error.message())
    })
}

macro_rules! error {
    ($types:path) => {
        impl From<crate::Error> for $types {
            fn from(error: crate::Error) -> Self {
                let message = error.report();
                match error.kind() {
                    crate::ErrorKind::InvalidInput => Self::InvalidInput(message),
                    crate::ErrorKind::Unsupported => Self::Unsupported(message),
                    crate::ErrorKind::Internal => Self::Internal(message),
                }
            }
        }
    };
}

macro_rules! message {
    ($types:ident) => {
        fn message_in(message: $types::Message) -> crate::Message {
            let role = match message.role {
                $types::Role::System => crate::Role::System,
                $types::Role::User => crate::Role::User,
                $types::Role::Assistant => crate::Role::Assistant,
            };
            crate::Message { role, content: message.content }
        }

        fn message_out(message: crate::Message) -> $types::Message {
            let role = match message.role {
                crate::Role::System => $types::Role::System,
                crate::Role::User => $types::Role::User,
                crate::Role::Assistant => $types::Role::Assistant,
            };
            $types::Message { role, content: message.content }
        }
    };
}

macro_rules! program {
    ($programs:ident) => {
        fn limits_in(limits: $programs::Limits) -> crate::programs::Limits {
            let $programs::Limits { fuel, memory_bytes, output_bytes } = limits;
            crate::programs::Limits { fuel, memory_bytes, output_bytes }
        }

        fn limits_out(limits: crate::programs::Limits) -> $programs::Limits {
            let crate::programs::Limits { fuel, memory_bytes, output_bytes } = limits;
            $programs::Limits { fuel, memory_bytes, output_bytes }
        }

        fn program_in(program: $programs::Program) -> crate::programs::Program {
            let $programs::Program { language, source, stdin, seed, limits } = program;
            let limits = limits.map(limits_in);
            crate::programs::Program { language, source, stdin, seed, limits }
        }

        fn program_out(program: crate::programs::Program) -> $programs::Program {
            let crate::programs::Program { language, source, stdin, seed, limits } = program;
            let limits = limits.map(limits_out);
            $programs::Program { language, source, stdin, seed, limits }
        }

        fn execution_in(execution: $programs::Execution) -> crate::programs::Execution {
            use crate::programs::{Status, Stop, StopKind};
            let status = match execution.status {
                $programs::Status::Exited => Status::Exited,
                $programs::Status::Raised(report) => Status::Raised(report),
                $programs::Status::Stopped(stop) => Status::Stopped(Stop {
                    kind: match stop.kind {
                        $programs::StopKind::Fuel => StopKind::Fuel,
                        $programs::StopKind::Memory => StopKind::Memory,
                        $programs::StopKind::Time => StopKind::Time,
                        $programs::StopKind::Output => StopKind::Output,
                        $programs::StopKind::Trap => StopKind::Trap,
                    },
                    message: stop.message,
                }),
            };
            let $programs::Execution { stdout, stderr, fuel, .. } = execution;
            crate::programs::Execution { status, stdout, stderr, fuel }
        }

        fn execution_out(execution: crate::programs::Execution) -> $programs::Execution {
            use crate::programs::{Status, StopKind};
            let status = match execution.status {
                Status::Exited => $programs::Status::Exited,
                Status::Raised(report) => $programs::Status::Raised(report),
                Status::Stopped(stop) => $programs::Status::Stopped($programs::Stop {
                    kind: match stop.kind {
                        StopKind::Fuel => $programs::StopKind::Fuel,
                        StopKind::Memory => $programs::StopKind::Memory,
                        StopKind::Time => $programs::StopKind::Time,
                        StopKind::Output => $programs::StopKind::Output,
                        StopKind::Trap => $programs::StopKind::Trap,
                    },
                    message: stop.message,
                }),
            };
            let crate::programs::Execution { stdout, stderr, fuel, .. } = execution;
            $programs::Execution { status, stdout, stderr, fuel }
        }
    };
}

macro_rules! verdict {
    ($judgements:ident) => {
        fn verdict_in(verdict: $judgements::Verdict) -> crate::judgements::Verdict {
            use crate::judgements::{Preference, Verdict};
            match verdict {
                $judgements::Verdict::Preferred(preference) => {
                    Verdict::Preferred(match preference {
                        $judgements::Preference::First => Preference::First,
                        $judgements::Preference::Tie => Preference::Tie,
                        $judgements::Preference::Second => Preference::Second,
                    })
                }
                $judgements::Verdict::Undecided(reason) => Verdict::Undecided(reason),
            }
        }

        fn verdict_out(verdict: crate::judgements::Verdict) -> $judgements::Verdict {
            use crate::judgements::{Preference, Verdict};
            match verdict {
                Verdict::Preferred(preference) => {
                    $judgements::Verdict::Preferred(match preference {
                        Preference::First => $judgements::Preference::First,
                        Preference::Tie => $judgements::Preference::Tie,
                        Preference::Second => $judgements::Preference::Second,
                    })
                }
                Verdict::Undecided(reason) => $judgements::Verdict::Undecided(reason),
            }
        }
    };
}

#[cfg(any(feature = "task", feature = "reward", feature = "judge", feature = "scheduler"))]
use error;
#[cfg(any(feature = "task", feature = "reward", feature = "judge"))]
use message;
#[cfg(any(feature = "reward", feature = "interpreter"))]
use program;
#[cfg(any(feature = "reward", feature = "judge"))]
use verdict;
