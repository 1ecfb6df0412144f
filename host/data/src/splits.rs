//! A task's splits: each from its own settings, or taken from another's rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use crate::chance;
use crate::error::DataError;
use crate::filter;
use crate::load::{Context, Loaded, keep, load, sample};
use crate::settings::Settings;

/// The splits of a task: each one dataset or several, whose rows stand one after the other.
pub type Splits = BTreeMap<String, Vec<Settings>>;

/// Loads the splits of one task. A split with `from` and `take` gets that many rows of another,
/// which then has them no more; splits that take are served in the order of their names. Rows of
/// several datasets get their dataset's name before their ids (`aime24/7`).
///
/// Prompts that stand in two splits are counted in both reports: a held-out split whose prompts
/// were trained on measures memory.
///
/// # Errors
/// As [`load`], with the split's name before the key.
pub fn load_splits(
    splits: &Splits,
    context: &Context<'_>,
) -> Result<BTreeMap<String, Loaded>, DataError> {
    let mut loaded = BTreeMap::new();
    for (name, all) in splits {
        if !takes(name, all)? {
            loaded.insert(name.clone(), load_all(name, all, context)?);
        }
    }
    for (name, all) in splits {
        if let (true, [settings]) = (takes(name, all)?, all.as_slice()) {
            let one = take(name, settings, &mut loaded).map_err(|error| named(name, error))?;
            loaded.insert(name.clone(), one);
        }
    }
    shared_prompts(&mut loaded);
    Ok(loaded)
}

/// Whether a split's rows come from another.
pub(crate) fn takes(name: &str, all: &[Settings]) -> Result<bool, DataError> {
    let taking = all.iter().filter(|it| it.from.is_some() || it.take.is_some()).count();
    if taking > 0 && all.len() > 1 {
        let message = "rows of another split stand alone, not in a list";
        return Err(DataError::setting(format!("data.{name}"), message));
    }
    Ok(taking > 0)
}

/// Loads the datasets of a split.
pub(crate) fn load_all(
    name: &str,
    all: &[Settings],
    context: &Context<'_>,
) -> Result<Loaded, DataError> {
    if let [settings] = all {
        return load(settings, context).map_err(|error| named(name, error));
    }
    let mut together = Loaded::default();
    let mut labels: Vec<String> = Vec::new();
    for (index, settings) in all.iter().enumerate() {
        let mut one =
            load(settings, context).map_err(|error| named(&format!("{name}.{index}"), error))?;
        let mut label = label(settings);
        if labels.contains(&label) {
            label = format!("{label}-{}", index + 1);
        }
        for row in &mut one.rows {
            row.id = format!("{label}/{}", row.id);
        }
        labels.push(label);
        together.rows.append(&mut one.rows);
        together.files.append(&mut one.files);
        together.report.add(one.report);
    }
    Ok(together)
}

/// A short name for a dataset among others.
fn label(settings: &Settings) -> String {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mapping = settings.mapping.as_deref().and_then(|name| stem(Path::new(name)));
    let hub = || settings.hub.as_deref().and_then(|hub| hub.rsplit('/').next()).map(str::to_owned);
    let file = || settings.file.as_deref().and_then(stem);
    mapping.or_else(hub).or_else(file).unwrap_or_else(|| "rows".to_owned())
}

/// Says which split a setting is of.
pub(crate) fn named(split: &str, error: DataError) -> DataError {
    match error {
        DataError::Setting { key, message } if key == "data" => {
            DataError::Setting { key: format!("data.{split}"), message }
        }
        DataError::Setting { key, message } => {
            DataError::Setting { key: format!("data.{split}.{key}"), message }
        }
        other => other,
    }
}

fn take(
    name: &str,
    settings: &Settings,
    loaded: &mut BTreeMap<String, Loaded>,
) -> Result<Loaded, DataError> {
    let known: Vec<&str> = loaded.keys().map(String::as_str).collect();
    let (from, count) = taken(settings, &known)?;
    let Some(source) = loaded.get_mut(from) else { return Ok(Loaded::default()) };
    if count >= source.rows.len() {
        let message =
            format!("{from} has {} rows: take at least 1, and leave some", source.rows.len());
        return Err(DataError::setting("take", message));
    }
    // Drawn apart from the source's own sample, and from every other split that takes.
    let seed = chance::draw(settings.seed.unwrap_or_default(), name);
    let by = settings.proportional.as_deref().unwrap_or_default();
    let chosen = sample(&source.rows, count, by, seed);
    let rest = keep(&mut source.rows, &chosen);
    let taken = std::mem::replace(&mut source.rows, rest);
    source.report.kept = source.rows.len();
    source.report.taken.insert(name.to_owned(), taken.len());
    let mut report = crate::Report {
        source: format!("{from}, taken from {}", source.report.source),
        ..crate::Report::default()
    };
    (report.rows, report.kept) = (taken.len(), taken.len());
    Ok(Loaded { rows: taken, report, files: source.files.clone() })
}

/// The split that another takes rows of, and how many; `known` are those with rows of their own.
pub(crate) fn taken<'s>(
    settings: &'s Settings,
    known: &[&str],
) -> Result<(&'s str, usize), DataError> {
    let (Some(from), Some(count)) = (&settings.from, settings.take) else {
        let message = "`from` and `take` go together: { from = \"train\", take = 200 }";
        return Err(DataError::setting("from", message));
    };
    let only = Settings {
        from: settings.from.clone(),
        take: settings.take,
        seed: settings.seed,
        proportional: settings.proportional.clone(),
        ..Settings::default()
    };
    if *settings != only {
        let message = "takes rows as they are: beside it stand `take`, `seed` and `proportional`";
        return Err(DataError::setting("from", message));
    }
    if !known.contains(&from.as_str()) {
        let help = omni_pack::did_you_mean(from, known.iter().copied());
        let message = format!("there is no split `{from}` with rows of its own; {help}");
        return Err(DataError::setting("from", message));
    }
    if count == 0 {
        return Err(DataError::setting("take", "must be at least 1"));
    }
    Ok((from, count))
}

/// Counts the prompts of each split that stand in another.
fn shared_prompts(loaded: &mut BTreeMap<String, Loaded>) {
    let mut splits_of: HashMap<u64, BTreeSet<&str>> = HashMap::new();
    let key = |row: &omni_pack::Row| chance::draw(0, filter::prompt(row).trim());
    for (name, one) in loaded.iter() {
        // Rows without messages say nothing about each other.
        for row in one.rows.iter().filter(|row| !row.messages.is_empty()) {
            splits_of.entry(key(row)).or_default().insert(name);
        }
    }
    let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (name, one) in loaded.iter() {
        for row in one.rows.iter().filter(|row| !row.messages.is_empty()) {
            for other in splits_of.get(&key(row)).into_iter().flatten() {
                if other != name {
                    let into = counts.entry(name.clone()).or_default();
                    *into.entry((*other).to_owned()).or_default() += 1;
                }
            }
        }
    }
    for (name, shared) in counts {
        if let Some(one) = loaded.get_mut(&name) {
            one.report.shared_prompts = shared;
        }
    }
}
