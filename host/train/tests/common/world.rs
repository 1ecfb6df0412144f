//! Problems, rewards and schedules for runs in a test, and a run made of them.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use omni_policy::{BpeConfig, Policy, Tokenizer};
use omni_record::{
    Component, Event, Finish, Fuel, GroupScore, Item, Message, ReasonKind, Role, Rollout,
    RunFolder, Undefined, Value,
};
use omni_train::outside::{
    Decision, Observation, OutsideError, Problems, Progress, Report, ScheduleSetup, Scheduler,
    Scorer, Share, Split,
};
use omni_train::reward::{ComponentSpec, RewardSpec};
use omni_train::{RunConfig, Summary, TaskSpec, TrainError, Training, train};

use super::bigram::Bigram;

pub const ITEMS: u32 = 24;

pub struct World {
    pub tokenizer: Tokenizer,
    /// Scores that are undefined: (task, from which output on).
    pub undefined_from: Option<(usize, usize)>,
    /// Whose fault that is.
    pub undefined_kind: ReasonKind,
    /// (task, item) of every group scored, in no fixed order.
    pub scored: Mutex<Vec<(usize, String, usize)>>,
}

impl World {
    pub fn new() -> Self {
        let texts = ["say some letters", "be short and stop", "letters letters short short"];
        let config = BpeConfig { vocab_size: 280, ..BpeConfig::default() };
        Self {
            tokenizer: Tokenizer::train_bpe(texts.into_iter(), &config).unwrap(),
            undefined_from: None,
            undefined_kind: ReasonKind::Fuel,
            scored: Mutex::default(),
        }
    }

    pub fn policy(&self) -> Bigram {
        Bigram::new(self.tokenizer.vocab_size(), self.tokenizer.eos_ids()[0])
    }

    /// Items of a task that were trained on, in the order of their steps being unknown.
    pub fn taken(&self, task: usize) -> Vec<String> {
        let mut items: Vec<String> = self
            .scored
            .lock()
            .unwrap()
            .iter()
            .filter(|s| s.0 == task)
            .map(|s| s.1.clone())
            .collect();
        items.sort();
        items
    }
}

impl Problems for World {
    fn splits(&self, _: usize) -> Result<Vec<Split>, OutsideError> {
        Ok([
            ("train", Some(ITEMS)),
            ("validation", Some(10)),
            ("test", Some(12)),
            ("endless", None),
        ]
        .map(|(name, items)| Split { name: name.into(), items })
        .into())
    }

    fn items(
        &self,
        task: usize,
        split: &str,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Item>, OutsideError> {
        let item = |i: u32| Item {
            id: format!("{split}-{i}"),
            messages: vec![Message {
                role: Role::User,
                content: format!(
                    "{} {i}{}",
                    ["say some letters", "be short"][task % 2],
                    " long".repeat(if i % 6 == 5 { 12 } else { 0 })
                ),
            }],
            reference: Some("abc".into()),
            data: serde_json::json!({ "demonstration": (["letters", "s"][task % 2]) }),
        };
        Ok((offset..offset + limit).map(item).collect())
    }
}

impl Scorer for World {
    /// Task 0 likes lower-case letters, task 1 likes few tokens; both have a component `ended`.
    fn score(&self, task: usize, item: &Item, rollouts: &[Rollout], _: u32) -> GroupScore {
        self.scored.lock().unwrap().push((task, item.id.clone(), rollouts.len()));
        let component =
            |name: &str, value: f64| Component { name: name.into(), value: Value::Scored(value) };
        let score = |(i, r): (usize, &Rollout)| {
            let letters = r.text.chars().filter(char::is_ascii_lowercase).count() as f64;
            let value = match task {
                0 => letters / r.text.chars().count().max(1) as f64,
                _ => 1.0 / f64::from(r.tokens),
            };
            let mut accuracy = component("accuracy", value);
            if self.undefined_from.is_some_and(|(t, from)| t == task && i >= from) {
                accuracy.value = Value::Undefined(Undefined {
                    kind: self.undefined_kind,
                    message: "out of fuel".into(),
                });
            }
            vec![accuracy, component("ended", f64::from(u8::from(r.finish == Finish::Stop)))]
        };
        GroupScore {
            rollouts: rollouts.iter().enumerate().map(score).collect(),
            fuel: Fuel { reward: 10, programs: 1 },
            reproducible: true,
        }
    }
}

/// `pure`: one task until its epochs are used up, then the next; else tasks in turn, prompt by
/// prompt. Its state is what is left of each task.
pub struct Turns {
    pub pure: bool,
    /// Asks for gradient norms by task.
    pub gradients: bool,
    pub seen: RefCell<Vec<Observation>>,
}

impl Turns {
    pub fn new(pure: bool) -> Self {
        Self { pure, gradients: false, seen: RefCell::default() }
    }
}

impl Scheduler for Turns {
    fn start(&mut self, setup: &ScheduleSetup) -> Result<Vec<u8>, OutsideError> {
        let left: Vec<(String, u32)> = setup
            .tasks
            .iter()
            .map(|t| {
                (t.name.clone(), (f64::from(t.items.unwrap_or(1 << 20)) * setup.epochs) as u32)
            })
            .collect();
        Ok(serde_json::to_vec(&(setup.prompts_per_batch, left))?)
    }

    fn next(
        &mut self,
        state: &[u8],
        observations: &[Observation],
    ) -> Result<Decision, OutsideError> {
        self.seen.borrow_mut().extend_from_slice(observations);
        let (batch, mut left): (u32, Vec<(String, u32)>) = serde_json::from_slice(state)?;
        let mut shares: Vec<Share> =
            left.iter().map(|t| Share { task: t.0.clone(), prompts: 0 }).collect();
        let mut room = batch;
        while room > 0 && left.iter().any(|t| t.1 > 0) {
            for (share, task) in shares.iter_mut().zip(&mut left).filter(|(_, t)| t.1 > 0) {
                let take = if self.pure { room.min(task.1) } else { room.min(1) };
                (share.prompts, task.1, room) = (share.prompts + take, task.1 - take, room - take);
                if self.pure {
                    room = 0;
                }
            }
        }
        shares.retain(|s| s.prompts > 0);
        Ok(Decision { state: serde_json::to_vec(&(batch, left))?, batch: shares })
    }

    fn wants_task_gradients(&self) -> bool {
        self.gradients
    }
}

/// Sets the stop flag at a step, or at the first evaluation after a step.
pub struct StopAt<'a> {
    pub step: u64,
    pub stop: &'a AtomicBool,
    pub notices: RefCell<Vec<String>>,
}

impl Progress for StopAt<'_> {
    fn report(&self, report: Report<'_>) {
        if matches!(report, Report::Step(e) if e.step == self.step) {
            self.stop.store(true, Ordering::Relaxed);
        }
        if let Report::Notice(notice) = report {
            self.notices.borrow_mut().push(notice.to_owned());
        }
    }
}

pub const BASE: &str = r#"
seed = 3
[policy]
model = "unused"
[optimizer]
lr = 0.05
warmup_steps = 2
[rollout]
prompts_per_batch = 4
group_size = 6
max_completion_tokens = 6
max_prompt_tokens = 200
scoring_threads = 2
[eval]
every = 4
items = 6
samples = 2
[eval.final]
items = 8
samples = 2
[checkpoint]
every = 2
keep = 2
[[task]]
use = "letters"
[[task]]
use = "short"
"#;

pub fn config(overrides: &[&str]) -> RunConfig {
    let overrides: Vec<String> = overrides.iter().map(|o| (*o).to_owned()).collect();
    RunConfig::from_text(BASE, Path::new("RUN.toml"), &overrides).unwrap()
}

pub fn specs(config: &RunConfig) -> Vec<TaskSpec> {
    config
        .task
        .iter()
        .enumerate()
        .map(|(i, task)| {
            let spec = |name: &str, weight, primary| ComponentSpec {
                name: name.into(),
                weight,
                primary,
                required: None,
            };
            let components = vec![spec("accuracy", 1.0, true), spec("ended", 0.1, false)];
            TaskSpec {
                name: task.label().into(),
                reward: RewardSpec::resolve(components, None, i, task).unwrap(),
            }
        })
        .collect()
}

/// A run in `folder`; how its parts differ from the usual is set before.
pub struct Session<'a, P = Bigram> {
    pub world: &'a World,
    pub policy: P,
    pub pure: bool,
    pub gradients: bool,
    pub stop_at: u64,
    pub resume: bool,
    pub references: u32,
    /// What the run told people.
    pub notices: String,
}

impl<'a> Session<'a> {
    pub fn new(world: &'a World) -> Self {
        Self::with(world, world.policy())
    }
}

impl<'a, P: Policy> Session<'a, P> {
    pub fn with(world: &'a World, policy: P) -> Self {
        Self {
            world,
            policy,
            pure: false,
            gradients: false,
            stop_at: u64::MAX,
            resume: false,
            references: 0,
            notices: String::new(),
        }
    }

    pub fn run(&mut self, config: &RunConfig, folder: &Path) -> Result<Summary, TrainError> {
        let stop = AtomicBool::new(false);
        let progress = StopAt { step: self.stop_at, stop: &stop, notices: RefCell::default() };
        let (world, references) = (self.world, &mut self.references);
        let summary = train(Training {
            config,
            tasks: &specs(config),
            policy: &mut self.policy,
            reference: &mut || {
                *references += 1;
                Ok(Box::new(world.policy()) as Box<dyn Policy>)
            },
            tokenizer: &world.tokenizer,
            problems: world,
            scorer: world,
            scheduler: &mut Turns { gradients: self.gradients, ..Turns::new(self.pure) },
            evidence: None,
            progress: &progress,
            stop: &stop,
            folder: &RunFolder::new(folder),
            resume: self.resume,
        });
        self.notices = progress.notices.into_inner().join("\n");
        summary
    }
}

/// Everything of a checkpoint that a run goes on from.
pub fn checkpoint(folder: &Path, step: u64) -> Vec<Vec<u8>> {
    let path: PathBuf = folder.join(format!("checkpoints/step-{step}"));
    ["model.safetensors", "optimizer.safetensors", "state.json"]
        .map(|f| std::fs::read(path.join(f)).unwrap())
        .into()
}

/// The events without what the clock says.
pub fn events(folder: &Path) -> Vec<Event> {
    let mut events = RunFolder::new(folder).events().unwrap();
    for event in &mut events {
        match event {
            Event::Start(e) => e.time = 0.0,
            Event::Step(e) => {
                e.time = 0.0;
                e.seconds.values_mut().for_each(|s| *s = 0.0);
            }
            Event::Eval(e) => (e.time, e.seconds) = (0.0, 0.0),
            _ => {}
        }
    }
    events
}
