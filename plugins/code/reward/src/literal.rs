//! Python's literals: read, and compared as Python compares them.
//!
//! The values that a program's instance prints and the expected ones of the
//! tests meet here, outside of the instance.

use std::collections::{BTreeMap, BTreeSet};

mod parse;

/// A value of plain data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    /// Decimal digits, with a minus where it is negative; of any size.
    Int(String),
    Float(f64),
    /// Code points, since Python's texts may hold lone surrogates.
    Text(Vec<u32>),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Set(Vec<Value>),
    Dict(Vec<(Value, Value)>),
}

impl Value {
    /// Reads a whole source as a literal.
    pub(crate) fn parse(source: &str) -> Option<Self> {
        parse::whole(source)
    }

    /// Python's `==`.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        use Value::{Bytes, Dict, List, None, Set, Text, Tuple};
        match (self, other) {
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
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }

    /// As a number for comparing with a tolerance.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Bool(value) => Some(f64::from(u8::from(*value))),
            Self::Int(digits) => digits.parse().ok(),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// A number's exact value in one spelling; `nan` is equal to nothing.
    fn number(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(u8::from(*value).to_string()),
            Self::Int(digits) => Some(digits.clone()),
            Self::Float(value) if value.is_nan() => None,
            Self::Float(value) if value.fract() == 0.0 && value.is_finite() => {
                // Rust writes a float's integer part out exactly.
                Some(format!("{:.0}", if *value == 0.0 { 0.0 } else { *value }))
            }
            Self::Float(value) => Some(format!("f{:016x}", value.to_bits())),
            _ => None,
        }
    }

    /// A spelling that equal hashable values share.
    fn key(&self) -> String {
        match self {
            Self::Tuple(items) | Self::Set(items) => {
                let mut keys: Vec<_> = items.iter().map(Self::key).collect();
                let set = matches!(self, Self::Set(_));
                if set {
                    keys.sort();
                    keys.dedup();
                }
                format!("{}{keys:?}", if set { "s" } else { "t" })
            }
            Self::Text(points) => format!("u{points:?}"),
            other => other.number().unwrap_or_else(|| format!("{other:?}")),
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
