//! What a model is opened with.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::budget::Prices;

/// One model.
#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// Its name in the run file; records and messages have it.
    pub name: String,
    /// Where it is.
    pub source: Source,
    /// Instead of the temperature that a judge asks for.
    pub temperature: Option<f32>,
    /// Instead of the length that a judge asks for, in tokens.
    pub max_tokens: Option<u32>,
    /// Tokens that may be spent, read and written ones together.
    pub token_budget: Option<u64>,
    /// Money that may be spent, in the prices' currency.
    pub money_budget: Option<f64>,
    /// What tokens cost.
    pub prices: Prices,
    /// Whether questions are recorded with their text, for people to read.
    pub record_questions: bool,
}

impl ModelSettings {
    /// A model of this name, with defaults for the rest.
    pub fn new(name: impl Into<String>, source: Source) -> Self {
        Self {
            name: name.into(),
            source,
            temperature: None,
            max_tokens: None,
            token_budget: None,
            money_budget: None,
            prices: Prices::default(),
            record_questions: true,
        }
    }
}

/// Where a model is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// An OpenAI-compatible endpoint.
    Endpoint(EndpointSettings),
    /// A Hugging Face folder, run here.
    Folder(PathBuf),
    /// A GGUF file, run here.
    Gguf {
        /// The file.
        file: PathBuf,
        /// The folder with its tokenizer and chat template.
        tokenizer: PathBuf,
    },
}

/// An OpenAI-compatible endpoint.
#[derive(Clone, Debug)]
pub struct EndpointSettings {
    /// The base URL, as in `https://api.openai.com/v1`.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// Sent as a bearer token.
    pub key: Option<Key>,
    /// Laid over each request's body.
    pub extra: Map<String, Value>,
    /// Questions under way at a time.
    pub concurrency: usize,
    /// How long one request may take, its reply included.
    pub timeout: Duration,
    /// How often a question is sent again after a passing failure.
    pub retries: u32,
    /// The first wait before that; doubled each time.
    pub backoff: Duration,
    /// The longest wait; an endpoint that asks for more has failed.
    pub max_wait: Duration,
    /// The longest reply that is read, in bytes.
    pub max_reply_bytes: usize,
}

impl EndpointSettings {
    /// An endpoint without a key, with defaults for the rest.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            key: None,
            extra: Map::new(),
            concurrency: 8,
            timeout: Duration::from_secs(60),
            retries: 4,
            backoff: Duration::from_millis(500),
            max_wait: Duration::from_secs(120),
            max_reply_bytes: 4 << 20,
        }
    }
}

/// A secret. It shows itself to nobody but the endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// A key; white space around it is left out.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// True where there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is long enough to be one, and no word that fills the place of one.
    pub(crate) fn is_secret(&self) -> bool {
        self.0.len() >= 8
    }

    /// The secret itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Bytes without the key in them, should an endpoint send it back: neither as it is nor as
    /// JSON may write it. They must be whole: of a key that a cut goes through, half would stay.
    pub(crate) fn redact(&self, bytes: &[u8]) -> Vec<u8> {
        if self.is_empty() {
            return bytes.to_vec();
        }
        let mut clean = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((first, others)) = rest.split_first() {
            rest = if let Some(after) = self.after(rest) {
                clean.extend_from_slice(b"[key]");
                after
            } else {
                clean.push(*first);
                others
            };
        }
        clean
    }

    /// What follows the key in bytes that begin with it.
    fn after<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let key = self.0.as_bytes();
        bytes.strip_prefix(key).or_else(|| {
            key.iter().try_fold(bytes, |rest, byte| {
                let (read, rest) = json_byte(rest)?;
                (read == *byte).then_some(rest)
            })
        })
    }
}

/// The first byte that a piece of a JSON text stands for, and what follows it. A key is ASCII, as
/// headers are.
fn json_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'\\', b'u', b'0', b'0', high, low, rest @ ..] => {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            Some((u8::try_from(digit(high)? * 16 + digit(low)?).ok()?, rest))
        }
        [b'\\', b't', rest @ ..] => Some((b'\t', rest)),
        [b'\\', escaped, rest @ ..] => Some((*escaped, rest)),
        [plain, rest @ ..] => Some((*plain, rest)),
        [] => None,
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_however_json_writes_it() {
        for (key, text, clean) in [
            ("s3cret", "a s3cret, s3crets3cret s3cre", "a [key], [key][key] s3cre"),
            (
                "a/b+c",
                r#"["a\/b+c", "a\u002fb\u002Bc", "a/b+c"]"#,
                r#"["[key]", "[key]", "[key]"]"#,
            ),
            (r#"q"\k"#, r#"q"\k "q\"\\k" "q\u0022\u005ck""#, r#"[key] "[key]" "[key]""#),
            ("tab\tkey", r"tab\tkey", "[key]"),
            // The first of two beginnings is none.
            ("aab", "aaab", "a[key]"),
            ("k", "\\u00", "\\u00"),
            ("", "nothing", "nothing"),
        ] {
            let cleaned = String::from_utf8(Key::new(key).redact(text.as_bytes())).unwrap();
            assert_eq!(cleaned, clean, "{key}");
        }
        assert_eq!(Key::new("k").redact(b"\xff k \xc3"), b"\xff [key] \xc3");
    }
}
