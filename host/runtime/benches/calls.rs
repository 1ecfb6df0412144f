//! What the host adds to a plugin's own work: calls in fresh instances, programs, warm loading.

#![expect(clippy::print_stderr, reason = "a bench says what it skips")]

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{Criterion, criterion_group, criterion_main};
use omni_record::{Finish, Item, Rollout};
use omni_runtime::{
    Effects, GroupCall, InterpreterPlugin, Limits, Plugin, PluginLabel, Program, RewardPlugin,
    Runtime, RuntimeConfig,
};

fn wasm(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/packs-test/hostile")
        .join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|e| {
        panic!("{}: {e}; `cargo xtask test` builds the hostile guests", path.display())
    })
}

/// The components of the packs that `cargo xtask build` made.
fn first_party() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/packs");
    let mut found = Vec::new();
    for pack in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(pack.path()).into_iter().flatten().flatten() {
            if file.path().extension().is_some_and(|e| e == "wasm") {
                found.push(file.path());
            }
        }
    }
    found.sort();
    found
}

fn load(runtime: &Runtime, name: &str) -> Plugin {
    let label = PluginLabel { pack: "hostile".into(), name: name.into(), version: "0.1.0".into() };
    runtime.load(&wasm(name), label, Limits::default()).expect("it loads")
}

fn reward(runtime: &Runtime) -> RewardPlugin {
    match load(runtime, "reward") {
        Plugin::Reward(reward) => reward,
        other => panic!("not a reward: {other:?}"),
    }
}

fn interpreter(runtime: &Runtime) -> InterpreterPlugin {
    match load(runtime, "interpreter") {
        Plugin::Interpreter(interpreter) => interpreter,
        other => panic!("not an interpreter: {other:?}"),
    }
}

fn calls(criterion: &mut Criterion) {
    let runtime = Runtime::new(RuntimeConfig::default()).expect("the engine starts");
    let reward = reward(&runtime);
    let effects = Effects::default();
    let item = Item {
        id: "item".into(),
        messages: vec![],
        reference: Some("42".into()),
        data: serde_json::json!({}),
    };
    // "ok" and then what a policy might have written; the reward looks at the first word alone.
    let text = format!("ok:{}", "and so on ".repeat(200));
    let rollouts: Vec<Rollout> = (0..16)
        .map(|_| Rollout { text: text[..2000].into(), tokens: 500, finish: Finish::Stop })
        .collect();
    let group = GroupCall {
        task: "bench",
        config: "{}",
        item: &item,
        rollouts: &rollouts,
        seed: 1,
        relative: false,
    };
    let fuel = reward.score(&group, &effects).fuel.reward;
    eprintln!("a call with 16 texts burns {fuel} fuel: the reward's own work in it");
    criterion.bench_function("reward call, 16 texts of 2 kB", |b| {
        b.iter(|| reward.score(black_box(&group), &effects));
    });
    let one = GroupCall { rollouts: &rollouts[..1], ..group };
    criterion.bench_function("reward call, 1 text of 2 kB", |b| {
        b.iter(|| reward.score(black_box(&one), &effects));
    });
    let interpreter = interpreter(&runtime);
    let program = Program {
        language: "hostile".into(),
        source: "print:hello".into(),
        stdin: String::new(),
        seed: 0,
        limits: None,
    };
    criterion.bench_function("program that prints", |b| {
        b.iter(|| interpreter.run(black_box(&program)).expect("it runs"));
    });
}

fn loading(criterion: &mut Criterion) {
    let cache = tempfile::tempdir().expect("a folder");
    let mut config = RuntimeConfig::default();
    config.cache_dir = Some(cache.path().to_owned());
    let runtime = Runtime::new(config).expect("the engine starts");
    let names = ["task", "reward", "judge", "interpreter", "scheduler"];
    for name in names {
        load(&runtime, name);
    }
    criterion.bench_function("load five small plugins, warm", |b| {
        b.iter(|| names.map(|name| load(&runtime, name)));
    });
    let packs = first_party();
    let load_all = || -> Vec<Plugin> {
        let load = |path: &PathBuf| {
            let wasm = std::fs::read(path).expect("readable");
            let name = path.display().to_string();
            let label = PluginLabel { pack: "bench".into(), name, version: "0".into() };
            runtime.load(&wasm, label, Limits::default()).expect("it loads")
        };
        packs.iter().map(load).collect()
    };
    if packs.is_empty() {
        eprintln!("no packs in target/packs; `cargo xtask build` makes them");
    } else {
        load_all();
        criterion.bench_function("load all first-party packs, warm", |b| b.iter(load_all));
    }
    criterion.bench_function("start a runtime", |b| {
        b.iter(|| Runtime::new(RuntimeConfig::default()).expect("the engine starts"));
    });
}

criterion_group!(benches, calls, loading);
criterion_main!(benches);
