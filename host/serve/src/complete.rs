//! `/v1/chat/completions` and `/v1/completions`: a request to jobs, their events to an answer.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use omni_policy::Tokenizer;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_stream::Stream;

use crate::answer::{Choice, DONE, Form, Head, event, random_bits};
use crate::fields::Fields;
use crate::prompt::Prompt;
use crate::queue::{Event, Job, Queue, Rejected};
use crate::refusal::Refusal;
use crate::sampling::{MOST_CHOICES, Settings};

/// Tokens of a completion that does not say how many, as OpenAI has it.
const COMPLETION_TOKENS: usize = 16;

/// The policy, as requests see it.
pub(crate) struct Completer {
    pub(crate) name: String,
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) queue: Arc<Queue>,
    /// Longest prompt and answer together.
    pub(crate) positions: usize,
    pub(crate) vocabulary: usize,
    pub(crate) max_tokens: usize,
    /// When the server began, in Unix seconds.
    pub(crate) created: u64,
}

impl Completer {
    /// Refuses another model's name.
    pub(crate) fn check_model(&self, model: &str) -> Result<(), Refusal> {
        if model == self.name {
            return Ok(());
        }
        let message = format!(
            "the model `{}` does not exist; this server has `{}`",
            model.escape_debug(),
            self.name.escape_debug()
        );
        Err(Refusal::missing("model_not_found", message).of("model"))
    }

    /// Answers a request.
    pub(crate) async fn answer(
        self: Arc<Self>,
        form: Form,
        body: Bytes,
    ) -> Result<Response, Refusal> {
        let completer = Arc::clone(&self);
        // Templates and tokenizers take their time over long texts.
        let (settings, prompts) = tokio::task::spawn_blocking(move || completer.read(form, &body))
            .await
            .map_err(|_| Refusal::fault("reading the request panicked"))??;
        let prompt_tokens = prompts.iter().map(Vec::len).sum();
        let choices = prompts.len() * settings.samples;
        let (events, received) = unbounded_channel();
        let jobs = prompts
            .into_iter()
            .enumerate()
            .map(|(n, prompt)| Job {
                prompt,
                samples: settings.samples,
                // A seed gives a prompt the same samples whatever stands beside it.
                seed: settings.seed.unwrap_or_else(random_bits),
                sampling: settings.sampling.clone(),
                stops: Arc::clone(&settings.stops),
                first_choice: n * settings.samples,
                events: events.clone(),
            })
            .collect();
        drop(events);
        self.queue.submit(jobs).map_err(|rejected| match rejected {
            Rejected::Full => Refusal::busy("too many requests wait; try again"),
            Rejected::Ended => Refusal::busy("the server takes no more requests"),
        })?;
        let head = Head::new(form, self.name.clone(), prompt_tokens, settings.include_usage);
        if settings.stream {
            Ok(stream(Chunks::new(head, received, choices)))
        } else {
            whole(&head, received, choices).await
        }
    }

    /// The settings and the prompts' tokens.
    fn read(&self, form: Form, body: &[u8]) -> Result<(Settings, Vec<Vec<u32>>), Refusal> {
        let mut fields = Fields::parse(body)?;
        let default_tokens = match form {
            Form::Chat => self.max_tokens,
            Form::Completion => COMPLETION_TOKENS,
        };
        let settings = Settings::take(&mut fields, default_tokens, self.max_tokens)?;
        self.check_model(&settings.model)?;
        let (name, prompts) = match form {
            Form::Chat => ("messages", Prompt::chat(&mut fields)?),
            Form::Completion => ("prompt", Prompt::completions(&mut fields)?),
        };
        fields.finish()?;
        let choices = prompts.len().saturating_mul(settings.samples);
        if choices > MOST_CHOICES as usize {
            let message = format!(
                "{} prompts, {} times each, are {choices} completions; at most {MOST_CHOICES} are \
                 made at once",
                prompts.len(),
                settings.samples
            );
            return Err(Refusal::value(name, message));
        }
        let prompts = prompts
            .into_iter()
            .map(|prompt| {
                let tokens = prompt.encode(&self.tokenizer)?;
                self.check_tokens(name, &tokens)?;
                Ok(tokens)
            })
            .collect::<Result<_, Refusal>>()?;
        Ok((settings, prompts))
    }

    fn check_tokens(&self, name: &str, tokens: &[u32]) -> Result<(), Refusal> {
        if tokens.is_empty() {
            return Err(Refusal::value(name, format!("`{name}` holds no token")));
        }
        if tokens.len() >= self.positions {
            let message = format!(
                "this model's context length is {} tokens; the prompt has {}, which leaves none \
                 for an answer",
                self.positions,
                tokens.len()
            );
            return Err(Refusal::bad("context_length_exceeded", message).of(name));
        }
        match tokens.iter().find(|&&token| token as usize >= self.vocabulary) {
            Some(token) => Err(Refusal::value(
                name,
                format!("token {token} is outside the vocabulary of {}", self.vocabulary),
            )),
            None => Ok(()),
        }
    }
}

/// Waits for all choices.
async fn whole(
    head: &Head,
    mut events: UnboundedReceiver<Event>,
    count: usize,
) -> Result<Response, Refusal> {
    let mut choices = vec![Choice::default(); count];
    while let Some(event) = events.recv().await {
        match event {
            Event::Text { choice, text } => choices[choice].text.push_str(&text),
            Event::End { choice, finish, tokens } => {
                choices[choice].finish = Some(finish);
                choices[choice].tokens = tokens;
            }
            Event::Failed(message) => return Err(Refusal::fault(message)),
        }
    }
    if choices.iter().any(|choice| choice.finish.is_none()) {
        return Err(Refusal::fault(ENDED));
    }
    Ok(axum::Json(head.whole(&choices)).into_response())
}

const ENDED: &str = "the policy's thread ended before the answer did";

/// The answer as server-sent events.
fn stream(chunks: Chunks) -> Response {
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Turns events into chunks as they come. Dropping it, as when the client goes away, ends its jobs.
struct Chunks {
    head: Head,
    events: UnboundedReceiver<Event>,
    ready: VecDeque<Bytes>,
    /// Choices that have not ended.
    left: usize,
    tokens: usize,
    over: bool,
}

impl Chunks {
    fn new(head: Head, events: UnboundedReceiver<Event>, choices: usize) -> Self {
        let ready = (0..choices).filter_map(|index| head.opening(index)).collect();
        Self { head, events, ready, left: choices, tokens: 0, over: false }
    }

    fn take(&mut self, event: Option<Event>) {
        let failed = match event {
            Some(Event::Text { choice, text }) => {
                self.ready.push_back(self.head.text(choice, &text));
                return;
            }
            Some(Event::End { choice, finish, tokens }) => {
                self.ready.push_back(self.head.end(choice, finish));
                self.tokens += tokens;
                self.left -= 1;
                if self.left == 0 {
                    self.ready.extend(self.head.used(self.tokens));
                    self.ready.push_back(DONE);
                    self.over = true;
                }
                return;
            }
            Some(Event::Failed(message)) => message,
            None => ENDED.to_owned(),
        };
        // The status is sent already: the failure is the stream's last event.
        self.ready.push_back(event_of(&Refusal::fault(failed)));
        self.over = true;
    }
}

fn event_of(refusal: &Refusal) -> Bytes {
    event(&refusal.body())
}

impl Stream for Chunks {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(chunk)));
            }
            if self.over {
                return Poll::Ready(None);
            }
            let event = ready!(self.events.poll_recv(context));
            self.take(event);
        }
    }
}
