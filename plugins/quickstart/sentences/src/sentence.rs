//! Sentences of a small grammar, and worse ones.

use omni_quickstart_generate::Solution;
use omni_sdk::task::Rng;

const ADJECTIVES: [&str; 20] = [
    "red", "big", "happy", "small", "quiet", "young", "white", "brave", "funny", "warm", "green",
    "kind", "slow", "proud", "sleepy", "gentle", "lucky", "wild", "clever", "tired",
];
const NOUNS: [&str; 20] = [
    "cat", "dog", "bird", "child", "king", "horse", "baker", "fox", "mouse", "sailor", "bear",
    "teacher", "frog", "doctor", "pig", "rabbit", "farmer", "lion", "nurse", "painter",
];
const VERBS: [&str; 20] = [
    "play", "sing", "jump", "sleep", "walk", "dance", "smile", "talk", "swim", "work", "laugh",
    "cook", "dream", "hide", "wait", "read", "rest", "climb", "shout", "listen",
];

/// Before the verb, and whether the verb then takes an s.
const BEGINNINGS: [(&str, &str, bool); 4] =
    [("The", "", true), ("My", "can ", false), ("This", "will ", false), ("Our", "", true)];
/// Before the second noun; without one, what ends the sentence.
const MIDDLES: [&str; 3] = ["with a", "near the", "for a"];
const ENDINGS: [&str; 3] = ["all day", "at home", "very well"];

/// A sentence: who, what kind of who, what they do, and perhaps with whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    adjective: &'static str,
    noun: &'static str,
    verb: &'static str,
    second_noun: Option<&'static str>,
    second_adjective: Option<&'static str>,
    beginning: usize,
    end: usize,
}

impl Sentence {
    /// A sentence of three to five words that count, each class holding `vocabulary` words.
    pub fn draw(words: usize, vocabulary: usize, rng: &mut Rng) -> Self {
        let adjectives = rng.sample(&ADJECTIVES[..vocabulary], 2);
        let nouns = rng.sample(&NOUNS[..vocabulary], 2);
        let verbs = rng.sample(&VERBS[..vocabulary], 1);
        Self {
            adjective: adjectives[0],
            noun: nouns[0],
            verb: verbs[0],
            second_noun: (words > 3).then(|| nouns[1]),
            second_adjective: (words > 4).then(|| adjectives[1]),
            beginning: rng.below(BEGINNINGS.len() as u64) as usize,
            end: rng.below(ENDINGS.len() as u64) as usize,
        }
    }

    /// The words that count, in their order.
    pub fn words(&self) -> Vec<&'static str> {
        let mut words = vec![self.adjective, self.noun, self.verb];
        words.extend(self.second_adjective);
        words.extend(self.second_noun);
        words
    }

    /// The sentence.
    pub fn text(&self) -> String {
        let (article, modal, third) = BEGINNINGS[self.beginning];
        let s = if third { "s" } else { "" };
        let end = match (self.second_noun, self.second_adjective) {
            (None, _) => ENDINGS[self.end].to_owned(),
            (Some(noun), None) => format!("{} {noun}", MIDDLES[self.end]),
            (Some(noun), Some(adjective)) => format!("{} {adjective} {noun}", MIDDLES[self.end]),
        };
        format!("{article} {} {} {modal}{}{s} {end}.", self.adjective, self.noun, self.verb)
    }

    /// The words put in order, and the sentence.
    pub fn solution(&self) -> Solution {
        Solution::new(self.thoughts(), self.text())
    }

    /// The words in their order; the space makes the first the token that it is in the prompt.
    fn thoughts(&self) -> String {
        format!(" {}", self.words().join(" "))
    }

    /// The same sentence with other words in the place of so many.
    pub fn lacking(&self, count: usize, vocabulary: usize, rng: &mut Rng) -> Self {
        let mut other = self.clone();
        let places = (0..self.words().len()).collect::<Vec<_>>();
        for place in rng.sample(&places, count) {
            let present: Vec<_> = self.words().into_iter().chain(other.words()).collect();
            let mut instead = |class: &[&'static str; 20]| {
                let free: Vec<_> = class[..vocabulary]
                    .iter()
                    .copied()
                    .filter(|word| !present.contains(word))
                    .collect();
                rng.choose(&free).copied().unwrap_or(class[0])
            };
            match place {
                0 => other.adjective = instead(&ADJECTIVES),
                1 => other.noun = instead(&NOUNS),
                2 => other.verb = instead(&VERBS),
                3 if self.second_adjective.is_some() => {
                    other.second_adjective = Some(instead(&ADJECTIVES))
                }
                _ => other.second_noun = Some(instead(&NOUNS)),
            }
        }
        other
    }

    /// Texts that are no better than a reference which lacks so many words: with as many or one
    /// more lost, breaking off, or stammering.
    pub fn mistakes(&self, lacks: usize, vocabulary: usize, rng: &mut Rng) -> Vec<Solution> {
        let forgets = |count: usize, rng: &mut Rng| {
            let lacking = self.lacking(count, vocabulary, rng);
            [
                Solution::new(lacking.thoughts(), lacking.text()),
                Solution::new(self.thoughts(), lacking.text()),
            ]
        };
        let words = self.thoughts();
        let mut wrong = Vec::new();
        let lacks = lacks.max(1);
        for count in [lacks, lacks + 1, lacks + 1] {
            wrong.extend(forgets(count.min(self.words().len()), rng));
        }
        wrong.push(Solution::new(words.clone(), format!("The {} {}.", self.adjective, self.noun)));
        wrong.push(Solution::new(
            words,
            format!("The {0} {0} {0} {1} {1} {1} {2}s.", self.adjective, self.noun, self.verb),
        ));
        wrong
    }
}
