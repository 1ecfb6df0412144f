//! Matrix products on slices, checked, over the `gemm` crate.
//!
//! Each product runs on the calling thread; the callers cut the work into fixed blocks.

use crate::real::Real;

/// A matrix to read: element `(i, j)` is at `i · rows + j · cols` of `data`.
#[derive(Clone, Copy)]
pub(super) struct Mat<'a, R> {
    data: &'a [R],
    rows: usize,
    cols: usize,
}

impl<'a, R> Mat<'a, R> {
    /// Row-major with `stride` elements from row to row.
    pub(super) fn new(data: &'a [R], stride: usize) -> Self {
        Self { data, rows: stride, cols: 1 }
    }

    /// The transpose.
    pub(super) fn t(self) -> Self {
        Self { data: self.data, rows: self.cols, cols: self.rows }
    }

    fn reaches(&self, m: usize, n: usize) -> bool {
        m == 0 || n == 0 || (m - 1) * self.rows + (n - 1) * self.cols < self.data.len()
    }
}

/// `c = a b`, or `c += a b`; `a [m, k]`, `b [k, n]`, `c [m, n]` row-major with `stride`.
///
/// # Panics
/// If a matrix reaches beyond its slice.
pub(super) fn gemm<R: Real>(
    (m, n, k): (usize, usize, usize),
    (c, stride): (&mut [R], usize),
    add: bool,
    a: Mat<'_, R>,
    b: Mat<'_, R>,
) {
    assert!(a.reaches(m, k) && b.reaches(k, n), "gemm: operand shorter than {m}x{n}x{k}");
    assert!(Mat::new(c, stride).reaches(m, n) && n <= stride, "gemm: result shorter than {m}x{n}");
    #[expect(unsafe_code, reason = "gemm takes pointers and strides")]
    // SAFETY: every element that gemm touches, (i, j) with i and j below the sizes, lies within
    // its slice by the assertions above; `c` is borrowed exclusively and its rows do not overlap.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.data.as_ptr(),
            a.cols as isize,
            a.rows as isize,
            b.data.as_ptr(),
            b.cols as isize,
            b.rows as isize,
            R::ONE,
            R::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_agrees_with_three_loops() {
        let (m, n, k) = (5, 7, 3);
        let a: Vec<f64> = (0..m * k).map(|i| (i as f64).sin()).collect();
        let b: Vec<f64> = (0..k * n).map(|i| (i as f64).cos()).collect();
        let at: Vec<f64> = (0..k * m).map(|i| a[i % m * k + i / m]).collect();
        let bt: Vec<f64> = (0..n * k).map(|i| b[i % k * n + i / k]).collect();
        for (a_mat, b_mat) in [
            (Mat::new(&a, k), Mat::new(&b, n)),
            (Mat::new(&at, m).t(), Mat::new(&b, n)),
            (Mat::new(&a, k), Mat::new(&bt, k).t()),
        ] {
            for add in [false, true] {
                let mut c = vec![1.0; m * 9];
                gemm((m, n, k), (&mut c, 9), add, a_mat, b_mat);
                for i in 0..m {
                    for j in 0..9 {
                        let sum: f64 = (0..k).map(|p| a[i * k + p] * b[p * n + j.min(n - 1)]).sum();
                        let want = if j >= n { 1.0 } else { sum + if add { 1.0 } else { 0.0 } };
                        assert!((c[i * 9 + j] - want).abs() < 1e-14);
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "gemm: operand shorter")]
    fn short_operands_are_refused() {
        let (a, mut c) = (vec![0.0_f32; 5], vec![0.0_f32; 4]);
        gemm((2, 2, 3), (&mut c, 2), false, Mat::new(&a, 3), Mat::new(&a, 2));
    }
}
