//! Loss and gradient through a real model: every case of TRL's, and three optimizer steps.
//!
//! The model runs in f32, the reference numbers in f64, hence the tolerances. The model and the
//! parts of the loss are tested for themselves, in f64, elsewhere.
#![expect(clippy::unwrap_used, reason = "helpers of tests may stop at the first surprise too")]

mod common;

use std::path::PathBuf;

use common::{fixture, tensor};
use omni_policy::{AdamWConfig, Completion, CpuPolicy, Decay, Group, Policy};
use omni_train::config::{Loss, LossKind};
use omni_train::loss::{Denominators, Row, Tally, TaskLoss, loss};
use safetensors::SafeTensors;
use serde_json::Value;

fn policy() -> CpuPolicy {
    let nano = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../policy/tests/fixtures/nano");
    CpuPolicy::load(&nano, Some(1)).unwrap()
}

struct Batch {
    prompts: Vec<Vec<u32>>,
    completions: Vec<Vec<u32>>,
    old: Vec<Vec<f64>>,
    reference: Vec<Vec<f64>>,
}

fn batch(file: &SafeTensors<'_>, tag: &str) -> Batch {
    let ids: Value =
        serde_json::from_slice(&std::fs::read(fixture("b_c_batch.json")).unwrap()).unwrap();
    let lists =
        |key: &str| -> Vec<Vec<u32>> { serde_json::from_value(ids["batch"][key].clone()).unwrap() };
    let completions = lists("completions");
    let ragged = |name: &str| -> Vec<Vec<f64>> {
        let (shape, values) = tensor(file, &format!("{tag}.{name}"));
        values.chunks(shape[1]).zip(&completions).map(|(row, c)| row[..c.len()].to_vec()).collect()
    };
    let (old, reference) = (ragged("old_logps_f64"), ragged("ref_logps_f64"));
    Batch { prompts: lists("prompts"), old, reference, completions }
}

struct Case {
    settings: Loss,
    task: TaskLoss,
    advantages: Vec<f64>,
    temperature: f32,
    on_policy: bool,
    truncated: bool,
    micro: Vec<Vec<usize>>,
    max_completion_tokens: usize,
}

impl Case {
    fn masked(&self, row: usize) -> bool {
        self.truncated && (row == 2 || row == 5)
    }

    /// Adds the gradient to the policy's; returns the loss.
    fn accumulate(&self, policy: &mut CpuPolicy, batch: &Batch) -> f64 {
        let tokens = |rows: &[usize]| -> usize {
            rows.iter().filter(|r| !self.masked(**r)).map(|r| batch.completions[*r].len()).sum()
        };
        let all: Vec<usize> = self.micro.concat();
        let mut sum = Tally::default();
        for rows in &self.micro {
            let denominators = Denominators {
                sequences: all.len(),
                tokens: tokens(&all),
                micro_tokens: tokens(rows),
                micro_batches: self.micro.len(),
                max_completion_tokens: self.max_completion_tokens,
            };
            let of_group = |g: usize| rows.iter().copied().filter(move |r| r / 4 == g);
            let present: Vec<usize> = (0..2).filter(|g| of_group(*g).count() > 0).collect();
            let completion = |r: usize| Completion { tokens: &batch.completions[r], kept: None };
            let groups: Vec<Group<'_>> = present
                .iter()
                .map(|g| Group {
                    prompt: &batch.prompts[*g],
                    completions: of_group(*g).map(completion).collect(),
                })
                .collect();
            policy
                .accumulate(&groups, self.temperature, &mut |stats| {
                    let logp: Vec<Vec<f64>> = stats
                        .logp
                        .iter()
                        .flatten()
                        .map(|row| row.iter().map(|x| f64::from(*x)).collect())
                        .collect();
                    let lesson: Vec<Row<'_>> = rows
                        .iter()
                        .zip(&logp)
                        .map(|(r, logp)| Row {
                            logp,
                            old: (!self.on_policy).then_some(&batch.old[*r][..]),
                            reference: Some(&batch.reference[*r]),
                            advantage: self.advantages[*r],
                            masked: self.masked(*r),
                            task: self.task,
                        })
                        .collect();
                    let (tally, gradient) = loss(&lesson, &self.settings, &denominators);
                    sum += tally;
                    let mut rows =
                        gradient.into_iter().map(|row| row.into_iter().map(|g| g as f32).collect());
                    present
                        .iter()
                        .map(|g| rows.by_ref().take(of_group(*g).count()).collect())
                        .collect()
                })
                .unwrap();
        }
        sum.loss
    }
}

fn case(json: &Value) -> Case {
    let number = |key: &str| json[key].as_f64().unwrap();
    let truncated = json["mask"] == "truncated";
    let kind = match json["loss_type"].as_str().unwrap() {
        "grpo" => LossKind::Grpo,
        "dapo" => LossKind::Dapo,
        "bnpo" => LossKind::Bnpo,
        _ => LossKind::DrGrpo,
    };
    let dropped: Vec<usize> = serde_json::from_value(json["dropped_rows"].clone()).unwrap();
    let kept: Vec<usize> = (0..8).filter(|r| !dropped.contains(r)).collect();
    Case {
        settings: Loss {
            kind,
            kl_correction: json["kl_bias_correction"].as_bool().unwrap(),
            ..Loss::default()
        },
        task: TaskLoss {
            epsilon_low: number("eps_low"),
            epsilon_high: number("eps_high"),
            beta: number("beta"),
        },
        advantages: serde_json::from_value(json["advantages"].clone()).unwrap(),
        temperature: number("temperature") as f32,
        on_policy: json["on_policy"].as_bool().unwrap(),
        truncated,
        micro: if json["micro_batches"] == 1 {
            vec![kept]
        } else {
            kept.chunks(4).map(<[_]>::to_vec).collect()
        },
        max_completion_tokens: json["max_completion_length"].as_u64().unwrap() as usize,
    }
}

fn close(ours: f64, theirs: f64, relative: f64, absolute: f64, what: &str) {
    let allowed = absolute + relative * theirs.abs();
    assert!((ours - theirs).abs() <= allowed, "{what}: {ours} instead of {theirs}");
}

fn cases() -> Vec<Value> {
    let index: Value =
        serde_json::from_slice(&std::fs::read(fixture("c_loss_cases.json")).unwrap()).unwrap();
    index["cases"].as_array().unwrap().clone()
}

#[test]
fn losses_and_gradient_norms_of_all_cases() {
    let bytes = std::fs::read(fixture("b_c_batch.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut policy = policy();
    for json in cases() {
        let name = json["name"].as_str().unwrap();
        let case = case(&json);
        let batch = batch(&file, if case.temperature == 1.0 { "t10" } else { "t07" });
        policy.zero_grad();
        let loss = case.accumulate(&mut policy, &batch);
        close(loss, json["loss"].as_f64().unwrap(), 1e-5, 1e-5, &format!("{name}: loss"));
        close(
            policy.grad_norm(),
            json["grad_norm"].as_f64().unwrap(),
            2e-5,
            0.0,
            &format!("{name}: gradient norm"),
        );
    }
}

#[test]
fn three_optimizer_steps() {
    let bytes = std::fs::read(fixture("b_c_batch.safetensors")).unwrap();
    let batch = batch(&SafeTensors::deserialize(&bytes).unwrap(), "t10");
    let runs: Value =
        serde_json::from_slice(&std::fs::read(fixture("c_adamw3.json")).unwrap()).unwrap();
    let find = |name: &str| case(cases().iter().find(|c| c["name"] == name).unwrap());
    for (name, run) in runs["runs"].as_object().unwrap() {
        let case =
            find(if name.starts_with("grpo") { "plain.grpo.e20.b04" } else { "plain.dapo.e20.b0" });
        let adamw = AdamWConfig {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.01,
            decay: if name.ends_with("all") { Decay::All } else { Decay::Matrices },
        };
        let clip = name.contains(".clip1.").then_some(1.0);
        let mut policy = policy();
        for step in 0..3 {
            policy.zero_grad();
            let loss = case.accumulate(&mut policy, &batch);
            let norm = policy.step(&adamw, clip).unwrap().grad_norm;
            // From the second step on, f32's error in near-zero gradients is amplified by
            // g / (|g| + eps); TRL's own f32 differs from its f64 by as much.
            let tolerance = [1e-5, 2e-3, 2e-3][step];
            let what = format!("{name}: step {}", step + 1);
            close(loss, run["losses"][step].as_f64().unwrap(), tolerance, tolerance, &what);
            close(norm, run["grad_norms"][step].as_f64().unwrap(), tolerance, 0.0, &what);
        }
        policy.zero_grad();
        let last = case.accumulate(&mut policy, &batch);
        close(
            last,
            run["final_loss"].as_f64().unwrap(),
            5e-3,
            1e-3,
            &format!("{name}: loss after step 3"),
        );
    }
}
