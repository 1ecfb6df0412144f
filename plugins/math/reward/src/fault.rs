//! Why something has no value.

/// Why a text has no reading, or an expression no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It is not written in any form that is known.
    Syntax,
    /// It has no value, as 1/0.
    Undefined,
    /// The arithmetic asked does not know such an expression; another may.
    Inexpressible,
    /// It is too long, too deep or too large.
    Beyond,
}
