//! The quickstart's QA: everyday questions from one closed table of facts.
//!
//! The prompt holds the right answer among distractors of the same kind, in full text and without
//! letters; the answer is the full text. The facts are the same everywhere, as in the world; what
//! the splits do not share is a question with a set of candidates.

mod facts;

use omni_quickstart_generate::{Common, Problem, Solution, in_range, item, splits};
use omni_sdk::task::{Item, Result, Rng, Split, Task};
use serde::Deserialize;

pub use facts::{RELATIONS, Relation};

/// The generator and its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct World {
    /// Which endless sequence of problems it is.
    pub seed: u64,
    /// The share of wrong demonstrations in the split `warmup`.
    pub wrong: f64,
    /// The share of those that break the form.
    pub broken: f64,
    /// How hard, from 1 to 3; sets what the keys below leave open.
    pub level: u32,
    /// How many facts of each relation are asked about.
    pub facts: Option<u32>,
    /// How many distractors stand beside the answer.
    pub distractors: Option<u32>,
}

impl Default for World {
    fn default() -> Self {
        let Common { seed, wrong, broken } = Common::default();
        Self { seed, wrong, broken, level: 2, facts: None, distractors: None }
    }
}

impl World {
    /// How many facts and how many distractors.
    fn sizes(&self) -> Result<(usize, usize)> {
        in_range("level", self.level, 1..=3)?;
        let (facts, distractors) = [(8, 2), (12, 3), (16, 4)][self.level as usize - 1];
        let (facts, distractors) =
            (self.facts.unwrap_or(facts), self.distractors.unwrap_or(distractors));
        in_range("facts", facts, 6..=16)?;
        in_range("distractors", distractors, 1..=4)?;
        Ok((facts as usize, distractors as usize))
    }
}

impl Task for World {
    fn splits(&self) -> Result<Vec<Split>> {
        self.sizes()?;
        Ok(splits())
    }

    fn item(&self, split: &str, index: u32) -> Result<Item> {
        let (facts, distractors) = self.sizes()?;
        let common = Common { seed: self.seed, wrong: self.wrong, broken: self.broken };
        item(&common, split, index, |rng: &mut Rng| {
            let relation = rng.choose(RELATIONS).copied().unwrap_or(RELATIONS[0]);
            let known = &relation.facts[..facts.min(relation.facts.len())];
            let (subject, object) = rng.choose(known).copied().unwrap_or(known[0]);
            let others: Vec<&str> =
                known.iter().map(|(_, other)| *other).filter(|other| *other != object).collect();
            let others = rng.sample(&others, distractors);
            let mut candidates = others.clone();
            candidates.push(object);
            candidates.sort_unstable();
            let question = relation.question.replace("{}", subject);
            let key = format!("{question} {}", candidates.join(", "));
            let finish = move |rng: &mut Rng| {
                rng.shuffle(&mut candidates);
                let mut data = serde_json::Map::new();
                data.insert("kind".to_owned(), relation.name.into());
                data.insert("accepted".to_owned(), vec![object].into());
                // The spaces make a word here the token that it is in the prompt.
                let solution = |remembered: &str, said: &str| {
                    Solution::new(format!(" {subject} {remembered}"), format!(" {said}"))
                };
                // A wrong memory, a slip after a right one, and an answer that nobody offered.
                let mut wrong: Vec<_> = others.iter().map(|other| solution(other, other)).collect();
                wrong.extend(others.iter().map(|other| solution(object, other)));
                let absent =
                    known.iter().map(|(_, other)| *other).find(|other| !candidates.contains(other));
                wrong.extend(absent.map(|absent| solution(absent, absent)));
                Problem {
                    prompt: format!("{question} {}", candidates.join(", ")),
                    reference: Some(object.to_owned()),
                    data,
                    right: solution(object, object),
                    wrong,
                }
            };
            (key, finish)
        })
    }
}

omni_sdk::export!(task World);
