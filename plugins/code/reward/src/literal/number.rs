//! Numbers of different kinds, compared exactly as Python does.

use super::{Kind, Value};

/// A number's exact value; `nan` is none, since it is equal to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Number {
    /// Decimal digits without leading zeros, with a minus where it is negative, and how many of
    /// them stand behind the point; the last of those is no zero.
    Decimal(String, usize),
    /// A fraction in lowest terms that no decimal ends for.
    Fraction(String, String),
    /// Infinite, by its sign.
    Infinite(bool),
    /// Real and imaginary part, the second not zero.
    Complex(Box<Number>, Box<Number>),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Decimal(u8::from(*value).to_string(), 0)),
            Value::Int(digits) => Some(Self::Decimal(digits.clone(), 0)),
            Value::Float(number) if number.is_nan() => None,
            Value::Float(number) if number.is_infinite() => Some(Self::Infinite(*number < 0.0)),
            // The digits of a float end after at most 1074 places, which Rust writes out exactly.
            Value::Float(number) if number.fract() == 0.0 => Self::decimal(&format!("{number:.0}")),
            Value::Float(number) => Self::decimal(&format!("{number:.1074}")),
            Value::Made(Kind::Decimal, parts) => match &parts[..] {
                [Value::Text(points)] => {
                    let text: Option<String> =
                        points.iter().map(|point| char::from_u32(*point)).collect();
                    Self::decimal(text?.trim())
                }
                [part @ Value::Int(_)] => Self::of(part),
                _ => None,
            },
            Value::Made(Kind::Fraction, parts) => match &parts[..] {
                [Value::Int(over), Value::Int(under)] => Self::fraction(over, under),
                _ => None,
            },
            Value::Made(Kind::Complex, parts) => match &parts[..] {
                [real, imaginary] => {
                    let (real, imaginary) = (Self::of(real)?, Self::of(imaginary)?);
                    if imaginary.is_zero() {
                        return Some(real);
                    }
                    Some(Self::Complex(Box::new(real), Box::new(imaginary)))
                }
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        matches!(self, Self::Decimal(digits, _) if digits == "0")
    }

    /// A spelling that equal numbers share.
    pub(super) fn key(self) -> String {
        match self {
            // Whole numbers look like themselves.
            Self::Decimal(digits, 0) => digits,
            other => format!("n{other:?}"),
        }
    }

    fn decimal(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase().replace('_', "");
        let (negative, rest) = match lower.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, lower.strip_prefix('+').unwrap_or(&lower)),
        };
        if rest.starts_with("inf") {
            return Some(Self::Infinite(negative));
        }
        let (mantissa, exponent) = rest.split_once('e').unwrap_or((rest, "0"));
        let exponent: i64 = exponent.parse().ok()?;
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = format!("{whole}{part}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let mut places = i64::try_from(part.len()).ok()? - exponent;
        // Nobody writes such exponents but to make the digits long.
        if places.abs() > 5000 {
            return None;
        }
        while places < 0 {
            digits.push('0');
            places += 1;
        }
        while places > 0 && digits.ends_with('0') {
            digits.pop();
            places -= 1;
        }
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Self::Decimal("0".to_owned(), 0));
        }
        let sign = if negative { "-" } else { "" };
        Some(Self::Decimal(format!("{sign}{digits}"), usize::try_from(places).ok()?))
    }

    /// Fractions of `Fraction` are in lowest terms; those written by hand may not be.
    fn fraction(over: &str, under: &str) -> Option<Self> {
        let (Ok(mut over), Ok(mut under)) = (over.parse::<i128>(), under.parse::<i128>()) else {
            return Some(Self::Fraction(over.to_owned(), under.to_owned()));
        };
        if under == 0 || over == i128::MIN || under == i128::MIN {
            return None;
        }
        if under < 0 {
            (over, under) = (-over, -under);
        }
        let (mut a, mut b) = (over.abs(), under);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let common = a.max(1);
        (over, under) = (over / common, under / common);
        // Where the lower part is made of twos and fives, decimal digits end.
        let mut rest = under;
        let mut places = 0;
        let mut scaled = Some(over);
        while rest % 10 == 0 {
            (rest, places) = (rest / 10, places + 1);
        }
        while rest % 2 == 0 {
            (rest, places) = (rest / 2, places + 1);
            scaled = scaled.and_then(|it| it.checked_mul(5));
        }
        while rest % 5 == 0 {
            (rest, places) = (rest / 5, places + 1);
            scaled = scaled.and_then(|it| it.checked_mul(2));
        }
        match scaled {
            Some(scaled) if rest == 1 => Self::decimal(&format!("{scaled}e-{places}")),
            _ => Some(Self::Fraction(over.to_string(), under.to_string())),
        }
    }
}
