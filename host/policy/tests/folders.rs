//! Hugging Face folders in and out, and what is said about damaged ones.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

mod common;

use std::fs;
use std::path::Path;

use common::{fixture, tiny};
use half::bf16;
use omni_policy::{
    AdamWConfig, BpeConfig, Completion, CpuPolicy, Group, ModelConfig, Policy, PolicyError,
    Tokenizer,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A copy of the nano folder that a test may damage.
fn copy() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture("nano")).unwrap() {
        let path = entry.unwrap().path();
        fs::write(dir.path().join(path.file_name().unwrap()), fs::read(&path).unwrap()).unwrap();
    }
    dir
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// Loading fails with a message that holds every part.
fn refused(dir: &Path, parts: &[&str]) {
    let error = CpuPolicy::load(dir, Some(1)).unwrap_err();
    assert!(error.is_input());
    for part in parts {
        assert!(error.to_string().contains(part), "{error} does not say {part:?}");
    }
}

fn logp(policy: &mut CpuPolicy) -> Vec<f32> {
    let completions = vec![Completion { tokens: &[5, 6, 7], kept: None }];
    policy.token_stats(&[Group { prompt: &[3, 4], completions }], 1.0).unwrap().logp[0][0].clone()
}

#[test]
fn old_and_new_configurations_are_the_same_model() {
    let dir = copy();
    let new = ModelConfig::load(dir.path()).unwrap();
    fs::rename(dir.path().join("config_legacy.json"), dir.path().join("config.json")).unwrap();
    assert_eq!(ModelConfig::load(dir.path()).unwrap(), new);
    assert_eq!(new.rope_theta, 10_000.0);
    assert_eq!(new.eos_token_ids, [1]);
}

#[test]
fn unusable_configurations_are_named() {
    let change = |key: &str, value: Value, parts: &[&str]| {
        let dir = copy();
        edit(&dir.path().join("config.json"), |c| c[key] = value);
        refused(dir.path(), parts);
    };
    change("hidden_size", json!("wide"), &["config.json", "hidden_size", "wide"]);
    change("hidden_size", json!(0), &["config.json", "hidden_size"]);
    change("num_key_value_heads", json!(3), &["config.json", "num_key_value_heads"]);
    change("model_type", json!("llama"), &["model_type", "llama"]);
    change("hidden_act", json!("gelu"), &["hidden_act", "gelu"]);
    change("use_sliding_window", json!(true), &["use_sliding_window"]);
    change("rope_scaling", json!({"type": "yarn", "factor": 4.0}), &["rope_scaling", "yarn"]);
    change(
        "vocab_size",
        json!(300),
        &["model.safetensors", "embed_tokens", "[256, 64]", "[300, 64]"],
    );
    change(
        "tie_word_embeddings",
        json!(false),
        &["model.safetensors", "lm_head.weight", "missing"],
    );

    let dir = copy();
    fs::write(dir.path().join("config.json"), "{").unwrap();
    refused(dir.path(), &["config.json", "JSON"]);
    fs::remove_file(dir.path().join("config.json")).unwrap();
    refused(dir.path(), &["config.json", "read"]);
    let dir = copy();
    edit(&dir.path().join("generation_config.json"), |c| c["eos_token_id"] = json!([1, 700]));
    refused(dir.path(), &["eos_token_id", "700"]);
}

#[test]
fn damaged_weights_are_named() {
    let dir = copy();
    let path = dir.path().join("model.safetensors");
    let whole = fs::read(&path).unwrap();
    for len in [0, 4, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..len]).unwrap();
        refused(dir.path(), &["model.safetensors", "whole safetensors file"]);
    }
    fs::write(&path, b"this is not a safetensors file at all").unwrap();
    refused(dir.path(), &["model.safetensors", "whole safetensors file"]);
    fs::remove_file(&path).unwrap();
    refused(dir.path(), &["model.safetensors"]);

    // Weights of another model leave those that are there as they were.
    let mut policy = CpuPolicy::load(&fixture("nano"), Some(1)).unwrap();
    let before = logp(&mut policy);
    fs::write(&path, &whole[..1000]).unwrap();
    assert!(policy.load_weights(dir.path()).is_err());
    assert_eq!(logp(&mut policy), before);
}

/// Whether a tensor belongs into a file, by its name.
type Belongs<'a> = &'a dyn Fn(&str) -> bool;

/// Rewrites the nano weights as `files` of some tensors each, stored as `kind`.
fn reshard(dir: &Path, kind: Dtype, files: &[(&str, Belongs<'_>)]) {
    let whole = fs::read(fixture("nano/model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&whole).unwrap();
    let mut map = json!({});
    for (file, belongs) in files {
        let data: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
            .iter()
            .filter(|(name, _)| belongs(name))
            .map(|(name, tensor)| {
                map[name] = json!(file);
                let numbers =
                    tensor.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
                let bytes = match kind {
                    Dtype::BF16 => numbers.flat_map(|x| bf16::from_f32(x).to_le_bytes()).collect(),
                    Dtype::F16 => {
                        numbers.flat_map(|x| half::f16::from_f32(x).to_le_bytes()).collect()
                    }
                    _ => numbers.flat_map(f32::to_le_bytes).collect(),
                };
                (name.to_owned(), tensor.shape().to_vec(), bytes)
            })
            .collect();
        let views = data.iter().map(|(name, shape, bytes)| {
            (name.as_str(), TensorView::new(kind, shape.clone(), bytes).unwrap())
        });
        fs::write(dir.join(file), safetensors::serialize(views, None).unwrap()).unwrap();
    }
    let index = json!({ "metadata": {}, "weight_map": map });
    fs::write(dir.join("model.safetensors.index.json"), index.to_string()).unwrap();
}

#[test]
fn sharded_and_half_precision_weights_load() {
    let want = logp(&mut CpuPolicy::load(&fixture("nano"), Some(1)).unwrap());
    let first = |name: &str| name.contains("layers.0");
    let rest = |name: &str| !name.contains("layers.0");
    for (kind, tolerance) in [(Dtype::F32, 0.0), (Dtype::BF16, 0.2), (Dtype::F16, 0.02)] {
        let dir = copy();
        fs::remove_file(dir.path().join("model.safetensors")).unwrap();
        reshard(dir.path(), kind, &[("a.safetensors", &first), ("b.safetensors", &rest)]);
        let mut policy = CpuPolicy::load(dir.path(), Some(1)).unwrap();
        let got = logp(&mut policy);
        assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() <= tolerance), "{got:?} {want:?}");

        // Exported in the type it came in, it loads as the same numbers.
        let out = tempfile::tempdir().unwrap();
        policy.export_model(out.path()).unwrap();
        let bytes = fs::read(out.path().join("model.safetensors")).unwrap();
        assert!(SafeTensors::deserialize(&bytes).unwrap().iter().all(|(_, t)| t.dtype() == kind));
        assert_eq!(logp(&mut CpuPolicy::load(out.path(), Some(1)).unwrap()), got);
    }

    let dir = copy();
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    reshard(dir.path(), Dtype::F32, &[("a.safetensors", &first)]);
    refused(dir.path(), &["model.safetensors.index.json", "model.embed_tokens.weight", "missing"]);
    let index = dir.path().join("model.safetensors.index.json");
    reshard(dir.path(), Dtype::F32, &[("a.safetensors", &first), ("b.safetensors", &rest)]);
    edit(&index, |i| i["weight_map"]["model.norm.weight"] = json!("a.safetensors"));
    refused(dir.path(), &["a.safetensors", "model.norm.weight", "missing"]);
    edit(&index, |i| i["weight_map"]["model.norm.weight"] = json!("../a.safetensors"));
    refused(dir.path(), &["index.json", "../a.safetensors"]);
    reshard(dir.path(), Dtype::I32, &[("a.safetensors", &first), ("b.safetensors", &rest)]);
    refused(dir.path(), &["I32", "tensor"]);
}

#[test]
fn a_saved_policy_goes_on_as_if_it_had_never_stopped() {
    for tied in [true, false] {
        let mut policy = CpuPolicy::init_random(tiny(tied), 3, Some(1)).unwrap();
        let train = |policy: &mut CpuPolicy, token: u32| {
            let tokens = [token, 4, 1];
            let completions = vec![Completion { tokens: &tokens, kept: None }];
            let group = [Group { prompt: &[2, 5], completions }];
            policy.zero_grad();
            policy.accumulate(&group, 1.0, &mut |_| vec![vec![vec![-1.0 / 3.0; 3]]]).unwrap();
            policy.step(&AdamWConfig { lr: 1e-2, ..AdamWConfig::default() }, Some(1.0)).unwrap();
        };
        for token in 2..6 {
            train(&mut policy, token);
        }
        let dir = tempfile::tempdir().unwrap();
        let moments = dir.path().join("optimizer.safetensors");
        policy.save_model(dir.path()).unwrap();
        policy.save_optimizer(&moments).unwrap();
        let mut resumed = CpuPolicy::load(dir.path(), Some(2)).unwrap();
        resumed.load_optimizer(&moments).unwrap();
        assert_eq!(resumed.parameters(), policy.parameters());
        for token in 6..9 {
            train(&mut policy, token);
            train(&mut resumed, token);
        }
        assert_eq!(logp(&mut resumed), logp(&mut policy));
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        policy.save_model(a.path()).unwrap();
        resumed.save_model(b.path()).unwrap();
        for file in ["model.safetensors", "config.json", "generation_config.json"] {
            assert_eq!(
                fs::read(a.path().join(file)).unwrap(),
                fs::read(b.path().join(file)).unwrap()
            );
        }

        let mut other = CpuPolicy::load(&fixture("nano"), Some(1)).unwrap();
        let error = other.load_optimizer(&moments).unwrap_err().to_string();
        assert!(error.contains("optimizer.safetensors") && error.contains("exp_avg"), "{error}");
        let bytes = fs::read(&moments).unwrap();
        fs::write(&moments, &bytes[..bytes.len() - 9]).unwrap();
        assert!(resumed.load_optimizer(&moments).unwrap_err().to_string().contains("cut short"));
        let nowhere = dir.path().join("nowhere");
        let error = policy.save_model(&nowhere).unwrap_err();
        assert!(!error.is_input() && matches!(error, PolicyError::Io { .. }));
    }
}

#[test]
fn settings_of_others_survive_saving() {
    let dir = copy();
    edit(&dir.path().join("config.json"), |c| c["use_mrope"] = json!(false));
    edit(&dir.path().join("generation_config.json"), |c| c["repetition_penalty"] = json!(1.05));
    let policy = CpuPolicy::load(dir.path(), Some(1)).unwrap();
    let out = tempfile::tempdir().unwrap();
    policy.save_model(out.path()).unwrap();
    let read = |file: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(out.path().join(file)).unwrap()).unwrap()
    };
    assert_eq!(read("config.json")["use_mrope"], json!(false));
    assert_eq!(read("config.json")["dtype"], json!("float32"));
    assert_eq!(read("generation_config.json")["repetition_penalty"], json!(1.05));
    assert_eq!(ModelConfig::load(out.path()).unwrap(), ModelConfig::load(dir.path()).unwrap());
}

#[test]
fn tokenizers_that_do_not_fit_are_refused() {
    let dir = copy();
    Tokenizer::load(dir.path()).unwrap();
    edit(&dir.path().join("tokenizer.json"), |t| {
        t["model"]["vocab"]["stray"] = json!(256);
    });
    let error = Tokenizer::load(dir.path()).unwrap_err().to_string();
    for part in ["tokenizer.json", "stray", "256", "vocab_size"] {
        assert!(error.contains(part), "{error}");
    }
    let dir = copy();
    fs::write(dir.path().join("tokenizer.json"), "{}").unwrap();
    assert!(Tokenizer::load(dir.path()).unwrap_err().to_string().contains("tokenizer.json"));
    let dir = copy();
    edit(&dir.path().join("tokenizer_config.json"), |t| t["eos_token"] = json!("<none>"));
    let error = Tokenizer::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("eos_token") && error.contains("<none>"), "{error}");
    let dir = copy();
    edit(&dir.path().join("tokenizer_config.json"), |t| t["chat_template"] = json!("{% if %}"));
    let error = Tokenizer::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("chat_template"), "{error}");
}

#[test]
fn a_trained_tokenizer_round_trips() {
    let corpus =
        (0..400).map(|n| format!("What is {n} + {}? <think>add</think> naïve é 日本 🙂", n * 7));
    let tokenizer = Tokenizer::train_bpe(corpus, &BpeConfig::default()).unwrap();
    assert!(tokenizer.vocab_size() <= 512);
    tokenizer.check_fits(512).unwrap();
    assert_eq!(tokenizer.pad_id(), Some(0));
    assert_eq!(tokenizer.eos_ids(), [tokenizer.token_to_id("<|im_end|>").unwrap()]);

    // Added tokens are one id each and survive decoding; special ones are dropped.
    let text = "<think>12+30</think>\n<answer>日本 42 🙂</answer>";
    let ids = tokenizer.encode(&format!("{text}<|im_end|>")).unwrap();
    assert_eq!(ids[0], tokenizer.token_to_id("<think>").unwrap());
    assert_eq!(ids.last(), Some(&tokenizer.eos_ids()[0]));
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    // Digits stand alone.
    assert_eq!(tokenizer.encode("12345").unwrap().len(), 5);

    let chat = [("system", "Be brief."), ("user", "Hi")];
    let text = tokenizer.apply_chat_template(&chat, true).unwrap();
    assert_eq!(
        text,
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n\
         <|im_start|>assistant\n"
    );

    // Saved beside a model and loaded again, it is the same.
    let dir = tempfile::tempdir().unwrap();
    let config =
        ModelConfig { vocab_size: 512, eos_token_ids: tokenizer.eos_ids().to_vec(), ..tiny(true) };
    CpuPolicy::init_random(config, 1, Some(1)).unwrap().save_model(dir.path()).unwrap();
    tokenizer.save(dir.path()).unwrap();
    let again = Tokenizer::load(dir.path()).unwrap();
    assert_eq!(again.encode(&text).unwrap(), tokenizer.encode(&text).unwrap());
    assert_eq!(again.eos_ids(), tokenizer.eos_ids());
    assert_eq!(again.apply_chat_template(&chat, true).unwrap(), text);
    let other = tempfile::tempdir().unwrap();
    again.save(other.path()).unwrap();
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        assert_eq!(
            fs::read(dir.path().join(file)).unwrap(),
            fs::read(other.path().join(file)).unwrap()
        );
    }

    let small = BpeConfig { vocab_size: 200, ..BpeConfig::default() };
    let error = Tokenizer::train_bpe(["text"].into_iter(), &small).unwrap_err();
    assert!(error.to_string().contains("200"));
}

#[test]
fn chat_templates_run_as_in_transformers() {
    // Qwen2.5's constructs: a default system message, string methods, slices, loop variables.
    let template = "\
{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'].strip() + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role not in ['system', 'user', 'assistant'] %}
        {{- raise_exception('unknown role ' + message.role) }}
    {%- endif %}
    {%- if (message.role == 'user') or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
{{- eos_token }}";
    let dir = copy();
    fs::write(dir.path().join("chat_template.jinja"), template).unwrap();
    edit(&dir.path().join("tokenizer_config.json"), |t| {
        t["chat_template"] = json!("the file wins");
        t["eos_token"] = json!({"content": "<eos>", "special": true});
    });
    let tokenizer = Tokenizer::load(dir.path()).unwrap();
    assert_eq!(
        tokenizer.apply_chat_template(&[("user", "a < b & 'c'")], true).unwrap(),
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n\
         <|im_start|>user\na < b & 'c'<|im_end|>\n<|im_start|>assistant\n<eos>"
    );
    assert_eq!(
        tokenizer.apply_chat_template(&[("system", "  S "), ("user", "q")], false).unwrap(),
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<eos>"
    );
    let error = tokenizer.apply_chat_template(&[("tool", "x")], false).unwrap_err();
    assert!(error.to_string().contains("unknown role tool"), "{error}");
    let out = tempfile::tempdir().unwrap();
    tokenizer.save(out.path()).unwrap();
    assert_eq!(fs::read_to_string(out.path().join("chat_template.jinja")).unwrap(), template);

    let none = Tokenizer::load(&fixture("nano")).unwrap();
    let error = none.apply_chat_template(&[("user", "x")], true).unwrap_err();
    assert!(error.to_string().contains("no chat template"), "{error}");
}
