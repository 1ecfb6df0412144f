//! What methods and orders are called on the page.

use std::collections::BTreeSet;

use omni_record::{Method, Study};

/// What people call a method.
pub(super) fn label(method: &Method) -> &str {
    if method.label.is_empty() { &method.name } else { &method.label }
}

/// An order in words.
pub(super) fn arrows(order: &[String]) -> String {
    order.join(" → ")
}

/// Short names of tasks for charts, and what they stand for.
pub(super) struct Letters {
    pairs: Vec<(String, String)>,
}

impl Letters {
    /// The shortest beginnings, of one to three letters, that tell all tasks apart; else numbers.
    pub(super) fn of(study: &Study) -> Self {
        let tasks = &study.tasks;
        let cut = |length: usize| -> Vec<String> {
            let capital = |task: &String| {
                let mut letters = task.chars().filter(|c| c.is_alphanumeric());
                let first: String =
                    letters.next().into_iter().flat_map(char::to_uppercase).collect();
                first + &letters.take(length - 1).collect::<String>()
            };
            tasks.iter().map(capital).collect()
        };
        let apart = |short: &Vec<String>| {
            let all: BTreeSet<&String> = short.iter().filter(|s| !s.is_empty()).collect();
            all.len() == tasks.len()
        };
        let short = (1..=3).map(cut).find(apart);
        let short = short.unwrap_or_else(|| (1..=tasks.len()).map(|n| n.to_string()).collect());
        Self { pairs: tasks.iter().cloned().zip(short).collect() }
    }

    /// An order in letters.
    pub(super) fn order(&self, order: &[String]) -> String {
        let short = |task: &String| {
            let found = self.pairs.iter().find(|(name, _)| name == task);
            found.map_or_else(|| task.clone(), |(_, short)| short.clone())
        };
        order.iter().map(short).collect::<Vec<_>>().join("-")
    }

    /// What the letters stand for.
    pub(super) fn key(&self) -> String {
        let pairs: Vec<String> =
            self.pairs.iter().map(|(task, short)| format!("{short} = {task}")).collect();
        pairs.join(", ")
    }
}

/// Words in a list: `a`, `a and b`, `a, b and c`.
pub(super) fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A count with its noun.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(tasks: &[&str]) -> String {
        let tasks = tasks.iter().map(|t| (*t).to_owned()).collect();
        Letters::of(&Study { tasks, ..Study::default() }).key()
    }

    #[test]
    fn letters_tell_tasks_apart() {
        assert_eq!(letters(&["math", "code"]), "M = math, C = code");
        assert_eq!(letters(&["math", "mbpp"]), "Ma = math, Mb = mbpp");
        assert_eq!(letters(&["addition-1", "addition-2"]), "1 = addition-1, 2 = addition-2");
        assert_eq!(letters(&["<b>", "**"]), "1 = <b>, 2 = **");
    }
}
