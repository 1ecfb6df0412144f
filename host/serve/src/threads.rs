//! Threads that are waited for, but not for ever.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

/// Threads of one kind of work.
pub(crate) struct Threads {
    handles: Vec<JoinHandle<()>>,
    /// Every thread holds a copy, and lets it go with its end, a panic's too.
    alive: Sender<Infallible>,
    ended: Receiver<Infallible>,
}

/// What became of threads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All ended.
    Well,
    /// All ended, one or more by a panic.
    Panicked,
    /// Some go on by themselves, to the end of the process if need be.
    Left,
}

impl Threads {
    pub(crate) fn new() -> Self {
        let (alive, ended) = channel();
        Self { handles: Vec::new(), alive, ended }
    }

    pub(crate) fn spawn(
        &mut self,
        name: impl Into<String>,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let alive = self.alive.clone();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            let _alive = alive;
            work();
        })?;
        self.handles.push(thread);
        Ok(())
    }

    /// Waits for the threads' ends, but not beyond a time.
    pub(crate) fn end(self, until: Instant) -> Ended {
        let Self { handles, alive, ended } = self;
        drop(alive);
        match ended.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Err(RecvTimeoutError::Timeout) => Ended::Left,
            Err(RecvTimeoutError::Disconnected) => {
                let panicked = handles.into_iter().filter_map(|thread| thread.join().err()).count();
                if panicked == 0 { Ended::Well } else { Ended::Panicked }
            }
            Ok(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn threads_are_waited_for_until_it_is_time() {
        let (release, held) = channel::<()>();
        let (tell, told) = channel();
        let mut threads = Threads::new();
        threads.spawn("quick", || {}).unwrap();
        threads
            .spawn("held", move || {
                let _ = held.recv();
                tell.send(()).unwrap();
            })
            .unwrap();
        assert_eq!(threads.end(Instant::now()), Ended::Left);
        // It lives on, and comes to its end by itself.
        release.send(()).unwrap();
        told.recv().unwrap();
    }

    #[test]
    fn a_panic_is_an_end() {
        let far = || Instant::now() + Duration::from_secs(60);
        let mut threads = Threads::new();
        threads.spawn("well", || {}).unwrap();
        assert_eq!(threads.end(far()), Ended::Well);
        let mut threads = Threads::new();
        threads.spawn("well", || {}).unwrap();
        threads.spawn("panics", || panic!("as the test wants")).unwrap();
        assert_eq!(threads.end(far()), Ended::Panicked);
    }
}
