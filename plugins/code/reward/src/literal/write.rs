//! Writes a value as a Python literal, for a program to read.

use super::Value;

/// The literal; what [`Value::parse`] makes the same value of.
pub(super) fn literal(value: &Value, out: &mut String) {
    match value {
        Value::None => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(digits) => out.push_str(digits),
        Value::Float(number) if number.is_nan() => out.push_str("nan"),
        Value::Float(number) => out.push_str(&format!("{number:?}")),
        Value::Text(points) => text(points, out),
        Value::Bytes(bytes) => {
            out.push_str("b\"");
            bytes.iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
            out.push('"');
        }
        Value::List(items) => enclosed("[", items, "]", out),
        Value::Tuple(items) => enclosed("(", items, ")", out),
        Value::Set(items) => enclosed("set([", items, "])", out),
        Value::Dict(pairs) => {
            out.push('{');
            for (key, value) in pairs {
                literal(key, out);
                out.push(':');
                literal(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Made(kind, items) => enclosed(&format!("{}(", kind.name()), items, ")", out),
    }
}

fn enclosed(open: &str, items: &[Value], close: &str, out: &mut String) {
    out.push_str(open);
    for item in items {
        literal(item, out);
        out.push(',');
    }
    out.push_str(close);
}

fn text(points: &[u32], out: &mut String) {
    out.push('"');
    for point in points {
        match char::from_u32(*point) {
            Some(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Some(c) if (' '..='~').contains(&c) => out.push(c),
            _ if *point < 256 => out.push_str(&format!("\\x{point:02x}")),
            _ if *point < 0x1_0000 => out.push_str(&format!("\\u{point:04x}")),
            _ => out.push_str(&format!("\\U{point:08x}")),
        }
    }
    out.push('"');
}
