//! What a server is set to, and the token that requests must bear.

use std::net::SocketAddr;
use std::time::Duration;

use crate::ServeError;

/// A server's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// What requests must bear; needed where `listen` is not loopback.
    pub token: Option<Token>,
    /// The largest body of a request, in bytes.
    pub max_body: usize,
    /// The longest answer, in tokens; a request that asks for more gets this many.
    pub max_tokens: usize,
    /// Completions generated at a time.
    pub places: usize,
    /// Prompts, and scoring requests, that may wait; further ones are told to come again.
    pub queue: usize,
    /// Threads that score, at least; a scorer that waits for models may want more.
    pub score_threads: usize,
    /// How long a client may take to send a request's head, and then its body.
    pub read_timeout: Duration,
    /// How long running requests may take to finish after the server was told to stop.
    pub grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            token: None,
            max_body: 4 << 20,
            max_tokens: 4096,
            places: 16,
            queue: 64,
            score_threads: 1,
            read_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(30),
        }
    }
}

impl Config {
    /// Refuses what would be served to everybody.
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        if !self.listen.ip().is_loopback() && self.token.is_none() {
            return Err(ServeError::Open { address: self.listen });
        }
        Ok(())
    }
}

/// A bearer token. Its text can be compared with, and not be had back.
#[derive(Clone)]
pub struct Token(Box<[u8]>);

impl Token {
    /// A token that a header can carry.
    ///
    /// # Errors
    /// An empty one, or one with spaces, control or non-ASCII characters.
    pub fn new(text: &str) -> Result<Self, ServeError> {
        if text.is_empty() {
            return Err(ServeError::Token { problem: "empty" });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ServeError::Token { problem: "no word that a header can carry" });
        }
        Ok(Self(text.as_bytes().into()))
    }

    /// Whether a text is the token, in a time that does not tell where they differ.
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        let mut different = u8::from(self.0.len() != text.len());
        for (n, &byte) in self.0.iter().enumerate() {
            // `black_box` keeps the loop from ending early, or from being reduced to one that may.
            let other = text.get(n).copied().unwrap_or(!byte);
            different = std::hint::black_box(different | (byte ^ other));
        }
        different == 0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_token_is_the_token() {
        let token = Token::new("secret-1").unwrap();
        assert!(token.is(b"secret-1"));
        for other in ["", "secret-", "secret-2", "Secret-1", "secret-11", "xxxxxxxx"] {
            assert!(!token.is(other.as_bytes()), "{other}");
        }
        assert!(!format!("{token:?}").contains("secret"));
    }

    #[test]
    fn a_token_is_one_word() {
        for bad in ["", "two words", "line\n", "schlüssel", "\u{7f}"] {
            assert!(Token::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn others_are_served_with_a_token_alone() {
        let listen = |text: &str| text.parse().unwrap();
        for open in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80"] {
            let mut config = Config { listen: listen(open), ..Config::default() };
            assert!(matches!(config.check(), Err(ServeError::Open { .. })), "{open}");
            config.token = Some(Token::new("t").unwrap());
            config.check().unwrap();
        }
        for own in ["127.0.0.1:80", "127.9.9.9:0", "[::1]:80"] {
            Config { listen: listen(own), ..Config::default() }.check().unwrap();
        }
    }
}
