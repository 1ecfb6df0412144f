//! Loading the hostile guests, and small values to call them with.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::allow_attributes, reason = "whether the one above is needed differs by file")]

use std::path::PathBuf;
use std::sync::Arc;

use omni_record::{Component, Finish, GroupScore, Item, ReasonKind, Rollout, Value};
use omni_runtime::{
    Answer, ConfiguredJudge, Effects, GroupCall, InterpreterPlugin, JudgePlugin, Limits, Model,
    Plugin, PluginLabel, Question, RewardPlugin, Runtime, RuntimeConfig, SchedulerPlugin,
    TaskPlugin,
};

/// The bytes of one hostile guest.
pub fn wasm(name: &str) -> Vec<u8> {
    let folder = std::env::var_os("OMNI_TEST_PACKS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/packs-test"),
        PathBuf::from,
    );
    let path = folder.join("hostile").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|e| {
        panic!("{}: {e}; `cargo xtask test` builds the hostile guests", path.display())
    })
}

pub fn label(name: &str) -> PluginLabel {
    PluginLabel { pack: "hostile".into(), name: name.into(), version: "0.1.0".into() }
}

/// Small enough that faults come quickly.
pub fn limits() -> Limits {
    Limits { fuel: 50_000_000, memory_bytes: 32 << 20, ..Limits::default() }
}

pub fn runtime(workers: usize) -> Runtime {
    let mut config = RuntimeConfig::default();
    config.workers = workers;
    Runtime::new(config).expect("the engine starts")
}

pub fn reward(runtime: &Runtime) -> RewardPlugin {
    match runtime.load(&wasm("reward"), label("reward"), limits()) {
        Ok(Plugin::Reward(reward)) => reward,
        other => panic!("not a reward: {other:?}"),
    }
}

pub fn interpreter(runtime: &Runtime) -> InterpreterPlugin {
    match runtime.load(&wasm("interpreter"), label("interpreter"), limits()) {
        Ok(Plugin::Interpreter(interpreter)) => interpreter,
        other => panic!("not an interpreter: {other:?}"),
    }
}

pub fn judge(runtime: &Runtime) -> JudgePlugin {
    match runtime.load(&wasm("judge"), label("judge"), limits()) {
        Ok(Plugin::Judge(judge)) => judge,
        other => panic!("not a judge: {other:?}"),
    }
}

pub fn task(runtime: &Runtime) -> TaskPlugin {
    match runtime.load(&wasm("task"), label("task"), limits()) {
        Ok(Plugin::Task(task)) => task,
        other => panic!("not a task: {other:?}"),
    }
}

pub fn scheduler(runtime: &Runtime) -> SchedulerPlugin {
    match runtime.load(&wasm("scheduler"), label("scheduler"), limits()) {
        Ok(Plugin::Scheduler(scheduler)) => scheduler,
        other => panic!("not a scheduler: {other:?}"),
    }
}

pub fn item() -> Item {
    Item { id: "item-1".into(), messages: vec![], reference: None, data: serde_json::json!({}) }
}

pub fn rollouts(texts: &[&str]) -> Vec<Rollout> {
    texts.iter().map(|t| Rollout { text: (*t).into(), tokens: 1, finish: Finish::Stop }).collect()
}

pub fn score(reward: &RewardPlugin, texts: &[&str], effects: &Effects) -> GroupScore {
    score_with(reward, "{}", texts, effects, false)
}

pub fn score_with(
    reward: &RewardPlugin,
    config: &str,
    texts: &[&str],
    effects: &Effects,
    relative: bool,
) -> GroupScore {
    let rollouts = rollouts(texts);
    let item = item();
    let group =
        GroupCall { task: "hostile", config, item: &item, rollouts: &rollouts, seed: 3, relative };
    reward.score(&group, effects)
}

/// The first component's score.
pub fn first(components: &[Component]) -> f64 {
    match &components[0].value {
        Value::Scored(score) => *score,
        Value::Undefined(why) => panic!("undefined: {why:?}"),
    }
}

/// Why the first component is undefined.
pub fn why(components: &[Component]) -> (ReasonKind, String) {
    match &components[0].value {
        Value::Undefined(why) => (why.kind, why.message.clone()),
        Value::Scored(score) => panic!("scored {score}"),
    }
}

/// Interpreter and judge of the hostile pack, and a model that answers with its question.
pub fn effects(runtime: &Runtime) -> Effects {
    let mut effects = Effects::default();
    effects.interpreters.insert("hostile".into(), interpreter(runtime));
    effects.judge = Some(ConfiguredJudge { plugin: judge(runtime), config: "{}".into() });
    effects.model = Arc::new(Echo);
    effects
}

/// Answers each question with its own text; fails those that say so.
pub struct Echo;

impl Model for Echo {
    fn answer(&self, questions: &[Question]) -> Vec<Answer> {
        questions
            .iter()
            .map(|q| match q.messages[0].content.as_str() {
                "fail" => Answer::Failed("the endpoint said 500".into()),
                text => Answer::Text(text.into()),
            })
            .collect()
    }
}
