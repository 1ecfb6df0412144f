//! Cache, budget, record and replay.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::common::{ask, endpoint, model, question};
use crate::server::{Act, Server};
use omni_judge::{Answer, FailureKind, JudgeModel, Ledger, ModelSettings, Prices, Source};
use omni_record::{RecordedAnswer, Reply};

fn read(path: &Path) -> Vec<Reply> {
    let mut replies = Vec::new();
    omni_record::read_replies(path, |reply| replies.push(reply)).unwrap();
    replies
}

/// Says how often it was asked before.
fn counting() -> Server {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Server::start(move |_, _| {
        let count = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Act::Say(format!("answer {count}"))
    })
}

fn recording(path: &Path) -> Arc<Ledger> {
    Arc::new(Ledger::recording(path).unwrap())
}

/// A model that answers from a record; its endpoint is one that nobody listens at.
fn replay(live: &JudgeModel, url: &str, path: &Path) -> JudgeModel {
    let ledger = Arc::new(Ledger::replaying(path).unwrap());
    let settings = ModelSettings::new("judge", Source::Endpoint(endpoint(url)));
    JudgeModel::replaying(settings, live.identity().to_owned(), ledger)
}

#[test]
fn the_same_content_is_asked_once() {
    let server = counting();
    let model = model(endpoint(&server.url()), &Arc::new(Ledger::in_memory()));
    let first = ask(&model, "a").unwrap();
    assert_eq!(ask(&model, "a").unwrap(), first);
    // Within one list too, and for another asker.
    let answers = model.answer("other/9#1", &[question("b"), question("a"), question("b")]);
    assert_eq!(answers[0], answers[2]);
    assert_eq!(answers[1].as_ref(), Ok(&first));
    assert_eq!(server.requests().len(), 2);
    // Anything that could change the answer makes it another question.
    let mut warmer = question("a");
    warmer.temperature = 0.75;
    let mut longer = question("a");
    longer.max_tokens = 17;
    let mut system = question("a");
    system.messages[0].role = omni_record::Role::System;
    let others = model.answer("task/1#0", &[warmer, longer, system]);
    assert_eq!(server.requests().len(), 5);
    assert!(others.iter().all(|answer| answer.as_ref() != Ok(&first)));
    assert_eq!(model.tally().known, 3);
}

#[test]
fn a_question_under_way_is_waited_for() {
    // "slow" is answered when "quick" comes, with which the second scoring asks "slow" as well.
    let (arrived, first_is_asking) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel();
    let (arrived, release) = (Mutex::new(arrived), Mutex::new(release));
    let released = Mutex::new(released);
    let server = Server::start(move |request, _| {
        match request.body["messages"][0]["content"].as_str().unwrap_or_default() {
            "slow" => {
                arrived.lock().unwrap().send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
                Act::Say("at last".into())
            }
            _ => {
                release.lock().unwrap().send(()).unwrap();
                Act::Say("at once".into())
            }
        }
    });
    let model = &model(endpoint(&server.url()), &Arc::new(Ledger::in_memory()));
    std::thread::scope(|scope| {
        let first = scope.spawn(move || ask(model, "slow"));
        first_is_asking.recv().unwrap();
        let second = model.answer("task/2#0", &[question("slow"), question("quick")]);
        assert_eq!(second, [Ok("at last".to_owned()), Ok("at once".to_owned())]);
        assert_eq!(first.join().unwrap().as_deref(), Ok("at last"));
    });
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_run_that_goes_on_asks_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replies.jsonl");
    let server = counting();
    let first = ask(&model(endpoint(&server.url()), &recording(&path)), "a").unwrap();
    // Killed in the middle of a line.
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole[..], &whole[..whole.len() / 2]].concat()).unwrap();
    let again = model(endpoint(&server.url()), &recording(&path));
    assert_eq!(ask(&again, "a").unwrap(), first);
    assert_eq!(server.requests().len(), 1);
    ask(&again, "b").unwrap();
    assert_eq!(read(&path).len(), 2);
    assert_eq!(again.tally().spent.tokens(), 24, "what the first process spent counts");
}

#[test]
fn a_record_is_made_with_its_first_reply() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replies.jsonl");
    let server = counting();
    let model = model(endpoint(&server.url()), &recording(&path));
    assert!(!path.exists());
    ask(&model, "a").unwrap();
    let [reply] = &read(&path)[..] else { panic!() };
    assert_eq!((reply.model.as_str(), reply.asker.as_str()), ("judge", "task/1#0"));
    assert_eq!((reply.tries, reply.prompt_tokens, reply.completion_tokens), (1, 10, 2));
    assert_eq!(reply.question.as_ref().unwrap().messages[0].content, "a");
    assert_eq!(reply.answer, RecordedAnswer::Text("answer 0".into()));
}

#[test]
fn a_replay_answers_from_the_record_alone_failures_included() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replies.jsonl");
    // Fails for the first scoring that asks "shaky", and never again; "bad" always fails.
    let server = Server::start(|request, before| {
        let text = request.body["messages"][0]["content"].as_str().unwrap_or_default();
        match (text, before) {
            ("bad", _) | ("shaky", 0) => Act::Respond(400, Vec::new(), b"no".to_vec()),
            (text, _) => Act::Say(format!("said {text}")),
        }
    });
    let live = model(endpoint(&server.url()), &recording(&path));
    let askers = ["task/1#0", "task/2#0", "task/3#5"];
    let questions = [question("good"), question("shaky"), question("bad")];
    let lived: Vec<Vec<Answer>> =
        askers.iter().map(|asker| live.answer(asker, &questions)).collect();
    assert!(lived[0][1].is_err() && lived[1][1].is_ok() && lived[2][1].is_ok());
    // The same scoring again gives the same: its failure stands.
    assert_eq!(live.answer(askers[0], &questions), lived[0]);
    let asked = server.requests().len();

    let replayed = replay(&live, &server.url(), &path);
    // In another order, as threads would have it.
    for (asker, lived) in askers.iter().zip(&lived).rev() {
        assert_eq!(&replayed.answer(asker, &questions), lived, "{asker}");
    }
    // For a scoring that the run did not have: what it knows of the content.
    let other = replayed.answer("other", &questions);
    assert_eq!(other[1].as_deref(), Ok("said shaky"));
    assert_eq!(other[2].as_ref().unwrap_err().kind, FailureKind::Rejected);
    let never = ask(&replayed, "never asked").unwrap_err();
    assert_eq!(never.kind, FailureKind::NotRecorded);
    assert_eq!(server.requests().len(), asked, "a replay sends nothing");
}

#[test]
fn a_resumed_run_tries_failures_again_and_the_replay_repeats_what_came_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replies.jsonl");
    let server = Server::start(|_, before| match before {
        0 | 1 => Act::Respond(400, Vec::new(), b"down".to_vec()),
        _ => Act::Say("up".into()),
    });
    let first = model(endpoint(&server.url()), &recording(&path));
    assert!(first.answer("a", &[question("?")])[0].is_err());
    assert!(first.answer("b", &[question("?")])[0].is_err());
    let second = model(endpoint(&server.url()), &recording(&path));
    assert_eq!(second.answer("a", &[question("?")])[0].as_deref(), Ok("up"));
    // From the cache, yet not as it was before: that is recorded as well.
    assert_eq!(second.answer("b", &[question("?")])[0].as_deref(), Ok("up"));
    let replayed = replay(&second, &server.url(), &path);
    for asker in ["a", "b"] {
        assert_eq!(replayed.answer(asker, &[question("?")])[0].as_deref(), Ok("up"));
    }
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_spent_budget_fails_every_further_question_and_no_known_one() {
    let server = counting();
    let mut settings = ModelSettings::new("judge", Source::Endpoint(endpoint(&server.url())));
    settings.token_budget = Some(24);
    let model = JudgeModel::open(settings, Arc::new(Ledger::in_memory())).unwrap();
    // Each answer costs 12.
    let first = ask(&model, "a").unwrap();
    ask(&model, "b").unwrap();
    let failure = ask(&model, "c").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Budget);
    assert!(failure.message.contains("`token_budget` is 24"), "{failure}");
    assert_eq!(ask(&model, "a").unwrap(), first);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn money_is_counted_across_processes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replies.jsonl");
    let server = counting();
    let open = || {
        let mut settings = ModelSettings::new("judge", Source::Endpoint(endpoint(&server.url())));
        // 10 read and 2 written make 0.00001 · 10 + 0.00005 · 2 = 0.0002.
        settings.prices = Prices { input: 10.0, output: 50.0 };
        settings.money_budget = Some(0.000_35);
        JudgeModel::open(settings, recording(&path)).unwrap()
    };
    ask(&open(), "a").unwrap();
    let second = open();
    ask(&second, "b").unwrap();
    assert_eq!(ask(&second, "c").unwrap_err().kind, FailureKind::Budget);
    assert!((second.tally().money.unwrap() - 0.0004).abs() < 1e-12);
}

#[test]
fn an_endpoint_that_does_not_count_is_counted_by_bytes() {
    let reply = br#"{"choices": [{"message": {"content": "four"}}]}"#.to_vec();
    let server = Server::always(Act::Respond(200, Vec::new(), reply));
    let model = model(endpoint(&server.url()), &Arc::new(Ledger::in_memory()));
    ask(&model, "a").unwrap();
    let spent = model.tally().spent;
    assert_eq!(spent.completion_tokens, 1);
    let sent = server.requests()[0].body.to_string().len() as u64;
    assert_eq!(spent.prompt_tokens, sent.div_ceil(4));
}

#[test]
fn a_reply_that_cannot_be_recorded_is_not_used() {
    // Linux's device that is always full.
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replies.jsonl");
    let server = counting();
    let ledger = recording(&path);
    std::os::unix::fs::symlink(full, &path).unwrap();
    let failure = ask(&model(endpoint(&server.url()), &ledger), "a").unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotKept, "{failure}");
}

#[test]
fn the_order_of_settings_makes_no_other_question() {
    let server = counting();
    let ledger = Arc::new(Ledger::in_memory());
    let with = |extra: &str| {
        let mut settings = endpoint(&server.url());
        settings.extra = serde_json::from_str(extra).unwrap();
        model(settings, &ledger)
    };
    let first = ask(&with(r#"{"a": 1, "b": {"c": 2, "d": 3}}"#), "?").unwrap();
    assert_eq!(ask(&with(r#"{"b": {"d": 3, "c": 2}, "a": 1}"#), "?").unwrap(), first);
    assert_ne!(ask(&with(r#"{"b": {"d": 3, "c": 2}, "a": 2}"#), "?").unwrap(), first);
}

#[test]
fn where_nothing_is_recorded_a_failure_is_tried_again_at_once() {
    let server = Server::start(|_, before| match before {
        0 => Act::Respond(400, Vec::new(), b"no".to_vec()),
        _ => Act::Say("yes".into()),
    });
    let model = model(endpoint(&server.url()), &Arc::new(Ledger::in_memory()));
    assert!(ask(&model, "?").is_err());
    assert_eq!(ask(&model, "?").as_deref(), Ok("yes"));
}
