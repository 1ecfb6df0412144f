//! What a policy would do to get words and length without writing, and what it costs.
//!
//! Each fault is a share of the text or of the required words, from 0 to 1, and 0 for sentences.
//! What is natural in small amounts is free up to there. None is a judgement of style.

use std::collections::HashSet;

use crate::text::{Sentence, Text, is_form_of, is_function_word};

/// The ways of one comparison.
#[derive(Debug)]
pub struct Faults<'a> {
    wanted: &'a [String],
    /// Runs of words that the conversation holds.
    asked: HashSet<Vec<&'a str>>,
    /// Whether it is English that is written here, whose grammar words are known.
    english: bool,
}

/// Words in a row that show that a text was copied.
const COPIED_RUN: usize = 5;
/// The share of a text that may be quoted from the conversation.
const QUOTED: f64 = 0.2;
/// Words in a row that show that a text says the same again.
const SAME_RUN: usize = 4;
/// The share of a text that may be a refrain.
const REFRAIN: f64 = 0.2;
/// A text this long is looked at for what it says twice.
const LONG: usize = 24;
/// The stretch of words whose variety is looked at, and the least share of different ones in it.
/// English prose has 0.7 and more, verse with a refrain 0.5.
const STRETCH: (usize, f64) = (50, 0.45);
/// What a text of no sentences loses.
const NO_SENTENCES: f64 = 0.5;
/// The share of a text that may be headings, labels and fragments.
const FRAGMENTS: f64 = 0.3;

impl<'a> Faults<'a> {
    /// Looks at what was asked and at both texts.
    pub fn new(wanted: &'a [String], asked: &'a [Text], texts: [&Text; 2]) -> Self {
        let all = asked.iter().chain(texts).flat_map(Text::words);
        let (grammar, words) = all.fold((0_usize, 0_usize), |(grammar, words), word| {
            (grammar + usize::from(is_function_word(word)), words + 1)
        });
        let runs = asked.iter().flat_map(|text| {
            let words = text.words();
            words.windows(COPIED_RUN).map(<[&str]>::to_vec).collect::<Vec<_>>()
        });
        Self { wanted, asked: runs.collect(), english: grammar * 10 > words }
    }

    /// What a text loses for all of them.
    pub fn of(&self, text: &Text) -> f64 {
        let words = text.words();
        self.listed(text)
            + NO_SENTENCES * beyond(self.shapeless(text), FRAGMENTS)
            + self.copied(&words)
            + said_again(&words)
            + monotonous(&words)
    }

    /// The share of the required words that stand in a list instead of in a sentence: three or more
    /// in a row, commas and conjunctions aside, where the sentence has little else. Sentences of a
    /// word or two beside each other count as one.
    pub fn listed(&self, text: &Text) -> f64 {
        let mut listed = 0;
        let mut short: Vec<bool> = Vec::new();
        for sentence in &text.sentences {
            let required = self.required(sentence);
            if required.len() < 3 {
                short.extend(required);
                continue;
            }
            listed += in_lists(&std::mem::take(&mut short)) + in_lists(&required);
        }
        listed += in_lists(&short);
        (listed as f64 / self.wanted.len().max(1) as f64).min(1.0)
    }

    /// Which of a sentence's words are required, conjunctions left out.
    fn required(&self, sentence: &Sentence) -> Vec<bool> {
        let joins = |word: &str| matches!(word, "and" | "or" | "then" | "also" | "plus");
        let words = sentence.words.iter().filter(|word| !joins(&word.lower));
        let is_required = |word: &str| self.wanted.iter().any(|wanted| is_form_of(word, wanted));
        words.map(|word| is_required(&word.lower)).collect()
    }

    /// The share of words that stand in no sentence.
    pub fn shapeless(&self, text: &Text) -> f64 {
        let all: usize = text.sentences.iter().map(|sentence| sentence.words.len()).sum();
        let broken = text.sentences.iter().filter(|it| !self.is_sentence(it, text.lines));
        let broken: usize = broken.map(|sentence| sentence.words.len()).sum();
        broken as f64 / all.max(1) as f64
    }

    /// Whether words are a sentence: a beginning, an end, and English grammar where it is English.
    /// In verses and lists lines need neither beginning nor end.
    fn is_sentence(&self, sentence: &Sentence, lines: bool) -> bool {
        let words = &sentence.words;
        let framed = lines || sentence.ended && words.first().is_some_and(|word| !word.small);
        let article =
            |word: &str| matches!(word, "the" | "a" | "an" | "my" | "our" | "your" | "their");
        let no_noun = |word: &str| {
            article(word)
                || matches!(word, "of" | "and" | "or" | "but" | "with" | "for" | "from" | "at")
                || matches!(
                    word,
                    "is" | "was" | "are" | "were" | "it" | "he" | "she" | "they" | "we"
                )
        };
        let dangling = words.windows(2).any(|two| article(&two[0].lower) && no_noun(&two[1].lower))
            || words.last().is_some_and(|word| article(&word.lower) || word.lower == "and");
        let grammar = || words.iter().any(|word| is_function_word(&word.lower));
        framed && !(self.english && (dangling || words.len() >= 5 && !grammar()))
    }

    /// The share of words copied from the conversation, beyond a quotation.
    pub fn copied(&self, words: &[&str]) -> f64 {
        let copied = covered(words, COPIED_RUN, |run, _| self.asked.contains(run));
        beyond(copied, QUOTED)
    }
}

/// How many required words of a sentence stand in a list.
fn in_lists(required: &[bool]) -> usize {
    let runs = required.chunk_by(|a, b| a == b).filter(|run| run[0]).map(<[bool]>::len);
    runs.filter(|run| {
        let others = required.len() - run;
        *run == 3 && others < 2 || *run > 3 && others < 2 * run
    })
    .sum()
}

/// The share of words that say the same as words before, beyond a refrain.
fn said_again(words: &[&str]) -> f64 {
    if words.len() < LONG {
        return 0.0;
    }
    let mut seen = HashSet::new();
    beyond(covered(words, SAME_RUN, |run, _| !seen.insert(run.to_vec())), REFRAIN)
}

/// How much the variety of words falls short, over all stretches.
fn monotonous(words: &[&str]) -> f64 {
    let (stretch, least) = STRETCH;
    if words.len() < stretch {
        return 0.0;
    }
    let mut counts = std::collections::HashMap::<&str, u32>::new();
    let (mut different, mut stretches) = (0_u64, 0_u64);
    for (at, word) in words.iter().enumerate() {
        *counts.entry(word).or_default() += 1;
        if at >= stretch
            && let Some(count) = counts.get_mut(words[at - stretch])
        {
            *count -= 1;
            if *count == 0 {
                counts.remove(words[at - stretch]);
            }
        }
        if at + 1 >= stretch {
            different += counts.len() as u64;
            stretches += 1;
        }
    }
    let variety = different as f64 / (stretches * stretch as u64) as f64;
    ((least - variety) / least).max(0.0)
}

/// The share of words inside of runs of which `holds` is true.
fn covered<'a>(
    words: &[&'a str],
    run: usize,
    mut holds: impl FnMut(&[&'a str], usize) -> bool,
) -> f64 {
    let mut until = 0;
    let mut count = 0;
    for (at, window) in words.windows(run).enumerate() {
        if holds(window, at) {
            count += at + run - until.max(at);
            until = at + run;
        }
    }
    count as f64 / words.len().max(1) as f64
}

/// A share beyond what is free.
fn beyond(share: f64, free: f64) -> f64 {
    ((share - free) / (1.0 - free)).max(0.0)
}
