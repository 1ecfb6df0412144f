//! `pack distractors`: wrong answers for the questions of a dataset, written row by row, so that a
//! run that was ended goes on where it stopped.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use omni_data::Settings;
use omni_data::distractors::{Pool, Wanted};
use omni_judge::{FailureKind, JudgeModel, Ledger, Question};
use omni_pack::Row;
use omni_record::Message;
use omni_train::RunConfig;
use serde_json::{Value, json};

use crate::args::Distractors;
use crate::console;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::models::Models;
use crate::problems::Loader;
use crate::task;

/// The longest reply asked for, in tokens: what a wrong answer takes, many times.
const REPLY_TOKENS: u32 = 2048;

/// How freely a model invents; checking is done at zero.
const TEMPERATURE: f32 = 0.8;

/// So many rows in a row that the model was away for end the command.
const AWAY: usize = 16;

/// Makes the distractors.
pub(crate) fn run(arguments: &Distractors) -> Outcome<()> {
    if arguments.count == 0 {
        return Err(Fault::input("--count must be at least 1"));
    }
    let rows = rows(arguments, arguments.limit)?;
    let mut output = Output::open(&arguments.output, &rows)?;
    let before = output.written;
    let left: Vec<&Row> = rows.iter().filter(|row| output.lacks(row)).collect();
    if before > 0 {
        console::say(format!(
            "{}: {before} rows are there already, {} are left",
            arguments.output.display(),
            left.len()
        ));
    }
    let mut tally = Tally::default();
    match &arguments.run {
        Some(run) => ask(arguments, run, &left, &mut output, &mut tally)?,
        // A sample's wrong answers may come from the rows beyond it.
        None if arguments.limit.is_some() => {
            choose(arguments, &self::rows(arguments, None)?, &left, &mut output, &mut tally)?;
        }
        None => choose(arguments, &rows, &left, &mut output, &mut tally)?,
    }
    tally.say(arguments.count);
    tally.verdict(arguments)
}

/// The dataset's rows.
fn rows(arguments: &Distractors, limit: Option<usize>) -> Outcome<Vec<Row>> {
    let settings = Settings {
        file: arguments.input.clone(),
        mapping: arguments.mapping.clone(),
        limit,
        seed: Some(u64::from(arguments.seed)),
        ..Settings::default()
    };
    let split = "rows".to_owned();
    let loaded =
        Loader::new(None).splits(&BTreeMap::from([(split.clone(), vec![settings])]), None)?;
    let loaded = loaded.get(&split).cloned().unwrap_or_default();
    console::say(console::printable(&loaded.report.to_string()));
    Ok(loaded.rows)
}

/// What a row has already, where that is wanted.
fn kept(arguments: &Distractors, row: &Row) -> Vec<String> {
    let has = row.data.get("distractors").filter(|_| arguments.keep);
    let texts = has.and_then(Value::as_array).into_iter().flatten();
    texts.filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

/// From the answers of the same category.
fn choose(
    arguments: &Distractors,
    rows: &[Row],
    left: &[&Row],
    output: &mut Output,
    tally: &mut Tally,
) -> Outcome<()> {
    let pool = Pool::new(rows, &arguments.category).or_input()?;
    console::say(format!(
        "no model: wrong answers come from the answers of the same `{}`, of which there are {}",
        arguments.category,
        pool.categories()
    ));
    if pool.without() > 0 {
        console::say(format!("{} rows have no such part, and are one category", pool.without()));
    }
    for row in left {
        if row.reference.is_none() {
            tally.without_answer += 1;
            continue;
        }
        let kept = kept(arguments, row);
        let made = pool.choose(row, &kept, arguments.count, u64::from(arguments.seed));
        if tally.made(row, made.len(), arguments.count) {
            output.write(row, &made)?;
        }
    }
    output.flush()
}

/// From a model, which is asked for what is missing and whether it is wrong.
fn ask(
    arguments: &Distractors,
    run: &Path,
    left: &[&Row],
    output: &mut Output,
    tally: &mut Tally,
) -> Outcome<()> {
    let (models, name) = model(arguments, run)?;
    let Some(model) = models.named(&name) else {
        return Err(Fault::run(format!("the model `{name}` was not opened")));
    };
    let bar = console::bar(left.len() as u64, "rows");
    let mut away = 0;
    for window in left.chunks(model.concurrency().max(1)) {
        let mut open: Vec<(&Row, Option<Wanted>)> = window
            .iter()
            .map(|row| (*row, Wanted::new(row, &kept(arguments, row), arguments.count)))
            .collect();
        let failed = converse(model, &mut open, tally)?;
        for (index, (row, wanted)) in open.iter().enumerate() {
            match (wanted, failed.get(&index)) {
                (None, _) => tally.without_answer += 1,
                // What the model failed at is not written, and made when the command is run again.
                (Some(_), Some(kind)) => {
                    tally.failed += 1;
                    away = if is_away(*kind) { away + 1 } else { 0 };
                }
                (Some(wanted), None) => {
                    away = 0;
                    for (reason, count) in wanted.refused() {
                        *tally.refused.entry((*reason).to_owned()).or_default() += count;
                    }
                    if tally.made(row, wanted.distractors().len(), arguments.count) {
                        output.write(row, wanted.distractors())?;
                    }
                }
            }
            bar.inc(1);
        }
        output.flush()?;
        if away >= AWAY {
            tally.failed += left.len() - bar.position() as usize;
            break;
        }
    }
    bar.finish_and_clear();
    models.say();
    Ok(())
}

/// Whether a failure is the model's, so that another row would fail too; otherwise it is the row's.
fn is_away(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::Budget
            | FailureKind::Connection
            | FailureKind::Timeout
            | FailureKind::RateLimited
            | FailureKind::Server
            | FailureKind::Local
            | FailureKind::NotKept
    )
}

/// Asks until no row of a window has a question left; the positions of those that failed.
fn converse(
    model: &Arc<JudgeModel>,
    open: &mut [(&Row, Option<Wanted>)],
    tally: &mut Tally,
) -> Outcome<BTreeMap<usize, FailureKind>> {
    let mut failed = BTreeMap::new();
    loop {
        let mut asked = Vec::new();
        let mut questions = Vec::new();
        for (index, (_, wanted)) in open.iter().enumerate() {
            let Some(wanted) = wanted.as_ref().filter(|_| !failed.contains_key(&index)) else {
                continue;
            };
            if let Some(messages) = wanted.question().map_err(Fault::run)? {
                let checking = wanted.is_checking();
                asked.push(index);
                questions.push(Question {
                    messages: messages.into_iter().map(message).collect::<Outcome<_>>()?,
                    max_tokens: REPLY_TOKENS,
                    temperature: if checking { 0.0 } else { TEMPERATURE },
                });
            }
        }
        if questions.is_empty() {
            return Ok(failed);
        }
        let answers = model.answer("distractors", &questions);
        for (index, answer) in asked.into_iter().zip(answers) {
            match (answer, &mut open[index].1) {
                (Ok(reply), Some(wanted)) => wanted.answer(&reply),
                (Err(failure), _) => {
                    if tally.failures.is_empty() {
                        console::say(console::printable(&failure.to_string()));
                    }
                    *tally.failures.entry(failure.kind.to_string()).or_default() += 1;
                    failed.insert(index, failure.kind);
                }
                (Ok(_), None) => {}
            }
        }
    }
}

fn message(message: omni_pack::RowMessage) -> Outcome<Message> {
    task::message(message).map_err(Fault::run)
}

/// The run file's models, the wanted one opened, and its name.
fn model(arguments: &Distractors, run: &Path) -> Outcome<(Models, String)> {
    let config = RunConfig::resolve(run, &[]).or_input()?;
    let name = match &arguments.model {
        Some(name) => name.clone(),
        None => match config.models.keys().collect::<Vec<_>>().as_slice() {
            [only] => (*only).clone(),
            [] => {
                return Err(Fault::input(format!(
                    "{}: there is no [models.NAME] to ask",
                    run.display()
                )));
            }
            _ => return Err(Fault::input("there are several models: say --model NAME")),
        },
    };
    if !config.models.contains_key(&name) {
        let help = omni_pack::did_you_mean(&name, config.models.keys().map(String::as_str));
        return Err(Fault::input(format!(
            "{}: there is no [models.{name}]; {help}",
            run.display()
        )));
    }
    // Replies that were paid for are kept beside the output until this is done with.
    let ledger = Arc::new(Ledger::recording(&replies(arguments)).or_input()?);
    let models = Models::open(&config, std::iter::once(name.as_str()), &ledger, run)?;
    Ok((models, name))
}

/// Where the model's replies are kept.
fn replies(arguments: &Distractors) -> PathBuf {
    arguments.output.with_extension("replies.jsonl")
}

/// What came of it.
#[derive(Default)]
struct Tally {
    rows: usize,
    /// Ids of rows with fewer than were wanted.
    short: Vec<String>,
    /// Ids of rows with none, which are not written.
    none: Vec<String>,
    without_answer: usize,
    failed: usize,
    failures: BTreeMap<String, usize>,
    refused: BTreeMap<String, usize>,
}

impl Tally {
    /// Counts what came of a row; whether it is to be written.
    fn made(&mut self, row: &Row, made: usize, count: usize) -> bool {
        if made == 0 {
            self.none.push(row.id.clone());
            return false;
        }
        self.rows += 1;
        if made < count {
            self.short.push(row.id.clone());
        }
        true
    }

    /// An error where rows are missing.
    fn verdict(&self, arguments: &Distractors) -> Outcome<()> {
        let mut parts = Vec::new();
        if self.failed > 0 {
            parts.push(format!(
                "{} rows were not made, since the model failed ({}); run the same command again \
                 to make them",
                self.failed,
                counts(&self.failures)
            ));
        }
        if !self.none.is_empty() {
            let help = match arguments.run {
                Some(_) => format!(
                    "the model wrote none of use, and its replies are kept: take another model, or \
                     remove {} to have it asked again",
                    replies(arguments).display()
                ),
                None => "no other answer of their category is wrong: take a wider --category, or \
                         a model"
                    .to_owned(),
            };
            parts.push(format!(
                "{} rows got no wrong answer and are not written ({}); {help}",
                self.none.len(),
                some(&self.none)
            ));
        }
        if parts.is_empty() { Ok(()) } else { Err(Fault::run(parts.join("\n"))) }
    }

    fn say(&self, count: usize) {
        let mut parts = vec![format!("{} rows made", self.rows)];
        if !self.short.is_empty() {
            let (rows, ids) = (self.short.len(), some(&self.short));
            parts.push(format!("{rows} with fewer than {count} wrong answers ({ids})"));
        }
        if self.without_answer > 0 {
            parts.push(format!("{} left out, having no reference", self.without_answer));
        }
        if !self.refused.is_empty() {
            parts.push(format!("refused of what the model wrote: {}", counts(&self.refused)));
        }
        console::say(parts.join("; "));
    }
}

/// The first of some ids.
fn some(ids: &[String]) -> String {
    let shown = ids.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    let rest = if ids.len() > 5 { ", …" } else { "" };
    console::printable(&format!("{shown}{rest}"))
}

fn counts(counts: &BTreeMap<String, usize>) -> String {
    let counts: Vec<String> = counts.iter().map(|(what, n)| format!("{what} {n}")).collect();
    console::printable(&counts.join(", "))
}

/// The file that grows by a row at a time.
struct Output {
    writer: std::io::BufWriter<File>,
    path: String,
    /// Ids of the rows that are there.
    there: std::collections::BTreeSet<String>,
    written: usize,
}

impl Output {
    /// Opens the file, and reads which rows of the dataset it holds already.
    fn open(path: &Path, rows: &[Row]) -> Outcome<Self> {
        let cannot = || format!("cannot write {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .or_input_at(cannot())?;
        let references: BTreeMap<&str, Option<&str>> =
            rows.iter().map(|row| (row.id.as_str(), row.reference.as_deref())).collect();
        let mut there = std::collections::BTreeSet::new();
        let mut end = 0_u64;
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = reader.by_ref().read_until(b'\n', &mut line).or_input_at(path.display())?;
            // A last line without its end was being written when the command was ended.
            if read == 0 || line.last() != Some(&b'\n') {
                break;
            }
            let row: Value = serde_json::from_slice(&line)
                .or_input_at(format!("{}:{number}", path.display()))?;
            let id = row.get("id").and_then(Value::as_str).unwrap_or_default();
            if references.get(id) != Some(&row.get("reference").and_then(Value::as_str)) {
                return Err(Fault::input(format!(
                    "{}:{number}: row `{id}` is not one of this dataset's; it was made from \
                     another: choose another --output, or remove it",
                    path.display()
                )));
            }
            there.insert(id.to_owned());
            end += read as u64;
        }
        drop(reader);
        file.set_len(end).or_input_at(cannot())?;
        file.seek(SeekFrom::Start(end)).or_input_at(cannot())?;
        let written = there.len();
        let path = path.display().to_string();
        Ok(Self { writer: std::io::BufWriter::new(file), path, there, written })
    }

    fn lacks(&self, row: &Row) -> bool {
        !self.there.contains(&row.id)
    }

    fn write(&mut self, row: &Row, distractors: &[String]) -> Outcome<()> {
        let mut data = row.data.clone();
        data.insert("distractors".to_owned(), distractors.into());
        let line = json!({
            "id": row.id,
            "messages": row.messages,
            "reference": row.reference,
            "data": data,
        });
        writeln!(self.writer, "{line}").or_run_at(format!("cannot write {}", self.path))
    }

    fn flush(&mut self) -> Outcome<()> {
        self.writer.flush().or_run_at(format!("cannot write {}", self.path))
    }
}
