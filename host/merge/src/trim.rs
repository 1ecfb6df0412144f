//! Which entries of each task vector TIES keeps.

use std::ops::Range;

use crate::Progress;
use crate::error::MergeError;
use crate::folder::{Folder, Tensor};
use crate::method::Scope;
use crate::select::{Threshold, threshold};

/// Thresholds by tensor and model, with the ties that fall to each tensor.
pub(crate) struct Trims(Vec<Vec<Threshold>>);

/// Thresholds of one tensor, whose ties are used up from its front.
pub(crate) struct Cursors(Vec<Threshold>);

impl Cursors {
    /// Whether the next entry of a model's task vector is kept; asked in the tensor's order.
    pub(crate) fn keeps(&mut self, model: usize, magnitude: f64) -> bool {
        let own = &mut self.0[model];
        if magnitude == own.magnitude && own.ties > 0 {
            own.ties -= 1;
            return true;
        }
        magnitude > own.magnitude
    }
}

impl Trims {
    /// Keeps the `⌊density · n⌋` largest entries of each task vector, of all or of each tensor.
    /// Of entries equal to the smallest one kept, the first are taken, tensors by name.
    pub(crate) fn find(
        base: &Folder,
        models: &[Folder],
        density: f64,
        scope: Scope,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, MergeError> {
        let mut trims: Vec<Vec<Threshold>> = vec![Vec::new(); base.tensors.len()];
        for model in models {
            let mut pass = Pass { base, model, seen: 0, progress };
            match scope {
                Scope::Tensor => {
                    for (at, tensor) in base.tensors.iter().enumerate() {
                        let keep = kept(density, if tensor.is_float() { tensor.len() } else { 0 });
                        let found = threshold(keep, |see| pass.tensors(at..at + 1, see))?;
                        trims[at].push(found);
                    }
                }
                Scope::Global => {
                    let all = 0..base.tensors.len();
                    let keep = kept(density, base.parameters() as usize);
                    let found = threshold(keep, |see| {
                        pass.seen = 0;
                        pass.tensors(all.clone(), see)
                    })?;
                    let mut left = found.ties;
                    for (at, trims) in trims.iter_mut().enumerate() {
                        let mut ties = 0;
                        if left > 0 {
                            pass.tensors(at..at + 1, &mut |magnitudes| {
                                let equal = magnitudes.iter().filter(|it| **it == found.magnitude);
                                ties += equal.count() as u64;
                            })?;
                        }
                        ties = ties.min(left);
                        left -= ties;
                        trims.push(Threshold { ties, ..found });
                    }
                }
            }
        }
        Ok(Self(trims))
    }

    pub(crate) fn cursors(&self, tensor: usize) -> Cursors {
        Cursors(self.0[tensor].clone())
    }
}

fn kept(density: f64, len: usize) -> u64 {
    (density * len as f64) as u64
}

/// Goes over the magnitudes of a task vector.
struct Pass<'a> {
    base: &'a Folder,
    model: &'a Folder,
    seen: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl Pass<'_> {
    fn tensors(
        &mut self,
        range: Range<usize>,
        see: &mut dyn FnMut(&[f64]),
    ) -> Result<(), MergeError> {
        for tensor in self.base.tensors[range].iter().filter(|it| it.is_float()) {
            self.tensor(tensor, see)?;
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: &Tensor, see: &mut dyn FnMut(&[f64])) -> Result<(), MergeError> {
        let own = self.model.named(&tensor.name)?;
        for piece in tensor.pieces() {
            let base = self.base.read(tensor, &piece)?;
            let mut task = self.model.read(own, &piece)?;
            for (task, base) in task.iter_mut().zip(&base) {
                *task = (*task - base).abs();
            }
            if task.iter().any(|magnitude| magnitude.is_nan()) {
                let message = format!("tensor {} holds a NaN, here or in the base", tensor.name);
                return Err(MergeError::weights(&self.model.path, message));
            }
            see(&task);
            self.seen += piece.len() as u64;
            let parameters = self.base.parameters();
            (self.progress)(Progress {
                parameters,
                seen: self.seen.min(parameters),
                writes: false,
            });
        }
        Ok(())
    }
}
