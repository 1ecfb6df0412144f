//! Against numbers that transformers, TRL and torch gave for the nano policy, and against candle.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

mod common;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::qwen2;
use common::{Batch, Tensors, fixture, nano, worst};
use omni_policy::model::layout::Layout;
use omni_policy::{
    AdamWConfig, Completion, CpuPolicy, Decay, GenerationRequest, Group, Policy, Sampling,
    TokenGradient, TokenStats,
};
use serde_json::Value;

/// A group whose predictions are those after each of `ids`.
fn sequence(ids: &[u32]) -> Vec<u32> {
    // What follows the last token is never looked at; any token serves as its target.
    ids[1..].iter().copied().chain([0]).collect()
}

#[test]
fn logits_agree_in_f64_and_f32() {
    let tensors = Tensors::open("a_logits.safetensors");
    let mut exact = nano();
    let (mut single, _) = omni_policy::model::Qwen2::load(
        omni_policy::backend::cpu::CpuBackend::<f32>::new(),
        &fixture("nano"),
    )
    .unwrap();
    for n in 0..3 {
        let ids = tensors.ids(&format!("seq{n}.ids"));
        let tokens = sequence(&ids);
        let completions = vec![Completion { tokens: &tokens, kept: None }];
        let layout = Layout::new(&[Group { prompt: &ids[..1], completions }]);
        let (_, want) = tensors.get(&format!("seq{n}.logits_f64"));
        assert!(worst(exact.logits(&layout), &want) < 1e-12);
        let got = single.logits(&layout).into_iter().map(f64::from);
        assert!(worst(got, &want) < 2e-5);
    }
}

#[test]
fn logits_agree_with_candle() {
    let tensors = Tensors::open("a_logits.safetensors");
    let ids = tensors.ids("seq2.ids");
    let config = std::fs::read_to_string(fixture("nano/config_legacy.json")).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    // candle wants a number; longer than any sequence here, it changes nothing.
    config["sliding_window"] = 4096.into();
    let config: qwen2::Config = serde_json::from_value(config).unwrap();
    let weights = std::fs::read(fixture("nano/model.safetensors")).unwrap();
    let vars = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).unwrap();
    let mut oracle = qwen2::ModelForCausalLM::new(&config, vars).unwrap();
    let mut exact = nano();
    for len in 1..ids.len() {
        oracle.clear_kv_cache();
        let input = Tensor::new(&ids[..len], &Device::Cpu).unwrap().unsqueeze(0).unwrap();
        let want = oracle.forward(&input, 0).unwrap().flatten_all().unwrap();
        let want: Vec<f64> = want.to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect();
        let completions = vec![Completion { tokens: &[0], kept: None }];
        let layout = Layout::new(&[Group { prompt: &ids[..len], completions }]);
        assert!(worst(exact.logits(&layout), &want) < 2e-5);
    }
}

#[test]
fn log_probabilities_and_entropies_agree() {
    let tensors = Tensors::open("b_c_batch.safetensors");
    let batch = Batch::open(&tensors);
    let groups = batch.groups();
    let layout = Layout::new(&groups);
    let mut exact = nano();
    let mut policy = CpuPolicy::load(&fixture("nano"), Some(1)).unwrap();
    for (tag, temperature) in [("t10", 1.0), ("t07", 0.7)] {
        let want = |name: &str| batch.unpad(&tensors.get(&format!("{tag}.{name}")).1);
        let stats = exact.stats(&layout, temperature);
        // 0.7 is handed over in f32.
        let tolerance = if temperature == 1.0 { 1e-12 } else { 5e-7 };
        assert!(worst(stats.logp, &want("logps_f64")) < tolerance);
        assert!(worst(stats.entropy, &want("entropy_f64")) < tolerance);
        let stats = policy.token_stats(&groups, temperature).unwrap();
        let flat = |x: &[Vec<Vec<f32>>]| -> Vec<f64> {
            x.iter().flatten().flatten().copied().map(f64::from).collect()
        };
        assert!(worst(flat(&stats.logp), &want("logps_f64")) < 1e-5);
        assert!(worst(flat(&stats.entropy), &want("entropy_f64")) < 1e-5);
    }
}

#[test]
fn greedy_tokens_agree() {
    let tensors = Tensors::open("d_greedy.safetensors");
    let prompts: Vec<_> = (0..3).map(|n| tensors.ids(&format!("prompt{n}.ids"))).collect();
    let dir = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("nano").join(file), dir.path().join(file)).unwrap();
    }
    // The reference had no end-of-sequence token.
    let config = std::fs::read_to_string(dir.path().join("config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["eos_token_id"] = Value::Null;
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let mut policy = CpuPolicy::load(dir.path(), Some(2)).unwrap();
    let requests: Vec<_> =
        prompts.iter().map(|prompt| GenerationRequest { prompt, samples: 1, seed: 0 }).collect();
    let sampling = Sampling { temperature: 0.0, max_new_tokens: 16, ..Sampling::default() };
    let mut seen = 0;
    policy
        .generate(&requests, &sampling, &mut |n, samples| {
            seen += 1;
            assert_eq!(samples.len(), 1);
            assert!(!samples[0].stopped);
            assert_eq!(samples[0].tokens, tensors.ids(&format!("prompt{n}.new_tokens")));
        })
        .unwrap();
    assert_eq!(seen, 3);
}

/// Loss and its derivative by each log-probability, flat: METHOD's section 1 with β = 0, clip 0.2.
fn grpo(
    kind: &str,
    logp: &[f64],
    old: &[f64],
    advantages: &[f64],
    lengths: &[usize],
) -> (f64, Vec<f64>) {
    let tokens: usize = lengths.iter().sum();
    let (mut loss, mut gradient) = (0.0, Vec::new());
    let mut at = 0;
    for (&advantage, &len) in advantages.iter().zip(lengths) {
        let weight = match kind {
            "grpo" => 1.0 / (len * lengths.len()) as f64,
            _ => 1.0 / tokens as f64,
        };
        for i in at..at + len {
            let ratio = (logp[i] - old[i]).exp();
            let (plain, clipped) = (ratio * advantage, ratio.clamp(0.8, 1.2) * advantage);
            loss -= weight * plain.min(clipped);
            let active = plain <= clipped;
            gradient.push(if active { -weight * plain } else { 0.0 });
        }
        at += len;
    }
    (loss, gradient)
}

fn cases() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture("gradients.json")).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn gradients_agree_with_trl() {
    let tensors = Tensors::open("b_c_batch.safetensors");
    let full = Tensors::open("gradients.safetensors");
    let batch = Batch::open(&tensors);
    let layout = Layout::new(&batch.groups());
    let lengths: Vec<usize> = batch.completions.iter().map(Vec::len).collect();
    let old = batch.unpad(&tensors.get("t10.old_logps_f64").1);
    for (name, case) in cases()["cases"].as_object().unwrap() {
        let kind = case["loss_type"].as_str().unwrap();
        for recompute in [false, true] {
            let mut model = nano();
            model.recompute = recompute;
            let stats = model.begin(&layout, 1.0);
            let advantages = numbers(&case["advantages"]);
            let (loss, dlogp) = grpo(kind, &stats.logp, &old, &advantages, &lengths);
            assert!((loss - case["loss"].as_f64().unwrap()).abs() < 1e-12);
            model.finish(&layout, 1.0, &stats, &dlogp);
            let norm = case["grad_norm"].as_f64().unwrap();
            assert!((model.grad_norm() - norm).abs() < 1e-10 * norm);
            let gradient = model.gradient();
            for parameter in &model.arena().parameters {
                let got = &gradient[parameter.range.clone()];
                let want = &case["grad_summary"][&parameter.name];
                let norm = got.iter().map(|x| x * x).sum::<f64>().sqrt();
                let want_norm = want["norm"].as_f64().unwrap();
                assert!((norm - want_norm).abs() < 1e-10 * (1.0 + want_norm), "{}", parameter.name);
                let sum: f64 = got.iter().sum();
                assert!((sum - want["sum"].as_f64().unwrap()).abs() < 1e-9, "{}", parameter.name);
                if name == "plain.grpo.e20.b0" && FULL.contains(&parameter.name.as_str()) {
                    let (_, want) = full.get(&format!("grad.{}", parameter.name));
                    assert!(worst(got.iter().copied(), &want) < 1e-11, "{}", parameter.name);
                }
            }
        }
    }
}

/// Parameters whose whole gradient is among the fixtures.
const FULL: [&str; 7] = [
    "model.embed_tokens.weight",
    "model.layers.0.self_attn.k_proj.weight",
    "model.layers.0.self_attn.k_proj.bias",
    "model.layers.1.self_attn.q_proj.bias",
    "model.layers.1.self_attn.o_proj.weight",
    "model.layers.1.post_attention_layernorm.weight",
    "model.norm.weight",
];

#[test]
fn three_adamw_steps_agree_with_torch() {
    let tensors = Tensors::open("b_c_batch.safetensors");
    let full = Tensors::open("gradients.safetensors");
    let batch = Batch::open(&tensors);
    let groups = batch.groups();
    let layout = Layout::new(&groups);
    let lengths: Vec<usize> = batch.completions.iter().map(Vec::len).collect();
    let old = batch.unpad(&tensors.get("t10.old_logps_f64").1);
    let cases = cases();
    let advantages = numbers(&cases["cases"]["plain.dapo.e20.b0"]["advantages"]);
    for (name, run) in cases["adamw"].as_object().unwrap() {
        let max_norm = name.contains(".clip1.").then_some(1.0);
        let decay = if name.ends_with(".hf") { Decay::Matrices } else { Decay::All };
        let adamw = AdamWConfig { lr: 1e-3, weight_decay: 0.01, decay, ..AdamWConfig::default() };
        let mut model = nano();
        let mut policy = CpuPolicy::load(&fixture("nano"), Some(1)).unwrap();
        for step in 0..3 {
            let stats = model.begin(&layout, 1.0);
            let (loss, dlogp) = grpo("dapo", &stats.logp, &old, &advantages, &lengths);
            let want = numbers(&run["losses"])[step];
            assert!((loss - want).abs() < 1e-9, "{name} step {step}: {loss} for {want}");
            model.zero_grad();
            model.finish(&layout, 1.0, &stats, &dlogp);
            let taken = model.step(&adamw, max_norm).unwrap();
            let want = numbers(&run["grad_norms"])[step];
            assert!((taken.grad_norm - want).abs() < 1e-7 * want);
            assert_eq!(taken.clipped, max_norm.is_some());
            if [0, 2].contains(&step) {
                let weights = model.weights();
                for p in &model.arena().parameters {
                    if ADAMW.contains(&p.name.as_str()) {
                        let (_, want) = full.get(&format!("{name}.step{}.{}", step + 1, p.name));
                        let got = weights[p.range.clone()].iter().copied();
                        assert!(worst(got, &want) < 1e-8, "{name} {} {step}", p.name);
                    }
                }
            }

            // The same through the public trait, in f32: Adam turns the rounding of tiny
            // gradients into whole steps, so only the norm is compared, loosely.
            let mut gradient = |stats: &TokenStats| -> TokenGradient {
                let logp: Vec<f64> =
                    stats.logp.iter().flatten().flatten().copied().map(f64::from).collect();
                let (_, flat) = grpo("dapo", &logp, &old, &advantages, &lengths);
                layout.nest(flat.into_iter().map(|x| x as f32))
            };
            policy.zero_grad();
            policy.accumulate(&groups, 1.0, &mut gradient).unwrap();
            let taken = policy.step(&adamw, max_norm).unwrap();
            assert!((taken.grad_norm - want).abs() < 1e-2 * want);
        }
    }
}

/// Parameters whose weights after AdamW's steps are among the fixtures.
const ADAMW: [&str; 3] = [
    "model.layers.0.self_attn.k_proj.weight",
    "model.layers.0.self_attn.k_proj.bias",
    "model.norm.weight",
];
