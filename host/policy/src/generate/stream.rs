//! One stream of generation: places for sequences, refilled as they finish.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use super::live::LiveRequest;
use super::{PLACES, PREFILL_ROWS, PackedNetwork};
use crate::backend::{Backend, DecodeRow, Draw, Drawn};
use crate::model::layout::Layout;
use crate::model::{Activations, Keep, Network};
use crate::policy::{Generated, GenerationRequest, Group, KeptSet};
use crate::{PolicyError, Sampling};

/// What a stream tells of its work, and where further work comes from.
pub(crate) trait Sink {
    /// All samples of a request are finished.
    fn finished(&mut self, request: usize, samples: Vec<Generated>);

    /// A token was drawn; false ends its sample.
    fn token(&mut self, request: usize, sample: usize, token: u32) -> bool {
        let _ = (request, sample, token);
        true
    }

    /// A sample ended, by an end-of-sequence token or otherwise.
    fn ended(&mut self, request: usize, sample: usize, stopped: bool) {
        let _ = (request, sample, stopped);
    }

    /// A further request, with the index by which it is called; none of them waits now. An idle
    /// stream has nothing else to do: none ends it.
    fn next(&mut self, idle: bool) -> Option<(usize, LiveRequest)> {
        let _ = idle;
        None
    }
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
    tokens: Cow<'a, [u32]>,
    seed: u64,
    sampling: Sampling,
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
    eos: &'m [u32],
    prompts: Vec<Prompt<'m>>,
    /// Indices in `prompts` of finished ones.
    vacant: Vec<usize>,
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
    /// A stream that generates the given requests.
    pub(crate) fn new(
        backend: B,
        network: Network<'m, B>,
        packed: &'m PackedNetwork<B>,
        sampling: &Sampling,
        requests: Vec<(usize, &GenerationRequest<'m>)>,
    ) -> Self {
        let samples: usize = requests.iter().map(|(_, request)| request.samples).sum();
        let mut stream = Self::empty(backend, network, packed, PLACES.min(samples));
        for (index, request) in requests {
            let tokens = Cow::Borrowed(request.prompt);
            stream.open(index, tokens, request.samples, request.seed, sampling.clone());
        }
        stream
    }

    /// A stream that gets its requests from its sink.
    pub(crate) fn empty(
        backend: B,
        network: Network<'m, B>,
        packed: &'m PackedNetwork<B>,
        places: usize,
    ) -> Self {
        let config = network.config;
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
            prompts: Vec::new(),
            vacant: Vec::new(),
            waiting: VecDeque::new(),
            places: (0..places).map(|_| None).collect(),
            prefixes: vec![false; places],
            eos: &config.eos_token_ids,
            backend,
            network,
            packed,
        }
    }

    /// Adds a request, whose samples wait for places.
    fn open(
        &mut self,
        index: usize,
        tokens: Cow<'m, [u32]>,
        samples: usize,
        seed: u64,
        sampling: Sampling,
    ) {
        let positions = self.network.config.max_position_embeddings;
        let limit = (positions - tokens.len()).min(sampling.max_new_tokens);
        let done = vec![None; samples];
        let prompt =
            Prompt { index, tokens, seed, sampling, limit, prefix: 0, done, open: samples };
        let at = match self.vacant.pop() {
            Some(at) => {
                self.prompts[at] = prompt;
                at
            }
            None => {
                self.prompts.push(prompt);
                self.prompts.len() - 1
            }
        };
        self.waiting.extend((0..samples).map(|sample| (at, sample)));
    }

    /// Generates everything.
    pub(crate) fn run(&mut self, sink: &mut dyn Sink) -> Result<(), PolicyError> {
        for prompt in self.prompts.iter().filter(|p| p.open == 0) {
            sink.finished(prompt.index, Vec::new());
        }
        while self.refill(sink) {
            self.admit(sink)?;
            let active: Vec<usize> =
                (0..self.places.len()).filter(|&p| self.places[p].is_some()).collect();
            if active.is_empty() {
                // Every admitted sample ended with its first token.
                continue;
            }
            let drawn = self.decode(&active)?;
            for (place, drawn) in active.into_iter().zip(drawn) {
                self.push(place, drawn, sink);
            }
        }
        Ok(())
    }

    /// Takes further requests while places are free for them; false when nothing is left to do.
    fn refill(&mut self, sink: &mut dyn Sink) -> bool {
        let busy = self.places.iter().flatten().count();
        loop {
            let idle = busy == 0 && self.waiting.is_empty();
            if !idle && busy + self.waiting.len() >= self.places.len() {
                return true;
            }
            match sink.next(idle) {
                Some((index, request)) => {
                    let LiveRequest { prompt, samples, seed, sampling, .. } = request;
                    self.open(index, Cow::Owned(prompt), samples, seed, sampling);
                }
                None => return !idle,
            }
        }
    }

    /// Gives free places to waiting samples and draws their first tokens.
    fn admit(&mut self, sink: &mut dyn Sink) -> Result<(), PolicyError> {
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
            let Prompt { seed, prefix, .. } = self.prompts[prompt];
            let from = prefix * vocabulary..(prefix + 1) * vocabulary;
            let to = row * vocabulary..(row + 1) * vocabulary;
            self.backend.copy(
                self.backend.view_mut(&mut self.step.logits, to),
                self.backend.view(&self.prompt_logits, from),
            );
            draws.push(Draw { seed, sample: sample as u64, position: 0 });
            self.places[place] = Some(Sequence {
                prompt,
                sample,
                tokens: Vec::new(),
                kept: self.records(prompt).then(Vec::new),
            });
        }
        let drawn = self.draw(&draws, admitted.iter().map(|&(_, prompt, _)| prompt))?;
        for ((place, ..), drawn) in admitted.into_iter().zip(drawn) {
            self.push(place, drawn, sink);
        }
        Ok(())
    }

    fn records(&self, prompt: usize) -> bool {
        let sampling = &self.prompts[prompt].sampling;
        sampling.record_kept
            && (sampling.temperature == 0.0 || sampling.truncates(self.network.config.vocab_size))
    }

    /// Draws a token from each row of logits, by the settings of the row's prompt; neighbours with
    /// the same settings in one call.
    fn draw(
        &mut self,
        draws: &[Draw],
        prompts: impl Iterator<Item = usize>,
    ) -> Result<Vec<Drawn>, PolicyError> {
        let Self { backend: b, step, prompts: all, .. } = self;
        let vocabulary = self.network.config.vocab_size;
        let settings: Vec<&Sampling> = prompts.map(|prompt| &all[prompt].sampling).collect();
        let mut drawn = Vec::with_capacity(draws.len());
        for run in settings.chunk_by(|a, b| a == b) {
            let rows = drawn.len()..drawn.len() + run.len();
            let logits = rows.start * vocabulary..rows.end * vocabulary;
            let logits = b.view_mut(&mut step.logits, logits);
            drawn.extend(b.sample(run[0], &draws[rows], logits)?);
        }
        Ok(drawn)
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
                    rows += self.prompts[p].tokens.len();
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
        for &prompt in prompts {
            // As many prefixes as places, and each active prompt holds a place.
            let prefix = self.prefixes.iter().position(|used| !used).unwrap_or_default();
            self.prefixes[prefix] = true;
            self.prompts[prompt].prefix = prefix;
        }
        let groups: Vec<Group<'_>> = prompts
            .iter()
            .map(|&p| Group { prompt: &self.prompts[p].tokens, completions: Vec::new() })
            .collect();
        let layout = Layout::new(&groups);
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
        let mut prompts = Vec::with_capacity(n);
        for &place in active {
            let Some(sequence) = &self.places[place] else { continue };
            let prompt = &self.prompts[sequence.prompt];
            let done = sequence.tokens.len();
            tokens.extend(sequence.tokens.last());
            positions.push((prompt.tokens.len() + done - 1) as u32);
            rows.push(DecodeRow { sequence: place, prefix: prompt.prefix });
            let (sample, position) = (sequence.sample as u64, done as u64);
            draws.push(Draw { seed: prompt.seed, sample, position });
            prompts.push(sequence.prompt);
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
        self.draw(&draws, prompts.into_iter())
    }

    /// Appends a token; at the end of a sequence its place becomes free.
    fn push(&mut self, place: usize, drawn: Drawn, sink: &mut dyn Sink) {
        let Some(sequence) = &mut self.places[place] else { return };
        let stopped = self.eos.contains(&drawn.token);
        sequence.tokens.push(drawn.token);
        if let (Some(all), Some(kept)) = (&mut sequence.kept, drawn.kept) {
            all.push(kept);
        }
        let prompt = &mut self.prompts[sequence.prompt];
        let wanted = sink.token(prompt.index, sequence.sample, drawn.token);
        if wanted && !stopped && sequence.tokens.len() < prompt.limit {
            return;
        }
        let Some(Sequence { prompt: at, sample, tokens, kept }) = self.places[place].take() else {
            return;
        };
        self.backend.cache_drop_sequence(&mut self.cache, place);
        sink.ended(prompt.index, sample, stopped);
        prompt.done[sample] = Some(Generated { tokens, stopped, kept });
        prompt.open -= 1;
        if prompt.open == 0 {
            self.backend.cache_drop_prefix(&mut self.cache, prompt.prefix);
            self.prefixes[prompt.prefix] = false;
            self.vacant.push(at);
            sink.finished(prompt.index, prompt.done.drain(..).flatten().collect());
        }
    }
}
