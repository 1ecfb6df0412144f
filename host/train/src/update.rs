//! One optimizer batch to one gradient: micro-batches, old and reference log-probabilities, loss.
//!
//! Only valid outputs come here. The denominators are those of the whole batch, so how it is cut
//! into micro-batches changes rounding and nothing else (`bnpo` excepted, by definition).

use std::collections::BTreeMap;

use omni_policy::{Completion, Group, KeptSet, Policy, TokenGradient, TokenStats};

use crate::TrainError;
use crate::config::{Loss, LossKind};
use crate::loss::{Denominators, Row, Tally, TaskLoss, loss};

/// One valid output.
pub(crate) struct Output<'a> {
    pub(crate) tokens: &'a [u32],
    pub(crate) kept: Option<&'a [KeptSet]>,
    pub(crate) advantage: f64,
    /// Its tokens are out of the loss (cut, and `mask_truncated` is set); it is never run.
    pub(crate) masked: bool,
}

/// The valid outputs of one prompt.
pub(crate) struct Lesson<'a> {
    pub(crate) task: usize,
    pub(crate) prompt: &'a [u32],
    pub(crate) outputs: Vec<Output<'a>>,
}

/// Settings of an update, by task where they can differ.
pub(crate) struct Rules<'a> {
    pub(crate) loss: &'a Loss,
    pub(crate) tasks: Vec<TaskLoss>,
    pub(crate) temperatures: Vec<f64>,
    pub(crate) max_completion_tokens: usize,
    /// Measure the gradient of each task apart. Micro-batches are then of one task each, so rounding
    /// differs, and `bnpo`, whose denominators are theirs.
    pub(crate) apart: bool,
}

/// Part of a lesson: some of its outputs.
struct Piece {
    lesson: usize,
    outputs: Vec<usize>,
}

/// What goes through the model at once.
struct MicroBatch {
    temperature: f64,
    pieces: Vec<Piece>,
    /// False where no gradient can come of it, so that it needs no backward pass.
    learns: bool,
    /// The task, where they are kept apart.
    task: Option<usize>,
}

/// Lessons that can go through the model together: temperature, whether they are learned from, and
/// the task where tasks are kept apart.
type Kind = (f64, bool, Option<usize>);

/// `[lesson][output][token]`, empty where an output was not run.
pub(crate) type PerToken = Vec<Vec<Vec<f64>>>;

/// What came of a batch, beside the gradient in the policy.
#[derive(Default)]
pub(crate) struct Learned {
    pub(crate) tally: Tally,
    /// Mean token entropy of each output, `[lesson][output]`.
    pub(crate) entropy: Vec<Vec<Option<f64>>>,
    /// Tokens that went through the model, prompts counted once for each micro-batch.
    pub(crate) tokens: u64,
    /// L2 norm of each task's part of the gradient, where they were kept apart.
    pub(crate) norms: BTreeMap<usize, f64>,
}

/// Unmasked completion tokens of a batch.
pub(crate) fn tokens(lessons: &[Lesson<'_>]) -> usize {
    lessons.iter().flat_map(|l| &l.outputs).filter(|o| !o.masked).map(|o| o.tokens.len()).sum()
}

impl Rules<'_> {
    /// Cuts a batch into micro-batches by temperature and token budget, in the batch's order.
    fn plan(&self, lessons: &[Lesson<'_>]) -> Vec<MicroBatch> {
        let budget = if self.loss.micro_batch_tokens == 0 {
            usize::MAX
        } else {
            self.loss.micro_batch_tokens
        };
        let mut plan: Vec<MicroBatch> = Vec::new();
        // The open micro-batch of each kind, and the tokens that it holds.
        let mut open: Vec<(Kind, usize, usize)> = Vec::new();
        for (index, lesson) in lessons.iter().enumerate() {
            let temperature = self.temperatures[lesson.task];
            let run: Vec<usize> =
                (0..lesson.outputs.len()).filter(|o| !lesson.outputs[*o].masked).collect();
            if run.is_empty() {
                continue;
            }
            // bnpo divides by what its micro-batch holds, so nothing may be taken out of it.
            let learns = self.loss.kind == LossKind::Bnpo
                || self.tasks[lesson.task].beta != 0.0
                || run.iter().any(|o| lesson.outputs[*o].advantage != 0.0);
            let kind = (temperature, learns, self.apart.then_some(lesson.task));
            let slot = open.iter().position(|(open, ..)| *open == kind).unwrap_or_else(|| {
                open.push((kind, usize::MAX, 0));
                open.len() - 1
            });
            let mut started = false;
            for output in run {
                let tokens = lesson.outputs[output].tokens.len();
                let (_, at, held) = &mut open[slot];
                let cost = tokens + if started { 0 } else { lesson.prompt.len() };
                if *at == usize::MAX || (*held > 0 && held.saturating_add(cost) > budget) {
                    let (temperature, learns, task) = kind;
                    plan.push(MicroBatch { temperature, pieces: Vec::new(), learns, task });
                    (*at, *held) = (plan.len() - 1, 0);
                    started = false;
                }
                let micro = &mut plan[*at];
                if started && let Some(piece) = micro.pieces.last_mut() {
                    piece.outputs.push(output);
                    *held += tokens;
                } else {
                    micro.pieces.push(Piece { lesson: index, outputs: vec![output] });
                    *held += lesson.prompt.len() + tokens;
                    started = true;
                }
            }
        }
        // Task by task where they are kept apart; as it is where there is one kind.
        plan.sort_by_key(|micro| micro.task);
        plan
    }

    /// Log-probabilities under a policy as it is, without a gradient: those of `policy` before the
    /// first of several updates, or those of the reference. Lessons for which `wanted` is false
    /// are left out.
    pub(crate) fn log_probabilities(
        &self,
        policy: &mut dyn Policy,
        lessons: &[Lesson<'_>],
        wanted: impl Fn(&Lesson<'_>) -> bool,
    ) -> Result<PerToken, TrainError> {
        let mut out: PerToken = lessons.iter().map(|l| vec![Vec::new(); l.outputs.len()]).collect();
        for mut micro in self.plan(lessons) {
            micro.pieces.retain(|p| wanted(&lessons[p.lesson]));
            if micro.pieces.is_empty() {
                continue;
            }
            let stats = policy.token_stats(&groups(lessons, &micro), micro.temperature as f32)?;
            for (piece, logp) in micro.pieces.iter().zip(stats.logp) {
                for (output, row) in piece.outputs.iter().zip(logp) {
                    out[piece.lesson][*output] = widen(&row);
                }
            }
        }
        Ok(out)
    }

    /// Adds a batch's gradient to the policy's. `old` is none for the policy that wrote the
    /// outputs; `phase_tokens` is what `denominator = "generation"` divides by.
    pub(crate) fn accumulate(
        &self,
        policy: &mut dyn Policy,
        lessons: &[Lesson<'_>],
        old: Option<&PerToken>,
        reference: Option<&PerToken>,
        dapo_tokens: usize,
    ) -> Result<Learned, TrainError> {
        let plan = self.plan(lessons);
        let sequences = lessons.iter().map(|l| l.outputs.len()).sum();
        let mut learned = Learned {
            entropy: lessons.iter().map(|l| vec![None; l.outputs.len()]).collect(),
            ..Learned::default()
        };
        for (index, micro) in plan.iter().enumerate() {
            let denominators = Denominators {
                sequences,
                tokens: dapo_tokens,
                micro_tokens: micro_tokens(lessons, micro),
                micro_batches: plan.len(),
                max_completion_tokens: self.max_completion_tokens,
            };
            let groups = groups(lessons, micro);
            learned.tokens += groups
                .iter()
                .map(|g| {
                    (g.prompt.len() + g.completions.iter().map(|c| c.tokens.len()).sum::<usize>())
                        as u64
                })
                .sum::<u64>();
            let mut see = |stats: &TokenStats| -> TokenGradient {
                for (piece, entropy) in micro.pieces.iter().zip(&stats.entropy) {
                    for (output, row) in piece.outputs.iter().zip(entropy) {
                        learned.entropy[piece.lesson][*output] = mean(row);
                    }
                }
                let (tally, gradient) =
                    self.micro_loss(lessons, micro, stats, old, reference, &denominators);
                learned.tally += tally;
                gradient
            };
            if micro.learns {
                policy.accumulate(&groups, micro.temperature as f32, &mut see)?;
            } else {
                let stats = policy.token_stats(&groups, micro.temperature as f32)?;
                see(&stats);
            }
            let next = plan.get(index + 1).map(|next| next.task);
            if let (Some(task), true) = (micro.task, next != Some(micro.task)) {
                learned.norms.insert(task, policy.set_grad_aside());
            }
        }
        if self.apart {
            policy.take_grad_back();
        }
        Ok(learned)
    }

    fn micro_loss(
        &self,
        lessons: &[Lesson<'_>],
        micro: &MicroBatch,
        stats: &TokenStats,
        old: Option<&PerToken>,
        reference: Option<&PerToken>,
        denominators: &Denominators,
    ) -> (Tally, TokenGradient) {
        let logp: PerToken =
            stats.logp.iter().map(|piece| piece.iter().map(|row| widen(row)).collect()).collect();
        let mut rows = Vec::new();
        for (piece, logp) in micro.pieces.iter().zip(&logp) {
            let lesson = &lessons[piece.lesson];
            for (output, logp) in piece.outputs.iter().zip(logp) {
                rows.push(Row {
                    logp,
                    old: old.map(|o| &o[piece.lesson][*output][..]),
                    reference: reference
                        .map(|r| &r[piece.lesson][*output][..])
                        .filter(|r| r.len() == logp.len()),
                    advantage: lesson.outputs[*output].advantage,
                    masked: false,
                    task: self.tasks[lesson.task],
                });
            }
        }
        let (tally, gradients) = loss(&rows, self.loss, denominators);
        let mut gradients =
            gradients.into_iter().map(|row| row.into_iter().map(|g| g as f32).collect());
        let shaped = micro
            .pieces
            .iter()
            .map(|p| gradients.by_ref().take(p.outputs.len()).collect())
            .collect();
        (tally, shaped)
    }
}

fn micro_tokens(lessons: &[Lesson<'_>], micro: &MicroBatch) -> usize {
    micro
        .pieces
        .iter()
        .flat_map(|p| p.outputs.iter().map(|o| lessons[p.lesson].outputs[*o].tokens.len()))
        .sum()
}

fn groups<'a>(lessons: &'a [Lesson<'a>], micro: &MicroBatch) -> Vec<Group<'a>> {
    let completion = |o: &Output<'a>| Completion { tokens: o.tokens, kept: o.kept };
    micro
        .pieces
        .iter()
        .map(|piece| {
            let lesson = &lessons[piece.lesson];
            let completions =
                piece.outputs.iter().map(|o| completion(&lesson.outputs[*o])).collect();
            Group { prompt: lesson.prompt, completions }
        })
        .collect()
}

fn widen(row: &[f32]) -> Vec<f64> {
    row.iter().map(|x| f64::from(*x)).collect()
}

fn mean(row: &[f32]) -> Option<f64> {
    (!row.is_empty()).then(|| row.iter().map(|x| f64::from(*x)).sum::<f64>() / row.len() as f64)
}
