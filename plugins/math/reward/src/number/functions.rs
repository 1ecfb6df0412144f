//! Functions of complex numbers.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};

use super::Arithmetic;
use super::complex::{Complex, Numeric};
use super::real::Real;
use crate::Fault;
use crate::lex::Function;

impl Numeric {
    /// A function's value.
    pub(super) fn function(
        &mut self,
        function: Function,
        arguments: &[Complex],
    ) -> Result<Complex, Fault> {
        let z = arguments.first().ok_or(Fault::Syntax)?;
        let bits = self.f.bits;
        let one = Complex::real(Real::whole(1));
        match function {
            Function::Sqrt => self.root(z),
            Function::Root => {
                let degree = self.natural(arguments.get(1).ok_or(Fault::Syntax)?)?;
                if degree == 0 {
                    return Err(Fault::Undefined);
                }
                self.fractional_power(z, &BigRational::new(BigInt::one(), degree.into()))
            }
            Function::Ln => self.ln(z),
            Function::Log => {
                let ten = Complex::real(Real::whole(10));
                let base = arguments.get(1).unwrap_or(&ten);
                let (above, below) = (self.ln(z)?, self.ln(base)?);
                self.quotient(&above, &below)
            }
            Function::Exp => self.exp(z),
            Function::Sin => Ok(self.circular(z)?.0),
            Function::Cos => Ok(self.circular(z)?.1),
            Function::Tan | Function::Cot | Function::Sec | Function::Csc => {
                let (sine, cosine) = self.circular(z)?;
                match function {
                    Function::Tan => self.quotient(&sine, &cosine),
                    Function::Cot => self.quotient(&cosine, &sine),
                    Function::Sec => self.quotient(&one, &cosine),
                    _ => self.quotient(&one, &sine),
                }
            }
            Function::Arcsin => self.arcsine(z),
            Function::Arccos => {
                let arcsine = self.arcsine(z)?;
                let half = Complex::real(self.f.pi().shifted(-1));
                Ok(self.sum(&half, &arcsine.negated()))
            }
            Function::Arctan => self.arctangent(z),
            Function::Arccot => {
                let arc = self.arctangent(z)?;
                let half = Complex::real(self.f.pi().shifted(-1));
                Ok(self.sum(&half, &arc.negated()))
            }
            Function::Sinh | Function::Cosh | Function::Tanh => {
                let (up, down) = (self.exp(z)?, self.exp(&z.negated())?);
                let sum = self.sum(&up, &down);
                let difference = self.sum(&up, &down.negated());
                let halved = |z: Complex| Complex { re: z.re.shifted(-1), im: z.im.shifted(-1) };
                match function {
                    Function::Sinh => Ok(halved(difference)),
                    Function::Cosh => Ok(halved(sum)),
                    _ => self.quotient(&difference, &sum),
                }
            }
            Function::Abs => Ok(Complex::real(self.absolute(z))),
            Function::Floor => self.floor(z),
            Function::Ceiling => Ok(self.floor(&z.negated())?.negated()),
            Function::Re => Ok(Complex::real(z.re.clone())),
            Function::Im => Ok(Complex::real(z.im.clone())),
            Function::Conjugate => Ok(Complex { re: z.re.clone(), im: z.im.negated() }),
            Function::Max | Function::Min => {
                let mut best = z.clone();
                for other in arguments {
                    if !other.is_real() || !best.is_real() {
                        return Err(Fault::Inexpressible);
                    }
                    let greater = other.re.order(&best.re).is_gt();
                    if greater == (function == Function::Max) {
                        best = other.clone();
                    }
                }
                Ok(best)
            }
            Function::Factorial => {
                let n = self.natural(z)?;
                Ok(Complex::real(falling(n, n, bits)))
            }
            Function::Binomial | Function::Permutations => {
                let n = self.natural(z)?;
                let k = self.natural(arguments.get(1).ok_or(Fault::Syntax)?)?;
                if k > n {
                    return Ok(Complex::real(Real::zero()));
                }
                let above = falling(n, k, bits);
                if function == Function::Permutations {
                    return Ok(Complex::real(above));
                }
                Ok(Complex::real(above.over(&falling(k, k, bits), bits)?))
            }
            Function::Gcd | Function::Lcm => {
                let mut total = u64::from(function == Function::Lcm);
                for other in arguments {
                    let n = u64::from(self.natural(other)?);
                    total = if function == Function::Gcd { total.gcd(&n) } else { total.lcm(&n) };
                }
                let total = i64::try_from(total).map_err(|_| Fault::Beyond)?;
                Ok(Complex::real(Real::whole(total)))
            }
        }
    }

    /// Sine and cosine of any number, by exponentials where it is not real.
    fn circular(&mut self, z: &Complex) -> Result<(Complex, Complex), Fault> {
        if z.is_real() {
            let (sine, cosine) = self.sin_cos(&z.re)?;
            return Ok((Complex::real(sine), Complex::real(cosine)));
        }
        let iz = Complex { re: z.im.negated(), im: z.re.clone() };
        let (up, down) = (self.exp(&iz)?, self.exp(&iz.negated())?);
        let cosine = self.sum(&up, &down);
        let sine = self.sum(&up, &down.negated());
        let halved = |z: &Complex| Complex { re: z.re.shifted(-1), im: z.im.shifted(-1) };
        let sine = halved(&sine);
        // (e^iz − e^−iz) / 2i
        Ok((Complex { re: sine.im, im: sine.re.negated() }, halved(&cosine)))
    }

    fn arcsine(&mut self, z: &Complex) -> Result<Complex, Fault> {
        let one = Complex::real(Real::whole(1));
        let square = self.times(z, z);
        let rest = self.sum(&one, &square.negated());
        let root = self.root(&rest)?;
        if z.is_real() && root.is_real() {
            return Ok(Complex::real(self.f.angle(&z.re, &root.re).map_err(|_| Fault::Undefined)?));
        }
        let iz = Complex { re: z.im.negated(), im: z.re.clone() };
        let sum = self.sum(&iz, &root);
        let ln = self.ln(&sum)?;
        Ok(Complex { re: ln.im, im: ln.re.negated() })
    }

    fn arctangent(&mut self, z: &Complex) -> Result<Complex, Fault> {
        self.toil()?;
        if !z.is_real() {
            return Err(Fault::Inexpressible);
        }
        Ok(Complex::real(self.f.arctan(&z.re)?))
    }

    /// The whole number that it is, but for rounding.
    fn natural(&self, z: &Complex) -> Result<u32, Fault> {
        let near = z.re.nearest();
        let off = z.re.minus(&Real::scaled(near.clone(), 0), self.f.bits);
        let least = z.re.magnitude().max(0) + 24 - self.bits_signed();
        if z.is_real() && off.magnitude() < least {
            near.to_u32().filter(|n| *n <= 400).ok_or(Fault::Undefined)
        } else {
            Err(Fault::Inexpressible)
        }
    }

    fn floor(&self, z: &Complex) -> Result<Complex, Fault> {
        if !z.is_real() {
            return Err(Fault::Inexpressible);
        }
        if z.re.magnitude() > self.bits_signed() / 2 {
            return Err(Fault::Beyond);
        }
        let near = Real::scaled(z.re.nearest(), 0);
        let off = z.re.minus(&near, self.f.bits);
        if off.magnitude() < z.re.magnitude().max(0) + 24 - self.bits_signed() {
            return Ok(Complex::real(near));
        }
        Ok(Complex::real(Real::scaled(z.re.fixed(0), 0)))
    }
}

/// n (n−1) … (n−k+1)
fn falling(n: u32, k: u32, bits: u64) -> Real {
    let mut product = BigInt::one();
    for factor in (n - k + 1)..=n {
        product *= factor;
    }
    if product.is_zero() {
        return Real::whole(1);
    }
    Real::scaled(product, 0).rounded(bits)
}
