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
/// Bits that operations may have lost.
const SLACK: i64 = 40;
/// Points at which expressions with variables are evaluated, beside those without a value.
const SEEDS: [u64; 6] = [2, 1, 3, 4, 5, 7];
const POINTS: usize = 4;

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
        let (golden_a, golden_b) = (golden(a, b), golden(b, a));
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
        let points = points(a, b);
        let constant = a.symbols().is_empty() && b.symbols().is_empty();
        let mut agreed = 0;
        for seed in SEEDS {
            match self.same_at(a, b, points, seed) {
                Ok(false) => return Ok(false),
                Ok(true) => agreed += 1,
                Err(Fault::Undefined | Fault::Inexpressible) => {}
                Err(fault) => return Err(fault),
            }
            if constant || agreed == POINTS {
                break;
            }
        }
        Ok(agreed >= if constant { 1 } else { 3 })
    }

    fn same_at(&mut self, a: &Expr, b: &Expr, points: Points, seed: u64) -> Result<bool, Fault> {
        for bits in [COARSE, FINE] {
            self.fuel.spend(2 * NUMERIC_COST)?;
            let mut arithmetic = Numeric::new(bits, points, seed);
            let x = evaluate(&mut arithmetic, a, &mut self.fuel)?;
            let y = evaluate(&mut arithmetic, b, &mut self.fuel)?;
            if !close(&x, &y, &arithmetic) {
                return Ok(false);
            }
        }
        Ok(true)
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
            if x.magnitude() <= noise || y.magnitude() <= noise {
                return Ok(None);
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
            if agreed == POINTS - 1 {
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
    let off = x.re.minus(&y.re, bits).magnitude().max(x.im.minus(&y.im, bits).magnitude());
    off <= noise(x, y, arithmetic)
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

/// φ is the golden ratio where nothing on either side is a variable but it.
fn golden(expr: &Expr, other: &Expr) -> Option<Expr> {
    let names = expr.symbols();
    let lone = names.len() == 1 && matches!(names[0].as_str(), "phi" | "varphi");
    if !lone || !other.symbols().is_empty() {
        return None;
    }
    let ratio = crate::parse::parse("(1+\\sqrt{5})/2").ok()?;
    Some(replaced(expr, &names[0], &ratio))
}

fn replaced(expr: &Expr, name: &str, by: &Expr) -> Expr {
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
