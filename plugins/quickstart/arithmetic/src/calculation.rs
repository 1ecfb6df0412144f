//! Calculations, how they are done on paper, and how they go wrong.

use omni_quickstart_generate::Solution;
use omni_sdk::task::Rng;
use serde::Deserialize;

/// What there is to calculate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A sum.
    Add,
    /// A difference that is not negative.
    Subtract,
    /// A product of a digit and a number.
    Multiply,
    /// `ax+b=c` or `ax-b=c` for a whole `x`.
    Linear,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Add, Self::Subtract, Self::Multiply, Self::Linear];

    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Subtract => "subtract",
            Self::Multiply => "multiply",
            Self::Linear => "linear",
        }
    }
}

/// One calculation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calculation {
    /// `a+b`.
    Add(u32, u32),
    /// `a-b`.
    Subtract(u32, u32),
    /// `a*b` with a digit `a`.
    Multiply(u32, u32),
    /// `a*x+b` or, if `minus`, `a*x-b`, set equal to its value at `x`.
    Linear {
        /// The coefficient.
        a: u32,
        /// The solution.
        x: u32,
        /// The constant.
        b: u32,
        /// Whether the constant is taken away.
        minus: bool,
    },
}

impl Calculation {
    /// A calculation of a kind, with operands up to `max` and digits up to `factor`.
    pub fn draw(kind: Kind, max: u32, factor: u32, rng: &mut Rng) -> Self {
        let mut between = |low: u32, high: u32| rng.range(i64::from(low), i64::from(high)) as u32;
        match kind {
            Kind::Add => Self::Add(between(2, max), between(2, max)),
            Kind::Subtract => {
                let (a, b) = (between(2, max), between(2, max));
                Self::Subtract(a.max(b), a.min(b))
            }
            Kind::Multiply => Self::Multiply(between(2, factor), between(11, max)),
            Kind::Linear => {
                let (a, x) = (between(2, factor), between(1, 9));
                let minus = between(0, 1) == 1;
                let b = if minus { between(1, a * x) } else { between(1, max) };
                Self::Linear { a, x, b, minus }
            }
        }
    }

    /// What makes it this calculation: `a+b` and `b+a` are the same.
    pub fn key(self) -> String {
        match self {
            Self::Add(a, b) => format!("{}+{}", a.min(b), a.max(b)),
            other => other.prompt(),
        }
    }

    /// What the policy sees.
    pub fn prompt(self) -> String {
        match self {
            Self::Add(a, b) => format!("{a}+{b}=?"),
            Self::Subtract(a, b) => format!("{a}-{b}=?"),
            Self::Multiply(a, b) => format!("{a}*{b}=?"),
            Self::Linear { a, b, minus, .. } => {
                format!("{a}x{}{b}={} x=?", if minus { '-' } else { '+' }, self.right_side())
            }
        }
    }

    /// The answer.
    pub fn result(self) -> u32 {
        match self {
            Self::Add(a, b) => a + b,
            Self::Subtract(a, b) => a - b,
            Self::Multiply(a, b) => a * b,
            Self::Linear { x, .. } => x,
        }
    }

    fn right_side(self) -> u32 {
        match self {
            Self::Linear { a, x, b, minus: false } => a * x + b,
            Self::Linear { a, x, b, minus: true } => a * x - b,
            _ => 0,
        }
    }

    /// The calculation done right.
    pub fn solution(self) -> Solution {
        let think = match self {
            Self::Add(a, b) => add(a, b, a % 10 + b % 10, (a % 10 + b % 10) / 10),
            Self::Subtract(a, b) => subtract(a, b, a % 10 < b % 10, a % 10 < b % 10),
            Self::Multiply(a, b) => multiply(a, b, a * (b % 10), a * (b % 10) / 10),
            Self::Linear { a, x, b, minus } => linear(self.right_side(), b, minus, a, x),
        };
        Solution::new(think, self.result().to_string())
    }

    /// The same done wrong: in a way that happens on paper, or just miscounted.
    pub fn mistakes(self) -> Vec<Solution> {
        let right = self.solution();
        let result = self.result();
        let mut wrong = Vec::new();
        let mut say =
            |think: String, answer: u32| wrong.push(Solution::new(think, answer.to_string()));
        match self {
            Self::Add(a, b) => {
                let (units, carry) = (a % 10 + b % 10, (a % 10 + b % 10) / 10);
                // The carry forgotten, or made up.
                let other = 1 - carry;
                say(add(a, b, units, other), (a / 10 + b / 10 + other) * 10 + units % 10);
                say(add(a, b, units + 1, (units + 1) / 10), a + b + 1);
                if units > 0 {
                    say(add(a, b, units - 1, (units - 1) / 10), a + b - 1);
                }
            }
            Self::Subtract(a, b) => {
                let borrow = a % 10 < b % 10;
                // The borrowed ten not paid back; the digits taken the wrong way round.
                let units = if borrow { 10 + a % 10 - b % 10 } else { a % 10 - b % 10 };
                let tens = a / 10 - b / 10;
                if borrow {
                    say(subtract(a, b, true, false), tens * 10 + units);
                    say(
                        format!(
                            "{}-{}={} {}-{}={tens}",
                            b % 10,
                            a % 10,
                            b % 10 - a % 10,
                            a / 10,
                            b / 10
                        ),
                        tens * 10 + (b % 10 - a % 10),
                    );
                } else if tens > 0 {
                    say(subtract(a, b, false, true), (tens - 1) * 10 + units);
                }
            }
            Self::Multiply(a, b) => {
                let (units, tens) = (a * (b % 10), a * (b / 10));
                // The carry forgotten; the tens not multiplied.
                say(multiply(a, b, units, 0), tens * 10 + units % 10);
                say(format!("{a}*{}={units}", b % 10), units + b / 10 * 10);
                say(multiply(a, b, units + a, (units + a) / 10), a * b + a);
            }
            Self::Linear { a, x, b, minus } => {
                let c = self.right_side();
                // The constant on the wrong side; the coefficient forgotten; the table misremembered.
                let wrong_side = if minus { c.saturating_sub(b) } else { c + b };
                say(linear(c, b, !minus, a, wrong_side / a), wrong_side / a);
                say(
                    if minus { format!("{c}+{b}={}", a * x) } else { format!("{c}-{b}={}", a * x) },
                    a * x,
                );
                say(linear(c, b, minus, a, x + 1), x + 1);
                say(linear(c, b, minus, a, x - 1), x - 1);
            }
        }
        // Right thoughts and a slip at the end.
        say(right.think.clone(), result + 10);
        say(right.think, if result > 1 { result - 1 } else { result + 2 });
        wrong.retain(|solution| solution.answer != result.to_string());
        wrong
    }
}

/// `17+25` as `7+5=12 1+2+1=4`, with the sum of the units and the carry as they are given.
fn add(a: u32, b: u32, units: u32, carry: u32) -> String {
    let (s, t) = (a / 10, b / 10);
    let tens = s + t + carry;
    let carried = if carry > 0 { format!("+{carry}") } else { String::new() };
    format!("{}+{}={units} {s}+{t}{carried}={tens}", a % 10, b % 10)
}

/// `42-17` as `12-7=5 4-1-1=2`.
fn subtract(a: u32, b: u32, borrow: bool, paid: bool) -> String {
    let units = if borrow { a % 10 + 10 } else { a % 10 };
    let (s, t) = (a / 10, b / 10);
    let back = if paid { "-1" } else { "" };
    format!("{units}-{}={} {s}-{t}{back}={}", b % 10, units - b % 10, s - t - u32::from(paid))
}

/// `7*23` as `7*3=21 7*2=14 14+2=16`.
fn multiply(a: u32, b: u32, units: u32, carry: u32) -> String {
    let tens = a * (b / 10);
    let carried =
        if carry > 0 { format!(" {tens}+{carry}={}", tens + carry) } else { String::new() };
    format!("{a}*{}={units} {a}*{}={tens}{carried}", b % 10, b / 10)
}

/// `3x+4=19` as `19-4=15 15/3=5`.
fn linear(c: u32, b: u32, minus: bool, a: u32, x: u32) -> String {
    let (sign, side) = if minus { ('+', c + b) } else { ('-', c.saturating_sub(b)) };
    format!("{c}{sign}{b}={side} {side}/{a}={x}")
}
