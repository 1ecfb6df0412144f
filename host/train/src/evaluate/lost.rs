//! What an evaluation lost to faults, so that what is left is not taken for the whole.
//!
//! A preference scores an output without an answer 0 and asks no judge about it. Such zeros say
//! nothing of whether the judge works: next to them, a judge that always fails would look like a
//! policy that always loses. They are left out of what the losses are a fraction of.

use std::collections::BTreeMap;

use omni_record::{EvalEvent, Lost, ReasonKind, Value};

use super::conversation::answer_text;
use crate::RunConfig;

/// Counts of one task.
pub(super) struct Losses {
    preference: bool,
    kinds: BTreeMap<String, u64>,
    scored: u64,
    /// Outputs scored 0 that have text, but none in answer tags.
    untagged: u64,
    /// Whether the judge was asked about such outputs, so that they are no exception.
    reads_untagged: bool,
}

/// Where the answer of an output stands.
#[derive(PartialEq, Eq)]
enum Written {
    InTags,
    Untagged,
    Nowhere,
}

impl Written {
    fn of(output: &str) -> Self {
        let tagged = omni_sdk::text::answer(output);
        match tagged.is_some_and(|answer| !answer.trim().is_empty()) {
            true => Self::InTags,
            false if answer_text(output).trim().is_empty() => Self::Nowhere,
            false => Self::Untagged,
        }
    }
}

impl Losses {
    pub(super) fn new(preference: bool) -> Self {
        let (kinds, scored, untagged, reads_untagged) = (BTreeMap::new(), 0, 0, false);
        Self { preference, kinds, scored, untagged, reads_untagged }
    }

    /// Takes in the metric's value for an output; none where the reward gave no such component.
    pub(super) fn add(&mut self, metric: Option<&Value>, output: &str) {
        let untagged = || Written::of(output) == Written::Untagged;
        match metric {
            Some(Value::Undefined(why)) if why.kind == ReasonKind::Unsupported => {}
            Some(Value::Scored(score)) if self.preference && *score == 0.0 => {
                match Written::of(output) {
                    Written::InTags => self.scored += 1,
                    Written::Untagged => self.untagged += 1,
                    Written::Nowhere => {}
                }
            }
            Some(Value::Scored(_)) => {
                self.scored += 1;
                self.reads_untagged |= self.preference && untagged();
            }
            Some(Value::Undefined(why)) => {
                let kind = match why.judge_failure() {
                    Some(failure) => format!("{}: {failure}", why.kind.as_str()),
                    None => why.kind.as_str().to_owned(),
                };
                *self.kinds.entry(kind).or_default() += 1;
                self.reads_untagged |= why.kind == ReasonKind::Judge && untagged();
            }
            None => {
                *self.kinds.entry(ReasonKind::Contract.as_str().to_owned()).or_default() += 1;
            }
        }
    }

    pub(super) fn finish(self) -> Lost {
        let outputs = self.kinds.values().sum();
        let untagged = if self.reads_untagged { self.untagged } else { 0 };
        Lost { outputs, of: outputs + self.scored + untagged, kinds: self.kinds }
    }
}

/// A line for each task that lost a larger fraction of its outputs than its `fault_limit`.
#[must_use]
pub fn too_much_lost(event: &EvalEvent, config: &RunConfig) -> Vec<String> {
    let line = |entry: &crate::config::Task| {
        let task = event.tasks.get(entry.label())?;
        let (lost, limit) = (&task.lost, entry.fault_limit);
        if lost.outputs as f64 <= limit * lost.of as f64 {
            return None;
        }
        let kinds: Vec<String> =
            lost.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        Some(format!(
            "task `{}`: {} of {} outputs have no {} because something failed ({}), more than \
             fault_limit = {limit} allows; its numbers are of the others alone",
            entry.label(),
            lost.outputs,
            lost.of,
            task.metric,
            kinds.join(", ")
        ))
    };
    config.task.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use omni_record::Undefined;

    use super::*;

    fn losses(preference: bool, outputs: &[(Option<f64>, &str)]) -> (u64, u64) {
        let mut losses = Losses::new(preference);
        for (score, text) in outputs {
            let down = || Undefined { kind: ReasonKind::Judge, message: "timeout: 3 s".into() };
            let value = score.map_or_else(|| Value::Undefined(down()), Value::Scored);
            losses.add(Some(&value), text);
        }
        let lost = losses.finish();
        (lost.outputs, lost.of)
    }

    #[test]
    fn outputs_that_nobody_was_asked_about_do_not_hide_a_judge_that_fails() {
        let (tagged, blank) = ("<answer>a</answer>", "<think>t</think><answer> </answer>");
        let outputs = [(Some(0.0), ""), (Some(0.0), blank), (Some(0.0), "plain"), (None, tagged)];
        assert_eq!(losses(true, &outputs), (1, 1));
        assert_eq!(losses(false, &outputs), (1, 4), "a verifier's zeros are its own");
        assert_eq!(losses(true, &[(Some(0.0), tagged), (None, tagged)]), (1, 2), "a loss counts");
        // A reward that reads outputs without tags.
        let plain = [(Some(0.0), "plain"), (Some(0.0), ""), (None, "other"), (None, tagged)];
        assert_eq!(losses(true, &plain), (2, 3));
        assert_eq!(losses(true, &[(Some(0.0), "plain"), (Some(0.5), "other")]), (0, 2));
    }

    #[test]
    fn a_reward_without_the_metric_is_at_fault_and_the_sandbox_is_not() {
        let mut losses = Losses::new(false);
        let lacks = Undefined { kind: ReasonKind::Unsupported, message: "numpy".into() };
        losses.add(Some(&Value::Undefined(lacks)), "x");
        losses.add(None, "x");
        let lost = losses.finish();
        assert_eq!((lost.outputs, lost.of, lost.kinds["contract"]), (1, 1, 1));
    }
}
