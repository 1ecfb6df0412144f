//! Takes an assertion apart: an expression for the program's instance, and what its value has to
//! be, for here.
//!
//! The expression may be seen by the program; the expected value never is. So where the value is
//! one that anybody would guess (`True`, `False`, `None`), the expression has to be a call of what
//! is tested and nothing around it that the program could replace: `isinstance(f(1), list)` is
//! left to Python, in an instance that the program is not in.

use crate::literal::Value;
use crate::syntax::{Kind, Line, Token, lines};

/// An expression and what its value has to be.
#[derive(Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) expression: String,
    pub(crate) expected: Expected,
}

/// What the names of an assertion stand for.
pub(crate) struct Names<'a> {
    /// Whether a name means something in the program's instance.
    pub(crate) known: &'a dyn Fn(&str) -> bool,
    /// Whether a name is what is tested.
    pub(crate) tested: &'a dyn Fn(&str) -> bool,
}

/// What a value has to be.
#[derive(Debug, PartialEq)]
pub(crate) enum Expected {
    /// Equal by Python's `==`.
    Equal(Value),
    /// The very same of `None`, `True` and `False`.
    Is(Value),
    /// Or what JSON makes of one of these.
    Resembles(Vec<Value>),
    /// Something that is true, or not.
    Truth(bool),
    /// Within a tolerance of a number; `true` if its edge is within too.
    Near(f64, f64, bool),
}

impl Expected {
    pub(crate) fn accepts(&self, value: &Value) -> bool {
        match self {
            Self::Equal(expected) => value.equals(expected),
            Self::Is(expected) => value == expected,
            Self::Resembles(any) => any.iter().any(|expected| value.resembles(expected)),
            Self::Truth(expected) => value.truth() == *expected,
            Self::Near(centre, tolerance, edge) => value.as_f64().is_some_and(|value| {
                let distance = (value - centre).abs();
                distance < *tolerance || *edge && distance == *tolerance
            }),
        }
    }
}

/// An assertion as an expression and what its value has to be, where every name in the expression
/// is known.
pub(crate) fn call(line: &Line<'_>, source: &str, names: &Names<'_>) -> Option<Call> {
    if !line.starts_with(&["assert"]) {
        return None;
    }
    let top = |word: &str| {
        let tokens = line.tokens.iter().enumerate().skip(1);
        tokens
            .filter(|(_, token)| token.depth == 0 && token.text == word)
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    let end = top(",").first().copied().unwrap_or(line.tokens.len());
    let top = |word: &str| {
        let mut found = top(word);
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
    if !expression_is_known(&line.tokens[1..end], names) {
        return None;
    }
    let direct = |from: usize, to: usize| tested(&line.tokens[from..to], names);
    let (equal, is, less, at_most) = (top("=="), top("is"), top("<"), top("<="));
    let not = top("not");
    match (&equal[..], &is[..], &less[..], &at_most[..], &not[..]) {
        ([at], [], [], [], []) => {
            let sides = [(1, *at), (*at + 1, end)].map(|(from, to)| (from, to, text(from, to)));
            let [(_, _, left), (_, _, right)] = &sides;
            let (from, to, expression, value) = match (Value::parse(left), Value::parse(right)) {
                (None, Some(value)) => (sides[0].0, sides[0].1, left, value),
                (Some(value), None) => (sides[1].0, sides[1].1, right, value),
                _ => return None,
            };
            let guessed = matches!(value, Value::None | Value::Bool(_));
            if !direct(from, to) && (guessed || decides(&line.tokens[from..to])) {
                return None;
            }
            Some(Call { expression: expression.clone(), expected: Expected::Equal(value) })
        }
        ([], [at], [], [], []) if direct(1, *at) => {
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
        ([], [], [], [], [1]) if direct(2, end) => {
            Some(Call { expression: text(2, end), expected: Expected::Truth(false) })
        }
        ([], [], [], [], []) if direct(1, end) => {
            Some(Call { expression: text(1, end), expected: Expected::Truth(true) })
        }
        _ => None,
    }
}

/// Whether this is a call of what is tested, and nothing around it.
fn tested(tokens: &[Token<'_>], names: &Names<'_>) -> bool {
    let Some((first, rest)) = tokens.split_first() else { return false };
    if first.kind != Kind::Name || !(names.tested)(first.text) {
        return false;
    }
    let path = rest
        .chunks(2)
        .take_while(|two| matches!(two, [dot, name] if dot.text == "." && name.kind == Kind::Name));
    let Some((open, rest)) = rest[path.count() * 2..].split_first() else { return false };
    let Some((close, inner)) = rest.split_last() else { return false };
    let outer = open.depth;
    open.text == "(" && close.text == ")" && inner.iter().all(|token| token.depth > outer)
}

/// Whether an expression compares or decides something inside, so that an object that is equal to
/// everything would make its value the right one.
fn decides(tokens: &[Token<'_>]) -> bool {
    let count = |word: &str| tokens.iter().filter(|token| token.text == word).count();
    let words = [
        "==",
        "!=",
        "<",
        ">",
        "<=",
        ">=",
        "is",
        "not",
        "and",
        "or",
        "if",
        "all",
        "any",
        "bool",
        "isinstance",
        "lambda",
        "filter",
    ];
    words.iter().any(|word| count(word) > 0) || count("in") > count("for")
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

const BUILTINS: [&str; 39] = [
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
    "tuple",
    "type",
    "zip",
];

/// Whether a name is one of the built-in functions that assertions use.
pub(crate) fn is_builtin(name: &str) -> bool {
    BUILTINS.contains(&name)
}

/// Whether every name of an expression means something where it will be run.
fn expression_is_known(tokens: &[Token<'_>], names: &Names<'_>) -> bool {
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
            || is_builtin(token.text)
            || bound.contains(&token.text)
            || (names.known)(token.text)
    })
}
