//! Runs the Python tests of the interpreter that programs are checked in, and
//! of the harness that it holds. They need no component, only a python3.

use std::path::Path;
use std::process::Command;

fn passes(file: &str) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/tests");
    let ran = Command::new("python3").arg("-B").arg(tests.join(file)).output();
    let ran = ran.unwrap_or_else(|error| panic!("cannot run python3: {error}"));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn programs_are_run_and_reported() {
    passes("test_runner.py");
}

#[test]
fn the_sealed_interpreter_is_closed_and_usable() {
    passes("test_sealing.py");
}

#[test]
fn the_harness_runs_tests_apart_from_the_program() {
    passes("test_harness.py");
}
