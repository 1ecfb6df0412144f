//! JSON files: a list of rows, or an object that holds one. Rows are handed on as they are parsed.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Sink;
use crate::error::DataError;

/// Keys under which rows are looked for where none is named.
const KEYS: [&str; 5] = ["rows", "data", "examples", "instances", "train"];

pub(super) fn read(path: &Path, rows: Option<&str>, sink: &mut Sink<'_>) -> Result<(), DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let mut parser = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, file));
    let mut state = State { sink, stopped: None, number: 0, found: false };
    let parsed =
        Top { rows, state: &mut state }.deserialize(&mut parser).and_then(|()| parser.end());
    if let Some(error) = state.stopped {
        return Err(error);
    }
    let found = state.found;
    parsed.map_err(|error| DataError::file(path, format!("not JSON: {error}")))?;
    if !found {
        let wanted = rows.map_or_else(|| KEYS.join(", "), str::to_owned);
        return Err(DataError::file(
            path,
            format!(
                "holds no list of rows: neither a list nor an object with one ({wanted}); \
                     say `rows = \"…\"`"
            ),
        ));
    }
    Ok(())
}

struct State<'s, 'k> {
    sink: &'s mut Sink<'k>,
    /// What the sink said; the parser only knows that it was stopped.
    stopped: Option<DataError>,
    number: usize,
    found: bool,
}

struct Top<'a, 's, 'k> {
    rows: Option<&'a str>,
    state: &'a mut State<'s, 'k>,
}

impl<'de> DeserializeSeed<'de> for Top<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of rows, or an object that holds one")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<(), A::Error> {
        Rows(self.state).visit_seq(sequence)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let wanted = match self.rows {
                Some(rows) => rows == key,
                None => KEYS.contains(&key.as_str()),
            };
            if wanted && !self.state.found {
                map.next_value_seed(Rows(&mut *self.state))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The list itself.
struct Rows<'a, 's, 'k>(&'a mut State<'s, 'k>);

impl<'de> DeserializeSeed<'de> for Rows<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        self.0.found = true;
        while let Some(value) = sequence.next_element::<Value>()? {
            self.0.number += 1;
            let row = match value {
                // The form in which the hub's own viewer hands out rows.
                Value::Object(mut row) if is_wrapped(&row) => match row.remove("row") {
                    Some(Value::Object(row)) => Ok(row),
                    _ => Ok(row),
                },
                Value::Object(row) => Ok(row),
                _ => Err("a row is a JSON object".to_owned()),
            };
            if let Err(error) = (self.0.sink)(self.0.number, row) {
                self.0.stopped = Some(error);
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

fn is_wrapped(row: &Map<String, Value>) -> bool {
    row.contains_key("row_idx") && matches!(row.get("row"), Some(Value::Object(_)))
}
