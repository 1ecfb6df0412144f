//! The quickstart's writing: a short text that holds the required words.
//!
//! The reference is a text that lacks some of them, so a text with all of them is preferred to it,
//! one that lacks as many is a tie, and a worse one loses.

mod sentence;

use omni_quickstart_generate::{Common, Problem, in_range, item, splits};
use omni_sdk::task::{Item, Result, Rng, Split, Task};
use serde::Deserialize;
use serde_json::json;

pub use sentence::Sentence;

/// The longest text that is not too long.
const MAX_WORDS: u32 = 12;

/// The generator and its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sentences {
    /// Which endless sequence of problems it is.
    pub seed: u64,
    /// The share of wrong demonstrations in the split `warmup`.
    pub wrong: f64,
    /// The share of those that break the form.
    pub broken: f64,
    /// How hard, from 1 to 3; sets what the keys below leave open.
    pub level: u32,
    /// How many words are required.
    pub words: Option<u32>,
    /// How many words of each class there are.
    pub vocabulary: Option<u32>,
    /// How many of the required words the reference lacks.
    pub reference_lacks: u32,
}

impl Default for Sentences {
    fn default() -> Self {
        let Common { seed, wrong, broken } = Common::default();
        Self { seed, wrong, broken, level: 2, words: None, vocabulary: None, reference_lacks: 1 }
    }
}

impl Sentences {
    /// How many words are required, and how many there are of each class.
    fn sizes(&self) -> Result<(usize, usize)> {
        in_range("level", self.level, 1..=3)?;
        let (words, vocabulary) = [(3, 12), (4, 16), (5, 20)][self.level as usize - 1];
        let (words, vocabulary) =
            (self.words.unwrap_or(words), self.vocabulary.unwrap_or(vocabulary));
        in_range("words", words, 3..=5)?;
        in_range("vocabulary", vocabulary, 6..=20)?;
        in_range("reference_lacks", self.reference_lacks, 0..=words - 1)?;
        Ok((words as usize, vocabulary as usize))
    }
}

impl Task for Sentences {
    fn splits(&self) -> Result<Vec<Split>> {
        self.sizes()?;
        Ok(splits())
    }

    fn item(&self, split: &str, index: u32) -> Result<Item> {
        let (words, vocabulary) = self.sizes()?;
        let common = Common { seed: self.seed, wrong: self.wrong, broken: self.broken };
        item(&common, split, index, |rng: &mut Rng| {
            let sentence = Sentence::draw(words, vocabulary, rng);
            let mut required = sentence.words();
            required.sort_unstable();
            let key = required.join(" ");
            let finish = move |rng: &mut Rng| {
                rng.shuffle(&mut required);
                let lacks = self.reference_lacks as usize;
                let reference = sentence.lacking(lacks, vocabulary, rng).text();
                let rubric =
                    json!({ "words": required, "min_words": words + 2, "max_words": MAX_WORDS });
                let mut data = serde_json::Map::new();
                data.insert("kind".to_owned(), format!("{words} words").into());
                data.insert("rubric".to_owned(), rubric);
                Problem {
                    prompt: format!("Write: {}.", required.join(", ")),
                    reference: Some(reference),
                    data,
                    right: sentence.solution(),
                    wrong: sentence.mistakes(lacks, vocabulary, rng),
                }
            };
            (key, finish)
        })
    }
}

omni_sdk::export!(task Sentences);
