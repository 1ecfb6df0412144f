//! A reward that does what each completion says: scores, lies, asks, or never comes back.

#[allow(missing_docs, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/0.1.0", world: "reward-plugin" });
}

use bindings::exports::omni::plugin::reward::{
    Comparison, Component, Error, Group, Guest, Program, Reply, Request, Turn, Value, Verdict,
};
use bindings::omni::plugin::judgements::Preference;
use bindings::omni::plugin::log;
use bindings::omni::plugin::programs::{Status, StopKind};

struct Hostile;
bindings::export!(Hostile with_types_in bindings);

fn pair(a: Value, b: f64) -> Vec<Component> {
    vec![
        Component { name: "a".into(), value: a },
        Component { name: "b".into(), value: Value::Scored(b) },
    ]
}

impl Guest for Hostile {
    fn components(config: String) -> Result<Vec<String>, Error> {
        hostile_faults::act(&config);
        match config.as_str() {
            "refuse" => Err(Error::InvalidInput("no such setting".into())),
            "none" => Ok(vec![]),
            "twice" => Ok(vec!["a".into(), "a".into()]),
            _ => Ok(vec!["a".into(), "b".into()]),
        }
    }

    fn score(group: Group, replies: Vec<Reply>) -> Result<Turn, Error> {
        let calls = hostile_faults::count_calls();
        let mut requests = Vec::new();
        let mut replies = replies.into_iter();
        let asked = replies.len() > 0;
        let mut lists = Vec::new();
        for rollout in &group.rollouts {
            let (name, rest) = rollout.text.split_once(':').unwrap_or((&rollout.text, ""));
            match name {
                "ask-forever" => return Ok(Turn::Ask(vec![program("print:again")])),
                "ask-nothing" => return Ok(Turn::Ask(vec![])),
                "ask-many" => {
                    return Ok(Turn::Ask((0..20_000).map(|_| program("print:")).collect()));
                }
                "ask-much" => {
                    let source = "x".repeat(1 << 20);
                    return Ok(Turn::Ask((0..12).map(|_| program(&source)).collect()));
                }
                "run" | "speak" | "compare" | "compare-by" if !asked => {
                    requests.push(request(name, rest));
                    continue;
                }
                "run" | "speak" | "compare" | "compare-by" => {
                    lists.push(replies.next().map_or_else(Vec::new, components_of));
                    continue;
                }
                _ => {}
            }
            match alone(name, rest, calls)? {
                Some(list) => lists.push(list),
                // A count that does not fit the group.
                None => {
                    lists.extend([pair(Value::Scored(1.0), 0.0), pair(Value::Scored(1.0), 0.0)])
                }
            }
        }
        if requests.is_empty() { Ok(Turn::Done(lists)) } else { Ok(Turn::Ask(requests)) }
    }
}

/// What a completion that asks for nothing gets; none for one list too many.
fn alone(name: &str, rest: &str, calls: u32) -> Result<Option<Vec<Component>>, Error> {
    hostile_faults::act(name);
    let number = || rest.parse::<f64>().unwrap_or(1.0);
    Ok(Some(match name {
        "count" => return Ok(None),
        "score" => pair(Value::Scored(number()), 0.0),
        "nan" => pair(Value::Scored(f64::NAN), 0.0),
        "infinite" => pair(Value::Scored(f64::INFINITY), 0.0),
        "unknown" => vec![Component { name: "surprise".into(), value: Value::Scored(1.0) }],
        "missing" => vec![Component { name: "b".into(), value: Value::Scored(0.0) }],
        "twice" => [pair(Value::Scored(1.0), 0.0), pair(Value::Scored(1.0), 0.0)].concat(),
        "undefined" => pair(Value::Undefined("it said so".into()), 0.0),
        "error" => return Err(Error::Internal("broken on purpose".into())),
        "say-panic" => {
            // What an SDK's panic hook does before the guest aborts.
            log::write(log::Level::Error, "panic: index out of bounds (src/lib.rs:7:3)");
            hostile_faults::act("trap");
            return Ok(None);
        }
        "global" => pair(Value::Scored(f64::from(calls)), 0.0),
        "huge" => pair(Value::Undefined("x".repeat(24 << 20)), 0.0),
        "not-utf8" => pair(Value::Undefined(not_utf8()), 0.0),
        "refused" => {
            pair(Value::Scored(f64::from(u8::from(hostile_faults::refused_growth()))), 0.0)
        }
        "spin" => pair(Value::Scored((hostile_faults::spin(number() as u64) % 1000) as f64), 0.0),
        "flood" => loop {
            log::write(log::Level::Info, &"noise ".repeat(100));
        },
        "log" => {
            for i in 0..number() as u32 {
                log::write(log::Level::Info, &format!("line {i}"));
            }
            pair(Value::Scored(1.0), 0.0)
        }
        _ => pair(Value::Scored(1.0), 0.0),
    }))
}

fn not_utf8() -> String {
    // SAFETY: there is none; breaking the canonical ABI is this guest's purpose.
    unsafe { String::from_utf8_unchecked(vec![0xff, 0xfe]) }
}

fn program(source: &str) -> Request {
    Request::Execute(Program {
        language: "hostile".into(),
        source: source.into(),
        stdin: String::new(),
        seed: 7,
        limits: None,
    })
}

fn request(name: &str, rest: &str) -> Request {
    match name {
        "run" => program(rest),
        "speak" => Request::Execute(Program {
            language: rest.into(),
            source: String::new(),
            stdin: String::new(),
            seed: 0,
            limits: None,
        }),
        _ => {
            let (judge, first) = match name {
                "compare-by" => (Some(rest.to_owned()), "first"),
                _ => (None, rest),
            };
            Request::Compare(Comparison {
                conversation: vec![],
                first: first.into(),
                second: "the other".into(),
                rubric: None,
                judge,
            })
        }
    }
}

/// `a`: 1, ½ or 0 by what the reply says; `b`: which kind of reply it was.
fn components_of(reply: Reply) -> Vec<Component> {
    match reply {
        Reply::Executed(e) => match e.status {
            Status::Exited => pair(Value::Scored(e.stdout.len() as f64), 0.0),
            Status::Raised(_) => pair(Value::Scored(0.5), 1.0),
            Status::Stopped(stop) => pair(
                Value::Scored(0.0),
                match stop.kind {
                    StopKind::Fuel => 10.0,
                    StopKind::Memory => 11.0,
                    StopKind::Time => 12.0,
                    StopKind::Output => 13.0,
                    StopKind::Trap => 14.0,
                },
            ),
        },
        Reply::Compared(Verdict::Preferred(Preference::First)) => pair(Value::Scored(1.0), 20.0),
        Reply::Compared(Verdict::Preferred(Preference::Tie)) => pair(Value::Scored(0.5), 20.0),
        Reply::Compared(Verdict::Preferred(Preference::Second)) => pair(Value::Scored(0.0), 20.0),
        Reply::Compared(Verdict::Undecided(why)) => pair(Value::Undefined(why), 21.0),
        Reply::Failed(why) => pair(Value::Undefined(format!("could not: {why}")), 30.0),
    }
}
