//! The hub, played by a server on loopback, and its cache.
#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{questions, settings};
use omni_data::{Context, DataError, HubSettings, Loaded, Progress, load};
use serde_json::{Value, json};

const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

/// A dataset as the server has it: files by name, at one commit.
#[derive(Clone, Default)]
struct Dataset {
    commit: &'static str,
    files: Vec<(&'static str, Vec<u8>)>,
    /// Revision `refs/convert/parquet`.
    converted: Vec<(&'static str, Vec<u8>)>,
    /// What a request must bear.
    token: Option<&'static str>,
    /// It has too much to do.
    busy: bool,
}

struct Server {
    endpoint: String,
    asked: Arc<Mutex<Vec<String>>>,
    dataset: Arc<Mutex<Dataset>>,
}

impl Server {
    fn start(dataset: Dataset) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let dataset = Arc::new(Mutex::new(dataset));
        let shared = (Arc::clone(&asked), Arc::clone(&dataset));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, dataset) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
                std::thread::spawn(move || serve(stream, &asked, &dataset));
            }
        });
        Self { endpoint, asked, dataset }
    }

    /// The paths asked for since the last call.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

/// Answers the requests of one connection; it ends when the client hangs up.
fn serve(mut stream: TcpStream, asked: &Mutex<Vec<String>>, dataset: &Mutex<Dataset>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let (mut bearer, mut range) = (None, None);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim().to_owned();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").unwrap();
            match name.to_lowercase().as_str() {
                "authorization" => bearer = value.strip_prefix("Bearer ").map(str::to_owned),
                "range" => range = value.strip_prefix("bytes=").map(str::to_owned),
                _ => {}
            }
        }
        let path = first.split(' ').nth(1).unwrap().to_owned();
        let dataset = dataset.lock().unwrap().clone();
        let answer = if dataset.busy {
            b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n".to_vec()
        } else if dataset.token.is_some() && dataset.token != bearer.as_deref() {
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec()
        } else {
            answer(&dataset, &path, range.as_deref())
        };
        asked.lock().unwrap().push(path);
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

fn answer(dataset: &Dataset, path: &str, range: Option<&str>) -> Vec<u8> {
    let nothing = || b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    if let Some(revision) = path.strip_prefix("/api/datasets/own/set/revision/") {
        let (commit, files) = match revision {
            "main" => (dataset.commit, &dataset.files),
            "refs%2Fconvert%2Fparquet" if !dataset.converted.is_empty() => {
                (SECOND, &dataset.converted)
            }
            _ => return nothing(),
        };
        let siblings: Vec<Value> = files.iter().map(|file| json!({"rfilename": file.0})).collect();
        let body = json!({"sha": commit, "siblings": siblings, "private": false}).to_string();
        return format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into();
    }
    let Some((commit, name)) =
        path.strip_prefix("/datasets/own/set/resolve/").and_then(|rest| rest.split_once('/'))
    else {
        return nothing();
    };
    let files = dataset.files.iter().chain(&dataset.converted);
    let Some((_, bytes)) = files.into_iter().find(|file| file.0 == name) else { return nothing() };
    let (start, end) = range.and_then(|range| range.split_once('-')).unwrap();
    let start: usize = start.parse().unwrap();
    let end = end.parse::<usize>().map_or(bytes.len(), |end| (end + 1).min(bytes.len()));
    let piece = &bytes[start..end];
    let etag: String =
        name.bytes().chain(commit.bytes()).map(|byte| format!("{byte:02x}")).collect();
    let mut all = format!(
        "HTTP/1.1 206 Partial Content\r\nETag: \"{etag}\"\r\nX-Repo-Commit: {commit}\r\n\
         Content-Range: bytes {start}-{}/{}\r\nContent-Length: {}\r\n\r\n",
        end - 1,
        bytes.len(),
        piece.len()
    )
    .into_bytes();
    all.extend(piece);
    all
}

/// A Parquet file's bytes.
fn parquet(rows: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    questions(&path, rows);
    std::fs::read(path).unwrap()
}

fn two_shards(commit: &'static str) -> Dataset {
    Dataset {
        commit,
        files: vec![
            ("README.md", b"# Set".to_vec()),
            ("data/train-00000-of-00002.parquet", parquet(&[("one?", "1"), ("two?", "2")])),
            ("data/train-00001-of-00002.parquet", parquet(&[("three?", "3")])),
            ("data/test-00000-of-00001.parquet", parquet(&[("four?", "4")])),
        ],
        ..Dataset::default()
    }
}

fn hub(endpoint: &str, cache: &Path) -> HubSettings {
    HubSettings {
        endpoint: endpoint.to_owned(),
        cache: cache.to_owned(),
        token: None,
        offline: false,
    }
}

fn table(more: Value) -> Value {
    let mut table = json!({
        "hub": "own/set", "columns": {"prompt": "question", "reference": "answer"},
    });
    table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    table
}

fn fetched(hub: &HubSettings, more: Value) -> Result<Loaded, DataError> {
    fetched_with(hub, more, &())
}

fn fetched_with(
    hub: &HubSettings,
    more: Value,
    progress: &dyn Progress,
) -> Result<Loaded, DataError> {
    load(&settings(table(more)), &Context { template: None, hub, progress, tokens: None })
}

fn references(loaded: &Loaded) -> Vec<&str> {
    loaded.rows.iter().filter_map(|row| row.reference.as_deref()).collect()
}

#[test]
fn a_split_is_fetched_once_and_then_taken_from_the_cache() {
    #[derive(Default)]
    struct Told(Mutex<(Vec<String>, u64)>);
    impl Progress for Told {
        fn begin(&self, file: &str, _: u64) {
            self.0.lock().unwrap().0.push(file.to_owned());
        }
        fn advance(&self, bytes: u64) {
            self.0.lock().unwrap().1 += bytes;
        }
        fn end(&self) {}
    }
    let folder = tempfile::tempdir().unwrap();
    let dataset = two_shards(FIRST);
    let bytes: usize = dataset.files[1..3].iter().map(|file| file.1.len()).sum();
    let server = Server::start(dataset);
    let hub = hub(&server.endpoint, folder.path());
    let told = Told::default();
    let all = fetched_with(&hub, json!({}), &told).unwrap();
    assert_eq!(references(&all), ["1", "2", "3"]);
    assert_eq!(all.rows[2].id, "3", "numbers go on over files");
    assert_eq!(all.report.source, "own/set@11111111");
    assert_eq!(all.files[1].name, format!("own/set@{FIRST}/data/train-00001-of-00002.parquet"));
    let told = told.0.into_inner().unwrap();
    assert_eq!(told.1, bytes as u64);
    assert!(told.0.contains(&"data/train-00000-of-00002.parquet".to_owned()), "{:?}", told.0);
    server.asked();
    assert_eq!(references(&fetched(&hub, json!({"split": "train"})).unwrap()), ["1", "2", "3"]);
    assert_eq!(server.asked(), ["/api/datasets/own/set/revision/main"], "nothing is fetched again");

    // The same cache with no hub: what was fetched is there, what was not is named.
    let offline =
        HubSettings { offline: true, endpoint: "http://127.0.0.1:1".into(), ..hub.clone() };
    assert_eq!(references(&fetched(&offline, json!({})).unwrap()), ["1", "2", "3"]);
    assert_eq!(
        references(&fetched(&offline, json!({"revision": FIRST})).unwrap()),
        ["1", "2", "3"]
    );
    let error = fetched(&offline, json!({"split": "test"})).unwrap_err().to_string();
    for part in ["no split `test`", "offline mode", "HF_HUB_OFFLINE", "hf download"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let away = HubSettings { offline: false, ..offline };
    assert_eq!(references(&fetched(&away, json!({})).unwrap()), ["1", "2", "3"]);
    assert!(server.asked().is_empty());
    let error = fetched(&away, json!({"hub": "own/other"})).unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");

    // A hub that has too much to do is as one that is away.
    server.dataset.lock().unwrap().busy = true;
    assert_eq!(references(&fetched(&hub, json!({})).unwrap()), ["1", "2", "3"]);
    let error = fetched(&hub, json!({"hub": "own/other"})).unwrap_err().to_string();
    assert!(error.contains("429"), "{error}");

    // The branch moves on: the new commit's files are fetched.
    *server.dataset.lock().unwrap() = Dataset {
        files: vec![("train.jsonl", b"{\"question\": \"new?\", \"answer\": \"9\"}\n".to_vec())],
        ..two_shards(SECOND)
    };
    assert_eq!(references(&fetched(&hub, json!({})).unwrap()), ["9"]);
}

#[test]
fn a_file_within_the_dataset_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(two_shards(FIRST));
    let hub = hub(&server.endpoint, folder.path());
    let one = fetched(&hub, json!({"file": "data/*-00001-of-*.parquet"})).unwrap();
    assert_eq!(references(&one), ["3"]);
    let error = fetched(&hub, json!({"file": "none.jsonl"})).unwrap_err().to_string();
    assert!(error.contains("no file `none.jsonl`") && error.contains("data/test-"), "{error}");
    // Only one shard is cached: without the hub, the split is not complete.
    let offline = HubSettings { offline: true, ..hub };
    let error = fetched(&offline, json!({})).unwrap_err().to_string();
    assert!(error.contains("data/train-00000-of-00002.parquet is missing"), "{error}");
}

#[test]
fn a_private_dataset_wants_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Dataset { token: Some("hf_secret"), ..two_shards(FIRST) });
    let mut hub = hub(&server.endpoint, folder.path());
    let error = fetched(&hub, json!({})).unwrap_err().to_string();
    assert!(error.contains("set HF_TOKEN"), "{error}");
    hub.token = Some("hf_wrong".to_owned());
    let error = fetched(&hub, json!({})).unwrap_err().to_string();
    assert!(error.contains("may not read it") && !error.contains("hf_wrong"), "{error}");
    hub.token = Some("hf_secret".to_owned());
    assert_eq!(fetched(&hub, json!({"split": "test"})).unwrap().rows.len(), 1);
}

#[test]
fn what_is_no_data_file_is_taken_from_the_hubs_conversion() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Dataset {
        files: vec![("set.py", b"print()".to_vec())],
        converted: vec![("default/train/0000.parquet", parquet(&[("five?", "5")]))],
        ..two_shards(FIRST)
    });
    let hub = hub(&server.endpoint, folder.path());
    assert_eq!(references(&fetched(&hub, json!({})).unwrap()), ["5"]);
    let offline = HubSettings { offline: true, ..hub };
    assert_eq!(references(&fetched(&offline, json!({})).unwrap()), ["5"]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Dataset {
        files: vec![("../../../train.jsonl", b"{}\n".to_vec()), ("/train.jsonl", b"{}\n".to_vec())],
        ..two_shards(FIRST)
    });
    let hub = hub(&server.endpoint, folder.path());
    let error = fetched(&hub, json!({})).unwrap_err().to_string();
    assert!(error.contains("no Parquet"), "{error}");
    for wrong in ["../set", "a/b/c", "own/se t", ""] {
        let error = fetched(&hub, json!({"hub": wrong})).unwrap_err().to_string();
        assert!(error.starts_with("`hub`: "), "{error}");
    }
    let error = fetched(&hub, json!({"revision": "../main"})).unwrap_err().to_string();
    assert!(error.starts_with("`revision`: "), "{error}");
    let error = fetched(&hub, json!({"hub": "own/nothing"})).unwrap_err().to_string();
    assert!(error.contains("no such dataset"), "{error}");
}
