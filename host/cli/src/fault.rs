//! How a command ends badly: whose fault it is decides the exit code.
//!
//! There is deliberately no blanket conversion from other errors: at each `?` the code says whether
//! the input was wrong (2) or the run failed (1).

use std::fmt::Display;
use std::process::ExitCode;

/// A command's result.
pub(crate) type Outcome<T> = Result<T, Fault>;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The input was wrong: what, where and what to do.
    Input(String),
    /// The run failed.
    Run(String),
}

impl Fault {
    /// A fault of the input.
    pub(crate) fn input(message: impl Display) -> Self {
        Self::Input(message.to_string())
    }

    /// A fault of the run.
    pub(crate) fn run(message: impl Display) -> Self {
        Self::Run(message.to_string())
    }

    /// A command or option that stands in the design and not yet in this version.
    pub(crate) fn unsupported(what: &str) -> Self {
        Self::Input(format!("`{what}` is not supported in this version"))
    }

    /// 1 or 2.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Run(_) => ExitCode::from(1),
            Self::Input(_) => ExitCode::from(2),
        }
    }

    /// The message for people.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Input(message) | Self::Run(message) => message,
        }
    }
}

/// Says whose fault an error is.
pub(crate) trait Blame<T> {
    /// The input is wrong.
    fn or_input(self) -> Outcome<T>;
    /// The run failed.
    fn or_run(self) -> Outcome<T>;
    /// The input is wrong; `context` says where.
    fn or_input_at(self, context: impl Display) -> Outcome<T>;
    /// The run failed; `context` says where.
    fn or_run_at(self, context: impl Display) -> Outcome<T>;
}

impl<T, E: std::error::Error> Blame<T> for Result<T, E> {
    fn or_input(self) -> Outcome<T> {
        self.map_err(|error| Fault::Input(chain(&error)))
    }

    fn or_run(self) -> Outcome<T> {
        self.map_err(|error| Fault::Run(chain(&error)))
    }

    fn or_input_at(self, context: impl Display) -> Outcome<T> {
        self.map_err(|error| Fault::Input(format!("{context}: {}", chain(&error))))
    }

    fn or_run_at(self, context: impl Display) -> Outcome<T> {
        self.map_err(|error| Fault::Run(format!("{context}: {}", chain(&error))))
    }
}

/// An error with its sources, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "cannot write the checkpoint")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn causes_are_said_once_each() {
        let error = Outer(std::io::Error::other("disk full"));
        assert_eq!(chain(&error), "cannot write the checkpoint: disk full");
        let failed: Result<(), Outer> = Err(error);
        assert_eq!(
            failed.or_run_at("step 3").unwrap_err().message(),
            "step 3: cannot write the checkpoint: disk full"
        );
    }
}
