//! What a mapping makes of a value before it stands in a row.
//!
//! Those on texts do the same to every item of a list.

use serde_json::Value;

use crate::expression::{Raw, at, kind, text};
use crate::livecodebench;

/// One step of `column|step|step`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Transform {
    Trim,
    Lower,
    Text,
    Strip(String),
    After(String),
    Before(String),
    Boxed,
    Json,
    PythonList,
    First,
    Last,
    Skip(usize),
    List,
    Join(String),
    Get(Vec<String>),
    Each(Vec<String>),
    Where(Vec<String>, String),
    Pick(Vec<String>),
    Without(Vec<String>),
    LiveCodeBench,
}

/// Their names, for messages and for docs/data.md.
pub(crate) const NAMES: [&str; 20] = [
    "after",
    "before",
    "boxed",
    "each",
    "first",
    "get",
    "join",
    "json",
    "last",
    "list",
    "livecodebench",
    "lower",
    "pick",
    "python_list",
    "skip",
    "strip",
    "text",
    "trim",
    "where",
    "without",
];

impl Transform {
    /// Reads `name` or `name:argument`.
    pub(crate) fn read(step: &str) -> Result<Self, String> {
        let (name, argument) = match step.split_once(':') {
            Some((name, argument)) => (name.trim(), Some(argument)),
            None => (step.trim(), None),
        };
        let needed = || {
            argument
                .filter(|argument| !argument.is_empty())
                .map(str::to_owned)
                .ok_or_else(|| format!("`{name}` wants an argument: `{name}:…`"))
        };
        let path = || needed().map(|text| text.trim().split('.').map(str::to_owned).collect());
        let read = match name {
            "after" => Self::After(needed()?),
            "before" => Self::Before(needed()?),
            "each" => Self::Each(path()?),
            "get" => Self::Get(path()?),
            "join" => Self::Join(argument.unwrap_or_default().to_owned()),
            "pick" => Self::Pick(path()?),
            "skip" => {
                let count = needed()?;
                let count = count.trim().parse();
                Self::Skip(count.map_err(|_| "`skip` wants a number".to_owned())?)
            }
            "strip" => Self::Strip(needed()?),
            "where" => {
                let condition = needed()?;
                let (field, wanted) = condition
                    .split_once('=')
                    .ok_or_else(|| "`where` is written where:field=text".to_owned())?;
                let field = field.trim().split('.').map(str::to_owned).collect();
                Self::Where(field, wanted.trim().to_owned())
            }
            "without" => Self::Without(path()?),
            plain => {
                if argument.is_some() && NAMES.contains(&plain) {
                    return Err(format!("`{plain}` takes no argument"));
                }
                match plain {
                    "boxed" => Self::Boxed,
                    "first" => Self::First,
                    "json" => Self::Json,
                    "last" => Self::Last,
                    "list" => Self::List,
                    "livecodebench" => Self::LiveCodeBench,
                    "lower" => Self::Lower,
                    "python_list" => Self::PythonList,
                    "text" => Self::Text,
                    "trim" => Self::Trim,
                    other => {
                        let help = omni_pack::did_you_mean(other, NAMES);
                        return Err(format!("there is no transform `{other}`; {help}"));
                    }
                }
            }
        };
        Ok(read)
    }

    /// Further columns that it reads.
    pub(crate) fn columns(&self) -> Vec<&str> {
        match self {
            Self::Pick(path) | Self::Without(path) => {
                path.first().into_iter().map(String::as_str).collect()
            }
            Self::LiveCodeBench => livecodebench::COLUMNS.to_vec(),
            _ => Vec::new(),
        }
    }

    /// Makes another value of a value that is not null.
    pub(crate) fn apply(&self, value: Value, row: &Raw) -> Result<Value, String> {
        match self {
            Self::Trim => on_texts(value, &|text| Ok(text.trim().to_owned())),
            Self::Lower => on_texts(value, &|text| Ok(text.to_lowercase())),
            Self::Text => on_texts(value, &|text| Ok(text.to_owned())),
            Self::Strip(what) => on_texts(value, &|text| Ok(strip(text, what).to_owned())),
            Self::After(mark) => on_texts(value, &|text| {
                text.rsplit_once(mark.as_str())
                    .map(|(_, after)| after.trim().to_owned())
                    .ok_or_else(|| format!("has no `{mark}`"))
            }),
            Self::Before(mark) => on_texts(value, &|text| {
                text.split_once(mark.as_str())
                    .map(|(before, _)| before.trim().to_owned())
                    .ok_or_else(|| format!("has no `{mark}`"))
            }),
            Self::Boxed => on_texts(value, &|text| {
                boxed(text).map(str::to_owned).ok_or_else(|| "has no \\boxed{…}".to_owned())
            }),
            Self::Json => match value {
                Value::String(text) => {
                    serde_json::from_str(&text).map_err(|error| format!("is not JSON: {error}"))
                }
                other => Ok(other),
            },
            Self::PythonList => match value {
                Value::String(text) => python_list(&text).map(Value::from),
                other => list(other).map(Value::from),
            },
            Self::First => match value {
                Value::Array(items) => {
                    items.into_iter().next().ok_or_else(|| "is an empty list".to_owned())
                }
                other => Ok(other),
            },
            Self::Last => match value {
                Value::Array(mut items) => items.pop().ok_or_else(|| "is an empty list".to_owned()),
                other => Ok(other),
            },
            Self::Skip(count) => Ok(list(value)?.into_iter().skip(*count).collect()),
            Self::List => match value {
                Value::Array(_) => Ok(value),
                other => Ok(Value::Array(vec![other])),
            },
            Self::Join(with) => match value {
                Value::Array(items) => {
                    let texts: Result<Vec<String>, String> = items.iter().map(text).collect();
                    Ok(texts?.join(with).into())
                }
                other => text(&other).map(Value::from),
            },
            Self::Get(path) => field(&value, path).cloned(),
            Self::Each(path) => {
                list(value)?.iter().map(|item| field(item, path).cloned()).collect()
            }
            Self::Where(path, wanted) => {
                let mut items = list(value)?;
                items.retain(|item| {
                    field(item, path).is_ok_and(|found| text(found).as_ref() == Ok(wanted))
                });
                Ok(Value::Array(items))
            }
            Self::Pick(path) => {
                let items = list(value)?;
                let index = index(at(row, path)?, items.len())
                    .map_err(|error| format!("`{}` {error}", path.join(".")))?;
                Ok(items.into_iter().nth(index).unwrap_or(Value::Null))
            }
            Self::Without(path) => {
                let mut items = list(value)?;
                let place = at(row, path)?;
                let length = items.len();
                // A letter is a place only where no item is that very text, and digits that are a
                // text are an answer: `2` is no third option.
                let is_it = |item: &Value| match (item, place) {
                    (Value::String(item), Value::String(place)) => item.trim() == place.trim(),
                    _ => item == place,
                };
                items.retain(|item| !is_it(item));
                if items.len() == length {
                    let digits =
                        place.as_str().is_some_and(|text| text.trim().parse::<f64>().is_ok());
                    let index = index(place, length).ok().filter(|_| !digits).ok_or_else(|| {
                        format!("`{}` is neither an item nor a place: {place}", path.join("."))
                    })?;
                    items.remove(index);
                }
                Ok(Value::Array(items))
            }
            Self::LiveCodeBench => livecodebench::tests(row),
        }
    }
}

fn on_texts(value: Value, make: &dyn Fn(&str) -> Result<String, String>) -> Result<Value, String> {
    match value {
        Value::Array(items) => items.into_iter().map(|item| on_texts(item, make)).collect(),
        other => make(&text(&other)?).map(Value::from),
    }
}

fn list(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(format!("is {}, not a list", kind(&other))),
    }
}

/// A field of a struct, or of a struct in it.
fn field<'v>(value: &'v Value, path: &[String]) -> Result<&'v Value, String> {
    match value {
        Value::Object(fields) => at(fields, path),
        other => Err(format!("holds {}, not a struct", kind(other))),
    }
}

/// An index from 0, as a number or as a letter from A.
fn index(value: &Value, length: usize) -> Result<usize, String> {
    let index = match value {
        Value::Number(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        Value::String(text) => match text.trim().as_bytes() {
            [letter] if letter.is_ascii_alphabetic() => {
                Some(usize::from(letter.to_ascii_uppercase() - b'A'))
            }
            _ => text.trim().parse().ok(),
        },
        _ => None,
    };
    match index {
        Some(index) if index < length => Ok(index),
        _ => Err(format!("is no place in a list of {length}: {value}")),
    }
}

/// Takes a mark off both ends, as the `$` around a formula.
fn strip<'t>(text: &'t str, mark: &str) -> &'t str {
    let text = text.trim();
    let text = text.strip_prefix(mark).unwrap_or(text);
    text.strip_suffix(mark).unwrap_or(text).trim()
}

/// What stands in the last `\boxed{…}` or `\fbox{…}`, its braces matched.
fn boxed(text: &str) -> Option<&str> {
    let marks = ["\\boxed", "\\fbox"].into_iter();
    let start = marks.filter_map(|mark| text.rfind(mark).map(|place| place + mark.len())).max()?;
    let rest = text[start..].trim_start();
    if !rest.starts_with('{') {
        // `\boxed 5`, without braces, is the next token.
        let token = rest.split(['$', ' ', '\n']).next()?.trim_end_matches(['.', ',']);
        return (!token.is_empty()).then_some(token);
    }
    let mut depth = 0_usize;
    let mut escaped = false;
    for (place, c) in rest.char_indices() {
        match c {
            _ if escaped => {
                escaped = false;
                continue;
            }
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(rest[1..place].trim());
        }
    }
    None
}

/// `['a', "b"]`, as Python prints a list of texts.
fn python_list(text: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("is not a list of texts as Python prints one: {text}");
    let inner = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let mut rest = inner.ok_or_else(wrong)?.trim();
    let mut items = Vec::new();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| ['\'', '"'].contains(c)).ok_or_else(wrong)?;
        let mut item = String::new();
        let mut characters = rest[1..].char_indices();
        let end = loop {
            match characters.next().ok_or_else(wrong)? {
                (place, c) if c == quote => break place,
                (_, '\\') => item.push(match characters.next().ok_or_else(wrong)?.1 {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                }),
                (_, c) => item.push(c),
            }
        };
        items.push(item);
        rest = rest[1 + end + 1..].trim_start();
        if let Some(more) = rest.strip_prefix(',') {
            rest = more.trim_start();
        } else if !rest.is_empty() {
            return Err(wrong());
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Applies steps to column `x` of a row.
    fn run(steps: &str, row: Value) -> Result<Value, String> {
        let row = row.as_object().unwrap();
        let mut value = row["x"].clone();
        for step in steps.split('|') {
            value = Transform::read(step)?.apply(value, row)?;
        }
        Ok(value)
    }

    #[test]
    fn texts_are_cut_and_so_are_those_of_a_list() {
        for (steps, x, expected) in [
            ("after:####", json!("1 #### 2\n#### 1,234 \n"), json!("1,234")),
            ("before:####|trim", json!(" a #### b"), json!("a")),
            ("strip:$", json!("$\\frac{1}{2}$"), json!("\\frac{1}{2}")),
            ("strip:$", json!(["$1$", "2"]), json!(["1", "2"])),
            ("text", json!(27.0), json!("27")),
            ("text", json!(0.5), json!("0.5")),
            ("lower", json!("AbC"), json!("abc")),
            ("strip:$|join:, ", json!(["$1$", "$2$"]), json!("1, 2")),
            (
                "boxed",
                json!("so \\boxed{\\frac{1}{2}} or \\boxed{\\{1, 2\\}}."),
                json!("\\{1, 2\\}"),
            ),
            ("boxed", json!("$\\boxed 5$ is it"), json!("5")),
            ("boxed", json!("\\fbox{ 7 }"), json!("7")),
            ("python_list", json!("['a', \"b's\", 'c\\'d']"), json!(["a", "b's", "c'd"])),
            ("python_list", json!("[]"), json!([])),
        ] {
            assert_eq!(run(steps, json!({"x": x})), Ok(expected), "{steps}");
        }
        for (steps, x, reason) in [
            ("after:####", json!("none"), "has no `####`"),
            ("boxed", json!("\\boxed{1"), "has no \\boxed{…}"),
            ("boxed", json!("none"), "has no \\boxed{…}"),
            ("json", json!("{"), "is not JSON"),
            ("text", json!({"a": 1}), "is a struct, not a text"),
            ("python_list", json!("[1]"), "is not a list of texts"),
            ("python_list", json!("['a"), "is not a list of texts"),
        ] {
            let error = run(steps, json!({"x": x})).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
    }

    #[test]
    fn lists_are_picked_from() {
        let options = json!(["one", "two", "three"]);
        let of = |steps: &str, answer: Value| run(steps, json!({"x": options, "answer": answer}));
        assert_eq!(of("pick:answer", json!(1)), Ok(json!("two")));
        assert_eq!(of("pick:answer", json!("C")), Ok(json!("three")));
        assert_eq!(of("without:answer", json!(0)), Ok(json!(["two", "three"])));
        assert_eq!(of("without:answer", json!("two")), Ok(json!(["one", "three"])));
        assert_eq!(of("skip:1", json!(0)), Ok(json!(["two", "three"])));
        assert_eq!(of("last", json!(0)), Ok(json!("three")));
        assert!(of("pick:answer", json!("D")).unwrap_err().contains("no place in a list of 3"));
        assert!(of("pick:answer", json!(-1)).is_err());
        // Options that are letters themselves are texts before they are places.
        let letters = json!({"x": ["B", "C", "A"], "answer": "A"});
        assert_eq!(run("without:answer", letters), Ok(json!(["B", "C"])));
        assert_eq!(of("without:answer", json!(" two\n")), Ok(json!(["one", "three"])));
        assert_eq!(of("without:answer", json!("C")), Ok(json!(["one", "two"])));
        for wrong in ["four", "2", "D"] {
            let error = of("without:answer", json!(wrong)).unwrap_err();
            assert!(error.contains("neither an item nor a place"), "{error}");
        }
    }

    #[test]
    fn structs_are_looked_into() {
        let talk = json!({"x": [{"from": "human", "v": "q"}, {"from": "gpt", "v": "a"}]});
        assert_eq!(run("where:from=gpt|last|get:v", talk.clone()), Ok(json!("a")));
        assert_eq!(run("each:v|join:/", talk.clone()), Ok(json!("q/a")));
        assert_eq!(run("where:from=system|first", talk), Err("is an empty list".to_owned()));
        let encoded = json!({"x": "{\"inputs\": [\"1\"]}"});
        assert_eq!(run("json|get:inputs", encoded.clone()), Ok(json!(["1"])));
        assert_eq!(run("json|get:outputs", encoded), Err("no column `outputs`".to_owned()));
    }
}
