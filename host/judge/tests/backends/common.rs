//! What the tests share.

use std::sync::Arc;
use std::time::Duration;

use omni_judge::{Answer, EndpointSettings, JudgeModel, Ledger, ModelSettings, Question, Source};
use omni_record::{Message, Role};

/// A question.
pub(crate) fn question(text: &str) -> Question {
    Question {
        messages: vec![Message { role: Role::User, content: text.into() }],
        max_tokens: 16,
        temperature: 0.5,
    }
}

/// Settings for an endpoint, impatient ones.
pub(crate) fn endpoint(url: &str) -> EndpointSettings {
    let mut settings = EndpointSettings::new(url, "m");
    settings.timeout = Duration::from_secs(30);
    settings.backoff = Duration::from_millis(1);
    settings.retries = 2;
    settings
}

/// A model at an endpoint.
pub(crate) fn model(endpoint: EndpointSettings, ledger: &Arc<Ledger>) -> JudgeModel {
    let settings = ModelSettings::new("judge", Source::Endpoint(endpoint));
    JudgeModel::open(settings, Arc::clone(ledger)).unwrap()
}

/// The answer to one question.
pub(crate) fn ask(model: &JudgeModel, text: &str) -> Answer {
    let mut answers = model.answer("task/1#0", &[question(text)]);
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}
