//! How long steps take, judged by those that are finished.

use std::collections::BTreeMap;

use crate::finished::Finished;
use crate::graph::Graph;
use crate::step::{Step, StepKind};

/// Seconds for a unit of each kind of step: an optimizer step of training, an output of an
/// evaluation, a whole step of anything else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    seconds: BTreeMap<StepKind, f64>,
}

impl Rates {
    /// From finished steps.
    #[must_use]
    pub fn of(graph: &Graph, done: &BTreeMap<String, Finished>) -> Self {
        let mut sums: BTreeMap<StepKind, (f64, f64)> = BTreeMap::new();
        for step in &graph.steps {
            if let (Some(record), Some(units)) = (done.get(&step.id), units(step)) {
                let sum = sums.entry(step.kind).or_default();
                sum.0 += record.seconds;
                sum.1 += units;
            }
        }
        let known = sums.into_iter().filter(|(_, (_, units))| *units > 0.0);
        Self { seconds: known.map(|(kind, (seconds, units))| (kind, seconds / units)).collect() }
    }

    /// Seconds that a step will take; none where none of its kind is finished.
    #[must_use]
    pub fn seconds(&self, step: &Step) -> Option<f64> {
        Some(self.seconds.get(&step.kind)? * units(step)?)
    }

    /// Seconds until all is finished, `jobs` steps at a time; no step is finished sooner than what
    /// it waits for. None before a training run and an evaluation are finished; of kinds of which
    /// none is (there are few), nothing is counted.
    #[must_use]
    pub fn left(
        &self,
        graph: &Graph,
        done: &BTreeMap<String, Finished>,
        jobs: usize,
    ) -> Option<f64> {
        if !(self.seconds.contains_key(&StepKind::Train)
            && self.seconds.contains_key(&StepKind::Eval))
        {
            return None;
        }
        let mut all = 0.0;
        let mut longest: f64 = 0.0;
        let mut ends: BTreeMap<&str, f64> = BTreeMap::new();
        for step in graph.steps.iter().filter(|step| !done.contains_key(&step.id)) {
            let own = self.seconds(step).unwrap_or(0.0);
            let begins = step.after.iter().filter_map(|id| ends.get(id.as_str()));
            let end = begins.fold(0.0_f64, |latest, end| latest.max(*end)) + own;
            ends.insert(&step.id, end);
            all += own;
            longest = longest.max(end);
        }
        Some(longest.max(all / jobs.max(1) as f64))
    }
}

fn units(step: &Step) -> Option<f64> {
    match step.kind {
        StepKind::Train => step.cost.steps.map(|steps| steps as f64),
        StepKind::Eval => Some(step.cost.evaluated as f64),
        StepKind::Merge | StepKind::Sft => Some(1.0),
    }
}
