//! LiveCodeBench's tests, which lie in two columns and three encodings.
//!
//! Public tests are JSON. Private ones are JSON too, or JSON pickled as one text, deflated and
//! written in base64; nothing but one text is ever unpickled. Tests of standard input become
//! `inputs` and `outputs`, those of a method assertions on it.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::expression::{Raw, kind};

/// The columns read.
pub(crate) const COLUMNS: [&str; 4] =
    ["public_test_cases", "private_test_cases", "metadata", "starter_code"];

/// What one row's tests may come to when they are inflated.
const MAX_BYTES: u64 = 256 << 20;

/// What solutions may take for granted, as on the site that the methods' problems come from.
const PREAMBLE: &str = "import collections, functools, heapq, itertools, math, re, string\n\
    from bisect import *\nfrom collections import *\nfrom functools import *\n\
    from heapq import *\nfrom itertools import *\nfrom math import *\nfrom typing import *\n\
    from builtins import *\n";

/// An item's `data`: every test of the row.
pub(crate) fn tests(row: &Raw) -> Result<Value, String> {
    let mut cases = Vec::new();
    for column in &COLUMNS[..2] {
        match row.get(*column) {
            None | Some(Value::Null) => {}
            Some(value) => {
                let more = list(value).map_err(|error| format!("`{column}` {error}"))?;
                cases.extend(more);
            }
        }
    }
    if cases.is_empty() {
        return Err("there are no tests".to_owned());
    }
    let field = |case: &Value, name: &str| {
        let found = case.get(name).and_then(Value::as_str).map(str::to_owned);
        found.ok_or_else(|| format!("a test has no text `{name}`"))
    };
    let functional =
        cases.iter().any(|case| case.get("testtype").and_then(Value::as_str) == Some("functional"));
    if !functional {
        let inputs: Result<Vec<String>, _> = cases.iter().map(|it| field(it, "input")).collect();
        let outputs: Result<Vec<String>, _> = cases.iter().map(|it| field(it, "output")).collect();
        return Ok(json!({"inputs": inputs?, "outputs": outputs?}));
    }
    let name = function_name(row)?;
    let starter = row.get("starter_code").and_then(Value::as_str).unwrap_or_default();
    let callee =
        if starter.contains("class Solution") { format!("Solution().{name}") } else { name };
    let mut assertions = Vec::with_capacity(cases.len());
    for case in &cases {
        let (input, output) = (field(case, "input")?, field(case, "output")?);
        let arguments: Result<Vec<String>, String> = input
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| literal(line, "input"))
            .collect();
        let expected = literal(&output, "output")?;
        assertions.push(format!("assert {callee}({}) == {expected}", arguments?.join(", ")));
    }
    Ok(json!({"assertions": assertions, "preamble": PREAMBLE}))
}

/// The method's name, from the metadata.
fn function_name(row: &Raw) -> Result<String, String> {
    let metadata = match row.get("metadata") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    let name = metadata.get("func_name").and_then(Value::as_str).unwrap_or_default();
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if name.is_empty() || !plain {
        return Err("`metadata` names no function, `func_name`, for its tests to call".to_owned());
    }
    Ok(name.to_owned())
}

/// A list of tests in any of its encodings.
fn list(value: &Value) -> Result<Vec<Value>, String> {
    let decoded = match value {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(decoded) => decoded,
            Err(_) => serde_json::from_str(&unpacked(text)?)
                .map_err(|error| format!("holds no JSON: {error}"))?,
        },
        other => other.clone(),
    };
    match decoded {
        Value::Array(cases) => Ok(cases),
        other => Err(format!("is {}, not a list", kind(&other))),
    }
}

/// The text in base64(zlib(pickle(text))).
fn unpacked(text: &str) -> Result<String, String> {
    let bytes = base64(text).ok_or_else(|| "is neither JSON nor base64".to_owned())?;
    let mut pickle = Vec::new();
    flate2::read::ZlibDecoder::new(bytes.as_slice())
        .take(MAX_BYTES + 1)
        .read_to_end(&mut pickle)
        .map_err(|error| format!("cannot be inflated: {error}"))?;
    if pickle.len() as u64 > MAX_BYTES {
        return Err(format!("inflates to more than {} MiB", MAX_BYTES >> 20));
    }
    let text = pickled_text(&pickle).ok_or_else(|| "holds a pickle of no text".to_owned())?;
    String::from_utf8(text.to_vec()).map_err(|error| format!("is not UTF-8: {error}"))
}

/// The one text of a pickle of protocol 2 to 5.
fn pickled_text(mut pickle: &[u8]) -> Option<&[u8]> {
    loop {
        let (operation, rest) = pickle.split_first()?;
        let width = match operation {
            // PROTO with its number, FRAME with its length.
            0x80 => {
                pickle = rest.get(1..)?;
                continue;
            }
            0x95 => {
                pickle = rest.get(8..)?;
                continue;
            }
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8: length in little endian, then the text.
            0x8c => 1,
            b'X' => 4,
            0x8d => 8,
            _ => return None,
        };
        let (length, rest) = rest.split_at_checked(width)?;
        let length = length.iter().rev().fold(0_u64, |all, byte| (all << 8) | u64::from(*byte));
        return rest.get(..usize::try_from(length).ok()?);
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.trim().trim_end_matches('=').bytes() {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\n' | b'\r' => continue,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

/// A JSON text as Python writes the same value.
fn literal(text: &str, what: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(text.trim())
        .map_err(|error| format!("a test's {what} is not JSON: {error}"))?;
    Ok(python(&value))
}

fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        // JSON's escapes are Python's too, but for surrogate pairs, which serde_json never writes.
        Value::Number(_) | Value::String(_) => value.to_string(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let pair = |(key, value): (&String, &Value)| {
                format!("{}: {}", Value::from(key.as_str()), python(value))
            };
            format!("{{{}}}", fields.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn row(value: Value) -> Raw {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn standard_input_of_both_columns() {
        // Packed by Python: b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).
        let packed = "eJxrYJlqxwABPVbR1UqZeQWlJUpWCkpGCkYxeUo6Ckr5pSVQIROIQElqcUlJZUEqSKi4JCUzT6k2dooe\
                      ALF3FJ8=";
        let unpacked = list(&json!(packed)).unwrap();
        assert_eq!(unpacked[0]["output"], "4\n");
        assert!(list(&json!(&packed[4..])).is_err(), "a damaged stream is said");
        let cases = r#"[{"input": "2 2\n", "output": "4\n", "testtype": "stdin"}]"#;
        let row = row(json!({
            "public_test_cases": r#"[{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]"#,
            "private_test_cases": pack(cases, 4),
            "metadata": "{}",
            "starter_code": "",
        }));
        let expected = json!({"inputs": ["1 2\n", "2 2\n"], "outputs": ["3\n", "4\n"]});
        assert_eq!(super::tests(&row), Ok(expected));
    }

    #[test]
    fn methods_become_assertions() {
        let case =
            json!({"input": "[1, null]\n\"a\"\n", "output": "true", "testtype": "functional"});
        let mut row = row(json!({
            "public_test_cases": [case],
            "private_test_cases": null,
            "metadata": r#"{"func_name": "solve"}"#,
            "starter_code": "class Solution:\n    def solve(self, xs, s):\n        ",
        }));
        let made = super::tests(&row).unwrap();
        assert_eq!(
            made["assertions"],
            json!(["assert Solution().solve([1, None], \"a\") == True"])
        );
        row.insert("metadata".into(), json!(r#"{"func_name": "x(); import os"}"#));
        assert!(super::tests(&row).is_err());
        row.insert("public_test_cases".into(), json!("[]"));
        assert_eq!(super::tests(&row), Err("there are no tests".to_owned()));
    }

    #[test]
    fn only_texts_are_unpickled_and_bombs_are_not_inflated() {
        assert_eq!(pickled_text(b"\x80\x04\x95\x05\0\0\0\0\0\0\0\x8c\x01a\x94."), Some(&b"a"[..]));
        assert_eq!(pickled_text(b"\x80\x02X\x02\0\0\0ab."), Some(&b"ab"[..]));
        assert_eq!(pickled_text(b"\x80\x04cos\nsystem\n."), None);
        assert_eq!(pickled_text(b"\x80\x04X\xff\xff\xff\xffab."), None);
        assert_eq!(pickled_text(b"\x8d\xff"), None);
        let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![0_u8; 1 << 20];
        for _ in 0..257 {
            bomb.write_all(&zeros).unwrap();
        }
        let error = unpacked(&encode(&bomb.finish().unwrap())).unwrap_err();
        assert!(error.contains("more than 256 MiB"), "{error}");
    }

    /// As Python packs it, by hand.
    fn pack(text: &str, protocol: u8) -> String {
        let mut pickle = vec![0x80, protocol, b'X'];
        pickle.extend((text.len() as u32).to_le_bytes());
        pickle.extend(text.as_bytes());
        pickle.push(b'.');
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&pickle).unwrap();
        encode(&zlib.finish().unwrap())
    }

    fn encode(bytes: &[u8]) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for piece in bytes.chunks(3) {
            let bits = piece.iter().fold(0_u32, |all, byte| (all << 8) | u32::from(*byte))
                << (8 * (3 - piece.len()));
            for place in 0..=piece.len() {
                text.push(DIGITS[(bits >> (18 - 6 * place)) as usize & 63] as char);
            }
        }
        while !text.len().is_multiple_of(4) {
            text.push('=');
        }
        text
    }
}
