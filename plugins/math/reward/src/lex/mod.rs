//! Characters to tokens: plain text, Unicode and LaTeX in one pass.
//!
//! What only changes an answer's looks is left out here (`\left`, `\,`, `\displaystyle`, dollars,
//! boxes), so that the parser sees one spelling for each thing. No character is an error; what
//! means nothing becomes a sign that no rule of the parser takes.

mod command;
mod digits;
mod spelling;
mod symbols;
mod token;

pub use spelling::{spelled, words};
pub use token::{Function, Lexeme, Literal, Token};

use crate::Fault;

/// Longer texts have no reading, only a spelling.
pub const MAX_LENGTH: usize = 16_384;
const MAX_TOKENS: usize = 4_096;
/// Digits of one literal.
const MAX_DIGITS: usize = 2_000;

/// What a comma between digits does, outside of brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commas {
    /// Groups thousands, where the groups are of three digits.
    Group,
    /// Separates, always.
    Separate,
}

/// Reads the tokens of a text.
///
/// # Errors
/// When the text is too long, or a literal in it.
pub fn lex(text: &str, commas: Commas) -> Result<Vec<Lexeme>, Fault> {
    if text.len() > MAX_LENGTH {
        return Err(Fault::Beyond);
    }
    let mut lexer = Lexer {
        text,
        at: 0,
        out: Vec::with_capacity(text.len() / 2 + 4),
        spaced: false,
        brackets: 0,
        rows: 0,
        commas,
    };
    while lexer.at < text.len() {
        lexer.step()?;
        if lexer.out.len() > MAX_TOKENS {
            return Err(Fault::Beyond);
        }
    }
    Ok(lexer.out)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    out: Vec<Lexeme>,
    spaced: bool,
    /// Open brackets, inside of which a comma separates.
    brackets: u32,
    /// Open environments, inside of which `\\` ends a row.
    rows: u32,
    commas: Commas,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn push(&mut self, token: Token) {
        let spaced = std::mem::take(&mut self.spaced);
        self.out.push(Lexeme { token, spaced });
    }

    fn sign(&mut self, sign: char) {
        // "2\cdot{}\sqrt{3}": a group of nothing behind an operator or a number.
        if sign == '}' && self.out.last().is_some_and(|last| last.token == Token::Sign('{')) {
            let before = self.out.len().checked_sub(2).map(|at| &self.out[at].token);
            // "{}" alone is a set.
            let alone = before.is_none() && self.rest().trim().is_empty();
            let empty = matches!(
                before,
                None | Some(
                    Token::Number(_)
                        | Token::Word(_)
                        | Token::Sign('*' | '+' | '-' | '=' | ',' | '(')
                )
            );
            if empty && !alone {
                self.out.pop();
                return;
            }
        }
        match sign {
            '(' | '[' | '⦃' | '⟨' => self.brackets += 1,
            ')' | ']' | '⦄' | '⟩' => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        self.push(Token::Sign(sign));
    }

    fn name(&mut self, name: &str) {
        self.push(Token::Name(name.to_owned()));
    }

    fn command(&mut self, name: &str) {
        self.push(Token::Command(name.to_owned()));
    }

    fn step(&mut self) -> Result<(), Fault> {
        let rest = self.rest();
        let Some(raw) = rest.chars().next() else { return Ok(()) };
        let c = symbols::plain(raw);
        if c.is_whitespace() || matches!(c, '~' | '\u{200b}' | '\u{2061}'..='\u{2064}' | '\u{feff}')
        {
            self.at += raw.len_utf8();
            self.spaced = true;
            return Ok(());
        }
        let after = &rest[raw.len_utf8()..];
        let point =
            c == '.' && (starts_with_digit(after) || self.repeats_at(raw.len_utf8()).is_some());
        if c.is_ascii_digit() || point {
            return self.number();
        }
        if c == '\\' {
            return self.backslash();
        }
        if c.is_ascii_alphabetic() {
            self.run();
            return Ok(());
        }
        for (spelling, sign) in [
            ("&lt;", '<'),
            ("&gt;", '>'),
            ("&le;", '≤'),
            ("&ge;", '≥'),
            ("+/-", '±'),
            ("**", '^'),
            ("<=", '≤'),
            (">=", '≥'),
            ("!=", '≠'),
            ("==", '='),
            (":=", '='),
            ("...", '…'),
        ] {
            if rest.starts_with(spelling) {
                self.at += spelling.len();
                self.sign(sign);
                return Ok(());
            }
        }
        self.at += raw.len_utf8();
        self.character(c);
        Ok(())
    }

    /// One character that begins nothing longer.
    fn character(&mut self, c: char) {
        match c {
            '$' | '"' | '“' | '”' => self.spaced = true,
            '.' if self.rest().trim_start_matches(['$', '.', '*', '"']).trim().is_empty() => {}
            '√' => self.command("sqrt"),
            '∛' => self.command("cbrt"),
            'ℝ' | 'ℤ' | 'ℕ' | 'ℚ' | 'ℂ' => {
                let letter = match c {
                    'ℝ' => 'R',
                    'ℤ' => 'Z',
                    'ℕ' => 'N',
                    'ℚ' => 'Q',
                    _ => 'C',
                };
                self.command(&format!("mathbb:{letter}"));
            }
            _ => {
                if let Some((numerator, denominator)) = symbols::fraction(c) {
                    self.command("frac");
                    for part in [numerator, denominator] {
                        self.sign('{');
                        if let Some(literal) = Literal::new(part.to_string()) {
                            self.push(Token::Number(literal));
                        }
                        self.sign('}');
                    }
                } else if let Some(first) = symbols::raised(c) {
                    self.script('^', first, symbols::raised);
                } else if let Some(first) = symbols::lowered(c) {
                    self.script('_', first, symbols::lowered);
                } else if let Some(letter) = symbols::greek_letter(c) {
                    self.name(letter);
                } else if c.is_alphabetic() {
                    let more: String =
                        self.rest().chars().take_while(|c| c.is_alphabetic()).collect();
                    self.at += more.len();
                    self.push(Token::Word(format!("{c}{more}")));
                } else {
                    self.sign(c);
                }
            }
        }
    }

    /// A run of raised or lowered characters.
    fn script(&mut self, sign: char, first: char, read: impl Fn(char) -> Option<char>) {
        let mut run = String::from(first);
        while let Some(c) = self.rest().chars().next()
            && let Some(plain) = read(c)
        {
            run.push(plain);
            self.at += c.len_utf8();
        }
        self.sign(sign);
        self.sign('{');
        let digits = |run: &str| run.chars().all(|c| c.is_ascii_digit());
        let (minus, body) = match run.strip_prefix('-') {
            Some(body) => (true, body),
            None => (false, run.as_str()),
        };
        if minus {
            self.sign('-');
        }
        match Literal::new(body.to_owned()).filter(|_| digits(body)) {
            Some(literal) => self.push(Token::Number(literal)),
            None => self.push(Token::Word(body.to_owned())),
        }
        self.sign('}');
    }

    /// A run of plain letters.
    fn run(&mut self) {
        let rest = self.rest();
        let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let run = &rest[..length];
        self.at += length;
        if self.word(run) {
            return;
        }
        // "sinx", "lnx"
        for prefix in ["sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "sqrt"] {
            if let Some(last) = run.strip_prefix(prefix)
                && last.len() == 1
                && let Some(function) = Function::named(prefix)
            {
                self.push(Token::Function(function));
                self.push(Token::Word(last.to_owned()));
                return;
            }
        }
        if let Some(rest) = run.strip_suffix("pi").filter(|rest| rest.len() == 1) {
            self.push(Token::Word(rest.to_owned()));
            self.name("pi");
            return;
        }
        self.push(Token::Word(run.to_owned()));
    }

    /// A word that stands for something else.
    fn word(&mut self, run: &str) -> bool {
        match run {
            "or" | "OR" => self.sign('∨'),
            "and" | "AND" => self.sign('∧'),
            "inf" | "infinity" | "infty" | "oo" | "Infinity" => self.sign('∞'),
            "union" => self.sign('∪'),
            // Minutes, unless something follows to take the least of.
            "min" | "max" if !self.rest().trim_start().starts_with(['(', '{', '\\', '[']) => {
                return false;
            }
            _ => match (symbols::greek(run), Function::named(run)) {
                (Some(letter), _) => self.name(letter),
                (_, Some(function)) => self.push(Token::Function(function)),
                _ => return false,
            },
        }
        true
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}
