//! What a request puts before the policy: a conversation, texts, or tokens.

use omni_policy::{PolicyError, Tokenizer};
use serde_json::Value;

use crate::fields::{Fields, wrong_type};
use crate::refusal::Refusal;

/// A prompt as it came, not yet tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// Messages of a conversation: role and text.
    Chat(Vec<(&'static str, String)>),
    /// A text to go on with.
    Text(String),
    /// Its tokens.
    Tokens(Vec<u32>),
}

impl Prompt {
    /// The prompt of a chat completion.
    pub(crate) fn chat(fields: &mut Fields) -> Result<Vec<Self>, Refusal> {
        let name = "messages";
        let list = match fields.need(name)? {
            Value::Array(list) if list.is_empty() => {
                return Err(Refusal::value(name, "`messages` is empty"));
            }
            Value::Array(list) => list,
            other => return Err(wrong_type(name, "a list of messages", &other)),
        };
        let messages: Result<Vec<_>, Refusal> =
            list.iter().enumerate().map(|(n, message)| self::message(n, message)).collect();
        Ok(vec![Self::Chat(messages?)])
    }

    /// The prompts of a completion: a text, tokens, or a list of either.
    pub(crate) fn completions(fields: &mut Fields) -> Result<Vec<Self>, Refusal> {
        let wanted = "a text, a list of texts, a list of tokens, or a list of lists of tokens";
        let prompt = fields.need("prompt")?;
        let list = match prompt {
            Value::String(text) => return Ok(vec![Self::Text(text)]),
            Value::Array(list) if list.is_empty() => {
                return Err(Refusal::value("prompt", "`prompt` is empty"));
            }
            Value::Array(list) => list,
            other => return Err(wrong_type("prompt", wanted, &other)),
        };
        if list.iter().all(Value::is_number) {
            return Ok(vec![Self::Tokens(tokens(&list, wanted)?)]);
        }
        list.into_iter()
            .map(|prompt| match prompt {
                Value::String(text) => Ok(Self::Text(text)),
                Value::Array(list) => Ok(Self::Tokens(tokens(&list, wanted)?)),
                other => Err(wrong_type("prompt", wanted, &other)),
            })
            .collect()
    }

    /// The prompt's tokens.
    pub(crate) fn encode(self, tokenizer: &Tokenizer) -> Result<Vec<u32>, Refusal> {
        let bad = |name: &'static str| {
            move |error: PolicyError| Refusal::value(name, format!("`{name}`: {error}"))
        };
        match self {
            Self::Tokens(tokens) => Ok(tokens),
            Self::Text(text) => tokenizer.encode(&text).map_err(bad("prompt")),
            Self::Chat(messages) => {
                let messages: Vec<(&str, &str)> =
                    messages.iter().map(|(role, text)| (*role, text.as_str())).collect();
                tokenizer
                    .apply_chat_template(&messages, true)
                    .and_then(|text| tokenizer.encode(&text))
                    .map_err(bad("messages"))
            }
        }
    }
}

fn tokens(list: &[Value], wanted: &str) -> Result<Vec<u32>, Refusal> {
    list.iter()
        .map(|token| {
            let id = token.as_u64().and_then(|id| u32::try_from(id).ok());
            id.ok_or_else(|| match token {
                Value::Number(id) => {
                    Refusal::value("prompt", format!("`prompt`: no token is {id}"))
                }
                other => wrong_type("prompt", wanted, other),
            })
        })
        .collect()
}

fn message(n: usize, message: &Value) -> Result<(&'static str, String), Refusal> {
    let name = format!("messages[{n}]");
    let Value::Object(message) = message else {
        return Err(wrong_type(&name, "an object", message));
    };
    let role = match message.get("role").and_then(Value::as_str) {
        Some("system" | "developer") => "system",
        Some("user") => "user",
        Some("assistant") => "assistant",
        _ => {
            let name = format!("{name}.role");
            let message = format!("`{name}` must be one of system, developer, user and assistant");
            return Err(Refusal::value(&name, message));
        }
    };
    for (key, value) in message {
        let known = matches!(key.as_str(), "role" | "content" | "name" | "refusal");
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !known && !empty {
            let name = format!("{name}.{}", key.escape_debug());
            let message = format!("`{name}` is not supported by this server");
            return Err(Refusal::bad("unsupported_parameter", message).of(&name));
        }
    }
    Ok((role, content(&format!("{name}.content"), message.get("content"))?))
}

/// A text, or a list of parts that are texts.
fn content(name: &str, content: Option<&Value>) -> Result<String, Refusal> {
    let wanted = "a text or a list of parts of type `text`";
    match content {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => parts
            .iter()
            .map(|part| match (part.get("type").and_then(Value::as_str), part.get("text")) {
                (Some("text"), Some(Value::String(text))) => Ok(text.as_str()),
                _ => Err(Refusal::value(name, format!("`{name}` must be {wanted}"))),
            })
            .collect(),
        other => Err(wrong_type(name, wanted, other.unwrap_or(&Value::Null))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(messages: &str) -> Result<Vec<Prompt>, String> {
        let body = format!(r#"{{"messages": {messages}}}"#);
        Prompt::chat(&mut Fields::parse(body.as_bytes()).unwrap())
            .map_err(|refusal| refusal.body()["error"]["param"].as_str().unwrap().to_owned())
    }

    fn completions(prompt: &str) -> Result<Vec<Prompt>, String> {
        let body = format!(r#"{{"prompt": {prompt}}}"#);
        Prompt::completions(&mut Fields::parse(body.as_bytes()).unwrap())
            .map_err(|refusal| refusal.body()["error"]["message"].as_str().unwrap().to_owned())
    }

    #[test]
    fn messages_are_texts_or_parts() {
        let got = chat(
            r#"[{"role": "developer", "content": "be brief"},
                {"role": "user", "name": "me", "content": [{"type": "text", "text": "a"},
                                                           {"type": "text", "text": "b"}]},
                {"role": "assistant", "content": "c", "tool_calls": []}]"#,
        )
        .unwrap();
        let want = [("system", "be brief"), ("user", "ab"), ("assistant", "c")];
        assert_eq!(got, [Prompt::Chat(want.map(|(r, t)| (r, t.to_owned())).into())]);
        for (messages, param) in [
            ("[]", "messages"),
            ("{}", "messages"),
            ("[1]", "messages[0]"),
            (r#"[{"content": "x"}]"#, "messages[0].role"),
            (r#"[{"role": "tool", "content": "x"}]"#, "messages[0].role"),
            (r#"[{"role": "user"}]"#, "messages[0].content"),
            (r#"[{"role": "user", "content": null}]"#, "messages[0].content"),
            (r#"[{"role": "user", "content": [{"type": "image_url"}]}]"#, "messages[0].content"),
            (
                r#"[{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [{}]}]"#,
                "messages[1].tool_calls",
            ),
        ] {
            assert_eq!(chat(messages).unwrap_err(), param);
        }
    }

    #[test]
    fn prompts_are_texts_or_tokens() {
        let text = |text: &str| Prompt::Text(text.to_owned());
        assert_eq!(completions(r#""a""#).unwrap(), [text("a")]);
        assert_eq!(completions(r#"["a", "b"]"#).unwrap(), [text("a"), text("b")]);
        assert_eq!(completions("[1, 2]").unwrap(), [Prompt::Tokens(vec![1, 2])]);
        let lists = [Prompt::Tokens(vec![1]), Prompt::Tokens(vec![2, 3])];
        assert_eq!(completions("[[1], [2, 3]]").unwrap(), lists);
        for wrong in ["[]", "{}", "[1, \"a\"]", "[-1]", "[1.5]", "[4294967296]", "[[\"a\"]]"] {
            assert!(completions(wrong).is_err(), "{wrong}");
        }
    }
}
