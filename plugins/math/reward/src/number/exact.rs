//! Rational numbers, of bounded size.

use num_bigint::{BigInt, BigUint};
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

use super::{Arithmetic, Fuel, evaluate};
use crate::Fault;
use crate::lex::Function;
use crate::syntax::{Constant, Expr};

/// Numerators and denominators of more bits are too large.
const MAX_BITS: u64 = 16_384;
/// Greater factorials are too large, here and elsewhere.
const MAX_FACTORIAL: u32 = 1_500;

/// The arithmetic of rational numbers.
#[derive(Debug)]
pub struct Exact;

/// The exact value of an expression.
///
/// # Errors
/// When it is not rational by these rules, has no value, or one too large.
pub fn value(expr: &Expr, fuel: &mut Fuel) -> Result<BigRational, Fault> {
    evaluate(&mut Exact, expr, fuel)
}

fn bits(q: &BigRational) -> u64 {
    q.numer().bits() + q.denom().bits()
}

fn bounded(a: &BigRational, b: &BigRational) -> Result<(), Fault> {
    if bits(a) + bits(b) > 2 * MAX_BITS { Err(Fault::Beyond) } else { Ok(()) }
}

impl Arithmetic for Exact {
    type Value = BigRational;

    fn rational(&mut self, q: &BigRational) -> Result<BigRational, Fault> {
        Ok(q.clone())
    }

    fn constant(&mut self, _: Constant) -> Result<BigRational, Fault> {
        Err(Fault::Inexpressible)
    }

    fn symbol(&mut self, _: &str) -> Result<BigRational, Fault> {
        Err(Fault::Inexpressible)
    }

    fn add(&mut self, a: &BigRational, b: &BigRational) -> Result<BigRational, Fault> {
        bounded(a, b)?;
        Ok(a + b)
    }

    fn negate(&mut self, a: &BigRational) -> BigRational {
        -a
    }

    fn multiply(&mut self, a: &BigRational, b: &BigRational) -> Result<BigRational, Fault> {
        bounded(a, b)?;
        Ok(a * b)
    }

    fn divide(&mut self, a: &BigRational, b: &BigRational) -> Result<BigRational, Fault> {
        if b.is_zero() {
            return Err(Fault::Undefined);
        }
        bounded(a, b)?;
        Ok(a / b)
    }

    fn whole_power(&mut self, base: &BigRational, exponent: &BigInt) -> Result<BigRational, Fault> {
        if base.is_zero() {
            return match exponent.sign() {
                num_bigint::Sign::Plus => Ok(BigRational::zero()),
                _ => Err(Fault::Undefined),
            };
        }
        if base.abs().is_one() {
            let negative = base.is_negative() && exponent.is_odd();
            return Ok(if negative { -BigRational::one() } else { BigRational::one() });
        }
        let size = base.numer().bits().max(base.denom().bits());
        let count = exponent.magnitude().to_u32().ok_or(Fault::Beyond)?;
        if size.saturating_mul(u64::from(count)) > MAX_BITS {
            return Err(Fault::Beyond);
        }
        let power = Pow::pow(base, count);
        Ok(if exponent.is_negative() { power.recip() } else { power })
    }

    fn fractional_power(
        &mut self,
        base: &BigRational,
        exponent: &BigRational,
    ) -> Result<BigRational, Fault> {
        let degree = exponent.denom().to_u32().filter(|d| *d <= 64).ok_or(Fault::Inexpressible)?;
        let root = root(base, degree)?;
        self.whole_power(&root, exponent.numer())
    }

    fn power(&mut self, _: &BigRational, _: &BigRational) -> Result<BigRational, Fault> {
        Err(Fault::Inexpressible)
    }

    fn exponential(&mut self, exponent: &BigRational) -> Result<BigRational, Fault> {
        if exponent.is_zero() { Ok(BigRational::one()) } else { Err(Fault::Inexpressible) }
    }

    fn call(
        &mut self,
        function: Function,
        arguments: &[BigRational],
    ) -> Result<BigRational, Fault> {
        let first = arguments.first().ok_or(Fault::Syntax)?;
        match (function, arguments) {
            (Function::Sqrt, _) => root(first, 2),
            (Function::Root, [_, degree]) => {
                let degree = whole(degree)
                    .and_then(|degree| degree.to_u32())
                    .filter(|degree| (1..=64).contains(degree))
                    .ok_or(Fault::Inexpressible)?;
                root(first, degree)
            }
            (Function::Abs, _) => Ok(first.abs()),
            (Function::Floor, _) => Ok(first.floor()),
            (Function::Ceiling, _) => Ok(first.ceil()),
            (Function::Re | Function::Conjugate, _) => Ok(first.clone()),
            (Function::Im, _) => Ok(BigRational::zero()),
            (Function::Max, all) => Ok(all.iter().max().unwrap_or(first).clone()),
            (Function::Min, all) => Ok(all.iter().min().unwrap_or(first).clone()),
            (Function::Gcd | Function::Lcm, all) => {
                let mut total = BigInt::from(u8::from(function == Function::Lcm));
                for q in all {
                    let n = whole(q).ok_or(Fault::Undefined)?;
                    total = if function == Function::Gcd { total.gcd(n) } else { total.lcm(n) };
                    if total.bits() > MAX_BITS {
                        return Err(Fault::Beyond);
                    }
                }
                Ok(BigRational::from_integer(total))
            }
            (Function::Factorial, _) => {
                let n = small(first)?;
                falling(n, n)
            }
            (Function::Binomial | Function::Permutations, [n, k]) => {
                let (n, k) = (small(n)?, small(k)?);
                if k > n {
                    return Ok(BigRational::zero());
                }
                if function == Function::Permutations {
                    return falling(n, k);
                }
                let k = k.min(n - k);
                Ok(falling(n, k)? / falling(k, k)?)
            }
            (Function::Ln | Function::Log, _) if first.is_one() => Ok(BigRational::zero()),
            (Function::Ln | Function::Log, _) if first.is_zero() => Err(Fault::Undefined),
            (Function::Log, [x]) => logarithm(x, &BigRational::from_integer(10.into())),
            (Function::Log, [x, base]) => logarithm(x, base),
            _ => Err(Fault::Inexpressible),
        }
    }
}

/// A call's value, when all its arguments have exact ones.
///
/// # Errors
/// As [`value`].
pub fn evaluate_call(
    function: Function,
    arguments: &[Expr],
    fuel: &mut Fuel,
) -> Result<BigRational, Fault> {
    let values: Vec<BigRational> =
        arguments.iter().map(|argument| value(argument, fuel)).collect::<Result<_, _>>()?;
    Exact.call(function, &values)
}

fn whole(q: &BigRational) -> Option<&BigInt> {
    q.is_integer().then(|| q.numer())
}

fn small(q: &BigRational) -> Result<u32, Fault> {
    let n = whole(q).ok_or(Fault::Inexpressible)?;
    if n.is_negative() {
        return Err(Fault::Undefined);
    }
    n.to_u32().filter(|n| *n <= MAX_FACTORIAL).ok_or(Fault::Beyond)
}

/// n (n−1) … (n−k+1)
fn falling(n: u32, k: u32) -> Result<BigRational, Fault> {
    let mut product = BigInt::one();
    for factor in (n - k + 1)..=n {
        product *= factor;
        if product.bits() > MAX_BITS {
            return Err(Fault::Beyond);
        }
    }
    Ok(BigRational::from_integer(product))
}

/// The real root, where it is rational.
fn root(q: &BigRational, degree: u32) -> Result<BigRational, Fault> {
    if q.is_negative() {
        return if degree % 2 == 1 { Ok(-root(&-q, degree)?) } else { Err(Fault::Inexpressible) };
    }
    match (exact_root(q.numer(), degree), exact_root(q.denom(), degree)) {
        (Some(n), Some(d)) => Ok(BigRational::new(n, d)),
        _ => Err(Fault::Inexpressible),
    }
}

fn exact_root(value: &BigInt, degree: u32) -> Option<BigInt> {
    let magnitude: &BigUint = value.magnitude();
    if magnitude.bits() > 2_048 {
        return None;
    }
    let root = magnitude.nth_root(degree);
    (Pow::pow(&root, degree) == *magnitude).then(|| root.into())
}

/// The logarithm, where it is a whole number.
fn logarithm(x: &BigRational, base: &BigRational) -> Result<BigRational, Fault> {
    if !x.is_positive() || !base.is_positive() || base.is_one() {
        return Err(Fault::Inexpressible);
    }
    let (x, sign) = if x < &BigRational::one() { (x.recip(), -1) } else { (x.clone(), 1) };
    let (base, sign) =
        if base < &BigRational::one() { (base.recip(), -sign) } else { (base.clone(), sign) };
    if bits(&x) > 2_048 {
        return Err(Fault::Inexpressible);
    }
    let (mut power, mut exponent) = (BigRational::one(), 0);
    while power < x && exponent < 2_048 && bits(&power) <= 2 * bits(&x) {
        power *= &base;
        exponent += 1;
    }
    if power == x {
        return Ok(BigRational::from_integer((sign * exponent).into()));
    }
    Err(Fault::Inexpressible)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn at(text: &str) -> Result<BigRational, Fault> {
        value(&parse(text).unwrap(), &mut Fuel::default())
    }

    fn fraction(n: i64, d: i64) -> Result<BigRational, Fault> {
        Ok(BigRational::new(n.into(), d.into()))
    }

    #[test]
    fn exact_values() {
        for (text, n, d) in [
            ("1+2\\cdot 3", 7, 1),
            ("-2^2", -4, 1),
            ("\\frac12", 1, 2),
            ("2\\frac{1}{2}", 5, 2),
            ("-2 1/2", -5, 2),
            ("8^{2/3}", 4, 1),
            ("(-8)^{1/3}", -2, 1),
            ("\\sqrt[3]{27}", 3, 1),
            ("5!", 120, 1),
            ("\\binom{5}{2}", 10, 1),
            ("\\binom52", 10, 1),
            ("\\lfloor -3.5 \\rfloor", -4, 1),
            ("\\log_2 8", 3, 1),
            ("\\log_{1/2} 8", -3, 1),
            ("\\log 0.001", -3, 1),
            ("|3-5|", 2, 1),
            ("0.\\overline{3}", 1, 3),
            ("0.1666...", 1, 6),
            ("50\\%", 1, 2),
            ("1.5e3", 1500, 1),
            ("2^3^2", 512, 1),
            ("\\gcd(12, 18)", 6, 1),
            ("\\frac{1}{2}\\div\\frac{1}{4}", 2, 1),
        ] {
            assert_eq!(at(text), fraction(n, d), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_ends_at_once() {
        assert_eq!(at("9^{9^{9^{9}}}"), Err(Fault::Beyond));
        assert_eq!(at("100000!"), Err(Fault::Beyond));
        assert_eq!(at("1/0"), Err(Fault::Undefined));
        assert_eq!(at("0^0"), Err(Fault::Undefined));
        assert_eq!(at("1^{10^{9}}"), fraction(1, 1));
        assert_eq!(at("(((3!)!)!)!"), Err(Fault::Beyond));
    }
}
