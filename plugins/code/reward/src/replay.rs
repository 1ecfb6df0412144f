//! Tests that are code, run in an instance that the program is not in.
//!
//! The instance of the tests says what they do to the program's names; an instance of the program
//! does it; what came of it goes back, as data that was read and written anew here. Two or three
//! rounds do, since the tests' instance looks ahead (`omni_check.py`), and that first one is the
//! same for all rollouts of a group, so that it runs once.
//!
//! Tests that this cannot be done with share an instance with the program, guarded.

use omni_sdk::reward::{Execution, Program, Status, StopKind};
use omni_sdk::rng::Rng;

use crate::cases::{Cases, Code};
use crate::literal::Value;
use crate::needs::imported;
use crate::wire::{harnessed, marked};

/// After so many times to and fro the tests share the program's instance.
const EXCHANGES: usize = 12;
/// Around the number of an operation whose result is an argument.
const REFERENCE: (char, char) = ('\u{1}', '\u{2}');
/// An operation that needs nothing of the program but that it has run.
const LOADED: &str = "'len',(),(),{}";

/// Where the tests of one rollout stand.
pub(crate) struct Replay<'a> {
    cases: &'a Cases,
    code: &'a Code,
    source: String,
    seed: u32,
    /// The mark of the tests' instance, the same for a whole group.
    ours: String,
    /// The mark of the program's instance, and the secret of guarded tests.
    theirs: String,
    operations: Vec<String>,
    results: Vec<String>,
    exchanges: usize,
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    /// The tests are to run.
    Test,
    /// The program is to do what they ask for.
    Operate,
    /// Both together.
    Share,
    /// The tests passed without the program, which is to run once.
    Load,
    /// The tests never use the program.
    Unused,
    /// So many tests passed.
    Passed(usize),
    /// The tests cannot be run.
    Broken(String),
}

impl<'a> Replay<'a> {
    pub(crate) fn new(
        cases: &'a Cases,
        code: &'a Code,
        source: &str,
        seed: u32,
        mark: &str,
    ) -> Self {
        let mut rng = Rng::keyed(seed.into(), "tests", 0);
        Self {
            cases,
            code,
            source: source.to_owned(),
            seed,
            ours: format!("{:016x}", rng.next_u64()),
            theirs: mark.to_owned(),
            operations: Vec::new(),
            results: Vec::new(),
            exchanges: 0,
            stage: if code.shares { Stage::Share } else { Stage::Test },
        }
    }

    /// What is to be run next; none where all is known.
    pub(crate) fn program(&self) -> Option<Program> {
        let (cases, code) = (self.cases, self.code);
        let seed = self.seed.to_string();
        match &self.stage {
            Stage::Test => {
                let count = code.others.len().to_string();
                let mut pieces = vec![
                    "check",
                    &self.ours,
                    &seed,
                    &cases.preamble,
                    &code.setup,
                    self.entry(),
                    &count,
                ];
                pieces.extend(code.others.iter().map(String::as_str));
                for (operation, result) in self.operations.iter().zip(&self.results) {
                    pieces.extend([operation.as_str(), result.as_str()]);
                }
                Some(harnessed(&pieces, self.seed))
            }
            Stage::Operate => {
                let written: Vec<String> =
                    self.operations.iter().map(|it| with_references(it)).collect();
                Some(self.operating(written.iter().map(String::as_str)))
            }
            Stage::Load => Some(self.operating([LOADED])),
            Stage::Share => {
                let tests = code.others.iter().chain([&code.setup]);
                let mut modules: Vec<String> = tests.flat_map(|it| imported(it)).collect();
                modules.sort();
                modules.dedup();
                let modules = modules.join(" ");
                let mut pieces = vec![
                    "guarded",
                    &self.theirs,
                    &self.source,
                    &code.setup,
                    &cases.preamble,
                    self.entry(),
                    &modules,
                ];
                pieces.extend(code.others.iter().map(String::as_str));
                Some(harnessed(&pieces, self.seed))
            }
            Stage::Unused | Stage::Passed(_) | Stage::Broken(_) => None,
        }
    }

    /// The program that runs the one under test, and then these operations.
    fn operating<'s>(&'s self, operations: impl IntoIterator<Item = &'s str>) -> Program {
        let mut pieces = vec!["operations", &self.theirs, &self.source];
        pieces.extend(operations);
        harnessed(&pieces, self.seed)
    }

    /// The name under test, without which the program's own definitions go before the preamble's.
    fn entry(&self) -> &str {
        let entry = self.cases.entry_point.as_deref().or(self.code.checked.as_deref());
        let entry = entry.unwrap_or("");
        let end = entry.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(entry.len());
        &entry[..end]
    }

    /// Goes on with what the program of [`Self::program`] printed.
    pub(crate) fn take(&mut self, run: &Execution) {
        self.stage = match &self.stage {
            Stage::Test => self.tested(run),
            Stage::Operate => self.operated(run),
            Stage::Load if self.results(run, 1).is_some() => Stage::Unused,
            Stage::Load => Stage::Passed(0),
            Stage::Share => {
                let mut lines = marked(run, &self.theirs);
                match (lines.next(), lines.next()) {
                    (Some(verdict), None) => self.verdict(verdict),
                    _ => Stage::Passed(0),
                }
            }
            done => done.clone(),
        };
    }

    /// How many tests passed, or why they cannot be run.
    pub(crate) fn passed(&self) -> Result<usize, &str> {
        match &self.stage {
            Stage::Passed(count) => Ok(*count),
            Stage::Broken(why) => Err(why),
            _ => Ok(0),
        }
    }

    /// Whether the tests say nothing about the program, which itself runs.
    pub(crate) fn unused(&self) -> bool {
        self.stage == Stage::Unused
    }

    fn verdict(&self, verdict: &str) -> Stage {
        let whole = verdict.len() == self.code.others.len();
        let passed = verdict.bytes().filter(|byte| *byte == b'1').count();
        Stage::Passed(if whole { passed } else { 0 })
    }

    fn tested(&mut self, run: &Execution) -> Stage {
        let mut lines = marked(run, &self.ours);
        let Some((word, rest)) = lines.next().and_then(|line| line.split_once(' ')) else {
            return match &run.status {
                // The values make the tests go on for ever: the program's doing.
                Status::Stopped(stop)
                    if stop.kind == StopKind::Fuel && !self.results.is_empty() =>
                {
                    Stage::Passed(0)
                }
                _ => Stage::Share,
            };
        };
        match word {
            "verdict" => match self.verdict(rest) {
                // Calls beside these tests do use the program.
                Stage::Passed(count)
                    if count == self.code.others.len()
                        && self.code.calls.is_empty()
                        && self.idle() =>
                {
                    if self.operations.is_empty() {
                        Stage::Load
                    } else {
                        Stage::Unused
                    }
                }
                verdict => verdict,
            },
            "broken" => Stage::Broken(format!("the tests are no Python: {rest}")),
            "ask" => {
                let kept = rest.parse().unwrap_or(0);
                let more: Vec<String> =
                    lines.filter_map(|line| line.strip_prefix("op ")).map(str::to_owned).collect();
                self.exchanges += 1;
                if kept > self.results.len() || more.is_empty() || self.exchanges > EXCHANGES {
                    return Stage::Share;
                }
                self.operations.truncate(kept);
                self.results.truncate(kept);
                self.operations.extend(more);
                Stage::Operate
            }
            _ => Stage::Share,
        }
    }

    /// Whether the tests at most looked up names, of things that only show something when used.
    fn idle(&self) -> bool {
        let mut asked = self.operations.iter().zip(&self.results);
        asked.all(|(operation, result)| {
            operation.starts_with("'name',") && result.starts_with("(\"o\",")
        })
    }

    fn operated(&mut self, run: &Execution) -> Stage {
        match self.results(run, self.operations.len()) {
            Some(results) => {
                self.results = results;
                Stage::Test
            }
            None => Stage::Passed(0),
        }
    }

    /// What came of so many operations, if something came of each.
    fn results(&self, run: &Execution, count: usize) -> Option<Vec<String>> {
        let mut results: Vec<Option<String>> = vec![None; count];
        for line in marked(run, &self.theirs) {
            let Some((index, text)) = line.split_once(' ') else { continue };
            let Some(slot) = index.parse().ok().and_then(|it: usize| results.get_mut(it)) else {
                continue;
            };
            // Said twice, it is not the harness alone that speaks.
            *slot = result(text).filter(|_| slot.is_none());
        }
        results.into_iter().collect()
    }
}

/// An operation as the program's instance reads it: results are `h[n]` there.
fn with_references(operation: &str) -> String {
    operation.replace(REFERENCE.0, "h[").replace(REFERENCE.1, "]")
}

/// What came of an operation, if it has the form of one, written anew.
fn result(text: &str) -> Option<String> {
    let value = Value::parse(text)?;
    let Value::Tuple(parts) = &value else { return None };
    let [Value::Text(_), payload, Value::Dict(changed)] = &parts[..] else { return None };
    let texts = |it: &Value| match it {
        Value::Tuple(items) => !items.is_empty() && items.iter().all(|it| it.as_text().is_some()),
        _ => false,
    };
    let fits = match (parts[0].as_text()?.as_str(), payload) {
        ("v", _) | ("o", Value::Text(_)) | ("a", Value::Int(_)) => true,
        ("x", names) => texts(names),
        ("e", Value::Tuple(pair)) => {
            matches!(&pair[..], [names, Value::Tuple(_)] if texts(names))
        }
        ("g", Value::Tuple(pair)) => matches!(&pair[..], [Value::List(_), Value::Bool(_)]),
        _ => false,
    };
    let keys = changed.iter().all(|(key, _)| matches!(key, Value::Int(_) | Value::Text(_)));
    (fits && keys).then(|| value.literal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_are_carried_over() {
        for (text, written) in [
            ("('v',[1,'a'],{})", "(\"v\",[1,\"a\",],{},)"),
            (
                "('e',(('ValueError','Exception'),('x',)),{0:[1]})",
                "(\"e\",((\"ValueError\",\"Exception\",),(\"x\",),),{0:[1,],},)",
            ),
            ("('g',([1],True),{})", "(\"g\",([1,],True,),{},)"),
        ] {
            assert_eq!(result(text).as_deref(), Some(written));
        }
        for text in [
            "",
            "1",
            "('v',1)",
            "('v',f(),{})",
            "('z',1,{})",
            "('e',1,{})",
            "('e',((),()),{})",
            "('a','x',{})",
            "('v',1,{}) + 1",
            "('v',1,{(1,):2})",
            "('x',(1,),{})",
        ] {
            assert_eq!(result(text), None, "{text}");
        }
    }
}
