//! A toy world that schedules are compared in; `docs/schedules.md` holds what it says.
//!
//!     cargo run --release -p omni-adaptive --example toy
//!
//! With `a_i` the log accuracy of task i, `c_i` its ceiling and `n_j` the prompts of a step,
//!
//! ```text
//! Δa_i = n_i / N_i · x_i · max(c_i − a_i, 0)  +  Σ_{j≠i} n_j / N_j · b_ij
//! ```
//!
//! is what tasks learn from themselves, saturating, and what the others do to them: `b` constant, or
//! fading as task j closes its own gap. Rewards and accuracies are observed with noise. All schedules
//! see the same prompts. It is the model that `adaptive` is derived from, so it says what the rule
//! can gain at best, not what it does for real policies.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an experiment, not a plugin")]

use omni_adaptive::Adaptive;
use omni_curriculum_scheduler::Curriculum;
use omni_dump::Dump;
use omni_joint::Joint;
use omni_sdk::scheduler::{Evidence, Observation, Rng, Scheduler, Setup, Share, TaskInfo};
use omni_sequence::Sequence;

const BATCH: u32 = 32;

#[derive(Clone)]
struct World {
    prompts: Vec<u32>,
    start: Vec<f64>,
    ceiling: Vec<f64>,
    speed: Vec<f64>,
    transfer: Vec<Vec<f64>>,
    fades: bool,
    /// Noise of a validated log accuracy; none: the run does not validate.
    validated: Option<f64>,
    /// Standard deviation of what a step does to a log accuracy by chance.
    wanders: f64,
    max_steps: usize,
}

impl World {
    fn size(&self) -> usize {
        self.start.len()
    }

    fn names(&self) -> Vec<String> {
        (0..self.size()).map(|task| format!("t{task}")).collect()
    }

    /// The gap that is left, of the one at the start.
    fn gap(&self, task: usize, a: f64) -> f64 {
        ((self.ceiling[task] - a) / (self.ceiling[task] - self.start[task])).clamp(0.0, 1.0)
    }

    fn step(&self, a: &mut [f64], counts: &[u32]) {
        let part: Vec<f64> = counts
            .iter()
            .zip(&self.prompts)
            .map(|(n, all)| f64::from(*n) / f64::from(*all))
            .collect();
        let moves: Vec<f64> = (0..self.size())
            .map(|j| {
                // A whole run of a task alone has the same effect, fading or not.
                let x = self.speed[j];
                let fades =
                    if self.fades { self.gap(j, a[j]) * x / (1.0 - (-x).exp()) } else { 1.0 };
                part[j] * fades
            })
            .collect();
        let before = a.to_vec();
        for i in 0..self.size() {
            a[i] += part[i] * self.speed[i] * (self.ceiling[i] - before[i]).max(0.0);
            for j in (0..self.size()).filter(|j| *j != i) {
                a[i] += moves[j] * self.transfer[i][j];
            }
            a[i] = a[i].clamp(-6.0, 0.0);
        }
    }

    /// What single-task runs in this world measure, with noise.
    fn evidence(&self, rng: &mut Rng, noise: f64) -> Evidence {
        let size = self.size();
        let mut transfer = vec![0.0; size * size];
        let mut own = self.start.clone();
        for j in 0..size {
            let mut a = self.start.clone();
            for done in (0..self.prompts[j]).step_by(BATCH as usize) {
                let mut counts = vec![0; size];
                counts[j] = BATCH.min(self.prompts[j] - done);
                self.step(&mut a, &counts);
            }
            own[j] = a[j];
            for i in 0..size {
                transfer[i * size + j] = a[i] - self.start[i] + noise * normal(rng);
            }
        }
        Evidence {
            tasks: self.names(),
            base_accuracy: self.start.iter().map(|a| a.exp()).collect(),
            self_accuracy: own.iter().map(|a| a.exp()).collect(),
            backward_transfer: transfer,
            entropy_change: Vec::new(),
        }
    }

    fn setup(&self, evidence: Option<Evidence>, config: &str, seed: u32) -> Setup {
        let tasks = self.names().into_iter().zip(&self.prompts);
        let tasks = tasks.map(|(name, items)| TaskInfo { name, items: Some(*items), weight: 1.0 });
        Setup {
            tasks: tasks.collect(),
            prompts_per_batch: BATCH,
            epochs: 1.0,
            evidence,
            config: config.to_owned(),
            seed,
        }
    }

    /// Mean log gain of a schedule.
    fn train<S: Scheduler>(&self, setup: &Setup) -> f64 {
        let mut scheduler = S::start(setup).unwrap();
        let mut rng = Rng::keyed(u64::from(setup.seed), "world", 0);
        let size = self.size();
        let mut a = self.start.clone();
        let mut seen = Vec::new();
        for step in 0..self.max_steps {
            if let Some(noise) = self.validated.filter(|_| step % 20 == 0) {
                for task in 0..size {
                    let accuracy = (a[task] + noise * normal(&mut rng)).min(0.0).exp();
                    seen.push(Observation { accuracy: Some(accuracy), ..self.see(task, 0, &a) });
                }
            }
            let batch: Vec<Share> = scheduler.next(&seen).unwrap();
            if batch.is_empty() {
                break;
            }
            let mut counts = vec![0; size];
            for share in &batch {
                counts[share.task[1..].parse::<usize>().unwrap()] = share.prompts;
            }
            seen.clear();
            for task in (0..size).filter(|task| counts[*task] > 0) {
                let mut one = self.see(task, counts[task], &a);
                let noise = 0.35 / f64::from(counts[task]).sqrt();
                one.mean_reward = (one.mean_reward + noise * normal(&mut rng)).clamp(0.0, 1.0);
                one.mean_abs_advantage =
                    (one.mean_abs_advantage + noise * normal(&mut rng)).max(0.0);
                one.gradient_norm = f64::from(counts[task]) * one.mean_abs_advantage;
                seen.push(one);
            }
            self.step(&mut a, &counts);
            for a in &mut a {
                *a = (*a + self.wanders * normal(&mut rng)).clamp(-6.0, 0.0);
            }
        }
        (0..size).map(|task| a[task] - self.start[task]).sum::<f64>() / size as f64
    }

    fn see(&self, task: usize, prompts: u32, a: &[f64]) -> Observation {
        Observation {
            task: format!("t{task}"),
            prompts,
            mean_reward: a[task].exp(),
            mean_abs_advantage: 0.85 * self.gap(task, a[task]),
            gradient_norm: 0.0,
            entropy: 0.1 + 0.1 * self.gap(task, a[task]),
            accuracy: None,
        }
    }

    /// The best of all orders, by trying them.
    fn best_order(&self) -> f64 {
        let mut orders = vec![Vec::new()];
        for _ in 0..self.size() {
            orders = orders
                .into_iter()
                .flat_map(|order: Vec<usize>| {
                    let rest: Vec<usize> =
                        (0..self.size()).filter(|t| !order.contains(t)).collect();
                    rest.into_iter().map(move |next| [order.clone(), vec![next]].concat())
                })
                .collect();
        }
        let gain = |order: &Vec<usize>| {
            let names: Vec<String> = order.iter().map(|task| format!("\"t{task}\"")).collect();
            let config = format!(r#"{{"order": [{}]}}"#, names.join(","));
            self.train::<Sequence>(&self.setup(None, &config, 0))
        };
        orders.iter().map(gain).fold(f64::NEG_INFINITY, f64::max)
    }
}

/// A normal number, nearly: twelve uniforms.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0
}

fn world(size: usize, prompts: u32, transfer: impl Fn(usize, usize) -> f64) -> World {
    let row = |i: usize| (0..size).map(|j| if i == j { 0.0 } else { transfer(i, j) }).collect();
    World {
        prompts: vec![prompts; size],
        start: vec![0.45_f64.ln(); size],
        ceiling: vec![0.85_f64.ln(); size],
        speed: vec![3.0; size],
        transfer: (0..size).map(row).collect(),
        fades: false,
        validated: Some(0.03),
        wanders: 0.0,
        max_steps: usize::MAX,
    }
}

fn random(size: usize, seed: u32, value: impl Fn(f64) -> f64) -> World {
    let mut rng = Rng::keyed(u64::from(seed), "transfer", 0);
    let all: Vec<f64> = (0..size * size).map(|_| value(normal(&mut rng))).collect();
    world(size, 1280, |i, j| all[i * size + j])
}

fn measured(values: [[f64; 4]; 4]) -> World {
    world(4, 1280, |i, j| values[i][j])
}

const PAPER: [[f64; 4]; 4] = [
    [0.0, -0.037239, -0.007095, 0.001774],
    [-0.063492, 0.0, 0.027411, 0.01621],
    [-0.273251, -0.017273, 0.0, 0.011512],
    [-0.034977, -0.034977, -0.163148, 0.0],
];

/// The quickstart's tasks, 60 steps each at a learning rate at which they disturb each other much
/// (a pilot of 1,000 items a task).
const HOT: [[f64; 4]; 4] = [
    [0.0, -0.514, -0.268, -0.3175],
    [0.093, 0.0, -0.750, -0.660],
    [0.009, -0.048, 0.0, -0.419],
    [-0.098, 0.028, -0.125, 0.0],
];

type Case = (&'static str, fn(u32) -> World);

const CASES: &[Case] = &[
    ("no transfer", |_| world(4, 1280, |_, _| 0.0)),
    ("the paper's matrix", |_| measured(PAPER)),
    ("the quickstart's, disturbing", |_| measured(HOT)),
    ("the same, fading", |_| World { fades: true, ..measured(HOT) }),
    ("all disturb all alike", |_| world(4, 1280, |_, _| -0.2)),
    ("one is forgetful", |_| world(4, 1280, |i, _| if i == 0 { -0.4 } else { 0.0 })),
    ("one disturbs", |_| world(4, 1280, |_, j| if j == 0 { -0.4 } else { 0.0 })),
    ("random, all disturbing", |s| random(4, s, |z| -0.3 * z.abs())),
    ("the same, fading", |s| World { fades: true, ..random(4, s, |z| -0.3 * z.abs()) }),
    ("the same, 10 tasks", |s| random(10, s, |z| -0.1 * z.abs())),
    ("random, both", |s| random(4, s, |z| 0.2 * z)),
    ("random, helping", |s| random(4, s, |z| 0.15 * z.abs())),
    ("the same, speeds 1 to 10", |s| World {
        speed: vec![1.0, 2.0, 5.0, 10.0],
        ..random(4, s, |z| -0.3 * z.abs())
    }),
    ("the same, sizes 1 to 8", |s| World {
        prompts: vec![320, 640, 1280, 2560],
        ..random(4, s, |z| -0.3 * z.abs())
    }),
    ("the same, no validation", |s| World { validated: None, ..random(4, s, |z| -0.3 * z.abs()) }),
    ("the same, ten times as long", |s| World {
        prompts: vec![12_800; 4],
        ..random(4, s, |z| -0.3 * z.abs())
    }),
    ("the same, wandering", |s| World { wanders: 0.03, ..random(4, s, |z| -0.3 * z.abs()) }),
    ("no transfer, wandering", |_| World { wanders: 0.03, ..world(4, 1280, |_, _| 0.0) }),
    ("all disturbing, half the steps", |s| World {
        max_steps: 80,
        ..random(4, s, |z| -0.3 * z.abs())
    }),
    ("no transfer, speeds 1 to 10, a third of the steps", |_| World {
        max_steps: 53,
        speed: vec![1.0, 2.0, 5.0, 10.0],
        ..world(4, 1280, |_, _| 0.0)
    }),
];

const METHODS: [&str; 7] =
    ["joint", "best order", "curriculum", "dump", "adaptive", "+ evidence", "+ wrong evidence"];

/// Gains of all methods in one world; none where it was not tried.
fn compare(world: &World, settings: &[String], seed: u32) -> [Option<f64>; 7] {
    let mut rng = Rng::keyed(u64::from(seed), "evidence", 0);
    let evidence = world.evidence(&mut rng, 0.03);
    // Says the opposite of what is.
    let mut wrong = evidence.clone();
    wrong.backward_transfer.iter_mut().for_each(|it| *it = -*it);
    let mut settings = settings.to_vec();
    if world.max_steps < usize::MAX {
        settings.push(format!("\"max_steps\": {}", world.max_steps));
    }
    let config = format!("{{{}}}", settings.join(", "));
    let adaptive = |evidence| world.train::<Adaptive>(&world.setup(evidence, &config, seed));
    [
        Some(world.train::<Joint>(&world.setup(None, "{}", seed))),
        (world.size() < 6 && world.wanders == 0.0).then(|| world.best_order()),
        Some(world.train::<Curriculum>(&world.setup(Some(evidence.clone()), "{}", seed))),
        Some(world.train::<Dump>(&world.setup(None, "{}", seed))),
        Some(adaptive(None)),
        Some(adaptive(Some(evidence))),
        Some(adaptive(Some(wrong))),
    ]
}

/// Arguments are settings of `adaptive`, such as `'"strength": 8'`.
fn main() {
    let settings: Vec<String> = std::env::args().skip(1).collect();
    let seeds = 40;
    println!("| world | {} |", METHODS.join(" | "));
    for (name, make) in CASES {
        let gains: Vec<_> = (0..seeds).map(|seed| compare(&make(seed), &settings, seed)).collect();
        let cells = (0..METHODS.len()).map(|method| {
            // Joint training's own gain, and by how much the others are beyond it.
            let beyond = |gain: &[Option<f64>; 7]| {
                Some(gain[method]? - if method > 0 { gain[0]? } else { 0.0 })
            };
            let all: Option<Vec<f64>> = gains.iter().map(beyond).collect();
            let Some(all) = all else { return "–".to_owned() };
            let mean = all.iter().sum::<f64>() / f64::from(seeds);
            let squares = all.iter().map(|it| (it - mean).powi(2)).sum::<f64>();
            let error = (squares / f64::from(seeds * (seeds - 1))).sqrt();
            format!("{mean:+.3} ± {error:.3}")
        });
        println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}
