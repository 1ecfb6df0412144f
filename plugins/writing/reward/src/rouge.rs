//! ROUGE-L: the longest common subsequence of two texts' words, as the package `rouge_score` has it
//! without a stemmer (Lin, 2004; F with equal weights).

/// Words of a text that are looked at; what is longer would take more fuel than a call has.
const MOST: usize = 20_000;

/// F of the words of `prediction` against those of `target`, from 0 to 1; of each text the first
/// 20,000.
pub fn rouge_l(target: &str, prediction: &str) -> f64 {
    let (target, prediction) = (words(target), words(prediction));
    let common = longest_common(&target, &prediction) as f64;
    if common == 0.0 {
        return 0.0;
    }
    let precision = common / prediction.len() as f64;
    let recall = common / target.len() as f64;
    2.0 * precision * recall / (precision + recall)
}

/// Runs of ASCII letters and digits, in lower case; whatever else there is separates them.
fn words(text: &str) -> Vec<String> {
    // `rouge_score` lowers the case before it looks at characters: `K` (Kelvin) becomes a letter.
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).take(MOST).map(str::to_owned).collect()
}

/// The length of the longest common subsequence; a bit for each word of `a`, a pass for each of
/// `b` (Hyyrö, 2004).
fn longest_common(a: &[String], b: &[String]) -> u32 {
    let mut places = std::collections::BTreeMap::<&str, Vec<u64>>::new();
    let blocks = a.len().div_ceil(64);
    for (at, word) in a.iter().enumerate() {
        let own = places.entry(word).or_insert_with(|| vec![0; blocks]);
        own[at / 64] |= 1 << (at % 64);
    }
    let mut rows = vec![u64::MAX; blocks];
    for word in b {
        let Some(own) = places.get(word.as_str()) else { continue };
        let mut carry = false;
        for (row, own) in rows.iter_mut().zip(own) {
            let matched = *row & own;
            let (sum, over) = row.overflowing_add(matched);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            carry = over || again;
            *row = sum | (*row & !own);
        }
    }
    let within = |at: usize| {
        let bits = a.len() - at * 64;
        if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
    };
    rows.iter().enumerate().map(|(at, row)| (!row & within(at)).count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook's table.
    fn slowly(a: &[String], b: &[String]) -> u32 {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut corner = 0;
            for (j, y) in b.iter().enumerate() {
                let above = row[j + 1];
                row[j + 1] = if x == y { corner + 1 } else { above.max(row[j]) };
                corner = above;
            }
        }
        row[b.len()]
    }

    #[test]
    fn figures_are_those_of_rouge_score() {
        for (target, prediction, expected) in [
            ("the cat sat on the mat", "the cat sat on the mat", 1.0),
            ("the cat sat on the mat", "the mat sat on the cat", 2.0 / 3.0),
            ("police killed the gunman", "police kill the gunman", 0.75),
            ("police killed the gunman", "the gunman kill police", 0.5),
            ("a b c d e f", "a c e g", 0.6),
            ("It's 5-to-4!", "it s 5 to 4", 1.0),
            ("", "a", 0.0),
            ("a", "", 0.0),
            ("é", "é", 0.0),
        ] {
            let score = rouge_l(target, prediction);
            assert!((score - expected).abs() < 1e-12, "{target} / {prediction}: {score}");
        }
    }

    #[test]
    fn long_texts_agree_with_the_table() {
        let mut state = 9_u64;
        let mut text = |words: u64, kinds: u64| -> Vec<String> {
            let draw = |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                ((state >> 33) % kinds).to_string()
            };
            (0..words).map(draw).collect()
        };
        for (m, n, kinds) in [(64, 64, 3), (65, 200, 5), (130, 7, 2), (300, 300, 40), (63, 1, 1)] {
            let (a, b) = (text(m, kinds), text(n, kinds));
            assert_eq!(longest_common(&a, &b), slowly(&a, &b), "{m} {n} {kinds}");
        }
    }

    /// The package's own figures, where they lie beside the checkout.
    #[test]
    fn the_shared_figures_agree() {
        let file =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/fixtures/f_rougeL.json");
        let Ok(text) = std::fs::read_to_string(file) else {
            eprintln!("skipped: there is no {file}");
            return;
        };
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pairs = all["pairs"].as_array().unwrap();
        assert!(!pairs.is_empty());
        for pair in pairs {
            let text = |key: &str| pair[key].as_str().unwrap().to_owned();
            let expected = pair["rougeL"]["fmeasure"].as_f64().unwrap();
            let score = rouge_l(&text("target"), &text("prediction"));
            assert!((score - expected).abs() < 1e-12, "{pair}: {score}");
        }
    }
}
