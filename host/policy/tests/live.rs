//! Generation that goes on while requests arrive gives what [`Policy::generate`] gives.

#![expect(clippy::unwrap_used, reason = "a test ends where something is wrong")]

mod common;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex};

use common::{Numbers, fixture, tiny};
use omni_policy::{
    CpuPolicy, Desk, Generated, GenerationRequest, LivePolicy, LiveRequest, Policy, PolicyError,
    Sampling,
};

/// Hands requests out, some of them only when others have come so far, and writes down what it is
/// told.
#[derive(Default)]
struct Notes {
    state: Mutex<State>,
    changed: Condvar,
    /// Tokens after which a request's samples are ended.
    enough: BTreeMap<u64, usize>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<LiveRequest>,
    /// Handed out once so many tokens were drawn.
    later: VecDeque<(usize, LiveRequest)>,
    drawn: usize,
    samples: BTreeMap<(u64, usize), Generated>,
    ended: BTreeMap<(u64, usize), bool>,
    failed: BTreeMap<u64, String>,
}

impl Desk for Notes {
    fn next(&self, wait: bool) -> Option<LiveRequest> {
        let mut state = self.state.lock().unwrap();
        loop {
            let drawn = state.drawn;
            while state.later.front().is_some_and(|(after, _)| *after <= drawn) {
                let (_, request) = state.later.pop_front().unwrap();
                state.waiting.push_back(request);
            }
            if let Some(request) = state.waiting.pop_front() {
                return Some(request);
            }
            if !wait || state.later.is_empty() {
                // Whoever else waits has nothing to wait for either.
                self.changed.notify_all();
                return None;
            }
            state = self.changed.wait(state).unwrap();
        }
    }

    fn token(&self, request: u64, sample: usize, token: u32) -> bool {
        let mut state = self.state.lock().unwrap();
        state.drawn += 1;
        self.changed.notify_all();
        let empty = Generated { tokens: Vec::new(), stopped: false, kept: None };
        let entry = state.samples.entry((request, sample)).or_insert(empty);
        entry.tokens.push(token);
        self.enough.get(&request).is_none_or(|&enough| entry.tokens.len() < enough)
    }

    fn ended(&self, request: u64, sample: usize, stopped: bool) {
        let mut state = self.state.lock().unwrap();
        assert!(state.ended.insert((request, sample), stopped).is_none(), "ended twice");
    }

    fn failed(&self, request: u64, error: &PolicyError) {
        self.state.lock().unwrap().failed.insert(request, error.to_string());
    }
}

fn requests() -> Vec<LiveRequest> {
    let mut numbers = Numbers::new(3);
    (0..30)
        .map(|id| LiveRequest {
            id,
            prompt: numbers.tokens(1 + 3 * id as usize, 256),
            samples: 1 + id as usize % 4,
            seed: id % 5,
            sampling: Sampling {
                temperature: [1.0, 0.0, 0.6][id as usize % 3],
                top_k: (id % 4 == 1).then_some(8),
                top_p: if id % 5 == 2 { 0.9 } else { 1.0 },
                max_new_tokens: 1 + 7 * (id as usize % 6),
                record_kept: false,
            },
        })
        .collect()
}

fn alone(policy: &mut CpuPolicy, request: &LiveRequest) -> Vec<Generated> {
    let mut all = Vec::new();
    let LiveRequest { prompt, samples, seed, sampling, .. } = request;
    let one = GenerationRequest { prompt, samples: *samples, seed: *seed };
    policy.generate(&[one], sampling, &mut |_, samples| all = samples).unwrap();
    all
}

#[test]
fn samples_are_those_of_a_request_alone() {
    let mut policy = CpuPolicy::load(&fixture("nano"), Some(1)).unwrap();
    let want: Vec<Vec<Generated>> =
        requests().iter().map(|request| alone(&mut policy, request)).collect();
    for (threads, places) in [(1, 1), (1, 7), (2, 3), (3, 64)] {
        let notes = Notes::default();
        // A third of them come while others are generated.
        for (n, request) in requests().into_iter().enumerate() {
            let mut state = notes.state.lock().unwrap();
            match n % 3 {
                0 => state.later.push_back((5 * n, request)),
                _ => state.waiting.push_back(request),
            }
        }
        let mut policy = CpuPolicy::load(&fixture("nano"), Some(threads)).unwrap();
        policy.generate_live(&notes, places);
        let state = notes.state.into_inner().unwrap();
        assert!(state.failed.is_empty(), "{:?}", state.failed);
        for (request, want) in requests().iter().zip(&want) {
            for (sample, want) in want.iter().enumerate() {
                let at = (request.id, sample);
                assert_eq!(state.samples[&at].tokens, want.tokens);
                assert_eq!(state.ended[&at], want.stopped);
            }
        }
        assert_eq!(state.ended.len(), want.iter().map(Vec::len).sum::<usize>());
    }
}

#[test]
fn samples_end_when_they_are_told_to() {
    let mut policy = CpuPolicy::load(&fixture("nano"), Some(2)).unwrap();
    let enough = BTreeMap::from([(1, 1), (2, 4)]);
    let mut notes = Notes { enough, ..Notes::default() };
    let sampling = Sampling { max_new_tokens: 400, ..Sampling::default() };
    for id in 0..4 {
        let (prompt, sampling) = (vec![9, 8, 7], sampling.clone());
        let request = LiveRequest { id, prompt, samples: 3, seed: 1, sampling };
        notes.state.get_mut().unwrap().waiting.push_back(request);
    }
    policy.generate_live(&notes, 5);
    let state = notes.state.into_inner().unwrap();
    for sample in 0..3 {
        let tokens = |id| &state.samples[&(id, sample)].tokens;
        // What was drawn before is what would have been drawn.
        assert_eq!(tokens(0), tokens(3));
        assert_eq!(tokens(1)[..], tokens(0)[..1]);
        assert_eq!(tokens(2)[..], tokens(0)[..4.min(tokens(0).len())]);
    }
    assert!((0..3).any(|sample| state.samples[&(0, sample)].tokens.len() > 4));
}

#[test]
fn unusable_requests_fail_alone() {
    let mut policy = CpuPolicy::init_random(tiny(true), 5, Some(2)).unwrap();
    let notes = Notes::default();
    let request = |id, prompt: Vec<u32>, temperature| LiveRequest {
        id,
        prompt,
        samples: 1,
        seed: 0,
        sampling: Sampling { temperature, max_new_tokens: 3, ..Sampling::default() },
    };
    notes.state.lock().unwrap().waiting.extend([
        request(0, vec![], 1.0),
        request(1, vec![19], 1.0),
        request(2, vec![1; 256], 1.0),
        request(3, vec![2], -1.0),
        request(4, vec![2], 1.0),
    ]);
    policy.generate_live(&notes, 2);
    let state = notes.state.into_inner().unwrap();
    assert_eq!(state.failed.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(state.failed[&1].contains("token 19"), "{:?}", state.failed);
    assert_eq!(state.ended.len(), 1);
}
