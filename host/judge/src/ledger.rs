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
//!
//! Where nothing is recorded, as in a server that goes on for weeks, the oldest texts are forgotten
//! beyond [`KEPT`], and failures at once; what was forgotten is asked again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use omni_record::{RecordError, RecordedAnswer, RecordedQuestion, Reply, ReplyWriter};

use crate::budget::Spent;
use crate::question::{Answer, Failure, FailureKind, Question};
use crate::texts::{Bound, Texts};

/// The digest of a question's content.
pub(crate) type Digest = [u8; 32];

/// A question under way: what it came to, for those who wait for it.
pub(crate) type Flight = Arc<OnceLock<Answer>>;

/// What is kept where nothing is recorded.
const KEPT: Bound = Bound { texts: 100_000, bytes: 256 << 20 };

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
    texts: Texts,
    /// Failures that stand, by who met them.
    failures: HashMap<(Arc<str>, Digest), Failure>,
    /// Failures of an earlier process; superseded when the same scoring meets a text.
    past: HashSet<(Arc<str>, Digest)>,
    /// In a replay, some failure of each content that has no text.
    only_failed: HashMap<Digest, Failure>,
    flying: HashMap<Digest, Flight>,
    spent: HashMap<String, Spent>,
}

/// What is known of a question.
pub(crate) enum Lookup {
    /// It has its answer.
    Known(Answer),
    /// Somebody else is asking it; [`Ledger::wait`] for it.
    Flying(Flight),
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
    /// A ledger that is kept in memory alone, and forgets the oldest answers of very many.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::bounded(KEPT)
    }

    fn bounded(bound: Bound) -> Self {
        let state = State { texts: Texts::bounded(bound), ..State::default() };
        Self::new(Mode::Live, state, None)
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
        if let Some(flight) = state.flying.get(&asked.digest) {
            return Lookup::Flying(Arc::clone(flight));
        }
        state.flying.insert(asked.digest, Flight::default());
        Lookup::Ask
    }

    /// Takes in what asking came to, and tells those who wait for it.
    pub(crate) fn land(&self, asked: &Asked<'_>, landed: Landed) -> Answer {
        let answer = match self.keep(asked, &landed) {
            Ok(()) => landed.answer,
            Err(failure) => Err(failure),
        };
        let mut state = self.lock();
        match &answer {
            Ok(text) => state.texts.insert(asked.digest, text),
            Err(failure) => self.stand(&mut state, asked, failure),
        }
        if let Some(flight) = state.flying.remove(&asked.digest) {
            // Each question lands once.
            let _ = flight.set(answer.clone());
        }
        drop(state);
        self.landed.notify_all();
        answer
    }

    /// Waits for a question that another caller asks.
    pub(crate) fn wait(&self, asked: &Asked<'_>, flight: &Flight) -> Answer {
        let mut state = self.lock();
        let failure = loop {
            match flight.get() {
                None => {
                    state = self.landed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Some(Ok(text)) => return Ok(text.clone()),
                Some(Err(failure)) => break failure.clone(),
            }
        };
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
        let mut state = self.lock();
        if let Some(flight) = state.flying.remove(digest) {
            let gave_up = Failure::new(FailureKind::Connection, "whoever asked this gave up");
            let _ = flight.set(Err(gave_up));
        }
        drop(state);
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
                state.texts.insert(digest, &text);
            }
            RecordedAnswer::Failed { kind, message } => {
                let failure = Failure { kind: FailureKind::from_word(&kind), message };
                if !state.texts.contains(&digest) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(asker: &Arc<str>, n: u8) -> Asked<'_> {
        Asked { model: "judge", asker, digest: [n; 32], question: None }
    }

    fn land(ledger: &Ledger, asked: &Asked<'_>, answer: Answer) {
        let landed = Landed { answer: answer.clone(), spent: Spent::default(), tries: 1 };
        assert_eq!(ledger.land(asked, landed), answer);
    }

    #[test]
    fn without_a_record_the_oldest_answers_are_asked_again() {
        let ledger = Ledger::bounded(Bound { texts: 2, bytes: 100 });
        let asker = Arc::from("task/1#0");
        for n in 0..3 {
            assert!(matches!(ledger.look_up(&asked(&asker, n)), Lookup::Ask));
            land(&ledger, &asked(&asker, n), Ok(n.to_string()));
        }
        assert_eq!(ledger.texts(), 2);
        assert!(
            matches!(ledger.look_up(&asked(&asker, 2)), Lookup::Known(Ok(text)) if text == "2")
        );
        assert!(matches!(ledger.look_up(&asked(&asker, 0)), Lookup::Ask));
    }

    #[test]
    fn whoever_waited_has_the_answer_though_it_is_kept_no_more() {
        let ledger = Ledger::bounded(Bound { texts: 1, bytes: 100 });
        let (first, second) = (Arc::from("task/1#0"), Arc::from("task/2#0"));
        for answer in [Ok("text".to_owned()), Err(Failure::new(FailureKind::Server, "down"))] {
            assert!(matches!(ledger.look_up(&asked(&first, 0)), Lookup::Ask));
            let Lookup::Flying(flight) = ledger.look_up(&asked(&second, 0)) else { panic!() };
            land(&ledger, &asked(&first, 0), answer.clone());
            assert!(matches!(ledger.look_up(&asked(&first, 1)), Lookup::Ask));
            land(&ledger, &asked(&first, 1), Ok("another".to_owned()));
            assert_eq!(ledger.wait(&asked(&second, 0), &flight), answer);
            // Forgotten again, so that the next round asks it.
            assert!(matches!(ledger.look_up(&asked(&first, 2)), Lookup::Ask));
            land(&ledger, &asked(&first, 2), Ok("one more".to_owned()));
        }
        let state = ledger.lock();
        assert!(state.flying.is_empty() && state.failures.is_empty());
    }

    #[test]
    fn whoever_waits_for_one_who_gave_up_is_told() {
        let ledger = Ledger::in_memory();
        let asker = Arc::from("task/1#0");
        assert!(matches!(ledger.look_up(&asked(&asker, 0)), Lookup::Ask));
        let Lookup::Flying(flight) = ledger.look_up(&asked(&asker, 0)) else { panic!() };
        ledger.abandon(&[0; 32]);
        let failure = ledger.wait(&asked(&asker, 0), &flight).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Connection);
        assert!(matches!(ledger.look_up(&asked(&asker, 0)), Lookup::Ask));
    }
}
