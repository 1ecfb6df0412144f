//! What was measured before an order is chosen, checked.

use crate::matrix::Matrix;

/// Base and single-task accuracies and the backward transfers between tasks.
///
/// Accuracies may be in any unit (fractions, percent) as long as all are in the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    tasks: Vec<String>,
    base: Vec<f64>,
    own: Vec<f64>,
    transfer: Matrix,
    weights: Vec<f64>,
    standard_errors: Option<Matrix>,
}

/// What is wrong with evidence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// There is nothing to order.
    #[error("`tasks` is empty; name at least one task")]
    NoTasks,
    /// Two tasks have one name.
    #[error("`tasks` names `{0}` twice; give each task a name of its own")]
    Repeated(String),
    /// A list or matrix does not fit the tasks.
    #[error("`{what}` has {found} entries, where {wanted} tasks want {wanted}")]
    Length {
        /// Its key.
        what: &'static str,
        /// Its entries.
        found: usize,
        /// The number of tasks.
        wanted: usize,
    },
    /// A matrix is not square.
    #[error(
        "`{what}`: row {row} has {found} entries, where a {wanted} × {wanted} matrix is wanted"
    )]
    NotSquare {
        /// Its key.
        what: &'static str,
        /// The row, from 0.
        row: usize,
        /// Its entries.
        found: usize,
        /// The number of tasks.
        wanted: usize,
    },
    /// A number is not finite.
    #[error("`{what}` of {of} is {value}; it must be a finite number")]
    NotFinite {
        /// Its key.
        what: &'static str,
        /// Which entry, by the tasks' names.
        of: String,
        /// The number.
        value: f64,
    },
    /// An accuracy of zero or below has no logarithm.
    #[error(
        "`{what}` of {of} is {value}; accuracies must be above 0: measure more items, or put a \
         floor under them and say so"
    )]
    NoLogarithm {
        /// Its key.
        what: &'static str,
        /// The task.
        of: String,
        /// The accuracy.
        value: f64,
    },
    /// A weight or standard error is negative, or all weights are zero.
    #[error("`{what}` of {of} is {value}; it must not be negative")]
    Negative {
        /// Its key.
        what: &'static str,
        /// Which entry.
        of: String,
        /// The number.
        value: f64,
    },
    /// No task counts.
    #[error("every one of `weights` is 0; at least one task must count")]
    NoWeight,
}

impl Evidence {
    /// Checks and keeps what was measured. The diagonals of the matrices are ignored.
    ///
    /// # Errors
    /// Lengths that differ, repeated names, numbers that are not finite, accuracies without a
    /// logarithm, negative weights.
    pub fn new(
        tasks: Vec<String>,
        base: Vec<f64>,
        own: Vec<f64>,
        transfer: &[Vec<f64>],
    ) -> Result<Self, EvidenceError> {
        if tasks.is_empty() {
            return Err(EvidenceError::NoTasks);
        }
        if let Some(at) = (1..tasks.len()).find(|at| tasks[..*at].contains(&tasks[*at])) {
            return Err(EvidenceError::Repeated(tasks[at].clone()));
        }
        for (what, accuracies) in [("base_accuracy", &base), ("self_accuracy", &own)] {
            list(what, accuracies, &tasks)?;
            let wrong = accuracies.iter().position(|accuracy| *accuracy <= 0.0);
            if let Some(at) = wrong {
                let (of, value) = (quoted(&tasks[at]), accuracies[at]);
                return Err(EvidenceError::NoLogarithm { what, of, value });
            }
        }
        let transfer = square("backward_transfer", transfer, &tasks)?;
        let weights = vec![1.0; tasks.len()];
        Ok(Self { tasks, base, own, transfer, weights, standard_errors: None })
    }

    /// Sets the tasks' weights α in the objective; 1 each without.
    ///
    /// # Errors
    /// Another number of them, one that is negative or not finite, or none above 0.
    pub fn with_weights(mut self, weights: Vec<f64>) -> Result<Self, EvidenceError> {
        list("weights", &weights, &self.tasks)?;
        if let Some(at) = weights.iter().position(|weight| *weight < 0.0) {
            let (of, value) = (quoted(&self.tasks[at]), weights[at]);
            return Err(EvidenceError::Negative { what: "weights", of, value });
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            return Err(EvidenceError::NoWeight);
        }
        self.weights = weights;
        Ok(self)
    }

    /// Sets the standard errors of the backward transfers.
    ///
    /// # Errors
    /// Another shape, or an entry that is negative or not finite.
    pub fn with_standard_errors(mut self, errors: &[Vec<f64>]) -> Result<Self, EvidenceError> {
        let what = "standard_errors";
        let errors = square(what, errors, &self.tasks)?;
        for i in 0..self.tasks.len() {
            for j in 0..self.tasks.len() {
                let value = errors[(i, j)];
                if i != j && value < 0.0 {
                    let of = entry(&self.tasks, i, j);
                    return Err(EvidenceError::Negative { what, of, value });
                }
            }
        }
        self.standard_errors = Some(errors);
        Ok(self)
    }

    /// The tasks' names.
    #[must_use]
    pub fn tasks(&self) -> &[String] {
        &self.tasks
    }

    /// K.
    #[must_use]
    pub fn size(&self) -> usize {
        self.tasks.len()
    }

    /// `Acc(θ0, T_k)`.
    #[must_use]
    pub fn base(&self) -> &[f64] {
        &self.base
    }

    /// `Acc(θ(θ0, T_k), T_k)`.
    #[must_use]
    pub fn own(&self) -> &[f64] {
        &self.own
    }

    /// `BWT[i][j]`: row i evaluated, column j trained.
    #[must_use]
    pub fn transfer(&self) -> &Matrix {
        &self.transfer
    }

    /// The tasks' weights α.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Standard errors of the transfers, where they are known.
    #[must_use]
    pub fn standard_errors(&self) -> Option<&Matrix> {
        self.standard_errors.as_ref()
    }

    /// The same with other transfers of the same size.
    pub(crate) fn replaced(&self, transfer: Matrix) -> Self {
        debug_assert_eq!(transfer.size(), self.size());
        Self { transfer, ..self.clone() }
    }

    /// `C[i][j] = α_i BWT[i][j]`, 0 on the diagonal: what it is worth that i comes before j. The
    /// objective of an order is the sum over its pairs, up to a constant (METHOD section 4).
    #[must_use]
    pub fn worth(&self) -> Matrix {
        let mut worth = self.transfer.clone();
        for i in 0..self.size() {
            for j in 0..self.size() {
                worth[(i, j)] = if i == j { 0.0 } else { self.weights[i] * worth[(i, j)] };
            }
        }
        worth
    }
}

fn list(what: &'static str, values: &[f64], tasks: &[String]) -> Result<(), EvidenceError> {
    if values.len() != tasks.len() {
        return Err(EvidenceError::Length { what, found: values.len(), wanted: tasks.len() });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(at) => {
            let (of, value) = (quoted(&tasks[at]), values[at]);
            Err(EvidenceError::NotFinite { what, of, value })
        }
        None => Ok(()),
    }
}

fn square(
    what: &'static str,
    rows: &[Vec<f64>],
    tasks: &[String],
) -> Result<Matrix, EvidenceError> {
    let wanted = tasks.len();
    if rows.len() != wanted {
        return Err(EvidenceError::Length { what, found: rows.len(), wanted });
    }
    if let Some(row) = rows.iter().position(|row| row.len() != wanted) {
        return Err(EvidenceError::NotSquare { what, row, found: rows[row].len(), wanted });
    }
    for (i, row) in rows.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            if i != j && !value.is_finite() {
                let of = entry(tasks, i, j);
                return Err(EvidenceError::NotFinite { what, of, value: *value });
            }
        }
    }
    let mut matrix = Matrix::zeros(wanted);
    for (i, row) in rows.iter().enumerate() {
        for (j, value) in row.iter().enumerate().filter(|(j, _)| i != *j) {
            matrix[(i, j)] = *value;
        }
    }
    Ok(matrix)
}

fn quoted(task: &str) -> String {
    format!("`{task}`")
}

fn entry(tasks: &[String], evaluated: usize, trained: usize) -> String {
    format!("`{}` evaluated after `{}` was trained", tasks[evaluated], tasks[trained])
}
