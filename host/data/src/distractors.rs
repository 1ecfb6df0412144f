//! Wrong answers for a question: chosen from the answers of other questions, or asked of a model.
//!
//! Nothing is asked here: [`Wanted`] says the next question and takes the answer, so that whoever
//! has a model does the asking. Every text is checked against the right answers and the others by
//! what no scoring would tell apart: letters and digits, without case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use omni_pack::{Row, RowMessage, Template};
use serde_json::{Value, json};

use crate::chance;
use crate::error::DataError;
use crate::expression::text;
use crate::filter::part;

const ASK: &str = include_str!("../prompts/distractors.txt");
const CHECK: &str = include_str!("../prompts/unique.txt");

/// How often a model is asked for what is still missing.
const ROUNDS: u32 = 4;

/// A model's wrong answer may be so many times as long as the right one, and some characters more.
const LONGEST: (usize, usize) = (4, 200);

/// A refused text that is shown to the model is cut to so many characters.
const SHOWN: usize = 100;

/// The answers of a dataset's questions, by category.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    by: String,
    without: usize,
    classes: BTreeMap<String, BTreeMap<String, String>>,
}

impl Pool {
    /// The references of some rows; `by` is the part of a row that is its category, and empty
    /// where all rows are one.
    ///
    /// # Errors
    /// When no row has that part.
    pub fn new(rows: &[Row], by: &str) -> Result<Self, DataError> {
        let without = rows.iter().filter(|row| !by.is_empty() && part(row, by).is_none()).count();
        if without == rows.len() && !rows.is_empty() {
            let keys: BTreeSet<&String> = rows.iter().flat_map(|row| row.data.keys()).collect();
            let keys: Vec<String> = keys.into_iter().map(|key| format!("data.{key}")).collect();
            let help = match keys.as_slice() {
                [] => "rows have no `data`".to_owned(),
                keys => format!("rows have {}", keys.join(", ")),
            };
            let message = format!("no row has `{by}`; {help}; \"\" takes all rows as one category");
            return Err(DataError::setting("category", message));
        }
        let mut pool = Self { by: by.to_owned(), without, classes: BTreeMap::new() };
        for row in rows {
            if let Some(reference) = &row.reference {
                let class = pool.classes.entry(class(row, by)).or_default();
                class.entry(bare(reference)).or_insert_with(|| reference.trim().to_owned());
            }
        }
        Ok(pool)
    }

    /// Rows that have no category; together they are one.
    #[must_use]
    pub fn without(&self) -> usize {
        self.without
    }

    /// Rows of so many categories are in it.
    #[must_use]
    pub fn categories(&self) -> usize {
        self.classes.len()
    }

    /// Answers of other rows of the same category, none of them right: those of the same form
    /// (number or text) first, otherwise in an order drawn from the seed and the row's id.
    #[must_use]
    pub fn choose(&self, row: &Row, kept: &[String], count: usize, seed: u64) -> Vec<String> {
        let mut taken = right(row);
        let mut chosen: Vec<String> = Vec::new();
        for text in kept {
            if !text.trim().is_empty() && taken.insert(bare(text)) {
                chosen.push(text.trim().to_owned());
            }
        }
        let number = row.reference.as_deref().is_some_and(is_number);
        let Some(class) = self.classes.get(&class(row, &self.by)) else { return chosen };
        let seed = chance::draw(seed, &row.id);
        let mut ranked: Vec<(bool, u64, &String, &String)> = class
            .iter()
            .filter(|(bare, _)| !bare.is_empty() && !taken.contains(*bare))
            .map(|(bare, text)| (is_number(text) != number, chance::draw(seed, bare), bare, text))
            .collect();
        ranked.sort_unstable();
        let missing = count.saturating_sub(chosen.len());
        chosen.extend(ranked.into_iter().take(missing).map(|(.., text)| text.clone()));
        chosen.truncate(count);
        chosen
    }
}

/// What the user asks; what a system message says of the answer's form is no part of it.
fn question(row: &Row) -> String {
    let asked = row.messages.iter().filter(|message| message.role == "user");
    asked.map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
}

fn class(row: &Row, by: &str) -> String {
    let value = part(row, by);
    value.map(|value| text(&value).unwrap_or_else(|_| value.to_string())).unwrap_or_default()
}

/// What is right, as [`bare`] has it.
fn right(row: &Row) -> BTreeSet<String> {
    let accepted = row.data.get("accepted").and_then(Value::as_array).into_iter().flatten();
    let accepted = accepted.filter_map(Value::as_str);
    row.reference.as_deref().into_iter().chain(accepted).map(bare).collect()
}

/// A text without all that an answer may vary in: case, white space, punctuation around it and the
/// marks of a formula. A sign, a decimal point, a percent sign and whatever stands within stay. Of a
/// number or a fraction it is the value.
fn bare(text: &str) -> String {
    let around = |c: char| c.is_whitespace() || "\"'`$.,;:!?()[]{}“”‘’".contains(c);
    let lower = text.to_lowercase();
    let trimmed = lower.trim_matches(around);
    let spaced = trimmed.split_whitespace().collect::<Vec<_>>().join(" ");
    // `.5` is no 5, and what is nothing but marks is itself.
    let point = lower.trim_start_matches(|c| around(c) && c != '.').starts_with('.');
    let bare = match (spaced.is_empty(), point && spaced.starts_with(|c: char| c.is_ascii_digit()))
    {
        (true, _) => lower.trim().to_owned(),
        (false, true) => format!(".{spaced}"),
        (false, false) => spaced,
    };
    number(&bare).map_or(bare, |value| value.to_string())
}

/// The value of a decimal number or a fraction of two; none where not every digit would count.
fn number(text: &str) -> Option<f64> {
    let decimal = |text: &str| -> Option<f64> {
        let plain = |c: char| c.is_ascii_digit() || "+-.".contains(c);
        (text.len() <= 15 && text.chars().all(plain)).then(|| text.parse().ok())?
    };
    let value = match text.split_once('/') {
        Some((above, below)) => decimal(above.trim())? / decimal(below.trim())?,
        None => decimal(text)?,
    };
    // Adding zero makes one of the two zeros.
    value.is_finite().then_some(value + 0.0)
}

fn is_number(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit()) && !text.chars().any(|c| c.is_alphabetic() && c != 'e')
}

/// Wrong answers that a model is asked for, for one row.
#[derive(Debug, Clone)]
pub struct Wanted {
    question: String,
    answer: String,
    accepted: Vec<String>,
    taken: BTreeSet<String>,
    have: Vec<String>,
    /// Told by the model, not yet checked by it.
    proposed: Vec<String>,
    count: usize,
    rounds: u32,
    /// What the model wrote and is told not to write again.
    turned_down: Vec<String>,
    /// Texts that were no use, by reason.
    refused: BTreeMap<&'static str, usize>,
}

impl Wanted {
    /// For a row that has a reference; `kept` are wrong answers to begin with.
    #[must_use]
    pub fn new(row: &Row, kept: &[String], count: usize) -> Option<Self> {
        let answer = row.reference.clone()?;
        let accepted = row.data.get("accepted").and_then(Value::as_array).into_iter().flatten();
        let mut wanted = Self {
            question: question(row),
            answer,
            accepted: accepted.filter_map(Value::as_str).map(str::to_owned).collect(),
            taken: right(row),
            have: Vec::new(),
            proposed: Vec::new(),
            count,
            rounds: 0,
            turned_down: Vec::new(),
            refused: BTreeMap::new(),
        };
        for text in kept.iter().take(count) {
            if wanted.is_new(text) {
                wanted.have.push(text.trim().to_owned());
            }
        }
        Some(wanted)
    }

    /// The next question to ask; none when there are enough, or the model was asked often enough.
    /// No two are the same, since the same question would get the same answer where answers are
    /// kept.
    ///
    /// # Errors
    /// When the prompt cannot be made, which is a fault of this program.
    pub fn question(&self) -> Result<Option<Vec<RowMessage>>, String> {
        if !self.proposed.is_empty() {
            let row = json!({
                "question": self.question,
                "answer": self.answer,
                "proposed": self.proposed,
                "round": self.rounds,
            });
            return render(CHECK, &row).map(Some);
        }
        let missing = self.count.saturating_sub(self.have.len());
        if missing == 0 || self.rounds >= ROUNDS {
            return Ok(None);
        }
        let row = json!({
            "question": self.question,
            "answer": self.answer,
            "accepted": self.accepted,
            "taken": self.have,
            "refused": self.turned_down,
            "round": self.rounds + 1,
            "count": missing,
        });
        render(ASK, &row).map(Some)
    }

    /// Takes the model's answer to [`Wanted::question`].
    pub fn answer(&mut self, reply: &str) {
        if self.proposed.is_empty() {
            self.rounds += 1;
            let longest = LONGEST.0 * self.answer.chars().count() + LONGEST.1;
            for text in texts(reply) {
                if text.chars().count() > longest {
                    *self.refused.entry("too long").or_default() += 1;
                    self.turn_down(&text);
                } else if !self.is_new(&text) {
                    *self.refused.entry("right, or there already").or_default() += 1;
                    if !self.have.iter().chain(&self.proposed).any(|it| bare(it) == bare(&text)) {
                        self.turn_down(&text);
                    }
                } else if self.have.len() + self.proposed.len() < self.count {
                    self.proposed.push(text.trim().to_owned());
                }
            }
            return;
        }
        let proposed = std::mem::take(&mut self.proposed);
        let Some(also_right) = numbers(reply) else {
            // Unchecked, none of them is taken: the model is asked again, and may say them again.
            *self.refused.entry("not checked").or_default() += proposed.len();
            for text in proposed {
                self.taken.remove(&bare(&text));
            }
            return;
        };
        for (index, text) in proposed.into_iter().enumerate() {
            if also_right.contains(&(index + 1)) {
                *self.refused.entry("right as well").or_default() += 1;
                self.turn_down(&text);
            } else {
                self.have.push(text);
            }
        }
    }

    /// Whether the next question is which of the proposed texts are right as well.
    #[must_use]
    pub fn is_checking(&self) -> bool {
        !self.proposed.is_empty()
    }

    /// The wrong answers so far.
    #[must_use]
    pub fn distractors(&self) -> &[String] {
        &self.have
    }

    /// Texts of the model's that were no use, by reason.
    #[must_use]
    pub fn refused(&self) -> &BTreeMap<&'static str, usize> {
        &self.refused
    }

    fn turn_down(&mut self, text: &str) {
        let mut shown: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = shown.char_indices().nth(SHOWN) {
            shown.truncate(end);
            shown.push('…');
        }
        if !shown.is_empty() && !self.turned_down.contains(&shown) {
            self.turned_down.push(shown);
        }
    }

    /// Notes a text; false where it is empty, right, or there already.
    fn is_new(&mut self, text: &str) -> bool {
        let bare = bare(text);
        !bare.is_empty() && self.taken.insert(bare)
    }
}

fn render(template: &str, row: &Value) -> Result<Vec<RowMessage>, String> {
    let template = Template::parse(Path::new("distractors"), template);
    template.and_then(|template| template.render(row)).map_err(|error| error.to_string())
}

/// The texts of a reply: a JSON list somewhere in it, else its lines without their bullets.
fn texts(reply: &str) -> Vec<String> {
    if let Some(Value::Array(items)) = json_list(reply) {
        return items.iter().filter_map(|item| text(item).ok()).collect();
    }
    let bulleted = |line: &str| -> Option<String> {
        let line = line.trim();
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = match rest.len() < line.len() {
            true => rest.strip_prefix(['.', ')'])?,
            false => line.strip_prefix(['-', '*', '•'])?,
        };
        rest.starts_with(' ').then(|| rest.trim().to_owned())
    };
    reply.lines().filter_map(bulleted).filter(|text| !text.is_empty()).collect()
}

/// The numbers of a reply that is asked for a JSON list of them.
fn numbers(reply: &str) -> Option<Vec<usize>> {
    let Value::Array(items) = json_list(reply)? else { return None };
    items
        .iter()
        .map(|item| match item {
            Value::Number(number) => number.as_u64().and_then(|it| usize::try_from(it).ok()),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        })
        .collect()
}

/// The last JSON list in a text, thoughts before it and fences around it left aside.
fn json_list(reply: &str) -> Option<Value> {
    let reply = reply.rsplit_once("</think>").map_or(reply, |(_, after)| after);
    let end = reply.rfind(']')?;
    // A list of texts holds no list: the nearest bracket that makes JSON of it begins it.
    let starts = reply[..end].rmatch_indices('[').take(64);
    starts.map(|(start, _)| &reply[start..=end]).find_map(|list| serde_json::from_str(list).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, reference: &str, category: &str) -> Row {
        let messages = vec![RowMessage { role: "user".into(), content: "Which?".into() }];
        let data = json!({"category": category}).as_object().unwrap().clone();
        Row { id: id.into(), messages, reference: Some(reference.into()), data }
    }

    #[test]
    fn a_pool_gives_answers_of_the_same_category_that_are_wrong() {
        let rows = [
            row("1", "Oslo", "city"),
            row("2", " oslo. ", "city"),
            row("3", "Bergen", "city"),
            row("4", "1905", "city"),
            row("5", "iron", "metal"),
        ];
        let pool = Pool::new(&rows, "data.category").unwrap();
        assert_eq!((pool.categories(), pool.without()), (2, 0));
        assert_eq!(pool.choose(&rows[0], &[], 5, 0), ["Bergen", "1905"]);
        assert_eq!(pool.choose(&rows[0], &[], 1, 0), ["Bergen"], "texts before numbers");
        assert_eq!(pool.choose(&rows[4], &[], 5, 0), [""; 0]);
        let kept = ["Oslo".to_owned(), "Stavanger".to_owned(), "bergen".to_owned()];
        assert_eq!(pool.choose(&rows[0], &kept, 5, 0), ["Stavanger", "bergen", "1905"]);
        assert_eq!(pool.choose(&rows[0], &[], 5, 0), pool.choose(&rows[0], &[], 5, 0));
        let error = Pool::new(&rows, "data.categry").unwrap_err().to_string();
        assert!(error.contains("no row has `data.categry`; rows have data.category;"), "{error}");
        assert_eq!(Pool::new(&rows, "").unwrap().categories(), 1);
        let mut some = rows.to_vec();
        some[0].data.clear();
        assert_eq!(Pool::new(&some, "data.category").unwrap().without(), 1);
    }

    #[test]
    fn what_scoring_may_not_tell_apart_is_the_same() {
        for (a, b) in [
            ("Oslo.", " oslo"),
            ("$x+1$", "x+1"),
            ("\"A  b\"", "a b"),
            ("(3)", "3"),
            ("$1/2$", "0.50"),
            ("-0", "0."),
        ] {
            assert_eq!(bare(a), bare(b), "{a} {b}");
        }
        for (a, b) in [
            ("-3", "3"),
            (".5", "5"),
            ("5%", "5"),
            ("x^2", "x2"),
            ("…", ""),
            ("1/2/3", "1/6"),
            ("1/0", "2/0"),
        ] {
            assert_ne!(bare(a), bare(b), "{a} {b}");
        }
    }

    #[test]
    fn a_model_is_asked_checked_and_asked_again() {
        let mut row = row("1", "Oslo", "city");
        row.data.insert("accepted".into(), json!(["Christiania"]));
        let mut wanted = Wanted::new(&row, &[], 3).unwrap();
        let asked = |wanted: &Wanted| wanted.question().unwrap().unwrap().pop().unwrap().content;
        let first = asked(&wanted);
        assert!(first.contains("Write 3 further"), "{first}");
        assert!(first.contains("Also right: Christiania"), "{first}");
        wanted.answer("Sure! [\"Bergen\", \"oslo.\", \"CHRISTIANIA\", \"Kristiania\", \"bergen\"]");
        let check = asked(&wanted);
        assert!(check.contains("1. Bergen\n2. Kristiania\n"), "{check}");
        wanted.answer("```json\n[2]\n```");
        assert_eq!(wanted.distractors(), ["Bergen"]);
        let second = asked(&wanted);
        assert!(second.contains("- Bergen\n") && second.contains("Write 2 further"), "{second}");
        let refused = "- oslo.\n- CHRISTIANIA\n- Kristiania\n\nThis is attempt 2.\n";
        assert!(second.contains(refused), "{second}");
        wanted.answer("<think>[\"no\"]</think>\n1. Tromsø\n2. Kristiania\n3. Bodø\n4. Vardø");
        assert!(asked(&wanted).contains("1. Tromsø\n2. Bodø\n\nThis is attempt 2."));
        wanted.answer("all wrong");
        // Not checked, so not taken; they may be proposed again.
        assert_eq!(wanted.distractors(), ["Bergen"]);
        wanted.answer("[\"Tromsø\", \"Molde\", \"Hamar\"]");
        wanted.answer("[]");
        assert_eq!(wanted.distractors(), ["Bergen", "Tromsø", "Molde"]);
        assert_eq!(wanted.question().unwrap(), None);
        assert_eq!(wanted.refused()["right as well"], 1);
        assert_eq!(wanted.refused()["not checked"], 2);
    }

    #[test]
    fn a_model_that_has_nothing_to_say_is_not_asked_for_ever() {
        let mut wanted = Wanted::new(&row("1", "Oslo", "city"), &[], 2).unwrap();
        let mut asked = Vec::new();
        for _ in 0..ROUNDS {
            let question = wanted.question().unwrap().unwrap().pop().unwrap().content;
            assert!(!asked.contains(&question), "kept answers would come again: {question}");
            asked.push(question);
            wanted.answer(&format!("I cannot. {}", "x".repeat(1000)));
        }
        assert_eq!(wanted.question().unwrap(), None);
        assert!(wanted.distractors().is_empty());
        let mut row = row("1", "Oslo", "city");
        row.reference = None;
        assert!(Wanted::new(&row, &[], 2).is_none());
    }
}
