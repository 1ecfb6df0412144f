//! What of a task's datasets is on this machine, without asking the network: the rows of those that
//! are there, and how to get the others. All that can be checked without rows is checked.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::DataError;
use crate::expression::Expression;
use crate::hub::{Hub, HubSettings};
use crate::load::{Context, Loaded, check_limit};
use crate::mapping::Mapping;
use crate::plan::Plan;
use crate::samples;
use crate::settings::Settings;
use crate::source;
use crate::splits::{self, Splits};

/// A split, as far as it is here.
#[derive(Debug)]
pub enum Look {
    /// Its rows.
    There(Loaded),
    /// What is missing of it.
    Missing(Vec<Missing>),
}

/// Something that is not on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: String,
    /// What to do to have it.
    pub how: String,
}

/// Looks at the splits of one task; of the hub, only its cache is looked at.
///
/// # Errors
/// As [`crate::load_splits`], but for what is not there.
pub fn look(wanted: &Splits, context: &Context<'_>) -> Result<BTreeMap<String, Look>, DataError> {
    let offline = HubSettings { offline: true, ..context.hub.clone() };
    let asks = !context.hub.offline;
    let context = Context { hub: &offline, ..*context };
    let mut missing: BTreeMap<&str, Vec<Missing>> = BTreeMap::new();
    let mut known: Vec<&str> = Vec::new();
    for (name, all) in wanted {
        if splits::takes(name, all)? {
            continue;
        }
        known.push(name);
        for (index, settings) in all.iter().enumerate() {
            let name_of = || match all.len() {
                1 => name.clone(),
                _ => format!("{name}.{index}"),
            };
            let lacks = check(settings, &context, asks)
                .map_err(|error| splits::named(&name_of(), error))?;
            if !lacks.is_empty() {
                missing.entry(name).or_default().extend(lacks);
            }
        }
    }
    let mut here = Splits::new();
    let mut looks = BTreeMap::new();
    for (name, all) in wanted {
        let from = match all.as_slice() {
            [settings] if splits::takes(name, all)? => {
                let taken = splits::taken(settings, &known);
                taken.map_err(|error| splits::named(name, error))?.0
            }
            _ => name,
        };
        match missing.get(from) {
            None => {
                here.insert(name.clone(), all.clone());
            }
            Some(lacks) if from == name => {
                looks.insert(name.clone(), Look::Missing(lacks.clone()));
            }
            // What it is taken from is listed already.
            Some(_) => {
                looks.insert(name.clone(), Look::Missing(Vec::new()));
            }
        }
    }
    let loaded = splits::load_splits(&here, &context)?;
    looks.extend(loaded.into_iter().map(|(name, loaded)| (name, Look::There(loaded))));
    Ok(looks)
}

/// Checks a dataset's settings, and says what it lacks. `asks` is whether the hub is asked when it
/// is loaded.
fn check(
    settings: &Settings,
    context: &Context<'_>,
    asks: bool,
) -> Result<Vec<Missing>, DataError> {
    let own = settings;
    let settings = &settings.over_mapping()?;
    Plan::read(settings, context)?;
    if let Some(join) = &settings.join {
        Expression::read("join.value", &join.value)?;
    }
    check_limit(settings)?;
    let mut missing = Vec::new();
    for (name, path) in &settings.references {
        if !path.is_file() {
            let how = if samples::is_samples(path) {
                "what another policy answers to the same prompts: omni-host eval RUN.toml \
                 --policy DIR --samples all --out DIR writes it to DIR/samples.jsonl"
            } else {
                "a file with the answers of that model, one row for each of the dataset's"
            };
            let what = format!("the answers `{name}`: {}", path.display());
            missing.push(Missing { what, how: how.to_owned() });
        }
    }
    let hub = Hub { settings: context.hub, progress: context.progress };
    match (source::files(settings, &hub), &settings.hub) {
        (Ok((_, files)), None) => {
            missing
                .extend(files.iter().filter(|it| !it.path.exists()).map(|it| file(own, &it.name)));
        }
        (Ok(_), Some(_)) => {}
        (Err(DataError::Hub { message, .. }), Some(dataset)) => {
            let fetch = format!("hf download --repo-type dataset {dataset}");
            let how = match asks {
                true => format!(
                    "it is fetched from {} when the command runs, which was not tried now; or \
                     before: {fetch}",
                    context.hub.endpoint
                ),
                false => message,
            };
            missing.push(Missing { what: format!("the dataset {dataset}"), how });
        }
        // A pattern that no file fits, in a folder that may not be there either.
        (Err(DataError::File { .. } | DataError::Io { .. }), None) => {
            let pattern = settings.file.as_deref().unwrap_or(Path::new(""));
            missing.push(file(own, &pattern.display().to_string()));
        }
        (Err(other), _) => return Err(other),
    }
    Ok(missing)
}

/// A file that is not there.
fn file(settings: &Settings, name: &str) -> Missing {
    let mapping = settings.mapping.as_deref().and_then(|name| Mapping::find(name).ok());
    let how = match mapping.and_then(|mapping| mapping.settings.hub) {
        Some(hub) => format!("put the file there, or leave `file` out to have {hub} from the hub"),
        None => "put the file there".to_owned(),
    };
    Missing { what: format!("the file {name}"), how }
}
