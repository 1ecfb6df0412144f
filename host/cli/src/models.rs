//! The models that a run's judges ask: opened from the run file, handed to the runtime.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use omni_judge::{
    EndpointSettings, Failure, FailureKind, JudgeModel, Key, Ledger, ModelSettings, Prices, Source,
};
use omni_runtime::{Answer, Model, Question};
use omni_train::RunConfig;
use omni_train::config::{ModelSource, Task as Entry};

use crate::console;
use crate::fault::{Blame as _, Fault, Outcome};

/// A run's models, those that its tasks' judges can ask.
#[derive(Debug, Default)]
pub(crate) struct Models(BTreeMap<String, Arc<JudgeModel>>);

impl Models {
    /// Opens the models of these names, answers being recorded in (and taken from) a ledger.
    pub(crate) fn open<'a>(
        config: &RunConfig,
        names: impl Iterator<Item = &'a str>,
        ledger: &Arc<Ledger>,
        file: &Path,
    ) -> Outcome<Self> {
        let mut models = BTreeMap::new();
        for name in names {
            let Some(source) = config.models.get(name) else { continue };
            if models.contains_key(name) {
                continue;
            }
            let at = || format!("{}: `models.{name}`", file.display());
            let settings = settings(name, source, true).map_err(|(key, message)| {
                Fault::input(format!("{}: `models.{name}.{key}`: {message}", file.display()))
            })?;
            let spinner = console::spinner(format!("opening the model `{name}`"));
            let model = JudgeModel::open(settings, Arc::clone(ledger));
            spinner.finish_and_clear();
            models.insert(name.to_owned(), Arc::new(model.or_input_at(at())?));
        }
        Ok(Self(models))
    }

    /// The models of a recorded run, answered from its record alone.
    pub(crate) fn replaying(
        config: &RunConfig,
        identities: &BTreeMap<String, String>,
        ledger: &Arc<Ledger>,
    ) -> Self {
        let models = config.models.iter().filter_map(|(name, source)| {
            // A model without an identity was never opened by the run, hence never asked.
            let identity = identities.get(name).cloned().unwrap_or_default();
            let settings = settings(name, source, false).ok()?;
            let model = JudgeModel::replaying(settings, identity, Arc::clone(ledger));
            Some((name.clone(), Arc::new(model)))
        });
        Self(models.collect())
    }

    /// The model that a task's judge asks.
    pub(crate) fn of(&self, config: &RunConfig, entry: &Entry) -> Asked {
        match config.judge_model(entry) {
            Some(name) => self.0.get(name).map_or(Asked::None, |it| Asked::Model(Arc::clone(it))),
            None if config.models.is_empty() => Asked::None,
            None => Asked::Unnamed(config.models.keys().cloned().collect::<Vec<_>>().join(", ")),
        }
    }

    /// A model by its name.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<JudgeModel>> {
        self.0.get(name)
    }

    /// What decides each model's answers, for the lock.
    pub(crate) fn identities(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, model)| (name.clone(), model.identity().to_owned())).collect()
    }

    /// The most questions that a model takes at a time.
    pub(crate) fn concurrency(&self) -> usize {
        self.0.values().map(|model| model.concurrency()).max().unwrap_or(1)
    }

    /// One line for each model that was asked something.
    pub(crate) fn say(&self) {
        for (name, model) in &self.0 {
            let tally = model.tally();
            if tally.questions == 0 {
                continue;
            }
            let mut words = vec![format!("{} questions", tally.questions)];
            if tally.known > 0 {
                words.push(format!("{} of them answered before", tally.known));
            }
            let failed: Vec<String> =
                tally.failed.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            if !failed.is_empty() {
                words.push(format!("failed: {}", failed.join(", ")));
            }
            if tally.spent.tokens() > 0 {
                words.push(format!(
                    "{} tokens read and {} written in all",
                    tally.spent.prompt_tokens, tally.spent.completion_tokens
                ));
            }
            if let Some(money) = tally.money {
                words.push(format!("cost {money:.4}"));
            }
            console::say(format!("model {name}: {}", words.join(", ")));
        }
    }
}

/// What a task's judge asks.
#[derive(Clone, Debug, Default)]
pub(crate) enum Asked {
    /// Nothing: the run has no model.
    #[default]
    None,
    /// There are several models, and the task names none.
    Unnamed(String),
    /// A model.
    Model(Arc<JudgeModel>),
    /// Nobody: questions are counted.
    Counted(Arc<Counter>),
}

/// Counts questions, and answers none.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Questions so far.
    pub(crate) fn questions(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Asked {
    /// The runtime's view of it, for one scoring.
    pub(crate) fn by(&self, asker: String) -> Arc<dyn Model> {
        Arc::new(Asking { asked: self.clone(), asker })
    }
}

/// A model as one scoring asks it.
struct Asking {
    asked: Asked,
    asker: String,
}

impl Model for Asking {
    fn answer(&self, questions: &[Question]) -> Vec<Answer> {
        let model = match &self.asked {
            Asked::Model(model) => model,
            Asked::Counted(counter) => {
                counter.0.fetch_add(questions.len() as u64, Ordering::Relaxed);
                return vec![no_model("nobody is asked in a dry run"); questions.len()];
            }
            Asked::None => {
                return vec![no_model("no model to ask; name one in [models]"); questions.len()];
            }
            Asked::Unnamed(names) => {
                let message = format!(
                    "this task does not say which model its judge asks; set judge_model to one \
                     of {names}"
                );
                return vec![no_model(&message); questions.len()];
            }
        };
        let questions: Vec<omni_judge::Question> = questions
            .iter()
            .map(|question| omni_judge::Question {
                messages: question.messages.clone(),
                max_tokens: question.max_tokens,
                temperature: question.temperature,
            })
            .collect();
        let answers = model.answer(&self.asker, &questions);
        answers
            .into_iter()
            .map(|answer| match answer {
                Ok(text) => Answer::Text(text),
                Err(failure) => Answer::Failed(failure.to_string()),
            })
            .collect()
    }
}

fn no_model(message: &str) -> Answer {
    Answer::Failed(Failure::new(FailureKind::Rejected, message).to_string())
}

/// A model's settings; without `key` the key is left out, since nothing is sent.
fn settings(
    name: &str,
    source: &ModelSource,
    key: bool,
) -> Result<ModelSettings, (&'static str, String)> {
    let place = match (&source.endpoint, &source.folder, &source.gguf) {
        (Some(url), ..) => {
            let mut endpoint =
                EndpointSettings::new(url.clone(), source.model.clone().unwrap_or_default());
            if let (true, Some(variable)) = (key, &source.key_env) {
                endpoint.key = Some(secret(variable).map_err(|message| ("key_env", message))?);
            }
            let seconds = |value: f64| Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX);
            endpoint.extra = source.extra.clone();
            endpoint.concurrency = source.concurrency as usize;
            endpoint.timeout = seconds(source.timeout_seconds);
            endpoint.retries = source.retries;
            endpoint.backoff = seconds(source.backoff_seconds);
            endpoint.max_wait = seconds(source.max_wait_seconds);
            Source::Endpoint(endpoint)
        }
        (None, Some(folder), _) => Source::Folder(folder.clone()),
        (None, None, Some(file)) => {
            let beside = || file.parent().unwrap_or(Path::new("")).to_owned();
            let tokenizer = source.tokenizer.clone().unwrap_or_else(beside);
            Source::Gguf { file: file.clone(), tokenizer }
        }
        (None, None, None) => return Err(("endpoint", "is missing".to_owned())),
    };
    let mut settings = ModelSettings::new(name, place);
    settings.temperature = source.temperature.map(|value| value as f32);
    settings.max_tokens = source.max_tokens;
    settings.token_budget = source.token_budget;
    settings.money_budget = source.money_budget;
    settings.prices = Prices { input: source.price_input, output: source.price_output };
    settings.record_questions = source.record_questions;
    Ok(settings)
}

/// Opens a model as far as that needs neither its key nor its files.
pub(crate) fn check(name: &str, source: &ModelSource, file: &Path) -> Outcome<()> {
    if source.endpoint.is_none() {
        return Ok(());
    }
    let key = source.key_env.as_deref().is_some_and(|variable| secret(variable).is_ok());
    let settings = settings(name, source, key).map_err(|(key, message)| {
        Fault::input(format!("{}: `models.{name}.{key}`: {message}", file.display()))
    })?;
    JudgeModel::open(settings, Arc::new(Ledger::in_memory()))
        .map(drop)
        .or_input_at(format!("{}: `models.{name}`", file.display()))
}

/// Why a variable holds no key; none where it does.
pub(crate) fn lacks_key(variable: &str) -> Option<String> {
    secret(variable).err()
}

/// A key from the environment; messages name the variable and never its value.
fn secret(variable: &str) -> Result<Key, String> {
    match std::env::var(variable) {
        Ok(text) if Key::new(&text).is_empty() => {
            Err(format!("the environment variable `{variable}` is empty"))
        }
        Ok(text) => Ok(Key::new(&text)),
        Err(std::env::VarError::NotPresent) => {
            Err(format!("the environment variable `{variable}` is not set; it holds the key"))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(format!("the environment variable `{variable}` is not UTF-8"))
        }
    }
}
