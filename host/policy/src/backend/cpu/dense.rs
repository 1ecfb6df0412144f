//! Linear layers: forward over blocks of rows, gradient of the parameters over blocks of outputs.

use super::exec::Exec;
use super::gemm::{Mat, gemm};
use super::simd::simd_fn;
use crate::backend::Linear;
use crate::real::Real;

/// Rows of a forward block: enough to repay packing the weights.
const ROWS: usize = 256;
/// Terms of a sum that `gemm` adds up in one go for matrices of any size.
const TERMS: usize = 512;

/// Weights transposed to `[inputs, outputs]`, which the product reads without packing, and biases.
#[derive(Debug)]
pub struct PackedLinear<R> {
    layer: Linear,
    transposed: Vec<R>,
    bias: Vec<R>,
}

impl<R: Real> PackedLinear<R> {
    pub(super) fn new(layer: Linear, params: &[R]) -> Self {
        let Linear { inputs, outputs, .. } = layer;
        let (weights, bias) = params.split_at(inputs * outputs);
        let mut transposed = vec![R::ZERO; weights.len()];
        for (o, row) in weights.chunks_exact(inputs).enumerate() {
            for (i, &w) in row.iter().enumerate() {
                transposed[i * outputs + o] = w;
            }
        }
        Self { layer, transposed, bias: bias.to_vec() }
    }

    /// `out = residual + x Wᵀ + b` for the few rows of a decoding step. A row's result does not
    /// depend on the rows beside it, nor on their number: sums run over [`TERMS`] terms at a time,
    /// which the product never cuts further, and a single row, for which it has a way of its own,
    /// is made two.
    pub(super) fn apply(&self, exec: Exec, out: &mut [R], x: &[R], residual: Option<&[R]>) {
        let Linear { inputs, outputs, bias } = self.layer;
        let product = |out: &mut [R], x: &[R]| {
            let rows = out.len() / outputs;
            for first in (0..inputs).step_by(TERMS) {
                let size = (rows, outputs, TERMS.min(inputs - first));
                let weights = Mat::new(&self.transposed[first * outputs..], outputs);
                let add = first > 0 || residual.is_some();
                gemm(size, (out, outputs), add, Mat::new(&x[first..], inputs), weights);
            }
        };
        exec.blocks(out, ROWS * outputs, |n, out| {
            let rows = out.len() / outputs;
            let first = n * ROWS;
            if let Some(residual) = residual {
                out.copy_from_slice(&residual[first * outputs..][..out.len()]);
            }
            let x = &x[first * inputs..][..rows * inputs];
            if rows == 1 {
                let mut twice = out.repeat(2);
                product(&mut twice, &x.repeat(2));
                out.copy_from_slice(&twice[..outputs]);
            } else {
                product(out, x);
            }
            if bias {
                out.chunks_exact_mut(outputs).for_each(|row| add(row, &self.bias));
            }
        });
    }
}

/// `out = residual + x Wᵀ + b`.
pub(super) fn linear<R: Real>(
    exec: Exec,
    layer: Linear,
    out: &mut [R],
    x: &[R],
    params: &[R],
    residual: Option<&[R]>,
) {
    let Linear { inputs, outputs, bias: has_bias } = layer;
    let (weights, bias) = params.split_at(inputs * outputs);
    let weights = Mat::new(weights, inputs).t();
    exec.blocks(out, ROWS * outputs, |n, out| {
        let rows = out.len() / outputs;
        let first = n * ROWS;
        if let Some(residual) = residual {
            out.copy_from_slice(&residual[first * outputs..][..out.len()]);
        }
        let x = &x[first * inputs..][..rows * inputs];
        let size = (rows, outputs, inputs);
        gemm(size, (out, outputs), residual.is_some(), Mat::new(x, inputs), weights);
        if has_bias {
            out.chunks_exact_mut(outputs).for_each(|row| add(row, bias));
        }
    });
}

/// `dx = dout W`.
pub(super) fn backward_input<R: Real>(
    exec: Exec,
    Linear { inputs, outputs, .. }: Linear,
    dx: &mut [R],
    dout: &[R],
    params: &[R],
) {
    let weights = Mat::new(&params[..inputs * outputs], inputs);
    exec.blocks(dx, ROWS * inputs, |n, dx| {
        let rows = dx.len() / inputs;
        let dout = &dout[n * ROWS * outputs..][..rows * outputs];
        gemm((rows, inputs, outputs), (dx, inputs), false, Mat::new(dout, outputs), weights);
    });
}

/// `dW += doutᵀ x`, `db += Σ_t dout[t]`.
pub(super) fn backward_params<R: Real>(
    exec: Exec,
    Linear { inputs, outputs, bias }: Linear,
    dparams: &mut [R],
    dout: &[R],
    x: &[R],
) {
    let rows = dout.len() / outputs;
    let block = output_block(outputs);
    let (dweights, dbias) = dparams.split_at_mut(inputs * outputs);
    exec.blocks(dweights, block * inputs, |n, dw| {
        let dout = Mat::new(&dout[(n * block).min(dout.len())..], outputs).t();
        let size = (dw.len() / inputs, inputs, rows);
        gemm(size, (dw, inputs), true, dout, Mat::new(x, inputs));
    });
    if bias {
        exec.blocks(dbias, block, |n, db| {
            for row in dout.chunks_exact(outputs) {
                add(db, &row[n * block..]);
            }
        });
    }
}

/// Outputs of one block of the parameters' gradient: few enough blocks for the product to be
/// efficient, enough of them for the cores.
fn output_block(outputs: usize) -> usize {
    match outputs {
        0..=128 => outputs.div_ceil(2).next_multiple_of(16),
        129..=512 => 128,
        _ => 176,
    }
}

simd_fn! {
    /// `y += x` over `y`'s length.
    pub(super) fn add<R>(y: &'a mut [R], x: &'a [R]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What generation's independence of its batches rests on.
    #[test]
    fn a_packed_row_does_not_depend_on_the_rows_beside_it() {
        for (inputs, outputs) in [(64, 128), (352, 128), (700, 64), (1500, 300), (4864, 896)] {
            let layer = Linear { inputs, outputs, bias: true };
            let number = |i: usize| ((i * 2_654_435_761) % 1013) as f32 / 506.0 - 1.0;
            let params: Vec<f32> = (0..outputs * (inputs + 1)).map(number).collect();
            let x: Vec<f32> = (0..300 * inputs).map(|i| number(i + 7)).collect();
            let packed = PackedLinear::new(layer, &params);
            let mut all = vec![0.0; 300 * outputs];
            packed.apply(Exec::Serial, &mut all, &x, None);
            for rows in [1, 2, 3, 5, 8, 31, 32, 64, 65] {
                for first in [0, 7] {
                    let mut some = vec![0.0; rows * outputs];
                    packed.apply(
                        Exec::Serial,
                        &mut some,
                        &x[first * inputs..][..rows * inputs],
                        None,
                    );
                    assert!(
                        some == all[first * outputs..][..rows * outputs],
                        "{rows} rows from {first}, {inputs} to {outputs}"
                    );
                }
            }
        }
    }
}
