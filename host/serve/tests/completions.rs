//! What is answered: the policy's own text, whole and streamed, whatever else is asked for.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    Server, chat, events, generated, model, nano, ok, refused, streamed, tokenizer, with,
};
use omni_policy::Sampling;
use serde_json::{Value, json};

const QUESTION: &str = "17+25=?";

fn sampling(temperature: f32, max_new_tokens: usize) -> Sampling {
    Sampling { temperature, max_new_tokens, ..Sampling::default() }
}

fn chat_prompt() -> Vec<u32> {
    let tokenizer = tokenizer();
    let text = tokenizer.apply_chat_template(&[("user", QUESTION)], true).unwrap();
    tokenizer.encode(&text).unwrap()
}

fn text_of(answer: &Value, choice: usize) -> &str {
    let choice = &answer["choices"][choice];
    choice["text"].as_str().or_else(|| choice["message"]["content"].as_str()).unwrap()
}

#[tokio::test]
async fn greedy_answers_are_the_policys() {
    let server = Server::quickstart();
    let tokenizer = tokenizer();
    let prompt = chat_prompt();
    let want = generated(&prompt, 1, 0, &sampling(0.0, 60)).remove(0);
    let text = tokenizer.decode(&want.tokens).unwrap();
    assert!(!text.is_empty());

    let body = with(&chat(QUESTION), json!({"temperature": 0, "max_tokens": 60}));
    let answer = ok(server.post("/v1/chat/completions", &body).send().await.unwrap()).await;
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "tiny");
    assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
    assert_eq!(text_of(&answer, 0), text);
    let finish = if want.stopped { "stop" } else { "length" };
    assert_eq!(answer["choices"][0]["finish_reason"], finish);
    let usage = json!({
        "prompt_tokens": prompt.len(),
        "completion_tokens": want.tokens.len(),
        "total_tokens": prompt.len() + want.tokens.len(),
    });
    assert_eq!(answer["usage"], usage);

    // The same prompt as tokens, and as text.
    let as_text = tokenizer.apply_chat_template(&[("user", QUESTION)], true).unwrap();
    let body = json!({"model": "tiny", "temperature": 0, "max_tokens": 60});
    for prompt in [json!(prompt), json!(as_text), json!([as_text]), json!([prompt])] {
        let answer = server.complete(&with(&body, json!({"prompt": prompt}))).await;
        assert_eq!(answer["object"], "text_completion");
        assert_eq!(text_of(&answer, 0), text);
        assert_eq!(answer["usage"], usage);
    }
}

#[tokio::test]
async fn several_samples_are_the_policys() {
    let server = Server::quickstart();
    let tokenizer = tokenizer();
    let prompts = [chat_prompt(), vec![9, 10, 11]];
    let body = json!({"model": "tiny", "prompt": prompts, "n": 5, "seed": 11, "max_tokens": 30});
    let answer = server.complete(&body).await;
    assert_eq!(answer["choices"].as_array().unwrap().len(), 10);
    let mut tokens = 0;
    for (p, prompt) in prompts.iter().enumerate() {
        let want = generated(prompt, 5, 11, &sampling(1.0, 30));
        for (s, want) in want.iter().enumerate() {
            let choice = 5 * p + s;
            assert_eq!(answer["choices"][choice]["index"], choice);
            assert_eq!(text_of(&answer, choice), tokenizer.decode(&want.tokens).unwrap());
            tokens += want.tokens.len();
        }
    }
    assert_eq!(answer["usage"]["completion_tokens"], tokens);
    // Sixteen tokens where nobody says how many, as OpenAI has it.
    let body = json!({"model": "tiny", "prompt": [9], "seed": 1, "logit_bias": {}});
    let used = server.complete(&body).await["usage"]["completion_tokens"].as_u64().unwrap();
    assert_eq!(used, generated(&[9], 1, 1, &sampling(1.0, 16))[0].tokens.len() as u64);
}

/// At a high temperature the policy writes bytes that are no characters, and parts of some.
#[tokio::test]
async fn streams_say_what_whole_answers_say() {
    let server = Server::quickstart();
    let prompt = chat_prompt();
    let mut odd = 0;
    for seed in 0..6 {
        let settings = json!({"temperature": 2.0, "seed": seed, "max_tokens": 70, "n": 3});
        let stream = json!({"stream": true, "stream_options": {"include_usage": true}});
        for (path, base) in [
            ("/v1/chat/completions", chat(QUESTION)),
            ("/v1/completions", json!({"model": "tiny", "prompt": prompt})),
        ] {
            let body = with(&base, settings.clone());
            let whole = ok(server.post(path, &body).send().await.unwrap()).await;
            let body = with(&body, stream.clone());
            let events = events(server.post(path, &body).send().await.unwrap()).await;
            for choice in 0..3 {
                let (text, finish) = streamed(&events, choice as u64);
                assert_eq!(text, text_of(&whole, choice));
                assert_eq!(finish, whole["choices"][choice]["finish_reason"]);
                odd += usize::from(!text.is_ascii());
            }
            let (last, before) = events.split_last().unwrap();
            assert_eq!(last["usage"], whole["usage"]);
            assert_eq!(last["choices"], json!([]));
            assert!(before.iter().all(|event| event["usage"].is_null()));
            assert!(events.iter().all(|event| event["id"] == events[0]["id"]));
            if path.contains("chat") {
                assert_eq!(events[0]["object"], "chat.completion.chunk");
                assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
            }
        }
        for (sample, want) in generated(&prompt, 3, seed, &sampling(2.0, 70)).iter().enumerate() {
            let body = with(&chat(QUESTION), settings.clone());
            let whole = ok(server.post("/v1/chat/completions", &body).send().await.unwrap()).await;
            assert_eq!(text_of(&whole, sample), tokenizer().decode(&want.tokens).unwrap());
        }
    }
    assert!(odd > 0, "no sample held anything but ASCII; the test tests nothing");
}

#[tokio::test]
async fn usage_is_told_when_asked_for() {
    let server = Server::quickstart();
    let body = with(&chat(QUESTION), json!({"stream": true, "max_tokens": 3}));
    let events = events(server.post("/v1/chat/completions", &body).send().await.unwrap()).await;
    assert!(events.iter().all(|event| event.get("usage").is_none()));
}

#[tokio::test]
async fn answers_end_before_a_stop_sequence() {
    let server = Server::quickstart();
    let base = with(&chat(QUESTION), json!({"temperature": 0, "max_tokens": 60}));
    let path = "/v1/chat/completions";
    let whole = ok(server.post(path, &base).send().await.unwrap()).await;
    let (full, tokens) = (text_of(&whole, 0), &whole["usage"]["completion_tokens"]);
    assert!(full.is_ascii() && full.len() > 8, "{full:?}");
    // Every part of three letters, so that some are split over tokens.
    let mut fewer = 0;
    for at in 0..full.len() - 3 {
        let stop = &full[at..at + 3];
        let body = with(&base, json!({"stop": ["never written", stop]}));
        let answer = ok(server.post(path, &body).send().await.unwrap()).await;
        let want = &full[..full.find(stop).unwrap()];
        assert_eq!(text_of(&answer, 0), want);
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        fewer += usize::from(answer["usage"]["completion_tokens"].as_u64() < tokens.as_u64());
        let body = with(&body, json!({"stream": true}));
        let events = events(server.post(path, &body).send().await.unwrap()).await;
        assert_eq!(streamed(&events, 0), (want.to_owned(), json!("stop")));
    }
    assert!(fewer > 0, "generation went on after the stop sequences");
}

/// Many at once, with all kinds of settings, give what each gives alone.
#[tokio::test]
async fn a_seed_gives_the_same_whatever_else_is_asked() {
    let server = Server::quickstart();
    let (temperatures, masses) = ([0.0, 0.7, 1.0, 1.5], [1.0, 0.8]);
    let bodies: Vec<Value> = (0..40)
        .map(|n| {
            let mut body = json!({
                "model": "tiny", "prompt": format!("{n} and {}", n * n), "seed": n % 7,
                "n": 1 + n % 3, "max_tokens": 5 + n,
                "temperature": temperatures[n % 4], "top_p": masses[n % 2],
            });
            if n % 5 == 0 {
                body["top_k"] = json!(4);
            }
            body
        })
        .collect();
    let mut alone = Vec::new();
    for body in &bodies {
        alone.push(server.complete(body).await["choices"].clone());
    }
    let together: Vec<_> = bodies
        .iter()
        .map(|body| tokio::spawn(server.post("/v1/completions", body).send()))
        .collect();
    for (request, alone) in together.into_iter().zip(alone) {
        assert_eq!(ok(request.await.unwrap().unwrap()).await["choices"], alone);
    }
    // Without a seed, two samples of one prompt differ (the policy is not that sure of itself).
    let body = json!({"model": "tiny", "prompt": ["So", "So"], "max_tokens": 60, "temperature": 2});
    let answer = server.complete(&body).await;
    assert_ne!(text_of(&answer, 0), text_of(&answer, 1));
}

#[tokio::test]
async fn wrong_requests_are_refused_by_name() {
    let server = Server::quickstart();
    let prompt = |more: Value| with(&json!({"model": "tiny", "prompt": "a"}), more);
    let many = vec!["a"; 129];
    for (path, body, status, param, code) in [
        ("completions", prompt(json!({"model": "other"})), 404, "model", "model_not_found"),
        ("completions", json!({"prompt": "a"}), 400, "model", "missing_required_parameter"),
        ("completions", json!({"model": "tiny"}), 400, "prompt", "missing_required_parameter"),
        ("completions", prompt(json!({"prompt": ""})), 400, "prompt", "invalid_value"),
        ("completions", prompt(json!({"prompt": [512]})), 400, "prompt", "invalid_value"),
        ("completions", prompt(json!({"prompt": many})), 400, "prompt", "invalid_value"),
        ("completions", prompt(json!({"echo": true})), 400, "echo", "unsupported_parameter"),
        ("completions", prompt(json!({"logprobs": 1})), 400, "logprobs", "unsupported_parameter"),
        ("completions", prompt(json!({"messages": []})), 400, "messages", "unknown_parameter"),
        ("completions", prompt(json!({"temperature": 3})), 400, "temperature", "invalid_value"),
        (
            "completions",
            prompt(json!({"prompt": vec![9; 256]})),
            400,
            "prompt",
            "context_length_exceeded",
        ),
        ("chat/completions", chat(&"12 ".repeat(400)), 400, "messages", "context_length_exceeded"),
        (
            "chat/completions",
            with(&chat("a"), json!({"tools": [1]})),
            400,
            "tools",
            "unsupported_parameter",
        ),
        (
            "chat/completions",
            with(&chat("a"), json!({"messages": []})),
            400,
            "messages",
            "invalid_value",
        ),
    ] {
        let (got, error) = refused(server.post(&format!("/v1/{path}"), &body)).await;
        assert_eq!((got, &error["param"], &error["code"]), (status, &json!(param), &json!(code)));
        assert_eq!(error["type"], "invalid_request_error");
    }
    let (_, error) =
        refused(server.post("/v1/completions", &prompt(json!({"prompt": vec![9; 300]})))).await;
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("256") && message.contains("300"), "{message}");
    // The longest prompt leaves room for one token.
    let answer = server.complete(&prompt(json!({"prompt": vec![9; 255]}))).await;
    assert_eq!(answer["usage"]["completion_tokens"], 1);
}

#[tokio::test]
async fn a_policy_without_a_template_completes_and_does_not_chat() {
    let server = Server::of(model(&nano()));
    let body = json!({"model": "tiny", "prompt": [5, 6, 7], "temperature": 0});
    assert!(server.complete(&body).await["usage"]["completion_tokens"].as_u64() > Some(0));
    let (status, error) = refused(server.post("/v1/chat/completions", &chat("hello"))).await;
    assert_eq!(status, 400);
    assert!(error["message"].as_str().unwrap().contains("chat template"), "{error}");
}

#[tokio::test]
async fn the_model_is_listed() {
    let server = Server::quickstart();
    let list = ok(server.get("/v1/models").send().await.unwrap()).await;
    assert_eq!(list["object"], "list");
    assert_eq!(list["data"][0]["id"], "tiny");
    assert_eq!(list["data"][0]["max_model_len"], 256);
    let one = ok(server.get("/v1/models/tiny").send().await.unwrap()).await;
    assert_eq!(one, list["data"][0]);
    assert_eq!(refused(server.get("/v1/models/other")).await.0, 404);
    assert_eq!(ok(server.get("/health").send().await.unwrap()).await["status"], "ok");
}
