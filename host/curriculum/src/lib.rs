//! In which order to train tasks: backward transfer, terminal accuracies, the linear ordering
//! problem, and what entropy says against it. Eq: METHOD sections 4 and 5.
//!
//! Pure arithmetic on small matrices, without files, clocks or threads, so that scheduler plugins
//! use it too. Everywhere **row i is the task evaluated and column j the task trained**, but for
//! entropy changes, whose rows are the task trained (the paper's convention).

mod bound;
mod chance;
mod confidence;
mod entropy;
mod evidence;
mod exact;
mod heuristics;
mod matrix;
mod predict;
mod search;
mod transfer;

pub use bound::upper_bound;
pub use chance::Chance;
pub use confidence::{Confidence, Standing};
pub use entropy::{EntropyChange, Flag};
pub use evidence::{Evidence, EvidenceError};
pub use exact::{MOST_EXACT, exact};
pub use heuristics::{forgettability, greedy, net_greedy};
pub use matrix::Matrix;
pub use predict::{MOST_RANKED, Prediction, all_orders};
pub use search::local_search;
pub use transfer::{ItemAccuracies, Transfer};

/// An order of tasks: a permutation of `0..K`, the first trained first.
pub type Order = Vec<usize>;
