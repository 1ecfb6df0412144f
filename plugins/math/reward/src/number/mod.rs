//! Values of expressions, in three arithmetics that one evaluation serves.
//!
//! `exact` knows rational numbers; `modular` rational functions, at a point of a prime field;
//! `complex` everything else, in floating point of as many bits as asked. What one does not know
//! another may; what none knows has no value here.

pub mod complex;
pub mod elementary;
pub mod exact;
mod functions;
pub mod modular;
pub mod real;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive};

use crate::Fault;
use crate::lex::Function;
use crate::syntax::{Constant, Expr};

/// Nodes that one comparison may evaluate.
pub const FUEL: u32 = 60_000;

/// What an evaluation may still spend.
#[derive(Debug)]
pub struct Fuel(u32);

impl Default for Fuel {
    fn default() -> Self {
        Self(FUEL)
    }
}

impl Fuel {
    /// Whether anything is left.
    pub fn is_left(&self) -> bool {
        self.0 > 1_000
    }

    /// Spends some.
    ///
    /// # Errors
    /// When there is not so much left.
    pub fn spend(&mut self, amount: u32) -> Result<(), Fault> {
        self.0 = self.0.checked_sub(amount).ok_or(Fault::Beyond)?;
        Ok(())
    }
}

/// An arithmetic.
pub trait Arithmetic {
    /// Its numbers.
    type Value: Clone;

    /// A rational number.
    fn rational(&mut self, q: &BigRational) -> Result<Self::Value, Fault>;
    /// A constant.
    fn constant(&mut self, constant: Constant) -> Result<Self::Value, Fault>;
    /// A variable's value at this point.
    fn symbol(&mut self, name: &str) -> Result<Self::Value, Fault>;
    /// a + b
    fn add(&mut self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value, Fault>;
    /// −a
    fn negate(&mut self, a: &Self::Value) -> Self::Value;
    /// a · b
    fn multiply(&mut self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value, Fault>;
    /// a / b
    fn divide(&mut self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value, Fault>;
    /// A whole power.
    fn whole_power(&mut self, base: &Self::Value, exponent: &BigInt) -> Result<Self::Value, Fault>;
    /// A power whose exponent is a fraction; the real one where there is one.
    fn fractional_power(
        &mut self,
        base: &Self::Value,
        exponent: &BigRational,
    ) -> Result<Self::Value, Fault>;
    /// Any other power.
    fn power(&mut self, base: &Self::Value, exponent: &Self::Value) -> Result<Self::Value, Fault>;
    /// eˣ
    fn exponential(&mut self, exponent: &Self::Value) -> Result<Self::Value, Fault>;
    /// n (n−1) … (n−k+1), where that is too large to be written out.
    fn falling(&mut self, _n: u32, _k: u32) -> Result<Self::Value, Fault> {
        Err(Fault::Beyond)
    }
    /// A function's value.
    fn call(&mut self, function: Function, arguments: &[Self::Value])
    -> Result<Self::Value, Fault>;
}

/// The value of an expression.
///
/// # Errors
/// When it has none, none in this arithmetic, or one too large.
pub fn evaluate<A: Arithmetic>(
    arithmetic: &mut A,
    expr: &Expr,
    fuel: &mut Fuel,
) -> Result<A::Value, Fault> {
    fuel.spend(1)?;
    match expr {
        Expr::Number(literal) => arithmetic.rational(&literal.value),
        Expr::Constant(constant) => arithmetic.constant(*constant),
        Expr::Symbol(name) => arithmetic.symbol(name),
        Expr::Text(name) => arithmetic.symbol(&format!("text {name}")),
        Expr::Word(word) => letters(arithmetic, word),
        Expr::Sum(terms) => {
            let mut total: Option<A::Value> = None;
            for term in terms {
                let value = evaluate(arithmetic, term, fuel)?;
                total = Some(match total {
                    None => value,
                    Some(total) => arithmetic.add(&total, &value)?,
                });
            }
            total.ok_or(Fault::Syntax)
        }
        Expr::Product(factors) => {
            let mut total: Option<A::Value> = None;
            for factor in factors {
                let value = evaluate(arithmetic, factor, fuel)?;
                total = Some(match total {
                    None => value,
                    Some(total) => arithmetic.multiply(&total, &value)?,
                });
            }
            total.ok_or(Fault::Syntax)
        }
        Expr::Negative(inner) => {
            let value = evaluate(arithmetic, inner, fuel)?;
            Ok(arithmetic.negate(&value))
        }
        Expr::Quotient(a, b) => {
            let a = evaluate(arithmetic, a, fuel)?;
            let b = evaluate(arithmetic, b, fuel)?;
            arithmetic.divide(&a, &b)
        }
        Expr::Power(base, exponent) => power(arithmetic, base, exponent, fuel),
        Expr::Percent(inner) => {
            let value = evaluate(arithmetic, inner, fuel)?;
            let hundred = arithmetic.rational(&BigRational::from_integer(100.into()))?;
            arithmetic.divide(&value, &hundred)
        }
        Expr::Degrees(inner) => {
            let value = evaluate(arithmetic, inner, fuel)?;
            let pi = arithmetic.constant(Constant::Pi)?;
            let half = arithmetic.rational(&BigRational::new(BigInt::one(), 180.into()))?;
            let radian = arithmetic.multiply(&pi, &half)?;
            arithmetic.multiply(&value, &radian)
        }
        Expr::Quantity(inner, _) => evaluate(arithmetic, inner, fuel),
        Expr::Call(function, arguments) => {
            // What is exact stays exact: √4, ⌊7/2⌋, 5!.
            match exact::evaluate_call(*function, arguments, fuel) {
                Ok(value) => return arithmetic.rational(&value),
                Err(Fault::Inexpressible) => {}
                Err(Fault::Beyond) => return large_call(arithmetic, *function, arguments, fuel),
                Err(fault) => return Err(fault),
            }
            let values: Vec<A::Value> = arguments
                .iter()
                .map(|argument| evaluate(arithmetic, argument, fuel))
                .collect::<Result<_, _>>()?;
            arithmetic.call(*function, &values)
        }
        _ => Err(Fault::Inexpressible),
    }
}

/// Greater factorials are not multiplied out.
const MAX_FACTORIAL: u32 = 20_000;

/// Factorials and what is made of them, in an arithmetic in which they stay small.
fn large_call<A: Arithmetic>(
    arithmetic: &mut A,
    function: Function,
    arguments: &[Expr],
    fuel: &mut Fuel,
) -> Result<A::Value, Fault> {
    let mut whole = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let value = exact::value(argument, fuel)?;
        let n = value.is_integer().then(|| value.numer().to_u32()).flatten();
        whole.push(n.filter(|n| *n <= MAX_FACTORIAL).ok_or(Fault::Beyond)?);
    }
    fuel.spend(whole.iter().max().copied().unwrap_or_default() / 8)?;
    match (function, whole.as_slice()) {
        (Function::Factorial, [n]) => arithmetic.falling(*n, *n),
        (Function::Permutations, [n, k]) if k <= n => arithmetic.falling(*n, *k),
        (Function::Binomial, [n, k]) if k <= n => {
            let k = *k.min(&(n - k));
            let (above, below) = (arithmetic.falling(*n, k)?, arithmetic.falling(k, k)?);
            arithmetic.divide(&above, &below)
        }
        _ => Err(Fault::Beyond),
    }
}

fn letters<A: Arithmetic>(arithmetic: &mut A, word: &str) -> Result<A::Value, Fault> {
    // Longer ones are words.
    if word.chars().nth(4).is_some() {
        return Err(Fault::Inexpressible);
    }
    let mut total: Option<A::Value> = None;
    for letter in word.chars() {
        let value = match letter {
            'e' => arithmetic.constant(Constant::E)?,
            'i' => arithmetic.constant(Constant::I)?,
            other => arithmetic.symbol(other.encode_utf8(&mut [0; 4]))?,
        };
        total = Some(match total {
            None => value,
            Some(total) => arithmetic.multiply(&total, &value)?,
        });
    }
    total.ok_or(Fault::Syntax)
}

fn power<A: Arithmetic>(
    arithmetic: &mut A,
    base: &Expr,
    exponent: &Expr,
    fuel: &mut Fuel,
) -> Result<A::Value, Fault> {
    match evaluate(&mut exact::Exact, exponent, fuel) {
        Ok(exact) => {
            let base = evaluate(arithmetic, base, fuel)?;
            if exact.is_integer() {
                return arithmetic.whole_power(&base, exact.numer());
            }
            arithmetic.fractional_power(&base, &exact)
        }
        Err(Fault::Inexpressible) if *base == Expr::Constant(Constant::E) => {
            let exponent = evaluate(arithmetic, exponent, fuel)?;
            arithmetic.exponential(&exponent)
        }
        Err(Fault::Inexpressible) => {
            let base = evaluate(arithmetic, base, fuel)?;
            let exponent = evaluate(arithmetic, exponent, fuel)?;
            arithmetic.power(&base, &exponent)
        }
        Err(fault) => Err(fault),
    }
}

/// A rational number's terminating decimals, when it has finitely many.
pub fn terminates(q: &BigRational) -> bool {
    let mut rest = q.denom().abs();
    if rest.bits() > 4_096 {
        return false;
    }
    for prime in [2_u32, 5] {
        let prime = BigInt::from(prime);
        while (&rest % &prime).bits() == 0 {
            rest /= &prime;
        }
    }
    rest.is_one()
}
