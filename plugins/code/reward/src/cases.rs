//! The tests of an item: what is given to the program, and what is expected.

use omni_sdk::reward::{Error, Item, Result};
use serde::Deserialize;

use crate::literal::Value;
use crate::syntax::{Kind, Line, Token, lines};

/// The form of `data`; a row may hold more than this reads.
#[derive(Debug, Default, Deserialize)]
struct Data {
    functional: Option<String>,
    inputs: Option<Vec<String>>,
    outputs: Option<Vec<String>>,
    assertions: Option<Vec<String>>,
    #[serde(default)]
    setup: Option<String>,
    entry_point: Option<String>,
    #[serde(default)]
    preamble: Option<String>,
}

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
    /// Run after the program, in its namespace, before the calls.
    pub(crate) setup: String,
    /// What `candidate` stands for in the calls.
    pub(crate) candidate: Option<(String, String)>,
    /// Expressions whose values are compared here.
    pub(crate) calls: Vec<Call>,
    /// The name that guarded tests hand to `check`.
    pub(crate) checked: Option<String>,
    /// Code that only Python can judge; each is a test.
    pub(crate) guarded: Vec<String>,
}

/// An expression and what its value has to be.
#[derive(Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) expression: String,
    pub(crate) expected: Expected,
}

/// What a value has to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Expected {
    Equal(Value),
    /// The very same of `None`, `True` and `False`.
    Is(Value),
    /// Within a tolerance of a number; `true` if its edge is within too.
    Near(f64, f64, bool),
}

impl Expected {
    pub(crate) fn accepts(&self, value: &Value) -> bool {
        match self {
            Self::Equal(expected) => value.equals(expected),
            Self::Is(expected) => value == expected,
            Self::Near(centre, tolerance, edge) => value.as_f64().is_some_and(|value| {
                let distance = (value - centre).abs();
                distance < *tolerance || *edge && distance == *tolerance
            }),
        }
    }
}

impl Cases {
    /// Reads an item's tests.
    pub(crate) fn read(item: &Item) -> Result<Self> {
        let data: Data = item.data()?;
        let wrong = |what: &str| Err(Error::invalid_input(format!("item `{}`: {what}", item.id)));
        let tests = match (data.functional, data.inputs, data.outputs, data.assertions) {
            (Some(code), None, None, None) => {
                let setup = data.setup.unwrap_or_default();
                Tests::Code(functional(&code, &setup, data.entry_point.as_deref()))
            }
            (None, Some(inputs), Some(outputs), None) => {
                if inputs.is_empty() || inputs.len() != outputs.len() {
                    return wrong(&format!(
                        "`data` has {} inputs and {} outputs",
                        inputs.len(),
                        outputs.len()
                    ));
                }
                Tests::Streams(inputs.into_iter().zip(outputs).collect())
            }
            (None, None, None, Some(assertions)) => {
                if assertions.is_empty() {
                    return wrong("`data.assertions` is empty");
                }
                Tests::Code(listed(&assertions, data.setup.unwrap_or_default()))
            }
            _ => {
                return wrong(
                    "`data` has to hold one of `functional`, `inputs` with `outputs`, `assertions`",
                );
            }
        };
        let preamble = data.preamble.unwrap_or_default();
        Ok(Self { entry_point: data.entry_point, preamble, tests })
    }

    /// How many tests there are.
    pub(crate) fn count(&self) -> usize {
        match &self.tests {
            Tests::Streams(cases) => cases.len(),
            Tests::Code(code) => code.calls.len() + code.guarded.len(),
        }
    }
}

/// A list of assertions: each is one test.
fn listed(assertions: &[String], setup: String) -> Code {
    let mut code = Code { setup, ..Code::default() };
    for source in assertions {
        let call = lines(source).and_then(|lines| match &lines[..] {
            [line] => call(line, source, &|_| true),
            _ => None,
        });
        match call {
            Some(call) => code.calls.push(call),
            None => code.guarded.push(source.clone()),
        }
    }
    code
}

/// A test function `check(candidate)`, or any other test code.
fn functional(source: &str, setup: &str, entry_point: Option<&str>) -> Code {
    if let Some(code) = lines(source).and_then(|lines| split(&lines, source, setup, entry_point)) {
        return code;
    }
    let mut test = format!("{setup}\n{source}\n");
    let parsed = lines(source).unwrap_or_default();
    let called = parsed.iter().find(|line| line.indent == 0 && line.starts_with(&["check", "("]));
    let checked = called.and_then(|line| line.tokens.get(2)).map(|token| token.text.to_owned());
    let calls = called.is_some() || parsed.is_empty() && source.contains("\ncheck(");
    if let (false, Some(entry)) = (calls, entry_point) {
        test.push_str(&format!("check({entry})\n"));
    }
    Code { checked, guarded: vec![test], ..Code::default() }
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
            let known = |token: &Token<'_>| {
                token.text == name.text || imported.contains(&token.text.to_owned())
            };
            while let Some(line) = rest.next_if(|line| line.indent > 0) {
                if !ignorable(line) {
                    code.calls.push(call(line, source, &known)?);
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

/// An assertion as an expression and what its value has to be, where every name
/// in the expression is known.
fn call(line: &Line<'_>, source: &str, known: &dyn Fn(&Token<'_>) -> bool) -> Option<Call> {
    if !line.starts_with(&["assert"]) {
        return None;
    }
    let top = |from: usize, word: &str| {
        let tokens = line.tokens.iter().enumerate().skip(from);
        tokens
            .filter(|(_, token)| token.depth == 0 && token.text == word)
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    let end = top(1, ",").first().copied().unwrap_or(line.tokens.len());
    let top = |word: &str| {
        let mut found = top(1, word);
        found.retain(|at| *at < end);
        found
    };
    let text = |from: usize, to: usize| line.text(source, from, to).to_owned();
    if ["and", "or", "if", "lambda", "in", ":=", "!=", ">", ">="]
        .iter()
        .any(|it| !top(it).is_empty())
    {
        return None;
    }
    if !expression_is_known(&line.tokens[1..end], known) {
        return None;
    }
    let (equal, is, less, at_most) = (top("=="), top("is"), top("<"), top("<="));
    let not = top("not");
    match (&equal[..], &is[..], &less[..], &at_most[..], &not[..]) {
        ([at], [], [], [], []) => {
            let (left, right) = (text(1, *at), text(*at + 1, end));
            match (Value::parse(&left), Value::parse(&right)) {
                (None, Some(value)) => {
                    Some(Call { expression: left, expected: Expected::Equal(value) })
                }
                (Some(value), None) => {
                    Some(Call { expression: right, expected: Expected::Equal(value) })
                }
                _ => None,
            }
        }
        ([], [at], [], [], []) => {
            let value = Value::parse(&text(*at + 1, end))?;
            matches!(value, Value::None | Value::Bool(_))
                .then(|| Call { expression: text(1, *at), expected: Expected::Is(value) })
        }
        ([], [], [at], [], []) | ([], [], [], [at], []) => {
            let tolerance = Value::parse(&text(*at + 1, end))?.as_f64()?;
            let (expression, centre) = distance(line, source, *at)?;
            let expected = Expected::Near(centre, tolerance, less.is_empty());
            Some(Call { expression, expected })
        }
        ([], [], [], [], [1]) => {
            let expression = format!("not ({})", text(2, end));
            Some(Call { expression, expected: Expected::Is(Value::Bool(true)) })
        }
        ([], [], [], [], []) if end > 1 => {
            let expression = format!("not ({})", text(1, end));
            Some(Call { expression, expected: Expected::Is(Value::Bool(false)) })
        }
        _ => None,
    }
}

/// Reads `abs(EXPRESSION - NUMBER)` (or the two the other way round) that ends before `end`.
fn distance(line: &Line<'_>, source: &str, end: usize) -> Option<(String, f64)> {
    let tokens = &line.tokens;
    let whole = tokens.get(1)?.text == "abs"
        && tokens.get(2)?.text == "("
        && tokens.get(end - 1)?.text == ")"
        && tokens[3..end - 1].iter().all(|token| token.depth > 0);
    if !whole {
        return None;
    }
    let minus: Vec<_> =
        (4..end - 1).filter(|at| tokens[*at].depth == 1 && tokens[*at].text == "-").collect();
    let [at] = minus[..] else { return None };
    let (left, right) = (line.text(source, 3, at), line.text(source, at + 1, end - 1));
    // An operator that binds as loosely as the minus would regroup the two sides.
    let plain = |text: &str| {
        let lines = lines(text)?;
        let [line] = &lines[..] else { return None };
        let loose = ["+", "-", "<<", ">>", "&", "|", "^", "if", "or", "and", ","];
        let binds = line.tokens.iter().all(|it| it.depth > 0 || !loose.contains(&it.text));
        binds.then_some(())
    };
    match (Value::parse(left), Value::parse(right)) {
        (None, Some(centre)) => plain(left).and(Some((left.to_owned(), centre.as_f64()?))),
        (Some(centre), None) => plain(right).and(Some((right.to_owned(), centre.as_f64()?))),
        _ => None,
    }
}

const KEYWORDS: [&str; 13] = [
    "for", "in", "if", "else", "lambda", "not", "and", "or", "is", "None", "True", "False", "await",
];

const BUILTINS: [&str; 36] = [
    "abs",
    "all",
    "any",
    "bin",
    "bool",
    "bytes",
    "bytearray",
    "chr",
    "complex",
    "dict",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "frozenset",
    "hex",
    "int",
    "isinstance",
    "iter",
    "len",
    "list",
    "map",
    "max",
    "min",
    "next",
    "oct",
    "ord",
    "pow",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
];

/// Whether every name of an expression means something where it will be run.
fn expression_is_known(tokens: &[Token<'_>], known: &dyn Fn(&Token<'_>) -> bool) -> bool {
    // Names that a comprehension binds.
    let bound: Vec<&str> = tokens
        .iter()
        .enumerate()
        .filter(|(at, token)| {
            let since = tokens[..*at].iter().rposition(|it| it.text == "for" || it.text == "in");
            token.kind == Kind::Name && since.is_some_and(|since| tokens[since].text == "for")
        })
        .map(|(_, token)| token.text)
        .collect();
    tokens.iter().enumerate().all(|(at, token)| {
        let attribute = at > 0 && tokens[at - 1].text == ".";
        let keyword = token.depth > 0 && tokens.get(at + 1).is_some_and(|next| next.text == "=");
        token.kind != Kind::Name
            || attribute
            || keyword
            || KEYWORDS.contains(&token.text)
            || BUILTINS.contains(&token.text)
            || ["tuple", "type", "zip"].contains(&token.text)
            || bound.contains(&token.text)
            || known(token)
    })
}
