//! What scoring came to, on one line.

use std::collections::BTreeMap;

use omni_judge::FailureKind;
use omni_record::{Fuel, GroupScore, Value};

use crate::console;
use crate::fault::{Fault, Outcome};
use crate::reasons;

/// What the summary tells.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) rows: u64,
    rollouts: u64,
    fuel: Fuel,
    undefined: BTreeMap<&'static str, u64>,
    judge_failures: BTreeMap<&'static str, u64>,
    pub(super) broken: u64,
    by_time: u64,
}

impl Totals {
    /// Takes in a group.
    pub(super) fn add(&mut self, rollouts: usize, scored: &GroupScore) {
        self.rows += 1;
        self.rollouts += rollouts as u64;
        self.fuel += scored.fuel;
        self.by_time += u64::from(!scored.reproducible);
        for component in scored.rollouts.iter().flatten() {
            if let Value::Undefined(why) = &component.value {
                *self.undefined.entry(why.kind.as_str()).or_default() += 1;
                if let Some(failure) = why.judge_failure() {
                    *self.judge_failures.entry(failure).or_default() += 1;
                }
            }
        }
    }

    /// Tells.
    pub(super) fn say(&self, seconds: f64) {
        let undefined = match reasons::words(&self.undefined, &self.judge_failures) {
            words if words.is_empty() => "none".to_owned(),
            words => words,
        };
        console::say(format!(
            "{} rows, {} rollouts, {seconds:.2} s, {:.1} rollouts/s, undefined: {undefined}",
            self.rows,
            self.rollouts,
            self.rollouts as f64 / seconds.max(1e-9),
        ));
        if self.by_time > 0 {
            console::say(format!(
                "{} rows were decided by the clock and may score differently next time",
                self.by_time
            ));
        }
    }

    /// A replay that asks what nobody asked before is no replay.
    pub(super) fn repeated(&self) -> Outcome<()> {
        match self.judge_failures.get(FailureKind::NotRecorded.as_str()) {
            None => Ok(()),
            Some(count) => Err(Fault::run(format!(
                "{count} outputs ask the judge what was not recorded, and are undefined; were they \
                 scored with another --seed or --config then?"
            ))),
        }
    }
}
