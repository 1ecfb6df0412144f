//! An endpoint that misbehaves on purpose: plain sockets on loopback, so that what goes over the
//! wire is exactly what a test says.
//!
//! A script decides what becomes of each request, by its body and how often that body came before.
//! Requests are kept, headers included, so that tests can look at what was sent.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A reply with this text, and 10 tokens read and 2 written.
    Say(String),
    /// A whole response: status line's code, further headers, body.
    Respond(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Bytes as they are, after which the connection is cut.
    Raw(Vec<u8>),
    /// Nothing until the server goes.
    Hang,
    /// A body without end, as long as the other side reads.
    Flood,
    /// The text after as many requests as this are under way together.
    SayTogether(usize, String),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: serde_json::Value,
}

type Script = dyn Fn(&Request, usize) -> Act + Send + Sync;

struct Shared {
    script: Box<Script>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    seen: HashMap<String, usize>,
    under_way: usize,
    most: usize,
    closing: bool,
}

/// The server; it goes when this is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// Starts one at a free port.
    pub(crate) fn start(script: impl Fn(&Request, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&accepting);
                if shared.state.lock().unwrap().closing {
                    return;
                }
                let Ok(stream) = stream else { continue };
                std::thread::spawn(move || {
                    // A client that goes away ends its thread, nothing else.
                    let _ = serve(&shared, stream);
                });
            }
        });
        Self { address, shared }
    }

    /// One that does the same with every request.
    pub(crate) fn always(act: Act) -> Self {
        Self::start(move |_, _| act.clone())
    }

    /// The base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.state.lock().unwrap().requests.clone()
    }

    /// The most requests that were under way together.
    pub(crate) fn most(&self) -> usize {
        self.shared.state.lock().unwrap().most
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().closing = true;
        self.shared.changed.notify_all();
        // The accepting thread looks up once more.
        let _ = TcpStream::connect(self.address);
    }
}

/// The body of a reply with this text.
pub(crate) fn chat(text: &str) -> Vec<u8> {
    serde_json::json!({
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    })
    .to_string()
    .into_bytes()
}

fn serve(shared: &Shared, stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some(request) = read(&mut reader)? {
        let act = {
            let mut state = shared.state.lock().unwrap();
            let key = request.body.to_string();
            let times = state.seen.entry(key).or_default();
            let before = *times;
            *times += 1;
            state.requests.push(request.clone());
            state.under_way += 1;
            state.most = state.most.max(state.under_way);
            shared.changed.notify_all();
            drop(state);
            (shared.script)(&request, before)
        };
        let done = perform(shared, &mut stream, act);
        shared.state.lock().unwrap().under_way -= 1;
        if !done? {
            return Ok(());
        }
    }
    Ok(())
}

/// False where the connection is to be cut.
fn perform(shared: &Shared, stream: &mut TcpStream, act: Act) -> std::io::Result<bool> {
    match act {
        Act::Say(text) => respond(stream, 200, &[], &chat(&text)).map(|()| true),
        Act::Respond(code, headers, body) => respond(stream, code, &headers, &body).map(|()| true),
        Act::Raw(bytes) => stream.write_all(&bytes).map(|()| false),
        Act::Hang => {
            let state = shared.state.lock().unwrap();
            drop(shared.changed.wait_while(state, |state| !state.closing).unwrap());
            Ok(false)
        }
        Act::Flood => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            let piece = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
            loop {
                stream.write_all(&piece)?;
            }
        }
        Act::SayTogether(count, text) => {
            let state = shared.state.lock().unwrap();
            let alone = |state: &mut State| state.most < count && !state.closing;
            drop(shared.changed.wait_while(state, alone).unwrap());
            respond(stream, 200, &[], &chat(&text)).map(|()| true)
        }
    }
}

fn respond(
    stream: &mut TcpStream,
    code: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {code} Status\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), body].concat())
}

/// A request; none where the client has gone.
fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { head, body: serde_json::from_slice(&body).unwrap_or_default() }))
}
