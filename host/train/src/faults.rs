//! Stops a run that cannot score: a window of each task's latest outputs against its limit.

use serde::{Deserialize, Serialize};

use omni_record::{Component, ReasonKind, Undefined, Value};

use crate::TrainError;
use crate::reward::{Outcome, RewardSpec};

/// Outputs that the window remembers at least, once there are so many.
const WINDOW: u64 = 256;
/// Outputs before which nothing is judged, unless all of them failed.
const ENOUGH: u64 = 64;

/// The latest outputs of one task, phase by phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Faults {
    /// (outputs, those without a usable score) of each phase, oldest first.
    phases: Vec<(u64, u64)>,
}

/// A task whose faults passed its limit.
struct TooMany {
    rollouts: u64,
    undefined: u64,
}

/// Outputs of one task, and those that the machinery failed to score. An undefined auxiliary
/// component counts too, where it has a weight. Outputs of problems that need what the sandbox
/// lacks are nobody's fault and are left out of both; they are shown by their kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    pub(crate) outputs: u64,
    pub(crate) faults: u64,
    latest: Option<Undefined>,
}

impl Count {
    /// What was counted before.
    pub(crate) fn of(outputs: u64, faults: u32) -> Self {
        Self { outputs, faults: u64::from(faults), latest: None }
    }

    /// Takes in one output.
    pub(crate) fn add(&mut self, reward: &RewardSpec, components: &[Component]) {
        let weighs =
            |name: &str| reward.components.iter().any(|c| c.name == name && c.weight > 0.0);
        let undefined_here = components.iter().filter_map(|c| match &c.value {
            Value::Undefined(why) if weighs(&c.name) => Some(why.clone()),
            _ => None,
        });
        let excluded = match reward.outcome(components) {
            Outcome::Excluded(why) => Some(why),
            Outcome::Reward(_) => None,
        };
        let (unsupported, faults): (Vec<_>, Vec<_>) =
            undefined_here.chain(excluded).partition(|why| why.kind == ReasonKind::Unsupported);
        if let Some(fault) = faults.into_iter().next() {
            self.outputs += 1;
            self.faults += 1;
            self.latest = Some(fault);
        } else if unsupported.is_empty() {
            self.outputs += 1;
        }
    }

    /// Takes in what was counted elsewhere.
    pub(crate) fn join(&mut self, other: Self) {
        self.outputs += other.outputs;
        self.faults += other.faults;
        self.latest = other.latest.or(self.latest.take());
    }
}

impl Faults {
    /// Takes in a phase's outputs, or stops the run.
    ///
    /// # Errors
    /// When the fraction of faults in the window is above `limit`.
    pub(crate) fn check(&mut self, task: &str, count: Count, limit: f64) -> Result<(), TrainError> {
        self.add(count.outputs, count.faults, limit).map_err(|window| {
            let (kind, message) = reason(count.latest.as_ref());
            let (undefined, rollouts) = (window.undefined, window.rollouts);
            TrainError::Faults { task: task.to_owned(), undefined, rollouts, limit, kind, message }
        })
    }

    /// Takes in a phase's outputs.
    ///
    /// # Errors
    /// The window's counts, when the fraction of faults in it is above `limit`.
    fn add(&mut self, rollouts: u64, undefined: u64, limit: f64) -> Result<(), TooMany> {
        if rollouts == 0 {
            return Ok(());
        }
        self.phases.push((rollouts, undefined));
        let mut outputs: u64 = self.phases.iter().map(|p| p.0).sum();
        while outputs - self.phases[0].0 >= WINDOW {
            outputs -= self.phases.remove(0).0;
        }
        let faults: u64 = self.phases.iter().map(|p| p.1).sum();
        let judged = outputs >= ENOUGH || faults == outputs;
        if judged && faults as f64 > limit * outputs as f64 {
            return Err(TooMany { rollouts: outputs, undefined: faults });
        }
        Ok(())
    }
}

/// The latest reason seen, for the message that stops a run.
fn reason(latest: Option<&Undefined>) -> (&'static str, String) {
    latest.map_or(("host", "no reason was given".to_owned()), |u| {
        (u.kind.as_str(), u.message.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_above_the_limit_stops_and_one_below_does_not() {
        let mut faults = Faults::default();
        for _ in 0..20 {
            assert!(faults.add(64, 6, 0.1).is_ok());
        }
        let stopped = (0..8).find_map(|_| faults.add(64, 20, 0.1).err()).expect("never stopped");
        assert!(stopped.rollouts < WINDOW + 64);
    }

    #[test]
    fn one_bad_group_of_a_small_start_is_not_enough_but_all_are() {
        assert!(Faults::default().add(16, 8, 0.1).is_ok());
        assert!(Faults::default().add(16, 16, 0.1).is_err());
        assert!(Faults::default().add(16, 16, 1.0).is_ok());
        assert!(Faults::default().add(0, 0, 0.0).is_ok());
    }
}
