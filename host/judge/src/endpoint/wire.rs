//! `/chat/completions`: what is sent, and what comes back.
//!
//! Endpoints differ in the details: content is a text, a list of parts or null; an error is an
//! object, a text, or hidden in a 200. All that is read leniently; what has no text in the end is a
//! failure with its kind.

use omni_record::Role;
use serde_json::{Map, Value, json};

use crate::budget::Spent;
use crate::question::{Answer, Failure, FailureKind, Question};
use crate::settings::Key;

/// How much of an endpoint's own words a message repeats, in characters.
const QUOTED: usize = 300;

/// A request's body.
pub(super) fn body(model: &str, question: &Question, extra: &Map<String, Value>) -> Value {
    let messages: Vec<Value> = question
        .messages
        .iter()
        .map(|message| {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            json!({"role": role, "content": message.content})
        })
        .collect();
    // As a decimal number of few digits, not as the nearest f64 of an f32.
    let temperature: f64 = question.temperature.to_string().parse().unwrap_or(0.0);
    let mut body = json!({
        "model": model,
        "messages": messages,
        "max_tokens": question.max_tokens,
        "temperature": temperature,
        "stream": false,
    });
    if let Some(fields) = body.as_object_mut() {
        // The newer name of the same limit; endpoints refuse to be given both.
        if extra.contains_key("max_completion_tokens") {
            fields.remove("max_tokens");
        }
        fields.extend(extra.clone());
    }
    body
}

/// What a reply with status 200 comes to, and what it cost where it says so. The key is not in
/// what is said of it, should the reply hold it.
pub(super) fn read(bytes: &[u8], key: Option<&Key>) -> (Answer, Option<Spent>) {
    if bytes.trim_ascii().is_empty() {
        return (Err(Failure::new(FailureKind::Empty, "the reply has no body")), None);
    }
    let reply: Value = match serde_json::from_slice(bytes) {
        Ok(reply) => reply,
        Err(error) => {
            let message = format!("the reply is not JSON: {error}: {}", quoted(bytes, key));
            return (Err(Failure::new(FailureKind::Malformed, message)), None);
        }
    };
    let count = |name: &str| reply.get("usage")?.get(name)?.as_u64();
    let spent =
        count("prompt_tokens").or_else(|| count("completion_tokens")).is_some().then(|| Spent {
            prompt_tokens: count("prompt_tokens").unwrap_or(0),
            completion_tokens: count("completion_tokens").unwrap_or(0),
        });
    (text(&reply, bytes, key), spent)
}

fn text(reply: &Value, bytes: &[u8], key: Option<&Key>) -> Answer {
    if reply.get("error").is_some_and(|error| !error.is_null()) {
        return Err(Failure::new(FailureKind::Server, error_text(bytes, key)));
    }
    let malformed = |what: &str| {
        Err(Failure::new(FailureKind::Malformed, format!("{what}: {}", quoted(bytes, key))))
    };
    let Some(choice) = reply.get("choices").and_then(|choices| choices.get(0)) else {
        return malformed("the reply has no `choices`");
    };
    let finish = choice.get("finish_reason").and_then(Value::as_str).unwrap_or_default();
    let Some(message) = choice.get("message") else {
        return malformed("the reply's choice has no `message`");
    };
    let refusal = message.get("refusal").and_then(Value::as_str).unwrap_or_default();
    if !refusal.trim().is_empty() {
        let message = format!("the model declined: {}", quoted(refusal.as_bytes(), key));
        return Err(Failure::new(FailureKind::Refused, message));
    }
    if finish == "content_filter" {
        return Err(Failure::new(FailureKind::Refused, "a content filter cut the reply"));
    }
    let content = match message.get("content") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            if let Some(refusal) = parts.iter().find_map(|part| part.get("refusal")?.as_str()) {
                let message = format!("the model declined: {}", quoted(refusal.as_bytes(), key));
                return Err(Failure::new(FailureKind::Refused, message));
            }
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()
        }
        Some(_) => return malformed("the reply's `content` is no text"),
    };
    if content.trim().is_empty() {
        let message = match finish {
            "length" => "the reply's length was spent before any text; raise `max_tokens`",
            _ => "the reply has no text",
        };
        return Err(Failure::new(FailureKind::Empty, message));
    }
    // A text that the length limit cut is the judge's to read: it may hold a verdict.
    Ok(clean(content, key))
}

/// What a reply with another status says of itself.
pub(super) fn error_text(bytes: &[u8], key: Option<&Key>) -> String {
    let said = serde_json::from_slice::<Value>(bytes).ok().and_then(|reply| {
        let error = reply.get("error").unwrap_or(&reply);
        let text = match error {
            Value::String(text) => Some(text.as_str()),
            _ => ["message", "detail", "error"].iter().find_map(|name| error.get(name)?.as_str()),
        };
        text.map(|text| quoted(text.as_bytes(), key))
    });
    said.unwrap_or_else(|| quoted(bytes, key))
}

/// Whether an error says that the account, not the moment, is out of quota.
pub(super) fn is_out_of_quota(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok_and(|reply| {
        let word = |key: &str| reply.get("error")?.get(key)?.as_str().map(str::to_owned);
        [word("code"), word("type")].iter().flatten().any(|word| word == "insufficient_quota")
    })
}

/// A text without the key, should the endpoint have sent it back.
fn clean(text: String, key: Option<&Key>) -> String {
    match key {
        // One as short as `A` or `none` is no secret, and would go missing in verdicts.
        Some(key) if key.is_secret() => {
            String::from_utf8_lossy(&key.redact(text.as_bytes())).into_owned()
        }
        _ => text,
    }
}

/// Whether a reply was cut by its length; another one would be too.
pub(super) fn is_cut(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes)
        .is_ok_and(|reply| reply["choices"][0]["finish_reason"] == "length")
}

/// The beginning of what an endpoint said, on one line and without the key.
fn quoted(bytes: &[u8], key: Option<&Key>) -> String {
    // Before the cut, which may go through the key.
    let clean = key.map(|key| key.redact(bytes));
    let bytes = clean.as_deref().unwrap_or(bytes);
    // A character has at most four bytes.
    let piece = &bytes[..bytes.len().min(4 * QUOTED)];
    let text = String::from_utf8_lossy(piece);
    let mut short: String =
        text.trim().chars().take(QUOTED).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.is_empty() {
        short.push_str("(nothing)");
    } else if text.trim().chars().count() > QUOTED || piece.len() < bytes.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use omni_record::Message;
    use proptest::prelude::*;

    use super::*;

    fn kind(reply: &str) -> FailureKind {
        read(reply.as_bytes(), None).0.unwrap_err().kind
    }

    #[test]
    fn texts_come_in_several_forms() {
        for reply in [
            r#"{"choices": [{"message": {"content": "[[A]]", "refusal": null}}], "error": null}"#,
            r#"{"choices": [{"message": {"content": [{"type": "text", "text": "[[A"},
                {"type": "text", "text": "]]"}]}, "finish_reason": "length"}]}"#,
        ] {
            assert_eq!(read(reply.as_bytes(), None).0.unwrap(), "[[A]]", "{reply}");
        }
    }

    #[test]
    fn usage_is_read_even_where_there_is_no_text() {
        let (answer, spent) = read(
            br#"{"choices": [{"message": {"content": ""}, "finish_reason": "length"}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}}"#,
            None,
        );
        assert_eq!(answer.unwrap_err().kind, FailureKind::Empty);
        assert_eq!(spent, Some(Spent { prompt_tokens: 7, completion_tokens: 9 }));
        assert_eq!(read(br#"{"choices": []}"#, None).1, None);
    }

    #[test]
    fn each_way_of_saying_nothing_has_its_kind() {
        for (reply, expected) in [
            (" \n", FailureKind::Empty),
            ("<html>", FailureKind::Malformed),
            ("{\"choices\": [{\"mess", FailureKind::Malformed),
            ("[]", FailureKind::Malformed),
            ("{}", FailureKind::Malformed),
            (r#"{"choices": []}"#, FailureKind::Malformed),
            (r#"{"choices": [{"text": "x"}]}"#, FailureKind::Malformed),
            (r#"{"choices": [{"message": {"content": 3}}]}"#, FailureKind::Malformed),
            (r#"{"choices": [{"message": {"content": null}}]}"#, FailureKind::Empty),
            (r#"{"choices": [{"message": {}}]}"#, FailureKind::Empty),
            (r#"{"choices": [{"message": {"content": " \n"}}]}"#, FailureKind::Empty),
            (r#"{"choices": [{"message": {"content": []}}]}"#, FailureKind::Empty),
            (
                r#"{"choices": [{"message": {"content": "x", "refusal": "I can't."}}]}"#,
                FailureKind::Refused,
            ),
            (
                r#"{"choices": [{"message": {"content": [{"type": "refusal", "refusal": "no"}]}}]}"#,
                FailureKind::Refused,
            ),
            (
                r#"{"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}"#,
                FailureKind::Refused,
            ),
            (r#"{"error": {"message": "overloaded"}}"#, FailureKind::Server),
        ] {
            assert_eq!(kind(reply), expected, "{reply}");
        }
    }

    #[test]
    fn an_endpoints_words_are_quoted_short_and_on_one_line() {
        for (body, text) in [
            (r#"{"error": {"message": "no such\nmodel", "code": 1}}"#, "no such model"),
            (r#"{"error": "slow down"}"#, "slow down"),
            (r#"{"detail": "bad"}"#, "bad"),
            (r#"{"message": "worse"}"#, "worse"),
            ("plain", "plain"),
            ("", "(nothing)"),
        ] {
            assert_eq!(error_text(body.as_bytes(), None), text);
        }
        let long = error_text("é".repeat(100_000).as_bytes(), None);
        assert_eq!(long.chars().count(), QUOTED + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn no_part_of_the_key_is_left_wherever_the_cut_goes_through_it() {
        let secret = r"QZ/XW+VKJ\HGQZXWVK";
        let key = Key::new(secret);
        let escaped = r"QZ\/XW\u002bVKJ\\HGQZXWVK";
        // Cuts by characters and, with the widest ones, by bytes.
        for pad in ["-", "é", "🔑"] {
            for before in (0..=QUOTED + 40).chain(4 * QUOTED - 40..=4 * QUOTED + 40) {
                let pad = pad.repeat(before);
                for body in [
                    format!("{pad}{secret} after"),
                    format!("{pad}{escaped} after"),
                    format!(r#"{{"error": {{"message": "{pad}{escaped} after"}}}}"#),
                    format!(r#"{{"choices": [{{"message": {{"refusal": "{pad}{escaped}"}}}}]}}"#),
                ] {
                    let bytes = body.as_bytes();
                    let mut said = vec![error_text(bytes, Some(&key))];
                    said.extend(read(bytes, Some(&key)).0.err().map(|failure| failure.message));
                    for said in said {
                        // The key's capitals are in no other word here.
                        assert!(!said.contains(['Q', 'X', 'V', 'W', 'H']), "{before}: {said}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_body_says_what_was_asked() {
        let question = Question {
            messages: vec![Message { role: Role::User, content: "Which?".into() }],
            max_tokens: 12,
            temperature: 0.4,
        };
        let plain = body("m", &question, &Map::new());
        assert_eq!(
            plain.to_string(),
            r#"{"model":"m","messages":[{"role":"user","content":"Which?"}],"max_tokens":12,"temperature":0.4,"stream":false}"#
        );
        let extra = json!({"max_completion_tokens": 99, "temperature": 1});
        let body = body("m", &question, extra.as_object().unwrap());
        assert_eq!(body.get("max_tokens"), None);
        assert_eq!((&body["max_completion_tokens"], &body["temperature"]), (&json!(99), &json!(1)));
    }

    #[test]
    fn an_empty_account_is_not_a_busy_moment() {
        assert!(is_out_of_quota(br#"{"error": {"code": "insufficient_quota"}}"#));
        assert!(!is_out_of_quota(br#"{"error": {"code": "rate_limit_exceeded"}}"#));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_text_or_a_failure(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(text) = read(&bytes, None).0 {
                prop_assert!(!text.trim().is_empty());
            }
            prop_assert!(error_text(&bytes, None).chars().count() <= QUOTED + 1);
        }

        // A whole reply, with some of its bytes changed.
        #[test]
        fn a_damaged_reply_is_a_text_or_a_failure(
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = br#"{"choices": [{"message": {"content": [{"text": "[[A]]"}], "refusal": null},
                "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}, "error": null}"#.to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            for piece in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                if let Ok(text) = read(piece, None).0 {
                    prop_assert!(!text.trim().is_empty());
                }
            }
        }
    }
}
