//! Guests' log messages: with the fields of the call they belong to, and never without end.

mod common;

use std::io;
use std::sync::{Arc, Mutex};

use common::{first, reward, runtime, score};
use omni_runtime::{Effects, Limits, Plugin};

/// Keeps what the subscriber writes.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn messages_name_their_call_and_end_at_the_limit() {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber =
        tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    // Guests run on the runtime's threads, so the subscriber must be everyone's.
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    let runtime = runtime(1);
    let group = score(&reward(&runtime), &["log:3"], &Effects::default());
    assert_eq!(first(&group.rollouts[0]), 1.0);
    let take = || String::from_utf8(std::mem::take(&mut *kept.0.lock().expect("not poisoned")));
    let text = take().expect("text");
    assert_eq!(text.lines().count(), 3, "{text}");
    for part in [
        "omni::guest",
        "line 2",
        "pack=hostile",
        "plugin=reward",
        "version=0.1.0",
        "item=item-1",
        "call=\"score\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // A flood is cut with one note, and what is dropped is still paid for.
    let limits = Limits { log_bytes: 50, ..common::limits() };
    let loaded = runtime.load(&common::wasm("reward"), common::label("reward"), limits);
    let Ok(Plugin::Reward(quiet)) = loaded else { panic!("{loaded:?}") };
    let cut = score(&quiet, &["log:100"], &Effects::default());
    let text = take().expect("text");
    assert_eq!(text.lines().count(), 50 / "line 0".len() + 1, "{text}");
    assert!(text.contains("logs too much"), "{text}");
    let whole = score(&reward(&runtime), &["log:100"], &Effects::default());
    assert_eq!(cut.fuel, whole.fuel);
    assert!(whole.fuel.reward > 100 * 1_000);
}
