//! What nearly every reward reads out of a text: the answer, the format, code.
//!
//! The markers are `<think>`, `</think>`, `<answer>`, `</answer>`. What stands
//! between `<think>` and `</think>` (or the end, where it never closes) is
//! thinking, and so is everything before a `</think>` that nothing opened, as
//! models write whose prompt ends in `<think>`. No answer is read from thinking.

/// The four markers, in the order that the format wants.
pub const MARKERS: [&str; 4] = ["<think>", "</think>", "<answer>", "</answer>"];

/// What stands in the last `<answer>…</answer>` outside of thinking, trimmed.
///
/// Inside an answer only `<answer>` (which starts it again) and `</answer>`
/// mean anything, so that code may hold the words of the other markers.
pub fn answer(text: &str) -> Option<&str> {
    answer_as_written(text).map(str::trim)
}

/// [`answer`] with its white space, for answers where indentation counts.
pub fn answer_as_written(text: &str) -> Option<&str> {
    let mut last = None;
    for piece in speech(text) {
        let mut rest = piece;
        while let Some(open) = rest.find("<answer>") {
            let body = &rest[open + "<answer>".len()..];
            let Some(close) = body.find("</answer>") else {
                break;
            };
            let inner = &body[..close];
            let start = inner.rfind("<answer>").map_or(0, |again| again + "<answer>".len());
            last = Some(&inner[start..]);
            rest = &body[close + "</answer>".len()..];
        }
    }
    last
}

/// The text without its thinking.
pub fn without_thinking(text: &str) -> String {
    speech(text).concat()
}

/// The pieces of a text outside of thinking. `<think>` inside a closed answer
/// does not count.
fn speech(text: &str) -> Vec<&str> {
    let mut rest = text;
    if let Some(close) = rest.find("</think>") {
        let before = &rest[..close];
        // An opened answer that only closes behind it merely quotes the marker.
        let quoted = before.rfind("<answer>").is_some_and(|open| {
            !before[open..].contains("</answer>") && rest[close..].contains("</answer>")
        });
        if !before.contains("<think>") && !quoted {
            rest = &rest[close + "</think>".len()..];
        }
    }
    let mut pieces = Vec::new();
    let [mut thinks, mut thought, mut answers, mut answered] =
        MARKERS.map(|it| Ahead::new(rest, it));
    let (mut start, mut from) = (0, 0);
    loop {
        let Some(think) = thinks.from(from) else {
            pieces.push(&rest[start..]);
            return pieces;
        };
        // An answer that never closes is none.
        let closed = answers
            .from(from)
            .filter(|answer| *answer < think)
            .and_then(|answer| answered.from(answer));
        if let Some(close) = closed {
            from = close + "</answer>".len();
            continue;
        }
        pieces.push(&rest[start..think]);
        let Some(close) = thought.from(think) else {
            return pieces;
        };
        start = close + "</think>".len();
        from = start;
    }
}

/// Where a marker stands next; places asked for only ever advance, so that a text full of markers
/// is still read once.
struct Ahead<'a> {
    text: &'a str,
    marker: &'static str,
    next: Option<usize>,
}

impl<'a> Ahead<'a> {
    fn new(text: &'a str, marker: &'static str) -> Self {
        Self { text, marker, next: text.find(marker) }
    }

    /// The first at or behind `from`.
    fn from(&mut self, from: usize) -> Option<usize> {
        if self.next.is_some_and(|next| next < from) {
            self.next = self.text[from..].find(self.marker).map(|at| from + at);
        }
        self.next
    }
}

/// True if each of the four markers stands exactly once, in order, with only
/// white space before, between `</think>` and `<answer>`, and behind.
pub fn has_format(text: &str) -> bool {
    if tag_count(text) != 4 {
        return false;
    }
    let inner = || {
        let rest = text.trim().strip_prefix("<think>")?;
        let (_, rest) = rest.split_once("</think>")?;
        let rest = rest.trim_start().strip_prefix("<answer>")?;
        rest.strip_suffix("</answer>")
    };
    inner().is_some()
}

/// How many of the four markers stand exactly once.
pub fn tag_count(text: &str) -> u32 {
    MARKERS.iter().map(|marker| u32::from(text.matches(marker).count() == 1)).sum()
}

const BOXES: [&str; 2] = [r"\boxed{", r"\fbox{"];

/// What stands in the last `\boxed{…}` (or `\fbox{…}`) outside of thinking,
/// with its braces balanced.
pub fn boxed(text: &str) -> Option<String> {
    let text = without_thinking(text);
    // The places behind each open brace, with whether a marker opened it.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut last: Option<(usize, usize)> = None;
    let mut at = 0;
    let bytes = text.as_bytes();
    let marker_at = |at: usize| BOXES.into_iter().find(|it| bytes[at..].starts_with(it.as_bytes()));
    while at < bytes.len() {
        if let Some(marker) = marker_at(at) {
            at += marker.len();
            open.push((at, true));
            continue;
        }
        match bytes[at] {
            // What it escapes is no brace; a line break before a box is no escape.
            b'\\' if at + 1 < bytes.len() && marker_at(at + 1).is_none() => at += 1,
            b'{' => open.push((at + 1, false)),
            b'}' => {
                if let Some((start, true)) = open.pop()
                    && last.is_none_or(|(latest, _)| latest < start)
                {
                    last = Some((start, at));
                }
            }
            _ => {}
        }
        at += 1;
    }
    last.map(|(start, end)| text[start..end].trim().to_owned())
}

/// A fenced block of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence<'a> {
    /// What stands behind the opening fence, such as `python`.
    pub language: &'a str,
    /// The lines between the fences.
    pub code: &'a str,
}

/// The fenced blocks of a text, in order; one that never closes ends with the text.
pub fn fences(text: &str) -> Vec<Fence<'_>> {
    let mut found = Vec::new();
    let mut open: Option<(&str, usize, &str)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let ticks = bare.len() - bare.trim_start_matches('`').len();
        match open {
            None if ticks >= 3 && !bare[ticks..].contains('`') => {
                open = Some((&bare[..ticks], at + line.len(), bare[ticks..].trim()));
            }
            Some((fence, start, language)) if ticks >= fence.len() && bare.len() == ticks => {
                found.push(Fence { language, code: &text[start..at] });
                open = None;
            }
            _ => {}
        }
        at += line.len();
    }
    if let Some((_, start, language)) = open {
        found.push(Fence { language, code: &text[start..] });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_counts_and_thinking_does_not() {
        assert_eq!(answer("<think>a</think><answer> 4 </answer>"), Some("4"));
        assert_eq!(answer("<answer>1</answer><answer>2</answer>"), Some("2"));
        assert_eq!(answer("<think><answer>1</answer></think>"), None);
        assert_eq!(answer("<answer>1</answer><think><answer>2</answer></think>"), Some("1"));
        assert_eq!(answer("<think><answer>1</answer>"), None);
        assert_eq!(answer("hm <answer>1</answer></think><answer>2</answer>"), Some("2"));
        assert_eq!(answer("hm <answer>1</answer></think> so"), None);
        assert_eq!(answer("<answer>1<answer>2</answer>"), Some("2"));
        assert_eq!(answer("<answer>1</answer><answer>2"), Some("1"));
        assert_eq!(answer("<answer>2"), None);
        assert_eq!(answer("<answer><think>1</answer></think>"), Some("<think>1"));
        assert_eq!(answer("<answer>print('</think>')</answer>"), Some("print('</think>')"));
        assert_eq!(answer("<answer> <think>x</think><answer>2</answer>"), Some("2"));
        assert_eq!(answer(""), None);
    }

    #[test]
    fn format_wants_each_marker_once_in_order() {
        assert!(has_format("<think>a</think>\n<answer>b</answer>\n"));
        assert!(has_format("<think></think><answer></answer>"));
        for bad in [
            "",
            "x<think>a</think><answer>b</answer>",
            "<think>a</think>x<answer>b</answer>",
            "<think>a</think><answer>b</answer>x",
            "<think>a<answer>b</answer></think>",
            "<answer>b</answer><think>a</think>",
            "<think>a</think><answer>b</answer><answer>",
            "<think>a</think></answer><answer>",
        ] {
            assert!(!has_format(bad), "{bad}");
        }
        assert_eq!(tag_count("<think></think><answer></answer>"), 4);
        assert_eq!(tag_count("<think><think></think><answer>"), 2);
        assert_eq!(tag_count(""), 0);
    }

    #[test]
    fn a_text_full_of_markers_is_read_once() {
        // A megabyte of markers that open and never close: a second look at each would take hours.
        let many = |marker: &str| marker.repeat((1 << 20) / marker.len());
        for marker in
            MARKERS.into_iter().chain(BOXES).chain(["<answer></answer>", "<answer><think>"])
        {
            let text = many(marker);
            assert!(answer(&text).is_none_or(str::is_empty), "{marker}");
            assert_eq!(boxed(&text), None, "{marker}");
            let _ = without_thinking(&format!("{text}<think>{text}</think>{text}"));
        }
    }

    #[test]
    fn boxed_is_balanced_and_the_last() {
        assert_eq!(boxed(r"\boxed{1} and \boxed{\frac{1}{2}}").as_deref(), Some(r"\frac{1}{2}"));
        assert_eq!(boxed(r"\boxed{1} then \boxed{2").as_deref(), Some("1"));
        assert_eq!(boxed(r"\boxed{\{1\}}").as_deref(), Some(r"\{1\}"));
        assert_eq!(boxed(r"<think>\boxed{1}</think>"), None);
        assert_eq!(boxed(r"a \\boxed{1 \} é}").as_deref(), Some(r"1 \} é"));
        assert_eq!(boxed(r"\boxed{1 \boxed{2}} {").as_deref(), Some("2"));
        assert_eq!(boxed(r"} \boxed{{1}}").as_deref(), Some("{1}"));
    }

    #[test]
    fn fences_are_found_closed_or_not() {
        let text = "so\n```python\na = 1\n```\nor\n````\n```\n````\n```\nb";
        let found: Vec<_> = fences(text).iter().map(|f| (f.language, f.code)).collect();
        assert_eq!(found, [("python", "a = 1\n"), ("", "```\n"), ("", "b")]);
    }
}
