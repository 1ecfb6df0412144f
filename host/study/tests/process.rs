//! Steps as processes: what a command is given, how its end is told, and what a process that was
//! left behind holds up. The program is a shell script.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;

use omni_study::{Cost, Ended, Outcome, Place, Processes, Runner as _, Step, StepKind, Word};

struct World {
    folder: tempfile::TempDir,
    stops: AtomicU32,
    waited: Cell<u32>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, stops: AtomicU32::new(0), waited: Cell::new(0) }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a step with this script until it has ended; `meanwhile` is asked between looks.
    fn run(
        &self,
        script: &str,
        step: &Step,
        mut meanwhile: impl FnMut(&mut Processes<'_>, &mut omni_study::Job),
    ) -> Ended {
        // Read by the shell, not executed: a file that was just written may still be open elsewhere.
        let file = self.root().join("script");
        fs::write(&file, script).unwrap();
        fs::create_dir_all(self.root().join(&step.id)).unwrap();
        let waits = |_: &Step| self.waited.set(self.waited.get() + 1);
        let mut processes = Processes {
            root: self.root().to_owned(),
            program: "/bin/sh".into(),
            options: vec![file.display().to_string(), "--plugins".into(), "packs".into()],
            threads: 3,
            base: PathBuf::from("/models/base"),
            stops: &self.stops,
            check: &|_, folder| folder.join("wrong").exists().then(|| "a pack changed".to_owned()),
            waits: &waits,
        };
        let mut job = processes.start(step).unwrap();
        loop {
            if let Some(ended) = processes.poll(&mut job).unwrap() {
                return ended;
            }
            meanwhile(&mut processes, &mut job);
            processes.wait();
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.root().join("a/run/log.txt")).unwrap()
    }
}

fn step(kind: StepKind) -> Step {
    let path = |before: &str, place| Word::Path { before: before.into(), place };
    Step {
        id: "a/run".into(),
        kind,
        command: vec![
            Word::Plain(kind.as_str().into()),
            path("", Place::Folder("run.toml".into())),
            path("--policy=", Place::Base),
            path("from=", Place::Last("b/run".into())),
            path("best=", Place::Best("b/run".into())),
        ],
        after: Vec::new(),
        evidence: false,
        cost: Cost::default(),
    }
}

fn checkpoints(world: &World) {
    let folder = world.root().join("b/run/checkpoints");
    for number in [2, 10] {
        fs::create_dir_all(folder.join(format!("step-{number}"))).unwrap();
    }
    fs::write(folder.join("best.json"), "{\"step\": 2, \"accuracy\": 0.5}").unwrap();
}

#[test]
fn a_command_is_given_its_threads_and_its_predecessors_checkpoints() {
    let world = World::new();
    checkpoints(&world);
    let ended = world.run("echo \"$@\"", &step(StepKind::Eval), |_, _| {});
    assert_eq!(ended.outcome, Outcome::Done);
    let (log, root) = (world.log(), world.root().display());
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(
        lines[0],
        "$ omni-host eval run.toml --policy=BASE from=b/run/checkpoints/LAST \
         best=b/run/checkpoints/BEST"
    );
    assert_eq!(
        lines[1],
        format!(
            "--plugins packs --threads 3 eval {root}/run.toml --policy=/models/base \
             from={root}/b/run/checkpoints/step-10 best={root}/b/run/checkpoints/step-2"
        )
    );
}

#[test]
fn a_run_is_gone_on_with_and_an_evaluation_is_made_anew() {
    let world = World::new();
    checkpoints(&world);
    let folder = world.root().join("a/run");
    fs::create_dir_all(folder.join("half")).unwrap();
    fs::write(folder.join("run.toml"), "").unwrap();
    world.run("echo \"$@\"", &step(StepKind::Train), |_, _| {});
    assert!(world.log().trim_end().ends_with("--resume"), "{}", world.log());
    assert!(folder.join("half").exists());
    world.run("true", &step(StepKind::Eval), |_, _| {});
    assert!(!folder.join("half").exists() && !folder.join("run.toml").exists());
    assert_eq!(world.log().matches("$ omni-host").count(), 2, "the log goes on");
}

#[test]
fn a_failure_is_told_with_the_last_words_of_its_own_attempt() {
    let world = World::new();
    checkpoints(&world);
    world.run("echo old words; exit 1", &step(StepKind::Eval), |_, _| {});
    let ended = world.run(
        "echo out; echo 'error: disk full' >&2; exit 3",
        &step(StepKind::Eval),
        |_, _| {},
    );
    let Outcome::Failed(message) = ended.outcome else { panic!("{ended:?}") };
    assert_eq!(message, "ended with 3; its log is a/run/log.txt\n  out\n  error: disk full");
    let ended = world.run("kill -9 $$", &step(StepKind::Eval), |_, _| {});
    assert!(matches!(ended.outcome, Outcome::Failed(message) if message.contains("was killed")));
    // What went well may still not be what the study is made of.
    fs::write(world.root().join("a/run/run.toml"), "").unwrap();
    let script = "touch \"$(dirname \"$0\")/a/run/wrong\"";
    let ended = world.run(script, &step(StepKind::Train), |_, _| {});
    assert_eq!(ended.outcome, Outcome::Failed("a pack changed".into()));
}

#[test]
fn a_run_that_is_interrupted_is_not_done_though_it_ends_well() {
    let world = World::new();
    checkpoints(&world);
    let ready = world.root().join("ready");
    // Not a shell's trap: where a signal is ignored from the start, as in a background job, a shell
    // cannot trap it.
    let script = format!(
        "exec python3 -c \"\n\
         import pathlib, signal, sys, time\n\
         def stop(*_):\n    print('interrupted after step 1')\n    sys.exit(0)\n\
         signal.signal(signal.SIGINT, stop)\n\
         pathlib.Path('{}').touch()\n\
         while True: time.sleep(0.05)\n\"",
        ready.display()
    );
    let mut asked = false;
    let ended = world.run(&script, &step(StepKind::Train), |processes, job| {
        if !asked && ready.exists() {
            asked = true;
            processes.interrupt(job);
        }
    });
    assert_eq!(ended.outcome, Outcome::Interrupted);
    assert!(ended.seconds > 0.0);
    // The next attempt's log does not say so any more.
    let ended = world.run("echo done", &step(StepKind::Train), |_, _| {});
    assert_eq!(ended.outcome, Outcome::Done);
}

#[test]
fn a_step_waits_for_the_process_that_holds_its_lock() {
    let world = World::new();
    checkpoints(&world);
    let folder = world.root().join("a/run");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join(".busy")).unwrap();
    lock.lock().unwrap();
    let mut held = Some(lock);
    let mut looks = 0;
    let ended = world.run("echo begun", &step(StepKind::Eval), |_, _| {
        looks += 1;
        if looks == 3 {
            assert!(!folder.join("log.txt").exists(), "nothing begins before");
            held = None;
        }
    });
    assert_eq!(ended.outcome, Outcome::Done);
    assert_eq!(world.waited.get(), 1);
    assert!(looks >= 3);
}

#[test]
fn the_lock_lives_as_long_as_the_command_and_not_longer() {
    let world = World::new();
    checkpoints(&world);
    let (ready, go) = (world.root().join("ready"), world.root().join("go"));
    let script =
        format!("touch {}\nwhile [ ! -e {} ]; do sleep 0.05; done", ready.display(), go.display());
    let file = world.root().join("a/run/.busy");
    let mut held = None;
    world.run(&script, &step(StepKind::Eval), |_, _| {
        if ready.exists() && held.is_none() {
            // The study itself holds nothing by now: the command's standard input does.
            held = Some(File::open(&file).unwrap().try_lock().is_err());
            fs::write(&go, "").unwrap();
        }
    });
    assert_eq!(held, Some(true));
    assert!(File::open(&file).unwrap().try_lock().is_ok());
}
