//! Python's literals: read, and compared as Python compares them.
//!
//! The values that a program's instance prints and the expected ones of the
//! tests meet here, outside of the instance.

use std::collections::{BTreeMap, BTreeSet};

mod number;
mod parse;
mod write;

use number::Number;

/// A value of plain data.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// Decimal digits, with a minus where it is negative; of any size.
    Int(String),
    /// With `inf` and `nan`.
    Float(f64),
    /// Code points, since Python's texts may hold lone surrogates.
    Text(Vec<u32>),
    /// `b"…"`
    Bytes(Vec<u8>),
    /// `[…]`
    List(Vec<Value>),
    /// `(…)`
    Tuple(Vec<Value>),
    /// `{…}`, in the order that it was written in.
    Set(Vec<Value>),
    /// `{…: …}`, in the order that it was written in.
    Dict(Vec<(Value, Value)>),
    /// One of the standard library's values, by what it is made with.
    Made(Kind, Vec<Value>),
}

/// What else counts as plain data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `complex(real, imaginary)`
    Complex,
    /// `range(start, stop, step)`
    Range,
    /// `deque([…])`
    Deque,
    /// `Counter({…})`
    Counter,
    /// `OrderedDict({…})`
    OrderedDict,
    /// `defaultdict({…})`, without its factory
    DefaultDict,
    /// `frozenset([…])`
    FrozenSet,
    /// `bytearray(b"…")`
    ByteArray,
    /// `Fraction(numerator, denominator)`
    Fraction,
    /// `Decimal("…")`
    Decimal,
    /// `datetime(year, month, day, hour, minute, second, microsecond)`
    DateTime,
    /// `date(year, month, day)`
    Date,
    /// `time(hour, minute, second, microsecond)`
    Time,
    /// `timedelta(days, seconds, microseconds)`
    TimeDelta,
}

impl Kind {
    const ALL: [Self; 14] = [
        Self::Complex,
        Self::Range,
        Self::Deque,
        Self::Counter,
        Self::OrderedDict,
        Self::DefaultDict,
        Self::FrozenSet,
        Self::ByteArray,
        Self::Fraction,
        Self::Decimal,
        Self::DateTime,
        Self::Date,
        Self::Time,
        Self::TimeDelta,
    ];

    /// What it is called where it is made.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Complex => "complex",
            Self::Range => "range",
            Self::Deque => "deque",
            Self::Counter => "Counter",
            Self::OrderedDict => "OrderedDict",
            Self::DefaultDict => "defaultdict",
            Self::FrozenSet => "frozenset",
            Self::ByteArray => "bytearray",
            Self::Fraction => "Fraction",
            Self::Decimal => "Decimal",
            Self::DateTime => "datetime",
            Self::Date => "date",
            Self::Time => "time",
            Self::TimeDelta => "timedelta",
        }
    }
}

impl Value {
    /// Reads a whole source as a literal.
    pub fn parse(source: &str) -> Option<Self> {
        parse::whole(source)
    }

    /// The value as a literal.
    pub fn literal(&self) -> String {
        let mut out = String::new();
        write::literal(self, &mut out);
        out
    }

    /// A value of JSON, as Python reads it.
    pub(crate) fn of_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::None,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => {
                let text = number.to_string();
                Self::parse(&text).unwrap_or(Self::Float(number.as_f64().unwrap_or(f64::NAN)))
            }
            serde_json::Value::String(text) => Self::Text(text.chars().map(u32::from).collect()),
            serde_json::Value::Array(items) => {
                Self::List(items.iter().map(Self::of_json).collect())
            }
            serde_json::Value::Object(pairs) => {
                let key = |key: &str| Self::Text(key.chars().map(u32::from).collect());
                Self::Dict(pairs.iter().map(|(k, v)| (key(k), Self::of_json(v))).collect())
            }
        }
    }

    /// What it is compared as: subclasses compare as their bases do.
    fn base(&self) -> &Self {
        match self {
            Self::Made(
                Kind::Counter
                | Kind::OrderedDict
                | Kind::DefaultDict
                | Kind::FrozenSet
                | Kind::ByteArray,
                inner,
            ) => inner.first().unwrap_or(self),
            _ => self,
        }
    }

    /// Python's `bool()`.
    pub(crate) fn truth(&self) -> bool {
        match self.base() {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(digits) => digits != "0",
            Self::Float(number) => *number != 0.0,
            Self::Text(points) => !points.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => !items.is_empty(),
            Self::Dict(pairs) => !pairs.is_empty(),
            Self::Made(Kind::Deque, items) => items.first().is_some_and(Self::truth),
            Self::Made(..) => Number::of(self).is_none_or(|number| !number.is_zero()),
        }
    }

    /// Equal as judges of programming contests compare values that went through JSON: tuples are
    /// lists, and a number with a fraction is equal within 1e-5 of itself or absolutely.
    pub(crate) fn resembles(&self, expected: &Self) -> bool {
        match (self.base(), expected.base()) {
            (Self::List(a) | Self::Tuple(a), Self::List(b) | Self::Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.resembles(b))
            }
            (value, Self::Float(expected)) if expected.is_finite() => value
                .as_f64()
                .is_some_and(|value| (value - expected).abs() <= 1e-5 * expected.abs().max(1.0)),
            (Self::Dict(a), Self::Dict(b)) => {
                a.len() == b.len()
                    && b.iter().all(|(key, expected)| {
                        // JSON's keys are texts.
                        let same = |it: &Self| match (it, key) {
                            (Self::Int(digits), Self::Text(points)) => {
                                digits.chars().map(u32::from).eq(points.iter().copied())
                            }
                            _ => it.equals(key),
                        };
                        a.iter().any(|(it, value)| same(it) && value.resembles(expected))
                    })
            }
            (a, b) => a.equals(b),
        }
    }

    /// Python's `==`.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        use Value::{Bytes, Dict, List, Made, None, Set, Text, Tuple};
        match (self.base(), other.base()) {
            (Made(a, x), Made(b, y)) if a == b && !matches!(a, Kind::Fraction | Kind::Decimal) => {
                x.len() == y.len() && x.iter().zip(y).all(|(a, b)| a.equals(b))
            }
            (None, None) => true,
            (Text(a), Text(b)) => a == b,
            (Bytes(a), Bytes(b)) => a == b,
            (List(a), List(b)) | (Tuple(a), Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
            }
            (Set(a), Set(b)) => {
                let keys = |of: &[Self]| of.iter().map(Self::key).collect::<BTreeSet<_>>();
                keys(a) == keys(b)
            }
            (Dict(a), Dict(b)) => {
                // Of equal keys the last counts.
                let map = |of: &[(Self, Self)]| -> BTreeMap<String, Self> {
                    of.iter().map(|(key, value)| (key.key(), value.clone())).collect()
                };
                let (a, b) = (map(a), map(b));
                a.len() == b.len()
                    && a.iter().all(|(key, value)| b.get(key).is_some_and(|it| it.equals(value)))
            }
            (a, b) => match (Number::of(a), Number::of(b)) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }

    /// A text, where it is one that Rust can hold.
    pub(crate) fn as_text(&self) -> Option<String> {
        match self {
            Self::Text(points) => points.iter().map(|point| char::from_u32(*point)).collect(),
            _ => None,
        }
    }

    /// As a number for comparing with a tolerance.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Int(digits) => digits.parse().ok(),
            Self::Float(value) => Some(*value),
            Self::Made(Kind::Fraction, parts) => match &parts[..] {
                [over, under] => Some(over.as_f64()? / under.as_f64()?),
                _ => None,
            },
            Self::Made(Kind::Decimal, parts) => match &parts[..] {
                [Self::Text(points)] => {
                    let text: String = points.iter().filter_map(|it| char::from_u32(*it)).collect();
                    text.parse().ok()
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A spelling that equal hashable values share.
    fn key(&self) -> String {
        match self.base() {
            Self::Tuple(items) | Self::Set(items) => {
                let mut keys: Vec<_> = items.iter().map(Self::key).collect();
                let set = matches!(self.base(), Self::Set(_));
                if set {
                    keys.sort();
                    keys.dedup();
                }
                format!("{}{keys:?}", if set { "s" } else { "t" })
            }
            Self::Text(points) => format!("u{points:?}"),
            other => Number::of(other).map_or_else(|| format!("{other:?}"), Number::key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(a: &str, b: &str) -> bool {
        let read = |text| Value::parse(text).unwrap_or_else(|| panic!("{text} is no literal"));
        read(a).equals(&read(b))
    }

    #[test]
    fn equality_is_python_s() {
        for (a, b) in [
            ("1", "1.0"),
            ("True", "1"),
            ("0", "-0.0"),
            ("[1, 2.0]", "[1.0, 2]"),
            ("(1,)", "(1,)"),
            ("1, 2", "(1, 2)"),
            ("(1)", "1"),
            ("{1, 2}", "{2, 1, 1.0}"),
            ("{'a': 1, 'b': [2]}", "{'b': [2], 'a': True}"),
            ("'a\\n\\x41\\u00e9' 'b'", "'''a\nA\u{e9}b'''"),
            ("b'a\\x00'", "b\"a\" b'\\0'"),
            ("r'\\d'", "'\\\\d'"),
            ("set()", "set([])"),
            ("100000000000000000000", "1e20"),
            ("-5", "- 5"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("float('inf')", "inf"),
            ("[]", "[ # nothing\n]"),
            ("{(1, 'a'): 2}", "{(1.0, 'a'): 2}"),
        ] {
            assert!(equal(a, b), "{a} == {b}");
        }
        for (a, b) in [
            ("[1]", "(1,)"),
            ("1", "'1'"),
            ("None", "False"),
            ("nan", "nan"),
            ("'a'", "b'a'"),
            ("100000000000000000001", "1e20"),
            ("{1}", "{1: 1}"),
            ("0.1", "0.2"),
            ("[1, 2]", "[2, 1]"),
            ("{}", "set()"),
            ("{'a': 1}", "{'a': 2}"),
            ("inf", "-inf"),
        ] {
            assert!(!equal(a, b), "{a} != {b}");
        }
    }

    #[test]
    fn what_is_no_literal_is_not_read() {
        for text in ["f(1)", "1 + 1", "[x]", "f'a'", "", "[1", "'a", "1j", "a.b", "{1: }", "(,)"] {
            assert_eq!(Value::parse(text), None, "{text}");
        }
        assert_eq!(Value::parse(&"[".repeat(10_000)), None);
    }
}
