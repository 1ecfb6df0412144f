//! Reading the configuration that the host hands over as JSON.

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Reads a JSON object; an empty text counts as `{}`.
///
/// # Errors
/// `invalid-input` with the key or the place in the text when it does not fit `T`.
#[track_caller]
pub fn read<T: DeserializeOwned>(config: &str) -> Result<T> {
    let text = if config.trim().is_empty() { "{}" } else { config };
    match serde_json::from_str(text) {
        Ok(config) => Ok(config),
        Err(error) => Err(Error::invalid_input(format!("`config`: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[derive(serde::Deserialize, Debug, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        extract: String,
    }

    #[test]
    fn empty_is_the_default_and_unknown_keys_are_named() {
        assert_eq!(read::<Config>("").unwrap().extract, "");
        assert_eq!(read::<Config>(r#"{"extract": "auto"}"#).unwrap().extract, "auto");
        let error = read::<Config>(r#"{"extrct": "auto"}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.message().contains("`extrct`"), "{error}");
    }
}
