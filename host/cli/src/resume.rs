//! Whether a run that is resumed is the run that began.

use std::collections::BTreeSet;
use std::path::Path;

use omni_train::RunConfig;
use toml::{Table, Value};

use crate::fault::{Blame as _, Fault, Outcome};

/// Differences that an error names.
const SHOWN: usize = 5;

/// A resumed run must be the run that began: only what changes no number may differ.
pub(crate) fn same_run(config: &RunConfig, file: &Path) -> Outcome<()> {
    if !file.exists() {
        return Err(Fault::input(format!(
            "{}: there is no run here to go on with; leave --resume out to begin one",
            file.display()
        )));
    }
    let text = std::fs::read_to_string(file).or_input_at(file.display())?;
    let mut old: RunConfig = toml::from_str(&text).or_input_at(file.display())?;
    old.policy.threads = config.policy.threads;
    old.policy.device = config.policy.device;
    old.rollout.scoring_threads = config.rollout.scoring_threads;
    old.checkpoint = config.checkpoint.clone();
    for (name, model) in &mut old.models {
        if let Some(new) = config.models.get(name) {
            model.operate_as(new);
        }
    }
    // Wherever they lie now: lock.toml says whether they are the same bytes.
    for (old, new) in [
        (&mut old.policy.continue_from, &config.policy.continue_from),
        (&mut old.schedule.evidence, &config.schedule.evidence),
    ] {
        if old.is_some() && new.is_some() {
            old.clone_from(new);
        }
    }
    let limit = std::mem::replace(&mut old.schedule.max_steps, config.schedule.max_steps);
    if old == *config {
        return config.may_raise(limit).map(drop).or_input_at(file.display());
    }
    let table = |config: &RunConfig| Table::try_from(config).or_input();
    let differences = differences(&table(&old)?, &table(config)?);
    Err(Fault::input(format!(
        "{}: the run cannot go on with other settings: {}; bring them back, or start a new run \
         with another --out{}",
        file.display(),
        listed(&differences),
        advice(&differences),
    )))
}

/// The settings in which two run files differ, named; none where they do not.
pub(crate) fn what_differs(old: &RunConfig, new: &RunConfig) -> Outcome<Option<String>> {
    let table = |config: &RunConfig| Table::try_from(config).or_input();
    let differences = differences(&table(old)?, &table(new)?);
    Ok((!differences.is_empty()).then(|| listed(&differences)))
}

/// A setting that is not what it was.
#[derive(Debug, PartialEq)]
struct Difference {
    key: String,
    old: Option<Value>,
    new: Option<Value>,
}

fn differences(old: &Table, new: &Table) -> Vec<Difference> {
    let mut found = Vec::new();
    compare_tables("", old, new, &mut found);
    found
}

fn compare_tables(under: &str, old: &Table, new: &Table, found: &mut Vec<Difference>) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        compare(&format!("{under}{key}"), old.get(key), new.get(key), found);
    }
}

fn compare(key: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Difference>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Some(Value::Table(old)), Some(Value::Table(new))) => {
            compare_tables(&format!("{key}."), old, new, found);
        }
        // The tasks: one by one where there are as many, so that a changed weight is shown alone.
        (Some(Value::Array(old)), Some(Value::Array(new)))
            if old.len() == new.len() && old.iter().chain(new).all(Value::is_table) =>
        {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{key}.{}", name(old, index)), Some(old), Some(new), found);
            }
        }
        (old, new) => {
            found.push(Difference { key: key.to_owned(), old: old.cloned(), new: new.cloned() })
        }
    }
}

/// What `--set` calls an entry of a list.
fn name(entry: &Value, index: usize) -> String {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    text("name").or_else(|| text("use")).unwrap_or_else(|| index.to_string())
}

fn listed(differences: &[Difference]) -> String {
    let mut lines: Vec<String> = differences
        .iter()
        .take(SHOWN)
        .map(|it| match (&it.old, &it.new) {
            (Some(old), Some(new)) => {
                format!("`{}` was {}, now it is {}", it.key, shown(old), shown(new))
            }
            (Some(old), None) => format!("`{}` was {}, now it is not set", it.key, shown(old)),
            (None, new) => format!(
                "`{}` was not set, now it is {}",
                it.key,
                new.as_ref().map_or_else(String::new, shown)
            ),
        })
        .collect();
    if differences.len() > SHOWN {
        lines.push(format!("and {} more", differences.len() - SHOWN));
    }
    lines.join("; ")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Array(entries) if entries.iter().any(Value::is_table) => {
            let names = entries.iter().enumerate().map(|(index, entry)| name(entry, index));
            names.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// What to do instead, where there is something.
fn advice(differences: &[Difference]) -> String {
    let planned = |it: &&Difference| {
        let items = it.key.starts_with("task.") && it.key.ends_with(".items");
        items || it.key == "schedule.epochs" || it.key == "schedule.tasks"
    };
    differences.iter().find(planned).map_or_else(String::new, |it| {
        format!(
            " (the scheduler planned by `{}` when the run began, and the order of prompts depends \
             on their number; to train on with another, let a new run begin at this one's last \
             checkpoint with `policy.continue_from`)",
            it.key
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(old: &str, new: &str) -> Vec<Difference> {
        differences(&toml::from_str(old).unwrap(), &toml::from_str(new).unwrap())
    }

    #[test]
    fn settings_are_named_as_an_override_names_them() {
        let old = "[schedule]\nepochs = 1.0\n[[task]]\nuse = \"a/math\"\nweight = 1.0\n";
        let new = "[schedule]\ntasks = [\"math\"]\n[[task]]\nuse = \"a/math\"\nweight = 0.5\n";
        let found = compared(old, new);
        assert_eq!(
            listed(&found),
            "`schedule.epochs` was 1.0, now it is not set; `schedule.tasks` was not set, now it is \
             [\"math\"]; `task.a/math.weight` was 1.0, now it is 0.5"
        );
        assert!(advice(&found).contains("continue_from"));
        for other in ["[eval]\nitems = 1", "[eval.final]\nitems = 1"] {
            assert!(advice(&compared("", other)).is_empty());
        }
        assert!(
            !advice(&compared("[[task]]\nuse = \"qa\"", "[[task]]\nuse = \"qa\"\nitems = 1"))
                .is_empty()
        );
    }

    #[test]
    fn tasks_that_come_or_go_are_named() {
        let found = compared(
            "[[task]]\nuse = \"math\"\n",
            "[[task]]\nuse = \"math\"\n[[task]]\nuse = \"qa\"\n",
        );
        assert_eq!(listed(&found), "`task` was math, now it is math, qa");
    }
}
