//! What a study must know of its run file, and nothing more of it.

use omni_curriculum::MOST_RANKED;

use crate::config::{Invalid, Outputs, StudyConfig};

/// The run file, as far as a study's graph depends on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The tasks, in the run file's order.
    pub tasks: Vec<TaskFacts>,
    /// Prompts of a batch.
    pub batch: u64,
    /// Outputs for each prompt.
    pub group: u64,
    /// Optimizer steps of a task's phase at most; 0 leaves it to the task's prompts.
    pub max_steps: u64,
    /// Whether the learning rate stays, so that a phase does not depend on what follows.
    pub constant_rate: bool,
    /// Whether runs validate while they train.
    pub validates: bool,
    /// The validation splits.
    pub validation: Measured,
    /// The test splits.
    pub test: Measured,
    /// Bytes of a checkpoint: weights and the optimizer's moments.
    pub checkpoint_bytes: u64,
    /// Samples and supervised examples of `sft`, where they are known.
    pub sft: Option<SftFacts>,
}

/// A task of the run file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFacts {
    /// Its name in every record.
    pub name: String,
    /// Its weight α in scores.
    pub weight: f64,
    /// Prompts of all its epochs, at most; none where only the data know.
    pub prompts: Option<u64>,
}

/// How a split is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Items of each task at most.
    pub items: u32,
    /// Sampled outputs for each.
    pub samples: u32,
    /// Also a greedy one.
    pub greedy: bool,
    /// The temperature of the sampled ones.
    pub temperature: f64,
}

/// What rejection sampling costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SftFacts {
    /// Prompts that outputs are sampled for, at most.
    pub prompts: u64,
    /// Outputs that are sampled, at most.
    pub outputs: u64,
}

impl Measured {
    /// Outputs of so many tasks.
    pub(crate) fn outputs(&self, tasks: usize) -> u64 {
        let of_item = u64::from(self.samples) + u64::from(self.greedy);
        u64::from(self.items) * of_item * tasks as u64
    }

    /// Whether outputs of a kind are made.
    pub(crate) fn has(&self, outputs: Outputs) -> bool {
        self.items > 0
            && match outputs {
                Outputs::Sampled => self.samples > 0,
                Outputs::Greedy => self.greedy,
            }
    }
}

impl Facts {
    /// The tasks' names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.tasks.iter().map(|task| task.name.clone()).collect()
    }

    /// Optimizer steps of one task's phase; none where only its data know.
    #[must_use]
    pub fn steps(&self, task: usize) -> Option<u64> {
        let own = self.tasks[task].prompts.map(|prompts| prompts.div_ceil(self.batch.max(1)));
        match (own, self.max_steps) {
            (own, 0) => own,
            (Some(own), most) => Some(own.min(most)),
            (None, most) => Some(most),
        }
    }

    /// Prompts of one task's phase; none where only its data know.
    #[must_use]
    pub fn prompts(&self, task: usize) -> Option<u64> {
        let most = self.steps(task)? * self.batch;
        Some(self.tasks[task].prompts.map_or(most, |prompts| prompts.min(most)))
    }

    /// Steps of mixed batches that hold as many prompts as all tasks' phases: what `joint` runs
    /// for where the run file limits steps.
    #[must_use]
    pub fn joint_steps(&self) -> Option<u64> {
        let prompts = (0..self.tasks.len()).map(|task| self.prompts(task)).sum::<Option<u64>>()?;
        Some(prompts.div_ceil(self.batch.max(1)))
    }

    /// The validation splits as the study measures them.
    #[must_use]
    pub fn validation_of(&self, study: &StudyConfig) -> Measured {
        Measured {
            items: study.evidence.items.unwrap_or(self.validation.items),
            samples: study.evidence.samples.unwrap_or(self.validation.samples),
            ..self.validation
        }
    }

    /// The test splits as the study measures them.
    #[must_use]
    pub fn test_of(&self, study: &StudyConfig) -> Measured {
        Measured {
            items: study.test.items.unwrap_or(self.test.items),
            samples: study.test.samples.unwrap_or(self.test.samples),
            ..self.test
        }
    }

    /// Which outputs the study's accuracies are of.
    #[must_use]
    pub fn outputs_of(&self, study: &StudyConfig) -> Outputs {
        study.evidence.outputs.unwrap_or(match self.validation_of(study).samples {
            0 => Outputs::Greedy,
            _ => Outputs::Sampled,
        })
    }

    /// Checks that the run file and the study fit each other.
    ///
    /// # Errors
    /// What does not, by the study file's key.
    pub fn check(&self, study: &StudyConfig) -> Result<(), Invalid> {
        let invalid = |key: &str, message: String| Err(Invalid { key: key.to_owned(), message });
        study.validate_tasks(&self.names())?;
        if self.tasks.len() < 2 {
            return invalid("run", "a study needs a run file with two tasks or more".into());
        }
        let folders: Vec<String> = self.tasks.iter().map(|task| slug(&task.name)).collect();
        if let Some(at) = (1..folders.len()).find(|at| folders[..*at].contains(&folders[*at])) {
            let name = &self.tasks[at].name;
            return invalid("run", format!("two tasks would share the folder of `{name}`"));
        }
        if self.tasks.iter().all(|task| task.weight == 0.0) {
            return invalid("run", "every task has the weight 0, so no order has a score".into());
        }
        let outputs = self.outputs_of(study);
        let word = match outputs {
            Outputs::Sampled => "samples = 1",
            Outputs::Greedy => "greedy = true",
        };
        for (table, measured) in
            [("eval", self.validation_of(study)), ("eval.final", self.test_of(study))]
        {
            if !measured.has(outputs) {
                return invalid(
                    "evidence.outputs",
                    format!("the run file's [{table}] makes no such outputs; it needs `{word}`"),
                );
            }
        }
        let (validation, test) = (self.validation_of(study), self.test_of(study));
        if outputs == Outputs::Sampled && validation.temperature != test.temperature {
            return invalid(
                "run",
                format!(
                    "predictions are of outputs sampled at eval.temperature = {} and measurements \
                     at eval.final.temperature = {}: make them the same",
                    validation.temperature, test.temperature
                ),
            );
        }
        if study.curriculum.veto && !(validation.samples > 0 && validation.temperature == 1.0) {
            return invalid(
                "curriculum.veto",
                format!(
                    "entropy is measured on validation outputs sampled at a temperature of 1; they \
                     have samples = {}, temperature = {}",
                    validation.samples, validation.temperature
                ),
            );
        }
        if study.curriculum.veto && self.tasks.len() > MOST_RANKED {
            return invalid(
                "curriculum.veto",
                format!(
                    "another order is looked for among all of them, which is done for up to \
                     {MOST_RANKED} tasks; there are {}",
                    self.tasks.len()
                ),
            );
        }
        if !self.constant_rate && self.max_steps > 0 {
            return invalid(
                "run",
                "with a falling learning rate each order is one run, and a task's phase ends where \
                 its prompts do: set `schedule.max_steps = 0` and give each task `items`"
                    .into(),
            );
        }
        let unknown = (0..self.tasks.len()).find(|&task| self.steps(task).is_none());
        if let (Some(task), true) = (unknown, self.max_steps > 0) {
            return invalid("run", format!("`{}` never ends", self.tasks[task].name));
        }
        Ok(())
    }
}

/// A task's name as a part of a folder's.
pub(crate) fn slug(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}
