//! A text as the rules see it: words in sentences.

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// In lower case.
    pub lower: String,
    /// Whether it begins with a small letter.
    pub small: bool,
}

/// The words between two ends of sentences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sentence {
    /// Its words; never none.
    pub words: Vec<Word>,
    /// Whether a mark ends it, and not the text or a line's end.
    pub ended: bool,
}

/// A text's sentences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// In order.
    pub sentences: Vec<Sentence>,
    /// Whether it is written in lines, as verses and lists are.
    pub lines: bool,
}

/// Words of a text that are looked at. Nobody wants a longer one, and all of it would take more fuel
/// than a call has.
const MOST: usize = 20_000;

/// Lines of fewer words than this, on average, are a list of words and no verse.
const LINE_WORDS: usize = 3;

impl Text {
    /// Reads a text: its first 20,000 words.
    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| line.contains(is_of_word)).count();
        let mut sentences = Vec::new();
        let mut sentence = Sentence::default();
        let mut word = String::new();
        let mut count = 0;
        for c in text.chars().chain(['\n']) {
            if is_of_word(c) {
                word.push(c);
                continue;
            }
            if !word.is_empty() {
                let small =
                    word.chars().find(|c| c.is_alphabetic()).is_some_and(char::is_lowercase);
                sentence.words.push(Word { lower: word.to_lowercase(), small });
                word.clear();
                count += 1;
            }
            let over = count == MOST;
            let mark = matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？');
            if (mark || over || c == '\n') && !sentence.words.is_empty() {
                sentence.ended = mark;
                sentences.push(std::mem::take(&mut sentence));
            }
            if over {
                break;
            }
        }
        let words: usize = sentences.iter().map(|sentence| sentence.words.len()).sum();
        Self { sentences, lines: lines >= 3 && words >= lines * LINE_WORDS }
    }

    /// Every word in order.
    pub fn words(&self) -> Vec<&str> {
        let words = self.sentences.iter().flat_map(|sentence| &sentence.words);
        words.map(|word| word.lower.as_str()).collect()
    }
}

/// Whether a character belongs to a word.
pub fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '\''
}

/// Whether a word is the wanted one, perhaps with a regular ending.
pub fn is_form_of(word: &str, wanted: &str) -> bool {
    let Some(ending) = word.strip_prefix(wanted) else { return false };
    matches!(ending, "" | "s" | "es" | "d" | "ed" | "ing" | "'s" | "ly")
}

/// Words that hold English sentences together and mean little by themselves, sorted.
const FUNCTION: [&str; 124] = [
    "a", "about", "after", "all", "although", "always", "am", "an", "and", "any", "are", "around",
    "as", "at", "be", "because", "been", "before", "behind", "being", "below", "between", "both",
    "but", "by", "can", "could", "did", "do", "does", "down", "each", "every", "for", "from",
    "had", "has", "have", "he", "her", "here", "him", "his", "how", "i", "if", "in", "inside",
    "into", "is", "it", "its", "just", "many", "may", "me", "might", "mine", "more", "most",
    "must", "my", "near", "never", "no", "nor", "not", "now", "of", "off", "on", "once", "only",
    "onto", "or", "our", "out", "over", "own", "she", "should", "since", "so", "some", "such",
    "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those",
    "though", "through", "to", "too", "under", "until", "up", "upon", "us", "very", "was", "we",
    "were", "what", "when", "where", "which", "while", "who", "whose", "why", "will", "with",
    "without", "would", "yet", "you", "your",
];

/// Whether a word is one of English grammar.
pub fn is_function_word(word: &str) -> bool {
    let stem = word.split('\'').next().unwrap_or(word);
    FUNCTION.binary_search(&stem).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_at_marks_and_lines() {
        let text = Text::read("It's late. Go\n\n- home, (now)! and…");
        let sizes: Vec<_> = text.sentences.iter().map(|it| (it.words.len(), it.ended)).collect();
        assert_eq!(sizes, [(2, true), (1, false), (2, true), (1, true)]);
        assert_eq!(text.words(), ["it's", "late", "go", "home", "now", "and"]);
        assert!(!text.lines && !Text::read("a\nb\nc").lines);
        assert!(Text::read("a red cat\n\nplays with the\ndog out there").lines);
        assert!(text.sentences[2].words[0].small && !text.sentences[0].words[0].small);
        assert_eq!(Text::read(" \n.").sentences, []);
    }

    #[test]
    fn the_list_can_be_searched() {
        assert!(FUNCTION.is_sorted());
        assert!(is_function_word("it's") && is_function_word("near") && !is_function_word("cat"));
    }
}
