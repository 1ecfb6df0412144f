//! `--dry-run`: what a command would do, and what it needs that is not there.
//!
//! Everything that can be checked is checked, and wrong settings are errors as without it. What is
//! missing is no error: it is listed, with how to get it. Nothing is fetched or written, no policy
//! is loaded, and no model is asked.

mod count;
mod estimate;
mod look;
mod needs;
mod schedule;
mod show;

pub(crate) use estimate::{estimate_sft, training_items};

use omni_train::EvalPlan;

use crate::args::{Arguments, Eval, Sft, Train};
use crate::dry_run::count::Count;
use crate::dry_run::estimate::{EvaluationEstimate, estimate_sft_with, estimate_with, evaluation};
use crate::dry_run::look::{Look, Questions};
use crate::dry_run::show::Shown;
use crate::fault::Outcome;

/// `train --dry-run`.
pub(crate) fn train(arguments: &Arguments, train: &Train) -> Outcome<()> {
    let mut look = Look::at(arguments, &train.run, &train.set, None)?;
    look.training()?;
    let asked = schedule::ask(&look)?;
    let sizes = |task: usize, split: &str| look.size(task, split);
    let mut estimate = estimate_with(&look.config, &sizes, asked.batches.as_ref());
    let group = look.config.rollout.group_size;
    let questions = Count::sum(
        look.tasks
            .iter()
            .zip(&estimate.tasks)
            .map(|(seen, task)| times(seen.questions(group), task.prompts)),
    );
    let evaluated = evaluations(&look, &mut estimate.validation, &mut estimate.test)?;
    let mut shown = Shown::of("train", &look);
    shown.judge_questions = questions.plus(evaluated);
    shown.notes.extend(asked.note);
    shown.train = Some(estimate);
    shown.print(&look, train.json)
}

/// `sft --dry-run`.
pub(crate) fn sft(arguments: &Arguments, sft: &Sft) -> Outcome<()> {
    let mut look = Look::at(arguments, &sft.run, &sft.set, None)?;
    look.training()?;
    let sizes = |task: usize, split: &str| look.size(task, split);
    let mut estimate = estimate_sft_with(&look.config, &sizes);
    let samples = look.config.sft.samples;
    let trained = look.tasks.iter().zip(&estimate.prompts_by_task);
    let questions =
        Count::sum(trained.map(|(seen, prompts)| times(seen.questions(samples), *prompts)));
    let evaluated = evaluations(&look, &mut estimate.validation, &mut estimate.test)?;
    let mut shown = Shown::of("sft", &look);
    shown.judge_questions = questions.plus(evaluated);
    shown.sft = Some(estimate);
    shown.print(&look, sft.json)
}

/// `eval --dry-run`.
pub(crate) fn eval(arguments: &Arguments, eval: &Eval) -> Outcome<()> {
    let look = Look::at(arguments, &eval.run, &eval.set, Some(&eval.policy))?;
    let plan = crate::eval::plan(&look.config, eval)?;
    look.measures(&plan.splits, &format!("{}_split", plan.purpose))?;
    let sizes = |task: usize, split: &str| look.size(task, split);
    let mut estimate = evaluation(&plan, &sizes, Count::Exactly(1));
    let mut shown = Shown::of("eval", &look);
    shown.judge_questions = conversations(&look, &plan, &mut estimate);
    shown.eval = Some(estimate);
    shown.print(&look, eval.json)
}

/// Both kinds of evaluation of a run, later turns counted: the judges' questions of both.
fn evaluations(
    look: &Look,
    validation: &mut EvaluationEstimate,
    test: &mut EvaluationEstimate,
) -> Outcome<Count> {
    let mut questions = Count::ZERO;
    for (plan, estimate, setting) in [
        (EvalPlan::validation(&look.config), validation, "validation_split"),
        (EvalPlan::test(&look.config), test, "test_split"),
    ] {
        if estimate.evaluations != Count::ZERO {
            look.measures(&plan.splits, setting)?;
            questions = questions.plus(conversations(look, &plan, estimate));
        }
    }
    Ok(questions)
}

/// Counts the outputs of later turns too; returns the judges' questions.
fn conversations(look: &Look, plan: &EvalPlan, estimate: &mut EvaluationEstimate) -> Count {
    let mut outputs = Count::ZERO;
    let mut questions = Count::ZERO;
    for (index, (seen, split)) in look.tasks.iter().zip(&plan.splits).enumerate() {
        let (turns, judged) = look.answers(index, split, estimate.items[index]);
        outputs = outputs.plus(turns.times(estimate.outputs_per_item));
        let mut each = vec![seen.questions(plan.samples)];
        each.push(seen.questions(u32::from(plan.greedy)));
        questions = questions.plus(Count::sum(each.into_iter().map(|it| times(it, judged))));
    }
    let all = |count: Count| match estimate.evaluations {
        Count::Exactly(times) => count.times(times),
        Count::AtMost(times) => count.times(times).at_most(),
        Count::Unknown => Count::Unknown,
    };
    estimate.outputs = all(outputs);
    // Answers that were given before are not asked for again.
    all(questions).at_most()
}

fn times(questions: Questions, groups: Count) -> Count {
    match questions {
        Questions::So(count) => groups.times(count).at_most(),
        Questions::Unknown if groups == Count::ZERO => Count::ZERO,
        Questions::Unknown => Count::Unknown,
    }
}
