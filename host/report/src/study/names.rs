//! What methods and orders are called on the page.

use omni_record::{Method, MethodKind, Study};

/// Characters of an order that sentences still spell out.
const BRIEF: usize = 44;

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
    /// The shortest beginnings, of up to three letters, that no other task has; else numbers.
    pub(super) fn of(study: &Study) -> Self {
        let tasks = &study.tasks;
        let words: Vec<Vec<char>> = tasks
            .iter()
            .map(|task| {
                task.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
            })
            .collect();
        let own = |index: usize, length: usize| {
            let start = words[index].get(..length)?;
            let others = words.iter().enumerate().filter(|(other, _)| *other != index);
            let mut others = others.map(|(_, word)| word);
            others.all(|word| !word.starts_with(start)).then(|| {
                let first: String = start[0].to_uppercase().collect();
                first + &start[1..].iter().collect::<String>()
            })
        };
        let short: Option<Vec<String>> =
            (0..tasks.len()).map(|index| (1..=3).find_map(|length| own(index, length))).collect();
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

    /// An order in words, or in letters where it is long.
    pub(super) fn brief(&self, order: &[String]) -> String {
        let words = arrows(order);
        if words.chars().count() > BRIEF { self.order(order) } else { words }
    }

    /// What a chart calls a method: its label, or its order in letters where that is long.
    pub(super) fn method(&self, method: &Method, most: usize) -> String {
        let label = label(method);
        if method.kind == MethodKind::Curriculum && label.chars().count() > most {
            let order = method.order.as_deref().unwrap_or_default();
            let named = format!("curriculum {}", self.order(order));
            return if named.chars().count() > most { "curriculum".to_owned() } else { named };
        }
        match &method.order {
            Some(order) if order.len() > 1 && label.chars().count() > most => self.order(order),
            _ => label.to_owned(),
        }
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
        assert_eq!(letters(&["math", "mbpp", "qa"]), "Ma = math, Mb = mbpp, Q = qa");
        assert_eq!(letters(&["addition-1", "addition-2"]), "1 = addition-1, 2 = addition-2");
        assert_eq!(letters(&["qa", "qa-hard"]), "1 = qa, 2 = qa-hard");
        assert_eq!(letters(&["<b>", "**"]), "1 = <b>, 2 = **");
    }
}
