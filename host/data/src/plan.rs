//! Settings, read and checked before the first row: expressions, filters, other models' answers.

use std::collections::{BTreeSet, HashMap};

use omni_pack::Template;
use serde_json::Value;

use crate::error::DataError;
use crate::expression::{Absent, Expression, text};
use crate::filter::{Filter, Place};
use crate::load::Context;
use crate::mapping::Columns;
use crate::read::{self, Wanted};
use crate::samples::{self, Samples};
use crate::settings::{Join, Settings};

/// Rows that may fail to fit where a mapping is used and nothing else is said.
const MAX_MISFITS: f64 = 0.05;

/// Settings, read and checked once.
pub(crate) struct Plan {
    /// What makes a row; none where rows are in their own form.
    pub(crate) columns: Option<Columns>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) join: Option<(Expression, Join)>,
    /// Columns that are looked at; none: all.
    pub(crate) wanted: Option<BTreeSet<String>>,
    pub(crate) max_tokens: Option<usize>,
    pub(crate) max_turns: Option<usize>,
    pub(crate) max_misfits: f64,
}

impl Plan {
    pub(crate) fn read(settings: &Settings, context: &Context<'_>) -> Result<Self, DataError> {
        let columns = Columns::read(settings)?;
        let filters: Result<Vec<Filter>, _> =
            settings.filter.iter().enumerate().map(|(index, it)| Filter::read(index, it)).collect();
        let filters = filters?;
        let joined: Vec<&String> = settings
            .references
            .iter()
            .filter(|(_, path)| !samples::is_samples(path))
            .map(|(name, _)| name)
            .collect();
        let join = match (&settings.join, joined.first()) {
            (_, None) => None,
            (_, Some(name)) if columns.is_none() => {
                let message = "is found by columns of rows that have a mapping, and these have \
                               none; an evaluation's samples.jsonl needs none";
                return Err(DataError::setting(format!("references.{name}"), message));
            }
            (Some(join), Some(_)) => Some((Expression::read("join.key", &join.key)?, join.clone())),
            (None, Some(name)) => {
                let message = "wants `join = { key = \"…\", value = \"…\" }`, which says how its \
                               rows are found (an evaluation's samples.jsonl needs none)";
                return Err(DataError::setting(format!("references.{name}"), message));
            }
        };
        let max_misfits =
            settings.max_misfits.unwrap_or(if columns.is_some() { MAX_MISFITS } else { 0.0 });
        if !(0.0..=1.0).contains(&max_misfits) {
            return Err(DataError::setting("max_misfits", "is a fraction, from 0 to 1"));
        }
        let wanted = columns.as_ref().map(|columns| {
            let mut wanted = BTreeSet::new();
            for expression in columns.expressions() {
                expression.columns(&mut wanted);
            }
            for filter in &filters {
                if let Place::Column(expression) = &filter.place {
                    expression.columns(&mut wanted);
                }
            }
            if let Some((key, _)) = &join {
                key.columns(&mut wanted);
            }
            wanted.extend(context.template.map(Template::variables).unwrap_or_default());
            wanted
        });
        Ok(Self {
            columns,
            filters,
            join,
            wanted,
            max_tokens: settings.max_tokens,
            max_turns: settings.max_turns,
            max_misfits,
        })
    }

    /// The answers of other models, by their names and the rows' keys.
    pub(crate) fn joined(&self, settings: &Settings) -> Result<Joined, DataError> {
        let mut all = Vec::new();
        let Some((key, join)) = &self.join else { return Ok(all) };
        let value = Expression::read("join.value", &join.value)?;
        for (name, path) in settings.references.iter().filter(|(_, it)| !samples::is_samples(it)) {
            let mut answers = HashMap::new();
            let wrong = |number: usize, message: String| {
                Err(DataError::file(path, format!("row {number}: {message}")))
            };
            read::read(path, &Wanted::default(), &mut |number, row| {
                let row = match row {
                    Ok(row) => row,
                    Err(message) => return wrong(number, message),
                };
                let found = key.of(&row).and_then(|it| text(&it).map_err(Absent::Misfit));
                match (found, value.of(&row)) {
                    (Ok(key), Ok(answer)) => match turns(&answer) {
                        Some(turns) => {
                            answers.insert(key, turns);
                        }
                        None => {
                            return wrong(number, "its answer is no text or list of texts".into());
                        }
                    },
                    (Err(Absent::Misfit(message)), _) | (_, Err(Absent::Misfit(message))) => {
                        return wrong(number, message);
                    }
                    (Err(Absent::Allowed), _) | (_, Err(Absent::Allowed)) => {}
                }
                Ok(())
            })?;
            all.push((name.clone(), answers));
        }
        Ok(all)
    }
}

/// The reference texts that evaluations have left, by their names.
pub(crate) fn sampled(settings: &Settings) -> Result<Vec<(String, Samples)>, DataError> {
    let files = settings.references.iter().filter(|(_, path)| samples::is_samples(path));
    files.map(|(name, path)| Ok((name.clone(), Samples::read(path)?))).collect()
}

/// Answers by key, for each set of them.
pub(crate) type Joined = Vec<(String, HashMap<String, Vec<String>>)>;

fn turns(answer: &Value) -> Option<Vec<String>> {
    match answer {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(turns) => turns.iter().map(|turn| turn.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
