//! Models that run here: tiny ones with random weights, which answer nonsense, but always the same.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::common::question;
use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use candle_nn::{Activation, VarBuilder, VarMap};
use candle_transformers::models::qwen2;
use omni_judge::{
    Answer, FailureKind, JudgeModel, Ledger, ModelSettings, OpenError, Question, Source,
};
use omni_policy::{BpeConfig, Tokenizer};

const HIDDEN: usize = 32;
const POSITIONS: usize = 512;

/// A tokenizer with a chat template, in a folder.
fn tokenizer(folder: &Path) -> usize {
    let config = BpeConfig { vocab_size: 300, ..BpeConfig::default() };
    let text = "Which of the two texts is better? The first, the second, or neither of them.";
    let tokenizer = Tokenizer::train_bpe(std::iter::repeat_n(text, 4), &config).unwrap();
    tokenizer.save(folder).unwrap();
    tokenizer.vocab_size()
}

/// A Hugging Face folder with a model of random weights; the same bytes each time.
fn folder(dir: &Path) -> PathBuf {
    let path = dir.join("model");
    std::fs::create_dir(&path).unwrap();
    let vocab_size = tokenizer(&path);
    let config = serde_json::json!({
        "model_type": "qwen2",
        "vocab_size": vocab_size,
        "hidden_size": HIDDEN,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": POSITIONS,
        "tie_word_embeddings": true,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
    });
    std::fs::write(path.join("config.json"), config.to_string()).unwrap();
    let shape = qwen2::Config {
        vocab_size,
        hidden_size: HIDDEN,
        intermediate_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        max_position_embeddings: POSITIONS,
        sliding_window: POSITIONS,
        max_window_layers: 2,
        tie_word_embeddings: true,
        rope_theta: 10000.0,
        rms_norm_eps: 1e-6,
        use_sliding_window: false,
        hidden_act: Activation::Silu,
    };
    // Made only to learn the names and shapes; the values are ours.
    let map = VarMap::new();
    let _ = qwen2::Model::new(&shape, VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu));
    let data = map.data().lock().unwrap();
    let mut names: Vec<&String> = data.keys().collect();
    names.sort();
    let tensors = names
        .into_iter()
        .enumerate()
        .map(|(n, name)| (name.clone(), noise(n as u32, data[name].dims(), name.contains("norm"))))
        .collect();
    candle_core::safetensors::save(&tensors, path.join("model.safetensors")).unwrap();
    path
}

/// Values that look random and are not.
fn noise(seed: u32, dims: &[usize], around_one: bool) -> Tensor {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let count = dims.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let x = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
            if around_one { 1.0 + 0.1 * x } else { x }
        })
        .collect();
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

/// A GGUF file of a family, its tokenizer beside it.
fn gguf(dir: &Path, family: &str) -> PathBuf {
    let vocab_size = tokenizer(dir);
    let mut tensors: Vec<(String, QTensor)> = Vec::new();
    let mut add = |name: String, dims: &[usize]| {
        let values = noise(tensors.len() as u32, dims, name.contains("norm"));
        let kind = if dims.len() == 2 { GgmlDType::Q8_0 } else { GgmlDType::F32 };
        tensors.push((name, QTensor::quantize(&values, kind).unwrap()));
    };
    add("token_embd.weight".into(), &[vocab_size, HIDDEN]);
    add("output_norm.weight".into(), &[HIDDEN]);
    for layer in 0..2 {
        for (name, dims) in [
            ("attn_q.weight", vec![HIDDEN, HIDDEN]),
            ("attn_k.weight", vec![HIDDEN / 2, HIDDEN]),
            ("attn_v.weight", vec![HIDDEN / 2, HIDDEN]),
            ("attn_output.weight", vec![HIDDEN, HIDDEN]),
            ("ffn_gate.weight", vec![64, HIDDEN]),
            ("ffn_up.weight", vec![64, HIDDEN]),
            ("ffn_down.weight", vec![HIDDEN, 64]),
            ("attn_norm.weight", vec![HIDDEN]),
            ("ffn_norm.weight", vec![HIDDEN]),
            ("attn_q.bias", vec![HIDDEN]),
            ("attn_k.bias", vec![HIDDEN / 2]),
            ("attn_v.bias", vec![HIDDEN / 2]),
        ] {
            if family == "qwen2" || !name.ends_with("bias") {
                add(format!("blk.{layer}.{name}"), &dims);
            }
        }
    }
    let number = |key: &str, value: u32| (format!("{family}.{key}"), Value::U32(value));
    let metadata = [
        ("general.architecture".to_owned(), Value::String(family.to_owned())),
        number("attention.head_count", 2),
        number("attention.head_count_kv", 1),
        number("embedding_length", HIDDEN as u32),
        number("context_length", POSITIONS as u32),
        number("block_count", 2),
        number("rope.dimension_count", HIDDEN as u32 / 2),
        (format!("{family}.attention.layer_norm_rms_epsilon"), Value::F32(1e-6)),
    ];
    let path = dir.join("model.gguf");
    let metadata: Vec<(&str, &Value)> =
        metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut File::create(&path).unwrap(), &metadata, &tensors).unwrap();
    path
}

fn open(source: Source) -> Result<JudgeModel, OpenError> {
    JudgeModel::open(ModelSettings::new("judge", source), Arc::new(Ledger::in_memory()))
}

fn at(temperature: f32, text: &str) -> Question {
    Question { temperature, ..question(text) }
}

/// Questions of several lengths: one piece, several pieces, one token more than a piece.
fn questions() -> Vec<Question> {
    vec![
        at(0.0, "Which?"),
        at(0.0, &"Which of the two texts is better? ".repeat(20)),
        at(0.7, "Which?"),
        at(0.7, "Which of them?"),
    ]
}

fn texts(answers: Vec<Answer>) -> Vec<String> {
    answers.into_iter().map(|answer| answer.unwrap()).collect()
}

#[test]
fn a_folder_answers_and_always_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = folder(dir.path());
    let model = open(Source::Folder(path.clone())).unwrap();
    let answers = texts(model.answer("a", &questions()));
    // Another process, another order, one at a time.
    let again = open(Source::Folder(path)).unwrap();
    for (question, answer) in questions().into_iter().zip(&answers).rev() {
        assert_eq!(&texts(again.answer("b", &[question]))[0], answer);
    }
    assert_ne!(answers[2], answers[0], "a temperature changes what is said");
    let spent = model.tally().spent;
    assert!(spent.prompt_tokens > 0 && spent.completion_tokens > 0, "{spent:?}");
}

#[test]
fn the_likeliest_tokens_are_those_of_the_policys_own_forward() {
    use omni_policy::{CpuPolicy, GenerationRequest, Policy as _, Sampling};
    let dir = tempfile::tempdir().unwrap();
    let path = folder(dir.path());
    let tokenizer = Tokenizer::load(&path).unwrap();
    let mut policy = CpuPolicy::load(&path, Some(1)).unwrap();
    let model = open(Source::Folder(path)).unwrap();
    for question in &questions()[..2] {
        let content = question.messages[0].content.as_str();
        let text = tokenizer.apply_chat_template(&[("user", content)], true).unwrap();
        let prompt = tokenizer.encode(&text).unwrap();
        let request = GenerationRequest { prompt: &prompt, samples: 1, seed: 0 };
        let sampling = Sampling {
            temperature: 0.0,
            top_k: None,
            top_p: 1.0,
            max_new_tokens: 16,
            record_kept: false,
        };
        let mut expected = String::new();
        policy
            .generate(&[request], &sampling, &mut |_, generated| {
                expected = tokenizer.decode(&generated[0].tokens).unwrap();
            })
            .unwrap();
        assert_eq!(texts(model.answer("a", std::slice::from_ref(question)))[0], expected);
    }
}

#[test]
fn gguf_files_of_both_families_answer_and_always_the_same() {
    for family in ["qwen2", "llama"] {
        let dir = tempfile::tempdir().unwrap();
        let file = gguf(dir.path(), family);
        let source = Source::Gguf { file, tokenizer: dir.path().to_owned() };
        let model = open(source.clone()).unwrap();
        let answers = texts(model.answer("a", &questions()));
        let again = open(source).unwrap();
        for (question, answer) in questions().into_iter().zip(&answers).rev() {
            assert_eq!(&texts(again.answer("b", &[question]))[0], answer, "{family}");
        }
        assert!(model.identity().starts_with("gguf sha256:"), "{}", model.identity());
    }
}

#[test]
fn a_question_that_does_not_fit_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let model = open(Source::Folder(folder(dir.path()))).unwrap();
    let long = at(0.0, &"better ".repeat(POSITIONS));
    let failure = model.answer("a", &[long])[0].clone().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert!(failure.message.contains("the model holds 512"), "{failure}");
}

#[test]
fn other_weights_are_another_model() {
    let dir = tempfile::tempdir().unwrap();
    let path = folder(dir.path());
    let first = open(Source::Folder(path.clone())).unwrap();
    let file = path.join("config.json");
    let text = std::fs::read_to_string(&file).unwrap().replace("10000.0", "20000.0");
    std::fs::write(&file, text).unwrap();
    let second = open(Source::Folder(path)).unwrap();
    assert!(first.identity().starts_with("folder sha256:"));
    assert_ne!(first.identity(), second.identity());
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = |source: Source, words: &[&str]| {
        let message = open(source).unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "no {word:?} in: {message}");
        }
    };
    wrong(Source::Folder(dir.path().join("nowhere")), &["nowhere", "model.safetensors"]);
    let path = folder(dir.path());
    std::fs::write(path.join("model.safetensors"), b"short").unwrap();
    wrong(Source::Folder(path.clone()), &["model.safetensors"]);
    std::fs::remove_file(path.join("model.safetensors")).unwrap();
    wrong(Source::Folder(path.clone()), &["model.safetensors", "missing"]);
    let index = r#"{"weight_map": {"a": "../outside.safetensors"}}"#;
    std::fs::write(path.join("model.safetensors.index.json"), index).unwrap();
    wrong(Source::Folder(path.clone()), &["index.json", "not a file of this folder"]);

    let file = dir.path().join("bad.gguf");
    std::fs::write(&file, b"GGUF").unwrap();
    wrong(Source::Gguf { file, tokenizer: path.clone() }, &["bad.gguf"]);
    let other = gguf(dir.path(), "mamba");
    wrong(Source::Gguf { file: other, tokenizer: path }, &["`mamba`", "qwen2", "endpoint"]);
}

#[test]
fn a_model_without_a_chat_template_is_refused_when_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = folder(dir.path());
    let file = path.join("tokenizer_config.json");
    let mut config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    config.as_object_mut().unwrap().remove("chat_template");
    std::fs::write(&file, config.to_string()).unwrap();
    let message = open(Source::Folder(path)).unwrap_err().to_string();
    assert!(message.contains("needs a chat template"), "{message}");
}
