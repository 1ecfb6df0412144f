//! The other four kinds: what they give, and their faults as errors that name the plugin.

mod common;

use common::{interpreter, judge, runtime, scheduler, task};
use omni_record::ReasonKind;
use omni_runtime::{
    Comparison, LoopLimits, NoModel, Observation, Preference, Program, ProgramLimits, Setup,
    Status, StopKind, TaskInfo, Verdict,
};

fn program(source: &str) -> Program {
    Program {
        language: "hostile".into(),
        source: source.into(),
        stdin: "what it reads".into(),
        seed: 1,
        limits: None,
    }
}

#[test]
fn an_interpreter_reports_how_programs_end() {
    let runtime = runtime(1);
    let interpreter = interpreter(&runtime);
    assert_eq!(interpreter.languages().expect("languages"), ["hostile"]);
    let printed = interpreter.run(&program("print:abc")).expect("runs");
    assert_eq!((printed.status, printed.stdout.as_str()), (Status::Exited, "abc"));
    // The guest claims to have used all fuel there is; the host's own figure stands.
    assert!(printed.fuel > 0 && printed.fuel < 1_000_000);
    assert_eq!(interpreter.run(&program("read")).expect("runs").stdout, "what it reads");
    let raised = interpreter.run(&program("raise:ValueError")).expect("runs");
    assert_eq!(raised.status, Status::Raised("ValueError".into()));
    for (source, expected) in [
        ("loop", StopKind::Fuel),
        ("allocate", StopKind::Memory),
        ("recurse", StopKind::Trap),
        ("trap", StopKind::Trap),
    ] {
        let stopped = interpreter.run(&program(source)).expect(source);
        assert!(
            matches!(stopped.status, Status::Stopped { kind, .. } if kind == expected),
            "{source}: {:?}",
            stopped.status
        );
        let next = interpreter.run(&program("global")).expect("runs");
        assert_eq!(next.stdout, "x", "after {source}");
    }
}

#[test]
fn output_is_cut_to_what_is_allowed() {
    let runtime = runtime(1);
    let interpreter = interpreter(&runtime);
    let limits = ProgramLimits { fuel: 40_000_000, memory_bytes: 16 << 20, output_bytes: 1001 };
    for (characters, printed) in [(500, 1000), (501, 1000), (200_000, 0)] {
        let mut program = program(&format!("output:{characters}"));
        program.limits = Some(limits);
        let execution = interpreter.run(&program).expect("runs");
        assert_eq!(execution.stdout.len(), printed, "{characters}");
        let stopped = matches!(execution.status, Status::Stopped { kind: StopKind::Output, .. });
        assert_eq!(stopped, characters > 500, "{characters}");
    }
}

#[test]
fn a_program_learns_the_limits_it_really_has() {
    let runtime = runtime(1);
    let interpreter = interpreter(&runtime);
    let mut program = program("limits");
    program.limits =
        Some(ProgramLimits { fuel: u64::MAX, memory_bytes: 8 << 20, output_bytes: 77 });
    let told = interpreter.run(&program).expect("runs").stdout;
    assert_eq!(told, format!("{} {} 77", common::limits().fuel, 8 << 20));
}

#[test]
fn a_task_gives_items_and_its_faults_are_errors() {
    let runtime = runtime(1);
    let task = task(&runtime);
    let splits = task.splits("{}").expect("splits");
    assert_eq!(splits[0].name, "train");
    assert_eq!((splits[0].items, splits[1].items), (None, Some(4)));
    let items = task.items("{}", "train", 5, 3).expect("items");
    assert_eq!(items.len(), 3);
    assert_eq!(items[2].id, "train-7");
    assert_eq!(items[2].data["n"], 1);
    for (split, kind, message) in [
        ("loop", ReasonKind::Fuel, "fuel"),
        ("allocate", ReasonKind::Memory, "memory"),
        ("trap", ReasonKind::Trap, "unreachable"),
        ("too-many", ReasonKind::Contract, "4 items, 3 were asked for"),
        ("bad-data", ReasonKind::Contract, "not a JSON object"),
        ("nowhere", ReasonKind::Plugin, "invalid input: no split `nowhere`"),
    ] {
        let error = task.items("{}", split, 0, 3).expect_err(split);
        assert_eq!(error.reason.kind, kind, "{error}");
        assert!(error.to_string().starts_with("hostile/task 0.1.0, items: "), "{error}");
        assert!(error.reason.message.contains(message), "{error}");
        assert_eq!(task.items("{}", "train", 0, 1).expect("works again").len(), 1);
    }
}

#[test]
fn a_schedulers_state_is_bytes_that_the_host_keeps() {
    let runtime = runtime(1);
    let scheduler = scheduler(&runtime);
    let mut setup = Setup {
        tasks: vec![TaskInfo { name: "only".into(), items: Some(3), weight: 1.0 }],
        prompts_per_batch: 4,
        epochs: 1.0,
        evidence: None,
        config: "{}".into(),
        seed: 1,
    };
    let seen = Observation {
        task: "only".into(),
        prompts: 4,
        mean_reward: 0.5,
        mean_abs_advantage: 0.1,
        gradient_norm: 1.0,
        entropy: 2.0,
        accuracy: None,
    };
    let state = scheduler.start(&setup).expect("starts");
    assert_eq!(state, b"only");
    let decision = scheduler.next(&state, std::slice::from_ref(&seen)).expect("decides");
    assert_eq!(decision.state, b"only");
    assert_eq!((decision.batch[0].task.as_str(), decision.batch[0].prompts), ("only", 5));
    for (config, kind) in [("loop", ReasonKind::Fuel), ("trap", ReasonKind::Trap)] {
        setup.config = config.into();
        assert_eq!(scheduler.start(&setup).expect_err(config).reason.kind, kind);
        setup.config = format!("later:{config}");
        let state = scheduler.start(&setup).expect("starts");
        assert_eq!(scheduler.next(&state, &[]).expect_err(config).reason.kind, kind);
    }
}

#[test]
fn a_judge_decides_each_comparison() {
    let runtime = runtime(1);
    let judge = judge(&runtime);
    let comparisons: Vec<Comparison> = ["first", "trap", "tie", "second"]
        .map(|first| Comparison {
            conversation: vec![],
            first: first.into(),
            second: String::new(),
            rubric: None,
            judge: None,
        })
        .into();
    let verdicts = judge.decide("{}", &comparisons, 1, &NoModel, &LoopLimits::default());
    assert_eq!(verdicts.len(), 4);
    assert_eq!(verdicts[0], Ok(Verdict::Preferred(Preference::First)));
    assert_eq!(verdicts[1].as_ref().expect_err("trapped").kind, ReasonKind::Trap);
    assert_eq!(verdicts[2], Ok(Verdict::Preferred(Preference::Tie)));
    assert_eq!(verdicts[3], Ok(Verdict::Preferred(Preference::Second)));
}
