//! Evidence files: what `plan` reads, and what a run hands to its scheduler.

use std::path::Path;

use omni_curriculum::{EntropyChange, Evidence, Matrix};
use omni_train::{RunConfig, outside};
use serde::Deserialize;

use crate::fault::{Blame as _, Fault, Outcome};

/// The file, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tasks: Vec<String>,
    base_accuracy: Vec<f64>,
    self_accuracy: Vec<f64>,
    backward_transfer: Vec<Vec<f64>>,
    weights: Option<Vec<f64>>,
    standard_errors: Option<Vec<Vec<f64>>>,
    entropy_change: Option<Vec<Vec<f64>>>,
}

/// A file that was read and checked.
pub(crate) struct Measured {
    /// Accuracies and transfers.
    pub(crate) evidence: Evidence,
    /// What training a task does to the entropy of the others, where the file says so.
    pub(crate) entropy: Option<EntropyChange>,
    /// The file's text.
    pub(crate) text: String,
    /// Whether the weights are the file's.
    weighted: bool,
}

impl Measured {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let at = path.display();
        let text = std::fs::read_to_string(path).or_input_at(&at)?;
        let file: File = serde_json::from_str(&text).or_input_at(&at)?;
        let weighted = file.weights.is_some();
        let (evidence, entropy) =
            checked(file).map_err(|why| Fault::input(format!("{at}: {why}")))?;
        Ok(Self { evidence, entropy, text, weighted })
    }

    /// What `schedule.evidence` of a run file names, checked against the run's tasks.
    pub(crate) fn of_run(config: &RunConfig) -> Outcome<Option<Self>> {
        let Some(path) = &config.schedule.evidence else { return Ok(None) };
        let place = |fault| match fault {
            Fault::Input(message) => Fault::Input(format!("`schedule.evidence`: {message}")),
            other => other,
        };
        let measured = Self::read(path).map_err(place)?;
        let known = measured.evidence.tasks();
        let trained = config.task.iter().map(|task| task.label());
        let missing: Vec<&str> = trained
            .filter(|name| config.schedule.trains(name))
            .filter(|name| !known.iter().any(|task| task == name))
            .collect();
        if missing.is_empty() {
            return Ok(Some(measured));
        }
        Err(place(Fault::input(format!(
            "{}: says nothing of {}, which this run trains; its tasks are {}: give tasks the same \
             names in both (`name` of a [[task]]), or name those to train in `schedule.tasks`",
            path.display(),
            missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            known.join(", "),
        ))))
    }

    /// What a person should know: a scheduler weighs tasks as the run does, not as the file does.
    pub(crate) fn notice(&self, config: &RunConfig) -> Option<String> {
        let differs = |task: &omni_train::config::Task| {
            let at = self.evidence.tasks().iter().position(|name| name == task.label());
            at.is_some_and(|at| self.evidence.weights()[at] != task.weight)
        };
        let differing = config.task.iter().filter(|task| config.schedule.trains(task.label()));
        (self.weighted && differing.clone().any(differs)).then(|| {
            "the evidence's `weights` are not those of the run's tasks (`weight` of a [[task]]); \
             the scheduler is told the latter"
                .to_owned()
        })
    }

    /// The same for a scheduler.
    pub(crate) fn for_scheduler(&self) -> outside::Evidence {
        let rows = |matrix: &Matrix| -> Vec<Vec<f64>> {
            (0..matrix.size()).map(|row| matrix.row(row).to_vec()).collect()
        };
        outside::Evidence {
            tasks: self.evidence.tasks().to_vec(),
            base_accuracy: self.evidence.base().to_vec(),
            self_accuracy: self.evidence.own().to_vec(),
            backward_transfer: rows(self.evidence.transfer()),
            entropy_change: self.entropy.as_ref().map(|entropy| rows(entropy.matrix())),
        }
    }
}

fn checked(file: File) -> Result<(Evidence, Option<EntropyChange>), String> {
    let size = file.tasks.len();
    let mut evidence =
        Evidence::new(file.tasks, file.base_accuracy, file.self_accuracy, &file.backward_transfer)
            .map_err(|error| error.to_string())?;
    if let Some(weights) = file.weights {
        evidence = evidence.with_weights(weights).map_err(|error| error.to_string())?;
    }
    if let Some(errors) = file.standard_errors {
        evidence = evidence.with_standard_errors(&errors).map_err(|error| error.to_string())?;
    }
    let entropy = file.entropy_change.map(|rows| {
        Matrix::from_rows(&rows)
            .filter(|matrix| matrix.size() == size)
            .and_then(EntropyChange::new)
            .ok_or(format!("`entropy_change` must be {size} rows of {size} finite numbers"))
    });
    Ok((evidence, entropy.transpose()?))
}
