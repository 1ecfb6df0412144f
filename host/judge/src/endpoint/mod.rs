//! An OpenAI-compatible endpoint: requests under way at a time, timeouts, retries.
//!
//! Questions come from plain threads; one tokio runtime sends them. A question holds its place
//! among those under way while it waits to be sent again, so that a struggling endpoint is asked
//! less, and an endpoint that says when to come back is left alone by all of them until then.

mod connect;
pub(crate) mod retry;
mod wire;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::budget::{Budget, Spent};
use crate::error::OpenError;
use crate::ledger::Landed;
use crate::question::{Answer, Failure, FailureKind, Question};
use crate::settings::{EndpointSettings, Key};
use retry::{RetryPolicy, Step};

/// Bytes of an English text that make a token, about; for endpoints that do not count.
const BYTES_PER_TOKEN: u64 = 4;

/// A client of one endpoint and one model.
pub(crate) struct Endpoint {
    shared: Arc<Shared>,
    /// Taken out only to be shut down.
    runtime: Option<Runtime>,
}

struct Shared {
    client: Client,
    url: Url,
    settings: EndpointSettings,
    policy: RetryPolicy,
    permits: Semaphore,
    /// Nothing is sent before, since the endpoint asked for that.
    quiet_until: Mutex<Option<Instant>>,
    budget: Arc<Budget>,
}

/// One request's failure, and whether another may go better.
struct Missed {
    failure: Failure,
    passing: bool,
    retry_after: Option<Duration>,
    spent: Spent,
}

impl Missed {
    fn for_good(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            failure: Failure::new(kind, message),
            passing: false,
            retry_after: None,
            spent: Spent::default(),
        }
    }

    fn passing(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { passing: true, ..Self::for_good(kind, message) }
    }
}

impl Endpoint {
    /// A client; connects to nothing yet.
    pub(crate) fn open(settings: EndpointSettings, budget: Arc<Budget>) -> Result<Self, OpenError> {
        let url = connect::address(&settings.url)?;
        let client = connect::client(&url, &settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("judge-endpoint")
            .enable_all()
            .build()
            .map_err(|error| OpenError::Client { message: error.to_string() })?;
        let policy = RetryPolicy {
            retries: settings.retries,
            backoff: settings.backoff,
            max_wait: settings.max_wait,
        };
        let permits = Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        let quiet_until = Mutex::default();
        let shared = Shared { client, url, settings, policy, permits, quiet_until, budget };
        Ok(Self { shared: Arc::new(shared), runtime: Some(runtime) })
    }

    /// Asks all questions, as many at a time as the endpoint's settings allow, and hands over what
    /// each came to as it comes.
    pub(crate) fn ask(&self, questions: &[&Question], mut landed: impl FnMut(usize, Landed)) {
        let (sender, receiver) = mpsc::channel();
        if let Some(runtime) = &self.runtime {
            for (index, question) in questions.iter().enumerate() {
                let (shared, sender) = (Arc::clone(&self.shared), sender.clone());
                let question = (*question).clone();
                runtime.spawn(async move {
                    let done = shared.ask(&question).await;
                    // Nobody listens only where the asking thread is gone.
                    let _ = sender.send((index, done));
                });
            }
        }
        drop(sender);
        for (index, done) in receiver {
            landed(index, done);
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Nobody waits for what may still be under way.
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    async fn ask(&self, question: &Question) -> Landed {
        let mut landed = Landed { answer: Ok(String::new()), spent: Spent::default(), tries: 0 };
        landed.answer = match self.permits.acquire().await {
            Ok(_permit) => self.ask_until_answered(question, &mut landed).await,
            Err(_) => Err(Failure::new(FailureKind::Connection, "the client was closed")),
        };
        landed
    }

    async fn ask_until_answered(&self, question: &Question, landed: &mut Landed) -> Answer {
        loop {
            self.budget.check()?;
            self.wait_for_quiet().await;
            landed.tries += 1;
            let missed = match self.ask_once(question).await {
                Ok((text, spent)) => {
                    self.budget.spend(spent);
                    landed.spent.add(spent);
                    return Ok(text);
                }
                Err(missed) => missed,
            };
            self.budget.spend(missed.spent);
            landed.spent.add(missed.spent);
            let mut failure = missed.failure;
            tracing::debug!(model = self.settings.model, tries = landed.tries, "{failure}");
            if !missed.passing {
                return Err(failure);
            }
            match self.policy.next(landed.tries, missed.retry_after, jitter()) {
                Step::Again(wait) => {
                    if missed.retry_after.is_some() {
                        self.keep_quiet(wait);
                    }
                    tokio::time::sleep(wait).await;
                }
                Step::Enough => {
                    if landed.tries > 1 {
                        failure.message = format!("{} ({} tries)", failure.message, landed.tries);
                    }
                    return Err(failure);
                }
                Step::TooLong(asked) => {
                    failure.message = format!(
                        "{} (it asks to wait {} s, `max_wait_seconds` is {})",
                        failure.message,
                        asked.as_secs(),
                        self.policy.max_wait.as_secs_f64()
                    );
                    return Err(failure);
                }
            }
        }
    }

    async fn wait_for_quiet(&self) {
        loop {
            let until = *self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    fn keep_quiet(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut quiet = self.quiet_until.lock().unwrap_or_else(PoisonError::into_inner);
        *quiet = Some(quiet.map_or(until, |earlier| earlier.max(until)));
    }

    async fn ask_once(&self, question: &Question) -> Result<(String, Spent), Missed> {
        let body = wire::body(&self.settings.model, question, &self.settings.extra).to_string();
        let sent = body.len() as u64;
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        let response = request.body(body).send().await.map_err(|error| self.lost(error))?;
        let status = response.status();
        let retry_after = asked_wait(response.headers());
        let prompt = Spent { prompt_tokens: sent.div_ceil(BYTES_PER_TOKEN), completion_tokens: 0 };
        // An endpoint that began to reply has read the question.
        let bytes = self.read(response).await.map_err(|it| Missed { spent: prompt, ..it })?;
        let key = self.settings.key.as_ref();
        if status != StatusCode::OK {
            return Err(rejected(status, retry_after, &bytes, key));
        }
        let (answer, counted) = wire::read(&bytes, key);
        let spent = counted.unwrap_or_else(|| Spent {
            completion_tokens: match &answer {
                Ok(text) => (text.len() as u64).div_ceil(BYTES_PER_TOKEN),
                Err(_) => 0,
            },
            ..prompt
        });
        match answer {
            Ok(text) => Ok((text, spent)),
            Err(failure) => {
                let passing = match failure.kind {
                    FailureKind::Server | FailureKind::Malformed => true,
                    FailureKind::Empty => !wire::is_cut(&bytes),
                    _ => false,
                };
                Err(Missed { failure, passing, retry_after, spent })
            }
        }
    }

    /// Reads a body, but never more than is allowed.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Missed> {
        let limit = self.settings.max_reply_bytes;
        let too_large = || {
            Missed::for_good(
                FailureKind::TooLarge,
                format!("the reply is larger than {limit} bytes; no more of it was read"),
            )
        };
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.lost(error))? {
            if bytes.len() + piece.len() > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// What went wrong on the way.
    fn lost(&self, error: reqwest::Error) -> Missed {
        if error.is_timeout() {
            let seconds = self.settings.timeout.as_secs_f64();
            let message = format!("no whole reply within {seconds} s");
            return Missed::passing(FailureKind::Timeout, message);
        }
        let what = if error.is_connect() { "no connection" } else { "the connection was cut" };
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        let message = format!("{what}: {host}:{port}: {}", causes(&error.without_url()));
        Missed::passing(FailureKind::Connection, message)
    }
}

/// Whose failure a status is, and whether it passes.
fn rejected(
    status: StatusCode,
    retry_after: Option<Duration>,
    bytes: &[u8],
    key: Option<&Key>,
) -> Missed {
    let message = format!("{status}: {}", wire::error_text(bytes, key));
    let (kind, passing) = match status.as_u16() {
        429 => (FailureKind::RateLimited, !wire::is_out_of_quota(bytes)),
        408 | 425 => (FailureKind::Server, true),
        500..=599 => (FailureKind::Server, true),
        _ => (FailureKind::Rejected, false),
    };
    Missed { passing, retry_after, ..Missed::for_good(kind, message) }
}

/// An error's causes, each said once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    retry::retry_after(text("retry-after"), text("retry-after-ms"), SystemTime::now())
}

/// A number in [0, 1) that differs between questions, clients and processes. Nothing that is
/// recorded depends on it.
fn jitter() -> f64 {
    // The standard library seeds each of these from the system's randomness.
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_differs_and_stays_in_its_range() {
        let some: Vec<f64> = (0..64).map(|_| jitter()).collect();
        assert!(some.iter().all(|x| (0.0..1.0).contains(x)));
        assert!(some.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
