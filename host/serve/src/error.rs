//! Why a server could not start, or ended.

use std::net::SocketAddr;

/// A failure of the server itself; what is wrong with a request is answered to its sender.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address that others can reach, with no token.
    #[error(
        "{address} can be reached from other machines, and no token is set: listen on 127.0.0.1, \
         or name the environment variable that holds a token with --token-env"
    )]
    Open {
        /// The address asked for.
        address: SocketAddr,
    },
    /// A token that a header cannot carry, or that is empty.
    #[error("the token is {problem}: it must be one word of visible ASCII characters")]
    Token {
        /// What is wrong with it; never the token itself.
        problem: &'static str,
    },
    /// The address is taken or not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Threads or the network could not be had.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The thread that owns the policy panicked; every request since was refused.
    #[error("the policy's thread panicked; its message stands above")]
    Generation,
}

impl ServeError {
    /// True where what was asked for is wrong, false where the machine failed.
    #[must_use]
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Token { .. } | Self::Bind { .. })
    }
}
