//! Who is let in, and what is too much or not a request at all.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Server, chat, config, model, ok, quickstart, refused};
use omni_serve::{Bound, Config, Parts, ServeError, Token};
use serde_json::json;

#[tokio::test]
async fn the_token_is_asked_for() {
    let config = Config { token: Some(Token::new("correct-horse").unwrap()), ..config() };
    let model = Some(model(&quickstart()));
    let server = Server::start(config, Parts { model, scorer: None });
    let ask = || server.post("/v1/chat/completions", &chat("a"));
    for request in [ask(), ask().bearer_auth("correct-hors"), ask().basic_auth("a", Some("b"))] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let text = response.text().await.unwrap();
        assert!(text.contains("invalid_api_key") && !text.contains("correct"), "{text}");
    }
    ok(ask().bearer_auth("correct-horse").send().await.unwrap()).await;
    assert_eq!(server.get("/v1/models").send().await.unwrap().status(), 401);
    assert_eq!(server.get("/nowhere").send().await.unwrap().status(), 401);
    // Whether it lives is no secret.
    assert_eq!(server.get("/health").send().await.unwrap().status(), 200);
}

#[test]
fn nobody_else_is_served_without_a_token() {
    let open = Config { listen: ([0, 0, 0, 0], 0).into(), ..config() };
    let error = Bound::new(open.clone()).err().unwrap();
    assert!(matches!(error, ServeError::Open { .. }) && error.is_input());
    assert!(error.to_string().contains("--token-env"), "{error}");
    Bound::new(Config { token: Some(Token::new("t").unwrap()), ..open }).unwrap();
}

#[test]
fn a_taken_address_is_told() {
    let first = Bound::new(config()).unwrap();
    let second = Bound::new(Config { listen: first.address(), ..config() });
    let error = second.err().unwrap();
    assert!(matches!(error, ServeError::Bind { .. }) && error.is_input());
    assert!(error.to_string().contains(&first.address().to_string()), "{error}");
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let config = Config { max_body: 1000, ..config() };
    let model = Some(model(&quickstart()));
    let server = Server::start(config, Parts { model, scorer: None });
    for size in [1001, 7000, 400_000] {
        let body = chat(&"a".repeat(size));
        let response = server.post("/v1/chat/completions", &body).send().await;
        // Far beyond the limit the connection may end while the client still sends.
        let Ok(response) = response else {
            assert!(size > 8000);
            continue;
        };
        assert_eq!(response.status(), 413);
        assert!(response.text().await.unwrap().contains("1000 bytes"));
    }
    // Without a length said beforehand.
    let pieces = (0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 100]));
    let request = server
        .post("/v1/completions", &json!({}))
        .body(reqwest::Body::wrap_stream(tokio_stream::iter(pieces)));
    assert_eq!(refused(request).await.0, 413);
    // At the limit a body is read.
    let request = server.post("/v1/completions", &json!({})).body(" ".repeat(1000));
    assert_eq!(refused(request).await.1["code"], "invalid_json");
    ok(server.post("/v1/chat/completions", &chat("a")).send().await.unwrap()).await;
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let server = Server::quickstart();
    let post = |body: &'static [u8]| server.post("/v1/completions", &json!({})).body(body);
    for body in [
        &b""[..],
        b"{",
        b"[]",
        b"\"model\"",
        b"{\"model\": \"tiny\", \"prompt\": \"\xff\"}",
        b"{\"model\": \"tiny\", \"prompt\": \"\\ud800\"}",
    ] {
        let (status, error) = refused(post(body)).await;
        assert_eq!((status, &error["code"]), (400, &json!("invalid_json")));
    }
    let deep: &'static [u8] = Box::leak("[".repeat(100_000).into_bytes().into_boxed_slice());
    assert_eq!(refused(post(deep)).await.0, 400);
    let plain = post(b"{}").header("content-type", "text/plain");
    // The client adds the header to the one that is there.
    let plain = plain.build().map(|mut request| {
        request.headers_mut().insert("content-type", "text/plain".parse().unwrap());
        request
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.execute(plain.unwrap()).await.unwrap();
    assert_eq!(response.status(), 415);
    assert_eq!(refused(server.get("/v1/nowhere")).await.0, 404);
    assert_eq!(refused(server.get("/v1/completions")).await.0, 405);
    // A page of another host, made to resolve to this machine.
    let foreign = server.get("/v1/models").header("host", "evil.example");
    assert_eq!(refused(foreign).await.0, 403);
    // No policy, no tasks.
    let empty = Server::start(config(), Parts::default());
    assert_eq!(refused(empty.post("/v1/chat/completions", &chat("a"))).await.0, 404);
    assert_eq!(refused(empty.post("/v1/score", &json!({"task": "t"}))).await.0, 404);
}
