//! `POST /v1/score`: rows scored by a task's rewards, on plain threads of their own.
//!
//! Requests take turns row by row, so that a short one does not wait for a long one's end.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use crate::fields::{Fields, wrong_type};
use crate::refusal::Refusal;
use crate::threads::{Ended, Threads};

/// Tasks whose rewards are loaded. Called from several plain threads at once.
pub trait Scorer: Send + Sync {
    /// The tasks' names, as they are shown; a task's index in this list stands for it.
    fn tasks(&self) -> &[String];

    /// Rows worth scoring at a time, cores aside: those that wait for a model need none meanwhile.
    fn at_a_time(&self) -> usize {
        1
    }

    /// The task that a name means.
    fn find(&self, name: &str) -> Option<usize>;

    /// Scores a row: the object that `score` reads as a line gives the object that it writes.
    ///
    /// # Errors
    /// What is wrong with the row.
    ///
    /// A row may take as long as a model that it asks; a server that ends does not wait for it.
    fn score(&self, task: usize, row: &Map<String, Value>, seed: u32) -> Result<Value, String>;
}

/// A request's rows on their way.
struct Batch {
    task: usize,
    seed: u32,
    rows: Vec<Map<String, Value>>,
    /// Nobody waits for it any more, or a row of it is broken.
    dropped: AtomicBool,
    state: Mutex<State>,
}

struct State {
    results: Vec<Scored>,
    /// Rows that are being scored.
    running: usize,
    /// Rows that were begun.
    begun: usize,
    done: Option<oneshot::Sender<Vec<Scored>>>,
}

/// What became of a row; none where it was never begun.
type Scored = Option<Result<Value, Broken>>;

/// Why a row has no scores.
enum Broken {
    Row(String),
    Panic(String),
}

/// Threads that score.
pub(crate) struct Scoring {
    scorer: Arc<dyn Scorer>,
    shared: Arc<Shared>,
    threads: Threads,
}

struct Shared {
    queue: Mutex<Turns>,
    arrived: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct Turns {
    batches: VecDeque<Arc<Batch>>,
    closed: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scoring {
    /// Starts the threads.
    pub(crate) fn start(
        scorer: Arc<dyn Scorer>,
        threads: usize,
        capacity: usize,
    ) -> std::io::Result<Self> {
        let shared =
            Arc::new(Shared { queue: Mutex::default(), arrived: Condvar::new(), capacity });
        let mut all = Threads::new();
        for n in 0..threads.max(scorer.at_a_time()).max(1) {
            let (scorer, shared) = (Arc::clone(&scorer), Arc::clone(&shared));
            all.spawn(format!("score-{n}"), move || shared.work(&*scorer))?;
        }
        Ok(Self { scorer, shared, threads: all })
    }

    /// Lets the threads end when nothing waits, and waits for them until then.
    pub(crate) fn end(self, until: Instant) -> Ended {
        lock(&self.shared.queue).closed = true;
        self.shared.arrived.notify_all();
        self.threads.end(until)
    }

    /// A handle for connections.
    pub(crate) fn handle(&self) -> Handle {
        Handle { scorer: Arc::clone(&self.scorer), shared: Arc::clone(&self.shared) }
    }
}

/// What connections see of the scoring threads.
#[derive(Clone)]
pub(crate) struct Handle {
    scorer: Arc<dyn Scorer>,
    shared: Arc<Shared>,
}

/// Rows of a body, and whether they were a list.
struct Asked {
    task: usize,
    seed: u32,
    rows: Vec<Map<String, Value>>,
    list: bool,
}

impl Handle {
    /// The tasks' names.
    pub(crate) fn tasks(&self) -> &[String] {
        self.scorer.tasks()
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, body: &[u8]) -> Result<Value, Refusal> {
        let Asked { task, seed, rows, list } = self.read(body)?;
        let results = self.submit(task, seed, rows)?.wait().await?;
        let mut lines = Vec::with_capacity(results.len());
        for (n, result) in results.into_iter().enumerate() {
            let name = if list { format!("rows[{n}]") } else { "row".to_owned() };
            match result {
                Some(Ok(line)) => lines.push(line),
                Some(Err(Broken::Row(message))) => {
                    return Err(Refusal::bad("invalid_row", format!("{name}: {message}")).of(&name));
                }
                Some(Err(Broken::Panic(message))) => {
                    return Err(Refusal::fault(format!("{name}: scoring panicked: {message}")));
                }
                None => return Err(Refusal::fault("the server stopped before all was scored")),
            }
        }
        if list {
            return Ok(json!({"task": self.scorer.tasks()[task], "rows": lines}));
        }
        lines.pop().ok_or_else(|| Refusal::fault("nothing was scored"))
    }

    fn read(&self, body: &[u8]) -> Result<Asked, Refusal> {
        let mut fields = Fields::parse(body)?;
        let name = fields.need_text("task")?;
        let task = self.scorer.find(&name).ok_or_else(|| {
            let message = format!(
                "there is no task `{}`; this server has {}",
                name.escape_debug(),
                self.scorer.tasks().join(", ")
            );
            Refusal::missing("task_not_found", message).of("task")
        })?;
        let seed = fields.whole("seed", 0..=i64::from(u32::MAX))?.unwrap_or(0) as u32;
        let rows = fields.take("rows");
        let list = rows.is_some();
        let rows = match rows {
            None => {
                // `score` leaves further columns of a row alone; this one would be a misunderstanding.
                if fields.take("config").is_some() {
                    let message =
                        "`config` is not taken here: tasks are loaded with their settings";
                    return Err(Refusal::bad("unsupported_parameter", message).of("config"));
                }
                vec![fields.into_rest()]
            }
            Some(Value::Array(rows)) => {
                fields.finish()?;
                rows.into_iter()
                    .enumerate()
                    .map(|(n, row)| match row {
                        Value::Object(row) => Ok(row),
                        other => Err(wrong_type(&format!("rows[{n}]"), "an object", &other)),
                    })
                    .collect::<Result<_, _>>()?
            }
            Some(other) => return Err(wrong_type("rows", "a list of objects", &other)),
        };
        Ok(Asked { task, seed, rows, list })
    }

    fn submit(
        &self,
        task: usize,
        seed: u32,
        rows: Vec<Map<String, Value>>,
    ) -> Result<Pending, Refusal> {
        let (done, result) = oneshot::channel();
        let none = rows.is_empty();
        let state = State {
            results: rows.iter().map(|_| None).collect(),
            running: 0,
            begun: 0,
            done: Some(done),
        };
        let dropped = AtomicBool::new(false);
        let batch = Arc::new(Batch { task, seed, rows, dropped, state: Mutex::new(state) });
        if none {
            batch.settle(lock(&batch.state));
            return Ok(Pending { batch, result });
        }
        let mut turns = lock(&self.shared.queue);
        if turns.closed {
            return Err(Refusal::busy("the server takes no more requests"));
        }
        if turns.batches.len() >= self.shared.capacity {
            return Err(Refusal::busy("too many requests wait; try again"));
        }
        turns.batches.push_back(Arc::clone(&batch));
        self.shared.arrived.notify_all();
        drop(turns);
        Ok(Pending { batch, result })
    }
}

/// Somebody who waits for a batch. Dropping it, as when the client goes away, drops the rows that
/// are not begun.
struct Pending {
    batch: Arc<Batch>,
    result: oneshot::Receiver<Vec<Scored>>,
}

impl Pending {
    async fn wait(mut self) -> Result<Vec<Scored>, Refusal> {
        (&mut self.result).await.map_err(|_| Refusal::fault("the scoring threads ended"))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.batch.dropped.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn work(&self, scorer: &dyn Scorer) {
        while let Some((batch, row)) = self.next() {
            let scored = catch_unwind(AssertUnwindSafe(|| {
                scorer.score(batch.task, &batch.rows[row], batch.seed)
            }));
            let result = match scored {
                Ok(Ok(line)) => Ok(line),
                Ok(Err(message)) => Err(Broken::Row(message)),
                Err(panic) => Err(Broken::Panic(panic_text(&*panic))),
            };
            batch.scored(row, result);
        }
    }

    /// The next row, of the batch whose turn it is.
    fn next(&self) -> Option<(Arc<Batch>, usize)> {
        let mut turns = lock(&self.queue);
        loop {
            while let Some(batch) = turns.batches.pop_front() {
                let Some((row, last)) = batch.begin() else { continue };
                if !last {
                    turns.batches.push_back(Arc::clone(&batch));
                }
                return Some((batch, row));
            }
            if turns.closed {
                return None;
            }
            turns = self.arrived.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Batch {
    /// The next row to score and whether it is the last one.
    fn begin(&self) -> Option<(usize, bool)> {
        let mut state = lock(&self.state);
        if self.dropped.load(Ordering::Relaxed) {
            if state.running == 0 {
                self.settle(state);
            }
            return None;
        }
        let row = state.begun;
        state.begun += 1;
        state.running += 1;
        Some((row, state.begun == self.rows.len()))
    }

    fn scored(&self, row: usize, result: Result<Value, Broken>) {
        let mut state = lock(&self.state);
        if result.is_err() {
            // All rows before it were begun, so the first broken one is always the one named.
            self.dropped.store(true, Ordering::Relaxed);
        }
        state.results[row] = Some(result);
        state.running -= 1;
        let over = state.begun == self.rows.len() || self.dropped.load(Ordering::Relaxed);
        if state.running == 0 && over {
            self.settle(state);
        }
    }

    /// Hands the results over.
    fn settle(&self, mut state: MutexGuard<'_, State>) {
        if let Some(done) = state.done.take() {
            // Nobody may wait for it.
            let _ = done.send(std::mem::take(&mut state.results));
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Never;

    impl Scorer for Never {
        fn tasks(&self) -> &[String] {
            &[]
        }

        fn find(&self, _: &str) -> Option<usize> {
            None
        }

        fn score(&self, _: usize, _: &Map<String, Value>, _: u32) -> Result<Value, String> {
            unreachable!("no thread was started")
        }
    }

    /// A handle without threads: the test takes the rows out.
    fn handle(capacity: usize) -> Handle {
        let shared = Shared { queue: Mutex::default(), arrived: Condvar::new(), capacity };
        Handle { scorer: Arc::new(Never), shared: Arc::new(shared) }
    }

    #[test]
    fn rows_that_nobody_waits_for_are_not_scored() {
        let handle = handle(2);
        let long = handle.submit(0, 0, vec![Map::new(); 5]).unwrap();
        let (batch, row) = handle.shared.next().unwrap();
        assert_eq!(row, 0);
        let short = handle.submit(1, 0, vec![Map::new(); 1]).unwrap();
        assert!(handle.submit(2, 0, vec![Map::new(); 1]).is_err(), "two wait already");
        drop(long);
        batch.scored(row, Ok(Value::Null));
        let (next, _) = handle.shared.next().unwrap();
        assert_eq!(next.task, 1);
        drop(short);
        lock(&handle.shared.queue).closed = true;
        assert!(handle.shared.next().is_none());
    }

    #[test]
    fn requests_take_turns() {
        let handle = handle(9);
        let waiting = [3, 1, 2].map(|rows| handle.submit(rows, 0, vec![Map::new(); rows]).unwrap());
        let order: Vec<usize> = (0..6).map(|_| handle.shared.next().unwrap().0.task).collect();
        assert_eq!(order, [3, 1, 2, 3, 2, 3]);
        drop(waiting);
    }
}
