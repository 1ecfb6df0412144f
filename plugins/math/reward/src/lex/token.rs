//! The tokens of an answer.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Pow;

/// A token and what stood before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Lexeme {
    /// The token.
    pub token: Token,
    /// Whether white space stood before it.
    pub spaced: bool,
}

/// What an answer is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// A literal number, without a sign.
    Number(Literal),
    /// A run of plain letters: a variable, several of them, a unit or a word.
    Word(String),
    /// One whole name: `\theta`, `\mathbf{v}`, `\overline{AB}`.
    Name(String),
    /// What stood in `\text{…}`.
    Text(String),
    /// A function by its name, as in `\sin` or `sqrt`.
    Function(Function),
    /// A command that takes arguments or brackets something: `frac`, `begin:pmatrix`, `mathbb:R`.
    Command(String),
    /// An operator, a relation or a bracket, in one spelling for all the ways to write it: braces
    /// that group are `{` and `}`, those of sets `⦃` and `⦄`, a matrix's row ends with `¶`.
    Sign(char),
}

/// A literal number as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// Its value.
    pub value: BigRational,
    /// Digits behind the decimal point, when one was written.
    pub decimals: Option<u32>,
    /// Its digits (and point), without separators.
    pub text: String,
}

impl Literal {
    /// Reads digits with at most one point; none when there are no digits or too many.
    pub fn new(text: String) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        if whole.len() + fraction.len() > super::MAX_DIGITS || text == "." {
            return None;
        }
        let decimals = text.contains('.').then_some(u32::try_from(fraction.len()).ok()?);
        let value = match (decimals, whole.parse::<u64>()) {
            (None, Ok(small)) => BigRational::from_integer(small.into()),
            _ => {
                let digits: BigInt = format!("{whole}{fraction}").parse().ok()?;
                match decimals {
                    None | Some(0) => BigRational::from_integer(digits),
                    Some(decimals) => {
                        BigRational::new(digits, Pow::pow(BigInt::from(10), decimals))
                    }
                }
            }
        };
        Some(Self { value, decimals, text })
    }

    /// How many digits it says, leading zeros left out.
    pub fn significant(&self) -> usize {
        let digits: String = self.text.chars().filter(char::is_ascii_digit).collect();
        digits.trim_start_matches('0').len()
    }

    /// Whether it is a whole number written without a point.
    pub fn is_whole(&self) -> bool {
        self.decimals.is_none() && self.value.is_integer()
    }
}

/// The functions that are known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in mathematics")]
pub enum Function {
    Sqrt,
    Root,
    Ln,
    Log,
    Exp,
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Arccot,
    Sinh,
    Cosh,
    Tanh,
    Abs,
    Floor,
    Ceiling,
    Factorial,
    Binomial,
    Permutations,
    Gcd,
    Lcm,
    Max,
    Min,
    Re,
    Im,
    Conjugate,
}

impl Function {
    /// The function of a plain or LaTeX name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sqrt" => Self::Sqrt,
            "ln" => Self::Ln,
            "log" | "lg" => Self::Log,
            "exp" => Self::Exp,
            "sin" => Self::Sin,
            "cos" => Self::Cos,
            "tan" | "tg" => Self::Tan,
            "cot" | "ctg" => Self::Cot,
            "sec" => Self::Sec,
            "csc" | "cosec" => Self::Csc,
            "arcsin" | "asin" => Self::Arcsin,
            "arccos" | "acos" => Self::Arccos,
            "arctan" | "atan" | "arctg" => Self::Arctan,
            "arccot" | "acot" => Self::Arccot,
            "sinh" => Self::Sinh,
            "cosh" => Self::Cosh,
            "tanh" => Self::Tanh,
            "abs" => Self::Abs,
            "floor" => Self::Floor,
            "ceil" | "ceiling" => Self::Ceiling,
            "factorial" => Self::Factorial,
            "binomial" => Self::Binomial,
            "gcd" => Self::Gcd,
            "lcm" => Self::Lcm,
            "max" => Self::Max,
            "min" => Self::Min,
            "Re" => Self::Re,
            "Im" => Self::Im,
            _ => return None,
        })
    }

    /// The inverse, for `\sin^{-1}`.
    pub fn inverse(self) -> Option<Self> {
        Some(match self {
            Self::Sin => Self::Arcsin,
            Self::Cos => Self::Arccos,
            Self::Tan => Self::Arctan,
            Self::Cot => Self::Arccot,
            _ => return None,
        })
    }
}
