//! A task's splits: each from its own settings, or taken from another's rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::chance;
use crate::error::DataError;
use crate::filter;
use crate::load::{Context, Loaded, keep, load, sample};
use crate::settings::Settings;

/// Loads the splits of one task. A split with `from` and `take` gets that many rows of another,
/// which then has them no more; splits that take are served in the order of their names.
///
/// Prompts that stand in two splits are counted in both reports: a held-out split whose prompts
/// were trained on measures memory.
///
/// # Errors
/// As [`load`], with the split's name before the key.
pub fn load_splits(
    splits: &BTreeMap<String, Settings>,
    context: &Context<'_>,
) -> Result<BTreeMap<String, Loaded>, DataError> {
    let mut loaded = BTreeMap::new();
    for (name, settings) in splits {
        if settings.from.is_none() && settings.take.is_none() {
            let one = load(settings, context).map_err(|error| named(name, error))?;
            loaded.insert(name.clone(), one);
        }
    }
    for (name, settings) in splits {
        if settings.from.is_some() || settings.take.is_some() {
            let one = take(name, settings, &mut loaded).map_err(|error| named(name, error))?;
            loaded.insert(name.clone(), one);
        }
    }
    shared_prompts(&mut loaded);
    Ok(loaded)
}

/// Says which split a setting is of.
fn named(split: &str, error: DataError) -> DataError {
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
    let known: Vec<&str> = loaded.keys().map(String::as_str).collect();
    let help = omni_pack::did_you_mean(from, known);
    let Some(source) = loaded.get_mut(from) else {
        let message = format!("there is no split `{from}` with rows of its own; {help}");
        return Err(DataError::setting("from", message));
    };
    if count == 0 || count >= source.rows.len() {
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
