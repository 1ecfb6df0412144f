//! A model, as a judge's adapter calls it: settings, backend, ledger and budget together.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::budget::{Budget, Prices, Spent};
use crate::endpoint::Endpoint;
use crate::error::OpenError;
use crate::ledger::{Asked, Digest, Landed, Ledger, Lookup, hex};
use crate::local::Local;
use crate::question::{Answer, Failure, FailureKind, Question};
use crate::settings::{ModelSettings, Source};

/// Files of a folder that decide what its model says, beside the weights.
const FOLDER_FILES: [&str; 5] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
];

/// A model that questions can be put to, from any number of threads.
pub struct JudgeModel {
    settings: ModelSettings,
    identity: String,
    backend: Backend,
    ledger: Arc<Ledger>,
    budget: Arc<Budget>,
    counts: Mutex<Counts>,
}

enum Backend {
    Endpoint(Endpoint),
    Local(Box<Local>),
    /// The ledger alone answers.
    Record,
}

#[derive(Debug, Default)]
struct Counts {
    questions: u64,
    known: u64,
    failed: BTreeMap<&'static str, u64>,
}

/// What was asked so far, for people.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Tally {
    /// Questions put to the model.
    pub questions: u64,
    /// Those of them that had their answer already.
    pub known: u64,
    /// Those without an answer, by the kind of failure.
    pub failed: BTreeMap<&'static str, u64>,
    /// Tokens, what an earlier process of the same run spent included.
    pub spent: Spent,
    /// What those cost; none where no prices are set.
    pub money: Option<f64>,
}

impl fmt::Debug for JudgeModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JudgeModel")
            .field("name", &self.settings.name)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl JudgeModel {
    /// Opens a model: reads a local one, or prepares the client of an endpoint (and connects to
    /// nothing yet).
    ///
    /// # Errors
    /// What of the settings or files is not usable.
    pub fn open(settings: ModelSettings, ledger: Arc<Ledger>) -> Result<Self, OpenError> {
        let budget =
            Arc::new(Budget::new(settings.token_budget, settings.money_budget, settings.prices));
        budget.spend(ledger.spent(&settings.name));
        let identity = identity(&settings.source)?;
        let backend = match &settings.source {
            Source::Endpoint(endpoint) => {
                Backend::Endpoint(Endpoint::open(endpoint.clone(), Arc::clone(&budget))?)
            }
            Source::Folder(folder) => Backend::Local(Box::new(Local::folder(folder)?)),
            Source::Gguf { file, tokenizer } => {
                Backend::Local(Box::new(Local::gguf(file, tokenizer)?))
            }
        };
        Ok(Self { settings, identity, backend, ledger, budget, counts: Mutex::default() })
    }

    /// A model whose answers all come from a record: no file of it is read, nothing is sent.
    /// `identity` is what [`JudgeModel::identity`] was in the recorded run.
    #[must_use]
    pub fn replaying(settings: ModelSettings, identity: String, ledger: Arc<Ledger>) -> Self {
        Self {
            settings,
            identity,
            backend: Backend::Record,
            ledger,
            budget: Arc::default(),
            counts: Mutex::default(),
        }
    }

    /// Its name in the run file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What decides its answers, beside the question: the endpoint and its model's name, or the
    /// digest of its files.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// How many questions it takes at a time.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        match (&self.backend, &self.settings.source) {
            (Backend::Endpoint(_), Source::Endpoint(endpoint)) => endpoint.concurrency,
            _ => 1,
        }
    }

    /// What was asked so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = self.budget.spent();
        let prices = self.settings.prices;
        Tally {
            questions: counts.questions,
            known: counts.known,
            failed: counts.failed.clone(),
            spent,
            money: (prices != Prices::default()).then(|| spent.money(prices)),
        }
    }

    /// Answers each question, in order. Blocks until the last one has its answer.
    ///
    /// `asker` names the scoring that asks (task, item, seed): where a question fails, the failure
    /// is recorded for it, so that a replay repeats the failure there and nowhere else.
    #[must_use]
    pub fn answer(&self, asker: &str, questions: &[Question]) -> Vec<Answer> {
        let asker: Arc<str> = asker.into();
        let put: Vec<Question> = questions.iter().map(|question| self.put(question)).collect();
        let digests: Vec<Digest> = put.iter().map(|question| self.digest(question)).collect();
        let asked = |at: usize| Asked {
            model: &self.settings.name,
            asker: &asker,
            digest: digests[at],
            question: self.settings.record_questions.then_some(&put[at]),
        };

        let mut answers: HashMap<Digest, Answer> = HashMap::new();
        let (mut to_ask, mut to_wait) = (Vec::new(), Vec::new());
        let mut flights = Flights { ledger: &self.ledger, open: Vec::new() };
        let mut known = 0;
        for (at, digest) in digests.iter().enumerate() {
            if digests[..at].contains(digest) {
                known += 1;
                continue;
            }
            if let Some(failure) = unanswerable(&put[at]) {
                answers.insert(*digest, Err(failure));
                continue;
            }
            match self.ledger.look_up(&asked(at)) {
                Lookup::Known(answer) => {
                    known += 1;
                    answers.insert(*digest, answer);
                }
                Lookup::Flying(flight) => to_wait.push((at, flight)),
                Lookup::Ask => {
                    flights.open.push(*digest);
                    to_ask.push(at);
                }
            }
        }
        let mut landed = |index: usize, landed: Landed| {
            let at = to_ask[index];
            answers.insert(digests[at], self.ledger.land(&asked(at), landed));
            flights.open.retain(|digest| *digest != digests[at]);
        };
        if !to_ask.is_empty() {
            match &self.backend {
                Backend::Endpoint(endpoint) => {
                    let batch: Vec<&Question> = to_ask.iter().map(|at| &put[*at]).collect();
                    endpoint.ask(&batch, &mut landed);
                }
                Backend::Local(local) => {
                    let batch: Vec<_> = to_ask.iter().map(|at| (&put[*at], digests[*at])).collect();
                    local.ask(&batch, &self.budget, &mut landed);
                }
                Backend::Record => {}
            }
        }
        drop(flights);
        // Only now: whoever asks these may be waiting for one of ours.
        for (at, flight) in to_wait {
            known += 1;
            answers.insert(digests[at], self.ledger.wait(&asked(at), &flight));
        }
        let lost = || Err(Failure::new(FailureKind::Connection, "the question was lost"));
        let answers: Vec<Answer> = digests
            .iter()
            .map(|digest| answers.get(digest).cloned().unwrap_or_else(lost))
            .collect();
        self.count(&answers, known);
        answers
    }

    fn count(&self, answers: &[Answer], known: u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.questions += answers.len() as u64;
        counts.known += known;
        for failure in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            *counts.failed.entry(failure.kind.as_str()).or_default() += 1;
        }
    }

    /// A question as it is put to this model.
    fn put(&self, question: &Question) -> Question {
        Question {
            messages: question.messages.clone(),
            max_tokens: self.settings.max_tokens.unwrap_or(question.max_tokens),
            temperature: self.settings.temperature.unwrap_or(question.temperature),
        }
    }

    /// A digest of everything that decides an answer.
    fn digest(&self, question: &Question) -> Digest {
        let messages: Vec<[&str; 2]> = question
            .messages
            .iter()
            .map(|message| [message.role.as_str(), message.content.as_str()])
            .collect();
        let extra = match &self.settings.source {
            Source::Endpoint(endpoint) => sorted(&endpoint.extra),
            Source::Folder(_) | Source::Gguf { .. } => Value::Null,
        };
        let content = json!({
            "version": 1,
            "model": self.identity,
            "extra": extra,
            "max_tokens": question.max_tokens,
            "temperature": question.temperature.to_bits(),
            "messages": messages,
        });
        Sha256::digest(content.to_string().as_bytes()).into()
    }
}

/// What no model can be asked.
fn unanswerable(question: &Question) -> Option<Failure> {
    let message = if !question.temperature.is_finite() || question.temperature < 0.0 {
        format!("the judge asks for temperature {}", question.temperature)
    } else if question.max_tokens == 0 {
        "the judge asks for no token".to_owned()
    } else if question.messages.is_empty() {
        "the judge asks nothing".to_owned()
    } else {
        return None;
    };
    Some(Failure::new(FailureKind::Rejected, message))
}

/// Questions that this caller asks; given up where it does not get to their end.
struct Flights<'a> {
    ledger: &'a Ledger,
    open: Vec<Digest>,
}

impl Drop for Flights<'_> {
    fn drop(&mut self) {
        for digest in &self.open {
            self.ledger.abandon(digest);
        }
    }
}

/// The same settings in another order are the same settings.
fn sorted(map: &Map<String, Value>) -> Value {
    fn canonical(value: &Value) -> Value {
        match value {
            Value::Object(map) => sorted(map),
            Value::Array(list) => list.iter().map(canonical).collect(),
            other => other.clone(),
        }
    }
    let entries: BTreeMap<&String, Value> =
        map.iter().map(|(key, value)| (key, canonical(value))).collect();
    json!(entries)
}

/// What decides a model's answers, as a text for the record.
fn identity(source: &Source) -> Result<String, OpenError> {
    Ok(match source {
        Source::Endpoint(endpoint) => {
            format!("endpoint {} model {}", endpoint.url.trim_end_matches('/'), endpoint.model)
        }
        Source::Folder(folder) => {
            let mut files = small_files(folder);
            files.extend(crate::local::weight_files(folder)?);
            format!("folder sha256:{}", digest_of(&files)?)
        }
        Source::Gguf { file, tokenizer } => format!(
            "gguf sha256:{} tokenizer sha256:{}",
            digest_of(std::slice::from_ref(file))?,
            digest_of(&small_files(tokenizer))?
        ),
    })
}

fn small_files(folder: &Path) -> Vec<PathBuf> {
    FOLDER_FILES.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect()
}

/// The digest of some files' names and contents.
fn digest_of(files: &[PathBuf]) -> Result<String, OpenError> {
    let mut hash = Sha256::new();
    let mut piece = vec![0_u8; 1 << 20];
    for path in files {
        let wrong = |error: std::io::Error| OpenError::file(path, error);
        let mut file = File::open(path).map_err(wrong)?;
        let length = file.metadata().map_err(wrong)?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        hash.update(format!("{name}\n{length}\n"));
        loop {
            let read = file.read(&mut piece).map_err(wrong)?;
            if read == 0 {
                break;
            }
            hash.update(&piece[..read]);
        }
    }
    Ok(hex(&hash.finalize()))
}
