//! `score`: completions from a file, scored by a task's rewards; the same path that training takes.
//!
//! Rows are read, scored in parallel and written in order, a batch at a time, so that files larger
//! than memory work. A broken line is told with its number; the others are still written, and the
//! exit code is 2.

mod again;
mod output;
mod setup;
mod totals;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use omni_record::{Finish, Fuel, GroupScore, Item, Rollout, Value};
use omni_train::reward::{ComponentSpec, weighted_sum};
use serde_json::{Map, json};

use crate::args::{Arguments, Score};
use crate::console;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::task::{self, Task};
use output::Output;
use setup::Setup;
use totals::Totals;

/// Rows in memory at a time.
const BATCH: usize = 1024;

/// Scores a file, or a recorded run's samples.
pub(crate) fn run(arguments: &Arguments, score: &Score) -> Outcome<()> {
    let setup = Setup::open(arguments, score)?;
    let outcome = match (&score.input, &score.replay) {
        (Some(file), _) => score_file(&setup, score, file),
        (None, Some(folder)) => again::run(&setup, score, folder),
        (None, None) => Err(Fault::input("--input: name a file of rows to score")),
    };
    setup.models.say();
    outcome
}

fn score_file(setup: &Setup, score: &Score, file: &Path) -> Outcome<()> {
    let mapper = score.mapping.as_deref().map(omni_data::Mapper::find).transpose().or_input()?;
    let input = input(file)?;
    let mut output = Output::open(score.output.as_deref())?;
    let started = Instant::now();
    let mut totals = Totals::default();
    let mut lines = input.split(b'\n').enumerate();
    loop {
        let mut batch = Vec::new();
        for (index, line) in lines.by_ref().take(BATCH) {
            let line = line.or_input_at(format!("{}:{}", file.display(), index + 1))?;
            batch.push((index + 1, line));
        }
        if batch.is_empty() {
            break;
        }
        let next = AtomicUsize::new(0);
        let results = spread(setup.threads, batch.len(), &next, &|index| {
            let (number, line) = &batch[index];
            (!line.trim_ascii().is_empty()).then(|| {
                let by = (&setup.task, &setup.components[..]);
                match &mapper {
                    Some(mapper) => {
                        let line = mapped(mapper, line, *number)?;
                        score_line(by, file, line.as_bytes(), *number, score.seed)
                    }
                    None => score_line(by, file, line, *number, score.seed),
                }
            })
        })?;
        for ((number, _), result) in batch.iter().zip(results) {
            match result {
                None => {}
                Some(Ok((rollouts, scored, line))) => {
                    totals.add(rollouts, &scored);
                    output.write(&line)?;
                }
                Some(Err(error)) => {
                    totals.broken += 1;
                    console::say(format!("{}:{number}: {error}", file.display()));
                }
            }
        }
    }
    output.finish()?;
    totals.say(started.elapsed().as_secs_f64());
    if totals.broken > 0 {
        return Err(Fault::input(format!(
            "{}: {} of {} lines are broken, named above; the others were scored",
            file.display(),
            totals.broken,
            totals.broken + totals.rows
        )));
    }
    totals.repeated()
}

/// What became of a line: rollouts, scores, and the line to write; or what is wrong with it.
pub(crate) type Scored = Result<(usize, GroupScore, serde_json::Value), String>;

/// Does `count` pieces of work on plain threads that take the next piece when they are free; what
/// they give is in order.
///
/// A caller of the runtime must not be a worker of another pool, which would begin further pieces
/// on its stack while it waits.
fn spread<T: Send>(
    threads: usize,
    count: usize,
    next: &AtomicUsize,
    work: &(dyn Fn(usize) -> T + Sync),
) -> Outcome<Vec<T>> {
    let share = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return done;
            }
            done.push((index, work(index)));
        }
    };
    let mut results = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(count)).map(|_| scope.spawn(share)).collect();
        let mut results = Vec::with_capacity(count);
        for worker in workers {
            let done = worker.join().map_err(|_| Fault::run("a scoring thread panicked"))?;
            results.extend(done);
        }
        Ok::<_, Fault>(results)
    })?;
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

fn input(path: &Path) -> Outcome<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = File::open(path).or_input_at(format!("cannot read {}", path.display()))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Fault::input(format!("cannot read {}: it is a folder", path.display())));
    }
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

/// Scores a line by a task whose components have these weights.
pub(crate) fn score_line(
    (task, components): (&Task, &[ComponentSpec]),
    file: &Path,
    line: &[u8],
    number: usize,
    seed: u32,
) -> Scored {
    let line = std::str::from_utf8(line).map_err(|error| format!("not UTF-8: {error}"))?;
    let (item, completions) = read_line(file, line, number)?;
    let rollouts: Vec<Rollout> = completions
        .into_iter()
        .map(|text| Rollout { text, tokens: 0, finish: Finish::Stop })
        .collect();
    let scored = if rollouts.is_empty() {
        GroupScore { rollouts: Vec::new(), fuel: Fuel::default(), reproducible: true }
    } else {
        task.score(&item, &rollouts, seed)
    };
    let line = json!({
        "id": item.id,
        "scores": scores(components, &scored),
        "fuel": {"reward": scored.fuel.reward, "programs": scored.fuel.programs},
    });
    Ok((rollouts.len(), scored, line))
}

/// What a row of the output says of each rollout.
fn scores(specs: &[ComponentSpec], scored: &GroupScore) -> Vec<serde_json::Value> {
    scored
        .rollouts
        .iter()
        .map(|components| {
            let mut values = Map::new();
            let mut reasons = Map::new();
            for component in components {
                values.insert(component.name.clone(), json!(component.value.score()));
                if let Value::Undefined(why) = &component.value {
                    let reason = format!("{}: {}", why.kind.as_str(), why.message);
                    reasons.insert(component.name.clone(), reason.into());
                }
            }
            let total = weighted_sum(specs, components);
            json!({"total": total, "components": values, "reasons": reasons})
        })
        .collect()
}

/// Columns of a row that make its item.
const ITEM_COLUMNS: [&str; 5] = ["id", "messages", "prompt", "reference", "data"];

/// A line of a dataset's own columns in the form that is scored, its completions kept.
fn mapped(mapper: &omni_data::Mapper, line: &[u8], number: usize) -> Result<String, String> {
    let columns: Map<String, serde_json::Value> =
        serde_json::from_slice(line).map_err(|error| format!("not a JSON object: {error}"))?;
    let row = mapper.row(&columns, number)?;
    let mut made = json!({
        "id": row.id, "messages": row.messages, "reference": row.reference, "data": row.data,
    });
    if let Some(completions) = columns.get("completions") {
        made["completions"] = completions.clone();
    }
    Ok(made.to_string())
}

/// A line's item and completions. Further columns are left alone: real files carry the columns of
/// other programs too. The messages stand as they are, since the row is past the prompt's template.
fn read_line(file: &Path, line: &str, number: usize) -> Result<(Item, Vec<String>), String> {
    let mut columns: Map<String, serde_json::Value> = match serde_json::from_str(line) {
        Ok(serde_json::Value::Object(columns)) => columns,
        Ok(_) => return Err("not a JSON object".to_owned()),
        Err(error) => return Err(format!("not JSON: {error}")),
    };
    let completions: Vec<String> = match columns.remove("completions") {
        Some(texts) => serde_json::from_value(texts)
            .map_err(|error| format!("`completions`: wants a list of texts: {error}"))?,
        None => return Err("has no `completions`, the list of texts to score".to_owned()),
    };
    columns.retain(|key, _| ITEM_COLUMNS.contains(&key.as_str()));
    let line = serde_json::Value::Object(columns).to_string();
    let row = omni_pack::rows::parse(file, number, &line, None).map_err(|error| {
        // The caller says where; the parser would say it again.
        let text = error.to_string();
        let place = format!("{}:{number}: ", file.display());
        text.strip_prefix(&place).map_or(text.clone(), str::to_owned)
    })?;
    Ok((task::item(row)?, completions))
}
