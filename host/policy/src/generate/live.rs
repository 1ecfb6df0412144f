//! Generation that goes on while requests arrive, and that tells every token as it is drawn.
//!
//! Several streams take requests from one [`Desk`]; a request that arrives gets the next place that
//! is free, beside whatever else is being generated. Its samples are those of
//! [`Policy::generate`](crate::Policy::generate), token by token, since a draw depends on nothing
//! but the request's own seed.

use std::collections::HashMap;

use super::stream::Sink;
use super::{PackedNetwork, Stream, check};
use crate::backend::Backend;
use crate::model::Network;
use crate::policy::{Generated, GenerationRequest};
use crate::{PolicyError, Sampling};

/// A prompt to complete several times, that owns what it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveRequest {
    /// By which the desk knows it; no two of one desk are the same.
    pub id: u64,
    /// At least one token.
    pub prompt: Vec<u32>,
    /// How many completions.
    pub samples: usize,
    /// As in [`GenerationRequest::seed`].
    pub seed: u64,
    /// How its tokens are drawn.
    pub sampling: Sampling,
}

/// Where requests come from and their tokens go. Several threads call it at once; all calls about
/// one request come from the same thread, in order.
pub trait Desk: Sync {
    /// The next request. With `wait` there is nothing else to do: it may wait for one, and none
    /// means that no more will come. Without, none means that nothing waits just now.
    fn next(&self, wait: bool) -> Option<LiveRequest>;

    /// A token was drawn for a request's sample. False ends that sample.
    fn token(&self, request: u64, sample: usize, token: u32) -> bool;

    /// A sample ended: by an end-of-sequence token (`stopped`), or by its length or by
    /// [`Desk::token`].
    fn ended(&self, request: u64, sample: usize, stopped: bool);

    /// A request could not be generated, or not to its end.
    fn failed(&self, request: u64, error: &PolicyError);
}

/// A policy that goes on generating while requests arrive.
pub trait LivePolicy: Send {
    /// Generates until the desk has no more requests, at most `places` samples at a time.
    fn generate_live(&mut self, desk: &dyn Desk, places: usize);
}

/// A stream's side of a desk.
struct Front<'d, 'm, B: Backend> {
    desk: &'d dyn Desk,
    network: Network<'m, B>,
    /// Ids of open requests by the index by which the stream calls them.
    ids: HashMap<usize, u64>,
    next: usize,
}

impl<B: Backend> Sink for Front<'_, '_, B> {
    fn finished(&mut self, request: usize, _: Vec<Generated>) {
        self.ids.remove(&request);
    }

    fn token(&mut self, request: usize, sample: usize, token: u32) -> bool {
        self.ids.get(&request).is_some_and(|&id| self.desk.token(id, sample, token))
    }

    fn ended(&mut self, request: usize, sample: usize, stopped: bool) {
        if let Some(&id) = self.ids.get(&request) {
            self.desk.ended(id, sample, stopped);
        }
    }

    fn next(&mut self, idle: bool) -> Option<(usize, LiveRequest)> {
        loop {
            let request = self.desk.next(idle)?;
            let LiveRequest { id, prompt, samples, seed, sampling } = &request;
            let one = GenerationRequest { prompt, samples: *samples, seed: *seed };
            match check(&self.network, &[one], sampling) {
                Err(error) => self.desk.failed(*id, &error),
                Ok(()) if *samples == 0 => {}
                Ok(()) => {
                    self.next += 1;
                    self.ids.insert(self.next, *id);
                    return Some((self.next, request));
                }
            }
        }
    }
}

/// One stream on a desk, until there are no more requests.
pub(crate) fn stream<'m, B: Backend>(
    desk: &dyn Desk,
    new_backend: impl Fn() -> B,
    network: Network<'m, B>,
    packed: &'m PackedNetwork<B>,
    places: usize,
) {
    let mut front = Front { desk, network, ids: HashMap::new(), next: 0 };
    loop {
        let mut stream = Stream::empty(new_backend(), network, packed, places);
        match stream.run(&mut front) {
            Ok(()) => return,
            // The stream is given up with all that it was at; the next one begins afresh.
            Err(error) => {
                for (_, id) in front.ids.drain() {
                    desk.failed(id, &error);
                }
            }
        }
    }
}
