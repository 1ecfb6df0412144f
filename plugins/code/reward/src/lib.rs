//! The reward for programs: 1 if the program passes every test, else 0.
//!
//! Candidate programs cheat, so what is compared is kept out of their sight: of
//! `assert f(args) == expected` only `f(args)` is given to the program's instance, which prints the
//! value, and the comparison is made here. Input and output are compared here too. Tests that are
//! arbitrary code run in an instance of their own, and only what they do to the program's names is
//! done in the program's (`replay.rs`). Tests that look into the program's instance from inside
//! share it, guarded as `omni_guard.py` describes, and pass by printing a secret that is out of
//! the program's reach.
//!
//! A program that raises or is stopped scores 0; an interpreter that could not
//! be had, or tests that never use the program, make the components undefined, and
//! tests that need what the sandbox lacks are unsupported.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod assertion;
mod cases;
pub mod extract;
mod forms;
pub mod literal;
mod needs;
mod plan;
mod replay;
mod syntax;
mod wire;

use omni_sdk::reward::{
    Component, Error, Execution, Group, Limits, Program, Reply, Request, Result, Reward, Status,
};
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
    /// Fuel for each program; none is what the task allows, which is never exceeded.
    program_fuel: Option<u64>,
}

impl Reward for Code {
    fn components(&self) -> Vec<String> {
        vec!["accuracy".to_owned(), "tests_passed".to_owned()]
    }

    fn score(&self, group: &Group, replies: &[Reply]) -> Result<Turn> {
        let cases = Cases::read(&group.item)?;
        let mut rollouts: Vec<Rollout<'_>> = (0..)
            .zip(&group.rollouts)
            .map(|(index, rollout)| {
                let program = self.extract.program(&rollout.text, cases.entry_point.as_deref());
                let plan = Plan::new(&cases, program.as_deref(), group.seed, index);
                Rollout { plan, fault: None }
            })
            .collect();
        // Everything is worked out anew from the replies so far: nothing else is kept of earlier
        // calls.
        let mut rest = replies;
        loop {
            let wanted: Vec<_> = rollouts.iter().map(Rollout::programs).collect();
            let count = wanted.iter().map(Vec::len).sum();
            if count == 0 {
                break;
            }
            if rest.len() < count {
                let programs = wanted.into_iter().flatten().map(|program| self.limited(program));
                return Ok(Turn::Ask(programs.map(Request::Execute).collect()));
            }
            for (rollout, programs) in rollouts.iter_mut().zip(&wanted) {
                let (own, others) = rest.split_at(programs.len());
                rest = others;
                rollout.take(programs, own);
            }
        }
        rollouts
            .iter()
            .map(|rollout| rollout.score(&cases, &group.item.id))
            .collect::<Result<_>>()
            .map(Turn::Done)
    }
}

impl Code {
    fn limited(&self, program: Program) -> Program {
        let limits = self.program_fuel.map(|fuel| {
            // Of the rest as much as the task allows.
            Limits { fuel, memory_bytes: u64::MAX, output_bytes: u32::MAX }
        });
        Program { limits, ..program }
    }
}

/// One rollout while its programs run.
struct Rollout<'a> {
    plan: Plan<'a>,
    /// What keeps it from a score.
    fault: Option<String>,
}

impl Rollout<'_> {
    fn programs(&self) -> Vec<Program> {
        if self.fault.is_some() { Vec::new() } else { self.plan.programs() }
    }

    fn take(&mut self, programs: &[Program], replies: &[Reply]) {
        let mut runs = Vec::new();
        for reply in replies {
            let fault = match reply {
                Reply::Executed(execution) => {
                    runs.push(execution);
                    fault(execution)
                }
                Reply::Failed(reason) => Some(reason.clone()),
                Reply::Compared(_) => Some("a comparison came back for a program".to_owned()),
            };
            if fault.is_some() {
                self.fault = fault;
                return;
            }
        }
        self.plan.take(programs, &runs);
    }

    fn score(&self, cases: &Cases, item: &str) -> Result<Vec<Component>> {
        let unused = self.plan.unused().then_some("the tests never use the program");
        if let Some(reason) = self.fault.as_deref().or(unused) {
            let undefined = |name: &str| Component::undefined(name, reason);
            return Ok(vec![undefined("accuracy"), undefined("tests_passed")]);
        }
        let passed = self.plan.passed();
        let passed = passed.map_err(|why| Error::invalid_input(format!("item `{item}`: {why}")))?;
        let all = passed == cases.count();
        Ok(vec![
            Component::scored("accuracy", f64::from(u8::from(all))),
            Component::scored("tests_passed", passed as f64),
        ])
    }
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
