//! The hub's cache on this machine: `datasets--owner--name/snapshots/COMMIT/…`, with the commits of
//! branches and tags in `refs`.

use std::path::{Path, PathBuf};

use hf_hub::{Repo, RepoType};

/// The files of one commit, as far as they are there.
pub(super) struct Snapshot {
    pub(super) commit: String,
    folder: PathBuf,
}

impl Snapshot {
    /// That of a commit; its folder may not be there yet.
    pub(super) fn of(cache: &Path, dataset: &str, commit: &str) -> Self {
        let folder = dataset_folder(cache, dataset).join("snapshots").join(commit);
        Self { commit: commit.to_owned(), folder }
    }

    /// That of a branch, tag or commit, where the cache has it.
    pub(super) fn cached(cache: &Path, dataset: &str, revision: &str) -> Option<Self> {
        let noted = dataset_folder(cache, dataset).join("refs").join(revision);
        let commit = match std::fs::read_to_string(noted) {
            Ok(commit) => commit.trim().to_owned(),
            Err(_) => revision.to_owned(),
        };
        let snapshot = is_commit(&commit).then(|| Self::of(cache, dataset, &commit))?;
        snapshot.folder.is_dir().then_some(snapshot)
    }

    /// A file of it, if it is there whole.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        let path = self.folder.join(name);
        // A link whose target is gone does not count.
        path.is_file().then_some(path)
    }

    /// The names of all its files.
    pub(super) fn names(&self) -> Vec<String> {
        fn below(folder: &Path, under: &str, depth: usize, names: &mut Vec<String>) {
            let Ok(entries) = std::fs::read_dir(folder) else { return };
            for entry in entries.flatten() {
                let name = format!("{under}{}", entry.file_name().to_string_lossy());
                let path = entry.path();
                if path.is_dir() && depth > 0 {
                    below(&path, &format!("{name}/"), depth - 1, names);
                } else if path.is_file() {
                    names.push(name);
                }
            }
        }
        let mut names = Vec::new();
        below(&self.folder, "", 8, &mut names);
        names.sort();
        names
    }
}

fn dataset_folder(cache: &Path, dataset: &str) -> PathBuf {
    cache.join(Repo::new(dataset.to_owned(), RepoType::Dataset).folder_name())
}

/// Whether a text is a commit's hash.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
