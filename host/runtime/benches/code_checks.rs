//! Checks of programs in the sandbox, against the same programs and tests in a bare `python3 -I -S`
//! without one. HumanEval's canonical solutions where they lie beside the repository, else twenty
//! programs of our own.
//!
//! Each program is checked once, in turn, and the median of those times is printed; then all on as
//! many threads as there are cores, for the rate. The components come from `target/packs`.

#![expect(clippy::print_stderr, reason = "a bench says what it measured")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use omni_record::{Finish, Item, Rollout, Value};
use omni_runtime::{
    Effects, GroupCall, InterpreterPlugin, Limits, LoopLimits, Plugin, PluginLabel, ProgramLimits,
    RewardPlugin, Runtime, RuntimeConfig,
};

/// A program that is right, and what shows it.
struct Problem {
    id: String,
    program: String,
    test: String,
    entry_point: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn human_eval(file: &Path) -> Option<Vec<Problem>> {
    let text = std::fs::read_to_string(file).ok()?;
    let problem = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| row[key].as_str().map(str::to_owned);
        Some(Problem {
            id: text("task_id")?,
            program: text("prompt")? + &text("canonical_solution")?,
            test: text("test")?,
            entry_point: text("entry_point")?,
        })
    };
    text.lines().map(problem).collect()
}

/// Functions in one line, with an argument and what it gives.
const OWN: [(&str, &str, &str); 20] = [
    ("return sum(x)", "[1, 2, 3]", "6"),
    ("return sorted(x, reverse=True)", "[2, 3, 1]", "[3, 2, 1]"),
    ("return x[::-1]", "'abc'", "'cba'"),
    ("return {c: x.count(c) for c in x}", "'aab'", "{'a': 2, 'b': 1}"),
    (
        "return [i for i in range(2, x) if all(i % j for j in range(2, i))]",
        "12",
        "[2, 3, 5, 7, 11]",
    ),
    ("import math\n    return math.gcd(*x)", "(12, 18)", "6"),
    ("return ' '.join(w.capitalize() for w in x.split())", "'a bc'", "'A Bc'"),
    ("return x if x < 2 else f(x - 1) + f(x - 2)", "12", "144"),
    ("import re\n    return re.findall(r'[0-9]+', x)", "'a1b22'", "['1', '22']"),
    ("return bin(x)[2:]", "10", "'1010'"),
    ("return max(x, key=len)", "['a', 'bcd', 'ef']", "'bcd'"),
    (
        "from collections import Counter\n    return Counter(x).most_common(1)[0][0]",
        "'abca'",
        "'a'",
    ),
    ("return list(zip(*x))", "[[1, 2], [3, 4]]", "[(1, 3), (2, 4)]"),
    ("return x == x[::-1]", "'abba'", "True"),
    ("import heapq\n    return heapq.nsmallest(2, x)", "[5, 1, 4]", "[1, 4]"),
    ("return set(x) & {1, 2}", "[1, 3]", "{1}"),
    ("return sum(int(d) for d in str(x))", "1234", "10"),
    ("import itertools\n    return list(itertools.accumulate(x))", "[1, 2, 3]", "[1, 3, 6]"),
    ("return round(x / 7, 3)", "22", "3.143"),
    ("return None if not x else x[0]", "[]", "None"),
];

fn own() -> Vec<Problem> {
    let problem = |(at, (body, argument, value)): (usize, &(&str, &str, &str))| Problem {
        id: format!("own/{at}"),
        program: format!("def f(x):\n    {body}\n"),
        test: format!("def check(candidate):\n    assert candidate({argument}) == {value}\n"),
        entry_point: "f".to_owned(),
    };
    OWN.iter().enumerate().map(problem).collect()
}

/// The two plugins that a check takes.
struct Sandbox {
    reward: RewardPlugin,
    effects: Effects,
}

impl Sandbox {
    fn new() -> Option<Self> {
        let mut config = RuntimeConfig::default();
        config.cache_dir = Some(root().join("target/bench-cache"));
        let runtime = Runtime::new(config).expect("the engine starts");
        let load = |pack: &str, limits: Limits| {
            let file = root().join(format!("target/packs/{pack}/{pack}.wasm"));
            let wasm = std::fs::read(file).ok()?;
            let label = PluginLabel { pack: pack.into(), name: pack.into(), version: "0".into() };
            Some(runtime.load(&wasm, label, limits).expect("it loads"))
        };
        let wide = Limits { fuel: 100_000_000_000, memory_bytes: 512 << 20, ..Limits::default() };
        let (Plugin::Reward(reward), Plugin::Interpreter(python)) =
            (load("code", Limits::default())?, load("python", wide)?)
        else {
            return None;
        };
        let program =
            ProgramLimits { fuel: 100_000_000_000, memory_bytes: 256 << 20, output_bytes: 1 << 20 };
        let interpreters: HashMap<String, InterpreterPlugin> = [("python".into(), python)].into();
        let limits = LoopLimits { program, ..LoopLimits::default() };
        Some(Self { reward, effects: Effects { interpreters, limits, ..Effects::default() } })
    }

    fn check(&self, problem: &Problem) -> bool {
        let item = Item {
            id: problem.id.clone(),
            messages: vec![],
            reference: None,
            data: serde_json::json!({
                "functional": problem.test, "entry_point": problem.entry_point,
            }),
        };
        let text = format!("<answer>\n{}\n</answer>", problem.program);
        let rollouts = [Rollout { text, tokens: 1, finish: Finish::Stop }];
        let group = GroupCall {
            task: "bench",
            config: "{}",
            item: &item,
            rollouts: &rollouts,
            seed: 1,
            relative: false,
        };
        let score = self.reward.score(&group, &self.effects);
        score.rollouts[0].iter().any(|component| {
            component.name == "accuracy" && matches!(component.value, Value::Scored(1.0))
        })
    }
}

/// The interpreter itself, where `python3` is a script that looks for it.
fn python3() -> PathBuf {
    let ran = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let path = ran.map(|ran| String::from_utf8_lossy(&ran.stdout).trim().to_owned());
    PathBuf::from(path.ok().filter(|it| !it.is_empty()).unwrap_or_else(|| "python3".to_owned()))
}

/// The peer: no sandbox, no limits, no other instance.
fn bare(python: &Path, problem: &Problem) -> bool {
    let Problem { program, test, entry_point, .. } = problem;
    let mut child = Command::new(python);
    child.args(["-I", "-S", "-c"]).arg(format!("{program}\n{test}\ncheck({entry_point})\n"));
    let ran = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    ran.is_ok_and(|status| status.success())
}

/// The median of one check, and checks a second on all cores.
fn measured(problems: &[Problem], check: &(dyn Fn(&Problem) -> bool + Sync)) -> (Duration, f64) {
    let mut times = Vec::new();
    for problem in problems {
        let start = Instant::now();
        let right = check(problem);
        times.push(start.elapsed());
        assert!(right, "{} does not pass", problem.id);
    }
    times.sort_unstable();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(problem) = problems.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(problem);
                }
            });
        }
    });
    (times[times.len() / 2], problems.len() as f64 / start.elapsed().as_secs_f64())
}

fn code_checks(criterion: &mut Criterion) {
    let Some(sandbox) = Sandbox::new() else {
        eprintln!("no packs in target/packs; `cargo xtask build` makes them");
        return;
    };
    let (name, problems) = match human_eval(&root().join("../shared/data/code/humaneval.jsonl")) {
        Some(problems) => ("HumanEval's canonical solutions", problems),
        None => ("programs of our own", own()),
    };
    let python = python3();
    // Once for what is loaded at first use.
    sandbox.check(&problems[0]);
    let (ours, our_rate) = measured(&problems, &|problem| sandbox.check(problem));
    let (theirs, their_rate) = measured(&problems, &|problem| bare(&python, problem));
    eprintln!(
        "{} {name}: sandboxed median {ours:.2?}, {our_rate:.0}/s; bare python3 -I -S median \
         {theirs:.2?}, {their_rate:.0}/s; ratio of the rates {:.2}",
        problems.len(),
        our_rate / their_rate
    );
    let first = &problems[0];
    criterion.bench_function(&format!("check {}", first.id), |b| b.iter(|| sandbox.check(first)));
    criterion.bench_function(&format!("bare python3 on {}", first.id), |b| {
        b.iter(|| bare(&python, first))
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = code_checks
}
criterion_main!(benches);
