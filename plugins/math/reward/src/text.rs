//! Spelling: what surrounds an answer, and the normal form in which texts are compared.

/// Wrappers in wrappers, and texts in a text, are taken off so often.
const MAX_WRAPPERS: usize = 64;

/// Takes away what surrounds an answer without being part of it: white space, math delimiters,
/// `\boxed{…}`, `\text{…}` around the whole, spacing and sizing commands, a final full stop.
pub fn strip_wrappers(text: &str) -> String {
    let mut text = plain_spelling(text);
    for _ in 0..MAX_WRAPPERS {
        let trimmed = text.trim();
        let trimmed = trimmed.strip_suffix('.').unwrap_or(trimmed).trim_end();
        let inner = wrapped_in_command(
            trimmed,
            &[
                "\\boxed", "\\fbox", "\\text", "\\mbox", "\\textbf", "\\mathbf", "\\mathrm",
                "\\textrm",
            ],
        )
        .or_else(|| trimmed.strip_prefix("\\(").and_then(|rest| rest.strip_suffix("\\)")))
        .or_else(|| trimmed.strip_prefix("\\[").and_then(|rest| rest.strip_suffix("\\]")))
        .or_else(|| trimmed.strip_prefix("**").and_then(|rest| rest.strip_suffix("**")))
        .unwrap_or(trimmed);
        if inner.len() == text.len() {
            break;
        }
        text = inner.to_owned();
    }
    text
}

/// The content of `\command{…}` when that is all of `text`.
fn wrapped_in_command<'a>(text: &'a str, commands: &[&str]) -> Option<&'a str> {
    commands.iter().find_map(|command| {
        let rest = text.strip_prefix(command)?.trim_start();
        (rest.starts_with('{') && matching_close(rest)? + 1 == rest.len())
            .then(|| &rest[1..rest.len() - 1])
    })
}

/// The byte position of what closes the bracket that `text` starts with. Round and square brackets
/// close each other, for half-open intervals; `\{` closes with `\}`.
pub fn matching_close(text: &str) -> Option<usize> {
    let mut depth = 0i32;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    let escaped = c == '}' && text[..at].ends_with('\\');
                    return Some(if escaped { at - 1 } else { at });
                }
                if depth < 0 {
                    return None;
                }
            }
            _ => {}
        }
    }
    None
}

/// Positions of the commas outside brackets; with `thousands`, less those of well-formed groups of digits.
pub fn top_level_commas(text: &str, thousands: bool) -> Vec<usize> {
    let mut depth = 0i32;
    let mut commas = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 && !(thousands && groups_digits(text, at)) => commas.push(at),
            _ => {}
        }
    }
    commas
}

/// Whether the comma at `at` belongs to a run like `1,450,000`.
fn groups_digits(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let in_run = |b: u8| b.is_ascii_digit() || b == b',';
    let start = (0..at).rev().take_while(|i| in_run(bytes[*i])).last().unwrap_or(at);
    let length = bytes[start..].iter().take_while(|b| in_run(**b)).count();
    let run = text[start..start + length].trim_end_matches(',');
    // A decimal before the run ("0.5,100") means that it does not start there.
    if start > 0 && bytes[start - 1] == b'.' || at >= start + run.len() {
        return false;
    }
    let mut groups = run.split(',');
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && groups.all(|group| group.len() == 3)
}

/// One spelling for what is written in several: minus signs, spaces, sizing commands, dollars.
fn plain_spelling(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((command, by)) = REPLACED.iter().find(|(command, _)| {
            rest.strip_prefix(command).is_some_and(|after| {
                let letters = command.ends_with(|c: char| c.is_ascii_alphabetic());
                !(letters && after.starts_with(|c: char| c.is_ascii_alphabetic()))
            })
        }) {
            out.push_str(by);
            rest = &rest[command.len()..];
            if *command == "\\!" {
                rest = rest.trim_start();
            }
            continue;
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

const REPLACED: [(&str, &str); 28] = [
    ("\\left", ""),
    ("\\right", ""),
    ("\\bigl", ""),
    ("\\bigr", ""),
    ("\\displaystyle", ""),
    ("\\!", ""),
    ("\\,", " "),
    ("\\;", " "),
    ("\\:", " "),
    ("\\ ", " "),
    ("\\quad", " "),
    ("~", " "),
    ("{,}", ","),
    ("\\$", ""),
    ("$", ""),
    ("\u{2212}", "-"),
    ("\u{2013}", "-"),
    ("×", "*"),
    ("·", "*"),
    ("÷", "/"),
    ("⁄", "/"),
    ("½", " 1/2"),
    ("¼", " 1/4"),
    ("¾", " 3/4"),
    ("\u{a0}", " "),
    ("\u{202f}", " "),
    ("\\dfrac", "\\frac"),
    ("\\tfrac", "\\frac"),
];

/// The form in which two texts are compared: words in lower case with single spaces, anything
/// with other signs in it as it is, with spaces only where two words or numbers would run together.
pub fn normalise(text: &str) -> String {
    let mut text = text.trim().to_owned();
    let mut unwrapped = 0;
    for command in ["\\text", "\\mbox", "\\mathrm", "\\textbf", "\\mathbf", "\\textrm"] {
        let opening = format!("{command}{{");
        while let Some(start) = text.find(&opening).filter(|_| unwrapped < MAX_WRAPPERS) {
            let Some(close) = matching_close(&text[start + command.len()..]) else { break };
            unwrapped += 1;
            let (inner, end) = (start + opening.len(), start + command.len() + close);
            text = format!("{}{}{}", &text[..start], &text[inner..end], &text[end + 1..]);
        }
    }
    let wordy = text.chars().all(|c| c.is_alphabetic() || c.is_whitespace() || c == '\'');
    if wordy {
        let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
        return words.join(" ");
    }
    let mut chars: Vec<char> = Vec::with_capacity(text.len());
    let mut spaced = false;
    for c in text.chars() {
        if c.is_whitespace() {
            spaced = true;
            continue;
        }
        if spaced && c.is_alphanumeric() && chars.last().is_some_and(|last| last.is_alphanumeric())
        {
            chars.push(' ');
        }
        spaced = false;
        chars.push(c);
    }
    // "(C)" is the choice C.
    if let ['(', letter, ')'] = chars[..]
        && letter.is_alphabetic()
    {
        return letter.to_lowercase().to_string();
    }
    // x^{2} is x^2, and so is an index.
    let mut out = String::with_capacity(chars.len());
    let mut at = 0;
    while at < chars.len() {
        if let ['^' | '_', '{', inner, '}'] = chars[at..chars.len().min(at + 4)] {
            out.push(chars[at]);
            out.push(inner);
            at += 4;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}
