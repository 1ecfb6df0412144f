//! What a call may use, and what a request loop may ask for.
//!
//! Every limit is refilled for each call. Fuel decides outcomes; time is a backstop that lasts
//! at least twenty times as long as the fuel should, so that in practice it never decides.

use std::time::Duration;

/// What one call into a plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel: about one unit an instruction, one a byte for bulk memory operations,
    /// and 1,000 plus its bytes for a log message.
    pub fuel: u64,
    /// Linear memory, all memories of the call together.
    pub memory_bytes: u64,
    /// Table elements, all tables together.
    pub table_elements: u64,
    /// What the host hands in: texts, replies, answers.
    pub argument_bytes: u64,
    /// What the guest hands back.
    pub result_bytes: u64,
    /// Log text that is kept; the rest of a call's messages is dropped with one note.
    pub log_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 2_000_000_000,
            memory_bytes: 256 << 20,
            table_elements: 1 << 20,
            argument_bytes: 64 << 20,
            result_bytes: 16 << 20,
            log_bytes: 64 << 10,
        }
    }
}

/// What a candidate program may use: the default for one that names no limits, and the cap for
/// one that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProgramLimits {
    /// Fuel for one program.
    pub fuel: u64,
    /// Linear memory, the interpreter's own included.
    pub memory_bytes: u64,
    /// Standard output and standard error together.
    pub output_bytes: u32,
}

impl Default for ProgramLimits {
    fn default() -> Self {
        Self { fuel: 10_000_000_000, memory_bytes: 512 << 20, output_bytes: 1 << 20 }
    }
}

impl ProgramLimits {
    /// The smaller of each.
    #[must_use]
    pub fn capped_by(self, cap: Self) -> Self {
        Self {
            fuel: self.fuel.min(cap.fuel),
            memory_bytes: self.memory_bytes.min(cap.memory_bytes),
            output_bytes: self.output_bytes.min(cap.output_bytes),
        }
    }
}

/// What the request loop of one group grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopLimits {
    /// Rounds of asking, for a reward and for a judge.
    pub rounds: u32,
    /// Requests (or questions) over all rounds.
    pub requests: u32,
    /// Bytes of requests (or questions) over all rounds.
    pub request_bytes: u64,
    /// For each candidate program.
    pub program: ProgramLimits,
}

impl Default for LoopLimits {
    fn default() -> Self {
        Self {
            rounds: 64,
            requests: 16_384,
            request_bytes: 64 << 20,
            program: ProgramLimits::default(),
        }
    }
}

/// When the clock stops a call that its fuel should have stopped long before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backstop {
    /// A low estimate of the fuel that a guest consumes in a second.
    pub fuel_per_second: u64,
    /// How many times the time that the fuel lasts; at least 20 outside tests.
    pub factor: f64,
    /// Never less than this.
    pub minimum: Duration,
}

impl Default for Backstop {
    fn default() -> Self {
        Self { fuel_per_second: 500_000_000, factor: 20.0, minimum: Duration::from_secs(5) }
    }
}

impl Backstop {
    /// How long a call with this much fuel may take.
    #[must_use]
    pub fn allowance(&self, fuel: u64) -> Duration {
        let seconds = fuel as f64 / self.fuel_per_second.max(1) as f64 * self.factor;
        // A year is as good as never, and keeps the conversion from overflowing.
        Duration::from_secs_f64(seconds.clamp(0.0, 3.2e7)).max(self.minimum)
    }
}
