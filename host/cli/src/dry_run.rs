//! `--dry-run`: what a command would do, and what it needs that is not there.

mod count;
mod estimate;

#[expect(unused_imports, reason = "for the commands that estimate others")]
pub(crate) use count::Count;
#[expect(unused_imports, reason = "for the commands that estimate others")]
pub(crate) use estimate::{
    Estimate, EvaluationEstimate, SftEstimate, TaskEstimate, estimate, estimate_eval, estimate_sft,
};
