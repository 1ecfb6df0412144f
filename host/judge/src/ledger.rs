//! What was answered: cache, record and replay in one.
//!
//! The same content asked of the same model has one answer within a run, however often it is
//! asked: a text is handed out again, and a question that is under way is waited for, not sent a
//! second time. A judge that wants another opinion asks another question.
//!
//! In a recorded run a failure stands for the scoring that met it (`asker`) as long as the process
//! lives, so that scoring the same outputs again gives the same; another scoring that asks the same content tries
//! again, and so does a resumed run. What the latest line says of an asker and a content is what a
//! replay repeats. Everything is recorded before it is handed out.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use omni_record::{RecordError, RecordedAnswer, RecordedQuestion, Reply, ReplyWriter};

use crate::budget::Spent;
use crate::question::{Answer, Failure, FailureKind, Question};

/// The digest of a question's content.
pub(crate) type Digest = [u8; 32];

/// What the ledger does with a question that has no answer yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Asks the model.
    Live,
    /// Answers from the record alone.
    Replay,
}

/// Answers by content, shared by all models of a run.
#[derive(Debug)]
pub struct Ledger {
    mode: Mode,
    state: Mutex<State>,
    /// Told when a question under way has come to its end.
    landed: Condvar,
    record: Option<Mutex<Record>>,
}

/// The record's file, made when there is something to record.
#[derive(Debug)]
enum Record {
    Closed(PathBuf),
    Open(ReplyWriter),
}

impl Record {
    fn append(&mut self, reply: &Reply) -> Result<(), RecordError> {
        if let Self::Closed(path) = self {
            *self = Self::Open(ReplyWriter::open(path)?);
        }
        match self {
            Self::Open(writer) => writer.append(reply),
            Self::Closed(_) => Ok(()),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    texts: HashMap<Digest, Arc<str>>,
    /// Failures that stand, by who met them.
    failures: HashMap<(Arc<str>, Digest), Failure>,
    /// Failures of an earlier process; superseded when the same scoring meets a text.
    past: HashSet<(Arc<str>, Digest)>,
    /// In a replay, some failure of each content that has no text.
    only_failed: HashMap<Digest, Failure>,
    flying: HashSet<Digest>,
    /// How a question that was under way failed, for those who waited for it.
    crashed: HashMap<Digest, Failure>,
    spent: HashMap<String, Spent>,
}

/// What is known of a question.
pub(crate) enum Lookup {
    /// It has its answer.
    Known(Answer),
    /// Somebody else is asking it.
    Flying,
    /// The caller is to ask it, and to [`Ledger::land`] it.
    Ask,
}

/// What asking came to.
pub(crate) struct Landed {
    pub(crate) answer: Answer,
    pub(crate) spent: Spent,
    pub(crate) tries: u32,
}

/// Who asks what of which model.
pub(crate) struct Asked<'a> {
    pub(crate) model: &'a str,
    pub(crate) asker: &'a Arc<str>,
    pub(crate) digest: Digest,
    pub(crate) question: Option<&'a Question>,
}

impl Ledger {
    /// A ledger that is kept in memory alone.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Mode::Live, State::default(), None)
    }

    /// A ledger that goes on with a record, or begins one; its file is made with the first reply.
    ///
    /// # Errors
    /// When the file cannot be read, or holds a line that is no reply.
    pub fn recording(path: &Path) -> Result<Self, RecordError> {
        let mut state = read(path)?;
        // The model may be well again.
        state.past = state.failures.drain().map(|(met, _)| met).collect();
        state.only_failed.clear();
        Ok(Self::new(Mode::Live, state, Some(Record::Closed(path.to_owned()))))
    }

    /// A ledger that answers from a record and asks nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or holds a line that is no reply.
    pub fn replaying(path: &Path) -> Result<Self, RecordError> {
        Ok(Self::new(Mode::Replay, read(path)?, None))
    }

    fn new(mode: Mode, state: State, record: Option<Record>) -> Self {
        Self {
            mode,
            state: Mutex::new(state),
            landed: Condvar::new(),
            record: record.map(Mutex::new),
        }
    }

    /// What it does with a question that has no answer yet.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What a model cost before, as the record says.
    #[must_use]
    pub fn spent(&self, model: &str) -> Spent {
        self.lock().spent.get(model).copied().unwrap_or_default()
    }

    /// How many answers are known.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.lock().texts.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a question up; [`Lookup::Ask`] makes the caller the one who asks it.
    pub(crate) fn look_up(&self, asked: &Asked<'_>) -> Lookup {
        let mut state = self.lock();
        let met = (Arc::clone(asked.asker), asked.digest);
        if let Some(failure) = state.failures.get(&met) {
            return Lookup::Known(Err(failure.clone()));
        }
        if let Some(text) = state.texts.get(&asked.digest).cloned() {
            let superseded = state.past.remove(&met);
            drop(state);
            let answer = Ok(text.to_string());
            if superseded {
                let landed = Landed { answer: answer.clone(), spent: Spent::default(), tries: 0 };
                if let Err(failure) = self.keep(asked, &landed) {
                    return Lookup::Known(Err(failure));
                }
            }
            return Lookup::Known(answer);
        }
        if self.mode == Mode::Replay {
            let failure = state.only_failed.get(&asked.digest).cloned().unwrap_or_else(|| {
                Failure::new(
                    FailureKind::NotRecorded,
                    format!("the recorded run never asked this of model `{}`", asked.model),
                )
            });
            return Lookup::Known(Err(failure));
        }
        if state.flying.insert(asked.digest) {
            state.crashed.remove(&asked.digest);
            Lookup::Ask
        } else {
            Lookup::Flying
        }
    }

    /// Takes in what asking came to, and tells those who wait for it.
    pub(crate) fn land(&self, asked: &Asked<'_>, landed: Landed) -> Answer {
        let answer = match self.keep(asked, &landed) {
            Ok(()) => landed.answer,
            Err(failure) => Err(failure),
        };
        let mut state = self.lock();
        state.flying.remove(&asked.digest);
        match &answer {
            Ok(text) => {
                state.texts.insert(asked.digest, text.as_str().into());
            }
            Err(failure) => {
                state.crashed.insert(asked.digest, failure.clone());
                self.stand(&mut state, asked, failure);
            }
        }
        drop(state);
        self.landed.notify_all();
        answer
    }

    /// Waits for a question that another caller asks.
    pub(crate) fn wait(&self, asked: &Asked<'_>) -> Answer {
        let mut state = self.lock();
        while state.flying.contains(&asked.digest) {
            state = self.landed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(text) = state.texts.get(&asked.digest) {
            return Ok(text.to_string());
        }
        let failure =
            state.crashed.get(&asked.digest).cloned().unwrap_or_else(|| {
                Failure::new(FailureKind::Connection, "whoever asked this gave up")
            });
        self.stand(&mut state, asked, &failure);
        drop(state);
        let landed = Landed { answer: Err(failure), spent: Spent::default(), tries: 0 };
        match self.keep(asked, &landed) {
            Ok(()) => landed.answer,
            Err(failure) => Err(failure),
        }
    }

    /// Lets a failure stand for the scoring that met it; without a record there is nothing that it
    /// would have to agree with.
    fn stand(&self, state: &mut State, asked: &Asked<'_>, failure: &Failure) {
        if self.record.is_some() {
            state.failures.insert((Arc::clone(asked.asker), asked.digest), failure.clone());
        }
    }

    /// Gives a question up that was never asked to its end.
    pub(crate) fn abandon(&self, digest: &Digest) {
        self.lock().flying.remove(digest);
        self.landed.notify_all();
    }

    /// Records; what cannot be recorded must not be used.
    fn keep(&self, asked: &Asked<'_>, landed: &Landed) -> Result<(), Failure> {
        let Some(record) = &self.record else { return Ok(()) };
        let reply = Reply {
            model: asked.model.to_owned(),
            key: hex(&asked.digest),
            asker: asked.asker.to_string(),
            question: asked.question.map(|question| RecordedQuestion {
                messages: question.messages.clone(),
                max_tokens: question.max_tokens,
                temperature: question.temperature,
            }),
            answer: match &landed.answer {
                Ok(text) => RecordedAnswer::Text(text.clone()),
                Err(failure) => RecordedAnswer::Failed {
                    kind: failure.kind.as_str().to_owned(),
                    message: failure.message.clone(),
                },
            },
            tries: landed.tries,
            prompt_tokens: landed.spent.prompt_tokens,
            completion_tokens: landed.spent.completion_tokens,
        };
        let kept = record.lock().unwrap_or_else(PoisonError::into_inner).append(&reply);
        kept.map_err(|error| Failure::new(FailureKind::NotKept, error.to_string()))
    }
}

/// Reads a record; the latest line of an asker and a content counts.
fn read(path: &Path) -> Result<State, RecordError> {
    let mut state = State::default();
    omni_record::read_replies(path, |reply| {
        let spent = Spent {
            prompt_tokens: reply.prompt_tokens,
            completion_tokens: reply.completion_tokens,
        };
        state.spent.entry(reply.model).or_default().add(spent);
        let Some(digest) = unhex(&reply.key) else { return };
        let met = (Arc::from(reply.asker), digest);
        match reply.answer {
            RecordedAnswer::Text(text) => {
                state.failures.remove(&met);
                state.only_failed.remove(&digest);
                state.texts.entry(digest).or_insert_with(|| text.into());
            }
            RecordedAnswer::Failed { kind, message } => {
                let failure = Failure { kind: FailureKind::from_word(&kind), message };
                if !state.texts.contains_key(&digest) {
                    state.only_failed.insert(digest, failure.clone());
                }
                state.failures.insert(met, failure);
            }
        }
    })?;
    Ok(state)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Digest> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(bytes.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(digest)
}
