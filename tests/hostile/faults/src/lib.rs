//! Ways to misbehave that every kind of guest has in common.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

/// A global that outlives a call only if the host lets it.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// Counts this call; 1 in an instance that nobody used before.
pub fn count_calls() -> u32 {
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

/// Does the named fault and does not come back, or comes back if the name is none.
pub fn act(name: &str) {
    match name {
        "loop" => endless(),
        "allocate" => allocate(),
        "recurse" => {
            black_box(recurse(black_box(0)));
        }
        "deep" => {
            black_box(deep(black_box(1)));
        }
        "trap" => trap(),
        "panic" => panic!("on purpose"),
        _ => {}
    }
}

fn endless() {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

/// Touches what it gets, and aborts when there is no more, as Rust does.
fn allocate() {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Without end, each level a little of the guest's own stack in linear memory.
#[expect(unconditional_recursion, reason = "the fault itself")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1)) + 1)
}

/// Without end, all of it in locals: nothing but the host's stack can run out.
fn deep(n: u64) -> u64 {
    if n == 0 {
        return 0;
    }
    deep(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1)).wrapping_mul(3) ^ n
}

fn trap() {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
}

/// Tries to get more memory than any limit allows, and lives with the refusal.
#[must_use]
pub fn refused_growth() -> bool {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_grow(0, 60_000) == usize::MAX;
    #[cfg(not(target_arch = "wasm32"))]
    true
}

/// Burns about this many loop turns, then gives a value that depends on all of them.
#[must_use]
pub fn spin(turns: u64) -> u64 {
    let mut state = 1_u64;
    for i in 0..turns {
        state = black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i));
    }
    state
}
