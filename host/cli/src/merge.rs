//! `merge`: models that were trained from one base, as one.

use std::path::PathBuf;

use omni_merge::{Method, NumberType, Progress, Scope};

use crate::args::{Merge, MergeMethod, MergeScope, MergeType};
use crate::console;
use crate::fault::{Fault, Outcome};

/// Merges and says what was written.
pub(crate) fn run(arguments: &Merge) -> Outcome<()> {
    let lambda = arguments.lambda;
    let scope = match arguments.scope {
        MergeScope::Global => Scope::Global,
        MergeScope::Tensor => Scope::Tensor,
    };
    let merge = omni_merge::Merge {
        base: arguments.base.clone(),
        models: arguments.models.iter().map(|text| model(text)).collect::<Outcome<_>>()?,
        method: match arguments.method {
            MergeMethod::Ties => Method::Ties { density: arguments.density, lambda, scope },
            MergeMethod::TaskArithmetic => Method::TaskArithmetic { lambda },
            MergeMethod::Linear => Method::Linear,
        },
        number_type: arguments.dtype.map(|kind| match kind {
            MergeType::F32 => NumberType::F32,
            MergeType::F16 => NumberType::F16,
            MergeType::Bf16 => NumberType::Bf16,
        }),
        shard_bytes: u64::from(arguments.max_shard_gib.max(1)) << 30,
    };
    let spinner = console::spinner("merging".to_owned());
    let done = merge.run(&arguments.out, &mut |progress: Progress| {
        let share = 100.0 * progress.seen as f64 / progress.parameters.max(1) as f64;
        let what = if progress.writes { "writing" } else { "finding what to keep" };
        spinner.set_message(format!("{what}: {share:.0} %"));
    });
    spinner.finish_and_clear();
    let summary = done.map_err(|error| {
        let message = crate::fault::chain(&error);
        if error.is_input() { Fault::Input(message) } else { Fault::Run(message) }
    })?;
    console::say(format!(
        "{}: {} tensors, {} parameters, {} file(s) of weights",
        arguments.out.display(),
        summary.tensors,
        summary.parameters,
        summary.files
    ));
    Ok(())
}

/// `DIR`, or `DIR=WEIGHT` where what stands behind the last `=` is a number.
fn model(text: &str) -> Outcome<(PathBuf, f64)> {
    match text.rsplit_once('=') {
        Some((folder, weight)) => match weight.parse() {
            Ok(weight) => Ok((folder.into(), weight)),
            Err(_) if PathBuf::from(text).is_dir() => Ok((text.into(), 1.0)),
            Err(_) => Err(Fault::input(format!("--model {text}: `{weight}` is no weight"))),
        },
        None => Ok((text.into(), 1.0)),
    }
}
