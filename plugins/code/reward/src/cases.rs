//! The tests of an item: what is given to the program, and what is expected.

use omni_sdk::reward::{Item, Result};

use crate::assertion::{Call, Expected, Names, call, is_builtin};
use crate::forms::{Case, Form, Row};
use crate::literal::Value;
use crate::needs;
use crate::syntax::{Kind, Line, lines};

/// An item's tests.
#[derive(Debug)]
pub(crate) struct Cases {
    /// The function under test.
    pub(crate) entry_point: Option<String>,
    /// Put before the program.
    pub(crate) preamble: String,
    pub(crate) tests: Tests,
}

/// The tests, by what is compared where.
#[derive(Debug)]
pub(crate) enum Tests {
    /// Standard input and the output expected of it.
    Streams(Vec<(String, String)>),
    /// Everything else.
    Code(Code),
}

/// Tests that are code.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Code {
    /// Run before calls, after the program in its namespace, and before other tests in theirs.
    pub(crate) setup: String,
    /// What `candidate` stands for in the calls.
    pub(crate) candidate: Option<(String, String)>,
    /// Expressions whose values are compared here.
    pub(crate) calls: Vec<Call>,
    /// The name that other tests hand to `check`.
    pub(crate) checked: Option<String>,
    /// Code that only Python can judge; each is a test.
    pub(crate) others: Vec<String>,
    /// Whether that code reaches into the instance of the program.
    pub(crate) shares: bool,
}

impl Cases {
    /// Reads an item's tests.
    pub(crate) fn read(item: &Item) -> Result<Self> {
        let row = Row::read(item)?;
        needs::check(&row, &item.id)?;
        let tests = match row.tests {
            Form::Streams(streams) => Tests::Streams(streams),
            Form::Assertions(list) => Tests::Code(listed(&list, row.setup)),
            Form::Functional(code) => {
                Tests::Code(functional(&code, &row.setup, row.entry_point.as_deref()))
            }
            Form::Calls(name, calls) => Tests::Code(called(&name, &calls, row.setup)),
        };
        Ok(Self { entry_point: row.entry_point, preamble: row.preamble, tests })
    }

    /// How many tests there are.
    pub(crate) fn count(&self) -> usize {
        match &self.tests {
            Tests::Streams(cases) => cases.len(),
            Tests::Code(code) => code.calls.len() + code.others.len(),
        }
    }
}

/// What tests write that look at the program's instance from inside: they replace things in it,
/// set it up, or read what it prints.
const INSIDE: [&str; 17] = [
    "patch(",
    "patch.object",
    "mock",
    "redirect_std",
    "sys.std",
    "capsys",
    "capfd",
    "monkeypatch",
    "getsource",
    "StringIO",
    "assertLogs",
    "assertWarns",
    "seed(",
    "environ",
    "getcontext",
    "setlocale",
    "setrecursionlimit",
];

/// A function called with literals.
fn called(name: &str, cases: &[Case], setup: String) -> Code {
    let calls = cases.iter().map(|(arguments, expected)| {
        let arguments: Vec<String> = arguments.iter().map(Value::literal).collect();
        Call {
            expression: format!("candidate({})", arguments.join(",")),
            expected: Expected::Resembles(expected.clone()),
        }
    });
    // A method of `Solution` where the program has no such function.
    let bound = format!("{name} if {name:?} in globals() else Solution().{name}");
    Code {
        calls: calls.collect(),
        candidate: Some(("candidate".to_owned(), bound)),
        setup,
        ..Code::default()
    }
}

/// A list of assertions: each is one test.
fn listed(assertions: &[String], setup: String) -> Code {
    let given = defined(&setup);
    let names = Names {
        known: &|_| true,
        tested: &|name| !is_builtin(name) && !given.iter().any(|it| it == name),
    };
    let mut code = Code::default();
    for source in assertions {
        let call = lines(source).and_then(|lines| match &lines[..] {
            [line] => call(line, source, &names),
            _ => None,
        });
        match call {
            Some(call) => code.calls.push(call),
            None => code.others.push(source.clone()),
        }
    }
    code.shares = code.others.iter().chain([&setup]).any(|it| looks_inside(it));
    code.setup = setup;
    code
}

fn looks_inside(source: &str) -> bool {
    INSIDE.iter().any(|it| source.contains(it))
}

/// The names that a source imports or defines.
fn defined(source: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in lines(source).unwrap_or_default() {
        let mut tokens = line.tokens.iter().filter(|it| it.kind == Kind::Name).map(|it| it.text);
        match tokens.next() {
            Some("import" | "from") => names.extend(tokens.map(str::to_owned)),
            Some("def" | "class") => names.extend(tokens.next().map(str::to_owned)),
            Some(name) if line.tokens.get(1).is_some_and(|it| it.text == "=") => {
                names.push(name.to_owned());
            }
            _ => {}
        }
    }
    names
}

/// A test function `check(candidate)`, or any other test code.
fn functional(source: &str, setup: &str, entry_point: Option<&str>) -> Code {
    let lined = lines(source);
    if let Some(code) = lined.as_deref().and_then(|it| split(it, source, setup, entry_point)) {
        return code;
    }
    let mut test = source.to_owned();
    let parsed = lined.unwrap_or_default();
    let called = parsed.iter().find(|line| line.indent == 0 && line.starts_with(&["check", "("]));
    let checked = called.and_then(|line| line.tokens.get(2)).map(|token| token.text.to_owned());
    let calls = called.is_some() || parsed.is_empty() && source.contains("\ncheck(");
    let defines = source.lines().any(|line| line.starts_with("def check("));
    if let (false, true, Some(entry)) = (calls, defines, entry_point) {
        test.push_str(&format!("\ncheck({entry})\n"));
    }
    let shares = looks_inside(&test) || looks_inside(setup);
    Code { setup: setup.to_owned(), checked, others: vec![test], shares, ..Code::default() }
}

/// Takes a test function of nothing but assertions apart.
fn split(lines: &[Line<'_>], source: &str, setup: &str, entry_point: Option<&str>) -> Option<Code> {
    let mut code = Code { setup: format!("{setup}\n"), ..Code::default() };
    let mut imported = Vec::new();
    let mut parameter = None;
    let mut entry = None;
    let mut rest = lines.iter().peekable();
    while let Some(line) = rest.next() {
        let first = line.tokens.first()?;
        if line.indent > 0 {
            return None;
        } else if line.starts_with(&["def", "check", "("]) && parameter.is_none() {
            let [_, _, _, name, close, colon] = &line.tokens[..] else { return None };
            if close.text != ")" || colon.text != ":" {
                return None;
            }
            parameter = Some(name.text.to_owned());
            let names = Names {
                known: &|it| it == name.text || imported.iter().any(|one| one == it),
                tested: &|it| it == name.text,
            };
            while let Some(line) = rest.next_if(|line| line.indent > 0) {
                if !ignorable(line) {
                    code.calls.push(call(line, source, &names)?);
                }
            }
        } else if line.starts_with(&["check", "("]) && entry.is_none() {
            let last = line.tokens.len() - 1;
            entry = Some(line.text(source, 2, last).to_owned());
        } else if first.text == "import" || first.text == "from" {
            // `from x import *` brings names that cannot be seen here; then a
            // call that uses one is not followed, and Python judges.
            imported.extend(line.tokens.iter().map(|token| token.text.to_owned()));
            code.setup.push_str(line.text(source, 0, line.tokens.len()));
            code.setup.push('\n');
        } else if !(constant(line, source) || ignorable(line)) {
            return None;
        }
    }
    let entry = entry.or_else(|| entry_point.map(str::to_owned))?;
    code.candidate = Some((parameter?, entry));
    (!code.calls.is_empty()).then_some(code)
}

/// `NAME = literal`, as datasets describe themselves.
fn constant(line: &Line<'_>, source: &str) -> bool {
    line.tokens.len() > 2
        && line.tokens[0].kind == Kind::Name
        && line.tokens[1].text == "="
        && Value::parse(line.text(source, 2, line.tokens.len())).is_some()
}

fn ignorable(line: &Line<'_>) -> bool {
    let text = line.tokens.iter().all(|token| token.kind == Kind::Text);
    text || line.tokens.len() == 1 && line.tokens[0].text == "pass"
}
