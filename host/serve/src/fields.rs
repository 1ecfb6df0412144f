//! A request's JSON object, field by field: what is not taken is either known to be harmless or
//! refused.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// Fields that say nothing about the answer.
const IGNORED: [&str; 8] = [
    "user",
    "metadata",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "parallel_tool_calls",
];

/// Fields that are not supported, with texts of the values that ask for nothing.
const UNSUPPORTED: [(&str, &[&str]); 30] = [
    ("presence_penalty", &["0", "0.0"]),
    ("frequency_penalty", &["0", "0.0"]),
    ("repetition_penalty", &["1", "1.0"]),
    ("length_penalty", &["1", "1.0"]),
    ("min_p", &["0", "0.0"]),
    ("min_tokens", &["0"]),
    ("logit_bias", &["{}"]),
    ("logprobs", &["false"]),
    ("top_logprobs", &[]),
    ("prompt_logprobs", &[]),
    ("best_of", &["1"]),
    ("echo", &["false"]),
    ("suffix", &["\"\""]),
    ("ignore_eos", &["false"]),
    ("use_beam_search", &["false"]),
    ("include_stop_str_in_output", &["false"]),
    ("add_generation_prompt", &["true"]),
    ("continue_final_message", &["false"]),
    ("tools", &["[]"]),
    ("tool_choice", &["\"none\"", "\"auto\""]),
    ("functions", &["[]"]),
    ("function_call", &["\"none\"", "\"auto\""]),
    ("response_format", &["{\"type\":\"text\"}"]),
    ("modalities", &["[\"text\"]"]),
    ("audio", &[]),
    ("prediction", &[]),
    ("reasoning_effort", &["\"none\""]),
    ("verbosity", &[]),
    ("web_search_options", &[]),
    ("chat_template", &[]),
];

/// The fields of a request that were not taken yet.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of a body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(mut fields)) => {
                // `null` stands for a field that is left out.
                fields.retain(|_, value| !value.is_null());
                Ok(Self(fields))
            }
            Ok(_) => Err(Refusal::bad("invalid_json", "the body is not a JSON object")),
            Err(error) => {
                Err(Refusal::bad("invalid_json", format!("the body is not JSON: {error}")))
            }
        }
    }

    /// Takes a field out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    /// A field that must be there.
    pub(crate) fn need(&mut self, name: &str) -> Result<Value, Refusal> {
        self.take(name).ok_or_else(|| {
            Refusal::bad("missing_required_parameter", format!("`{name}` is missing")).of(name)
        })
    }

    /// A text that must be there.
    pub(crate) fn need_text(&mut self, name: &str) -> Result<String, Refusal> {
        match self.need(name)? {
            Value::String(text) => Ok(text),
            other => Err(wrong_type(name, "a text", &other)),
        }
    }

    /// True or false; false where it is left out.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(wrong_type(name, "true or false", &other)),
        }
    }

    /// A number from a range.
    pub(crate) fn number(&mut self, name: &str, most: f64) -> Result<Option<f64>, Refusal> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_f64().ok_or_else(|| wrong_type(name, "a number", &value))?;
        if !(0.0..=most).contains(&number) {
            let message = format!("`{name}` is {number}; it must lie in 0 to {most}");
            return Err(Refusal::value(name, message));
        }
        Ok(Some(number))
    }

    /// A whole number from a range.
    pub(crate) fn whole(
        &mut self,
        name: &str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_i64().or_else(|| {
            // What a client that knows but one type of number writes for a whole one.
            let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
            (number.abs() < 9e15).then_some(number as i64)
        });
        let number = number.ok_or_else(|| wrong_type(name, "a whole number", &value))?;
        if !range.contains(&number) {
            let (least, most) = range.into_inner();
            let message = match most {
                i64::MAX => format!("`{name}` is {number}; it must be at least {least}"),
                _ => format!("`{name}` is {number}; it must lie in {least} to {most}"),
            };
            return Err(Refusal::value(name, message));
        }
        Ok(Some(number))
    }

    /// Refuses what is left, unless it asks for nothing.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        for (name, value) in &self.0 {
            if IGNORED.contains(&name.as_str()) {
                continue;
            }
            let Some((_, nothing)) = UNSUPPORTED.iter().find(|(known, _)| known == name) else {
                let message = format!("`{}` is not a known parameter", name.escape_debug());
                return Err(Refusal::bad("unknown_parameter", message).of(name));
            };
            if !nothing.contains(&value.to_string().as_str()) {
                let message = format!("`{name}` is not supported by this server; leave it out");
                return Err(Refusal::bad("unsupported_parameter", message).of(name));
            }
        }
        Ok(())
    }

    /// What is left, as a row.
    pub(crate) fn into_rest(self) -> Map<String, Value> {
        self.0
    }
}

/// A field of the wrong type.
pub(crate) fn wrong_type(name: &str, wanted: &str, got: &Value) -> Refusal {
    let got = match got {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Refusal::bad("invalid_type", format!("`{name}` is {got}; it must be {wanted}")).of(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(body: &str) -> Result<(), Value> {
        Fields::parse(body.as_bytes()).unwrap().finish().map_err(|refusal| refusal.body())
    }

    #[test]
    fn what_asks_for_nothing_is_taken() {
        finish(
            r#"{"user": "me", "presence_penalty": 0, "logprobs": null, "tools": [], "logit_bias": {},
                "response_format": {"type": "text"}, "metadata": {"a": 1}}"#,
        )
        .unwrap();
    }

    #[test]
    fn what_would_change_the_answer_is_refused_by_name() {
        for (body, param, code) in [
            (r#"{"logprobs": true}"#, "logprobs", "unsupported_parameter"),
            (r#"{"logprobs": 0}"#, "logprobs", "unsupported_parameter"),
            (r#"{"tools": [{}]}"#, "tools", "unsupported_parameter"),
            (r#"{"presence_penalty": 0.5}"#, "presence_penalty", "unsupported_parameter"),
            (r#"{"best_of": 4}"#, "best_of", "unsupported_parameter"),
            (r#"{"temprature": 1}"#, "temprature", "unknown_parameter"),
        ] {
            let error = finish(body).unwrap_err();
            assert_eq!(error["error"]["param"], param);
            assert_eq!(error["error"]["code"], code);
        }
    }

    #[test]
    fn whole_numbers_may_be_written_as_fractions() {
        let mut fields = Fields::parse(br#"{"a": 3.0, "b": 3.5, "c": -1, "d": 1e300}"#).unwrap();
        assert_eq!(fields.whole("a", 0..=9).unwrap(), Some(3));
        assert!(fields.whole("b", 0..=9).is_err());
        assert!(fields.whole("c", 0..=9).is_err());
        assert!(fields.whole("d", 0..=9).is_err());
        assert_eq!(fields.whole("e", 0..=9).unwrap(), None);
    }
}
