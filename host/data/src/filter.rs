//! Conditions that a row must meet. What they leave out is counted by their names.

use omni_pack::Row;
use serde_json::Value;

use crate::error::DataError;
use crate::expression::{Absent, Expression, Raw, text};
use crate::settings::FilterSettings;

/// A condition, read.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) place: Place,
    settings: FilterSettings,
}

/// What a condition looks at.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// The row as it was read.
    Column(Expression),
    /// A part of the mapped row.
    Field(String),
}

impl Filter {
    pub(crate) fn read(index: usize, settings: &FilterSettings) -> Result<Self, DataError> {
        let key = |name: &str| format!("filter.{index}.{name}");
        let place = match (&settings.column, &settings.field) {
            (Some(column), None) => Place::Column(Expression::read(&key("column"), column)?),
            (None, Some(field)) => {
                let known = ["id", "prompt", "reference"].contains(&field.as_str());
                if !known && !field.starts_with("data.") {
                    let message = "is none of id, prompt, reference, data.…";
                    return Err(DataError::setting(key("field"), message));
                }
                Place::Field(field.clone())
            }
            _ => {
                let message = "wants either `column` (of the row as read) or `field` (of the \
                               mapped row)";
                return Err(DataError::setting(format!("filter.{index}"), message));
            }
        };
        let conditions = [
            settings.equals.is_some(),
            settings.is_in.is_some(),
            settings.not_in.is_some(),
            settings.contains.is_some(),
            settings.excludes.is_some(),
            settings.at_least.is_some(),
            settings.below.is_some(),
        ];
        if !conditions.contains(&true) {
            let message = "has no condition: equals, in, not_in, contains, excludes, at_least or \
                           below";
            return Err(DataError::setting(format!("filter.{index}"), message));
        }
        let name = settings.name.clone().unwrap_or_else(|| match (&settings.column, &place) {
            (_, Place::Field(field)) => field.clone(),
            (Some(Value::String(column)), _) => column.clone(),
            _ => format!("filter {index}"),
        });
        Ok(Self { name, place, settings: settings.clone() })
    }

    /// Whether a row as read may stay; always, where the condition looks at the mapped row.
    pub(crate) fn keeps_raw(&self, row: &Raw) -> Result<bool, String> {
        let Place::Column(expression) = &self.place else { return Ok(true) };
        match expression.of(row) {
            Ok(value) => Ok(self.holds(&value)),
            Err(Absent::Allowed) => Ok(true),
            Err(Absent::Misfit(reason)) => Err(format!("filter `{}`: {reason}", self.name)),
        }
    }

    /// Whether a mapped row may stay. A part that it does not have meets every condition.
    pub(crate) fn keeps(&self, row: &Row) -> bool {
        let Place::Field(field) = &self.place else { return true };
        part(row, field).is_none_or(|value| self.holds(&value))
    }

    fn holds(&self, value: &Value) -> bool {
        let s = &self.settings;
        let shown = self.case(match value {
            Value::Null => String::new(),
            other => text(other).unwrap_or_else(|_| other.to_string()),
        });
        let same = |wanted: &Value| {
            value == wanted
                || match (value, wanted) {
                    (Value::Array(items), wanted) => items.contains(wanted),
                    (_, Value::Null) => false,
                    (_, wanted) => text(wanted).is_ok_and(|wanted| self.case(wanted) == shown),
                }
        };
        let holds = |wanted: &String| shown.contains(&self.case(wanted.clone()));
        s.equals.as_ref().is_none_or(&same)
            && s.is_in.as_ref().is_none_or(|all| all.iter().any(&same))
            && s.not_in.as_ref().is_none_or(|all| !all.iter().any(&same))
            && s.contains.as_ref().is_none_or(|all| all.iter().any(&holds))
            && s.excludes.as_ref().is_none_or(|all| !all.iter().any(&holds))
            && s.at_least.as_ref().is_none_or(|least| !less(value, least))
            && s.below.as_ref().is_none_or(|bound| less(value, bound))
    }

    fn case(&self, text: String) -> String {
        if self.settings.ignore_case { text.to_lowercase() } else { text }
    }
}

/// Numbers by size, also where one is written as a text; else texts by their letters.
fn less(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a < b,
        _ => text(a).unwrap_or_default() < text(b).unwrap_or_default(),
    }
}

/// A part of a mapped row: `prompt` is the text of all its messages.
pub(crate) fn part(row: &Row, field: &str) -> Option<Value> {
    match field {
        "id" => Some(row.id.clone().into()),
        "reference" => row.reference.clone().map(Value::from),
        "prompt" => Some(prompt(row).into()),
        other => {
            let path: Vec<String> =
                other.strip_prefix("data.")?.split('.').map(str::to_owned).collect();
            crate::expression::at(&row.data, &path).ok().cloned()
        }
    }
}

/// The text of all messages of a row.
pub(crate) fn prompt(row: &Row) -> String {
    let contents: Vec<&str> = row.messages.iter().map(|it| it.content.as_str()).collect();
    contents.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keeps(settings: Value, row: Value) -> Result<bool, String> {
        let settings: FilterSettings = serde_json::from_value(settings).unwrap();
        let filter = Filter::read(0, &settings).unwrap();
        filter.keeps_raw(row.as_object().unwrap())
    }

    #[test]
    fn conditions_on_columns() {
        let row = json!({"kind": "MCQ", "level": 3, "date": "2024-11-02", "tags": ["a", "b"]});
        for (settings, expected) in [
            (json!({"column": "kind", "equals": "MCQ"}), true),
            (json!({"column": "kind", "equals": "mcq"}), false),
            (json!({"column": "kind", "equals": "mcq", "ignore_case": true}), true),
            (json!({"column": "kind", "in": ["word", "MCQ"]}), true),
            (json!({"column": "kind", "not_in": ["word", "MCQ"]}), false),
            (json!({"column": "kind", "contains": ["CQ", "x"]}), true),
            (json!({"column": "kind", "excludes": ["CQ", "x"]}), false),
            (json!({"column": "level", "equals": "3"}), true),
            (json!({"column": "level", "at_least": 3, "below": 4}), true),
            (json!({"column": "level", "below": 3}), false),
            (json!({"column": "date", "at_least": "2024-10-01", "below": "2025-02-01"}), true),
            (json!({"column": "date", "at_least": "2025-02-01"}), false),
            (json!({"column": "tags", "equals": "b"}), true),
            (json!({"column": "none?", "equals": "b"}), true),
        ] {
            assert_eq!(keeps(settings.clone(), row.clone()), Ok(expected), "{settings}");
        }
        let misfit = keeps(json!({"name": "n", "column": "none", "equals": 1}), row);
        assert_eq!(misfit, Err("filter `n`: no column `none`".to_owned()));
    }

    #[test]
    fn a_filter_without_place_or_condition_is_an_error() {
        for settings in [
            json!({"equals": 1}),
            json!({"column": "a", "field": "prompt", "equals": 1}),
            json!({"column": "a"}),
            json!({"field": "promt", "equals": 1}),
        ] {
            let settings = serde_json::from_value(settings).unwrap();
            assert!(Filter::read(3, &settings).unwrap_err().to_string().starts_with("`filter.3"));
        }
    }
}
