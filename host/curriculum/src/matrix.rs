//! A square matrix, row by row.

/// A K × K matrix of `f64`.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    size: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// K × K zeros.
    #[must_use]
    pub fn zeros(size: usize) -> Self {
        Self { size, values: vec![0.0; size * size] }
    }

    /// From `K` rows of `K` values; none where a row has another length.
    #[must_use]
    pub fn from_rows(rows: &[Vec<f64>]) -> Option<Self> {
        let size = rows.len();
        let square = rows.iter().all(|row| row.len() == size);
        square.then(|| Self { size, values: rows.concat() })
    }

    /// From `K²` values row by row; none where their number is no square of `size`.
    #[must_use]
    pub fn from_values(size: usize, values: Vec<f64>) -> Option<Self> {
        (size.checked_mul(size)? == values.len()).then_some(Self { size, values })
    }

    /// K.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// One row.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.size..(row + 1) * self.size]
    }

    /// All values, row by row.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

impl std::ops::Index<(usize, usize)> for Matrix {
    type Output = f64;

    fn index(&self, (row, column): (usize, usize)) -> &f64 {
        &self.values[row * self.size + column]
    }
}

impl std::ops::IndexMut<(usize, usize)> for Matrix {
    fn index_mut(&mut self, (row, column): (usize, usize)) -> &mut f64 {
        &mut self.values[row * self.size + column]
    }
}
