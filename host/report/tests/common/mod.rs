//! A plausible study, made by code: tasks that help and hurt each other, orders that come out about
//! as predicted, and run folders with curves and outputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use omni_record::{
    Ceiling, Component, Correlation, Estimate, EvalEvent, Event, Finish, Gain, Measure,
    MeasuredOrder, Method, MethodKind, MethodRun, OrderRecord, Position, Progress, Ranking,
    RunFolder, STUDY_VERSION, Sample, SampleOutput, StartEvent, StepEvent, Study, StudyEvidence,
    TaskEval, TaskMeasure, TaskStep, VERSION, Value,
};

/// Numbers that look random and are the same every time.
pub(crate) struct Noise(u64);

impl Noise {
    /// Begins anywhere.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// From −1 to 1, mostly near 0.
    pub(crate) fn next(&mut self) -> f64 {
        let mut draw = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) as f64 / f64::from(1u32 << 30) - 1.0
        };
        (draw() + draw() + draw()) / 3.0
    }
}

/// A study of these tasks and seeds; of all orders where there are few tasks.
pub(crate) fn study(tasks: &[&str], seeds: &[u64]) -> Study {
    let names: Vec<String> = tasks.iter().map(|t| (*t).to_owned()).collect();
    let mut noise = Noise::new(tasks.len() as u64);
    let size = tasks.len();
    let base: Vec<f64> = (0..size).map(|_| 0.45 + 0.2 * noise.next()).collect();
    let own: Vec<f64> = base.iter().map(|b| b * (1.25 + 0.1 * noise.next())).collect();
    let transfer: Vec<Vec<f64>> = (0..size)
        .map(|i| (0..size).map(|j| if i == j { 0.0 } else { 0.15 * noise.next() - 0.03 }).collect())
        .collect();
    let entropy: Vec<Vec<f64>> = (0..size)
        .map(|i| {
            (0..size)
                .map(|_| 0.2 * noise.next() - 0.1 + 0.2 * f64::from(u8::from(i + 1 == size)))
                .collect()
        })
        .collect();
    let mut orders: Vec<OrderRecord> = permutations(size)
        .into_iter()
        .map(|order| {
            let mut accuracy = base.clone();
            for &task in &order {
                for other in (0..size).filter(|o| *o != task) {
                    accuracy[other] *= transfer[other][task].exp();
                }
                accuracy[task] = own[task];
            }
            let score = score(&accuracy, &base);
            OrderRecord {
                order: order.iter().map(|t| names[*t].clone()).collect(),
                predicted: by_name(&names, &accuracy),
                predicted_errors: by_name(&names, &vec![0.008; size]),
                score,
                score_error: Some(0.012),
                ..OrderRecord::default()
            }
        })
        .collect();
    orders.sort_by(|a, b| b.score.total_cmp(&a.score));
    let last = orders.len() - 1;
    for (index, order) in orders.iter_mut().enumerate() {
        order.probability = Some(0.4 / f64::from(1u32 << index.min(20)));
        order.indistinguishable = index < 3;
        order.chosen_by = match index {
            0 => vec!["exact".into(), "greedy".into()],
            1 => vec!["forgettability".into()],
            i if i == last => vec!["worst".into()],
            _ => Vec::new(),
        };
        if index % 5 == 3 {
            order.entropy_flags = vec![(names[size - 1].clone(), names[0].clone())];
        }
        for &seed in seeds {
            let accuracy: BTreeMap<String, f64> = order
                .predicted
                .iter()
                .map(|(task, value)| (task.clone(), value * (0.06 * noise.next() - 0.03).exp()))
                .collect();
            let values: Vec<f64> = names.iter().map(|task| accuracy[task]).collect();
            order.measured.push(MeasuredOrder {
                seed,
                accuracy,
                score: score(&values, &base),
                standard_error: 0.011,
            });
        }
    }
    let mut methods = methods(&names, &base, &own, seeds, &mut noise);
    for (index, order) in orders.iter().enumerate() {
        let runs = order
            .measured
            .iter()
            .map(|m| MethodRun {
                seed: m.seed,
                test: m.accuracy.iter().map(|(t, a)| (t.clone(), measure(*a))).collect(),
                steps: 40 * size as u64,
                prompts: 640 * size as u64,
                seconds: 100.0 * size as f64,
                gain: Some(Gain { score: m.score, standard_error: m.standard_error }),
                runs: (1..=size)
                    .map(|n| {
                        PathBuf::from(format!(
                            "seed-{}/orders/{}/run",
                            m.seed,
                            order.order[..n].join("+")
                        ))
                    })
                    .collect(),
                outputs: Some(
                    format!("seed-{}/orders/{}/test", m.seed, order.order.join("+")).into(),
                ),
                ..MethodRun::default()
            })
            .collect();
        let (kind, label) = match index {
            0 => (MethodKind::Curriculum, "curriculum".to_owned()),
            _ => (MethodKind::Order, order.order.join(" → ")),
        };
        methods.push(Method {
            name: order.order.join("+"),
            kind,
            label,
            order: Some(order.order.clone()),
            runs,
        });
    }
    let evidence = |seed| StudyEvidence {
        seed,
        base_accuracy: base.clone(),
        self_accuracy: own.clone(),
        backward_transfer: transfer.clone(),
        standard_errors: vec![vec![0.014; size]; size],
        entropy_change: Some(entropy.clone()),
        floored: Vec::new(),
    };
    let correlation = |value, low, high| Correlation { value, low, high, p_value: Some(0.004) };
    Study {
        version: STUDY_VERSION,
        name: "plausible".into(),
        tasks: names.clone(),
        weights: vec![1.0; size],
        seeds: seeds.to_vec(),
        measure: Measure {
            outputs: "greedy".into(),
            temperature: None,
            samples: 1,
            test_items: 2000,
            validation_items: 2000,
            floor: 0.001,
            bootstrap: 1000,
        },
        progress: Progress { done: 40, total: 40, seconds: 5400.0, ..Progress::default() },
        methods,
        evidence: match seeds {
            [one] => vec![evidence(Some(*one))],
            _ => [None].into_iter().chain(seeds.iter().map(|s| Some(*s))).map(evidence).collect(),
        },
        ranking: (orders.len() > 2).then(|| Ranking {
            orders: orders.len() as u32,
            of: format!("seed {}", seeds[0]),
            spearman: correlation(0.71, 0.38, 0.88),
            kendall: correlation(0.52, 0.27, 0.7),
            ceiling: (seeds.len() > 1).then(|| Ceiling {
                seeds: (seeds[0], seeds[1]),
                orders: orders.len() as u32,
                spearman: correlation(0.8, 0.55, 0.92),
                kendall: correlation(0.61, 0.4, 0.78),
            }),
        }),
        orders,
    }
}

fn methods(
    names: &[String],
    base: &[f64],
    own: &[f64],
    seeds: &[u64],
    noise: &mut Noise,
) -> Vec<Method> {
    let mut methods = vec![Method {
        name: "base".into(),
        kind: MethodKind::Base,
        label: "base".into(),
        order: None,
        runs: vec![MethodRun {
            seed: seeds[0],
            test: names.iter().zip(base).map(|(t, a)| (t.clone(), measure(*a))).collect(),
            outputs: Some("base/test".into()),
            ..MethodRun::default()
        }],
    }];
    let mut add = |name: &str, kind, label: &str, order: Option<Vec<String>>, lift: f64| {
        let runs = seeds
            .iter()
            .map(|&seed| MethodRun {
                seed,
                test: names
                    .iter()
                    .enumerate()
                    .map(|(k, task)| {
                        let to = match &order {
                            Some(order) if !order.contains(task) => base[k] * 0.97,
                            _ => base[k] + lift * (own[k] - base[k]),
                        };
                        (task.clone(), measure(to * (0.03 * noise.next()).exp()))
                    })
                    .collect(),
                steps: 160,
                prompts: 2560,
                seconds: 400.0 + 30.0 * lift,
                runs: vec![format!("seed-{seed}/{name}/run").into()],
                outputs: Some(format!("seed-{seed}/{name}/test").into()),
                ..MethodRun::default()
            })
            .collect();
        methods.push(Method { name: name.into(), kind, label: label.into(), order, runs });
    };
    for task in names {
        let (name, label) = (format!("single-{task}"), format!("{task} alone"));
        add(&name, MethodKind::Single, &label, Some(vec![task.clone()]), 1.0);
    }
    add("joint", MethodKind::Joint, "joint", None, 0.8);
    add("adaptive", MethodKind::Schedule, "adaptive", None, 0.85);
    add("sft", MethodKind::Sft, "SFT", None, 0.3);
    add("ties", MethodKind::Merge, "TIES merge", None, 0.5);
    methods
}

fn measure(accuracy: f64) -> TaskMeasure {
    TaskMeasure {
        accuracy: Estimate {
            mean: accuracy,
            standard_error: (accuracy * (1.0 - accuracy) / 2000.0).abs().sqrt(),
            items: 2000,
            low: None,
            high: None,
        },
        entropy: None,
        rouge_l: None,
        completion_length: 24.5,
    }
}

fn score(after: &[f64], base: &[f64]) -> f64 {
    after.iter().zip(base).map(|(a, b)| (a / b).ln()).sum::<f64>() / base.len() as f64
}

fn by_name(names: &[String], values: &[f64]) -> BTreeMap<String, f64> {
    names.iter().cloned().zip(values.iter().copied()).collect()
}

/// All orders of few tasks; of many, the rotations.
fn permutations(size: usize) -> Vec<Vec<usize>> {
    if size > 5 {
        return (0..size).map(|by| (0..size).map(|k| (k + by) % size).collect()).collect();
    }
    let mut all = vec![Vec::new()];
    for _ in 0..size {
        all = all
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..size)
                    .filter(|t| !order.contains(t))
                    .map(|t| [&order[..], &[t]].concat())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    all
}

/// Writes the record, with folders of runs and outputs for all but plain orders.
pub(crate) fn write(study: &Study, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("study.json"), serde_json::to_vec(study).unwrap()).unwrap();
    for method in study.methods.iter().filter(|method| method.kind != MethodKind::Order) {
        for run in &method.runs {
            for (index, path) in run.runs.iter().enumerate() {
                let task = method.order.as_ref().and_then(|order| order.get(index));
                let all = study.tasks.iter();
                let tasks: Vec<&String> =
                    all.filter(|name| task.is_none_or(|task| task == *name)).collect();
                if !folder.join(path).exists() {
                    write_run(&folder.join(path), run.seed, &tasks);
                }
            }
            if let Some(outputs) = &run.outputs {
                write_outputs(&folder.join(outputs), &study.tasks, &method.label);
            }
        }
    }
}

fn write_run(folder: &Path, seed: u64, tasks: &[&String]) {
    let run = RunFolder::new(folder);
    let mut writer = run.open(Position::default()).unwrap();
    let names: Vec<String> = tasks.iter().map(|t| (*t).clone()).collect();
    let start =
        StartEvent { version: VERSION, time: 0.0, tasks: names, seed, parameters: 1_000_000 };
    writer.event(&Event::Start(start)).unwrap();
    let mut noise = Noise::new(seed + tasks.len() as u64);
    for step in 1..=40u64 {
        let share = step as f64 / 40.0;
        let of = tasks.iter().map(|task| {
            let of = TaskStep {
                prompts: 16,
                rollouts: 128,
                valid: 128,
                reward_mean: Some(0.5 + 0.3 * share + 0.05 * noise.next()),
                entropy: Some(0.9 - 0.4 * share + 0.04 * noise.next()),
                ..TaskStep::default()
            };
            ((*task).clone(), of)
        });
        let event = StepEvent { step, tasks: of.collect(), ..StepEvent::default() };
        writer.event(&Event::Step(event)).unwrap();
        if step % 20 == 0 {
            let of = tasks.iter().map(|task| {
                let mean = 0.5 + 0.2 * share;
                let sampled = Some(Estimate { mean, standard_error: 0.02, ..Estimate::default() });
                ((*task).clone(), TaskEval { sampled, ..TaskEval::default() })
            });
            let event = EvalEvent {
                step,
                purpose: "validation".into(),
                tasks: of.collect(),
                ..EvalEvent::default()
            };
            writer.event(&Event::Eval(event)).unwrap();
        }
    }
}

fn write_outputs(folder: &Path, tasks: &[String], label: &str) {
    let mut writer = RunFolder::new(folder).open(Position::default()).unwrap();
    for task in tasks {
        for item in 0..3 {
            let sample = Sample {
                step: 0,
                purpose: "test".into(),
                task: task.clone(),
                item: format!("test-{item}"),
                turn: None,
                set: None,
                prompt: format!(
                    "<|im_start|>user\n{task} {item}+2=?<|im_end|>\n<|im_start|>assistant\n"
                ),
                reference: Some((item + 2).to_string()),
                problem: None,
                seed: None,
                outputs: vec![SampleOutput {
                    text: format!(
                        "<think>{label}: {item}+2={}</think><answer>{}</answer>",
                        item + 2,
                        item + 2
                    ),
                    tokens: 20,
                    finish: Finish::Stop,
                    reward: Some(1.1),
                    advantage: None,
                    components: vec![Component {
                        name: "accuracy".into(),
                        value: Value::Scored(1.0),
                    }],
                }],
            };
            writer.sample(&sample).unwrap();
        }
    }
}
