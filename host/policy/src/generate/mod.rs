//! Generation: prompts prefilled once for all their samples, then one token for every active
//! sequence at a time.
//!
//! A *stream* has a fixed number of places for sequences. A finished sequence's place is taken by
//! the next sample in order, whose prompt is prefilled when its first sample gets a place and
//! forgotten after its last. On the CPU several streams run side by side, each on its own part of
//! the requests: the parts are cut by the requests alone, never by the number of threads.

pub(crate) mod rng;
pub(crate) mod sampler;

use std::collections::VecDeque;

use crate::backend::{Backend, DecodeRow, Draw, Drawn};
use crate::model::layout::Layout;
use crate::model::{Activations, Keep, Network};
use crate::policy::{Generated, GenerationRequest, Group, KeptSet};
use crate::{PolicyError, Sampling};

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

/// A sequence being generated.
struct Sequence {
    /// Index in [`Stream::prompts`].
    prompt: usize,
    sample: usize,
    tokens: Vec<u32>,
    kept: Option<Vec<KeptSet>>,
}

/// A request and what has come of it.
struct Prompt<'a> {
    index: usize,
    request: &'a GenerationRequest<'a>,
    /// Tokens its completions may have.
    limit: usize,
    /// Place of its prefix in the cache while it is active.
    prefix: usize,
    done: Vec<Option<Generated>>,
    open: usize,
}

/// Buffers of a decoding step, `[places, …]`.
struct Step<B: Backend> {
    x: [B::Buffer; 2],
    normed: B::Buffer,
    qkv: B::Buffer,
    attended: B::Buffer,
    gate_up: B::Buffer,
    inner: B::Buffer,
    logits: B::Buffer,
}

/// One stream of generation.
pub(crate) struct Stream<'m, B: Backend> {
    backend: B,
    network: Network<'m, B>,
    packed: &'m PackedNetwork<B>,
    sampling: &'m Sampling,
    eos: &'m [u32],
    prompts: Vec<Prompt<'m>>,
    /// Samples that have no place yet, in order.
    waiting: VecDeque<(usize, usize)>,
    places: Vec<Option<Sequence>>,
    prefixes: Vec<bool>,
    cache: B::Cache,
    step: Step<B>,
    /// Logits after each active prompt, `[places, V]`.
    prompt_logits: B::Buffer,
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
        let pack = |layer, range: &std::ops::Range<usize>| {
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

impl<'m, B: Backend> Stream<'m, B> {
    pub(crate) fn new(
        backend: B,
        network: Network<'m, B>,
        packed: &'m PackedNetwork<B>,
        sampling: &'m Sampling,
        requests: Vec<(usize, &'m GenerationRequest<'m>)>,
    ) -> Self {
        let config = network.config;
        let prompts: Vec<_> = requests
            .into_iter()
            .map(|(index, request)| Prompt {
                index,
                request,
                limit: (config.max_position_embeddings - request.prompt.len())
                    .min(sampling.max_new_tokens),
                prefix: 0,
                done: vec![None; request.samples],
                open: request.samples,
            })
            .collect();
        let waiting: VecDeque<_> = prompts
            .iter()
            .enumerate()
            .flat_map(|(p, prompt)| (0..prompt.request.samples).map(move |s| (p, s)))
            .collect();
        let places = PLACES.min(waiting.len());
        let heads = network.heads();
        let zeros = |width: usize| backend.zeros(places * width);
        let step = Step {
            x: [zeros(config.hidden_size), zeros(config.hidden_size)],
            normed: zeros(config.hidden_size),
            qkv: zeros(heads.row()),
            attended: zeros(heads.out()),
            gate_up: zeros(2 * config.intermediate_size),
            inner: zeros(config.intermediate_size),
            logits: zeros(config.vocab_size),
        };
        Self {
            cache: backend.cache(heads, config.num_hidden_layers, places),
            prompt_logits: zeros(config.vocab_size),
            step,
            prompts,
            waiting,
            places: (0..places).map(|_| None).collect(),
            prefixes: vec![false; places],
            eos: &config.eos_token_ids,
            backend,
            network,
            packed,
            sampling,
        }
    }

    /// Generates everything; `finished` gets each request's index and samples.
    pub(crate) fn run(
        &mut self,
        finished: &mut dyn FnMut(usize, Vec<Generated>),
    ) -> Result<(), PolicyError> {
        for prompt in self.prompts.iter().filter(|p| p.open == 0) {
            finished(prompt.index, Vec::new());
        }
        loop {
            self.admit(finished)?;
            let active: Vec<usize> =
                (0..self.places.len()).filter(|&p| self.places[p].is_some()).collect();
            if active.is_empty() {
                if self.waiting.is_empty() {
                    return Ok(());
                }
                // Every admitted sample ended with its first token.
                continue;
            }
            let drawn = self.decode(&active)?;
            for (place, drawn) in active.into_iter().zip(drawn) {
                self.push(place, drawn, finished);
            }
        }
    }

    /// Gives free places to waiting samples and draws their first tokens.
    fn admit(
        &mut self,
        finished: &mut dyn FnMut(usize, Vec<Generated>),
    ) -> Result<(), PolicyError> {
        let free = (0..self.places.len()).filter(|&p| self.places[p].is_none());
        let admitted: Vec<(usize, usize, usize)> = free
            .zip(self.waiting.iter().copied())
            .map(|(place, (prompt, sample))| (place, prompt, sample))
            .collect();
        if admitted.is_empty() {
            return Ok(());
        }
        self.waiting.drain(..admitted.len());
        let fresh: Vec<usize> =
            admitted.iter().filter(|(.., sample)| *sample == 0).map(|&(_, p, _)| p).collect();
        self.prefill(&fresh)?;
        let vocabulary = self.network.config.vocab_size;
        let mut draws = Vec::with_capacity(admitted.len());
        for (row, &(place, prompt, sample)) in admitted.iter().enumerate() {
            let Prompt { request, prefix, .. } = &self.prompts[prompt];
            let from = prefix * vocabulary..(prefix + 1) * vocabulary;
            let to = row * vocabulary..(row + 1) * vocabulary;
            self.backend.copy(
                self.backend.view_mut(&mut self.step.logits, to),
                self.backend.view(&self.prompt_logits, from),
            );
            draws.push(Draw { seed: request.seed, sample: sample as u64, position: 0 });
            self.places[place] = Some(Sequence {
                prompt,
                sample,
                tokens: Vec::new(),
                kept: self.records().then(Vec::new),
            });
        }
        let logits = self.backend.view_mut(&mut self.step.logits, 0..draws.len() * vocabulary);
        let drawn = self.backend.sample(self.sampling, &draws, logits)?;
        for ((place, ..), drawn) in admitted.into_iter().zip(drawn) {
            self.push(place, drawn, finished);
        }
        Ok(())
    }

    fn records(&self) -> bool {
        self.sampling.record_kept
            && (self.sampling.temperature == 0.0
                || sampler::truncates(self.sampling, self.network.config.vocab_size))
    }

    /// Runs prompts through the model: their keys and values into the cache, the logits after
    /// their last tokens aside.
    fn prefill(&mut self, prompts: &[usize]) -> Result<(), PolicyError> {
        let mut rest = prompts;
        while !rest.is_empty() {
            let mut rows = 0;
            let take = rest
                .iter()
                .take_while(|&&p| {
                    let before = rows;
                    rows += self.prompts[p].request.prompt.len();
                    before == 0 || rows <= PREFILL_ROWS
                })
                .count();
            let (now, later) = rest.split_at(take);
            self.prefill_batch(now);
            rest = later;
        }
        Ok(())
    }

    fn prefill_batch(&mut self, prompts: &[usize]) {
        let groups: Vec<Group<'_>> = prompts
            .iter()
            .map(|&p| Group { prompt: self.prompts[p].request.prompt, completions: Vec::new() })
            .collect();
        let layout = Layout::new(&groups);
        for &prompt in prompts {
            // As many prefixes as places, and each active prompt holds a place.
            let prefix = self.prefixes.iter().position(|used| !used).unwrap_or_default();
            self.prefixes[prefix] = true;
            self.prompts[prompt].prefix = prefix;
        }
        let (b, net) = (&self.backend, &self.network);
        let row = net.heads().row();
        let (cache, all) = (&mut self.cache, &self.prompts);
        let mut activations = Activations::new(b);
        net.forward(b, &layout, &mut activations, Keep::Nothing, &mut |layer, qkv| {
            for (group, &prompt) in layout.groups.iter().zip(prompts) {
                let rows = group.prompt.start * row..group.prompt.end * row;
                b.cache_prefix(cache, layer, all[prompt].prefix, b.view(qkv, rows));
            }
        });
        let last: Vec<u32> = layout.groups.iter().map(|g| g.prompt.end as u32 - 1).collect();
        let (h, v) = (net.config.hidden_size, net.config.vocab_size);
        let mut gathered = b.zeros(last.len() * h);
        let mut normed = b.zeros(last.len() * h);
        let mut logits = b.zeros(last.len() * v);
        let x = b.view(activations.output(), 0..layout.len() * h);
        b.gather(h, &last, b.view_mut(&mut gathered, 0..last.len() * h), x);
        net.final_norm(b, &mut normed, &gathered, last.len());
        let normed = b.view(&normed, 0..last.len() * h);
        let out = b.view_mut(&mut logits, 0..last.len() * v);
        b.packed_linear(out, normed, &self.packed.head, None);
        for (n, &prompt) in prompts.iter().enumerate() {
            let prefix = self.prompts[prompt].prefix;
            let to = b.view_mut(&mut self.prompt_logits, prefix * v..(prefix + 1) * v);
            b.copy(to, b.view(&logits, n * v..(n + 1) * v));
        }
    }

    /// One step for the sequences at the given places.
    fn decode(&mut self, active: &[usize]) -> Result<Vec<Drawn>, PolicyError> {
        let n = active.len();
        let (mut tokens, mut positions) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let (mut rows, mut draws) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for &place in active {
            let Some(sequence) = &self.places[place] else { continue };
            let Prompt { request, prefix, .. } = &self.prompts[sequence.prompt];
            let done = sequence.tokens.len();
            tokens.extend(sequence.tokens.last());
            positions.push((request.prompt.len() + done - 1) as u32);
            rows.push(DecodeRow { sequence: place, prefix: *prefix });
            let (sample, position) = (sequence.sample as u64, done as u64);
            draws.push(Draw { seed: request.seed, sample, position });
        }
        let Self { backend: b, network: net, packed, step: s, cache, .. } = self;
        let (config, heads) = (net.config, net.heads());
        let (h, i) = (config.hidden_size, config.intermediate_size);
        let weight = |range: &std::ops::Range<usize>| b.view(net.weights, range.clone());
        let eps = config.rms_norm_eps;
        let Step { x: [x, mid], normed, qkv, attended, gate_up, inner, logits } = s;
        macro_rules! of {
            ($buffer:ident, $width:expr) => { b.view($buffer, 0..n * $width) };
            (mut $buffer:ident, $width:expr) => { b.view_mut($buffer, 0..n * $width) };
        }
        b.embedding(h, &tokens, of!(mut x, h), weight(&net.arena.embedding));
        let rope = b.view(net.rope, 0..b.len(net.rope));
        for (l, (ranges, packed)) in net.arena.layers.iter().zip(&packed.layers).enumerate() {
            b.rms_norm(eps, of!(mut normed, h), of!(x, h), weight(&ranges.input_norm));
            b.packed_linear(of!(mut qkv, heads.row()), of!(normed, h), &packed.qkv, None);
            b.rope(heads, &positions, of!(mut qkv, heads.row()), rope);
            let (out, q) = (of!(mut attended, heads.out()), of!(qkv, heads.row()));
            b.decode_attention(cache, l, &rows, out, q);
            let residual = Some(of!(x, h));
            b.packed_linear(of!(mut mid, h), of!(attended, heads.out()), &packed.output, residual);
            b.rms_norm(eps, of!(mut normed, h), of!(mid, h), weight(&ranges.post_norm));
            b.packed_linear(of!(mut gate_up, 2 * i), of!(normed, h), &packed.gate_up, None);
            b.swiglu(i, of!(mut inner, i), of!(gate_up, 2 * i));
            b.packed_linear(of!(mut x, h), of!(inner, i), &packed.down, Some(of!(mid, h)));
        }
        b.rms_norm(eps, of!(mut normed, h), of!(x, h), weight(&net.arena.final_norm));
        b.packed_linear(of!(mut logits, config.vocab_size), of!(normed, h), &packed.head, None);
        b.sample(self.sampling, &draws, of!(mut logits, config.vocab_size))
    }

    /// Appends a token; at the end of a sequence its place becomes free.
    fn push(
        &mut self,
        place: usize,
        drawn: Drawn,
        finished: &mut dyn FnMut(usize, Vec<Generated>),
    ) {
        let Some(sequence) = &mut self.places[place] else { return };
        let stopped = self.eos.contains(&drawn.token);
        sequence.tokens.push(drawn.token);
        if let (Some(all), Some(kept)) = (&mut sequence.kept, drawn.kept) {
            all.push(kept);
        }
        let prompt = &mut self.prompts[sequence.prompt];
        if !stopped && sequence.tokens.len() < prompt.limit {
            return;
        }
        let Some(Sequence { sample, tokens, kept, .. }) = self.places[place].take() else { return };
        self.backend.cache_drop_sequence(&mut self.cache, place);
        prompt.done[sample] = Some(Generated { tokens, stopped, kept });
        prompt.open -= 1;
        if prompt.open == 0 {
            self.backend.cache_drop_prefix(&mut self.cache, prompt.prefix);
            self.prefixes[prompt.prefix] = false;
            finished(prompt.index, prompt.done.drain(..).flatten().collect());
        }
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
        network.check_tokens(request.prompt).map_err(|m| PolicyError::input(format!("prompt {n}: {m}")))?;
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
