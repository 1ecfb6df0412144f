//! Pairwise comparisons to verdicts, by way of questions to a model.

use std::sync::Arc;

use omni_record::{ReasonKind, Undefined};

use super::plugin_handle;
use crate::bindings::exports::omni::plugin::judge as wit;
use crate::bindings::exports::omni::plugin::judge::GuestIndices;
use crate::bindings::omni::plugin::types::Error as GuestError;
use crate::error::{CallError, undefined};
use crate::guest::{Call, Guest};
use crate::limits::LoopLimits;
use crate::model::{Answer, Model, Question};
use crate::values::{Comparison, Verdict};

/// A loaded judge plugin.
#[derive(Clone)]
pub struct JudgePlugin {
    shared: Arc<Shared>,
}

struct Shared {
    guest: Arc<Guest>,
    indices: GuestIndices,
}

impl Shared {
    fn new(guest: Arc<Guest>, indices: GuestIndices) -> Self {
        Self { guest, indices }
    }
}

plugin_handle!(JudgePlugin, "judge", GuestIndices);

/// What became of one comparison, and what all of them consumed.
pub(crate) struct Judged {
    pub(crate) verdicts: Vec<Result<Verdict, Undefined>>,
    pub(crate) fuel: u64,
    pub(crate) reproducible: bool,
}

impl JudgePlugin {
    /// Tries a configuration on no comparisons at all.
    ///
    /// # Errors
    /// When the plugin calls its input, which is the configuration alone, invalid. Whatever else
    /// it does without comparisons says nothing of what it does with some.
    pub fn check(&self, config: &str) -> Result<(), CallError> {
        let Shared { guest, indices } = &*self.shared;
        let call = Call::new("decide", "", config.len() as u64);
        let (indices, config) = (indices.clone(), config.to_owned());
        let outcome = guest.call(guest.limits, call, move |store, instance| {
            indices.load(&mut *store, instance)?.call_decide(store, &config, &[], &[], 0)
        });
        match outcome.result {
            Ok(Err(GuestError::InvalidInput(_))) => {
                guest.finish("decide", outcome.flatten()).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// Decides comparisons, asking the model what it must; one result for each, in order.
    ///
    /// When deciding them together faults, each is decided alone, so that one bad text does not
    /// void the others.
    #[must_use]
    pub fn decide(
        &self,
        config: &str,
        comparisons: &[Comparison],
        seed: u32,
        model: &dyn Model,
        limits: &LoopLimits,
    ) -> Vec<Result<Verdict, Undefined>> {
        self.judge(config, comparisons, seed, "", model, limits).verdicts
    }

    pub(crate) fn judge(
        &self,
        config: &str,
        comparisons: &[Comparison],
        seed: u32,
        item: &str,
        model: &dyn Model,
        limits: &LoopLimits,
    ) -> Judged {
        let mut judged = Judged { verdicts: Vec::new(), fuel: 0, reproducible: true };
        let turn = Sitting { plugin: self, config, seed, item, model, limits };
        match turn.run(comparisons, &mut judged) {
            Ok(verdicts) => judged.verdicts = verdicts.into_iter().map(Ok).collect(),
            Err(fault) if comparisons.len() <= 1 => {
                judged.verdicts = vec![Err(fault); comparisons.len()];
            }
            Err(_) => {
                for comparison in comparisons {
                    let alone = turn.run(std::slice::from_ref(comparison), &mut judged);
                    judged.verdicts.push(alone.and_then(|mut v| {
                        v.pop().ok_or_else(|| undefined(ReasonKind::Contract, "no verdict"))
                    }));
                }
            }
        }
        judged
    }
}

/// Everything of a judge's loop that does not change from round to round.
struct Sitting<'a> {
    plugin: &'a JudgePlugin,
    config: &'a str,
    seed: u32,
    item: &'a str,
    model: &'a dyn Model,
    limits: &'a LoopLimits,
}

impl Sitting<'_> {
    fn run(
        &self,
        comparisons: &[Comparison],
        judged: &mut Judged,
    ) -> Result<Vec<Verdict>, Undefined> {
        let Shared { guest, indices } = &*self.plugin.shared;
        let handed: Arc<[_]> = comparisons.iter().map(Into::into).collect();
        let mut bytes: u64 = self.config.len() as u64
            + comparisons
                .iter()
                .map(|c| (c.first.len() + c.second.len() + conversation_bytes(c)) as u64)
                .sum::<u64>();
        let mut answers: Arc<Vec<wit::Answer>> = Arc::default();
        let mut asked_bytes = 0_u64;
        for _ in 0..=self.limits.rounds {
            let call = Call::new("decide", self.item, bytes);
            let (indices, config, seed) = (indices.clone(), self.config.to_owned(), self.seed);
            let (given, heard) = (Arc::clone(&handed), Arc::clone(&answers));
            let outcome = guest.call(guest.limits, call, move |store, instance| {
                let judge = indices.load(&mut *store, instance)?;
                judge.call_decide(store, &config, &given, &heard, seed)
            });
            let outcome = outcome.flatten();
            judged.fuel = judged.fuel.saturating_add(outcome.fuel);
            judged.reproducible &= outcome.reproducible;
            let questions = match outcome.result? {
                wit::Turn::Done(verdicts) if verdicts.len() == comparisons.len() => {
                    return Ok(verdicts.into_iter().map(Into::into).collect());
                }
                wit::Turn::Done(verdicts) => {
                    let message = format!(
                        "{} verdicts for {} comparisons",
                        verdicts.len(),
                        comparisons.len()
                    );
                    return Err(undefined(ReasonKind::Contract, message));
                }
                wit::Turn::Ask(questions) => questions,
            };
            let questions: Vec<Question> = questions.into_iter().map(question).collect();
            asked_bytes += questions.iter().map(question_bytes).sum::<u64>();
            self.check_asked(&questions, answers.len(), asked_bytes)?;
            let replies = self.model.answer(&questions);
            if replies.len() != questions.len() {
                let message =
                    format!("the model gave {} answers to {}", replies.len(), questions.len());
                return Err(undefined(ReasonKind::Host, message));
            }
            for reply in replies {
                let (Answer::Text(text) | Answer::Failed(text)) = &reply;
                bytes += text.len() as u64;
                Arc::make_mut(&mut answers).push(match reply {
                    Answer::Text(text) => wit::Answer::Text(text),
                    Answer::Failed(why) => wit::Answer::Failed(why),
                });
            }
        }
        let message = format!("still asks after {} rounds", self.limits.rounds);
        Err(undefined(ReasonKind::Contract, message))
    }

    fn check_asked(
        &self,
        questions: &[Question],
        before: usize,
        bytes: u64,
    ) -> Result<(), Undefined> {
        let message = if questions.is_empty() {
            "asks nothing and does not decide".to_owned()
        } else if before + questions.len() > self.limits.requests as usize {
            format!("more than {} questions", self.limits.requests)
        } else if bytes > self.limits.request_bytes {
            format!("more than {} bytes of questions", self.limits.request_bytes)
        } else {
            return Ok(());
        };
        Err(undefined(ReasonKind::Contract, message))
    }
}

fn conversation_bytes(comparison: &Comparison) -> usize {
    comparison.conversation.iter().map(|m| m.content.len() + 8).sum()
}

fn question(q: wit::Question) -> Question {
    Question {
        messages: q.messages.into_iter().map(Into::into).collect(),
        max_tokens: q.max_tokens,
        temperature: q.temperature,
    }
}

fn question_bytes(q: &Question) -> u64 {
    q.messages.iter().map(|m| m.content.len() as u64 + 8).sum::<u64>() + 16
}
