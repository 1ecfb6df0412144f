//! A judge that does what the first text of each comparison says.

#[allow(missing_docs, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/0.1.0", world: "judge-plugin" });
}

use bindings::exports::omni::plugin::judge::{
    Answer, Comparison, Error, Guest, Question, Turn, Verdict,
};
use bindings::omni::plugin::judgements::Preference;
use bindings::omni::plugin::types::{Message, Role};

struct Hostile;
bindings::export!(Hostile with_types_in bindings);

impl Guest for Hostile {
    fn decide(
        _config: String,
        comparisons: Vec<Comparison>,
        answers: Vec<Answer>,
        _seed: u32,
    ) -> Result<Turn, Error> {
        let asked = !answers.is_empty();
        let mut answers = answers.into_iter();
        let mut questions = Vec::new();
        let mut verdicts = Vec::new();
        for comparison in &comparisons {
            let (name, rest) = comparison.first.split_once(':').unwrap_or((&comparison.first, ""));
            hostile_faults::act(name);
            verdicts.push(match name {
                "ask-forever" => return Ok(Turn::Ask(vec![question("again?")])),
                "ask-nothing" => return Ok(Turn::Ask(vec![])),
                "count" => continue,
                "error" => return Err(Error::Unsupported("not this".into())),
                "ask" if !asked => {
                    questions.push(question(rest));
                    continue;
                }
                "ask" => match answers.next() {
                    Some(Answer::Text(text)) if text.contains("first") => {
                        Verdict::Preferred(Preference::First)
                    }
                    Some(Answer::Text(_)) => Verdict::Preferred(Preference::Second),
                    Some(Answer::Failed(why)) => Verdict::Undecided(why),
                    None => Verdict::Undecided("no answer".into()),
                },
                "undecided" => Verdict::Undecided("cannot tell".into()),
                "tie" => Verdict::Preferred(Preference::Tie),
                "second" => Verdict::Preferred(Preference::Second),
                _ => Verdict::Preferred(Preference::First),
            });
        }
        if questions.is_empty() { Ok(Turn::Done(verdicts)) } else { Ok(Turn::Ask(questions)) }
    }
}

fn question(text: &str) -> Question {
    Question {
        messages: vec![Message { role: Role::User, content: text.into() }],
        max_tokens: 8,
        temperature: 0.0,
    }
}
