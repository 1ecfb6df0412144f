//! The threads that guests run on.
//!
//! A plain queue instead of a work-stealing pool: a caller that waits here really waits. In a
//! pool that steals, a waiting caller would start further calls on the stack of the first, as
//! deep as there is work, until the stack is gone. A job never waits for another, so the queue
//! always moves on.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// How long a thread looks again before it sleeps. To be woken takes about as long as a small
/// call, so sleeping at once would double what that call costs.
const PATIENCE: Duration = Duration::from_micros(150);

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads and the jobs that wait for them, first come, first served.
pub(crate) struct Workers {
    queue: Arc<Queue>,
    count: usize,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Jobs in the queue, to be looked at without the lock.
    waiting: AtomicUsize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// A job's result, once it is there.
pub(crate) struct Pending<R>(mpsc::Receiver<R>);

impl<R> Pending<R> {
    /// Waits for the job; none if it panicked.
    pub(crate) fn wait(self) -> Option<R> {
        let mut early = None;
        patiently(|| {
            early = match self.0.try_recv() {
                Ok(result) => Some(Some(result)),
                Err(mpsc::TryRecvError::Disconnected) => Some(None),
                Err(mpsc::TryRecvError::Empty) => None,
            };
            early.is_some()
        });
        early.unwrap_or_else(|| self.0.recv().ok())
    }
}

impl Workers {
    /// Starts `count` threads with this much stack each.
    pub(crate) fn start(count: usize, stack: usize) -> io::Result<Self> {
        let workers = Self { queue: Arc::default(), count };
        for i in 0..count {
            let queue = Arc::clone(&workers.queue);
            std::thread::Builder::new().name(format!("omni-guest-{i}")).stack_size(stack).spawn(
                move || {
                    while let Some(job) = queue.next() {
                        // The job's channel tells its caller; the thread goes on.
                        let _ = catch_unwind(AssertUnwindSafe(job));
                    }
                },
            )?;
        }
        Ok(workers)
    }

    /// How many threads there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Puts a job in the queue.
    pub(crate) fn submit<R: Send + 'static>(
        &self,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> Pending<R> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let job = Box::new(move || {
            // A caller that no longer waits needs no result.
            let _ = sender.send(job());
        });
        let mut state = self.queue.lock();
        state.jobs.push_back(job);
        self.queue.waiting.store(state.jobs.len(), Ordering::Relaxed);
        drop(state);
        self.queue.changed.notify_one();
        Pending(receiver)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a job; none when the queue was closed and is empty.
    fn next(&self) -> Option<Job> {
        patiently(|| self.waiting.load(Ordering::Relaxed) > 0);
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                self.waiting.store(state.jobs.len(), Ordering::Relaxed);
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Looks again and again, but not for long, whether it is so.
fn patiently(mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() && begun.elapsed() < PATIENCE {
        std::hint::spin_loop();
    }
}

impl Drop for Workers {
    /// Lets the threads end by themselves; this may run on one of them.
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
    }
}
