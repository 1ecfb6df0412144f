//! Each way in which an endpoint can fail, and the kind that the failure has.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{ask, endpoint, model, question};
use crate::server::{Act, Server, chat};
use omni_judge::{EndpointSettings, Failure, FailureKind, Key, Ledger};

fn memory() -> Arc<Ledger> {
    Arc::new(Ledger::in_memory())
}

fn respond(code: u16, body: &str) -> Act {
    Act::Respond(code, Vec::new(), body.as_bytes().to_vec())
}

fn fails(act: Act) -> (Failure, usize) {
    fails_with(act, |_| {})
}

fn fails_with(act: Act, change: impl Fn(&mut EndpointSettings)) -> (Failure, usize) {
    let server = Server::always(act);
    let mut settings = endpoint(&server.url());
    change(&mut settings);
    let failure = ask(&model(settings, &memory()), "?").unwrap_err();
    (failure, server.requests().len())
}

#[test]
fn a_text_is_an_answer() {
    let server = Server::always(Act::Say("[[A]]".into()));
    assert_eq!(ask(&model(endpoint(&server.url()), &memory()), "Which?").unwrap(), "[[A]]");
    let [request] = &server.requests()[..] else { panic!("asked more than once") };
    assert!(request.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(request.body["messages"][0]["content"], "Which?");
    assert_eq!(request.body["model"], "m");
    assert_eq!(request.body["max_tokens"], 16);
}

#[test]
fn failures_that_may_pass_are_tried_again_and_then_have_their_kind() {
    for (act, kind, word) in [
        (respond(429, r#"{"error": {"message": "slow"}}"#), FailureKind::RateLimited, "slow"),
        (respond(500, "<html>"), FailureKind::Server, "500"),
        (respond(503, ""), FailureKind::Server, "503"),
        (respond(200, r#"{"error": "overloaded"}"#), FailureKind::Server, "overloaded"),
        (respond(200, ""), FailureKind::Empty, "no body"),
        (respond(200, " \n"), FailureKind::Empty, "no body"),
        (respond(200, "oops"), FailureKind::Malformed, "oops"),
        (respond(200, "{}"), FailureKind::Malformed, "choices"),
        (Act::Raw(b"not http at all\r\n\r\n".to_vec()), FailureKind::Connection, "127.0.0.1"),
        (Act::Raw(Vec::new()), FailureKind::Connection, "127.0.0.1"),
        (
            Act::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"choi".to_vec()),
            FailureKind::Connection,
            "cut",
        ),
        (
            Act::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n{\"ch".to_vec()),
            FailureKind::Connection,
            "cut",
        ),
    ] {
        let (failure, requests) = fails(act.clone());
        assert_eq!(failure.kind, kind, "{act:?}: {failure}");
        assert!(failure.message.contains(word), "{act:?}: {failure}");
        assert!(failure.message.contains("3 tries"), "{failure}");
        assert_eq!(requests, 3, "{act:?}");
    }
}

#[test]
fn failures_that_stay_are_not_tried_again() {
    let refusal = r#"{"choices": [{"message": {"content": null, "refusal": "I won't."}}]}"#;
    let filtered =
        r#"{"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}"#;
    let spent = r#"{"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}"#;
    let quota = r#"{"error": {"code": "insufficient_quota", "message": "pay"}}"#;
    for (act, kind, word) in [
        (respond(200, refusal), FailureKind::Refused, "I won't."),
        (respond(200, filtered), FailureKind::Refused, "filter"),
        (respond(400, r#"{"error": {"message": "too long"}}"#), FailureKind::Rejected, "too long"),
        (respond(200, spent), FailureKind::Empty, "max_tokens"),
        (respond(401, "no"), FailureKind::Rejected, "401"),
        (respond(404, ""), FailureKind::Rejected, "404"),
        (respond(429, quota), FailureKind::RateLimited, "pay"),
        (
            Act::Respond(302, vec![("location", "http://127.0.0.1:1/".into())], Vec::new()),
            FailureKind::Rejected,
            "302",
        ),
    ] {
        let (failure, requests) = fails(act.clone());
        assert_eq!(failure.kind, kind, "{act:?}: {failure}");
        assert!(failure.message.contains(word), "{act:?}: {failure}");
        assert_eq!(requests, 1, "{act:?}");
    }
}

#[test]
fn an_enormous_reply_is_not_read_to_its_end() {
    let (failure, requests) = fails_with(Act::Flood, |s| s.max_reply_bytes = 1 << 20);
    assert_eq!((failure.kind, requests), (FailureKind::TooLarge, 1), "{failure}");
    // Its beginning was paid for.
    let server = Server::always(Act::Flood);
    let mut settings = endpoint(&server.url());
    settings.max_reply_bytes = 1 << 20;
    let asked = model(settings, &memory());
    assert_eq!(ask(&asked, "?").unwrap_err().kind, FailureKind::TooLarge);
    let sent = server.requests()[0].body.to_string().len() as u64;
    assert_eq!(asked.tally().spent.prompt_tokens, sent.div_ceil(4));
    // One that says its length is not read at all.
    let long = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec();
    let (failure, requests) = fails(Act::Raw(long));
    assert_eq!((failure.kind, requests), (FailureKind::TooLarge, 1), "{failure}");
}

#[test]
fn a_hang_ends_with_its_time() {
    let (failure, requests) = fails_with(Act::Hang, |s| {
        s.timeout = Duration::from_millis(50);
        s.retries = 1;
    });
    assert_eq!((failure.kind, requests), (FailureKind::Timeout, 2), "{failure}");
    assert!(failure.to_string().starts_with("timeout: no whole reply within 0.05 s"), "{failure}");
    // A body that never ends is as late as a reply that never begins.
    let stalled = Server::start(|_, _| Act::Flood);
    let mut settings = endpoint(&stalled.url());
    settings.timeout = Duration::from_millis(50);
    settings.max_reply_bytes = usize::MAX;
    settings.retries = 0;
    let failure = ask(&model(settings, &memory()), "?").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
}

#[test]
fn nobody_there_is_a_failed_connection() {
    let url = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/v1", free.local_addr().unwrap())
    };
    let failure = ask(&model(endpoint(&url), &memory()), "?").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connection);
    assert!(failure.message.contains("no connection"), "{failure}");
}

#[test]
fn a_busy_endpoint_is_asked_again_when_it_says() {
    for header in [("retry-after", "0"), ("retry-after-ms", "3")] {
        let server = Server::start(move |_, before| match before {
            0 => Act::Respond(429, vec![(header.0, header.1.into())], b"busy".to_vec()),
            1 => respond(500, "hiccup"),
            _ => Act::Say("[[B]]".into()),
        });
        assert_eq!(ask(&model(endpoint(&server.url()), &memory()), "?").unwrap(), "[[B]]");
        assert_eq!(server.requests().len(), 3);
    }
}

#[test]
fn an_endpoint_that_wants_a_long_wait_has_failed() {
    let busy = Act::Respond(429, vec![("retry-after", "86400".into())], b"tomorrow".to_vec());
    let (failure, requests) = fails(busy);
    assert_eq!((failure.kind, requests), (FailureKind::RateLimited, 1));
    assert!(failure.message.contains("asks to wait 86400 s"), "{failure}");
}

#[test]
fn no_more_questions_are_under_way_than_allowed() {
    // Each reply waits for the third request: fewer than three would never end.
    let server = Server::start(|_, _| Act::SayTogether(3, "[[C]]".into()));
    let mut settings = endpoint(&server.url());
    settings.concurrency = 3;
    let model = model(settings, &memory());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let model = &model;
            scope.spawn(move || {
                let questions: Vec<_> =
                    (0..5).map(|n| question(&format!("{thread} {n}"))).collect();
                let answers = model.answer("task/1#0", &questions);
                assert!(answers.iter().all(|answer| answer.as_deref() == Ok("[[C]]")));
            });
        }
    });
    assert_eq!(server.requests().len(), 20);
    assert_eq!(server.most(), 3);
}

#[test]
fn one_question_of_many_fails_alone() {
    let server = Server::start(|request, _| {
        let text = request.body["messages"][0]["content"].as_str().unwrap_or_default();
        match text {
            "2" => respond(400, "no"),
            "3" => Act::Raw(Vec::new()),
            text => Act::Say(format!("said {text}")),
        }
    });
    let model = model(endpoint(&server.url()), &memory());
    let questions: Vec<_> = (0..5).map(|n| question(&n.to_string())).collect();
    let kinds: Vec<_> = model
        .answer("task/1#0", &questions)
        .into_iter()
        .map(|answer| answer.map_err(|failure| failure.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            Ok("said 0".to_owned()),
            Ok("said 1".into()),
            Err(FailureKind::Rejected),
            Err(FailureKind::Connection),
            Ok("said 4".into())
        ]
    );
    let tally = model.tally();
    assert_eq!((tally.questions, tally.known), (5, 0));
    assert_eq!(tally.failed.into_iter().collect::<Vec<_>>(), [("connection", 1), ("rejected", 1)]);
}

#[test]
fn a_key_goes_to_the_endpoint_and_nowhere_else() {
    const KEY: &str = "sk-very-s3cret";
    // The endpoint sends the key back, in an error and in a text.
    let server = Server::start(|request, _| {
        let text = request.body["messages"][0]["content"].as_str().unwrap_or_default();
        match text {
            "error" => respond(401, &format!(r#"{{"error": {{"message": "bad key {KEY}"}}}}"#)),
            // A message quotes 300 characters.
            "long error" => respond(400, &format!("{}{KEY}", "-".repeat(290))),
            "long text" => respond(200, &format!("{}{KEY}", "-".repeat(290))),
            _ => Act::Say(format!("you are {KEY}")),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replies.jsonl");
    let mut settings = endpoint(&server.url());
    settings.key = Some(Key::new(&format!(" {KEY}\n")));
    let shown = format!("{settings:?}");
    let model = model(settings, &Arc::new(Ledger::recording(&path).unwrap()));
    let failure = ask(&model, "error").unwrap_err();
    let text = ask(&model, "who am I?").unwrap();
    for long in ["long error", "long text"] {
        let message = ask(&model, long).unwrap_err().message;
        assert!(message.contains("-[key]"), "{message}");
        assert!(!message.contains("sk-"), "{message}");
    }
    assert_eq!(text, "you are [key]");
    assert_eq!(failure.to_string(), "rejected: 401 Unauthorized: bad key [key]");
    let record = std::fs::read_to_string(&path).unwrap();
    for place in [shown, record, format!("{model:?}{:?}{failure:?}", model.tally())] {
        assert!(!place.contains("sk-v"), "{place}");
    }
    for request in server.requests() {
        let head = request.head.to_lowercase();
        assert!(head.contains(&format!("authorization: bearer {KEY}\r\n")), "{head}");
    }
}

#[test]
fn a_key_that_only_fills_the_place_of_one_is_left_in_answers() {
    let server = Server::always(Act::Say("[[A]]".into()));
    let mut settings = endpoint(&server.url());
    settings.key = Some(Key::new("A"));
    assert_eq!(ask(&model(settings, &memory()), "Which?").unwrap(), "[[A]]");
}

#[test]
fn what_the_run_file_says_goes_over_what_the_judge_asks() {
    let server = Server::always(Act::Say("x".into()));
    let mut settings = endpoint(&server.url());
    settings.extra.insert("top_p".into(), 0.5.into());
    let mut settings =
        omni_judge::ModelSettings::new("judge", omni_judge::Source::Endpoint(settings));
    settings.temperature = Some(0.4);
    settings.max_tokens = Some(99);
    let model = omni_judge::JudgeModel::open(settings, memory()).unwrap();
    ask(&model, "?").unwrap();
    let body = &server.requests()[0].body;
    assert_eq!((&body["temperature"], &body["max_tokens"]), (&0.4.into(), &99.into()));
    assert_eq!(body["top_p"], 0.5);
}

#[test]
fn what_no_model_can_be_asked_is_not_sent() {
    let server = Server::always(Act::Say("x".into()));
    let model = model(endpoint(&server.url()), &memory());
    let mut nonsense = [question("?"), question("?"), question("?"), question("?")];
    nonsense[0].temperature = f32::NAN;
    nonsense[1].temperature = -1.0;
    nonsense[2].max_tokens = 0;
    nonsense[3].messages.clear();
    for answer in model.answer("task/1#0", &nonsense) {
        assert_eq!(answer.unwrap_err().kind, FailureKind::Rejected);
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_reply_cut_by_its_length_is_still_a_text() {
    let cut = String::from_utf8(chat("reasons, and then")).unwrap().replace("stop", "length");
    let server = Server::always(respond(200, &cut));
    assert_eq!(ask(&model(endpoint(&server.url()), &memory()), "?").unwrap(), "reasons, and then");
}

#[test]
fn a_server_without_tls_is_a_failed_connection_over_https() {
    let server = Server::always(Act::Say("x".into()));
    let mut settings = endpoint(&server.url().replace("http:", "https:"));
    settings.retries = 0;
    let failure = ask(&model(settings, &memory()), "?").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connection, "{failure}");
    assert!(failure.message.contains("no connection: 127.0.0.1:"), "{failure}");
}
