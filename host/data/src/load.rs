//! A dataset's rows, from its files to items: mapped, filtered, counted, chosen.

use std::collections::{BTreeMap, HashMap};

use omni_pack::{Row, Template};
use serde_json::{Map, Value};

use crate::chance;
use crate::error::DataError;
use crate::expression::{Absent, Raw, text};
use crate::filter;
use crate::hub::{Hub, HubSettings, Progress};
use crate::mapping::Mapped;
use crate::plan::{self, Joined, Plan};
use crate::read::{self, Wanted};
use crate::report::Report;
use crate::samples::Samples;
use crate::settings::{Format, Settings};
use crate::source::{self, Used};

/// Characters that stand for a token where no tokenizer is at hand.
const CHARACTERS_PER_TOKEN: usize = 4;

/// What loading needs beside the settings.
pub struct Context<'a> {
    /// The task's prompt template.
    pub template: Option<&'a Template>,
    /// Where the hub and its cache are.
    pub hub: &'a HubSettings,
    /// Told how downloads go.
    pub progress: &'a dyn Progress,
    /// Counts a text's tokens; without it, four characters are one.
    #[expect(clippy::type_complexity, reason = "a function from text to count, or why not")]
    pub tokens: Option<&'a dyn Fn(&str) -> Result<usize, String>>,
}

/// A dataset's rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// Those that are kept, in the files' order.
    pub rows: Vec<Row>,
    /// What became of all of them.
    pub report: Report,
    /// The files read, for records.
    pub files: Vec<Used>,
}

/// Loads a dataset.
///
/// # Errors
/// When a setting is wrong, a file cannot be read, more rows than allowed do not fit, or no row is
/// left; each with its place and what to do.
pub fn load(settings: &Settings, context: &Context<'_>) -> Result<Loaded, DataError> {
    let settings = settings.over_mapping()?;
    if settings.from.is_some() || settings.take.is_some() {
        return Err(DataError::setting("from", "takes rows of another split, and stands alone"));
    }
    let plan = Plan::read(&settings, context)?;
    let hub = Hub { settings: context.hub, progress: context.progress };
    let (name, files) = source::files(&settings, &hub)?;
    let mut reading = Reading {
        plan: &plan,
        context,
        joined: plan.joined(&settings)?,
        sampled: plan::sampled(&settings)?,
        report: Report { source: name, ..Report::default() },
        rows: Vec::new(),
        ids: HashMap::new(),
        columns: Vec::new(),
    };
    for file in &files {
        let before = reading.report.rows;
        // Several files count their rows on, so that the numbers are ids.
        let offset = if files.len() > 1 { before } else { 0 };
        let lines = settings.format.map_or_else(|| read::by_name(&file.path).ok(), Some);
        let place = |number: usize| match lines {
            Some(Format::Jsonl) => format!("{}:{number}", file.name),
            _ => format!("{}: row {number}", file.name),
        };
        let wanted = Wanted {
            format: settings.format,
            rows: settings.rows.as_deref(),
            columns: plan.wanted.as_ref(),
        };
        read::read(&file.path, &wanted, &mut |number, row| {
            reading.row(offset + number, row, &|| place(number))
        })?;
        if reading.report.rows == before {
            return Err(DataError::file(&file.path, "holds no rows"));
        }
    }
    reading.judge()?;
    let Reading { mut report, mut rows, .. } = reading;
    choose(&settings, &mut rows, &mut report)?;
    report.kept = rows.len();
    let mut used = files;
    for (name, path) in &settings.references {
        used.push(Used { name: format!("{name}: {}", path.display()), path: path.clone() });
    }
    Ok(Loaded { rows, report, files: used })
}

/// The state of reading.
struct Reading<'a> {
    plan: &'a Plan,
    context: &'a Context<'a>,
    joined: Joined,
    sampled: Vec<(String, Samples)>,
    report: Report,
    rows: Vec<Row>,
    /// Those given away, with the last number behind each.
    ids: HashMap<String, u32>,
    /// Those of the first row, for messages.
    columns: Vec<String>,
}

/// Why a row is not kept.
enum Out {
    Filtered(String),
    Misfit(String),
    /// Not the row's fault.
    Fatal(DataError),
}

impl Reading<'_> {
    fn row(
        &mut self,
        number: usize,
        row: Result<Raw, String>,
        place: &dyn Fn() -> String,
    ) -> Result<(), DataError> {
        self.report.rows += 1;
        if let (Ok(row), true) = (&row, self.columns.is_empty()) {
            self.columns = row.keys().cloned().collect();
        }
        match row.map_err(Out::Misfit).and_then(|row| self.item(number, row)) {
            Ok(mut row) => {
                row.id = self.unused(row.id);
                match self.add_sampled(&mut row) {
                    Ok(()) => self.rows.push(row),
                    Err(reason) if self.plan.max_misfits == 0.0 => {
                        return Err(DataError::Misfits {
                            message: format!("{}: {reason}", place()),
                        });
                    }
                    Err(reason) => self.report.misfit(reason, place),
                }
            }
            Err(Out::Filtered(name)) => *self.report.filtered.entry(name).or_default() += 1,
            Err(Out::Misfit(reason)) if self.plan.max_misfits == 0.0 => {
                return Err(DataError::Misfits { message: format!("{}: {reason}", place()) });
            }
            Err(Out::Misfit(reason)) => self.report.misfit(reason, place),
            Err(Out::Fatal(error)) => return Err(error),
        }
        Ok(())
    }

    /// An id that no row has yet: the second of those that are equal gets `#2` behind it.
    fn unused(&mut self, id: String) -> String {
        let Some(mut count) = self.ids.get(&id).copied() else {
            self.ids.insert(id.clone(), 1);
            return id;
        };
        let unused = loop {
            count += 1;
            let next = format!("{id}#{count}");
            if !self.ids.contains_key(&next) {
                break next;
            }
        };
        self.report.repeated_ids += 1;
        self.ids.insert(id, count);
        self.ids.insert(unused.clone(), 1);
        unused
    }

    fn item(&self, number: usize, raw: Raw) -> Result<Row, Out> {
        for filter in &self.plan.filters {
            if !filter.keeps_raw(&raw).map_err(Out::Misfit)? {
                return Err(Out::Filtered(filter.name.clone()));
            }
        }
        let template = self.context.template;
        let short = |turns: usize| match self.plan.max_turns.filter(|max| turns > *max) {
            Some(max) => Err(Out::Filtered(format!("more than {max} turns"))),
            None => Ok(()),
        };
        let row = match &self.plan.columns {
            Some(columns) => {
                // Too long a talk is left out on purpose, whatever else may be wrong with it.
                short(columns.turns(&raw).map_err(Out::Misfit)?)?;
                let mut mapped = columns.map(&raw).map_err(Out::Misfit)?;
                self.add_references(&raw, &mut mapped).map_err(Out::Misfit)?;
                finished(mapped, raw, number, template).map_err(Out::Misfit)?
            }
            None => {
                let row = omni_pack::rows::from_value(Value::Object(raw), number, template)
                    .map_err(|error| {
                        let help = error.help.trim();
                        let help =
                            if help.is_empty() { String::new() } else { format!("\n  {help}") };
                        Out::Misfit(format!("{error}{help}"))
                    })?;
                short(row.messages.iter().filter(|message| message.role != "system").count())?;
                row
            }
        };
        for filter in &self.plan.filters {
            if !filter.keeps(&row) {
                return Err(Out::Filtered(filter.name.clone()));
            }
        }
        if let Some(max) = self.plan.max_tokens {
            let prompt = filter::prompt(&row);
            let tokens = match self.context.tokens {
                Some(count) => count(&prompt)
                    .map_err(|error| Out::Fatal(DataError::setting("max_tokens", error)))?,
                None => prompt.chars().count().div_ceil(CHARACTERS_PER_TOKEN),
            };
            if tokens > max {
                return Err(Out::Filtered(format!("more than {max} tokens")));
            }
        }
        Ok(row)
    }

    /// Adds the other models' answers; the first set's first turn is the reference where the row
    /// has none.
    fn add_references(&self, raw: &Raw, mapped: &mut Mapped) -> Result<(), String> {
        let Some((key, _)) = &self.plan.join else { return Ok(()) };
        let key = match key.of(raw) {
            Ok(key) => text(&key)?,
            Err(Absent::Misfit(reason)) => return Err(reason),
            Err(Absent::Allowed) => return Ok(()),
        };
        let mut references = Map::new();
        for (name, answers) in &self.joined {
            let turns = answers
                .get(&key)
                .ok_or_else(|| format!("the references `{name}` have no row for it"))?;
            if mapped.reference.is_none() {
                mapped.reference = turns.first().cloned();
            }
            references.insert(name.clone(), turns.clone().into());
        }
        mapped.data.insert("references".to_owned(), Value::Object(references));
        Ok(())
    }

    /// Adds what other policies answered, in the same way; by then the row has its id.
    fn add_sampled(&self, row: &mut Row) -> Result<(), String> {
        for (name, samples) in &self.sampled {
            let turns = samples
                .of(&row.id, &row.messages)
                .map_err(|why| format!("the references `{name}` {why}"))?;
            if row.reference.is_none() {
                row.reference = turns.first().and_then(Value::as_str).map(str::to_owned);
            }
            let sets = row.data.entry("references").or_insert_with(|| Map::new().into());
            match sets {
                Value::Object(sets) => sets.insert(name.clone(), turns.into()),
                _ => return Err("`data.references` is no struct: name to text".to_owned()),
            };
        }
        Ok(())
    }

    /// Whether what did not fit is more than allowed, or all.
    fn judge(&self) -> Result<(), DataError> {
        let report = &self.report;
        let misfits = report.misfit_rows();
        let columns = || {
            let names = self.columns.join(", ");
            if names.is_empty() { String::new() } else { format!("\n  the columns are {names}") }
        };
        if misfits as f64 > self.plan.max_misfits * report.rows as f64 {
            return Err(DataError::Misfits {
                message: format!(
                    "{}: {misfits} of {} rows do not fit, more than `max_misfits = {}` allows: {}{}",
                    report.source,
                    report.rows,
                    self.plan.max_misfits,
                    report.reasons().join("; "),
                    columns()
                ),
            });
        }
        if self.rows.is_empty() {
            return Err(DataError::Misfits {
                message: format!("no row is left: {report}{}", columns()),
            });
        }
        Ok(())
    }
}

/// A mapped row as an item, its prompt put through the template where there is one.
fn finished(
    mapped: Mapped,
    raw: Raw,
    number: usize,
    template: Option<&Template>,
) -> Result<Row, String> {
    let id = mapped.id.unwrap_or_else(|| number.to_string());
    let mut row =
        Row { id, messages: mapped.messages, reference: mapped.reference, data: mapped.data };
    let shown = omni_pack::candidates(&row.id, row.reference.as_deref(), &row.data)
        .map_err(|error| error.to_string())?;
    if let Some(template) = template {
        let prompt = row.messages.iter().rev().find(|message| message.role == "user");
        let prompt = prompt.map_or("", |message| message.content.as_str());
        let messages = serde_json::to_value(&row.messages).map_err(|error| error.to_string())?;
        let mut columns = raw;
        columns.insert("id".to_owned(), row.id.clone().into());
        columns.insert("prompt".to_owned(), prompt.into());
        columns.insert("messages".to_owned(), messages);
        columns.insert("reference".to_owned(), row.reference.clone().into());
        columns.insert("data".to_owned(), Value::Object(row.data.clone()));
        columns.insert("candidates".to_owned(), shown.into());
        row.messages =
            template.render(&Value::Object(columns)).map_err(|error| error.to_string())?;
    }
    Ok(row)
}

/// Takes `limit` rows, shared out in proportion where that is asked for.
fn choose(settings: &Settings, rows: &mut Vec<Row>, report: &mut Report) -> Result<(), DataError> {
    check_limit(settings)?;
    let Some(limit) = settings.limit else { return Ok(()) };
    let seed = settings.seed.unwrap_or_default();
    let before = rows.len();
    let kept = sample(rows, limit, settings.proportional.as_deref().unwrap_or_default(), seed);
    keep(rows, &kept);
    report.not_chosen = before - rows.len();
    Ok(())
}

/// A limit leaves something.
pub(crate) fn check_limit(settings: &Settings) -> Result<(), DataError> {
    if settings.limit == Some(0) {
        return Err(DataError::setting("limit", "must be at least 1"));
    }
    Ok(())
}

/// The positions of a sample of rows, in ascending order.
pub(crate) fn sample(rows: &[Row], limit: usize, by: &str, seed: u64) -> Vec<usize> {
    let mut classes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (position, row) in rows.iter().enumerate() {
        let class = match by {
            "" => String::new(),
            by => filter::part(row, by)
                .map(|value| text(&value).unwrap_or_else(|_| value.to_string()))
                .unwrap_or_default(),
        };
        classes.entry(class).or_default().push(position);
    }
    let sizes: Vec<usize> = classes.values().map(Vec::len).collect();
    let mut kept: Vec<usize> = classes
        .values()
        .zip(chance::shares(&sizes, limit))
        .flat_map(|(positions, share)| {
            let ids: Vec<&str> = positions.iter().map(|it| rows[*it].id.as_str()).collect();
            let chosen = chance::choose(&ids, share, seed);
            chosen.into_iter().map(|it| positions[it]).collect::<Vec<_>>()
        })
        .collect();
    kept.sort_unstable();
    kept
}

/// Keeps the rows at some positions, which ascend; gives back the others.
pub(crate) fn keep(rows: &mut Vec<Row>, positions: &[usize]) -> Vec<Row> {
    let mut wanted = positions.iter().copied().peekable();
    let mut others = Vec::new();
    let all = std::mem::take(rows);
    for (position, row) in all.into_iter().enumerate() {
        if wanted.next_if_eq(&position).is_some() {
            rows.push(row);
        } else {
            others.push(row);
        }
    }
    others
}
