//! Answers in OpenAI's forms: whole, or in chunks.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use serde_json::{Value, json};

use crate::queue::Finish;

/// Which of the two interfaces is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Chat,
    Completion,
}

/// What stays the same over an answer.
#[derive(Debug)]
pub(crate) struct Head {
    form: Form,
    id: String,
    created: u64,
    model: String,
    prompt_tokens: usize,
    /// Chunks say what was used: `null` but in the last one.
    include_usage: bool,
}

/// A finished choice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    pub(crate) text: String,
    pub(crate) finish: Option<Finish>,
    pub(crate) tokens: usize,
}

/// Bits that nobody can foretell, for names and for seeds that were left open.
pub(crate) fn random_bits() -> u64 {
    // The standard library's only source: the keys of its hash tables.
    RandomState::new().hash_one(SystemTime::now())
}

impl Finish {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
        }
    }
}

impl Head {
    pub(crate) fn new(
        form: Form,
        model: String,
        prompt_tokens: usize,
        include_usage: bool,
    ) -> Self {
        let name = match form {
            Form::Chat => "chatcmpl",
            Form::Completion => "cmpl",
        };
        Self {
            form,
            id: format!("{name}-{:016x}{:016x}", random_bits(), random_bits()),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs()),
            model,
            prompt_tokens,
            include_usage,
        }
    }

    fn object(&self, chunk: bool) -> &'static str {
        match (self.form, chunk) {
            (Form::Chat, false) => "chat.completion",
            (Form::Chat, true) => "chat.completion.chunk",
            (Form::Completion, _) => "text_completion",
        }
    }

    fn usage(&self, completion_tokens: usize) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens,
        })
    }

    /// The whole answer.
    pub(crate) fn whole(&self, choices: &[Choice]) -> Value {
        let tokens = choices.iter().map(|choice| choice.tokens).sum();
        let choices: Vec<Value> = choices
            .iter()
            .enumerate()
            .map(|(index, choice)| {
                let finish = choice.finish.map(Finish::as_str);
                let text = &choice.text;
                match self.form {
                    Form::Chat => json!({
                        "index": index,
                        "message": {"role": "assistant", "content": text, "refusal": null},
                        "logprobs": null,
                        "finish_reason": finish,
                    }),
                    Form::Completion => json!({
                        "index": index, "text": text, "logprobs": null, "finish_reason": finish,
                    }),
                }
            })
            .collect();
        json!({
            "id": self.id,
            "object": self.object(false),
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": self.usage(tokens),
        })
    }

    fn chunk(&self, choices: Value, usage: Value) -> Bytes {
        let mut chunk = json!({
            "id": self.id,
            "object": self.object(true),
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if self.include_usage {
            chunk["usage"] = usage;
        }
        event(&chunk)
    }

    /// What opens a choice; completions need nothing.
    pub(crate) fn opening(&self, index: usize) -> Option<Bytes> {
        (self.form == Form::Chat).then(|| {
            let delta = json!({"role": "assistant", "content": ""});
            self.delta(index, &delta, None)
        })
    }

    /// More of a choice's text.
    pub(crate) fn text(&self, index: usize, text: &str) -> Bytes {
        match self.form {
            Form::Chat => self.delta(index, &json!({"content": text}), None),
            Form::Completion => self.part(index, text, None),
        }
    }

    /// A choice's end.
    pub(crate) fn end(&self, index: usize, finish: Finish) -> Bytes {
        match self.form {
            Form::Chat => self.delta(index, &json!({}), Some(finish)),
            Form::Completion => self.part(index, "", Some(finish)),
        }
    }

    fn delta(&self, index: usize, delta: &Value, finish: Option<Finish>) -> Bytes {
        let finish = finish.map(Finish::as_str);
        let choice =
            json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        self.chunk(choice, Value::Null)
    }

    fn part(&self, index: usize, text: &str, finish: Option<Finish>) -> Bytes {
        let finish = finish.map(Finish::as_str);
        let choice =
            json!([{"index": index, "text": text, "logprobs": null, "finish_reason": finish}]);
        self.chunk(choice, Value::Null)
    }

    /// What was used, where it was asked for.
    pub(crate) fn used(&self, completion_tokens: usize) -> Option<Bytes> {
        self.include_usage.then(|| self.chunk(json!([]), self.usage(completion_tokens)))
    }
}

/// One event of a stream.
pub(crate) fn event(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}

/// The last event of a stream.
pub(crate) const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");
