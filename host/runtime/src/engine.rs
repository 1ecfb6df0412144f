//! The engine: its settings, its pool of instances, the threads that guests run on.
//!
//! Guests run on the runtime's own threads, whose stacks hold the deepest guest and the host
//! frames below it. As a call keeps its store on its thread from start to end and never waits
//! while it has one, at most `workers` stores exist, the pool always has a slot for each, and
//! callers beyond that wait in the threads' queue instead of failing.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures,
};

use crate::cache::CodeCache;
use crate::compile::Compiler;
use crate::error::{LoadError, RuntimeError};
use crate::inspect::{self, Inspection};
use crate::limits::{Backstop, Limits};
use crate::plugin::{Plugin, PluginLabel};
use crate::store::{self, CallState};
use crate::workers::Workers;

/// Core instances that one call may hold; a Python component takes 38.
pub(crate) const INSTANCES_PER_CALL: u32 = 128;
/// Linear memories that one call may hold.
pub(crate) const MEMORIES_PER_CALL: u32 = 4;
/// Tables that one call may hold.
pub(crate) const TABLES_PER_CALL: u32 = 16;
/// Elements of one table; address space, not memory.
const TABLE_ELEMENTS: usize = 1 << 20;
/// Memory of a slot that is cleared by writing zeros rather than by a system call.
const KEEP_RESIDENT: usize = 256 << 10;
/// How often the engine's epoch advances.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// Stack of a guest thread beside what the guest itself may use.
const HOST_STACK: usize = 2 << 20;

/// How a runtime is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuntimeConfig {
    /// Threads that run guests.
    pub workers: usize,
    /// Where compiled code is kept; none compiles again each time.
    pub cache_dir: Option<PathBuf>,
    /// Where compiling happens.
    pub compiler: Compiler,
    /// Native stack that a guest may use before it is out of stack.
    pub max_wasm_stack: usize,
    /// When the clock stops a call.
    pub backstop: Backstop,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            cache_dir: None,
            compiler: Compiler::InProcess,
            // Deep enough that interpreters notice endless recursion by themselves.
            max_wasm_stack: 32 << 20,
            backstop: Backstop::default(),
        }
    }
}

/// A running engine; clones share it.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

/// What a runtime and all its plugins share.
pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<CallState>,
    pub(crate) workers: Workers,
    /// Held shared by every call; exclusively by one that the clock stopped and that is tried
    /// again with the machine to itself.
    pub(crate) alone: RwLock<()>,
    pub(crate) backstop: Backstop,
    cache: Option<CodeCache>,
    compiler: Compiler,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("workers", &self.workers())
            .field("compiler", &self.inner.compiler)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Starts the engine and its threads.
    ///
    /// # Errors
    /// When the engine refuses its settings, threads cannot be started, or the cache folder
    /// cannot be made.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let workers = config.workers.max(1);
        let engine = running_engine(workers, config.max_wasm_stack)
            .map_err(|e| RuntimeError::Engine(format!("{e:#}")))?;
        let linker = store::linker(&engine).map_err(|e| RuntimeError::Engine(format!("{e:#}")))?;
        let workers = Workers::start(workers, config.max_wasm_stack + HOST_STACK)
            .map_err(|e| RuntimeError::Threads(e.to_string()))?;
        let cache = match &config.cache_dir {
            None => None,
            Some(folder) => Some(CodeCache::open(folder).map_err(|e| RuntimeError::Cache {
                folder: folder.display().to_string(),
                reason: e.to_string(),
            })?),
        };
        start_ticker(&engine).map_err(|e| RuntimeError::Threads(e.to_string()))?;
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                linker,
                workers,
                alone: RwLock::new(()),
                backstop: config.backstop,
                cache,
                compiler: config.compiler,
            }),
        })
    }

    /// Threads that run guests.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.inner.workers.count()
    }

    /// Reads what a component imports and exports, without compiling or running it.
    ///
    /// # Errors
    /// When the bytes are not a well-formed component.
    pub fn inspect(&self, wasm: &[u8]) -> Result<Inspection, LoadError> {
        Inspection::read(wasm)
    }

    /// Makes a component callable: from the cache if it was compiled before, else by compiling.
    ///
    /// # Errors
    /// When it is no component, of another contract version, imports what plugins may not have,
    /// lacks exports, needs more than a call gets, or does not compile.
    pub fn load(
        &self,
        wasm: &[u8],
        label: PluginLabel,
        limits: Limits,
    ) -> Result<Plugin, LoadError> {
        let inner = &self.inner;
        let key = CodeCache::key(&inner.engine, wasm);
        let cached = inner.cache.as_ref().and_then(|c| c.get(&inner.engine, &key));
        let component = match cached {
            Some(component) => component,
            None => {
                // Refused before a compiler sees it.
                Inspection::read(wasm)?.kind()?;
                let code = inner.compiler.compile(&inner.engine, wasm)?;
                match &inner.cache {
                    Some(cache) => cache.put(&inner.engine, &key, code)?,
                    None => code.load(&inner.engine)?,
                }
            }
        };
        let kind = inspect::of_component(&inner.engine, &component, wasm.len()).kind()?;
        Plugin::new(Arc::clone(inner), &component, kind, label, limits)
    }
}

/// The settings that compiled code depends on; the same in the child that compiles.
fn code_settings() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .concurrency_support(false)
        .generate_address_map(false)
        .native_unwind_info(false)
        .memory_init_cow(true)
        .wasm_features(
            WasmFeatures::RELAXED_SIMD
                | WasmFeatures::MEMORY64
                | WasmFeatures::TAIL_CALL
                | WasmFeatures::CUSTOM_PAGE_SIZES
                | WasmFeatures::WIDE_ARITHMETIC
                | WasmFeatures::MULTI_MEMORY,
            false,
        );
    config
}

/// An engine that only compiles: no pool, hence hardly any address space.
pub(crate) fn compiling_engine() -> wasmtime::Result<Engine> {
    Engine::new(&code_settings())
}

fn running_engine(workers: usize, max_wasm_stack: usize) -> wasmtime::Result<Engine> {
    let calls = u32::try_from(workers).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .max_core_instances_per_component(INSTANCES_PER_CALL)
        .total_core_instances(calls.saturating_mul(INSTANCES_PER_CALL))
        .max_memories_per_component(MEMORIES_PER_CALL)
        .total_memories(calls.saturating_mul(MEMORIES_PER_CALL))
        .max_memories_per_module(MEMORIES_PER_CALL)
        .max_tables_per_component(TABLES_PER_CALL)
        .total_tables(calls.saturating_mul(TABLES_PER_CALL))
        .max_tables_per_module(TABLES_PER_CALL)
        .table_elements(TABLE_ELEMENTS)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut config = code_settings();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .max_wasm_stack(max_wasm_stack)
        .async_stack_size(max_wasm_stack + HOST_STACK);
    Engine::new(&config)
}

/// One thread that advances the epoch for as long as the engine lives.
fn start_ticker(engine: &Engine) -> std::io::Result<()> {
    let weak = engine.weak();
    std::thread::Builder::new()
        .name("omni-epoch".into())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .map(drop)
}
