//! What a command needs beside its run file: whether it is there, and how to get it.

use std::path::Path;

use omni_policy::ModelConfig;
use omni_train::RunConfig;
use omni_train::config::ModelSource;
use serde::Serialize;

use crate::fault::{Blame as _, Fault, Outcome};
use crate::models;

/// Something that is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Need {
    /// The setting that asks for it.
    pub(crate) key: String,
    /// What it is.
    pub(crate) what: String,
    /// What to do to have it; none where it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<String>,
}

impl Need {
    /// One that is there.
    pub(crate) fn there(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { key: key.into(), what: what.into(), missing: None }
    }

    /// One that is missing, and how to get it.
    pub(crate) fn missing(
        key: impl Into<String>,
        what: impl Into<String>,
        how: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), what: what.into(), missing: Some(how.into()) }
    }
}

/// A policy's folder: its files, its architecture, and whether outputs fit into its positions.
pub(crate) fn policy(key: &str, folder: &Path, config: &RunConfig) -> Outcome<Need> {
    let what = format!("the model {}", folder.display());
    if !folder.is_dir() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let how = format!(
            "a Hugging Face folder with config.json, *.safetensors and tokenizer.json; from the \
             hub: hf download OWNER/{name} --local-dir {}",
            folder.display()
        );
        return Ok(Need::missing(key, what, how));
    }
    if folder.join("config.json").is_file() {
        let shape = ModelConfig::load(folder).or_input_at(format!("`{key}`"))?;
        let completion = config.rollout.max_completion_tokens as usize;
        if completion >= shape.max_position_embeddings {
            return Err(Fault::input(format!(
                "`rollout.max_completion_tokens`: {completion} tokens leave no room for a prompt \
                 in the {} positions of {}; make it smaller",
                shape.max_position_embeddings,
                folder.display()
            )));
        }
    }
    let mut lacks: Vec<&str> = ["config.json", "tokenizer.json"]
        .into_iter()
        .filter(|name| !folder.join(name).is_file())
        .collect();
    let entries = std::fs::read_dir(folder).or_input_at(folder.display())?;
    let weights = entries
        .flatten()
        .any(|entry| entry.path().extension().is_some_and(|it| it == "safetensors"));
    if !weights {
        lacks.push("*.safetensors");
    }
    if lacks.is_empty() {
        return Ok(Need::there(key, what));
    }
    let how = format!("it lacks {}: fetch it again, whole", lacks.join(", "));
    Ok(Need::missing(key, what, how))
}

/// A checkpoint that a run continues from.
pub(crate) fn checkpoint(folder: &Path) -> Need {
    let (key, what) = ("policy.continue_from", format!("the checkpoint {}", folder.display()));
    if folder.join("config.json").is_file() {
        return Need::there(key, what);
    }
    Need::missing(key, what, "the run that is continued writes it (RUN/checkpoints/step-N)")
}

/// A model that judges ask.
pub(crate) fn model(name: &str, source: &ModelSource, file: &Path) -> Outcome<Vec<Need>> {
    models::check(name, source, file)?;
    let at = |field: &str| format!("models.{name}.{field}");
    let mut needs = Vec::new();
    if let (Some(endpoint), Some(model)) = (&source.endpoint, &source.model) {
        let what = format!("{model} at {endpoint} (not asked in a dry run)");
        needs.push(Need::there(at("endpoint"), what));
    }
    if let Some(variable) = &source.key_env {
        let what = format!("the key in ${variable}");
        needs.push(match models::lacks_key(variable) {
            None => Need::there(at("key_env"), what),
            Some(why) => Need::missing(at("key_env"), what, format!("{why}: export {variable}=…")),
        });
    }
    for (field, path) in
        [("folder", &source.folder), ("gguf", &source.gguf), ("tokenizer", &source.tokenizer)]
    {
        let Some(path) = path else { continue };
        let what = format!("the judges' model {}", path.display());
        needs.push(if path.exists() {
            Need::there(at(field), what)
        } else {
            let how = "put it there; from the hub: hf download OWNER/NAME --local-dir DIR";
            Need::missing(at(field), what, how)
        });
    }
    Ok(needs)
}
