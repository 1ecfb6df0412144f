//! Numbers and expressions.
//!
//! First exactly, as rational numbers; then as rational functions modulo two primes, which decides
//! both ways; then in floating point at several points. There, a difference beyond what 160 bits
//! can have lost is one; what looks equal is looked at again with 384 bits.

use num_rational::BigRational;

use super::Comparison;
use crate::Fault;
use crate::lex::Function;
use crate::number::complex::{Complex, Numeric, Points};
use crate::number::modular::{Modular, PRIMES};
use crate::number::{evaluate, exact};
use crate::syntax::{Constant, Expr};

/// What an evaluation in floating point is counted as.
const NUMERIC_COST: u32 = 150;
/// Bits of the first look and of the second.
const COARSE: u64 = 160;
const FINE: u64 = 384;
/// Bits that a sum may cancel where one look decides.
const LOST: i64 = 60;
/// Numbers of more bits are not told from their neighbours.
const MAX_SIZE: u64 = 3_000;
/// Bits that operations may have lost.
const SLACK: i64 = 40;
/// Points at which expressions with variables are evaluated, beside those without a value.
const SEEDS: [u64; 9] = [6, 13, 12, 15, 10, 2, 17, 7, 0];
/// Far points, for expressions with corners.
const FAR: [u64; 3] = [18, 19, 20];
const POINTS: usize = 6;

/// What was seen at one point.
struct At {
    same: bool,
    /// Whether both sides are real there.
    real: bool,
}

/// What one arithmetic said.
enum Decision {
    Same(bool),
    Open,
}

impl Comparison {
    /// Whether two scalars are equal.
    pub(super) fn same_scalar(&mut self, a: &Expr, b: &Expr) -> Result<bool, Fault> {
        if let (Some(x), Some(y)) = (infinity(a), infinity(b)) {
            return Ok(x == y);
        }
        if has_infinity(a) || has_infinity(b) {
            return Ok(false);
        }
        let exact_a = exact::value(a, &mut self.fuel);
        let exact_b = exact::value(b, &mut self.fuel);
        if let (Ok(x), Ok(y)) = (&exact_a, &exact_b) {
            return Ok(x == y || self.same_decimal(a, b)?);
        }
        if exact_a == Err(Fault::Undefined) || exact_b == Err(Fault::Undefined) {
            return Err(Fault::Undefined);
        }
        let (golden_a, golden_b) = (constants(a, b), constants(b, a));
        let (a, b) = (golden_a.as_ref().unwrap_or(a), golden_b.as_ref().unwrap_or(b));
        match self.same_function(a, b)? {
            Decision::Same(true) => return Ok(true),
            Decision::Same(false) => {}
            Decision::Open => {
                if self.same_value(a, b)? {
                    return Ok(true);
                }
            }
        }
        self.same_decimal(a, b)
    }

    /// Whether an expression is too large for every arithmetic here.
    pub fn is_too_large(&mut self, expr: &Expr) -> bool {
        evaluate(&mut Modular::new(PRIMES[0], 11), expr, &mut self.fuel) == Err(Fault::Beyond)
            || evaluate(&mut Numeric::new(COARSE, Points::Fractions, 1), expr, &mut self.fuel)
                .is_err_and(|fault| fault == Fault::Beyond)
    }

    /// As rational functions.
    fn same_function(&mut self, a: &Expr, b: &Expr) -> Result<Decision, Fault> {
        let mut agreed = 0;
        for (prime, seed) in [(PRIMES[0], 11), (PRIMES[1], 13), (PRIMES[0], 17)] {
            let mut field = Modular::new(prime, seed);
            let x = evaluate(&mut field, a, &mut self.fuel);
            let y = evaluate(&mut field, b, &mut self.fuel);
            match (x, y) {
                (Ok(x), Ok(y)) if x != y => return Ok(Decision::Same(false)),
                (Ok(_), Ok(_)) => agreed += 1,
                (Err(Fault::Undefined), _) | (_, Err(Fault::Undefined)) => {}
                (Err(Fault::Inexpressible), _) | (_, Err(Fault::Inexpressible)) => {
                    return Ok(Decision::Open);
                }
                (Err(fault), _) | (_, Err(fault)) => return Err(fault),
            }
            if agreed == 2 {
                return Ok(Decision::Same(true));
            }
        }
        Ok(Decision::Same(false))
    }

    /// In floating point.
    fn same_value(&mut self, a: &Expr, b: &Expr) -> Result<bool, Fault> {
        if a.symbols().is_empty() && b.symbols().is_empty() {
            return match self.same_at(a, b, Points::Fractions, 0, true) {
                Err(Fault::Undefined | Fault::Inexpressible) => Ok(false),
                other => other.map(|at| at.same),
            };
        }
        let points = points(a, b);
        // Where a side has no real value a function of real numbers is not meant: ln(ab) is
        // ln a + ln b. Absolute values are there for such points, and i for such values.
        let absolute = |expr: &Expr| expr.any(&|part| matches!(part, Expr::Call(Function::Abs, _)));
        let imaginary = |expr: &Expr| expr.any(&|part| *part == Expr::Constant(Constant::I));
        let everywhere = absolute(a) || absolute(b) || imaginary(a) || imaginary(b);
        let (mut real, mut complex, mut beyond) = (0, 0, 0);
        let mut complex_differs = false;
        let far = if has_corners(a) || has_corners(b) { FAR.as_slice() } else { &[] };
        for seed in far.iter().chain(&SEEDS).copied() {
            // One careful look is enough where there are several points.
            match self.same_at(a, b, points, seed, seed == SEEDS[0]) {
                Ok(at) if at.real || everywhere => {
                    if !at.same {
                        return Ok(false);
                    }
                    real += 1;
                }
                Ok(at) => {
                    complex_differs |= !at.same;
                    complex += 1;
                }
                Err(Fault::Undefined | Fault::Inexpressible) => {}
                // Too large at this point, and perhaps not at another.
                Err(Fault::Beyond) if self.fuel.is_left() => beyond += 1,
                Err(fault) => return Err(fault),
            }
            if real == POINTS + far.len() {
                break;
            }
        }
        if beyond > real + complex {
            return Err(Fault::Beyond);
        }
        Ok(real >= 2 || (real + complex >= 3 && !complex_differs))
    }

    fn same_at(
        &mut self,
        a: &Expr,
        b: &Expr,
        points: Points,
        seed: u64,
        twice: bool,
    ) -> Result<At, Fault> {
        let mut real = true;
        let mut bits = COARSE;
        for next in [true, false] {
            self.fuel.spend(2 * NUMERIC_COST * u32::try_from(bits / COARSE).unwrap_or(u32::MAX))?;
            let mut arithmetic = Numeric::new(bits, points, seed);
            let x = evaluate(&mut arithmetic, a, &mut self.fuel)?;
            let y = evaluate(&mut arithmetic, b, &mut self.fuel)?;
            real = x.im.is_zero() && y.im.is_zero();
            if !close(&x, &y, &arithmetic) {
                return Ok(At { same: false, real });
            }
            if next && !twice {
                // What a sum of great terms leaves is not to be believed.
                let lost = arithmetic.scale - x.magnitude().max(y.magnitude()).max(0);
                return if lost > LOST { Err(Fault::Beyond) } else { Ok(At { same: true, real }) };
            }
            if next {
                // So many that even of great numbers a difference below one shows.
                let size = x.magnitude().max(y.magnitude()).max(arithmetic.scale).max(0);
                let size = u64::try_from(size).unwrap_or_default();
                if size > MAX_SIZE {
                    return Err(Fault::Beyond);
                }
                bits = FINE + size;
            }
        }
        Ok(At { same: true, real })
    }

    /// The value of an expression without variables, to 160 bits.
    pub(super) fn value_of(&mut self, expr: &Expr) -> Result<Complex, Fault> {
        self.fuel.spend(NUMERIC_COST)?;
        evaluate(&mut Numeric::new(COARSE, Points::Fractions, 0), expr, &mut self.fuel)
    }

    /// The constant that `b` is times `a`, when there is one: equal equations have one. With it
    /// comes whether it is positive.
    pub(super) fn proportional(&mut self, a: &Expr, b: &Expr) -> Result<Option<bool>, Fault> {
        let points = points(a, b);
        let mut first: Option<(Complex, Complex)> = None;
        let mut positive = None;
        let mut agreed = 0;
        for seed in SEEDS {
            self.fuel.spend(2 * NUMERIC_COST)?;
            let mut arithmetic = Numeric::new(FINE, points, seed);
            let x = evaluate(&mut arithmetic, a, &mut self.fuel);
            let y = evaluate(&mut arithmetic, b, &mut self.fuel);
            let (x, y) = match (x, y) {
                (Ok(x), Ok(y)) => (x, y),
                (Err(Fault::Undefined), _) | (_, Err(Fault::Undefined)) => continue,
                (Err(fault), _) | (_, Err(fault)) => return Err(fault),
            };
            let noise = noise(&x, &y, &arithmetic);
            match (x.magnitude() <= noise, y.magnitude() <= noise) {
                (false, false) => {}
                // A point at which both hold, by chance.
                (true, true) => continue,
                _ => return Ok(None),
            }
            if let Some((p, q)) = &first {
                // x/y = p/q
                let left = product(&mut arithmetic, &x, q)?;
                let right = product(&mut arithmetic, &y, p)?;
                if !close(&left, &right, &arithmetic) {
                    return Ok(None);
                }
                agreed += 1;
            } else {
                positive = Some(x.re.is_negative() == y.re.is_negative());
                first = Some((x, y));
            }
            if agreed == 3 {
                break;
            }
        }
        Ok(if agreed >= 2 { positive } else { None })
    }
}

fn product(arithmetic: &mut Numeric, a: &Complex, b: &Complex) -> Result<Complex, Fault> {
    use crate::number::Arithmetic;
    arithmetic.multiply(a, b)
}

/// Below which power of two a difference may be what rounding left.
fn noise(x: &Complex, y: &Complex, arithmetic: &Numeric) -> i64 {
    let scale = x.magnitude().max(y.magnitude()).max(arithmetic.scale);
    scale - i64::try_from(arithmetic.bits()).unwrap_or(i64::MAX / 8) + SLACK
}

fn close(x: &Complex, y: &Complex, arithmetic: &Numeric) -> bool {
    let bits = arithmetic.bits();
    let (re, im) = (x.re.minus(&y.re, bits), x.im.minus(&y.im, bits));
    (re.is_zero() && im.is_zero()) || re.magnitude().max(im.magnitude()) <= noise(x, y, arithmetic)
}

/// Whether an expression is made of several pieces, perhaps.
fn has_corners(expr: &Expr) -> bool {
    expr.any(&|part| {
        matches!(
            part,
            Expr::Call(
                Function::Abs
                    | Function::Max
                    | Function::Min
                    | Function::Floor
                    | Function::Ceiling
                    | Function::Sqrt
                    | Function::Root,
                _
            )
        ) || matches!(part, Expr::Power(_, exponent) if matches!(**exponent, Expr::Quotient(..)))
    })
}

/// Factorials have values at whole numbers only.
fn points(a: &Expr, b: &Expr) -> Points {
    let discrete = |part: &Expr| {
        matches!(
            part,
            Expr::Call(
                Function::Factorial
                    | Function::Binomial
                    | Function::Permutations
                    | Function::Gcd
                    | Function::Lcm,
                arguments
            ) if arguments.iter().any(|argument| !argument.symbols().is_empty())
        )
    };
    if a.any(&discrete) || b.any(&discrete) { Points::Naturals } else { Points::Fractions }
}

/// The sign of an infinity; none for anything else.
pub(super) fn infinity(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Constant(Constant::Infinity) => Some(true),
        Expr::Negative(inner) => infinity(inner).map(|positive| !positive),
        _ => None,
    }
}

pub(super) fn has_infinity(expr: &Expr) -> bool {
    expr.any(&|part| *part == Expr::Constant(Constant::Infinity))
}

/// φ is the golden ratio where nothing on either side is a variable but it; I is i where the other
/// side has that and no I.
fn constants(expr: &Expr, other: &Expr) -> Option<Expr> {
    let names = expr.symbols();
    if names.iter().any(|name| name == "I")
        && !other.symbols().iter().any(|name| name == "I")
        && other.any(&|part| *part == Expr::Constant(Constant::I))
    {
        return Some(replaced(expr, "I", &Expr::Constant(Constant::I)));
    }
    let lone = names.len() == 1 && names[0] == "phi";
    if !lone || !other.symbols().is_empty() {
        return None;
    }
    let ratio = crate::parse::parse("(1+\\sqrt{5})/2").ok()?;
    Some(replaced(expr, &names[0], &ratio))
}

pub(super) fn replaced(expr: &Expr, name: &str, by: &Expr) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(|p| replaced(p, name, by)).collect::<Vec<_>>();
    let one = |part: &Expr| Box::new(replaced(part, name, by));
    match expr {
        Expr::Symbol(symbol) if symbol == name => by.clone(),
        Expr::Sum(parts) => Expr::Sum(all(parts)),
        Expr::Product(parts) => Expr::Product(all(parts)),
        Expr::Negative(a) => Expr::Negative(one(a)),
        Expr::Quotient(a, b) => Expr::Quotient(one(a), one(b)),
        Expr::Power(a, b) => Expr::Power(one(a), one(b)),
        Expr::Call(function, parts) => Expr::Call(*function, all(parts)),
        other => other.clone(),
    }
}

/// A rational number as an expression's stand-in.
pub(super) fn rational(expr: &Expr, comparison: &mut Comparison) -> Option<BigRational> {
    exact::value(expr, &mut comparison.fuel).ok()
}
