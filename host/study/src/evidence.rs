//! What the single-task runs showed: backward transfer, entropy, and the orders chosen by them.
//!
//! Everything here comes from validation splits. Policies are compared item by item.

use std::path::Path;

use omni_curriculum::{
    EntropyChange, Evidence, ItemAccuracies, Matrix, Order, Prediction, Transfer, all_orders,
    exact, forgettability, greedy, local_search,
};
use omni_record::{EvalEvent, EvalItems, StudyEvidence};
use serde_json::{Value, json};

use crate::StudyError;
use crate::config::{Outputs, Rule, StudyConfig};
use crate::facts::Facts;
use crate::graph::{BASE_VALIDATION, Chosen, permutations, single_validation};
use crate::statistics::mean;

/// Evidence, ready to be planned with.
#[derive(Clone, Debug, PartialEq)]
pub struct Gathered {
    /// As the study's record holds it.
    pub record: StudyEvidence,
    /// Checked, with weights and standard errors.
    pub evidence: Evidence,
    /// Changes of entropy, where outputs were sampled.
    pub entropy: Option<EntropyChange>,
    /// The transfers with their bootstrap.
    pub transfer: Transfer,
}

/// Steps whose evaluations the evidence is made of.
#[must_use]
pub fn wanted(study: &StudyConfig, facts: &Facts) -> Vec<String> {
    let singles = study.seeds.iter().flat_map(|&seed| {
        (0..facts.tasks.len()).map(move |task| single_validation(facts, seed, task))
    });
    std::iter::once(BASE_VALIDATION.to_owned()).chain(singles).collect()
}

/// Measures the transfers of some seeds; of several, each item's accuracy is the mean over them.
///
/// # Errors
/// An evaluation that cannot be read, is not of the base's items, or has nothing to compare.
pub fn gather(
    root: &Path,
    study: &StudyConfig,
    facts: &Facts,
    seeds: &[u64],
) -> Result<Gathered, StudyError> {
    let outputs = facts.outputs_of(study);
    let size = facts.tasks.len();
    let base = Measured::read(root, BASE_VALIDATION, facts, outputs)?;
    let mut trained: Vec<Vec<Measured>> = Vec::with_capacity(size);
    for task in 0..size {
        let mut of_task = Vec::with_capacity(seeds.len());
        for &seed in seeds {
            let id = single_validation(facts, seed, task);
            let measured = Measured::read(root, &id, facts, outputs)?;
            measured.same_items(&base, facts, &items_file(root, &id))?;
            of_task.push(measured);
        }
        trained.push(of_task);
    }
    let items = paired(&base, &trained);
    if let Some(task) = items.base.iter().position(Vec::is_empty) {
        return Err(StudyError::Items {
            path: items_file(root, BASE_VALIDATION),
            message: format!(
                "no item of `{}` has an accuracy with every policy",
                facts.tasks[task].name
            ),
        });
    }
    let floor = study.evidence.floor;
    let samples = study.evidence.bootstrap as usize;
    // Shapes and the floor were checked.
    let transfer = items.transfer(floor, samples, 0).ok_or_else(|| StudyError::Items {
        path: items_file(root, BASE_VALIDATION),
        message: "its items do not fit the tasks".into(),
    })?;
    let low = |items: &[f64]| mean(items).max(floor);
    let base_accuracy: Vec<f64> = items.base.iter().map(|items| low(items)).collect();
    let self_accuracy: Vec<f64> = (0..size).map(|task| low(&items.trained[task][task])).collect();
    let rows = |matrix: &Matrix| (0..size).map(|i| matrix.row(i).to_vec()).collect::<Vec<_>>();
    let weights = facts.tasks.iter().map(|task| task.weight).collect();
    let (matrix, errors) = (rows(&transfer.matrix), rows(&transfer.standard_errors));
    let evidence =
        Evidence::new(facts.names(), base_accuracy.clone(), self_accuracy.clone(), &matrix)?
            .with_weights(weights)?
            .with_standard_errors(&errors)?;
    let entropy = entropy(&base, &trained);
    let name = |task: usize| facts.tasks[task].name.clone();
    let record = StudyEvidence {
        seed: (seeds.len() == 1 && study.seeds.len() > 1).then(|| seeds[0]),
        base_accuracy,
        self_accuracy,
        backward_transfer: matrix,
        standard_errors: errors,
        entropy_change: entropy.as_ref().map(|entropy| rows(entropy.matrix())),
        floored: transfer
            .floored
            .iter()
            .map(|(task, trained)| (name(*task), trained.map(name)))
            .collect(),
    };
    Ok(Gathered { record, evidence, entropy, transfer })
}

impl Gathered {
    /// `evidence.json`, as `plan` and `schedule.evidence` read it.
    #[must_use]
    pub fn file(&self) -> Value {
        let mut file = json!({
            "tasks": self.evidence.tasks(),
            "base_accuracy": self.record.base_accuracy,
            "self_accuracy": self.record.self_accuracy,
            "backward_transfer": self.record.backward_transfer,
            "weights": self.evidence.weights(),
            "standard_errors": self.record.standard_errors,
        });
        if let Some(entropy) = &self.record.entropy_change {
            file["entropy_change"] = json!(entropy);
        }
        file
    }

    /// An order's predicted score in one sample of the bootstrap.
    pub(crate) fn resampled_score(&self, order: &[usize], sample: usize) -> f64 {
        let weights = self.evidence.weights();
        let gains = self.resampled_gains(order, sample);
        let sum: f64 = gains.iter().zip(weights).map(|(gain, weight)| gain * weight).sum();
        sum / weights.iter().sum::<f64>()
    }

    /// The predicted accuracies in one sample of the bootstrap, by task.
    pub(crate) fn resampled_accuracies(&self, order: &[usize], sample: usize) -> Vec<f64> {
        let gains = self.resampled_gains(order, sample);
        let base = &self.transfer.resampled_base[sample];
        gains.iter().zip(base).map(|(gain, base)| (gain + base).exp()).collect()
    }

    /// Log gains over θ0 by task: what a task gains from itself, and from what comes later.
    fn resampled_gains(&self, order: &[usize], sample: usize) -> Vec<f64> {
        let matrix = &self.transfer.resampled[sample];
        let mut gains = vec![0.0; order.len()];
        for (place, &task) in order.iter().enumerate() {
            gains[task] = order[place..].iter().map(|&it| matrix[(task, it)]).sum();
        }
        gains
    }

    /// The orders that a study trains because of the evidence.
    #[must_use]
    pub fn choose(&self, study: &StudyConfig) -> Chosen {
        let ranked = all_orders(&self.evidence);
        let repeat = study.orders.repeat as usize;
        let repeated = match &ranked {
            Some(ranked) if study.orders.all => spread(ranked.len(), repeat)
                .into_iter()
                .map(|at| ranked[at].order.clone())
                .collect(),
            _ => Vec::new(),
        };
        let worst = ranked.as_ref().and_then(|ranked| ranked.last());
        Chosen {
            curriculum: self.curriculum(study, ranked.as_deref()),
            worst: worst.map(|worst| worst.order.clone()),
            repeated,
        }
    }

    fn curriculum(&self, study: &StudyConfig, ranked: Option<&[Prediction]>) -> Order {
        let order = by_rule(&self.evidence, study.curriculum.choose);
        let flagged =
            |order: &[usize]| self.entropy.as_ref().is_some_and(|it| !it.flags(order).is_empty());
        if !study.curriculum.veto || !flagged(&order) {
            return order;
        }
        // Where every order is flagged, there is nothing better.
        let unflagged = ranked.into_iter().flatten().find(|it| !flagged(&it.order));
        unflagged.map_or(order, |it| it.order.clone())
    }
}

/// The order that a rule chooses.
#[must_use]
pub fn by_rule(evidence: &Evidence, rule: Rule) -> Order {
    match rule {
        Rule::Exact => exact(evidence).unwrap_or_else(|| local_search(evidence)),
        Rule::Greedy => greedy(evidence),
        Rule::Forgettability => forgettability(evidence),
    }
}

/// What a study would choose if nothing were known: for estimates of what it costs.
#[must_use]
pub fn placeholder(study: &StudyConfig, facts: &Facts) -> Chosen {
    let size = facts.tasks.len();
    let curriculum: Vec<usize> = (0..size).collect();
    let worst: Vec<usize> = (0..size).rev().collect();
    let repeated = match study.orders.all {
        true => {
            let all = permutations(size);
            let at = spread(all.len(), study.orders.repeat as usize);
            at.into_iter().map(|at| all[at].clone()).collect()
        }
        false => Vec::new(),
    };
    Chosen { curriculum, worst: (size <= omni_curriculum::MOST_RANKED).then_some(worst), repeated }
}

/// `count` of `0..of`, evenly spread, both ends among them.
fn spread(of: usize, count: usize) -> Vec<usize> {
    match count {
        0 => Vec::new(),
        1 => vec![0],
        count if count >= of => (0..of).collect(),
        count => (0..count).map(|at| (at * (of - 1) + (count - 1) / 2) / (count - 1)).collect(),
    }
}

/// An evaluation's file of items.
pub(crate) fn items_file(root: &Path, id: &str) -> std::path::PathBuf {
    root.join(id).join("items.json")
}

/// A policy's evaluation: by task, the items' ids and accuracies.
pub(crate) struct Measured {
    pub(crate) ids: Vec<Vec<String>>,
    pub(crate) accuracy: Vec<Vec<Option<f64>>>,
    entropy: Vec<Option<f64>>,
}

impl Measured {
    pub(crate) fn read(
        root: &Path,
        id: &str,
        facts: &Facts,
        outputs: Outputs,
    ) -> Result<Self, StudyError> {
        let path = items_file(root, id);
        let items = EvalItems::read(&path)?;
        let event = eval_event(root, id)?;
        let (mut ids, mut accuracy, mut entropy) = (Vec::new(), Vec::new(), Vec::new());
        for task in &facts.tasks {
            let of_task = items.tasks.get(&task.name).ok_or_else(|| StudyError::Items {
                path: path.clone(),
                message: format!("it has no items of `{}`", task.name),
            })?;
            ids.push(of_task.ids.clone());
            accuracy.push(match outputs {
                Outputs::Sampled => of_task.sampled.clone(),
                Outputs::Greedy => of_task.greedy.clone(),
            });
            entropy.push(event.tasks.get(&task.name).and_then(|it| it.entropy));
        }
        Ok(Self { ids, accuracy, entropy })
    }

    /// Refuses items that are not the base's.
    pub(crate) fn same_items(
        &self,
        base: &Self,
        facts: &Facts,
        path: &Path,
    ) -> Result<(), StudyError> {
        for (task, (own, bases)) in facts.tasks.iter().zip(self.ids.iter().zip(&base.ids)) {
            if own != bases {
                let differs = own.iter().zip(bases).find(|(own, base)| own != base);
                let what = differs.map_or_else(
                    || format!("{} items instead of {}", own.len(), bases.len()),
                    |(own, base)| format!("`{own}` where the base has `{base}`"),
                );
                return Err(StudyError::Items {
                    path: path.to_owned(),
                    message: format!("`{}` was evaluated on other items: {what}", task.name),
                });
            }
        }
        Ok(())
    }
}

/// An evaluation's result.
pub(crate) fn eval_event(root: &Path, id: &str) -> Result<EvalEvent, StudyError> {
    let path = root.join(id).join("eval.json");
    let bytes = std::fs::read(&path).map_err(StudyError::io("read", &path))?;
    serde_json::from_slice(&bytes).map_err(|error| StudyError::Items {
        path,
        message: format!("not an evaluation of this version: {error}"),
    })
}

/// Items that have an accuracy with every policy; over several seeds, the mean.
fn paired(base: &Measured, trained: &[Vec<Measured>]) -> ItemAccuracies {
    let size = base.accuracy.len();
    let mut items = ItemAccuracies {
        base: vec![Vec::new(); size],
        trained: vec![vec![Vec::new(); size]; trained.len()],
    };
    for task in 0..size {
        for (item, base) in base.accuracy[task].iter().enumerate() {
            let of = |policies: &[Measured]| -> Option<f64> {
                let values = policies.iter().map(|policy| policy.accuracy[task][item]);
                values.sum::<Option<f64>>().map(|sum| sum / policies.len() as f64)
            };
            let all: Option<Vec<f64>> = trained.iter().map(|policies| of(policies)).collect();
            if let (Some(base), Some(all)) = (base, all) {
                items.base[task].push(*base);
                for (policy, accuracy) in items.trained.iter_mut().zip(all) {
                    policy[task].push(accuracy);
                }
            }
        }
    }
    items
}

fn entropy(base: &Measured, trained: &[Vec<Measured>]) -> Option<EntropyChange> {
    let base: Vec<f64> = base.entropy.iter().copied().collect::<Option<_>>()?;
    let rows: Vec<Vec<f64>> = trained
        .iter()
        .map(|policies| {
            (0..base.len())
                .map(|task| {
                    let sum = policies.iter().map(|it| it.entropy[task]).sum::<Option<f64>>()?;
                    Some(sum / policies.len() as f64)
                })
                .collect::<Option<Vec<f64>>>()
        })
        .collect::<Option<_>>()?;
    EntropyChange::measured(&base, &rows)
}
