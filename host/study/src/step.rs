//! A step of a study: a command of the same program, what it waits for and what it costs.

use std::path::PathBuf;

/// A command with its own folder under the study's.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its folder relative to the study's, with `/`: `seed-0/orders/math+code/run`.
    pub id: String,
    /// What it does.
    pub kind: StepKind,
    /// Its command line, behind the program's name and global options.
    pub command: Vec<Word>,
    /// Steps that must be finished before.
    pub after: Vec<String>,
    /// Whether it reads the study's evidence.
    pub evidence: bool,
    /// What it takes.
    pub cost: Cost,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// `train`.
    Train,
    /// `eval`.
    Eval,
    /// `merge`.
    Merge,
    /// `sft`.
    Sft,
}

impl StepKind {
    /// The command's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Eval => "eval",
            Self::Merge => "merge",
            Self::Sft => "sft",
        }
    }
}

/// A word of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// As it stands.
    Plain(String),
    /// `before` and a path.
    Path {
        /// What stands before the path: `policy.continue_from=`, or nothing.
        before: String,
        /// The path.
        place: Place,
    },
}

/// A path that is known when the step begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Relative to the study's folder.
    Folder(PathBuf),
    /// The last checkpoint of a step's run.
    Last(String),
    /// The best checkpoint of a step's run by validation; the last where it did not validate.
    Best(String),
    /// The policy that everything begins from.
    Base,
}

impl Word {
    /// How a word is written down: with places by name.
    #[must_use]
    pub fn symbolic(&self) -> String {
        match self {
            Self::Plain(word) => word.clone(),
            Self::Path { before, place } => match place {
                Place::Folder(path) => format!("{before}{}", path.display()),
                Place::Last(step) => format!("{before}{step}/checkpoints/LAST"),
                Place::Best(step) => format!("{before}{step}/checkpoints/BEST"),
                Place::Base => format!("{before}BASE"),
            },
        }
    }
}

/// What a step takes. What only the data know is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Optimizer steps.
    pub steps: Option<u64>,
    /// Prompts trained on.
    pub prompts: Option<u64>,
    /// Outputs to generate (and score) in training.
    pub generated: Option<u64>,
    /// Outputs to generate and score in evaluations, at most.
    pub evaluated: u64,
    /// Bytes that it leaves on the disk.
    pub disk: u64,
}
