//! How much a command would do, from its run file and the sizes of splits.
//!
//! What the run file says of `items`, `limit` and `take` bounds what it cannot know
//! ([`training_items`], [`declared`]). A dry run gives the sizes that it found, and the batches that
//! the scheduler said.

use omni_train::EvalPlan;
use omni_train::config::{Data, RunConfig, Task};
use serde::Serialize;

use super::count::Count;

/// What `train` would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Estimate {
    /// The tasks, in the run file's order.
    pub(crate) tasks: Vec<TaskEstimate>,
    /// Optimizer steps.
    pub(crate) steps: Count,
    /// Rollout phases.
    pub(crate) phases: Count,
    /// Prompts that the policy answers in training, those of all epochs.
    pub(crate) prompts: Count,
    /// Outputs that it writes to them, all of which are scored.
    pub(crate) outputs: Count,
    /// Evaluations of the validation splits.
    pub(crate) validation: EvaluationEstimate,
    /// Evaluations of the test splits: before the first step and after the last.
    pub(crate) test: EvaluationEstimate,
}

/// What `train` would do with one task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct TaskEstimate {
    /// Its name.
    pub(crate) name: String,
    /// Whether it is trained, and not only evaluated.
    pub(crate) trained: bool,
    /// Prompts that training has of it, in one epoch.
    pub(crate) items: Count,
    /// Those of all epochs, as far as training gets.
    pub(crate) prompts: Count,
}

/// Evaluations of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct EvaluationEstimate {
    /// How many.
    pub(crate) evaluations: Count,
    /// Items of one, by task.
    pub(crate) items: Vec<Count>,
    /// Outputs for each item.
    pub(crate) outputs_per_item: u64,
    /// Outputs that all of them write, the first answers of conversations alone.
    pub(crate) outputs: Count,
}

/// What `sft` would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SftEstimate {
    /// Prompts that outputs are sampled for.
    pub(crate) prompts: Count,
    /// The same by task, in the run file's order.
    pub(crate) prompts_by_task: Vec<Count>,
    /// Outputs, all of which are scored.
    pub(crate) outputs: Count,
    /// Of those, so many are kept at most.
    pub(crate) kept: Count,
    /// Optimizer steps.
    pub(crate) steps: Count,
    /// Evaluations of the validation splits.
    pub(crate) validation: EvaluationEstimate,
    /// Evaluations of the test splits.
    pub(crate) test: EvaluationEstimate,
}

/// How many items a split has: of a task, by its place in the run file.
pub(crate) type Sizes<'a> = &'a dyn Fn(usize, &str) -> Count;

/// What a scheduler said when it was asked for batch after batch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Batches {
    /// Prompts of each batch, by task.
    pub(crate) prompts: Vec<Vec<u64>>,
    /// Whether it was told the sizes of all splits, and not the most that they can be.
    pub(crate) exact: bool,
}

/// What `sft` would do as far as its run file alone says it.
pub(crate) fn estimate_sft(config: &RunConfig) -> SftEstimate {
    estimate_sft_with(config, &|task, split| declared(&config.task[task], split))
}

/// What `sft` would do, given the sizes of splits.
pub(crate) fn estimate_sft_with(config: &RunConfig, sizes: Sizes<'_>) -> SftEstimate {
    let sft = &config.sft;
    let prompts_by_task: Vec<Count> = config
        .task
        .iter()
        .enumerate()
        .map(|(index, task)| {
            let items = match task.items {
                _ if !config.schedule.trains(task.label()) => Count::ZERO,
                0 if sizes(index, &task.train_split) == Count::Exactly(u64::MAX) => Count::Unknown,
                0 => sizes(index, &task.train_split),
                items => Count::Exactly(u64::from(items)),
            };
            match (sft.prompts, items) {
                (Some(_), Count::Exactly(0)) | (None, _) => items,
                (Some(prompts), items) => items.capped(u64::from(prompts)),
            }
        })
        .collect();
    let prompts = Count::sum(prompts_by_task.iter().copied());
    let kept = prompts.times(u64::from(sft.keep.min(sft.samples))).at_most();
    let batch = u64::from(sft.batch).max(1);
    let lasting = kept.map(|n| (n as f64 * sft.epochs / batch as f64).ceil() as u64);
    let steps = if sft.max_steps > 0 { lasting.capped(sft.max_steps) } else { lasting };
    let validation = EvalPlan::validation(config);
    let validations = match config.eval.every {
        0 => Count::ZERO,
        _ if !validation.is_something() => Count::ZERO,
        every => steps.map(|steps| validations(steps, 1, every)),
    };
    let test = EvalPlan::test(config);
    let tests = if test.is_something() { 2 } else { 0 };
    SftEstimate {
        prompts,
        prompts_by_task,
        outputs: prompts.times(u64::from(sft.samples)),
        kept,
        steps,
        validation: evaluation(&validation, sizes, validations),
        test: evaluation(&test, sizes, Count::Exactly(tests)),
    }
}

/// What `train` would do, given the sizes of splits and, where a scheduler was asked, the prompts
/// of each batch by task.
pub(crate) fn estimate_with(
    config: &RunConfig,
    sizes: Sizes<'_>,
    batches: Option<&Batches>,
) -> Estimate {
    let trained = |task: &Task| config.schedule.trains(task.label());
    let items: Vec<Count> = config
        .task
        .iter()
        .enumerate()
        .map(|(index, task)| match (trained(task), task.items) {
            (false, _) => Count::ZERO,
            // A generator that never runs out.
            (true, 0) if sizes(index, &task.train_split) == Count::Exactly(u64::MAX) => {
                Count::Unknown
            }
            (true, 0) => sizes(index, &task.train_split),
            // More than the split has is an error where the split is read.
            (true, wanted) => Count::Exactly(u64::from(wanted)),
        })
        .collect();
    let epochs = config.schedule.epochs;
    let used: Vec<Count> = match batches {
        Some(batches) => (0..items.len())
            .map(|task| {
                let all = batches.prompts.iter().map(|batch| batch.get(task).unwrap_or(&0));
                let count = Count::Exactly(all.sum());
                if batches.exact { count } else { count.at_most() }
            })
            .collect(),
        None => {
            items.iter().map(|count| count.map(|n| (n as f64 * epochs).ceil() as u64)).collect()
        }
    };
    let steps = match batches {
        Some(batches) => {
            let count = Count::Exactly(batches.prompts.len() as u64);
            if batches.exact { count } else { count.at_most() }
        }
        None => steps(config, &items),
    };
    let per_batch = u64::from(config.rollout.prompts_per_batch);
    let all = Count::sum(used.iter().copied());
    // A step limit may end training before the data do.
    let prompts = match (batches, config.schedule.max_steps) {
        (Some(_), _) | (None, 0) => all,
        (None, limit) => all.capped(limit.saturating_mul(per_batch)).at_most(),
    };
    let tasks = config
        .task
        .iter()
        .zip(&items)
        .zip(&used)
        .map(|((task, items), used)| TaskEstimate {
            name: task.label().to_owned(),
            trained: trained(task),
            items: *items,
            prompts: match (batches, prompts.most()) {
                (None, Some(most)) if config.schedule.max_steps > 0 => used.capped(most),
                _ => *used,
            },
        })
        .collect();
    let per_phase = u64::from(config.rollout.batches_per_phase).max(1);
    let validation = EvalPlan::validation(config);
    let validations = match steps {
        _ if config.eval.every == 0 || !validation.is_something() => Count::ZERO,
        steps => steps.map(|steps| validations(steps, per_phase, config.eval.every)),
    };
    let test = EvalPlan::test(config);
    let tests = if test.is_something() { 2 } else { 0 };
    Estimate {
        tasks,
        steps,
        phases: steps.map(|steps| steps.div_ceil(per_phase)),
        prompts,
        outputs: prompts.times(u64::from(config.rollout.group_size)),
        validation: evaluation(&validation, sizes, validations),
        test: evaluation(&test, sizes, Count::Exactly(tests)),
    }
}

/// So many evaluations of a plan.
pub(crate) fn evaluation(plan: &EvalPlan, sizes: Sizes<'_>, times: Count) -> EvaluationEstimate {
    let items: Vec<Count> = match (plan.is_something(), times) {
        (false, _) | (_, Count::Exactly(0)) => vec![Count::ZERO; plan.splits.len()],
        _ => plan
            .splits
            .iter()
            .enumerate()
            .map(|(task, split)| match sizes(task, split) {
                Count::Exactly(n) => Count::Exactly(n.min(u64::from(plan.items))),
                other => other.capped(u64::from(plan.items)),
            })
            .collect(),
    };
    let outputs_per_item = u64::from(plan.samples) + u64::from(plan.greedy);
    let once = Count::sum(items.iter().copied()).times(outputs_per_item);
    let outputs = match (times, once) {
        (Count::Exactly(0), _) => Count::ZERO,
        (Count::Exactly(times), once) => once.times(times),
        (Count::AtMost(times), once) => once.times(times).at_most(),
        (Count::Unknown, _) => Count::Unknown,
    };
    EvaluationEstimate { evaluations: times, items, outputs_per_item, outputs }
}

/// Prompts of a task in one epoch, as far as the run file alone says it.
pub(crate) fn training_items(task: &Task) -> Count {
    match task.items {
        0 => declared(task, &task.train_split),
        items => Count::Exactly(u64::from(items)),
    }
}

/// What the run file alone says of the size of a split.
pub(crate) fn declared(task: &Task, split: &str) -> Count {
    let Some(data) = task.data.get(split) else {
        // The pack's own rows, or a plugin's: only they know.
        return Count::Unknown;
    };
    let rows = Count::sum(data.datasets().iter().map(|one| match (one.take, one.limit) {
        // Taking as many as there are, or more, is an error.
        (Some(take), _) => Count::Exactly(u64::from(take)),
        (None, Some(limit)) => Count::AtMost(u64::from(limit)),
        (None, None) => Count::Unknown,
    }));
    let given: u64 = task
        .data
        .values()
        .flat_map(Data::datasets)
        .filter(|other| other.from.as_deref() == Some(split))
        .filter_map(|other| other.take)
        .map(u64::from)
        .sum();
    rows.map(|n| n.saturating_sub(given))
}

/// Optimizer steps at most: what the data last for, and the step limit.
fn steps(config: &RunConfig, items: &[Count]) -> Count {
    let batch = u64::from(config.rollout.prompts_per_batch).max(1);
    let epochs = config.schedule.epochs;
    let passes = epochs.ceil() as u64;
    // In each epoch the last batch is short: with pure batches of every task, with mixed ones of all
    // together.
    let pure = Count::sum(
        items.iter().map(|count| count.map(|n| passes.saturating_mul(n.div_ceil(batch)))),
    );
    let mixed = Count::sum(items.iter().copied()).map(|n| passes.saturating_mul(n.div_ceil(batch)));
    // Which of them there are, and whether epochs run into each other, only the scheduler knows.
    let lasting = match (pure.most(), mixed.most()) {
        (Some(pure), Some(mixed)) => Count::Exactly(pure.max(mixed)).at_most(),
        _ => Count::Unknown,
    };
    match config.schedule.max_steps {
        0 => lasting,
        limit => lasting.capped(limit),
    }
}

/// How often a run of so many steps is validated: at its first boundary, at each phase's end that
/// went past a multiple of `every`, and at its last.
fn validations(steps: u64, per_phase: u64, every: u64) -> u64 {
    let (mut count, mut last, mut at) = (1, 0, 0);
    while at < steps {
        let next = (at + per_phase).min(steps);
        if next / every > at / every {
            (count, last) = (count + 1, next);
        }
        at = next;
    }
    if last == steps { count } else { count + 1 }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> RunConfig {
        let text = format!("[policy]\nmodel = \"m\"\n{text}");
        RunConfig::from_text(&text, Path::new("/runs/run.toml"), &[]).unwrap()
    }

    /// Without packs and data.
    fn estimate(config: &RunConfig) -> Estimate {
        estimate_with(config, &|task, split| declared(&config.task[task], split), None)
    }

    #[test]
    fn a_run_file_says_how_much_it_comes_to() {
        let config = config(
            "[rollout]\nprompts_per_batch = 4\nbatches_per_phase = 2\ngroup_size = 3\n\
             [schedule]\nepochs = 2.0\n\
             [eval]\nevery = 4\nitems = 5\nsamples = 2\n[eval.final]\nitems = 0\n\
             [[task]]\nname = \"a\"\nuse = \"math\"\n[task.data]\n\
             train = { file = \"a.jsonl\", limit = 20 }\nvalidation = { from = \"train\", take = 8 }\n\
             [[task]]\nname = \"b\"\nuse = \"qa\"\nitems = 6\n[task.data]\nvalidation = \"b.jsonl\"\n",
        );
        let estimate = estimate(&config);
        assert_eq!(estimate.tasks[0].items, Count::AtMost(12));
        assert_eq!(estimate.tasks[0].prompts, Count::AtMost(24));
        assert_eq!(estimate.tasks[1].prompts, Count::Exactly(12));
        // In each of 2 epochs 12 / 4 and 6 / 4 by task, or 18 / 4 mixed.
        assert_eq!(estimate.steps, Count::AtMost(10));
        assert_eq!(estimate.outputs, Count::AtMost(108));
        // Before the first step, after steps 4 and 8, and after step 10.
        assert_eq!(estimate.validation.evaluations, Count::AtMost(4));
        assert_eq!(estimate.validation.items, [Count::Exactly(5), Count::AtMost(5)]);
        assert_eq!(estimate.validation.outputs, Count::AtMost(4 * 10 * 2));
        assert_eq!(estimate.test.outputs, Count::ZERO);
    }

    #[test]
    fn a_step_limit_bounds_what_no_one_knows() {
        let config = config(
            "[rollout]\nprompts_per_batch = 4\ngroup_size = 2\n[schedule]\nmax_steps = 7\n\
             [[task]]\nname = \"a\"\nuse = \"math\"\n",
        );
        let estimate = estimate(&config);
        assert_eq!(estimate.steps, Count::AtMost(7));
        assert_eq!(estimate.prompts, Count::AtMost(28));
        assert_eq!(estimate.outputs, Count::AtMost(56));
        assert_eq!(estimate.test.outputs, Count::AtMost(2 * 1000 * 2));
    }

    #[test]
    fn tasks_that_are_only_evaluated_cost_no_training() {
        let config = config(
            "[schedule]\ntasks = [\"b\"]\n\
             [[task]]\nname = \"a\"\nuse = \"math\"\n[[task]]\nname = \"b\"\nuse = \"qa\"\nitems = 64\n",
        );
        let estimate = estimate(&config);
        assert_eq!(estimate.tasks[0].prompts, Count::ZERO);
        assert_eq!(estimate.steps, Count::AtMost(2));
        assert_eq!(estimate.prompts, Count::Exactly(64));
    }

    #[test]
    fn a_scheduler_that_was_asked_knows_best() {
        let config = config("[[task]]\nuse = \"math\"\n[[task]]\nuse = \"qa\"\n");
        let prompts = vec![vec![3, 1], vec![4, 0], vec![0, 2]];
        let batches = Batches { prompts, exact: true };
        let estimate = estimate_with(&config, &|_, _| Count::Unknown, Some(&batches));
        assert_eq!(estimate.steps, Count::Exactly(3));
        assert_eq!(estimate.prompts, Count::Exactly(10));
        assert_eq!(estimate.tasks[0].prompts, Count::Exactly(7));
    }

    #[test]
    fn validations_are_counted_as_the_loop_makes_them() {
        for (steps, per_phase, every, expected) in
            [(10, 1, 5, 3), (10, 1, 4, 4), (10, 6, 5, 3), (12, 6, 25, 2), (0, 6, 25, 1)]
        {
            assert_eq!(validations(steps, per_phase, every), expected, "{steps} {every}");
        }
    }
}
