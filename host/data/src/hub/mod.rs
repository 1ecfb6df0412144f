//! Datasets on the Hugging Face hub, and in its cache on this machine.
//!
//! The cache is the one that Hugging Face's own libraries keep, so that what they have fetched is
//! found here and the other way round. A branch or tag is resolved to its commit once, and every
//! file is taken from that commit.

mod cache;
mod environment;
mod select;

pub use environment::HubSettings;

use std::path::PathBuf;
use std::time::Duration;

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use serde::Deserialize;

use crate::error::DataError;
use crate::hub::cache::Snapshot;
use crate::hub::select::{Selection, select};
use crate::source::Used;

/// Where the hub keeps every dataset once more, converted to Parquet.
const CONVERTED: &str = "refs/convert/parquet";

/// The longest answer to the question which files a dataset has.
const MAX_LISTING: u64 = 64 << 20;

/// Told how a download goes.
pub trait Progress {
    /// A file of some bytes begins.
    fn begin(&self, file: &str, bytes: u64);
    /// So many more bytes have come.
    fn advance(&self, bytes: u64);
    /// The file is there.
    fn end(&self);
}

/// Shows nothing.
impl Progress for () {
    fn begin(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// The hub as some settings reach it.
pub(crate) struct Hub<'a> {
    pub(crate) settings: &'a HubSettings,
    pub(crate) progress: &'a dyn Progress,
}

/// Files that are asked for.
pub(crate) struct Request<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) config: Option<&'a str>,
    pub(crate) split: Option<&'a str>,
    pub(crate) revision: &'a str,
    /// A path in the dataset whose parts may hold `*`, instead of configuration and split.
    pub(crate) pattern: Option<&'a str>,
}

/// Files that were found.
pub(crate) struct Found {
    /// `owner/name@commit`.
    pub(crate) name: String,
    pub(crate) files: Vec<Used>,
}

/// What the hub says of a revision.
#[derive(Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// Why the hub gave no listing.
enum Refused {
    /// It could not be reached.
    Unreachable(String),
    /// It answered with a status.
    Status(u16),
    /// It answered with something else than a listing.
    Nonsense(String),
}

impl Hub<'_> {
    /// The files of a request, on this machine; fetched first where they are not yet.
    pub(crate) fn files(&self, request: &Request<'_>) -> Result<Found, DataError> {
        check_name(request.dataset)?;
        check_revision(request.revision)?;
        if self.settings.offline {
            return self.cached(request, "the hub is not asked (offline mode)");
        }
        match self.listing(request.dataset, request.revision) {
            Ok(listing) => self.fetched(request, listing),
            Err(Refused::Unreachable(reason)) => {
                let reason = format!("{} cannot be reached: {reason}", self.settings.endpoint);
                let found = self.cached(request, &reason)?;
                tracing::warn!("{reason}; {} is taken from the cache", found.name);
                Ok(found)
            }
            Err(refused) => Err(DataError::hub(request.dataset, self.refusal(request, &refused))),
        }
    }

    fn fetched(&self, request: &Request<'_>, listing: Listing) -> Result<Found, DataError> {
        let names = names(&listing);
        match select(&names, &selection(request)) {
            Ok(chosen) => self.download(request.dataset, request.revision, &listing.sha, &chosen),
            Err(reason) => {
                let wrong = || DataError::hub(request.dataset, reason.clone());
                // What is no Parquet or JSON Lines yet, the hub may have converted.
                if request.revision != "main" || request.pattern.is_some() {
                    return Err(wrong());
                }
                let Ok(converted) = self.listing(request.dataset, CONVERTED) else {
                    return Err(wrong());
                };
                let chosen =
                    select(&self::names(&converted), &selection(request)).map_err(|_| wrong())?;
                self.download(request.dataset, CONVERTED, &converted.sha, &chosen)
            }
        }
    }

    fn listing(&self, dataset: &str, revision: &str) -> Result<Listing, Refused> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(Duration::from_secs(60)))
            .http_status_as_error(false)
            .build()
            .into();
        let revision = revision.replace('/', "%2F");
        let url = format!("{}/api/datasets/{dataset}/revision/{revision}", self.settings.endpoint);
        let mut ask = agent.get(&url);
        if let Some(token) = &self.settings.token {
            ask = ask.header("Authorization", format!("Bearer {token}"));
        }
        let mut answer = ask.call().map_err(|error| Refused::Unreachable(error.to_string()))?;
        let status = answer.status().as_u16();
        if status != 200 {
            // Too many requests, or too slow a one, says nothing of the dataset.
            return Err(if status >= 500 || status == 408 || status == 429 {
                Refused::Unreachable(format!("it answered with status {status}"))
            } else {
                Refused::Status(status)
            });
        }
        let text = answer
            .body_mut()
            .with_config()
            .limit(MAX_LISTING)
            .read_to_string()
            .map_err(|error| Refused::Unreachable(error.to_string()))?;
        let listing: Listing =
            serde_json::from_str(&text).map_err(|error| Refused::Nonsense(error.to_string()))?;
        if !cache::is_commit(&listing.sha) {
            return Err(Refused::Nonsense(format!("`{}` is no commit", listing.sha)));
        }
        Ok(listing)
    }

    fn refusal(&self, request: &Request<'_>, refused: &Refused) -> String {
        let revision = request.revision;
        let token = match self.settings.token {
            Some(_) => "the token that was found may not read it",
            None => "if it is private or gated, set HF_TOKEN to a token that may read it",
        };
        match refused {
            Refused::Status(401 | 403) => format!(
                "{} refuses it: it does not exist, or {token}, and the terms of a gated dataset \
                 have to be accepted on its page first",
                self.settings.endpoint
            ),
            Refused::Status(404) => format!(
                "{} has no such dataset with a revision `{revision}`; check the name, or {token}",
                self.settings.endpoint
            ),
            Refused::Status(status) => {
                format!("{} answered with status {status}", self.settings.endpoint)
            }
            Refused::Nonsense(why) | Refused::Unreachable(why) => format!(
                "{} did not answer as a hub does ({why}); is HF_ENDPOINT right?",
                self.settings.endpoint
            ),
        }
    }

    /// Files of one commit, fetched where the cache has not got them.
    fn download(
        &self,
        dataset: &str,
        revision: &str,
        commit: &str,
        chosen: &[String],
    ) -> Result<Found, DataError> {
        let cache = Cache::new(self.settings.cache.clone());
        let at = |revision: &str| {
            Repo::with_revision(dataset.to_owned(), RepoType::Dataset, revision.to_owned())
        };
        let wrong = |message: String| DataError::hub(dataset, message);
        let snapshot = Snapshot::of(&self.settings.cache, dataset, commit);
        let mut repo: Option<ApiRepo> = None;
        let mut files = Vec::with_capacity(chosen.len());
        for name in chosen {
            let path = match snapshot.file(name) {
                Some(path) => path,
                None => {
                    if repo.is_none() {
                        let api = ApiBuilder::from_cache(cache.clone())
                            .with_endpoint(self.settings.endpoint.clone())
                            .with_token(self.settings.token.clone())
                            .with_progress(false)
                            .with_retries(3)
                            .build()
                            .map_err(|error| wrong(error.to_string()))?;
                        repo = Some(api.repo(at(commit)));
                    }
                    match &repo {
                        Some(repo) => self.fetch(repo, name).map_err(&wrong)?,
                        None => continue,
                    }
                }
            };
            files.push(Used { name: format!("{dataset}@{commit}/{name}"), path });
        }
        // The branch's commit, under which the files are found when there is no hub to ask.
        if !cache::is_commit(revision) {
            let noted = cache.repo(at(revision)).create_ref(commit);
            if let Err(error) = noted {
                tracing::warn!(
                    "{}: cannot note the commit: {error}",
                    self.settings.cache.display()
                );
            }
        }
        Ok(Found { name: short_name(dataset, commit), files })
    }

    fn fetch(&self, repo: &ApiRepo, name: &str) -> Result<PathBuf, String> {
        let bar = Bar(self.progress);
        repo.download_with_progress(name, bar).map_err(|error| {
            let why = match &error {
                ApiError::RequestError(error) => error.to_string(),
                other => other.to_string(),
            };
            format!("cannot fetch {name}: {why}; what has come so far is kept, so try again")
        })
    }

    /// The files of a request as the cache alone has them.
    fn cached(&self, request: &Request<'_>, why: &str) -> Result<Found, DataError> {
        let dataset = request.dataset;
        let how = || {
            format!(
                "{why}, and the cache at {} has not got it; fetch it once where there is a \
                 network (unset HF_HUB_OFFLINE, or run `hf download --repo-type dataset \
                 {dataset}`) or set HF_HUB_CACHE to a cache that has it",
                self.settings.cache.display()
            )
        };
        let mut reason = format!("revision `{}`: {}", request.revision, how());
        let converted = (request.revision == "main").then_some(CONVERTED);
        for revision in [Some(request.revision), converted].into_iter().flatten() {
            let Some(snapshot) = Snapshot::cached(&self.settings.cache, dataset, revision) else {
                continue;
            };
            let names = snapshot.names();
            match select(&names, &selection(request)) {
                Ok(chosen) => {
                    if let Some(missing) = select::missing_shard(&chosen) {
                        reason = format!("{missing} is missing: {}", how());
                        continue;
                    }
                    let files: Option<Vec<Used>> = chosen
                        .iter()
                        .map(|name| {
                            let path = snapshot.file(name)?;
                            let name = format!("{dataset}@{}/{name}", snapshot.commit);
                            Some(Used { name, path })
                        })
                        .collect();
                    if let Some(files) = files {
                        return Ok(Found { name: short_name(dataset, &snapshot.commit), files });
                    }
                }
                Err(why) => reason = format!("{why}: {}", how()),
            }
        }
        Err(DataError::hub(dataset, reason))
    }
}

fn selection<'r>(request: &Request<'r>) -> Selection<'r> {
    Selection { config: request.config, split: request.split, pattern: request.pattern }
}

/// The paths that a listing has, but for those that lead out of the dataset.
fn names(listing: &Listing) -> Vec<String> {
    let inside = |name: &&String| {
        !name.starts_with('/')
            && !name.contains('\\')
            && !name.split('/').any(|part| part.is_empty() || part == "." || part == "..")
    };
    listing.siblings.iter().map(|sibling| &sibling.rfilename).filter(inside).cloned().collect()
}

fn short_name(dataset: &str, commit: &str) -> String {
    format!("{dataset}@{}", commit.get(..8).unwrap_or(commit))
}

fn check_name(dataset: &str) -> Result<(), DataError> {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let parts: Vec<&str> = dataset.split('/').collect();
    if parts.len() > 2 || !parts.iter().all(|it| part(it)) {
        let message = format!("`{dataset}` is no dataset's name, which is `owner/name`");
        return Err(DataError::setting("hub", message));
    }
    Ok(())
}

fn check_revision(revision: &str) -> Result<(), DataError> {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
    };
    if !revision.split('/').all(part) {
        let message = format!("`{revision}` is no branch, tag or commit");
        return Err(DataError::setting("revision", message));
    }
    Ok(())
}

/// Progress as the hub's client reports it.
struct Bar<'a>(&'a dyn Progress);

impl hf_hub::api::Progress for Bar<'_> {
    fn init(&mut self, size: usize, filename: &str) {
        self.0.begin(filename, size as u64);
    }

    fn update(&mut self, size: usize) {
        self.0.advance(size as u64);
    }

    fn finish(&mut self) {
        self.0.end();
    }
}
