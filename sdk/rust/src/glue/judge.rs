//! Judges.

use std::marker::PhantomData;

use super::{configured, enter, error, message, verdict};
use crate::judge::{Answer, Comparison, Judge, Turn};
use bindings::exports::omni::plugin::judge as wit;
use bindings::omni::plugin::{judgements, types};

/// What wit-bindgen made of the world.
#[allow(warnings, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/0.1.0",
        world: "judge-plugin",
        pub_export_macro: true,
        export_macro_name: "__export_judge_plugin",
        default_bindings_module: "omni_sdk::glue::judge::bindings",
    });
}

error!(types::Error);
message!(types);
verdict!(judgements);

/// The world's exports for a plugin's own type.
#[derive(Debug)]
pub struct Glue<T>(PhantomData<T>);

impl<T: Judge> wit::Guest for Glue<T> {
    fn decide(
        config: String,
        comparisons: Vec<judgements::Comparison>,
        answers: Vec<wit::Answer>,
        seed: u32,
    ) -> Result<wit::Turn, types::Error> {
        enter();
        let judge = configured::<T>(&config)?;
        let comparisons: Vec<_> = comparisons.into_iter().map(comparison_in).collect();
        let answers: Vec<_> = answers.into_iter().map(answer_in).collect();
        Ok(match judge.decide(&comparisons, &answers, seed)? {
            Turn::Ask(questions) => {
                let out = questions.into_iter().map(|question| wit::Question {
                    messages: question.messages.into_iter().map(message_out).collect(),
                    max_tokens: question.max_tokens,
                    temperature: question.temperature,
                });
                wit::Turn::Ask(out.collect())
            }
            Turn::Done(verdicts) => {
                wit::Turn::Done(verdicts.into_iter().map(verdict_out).collect())
            }
        })
    }
}

fn comparison_in(comparison: judgements::Comparison) -> Comparison {
    Comparison {
        conversation: comparison.conversation.into_iter().map(message_in).collect(),
        first: comparison.first,
        second: comparison.second,
        rubric: comparison.rubric,
        judge: comparison.judge,
    }
}

fn answer_in(answer: wit::Answer) -> Answer {
    match answer {
        wit::Answer::Text(text) => Answer::Text(text),
        wit::Answer::Failed(reason) => Answer::Failed(reason),
    }
}
