//! The `curriculum` scheduler: one task after the other, in the order that measured backward
//! transfer favours.
//!
//! The run hands in what was measured before (`schedule.evidence`); the order is chosen once, at
//! the start, and from then on it is kept.

use omni_curriculum::{
    EntropyChange, Evidence, MOST_RANKED, Matrix, Order, all_orders, exact, forgettability, greedy,
    local_search,
};
use omni_scheduler_supply::InOrder;
use omni_sdk::scheduler::{Error, Observation, Result, Scheduler, Setup, Share};
use serde::{Deserialize, Serialize};

/// Where training stands; all the state there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Curriculum(InOrder);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    choose: Choose,
    /// Take the best order that entropy does not speak against, in place of the best.
    veto: bool,
}

/// How the order is chosen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choose {
    /// The highest predicted score; by local search where there are too many tasks.
    #[default]
    Exact,
    /// Next is the task that what is still to come hurts least.
    Greedy,
    /// The least hurt by all others first.
    Forgettability,
}

impl Scheduler for Curriculum {
    fn start(setup: &Setup) -> Result<Self> {
        let config: Config = setup.config()?;
        let (evidence, entropy) = measured(setup)?;
        let order = if config.veto {
            allowed(&config, &evidence, entropy.as_ref())?
        } else {
            match config.choose {
                Choose::Exact => exact(&evidence).unwrap_or_else(|| local_search(&evidence)),
                Choose::Greedy => greedy(&evidence),
                Choose::Forgettability => forgettability(&evidence),
            }
        };
        let names: Vec<String> = order.iter().map(|at| evidence.tasks()[*at].clone()).collect();
        omni_sdk::log::info(format!("the order is {}", names.join(", ")));
        InOrder::of(setup, &names).map(Self)
    }

    fn next(&mut self, _: &[Observation]) -> Result<Vec<Share>> {
        Ok(self.0.batch())
    }
}

omni_sdk::export!(scheduler Curriculum);

/// The evidence for exactly the run's tasks, with their weights.
fn measured(setup: &Setup) -> Result<(Evidence, Option<EntropyChange>)> {
    let wrong = |message: String| Error::invalid_input(message);
    let Some(given) = &setup.evidence else {
        return Err(wrong(
            "the curriculum needs evidence; name a file of it with `schedule.evidence`".into(),
        ));
    };
    let size = given.tasks.len();
    let rows = |values: &[f64]| -> Vec<Vec<f64>> {
        values.chunks(size.max(1)).map(<[f64]>::to_vec).collect()
    };
    let whole = Evidence::new(
        given.tasks.clone(),
        given.base_accuracy.clone(),
        given.self_accuracy.clone(),
        &rows(&given.backward_transfer),
    )
    .map_err(|error| wrong(format!("the evidence: {error}")))?;
    // Only the run's tasks are ordered; evidence may know more of them.
    let places: Vec<usize> = setup
        .tasks
        .iter()
        .map(|task| {
            whole.tasks().iter().position(|name| *name == task.name).ok_or_else(|| {
                let known = whole.tasks().join(", ");
                wrong(format!("the evidence says nothing of `{}`; it has {known}", task.name))
            })
        })
        .collect::<Result<_>>()?;
    let pick = |values: &[f64]| places.iter().map(|at| values[*at]).collect::<Vec<f64>>();
    let square = |matrix: &Matrix| -> Vec<Vec<f64>> {
        places.iter().map(|row| pick(matrix.row(*row))).collect()
    };
    let evidence = Evidence::new(
        setup.tasks.iter().map(|task| task.name.clone()).collect(),
        pick(whole.base()),
        pick(whole.own()),
        &square(whole.transfer()),
    )
    .and_then(|it| it.with_weights(setup.tasks.iter().map(|task| task.weight).collect()))
    .map_err(|error| wrong(format!("the evidence: {error}")))?;
    if given.entropy_change.is_empty() {
        return Ok((evidence, None));
    }
    let entropy = Matrix::from_values(size, given.entropy_change.clone())
        .and_then(|whole| EntropyChange::new(Matrix::from_rows(&square(&whole))?))
        .ok_or_else(|| {
            wrong(format!("the evidence: `entropy_change` must be {size} × {size} finite numbers"))
        })?;
    Ok((evidence, Some(entropy)))
}

/// The best order that is not flagged.
fn allowed(config: &Config, evidence: &Evidence, entropy: Option<&EntropyChange>) -> Result<Order> {
    if config.choose != Choose::Exact {
        return Err(Error::invalid_input("`veto` goes with `choose = \"exact\"` alone"));
    }
    let Some(entropy) = entropy else {
        return Err(Error::invalid_input("`veto` needs `entropy_change` in the evidence"));
    };
    let Some(ranked) = all_orders(evidence) else {
        let message = format!("`veto` is for at most {MOST_RANKED} tasks");
        return Err(Error::unsupported(message));
    };
    let order = ranked.iter().find(|it| entropy.flags(&it.order).is_empty());
    if order.is_none() {
        omni_sdk::log::warn("entropy speaks against every order; the best one is taken");
    }
    Ok(order.unwrap_or(&ranked[0]).order.clone())
}
