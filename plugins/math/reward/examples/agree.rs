//! Verdicts for lines of JSON, so that other programs can compare themselves with this verifier.
//!
//! Reads `{"reference", "answer"}`, or `{"reference", "text", "extract"}` for a whole completion,
//! one object a line; writes `{"verdict": "equal" | "unequal" | "undefined", "why"?, "nanos"}`.

#![expect(clippy::print_stdout, reason = "its output")]

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::time::Instant;

use omni_math_reward::{Extract, Verdict, verify, verify_text};
use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    reference: String,
    answer: Option<String>,
    text: Option<String>,
    #[serde(default)]
    extract: Extract,
}

fn main() -> ExitCode {
    for (at, line) in io::stdin().lock().lines().enumerate() {
        let line = match line {
            Ok(line) if line.trim().is_empty() => continue,
            Ok(line) => line,
            Err(error) => {
                eprintln!("line {}: {error}", at + 1);
                return ExitCode::FAILURE;
            }
        };
        let line: Line = match serde_json::from_str(&line) {
            Ok(line) => line,
            Err(error) => {
                eprintln!("line {}: {error}", at + 1);
                return ExitCode::from(2);
            }
        };
        let began = Instant::now();
        let verdict = match (&line.text, &line.answer) {
            (Some(text), _) => verify_text(&line.reference, text, line.extract),
            (None, answer) => verify(&line.reference, answer.as_deref().unwrap_or_default()),
        };
        let nanos = began.elapsed().as_nanos();
        let mut out = serde_json::json!({ "verdict": verdict.name(), "nanos": nanos });
        if let Verdict::Undefined(why) = verdict {
            out["why"] = why.into();
        }
        println!("{out}");
    }
    ExitCode::SUCCESS
}
