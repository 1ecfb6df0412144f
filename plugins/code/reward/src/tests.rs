//! Tests of the reward without an interpreter: the programs it asks for, and
//! what it makes of what they print.

use omni_sdk::reward::*;
use serde_json::json;

use super::Code;

fn item(data: serde_json::Value) -> Item {
    Item::new("one", "Write it.").with_data(&data).unwrap()
}

fn ask(item: &Item, texts: &[&str]) -> Vec<Program> {
    match Code::default().score(&Group::new(item.clone(), texts), &[]).unwrap() {
        Turn::Ask(requests) => requests
            .into_iter()
            .map(|request| match request {
                Request::Execute(program) => program,
                Request::Compare(_) => panic!("nothing to compare"),
            })
            .collect(),
        Turn::Done(_) => Vec::new(),
    }
}

/// Scores with the standard outputs of the programs asked for.
fn scores(item: &Item, texts: &[&str], replies: &[Reply]) -> Vec<Vec<Value>> {
    match Code::default().score(&Group::new(item.clone(), texts), replies).unwrap() {
        Turn::Done(scores) => scores
            .into_iter()
            .map(|one| one.into_iter().map(|component| component.value).collect())
            .collect(),
        Turn::Ask(_) => panic!("asked again"),
    }
}

fn printed(stdout: &str) -> Reply {
    ended(Status::Exited, stdout)
}

fn ended(status: Status, stdout: &str) -> Reply {
    Reply::Executed(Execution { status, stdout: stdout.to_owned(), stderr: String::new(), fuel: 1 })
}

fn both(accuracy: f64, passed: f64) -> Vec<Value> {
    vec![Value::Scored(accuracy), Value::Scored(passed)]
}

/// The mark or secret that a program's harness prints before values and verdicts.
fn mark(program: &Program) -> &str {
    let (_, call) = program.source.rsplit_once("\nrun(").unwrap();
    call.split('\'').nth(1).unwrap()
}

#[test]
fn expected_values_stay_out_of_the_program() {
    let item = item(json!({"assertions": ["assert f(1) == 77777", "assert f('a') == [88888]"]}));
    let text = "<answer>def f(x): return x</answer>";
    let programs = ask(&item, &[text]);
    assert_eq!(programs.len(), 1, "one instance for all calls of a program");
    assert!(programs[0].source.contains("f(1)"));
    assert!(!programs[0].source.contains("77777") && !programs[0].source.contains("88888"));

    let mark = mark(&programs[0]);
    let right = format!("noise\n{mark} 0 77777\n\n{mark} 1 [88888]\n");
    assert_eq!(scores(&item, &[text], &[printed(&right)]), [both(1.0, 2.0)]);
    let half = format!("\n{mark} 0 77777\n\n{mark} 1 [88889]\n");
    assert_eq!(scores(&item, &[text], &[printed(&half)]), [both(0.0, 1.0)]);
    let twice = format!("\n{mark} 0 77777\n{right}");
    assert_eq!(scores(&item, &[text], &[printed(&twice)]), [both(0.0, 1.0)]);
    assert_eq!(scores(&item, &[text], &[printed("0 77777\n1 [88888]")]), [both(0.0, 0.0)]);
    assert_eq!(scores(&item, &[text], &[printed("")]), [both(0.0, 0.0)]);
}

#[test]
fn faults_of_the_program_are_zero_and_of_the_system_undefined() {
    let item = item(json!({"assertions": ["assert f(1) == 1"]}));
    let text = "<answer>def f(x): return x</answer>";
    let stop = |kind| Status::Stopped(Stop { kind, message: "stopped".to_owned() });
    for status in [
        Status::Raised("ValueError".to_owned()),
        stop(StopKind::Fuel),
        stop(StopKind::Memory),
        stop(StopKind::Output),
        stop(StopKind::Trap),
    ] {
        assert_eq!(scores(&item, &[text], &[ended(status, "")]), [both(0.0, 0.0)]);
    }
    for reply in [Reply::Failed("no interpreter".to_owned()), ended(stop(StopKind::Time), "")] {
        let scores = scores(&item, &[text], &[reply]);
        assert!(matches!(scores[0][0], Value::Undefined(_)), "{scores:?}");
    }
}

#[test]
fn no_program_is_zero_and_runs_nothing() {
    let item = item(json!({"assertions": ["assert f(1) == 1"]}));
    assert_eq!(ask(&item, &["", "no tags", "<answer>\n</answer>"]).len(), 0);
    assert_eq!(scores(&item, &["", "x"], &[]), [both(0.0, 0.0), both(0.0, 0.0)]);
}

#[test]
fn streams_are_compared_here() {
    let item = item(json!({"inputs": ["1\n", "2\n"], "outputs": ["1\n", "2 \n\n"]}));
    let text = "<answer>print(input())</answer>";
    let programs = ask(&item, &[text, "", text]);
    let stdin: Vec<_> = programs.iter().map(|program| program.stdin.as_str()).collect();
    assert_eq!(stdin, ["1\n", "2\n", "1\n", "2\n"]);
    let replies = [printed("1"), printed("2\n"), printed("1\n"), printed("3\n")];
    let expected = [both(1.0, 2.0), both(0.0, 0.0), both(0.0, 1.0)];
    assert_eq!(scores(&item, &[text, "", text], &replies), expected);
}

#[test]
fn a_check_of_assertions_is_taken_apart() {
    let test = "METADATA = {'author': 'x'}\n\ndef check(candidate):\n    \"\"\"Tests.\"\"\"\n\
                \x20   assert candidate([1,\n        2]) == 33333, 'message'\n\
                \x20   assert abs(candidate(2.5) - 44444.5) < 1e-6\n    assert candidate(3) is None\n\
                \x20   assert not candidate(4)\n    assert sorted(candidate(5)) == [1]\n";
    let item = item(json!({"functional": test, "entry_point": "g", "preamble": "import math\n"}));
    let text = "<answer>def g(x): return x</answer>";
    let programs = ask(&item, &[text]);
    assert_eq!(programs.len(), 1);
    let source = &programs[0].source;
    assert!(source.contains("import math") && source.contains("\nrun(False"), "{source}");
    for secret in ["33333", "44444", "message"] {
        assert!(!source.contains(secret), "{secret}");
    }
    let mark = mark(&programs[0]);
    let right: String = ["33333", "44444.5000001", "None", "True", "[1]"]
        .iter()
        .enumerate()
        .map(|(index, value)| format!("\n{mark} {index} {value}\n"))
        .collect();
    assert_eq!(scores(&item, &[text], &[printed(&right)]), [both(1.0, 5.0)]);
}

#[test]
fn other_tests_are_guarded_and_check_is_called() {
    let test = "def check(candidate):\n    for i in range(3):\n        assert candidate(i) == i\n";
    let item = item(json!({"functional": test, "entry_point": "g"}));
    let text = "<answer>def g(x): return x</answer>";
    let programs = ask(&item, &[text, text]);
    assert_eq!(programs.len(), 2);
    assert!(programs[0].source.contains("check(g)"), "{}", programs[0].source);
    assert_ne!(mark(&programs[0]), mark(&programs[1]), "each program has its own secret");
    let replies = [
        printed(&format!("\n{} 1\n", mark(&programs[0]))),
        printed(&format!("\n{} 1\n", mark(&programs[0]))),
    ];
    assert_eq!(scores(&item, &[text, text], &replies), [both(1.0, 1.0), both(0.0, 0.0)]);

    let called = format!("{test}\ncheck(Solution().g)\n");
    let item = self::item(json!({"functional": called, "entry_point": "g"}));
    let source = &ask(&item, &[text])[0].source;
    assert!(!source.contains("check(g)") && source.contains("check(Solution().g)"), "{source}");
}

#[test]
fn unusable_items_are_invalid_input() {
    for data in [
        json!({}),
        json!({"inputs": ["1"], "outputs": []}),
        json!({"inputs": ["1"]}),
        json!({"assertions": []}),
        json!({"assertions": ["assert f(1) == 1"], "functional": "x"}),
        json!({"functional": 3}),
    ] {
        let group = Group::new(item(data.clone()), &["<answer>x</answer>"]);
        let error = Code::default().score(&group, &[]).unwrap_err();
        assert_eq!(error.kind(), omni_sdk::ErrorKind::InvalidInput, "{data}");
        assert!(error.message().contains("`one`"), "{error}");
    }
}

#[test]
fn a_program_is_quoted_whole() {
    let item = item(json!({"assertions": ["assert f(1) == 1"]}));
    let text = "<answer>x = \"\\\"\\n<MARK> <CALLS>\"\n# é\n</answer>";
    let source = &ask(&item, &[text])[0].source;
    assert!(source.contains(r#""\nx = \"\\\"\\n<MARK> <CALLS>\"\n# é\n""#), "{source}");
}

#[test]
fn no_text_breaks_the_readers() {
    const PIECES: [&str; 40] = [
        "assert ",
        "f(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "==",
        " is ",
        "not ",
        "abs(",
        " - ",
        "<",
        "1e-6",
        "'",
        "\"",
        "\"\"\"",
        "\\",
        "\n",
        "    ",
        "#",
        ",",
        ":",
        "def check(candidate):\n",
        "check(f)",
        "0x",
        ".",
        "é",
        "\u{1f600}",
        "None",
        "rb'",
        "```python\n",
        "<answer>",
        "</answer>",
        "<think>",
        "</think>",
        "float('inf')",
        "\\x",
        "\\u00",
        ";",
    ];
    let mut rng = omni_sdk::rng::Rng::new(1);
    for _ in 0..30_000 {
        let length = rng.below(14);
        let text: String = (0..length).filter_map(|_| rng.choose(&PIECES).copied()).collect();
        let _ = crate::literal::Value::parse(&text);
        let _ = crate::syntax::lines(&text);
        for data in [
            json!({"assertions": [text]}),
            json!({"functional": format!("def check(candidate):\n    {text}"), "entry_point": "f"}),
        ] {
            let group = Group::new(item(data), &[text.as_str(), "<answer>f = 1</answer>"]);
            Code { extract: crate::Extract::Auto }.score(&group, &[]).unwrap();
        }
    }
}
