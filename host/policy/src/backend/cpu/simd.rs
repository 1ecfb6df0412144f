//! Compiles a function for the best vector instructions that the machine turns out to have.
//!
//! The build targets the baseline CPU; `pulp` picks AVX-512, AVX2 or the baseline at run time. The
//! bodies are plain loops that the compiler vectorises, with reductions in a fixed number of lanes
//! so that their order, and with it the result, does not depend on which was picked by much more
//! than the use of fused multiply-add.

/// Lanes of a reduction: one AVX-512 register of f32.
pub(super) const LANES: usize = 16;

/// Declares functions whose bodies are compiled once for each instruction set. References take the
/// lifetime `'a`; the one type parameter is `R: Real`.
macro_rules! simd_fn {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<R>($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[inline]
        #[allow(clippy::allow_attributes, clippy::too_many_arguments, reason = "operands of a kernel")]
        $vis fn $name<'a, R: $crate::real::Real>($($arg: $ty),*) $(-> $ret)? {
            struct Call<'a, R> {
                $($arg: $ty,)*
                marker: std::marker::PhantomData<&'a R>,
            }
            impl<'a, R: $crate::real::Real> pulp::WithSimd for Call<'a, R> {
                type Output = simd_fn!(@ret $($ret)?);
                #[inline(always)]
                fn with_simd<S: pulp::Simd>(self, _: S) -> Self::Output {
                    let Self { $($arg,)* marker: _ } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Call { $($arg,)* marker: std::marker::PhantomData })
        }
    };
    (@ret) => { () };
    (@ret $ret:ty) => { $ret };
}
pub(super) use simd_fn;

use crate::real::Real;

/// The lanes' sum, always in the same order.
#[inline(always)]
fn fold<R: Real>(mut lanes: [R; LANES]) -> R {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// `Σ x y`: the scalar product of two rows.
#[inline(always)]
pub(super) fn dot<R: Real>(x: &[R], y: &[R]) -> R {
    let mut lanes = [R::ZERO; LANES];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let (x_rest, y_rest) = (xs.remainder(), ys.remainder());
    for (x, y) in xs.zip(ys) {
        for ((lane, &x), &y) in lanes.iter_mut().zip(x).zip(y) {
            *lane = x.mul_add(y, *lane);
        }
    }
    for ((lane, &x), &y) in lanes.iter_mut().zip(x_rest).zip(y_rest) {
        *lane = x.mul_add(y, *lane);
    }
    fold(lanes)
}

/// `Σ x y z` over three rows.
#[inline(always)]
pub(super) fn sum3<R: Real>(x: &[R], y: &[R], z: &[R]) -> R {
    let mut lanes = [R::ZERO; LANES];
    let (xs, ys, zs) = (x.chunks_exact(LANES), y.chunks_exact(LANES), z.chunks_exact(LANES));
    let rest = xs.remainder().iter().zip(ys.remainder()).zip(zs.remainder());
    for ((x, y), z) in xs.zip(ys).zip(zs) {
        for (((lane, &x), &y), &z) in lanes.iter_mut().zip(x).zip(y).zip(z) {
            *lane = (x * y).mul_add(z, *lane);
        }
    }
    for (lane, ((&x, &y), &z)) in lanes.iter_mut().zip(rest) {
        *lane = (x * y).mul_add(z, *lane);
    }
    fold(lanes)
}

/// The greatest element.
#[inline(always)]
pub(super) fn greatest<R: Real>(x: &[R]) -> R {
    let mut lanes = [R::NEG_INFINITY; LANES];
    let xs = x.chunks_exact(LANES);
    let rest = xs.remainder();
    for x in xs {
        for (lane, &x) in lanes.iter_mut().zip(x) {
            *lane = lane.max(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = lane.max(x);
    }
    lanes.into_iter().fold(R::NEG_INFINITY, R::max)
}
