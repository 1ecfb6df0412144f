//! Stops a run that cannot score: a window of each task's latest outputs against its limit.

use serde::{Deserialize, Serialize};

use omni_record::Undefined;

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
pub(crate) struct TooMany {
    pub(crate) rollouts: u64,
    pub(crate) undefined: u64,
}

impl Faults {
    /// Takes in a phase's outputs.
    ///
    /// # Errors
    /// The window's counts, when the fraction of faults in it is above `limit`.
    pub(crate) fn add(&mut self, rollouts: u64, undefined: u64, limit: f64) -> Result<(), TooMany> {
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
pub(crate) fn reason(latest: Option<&Undefined>) -> (&'static str, String) {
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
