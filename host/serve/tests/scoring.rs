//! `POST /v1/score`.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Server, config, ok, refused};
use omni_serve::{Config, Parts, Scorer};
use serde_json::{Map, Value, json};

/// Scores a completion by its length.
struct Lengths {
    tasks: [String; 2],
}

impl Default for Lengths {
    fn default() -> Self {
        Self { tasks: ["texts/length".to_owned(), "texts/other".to_owned()] }
    }
}

impl Scorer for Lengths {
    fn tasks(&self) -> &[String] {
        &self.tasks
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.tasks.iter().position(|task| task == name || task.ends_with(&format!("/{name}")))
    }

    fn score(&self, task: usize, row: &Map<String, Value>, seed: u32) -> Result<Value, String> {
        assert!(
            tokio::runtime::Handle::try_current().is_err(),
            "scoring runs on threads that serve nothing"
        );
        let Some(Value::Array(texts)) = row.get("completions") else {
            return Err("has no `completions`".to_owned());
        };
        assert!(texts.len() < 9, "nine are too many");
        let scores: Vec<usize> =
            texts.iter().map(|text| text.as_str().map_or(0, str::len)).collect();
        Ok(json!({"id": row["id"], "scores": scores, "task": task, "seed": seed}))
    }
}

#[tokio::test]
async fn rows_are_scored_in_order() {
    let config = Config { score_threads: 3, ..config() };
    let scorer: Arc<dyn Scorer> = Arc::new(Lengths::default());
    let server = Server::start(config, Parts { model: None, scorer: Some(scorer) });
    let rows: Vec<Value> =
        (0..200).map(|n| json!({"id": n, "completions": ["x".repeat(n), "y"]})).collect();
    let body = json!({"task": "length", "rows": rows, "seed": 5});
    let answer = ok(server.post("/v1/score", &body).send().await.unwrap()).await;
    assert_eq!(answer["task"], "texts/length");
    let want: Vec<Value> =
        (0..200).map(|n| json!({"id": n, "scores": [n, 1], "task": 0, "seed": 5})).collect();
    assert_eq!(answer["rows"], json!(want));
    // One row stands for itself, further columns and all.
    let body = json!({"task": "texts/other", "id": "a", "completions": ["abc"], "column": 1});
    let answer = ok(server.post("/v1/score", &body).send().await.unwrap()).await;
    assert_eq!(answer, json!({"id": "a", "scores": [3], "task": 1, "seed": 0}));
    let body = json!({"task": "length", "rows": []});
    let answer = ok(server.post("/v1/score", &body).send().await.unwrap()).await;
    assert_eq!(answer["rows"], json!([]));
    let models = ok(server.get("/v1/models").send().await.unwrap()).await;
    assert_eq!(models["tasks"], json!(["texts/length", "texts/other"]));
    assert_eq!(models["data"], json!([]));
}

#[tokio::test]
async fn wrong_requests_are_refused_by_name() {
    let server = Server::scoring(Lengths::default());
    let good = json!({"id": 1, "completions": []});
    let broken = json!({"id": 2});
    for (body, status, param) in [
        (json!({"task": "weight", "rows": []}), 404, json!("task")),
        (json!({"rows": []}), 400, json!("task")),
        (json!({"task": "length", "rows": {}}), 400, json!("rows")),
        (json!({"task": "length", "rows": [good, 3]}), 400, json!("rows[1]")),
        (json!({"task": "length", "rows": [good, good, broken, broken]}), 400, json!("rows[2]")),
        (json!({"task": "length", "rows": [], "sede": 1}), 400, json!("sede")),
        (json!({"task": "length", "rows": [], "seed": -1}), 400, json!("seed")),
        (json!({"task": "length", "id": 1}), 400, json!("row")),
        (json!({"task": "length", "completions": [], "config": {}}), 400, json!("config")),
    ] {
        let (got, error) = refused(server.post("/v1/score", &body)).await;
        assert_eq!((got, &error["param"]), (status, &param), "{error}");
    }
    let (_, error) =
        refused(server.post("/v1/score", &json!({"task": "length", "rows": [broken]}))).await;
    assert_eq!(error["message"], "rows[0]: has no `completions`");
}

#[tokio::test]
async fn a_panic_is_the_servers_fault_and_not_its_end() {
    let server = Server::scoring(Lengths::default());
    let nine = json!({"id": 1, "completions": vec!["x"; 9]});
    for _ in 0..3 {
        let body = json!({"task": "length", "rows": [nine]});
        let (status, error) = refused(server.post("/v1/score", &body)).await;
        assert_eq!(status, 500);
        assert!(error["message"].as_str().unwrap().contains("nine are too many"), "{error}");
    }
    let body = json!({"task": "length", "id": 1, "completions": ["ok"]});
    ok(server.post("/v1/score", &body).send().await.unwrap()).await;
}

/// Tells of every row that it begins, and waits to be let on.
struct Held {
    tasks: [String; 1],
    at_a_time: usize,
    began: Mutex<Sender<Value>>,
    go_on: Mutex<Receiver<()>>,
}

impl Held {
    fn new() -> (Self, Receiver<Value>, Sender<()>) {
        let ((began, begins), (release, go_on)) = (channel(), channel());
        let tasks = ["held".to_owned()];
        (
            Self { tasks, at_a_time: 1, began: Mutex::new(began), go_on: Mutex::new(go_on) },
            begins,
            release,
        )
    }
}

impl Scorer for Held {
    fn tasks(&self) -> &[String] {
        &self.tasks
    }

    fn at_a_time(&self) -> usize {
        self.at_a_time
    }

    fn find(&self, _: &str) -> Option<usize> {
        Some(0)
    }

    fn score(&self, _: usize, row: &Map<String, Value>, _: u32) -> Result<Value, String> {
        let _ = self.began.lock().unwrap().send(row["id"].clone());
        let _ = self.go_on.lock().unwrap().recv();
        Ok(row["id"].clone())
    }
}

fn rows(ids: &[u32]) -> Value {
    let rows: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    json!({"task": "held", "rows": rows})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_requests_are_finished_when_told_to_stop() {
    let (scorer, begins, release) = Held::new();
    let server = Server::scoring(scorer);
    let request = tokio::spawn(server.post("/v1/score", &rows(&[1, 2])).send());
    tokio::task::block_in_place(|| begins.recv().unwrap());
    server.stop.stop();
    release.send(()).unwrap();
    release.send(()).unwrap();
    let answer = ok(request.await.unwrap().unwrap()).await;
    assert_eq!(answer["rows"], json!([1, 2]));
    tokio::task::block_in_place(|| server.join()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_hangs_does_not_keep_the_server_from_ending() {
    let (scorer, begins, release) = Held::new();
    let config = Config { grace: Duration::from_millis(20), ..config() };
    let server = Server::start(config, Parts { model: None, scorer: Some(Arc::new(scorer)) });
    let request = tokio::spawn(server.post("/v1/score", &rows(&[1, 2])).send());
    tokio::task::block_in_place(|| begins.recv().unwrap());
    server.stop.stop();
    tokio::task::block_in_place(|| server.join()).unwrap();
    assert!(request.await.unwrap().is_err());
    // The row is still being scored. Were it ever to end, the next one would not be begun.
    release.send(()).unwrap();
    tokio::task::block_in_place(|| begins.recv().unwrap_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_wait_for_a_model_are_scored_side_by_side() {
    let (mut scorer, begins, release) = Held::new();
    scorer.at_a_time = 3;
    let config = Config { score_threads: 1, ..config() };
    let server = Server::start(config, Parts { model: None, scorer: Some(Arc::new(scorer)) });
    let request = tokio::spawn(server.post("/v1/score", &rows(&[1, 2, 3])).send());
    // All three begin before one is let on.
    let mut begun: Vec<Value> =
        tokio::task::block_in_place(|| (0..3).map(|_| begins.recv().unwrap()).collect());
    begun.sort_by_key(Value::to_string);
    assert_eq!(json!(begun), json!([1, 2, 3]));
    (0..3).for_each(|_| release.send(()).unwrap());
    let answer = ok(request.await.unwrap().unwrap()).await;
    assert_eq!(answer["rows"], json!([1, 2, 3]));
}
