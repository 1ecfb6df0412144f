//! A call's store: the limiter that remembers what it refused, and the log.
//!
//! Running out of memory reaches the host as an ordinary trap; only the limiter knows better.

use std::sync::Arc;

use wasmtime::component::{Linker, WasmStr};
use wasmtime::{Engine, ResourceLimiter, StoreContextMut, Trap};

use crate::bindings::omni::plugin::log::Level;
use crate::inspect::LOG_INTERFACE;
use crate::limits::Limits;
use crate::plugin::PluginLabel;

/// Fuel for any call of the host, before its bytes.
const HOST_CALL_FUEL: u64 = 1_000;
/// What a guest whose panics abort writes to the log before it does.
const PANIC: &str = "panic: ";
/// How much of a panic's message is kept.
const PANIC_BYTES: usize = 4 << 10;

/// What the host keeps beside a guest's own state.
pub(crate) struct CallState {
    pub(crate) limiter: Limiter,
    log: Log,
}

impl CallState {
    pub(crate) fn new(
        limits: &Limits,
        label: &Arc<PluginLabel>,
        call: &'static str,
        item: &str,
    ) -> Self {
        Self {
            limiter: Limiter {
                memory_limit: limits.memory_bytes,
                memory_used: 0,
                table_limit: limits.table_elements,
                table_used: 0,
                last_growth: 0,
                refused: None,
            },
            log: Log {
                label: Arc::clone(label),
                call,
                item: item.to_owned(),
                bytes_left: limits.log_bytes,
                full: false,
                panic: None,
            },
        }
    }

    /// The message of a panic, if that is the last error that the guest logged.
    pub(crate) fn take_panic(&mut self) -> Option<String> {
        self.log.panic.take()
    }
}

/// Grants memory and tables up to a limit and remembers the first refusal.
pub(crate) struct Limiter {
    memory_limit: u64,
    memory_used: u64,
    table_limit: u64,
    table_used: u64,
    last_growth: u64,
    pub(crate) refused: Option<String>,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = (desired as u64).saturating_sub(current as u64);
        let total = self.memory_used.saturating_add(growth);
        if total > self.memory_limit || maximum.is_some_and(|m| desired > m) {
            let limit = self.memory_limit;
            self.refused.get_or_insert_with(|| {
                format!("{total} bytes of memory asked for, {limit} allowed")
            });
            return Ok(false);
        }
        self.memory_used = total;
        self.last_growth = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_used = self.memory_used.saturating_sub(self.last_growth);
        self.refused.get_or_insert_with(|| format!("memory could not grow: {error}"));
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let growth = (desired as u64).saturating_sub(current as u64);
        let total = self.table_used.saturating_add(growth);
        if total > self.table_limit || maximum.is_some_and(|m| desired > m) {
            let limit = self.table_limit;
            self.refused.get_or_insert_with(|| {
                format!("{total} table elements asked for, {limit} allowed")
            });
            return Ok(false);
        }
        self.table_used = total;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused.get_or_insert_with(|| format!("a table could not grow: {error}"));
        Ok(())
    }
}

/// Where a guest's log messages go: to `tracing`, with the call they belong to.
struct Log {
    label: Arc<PluginLabel>,
    call: &'static str,
    item: String,
    bytes_left: u64,
    full: bool,
    panic: Option<String>,
}

impl Log {
    fn write(&mut self, level: Level, message: &str) {
        if matches!(level, Level::Error) {
            // Kept even where the rest of a flood is dropped.
            self.panic = message.strip_prefix(PANIC).map(|text| {
                let end = text.floor_char_boundary(PANIC_BYTES);
                text[..end].to_owned()
            });
        }
        if message.len() as u64 > self.bytes_left {
            if !self.full {
                self.full = true;
                self.emit(Level::Warn, "this call logs too much; the rest of it is dropped");
            }
            return;
        }
        self.bytes_left -= message.len() as u64;
        self.emit(level, message);
    }

    fn emit(&self, level: Level, message: &str) {
        macro_rules! emit {
            ($level:ident) => {
                tracing::$level!(
                    target: "omni::guest",
                    pack = %self.label.pack,
                    plugin = %self.label.name,
                    version = %self.label.version,
                    item = %self.item,
                    call = self.call,
                    "{message}"
                )
            };
        }
        match level {
            Level::Trace => emit!(trace),
            Level::Debug => emit!(debug),
            Level::Info => emit!(info),
            Level::Warn => emit!(warn),
            Level::Error => emit!(error),
        }
    }
}

/// The linker for every plugin: the log, and nothing else.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    linker.instance(LOG_INTERFACE)?.func_wrap("write", write_log)?;
    Ok(linker)
}

/// Charges before it reads, so that a flood ends for want of fuel.
fn write_log(
    mut store: StoreContextMut<'_, CallState>,
    (level, message): (Level, WasmStr),
) -> wasmtime::Result<()> {
    let text = message.to_str(&store)?.into_owned();
    let cost = HOST_CALL_FUEL + text.len() as u64;
    let fuel = store.get_fuel()?;
    match fuel.checked_sub(cost) {
        Some(rest) => store.set_fuel(rest)?,
        None => {
            store.set_fuel(0)?;
            return Err(Trap::OutOfFuel.into());
        }
    }
    store.data_mut().log.write(level, &text);
    Ok(())
}
