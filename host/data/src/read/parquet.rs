//! Parquet, row by row. Only the columns that will be looked at are read: datasets carry megabytes
//! of sampled solutions beside a question and its answer.
//!
//! The reader below is known to panic on some damaged files; a panic becomes an error here.

use std::any::Any;
use std::collections::BTreeSet;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use serde_json::{Map, Value};

use super::{Sink, footer};
use crate::error::DataError;
use crate::expression::Raw;

pub(super) fn read(
    path: &Path,
    columns: Option<&BTreeSet<String>>,
    sink: &mut Sink<'_>,
) -> Result<(), DataError> {
    let mut file = File::open(path).map_err(DataError::io(path))?;
    let broken = |message: String| DataError::file(path, format!("broken Parquet: {message}"));
    if let Some(depth) = footer::depth(&mut file).filter(|depth| *depth > footer::DEEPEST) {
        return Err(broken(format!("its schema is {depth} deep, {} is the most", footer::DEEPEST)));
    }
    let guarded = |result: Result<Result<Box<dyn FileReader>, _>, Box<dyn Any + Send>>| match result
    {
        Ok(Ok(reader)) => Ok(reader),
        Ok(Err(error)) => {
            let error: parquet::errors::ParquetError = error;
            Err(broken(error.to_string()))
        }
        Err(panic) => Err(broken(said(panic.as_ref()))),
    };
    let reader = guarded(catch_unwind(AssertUnwindSafe(|| {
        SerializedFileReader::new(file).map(|reader| Box::new(reader) as Box<dyn FileReader>)
    })))?;
    let schema = reader.metadata().file_metadata().schema();
    let projection = columns.map(|columns| projected(schema, columns)).transpose();
    let projection = projection.map_err(|error| broken(error.to_string()))?.flatten();
    let mut rows = catch_unwind(AssertUnwindSafe(|| reader.get_row_iter(projection)))
        .map_err(|panic| broken(said(panic.as_ref())))?
        .map_err(|error| broken(error.to_string()))?;
    for number in 1.. {
        // The row before a broken one was handed on; the file as a whole is not to be trusted.
        let next = catch_unwind(AssertUnwindSafe(|| rows.next()))
            .map_err(|panic| broken(format!("row {number}: {}", said(panic.as_ref()))))?;
        let row = match next {
            None => break,
            Some(Ok(row)) => object(&row),
            Some(Err(error)) => return Err(broken(format!("row {number}: {}", short(&error)))),
        };
        sink(number, row)?;
    }
    Ok(())
}

/// The schema with the wanted top columns alone; none where the file has none of them, so that
/// messages can say which it has.
fn projected(schema: &Type, columns: &BTreeSet<String>) -> parquet::errors::Result<Option<Type>> {
    let fields: Vec<Arc<Type>> = schema
        .get_fields()
        .iter()
        .filter(|field| columns.contains(field.name()))
        .cloned()
        .collect();
    if fields.is_empty() || fields.len() == schema.get_fields().len() {
        return Ok(None);
    }
    Type::group_type_builder(schema.name()).with_fields(fields).build().map(Some)
}

/// Errors of the reader may carry the bytes that they are about.
fn short(error: &parquet::errors::ParquetError) -> String {
    error.to_string().chars().take(300).collect()
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the reader gave up");
    text.chars().take(300).collect()
}

fn object(row: &Row) -> Result<Raw, String> {
    let mut fields = Map::new();
    for (name, field) in row.get_column_iter() {
        let value = value(field).map_err(|error| format!("`{name}` {error}"))?;
        fields.insert(name.clone(), value);
    }
    Ok(fields)
}

fn value(field: &Field) -> Result<Value, String> {
    Ok(match field {
        Field::Null => Value::Null,
        Field::Bool(it) => (*it).into(),
        Field::Byte(it) => (*it).into(),
        Field::Short(it) => (*it).into(),
        Field::Int(it) => (*it).into(),
        Field::Long(it) => (*it).into(),
        Field::UByte(it) => (*it).into(),
        Field::UShort(it) => (*it).into(),
        Field::UInt(it) => (*it).into(),
        Field::ULong(it) => (*it).into(),
        // Not-a-number has no JSON form, and is what a missing number is in many files.
        Field::Float(it) => it.to_string().parse::<f64>().unwrap_or(f64::NAN).into(),
        Field::Double(it) => (*it).into(),
        Field::Str(text) => text.clone().into(),
        // Files of old writers do not say that their bytes are text.
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data())
            .map_err(|_| "holds bytes that are no text".to_owned())?
            .into(),
        Field::Group(row) => Value::Object(object(row)?),
        Field::ListInternal(list) => {
            let items: Result<Vec<Value>, String> = list.elements().iter().map(value).collect();
            Value::Array(items?)
        }
        Field::MapInternal(map) => {
            let mut fields = Map::new();
            for (key, field) in map.entries() {
                let key = crate::expression::text(&value(key)?)
                    .map_err(|error| format!("has a key that {error}"))?;
                fields.insert(key, value(field)?);
            }
            Value::Object(fields)
        }
        // Dates, times, decimals and half floats as the reader prints them.
        other => other.to_string().into(),
    })
}
