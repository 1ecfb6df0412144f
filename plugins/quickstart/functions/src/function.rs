//! Small functions: what they return, how they are found from examples, how that goes wrong.

use std::fmt;

use omni_quickstart_generate::Solution;
use omni_sdk::task::Rng;
use serde::Deserialize;

/// Functions of one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// `a*x+b`.
    Linear,
    /// `x+'73'`.
    Append,
    /// `'73'+x`.
    Prepend,
    /// `a*x-b`.
    Subtract,
    /// `x*x+b`.
    Square,
    /// `'12'+x+'73'`.
    Around,
}

impl Family {
    const ALL: [Self; 6] =
        [Self::Linear, Self::Append, Self::Prepend, Self::Subtract, Self::Square, Self::Around];

    /// The families of a level, from 1 to 3.
    pub fn of_level(level: u32) -> &'static [Self] {
        &Self::ALL[..[1, 3, 6][(level.clamp(1, 3) - 1) as usize]]
    }

    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Append => "append",
            Self::Prepend => "prepend",
            Self::Subtract => "subtract",
            Self::Square => "square",
            Self::Around => "around",
        }
    }
}

/// An argument or a value, written as Python does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A whole number.
    Number(i64),
    /// A text of digits.
    Text(String),
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "'{text}'"),
        }
    }
}

/// A function of `x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Function {
    /// `a*x+b`, for whatever sign of `b`.
    Linear(i64, i64),
    /// `x*x+b`.
    Square(i64),
    /// A text before and a text behind, either perhaps empty.
    Around(String, String),
}

impl Function {
    /// A function of a family.
    pub fn draw(family: Family, max_factor: u32, max_constant: u32, rng: &mut Rng) -> Self {
        let (factor, constant) = (i64::from(max_factor), i64::from(max_constant));
        match family {
            Family::Linear => Self::Linear(rng.range(2, factor), rng.range(0, constant)),
            Family::Subtract => Self::Linear(rng.range(2, factor), -rng.range(1, constant)),
            Family::Square => Self::Square(rng.range(0, constant)),
            Family::Append => Self::Around(String::new(), digits(rng)),
            Family::Prepend => Self::Around(digits(rng), String::new()),
            Family::Around => Self::Around(digits(rng), digits(rng)),
        }
    }

    /// Inputs that the prompt shows, and inputs for the tests, none of them in both.
    pub fn inputs(&self, tests: usize, rng: &mut Rng) -> (Vec<Input>, Vec<Input>) {
        match self {
            Self::Linear(..) | Self::Square(_) => {
                let mut others: Vec<i64> = (2..=9).collect();
                rng.shuffle(&mut others);
                let shown = [0, 1, others[0]].map(Input::Number).to_vec();
                (shown, others[1..=tests].iter().copied().map(Input::Number).collect())
            }
            Self::Around(..) => {
                let mut texts: Vec<Input> = Vec::new();
                while texts.len() < 2 + tests {
                    let text = Input::Text(digits(rng));
                    if !texts.contains(&text) {
                        texts.push(text);
                    }
                }
                let hidden = texts.split_off(2);
                (texts, hidden)
            }
        }
    }

    /// What it returns.
    pub fn value(&self, input: &Input) -> Input {
        match (self, input) {
            (Self::Linear(a, b), Input::Number(x)) => Input::Number(a * x + b),
            (Self::Square(b), Input::Number(x)) => Input::Number(x * x + b),
            (Self::Around(before, behind), Input::Text(x)) => {
                Input::Text(format!("{before}{x}{behind}"))
            }
            // No function of one kind is ever given an input of the other.
            (_, input) => input.clone(),
        }
    }

    /// What stands behind `return`.
    pub fn expression(&self) -> String {
        let signed = |body: &str, b: i64| match b {
            0 => body.to_owned(),
            b if b < 0 => format!("{body}{b}"),
            b => format!("{body}+{b}"),
        };
        match self {
            Self::Linear(a, b) => signed(&format!("{a}*x"), *b),
            Self::Square(b) => signed("x*x", *b),
            Self::Around(before, behind) => match (before.is_empty(), behind.is_empty()) {
                (true, true) => "x".to_owned(),
                (true, false) => format!("x+'{behind}'"),
                (false, true) => format!("'{before}'+x"),
                (false, false) => format!("'{before}'+x+'{behind}'"),
            },
        }
    }

    /// The whole function.
    pub fn source(&self) -> String {
        format!("def f(x): return {}", self.expression())
    }

    /// How it is found from the examples that the prompt shows.
    pub fn thoughts(&self, shown: &[Input]) -> String {
        match self {
            Self::Linear(a, b) => format!("{}-{b}={a}", a + b).replace("--", "+"),
            Self::Square(b) => {
                let Some(Input::Number(x)) = shown.last() else { return String::new() };
                format!("{}-{b}={x}*{x}", x * x + b)
            }
            Self::Around(before, behind) => format!("{before}x{behind}"),
        }
    }

    /// What is taken for it by mistake, with the thoughts that lead there; none of these passes
    /// the tests.
    pub fn mistakes(&self, shown: &[Input], hidden: &[Input]) -> Vec<Solution> {
        let others = match self {
            Self::Linear(a, b) => vec![
                // The constant not taken off, or forgotten; the two exchanged; miscounted.
                Self::Linear(a + b, *b),
                Self::Linear(*a, 0),
                Self::Linear(*b, *a),
                Self::Linear(a + 1, *b),
                Self::Linear(a - 1, *b),
                Self::Linear(*a, b + 1),
                Self::Linear(*a, b - 1),
            ],
            Self::Square(b) => vec![
                Self::Square(b + 1),
                Self::Square(b - 1),
                Self::Linear(1, *b),
                Self::Linear(2, *b),
            ],
            Self::Around(before, behind) => vec![
                // The wrong side, half of it, once too often.
                Self::Around(behind.clone(), before.clone()),
                Self::Around(before.chars().take(1).collect(), behind.chars().take(1).collect()),
                Self::Around(format!("{before}{before}"), format!("{behind}{behind}")),
                Self::Around(shift(before), shift(behind)),
            ],
        };
        let differs =
            |other: &Self| hidden.iter().any(|input| self.value(input) != other.value(input));
        let mut wrong: Vec<_> = others
            .into_iter()
            .filter(differs)
            .map(|other| Solution::new(other.thoughts(shown), other.source()))
            .collect();
        // Right thoughts, and no Python.
        let (think, expression) = (self.thoughts(shown), self.expression());
        wrong.push(Solution::new(think.clone(), format!("def f(x) return {expression}")));
        wrong.push(Solution::new(think, format!("def f(x): {expression}")));
        wrong
    }
}

/// Two digits: texts of digits have one token a digit, whatever the tokenizer merged.
fn digits(rng: &mut Rng) -> String {
    format!("{:02}", rng.below(100))
}

/// The same with each digit one further.
fn shift(digits: &str) -> String {
    digits.chars().map(|c| if c == '9' { '0' } else { char::from(c as u8 + 1) }).collect()
}
