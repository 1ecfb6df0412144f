//! Finished evaluations as a study's record has them, read once each.

use std::collections::BTreeMap;
use std::path::Path;

use omni_record::{MethodKind, TaskEval, TaskMeasure};

use crate::StudyError;
use crate::compare::{Comparison, Gained};
use crate::config::{Outputs, StudyConfig};
use crate::evidence::{Measured, eval_event, items_file};
use crate::execute::Standing;
use crate::facts::Facts;
use crate::graph::BASE_TEST;

/// Evaluations by their steps.
#[derive(Debug, Default)]
pub(crate) struct Tested {
    known: BTreeMap<String, Test>,
}

/// One evaluation.
#[derive(Debug)]
pub(crate) struct Test {
    /// Of which making: a step that is made again is read again.
    output: String,
    /// By task.
    pub(crate) tasks: BTreeMap<String, TaskMeasure>,
    /// Over θ0 on the same split; none of validation, and of variants with items of their own.
    pub(crate) gained: Option<Gained>,
}

impl Tested {
    /// An evaluation, where it is finished.
    pub(crate) fn get(&self, step: &str) -> Option<&Test> {
        self.known.get(step)
    }

    /// Reads what has been finished since.
    ///
    /// # Errors
    /// Evaluations that cannot be read, or are not of the base's items.
    pub(crate) fn refresh(
        &mut self,
        root: &Path,
        study: &StudyConfig,
        facts: &Facts,
        standing: &Standing,
    ) -> Result<(), StudyError> {
        let outputs = facts.outputs_of(study);
        let done = &standing.done;
        self.known.retain(|step, test| done.get(step).is_some_and(|it| it.output == test.output));
        // Without the base there are no gains, and no table yet.
        if !done.contains_key(BASE_TEST) {
            return Ok(());
        }
        let base = Measured::read(root, BASE_TEST, facts, outputs)?;
        let weights: Vec<f64> = facts.tasks.iter().map(|task| task.weight).collect();
        let comparison = Comparison {
            base: &base,
            weights: &weights,
            floor: study.evidence.floor,
            samples: study.evidence.bootstrap as usize,
        };
        for row in &standing.graph.rows {
            for run in &row.runs {
                let steps = std::iter::once(&run.test).chain(&run.validation);
                for step in steps {
                    let Some(record) = done.get(step) else { continue };
                    if self.known.contains_key(step) {
                        continue;
                    }
                    let tasks = measures(root, step, outputs)?;
                    let variant = row.kind == MethodKind::Variant;
                    let gained = match *step == run.test {
                        true => gain(root, step, facts, outputs, &comparison, variant)?,
                        false => None,
                    };
                    let output = record.output.clone();
                    self.known.insert(step.clone(), Test { output, tasks, gained });
                }
            }
        }
        Ok(())
    }
}

fn gain(
    root: &Path,
    step: &str,
    facts: &Facts,
    outputs: Outputs,
    comparison: &Comparison<'_>,
    variant: bool,
) -> Result<Option<Gained>, StudyError> {
    let own = Measured::read(root, step, facts, outputs)?;
    match own.same_items(comparison.base, facts, &items_file(root, step)) {
        Ok(()) => Ok(comparison.gain(&own)),
        // A variant may have other items; there is then no comparison by pairs.
        Err(_) if variant => Ok(None),
        Err(error) => Err(error),
    }
}

/// An evaluation by task; tasks without an accuracy are left out.
fn measures(
    root: &Path,
    step: &str,
    outputs: Outputs,
) -> Result<BTreeMap<String, TaskMeasure>, StudyError> {
    let event = eval_event(root, step)?;
    let of = |task: &TaskEval| {
        let accuracy = match outputs {
            Outputs::Sampled => task.sampled,
            Outputs::Greedy => task.greedy,
        };
        Some(TaskMeasure {
            accuracy: accuracy?,
            entropy: task.entropy,
            rouge_l: task.rouge_l.map(|rouge| rouge.mean),
            completion_length: task.completion_length,
        })
    };
    Ok(event.tasks.iter().filter_map(|(name, task)| Some((name.clone(), of(task)?))).collect())
}
