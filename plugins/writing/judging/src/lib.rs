//! What the judges that ask a model have in common.
//!
//! [`prompt`] turns a prompt file into messages, [`quote`] and [`shown`] put hostile texts into them,
//! [`reply`] reads the verdict or the grade that a model's reply ends with.

pub mod prompt;
pub mod quote;
pub mod reply;
pub mod shown;
