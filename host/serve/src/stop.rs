//! Telling a server to stop, from any thread.

use std::sync::Arc;

use tokio::sync::watch;

/// A handle by which a server is told to stop.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Tells the server to take no more requests and to finish the running ones; true if it was
    /// told before.
    pub fn stop(&self) -> bool {
        self.0.send_replace(true)
    }

    /// Waits until the server is told to stop.
    pub(crate) async fn stopped(&self) {
        // The sender lives in `self`, so the channel cannot be closed.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}
