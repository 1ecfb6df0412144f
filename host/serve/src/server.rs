//! A server's life: it listens, serves, is told to stop, finishes what runs, and ends.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use omni_policy::{LivePolicy, Policy, Tokenizer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app::{self, App};
use crate::complete::Completer;
use crate::config::Config;
use crate::queue::Queue;
use crate::score::{Scorer, Scoring};
use crate::threads::{Ended, Threads};
use crate::{ServeError, Stop};

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 512;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;
/// Threads that serve connections; the work is done elsewhere.
const NETWORK_THREADS: usize = 2;
/// How long threads may take to notice that nobody waits for what they do.
const LEAVE: Duration = Duration::from_secs(1);

/// A policy to serve.
pub struct Model {
    /// The name that it answers to.
    pub name: String,
    /// What generates.
    pub policy: Box<dyn LivePolicy>,
    /// Its tokenizer, with the chat template.
    pub tokenizer: Tokenizer,
    /// Longest prompt and answer together, in tokens.
    pub positions: usize,
    /// Number of token ids.
    pub vocabulary: usize,
}

impl Model {
    /// A policy under a name.
    pub fn new<P: Policy + LivePolicy + 'static>(
        name: impl Into<String>,
        policy: P,
        tokenizer: Tokenizer,
    ) -> Self {
        Self {
            name: name.into(),
            positions: policy.max_positions(),
            vocabulary: policy.vocab_size(),
            policy: Box::new(policy),
            tokenizer,
        }
    }
}

/// What is served.
#[derive(Default)]
pub struct Parts {
    /// For completions.
    pub model: Option<Model>,
    /// For scores.
    pub scorer: Option<Arc<dyn Scorer>>,
}

/// A server that has its address, and does not answer yet.
pub struct Bound {
    config: Config,
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Takes the address.
    ///
    /// # Errors
    /// An address that others can reach without a token, or that is not to be had.
    pub fn new(config: Config) -> Result<Self, ServeError> {
        config.check()?;
        let bind = |source| ServeError::Bind { address: config.listen, source };
        let listener = std::net::TcpListener::bind(config.listen).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        Ok(Self { config, listener, address })
    }

    /// The address, with the port that was really taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to stop and the running requests are finished, or their time is
    /// over. Threads that are then still inside a row, as with a judge that waits for a model, or
    /// inside a policy's step are left behind after a second or two.
    ///
    /// # Errors
    /// Threads that could not be had, or a policy that panicked.
    pub fn run(self, parts: Parts, stop: &Stop) -> Result<(), ServeError> {
        let Self { config, listener, .. } = self;
        let threads = |source| ServeError::Io { action: "start threads", source };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(NETWORK_THREADS)
            .thread_name("serve")
            .enable_all()
            .build()
            .map_err(threads)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)
                .map_err(|source| ServeError::Io { action: "listen", source })?
        };
        let scoring = parts
            .scorer
            .map(|scorer| Scoring::start(scorer, config.score_threads, config.queue))
            .transpose()
            .map_err(threads)?;
        let mut completer = None;
        let mut generation = None;
        if let Some(model) = parts.model {
            let tokenizer = Arc::new(model.tokenizer);
            let queue = Arc::new(Queue::new(Arc::clone(&tokenizer), config.queue));
            let mut thread = Threads::new();
            let work = generate(model.policy, Arc::clone(&queue), config.places, stop.clone());
            thread.spawn("generate", work).map_err(threads)?;
            generation = Some((Arc::clone(&queue), thread));
            completer = Some(Arc::new(Completer {
                name: model.name,
                tokenizer,
                queue,
                positions: model.positions,
                vocabulary: model.vocabulary,
                max_tokens: config.max_tokens,
                created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs()),
            }));
        }
        let router = app::router(App {
            completer,
            scoring: scoring.as_ref().map(Scoring::handle),
            token: config.token.clone(),
            max_body: config.max_body,
            read_timeout: config.read_timeout,
        });
        runtime.block_on(serve(listener, router, &config, stop));
        // Connections are gone, and with them whoever waited for something: what is still being
        // generated or scored ends at the next token or row, or with the process.
        let until = Instant::now() + LEAVE;
        let generated = generation.map(|(queue, thread)| {
            queue.close();
            thread.end(until)
        });
        let scored = scoring.map(|scoring| scoring.end(until));
        if generated == Some(Ended::Left) || scored == Some(Ended::Left) {
            tracing::warn!("leaving work behind that nobody waits for");
        }
        runtime.shutdown_timeout(LEAVE);
        // A row's panic was caught where it happened.
        match generated {
            Some(Ended::Panicked) => Err(ServeError::Generation),
            _ => Ok(()),
        }
    }
}

/// Abandons the queue, however the thread that holds it ends.
struct Abandon {
    queue: Arc<Queue>,
    stop: Stop,
}

impl Drop for Abandon {
    fn drop(&mut self) {
        self.queue.abandon();
        self.stop.stop();
    }
}

/// What the thread that owns the policy does.
fn generate(
    mut policy: Box<dyn LivePolicy>,
    queue: Arc<Queue>,
    places: usize,
    stop: Stop,
) -> impl FnOnce() + Send + 'static {
    move || {
        let abandon = Abandon { queue, stop };
        policy.generate_live(&*abandon.queue, places);
    }
}

/// Accepts connections until told to stop, then waits for the open ones.
async fn serve(listener: TcpListener, router: Router, config: &Config, stop: &Stop) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
        };
        tokio::select! {
            biased;
            () = stop.stopped() => break,
            // What ended is forgotten as it ends.
            Some(_) = connections.join_next() => {}
            (accepted, permit) = accepted => match accepted {
                Ok((stream, _)) => {
                    let (router, stop) = (router.clone(), stop.clone());
                    let read_timeout = config.read_timeout;
                    connections.spawn(async move {
                        connection(stream, router, read_timeout, &stop).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of descriptors, or a client that was gone at once; neither lasts.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    let open = connections.len();
    if open > 0 {
        tracing::info!(open, "finishing the running requests");
    }
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(config.grace, all).await.is_err() {
        tracing::warn!(open = connections.len(), "ending requests that take too long");
        connections.shutdown().await;
    }
}

/// Serves one connection; when told to stop, to the end of the request that it is at.
async fn connection(stream: TcpStream, router: Router, read_timeout: Duration, stop: &Stop) {
    // Pieces of a stream are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(read_timeout)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.stopped() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection");
    }
}
