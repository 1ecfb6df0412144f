//! Servers on ephemeral ports, a client, and policies that do as a test says.

#![allow(
    clippy::allow_attributes,
    dead_code,
    unreachable_pub,
    reason = "each test file uses its part"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use omni_policy::{
    CpuPolicy, Desk, Generated, GenerationRequest, LivePolicy, Policy, Sampling, Tokenizer,
};
use omni_serve::{Bound, Config, Model, Parts, Scorer, ServeError, Stop};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

/// The quickstart's policy: a chat template, byte-level BPE, 256 positions.
pub fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart/policy")
}

/// A policy of whole words, without a chat template.
pub fn nano() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy/tests/fixtures/nano")
}

pub fn tokenizer() -> Tokenizer {
    Tokenizer::load(&quickstart()).unwrap()
}

/// A folder's policy under the name `tiny`.
pub fn model(folder: &Path) -> Model {
    let policy = CpuPolicy::load(folder, Some(2)).unwrap();
    Model::new("tiny", policy, Tokenizer::load(folder).unwrap())
}

/// Another policy behind the quickstart's tokenizer.
pub fn pretended(policy: impl LivePolicy + 'static) -> Model {
    let (policy, tokenizer) = (Box::new(policy), tokenizer());
    Model { name: "tiny".to_owned(), policy, tokenizer, positions: 256, vocabulary: 512 }
}

/// What the policy itself generates for a prompt.
pub fn generated(prompt: &[u32], samples: usize, seed: u64, sampling: &Sampling) -> Vec<Generated> {
    let mut policy = CpuPolicy::load(&quickstart(), Some(1)).unwrap();
    let mut all = Vec::new();
    let request = GenerationRequest { prompt, samples, seed };
    policy.generate(&[request], sampling, &mut |_, samples| all = samples).unwrap();
    all
}

pub fn config() -> Config {
    Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() }
}

/// A server in a thread of its own.
pub struct Server {
    pub base: String,
    pub stop: Stop,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
    client: Client,
}

impl Server {
    pub fn start(config: Config, parts: Parts) -> Self {
        let bound = Bound::new(config).unwrap();
        let base = format!("http://{}", bound.address());
        let stop = Stop::default();
        let handle = stop.clone();
        let thread = std::thread::spawn(move || bound.run(parts, &handle));
        // Plain HTTP alone is spoken, but the client wants to know how it would encrypt.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(Duration::from_secs(60)).no_proxy().build().unwrap();
        Self { base, stop, thread: Some(thread), client }
    }

    /// The quickstart's policy with the usual settings.
    pub fn quickstart() -> Self {
        Self::of(model(&quickstart()))
    }

    pub fn of(model: Model) -> Self {
        Self::start(config(), Parts { model: Some(model), scorer: None })
    }

    pub fn scoring(scorer: impl Scorer + 'static) -> Self {
        Self::start(config(), Parts { model: None, scorer: Some(Arc::new(scorer)) })
    }

    pub fn address(&self) -> &str {
        self.base.strip_prefix("http://").unwrap()
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).json(body)
    }

    /// A completion's answer, which must go well.
    pub async fn complete(&self, body: &Value) -> Value {
        ok(self.post("/v1/completions", body).send().await.unwrap()).await
    }

    /// Waits until the server has ended by itself.
    pub fn join(mut self) -> Result<(), ServeError> {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.stop();
        // A test that failed may have left a policy that waits for it.
        if let Some(thread) = self.thread.take().filter(|_| !std::thread::panicking()) {
            thread.join().unwrap().unwrap();
        }
    }
}

/// The body of an answer that must go well.
pub async fn ok(response: Response) -> Value {
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Status and error of an answer that must not go well.
pub async fn refused(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let error = &body["error"];
    assert!(error["message"].is_string() && error["type"].is_string(), "{body}");
    (status, error.clone())
}

/// The values of a stream's events; the last one must be `[DONE]`.
pub async fn events(response: Response) -> Vec<Value> {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.unwrap();
    let mut events: Vec<&str> =
        text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
    assert_eq!(events.pop(), Some("[DONE]"));
    events.into_iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

/// What a choice's events say: its text and how it ended.
pub fn streamed(events: &[Value], choice: u64) -> (String, Value) {
    let mut text = String::new();
    let mut finish = Value::Null;
    let choices = events.iter().flat_map(|event| event["choices"].as_array().unwrap());
    for part in choices.filter(|part| part["index"] == choice) {
        assert_eq!(finish, Value::Null, "nothing follows the end");
        let piece = part["text"].as_str().or_else(|| part["delta"]["content"].as_str());
        text.push_str(piece.unwrap_or_default());
        finish = part["finish_reason"].clone();
    }
    (text, finish)
}

/// A policy that draws the same token without end, for one request at a time. It tells when it
/// begins and when it was told to end.
pub struct Endless {
    pub token: u32,
    pub began: Sender<()>,
    pub ended: Sender<()>,
}

impl Endless {
    /// The policy, and what tells of its beginnings and ends.
    pub fn new(token: u32) -> (Self, Receiver<()>, Receiver<()>) {
        let ((began, begins), (ended, ends)) = (channel(), channel());
        (Self { token, began, ended }, begins, ends)
    }
}

impl LivePolicy for Endless {
    fn generate_live(&mut self, desk: &dyn Desk, _: usize) {
        while let Some(request) = desk.next(true) {
            self.began.send(()).unwrap();
            while desk.token(request.id, 0, self.token) {
                std::thread::yield_now();
            }
            desk.ended(request.id, 0, false);
            let _ = self.ended.send(());
        }
    }
}

/// A policy that writes one text for every request, each when it is told to.
pub struct Told {
    pub tokens: Vec<u32>,
    pub began: Sender<()>,
    pub go_on: Receiver<()>,
}

impl Told {
    /// The policy, what tells of its beginnings, and what lets it go on.
    pub fn new(text: &str) -> (Self, Receiver<()>, Sender<()>) {
        let ((began, begins), (release, go_on)) = (channel(), channel());
        (Self { tokens: tokenizer().encode(text).unwrap(), began, go_on }, begins, release)
    }
}

impl LivePolicy for Told {
    fn generate_live(&mut self, desk: &dyn Desk, _: usize) {
        while let Some(request) = desk.next(true) {
            let _ = self.began.send(());
            let _ = self.go_on.recv();
            let _ = self.tokens.iter().all(|&token| desk.token(request.id, 0, token));
            desk.ended(request.id, 0, true);
        }
    }
}

/// A chat of one question.
pub fn chat(question: &str) -> Value {
    json!({"model": "tiny", "messages": [{"role": "user", "content": question}]})
}

/// `base` with further fields.
pub fn with(base: &Value, more: Value) -> Value {
    let mut all = base.clone();
    let (Value::Object(all_fields), Value::Object(more)) = (&mut all, more) else {
        panic!("objects are merged");
    };
    all_fields.extend(more);
    all
}
