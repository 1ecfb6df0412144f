//! Runs programs in one language, each in an instance of its own.
//!
//! A program that runs out of what it was allowed, or takes its interpreter down with it, is the
//! program's own doing: the call then has a `stopped` status, not an error. Errors are left for
//! what the program cannot be blamed for.

use std::sync::Arc;

use omni_record::ReasonKind;

use super::plugin_handle;
use crate::bindings::exports::omni::plugin::interpreter::GuestIndices;
use crate::bindings::omni::plugin::programs as wit;
use crate::error::CallError;
use crate::guest::{Call, Guest, Outcome, PendingCall};
use crate::limits::{Limits, ProgramLimits};
use crate::values::{Execution, Program, Status, StopKind};

/// Room for what is not output: status, message, the parts' own headers.
const RESULT_OVERHEAD: u64 = 64 << 10;

/// A loaded interpreter plugin.
#[derive(Clone)]
pub struct InterpreterPlugin {
    shared: Arc<Shared>,
}

struct Shared {
    guest: Arc<Guest>,
    indices: GuestIndices,
}

impl Shared {
    fn new(guest: Arc<Guest>, indices: GuestIndices) -> Self {
        Self { guest, indices }
    }
}

plugin_handle!(InterpreterPlugin, "interpreter", GuestIndices);

impl InterpreterPlugin {
    /// The languages that it runs.
    ///
    /// # Errors
    /// When the plugin faults.
    pub fn languages(&self) -> Result<Vec<String>, CallError> {
        let Shared { guest, indices } = &*self.shared;
        let call = Call::new("languages", "", 0);
        let indices = indices.clone();
        let outcome = guest.call(guest.limits, call, move |store, instance| {
            indices.load(&mut *store, instance)?.call_languages(store)
        });
        guest.finish("languages", outcome)
    }

    /// Runs a program within its limits, capped by the plugin's own.
    ///
    /// # Errors
    /// When the interpreter could not be started, or broke its contract.
    pub fn run(&self, program: &Program) -> Result<Execution, CallError> {
        self.submit(program, "").wait().0
    }

    /// Queues a program that belongs to an item.
    pub(crate) fn submit(&self, program: &Program, item: &str) -> PendingRun {
        let Shared { guest, indices } = &*self.shared;
        let own = ProgramLimits {
            fuel: guest.limits.fuel,
            memory_bytes: guest.limits.memory_bytes,
            output_bytes: u32::try_from(guest.limits.result_bytes).unwrap_or(u32::MAX),
        };
        let allowed = program.limits.map_or(own, |l| l.capped_by(own));
        let limits = Limits {
            fuel: allowed.fuel,
            memory_bytes: allowed.memory_bytes,
            result_bytes: u64::from(allowed.output_bytes) * 2 + RESULT_OVERHEAD,
            ..guest.limits
        };
        let mut handed = wit::Program::from(program);
        handed.limits = Some(allowed.into());
        let bytes = program.source.len() + program.stdin.len() + program.language.len();
        let call = Call::new("run", item, bytes as u64);
        let indices = indices.clone();
        let pending = guest.submit(limits, call, move |store, instance| {
            indices.load(&mut *store, instance)?.call_run(store, &handed)
        });
        PendingRun { interpreter: self.clone(), pending, allowed }
    }

    fn execution(
        &self,
        outcome: Outcome<wit::Execution>,
        allowed: ProgramLimits,
    ) -> Result<Execution, CallError> {
        let reason = match outcome.result {
            Ok(execution) => {
                let mut execution = Execution::from(execution);
                execution.fuel = outcome.fuel;
                limit_output(&mut execution, allowed.output_bytes);
                return Ok(execution);
            }
            Err(reason) => reason,
        };
        let kind = match reason.kind {
            ReasonKind::Fuel => StopKind::Fuel,
            ReasonKind::Memory => StopKind::Memory,
            ReasonKind::Time => StopKind::Time,
            ReasonKind::Trap => StopKind::Trap,
            ReasonKind::Contract if reason.message.contains("larger than") => StopKind::Output,
            _ => {
                return Err(CallError {
                    label: self.label().clone(),
                    call: "run",
                    reason,
                    fuel: outcome.fuel,
                    reproducible: outcome.reproducible,
                });
            }
        };
        Ok(Execution {
            status: Status::Stopped { kind, message: reason.message },
            stdout: String::new(),
            stderr: String::new(),
            fuel: outcome.fuel,
        })
    }
}

/// A program that waits or runs.
pub(crate) struct PendingRun {
    interpreter: InterpreterPlugin,
    pending: PendingCall<wit::Execution>,
    allowed: ProgramLimits,
}

impl PendingRun {
    /// Waits for its end; says also whether fuel alone decided.
    pub(crate) fn wait(self) -> (Result<Execution, CallError>, bool) {
        let outcome = self.pending.wait();
        let reproducible = outcome.reproducible;
        (self.interpreter.execution(outcome, self.allowed), reproducible)
    }
}

/// Cuts what a program printed to what it was allowed; standard output comes first.
fn limit_output(execution: &mut Execution, allowed: u32) {
    let allowed = allowed as usize;
    if execution.stdout.len().saturating_add(execution.stderr.len()) <= allowed {
        return;
    }
    truncate(&mut execution.stdout, allowed);
    truncate(&mut execution.stderr, allowed - execution.stdout.len());
    execution.status = Status::Stopped {
        kind: StopKind::Output,
        message: format!("more than {allowed} bytes of output"),
    };
}

fn truncate(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}
