//! Tokens to text as they come: characters that are split over tokens stay whole, and the text ends
//! before a stop sequence, also where that is split.
//!
//! The pieces, put together, are the text of all tokens; a piece is never taken back.

use std::sync::Arc;

use omni_policy::{PolicyError, Tokenizer};

/// What a decoder writes for bytes that are no character (yet).
const BROKEN: char = '\u{fffd}';
/// Signs at the end that may still become one character: it has four bytes at most.
const MOST_BROKEN: usize = 4;
/// Tokens that may be looked at again before broken bytes are taken for what they are.
const LONGEST_WINDOW: usize = 64;

/// Turns one completion's tokens into pieces of text.
pub(crate) struct Writer {
    tokenizer: Arc<Tokenizer>,
    /// Tokens whose text may still change, after one whose text is out already.
    window: Vec<u32>,
    /// Bytes of the window's text that were decoded for good.
    done: usize,
    stops: Arc<[String]>,
    /// Text that may be the beginning of a stop sequence.
    held: String,
}

/// Text that is final, and whether a stop sequence ends it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) stopped: bool,
}

impl Writer {
    pub(crate) fn new(tokenizer: Arc<Tokenizer>, stops: Arc<[String]>) -> Self {
        Self { tokenizer, window: Vec::new(), done: 0, stops, held: String::new() }
    }

    /// The text that a further token makes certain.
    pub(crate) fn push(&mut self, token: u32) -> Result<Piece, PolicyError> {
        self.window.push(token);
        let text = self.tokenizer.decode(&self.window)?;
        let broken = text.chars().rev().take(MOST_BROKEN).take_while(|&c| c == BROKEN).count();
        let patient = self.window.len() < LONGEST_WINDOW;
        let certain = if patient { text.len() - broken * BROKEN.len_utf8() } else { text.len() };
        let certain = certain.max(self.done);
        let fresh = text.get(self.done..certain).unwrap_or_default().to_owned();
        self.done = certain;
        if broken == 0 || !patient {
            // Some decoders look at the token before; one is enough for all of them.
            self.window = vec![token];
            self.done = self.tokenizer.decode(&self.window)?.len();
        }
        Ok(self.feed(&fresh))
    }

    /// The text that was held back, at the end of the completion.
    pub(crate) fn finish(&mut self) -> Result<Piece, PolicyError> {
        let text = self.tokenizer.decode(&self.window)?;
        let fresh = text.get(self.done..).unwrap_or_default().to_owned();
        self.window.clear();
        self.done = 0;
        let mut piece = self.feed(&fresh);
        if !piece.stopped {
            piece.text.push_str(&std::mem::take(&mut self.held));
        }
        Ok(piece)
    }

    /// Of what is held and the fresh text: all that no stop sequence can begin in, or what stands
    /// before the stop sequence that is complete first.
    fn feed(&mut self, fresh: &str) -> Piece {
        self.held.push_str(fresh);
        let found = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()).map(|at| (at + stop.len(), at)))
            .min();
        if let Some((_, at)) = found {
            self.held.truncate(at);
            return Piece { text: std::mem::take(&mut self.held), stopped: true };
        }
        let from = self.stops.iter().map(|stop| beginning(&self.held, stop)).min();
        let rest = self.held.split_off(from.unwrap_or(self.held.len()));
        Piece { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }
}

/// Where the longest end of `text` begins that is a beginning of `stop`.
fn beginning(text: &str, stop: &str) -> usize {
    let earliest = (text.len() + 1).saturating_sub(stop.len());
    (earliest..text.len())
        .find(|&at| text.is_char_boundary(at) && stop.starts_with(&text[at..]))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use omni_policy::BpeConfig;

    /// Bytes and few merges: characters beyond ASCII are split over tokens.
    fn tokenizer() -> Arc<Tokenizer> {
        let config = BpeConfig { vocab_size: 270, ..BpeConfig::default() };
        let texts = ["the cat sat on the mat; the end"; 4];
        Arc::new(Tokenizer::train_bpe(texts.into_iter(), &config).unwrap())
    }

    fn pieces(tokens: &[u32], stops: &[&str]) -> (Vec<String>, bool) {
        let stops: Arc<[String]> = stops.iter().map(|&s| s.to_owned()).collect();
        let mut writer = Writer::new(tokenizer(), stops);
        let mut pieces = Vec::new();
        for &token in tokens {
            let piece = writer.push(token).unwrap();
            pieces.push(piece.text);
            if piece.stopped {
                return (pieces, true);
            }
        }
        let last = writer.finish().unwrap();
        pieces.push(last.text);
        (pieces, last.stopped)
    }

    #[test]
    fn pieces_make_the_text_and_characters_stay_whole() {
        let tokenizer = tokenizer();
        for text in ["the cat", "Grüße, 世界! 🦀🦀 the end", "é", "a\u{fffd}b", "\u{fffd}", "", "𝄞"]
        {
            let tokens = tokenizer.encode(text).unwrap();
            let (pieces, _) = pieces(&tokens, &[]);
            assert_eq!(pieces.concat(), text);
            if !text.contains(BROKEN) {
                assert!(pieces.iter().all(|piece| !piece.contains(BROKEN)), "{pieces:?}");
            }
        }
    }

    /// Bytes cut anywhere, and bytes that are no character at all.
    #[test]
    fn broken_bytes_read_as_they_do_together() {
        let tokenizer = tokenizer();
        let bytes = tokenizer.encode("🦀世é").unwrap();
        assert!(bytes.len() >= 9);
        for from in 0..bytes.len() {
            for to in from..bytes.len() {
                let mut tokens = bytes[from..to].to_vec();
                tokens.extend(tokenizer.encode("a").unwrap());
                tokens.extend(&bytes[to..]);
                tokens.push(tokenizer.eos_ids()[0]);
                let want = tokenizer.decode(&tokens).unwrap();
                assert_eq!(pieces(&tokens, &[]).0.concat(), want);
            }
        }
        // Longer than any window; ends of it may be broken differently, none of it is lost.
        let mut tokens = vec![bytes[1]; 500];
        tokens.extend(tokenizer.encode("the end").unwrap());
        let text = pieces(&tokens, &[]).0.concat();
        assert_eq!(text, tokenizer.decode(&tokens).unwrap());
    }

    #[test]
    fn text_ends_before_a_stop_sequence() {
        let tokenizer = tokenizer();
        for (text, stops, want, stopped) in [
            ("the cat sat", &["cat"][..], "the ", true),
            ("the cat sat", &["dog", "t s"], "the ca", true),
            ("the cat sat", &["sat."], "the cat sat", false),
            ("the cat sat", &["the"], "", true),
            ("aab aaab", &["aaab"], "aab ", true),
            ("Grüße 世界", &["界"], "Grüße 世", true),
            ("Grüße 世界", &["e 世界!"], "Grüße 世界", false),
            ("one\n\ntwo", &["\n\n"], "one", true),
            // The one that is complete first counts.
            ("xabcd", &["abcd", "bc"], "xa", true),
        ] {
            let tokens = tokenizer.encode(text).unwrap();
            let (pieces, ended) = pieces(&tokens, stops);
            assert_eq!((pieces.concat().as_str(), ended), (want, stopped), "{text:?} {stops:?}");
        }
    }

    #[test]
    fn no_more_is_held_than_a_stop_sequence_may_need() {
        let tokens = tokenizer().encode("zzzzabzzab").unwrap();
        assert_eq!(tokens.len(), 10);
        let (pieces, _) = pieces(&tokens, &["abc"]);
        assert_eq!(pieces, ["z", "z", "z", "z", "", "", "abz", "z", "", "", "ab"]);
    }
}
