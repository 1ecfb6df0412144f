//! What could not be done, whose fault it is, and the line that said so.
//!
//! [`Error`] takes any `std::error::Error` by `?` and keeps the place of that
//! `?`, because a plugin's author sees nothing of the plugin but its message.

use std::fmt;
use std::panic::Location;

/// The result of a plugin's method.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller's input breaks this plugin's contract.
    InvalidInput,
    /// The plugin does not do this.
    Unsupported,
    /// The plugin is broken.
    Internal,
}

/// An error with its message and the place that raised it.
///
/// It does not implement `std::error::Error`, so that every error which does
/// can become one (as [`ErrorKind::Internal`]) by `?`.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    place: String,
}

impl Error {
    /// The caller's input breaks this plugin's contract.
    #[track_caller]
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::at(ErrorKind::InvalidInput, message.into())
    }

    /// The plugin does not do this.
    #[track_caller]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::at(ErrorKind::Unsupported, message.into())
    }

    /// The plugin is broken.
    #[track_caller]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::at(ErrorKind::Internal, message.into())
    }

    #[track_caller]
    fn at(kind: ErrorKind, message: String) -> Self {
        let here = Location::caller();
        Self { kind, message, place: format!("{}:{}", here.file(), here.line()) }
    }

    /// An error whose place would tell nothing.
    #[cfg(target_family = "wasm")]
    #[allow(dead_code, reason = "not every kind needs it")]
    pub(crate) fn placeless(kind: ErrorKind, message: &str) -> Self {
        Self { kind, message: message.to_owned(), place: String::new() }
    }

    /// Message and place, as the host gets to see it.
    #[cfg(target_family = "wasm")]
    #[allow(dead_code, reason = "not every kind needs it")]
    pub(crate) fn report(&self) -> String {
        if self.place.is_empty() { self.message.clone() } else { self.to_string() }
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What went wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `file:line` of the call that raised it.
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl<E: std::error::Error> From<E> for Error {
    #[track_caller]
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::at(ErrorKind::Internal, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.place)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_mark_keeps_the_place_of_the_question_mark() {
        fn parse() -> Result<i32> {
            Ok("twelve".parse::<i32>()?)
        }
        let line = line!() - 2;
        let error = parse().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert_eq!(error.place(), format!("{}:{line}", file!()));
        assert_eq!(error.message(), "invalid digit found in string");
    }
}
