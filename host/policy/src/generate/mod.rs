//! Generation: prompts prefilled once for all their samples, then one token for every active
//! sequence at a time.
//!
//! A *stream* has a fixed number of places for sequences. A finished sequence's place is taken by
//! the next sample in order, whose prompt is prefilled when its first sample gets a place and
//! forgotten after its last. On the CPU several streams run side by side, each on its own part of
//! the requests: the parts are cut by the requests alone, never by the number of threads.

pub(crate) mod live;
pub(crate) mod rng;
mod stream;

use std::ops::Range;

use crate::backend::Backend;
use crate::model::Network;
use crate::policy::GenerationRequest;
use crate::{PolicyError, Sampling};
pub(crate) use stream::{Sink, Stream};

/// Places for sequences in a stream.
const PLACES: usize = 64;
/// Rows prefilled at a time, unless one prompt alone is longer.
const PREFILL_ROWS: usize = 2048;
/// Samples that are worth a stream of their own, and the most streams.
const STREAM_SAMPLES: usize = 32;
const MAX_STREAMS: usize = 32;

/// Cuts requests into the parts of streams.
pub(crate) fn parts<'r, 'a>(
    requests: &'r [GenerationRequest<'a>],
) -> Vec<Vec<(usize, &'r GenerationRequest<'a>)>> {
    let samples: usize = requests.iter().map(|r| r.samples).sum();
    let streams = samples.div_ceil(STREAM_SAMPLES).clamp(1, MAX_STREAMS).min(requests.len());
    let mut parts = vec![Vec::new(); streams];
    let mut before = 0;
    for (index, request) in requests.iter().enumerate() {
        // The part in which the request's first sample falls.
        let part = (before * streams).checked_div(samples).unwrap_or(0).min(streams - 1);
        parts[part].push((index, request));
        before += request.samples;
    }
    parts
}

/// The model's matrices laid out for decoding.
pub(crate) struct PackedNetwork<B: Backend> {
    layers: Vec<PackedLayer<B>>,
    head: B::Packed,
}

struct PackedLayer<B: Backend> {
    qkv: B::Packed,
    output: B::Packed,
    gate_up: B::Packed,
    down: B::Packed,
}

impl<B: Backend> PackedNetwork<B> {
    pub(crate) fn new(backend: &B, network: &Network<'_, B>) -> Self {
        let shapes = network.linears();
        let pack = |layer, range: &Range<usize>| {
            backend.pack(layer, backend.view(network.weights, range.clone()))
        };
        let layers = network
            .arena
            .layers
            .iter()
            .map(|l| PackedLayer {
                qkv: pack(shapes.qkv, &l.qkv),
                output: pack(shapes.output, &l.output),
                gate_up: pack(shapes.gate_up, &l.gate_up),
                down: pack(shapes.down, &l.down),
            })
            .collect();
        Self { layers, head: pack(shapes.head, &network.arena.head) }
    }
}

/// Checks requests and settings.
pub(crate) fn check<B: Backend>(
    network: &Network<'_, B>,
    requests: &[GenerationRequest<'_>],
    sampling: &Sampling,
) -> Result<(), PolicyError> {
    let bad = |message: String| Err(PolicyError::input(message));
    if !(sampling.temperature >= 0.0 && sampling.temperature.is_finite()) {
        return bad(format!("temperature {} is not 0 or positive", sampling.temperature));
    }
    if !(sampling.top_p > 0.0 && sampling.top_p <= 1.0) {
        return bad(format!("top_p {} is not in (0, 1]", sampling.top_p));
    }
    if sampling.top_k == Some(0) {
        return bad("top_k 0 keeps nothing; leave it out to keep all".into());
    }
    if sampling.max_new_tokens == 0 {
        return bad("max_new_tokens is 0".into());
    }
    for (n, request) in requests.iter().enumerate() {
        network
            .check_tokens(request.prompt)
            .map_err(|m| PolicyError::input(format!("prompt {n}: {m}")))?;
        let (len, most) = (request.prompt.len(), network.config.max_position_embeddings);
        if len == 0 {
            return bad(format!("prompt {n} is empty"));
        }
        if len >= most {
            return bad(format!("prompt {n} has {len} tokens; the model has {most} positions"));
        }
    }
    Ok(())
}
