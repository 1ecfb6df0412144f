//! A reference, read once, and answers against it.

use crate::compare::{Comparison, choice, expanded};
use crate::extract;
use crate::lex::{Commas, Lexeme, Literal, MAX_LENGTH, Token, lex, spelled, words};
use crate::number::{Fuel, exact};
use crate::parse;
use crate::syntax::{Expr, Separator};
use crate::{Fault, Verdict};

/// A reference, read once for its whole group.
#[derive(Debug)]
pub struct Reference {
    /// As it was written.
    whole: String,
    reading: Reading,
    letter: Option<char>,
}

/// What a text was read as.
#[derive(Debug)]
struct Reading {
    text: String,
    spelled: Option<String>,
    tokens: Vec<Lexeme>,
    expr: Result<Expr, Fault>,
}

impl Reading {
    fn new(text: &str) -> Self {
        let text = bare(text);
        match lex(text, Commas::Group) {
            Ok(tokens) => Self {
                text: text.to_owned(),
                spelled: Some(spelled(&tokens)),
                // Plain braces around nothing; a box with nothing in it says nothing.
                expr: if text.trim_matches('$').trim() == "{}" {
                    Ok(Expr::Named('∅'))
                } else {
                    read(&tokens).map(expanded)
                },
                tokens,
            },
            Err(fault) => {
                Self { text: text.to_owned(), spelled: None, tokens: Vec::new(), expr: Err(fault) }
            }
        }
    }

    /// With every comma taken for a separator; none where that is no other reading.
    fn separated(&self) -> Option<Expr> {
        let zeros = |piece: &str| piece.starts_with('0') && piece.len() > 1;
        if !self.text.contains(',') || self.text.split(',').skip(1).any(zeros) {
            return None;
        }
        let expr = parse::parse_with(&self.text, Commas::Separate).ok().map(expanded)?;
        matches!(expr, Expr::List(..)).then_some(expr)
    }

    fn is_words(&self) -> bool {
        match &self.expr {
            Ok(expr) => matches!(expr, Expr::Text(_) | Expr::Word(_)),
            Err(_) => true,
        }
    }
}

/// The syntax tree of some tokens; what is said in words for a set or a list is one.
fn read(tokens: &[Lexeme]) -> Result<Expr, Fault> {
    let said = match words(tokens).as_str() {
        "all real numbers"
        | "all reals"
        | "real numbers"
        | "set of all real numbers"
        | "set of real numbers"
        | "all real x" => Some(Expr::Named('R')),
        "no solution" | "no solutions" | "no real solution" | "no real solutions" | "empty set"
        | "null set" => Some(Expr::Named('∅')),
        _ => None,
    };
    if let Some(said) = said {
        return Ok(said);
    }
    if let [Lexeme { token: Token::Word(_) | Token::Text(_), .. }, ..] = tokens
        && let Some(n) = number_word(&words(tokens))
        && let Some(literal) = Literal::new(n.to_string())
    {
        return Ok(Expr::Number(literal));
    }
    match parse::tokens(tokens.to_vec())? {
        Expr::Text(text) if text.contains(',') => {
            let parts = text.split(',').map(|part| Expr::Text(part.trim().to_owned())).collect();
            Ok(Expr::List(Separator::Comma, parts))
        }
        other => Ok(other),
    }
}

/// The number that a word says, below a hundred.
fn number_word(words: &str) -> Option<usize> {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] =
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    let small = |word: &str| SMALL.iter().position(|name| *name == word);
    let tens = |word: &str| TENS.iter().position(|name| *name == word).map(|at| 10 * at + 20);
    if let Some(n) = small(words).or_else(|| tens(words)) {
        return Some(n);
    }
    let (first, second) = words.split_once(['-', ' '])?;
    let one = small(second).filter(|n| (1..10).contains(n))?;
    Some(tens(first)? + one)
}

/// Without what is markup around the whole.
fn bare(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let trimmed = text.trim_matches(|c: char| c.is_whitespace());
        let inner = trimmed
            .strip_prefix("**")
            .and_then(|rest| rest.strip_suffix("**"))
            .filter(|rest| !rest.contains("**"))
            .or_else(|| {
                let inner = trimmed.strip_prefix('*').and_then(|rest| rest.strip_suffix('*'));
                inner.filter(|rest| !rest.contains('*'))
            })
            .or_else(|| trimmed.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')))
            .unwrap_or(trimmed);
        if inner.len() == text.len() {
            return text;
        }
        text = inner;
    }
}

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// With the reason, when there is none or it has no value.
    pub fn read(reference: Option<&str>) -> Result<Self, String> {
        let whole = reference.ok_or("there is no `reference`")?;
        // The form of GSM8K's rows: the answer stands behind its solution.
        let text = whole.rsplit_once("####").map_or(whole, |(_, answer)| answer);
        if text.trim().is_empty() {
            return Err("the reference is empty".to_owned());
        }
        let mut reading = Reading::new(text);
        if reading.expr.is_err()
            && (text.contains("\\boxed") || text.contains('$') || text.contains("\\("))
            && let Some(inner) = extract::inside(text)
            && inner.trim() != text.trim()
        {
            let inner = Reading::new(&inner);
            if inner.expr.is_ok() {
                reading = inner;
            }
        }
        if reading.spelled.as_ref().is_some_and(String::is_empty) {
            return Err(format!("the reference `{}` says nothing", shortened(whole)));
        }
        if let Ok(expr) = &reading.expr
            && expr.is_scalar()
            && exact::value(expr, &mut Fuel::default()) == Err(Fault::Undefined)
        {
            return Err(format!("the reference `{}` has no value", shortened(whole)));
        }
        let letter = reading.spelled.as_deref().and_then(choice::letter);
        Ok(Self { whole: whole.trim().to_owned(), reading, letter })
    }

    /// What an answer is worth against it.
    pub fn check(&self, answer: &str) -> Verdict {
        if answer.trim() == self.whole {
            return Verdict::Equal;
        }
        // What is too long to read can only be the reference itself.
        if answer.len() > MAX_LENGTH {
            let same = bare(answer) == self.reading.text;
            return if same { Verdict::Equal } else { Verdict::Unequal };
        }
        let answer = Reading::new(answer);
        match self.compare(&answer) {
            Ok(true) => return Verdict::Equal,
            Ok(false) => {}
            Err(verdict) => return verdict,
        }
        // A sentence: the answer in it.
        let prose = answer.expr.is_err() || (answer.is_words() && !self.reading.is_words());
        if prose
            && let Some(inner) = extract::inside_sentence(&answer.text)
            && inner != answer.text
        {
            return match self.compare(&Reading::new(&inner)) {
                Ok(true) => Verdict::Equal,
                Ok(false) => Verdict::Unequal,
                Err(verdict) => verdict,
            };
        }
        Verdict::Unequal
    }

    fn compare(&self, answer: &Reading) -> Result<bool, Verdict> {
        let reference = &self.reading;
        let spelled_alike = match (&reference.spelled, &answer.spelled) {
            (Some(a), Some(b)) => !b.is_empty() && a == b,
            _ => false,
        };
        if spelled_alike || reference.text == answer.text {
            return Ok(true);
        }
        if let Some(letter) = self.letter
            && let Some(spelled) = &answer.spelled
            && choice::chooses(letter, spelled)
        {
            return Ok(true);
        }
        match (&reference.expr, &answer.expr) {
            (Ok(a), Ok(b)) => {
                if self.same(a, b)? {
                    return Ok(true);
                }
                // "100,200" may be two numbers on either side.
                if let (Some(a), Some(b)) = (reference.separated(), answer.separated())
                    && self.same(&a, &b)?
                {
                    return Ok(true);
                }
                let both = matches!((a, b), (Expr::Word(_), Expr::Word(_)));
                Ok(!both && reference.is_words() && same_words(reference, answer))
            }
            (Err(Fault::Beyond), _) => {
                Err(Verdict::Undefined("the reference is too long or too large to read".to_owned()))
            }
            (Err(_), _) => Ok(same_words(reference, answer)),
            _ => Ok(reference.is_words() && same_words(reference, answer)),
        }
    }

    fn same(&self, a: &Expr, b: &Expr) -> Result<bool, Verdict> {
        match Comparison::default().answers(a, b) {
            Ok(same) => Ok(same),
            Err(Fault::Beyond) => {
                // Whose fault is it: can the reference be compared with itself?
                if a.is_scalar() && Comparison::default().is_too_large(a) {
                    return Err(Verdict::Undefined("the reference is too large".to_owned()));
                }
                Ok(false)
            }
            Err(_) => Ok(false),
        }
    }
}

fn same_words(a: &Reading, b: &Reading) -> bool {
    let (a, b) = (words(&a.tokens), words(&b.tokens));
    !a.is_empty() && a == b
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
