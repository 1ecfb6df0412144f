//! Which of a dataset's files hold a split.
//!
//! Most datasets keep `data/{split}-00000-of-00004.parquet`, `{config}/{split}-….parquet`,
//! `{config}/{split}/0000.parquet` (the hub's own conversion) or `{split}.jsonl`. Anything else is
//! named with `file = "…"`; nothing is guessed where several configurations would fit.

use std::collections::BTreeSet;

use crate::read::by_name;
use crate::settings::Format;
use crate::source::fits;

/// What is asked for.
pub(super) struct Selection<'a> {
    pub(super) config: Option<&'a str>,
    pub(super) split: Option<&'a str>,
    pub(super) pattern: Option<&'a str>,
}

/// Words by which files call a split.
const SPLITS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// The files of a split, in order; else why there are none, with what there is.
pub(super) fn select(names: &[String], wanted: &Selection<'_>) -> Result<Vec<String>, String> {
    let mut data: Vec<&str> = names.iter().map(String::as_str).filter(|it| is_data(it)).collect();
    data.sort_unstable();
    if let Some(pattern) = wanted.pattern {
        let chosen: Vec<String> =
            data.iter().filter(|name| fits(pattern, name)).map(|it| (*it).to_owned()).collect();
        return match chosen.is_empty() {
            false => Ok(chosen),
            true => Err(format!("it has no file `{pattern}`; it has {}", listed(&data))),
        };
    }
    if data.is_empty() {
        return Err("it has no Parquet, JSON Lines or JSON files".to_owned());
    }
    let of_config = configured(&data, wanted.config)?;
    let split = wanted.split.unwrap_or("train");
    let chosen = of_split(&of_config, split);
    let chosen = if chosen.is_empty() && (split == "train" || wanted.split.is_none()) {
        // One split that is called nothing, or the only one that there is.
        let labels: BTreeSet<String> = of_config.iter().map(|name| label(name)).collect();
        let unnamed = of_config.iter().all(|name| SPLITS.iter().all(|it| !says(name, it.1)));
        if unnamed || (wanted.split.is_none() && labels.len() == 1) {
            of_config.clone()
        } else {
            chosen
        }
    } else {
        chosen
    };
    if chosen.is_empty() {
        return Err(format!("it has no split `{split}`; its files are {}", listed(&of_config)));
    }
    Ok(best_format(&chosen))
}

/// A shard that the names of the others say there must be, and that is not among them.
pub(super) fn missing_shard(names: &[String]) -> Option<String> {
    names.iter().find_map(|name| {
        let (head, tail) = name.rsplit_once("-of-")?;
        let (stem, number) = head.rsplit_once('-')?;
        let (count, extension) = tail.split_once('.')?;
        let width = number.len();
        (0..count.parse::<usize>().ok()?)
            .map(|shard| format!("{stem}-{shard:0width$}-of-{count}.{extension}"))
            .find(|shard| !names.contains(shard))
    })
}

fn is_data(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    let about = ["dataset_info.json", "dataset_infos.json", "metadata.json", "state.json"];
    !last.starts_with('.') && !about.contains(&last) && by_name(std::path::Path::new(name)).is_ok()
}

/// The files of a configuration; without one, those in the root and in `data`, else those of the
/// only folder that there is.
fn configured<'n>(names: &[&'n str], config: Option<&str>) -> Result<Vec<&'n str>, String> {
    let folders = |name: &str| -> Vec<String> {
        let mut parts: Vec<String> = name.split('/').map(str::to_owned).collect();
        parts.pop();
        parts
    };
    if let Some(config) = config.filter(|config| *config != "default") {
        let chosen: Vec<&str> = names
            .iter()
            .filter(|name| {
                let last = name.rsplit('/').next().unwrap_or(name);
                let rest = last.strip_prefix(config);
                folders(name).iter().any(|folder| folder == config)
                    || rest.is_some_and(|rest| rest.starts_with(['-', '.', '_']))
            })
            .copied()
            .collect();
        if chosen.is_empty() {
            let files = listed(names);
            return Err(format!("it has no configuration `{config}`; its files are {files}"));
        }
        return Ok(chosen);
    }
    let plain: Vec<&str> = names
        .iter()
        .filter(|name| {
            let folders = folders(name);
            let split = |folder: &String| SPLITS.iter().any(|it| it.1.contains(&folder.as_str()));
            match folders.as_slice() {
                [] => true,
                [first, rest @ ..] => {
                    (first == "data" || first == "default" || split(first))
                        && rest.iter().all(split)
                }
            }
        })
        .copied()
        .collect();
    if !plain.is_empty() {
        return Ok(plain);
    }
    let tops: BTreeSet<&str> = names.iter().filter_map(|name| name.split('/').next()).collect();
    if tops.len() == 1 {
        return Ok(names.to_vec());
    }
    let tops: Vec<&str> = tops.into_iter().collect();
    Err(format!("it has several configurations: say `config = \"…\"`, one of {}", tops.join(", ")))
}

fn of_split<'n>(names: &[&'n str], split: &str) -> Vec<&'n str> {
    let exact: Vec<&str> = names
        .iter()
        .filter(|name| label(name) == split || name.split('/').rev().skip(1).any(|it| it == split))
        .copied()
        .collect();
    if !exact.is_empty() {
        return exact;
    }
    let only = [split];
    let words = SPLITS.iter().find(|it| it.1.contains(&split)).map_or(&only[..], |it| it.1);
    names.iter().filter(|name| says(name, words)).copied().collect()
}

/// A file's name without its shard's number and its extension.
fn label(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    let shard = stem.rsplit_once("-of-").and_then(|(head, _)| head.rsplit_once('-'));
    shard.map_or(stem, |(stem, _)| stem).to_owned()
}

/// Whether one of some words stands in a path.
fn says(name: &str, words: &[&str]) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|part| words.contains(&part.to_lowercase().as_str()))
}

/// Files of the best of their formats, where a dataset keeps the same rows in several.
fn best_format(names: &[&str]) -> Vec<String> {
    let of = |format: Format| -> Vec<String> {
        let fits = |name: &&&str| by_name(std::path::Path::new(name)).ok() == Some(format);
        names.iter().filter(fits).map(|name| (*name).to_owned()).collect()
    };
    [Format::Parquet, Format::Jsonl, Format::Json]
        .into_iter()
        .map(of)
        .find(|names| !names.is_empty())
        .unwrap_or_default()
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none that could be read".to_owned(),
        names if names.len() > 12 => {
            format!("{}, and {} more", names[..12].join(", "), names.len() - 12)
        }
        names => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        names: &[&str],
        config: Option<&str>,
        split: Option<&str>,
    ) -> Result<Vec<String>, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        select(&names, &Selection { config, split, pattern: None })
    }

    #[test]
    fn the_common_layouts() {
        let openr1 = [
            ".gitattributes",
            "README.md",
            "all/default-00000-of-00002.parquet",
            "all/extended-00000-of-00002.parquet",
            "data/train-00000-of-00002.parquet",
            "data/train-00001-of-00002.parquet",
            "extended/train-00000-of-00001.parquet",
        ];
        let train = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"];
        assert_eq!(of(&openr1, None, None).unwrap(), train);
        assert_eq!(of(&openr1, Some("default"), Some("train")).unwrap(), train);
        assert_eq!(
            of(&openr1, Some("extended"), Some("train")).unwrap(),
            ["extended/train-00000-of-00001.parquet"]
        );
        assert!(of(&openr1, None, Some("test")).unwrap_err().contains("no split `test`"));
        assert!(of(&openr1, Some("other"), None).unwrap_err().contains("no configuration"));

        let gsm8k = [
            "main/train-00000-of-00001.parquet",
            "main/test-00000-of-00001.parquet",
            "socratic/train-00000-of-00001.parquet",
            "socratic/test-00000-of-00001.parquet",
        ];
        assert_eq!(of(&gsm8k, Some("main"), Some("test")).unwrap(), [gsm8k[1]]);
        let error = of(&gsm8k, None, Some("test")).unwrap_err();
        assert!(error.contains("main, socratic"), "{error}");

        let converted = [
            "default/train/0000.parquet",
            "default/train/0001.parquet",
            "default/test/0000.parquet",
        ];
        assert_eq!(of(&converted, None, Some("train")).unwrap(), converted[..2]);
        let versions =
            ["data/v0.1.0_hf-00000-of-00001.parquet", "data/v0.1.4-00000-of-00001.parquet"];
        assert_eq!(of(&versions, None, Some("v0.1.4")).unwrap(), [versions[1]]);
        assert_eq!(of(&["test.jsonl"], None, Some("test")).unwrap(), ["test.jsonl"]);
        assert_eq!(
            of(&["dev.json", "train.json"], None, Some("validation")).unwrap(),
            ["dev.json"]
        );
        assert_eq!(of(&["a.jsonl", "b.jsonl"], None, None).unwrap(), ["a.jsonl", "b.jsonl"]);
        assert_eq!(
            of(&["x/train.jsonl", "x/train.parquet"], None, None).unwrap(),
            ["x/train.parquet"]
        );
        assert!(of(&["script.py"], None, None).is_err());
    }

    #[test]
    fn a_shard_that_is_missing_is_named() {
        let names = ["a-00000-of-00003.parquet", "a-00002-of-00003.parquet"].map(str::to_owned);
        assert_eq!(missing_shard(&names).unwrap(), "a-00001-of-00003.parquet");
        assert_eq!(missing_shard(&["a.parquet".to_owned()]), None);
    }
}
