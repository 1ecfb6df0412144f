//! What is run for one rollout, and what the outcomes come to.

use omni_sdk::reward::{Execution, Program, Status};
use omni_sdk::rng::Rng;

use crate::cases::{Cases, Code, Tests};
use crate::literal::Value;
use crate::syntax::{Kind, lines};

/// Runs a program and its tests; the interpreter has it compiled already.
const HARNESS: &str = include_str!("../../../python/interpreter/omni_harness.py");

/// What is run for one rollout.
pub(crate) struct Plan {
    /// None where there is no program: then nothing passes.
    pub(crate) programs: Vec<Program>,
    /// Starts the lines of values and of the verdict of guarded tests.
    mark: String,
}

impl Plan {
    pub(crate) fn new(cases: &Cases, program: Option<&str>, seed: u32, index: u64) -> Self {
        let mut rng = Rng::keyed(seed.into(), "code", index);
        let mark = format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64());
        let mut programs = Vec::new();
        if let Some(program) = program {
            let source = format!("{}\n{program}", cases.preamble);
            let add = |source: String, stdin: &str| Program {
                stdin: stdin.to_owned(),
                seed,
                ..Program::new("python", source)
            };
            match &cases.tests {
                Tests::Streams(streams) => {
                    let runs = streams.iter().map(|(input, _)| add(source.clone(), input));
                    programs.extend(runs);
                }
                Tests::Code(code) => {
                    if !code.calls.is_empty() {
                        programs.push(add(harness(cases, code, &source, &mark, false), ""));
                    }
                    if !code.guarded.is_empty() {
                        programs.push(add(harness(cases, code, &source, &mark, true), ""));
                    }
                }
            }
        }
        Self { programs, mark }
    }

    /// How many tests passed, by what the programs printed.
    pub(crate) fn passed(&self, cases: &Cases, runs: &[&Execution]) -> usize {
        match &cases.tests {
            Tests::Streams(streams) => {
                let right = |(run, (_, output)): &(&&Execution, &(String, String))| {
                    run.status == Status::Exited && same_output(&run.stdout, output)
                };
                runs.iter().zip(streams).filter(right).count()
            }
            Tests::Code(code) => {
                let mut runs = runs.iter();
                let mut passed = 0;
                if !code.calls.is_empty() {
                    passed += runs.next().map_or(0, |run| self.calls(code, run));
                }
                if !code.guarded.is_empty() {
                    passed += runs.next().map_or(0, |run| self.guarded(code, run));
                }
                passed
            }
        }
    }

    /// The lines behind a mark, where the program ended by itself.
    fn marked<'a>(&'a self, run: &'a Execution) -> impl Iterator<Item = &'a str> {
        let ended = run.status == Status::Exited;
        let lines = run.stdout.split('\n').filter(move |_| ended);
        lines.filter_map(|line| line.strip_prefix(self.mark.as_str())?.strip_prefix(' '))
    }

    fn calls(&self, code: &Code, run: &Execution) -> usize {
        let mut passed = vec![None; code.calls.len()];
        for line in self.marked(run) {
            let Some((index, text)) = line.split_once(' ') else { continue };
            let Some(index) = index.parse::<usize>().ok().filter(|it| *it < passed.len()) else {
                continue;
            };
            let right =
                Value::parse(text).is_some_and(|value| code.calls[index].expected.accepts(&value));
            // Said twice, it is not the harness alone that speaks.
            passed[index] = Some(right && passed[index].is_none());
        }
        passed.iter().filter(|it| **it == Some(true)).count()
    }

    fn guarded(&self, code: &Code, run: &Execution) -> usize {
        let mut lines = self.marked(run);
        match (lines.next(), lines.next()) {
            (Some(verdict), None) if verdict.len() == code.guarded.len() => {
                verdict.bytes().filter(|byte| *byte == b'1').count()
            }
            _ => 0,
        }
    }
}

/// Whether two outputs are the same but for white space at the ends of lines
/// and of the whole.
fn same_output(a: &str, b: &str) -> bool {
    let lines = |text: &'_ str| -> Vec<String> {
        text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect()
    };
    lines(a) == lines(b)
}

/// The program that runs the harness.
fn harness(cases: &Cases, code: &Code, source: &str, mark: &str, guarded: bool) -> String {
    let list = |items: &mut dyn Iterator<Item = String>| {
        format!("[{}]", items.collect::<Vec<_>>().join(","))
    };
    let arguments = if guarded {
        // Without the name under test the program's own definitions go before the preamble's.
        let entry = cases.entry_point.as_deref().or(code.checked.as_deref()).unwrap_or("");
        vec![
            quoted(&code.setup),
            quoted(&cases.preamble),
            quoted(entry),
            list(&mut imported(code).iter().map(|name| quoted(name))),
            list(&mut code.guarded.iter().map(|test| quoted(test))),
        ]
    } else {
        let bound = code.candidate.iter();
        vec![
            quoted(&code.setup),
            list(&mut bound.map(|(name, entry)| format!("({},{})", quoted(name), quoted(entry)))),
            list(&mut code.calls.iter().map(|call| quoted(&call.expression))),
        ]
    };
    format!(
        "try:\n    from omni_harness import run\nexcept ImportError:\n    _names = {{'__name__': \
         'omni_harness'}}\n    exec(r'''{HARNESS}''', _names)\n    run = _names['run']\nrun({guarded}, \
         '{mark}', {source}, {arguments})\n",
        guarded = if guarded { "True" } else { "False" },
        source = quoted(source),
        arguments = arguments.join(", "),
    )
}

/// A Python string literal of this text.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\0' => literal.push_str("\\0"),
            c if c < ' ' => literal.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

/// The modules that guarded tests import: what a program did to them is undone.
fn imported(code: &Code) -> Vec<String> {
    let mut names = Vec::new();
    for source in code.guarded.iter().chain([&code.setup]) {
        for line in lines(source).unwrap_or_default() {
            let Some(first) = line.tokens.first().filter(|it| it.kind == Kind::Name) else {
                continue;
            };
            let end = match first.text {
                "import" => line.tokens.len(),
                "from" => 2,
                _ => continue,
            };
            let named = line.tokens.iter().take(end).skip(1).filter(|it| it.kind == Kind::Name);
            names.extend(named.map(|it| it.text.to_owned()));
        }
    }
    names.sort();
    names.dedup();
    names
}
