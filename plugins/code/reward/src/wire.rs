//! How programs under the harness are asked for, and how what they print is read.

use omni_sdk::reward::{Execution, Program, Status};

use crate::literal::Value;

/// The modules of the harness, which the interpreter has compiled already.
const HARNESS: [(&str, &str); 6] = [
    ("omni_values", include_str!("../../../python/interpreter/omni_values.py")),
    ("omni_remote", include_str!("../../../python/interpreter/omni_remote.py")),
    ("omni_check", include_str!("../../../python/interpreter/omni_check.py")),
    ("omni_calls", include_str!("../../../python/interpreter/omni_calls.py")),
    ("omni_guard", include_str!("../../../python/interpreter/omni_guard.py")),
    ("omni_harness", include_str!("../../../python/interpreter/omni_harness.py")),
];

/// What every program under the harness is: what it is to do comes on standard input.
const STUB: &str = "import omni_harness\nomni_harness.run()\n";

/// A program that runs the harness on these pieces of text.
pub(crate) fn harnessed(pieces: &[&str], seed: u32) -> Program {
    let sizes: Vec<String> = pieces.iter().map(|piece| piece.len().to_string()).collect();
    let stdin = format!("{}\n{}", sizes.join(" "), pieces.concat());
    Program { stdin, seed, ..Program::new("python", STUB) }
}

/// The same for an interpreter that has no harness: it gets it along.
pub(crate) fn with_harness(program: &Program) -> Program {
    let mut source = "import sys, types\n".to_owned();
    for (name, text) in HARNESS {
        source.push_str(&format!(
            "sys.modules['{name}'] = types.ModuleType('{name}')\nexec({}, sys.modules['{name}'].__dict__)\n",
            quoted(text)
        ));
    }
    source.push_str(STUB);
    Program { source, ..program.clone() }
}

/// Whether a program under the harness says that there is none.
pub(crate) fn lacks_harness(program: &Program, run: &Execution) -> bool {
    program.source == STUB
        && matches!(&run.status, Status::Raised(report)
            if report.trim_end().ends_with("ModuleNotFoundError: No module named 'omni_harness'"))
}

/// A Python string literal of this text.
fn quoted(text: &str) -> String {
    Value::Text(text.chars().map(u32::from).collect()).literal()
}

/// The lines behind a mark, where the program ended by itself.
pub(crate) fn marked<'a>(run: &'a Execution, mark: &'a str) -> impl Iterator<Item = &'a str> {
    let ended = run.status == Status::Exited;
    let lines = run.stdout.split('\n').filter(move |_| ended);
    lines.filter_map(move |line| line.strip_prefix(mark)?.strip_prefix(' '))
}
