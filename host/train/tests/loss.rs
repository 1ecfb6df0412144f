//! The loss of given log-probabilities: against TRL's 80 cases, against finite differences, and
//! the promise that accumulation changes nothing.

mod common;

use common::{fixture, tensor};
use omni_train::config::{Loss, LossKind, RatioLevel};
use omni_train::loss::{Denominators, Row, Tally, TaskLoss, loss};
use proptest::prelude::*;
use safetensors::SafeTensors;
use serde_json::Value;

struct Batch {
    length: Vec<usize>,
    logp: Vec<Vec<f64>>,
    old: Vec<Vec<f64>>,
    reference: Vec<Vec<f64>>,
}

fn batch(file: &SafeTensors<'_>, tag: &str) -> Batch {
    let length: Vec<usize> = tensor(file, "completion_len").1.iter().map(|n| *n as usize).collect();
    let ragged = |name: &str| -> Vec<Vec<f64>> {
        let (shape, values) = tensor(file, &format!("{tag}.{name}"));
        values.chunks(shape[1]).zip(&length).map(|(row, n)| row[..*n].to_vec()).collect()
    };
    Batch {
        logp: ragged("logps_f64"),
        old: ragged("old_logps_f64"),
        reference: ragged("ref_logps_f64"),
        length,
    }
}

fn kind(name: &str) -> LossKind {
    match name {
        "grpo" => LossKind::Grpo,
        "dapo" => LossKind::Dapo,
        "bnpo" => LossKind::Bnpo,
        "dr_grpo" => LossKind::DrGrpo,
        other => panic!("{other}"),
    }
}

#[test]
fn agrees_with_trl_in_all_cases() {
    let bytes = std::fs::read(fixture("b_c_batch.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let index: Value =
        serde_json::from_slice(&std::fs::read(fixture("c_loss_cases.json")).unwrap()).unwrap();
    let cases = index["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 80);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let number = |key: &str| case[key].as_f64().unwrap_or_else(|| panic!("{name}: {key}"));
        let batch = batch(&file, if number("temperature") == 1.0 { "t10" } else { "t07" });
        let dropped: Vec<usize> = case["dropped_rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r.as_u64().unwrap() as usize)
            .collect();
        let truncated = case["mask"] == "truncated";
        let on_policy = case["on_policy"].as_bool().unwrap();
        let settings = Loss {
            kind: kind(case["loss_type"].as_str().unwrap()),
            kl_correction: case["kl_bias_correction"].as_bool().unwrap(),
            mask_truncated: truncated,
            ..Loss::default()
        };
        let task = TaskLoss {
            epsilon_low: number("eps_low"),
            epsilon_high: number("eps_high"),
            beta: number("beta"),
        };
        let row = |i: usize| Row {
            logp: &batch.logp[i],
            old: (!on_policy).then_some(&batch.old[i][..]),
            reference: Some(&batch.reference[i]),
            advantage: case["advantages"][i].as_f64().unwrap(),
            masked: truncated && (i == 2 || i == 5),
            task,
        };
        let kept: Vec<usize> = (0..8).filter(|i| !dropped.contains(i)).collect();
        let tokens = |rows: &[usize]| -> usize {
            rows.iter().filter(|i| !row(**i).masked).map(|i| batch.length[*i]).sum()
        };
        let micro: Vec<Vec<usize>> = match case["micro_batches"].as_u64().unwrap() {
            1 => vec![kept.clone()],
            _ => kept.chunks(4).map(<[_]>::to_vec).collect(),
        };
        let mut tally = Tally::default();
        for rows in &micro {
            let denominators = Denominators {
                sequences: kept.len(),
                tokens: tokens(&kept),
                micro_tokens: tokens(rows),
                micro_batches: micro.len(),
                max_completion_tokens: case["max_completion_length"].as_u64().unwrap() as usize,
            };
            let rows: Vec<Row<'_>> = rows.iter().map(|i| row(*i)).collect();
            tally += loss(&rows, &settings, &denominators).0;
        }
        let close = |ours: f64, theirs: f64, tolerance: f64, what: &str| {
            assert!(
                (ours - theirs).abs() <= tolerance,
                "{name}: {what} {ours} instead of {theirs}"
            );
        };
        close(tally.loss, number("loss"), 1e-12, "loss");
        let metrics = &case["metrics"];
        if let Some(low) = metrics["clip_low_mean"].as_f64() {
            close(tally.clip_low(), low, 1e-6, "clipped from below");
            close(
                tally.clip_high(),
                metrics["clip_high_mean"].as_f64().unwrap(),
                1e-6,
                "clipped from above",
            );
        }
        // TRL's metric has its correction in it, ours is k3 itself.
        if let Some(kl) = metrics["kl"].as_f64().filter(|_| !settings.kl_correction) {
            close(tally.mean_kl(), kl, 1e-6, "KL");
        }
    }
}

#[derive(Clone, Debug)]
struct Output {
    logp: Vec<f64>,
    old: Vec<f64>,
    reference: Vec<f64>,
    advantage: f64,
    masked: bool,
    task: TaskLoss,
}

impl Output {
    fn row<'a>(&'a self, logp: &'a [f64]) -> Row<'a> {
        Row {
            logp,
            old: Some(&self.old),
            reference: Some(&self.reference),
            advantage: self.advantage,
            masked: self.masked,
            task: self.task,
        }
    }
}

fn output() -> impl Strategy<Value = Output> {
    let task = (
        prop::sample::select(vec![0.1, 0.2]),
        prop::sample::select(vec![0.2, 0.28]),
        prop::sample::select(vec![0.0, 0.04, 1.0]),
    )
        .prop_map(|(epsilon_low, epsilon_high, beta)| TaskLoss {
            epsilon_low,
            epsilon_high,
            beta,
        });
    let tokens = prop::collection::vec((-3.0f64..-0.1, -0.5f64..0.5, -0.5f64..0.5), 1..6);
    (tokens, -2.0f64..2.0, prop::bool::weighted(0.2), task).prop_map(
        |(tokens, advantage, masked, task)| Output {
            logp: tokens.iter().map(|t| t.0).collect(),
            old: tokens.iter().map(|t| t.0 + t.1).collect(),
            reference: tokens.iter().map(|t| t.0 + t.2).collect(),
            advantage,
            masked,
            task,
        },
    )
}

fn settings() -> impl Strategy<Value = Loss> {
    let kinds = vec![LossKind::Grpo, LossKind::Dapo, LossKind::Bnpo, LossKind::DrGrpo];
    let ratios = vec![RatioLevel::Token, RatioLevel::Sequence];
    (prop::sample::select(kinds), prop::sample::select(ratios), any::<bool>()).prop_map(
        |(kind, ratio, kl_correction)| Loss { kind, ratio, kl_correction, ..Loss::default() },
    )
}

fn denominators(outputs: &[Output]) -> Denominators {
    let tokens = outputs.iter().filter(|o| !o.masked).map(|o| o.logp.len()).sum();
    Denominators {
        sequences: outputs.len(),
        tokens,
        micro_tokens: tokens,
        micro_batches: 1,
        max_completion_tokens: 16,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_gradient_is_that_of_finite_differences(outputs in prop::collection::vec(output(), 1..4), settings in settings()) {
        // Away from the kinks of the clip, where a derivative is not defined.
        for o in &outputs {
            let mean = o.logp.iter().zip(&o.old).map(|(a, b)| a - b).sum::<f64>() / o.logp.len() as f64;
            let ratios = match settings.ratio {
                RatioLevel::Token => o.logp.iter().zip(&o.old).map(|(a, b)| (a - b).exp()).collect(),
                RatioLevel::Sequence => vec![mean.exp()],
            };
            for ratio in ratios {
                for edge in [1.0 - o.task.epsilon_low, 1.0 + o.task.epsilon_high] {
                    prop_assume!((ratio - edge).abs() > 1e-3);
                }
            }
        }
        let by = denominators(&outputs);
        let value = |logp: &[Vec<f64>]| {
            let rows: Vec<Row<'_>> = outputs.iter().zip(logp).map(|(o, l)| o.row(l)).collect();
            loss(&rows, &settings, &by)
        };
        let logp: Vec<Vec<f64>> = outputs.iter().map(|o| o.logp.clone()).collect();
        let (_, gradient) = value(&logp);
        let h = 1e-5;
        for (i, row) in logp.iter().enumerate() {
            for t in 0..row.len() {
                let at = |d: f64| {
                    let mut moved = logp.clone();
                    moved[i][t] += d;
                    value(&moved).0.loss
                };
                let numeric = (at(h) - at(-h)) / (2.0 * h);
                prop_assert!((numeric - gradient[i][t]).abs() < 1e-7, "{numeric} against {}", gradient[i][t]);
            }
        }
    }

    /// Any cut of a batch into micro-batches gives the loss and the gradient of the whole
    /// (`bnpo` is defined by its micro-batches, so it is left out).
    #[test]
    fn micro_batches_are_one_large_batch(outputs in prop::collection::vec(output(), 2..8), settings in settings(), size in 1usize..4) {
        prop_assume!(settings.kind != LossKind::Bnpo);
        let by = denominators(&outputs);
        let rows: Vec<Row<'_>> = outputs.iter().map(|o| o.row(&o.logp)).collect();
        let (whole, gradient) = loss(&rows, &settings, &by);
        let mut sum = Tally::default();
        let mut parts = Vec::new();
        for rows in rows.chunks(size) {
            // What only bnpo may look at is made wrong here, so that nothing else looks at it.
            let (tally, part) = loss(rows, &settings, &Denominators { micro_tokens: 1, micro_batches: 99, ..by });
            sum += tally;
            parts.extend(part);
        }
        prop_assert_eq!(parts, gradient);
        prop_assert!((sum.loss - whole.loss).abs() < 1e-12);
        prop_assert_eq!((sum.ratios, sum.clipped_low, sum.clipped_high), (whole.ratios, whole.clipped_low, whole.clipped_high));
    }

    /// On-policy is the case old = now, held constant.
    #[test]
    fn on_policy_is_old_held_at_now(o in output(), settings in settings()) {
        let by = denominators(std::slice::from_ref(&o));
        let same = Row { old: Some(&o.logp), ..o.row(&o.logp) };
        let detached = Row { old: None, ..same };
        prop_assert_eq!(loss(&[same], &settings, &by), loss(&[detached], &settings, &by));
    }
}
