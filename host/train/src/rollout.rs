//! Outputs and their scores: groups are scored on other threads while generation goes on.
//!
//! What comes out is in the order of the prompts, and each group's scores depend on that group
//! alone, so the timing of threads leaves no trace in the result.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Instant;

use omni_policy::{Generated, GenerationRequest, Policy, PolicyError, Sampling, Tokenizer};
use omni_record::{Finish, GroupScore, Rollout};

use crate::outside::{Phase, Progress, Report, Scorer};
use crate::prompts::Prompt;
use crate::{TaskSpec, TrainError};

/// One prompt with everything that was written for it.
pub(crate) struct Rolled {
    pub(crate) generated: Vec<Generated>,
    pub(crate) rollouts: Vec<Rollout>,
    pub(crate) score: GroupScore,
    /// Those of the second set of references and the following, where the prompt has several.
    pub(crate) more: Vec<GroupScore>,
}

/// How to write.
pub(crate) struct Manner {
    /// Outputs for each prompt.
    pub(crate) samples: usize,
    /// By task; generation is grouped by them.
    pub(crate) temperatures: Vec<f64>,
    pub(crate) top_k: Option<u32>,
    pub(crate) top_p: f64,
    pub(crate) max_new_tokens: usize,
    pub(crate) record_kept: bool,
    /// What the audience is told this is.
    pub(crate) phase: Phase,
    /// Prompts of the same phase that were done before.
    pub(crate) before: usize,
    /// Prompts of the phase in all.
    pub(crate) total: usize,
}

/// Seconds of the two parts, the second being what scoring took after generation had ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seconds {
    pub(crate) generate: f64,
    pub(crate) score: f64,
}

pub(crate) struct Roller<'a> {
    pub(crate) tasks: &'a [TaskSpec],
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) scorer: &'a dyn Scorer,
    pub(crate) progress: &'a dyn Progress,
    /// 0 takes all cores.
    pub(crate) threads: usize,
}

impl Roller<'_> {
    /// Writes and scores `manner.samples` outputs for each prompt.
    ///
    /// # Errors
    /// A policy that fails, or a reward that scores another number of outputs than it was given.
    pub(crate) fn roll(
        &self,
        policy: &mut dyn Policy,
        prompts: &[Prompt],
        manner: &Manner,
    ) -> Result<(Vec<Rolled>, Seconds), TrainError> {
        let begun = Instant::now();
        let threads = match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let (job_sender, job_receiver) = mpsc::channel::<(usize, Vec<Rollout>)>();
        let job_receiver = Mutex::new(job_receiver);
        let (score_sender, score_receiver) = mpsc::channel();
        let mut written: Vec<Option<Vec<Generated>>> = prompts.iter().map(|_| None).collect();
        let mut scored: Vec<Option<(Vec<Rollout>, Vec<GroupScore>)>> =
            prompts.iter().map(|_| None).collect();
        let mut seconds = Seconds::default();
        let scorer = self.scorer;

        std::thread::scope(|scope| -> Result<(), TrainError> {
            for _ in 0..threads.min(prompts.len()) {
                let (jobs, scores) = (&job_receiver, score_sender.clone());
                scope.spawn(move || {
                    loop {
                        // The lock is held while waiting: whoever has it takes the next group.
                        let job = jobs.lock().map(|receiver| receiver.recv());
                        let Ok(Ok((index, rollouts))) = job else { return };
                        let prompt = &prompts[index];
                        let all: Vec<GroupScore> = prompt
                            .scored_as()
                            .into_iter()
                            .map(|(item, seed)| scorer.score(prompt.task, item, &rollouts, seed))
                            .collect();
                        if scores.send((index, rollouts, all)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(score_sender);
            // Moved in, so that on every way out the workers see the end of their work.
            let jobs = job_sender;
            self.generate(policy, prompts, manner, &mut |index, generated, rollouts| {
                // Workers end only when this sender is gone, so there is always someone to send to.
                let _ = jobs.send((index, rollouts));
                written[index] = Some(generated);
            })?;
            drop(jobs);
            seconds.generate = begun.elapsed().as_secs_f64();
            for (index, rollouts, all) in score_receiver {
                scored[index] = Some((rollouts, all));
            }
            seconds.score = begun.elapsed().as_secs_f64() - seconds.generate;
            Ok(())
        })?;

        let mut rolled = Vec::with_capacity(prompts.len());
        for ((prompt, written), scored) in prompts.iter().zip(written).zip(scored) {
            let name = &self.tasks[prompt.task].name;
            let unfinished =
                || TrainError::task(name, format!("item `{}` was never finished", prompt.item.id));
            let (Some(generated), Some((rollouts, all))) = (written, scored) else {
                return Err(unfinished());
            };
            if let Some(score) = all.iter().find(|score| score.rollouts.len() != rollouts.len()) {
                return Err(TrainError::Scores {
                    task: name.clone(),
                    item: prompt.item.id.clone(),
                    scored: score.rollouts.len(),
                    rollouts: rollouts.len(),
                });
            }
            let mut all = all.into_iter();
            let score = all.next().ok_or_else(unfinished)?;
            rolled.push(Rolled { generated, rollouts, score, more: all.collect() });
        }
        Ok((rolled, seconds))
    }

    fn generate(
        &self,
        policy: &mut dyn Policy,
        prompts: &[Prompt],
        manner: &Manner,
        on_group: &mut dyn FnMut(usize, Vec<Generated>, Vec<Rollout>),
    ) -> Result<(), TrainError> {
        let mut distinct: Vec<f64> = Vec::new();
        for prompt in prompts {
            let temperature = manner.temperatures[prompt.task];
            if !distinct.contains(&temperature) {
                distinct.push(temperature);
            }
        }
        let mut done = manner.before;
        for temperature in distinct {
            let chosen: Vec<usize> = (0..prompts.len())
                .filter(|i| manner.temperatures[prompts[*i].task] == temperature)
                .collect();
            let requests: Vec<GenerationRequest<'_>> = chosen
                .iter()
                .map(|i| GenerationRequest {
                    prompt: &prompts[*i].tokens,
                    samples: manner.samples,
                    seed: prompts[*i].seed,
                })
                .collect();
            let sampling = Sampling {
                temperature: temperature as f32,
                top_k: manner.top_k,
                top_p: manner.top_p as f32,
                max_new_tokens: manner.max_new_tokens,
                record_kept: manner.record_kept,
            };
            let mut failed = None;
            policy.generate(&requests, &sampling, &mut |i, generated| {
                match rollouts(self.tokenizer, &generated) {
                    Ok(rollouts) => on_group(chosen[i], generated, rollouts),
                    Err(e) => failed = Some(e),
                }
                done += 1;
                self.progress.report(Report::Phase {
                    phase: manner.phase,
                    done,
                    total: manner.total,
                });
            })?;
            if let Some(e) = failed {
                return Err(e.into());
            }
        }
        Ok(())
    }
}

/// Outputs as those who score them read them.
pub(crate) fn rollouts(
    tokenizer: &Tokenizer,
    generated: &[Generated],
) -> Result<Vec<Rollout>, PolicyError> {
    generated
        .iter()
        .map(|g| {
            Ok(Rollout {
                text: tokenizer.decode(&g.tokens)?,
                tokens: g.tokens.len() as u32,
                finish: if g.stopped { Finish::Stop } else { Finish::Length },
            })
        })
        .collect()
}
