//! Judges that ask a model: an endpoint that fails in every way, and a run that is replayed.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::common::{Ran, omni, policy, train, weights};
use crate::server::{Act, Request, Server};

/// A key that must be seen by nobody but the endpoint.
const KEY: &str = "sk-only-for-the-endpoint";

/// What the judge's question says: the whole of it, as one text.
fn question(request: &Request) -> String {
    let messages = request.body["messages"].as_array().cloned().unwrap_or_default();
    messages.iter().filter_map(|message| message["content"].as_str()).collect()
}

/// A run file for `score --run`: its policy is never opened.
fn run_file(folder: &Path, url: &str, more: &str) -> PathBuf {
    let file = folder.join("run.toml");
    let text = format!(
        r#"
[policy]
model = "nowhere"

[models.judge]
endpoint = "{url}"
model = "a-judge"
key_env = "OMNI_TEST_KEY"
timeout_seconds = 3.0
retries = 1
backoff_seconds = 0.001
{more}

[[task]]
use = "writing/writing"
judge = "writing/judge-pairwise"
"#
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn refusal(text: &str) -> Vec<u8> {
    json!({"choices": [{"message": {"content": null, "refusal": text}}]}).to_string().into_bytes()
}

/// The fault table: what the endpoint does, what stands in the component's reason.
const FAULTS: [(&str, &str); 11] = [
    ("no verdict", "no verdict"),
    ("refusal", "refused: "),
    ("busy for good", "rate-limited: 429"),
    ("server error", "server-error: 500"),
    ("hang", "timeout: no whole reply within"),
    ("cut", "connection: "),
    ("nothing", "empty-reply: "),
    ("no text", "empty-reply: "),
    ("flood", "too-large: "),
    ("garbled", "malformed: "),
    ("rejected", "rejected: 400"),
];

/// An endpoint that does what the text to be judged says.
fn endpoint() -> Server {
    Server::start(|request, before| {
        let asked = question(request);
        let says = |word: &str| asked.contains(&format!("<{word}>"));
        let plain = |code, body: &[u8]| Act::Respond(code, Vec::new(), body.to_vec());
        // Which of the two stands first is the reward's to say; the text that shines wins.
        let verdict = match asked.find("<shines>").zip(asked.find("a plain reference")) {
            Some((policy, reference)) if policy < reference => "reasons\n[[A]]",
            Some(_) => "reasons\n[[B]]",
            None => "reasons\n[[C]]",
        };
        match FAULTS.iter().map(|(fault, _)| *fault).find(|fault| says(fault)) {
            Some("no verdict") => Act::Say("Both have their merits.".into()),
            Some("refusal") => plain(200, &refusal("I cannot judge this.")),
            Some("busy for good") => Act::Respond(429, vec![("retry-after", "0".into())], vec![]),
            Some("server error") => plain(500, b"<html>oops</html>"),
            Some("hang") => Act::Hang,
            Some("cut") => {
                Act::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"choices\"".to_vec())
            }
            Some("nothing") => plain(200, b""),
            Some("no text") => plain(200, br#"{"choices": [{"message": {"content": ""}}]}"#),
            Some("flood") => Act::Flood,
            Some("garbled") => plain(200, b"{\"choices\": [{\"mess"),
            Some("rejected") => plain(400, br#"{"error": {"message": "no such model"}}"#),
            // A fault that passes is no fault.
            _ if says("hiccup") && before == 0 => plain(503, b""),
            _ if says("busy once") && before == 0 => {
                Act::Respond(429, vec![("retry-after-ms", "1".into())], vec![])
            }
            _ => Act::Say(verdict.into()),
        }
    })
}

fn rows() -> Vec<Value> {
    let text = |word: &str| format!("<think>so</think><answer>A text: <{word}>.</answer>");
    let row = |id: &str, words: &[&str]| {
        json!({
            "id": id,
            "prompt": "Write something.",
            "reference": "This is a plain reference.",
            "completions": words.iter().map(|word| text(word)).collect::<Vec<_>>(),
        })
    };
    let faults: Vec<&str> = FAULTS.iter().map(|(fault, _)| *fault).collect();
    vec![row("good", &["shines", "even", "hiccup", "busy once"]), row("bad", &faults)]
}

fn write_rows(folder: &Path) -> PathBuf {
    let file = folder.join("rows.jsonl");
    let text: String = rows().iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn every_fault_of_an_endpoint_is_undefined_with_its_kind_and_a_replay_repeats_it() {
    let place = tempfile::tempdir().unwrap();
    let server = endpoint();
    // Large enough for the flood to be stopped by its size and the hang by its time.
    let file = run_file(place.path(), &server.url(), "concurrency = 4");
    let (input, record) = (write_rows(place.path()), place.path().join("record"));
    let ran = Ran::of(
        omni()
            .args(["score", "writing", "--run"])
            .arg(&file)
            .arg("--input")
            .arg(&input)
            .arg("--record")
            .arg(&record)
            .env("OMNI_TEST_KEY", KEY)
            .env("RUST_LOG", "trace"),
    )
    .ok();
    let lines: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let preference = |line: usize, at: usize| lines[line]["scores"][at].clone();
    let good: Vec<Value> =
        (0..4).map(|at| preference(0, at)["components"]["preference"].clone()).collect();
    assert_eq!(good, [json!(1.0), json!(0.5), json!(0.5), json!(0.5)]);
    for (at, (fault, reason)) in FAULTS.iter().enumerate() {
        let score = preference(1, at);
        assert!(score["components"]["preference"].is_null(), "{fault}: {score}");
        let told = score["reasons"]["preference"].as_str().unwrap_or_default();
        assert!(told.starts_with("judge: ") && told.contains(reason), "{fault}: {told}");
        // What else there is stands; nothing of it is the judge's.
        assert_eq!(score["components"]["format"], json!(1.0), "{fault}");
    }
    let summary = "undefined: judge 11 (connection 1, empty-reply 2, malformed 1, no-verdict 1, \
                   rate-limited 1, refused 1, rejected 1, server-error 1, timeout 1, too-large 1)";
    assert!(ran.err.contains(summary), "{}", ran.err);
    assert!(ran.err.contains("model judge: 15 questions"), "{}", ran.err);

    // The key went to the endpoint and nowhere else, not even into the log at its loudest.
    assert!(server.requests().iter().all(|request| request.head.contains(KEY)));
    assert!(server.most() <= 4, "{} under way together", server.most());
    assert!(!ran.err.contains(KEY) && !ran.out.contains(KEY));
    for entry in std::fs::read_dir(&record).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains(KEY), "{text}");
    }

    // Without the endpoint, without the key: the same bytes.
    drop(server);
    let replayed = Ran::of(
        omni().args(["score", "writing", "--replay"]).arg(&record).arg("--input").arg(&input),
    )
    .ok();
    assert_eq!(replayed.out, ran.out);
    assert!(replayed.err.contains(summary), "{}", replayed.err);

    // What was never asked is undefined, not asked now.
    let other = place.path().join("other.jsonl");
    let text = std::fs::read_to_string(&input).unwrap().replace("something", "something else");
    std::fs::write(&other, text).unwrap();
    let unasked = Ran::of(
        omni().args(["score", "writing", "--replay"]).arg(&record).arg("--input").arg(other),
    )
    .fails(1, &["undefined: judge 15 (not-recorded 15)", "another --seed or --config"]);
    assert!(!unasked.out.is_empty(), "what could be scored was not written");
}

/// A training run whose judge asks an endpoint.
fn training(folder: &Path, url: &str, fault_limit: f64) -> PathBuf {
    let file = folder.join("train.toml");
    let text = format!(
        r#"
seed = 3

[policy]
model = "{}"

[rollout]
prompts_per_batch = 4
group_size = 4
max_completion_tokens = 24

[schedule]
max_steps = 3

[eval.final]
items = 3
samples = 2

[checkpoint]
every = 1
samples_per_step = 4

[models.judge]
endpoint = "{url}"
model = "a-judge"
retries = 0
backoff_seconds = 0.001

[[task]]
use = "quickstart/sentences"
items = 40
judge = "writing/judge-pairwise"
reward_config = {{ writing = {{ extract = "auto" }} }}
fault_limit = {fault_limit:?}
"#,
        policy().display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// An endpoint that fails one question in four, by the question's content, and decides the rest.
fn shaky() -> Server {
    Server::start(|request, _| {
        let sum = question(request)
            .bytes()
            .fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        match (sum >> 8) % 8 {
            0 => Act::Respond(500, Vec::new(), b"oops".to_vec()),
            1 => Act::Say("It is hard to say.".into()),
            2..=4 => Act::Say("[[A]]".into()),
            5 => Act::Say("[[C]]".into()),
            _ => Act::Say("[[B]]".into()),
        }
    })
}

#[test]
fn a_run_goes_on_through_faults_and_its_rewards_are_replayed_without_the_endpoint() {
    let place = tempfile::tempdir().unwrap();
    let server = shaky();
    let out = place.path().join("run");
    let file = training(place.path(), &server.url(), 1.0);
    let ran = Ran::of(&mut train(&file, &out)).ok();
    assert!(ran.err.contains("undefined: judge"), "{}", ran.err);
    assert!(ran.err.contains("server-error"), "{}", ran.err);
    let asked = server.requests().len();
    assert!(asked > 0);
    let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap();
    assert!(events.contains("\"judge_failures\":{"), "{events}");
    drop(server);

    let again = |more: &[&str]| {
        Ran::of(omni().args(["score", "sentences", "--replay"]).arg(&out).args(more))
    };
    let replayed = again(&[]).ok();
    // 3 steps of 4 prompts with 4 outputs, and 3 items with 2 outputs twice, before and after.
    assert!(replayed.err.contains("60 outputs score as the run recorded them"), "{}", replayed.err);
    assert!(replayed.err.contains("judge"), "{}", replayed.err);
    assert!(replayed.out.lines().count() == 18, "{}", replayed.out);
    assert_eq!(again(&["--threads", "1"]).ok().out, replayed.out);

    // A reward that was tampered with is told.
    let file = out.join("samples.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("{\"scored\":1.0}"), "{text}");
    std::fs::write(&file, text.replacen("{\"scored\":1.0}", "{\"scored\":0.25}", 1)).unwrap();
    again(&[]).fails(1, &["1 of 60 outputs score otherwise", "was 0.25, is 1"]);
}

#[test]
fn a_run_that_is_resumed_asks_nothing_twice() {
    let place = tempfile::tempdir().unwrap();
    // Decides by the question's content, so that rewards differ within groups.
    let server = Server::start(|request, _| {
        let even = question(request).bytes().map(u32::from).sum::<u32>().is_multiple_of(2);
        Act::Say(if even { "[[A]]" } else { "[[B]]" }.into())
    });
    let out = place.path().join("run");
    let file = training(place.path(), &server.url(), 0.1);
    Ran::of(train(&file, &out).args(["--set", "checkpoint.keep=9", "--set", "optimizer.lr=1e-3"]))
        .ok();
    let trained = weights(&out, 3);
    assert_ne!(trained, weights(&out, 1), "nothing was learned, so nothing is compared");
    let replies = std::fs::read_to_string(out.join("replies.jsonl")).unwrap();
    assert_eq!(replies.lines().count(), server.requests().len());

    // As if it had been killed after its first step, with an answer half written; the endpoint is
    // gone by now, and how it would be asked is another matter.
    drop(server);
    for step in [2, 3] {
        std::fs::remove_dir_all(out.join(format!("checkpoints/step-{step}"))).unwrap();
    }
    std::fs::write(out.join("replies.jsonl"), format!("{replies}{{\"model\":\"judge\",\"ke"))
        .unwrap();
    let resumed = Ran::of(
        train(&file, &out)
            .args(["--set", "checkpoint.keep=9", "--set", "optimizer.lr=1e-3"])
            .args(["--set", "models.judge.timeout_seconds=1", "--resume"]),
    )
    .ok();
    assert!(!resumed.err.contains("undefined"), "{}", resumed.err);
    assert_eq!(weights(&out, 3), trained);
}

#[test]
fn a_judge_that_is_gone_stops_the_run_with_its_kind() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::always(Act::Respond(500, Vec::new(), b"maintenance".to_vec()));
    let file = training(place.path(), &server.url(), 0.1);
    let mut command = train(&file, &place.path().join("run"));
    command.args(["--set", "rollout.prompts_per_batch=16"]);
    // The evaluation before the first step only says so.
    let notice = "because something failed (judge: server-error";
    let words = ["sentences", notice, "judge", "server-error: 500", "maintenance"];
    Ran::of(&mut command).fails(1, &words);
}

#[test]
fn an_evaluation_whose_judge_fails_is_written_shown_and_no_success() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::always(Act::Respond(500, Vec::new(), b"maintenance".to_vec()));
    let file = training(place.path(), &server.url(), 0.1);
    let out = place.path().join("out");
    let eval = |more: &[&str]| {
        Ran::of(omni().arg("eval").arg(&file).arg("--policy").arg(policy()).args(more))
    };
    let ran = eval(&["--out", out.to_str().unwrap()]);
    assert!(ran.out.contains("faults %") && ran.out.contains("100.0"), "{}", ran.out);
    ran.fails(
        1,
        &["task `sentences`", "no preference", "judge: server-error", "fault_limit = 0.1"],
    );
    let result: Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("eval.json")).unwrap()).unwrap();
    let lost = &result["tasks"]["sentences"]["lost"];
    assert!(lost["outputs"].as_u64().unwrap() > 0 && lost["outputs"] == lost["of"], "{lost}");
    assert_eq!(lost["kinds"]["judge: server-error"], lost["outputs"]);
    eval(&["--set", "task.sentences.fault_limit=1.0"]).ok();

    // A judge that has no model to ask is no other.
    let text = std::fs::read_to_string(&file).unwrap();
    let models = text.find("[models.judge]").unwrap()..text.find("[[task]]").unwrap();
    let mut without = text;
    without.replace_range(models, "");
    std::fs::write(&file, without).unwrap();
    eval(&[]).fails(1, &["task `sentences`", "judge: rejected"]);
}

#[test]
fn a_judges_configuration_is_tried_before_anything_runs() {
    let place = tempfile::tempdir().unwrap();
    let file = training(place.path(), "http://127.0.0.1:1/v1", 0.1);
    let text = std::fs::read_to_string(&file).unwrap();
    for (config, words) in [
        ("swp = true", ["`swp`", "swap"]),
        ("prompt_turns = \"Which is better?\"", ["prompt_turns", "first"]),
        ("temperature = 9.0", ["temperature", "2"]),
    ] {
        let at = "judge = \"writing/judge-pairwise\"";
        let wrong = text.replace(at, &format!("{at}\njudge_config = {{ {config} }}"));
        std::fs::write(&file, wrong).unwrap();
        let out = place.path().join("out");
        let ran = Ran::of(&mut train(&file, &out));
        let ran = ran.fails(2, &["train.toml", "quickstart/sentences", "writing/judge-pairwise"]);
        ran.fails(2, &words);
        assert!(!out.join("events.jsonl").exists());
    }
}

#[test]
fn models_that_cannot_be_asked_are_told_before_anything_runs() {
    let place = tempfile::tempdir().unwrap();
    let input = write_rows(place.path());
    let score = |file: &Path| {
        let mut command = omni();
        command.args(["score", "writing", "--run"]).arg(file).arg("--input").arg(&input);
        command.env_remove("OMNI_TEST_KEY");
        command
    };
    let file = run_file(place.path(), "http://127.0.0.1:1/v1", "");
    Ran::of(&mut score(&file))
        .fails(2, &["run.toml", "models.judge.key_env", "OMNI_TEST_KEY", "is not set"]);
    Ran::of(score(&file).env("OMNI_TEST_KEY", " "))
        .fails(2, &["models.judge.key_env", "OMNI_TEST_KEY", "is empty"]);
    Ran::of(score(&file).env("OMNI_TEST_KEY", format!("{KEY}\u{7f}")))
        .fails(2, &["models.judge", "header"]);

    let text = std::fs::read_to_string(&file).unwrap();
    let with = |from: &str, to: &str, words: &[&str]| {
        assert!(text.contains(from), "{from}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
        let ran = Ran::of(score(&file).env("OMNI_TEST_KEY", KEY));
        assert!(!ran.err.contains(KEY), "{}", ran.err);
        ran.fails(2, words);
    };
    with("http://127.0.0.1", "http://me:secret@127.0.0.1", &["models.judge", "key_env"]);
    with("model = \"a-judge\"", "", &["models.judge.model", "is missing"]);
    with("[models.judge]", "[models.judge]\nfolder = \"x\"", &["models.judge", "exactly one"]);
    with("retries = 1", "retires = 1", &["retires", "retries"]);
    with("retries = 1", "money_budget = 3.0", &["models.judge.money_budget", "price_input"]);
    with(
        "judge = \"writing",
        "judge_model = \"juge\"\njudge = \"writing",
        &["task.0.judge_model", "`juge`", "judge"],
    );

    Ran::of(omni().args(["score", "writing", "--replay"]).arg(place.path().join("nowhere")))
        .fails(2, &["nowhere", "run.toml"]);
    Ran::of(omni().args(["score", "math", "--run"]).arg(&file).arg("--input").arg(&input))
        .fails(2, &["run.toml"]);
}
