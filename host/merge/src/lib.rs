//! Merging models: linear, task arithmetic and TIES (METHOD section 6), over Hugging Face folders
//! of any architecture.
//!
//! Everything goes by pieces of tensors, so that models larger than memory merge: what is held at
//! a time is [`PIECE`] numbers of each model.

mod error;
mod folder;
mod method;
mod select;
mod trim;
mod write;

use std::path::{Path, PathBuf};

pub use error::MergeError;
pub use folder::{NumberType, PIECE};
pub use method::{Method, Scope};

use folder::Folder;
use trim::Trims;
use write::Writer;

/// What to merge, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// The model that all were trained from. Its files beside the weights are copied.
    pub base: PathBuf,
    /// The models, with their weights.
    pub models: Vec<(PathBuf, f64)>,
    /// How.
    pub method: Method,
    /// The number type of the result; none: each tensor's in the base.
    pub number_type: Option<NumberType>,
    /// A file of weights is at most this large, unless a single tensor is larger. In bytes.
    pub shard_bytes: u64,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Tensors written.
    pub tensors: usize,
    /// Parameters written.
    pub parameters: u64,
    /// Files of weights written.
    pub files: usize,
}

/// How far a merge is: parameters looked at, of all passes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Parameters that the merge has.
    pub parameters: u64,
    /// Parameters seen by the pass at hand.
    pub seen: u64,
    /// Whether this pass writes; else it looks for a threshold.
    pub writes: bool,
}

impl Merge {
    /// Merges into the folder `out`, which must not exist yet. It is written aside and renamed.
    ///
    /// # Errors
    /// Folders that cannot be read, tensors that do not match, settings that make no sense, a disk
    /// that is full. Nothing stands in `out` then.
    pub fn run(
        &self,
        out: &Path,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Summary, MergeError> {
        self.check()?;
        if out.exists() {
            return Err(MergeError::Exists { path: out.to_owned() });
        }
        let base = Folder::open(&self.base)?;
        let models = self
            .models
            .iter()
            .map(|(path, _)| {
                let model = Folder::open(path)?;
                model.matches(&base)?;
                Ok(model)
            })
            .collect::<Result<Vec<_>, MergeError>>()?;
        let weights: Vec<f64> = self.models.iter().map(|(_, weight)| *weight).collect();
        let trims = match self.method {
            Method::Ties { density, scope, .. } => {
                Some(Trims::find(&base, &models, density, scope, progress)?)
            }
            Method::Linear | Method::TaskArithmetic { .. } => None,
        };
        let mut writer = Writer::begin(self, out, &base)?;
        let mut seen = 0;
        for at in writer.order(&base) {
            let tensor = &base.tensors[at];
            writer.tensor(tensor)?;
            if !tensor.is_float() {
                writer.copy(&base, tensor)?;
                continue;
            }
            let mut cursors = trims.as_ref().map(|trims| trims.cursors(at));
            for piece in tensor.pieces() {
                let from = base.read(tensor, &piece)?;
                let others = models
                    .iter()
                    .map(|model| model.read(model.named(&tensor.name)?, &piece))
                    .collect::<Result<Vec<_>, _>>()?;
                let merged = self.method.merged(&from, &others, &weights, cursors.as_mut());
                writer.numbers(tensor, &merged)?;
                seen += from.len() as u64;
                progress(Progress { parameters: base.parameters(), seen, writes: true });
            }
        }
        writer.finish()
    }

    fn check(&self) -> Result<(), MergeError> {
        let wrong = |message: String| Err(MergeError::Settings(message));
        if self.models.is_empty() {
            return wrong("there is no model to merge; name at least one".into());
        }
        if let Some((path, weight)) = self.models.iter().find(|(_, weight)| !weight.is_finite()) {
            return wrong(format!("the weight {weight} of {} is no number", path.display()));
        }
        match self.method {
            Method::Linear if self.models.iter().map(|(_, weight)| weight).sum::<f64>() == 0.0 => {
                wrong("the weights of a linear merge add up to 0".into())
            }
            Method::Ties { density, .. } if !(density > 0.0 && density <= 1.0) => {
                wrong(format!("density is {density}; it must be above 0 and at most 1"))
            }
            Method::TaskArithmetic { lambda } | Method::Ties { lambda, .. }
                if !lambda.is_finite() =>
            {
                wrong(format!("lambda is {lambda}; it must be a finite number"))
            }
            _ => Ok(()),
        }
    }
}
