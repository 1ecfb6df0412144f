//! Reference texts out of the `samples.jsonl` that an evaluation has left: what another policy (the
//! base, say) answered to the same prompts.
//!
//! Rows are found by their ids and checked by their prompts, since ids may be the numbers of rows.
//! A text is what a reader would have seen of an output: its answer, without thinking and markers.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use omni_pack::RowMessage;
use serde::Deserialize;
use serde_json::Value;

use crate::error::DataError;
use crate::read::{self, Wanted};

/// What such a file's name ends in.
const NAME: &str = "samples.jsonl";

/// One line, as far as it is looked at.
#[derive(Deserialize)]
struct Sample {
    purpose: String,
    task: String,
    item: String,
    turn: Option<u32>,
    problem: Option<Problem>,
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Problem {
    messages: Vec<RowMessage>,
}

#[derive(Deserialize)]
struct Output {
    text: String,
    #[serde(default)]
    finish: String,
}

/// One set of reference texts.
#[derive(Debug, Default)]
pub(crate) struct Samples(HashMap<String, Vec<Talk>>);

/// What was answered to one item of one task.
#[derive(Debug)]
struct Talk {
    task: String,
    /// The first prompt, but for what the system said.
    asked: Vec<RowMessage>,
    /// By turn, counted from 1: the text, or why it is of no use.
    answers: BTreeMap<u32, Result<String, String>>,
}

/// Whether a file holds an evaluation's outputs: by its name, or by its first line.
pub(crate) fn is_samples(path: &Path) -> bool {
    if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(NAME)) {
        return true;
    }
    let lines = path.extension().is_some_and(|it| it == "jsonl" || it == "ndjson");
    let Some(file) = lines.then(|| File::open(path).ok()).flatten() else { return false };
    let mut line = Vec::new();
    // Enough for one line of outputs; a longer one is parsed by what reads the file.
    let mut reader = BufReader::new(std::io::Read::take(file, 64 << 20));
    reader.read_until(b'\n', &mut line).is_ok()
        && serde_json::from_slice::<Sample>(&line).is_ok_and(|sample| sample.problem.is_some())
}

impl Samples {
    /// Reads a set.
    ///
    /// # Errors
    /// A line that is none of an evaluation's outputs, with its number.
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let mut samples = Self::default();
        read::read(path, &Wanted::default(), &mut |number, row| {
            let sample = row
                .and_then(|row| {
                    serde_json::from_value(Value::Object(row)).map_err(|error| error.to_string())
                })
                .map_err(|why| {
                    DataError::file(
                        path,
                        format!(
                            "line {number} is no evaluation's outputs ({why}); such a file comes \
                             from `omni-host eval … --samples all --out DIR`"
                        ),
                    )
                })?;
            samples
                .add(sample)
                .map_err(|why| DataError::file(path, format!("line {number}: {why}")))
        })?;
        if samples.0.is_empty() {
            return Err(DataError::file(path, "holds no outputs"));
        }
        Ok(samples)
    }

    fn add(&mut self, sample: Sample) -> Result<(), String> {
        if sample.purpose == "train" {
            return Err("outputs of training are of a policy that changes; reference texts come \
                        from an evaluation: `omni-host eval … --samples all --out DIR`"
                .to_owned());
        }
        let Some(problem) = sample.problem else {
            return Err("its prompt is missing: it was written by an older version; \
                        evaluate again"
                .to_owned());
        };
        let text = match sample.outputs.first() {
            Some(output) => text_of(output),
            None => Err("has no output".to_owned()),
        };
        let turn = sample.turn.unwrap_or(1);
        let talks = self.0.entry(sample.item).or_default();
        match talks.iter_mut().find(|talk| talk.task == sample.task) {
            // The same outputs stand once for each set that they were compared with, and those of a
            // later turn once for each first answer: the first of them go together.
            Some(talk) => {
                talk.answers.entry(turn).or_insert(text);
            }
            None => talks.push(Talk {
                task: sample.task,
                asked: without_system(&problem.messages).cloned().collect(),
                answers: BTreeMap::from([(turn, text)]),
            }),
        }
        Ok(())
    }

    /// The texts for a row, by turn; null for a later turn whose answer is of no use.
    ///
    /// # Errors
    /// Why there are none.
    pub(crate) fn of(&self, id: &str, messages: &[RowMessage]) -> Result<Vec<Value>, String> {
        let talks = self.0.get(id).ok_or("have no outputs for it")?;
        let talk = talks
            .iter()
            .find(|talk| talk.asked.iter().eq(without_system(messages)))
            .ok_or("have another prompt under its id: they were made from other rows")?;
        let mut texts = Vec::new();
        for (turn, answer) in &talk.answers {
            match answer {
                Err(why) if *turn == 1 => return Err(format!("{why} for it")),
                // Turns are asked one after the other, so none is left out between them.
                Err(_) => texts.push(Value::Null),
                Ok(text) => texts.push(text.clone().into()),
            }
        }
        Ok(texts)
    }
}

fn without_system(messages: &[RowMessage]) -> impl Iterator<Item = &RowMessage> {
    messages.iter().filter(|message| message.role != "system")
}

/// What a reader sees of an output.
fn text_of(output: &Output) -> Result<String, String> {
    let text = match omni_sdk::text::answer(&output.text) {
        Some(answer) => answer.to_owned(),
        None if output.finish == "length" => {
            return Err("have an output that was cut before its answer ended".to_owned());
        }
        None => omni_sdk::text::without_thinking(&output.text).trim().to_owned(),
    };
    if text.is_empty() { Err("have an empty answer".to_owned()) } else { Ok(text) }
}
