//! What a mapping says of a column: where in a row its value lies, and what is made of it.
//!
//! ```text
//! "question"                           a column
//! "extra_info.index"                   a field of a struct; a number takes a list's item
//! "answer|after:####|trim"             transforms, from left to right
//! "starter_code?"                      may be absent; anything else that is makes a misfit
//! ["problem", "question"]              the first that is there and not empty
//! { value = 3 }                        the same for every row
//! { join = ["dataset", "idx"], with = "-" }   texts one after the other
//! { template = "{{ Body }} {{ Question }}" }  a prompt template over the row's columns
//! ```

use std::collections::BTreeSet;
use std::path::Path;

use omni_pack::Template;
use serde_json::{Map, Value};

use crate::error::DataError;
use crate::transform::Transform;

/// A row as it was read.
pub(crate) type Raw = Map<String, Value>;

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Path { path: Vec<String>, transforms: Vec<Transform>, optional: bool },
    First(Vec<Expression>),
    Constant(Value),
    Join { parts: Vec<Expression>, with: String },
    Template(Box<Template>),
}

/// Why a row has no such value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It may be so: the expression is optional.
    Allowed,
    /// The row does not fit.
    Misfit(String),
}

impl Expression {
    /// Reads what a mapping says; `key` is for messages.
    pub(crate) fn read(key: &str, value: &Value) -> Result<Self, DataError> {
        match value {
            Value::String(text) => Self::path(key, text),
            Value::Array(choices) if !choices.is_empty() => {
                let choices: Result<_, _> = choices.iter().map(|it| Self::read(key, it)).collect();
                Ok(Self::First(choices?))
            }
            Value::Object(table) => Self::table(key, table),
            _ => Err(DataError::setting(key, FORMS)),
        }
    }

    fn path(key: &str, text: &str) -> Result<Self, DataError> {
        let mut parts = text.split('|');
        let path = parts.next().unwrap_or_default().trim();
        let (path, optional) = path.strip_suffix('?').map_or((path, false), |path| (path, true));
        if path.is_empty() {
            return Err(DataError::setting(key, format!("`{text}` names no column; {FORMS}")));
        }
        let path = path.split('.').map(str::to_owned).collect();
        let transforms: Result<_, _> = parts
            .map(|part| Transform::read(part).map_err(|message| DataError::setting(key, message)))
            .collect();
        Ok(Self::Path { path, transforms: transforms?, optional })
    }

    fn table(key: &str, table: &Map<String, Value>) -> Result<Self, DataError> {
        let only = |known: &[&str]| table.keys().all(|name| known.contains(&name.as_str()));
        if let Some(value) = table.get("value").filter(|_| only(&["value"])) {
            return Ok(Self::Constant(value.clone()));
        }
        if let Some(Value::String(text)) = table.get("template").filter(|_| only(&["template"])) {
            let template = Template::parse(Path::new(key), text)
                .map_err(|error| DataError::setting(key, error.to_string()))?;
            return Ok(Self::Template(Box::new(template)));
        }
        if let Some(Value::Array(parts)) = table.get("join").filter(|_| only(&["join", "with"])) {
            let parts: Result<_, _> = parts.iter().map(|it| Self::read(key, it)).collect();
            let with = match table.get("with") {
                None => " ".to_owned(),
                Some(Value::String(with)) => with.clone(),
                Some(_) => return Err(DataError::setting(key, "`with` wants a text")),
            };
            return Ok(Self::Join { parts: parts?, with });
        }
        Err(DataError::setting(key, FORMS))
    }

    /// The value in a row.
    pub(crate) fn of(&self, row: &Raw) -> Result<Value, Absent> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Path { path, transforms, optional } => {
                let found = at(row, path).and_then(|value| match value {
                    Value::Null => Err(format!("`{}` is null", path.join("."))),
                    value => Ok(value.clone()),
                });
                let mut value = match found {
                    Err(_) if *optional => return Err(Absent::Allowed),
                    found => found.map_err(Absent::Misfit)?,
                };
                for transform in transforms {
                    value = transform.apply(value, row).map_err(|message| {
                        Absent::Misfit(format!("`{}`: {message}", path.join(".")))
                    })?;
                }
                match value {
                    Value::Null if *optional => Err(Absent::Allowed),
                    Value::Null => Err(Absent::Misfit(format!("`{}` is null", path.join(".")))),
                    value => Ok(value),
                }
            }
            Self::First(choices) => {
                let mut first = None;
                for choice in choices {
                    match choice.of(row) {
                        Ok(value) if !is_empty(&value) => return Ok(value),
                        Ok(_) if matches!(choice, Self::Path { optional: true, .. }) => {
                            first = Some(Absent::Allowed);
                        }
                        Ok(_) => {
                            first.get_or_insert(Absent::Misfit("is empty".to_owned()));
                        }
                        Err(absent) => {
                            // That it may be absent outweighs why the others are.
                            if absent == Absent::Allowed {
                                first = Some(absent);
                            } else {
                                first.get_or_insert(absent);
                            }
                        }
                    }
                }
                Err(first.unwrap_or(Absent::Allowed))
            }
            Self::Join { parts, with } => {
                let mut texts = Vec::with_capacity(parts.len());
                for part in parts {
                    match part.of(row) {
                        Ok(value) => texts.push(text(&value).map_err(Absent::Misfit)?),
                        Err(Absent::Allowed) => {}
                        Err(misfit) => return Err(misfit),
                    }
                }
                if texts.is_empty() { Err(Absent::Allowed) } else { Ok(texts.join(with).into()) }
            }
            Self::Template(template) => {
                let messages = template
                    .render(&Value::Object(row.clone()))
                    .map_err(|error| Absent::Misfit(error.to_string()))?;
                match messages.as_slice() {
                    [one] if one.role == "user" => Ok(one.content.clone().into()),
                    _ => serde_json::to_value(messages)
                        .map_err(|error| Absent::Misfit(error.to_string())),
                }
            }
        }
    }

    /// Adds the columns that it reads.
    pub(crate) fn columns(&self, into: &mut BTreeSet<String>) {
        match self {
            Self::Constant(_) => {}
            Self::Path { path, transforms, .. } => {
                into.extend(path.first().cloned());
                for transform in transforms {
                    into.extend(transform.columns().into_iter().map(str::to_owned));
                }
            }
            Self::First(parts) | Self::Join { parts, .. } => {
                for part in parts {
                    part.columns(into);
                }
            }
            Self::Template(template) => into.extend(template.variables()),
        }
    }
}

const FORMS: &str = "wants a column (\"a.b|transform\"), a list of them to try in turn, or one of \
                     { value = … }, { join = [ … ], with = \"…\" }, { template = \"…\" }";

/// The value at a path; a number takes a list's item.
pub(crate) fn at<'r>(row: &'r Raw, path: &[String]) -> Result<&'r Value, String> {
    let Some((first, rest)) = path.split_first() else {
        return Err("names no column".to_owned());
    };
    let mut here = row.get(first).ok_or_else(|| format!("no column `{first}`"))?;
    for (depth, step) in rest.iter().enumerate() {
        let so_far = || path[..=depth].join(".");
        here = match here {
            Value::Object(fields) => {
                fields.get(step).ok_or_else(|| format!("`{}` has no `{step}`", so_far()))?
            }
            Value::Array(items) => {
                step.parse::<usize>().ok().and_then(|index| items.get(index)).ok_or_else(|| {
                    format!("`{}`, a list of {}, has no item {step}", so_far(), items.len())
                })?
            }
            Value::Null => return Err(format!("`{}` is null", so_far())),
            other => return Err(format!("`{}` is {}, not a struct", so_far(), kind(other))),
        };
    }
    Ok(here)
}

/// A value as text: texts as they are, numbers without a needless `.0`.
pub(crate) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number_text(number)),
        other => Err(format!("is {}, not a text", kind(other))),
    }
}

fn number_text(number: &serde_json::Number) -> String {
    let text = number.to_string();
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// What a value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a struct",
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(expression: Value, row: Value) -> Result<Value, Absent> {
        let expression = Expression::read("columns.x", &expression).unwrap();
        expression.of(row.as_object().unwrap())
    }

    fn misfit(text: &str) -> Result<Value, Absent> {
        Err(Absent::Misfit(text.to_owned()))
    }

    #[test]
    fn paths_lead_through_structs_and_lists() {
        let row = json!({"a": {"b": [{"c": 1}, null]}, "n": null, "t": "x"});
        assert_eq!(of(json!("a.b.0.c"), row.clone()), Ok(json!(1)));
        assert_eq!(of(json!("a.b.1"), row.clone()), misfit("`a.b.1` is null"));
        assert_eq!(of(json!("a.b.1.c"), row.clone()), misfit("`a.b.1` is null"));
        assert_eq!(of(json!("a.b.7"), row.clone()), misfit("`a.b`, a list of 2, has no item 7"));
        assert_eq!(of(json!("a.z"), row.clone()), misfit("`a` has no `z`"));
        assert_eq!(of(json!("t.z"), row.clone()), misfit("`t` is a text, not a struct"));
        assert_eq!(of(json!("z"), row.clone()), misfit("no column `z`"));
        assert_eq!(of(json!("z?"), row.clone()), Err(Absent::Allowed));
        assert_eq!(of(json!("n?"), row), Err(Absent::Allowed));
    }

    #[test]
    fn the_first_that_is_there_is_taken() {
        let row = json!({"empty": " ", "none": [], "b": "second"});
        assert_eq!(of(json!(["a", "empty", "none", "b"]), row.clone()), Ok(json!("second")));
        assert_eq!(of(json!(["a", "c"]), row.clone()), misfit("no column `a`"));
        assert_eq!(of(json!(["a", "c?"]), row), Err(Absent::Allowed));
    }

    #[test]
    fn parts_are_joined_and_constants_are_constant() {
        let row = json!({"name": "gcd", "at": {"index": 7.0}});
        let join = json!({"join": ["name", "at.index", "no?"], "with": "-"});
        assert_eq!(of(join, row.clone()), Ok(json!("gcd-7")));
        assert_eq!(of(json!({"value": [1]}), row.clone()), Ok(json!([1])));
        let template = json!({"template": "{{ name }}({{ at.index }})"});
        assert_eq!(of(template, row), Ok(json!("gcd(7.0)")));
    }

    #[test]
    fn what_is_no_expression_is_said_with_its_key() {
        for wrong in [json!(3), json!([]), json!({"valu": 1}), json!(""), json!("|trim")] {
            let error = Expression::read("columns.x", &wrong).unwrap_err().to_string();
            assert!(error.starts_with("`columns.x`: "), "{error}");
        }
        let error = Expression::read("columns.x", &json!("a|trm")).unwrap_err().to_string();
        assert!(error.contains("did you mean `trim`"), "{error}");
    }

    #[test]
    fn the_columns_read_are_known() {
        let all = json!([
            "a.b|pick:c.d", {"join": ["e"]}, {"template": "{{ f.g }} {{ h }}"}, {"value": 1}
        ]);
        let mut columns = BTreeSet::new();
        Expression::read("x", &all).unwrap().columns(&mut columns);
        assert_eq!(columns.into_iter().collect::<Vec<_>>(), ["a", "c", "e", "f", "h"]);
    }
}
