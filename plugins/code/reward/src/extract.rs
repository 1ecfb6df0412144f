//! The program in a completion: what stands in the last `<answer>…</answer>` outside of thinking;
//! of that, a fenced block where there is one.
//!
//! Of several blocks it is the last that defines the function under test, else the last that
//! mentions it, else the last. Blocks of other languages do not count, and blocks that name no
//! language only where none names Python.

use omni_sdk::text;
use serde::Deserialize;

/// Where the program stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extract {
    /// In the last `<answer>` outside of thinking.
    #[default]
    Tags,
    /// There, else in a fenced block, else the whole text, all outside of thinking.
    Auto,
}

impl Extract {
    /// The program, or none where there is no answer or it is empty.
    pub fn program(self, completion: &str, entry_point: Option<&str>) -> Option<String> {
        let answer = text::answer_as_written(completion).map(str::to_owned);
        let answer = match (self, answer) {
            (_, Some(answer)) => answer,
            (Self::Tags, None) => return None,
            (Self::Auto, None) => text::without_thinking(completion),
        };
        let program = match fenced(&answer, entry_point) {
            Some(block) => block.to_owned(),
            None => answer,
        };
        // The first line's indentation counts, blank lines before it do not.
        let start = program
            .split_inclusive('\n')
            .take_while(|line| line.trim().is_empty())
            .map(str::len)
            .sum::<usize>();
        let program = program[start..].trim_end();
        (!program.is_empty()).then(|| format!("{program}\n"))
    }
}

/// The fenced block that holds the program.
fn fenced<'a>(text: &'a str, entry_point: Option<&str>) -> Option<&'a str> {
    let fences = text::fences(text);
    let of = |languages: &[&str]| -> Vec<&'a str> {
        let fits = |fence: &&text::Fence<'a>| {
            let language = fence.language.split([' ', '{', ',']).next().unwrap_or("");
            languages.contains(&language.to_ascii_lowercase().as_str())
        };
        fences.iter().filter(fits).map(|fence| fence.code).collect()
    };
    let mut blocks = of(&["python", "py", "python3"]);
    if blocks.is_empty() {
        blocks = of(&[""]);
    }
    let last = |fits: &dyn Fn(&str) -> bool| blocks.iter().rev().find(|code| fits(code)).copied();
    // `Solution().method` is defined by its class.
    let name = entry_point.map(|it| it.split(['.', '(']).next().unwrap_or(it).trim());
    let defined = name.filter(|it| !it.is_empty()).and_then(|name| {
        last(&|code| ["def ", "class "].iter().any(|word| code.contains(&format!("{word}{name}"))))
            .or_else(|| last(&|code| code.contains(name)))
    });
    defined.or(blocks.last().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_answers_fences_and_bare() {
        let tags = |text| Extract::Tags.program(text, None);
        assert_eq!(tags("<answer>\n    return 1\n</answer>").as_deref(), Some("    return 1\n"));
        assert_eq!(tags("<answer>    return 1</answer>").as_deref(), Some("    return 1\n"));
        assert_eq!(tags("<answer>```python\nx = 1\n```</answer>").as_deref(), Some("x = 1\n"));
        assert_eq!(tags("x = 1"), None);
        assert_eq!(tags("<answer> \n </answer>"), None);
        assert_eq!(tags(""), None);
        let auto = |text| Extract::Auto.program(text, Some("f"));
        assert_eq!(auto("x = 1").as_deref(), Some("x = 1\n"));
        assert_eq!(auto("<think>y</think>x = 1").as_deref(), Some("x = 1\n"));
        let two = "So:\n```python\ndef f(): pass\n```\nand\n```python\nprint(1)\n```\n";
        assert_eq!(auto(two).as_deref(), Some("def f(): pass\n"));
        let used = "```python\ndef f(): pass\n```\nUsage:\n```python\nf()\n```\n```\n1\n```\n";
        assert_eq!(auto(used).as_deref(), Some("def f(): pass\n"));
        let printed = "```py\nprint(1)\n```\nprints\n```\n1\n```";
        assert_eq!(Extract::Auto.program(printed, None).as_deref(), Some("print(1)\n"));
        assert_eq!(Extract::Auto.program("```\nx\n```", None).as_deref(), Some("x\n"));
        assert_eq!(auto("```js\n1\n```\n```py\n2\n```").as_deref(), Some("2\n"));
        assert_eq!(auto("<answer>a = 1</answer>").as_deref(), Some("a = 1\n"));
    }
}
