//! Rational functions at a point of a prime field.
//!
//! Variables, π and e each get a pseudo-random element, i a root of −1: two rational functions over
//! ℚ(i) that agree at such points of two fields of 61 bits are equal but with a probability near
//! 2⁻¹⁰⁰, and equal ones always agree. A polynomial relation between π and e is not known to anyone.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive};

use super::Arithmetic;
use crate::Fault;
use crate::lex::Function;
use crate::syntax::Constant;

/// Primes that are 1 modulo 4, just below 2⁶¹, so that −1 has a root.
pub const PRIMES: [u64; 2] = [2_305_843_009_213_693_921, 2_305_843_009_213_693_693];

/// The arithmetic modulo a prime, at one point.
#[derive(Debug)]
pub struct Modular {
    prime: u64,
    seed: u64,
    /// The root of −1, once it was asked for.
    root: Option<u64>,
}

impl Modular {
    /// The arithmetic of one of [`PRIMES`] at a point drawn from a seed.
    pub fn new(prime: u64, seed: u64) -> Self {
        Self { prime, seed, root: None }
    }

    fn times(&self, a: u64, b: u64) -> u64 {
        let product = u128::from(a) * u128::from(b) % u128::from(self.prime);
        u64::try_from(product).unwrap_or_default()
    }

    fn raise(&self, mut base: u64, mut exponent: u64) -> u64 {
        let mut power = 1;
        while exponent > 0 {
            if exponent & 1 == 1 {
                power = self.times(power, base);
            }
            base = self.times(base, base);
            exponent >>= 1;
        }
        power
    }

    fn inverse(&self, a: u64) -> Result<u64, Fault> {
        if a == 0 { Err(Fault::Undefined) } else { Ok(self.raise(a, self.prime - 2)) }
    }

    fn element(&self, n: &BigInt) -> u64 {
        n.mod_floor(&BigInt::from(self.prime)).to_u64().unwrap_or_default()
    }

    fn point(&self, name: &str) -> u64 {
        hash(name, self.seed) % self.prime
    }

    fn imaginary(&mut self) -> u64 {
        if let Some(root) = self.root {
            return root;
        }
        // For a non-residue n, n^((p−1)/4) squares to −1; 2, 3, 5, … has one soon.
        let root = (2..1_000)
            .map(|n| self.raise(n, (self.prime - 1) / 4))
            .find(|root| self.times(*root, *root) == self.prime - 1)
            .unwrap_or(1);
        self.root = Some(root);
        root
    }
}

/// A pseudo-random number for a name: FNV-1a, mixed as SplitMix64 does.
pub fn hash(name: &str, seed: u64) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
    for byte in name.bytes() {
        h = (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

impl Arithmetic for Modular {
    type Value = u64;

    fn rational(&mut self, q: &BigRational) -> Result<u64, Fault> {
        let numerator = self.element(q.numer());
        if q.is_integer() {
            return Ok(numerator);
        }
        let denominator = self.inverse(self.element(q.denom()))?;
        Ok(self.times(numerator, denominator))
    }

    fn constant(&mut self, constant: Constant) -> Result<u64, Fault> {
        match constant {
            Constant::Pi => Ok(self.point("the constant pi")),
            Constant::E => Ok(self.point("the constant e")),
            Constant::I => Ok(self.imaginary()),
            Constant::Infinity => Err(Fault::Inexpressible),
        }
    }

    fn symbol(&mut self, name: &str) -> Result<u64, Fault> {
        Ok(self.point(name))
    }

    fn add(&mut self, a: &u64, b: &u64) -> Result<u64, Fault> {
        // Both are below 2⁶¹.
        Ok((a + b) % self.prime)
    }

    fn negate(&mut self, a: &u64) -> u64 {
        (self.prime - a) % self.prime
    }

    fn multiply(&mut self, a: &u64, b: &u64) -> Result<u64, Fault> {
        Ok(self.times(*a, *b))
    }

    fn divide(&mut self, a: &u64, b: &u64) -> Result<u64, Fault> {
        let inverse = self.inverse(*b)?;
        Ok(self.times(*a, inverse))
    }

    fn whole_power(&mut self, base: &u64, exponent: &BigInt) -> Result<u64, Fault> {
        if *base == 0 && !exponent.is_positive() {
            return Err(Fault::Undefined);
        }
        // Fermat: exponents count modulo p − 1.
        let exponent = exponent.mod_floor(&BigInt::from(self.prime - 1));
        Ok(self.raise(*base, exponent.to_u64().unwrap_or_default()))
    }

    fn fractional_power(&mut self, _: &u64, _: &BigRational) -> Result<u64, Fault> {
        Err(Fault::Inexpressible)
    }

    fn power(&mut self, _: &u64, _: &u64) -> Result<u64, Fault> {
        Err(Fault::Inexpressible)
    }

    fn exponential(&mut self, _: &u64) -> Result<u64, Fault> {
        Err(Fault::Inexpressible)
    }

    fn falling(&mut self, n: u32, k: u32) -> Result<u64, Fault> {
        let factors = u64::from(n - k) + 1..=u64::from(n);
        Ok(factors.fold(1, |product, factor| self.times(product, factor)))
    }

    fn call(&mut self, _: Function, _: &[u64]) -> Result<u64, Fault> {
        Err(Fault::Inexpressible)
    }
}
