//! Complex floating point: whatever has a value and is not rational.
//!
//! Principal values, but for what schools teach otherwise: a root of odd degree of a negative
//! number is the negative one, and so is a power whose exponent has an odd denominator.

use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive};

use super::Arithmetic;
use super::elementary::Elementary;
use super::modular::hash;
use super::real::Real;
use crate::Fault;
use crate::lex::Function;
use crate::syntax::Constant;

/// a + bi
#[derive(Debug, Clone, PartialEq)]
pub struct Complex {
    /// a
    pub re: Real,
    /// b
    pub im: Real,
}

impl Complex {
    /// A real number.
    pub fn real(re: Real) -> Self {
        Self { re, im: Real::zero() }
    }

    pub(super) fn is_real(&self) -> bool {
        self.im.is_zero()
    }

    pub(super) fn is_zero(&self) -> bool {
        self.re.is_zero() && self.im.is_zero()
    }

    /// The power of two just above the greater part.
    pub fn magnitude(&self) -> i64 {
        self.re.magnitude().max(self.im.magnitude())
    }

    pub(super) fn negated(&self) -> Self {
        Self { re: self.re.negated(), im: self.im.negated() }
    }
}

/// Where variables are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Points {
    /// At fractions of either sign.
    Fractions,
    /// At small whole numbers, where factorials have a value.
    Naturals,
}

/// The arithmetic at one precision and one point.
#[derive(Debug)]
pub struct Numeric {
    pub(super) f: Elementary,
    points: Points,
    seed: u64,
    /// The variables met so far; their order decides their signs.
    names: Vec<String>,
    /// The greatest magnitude that went into a sum: what was lost there is this, less the bits.
    pub scale: i64,
    work: u32,
}

/// Operations beyond the cheap ones that one evaluation may do.
const MAX_WORK: u32 = 400;

impl Numeric {
    /// Of so many bits, at a point drawn from the seed.
    pub fn new(bits: u64, points: Points, seed: u64) -> Self {
        Self {
            f: Elementary::new(bits),
            points,
            seed,
            names: Vec::new(),
            scale: i64::MIN / 4,
            work: 0,
        }
    }

    /// The bits of its mantissas.
    pub fn bits(&self) -> u64 {
        self.f.bits
    }

    pub(super) fn bits_signed(&self) -> i64 {
        i64::try_from(self.f.bits).unwrap_or(i64::MAX / 8)
    }

    pub(super) fn toil(&mut self) -> Result<(), Fault> {
        self.work += 1;
        if self.work > MAX_WORK { Err(Fault::Beyond) } else { Ok(()) }
    }

    fn plus(&mut self, a: &Real, b: &Real) -> Real {
        if !a.is_zero() && !b.is_zero() {
            self.scale = self.scale.max(a.magnitude()).max(b.magnitude());
        }
        a.plus(b, self.f.bits)
    }

    pub(super) fn times(&mut self, a: &Complex, b: &Complex) -> Complex {
        let bits = self.f.bits;
        if a.is_real() && b.is_real() {
            return Complex::real(a.re.times(&b.re, bits));
        }
        let (ac, bd) = (a.re.times(&b.re, bits), a.im.times(&b.im, bits));
        let (ad, bc) = (a.re.times(&b.im, bits), a.im.times(&b.re, bits));
        Complex { re: self.plus(&ac, &bd.negated()), im: self.plus(&ad, &bc) }
    }

    pub(super) fn sum(&mut self, a: &Complex, b: &Complex) -> Complex {
        Complex { re: self.plus(&a.re, &b.re), im: self.plus(&a.im, &b.im) }
    }

    pub(super) fn quotient(&mut self, a: &Complex, b: &Complex) -> Result<Complex, Fault> {
        let bits = self.f.bits;
        if b.is_zero() {
            return Err(Fault::Undefined);
        }
        if b.is_real() {
            return Ok(Complex { re: a.re.over(&b.re, bits)?, im: a.im.over(&b.re, bits)? });
        }
        let norm = b.re.times(&b.re, bits).plus(&b.im.times(&b.im, bits), bits);
        let conjugate = Complex { re: b.re.clone(), im: b.im.negated() };
        let product = self.times(a, &conjugate);
        Ok(Complex { re: product.re.over(&norm, bits)?, im: product.im.over(&norm, bits)? })
    }

    pub(super) fn absolute(&mut self, z: &Complex) -> Real {
        if z.is_real() {
            return z.re.absolute();
        }
        let bits = self.f.bits;
        z.re.times(&z.re, bits).plus(&z.im.times(&z.im, bits), bits).root(bits)
    }

    pub(super) fn exp(&mut self, z: &Complex) -> Result<Complex, Fault> {
        self.toil()?;
        let size = self.f.exp(&z.re)?;
        if z.is_real() {
            return Ok(Complex::real(size));
        }
        let bits = self.f.bits;
        let (sine, cosine) = self.sin_cos(&z.im)?;
        Ok(Complex { re: size.times(&cosine, bits), im: size.times(&sine, bits) })
    }

    pub(super) fn ln(&mut self, z: &Complex) -> Result<Complex, Fault> {
        self.toil()?;
        if z.is_zero() {
            return Err(Fault::Undefined);
        }
        let size = self.absolute(z);
        let re = self.f.ln(&size)?;
        let im = if z.is_real() && !z.re.is_negative() {
            Real::zero()
        } else {
            self.f.angle(&z.im, &z.re)?
        };
        Ok(Complex { re, im })
    }

    /// Sine and cosine; what rounding leaves of a zero is one.
    pub(super) fn sin_cos(&mut self, x: &Real) -> Result<(Real, Real), Fault> {
        self.toil()?;
        let (sine, cosine) = self.f.sin_cos(x)?;
        let least = x.magnitude().max(0) + 16 - self.bits_signed();
        let flush = |y: Real| if y.magnitude() < least { Real::zero() } else { y };
        self.scale = self.scale.max(x.magnitude());
        Ok((flush(sine), flush(cosine)))
    }

    pub(super) fn root(&mut self, z: &Complex) -> Result<Complex, Fault> {
        let bits = self.f.bits;
        if z.is_real() {
            let root = z.re.absolute().root(bits);
            return Ok(if z.re.is_negative() {
                Complex { re: Real::zero(), im: root }
            } else {
                Complex::real(root)
            });
        }
        // √z = √((|z|+a)/2) ± i √((|z|−a)/2)
        let size = self.absolute(z);
        let half =
            |sum: Real| if sum.is_negative() { Real::zero() } else { sum.shifted(-1).root(bits) };
        let re = half(size.plus(&z.re, bits));
        let im = half(size.minus(&z.re, bits));
        Ok(Complex { re, im: if z.im.is_negative() { im.negated() } else { im } })
    }

    pub(super) fn general_power(
        &mut self,
        base: &Complex,
        exponent: &Complex,
    ) -> Result<Complex, Fault> {
        if base.is_zero() {
            let positive = exponent.is_real() && !exponent.re.is_negative() && !exponent.is_zero();
            return if positive { Ok(base.clone()) } else { Err(Fault::Undefined) };
        }
        let ln = self.ln(base)?;
        let product = self.times(&ln, exponent);
        self.exp(&product)
    }
}

impl Arithmetic for Numeric {
    type Value = Complex;

    fn rational(&mut self, q: &BigRational) -> Result<Complex, Fault> {
        Ok(Complex::real(Real::rational(q, self.f.bits)))
    }

    fn constant(&mut self, constant: Constant) -> Result<Complex, Fault> {
        match constant {
            Constant::Pi => Ok(Complex::real(self.f.pi().rounded(self.f.bits))),
            Constant::E => Ok(Complex::real(self.f.exp(&Real::whole(1))?)),
            Constant::I => Ok(Complex { re: Real::zero(), im: Real::whole(1) }),
            Constant::Infinity => Err(Fault::Inexpressible),
        }
    }

    fn symbol(&mut self, name: &str) -> Result<Complex, Fault> {
        let at = match self.names.iter().position(|known| known == name) {
            Some(at) => at,
            None => {
                self.names.push(name.to_owned());
                self.names.len() - 1
            }
        };
        let n = i64::try_from(hash(name, self.seed) % 1_000).unwrap_or_default();
        // All positive, all negative, of either sign by turns and by pairs.
        let negative = match self.seed % 6 {
            1 => true,
            2 | 4 => at % 2 == 1,
            3 => at % 2 == 0,
            5 => at / 2 % 2 == 0,
            _ => false,
        };
        let x = match self.points {
            Points::Naturals => return Ok(Complex::real(Real::whole(3 + n % 11))),
            // Whole numbers too, where floors jump.
            Points::Fractions if self.seed % 6 == 4 => Real::whole(1 + n % 7),
            Points::Fractions => match self.seed / 6 % 4 {
                // Between 1/5 and 16/5, in 1/512; below one, where many roots and arcs are real;
                // beyond 2³³, where the last corner of most piecewise functions lies behind; and
                // up to thirteen.
                1 => Real::scaled(BigInt::from(103 + n * 3 / 2), -9),
                2 => Real::scaled(BigInt::from(13 + n), -10),
                3 => Real::scaled((BigInt::from(103 + n) << 30) + 5, -3),
                _ => Real::scaled(BigInt::from(103 + n * 3 / 2), -7),
            },
        };
        Ok(Complex::real(if negative { x.negated() } else { x }))
    }

    fn add(&mut self, a: &Complex, b: &Complex) -> Result<Complex, Fault> {
        Ok(self.sum(a, b))
    }

    fn negate(&mut self, a: &Complex) -> Complex {
        a.negated()
    }

    fn multiply(&mut self, a: &Complex, b: &Complex) -> Result<Complex, Fault> {
        Ok(self.times(a, b))
    }

    fn divide(&mut self, a: &Complex, b: &Complex) -> Result<Complex, Fault> {
        self.quotient(a, b)
    }

    fn whole_power(&mut self, base: &Complex, exponent: &BigInt) -> Result<Complex, Fault> {
        if base.is_zero() {
            return match exponent.sign() {
                Sign::Plus => Ok(base.clone()),
                _ => Err(Fault::Undefined),
            };
        }
        let count = exponent.magnitude().to_u32().ok_or(Fault::Beyond)?;
        if base.magnitude().saturating_mul(i64::from(count)).abs() > 1 << 20 {
            return Err(Fault::Beyond);
        }
        let one = Complex::real(Real::whole(1));
        let power = if base.is_real() {
            Complex::real(base.re.raised(count, self.f.bits).bounded()?)
        } else {
            let (mut square, mut power, mut left) = (base.clone(), one.clone(), count);
            while left > 0 {
                if left & 1 == 1 {
                    power = self.times(&power, &square);
                }
                left >>= 1;
                if left > 0 {
                    square = self.times(&square, &square);
                }
            }
            power
        };
        if !power.is_zero() && power.magnitude().abs() > 1 << 20 {
            return Err(Fault::Beyond);
        }
        if exponent.is_negative() { self.quotient(&one, &power) } else { Ok(power) }
    }

    fn fractional_power(
        &mut self,
        base: &Complex,
        exponent: &BigRational,
    ) -> Result<Complex, Fault> {
        if base.is_zero() {
            return if exponent.is_positive() { Ok(base.clone()) } else { Err(Fault::Undefined) };
        }
        let degree = exponent.denom();
        if *degree == BigInt::from(2) {
            let root = self.root(base)?;
            return self.whole_power(&root, exponent.numer());
        }
        let exponent_value = Complex::real(Real::rational(exponent, self.f.bits));
        if base.is_real() && base.re.is_negative() && degree.is_odd() {
            let power = self.general_power(&base.negated(), &exponent_value)?;
            return Ok(if exponent.numer().is_odd() { power.negated() } else { power });
        }
        self.general_power(base, &exponent_value)
    }

    fn power(&mut self, base: &Complex, exponent: &Complex) -> Result<Complex, Fault> {
        self.general_power(base, exponent)
    }

    fn exponential(&mut self, exponent: &Complex) -> Result<Complex, Fault> {
        self.exp(exponent)
    }

    fn call(&mut self, function: Function, arguments: &[Complex]) -> Result<Complex, Fault> {
        self.function(function, arguments)
    }
}
