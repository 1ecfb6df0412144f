//! Words of command lines, and values as TOML has them within a line.

use crate::step::{Place, Word};

/// Every order of so many tasks, those with common beginnings beside each other.
pub(crate) fn permutations(size: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for _ in 0..size {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                let left: Vec<usize> = (0..size).filter(|task| !order.contains(task)).collect();
                left.into_iter().map(move |task| [order.as_slice(), &[task]].concat())
            })
            .collect();
    }
    orders
}

pub(super) fn plain(word: &str) -> Word {
    Word::Plain(word.to_owned())
}

pub(super) fn folder(id: &str) -> Word {
    Word::Path { before: String::new(), place: Place::Folder(id.into()) }
}

pub(super) fn run_file() -> Word {
    folder("run.toml")
}

pub(super) fn set(setting: &str) -> [Word; 2] {
    [plain("--set"), plain(setting)]
}

/// A TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

pub(super) fn list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("[{}]", names.join(", "))
}

/// A JSON value as TOML writes it within a line; nulls are left out.
pub(super) fn inline(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(values) => {
            let values: Vec<String> =
                values.iter().filter(|value| !value.is_null()).map(inline).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(map) => {
            let entries = map.iter().filter(|(_, value)| !value.is_null());
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("{} = {}", quoted(key), inline(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}
