//! `serve`: the quickstart's policy and real tasks over HTTP, from start to signal.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::common::{Ran, omni, policy, root};

/// `omni-host serve` on a port of its own.
struct Served {
    child: Child,
    address: String,
    /// What it said before and after it listened.
    err: JoinHandle<String>,
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let mut command = omni();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        command.env("RUST_LOG", "info").env("OMNI_TEST_TOKEN", "t0p-secret");
        let mut child = command.stderr(Stdio::piped()).spawn().expect("omni-host starts");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it never listened: {said}")).unwrap();
            said.push_str(&line);
            said.push('\n');
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.to_owned();
            }
        };
        let err = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                said.push_str(&line);
                said.push('\n');
            }
            said
        });
        Self { child, address, err }
    }

    /// Status, head and body of an answer.
    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, _, text) = self.send("POST", path, "", &body.to_string());
        (status, serde_json::from_str(&text).unwrap())
    }

    fn signal(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Exit code and everything that it said.
    fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        (code, self.err.join().unwrap())
    }
}

#[test]
fn a_policy_and_tasks_are_served_until_a_signal() {
    let folder = root().join("examples/quickstart/policy");
    let served = Served::start(&[
        "--policy",
        folder.to_str().unwrap(),
        "--name",
        "quickstart",
        "--task",
        "math",
        "--task",
        "qa",
    ]);
    let question = json!({"role": "user", "content": "17+25=?"});
    let chat = json!({"model": "quickstart", "messages": [question], "temperature": 0,
                      "max_tokens": 100});
    let (status, answer) = served.post("/v1/chat/completions", &chat);
    assert_eq!(status, 200, "{answer}");
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert!(text.contains("<answer>"), "the policy was warmed up to write answers: {text}");

    let mut stream = chat.clone();
    stream["stream"] = json!(true);
    let (status, head, body) = served.send("POST", "/v1/chat/completions", "", &stream.to_string());
    assert_eq!(status, 200);
    assert!(head.to_lowercase().contains("content-type: text/event-stream"), "{head}");
    let streamed: String = body
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect();
    assert_eq!(streamed, text);
    assert!(body.contains("data: [DONE]"), "{body}");

    // The same object as `score` writes for the same line.
    let row = json!({"id": "m", "reference": "42", "column": 1, "completions": [
        "<think>17 + 25</think><answer>42</answer>", text, "<answer>43</answer>", ""
    ]});
    let place = tempfile::tempdir().unwrap();
    let input = place.path().join("rows.jsonl");
    std::fs::write(&input, format!("{row}\n")).unwrap();
    let scored = Ran::of(omni().args(["score", "math", "--input"]).arg(&input)).ok();
    let want: Value = serde_json::from_str(scored.out.trim()).unwrap();
    assert_eq!(want["scores"][0]["components"]["accuracy"], 1.0);
    let (status, answer) =
        served.post("/v1/score", &json!({"task": "math", "rows": [row, row, row]}));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer, json!({"task": "math/math", "rows": [want, want, want]}));
    let mut single = row;
    single["task"] = json!("math/math");
    assert_eq!(served.post("/v1/score", &single), (200, want));
    let qa = json!({"task": "qa", "data": {"accepted": ["Lima"]}, "id": "q",
                    "completions": ["<answer>Lima</answer>"]});
    assert_eq!(served.post("/v1/score", &qa).1["scores"][0]["components"]["accuracy"], 1.0);
    // What is wrong is named.
    let (status, error) = served.post("/v1/score", &json!({"task": "code", "rows": []}));
    assert_eq!((status, &error["error"]["param"]), (404, &json!("task")));
    let broken = json!({"task": "math", "rows": [{"id": 1, "completions": ["x"]}, {"id": 2}]});
    let (status, error) = served.post("/v1/score", &broken);
    assert_eq!((status, &error["error"]["param"]), (400, &json!("rows[1]")));

    served.signal();
    let (code, err) = served.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("tasks: math/math, qa/qa") && err.contains("stopping"), "{err}");
    // What was written is not in the log.
    assert!(err.contains("path=\"/v1/score\"") && !err.contains("Lima"), "{err}");
}

#[test]
fn a_token_is_asked_for_and_never_told() {
    let policy = policy().to_str().unwrap();
    let served = Served::start(&["--policy", policy, "--token-env", "OMNI_TEST_TOKEN"]);
    let (status, head, _) = served.send("GET", "/v1/models", "", "");
    assert_eq!(status, 401);
    assert!(head.to_lowercase().contains("www-authenticate: bearer"), "{head}");
    let header = "Authorization: Bearer t0p-secret\r\n";
    let (status, _, body) = served.send("GET", "/v1/models", header, "");
    assert_eq!(status, 200, "{body}");
    served.signal();
    let (code, err) = served.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("status=401") && !err.contains("t0p-secret"), "{err}");
}

#[test]
fn what_cannot_be_served_is_refused() {
    let policy = policy().to_str().unwrap();
    let serve = |arguments: &[&str]| {
        Ran::of(omni().arg("serve").args(arguments).env("OMNI_EMPTY", "").env("OMNI_BAD", "a b"))
    };
    serve(&[]).fails(2, &["--policy", "--task"]);
    let open = ["--policy", policy, "--listen", "0.0.0.0:0"];
    serve(&open).fails(2, &["0.0.0.0:0", "--token-env"]);
    for (variable, word) in
        [("OMNI_NOT_SET", "no such"), ("OMNI_EMPTY", "empty"), ("OMNI_BAD", "word")]
    {
        let ran = serve(&["--policy", policy, "--token-env", variable]).fails(2, &[variable, word]);
        assert!(!ran.err.contains("a b"), "{}", ran.err);
    }
    serve(&["--policy", "nowhere"]).fails(2, &["nowhere"]);
    serve(&["--task", "maths"]).fails(2, &["maths"]);
    serve(&["--task", "math", "--task", "math/math"]).fails(2, &["math/math", "twice"]);
    serve(&["--policy", policy, "--concurrency", "0"]).fails(2, &["--concurrency"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    serve(&["--policy", policy, "--listen", &address]).fails(2, &[&address]);
}

/// A policy with room for a judge's prompt, and no notion of an answer.
const JUDGE: &str = r#"
steps = 1
batch = 1

[model]
hidden_size = 32
intermediate_size = 64
layers = 1
heads = 2
kv_heads = 1
max_positions = 16384

[tokenizer]
vocab_size = 300
items = 50

[[task]]
use = "quickstart/world"
items = 10
"#;

/// The judges' client and the server, with nothing between them.
#[test]
fn a_judge_asks_the_served_policy() {
    let place = tempfile::tempdir().unwrap();
    let (file, folder) = (place.path().join("judge.toml"), place.path().join("judge"));
    std::fs::write(&file, JUDGE).unwrap();
    Ran::of(omni().arg("warmup").arg(&file).arg("--out").arg(&folder)).ok();
    let served = Served::start(&[
        "--policy",
        folder.to_str().unwrap(),
        "--token-env",
        "OMNI_TEST_TOKEN",
        "--max-tokens",
        "40",
    ]);
    let run = place.path().join("run.toml");
    let text = format!(
        r#"
[policy]
model = "nowhere"

[models.judge]
endpoint = "http://{}/v1"
model = "judge"
key_env = "OMNI_TEST_TOKEN"

[[task]]
use = "writing/writing"
judge = "writing/judge-pairwise"
"#,
        served.address
    );
    std::fs::write(&run, text).unwrap();
    let input = place.path().join("rows.jsonl");
    let row = json!({"id": "w", "prompt": "Write a line.", "reference": "The cat sat.",
                     "completions": ["<answer>A dog ran.</answer>", "<answer>Rain.</answer>"]});
    std::fs::write(&input, format!("{row}\n")).unwrap();
    let score = |token: &str| {
        let mut command = omni();
        command.args(["score", "writing", "--input"]).arg(&input).arg("--run").arg(&run);
        let line = Ran::of(command.env("OMNI_TEST_TOKEN", token)).ok().out;
        serde_json::from_str::<Value>(line.trim()).unwrap()
    };
    // Asked, answered and read; what such a policy writes is no verdict, and no zero either.
    let line = score("t0p-secret");
    for scores in line["scores"].as_array().unwrap() {
        assert_eq!(scores["components"]["preference"], Value::Null, "{line}");
        let reason = scores["reasons"]["preference"].as_str().unwrap();
        assert!(reason.starts_with("judge: ") && reason.contains("no verdict"), "{line}");
    }
    let reason = score("another")["scores"][0]["reasons"]["preference"].to_string();
    assert!(reason.contains("401"), "{reason}");
    served.signal();
    let (code, err) = served.end();
    assert_eq!(code, Some(0), "{err}");
    let answered = err.lines().filter(|line| line.contains("/v1/chat/completions"));
    let statuses: Vec<&str> = answered.filter_map(|line| line.split("status=").nth(1)).collect();
    let with = |status: &str| statuses.iter().filter(|text| text.starts_with(status)).count();
    assert!(with("200") >= 2 && with("401") >= 1, "{err}");
}
