//! The run folder: written, torn, cut back, read.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop at the first surprise too")]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;

use omni_record::{
    Component, Estimate, EvalEvent, Event, Finish, Fuel, KeptOutput, Position, ReasonKind,
    RecordError, Rejection, RejectionEvent, RejectionTask, RejectionWriter, RunFolder, Sample,
    SampleOutput, StartEvent, StepEvent, SupervisedEvent, SupervisedTask, TaskEval, TaskStep,
    Undefined, VERSION, Value, read_rejections,
};

fn start() -> Event {
    Event::Start(StartEvent {
        version: VERSION,
        time: 1.5,
        tasks: vec!["math".into()],
        seed: 7,
        parameters: 10,
    })
}

fn step(step: u64) -> Event {
    let task = TaskStep {
        prompts: 4,
        reward_mean: Some(0.1 + 0.2),
        components: BTreeMap::from([("accuracy".into(), Some(0.25)), ("format".into(), None)]),
        pass_at_k: BTreeMap::from([(1, 0.25), (8, 0.75)]),
        undefined: BTreeMap::from([("fuel".into(), 3)]),
        ..TaskStep::default()
    };
    Event::Step(StepEvent {
        step,
        time: 2.0,
        tasks: BTreeMap::from([("math".into(), task)]),
        loss: -1e-17,
        seconds: BTreeMap::from([("generate".into(), 0.5)]),
        fuel: Fuel { reward: u64::MAX, programs: 1 },
        ..StepEvent::default()
    })
}

fn eval(step: u64) -> Event {
    let task = TaskEval {
        split: "validation".into(),
        sampled: Some(Estimate {
            mean: 0.5,
            standard_error: 0.01,
            items: 100,
            ..Estimate::default()
        }),
        pass_at_k: BTreeMap::from([(4, 0.9)]),
        ..TaskEval::default()
    };
    Event::Eval(EvalEvent {
        step,
        time: 3.0,
        purpose: "validation".into(),
        temperature: Some(1.0),
        tasks: BTreeMap::from([("math".into(), task)]),
        seconds: 1.0,
        ..EvalEvent::default()
    })
}

fn sample(step: u64) -> Sample {
    let undefined = Undefined { kind: ReasonKind::Judge, message: "no verdict".into() };
    Sample {
        step,
        purpose: "train".into(),
        task: "math".into(),
        item: "7".into(),
        turn: None,
        set: None,
        prompt: "2+2?".into(),
        reference: None,
        problem: None,
        seed: Some(3),
        outputs: vec![SampleOutput {
            text: "4\n".into(),
            tokens: 2,
            finish: Finish::Stop,
            reward: None,
            advantage: Some(0.0),
            components: vec![Component {
                name: "accuracy".into(),
                value: Value::Undefined(undefined),
            }],
        }],
    }
}

fn folder() -> (tempfile::TempDir, RunFolder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = RunFolder::new(dir.path().join("run"));
    (dir, folder)
}

#[test]
fn events_and_samples_read_back_as_written() {
    let (_dir, folder) = folder();
    let mut writer = folder.open(Position::default()).unwrap();
    let events = vec![start(), eval(0), step(1), step(2), eval(2)];
    for event in &events {
        writer.event(event).unwrap();
    }
    writer.sample(&sample(1)).unwrap();
    writer.sync().unwrap();
    assert_eq!(folder.events().unwrap(), events);
    assert_eq!(folder.samples().unwrap(), [sample(1)]);
}

#[test]
fn a_resumed_record_is_as_if_the_run_never_died() {
    let (_dir, folder) = folder();
    let mut writer = folder.open(Position::default()).unwrap();
    for event in [start(), step(1), step(2), eval(2)] {
        writer.event(&event).unwrap();
    }
    writer.sample(&sample(1)).unwrap();
    let at = writer.position();
    let whole: Vec<Vec<u8>> = files(&folder);
    for event in [step(3), eval(3), step(4)] {
        writer.event(&event).unwrap();
    }
    writer.sample(&sample(3)).unwrap();
    drop(writer);
    let mut torn = OpenOptions::new().append(true).open(folder.events_jsonl()).unwrap();
    torn.write_all(b"{\"event\":\"step\",\"ste").unwrap();

    assert_eq!(folder.events().unwrap().len(), 7, "the torn line is left out");
    drop(folder.open(at).unwrap());
    assert_eq!(files(&folder), whole);
    let beyond = Position { events: 5, ..at };
    assert!(matches!(folder.open(beyond), Err(RecordError::Missing { found: 4, expected: 5, .. })));
}

fn files(folder: &RunFolder) -> Vec<Vec<u8>> {
    [folder.events_jsonl(), folder.samples_jsonl(), folder.tensorboard()]
        .map(|p| fs::read(p).unwrap())
        .into()
}

#[test]
fn a_damaged_line_and_a_newer_version_are_named() {
    let (_dir, folder) = folder();
    folder.create().unwrap();
    fs::write(folder.events_jsonl(), "{\"event\":\"start\"}\n").unwrap();
    match folder.events() {
        Err(RecordError::Line { line: 1, path, .. }) => assert_eq!(path, folder.events_jsonl()),
        other => panic!("{other:?}"),
    }
    let newer =
        StartEvent { version: VERSION + 1, time: 0.0, tasks: vec![], seed: 0, parameters: 0 };
    let mut writer = folder.open(Position::default()).unwrap();
    writer.event(&Event::Start(newer)).unwrap();
    assert!(matches!(folder.events(), Err(RecordError::Version { .. })));
}

#[test]
fn only_whole_checkpoints_are_listed_in_order() {
    let (_dir, folder) = folder();
    folder.create().unwrap();
    assert_eq!(folder.checkpoint_steps().unwrap(), Vec::<u64>::new());
    for name in ["step-10", "step-9", ".step-11.aside", "best"] {
        fs::create_dir(folder.checkpoints().join(name)).unwrap();
    }
    assert_eq!(folder.checkpoint_steps().unwrap(), [9, 10]);
}

#[test]
fn a_full_disk_is_known_as_such() {
    // Linux's device that is always full.
    let full = std::path::Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let (_dir, folder) = folder();
    let mut writer = folder.open(Position::default()).unwrap();
    writer.event(&start()).unwrap();
    let at = writer.position();
    // The file that is written aside, before the records are replaced.
    std::os::unix::fs::symlink(full, folder.events_jsonl().with_extension("aside")).unwrap();
    let error = folder.open(at).unwrap_err();
    assert!(error.is_full_disk() && error.to_string().contains("events.jsonl"), "{error}");
    assert_eq!(folder.events().unwrap(), [start()], "what was there is still there");
}

#[test]
fn a_supervised_run_reads_back_and_old_runs_are_read_as_before() {
    let (_dir, folder) = folder();
    let task = SupervisedTask { examples: 3, tokens: 30, loss: 0.1 + 0.2 };
    let events = [
        start(),
        Event::Rejection(RejectionEvent {
            time: 1.0,
            samples: 16,
            keep: 4,
            tasks: BTreeMap::from([(
                "math".into(),
                RejectionTask { kept: 3, ..Default::default() },
            )]),
            ..RejectionEvent::default()
        }),
        Event::Supervised(SupervisedEvent {
            step: 1,
            loss: 0.3,
            epoch: 0.5,
            tasks: BTreeMap::from([("math".into(), task)]),
            ..SupervisedEvent::default()
        }),
    ];
    let mut writer = folder.open(Position::default()).unwrap();
    events.iter().for_each(|event| writer.event(event).unwrap());
    assert_eq!(folder.events().unwrap(), events);
    assert_eq!(events.map(|event| event.step()), [0, 0, 1]);
    let board = fs::read(folder.tensorboard()).unwrap();
    for tag in ["rejection/math/kept", "supervised/loss", "math/supervised_loss"] {
        assert!(board.windows(tag.len()).any(|w| w == tag.as_bytes()), "{tag}");
    }
}

#[test]
fn rejections_read_back_and_a_torn_line_is_cut_off() {
    let (_dir, folder) = folder();
    folder.create().unwrap();
    let path = folder.rejection_jsonl();
    let kept =
        KeptOutput { sample: 2, text: "a\n".into(), tokens: vec![1, 2], ..Default::default() };
    let line = |position, kept: &[KeptOutput]| Rejection {
        task: "math".into(),
        position,
        kept: kept.to_vec(),
        ..Rejection::default()
    };
    let (first, second) = (line(0, &[kept]), line(1, &[]));
    let read = || {
        let mut lines = Vec::new();
        read_rejections(&path, |line| lines.push(line)).unwrap();
        lines
    };
    assert_eq!(read(), []);
    RejectionWriter::open(&path).unwrap().append(&first).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&whole[..], &whole[..whole.len() - 1]].concat()).unwrap();
    assert_eq!(read(), std::slice::from_ref(&first));
    let mut writer = RejectionWriter::open(&path).unwrap();
    writer.append(&second).unwrap();
    writer.sync().unwrap();
    assert_eq!(read(), [first, second]);
}
