//! LaTeX commands, and their arguments where these are read as they stand.

use super::{Function, Lexer, Token, lex, starts_with_digit, symbols};
use crate::Fault;

impl<'a> Lexer<'a> {
    pub(super) fn backslash(&mut self) -> Result<(), Fault> {
        let rest = &self.rest()[1..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        if letters == 0 {
            let Some(c) = rest.chars().next() else {
                self.at += 1;
                return Ok(());
            };
            // A backslash that something escaped once more.
            if c == '\\'
                && self.rows == 0
                && rest[1..].starts_with(|c: char| c.is_ascii_alphabetic())
            {
                self.at += 1;
                return Ok(());
            }
            self.at += 1 + c.len_utf8();
            // "ℝ \ {0}"
            let after_set = matches!(
                self.out.last().map(|last| &last.token),
                Some(Token::Command(name)) if name.starts_with("mathbb:")
            );
            if c == ' ' && after_set && self.rest().starts_with('{') {
                self.sign('∖');
                return Ok(());
            }
            match c {
                '!' => {}
                ',' | ';' | ':' | '>' | ' ' | '/' | '(' | ')' | '[' | ']' | '"' | '\n' | '\t' => {
                    self.spaced = true;
                }
                '{' => self.sign('⦃'),
                '}' => self.sign('⦄'),
                '|' => self.sign('‖'),
                '\\' => self.sign('¶'),
                other => self.sign(symbols::plain(other)),
            }
            return Ok(());
        }
        let name = &rest[..letters];
        self.at += 1 + letters;
        self.named(name)
    }

    fn named(&mut self, name: &str) -> Result<(), Fault> {
        if symbols::ignored(name) {
            // `\left.` has a delimiter that is none.
            if matches!(name, "left" | "right") && self.rest().starts_with('.') {
                self.at += 1;
            }
            return Ok(());
        }
        if let Some(sign) = symbols::sign(name) {
            self.sign(sign);
            return Ok(());
        }
        if let Some(letter) = symbols::greek(name) {
            self.name(letter);
            return Ok(());
        }
        if symbols::is_text(name) {
            let plain = matches!(name, "mathbf" | "mathit" | "mathnormal");
            match self.argument() {
                Some(text) => self.text_argument(name, text.trim_matches('~'), plain),
                None => self.command(name),
            }
            return Ok(());
        }
        if symbols::is_naming(name) {
            let argument = self.argument().unwrap_or_default();
            let argument: String = argument.chars().filter(|c| !c.is_whitespace()).collect();
            let name = if matches!(name, "vec" | "overrightarrow") { "vec" } else { name };
            self.name(&format!("{name} {argument}"));
            return Ok(());
        }
        match name {
            "frac" | "dfrac" | "tfrac" | "cfrac" | "nicefrac" | "sfrac" | "flatfrac" => {
                self.command("frac");
            }
            "det" | "dim" | "deg" | "arg" | "Pr" | "rank" => self.name(name),
            "surd" => self.command("sqrt"),
            "binom" | "dbinom" | "tbinom" => self.command("binom"),
            "mathbb" | "Bbb" | "mathds" => {
                let set = self.argument().unwrap_or_default();
                self.command(&format!("mathbb:{}", set.trim()));
            }
            "R" | "Z" | "N" | "Q" | "C" | "reals" => {
                let set = if name == "reals" { "R" } else { name };
                self.command(&format!("mathbb:{set}"));
            }
            "begin" => {
                let environment = self.argument().unwrap_or_default().trim().trim_matches('*');
                if environment == "array" {
                    self.argument();
                }
                self.rows += 1;
                self.command(&format!("begin:{environment}"));
            }
            "end" => {
                self.argument();
                self.rows = self.rows.saturating_sub(1);
                self.command("end");
            }
            "textcolor" | "color" | "hspace" | "vspace" | "label" | "tag" | "phantom"
            | "hphantom" | "vphantom" | "mspace" | "kern" => {
                self.argument();
            }
            "not" => {
                let equals = self.rest().trim_start().strip_prefix('=');
                if let Some(after) = equals {
                    self.at = self.text.len() - after.len();
                    self.sign('≠');
                } else {
                    self.command(name);
                }
            }
            _ => match Function::named(name) {
                Some(Function::Sqrt) => self.command("sqrt"),
                Some(function) => self.push(Token::Function(function)),
                None => self.command(name),
            },
        }
        Ok(())
    }

    fn text_argument(&mut self, command: &str, text: &str, plain: bool) {
        let spaced = text.replace("\\ ", " ");
        let bare = spaced.trim();
        let lone = bare.len() == 1 && bare.bytes().all(|b| b.is_ascii_alphabetic());
        let variable =
            plain || (command == "mathrm" && matches!(bare, "e" | "i" | "d" | "x" | "y"));
        match bare {
            "" => self.spaced = true,
            "\\$" | "$" => self.sign('$'),
            "infinity" => self.sign('∞'),
            "or" | "and" | "OR" | "AND" | "Or" | "And" => {
                self.sign(if bare.eq_ignore_ascii_case("or") { '∨' } else { '∧' });
            }
            _ if lone && variable => self.push(Token::Word(bare.to_owned())),
            _ if matches!(command, "operatorname" | "mathrm" | "text")
                && self.word_function(bare) => {}
            _ => {
                self.spaced |= spaced.starts_with(char::is_whitespace);
                // "\text{10 apples}" is as good as "10 apples".
                if starts_with_digit(bare.trim_start_matches(['(', '-', '$']))
                    && let Ok(inner) = lex(bare, self.commas)
                {
                    self.out.extend(inner);
                } else {
                    self.push(Token::Text(bare.to_owned()));
                }
            }
        }
    }

    fn word_function(&mut self, word: &str) -> bool {
        match Function::named(word) {
            Some(Function::Min | Function::Max) | None => false,
            Some(function) => {
                self.push(Token::Function(function));
                true
            }
        }
    }

    /// A command's argument, as it stands: what is in its braces, or the next character.
    fn argument(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let trimmed = rest.trim_start();
        let start = self.at + rest.len() - trimmed.len();
        let first = trimmed.chars().next()?;
        if first != '{' {
            if !first.is_ascii_alphanumeric() {
                return None;
            }
            self.at = start + 1;
            return trimmed.get(..1);
        }
        let mut depth = 0_u32;
        for (at, byte) in trimmed.bytes().enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at = start + at + 1;
                        return Some(&trimmed[1..at]);
                    }
                }
                _ => {}
            }
        }
        None
    }
}
