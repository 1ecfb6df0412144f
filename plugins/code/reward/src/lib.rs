//! The reward for programs: 1 if the program passes every test, else 0.
//!
//! Candidate programs cheat, so what is compared is kept out of their sight
//! wherever that can be done: of `assert f(args) == expected` only `f(args)` is
//! given to the program's instance, which prints the value, and the comparison
//! is made here. Input and output are compared here too. Only tests that are
//! arbitrary code share an instance with the program, guarded as `omni_harness.py`
//! describes, and pass by printing a secret that is out of the program's reach.
//!
//! A program that raises or is stopped scores 0; an interpreter that could not
//! be had makes the components undefined.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod cases;
mod extract;
mod literal;
mod plan;
mod syntax;

use omni_sdk::reward::{Component, Execution, Group, Reply, Request, Result, Reward, Status};
use omni_sdk::reward::{StopKind, Turn};
use serde::Deserialize;

use cases::Cases;
use extract::Extract;
use plan::Plan;

/// The reward's configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Code {
    /// Where the program stands in a completion.
    extract: Extract,
}

impl Reward for Code {
    fn components(&self) -> Vec<String> {
        vec!["accuracy".to_owned(), "tests_passed".to_owned()]
    }

    fn score(&self, group: &Group, replies: &[Reply]) -> Result<Turn> {
        let cases = Cases::read(&group.item)?;
        let plans: Vec<Plan> = (0..)
            .zip(&group.rollouts)
            .map(|(index, rollout)| {
                let program = self.extract.program(&rollout.text, cases.entry_point.as_deref());
                Plan::new(&cases, program.as_deref(), group.seed, index)
            })
            .collect();
        let wanted: usize = plans.iter().map(|plan| plan.programs.len()).sum();
        if replies.len() < wanted {
            let programs = plans.into_iter().flat_map(|plan| plan.programs);
            return Ok(Turn::Ask(programs.map(Request::Execute).collect()));
        }
        let mut rest = replies;
        let mut scores = Vec::new();
        for plan in &plans {
            let (own, others) = rest.split_at(plan.programs.len());
            rest = others;
            scores.push(score(&cases, plan, own));
        }
        Ok(Turn::Done(scores))
    }
}

/// The components of one rollout.
fn score(cases: &Cases, plan: &Plan, replies: &[Reply]) -> Vec<Component> {
    let undefined = |reason: &str| {
        vec![Component::undefined("accuracy", reason), Component::undefined("tests_passed", reason)]
    };
    let mut runs = Vec::new();
    for reply in replies {
        match reply {
            Reply::Executed(execution) => match fault(execution) {
                Some(reason) => return undefined(&reason),
                None => runs.push(execution),
            },
            Reply::Failed(reason) => return undefined(reason),
            Reply::Compared(_) => return undefined("a comparison came back for a program"),
        }
    }
    let passed = plan.passed(cases, &runs);
    let all = passed == cases.count();
    vec![
        Component::scored("accuracy", f64::from(u8::from(all))),
        Component::scored("tests_passed", passed as f64),
    ]
}

/// What is no fault of the program: only the clock, which is a backstop and no verdict.
fn fault(execution: &Execution) -> Option<String> {
    match &execution.status {
        Status::Stopped(stop) if stop.kind == StopKind::Time => Some(stop.message.clone()),
        _ => None,
    }
}

omni_sdk::export!(reward Code);

#[cfg(test)]
mod tests;
