//! Comparisons, a round at a time: replayed from the replies so far, asked for when those run out.
//!
//! The reward is a pure function that is called again with every reply; a tournament is therefore
//! played from its start in each call, and each call gets one round further.

use omni_sdk::reward::{Error, Group, Reply, Request};
use omni_writing_compared::{comparison, outcome, stands_first};

/// What one side of a bout comes to: 1 won, 0.5 a tie, 0 lost; or why nobody knows.
pub(crate) type Outcome = Result<f64, String>;

/// Why a tournament goes no further in this call.
#[derive(Debug)]
pub(crate) enum Pause {
    /// These must be compared first.
    Ask(Vec<Request>),
    /// It cannot be played.
    Fault(Error),
}

impl From<Error> for Pause {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

/// The comparisons of one group, in the order of asking.
pub(crate) struct Bouts<'a> {
    group: &'a Group,
    rubric: Option<String>,
    judge: Option<&'a str>,
    replies: &'a [Reply],
    used: usize,
}

impl<'a> Bouts<'a> {
    pub(crate) fn new(
        group: &'a Group,
        rubric: Option<String>,
        judge: Option<&'a str>,
        replies: &'a [Reply],
    ) -> Self {
        Self { group, rubric, judge, replies, used: 0 }
    }

    /// One round: for each pair, what its first text comes to.
    pub(crate) fn play(&mut self, pairs: &[(&str, &str)]) -> Result<Vec<Outcome>, Pause> {
        let start = self.used;
        let one_first = |at: usize| stands_first(self.group.seed, start + at);
        let left = &self.replies[start..];
        if left.is_empty() && !pairs.is_empty() {
            let requests = pairs.iter().enumerate().map(|(at, pair)| {
                let rubric = self.rubric.as_deref();
                let item = &self.group.item;
                Request::Compare(comparison(item, rubric, self.judge, *pair, one_first(at)))
            });
            return Err(Pause::Ask(requests.collect()));
        }
        if left.len() < pairs.len() {
            let message = format!("{} replies to {} comparisons", left.len(), pairs.len());
            return Err(Error::internal(message).into());
        }
        let replies = left.iter().take(pairs.len()).enumerate();
        let outcomes = replies.map(|(at, reply)| outcome(reply, one_first(at))).collect();
        self.used += pairs.len();
        Ok(outcomes)
    }

    /// Whether every reply was to something asked.
    pub(crate) fn end(&self) -> Result<(), Pause> {
        let extra = self.replies.len() - self.used;
        if extra == 0 {
            return Ok(());
        }
        Err(Error::internal(format!("{extra} replies to nothing that was asked")).into())
    }
}
