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

/// By definition, without a table: the longest of all subsequences that both have.
fn longest(a: &[u8], b: &[u8]) -> usize {
    let within = |sub: &[u8], of: &[u8]| {
        let mut rest = of.iter();
        sub.iter().all(|x| rest.any(|y| y == x))
    };
    (0u32..1 << a.len())
        .map(|mask| (0..a.len()).filter(|i| mask >> i & 1 == 1).map(|i| a[i]).collect::<Vec<_>>())
        .filter(|sub| within(sub, b))
        .map(|sub| sub.len())
        .max()
        .unwrap_or(0)
}

proptest::proptest! {
    #[test]
    fn it_is_the_longest_common_subsequence(
        a in proptest::collection::vec(0u8..4, 1..9), b in proptest::collection::vec(0u8..5, 1..9),
    ) {
        let text = |tokens: &[u8]| tokens.iter().map(|t| format!("w{t}")).collect::<Vec<_>>().join(" ");
        let score = rouge_l(&text(&a), &text(&b));
        let common = longest(&a, &b) as f64;
        proptest::prop_assert!((score.recall - common / a.len() as f64).abs() < 1e-12);
        proptest::prop_assert!((score.precision - common / b.len() as f64).abs() < 1e-12);
        let back = rouge_l(&text(&b), &text(&a));
        proptest::prop_assert!((score.f_measure - back.f_measure).abs() < 1e-12);
    }
}
