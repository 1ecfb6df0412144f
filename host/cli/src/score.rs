//! `score`: completions from a file, scored by a task's rewards; the same path that training takes.
//!
//! Rows are read, scored in parallel and written in order, a batch at a time, so that files larger
//! than memory work. A broken line is told with its number; the others are still written, and the
//! exit code is 2.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use omni_record::{Finish, Fuel, GroupScore, Item, Rollout, Value};
use omni_train::reward::weighted_sum;
use serde_json::{Map, json};

use crate::args::{Arguments, Score};
use crate::console;
use crate::engine::Engine;
use crate::fault::{Blame as _, Fault, Outcome};
use crate::task::{self, Settings, Task};

/// Rows in memory at a time.
const BATCH: usize = 1024;

/// What the summary tells.
#[derive(Default)]
struct Totals {
    rows: u64,
    rollouts: u64,
    fuel: Fuel,
    undefined: BTreeMap<&'static str, u64>,
    broken: u64,
    by_time: u64,
}

/// Scores a file.
pub(crate) fn run(arguments: &Arguments, score: &Score) -> Outcome<()> {
    if score.replay.is_some() {
        return Err(Fault::unsupported("omni-host score --replay"));
    }
    let mut settings = Settings::default();
    if let Some(text) = &score.config {
        settings.primary = object(text)?;
    }
    let engine = Engine::open(arguments)?;
    let task = Task::open(&engine, &score.task, &settings)?;
    let input = input(&score.input)?;
    let mut output = Output::open(score.output.as_deref())?;
    let started = Instant::now();
    let mut totals = Totals::default();
    let mut lines = input.split(b'\n').enumerate();
    loop {
        let mut batch = Vec::new();
        for (index, line) in lines.by_ref().take(BATCH) {
            let line = line.or_input_at(format!("{}:{}", score.input.display(), index + 1))?;
            batch.push((index + 1, line));
        }
        if batch.is_empty() {
            break;
        }
        let results = score_batch(&task, score, &batch, engine.threads())?;
        for ((number, _), result) in batch.iter().zip(results) {
            match result {
                None => {}
                Some(Ok((rollouts, scored, line))) => {
                    totals.add(rollouts, &scored);
                    output.write(&line)?;
                }
                Some(Err(error)) => {
                    totals.broken += 1;
                    console::say(format!("{}:{number}: {error}", score.input.display()));
                }
            }
        }
    }
    output.finish()?;
    totals.say(started.elapsed().as_secs_f64());
    if totals.broken > 0 {
        return Err(Fault::input(format!(
            "{}: {} of {} lines are broken, named above; the others were scored",
            score.input.display(),
            totals.broken,
            totals.broken + totals.rows
        )));
    }
    Ok(())
}

/// What became of a line: rollouts, scores, and the line to write; or what is wrong with it.
type Scored = Result<(usize, GroupScore, serde_json::Value), String>;

/// Scores the lines of a batch; none for a blank one.
///
/// Plain threads that take the next line when they are free: a caller of the runtime must not be a
/// worker of another pool, which would begin further lines on its stack while it waits.
fn score_batch(
    task: &Task,
    score: &Score,
    batch: &[(usize, Vec<u8>)],
    threads: usize,
) -> Outcome<Vec<Option<Scored>>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((number, line)) = batch.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = (!line.trim_ascii().is_empty())
                .then(|| score_line(task, &score.input, line, *number, score.seed));
            done.push((*number, result));
        }
        done
    };
    let mut results = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(batch.len())).map(|_| scope.spawn(work)).collect();
        let mut results = Vec::with_capacity(batch.len());
        for worker in workers {
            let done = worker.join().map_err(|_| Fault::run("a scoring thread panicked"))?;
            results.extend(done);
        }
        Ok::<_, Fault>(results)
    })?;
    results.sort_by_key(|(number, _)| *number);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

fn object(text: &str) -> Outcome<Map<String, serde_json::Value>> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Object(config)) => Ok(config),
        Ok(_) => Err(Fault::input(format!("--config: {text} is not a JSON object"))),
        Err(error) => Err(Fault::input(format!("--config: not JSON: {error}"))),
    }
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

fn score_line(task: &Task, file: &Path, line: &[u8], number: usize, seed: u32) -> Scored {
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
    let scores: Vec<serde_json::Value> = scored
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
            let total = weighted_sum(task.components(), components);
            json!({"total": total, "components": values, "reasons": reasons})
        })
        .collect();
    let line = json!({
        "id": item.id,
        "scores": scores,
        "fuel": {"reward": scored.fuel.reward, "programs": scored.fuel.programs},
    });
    Ok((rollouts.len(), scored, line))
}

/// Columns of a row that make its item.
const ITEM_COLUMNS: [&str; 5] = ["id", "messages", "prompt", "reference", "data"];

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

impl Totals {
    fn add(&mut self, rollouts: usize, scored: &GroupScore) {
        self.rows += 1;
        self.rollouts += rollouts as u64;
        self.fuel += scored.fuel;
        self.by_time += u64::from(!scored.reproducible);
        for component in scored.rollouts.iter().flatten() {
            if let Value::Undefined(why) = &component.value {
                *self.undefined.entry(why.kind.as_str()).or_default() += 1;
            }
        }
    }

    fn say(&self, seconds: f64) {
        let undefined: Vec<String> =
            self.undefined.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let undefined = if undefined.is_empty() { "none".to_owned() } else { undefined.join(", ") };
        console::say(format!(
            "{} rows, {} rollouts, {seconds:.2} s, {:.1} rollouts/s, undefined: {undefined}",
            self.rows,
            self.rollouts,
            self.rollouts as f64 / seconds.max(1e-9),
        ));
        if self.by_time > 0 {
            console::say(format!(
                "{} rows were decided by the clock and may score differently next time",
                self.by_time
            ));
        }
    }
}

/// Where scores go: a file, or standard output. A file is written aside and renamed when complete.
enum Output {
    Standard(BufWriter<std::io::Stdout>),
    File { writer: BufWriter<File>, aside: std::path::PathBuf, path: std::path::PathBuf },
}

impl Output {
    fn open(path: Option<&Path>) -> Outcome<Self> {
        let Some(path) = path else {
            return Ok(Self::Standard(BufWriter::new(std::io::stdout())));
        };
        // A device or a pipe, as /dev/stdout, takes lines as they come.
        if path.exists() && !path.is_file() {
            let file =
                File::create(path).or_input_at(format!("cannot write {}", path.display()))?;
            let writer = BufWriter::new(file);
            return Ok(Self::File { writer, aside: path.to_owned(), path: path.to_owned() });
        }
        let mut aside = path.as_os_str().to_owned();
        aside.push(".partial");
        let aside = std::path::PathBuf::from(aside);
        let file = File::create(&aside).or_input_at(format!("cannot write {}", aside.display()))?;
        Ok(Self::File { writer: BufWriter::new(file), aside, path: path.to_owned() })
    }

    fn write(&mut self, value: &serde_json::Value) -> Outcome<()> {
        match self {
            Self::Standard(writer) => match writeln!(writer, "{value}") {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                    // Whoever read the scores has seen enough.
                    std::process::exit(0)
                }
                other => other.or_run_at("cannot write to standard output"),
            },
            Self::File { writer, aside, .. } => {
                writeln!(writer, "{value}").or_run_at(format!("cannot write {}", aside.display()))
            }
        }
    }

    fn finish(self) -> Outcome<()> {
        match self {
            Self::Standard(mut writer) => match writer.flush() {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                other => other.or_run_at("cannot write to standard output"),
            },
            Self::File { mut writer, aside, path } => {
                writer.flush().or_run_at(format!("cannot write {}", aside.display()))?;
                drop(writer);
                if aside == path {
                    return Ok(());
                }
                std::fs::rename(&aside, &path).or_run_at(format!("cannot write {}", path.display()))
            }
        }
    }
}
