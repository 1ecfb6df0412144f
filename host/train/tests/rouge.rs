//! ROUGE-L against rouge_score 0.1.2, without its stemmer.

use omni_train::rouge::{RougeL, rouge_l};
use serde_json::Value;

#[test]
fn agrees_with_rouge_score() {
    let text = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/f_rouge_l.json"),
    )
    .unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let pairs = file["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 20);
    for pair in pairs {
        let text = |key: &str| pair[key].as_str().unwrap();
        let ours = rouge_l(text("target"), text("prediction"));
        for (ours, key) in
            [(ours.precision, "precision"), (ours.recall, "recall"), (ours.f_measure, "fmeasure")]
        {
            let theirs = pair["rougeL"][key].as_f64().unwrap();
            assert!((ours - theirs).abs() < 1e-12, "{pair}: {key} {ours}");
        }
    }
}

#[test]
fn texts_without_tokens_score_nothing() {
    assert_eq!(rouge_l("", "a cat"), RougeL::default());
    assert_eq!(rouge_l("猫が座った", "猫が座った"), RougeL::default());
    assert_eq!(rouge_l("A-b", "a B!").f_measure, 1.0);
}
