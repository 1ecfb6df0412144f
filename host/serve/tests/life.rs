//! How requests and servers end: clients that go away, stops, overload, failures, timeouts.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use common::{Endless, Server, Told, chat, config, ok, pretended, refused, with};
use omni_policy::{Desk, LivePolicy, PolicyError};
use omni_serve::{Config, Parts, ServeError};
use serde_json::json;

/// The end-of-sequence token: it has no text, so an endless answer does not grow.
const SILENT: u32 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_ends_its_generation() {
    let (policy, begins, ends) = Endless::new(SILENT);
    let server = Server::of(pretended(policy));
    // While it waits for the whole answer.
    let request = tokio::spawn(server.post("/v1/chat/completions", &chat("a")).send());
    tokio::task::block_in_place(|| begins.recv().unwrap());
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    tokio::task::block_in_place(|| ends.recv().unwrap());
    // In the middle of a stream.
    let body = with(&chat("a"), json!({"stream": true}));
    let mut response = server.post("/v1/chat/completions", &body).send().await.unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"data: {"));
    tokio::task::block_in_place(|| begins.recv().unwrap());
    drop(response);
    tokio::task::block_in_place(|| ends.recv().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_requests_are_finished_when_told_to_stop() {
    let (policy, begins, release) = Told::new("all of it");
    let server = Server::of(pretended(policy));
    let whole = tokio::spawn(server.post("/v1/chat/completions", &chat("a")).send());
    tokio::task::block_in_place(|| begins.recv().unwrap());
    // A second one is in the queue: its stream was opened after it was put there.
    let body = with(&chat("b"), json!({"stream": true}));
    let streamed = server.post("/v1/chat/completions", &body).send().await.unwrap();
    assert!(!server.stop.stop());
    // It listens no more.
    while TcpStream::connect(server.address()).is_ok() {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    release.send(()).unwrap();
    let answer = ok(whole.await.unwrap().unwrap()).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "all of it");
    let events = common::events(streamed).await;
    assert_eq!(common::streamed(&events, 0), ("all of it".to_owned(), json!("stop")));
    tokio::task::block_in_place(|| server.join()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_do_not_end_are_ended_after_a_while() {
    let (policy, begins, ends) = Endless::new(SILENT);
    let config = Config { grace: Duration::from_millis(20), ..config() };
    let server = Server::start(config, Parts { model: Some(pretended(policy)), scorer: None });
    let request = tokio::spawn(server.post("/v1/chat/completions", &chat("a")).send());
    tokio::task::block_in_place(|| begins.recv().unwrap());
    server.stop.stop();
    tokio::task::block_in_place(|| server.join()).unwrap();
    assert!(request.await.unwrap().is_err());
    ends.recv().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_are_told_to_come_again() {
    let (policy, begins, release) = Told::new("x");
    let config = Config { queue: 1, ..config() };
    let server = Server::start(config, Parts { model: Some(pretended(policy)), scorer: None });
    let body = with(&chat("a"), json!({"stream": true}));
    let send = || server.post("/v1/chat/completions", &body).send();
    let first = send().await.unwrap();
    tokio::task::block_in_place(|| begins.recv().unwrap());
    let second = send().await.unwrap();
    let third = send().await.unwrap();
    assert_eq!(third.status(), 503);
    assert_eq!(third.headers()["retry-after"], "1");
    let body: serde_json::Value = serde_json::from_str(&third.text().await.unwrap()).unwrap();
    assert_eq!(body["error"]["code"], "overloaded");
    release.send(()).unwrap();
    assert_eq!(common::streamed(&common::events(first).await, 0).0, "x");
    // The second one is at work, so there is room again.
    tokio::task::block_in_place(|| begins.recv().unwrap());
    let fourth = send().await.unwrap();
    release.send(()).unwrap();
    release.send(()).unwrap();
    for response in [second, fourth] {
        assert_eq!(common::streamed(&common::events(response).await, 0).0, "x");
    }
}

/// Fails after two tokens.
struct Failing;

impl LivePolicy for Failing {
    fn generate_live(&mut self, desk: &dyn Desk, _: usize) {
        while let Some(request) = desk.next(true) {
            for &token in common::tokenizer().encode("ab").unwrap().iter().take(2) {
                desk.token(request.id, 0, token);
            }
            desk.failed(request.id, &PolicyError::NotFiniteLogits);
        }
    }
}

#[tokio::test]
async fn a_failure_is_told_and_the_next_request_served() {
    let server = Server::of(pretended(Failing));
    for _ in 0..2 {
        let (status, error) = refused(server.post("/v1/chat/completions", &chat("a"))).await;
        assert_eq!((status, &error["type"]), (500, &json!("server_error")));
        assert!(error["message"].as_str().unwrap().contains("not finite"));
    }
    let body = with(&chat("a"), json!({"stream": true}));
    let response = server.post("/v1/chat/completions", &body).send().await.unwrap();
    let text = response.text().await.unwrap();
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with(r#"data: {"error":{"#), "{text}");
    assert!(!text.contains("[DONE]"));
}

struct Panicking;

impl LivePolicy for Panicking {
    fn generate_live(&mut self, desk: &dyn Desk, _: usize) {
        desk.next(true).unwrap();
        panic!("as the test wants");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_panics_ends_the_server() {
    let server = Server::of(pretended(Panicking));
    let (status, error) = refused(server.post("/v1/chat/completions", &chat("a"))).await;
    assert_eq!(status, 500, "{error}");
    let ended = tokio::task::block_in_place(|| server.join());
    assert!(matches!(ended, Err(ServeError::Generation)));
}

/// What the server says to bytes, to the end of the connection.
fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn slow_clients_are_not_waited_for() {
    let (policy, ..) = Told::new("x");
    let config = Config { read_timeout: Duration::from_millis(50), ..config() };
    let server = Server::start(config, Parts { model: Some(pretended(policy)), scorer: None });
    // The connection is closed, whatever is said.
    raw(&server, b"");
    raw(&server, b"POST /v1/completions HTTP/1.1\r\nHost: localh");
    let head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/json\r\nContent-Length: 100\r\n\r\n";
    let answer = raw(&server, format!("{head}{{\"model\"").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"request_timeout\""), "{answer}");
}
