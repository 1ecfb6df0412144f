//! Requests on their way to the policy, and their text on its way back.
//!
//! Connections put jobs in; the policy's threads take them out as places become free, and tell of
//! every token. Whoever submitted a job listens on its channel; when nobody listens any more, the
//! job ends at its next token, or is never begun.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use omni_policy::{Desk, LiveRequest, PolicyError, Sampling, Tokenizer};
use tokio::sync::mpsc::UnboundedSender;

use crate::text::{Piece, Writer};

/// Why a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
}

/// What became of a job since the last event; choices are counted over a whole request.
#[derive(Debug)]
pub(crate) enum Event {
    /// More text of a choice.
    Text { choice: usize, text: String },
    /// A choice ended after so many tokens.
    End { choice: usize, finish: Finish, tokens: usize },
    /// The job could not be finished.
    Failed(String),
}

/// A prompt to complete.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) prompt: Vec<u32>,
    pub(crate) samples: usize,
    pub(crate) seed: u64,
    pub(crate) sampling: Sampling,
    pub(crate) stops: Arc<[String]>,
    /// The first of its choices.
    pub(crate) first_choice: usize,
    pub(crate) events: UnboundedSender<Event>,
}

/// Why jobs were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// Too many wait.
    Full,
    /// The policy's thread is gone.
    Ended,
}

/// The queue, and what is being generated.
pub(crate) struct Queue {
    tokenizer: Arc<Tokenizer>,
    capacity: usize,
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    open: Mutex<HashMap<u64, Arc<Mutex<Open>>>>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Threads that have nothing to do.
    idle: usize,
    last_id: u64,
    closed: bool,
}

/// A job whose tokens are being drawn.
struct Open {
    events: UnboundedSender<Event>,
    first_choice: usize,
    samples: Vec<Sample>,
    /// Samples that have not ended.
    left: usize,
}

struct Sample {
    writer: Writer,
    tokens: usize,
    /// A stop sequence was written.
    stopped: bool,
}

/// A panic elsewhere leaves counts and texts as they were between two calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    pub(crate) fn new(tokenizer: Arc<Tokenizer>, capacity: usize) -> Self {
        Self {
            tokenizer,
            capacity,
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            open: Mutex::default(),
        }
    }

    /// Puts a request's jobs in, all or none.
    pub(crate) fn submit(&self, jobs: Vec<Job>) -> Result<(), Rejected> {
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            return Err(Rejected::Ended);
        }
        if waiting.jobs.len() >= self.capacity {
            waiting.jobs.retain(|job| !job.events.is_closed());
        }
        if waiting.jobs.len() >= self.capacity {
            return Err(Rejected::Full);
        }
        waiting.jobs.extend(jobs);
        self.arrived.notify_all();
        Ok(())
    }

    /// No more jobs come; those that wait are still generated.
    pub(crate) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.arrived.notify_all();
    }

    /// Nothing is generated any more: whoever waits for something is told so.
    pub(crate) fn abandon(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.closed = true;
        waiting.jobs.clear();
        lock(&self.open).clear();
    }

    fn open(&self, request: u64) -> Option<Arc<Mutex<Open>>> {
        lock(&self.open).get(&request).cloned()
    }

    fn begin(&self, id: u64, job: Job) -> LiveRequest {
        let Job { prompt, samples, seed, sampling, stops, first_choice, events } = job;
        let sample = |_| Sample {
            writer: Writer::new(Arc::clone(&self.tokenizer), Arc::clone(&stops)),
            tokens: 0,
            stopped: false,
        };
        let open = Open {
            events,
            first_choice,
            samples: (0..samples).map(sample).collect(),
            left: samples,
        };
        lock(&self.open).insert(id, Arc::new(Mutex::new(open)));
        LiveRequest { id, prompt, samples, seed, sampling }
    }
}

impl Desk for Queue {
    fn next(&self, wait: bool) -> Option<LiveRequest> {
        let mut waiting = lock(&self.waiting);
        loop {
            // Threads with nothing to do come first.
            while wait || waiting.jobs.len() > waiting.idle {
                let Some(job) = waiting.jobs.pop_front() else { break };
                if !job.events.is_closed() {
                    waiting.last_id += 1;
                    let id = waiting.last_id;
                    drop(waiting);
                    return Some(self.begin(id, job));
                }
            }
            if !wait || waiting.closed {
                return None;
            }
            waiting.idle += 1;
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.idle -= 1;
        }
    }

    fn token(&self, request: u64, sample: usize, token: u32) -> bool {
        let Some(open) = self.open(request) else { return false };
        let mut open = lock(&open);
        if open.events.is_closed() {
            return false;
        }
        let choice = open.first_choice + sample;
        let Some(sample) = open.samples.get_mut(sample) else { return false };
        sample.tokens += 1;
        let piece = sample.writer.push(token);
        let stopped = matches!(&piece, Ok(piece) if piece.stopped);
        sample.stopped = stopped;
        open.tell(choice, piece) && !stopped
    }

    fn ended(&self, request: u64, sample: usize, stopped: bool) {
        let Some(open) = self.open(request) else { return };
        let mut open = lock(&open);
        let choice = open.first_choice + sample;
        let Some(sample) = open.samples.get_mut(sample) else { return };
        let (tokens, mut stopped) = (sample.tokens, stopped || sample.stopped);
        if !sample.stopped {
            let piece = sample.writer.finish();
            // What the decoder still held can complete a stop sequence.
            stopped |= matches!(&piece, Ok(piece) if piece.stopped);
            open.tell(choice, piece);
        }
        let finish = if stopped { Finish::Stop } else { Finish::Length };
        let _ = open.events.send(Event::End { choice, finish, tokens });
        open.left -= 1;
        if open.left == 0 {
            drop(open);
            lock(&self.open).remove(&request);
        }
    }

    fn failed(&self, request: u64, error: &PolicyError) {
        let open = lock(&self.open).remove(&request);
        if let Some(open) = open {
            let _ = lock(&open).events.send(Event::Failed(error.to_string()));
        }
    }
}

impl Open {
    /// Sends a piece of text; false where that is of no use.
    fn tell(&self, choice: usize, piece: Result<Piece, PolicyError>) -> bool {
        match piece {
            Ok(piece) if piece.text.is_empty() => true,
            Ok(piece) => self.events.send(Event::Text { choice, text: piece.text }).is_ok(),
            Err(error) => {
                let _ = self.events.send(Event::Failed(error.to_string()));
                false
            }
        }
    }
}
