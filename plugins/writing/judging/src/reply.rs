//! What a judging model's reply ends with: a marker in double brackets, after its reasons.
//!
//! Robust in form, strict in substance. White space, case, Markdown and brackets around the marker
//! do not matter. But the marker must be on the reply's last line, behind the reasons and not
//! before them; a reply that ends with none, or that holds two that differ, says nothing. What the
//! model thought (`<think>…</think>`) and what it quotes (lines behind `>`, markers in quotation
//! marks) is not its reply. Every step is linear in the reply's length and works on any text.

use omni_sdk::judge::Preference;

/// Why a reply gives nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// There is no marker on the last line; what that line is, cut short.
    None(String),
    /// There are markers that differ.
    Several,
    /// It never stopped thinking, most likely since its length was limited.
    Thinking,
    /// The model would not; how its reply begins.
    Refused(String),
    /// There is nothing in it.
    Empty,
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None(line) => write!(f, "no verdict: the reply ends with “{line}”"),
            Self::Several => f.write_str("no verdict: the reply holds several that differ"),
            Self::Thinking => f.write_str("no verdict: the reply never stops thinking"),
            Self::Refused(begin) => write!(f, "no verdict: the model refused: “{begin}”"),
            Self::Empty => f.write_str("no verdict: the reply is empty"),
        }
    }
}

impl std::error::Error for Unread {}

/// The longest text inside a marker, in bytes.
const MARKER: usize = 24;

/// The verdict of a reply to a pairwise question: `[[A]]` the first text, `[[B]]` the second,
/// `[[C]]` or `[[tie]]` neither.
///
/// # Errors
/// When the reply holds no verdict; see [`Unread`].
pub fn parse_verdict(reply: &str) -> Result<Preference, Unread> {
    read(reply, verdict)
}

/// The grade of a reply, from 1 to 10: `[[7]]`, `[[7.5]]` or `[[7/10]]`. In hundredths, so that
/// grades are compared exactly.
///
/// # Errors
/// When the reply holds no grade; see [`Unread`].
pub fn parse_grade(reply: &str) -> Result<u32, Unread> {
    read(reply, grade)
}

/// Whether a text holds anything that would be read as a verdict or a grade.
pub fn holds_marker(text: &str) -> bool {
    markers(text).any(|(_, inside)| verdict(inside).is_some() || grade(inside).is_some())
}

fn verdict(inside: &str) -> Option<Preference> {
    match inside.trim() {
        "A" | "a" => Some(Preference::First),
        "B" | "b" => Some(Preference::Second),
        "C" | "c" => Some(Preference::Tie),
        word if word.eq_ignore_ascii_case("tie") => Some(Preference::Tie),
        _ => None,
    }
}

fn grade(inside: &str) -> Option<u32> {
    let inside = inside.trim();
    let number = inside.strip_suffix("/10").unwrap_or(inside).trim_end();
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, 2) || !digits(part, 2) {
        return None;
    }
    let hundredths: u32 = format!("{part:0<2}").parse().ok()?;
    let grade = whole.parse::<u32>().ok()? * 100 + hundredths;
    (100..=1000).contains(&grade).then_some(grade)
}

/// What a reply's last line says, if nothing else in the reply says otherwise.
fn read<T: PartialEq>(reply: &str, of: fn(&str) -> Option<T>) -> Result<T, Unread> {
    let own = match reply.rfind("</think>") {
        Some(end) => &reply[end + "</think>".len()..],
        None => reply,
    };
    if own.contains("<think>") {
        return Err(Unread::Thinking);
    }
    let own = without_ends(own);
    let Some(last) = own.lines().next_back() else {
        return Err(Unread::Empty);
    };
    let mut said: Option<T> = None;
    for line in own.lines().filter(|line| !line.trim_start().starts_with('>')) {
        for value in markers(line).filter(|(at, _)| !quoted(line, *at)).filter_map(|(_, it)| of(it))
        {
            match &said {
                Some(before) if *before != value => return Err(Unread::Several),
                Some(_) => {}
                None => said = Some(value),
            }
        }
    }
    match said {
        Some(value) if concludes(last, of) => Ok(value),
        _ if refuses(own) => Err(Unread::Refused(shortened(own))),
        _ => Err(Unread::None(shortened(last))),
    }
}

/// The reply without what ends a turn or an answer, where a server or a model leaves that in.
fn without_ends(mut reply: &str) -> &str {
    const ENDS: [&str; 6] =
        ["</s>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>", "</answer>"];
    loop {
        reply = reply.trim();
        match ENDS.iter().find_map(|end| reply.strip_suffix(end)) {
            Some(shorter) => reply = shorter,
            None => return reply,
        }
    }
}

/// Whether a line starts or ends with a marker of its own, but for Markdown and punctuation.
fn concludes<T>(line: &str, of: fn(&str) -> Option<T>) -> bool {
    let around = |c: char| c.is_whitespace() || "*_`.!()#{}$\\-".contains(c);
    let start = line.len() - line.trim_start_matches(around).len();
    let end = line.trim_end_matches(around).len();
    !line.trim_start().starts_with('>')
        && markers(line).any(|(at, inside)| {
            of(inside).is_some()
                && !quoted(line, at)
                && (at == start || at + inside.len() + 4 == end)
        })
}

/// Every `[[…]]` of a text: where it starts, and what stands inside.
fn markers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + text.get(from..)?.find("[[")?;
            from = at + 1;
            let inside = &text[at + 2..];
            let end = inside
                .bytes()
                .take(MARKER + 1)
                .position(|byte| matches!(byte, b'[' | b']' | b'\n'));
            if let Some(end) = end.filter(|end| inside[*end..].starts_with("]]")) {
                from = at + end + 4;
                return Some((at, &inside[..end]));
            }
        }
    })
}

/// Whether the marker at this place of a line stands right between quotation marks.
fn quoted(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    let after = line[at..].find("]]").and_then(|end| line[at + end + 2..].chars().next());
    matches!(
        (before, after),
        (Some('"'), Some('"'))
            | (Some('\''), Some('\''))
            | (Some('“'), Some('”'))
            | (Some('‘'), Some('’'))
            | (Some('«'), Some('»'))
    )
}

/// Whether a reply without a verdict begins as models do that will not answer.
fn refuses(reply: &str) -> bool {
    let begin: String = reply.chars().take(160).collect::<String>().to_lowercase();
    let begin = begin.replace('’', "'");
    [
        "i'm sorry",
        "i am sorry",
        "sorry, ",
        "i cannot",
        "i can't",
        "i can not",
        "i won't",
        "i'm unable",
        "i am unable",
        "i'm not able",
        "as an ai",
    ]
    .iter()
    .any(|phrase| begin.contains(phrase))
}

/// A line for a message: at most eighty characters, none of them a control character.
fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = line.chars().take(80).map(plain).collect();
    if short.len() < line.len() { short + "…" } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_line_decides() {
        for (reply, expected) in [
            ("A is vivid, B is dull.\n[[A]]", Preference::First),
            ("reasons\n\nMy verdict: **[[B]]**", Preference::Second),
            ("reasons\n`[[c]]`\n\n", Preference::Tie),
            ("[[ Tie ]].", Preference::Tie),
            ("so [[A]] it is.\nVerdict: [[A]]", Preference::First),
            ("reasons\n[[B]] since it is longer", Preference::Second),
            ("<think>[[A]]? no, [[B]]!</think>\nB wins.\n[[B]]", Preference::Second),
            ("It writes \"[[A]]\" to cheat.\n> [[A]]\n[[B]]", Preference::Second),
            ("the list [[1], [2]] and [[x]]\r\n[[A]]\r\n", Preference::First),
            ("so\n$\\boxed{[[A]]}$", Preference::First),
            ("so\n[[A]]<|im_end|>\n</s>", Preference::First),
            ("<think>hm</think><answer>B is shorter.\n[[B]]</answer>", Preference::Second),
        ] {
            assert_eq!(parse_verdict(reply), Ok(expected), "{reply}");
        }
    }

    #[test]
    fn everything_else_is_no_verdict() {
        for reply in [
            "",
            " \n ",
            "A is better.",
            "[[A]]\nbecause it is longer",
            "[[A]] or [[B]]",
            "first [[A]]\nthen [[B]]",
            "[A]",
            "[[A] ]",
            "[[D]]",
            "[[\nA]]",
            "the text says \"[[A]]\"",
            "> [[A]]",
            "<think>well\n[[A]]",
            "<think>[[A]]</think>",
            "I'm sorry, but I can't compare these.",
            "which ends in [[A]], as it says itself",
        ] {
            assert!(parse_verdict(reply).is_err(), "{reply}");
        }
        let refused = parse_verdict("I'm sorry, but I can't compare these.").unwrap_err();
        assert!(refused.to_string().starts_with("no verdict: the model refused"), "{refused}");
        let none = parse_verdict("well\nA\u{1b}[31m").unwrap_err().to_string();
        assert_eq!(none, "no verdict: the reply ends with “A [31m”");
    }

    #[test]
    fn grades_are_exact() {
        for (reply, expected) in
            [("good\n[[7]]", 700), ("[[7.5]]", 750), ("Grade: [[10/10]]", 1000), ("[[1.05 ]]", 105)]
        {
            assert_eq!(parse_grade(reply), Ok(expected), "{reply}");
        }
        for reply in
            ["[[0]]", "[[11]]", "[[10.5]]", "7", "[[7]] [[8]]", "[[-7]]", "[[7.]]", "[[A]]"]
        {
            assert!(parse_grade(reply).is_err(), "{reply}");
        }
    }

    /// Were any step quadratic, this would take hours.
    #[test]
    fn a_megabyte_is_read_like_a_line() {
        for piece in [
            "[[",
            "]]",
            "[[A",
            "[[A]]",
            "[[A]]\n",
            "\"[[A]]\" ",
            "> [[B]]\n",
            "<think>",
            "</think>",
            "</s>",
            "</answer> ",
            "\n",
            "[",
            "“[[7]]”",
            "[[1234567890123456789012345",
            "é",
        ] {
            let mut reply = piece.repeat((1 << 20) / piece.len());
            let _ = (parse_verdict(&reply), parse_grade(&reply), holds_marker(&reply));
            reply.push_str("\n[[A]]");
            let verdict = parse_verdict(&reply);
            let thinks = piece == "<think>";
            assert_eq!(verdict.is_ok(), !thinks, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn no_reply_panics(reply in "(\\[|\\]|A|b|C|tie|7|\\.|>|\"|“|é|\\n|<think>|</think>| ){0,80}") {
            let _ = (parse_verdict(&reply), parse_grade(&reply), holds_marker(&reply));
        }

        #[test]
        fn a_verdict_is_the_only_one_in_its_reply(
            reply in "([a-z ]|\\n|\\[\\[[ABC]\\]\\]){0,40}"
        ) {
            let of = |marker: &str| reply.contains(marker);
            let held = [("[[A]]", Preference::First), ("[[B]]", Preference::Second), ("[[C]]", Preference::Tie)];
            if let Ok(verdict) = parse_verdict(&reply) {
                for (marker, own) in held {
                    prop_assert_eq!(of(marker), own == verdict);
                }
            }
        }
    }
}
