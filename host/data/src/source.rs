//! Where a dataset's files lie.

use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::hub::{Hub, Request};
use crate::settings::Settings;

/// A file of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Its name for people and records: the path, or `owner/name@commit/path`.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// The files that some settings name, and the dataset's name for people.
pub(crate) fn files(settings: &Settings, hub: &Hub<'_>) -> Result<(String, Vec<Used>), DataError> {
    if let Some(dataset) = &settings.hub {
        let pattern = settings.file.as_ref().map(|file| file.to_string_lossy().into_owned());
        let request = Request {
            dataset,
            config: settings.config.as_deref(),
            split: settings.split.as_deref(),
            revision: settings.revision.as_deref().unwrap_or("main"),
            pattern: pattern.as_deref(),
        };
        let found = hub.files(&request)?;
        return Ok((found.name, found.files));
    }
    for (key, value) in
        [("config", &settings.config), ("split", &settings.split), ("revision", &settings.revision)]
    {
        if value.is_some() {
            return Err(DataError::setting(key, "belongs to `hub`, which is not there"));
        }
    }
    let Some(file) = &settings.file else {
        return Err(DataError::setting(
            "data",
            "wants `file`, `hub`, or a mapping that has a `hub`",
        ));
    };
    let files = matching(file)?
        .into_iter()
        .map(|path| Used { name: path.display().to_string(), path })
        .collect();
    Ok((file.display().to_string(), files))
}

/// A path whose last part may hold `*`, sorted by name.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>, DataError> {
    let name = pattern.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(name) = name.filter(|name| name.contains('*')) else {
        return Ok(vec![pattern.to_owned()]);
    };
    let folder = match pattern.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let entry = entry.map_err(DataError::io(folder))?;
        if fits(&name, &entry.file_name().to_string_lossy()) && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    if found.is_empty() {
        return Err(DataError::file(pattern, "no file is called so"));
    }
    found.sort();
    Ok(found)
}

/// Whether a name fits a pattern in which `*` stands for any characters.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, expected) in [
            ("train-*.parquet", "train-00000-of-00010.parquet", true),
            ("train-*.parquet", "test-00000-of-00010.parquet", false),
            ("*", "anything", true),
            ("*a*b", "xaxb", true),
            ("*a*b", "xbxa", false),
            ("a*a", "a", false),
            ("a.jsonl", "a.jsonl", true),
            ("a.jsonl", "a.jsonl2", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
