//! What is run for one rollout, round by round, and what the outcomes come to.

use omni_sdk::reward::{Execution, Program, Status, StopKind};
use omni_sdk::rng::Rng;

use crate::assertion::Expected;
use crate::cases::{Cases, Code, Tests};
use crate::literal::Value;
use crate::replay::Replay;
use crate::wire::{harnessed, lacks_harness, marked, with_harness};

/// The programs of one rollout.
pub(crate) struct Plan<'a> {
    parts: Vec<Part<'a>>,
    /// Whether the interpreter has no harness of its own.
    bare: bool,
}

/// Tests that are run one way.
enum Part<'a> {
    /// A program for each standard input.
    Streams(Streams<'a>),
    /// One program for all calls.
    Calls(Program, &'a Code, String, Option<usize>),
    /// Tests and program by turns.
    Replay(Box<Replay<'a>>),
}

impl<'a> Plan<'a> {
    /// The plan for a program; nothing is run and nothing passes where there is none.
    pub(crate) fn new(cases: &'a Cases, program: Option<&str>, seed: u32, index: u64) -> Self {
        let mut rng = Rng::keyed(seed.into(), "code", index);
        let mark = format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64());
        let mut parts = Vec::new();
        if let Some(program) = program {
            let source = if cases.preamble.is_empty() {
                program.to_owned()
            } else {
                format!("{}\n{program}", cases.preamble)
            };
            match &cases.tests {
                Tests::Streams(streams) => {
                    let run = |(input, _): &(String, String)| Program {
                        stdin: input.clone(),
                        seed,
                        ..Program::new("python", source.as_str())
                    };
                    let runs = streams.iter().map(run).collect();
                    parts.push(Part::Streams(Streams::new(runs, streams)));
                }
                Tests::Code(code) => {
                    if !code.calls.is_empty() {
                        let program = calls(code, &source, &mark, seed);
                        parts.push(Part::Calls(program, code, mark.clone(), None));
                    }
                    if !code.others.is_empty() {
                        let replay = Replay::new(cases, code, &source, seed, &mark);
                        parts.push(Part::Replay(Box::new(replay)));
                    }
                }
            }
        }
        Self { parts, bare: false }
    }

    /// The programs of the next round; none when all is known.
    pub(crate) fn programs(&self) -> Vec<Program> {
        let mut programs = Vec::new();
        for part in &self.parts {
            match part {
                Part::Streams(streams) => programs.extend_from_slice(streams.next()),
                Part::Calls(program, _, _, None) => programs.push(program.clone()),
                Part::Replay(replay) => programs.extend(replay.program()),
                Part::Calls(..) => {}
            }
        }
        if self.bare {
            programs = programs.iter().map(with_harness).collect();
        }
        programs
    }

    /// Goes on with what the programs of [`Self::programs`] did.
    pub(crate) fn take(&mut self, programs: &[Program], runs: &[&Execution]) {
        let mut pairs = programs.iter().zip(runs);
        if !self.bare && pairs.any(|(program, run)| lacks_harness(program, run)) {
            self.bare = true;
            return;
        }
        let mut runs = runs.iter();
        for part in &mut self.parts {
            match part {
                Part::Streams(streams) => {
                    let count = streams.next().len();
                    streams.take(runs.by_ref().take(count));
                }
                Part::Calls(_, code, mark, passed @ None) => {
                    *passed = runs.next().map(|run| calls_passed(code, mark, run));
                }
                Part::Replay(replay) if replay.program().is_some() => {
                    if let Some(run) = runs.next() {
                        replay.take(run);
                    }
                }
                _ => {}
            }
        }
    }

    /// How many tests passed, or why they cannot be run.
    pub(crate) fn passed(&self) -> Result<usize, &str> {
        let mut passed = 0;
        for part in &self.parts {
            passed += match part {
                Part::Streams(streams) => streams.passed,
                Part::Calls(.., count) => count.unwrap_or(0),
                Part::Replay(replay) => replay.passed()?,
            };
        }
        Ok(passed)
    }

    /// Whether the tests passed without the program being asked for anything.
    pub(crate) fn unused(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Replay(replay) if replay.unused()))
    }
}

/// A program on one standard input after the other, in rounds of 1, 2, 4, … of them.
///
/// A program that never ends costs all of its fuel: after a round in which one did, the inputs that
/// are left are not run and count as not passed.
struct Streams<'a> {
    runs: Vec<Program>,
    cases: &'a [(String, String)],
    done: usize,
    passed: usize,
    endless: bool,
}

impl<'a> Streams<'a> {
    fn new(runs: Vec<Program>, cases: &'a [(String, String)]) -> Self {
        Self { runs, cases, done: 0, passed: 0, endless: false }
    }

    /// What is run in the next round.
    fn next(&self) -> &[Program] {
        let end = if self.endless { self.done } else { (2 * self.done + 1).min(self.runs.len()) };
        &self.runs[self.done..end]
    }

    fn take<'r>(&mut self, runs: impl Iterator<Item = &'r &'r Execution>) {
        for run in runs {
            let Some((_, output)) = self.cases.get(self.done) else { return };
            self.passed += usize::from(is_right(run, output));
            self.endless |=
                matches!(&run.status, Status::Stopped(stop) if stop.kind == StopKind::Fuel);
            self.done += 1;
        }
    }
}

/// The program that prints the values of all calls.
fn calls(code: &Code, source: &str, mark: &str, seed: u32) -> Program {
    let (parameter, entry) = match &code.candidate {
        Some((parameter, entry)) => (parameter.as_str(), entry.as_str()),
        None => ("", ""),
    };
    let setup = if code.setup.trim().is_empty() { "" } else { code.setup.as_str() };
    let mut pieces = vec!["calls", mark, source, setup, parameter, entry];
    pieces.extend(code.calls.iter().map(|call| call.expression.as_str()));
    harnessed(&pieces, seed)
}

fn calls_passed(code: &Code, mark: &str, run: &Execution) -> usize {
    let mut passed = vec![None; code.calls.len()];
    for line in marked(run, mark) {
        let Some((index, text)) = line.split_once(' ') else { continue };
        let Some(index) = index.parse::<usize>().ok().filter(|it| *it < passed.len()) else {
            continue;
        };
        let expected = &code.calls[index].expected;
        let right = match (text.strip_prefix('?'), expected) {
            // An object that is no plain data is still true or false.
            (Some(truth), Expected::Truth(expected)) => (truth == "True") == *expected,
            _ => Value::parse(text).is_some_and(|value| expected.accepts(&value)),
        };
        // Said twice, it is not the harness alone that speaks.
        passed[index] = Some(right && passed[index].is_none());
    }
    passed.iter().filter(|it| **it == Some(true)).count()
}

fn is_right(run: &Execution, output: &str) -> bool {
    run.status == Status::Exited && same_output(&run.stdout, output)
}

/// Whether two outputs are the same but for white space at the ends of lines
/// and of the whole.
fn same_output(a: &str, b: &str) -> bool {
    let lines = |text: &'_ str| -> Vec<String> {
        text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect()
    };
    lines(a) == lines(b)
}
