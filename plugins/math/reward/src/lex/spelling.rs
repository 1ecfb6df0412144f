//! Spelling: one form for what is written alike, and the words of a text.

use super::{Lexeme, Token};

/// The tokens written out again, with spaces only where two would run together.
pub fn spelled(tokens: &[Lexeme]) -> String {
    let mut out = String::with_capacity(tokens.len() * 2);
    let mut at = 0;
    while at < tokens.len() {
        // `x^{2}` is x^2, and so is an index.
        if let [a, open, inner, close, ..] = &tokens[at..]
            && matches!(a.token, Token::Sign('^' | '_'))
            && open.token == Token::Sign('{')
            && close.token == Token::Sign('}')
        {
            spell(&a.token, &mut out);
            spell(&inner.token, &mut out);
            at += 4;
            continue;
        }
        spell(&tokens[at].token, &mut out);
        at += 1;
    }
    out
}

fn spell(token: &Token, out: &mut String) {
    let apart = |out: &mut String, text: &str| {
        let joins = |c: char| c.is_alphanumeric() || c == '.';
        if out.ends_with(joins) && text.starts_with(joins) {
            out.push(' ');
        }
        out.push_str(text);
    };
    match token {
        Token::Number(literal) => apart(out, &literal.text),
        Token::Word(word) | Token::Text(word) => apart(out, word),
        Token::Name(name) => {
            out.push('\\');
            out.push_str(name);
        }
        Token::Function(function) => {
            out.push('\\');
            out.push_str(&format!("{function:?}").to_lowercase());
        }
        Token::Command(name) => {
            out.push('\\');
            out.push_str(name);
        }
        Token::Sign(sign) => out.push(*sign),
    }
}

/// The words of a text, in lower case, without punctuation, articles or markup; a letter alone
/// keeps its case.
pub fn words(tokens: &[Lexeme]) -> String {
    let mut raw = String::new();
    let braced = tokens
        .iter()
        .any(|lexeme| matches!(lexeme.token, Token::Command(_) | Token::Sign('^' | '_')));
    for lexeme in tokens {
        match &lexeme.token {
            Token::Sign('{' | '}') if !braced => {}
            Token::Sign('∨') => raw.push_str(" or "),
            Token::Sign('∧') => raw.push_str(" and "),
            Token::Sign('.' | '\'' | '"' | '!' | '?') => {}
            Token::Sign('*') if tokens.len() > 2 => {}
            Token::Sign(c) => {
                if lexeme.spaced {
                    raw.push(' ');
                }
                raw.push(*c);
            }
            other => {
                if lexeme.spaced {
                    raw.push(' ');
                }
                spell(other, &mut raw);
            }
        }
    }
    let words: Vec<String> = raw
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
        .map(|word| word.trim_matches(['.', '\'', '"', '!', '?', ':']))
        .map(
            |word| {
                if word.chars().nth(1).is_some() { word.to_lowercase() } else { word.to_owned() }
            },
        )
        .filter(|word| !word.is_empty())
        .collect();
    let article = matches!(words.first().map(String::as_str), Some("the" | "a" | "A" | "an"));
    // "A circle", and not "A, C".
    let skip = usize::from(article && words.get(1).is_some_and(|word| word.len() > 1));
    words[skip..].join(" ")
}
