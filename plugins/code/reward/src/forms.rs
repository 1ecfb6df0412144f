//! The forms that rows give their tests in, brought to three: standard streams, assertions, and
//! test code.
//!
//! Beside the forms of this reward itself these are the ones of the data sets that it is used
//! with: a `ground_truth` (an object, or JSON in a text), `input_output` with or without
//! `fn_name`, lists of `test_cases`, and the columns of HumanEval, MBPP and BigCodeBench.

use omni_sdk::reward::{Error, Item, Result};
use serde_json::{Map, Value as Json};

use crate::literal::Value;

/// What a row asks of a program.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// The function under test.
    pub(crate) entry_point: Option<String>,
    /// Put before the program.
    pub(crate) preamble: String,
    /// Run before assertions and test code.
    pub(crate) setup: String,
    /// Modules that the row says it needs.
    pub(crate) libs: Vec<String>,
    pub(crate) tests: Form,
}

/// The tests as they stand in a row.
#[derive(Debug)]
pub(crate) enum Form {
    Streams(Vec<(String, String)>),
    Assertions(Vec<String>),
    Functional(String),
    /// A function or a method of `Solution`, called with literals; the values are compared with
    /// [`Value::resembles`]; any of several will do.
    Calls(String, Vec<Case>),
}

/// Arguments, and the values that are right.
pub(crate) type Case = (Vec<Value>, Vec<Value>);

impl Default for Form {
    fn default() -> Self {
        Self::Assertions(Vec::new())
    }
}

/// The columns that may hold the tests inside of another value.
const NESTED: [&str; 3] = ["ground_truth", "input_output", "reward_model"];

impl Row {
    pub(crate) fn read(item: &Item) -> Result<Self> {
        let wrong = |what: String| Error::invalid_input(format!("item `{}`: {what}", item.id));
        let mut data =
            object(&item.data::<Json>()?).ok_or_else(|| wrong("`data` is no object".to_owned()))?;
        for _ in 0..2 {
            for key in NESTED {
                if let Some(inner) = data.get(key) {
                    let inner = object(inner)
                        .ok_or_else(|| wrong(format!("`data.{key}` is no JSON object")))?;
                    data.remove(key);
                    data.extend(inner);
                }
            }
        }
        Reader { data }.row().map_err(wrong)
    }
}

/// An object, or a text that is one in JSON.
fn object(json: &Json) -> Option<Map<String, Json>> {
    match json {
        Json::Object(map) => Some(map.clone()),
        Json::String(text) if text.trim().is_empty() => Some(Map::new()),
        Json::String(text) => object(&serde_json::from_str(text).ok()?),
        _ => None,
    }
}

/// A list, or a text that is one in JSON or in Python.
fn list(json: &Json) -> Option<Vec<Json>> {
    match json {
        Json::Array(items) => Some(items.clone()),
        Json::String(text) => match serde_json::from_str(text) {
            Ok(inner) => list(&inner),
            Err(_) => match Value::parse(text)? {
                Value::List(items) | Value::Tuple(items) => {
                    items.iter().map(|item| item.as_text().map(Json::String)).collect()
                }
                _ => None,
            },
        },
        _ => None,
    }
}

/// What a stream holds: a text, its lines, or a single value.
fn stream(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Array(lines) => {
            let lines: Option<Vec<String>> = lines.iter().map(stream).collect();
            Some(lines?.join("\n"))
        }
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

struct Reader {
    data: Map<String, Json>,
}

type Read<T> = std::result::Result<T, String>;

impl Reader {
    fn get(&self, key: &str) -> Option<&Json> {
        self.data.get(key).filter(|it| !it.is_null())
    }

    fn text(&self, key: &str) -> Read<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("`data.{key}` is no text")),
        }
    }

    fn list(&self, key: &str) -> Read<Option<Vec<Json>>> {
        self.get(key).map(|it| list(it).ok_or(format!("`data.{key}` is no list"))).transpose()
    }

    fn texts(&self, key: &str) -> Read<Option<Vec<String>>> {
        let Some(items) = self.list(key)? else { return Ok(None) };
        let text = |it: &Json| it.as_str().map(str::to_owned);
        let items: Option<Vec<String>> = items.iter().map(text).collect();
        items.map(Some).ok_or(format!("`data.{key}` is no list of texts"))
    }

    fn first<T>(
        &self,
        keys: &[&str],
        read: impl Fn(&Self, &str) -> Read<Option<T>>,
    ) -> Read<Option<T>> {
        for key in keys {
            if let Some(found) = read(self, key)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn row(&self) -> Read<Row> {
        let mut row = Row {
            entry_point: self.text("entry_point")?.map(|it| it.trim().to_owned()),
            preamble: self.text("preamble")?.unwrap_or_default(),
            setup: self.first(&["setup", "test_setup_code"], Self::text)?.unwrap_or_default(),
            libs: self.texts("libs")?.unwrap_or_default(),
            tests: Form::default(),
        };
        if let (true, Some(prompt)) = (row.preamble.is_empty(), self.text("code_prompt")?) {
            // A header without a body, which the program writes again as a whole.
            row.preamble = format!("{}\n    pass\n", prompt.trim_end());
        }
        row.entry_point = row.entry_point.filter(|it| !it.is_empty());
        let functional = self.first(&["functional", "test"], Self::text)?;
        let streams = (self.list("inputs")?, self.list("outputs")?);
        let assertions = self.first(&["assertions", "test_list"], Self::texts)?;
        let cases = self.cases()?;
        row.tests = match (functional, streams, assertions, cases) {
            (Some(code), (None, None), None, None) => Form::Functional(code),
            (None, (Some(inputs), Some(outputs)), None, None) => {
                if inputs.is_empty() || inputs.len() != outputs.len() {
                    let (inputs, outputs) = (inputs.len(), outputs.len());
                    return Err(format!("`data` has {inputs} inputs and {outputs} outputs"));
                }
                let pairs = inputs.into_iter().zip(outputs);
                match self.text("fn_name")?.filter(|name| !name.is_empty()) {
                    None => Form::Streams(streams_of(pairs)?),
                    Some(name) => Form::Calls(name, calls_of(pairs)?),
                }
            }
            (None, (None, None), Some(assertions), None) => Form::Assertions(assertions),
            (None, (None, None), None, Some(form)) => form,
            _ => {
                return Err("`data` has to hold one of `functional`, `inputs` with `outputs`, \
                            `assertions`, `test_cases`"
                    .to_owned());
            }
        };
        match &row.tests {
            Form::Assertions(list) if list.is_empty() => Err("`data.assertions` is empty".into()),
            Form::Functional(code) if code.trim().is_empty() => {
                Err("`data.functional` is empty".into())
            }
            _ => Ok(row),
        }
    }

    /// Lists of cases: assertions, or objects with `input` and `output`.
    fn cases(&self) -> Read<Option<Form>> {
        let mut cases = Vec::new();
        let mut any = false;
        for key in ["test_cases", "public_test_cases", "private_test_cases"] {
            if let Some(found) = self.list(key)? {
                any = true;
                cases.extend(found);
            }
        }
        if !any {
            return Ok(None);
        }
        if cases.is_empty() {
            return Err("`data.test_cases` is empty".to_owned());
        }
        let texts: Option<Vec<String>> =
            cases.iter().map(|case| case.as_str().map(str::to_owned)).collect();
        if let Some(assertions) = texts {
            return Ok(Some(Form::Assertions(assertions)));
        }
        let mut pairs = Vec::new();
        let mut functional = false;
        for case in &cases {
            let (Some(input), Some(output)) = (case.get("input"), case.get("output")) else {
                return Err("a case of `data.test_cases` lacks `input` or `output`".to_owned());
            };
            functional |= case.get("testtype").and_then(Json::as_str) == Some("functional");
            pairs.push((input.clone(), output.clone()));
        }
        if !functional {
            return Ok(Some(Form::Streams(streams_of(pairs.into_iter())?)));
        }
        let name = self.first(&["fn_name", "func_name", "entry_point"], Self::text)?;
        let name = name.or(self.text("starter_code")?.as_deref().and_then(defined));
        let name = name.ok_or("functional `data.test_cases` need `fn_name` or `starter_code`")?;
        // One argument a line, in JSON.
        let mut calls = Vec::new();
        for (input, output) in &pairs {
            let (Some(input), Some(output)) = (input.as_str(), output.as_str()) else {
                return Err("a functional case of `data.test_cases` is no text".to_owned());
            };
            let read = |text: &str| {
                serde_json::from_str(text)
                    .map(|json: Json| Value::of_json(&json))
                    .ok()
                    .or_else(|| Value::parse(text))
                    .ok_or(format!("`{text}` of `data.test_cases` is no JSON"))
            };
            let lines = input.lines().filter(|line| !line.trim().is_empty());
            calls.push((lines.map(read).collect::<Read<Vec<_>>>()?, vec![read(output)?]));
        }
        Ok(Some(Form::Calls(name, calls)))
    }
}

/// The last function that starter code defines.
fn defined(code: &str) -> Option<String> {
    let (_, after) = code.rsplit_once("def ")?;
    let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

fn streams_of(pairs: impl Iterator<Item = (Json, Json)>) -> Read<Vec<(String, String)>> {
    pairs
        .map(|(input, output)| match (stream(&input), stream(&output)) {
            (Some(input), Some(output)) => Ok((input, output)),
            _ => Err("`data.inputs` and `data.outputs` hold what is no text".to_owned()),
        })
        .collect()
}

/// Arguments as lists. An expected value may stand in a list of its own, or be JSON in a text.
fn calls_of(pairs: impl Iterator<Item = (Json, Json)>) -> Read<Vec<Case>> {
    let read = |json: Json| match &json {
        // Text that is JSON itself, one argument a line.
        Json::String(text) => {
            let lines = text.lines().map(|line| serde_json::from_str::<Json>(line).ok());
            lines.collect::<Option<Vec<Json>>>().unwrap_or_else(|| vec![json.clone()])
        }
        Json::Array(items) => items.clone(),
        _ => vec![json],
    };
    pairs
        .map(|(input, output)| {
            let arguments = read(input).iter().map(Value::of_json).collect();
            let mut expected = vec![Value::of_json(&output)];
            match &output {
                Json::String(text) => {
                    let inner = serde_json::from_str(text).ok();
                    expected.extend(inner.map(|it: Json| Value::of_json(&it)));
                }
                Json::Array(items) if items.len() == 1 => expected.push(Value::of_json(&items[0])),
                _ => {}
            }
            Ok((arguments, expected))
        })
        .collect()
}
