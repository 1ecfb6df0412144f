//! One call into a loaded component: a fresh store, limits, and what came of it.

use std::sync::{Arc, PoisonError};

use omni_record::{ReasonKind, Undefined};
use wasmtime::component::{Component, Instance, InstancePre};
use wasmtime::{Store, Trap, UpdateDeadline};

use crate::bindings::omni::plugin::types::Error as GuestError;
use crate::engine::{INSTANCES_PER_CALL, Inner, MEMORIES_PER_CALL, TABLES_PER_CALL, TICK};
use crate::error::{CallError, LoadError, undefined};
use crate::limits::Limits;
use crate::plugin::PluginLabel;
use crate::store::CallState;
use crate::workers::Pending;

/// A component ready to be called, with its name and its limits.
pub(crate) struct Guest {
    pub(crate) runtime: Arc<Inner>,
    pub(crate) label: Arc<PluginLabel>,
    pub(crate) limits: Limits,
    pub(crate) pre: InstancePre<CallState>,
}

/// Which call this is, for messages and logs.
pub(crate) struct Call {
    function: &'static str,
    item: String,
    argument_bytes: u64,
}

impl Call {
    /// A call with so many bytes of arguments.
    pub(crate) fn new(function: &'static str, item: &str, argument_bytes: u64) -> Self {
        Self { function, item: item.to_owned(), argument_bytes }
    }
}

/// A call that was handed to the guest threads.
pub(crate) struct PendingCall<R>(Result<Pending<Outcome<R>>, Undefined>);

impl<R> PendingCall<R> {
    /// Waits for the call to end.
    pub(crate) fn wait(self) -> Outcome<R> {
        let result = match self.0 {
            Ok(pending) => match pending.wait() {
                Some(outcome) => return outcome,
                None => undefined(ReasonKind::Host, "the host panicked during the call"),
            },
            Err(refused) => refused,
        };
        Outcome { result: Err(result), fuel: 0, reproducible: true }
    }
}

/// What came of a call.
pub(crate) struct Outcome<R> {
    pub(crate) result: Result<R, Undefined>,
    pub(crate) fuel: u64,
    pub(crate) reproducible: bool,
}

impl Guest {
    pub(crate) fn new(
        runtime: Arc<Inner>,
        component: &Component,
        label: PluginLabel,
        limits: Limits,
    ) -> Result<Self, LoadError> {
        if let Some(needs) = component.resources_required() {
            for (what, needed, limit) in [
                ("memories", needs.num_memories, MEMORIES_PER_CALL),
                ("tables", needs.num_tables, TABLES_PER_CALL),
            ] {
                if needed > limit {
                    return Err(LoadError::TooBig {
                        what: format!("{needed} {what}"),
                        limit: format!("{limit} (and {INSTANCES_PER_CALL} core instances)"),
                    });
                }
            }
        }
        let pre = runtime.linker.instantiate_pre(component).map_err(|e| LoadError::Mismatch {
            interface: crate::inspect::LOG_INTERFACE.into(),
            reason: format!("{e:#}"),
        })?;
        Ok(Self { runtime, label: Arc::new(label), limits, pre })
    }

    /// Starts one instance and looks at its exports' types, which are checked nowhere earlier.
    pub(crate) fn try_out(
        self: &Arc<Self>,
        check: impl Fn(&mut Store<CallState>, &Instance) -> Result<(), LoadError> + Send + 'static,
    ) -> Result<(), LoadError> {
        let call = Call::new("load", "", 0);
        let outcome =
            self.call(self.limits, call, move |store, instance| Ok(check(store, instance)));
        outcome.result.unwrap_or_else(|reason| {
            Err(LoadError::Start { kind: reason.kind.as_str(), reason: reason.message })
        })
    }

    /// Calls `function` in a fresh store and waits for what comes of it.
    pub(crate) fn call<R: Send + 'static>(
        self: &Arc<Self>,
        limits: Limits,
        call: Call,
        function: impl Fn(&mut Store<CallState>, &Instance) -> wasmtime::Result<R> + Send + 'static,
    ) -> Outcome<R> {
        self.submit(limits, call, function).wait()
    }

    /// Queues a call of `function`, in a fresh store on a guest thread.
    ///
    /// A call that the clock stopped is tried once more with no other call running.
    pub(crate) fn submit<R: Send + 'static>(
        self: &Arc<Self>,
        limits: Limits,
        call: Call,
        function: impl Fn(&mut Store<CallState>, &Instance) -> wasmtime::Result<R> + Send + 'static,
    ) -> PendingCall<R> {
        if call.argument_bytes > limits.argument_bytes {
            let message = format!(
                "{} bytes of arguments, {} allowed",
                call.argument_bytes, limits.argument_bytes
            );
            return PendingCall(Err(undefined(ReasonKind::Host, message)));
        }
        let guest = Arc::clone(self);
        PendingCall(Ok(self.runtime.workers.submit(move || {
            let alone = &guest.runtime.alone;
            let first = {
                let _shared = alone.read().unwrap_or_else(PoisonError::into_inner);
                guest.attempt(&limits, &call, &function)
            };
            if first.reproducible {
                return first;
            }
            let _alone = alone.write().unwrap_or_else(PoisonError::into_inner);
            guest.attempt(&limits, &call, &function)
        })))
    }

    fn attempt<R>(
        &self,
        limits: &Limits,
        call: &Call,
        function: &impl Fn(&mut Store<CallState>, &Instance) -> wasmtime::Result<R>,
    ) -> Outcome<R> {
        let state = CallState::new(limits, &self.label, call.function, &call.item);
        let mut store = Store::new(&self.runtime.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(usize::try_from(limits.result_bytes).unwrap_or(usize::MAX));
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Interrupt));
        let ticks = self.runtime.backstop.allowance(limits.fuel).as_millis() / TICK.as_millis();
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX >> 1) + 1);
        let result = match store.set_fuel(limits.fuel) {
            Err(error) => Err((error, true)),
            Ok(()) => match self.pre.instantiate(&mut store) {
                Err(error) => Err((error, true)),
                Ok(instance) => function(&mut store, &instance).map_err(|e| (e, false)),
            },
        };
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let refused = store.data_mut().limiter.refused.take();
        let panic = store.data_mut().take_panic();
        let result = result.map_err(|(e, starting)| reason(&e, refused, panic, starting, limits));
        let timed_out = matches!(&result, Err(u) if u.kind == ReasonKind::Time);
        Outcome { result, fuel, reproducible: !timed_out }
    }

    /// An outcome as an error that names the plugin, or its value.
    pub(crate) fn finish<R>(
        &self,
        function: &'static str,
        outcome: Outcome<R>,
    ) -> Result<R, CallError> {
        outcome.result.map_err(|reason| CallError {
            label: (*self.label).clone(),
            call: function,
            reason,
            fuel: outcome.fuel,
            reproducible: outcome.reproducible,
        })
    }
}

impl<R> Outcome<Result<R, GuestError>> {
    /// An error that the plugin returned is a failure like any other.
    pub(crate) fn flatten(self) -> Outcome<R> {
        let result = self.result.and_then(|inner| inner.map_err(|e| plugin_error(&e)));
        Outcome { result, fuel: self.fuel, reproducible: self.reproducible }
    }
}

fn plugin_error(error: &GuestError) -> Undefined {
    match error {
        GuestError::InvalidInput(m) => undefined(ReasonKind::Plugin, format!("invalid input: {m}")),
        GuestError::Unsupported(m) => undefined(ReasonKind::Unsupported, m.clone()),
        GuestError::Internal(m) => undefined(ReasonKind::Plugin, format!("internal: {m}")),
    }
}

/// What an error of wasmtime's means here.
fn reason(
    error: &wasmtime::Error,
    refused: Option<String>,
    panic: Option<String>,
    starting: bool,
    limits: &Limits,
) -> Undefined {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            undefined(ReasonKind::Fuel, format!("all {} fuel consumed", limits.fuel))
        }
        Some(Trap::Interrupt) => undefined(
            ReasonKind::Time,
            "stopped by the clock long after its fuel should have run out",
        ),
        Some(Trap::StackOverflow) => undefined(ReasonKind::Trap, "the call stack is exhausted"),
        trap => {
            // A guest that was refused memory usually aborts; only the limiter knows why.
            if let Some(refused) = refused {
                return undefined(ReasonKind::Memory, refused);
            }
            match trap {
                // A panic aborts; it is the plugin's own error, and has said what and where.
                Some(Trap::UnreachableCodeReached) if panic.is_some() => {
                    let message = panic.unwrap_or_default();
                    undefined(ReasonKind::Plugin, format!("internal: {message}"))
                }
                Some(trap) => undefined(ReasonKind::Trap, trap_message(*trap, error)),
                None if starting => {
                    undefined(ReasonKind::Host, format!("could not be started: {error:#}"))
                }
                // Everything else is a value that the host could not accept.
                None => undefined(ReasonKind::Contract, contract_message(error, limits)),
            }
        }
    }
}

/// The trap, and the innermost function that has a name.
fn trap_message(trap: Trap, error: &wasmtime::Error) -> String {
    let place = error
        .downcast_ref::<wasmtime::WasmBacktrace>()
        .and_then(|b| b.frames().iter().find_map(|f| f.func_name()));
    match place {
        Some(name) => format!("{trap} in {name}"),
        None => trap.to_string(),
    }
}

fn contract_message(error: &wasmtime::Error, limits: &Limits) -> String {
    let text = format!("{:#}", error);
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        format!("the result is larger than the {} bytes allowed", limits.result_bytes)
    } else {
        format!("the result breaks the contract: {text}")
    }
}
