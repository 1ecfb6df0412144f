//! What a request says of how its text is drawn, where it ends and how it is sent.

use std::sync::Arc;

use omni_policy::Sampling;
use serde_json::Value;

use crate::fields::{Fields, wrong_type};
use crate::refusal::Refusal;

/// Completions of one request, over all its prompts.
pub(crate) const MOST_CHOICES: i64 = 128;
/// Stop sequences of one request, and their bytes.
const MOST_STOPS: usize = 16;
const LONGEST_STOP: usize = 1024;
/// Below it a temperature is 0: dividing logits by it could leave the range of numbers.
const LEAST_TEMPERATURE: f64 = 1e-5;

/// Settings of one request.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) model: String,
    /// Completions of each prompt.
    pub(crate) samples: usize,
    pub(crate) sampling: Sampling,
    pub(crate) stops: Arc<[String]>,
    pub(crate) seed: Option<u64>,
    /// Send pieces as they come.
    pub(crate) stream: bool,
    /// End the stream with what was used.
    pub(crate) include_usage: bool,
}

impl Settings {
    /// Takes the settings out of a request; `default_tokens` where it does not say how many.
    pub(crate) fn take(
        fields: &mut Fields,
        default_tokens: usize,
        most_tokens: usize,
    ) -> Result<Self, Refusal> {
        let model = fields.need_text("model")?;
        let samples = fields.whole("n", 1..=MOST_CHOICES)?.unwrap_or(1) as usize;
        let temperature = match fields.number("temperature", 2.0)? {
            None => 1.0,
            Some(temperature) if temperature < LEAST_TEMPERATURE => 0.0,
            Some(temperature) => temperature as f32,
        };
        // 0 keeps the most likely token, as any mass does that is small enough.
        let top_p = fields.number("top_p", 1.0)?.unwrap_or(1.0) as f32;
        let top_p = top_p.max(f32::MIN_POSITIVE);
        // −1 and 0 keep all, as elsewhere.
        let top_k = fields.whole("top_k", -1..=i64::from(u32::MAX))?.unwrap_or(0);
        let top_k = u32::try_from(top_k).ok().filter(|&k| k > 0);
        let stream = fields.flag("stream")?;
        let settings = Self {
            model,
            samples,
            sampling: Sampling {
                temperature,
                top_k,
                top_p,
                max_new_tokens: max_tokens(fields)?.unwrap_or(default_tokens).min(most_tokens),
                record_kept: false,
            },
            stops: stops(fields.take("stop"))?,
            seed: fields.whole("seed", i64::MIN..=i64::MAX)?.map(i64::cast_unsigned),
            stream,
            include_usage: include_usage(fields.take("stream_options"), stream)?,
        };
        Ok(settings)
    }
}

/// `max_completion_tokens`, or its older name.
fn max_tokens(fields: &mut Fields) -> Result<Option<usize>, Refusal> {
    let old = fields.whole("max_tokens", 1..=i64::MAX)?;
    let new = fields.whole("max_completion_tokens", 1..=i64::MAX)?;
    if let (Some(old), Some(new)) = (old, new)
        && old != new
    {
        return Err(Refusal::value(
            "max_tokens",
            format!("`max_tokens` is {old} and `max_completion_tokens` {new}; give one of them"),
        ));
    }
    Ok(new.or(old).map(|tokens| tokens as usize))
}

/// A text, or a list of them.
fn stops(value: Option<Value>) -> Result<Arc<[String]>, Refusal> {
    let texts = match value {
        None => Vec::new(),
        Some(Value::Array(texts)) => texts,
        Some(text) => vec![text],
    };
    if texts.len() > MOST_STOPS {
        let message = format!("{} stop sequences; at most {MOST_STOPS} are taken", texts.len());
        return Err(Refusal::value("stop", message));
    }
    texts
        .into_iter()
        .map(|text| match text {
            Value::String(text) if text.is_empty() => {
                Err(Refusal::value("stop", "a stop sequence is empty"))
            }
            Value::String(text) if text.len() > LONGEST_STOP => {
                let message = format!("a stop sequence is longer than {LONGEST_STOP} bytes");
                Err(Refusal::value("stop", message))
            }
            Value::String(text) => Ok(text),
            other => Err(wrong_type("stop", "a text or a list of texts", &other)),
        })
        .collect()
}

fn include_usage(value: Option<Value>, stream: bool) -> Result<bool, Refusal> {
    let name = "stream_options";
    let Some(value) = value else { return Ok(false) };
    let Value::Object(options) = &value else { return Err(wrong_type(name, "an object", &value)) };
    if !stream {
        return Err(Refusal::value(name, "`stream_options` is for `stream: true` alone"));
    }
    let mut include = false;
    for (option, value) in options {
        match (option.as_str(), value) {
            ("include_usage", Value::Bool(flag)) => include = *flag,
            // Padding against eavesdroppers; there is none.
            ("include_obfuscation", Value::Bool(_)) => {}
            _ => {
                let message = format!("`{name}.{}` is not known", option.escape_debug());
                return Err(Refusal::bad("unknown_parameter", message).of(name));
            }
        }
    }
    Ok(include)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(body: &str) -> Result<Settings, String> {
        let mut fields = Fields::parse(body.as_bytes()).unwrap();
        Settings::take(&mut fields, 16, 100)
            .map_err(|refusal| refusal.body()["error"]["param"].as_str().unwrap().to_owned())
    }

    #[test]
    fn defaults_and_limits() {
        let settings = take(r#"{"model": "m"}"#).unwrap();
        assert_eq!((settings.samples, settings.sampling.max_new_tokens), (1, 16));
        assert_eq!((settings.sampling.temperature, settings.sampling.top_p), (1.0, 1.0));
        assert!(!settings.stream && settings.seed.is_none() && settings.stops.is_empty());
        let settings = take(
            r#"{"model": "m", "max_completion_tokens": 1000000, "temperature": 1e-30, "top_p": 0,
                "top_k": -1, "stop": "x", "seed": -1}"#,
        )
        .unwrap();
        assert_eq!(settings.sampling.max_new_tokens, 100);
        assert_eq!(settings.sampling.temperature, 0.0);
        assert!(settings.sampling.top_p > 0.0);
        assert_eq!(settings.sampling.top_k, None);
        assert_eq!(&settings.stops[..], ["x"]);
        assert_eq!(settings.seed, Some(u64::MAX));
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        for (more, param) in [
            (r#""n": 0"#, "n"),
            (r#""n": 129"#, "n"),
            (r#""temperature": -0.1"#, "temperature"),
            (r#""temperature": "hot""#, "temperature"),
            (r#""top_p": 1.1"#, "top_p"),
            (r#""top_k": -2"#, "top_k"),
            (r#""max_tokens": 0"#, "max_tokens"),
            (r#""max_tokens": 1, "max_completion_tokens": 2"#, "max_tokens"),
            (r#""stop": [""]"#, "stop"),
            (r#""stop": [1]"#, "stop"),
            (r#""seed": 0.5"#, "seed"),
            (r#""stream": 1"#, "stream"),
            (r#""stream_options": {"include_usage": true}"#, "stream_options"),
            (r#""stream": true, "stream_options": {"exclude": true}"#, "stream_options"),
        ] {
            assert_eq!(take(&format!(r#"{{"model": "m", {more}}}"#)).unwrap_err(), param);
        }
        assert_eq!(take("{}").unwrap_err(), "model");
        assert_eq!(take(r#"{"model": 1}"#).unwrap_err(), "model");
    }
}
