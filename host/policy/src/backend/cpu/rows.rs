//! Operations that move or normalise whole rows: embedding, gather, RMSNorm, rotary positions,
//! SwiGLU.

use super::dense::add;
use super::exec::Exec;
use super::simd::{LANES, dot, simd_fn, sum3};
use crate::backend::Heads;
use crate::real::Real;

/// Rows of a block.
const ROWS: usize = 128;
/// Parts that a table is cut into when gradients are scattered over it.
const TABLE_PARTS: usize = 16;

/// `out[t] = table[ids[t]]`: the embedding, and gathering.
pub(super) fn gather<R: Real>(exec: Exec, width: usize, ids: &[u32], out: &mut [R], table: &[R]) {
    exec.blocks(out, ROWS * width, |n, out| {
        for (row, &id) in out.chunks_exact_mut(width).zip(&ids[n * ROWS..]) {
            row.copy_from_slice(&table[id as usize * width..][..width]);
        }
    });
}

/// `dtable[ids[t]] += dout[t]`, for each id in the order of `t`.
pub(super) fn scatter_add<R: Real>(
    exec: Exec,
    width: usize,
    ids: &[u32],
    dtable: &mut [R],
    dout: &[R],
) {
    let mut order: Vec<(u32, u32)> = ids.iter().zip(0..).map(|(&id, t)| (id, t)).collect();
    order.sort_unstable();
    let part = (dtable.len() / width).div_ceil(TABLE_PARTS).max(1);
    exec.blocks(dtable, part * width, |n, dtable| {
        let first = n * part;
        let last = first + dtable.len() / width;
        let start = order.partition_point(|&(id, _)| (id as usize) < first);
        for &(id, t) in order[start..].iter().take_while(|&&(id, _)| (id as usize) < last) {
            let row = &mut dtable[(id as usize - first) * width..][..width];
            add(row, &dout[t as usize * width..][..width]);
        }
    });
}

/// Eq: `out = x / √(mean x² + eps) · weight`.
pub(super) fn rms_norm<R: Real>(exec: Exec, eps: f64, out: &mut [R], x: &[R], weight: &[R]) {
    let width = weight.len();
    exec.blocks(out, ROWS * width, |n, out| {
        rms_norm_block(out, &x[n * ROWS * width..], weight, R::from_f64(eps));
    });
}

simd_fn! {
    fn rms_norm_block<R>(out: &'a mut [R], x: &'a [R], weight: &'a [R], eps: R) {
        let width = weight.len();
        let inverse = R::ONE / R::from_f64(width as f64);
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let r = R::ONE / (dot(x, x) * inverse + eps).sqrt();
            for ((out, &x), &w) in out.iter_mut().zip(x).zip(weight) {
                *out = x * r * w;
            }
        }
    }
}

/// With `r = 1/√(mean x² + eps)` and `g = dout · weight`:
/// `dx += r g − x r³ / n · Σ g x`, `dweight += Σ_t dout x r`.
pub(super) fn rms_norm_backward<R: Real>(
    exec: Exec,
    eps: f64,
    dx: &mut [R],
    dweight: &mut [R],
    dout: &[R],
    x: &[R],
    weight: &[R],
) {
    let width = weight.len();
    let blocks = dx.chunks_mut(ROWS * width).enumerate().collect();
    let partial = exec.map(blocks, |(n, dx): (usize, &mut [R])| {
        let mut dw = vec![R::ZERO; width];
        let at = n * ROWS * width;
        rms_norm_backward_block(dx, &mut dw, &dout[at..], &x[at..], weight, R::from_f64(eps));
        dw
    });
    partial.iter().for_each(|dw| add(dweight, dw));
}

simd_fn! {
    fn rms_norm_backward_block<R>(
        dx: &'a mut [R],
        dw: &'a mut [R],
        dout: &'a [R],
        x: &'a [R],
        weight: &'a [R],
        eps: R,
    ) {
        let width = weight.len();
        let inverse = R::ONE / R::from_f64(width as f64);
        let rows = dx.chunks_exact_mut(width).zip(dout.chunks_exact(width)).zip(x.chunks_exact(width));
        for ((dx, dout), x) in rows {
            let r = R::ONE / (dot(x, x) * inverse + eps).sqrt();
            let sum = sum3(dout, weight, x);
            let c = -(sum * r * r * r * inverse);
            let terms = dx.iter_mut().zip(dw.iter_mut()).zip(dout).zip(x).zip(weight);
            for ((((dx, dw), &dout), &x), &w) in terms {
                *dx += (dout * w).mul_add(r, x * c);
                *dw += dout * x * r;
            }
        }
    }
}

/// Rotates queries and keys; `sign` −1 rotates back.
pub(super) fn rope<R: Real>(
    exec: Exec,
    heads: Heads,
    positions: &[u32],
    qkv: &mut [R],
    table: &[R],
    sign: R,
) {
    let width = heads.row();
    exec.blocks(qkv, ROWS * width, |n, qkv| {
        rope_block(qkv, &positions[n * ROWS..], table, heads, sign);
    });
}

simd_fn! {
    fn rope_block<R>(
        qkv: &'a mut [R],
        positions: &'a [u32],
        table: &'a [R],
        heads: Heads,
        sign: R,
    ) {
        let (dim, half) = (heads.dim, heads.dim / 2);
        let rotated = (heads.queries + heads.keys) * dim;
        for (row, &position) in qkv.chunks_exact_mut(heads.row()).zip(positions) {
            let (cos, sin) = table[position as usize * dim..][..dim].split_at(half);
            for head in row[..rotated].chunks_exact_mut(dim) {
                let (a, b) = head.split_at_mut(half);
                for (((a, b), &cos), &sin) in a.iter_mut().zip(b).zip(cos).zip(sin) {
                    let (x, y, sin) = (*a, *b, sin * sign);
                    *a = x * cos - y * sin;
                    *b = y * cos + x * sin;
                }
            }
        }
    }
}

/// Eq: `out = gate · σ(gate) · up`.
pub(super) fn swiglu<R: Real>(exec: Exec, inner: usize, out: &mut [R], gate_up: &[R]) {
    exec.blocks(out, ROWS * inner, |n, out| {
        swiglu_block(out, &gate_up[n * ROWS * 2 * inner..], inner);
    });
}

simd_fn! {
    fn swiglu_block<R>(out: &'a mut [R], gate_up: &'a [R], inner: usize) {
        for (out, row) in out.chunks_exact_mut(inner).zip(gate_up.chunks_exact(2 * inner)) {
            let (gate, up) = row.split_at(inner);
            for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
                *out = gate / (R::ONE + (-gate).exp()) * up;
            }
        }
    }
}

/// `gate_up` becomes its gradient and `dout` the forward's output:
/// `dgate = dout · up · σ (1 + gate (1 − σ))`, `dup = dout · gate σ`.
pub(super) fn swiglu_backward<R: Real>(
    exec: Exec,
    inner: usize,
    gate_up: &mut [R],
    dout: &mut [R],
) {
    exec.blocks2((gate_up, ROWS * 2 * inner), (dout, ROWS * inner), |_, gate_up, dout| {
        swiglu_backward_block(gate_up, dout, inner);
    });
}

simd_fn! {
    fn swiglu_backward_block<R>(gate_up: &'a mut [R], dout: &'a mut [R], inner: usize) {
        for (row, dout) in gate_up.chunks_exact_mut(2 * inner).zip(dout.chunks_exact_mut(inner)) {
            let (gate, up) = row.split_at_mut(inner);
            let (gates, gate) = gate.as_chunks_mut::<LANES>();
            let (ups, up) = up.as_chunks_mut::<LANES>();
            let (douts, dout) = dout.as_chunks_mut::<LANES>();
            for ((gate, up), dout) in gates.iter_mut().zip(ups).zip(douts) {
                // Copies in registers: the compiler need not fear that the three overlap.
                let (mut g, mut u, mut d) = (*gate, *up, *dout);
                for ((g, u), d) in g.iter_mut().zip(&mut u).zip(&mut d) {
                    (*g, *u, *d) = swiglu_gradient(*g, *u, *d);
                }
                (*gate, *up, *dout) = (g, u, d);
            }
            for ((g, u), d) in gate.iter_mut().zip(up).zip(dout) {
                (*g, *u, *d) = swiglu_gradient(*g, *u, *d);
            }
        }
    }
}

/// Gradients by gate and up, and the forward's output.
#[inline(always)]
fn swiglu_gradient<R: Real>(g: R, u: R, d: R) -> (R, R, R) {
    let sigmoid = R::ONE / (R::ONE + (-g).exp());
    let silu = g * sigmoid;
    (d * u * sigmoid * (R::ONE + g * (R::ONE - sigmoid)), d * silu, silu * u)
}
