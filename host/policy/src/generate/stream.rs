//! One stream of generation: places for sequences, refilled as they finish.

use std::collections::VecDeque;
use std::ops::Range;

use super::{PLACES, PREFILL_ROWS, PackedNetwork};
use crate::backend::{Backend, DecodeRow, Draw, Drawn};
use crate::model::layout::Layout;
use crate::model::{Activations, Keep, Network};
use crate::policy::{Generated, GenerationRequest, Group, KeptSet};
use crate::{PolicyError, Sampling};

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
                || self.sampling.truncates(self.network.config.vocab_size))
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
        let weight = |range: &Range<usize>| b.view(net.weights, range.clone());
        let eps = config.rms_norm_eps;
        let Step { x: [x, mid], normed, qkv, attended, gate_up, inner, logits } = s;
        macro_rules! of {
            ($buffer:ident, $width:expr) => {
                b.view($buffer, 0..n * $width)
            };
            (mut $buffer:ident, $width:expr) => {
                b.view_mut($buffer, 0..n * $width)
            };
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
