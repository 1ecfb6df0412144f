//! Tests of the reward without an interpreter: the programs it asks for, and
//! what it makes of what they print.

use omni_sdk::reward::*;
use serde_json::json;

use super::Code;

fn item(data: serde_json::Value) -> Item {
    Item::new("one", "Write it.").with_data(&data).unwrap()
}

fn ask(item: &Item, texts: &[&str]) -> Vec<Program> {
    continued(item, texts, &[])
}

/// The programs asked for after these replies.
fn continued(item: &Item, texts: &[&str], replies: &[Reply]) -> Vec<Program> {
    match Code::default().score(&Group::new(item.clone(), texts), replies).unwrap() {
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

/// The pieces of text that a program under the harness is handed.
fn pieces(program: &Program) -> Vec<&str> {
    let (sizes, mut rest) = program.stdin.split_once('\n').unwrap();
    let mut pieces = Vec::new();
    for size in sizes.split(' ') {
        let (piece, others) = rest.split_at(size.parse().unwrap());
        pieces.push(piece);
        rest = others;
    }
    assert_eq!(rest, "");
    pieces
}

/// The mark or secret that a program's harness prints before values and verdicts.
fn mark(program: &Program) -> &str {
    pieces(program)[1]
}

#[test]
fn expected_values_stay_out_of_the_program() {
    let item = item(json!({"assertions": ["assert f(1) == 77777", "assert f('a') == [88888]"]}));
    let text = "<answer>def f(x): return x</answer>";
    let programs = ask(&item, &[text]);
    assert_eq!(programs.len(), 1, "one instance for all calls of a program");
    assert_eq!(pieces(&programs[0])[6..], ["f(1)", "f('a')"]);
    assert!(!programs[0].stdin.contains("77777") && !programs[0].stdin.contains("88888"));

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
    assert_eq!(stdin, ["1\n", "1\n"]);
    let replies = [printed("1"), printed("1\n")];
    let programs = continued(&item, &[text, "", text], &replies);
    let stdin: Vec<_> = programs.iter().map(|program| program.stdin.as_str()).collect();
    assert_eq!(stdin, ["2\n", "2\n"]);
    let replies = [printed("1"), printed("1\n"), printed("2\n"), printed("3\n")];
    let expected = [both(1.0, 2.0), both(0.0, 0.0), both(0.0, 1.0)];
    assert_eq!(scores(&item, &[text, "", text], &replies), expected);
}

#[test]
fn an_endless_program_is_not_run_on_further_inputs() {
    let inputs: Vec<String> = (0..9).map(|n| format!("{n}\n")).collect();
    let item = item(json!({"inputs": inputs, "outputs": inputs}));
    let texts = ["<answer>print(input())</answer>", "<answer>print(int(input()))</answer>"];
    let endless = || {
        let stop = Stop { kind: StopKind::Fuel, message: "all fuel consumed".to_owned() };
        ended(Status::Stopped(stop), "")
    };
    // One input of each, then two; the second program never ends on one of those.
    let mut replies = vec![printed("0"), printed("0")];
    assert_eq!(continued(&item, &texts, &replies).len(), 4);
    replies.extend([printed("1"), printed("2"), printed("1"), endless()]);
    let third = continued(&item, &texts, &replies);
    assert_eq!(third.len(), 4);
    assert!(third.iter().all(|program| program.source.contains("print(input())")));
    replies.extend(["3", "4", "5", "6"].map(printed));
    assert_eq!(continued(&item, &texts, &replies).len(), 2);
    replies.extend(["7", "8"].map(printed));
    assert_eq!(scores(&item, &texts, &replies), [both(1.0, 9.0), both(0.0, 2.0)]);
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
    let given = pieces(&programs[0]);
    assert_eq!(given[0], "calls");
    assert!(given[2].starts_with("import math\n"), "{given:?}");
    for secret in ["33333", "44444", "message"] {
        assert!(!programs[0].stdin.contains(secret), "{secret}");
    }
    let mark = mark(&programs[0]);
    let right: String = ["33333", "44444.5000001", "None", "[]", "[1]"]
        .iter()
        .enumerate()
        .map(|(index, value)| format!("\n{mark} {index} {value}\n"))
        .collect();
    assert_eq!(scores(&item, &[text], &[printed(&right)]), [both(1.0, 5.0)]);
}

#[test]
fn other_tests_run_in_an_instance_of_their_own() {
    let test = "def check(candidate):\n    for i in range(3):\n        assert candidate(i) == i\n";
    let item = item(json!({"functional": test, "entry_point": "g"}));
    let text = "<answer>def g(x): return x</answer>";
    let first = ask(&item, &[text, text]);
    assert_eq!(first.len(), 2);
    assert_eq!(first[0], first[1], "the same for all rollouts, so that it runs once");
    assert!(!first[0].stdin.contains("return x") && first[0].stdin.contains("\ncheck(g)\n"));

    let ours = mark(&first[0]);
    let asks = format!(
        "\n{ours} ask 0\n{ours} op 'name','g',(),{{}}\n{ours} op 'call',\u{1}0\u{2},(1,),{{}}\n"
    );
    let mut replies = vec![printed(&asks), printed(&asks)];
    let second = continued(&item, &[text, text], &replies);
    assert_eq!(
        pieces(&second[0])[2..],
        ["def g(x): return x\n", "'name','g',(),{}", "'call',h[0],(1,),{}"]
    );
    assert_ne!(mark(&second[0]), mark(&second[1]), "each program has its own mark");

    let theirs = mark(&second[0]);
    let came = format!("{theirs} 0 ('o','function',{{}})\n{theirs} 1 ('v',1,{{}})\n");
    // The second program's results are marked as the first's: none of its own.
    replies.extend([printed(&came), printed(&came)]);
    let third = continued(&item, &[text, text], &replies);
    assert_eq!(third.len(), 1);
    let known = pieces(&third[0]);
    assert_eq!(known[known.len() - 1], "(\"v\",1,{},)");
    assert_eq!(known[known.len() - 2], "'call',\u{1}0\u{2},(1,),{}");
    assert!(!third[0].stdin.contains("return x"));

    let mut right = replies.clone();
    right.push(printed(&format!("\n{ours} verdict 1\n")));
    assert_eq!(scores(&item, &[text, text], &right), [both(1.0, 1.0), both(0.0, 0.0)]);
    replies.push(printed(&format!("\n{ours} verdict 0\n")));
    assert_eq!(scores(&item, &[text, text], &replies), [both(0.0, 0.0), both(0.0, 0.0)]);

    let called = format!("{test}\ncheck(Solution().g)\n");
    let item = self::item(json!({"functional": called, "entry_point": "g"}));
    let given = &ask(&item, &[text])[0].stdin;
    assert!(!given.contains("check(g)") && given.contains("check(Solution().g)"), "{given}");
}

#[test]
fn tests_that_cannot_be_taken_out_share_the_instance() {
    let test = "def check(candidate):\n    for i in range(3):\n        assert candidate(print)\n";
    let item = item(json!({"functional": test, "entry_point": "g"}));
    let text = "<answer>def g(x): return x</answer>";
    let ours = ask(&item, &[text])[0].clone();
    let beyond = printed(&format!("\n{} beyond Beyond: an argument\n", mark(&ours)));
    let shared = continued(&item, &[text], std::slice::from_ref(&beyond));
    assert_eq!(pieces(&shared[0])[0], "guarded");
    let secret = mark(&shared[0]);
    for (said, passed) in [("1", 1.0), ("0", 0.0), ("11", 0.0), ("", 0.0)] {
        let replies = [beyond.clone(), printed(&format!("\n{secret} {said}\n"))];
        assert_eq!(scores(&item, &[text], &replies), [both(passed, passed)], "{said}");
    }
    let twice = printed(&format!("{secret} 1\n{secret} 1\n"));
    assert_eq!(scores(&item, &[text], &[beyond, twice]), [both(0.0, 0.0)]);

    let inside = self::item(
        json!({"functional": "from unittest.mock import patch\n\ndef check(f):\n    with patch('builtins.print') as p:\n        f()\n", "entry_point": "g"}),
    );
    assert_eq!(pieces(&ask(&inside, &[text])[0])[0], "guarded");
}

#[test]
fn tests_that_never_use_the_program_say_nothing_about_it() {
    let item = item(json!({"functional": "x = 1\nfor i in range(3):\n    assert x\n"}));
    let texts = ["<answer>def f(x): return x</answer>", "<answer>1 / 0</answer>", ""];
    let first = ask(&item, &texts);
    let verdict = |given: &str| printed(&format!("\n{} verdict {given}\n", mark(&first[0])));
    let mut replies = vec![verdict("1"), verdict("1")];
    let second = continued(&item, &texts, &replies);
    assert_eq!(pieces(&second[0])[2], "def f(x): return x\n", "the program itself is run");
    replies.push(printed(&format!("\n{} 0 ('v',0,{{}})\n", mark(&second[0]))));
    replies.push(ended(Status::Raised("ZeroDivisionError".to_owned()), ""));
    let found = scores(&item, &texts, &replies);
    let Value::Undefined(reason) = &found[0][0] else { panic!("{found:?}") };
    assert!(reason.contains("never use the program"), "{reason:?}");
    assert_eq!(found[1..], [both(0.0, 0.0), both(0.0, 0.0)]);
    assert_eq!(scores(&item, &texts, &[verdict("0"), verdict("0")])[0], both(0.0, 0.0));

    // A name that is looked up is no use yet; a value behind it is.
    let item = self::item(json!({"functional": "def check(f):\n    f\n", "entry_point": "g"}));
    let ours = mark(&ask(&item, &texts[..1])[0]).to_owned();
    let asks = printed(&format!("\n{ours} ask 0\n{ours} op 'name','g',(),{{}}\n"));
    let second = continued(&item, &texts[..1], std::slice::from_ref(&asks));
    for (came, undefined) in [("('o','function',{})", true), ("('v',1,{})", false)] {
        let came = printed(&format!("\n{} 0 {came}\n", mark(&second[0])));
        let replies = [asks.clone(), came, printed(&format!("\n{ours} verdict 1\n"))];
        let found = scores(&item, &texts[..1], &replies);
        assert_eq!(matches!(found[0][0], Value::Undefined(_)), undefined, "{found:?}");
    }

    // Beside a call of the program such a test is one that passes.
    let item = self::item(json!({"assertions": ["assert f(1) == 1", "x = 1\nassert x"]}));
    let programs = ask(&item, &texts[..1]);
    assert_eq!(programs.len(), 2);
    let came = printed(&format!("\n{} 0 1\n", mark(&programs[0])));
    let passed = printed(&format!("\n{} verdict 1\n", mark(&programs[1])));
    assert_eq!(scores(&item, &texts[..1], &[came, passed]), [both(1.0, 2.0)]);
}

#[test]
fn broken_tests_are_nobody_s_zero() {
    let item = item(json!({"functional": "def check(f):\n    for\n", "entry_point": "g"}));
    let text = "<answer>def g(x): return x</answer>";
    let ours = ask(&item, &[text])[0].clone();
    let broken = printed(&format!("\n{} broken SyntaxError: invalid syntax\n", mark(&ours)));
    let error = Code::default().score(&Group::new(item, &[text]), &[broken]).unwrap_err();
    assert_eq!(error.kind(), omni_sdk::ErrorKind::InvalidInput);
    assert!(error.message().contains("SyntaxError"), "{error}");
}

#[test]
fn what_the_sandbox_lacks_is_unsupported() {
    for (data, what) in [
        (json!({"assertions": ["assert f(1) == 1"], "libs": ["numpy"]}), "numpy"),
        (json!({"assertions": ["assert f(1) == 1"], "libs": "['re', 'pandas']"}), "pandas"),
        (json!({"assertions": ["assert f(1) == 1"], "preamble": "import torch as t"}), "torch"),
        (json!({"functional": "import unittest\nfrom scipy import stats\n"}), "scipy"),
        (json!({"functional": "def check(f):\n    with open('a') as b:\n        f(b)\n"}), "open"),
        (json!({"functional": "import tempfile\n"}), "tempfile"),
    ] {
        let group = Group::new(item(data.clone()), &["<answer>x</answer>"]);
        let error = Code::default().score(&group, &[]).unwrap_err();
        assert_eq!(error.kind(), omni_sdk::ErrorKind::Unsupported, "{data}");
        assert!(error.message().contains(what), "{error}");
    }
}

#[test]
fn rows_of_other_sets_are_read() {
    let text = "<answer>def f(x): return x</answer>";
    let way = |data: serde_json::Value| {
        let programs = ask(&item(data), &[text]);
        let first = &programs[0];
        if first.source.contains("omni_harness") {
            (programs.len(), pieces(first)[0].to_owned())
        } else {
            (programs.len(), first.stdin.clone())
        }
    };
    let calls = |count| (count, "calls".to_owned());
    let check = "def check(candidate):\n    assert candidate(1) == 2\n";
    for data in [
        json!({"ground_truth": json!({"functional": format!("{check}\ncheck(f)")}).to_string()}),
        json!({"ground_truth": {"functional": format!("{check}\ncheck(Solution().f)")}}),
        json!({"reward_model": {"style": "rule", "ground_truth": json!({"functional": format!("{check}\ncheck(f)")}).to_string()}}),
        json!({"test_cases": ["assert f(1) == 2"]}),
        json!({"test_cases": "[\"assert f(1) == 2\"]"}),
        json!({"test_list": ["assert f(1) == 2"], "test_setup_code": ""}),
        json!({"test": check, "entry_point": "f"}),
        json!({"input_output": json!({"inputs": [[1]], "outputs": [2], "fn_name": "f"}).to_string()}),
        json!({"public_test_cases": json!([{"input": "1\n[2]", "output": "3", "testtype": "functional"}]).to_string(),
               "starter_code": "class Solution:\n    def f(self, a, b):\n        "}),
    ] {
        assert_eq!(way(data.clone()), calls(1), "{data}");
    }
    for data in [
        json!({"ground_truth": json!({"inputs": ["1\n", "2\n"], "outputs": ["1", "2"]}).to_string()}),
        json!({"test_cases": [{"input": "1\n", "output": "1", "testtype": "stdin"}, {"input": "2", "output": "2"}]}),
        json!({"input_output": {"inputs": [["1", ""], "2"], "outputs": [["1"], 2]}}),
    ] {
        assert_eq!(way(data.clone()), (1, "1\n".to_owned()), "{data}");
    }
    let whole = Item {
        data: json!("{\"assertions\": [\"assert f(1) == 1\"]}").to_string(),
        ..item(json!({}))
    };
    assert_eq!(ask(&whole, &[text]).len(), 1);
}

#[test]
fn values_that_went_through_json_are_compared_as_such() {
    let item =
        item(json!({"inputs": [[1], [2], [3]], "outputs": [[[1, 2]], 0.5, ["a"]], "fn_name": "f"}));
    let text = "<answer>def f(x): return x</answer>";
    let program = &ask(&item, &[text])[0];
    assert_eq!(pieces(program)[6..], ["candidate(1)", "candidate(2)", "candidate(3)"]);
    let mark = mark(program);
    let right = format!("{mark} 0 (1,2,)\n{mark} 1 0.5000001\n{mark} 2 'a'\n");
    assert_eq!(scores(&item, &[text], &[printed(&right)]), [both(1.0, 3.0)]);
    let wrong = format!("{mark} 0 (1,3,)\n{mark} 1 0.51\n{mark} 2 'b'\n");
    assert_eq!(scores(&item, &[text], &[printed(&wrong)]), [both(0.0, 0.0)]);
}

#[test]
fn what_anybody_would_guess_is_not_asked_around_the_call() {
    let text = "<answer>def f(x): return x</answer>";
    for (assertion, direct) in [
        ("assert f(1) == True", true),
        ("assert f([1, 2]) is None", true),
        ("assert not f(1)", true),
        ("assert f(1)", true),
        ("assert set(f(1)) == {1}", true),
        ("assert isinstance(f(1), list)", false),
        ("assert isinstance(f(1), list) == True", false),
        ("assert (f(1) == 2) == True", false),
        ("assert sum(f(i) == i for i in range(3)) == 3", false),
        ("assert len([x for x in f(3)]) == 3", true),
        ("assert 3 in f(1)", false),
        ("assert f(1) == f(2)", false),
        ("assert f(1) != 2", false),
        ("assert abs(f(1) - 2) < 0.1", true),
    ] {
        let item = item(json!({"assertions": [assertion]}));
        let way = ask(&item, &[text]);
        assert_eq!(pieces(&way[0])[0], if direct { "calls" } else { "check" }, "{assertion}");
    }
}

#[test]
fn an_interpreter_without_the_harness_is_sent_it() {
    let item = item(json!({"assertions": ["assert f(1) == 1"]}));
    let text = "<answer>def f(x): return x</answer>";
    let first = ask(&item, &[text])[0].clone();
    let lacks = "Traceback\nModuleNotFoundError: No module named 'omni_harness'";
    let lacks = ended(Status::Raised(lacks.to_owned()), "");
    let second = continued(&item, &[text], std::slice::from_ref(&lacks));
    assert!(second[0].source.contains("def operate("));
    assert_eq!(second[0].stdin, first.stdin);
    let right = printed(&format!("{} 0 1\n", mark(&first)));
    assert_eq!(scores(&item, &[text], &[lacks.clone(), right]), [both(1.0, 1.0)]);
    assert_eq!(scores(&item, &[text], &[lacks.clone(), lacks]), [both(0.0, 0.0)]);
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
fn a_program_is_handed_over_as_it_is() {
    let item = item(json!({"assertions": ["assert f(1) == 1"]}));
    let text = "<answer>x = \"\\\"\\n<MARK> <CALLS>\"\n# é\n</answer>";
    let program = &ask(&item, &[text])[0];
    assert_eq!(pieces(program)[2], "x = \"\\\"\\n<MARK> <CALLS>\"\n# é\n");
}

#[test]
fn a_run_may_grant_less_fuel_than_the_task() {
    let item = item(json!({"inputs": ["1"], "outputs": ["1"]}));
    let code: Code = serde_json::from_value(json!({"program_fuel": 5000})).unwrap();
    let turn = code.score(&Group::new(item, &["<answer>print(1)</answer>"]), &[]).unwrap();
    let Turn::Ask(requests) = turn else { panic!("nothing asked") };
    let Request::Execute(program) = &requests[0] else { panic!("no program") };
    assert_eq!(program.limits.unwrap().fuel, 5000);
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
            // Imports of what there is not, and no tests, are the only errors.
            if let Err(error) =
                (Code { extract: crate::Extract::Auto, program_fuel: None }).score(&group, &[])
            {
                assert_ne!(error.kind(), omni_sdk::ErrorKind::Internal, "{error}");
            }
        }
    }
}
