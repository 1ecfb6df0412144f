//! An interpreter whose programs are the names of faults.

#[allow(missing_docs, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/0.1.0", world: "interpreter-plugin" });
}

use bindings::exports::omni::plugin::interpreter::{Execution, Guest, Program};
use bindings::omni::plugin::programs::Status;

struct Hostile;
bindings::export!(Hostile with_types_in bindings);

impl Guest for Hostile {
    fn languages() -> Vec<String> {
        vec!["hostile".into()]
    }

    fn run(program: Program) -> Execution {
        let calls = hostile_faults::count_calls();
        let (name, rest) = program.source.split_once(':').unwrap_or((&program.source, ""));
        hostile_faults::act(name);
        let number = || rest.parse::<usize>().unwrap_or(0);
        let (status, stdout) = match name {
            "print" => (Status::Exited, rest.to_owned()),
            "read" => (Status::Exited, program.stdin.clone()),
            "raise" => (Status::Raised(rest.to_owned()), String::new()),
            "global" => (Status::Exited, "x".repeat(calls as usize)),
            // Two-byte characters, so that a careless cut falls inside one.
            "output" => (Status::Exited, "é".repeat(number())),
            "spin" => (Status::Exited, hostile_faults::spin(number() as u64).to_string()),
            "limits" => {
                let limits = program.limits.map_or(String::new(), |l| {
                    format!("{} {} {}", l.fuel, l.memory_bytes, l.output_bytes)
                });
                (Status::Exited, limits)
            }
            _ => (Status::Exited, String::new()),
        };
        Execution { status, stdout, stderr: String::new(), fuel: u64::MAX }
    }
}
