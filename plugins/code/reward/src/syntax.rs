//! As much of Python's syntax as it takes to read assertions: tokens and
//! logical lines. No parser; what it cannot follow is left to Python.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or keyword.
    Name,
    /// A number.
    Number,
    /// A string with its prefix and quotes.
    Text,
    /// Anything else.
    Operator,
}

/// One token of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Where it starts in the source.
    pub(crate) at: usize,
    /// How many brackets are open around it.
    pub(crate) depth: usize,
}

impl Token<'_> {
    pub(crate) fn end(&self) -> usize {
        self.at + self.text.len()
    }
}

/// One logical line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) indent: usize,
    pub(crate) tokens: Vec<Token<'a>>,
}

impl<'a> Line<'a> {
    /// The line's text between two tokens, the second not included.
    pub(crate) fn text(&self, source: &'a str, from: usize, to: usize) -> &'a str {
        match (self.tokens.get(from), to.checked_sub(1).and_then(|last| self.tokens.get(last))) {
            (Some(first), Some(last)) if from < to => &source[first.at..last.end()],
            _ => "",
        }
    }

    pub(crate) fn starts_with(&self, words: &[&str]) -> bool {
        self.tokens.len() >= words.len()
            && self.tokens.iter().zip(words).all(|(token, word)| token.text == *word)
    }
}

/// The logical lines of a source, or none where its strings or brackets do not close.
pub(crate) fn lines(source: &str) -> Option<Vec<Line<'_>>> {
    let mut lines = Vec::new();
    let mut current: Option<Line<'_>> = None;
    let mut depth = 0_usize;
    let mut indent = 0;
    let mut fresh = true;
    let bytes = source.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &source[at..];
        let byte = bytes[at];
        match byte {
            b'\n' => {
                if depth == 0 {
                    lines.extend(current.take());
                    (indent, fresh) = (0, true);
                }
                at += 1;
            }
            b' ' | b'\t' | b'\r' | 0x0c => {
                if fresh && depth == 0 {
                    indent += if byte == b'\t' { 8 } else { 1 };
                }
                at += 1;
            }
            b'#' => at += rest.find('\n').unwrap_or(rest.len()),
            b'\\' if rest.starts_with("\\\n") => at += 2,
            b'\\' if rest.starts_with("\\\r\n") => at += 3,
            // Two statements on a line are more than these readers follow.
            b';' if depth == 0 => return None,
            _ => {
                fresh = false;
                let (kind, length) = token(rest)?;
                let text = &rest[..length];
                if matches!(text, ")" | "]" | "}") {
                    depth = depth.checked_sub(1)?;
                }
                let line = current.get_or_insert_with(|| Line { indent, tokens: Vec::new() });
                line.tokens.push(Token { kind, text, at, depth });
                if matches!(text, "(" | "[" | "{") {
                    depth += 1;
                }
                at += length;
            }
        }
    }
    lines.extend(current);
    (depth == 0).then_some(lines)
}

/// The kind and length of the token that starts here.
pub(crate) fn token(rest: &str) -> Option<(Kind, usize)> {
    let first = rest.chars().next()?;
    if first == '"' || first == '\'' {
        return Some((Kind::Text, string(rest)?));
    }
    if first.is_alphabetic() || first == '_' {
        let name = run(rest, |c| c.is_alphanumeric() || c == '_');
        let prefix = rest[..name].to_ascii_lowercase();
        let quoted = rest[name..].starts_with(['"', '\'']);
        if quoted && ["r", "b", "u", "f", "t", "br", "rb", "fr", "rf"].contains(&prefix.as_str()) {
            return Some((Kind::Text, name + string(&rest[name..])?));
        }
        return Some((Kind::Name, name));
    }
    let fraction = first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit());
    if first.is_ascii_digit() || fraction {
        let mut length = run(rest, |c| c.is_alphanumeric() || c == '.' || c == '_');
        // A signed exponent, unless the digits are hexadecimal.
        let exponent = rest[..length].ends_with(['e', 'E']) && !rest.starts_with("0x");
        if exponent && rest[length..].starts_with(['+', '-']) {
            length += 1 + run(&rest[length + 1..], |c| c.is_ascii_digit());
        }
        return Some((Kind::Number, length));
    }
    const LONG: [&str; 22] = [
        "**=", "//=", ">>=", "<<=", "...", "==", "!=", "<=", ">=", ":=", "->", "**", "//", "<<",
        ">>", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
    ];
    let long = LONG.iter().find(|long| rest.starts_with(**long));
    Some((Kind::Operator, long.map_or(first.len_utf8(), |long| long.len())))
}

fn run(text: &str, keep: impl Fn(char) -> bool) -> usize {
    text.find(|c| !keep(c)).unwrap_or(text.len())
}

/// The length of the string that starts here, quotes included.
fn string(text: &str) -> Option<usize> {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let (close, multiline) =
        if text.starts_with(&triple) { (triple.as_str(), true) } else { (quote, false) };
    let mut at = close.len();
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with(close) {
            return Some(at + close.len());
        }
        let next = rest.chars().next()?;
        match next {
            '\\' => at += 1 + rest[1..].chars().next()?.len_utf8(),
            '\n' if !multiline => return None,
            _ => at += next.len_utf8(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<Vec<&str>> {
        let lines = lines(source).unwrap();
        lines.iter().map(|line| line.tokens.iter().map(|token| token.text).collect()).collect()
    }

    #[test]
    fn lines_are_logical() {
        let source =
            "a == 'b # c'  # d\n\nif x:\n    f(1,\n  2)\n    y = \"\"\"z\n\"\"\" \\\n + 1.5e-3\n";
        assert_eq!(
            words(source),
            [
                vec!["a", "==", "'b # c'"],
                vec!["if", "x", ":"],
                vec!["f", "(", "1", ",", "2", ")"],
                vec!["y", "=", "\"\"\"z\n\"\"\"", "+", "1.5e-3"],
            ]
        );
        let indents: Vec<_> = lines(source).unwrap().iter().map(|line| line.indent).collect();
        assert_eq!(indents, [0, 0, 4, 4]);
    }

    #[test]
    fn what_does_not_close_is_not_followed() {
        for broken in ["f(", "'a", "f)", "'''a''", "a; b", "'\\"] {
            assert_eq!(lines(broken), None, "{broken}");
        }
    }
}
