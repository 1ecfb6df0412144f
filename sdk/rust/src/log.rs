//! The one thing that a plugin may tell the world unasked.
//!
//! In a component the lines go to the host, which adds the plugin's name;
//! natively (in `cargo test`) they go to standard error.

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Every step.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For the user.
    Info,
    /// Probably wrong.
    Warn,
    /// Wrong.
    Error,
}

/// Writes one line.
pub fn write(level: Level, message: impl AsRef<str>) {
    imp(level, message.as_ref());
}

/// Writes one line for the plugin's author.
pub fn debug(message: impl AsRef<str>) {
    imp(Level::Debug, message.as_ref());
}

/// Writes one line for the user.
pub fn info(message: impl AsRef<str>) {
    imp(Level::Info, message.as_ref());
}

/// Writes one line about something probably wrong.
pub fn warn(message: impl AsRef<str>) {
    imp(Level::Warn, message.as_ref());
}

/// Writes one line about something wrong.
pub fn error(message: impl AsRef<str>) {
    imp(Level::Error, message.as_ref());
}

#[cfg(all(
    target_family = "wasm",
    any(
        feature = "task",
        feature = "reward",
        feature = "judge",
        feature = "interpreter",
        feature = "scheduler"
    )
))]
fn imp(level: Level, message: &str) {
    crate::glue::log(level, message);
}

#[cfg(not(all(
    target_family = "wasm",
    any(
        feature = "task",
        feature = "reward",
        feature = "judge",
        feature = "interpreter",
        feature = "scheduler"
    )
)))]
#[expect(clippy::print_stderr, reason = "natively there is no host to tell")]
fn imp(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}
