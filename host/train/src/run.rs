//! The loop of a run over its rollout phases.
//!
//! Between two phases stands a *boundary*: validation, the scheduler's decision, the test at both
//! ends, a checkpoint. All that a run is lies then in its [`State`] and the policy, so a run that
//! was killed goes on from a boundary as if nothing had happened.

use std::sync::atomic::Ordering;

use omni_policy::Policy;
use omni_record::{EvalEvent, Event, RecordWriter, TaskEval};

use crate::checkpoint::{self, Bytes, State};
use crate::config::LrSchedule;
use crate::evaluate::{EvalPlan, Evaluated, Evaluation, evaluate, too_much_lost};
use crate::loss::TaskLoss;
use crate::outside::{Observation, Report};
use crate::prompts::{Order, Prompts};
use crate::sft::check_train_folder;
use crate::start::{restore_or_start, total_steps};
use crate::unfinished::Unfinished;
use crate::update::Rules;
use crate::{ConfigError, Ending, Summary, TrainError, Training};

/// Trains until the scheduler or the step limit ends it, or `stop` is set.
///
/// # Errors
/// What stopped it; the run folder then holds the last checkpoint that was complete.
pub fn train(training: Training<'_>) -> Result<Summary, TrainError> {
    let mut run = Run::begin(training)?;
    let mut unfinished = run.unfinished()?;
    let ending = loop {
        // A run that was stopped within a phase goes on there.
        if unfinished.is_none()
            && let Boundary::End(ending) = run.boundary()?
        {
            break ending;
        }
        if run.phase(unfinished.take())? == PhaseEnd::Stopped {
            break Ending::Interrupted;
        }
    };
    run.summary(ending)
}

/// What a boundary says.
enum Boundary {
    Go,
    End(Ending),
}

/// How a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PhaseEnd {
    /// All its steps were taken.
    Finished,
    /// Between two of its updates, with a checkpoint that holds the rest.
    Stopped,
}

/// A run under way.
pub(crate) struct Run<'a> {
    pub(crate) parts: Training<'a>,
    pub(crate) reference: Option<Box<dyn Policy>>,
    pub(crate) rules: Rules<'a>,
    pub(crate) orders: Vec<Order>,
    /// The longest prompt that leaves room for a completion.
    pub(crate) longest: usize,
    /// Steps that the run will take at most, where that is known.
    pub(crate) total: Option<u64>,
    pub(crate) state: State,
    pub(crate) records: RecordWriter,
    /// The state of the latest checkpoint.
    pub(crate) saved: Option<State>,
}

impl<'a> Run<'a> {
    fn begin(mut parts: Training<'a>) -> Result<Self, TrainError> {
        let config = parts.config;
        config.validate()?;
        check_train_folder(parts.folder)?;
        let prompts = Prompts {
            config,
            tasks: parts.tasks,
            problems: parts.problems,
            tokenizer: parts.tokenizer,
            max_positions: parts.policy.max_positions(),
        };
        let longest = prompts.longest()?;
        let mut orders = Vec::new();
        for (index, (task, settings)) in parts.tasks.iter().zip(&config.task).enumerate() {
            if !config.schedule.trains(&task.name) {
                // Its training split may be missing, or be without an end.
                orders.push(Order::new(&task.name, config.seed, Some(0)));
                continue;
            }
            let items = prompts.training_items(index, settings)?;
            if items.is_none() && config.schedule.max_steps == 0 {
                return Err(ConfigError::new(
                    format!("task.{index}.items"),
                    "this task never runs out of items",
                )
                .help("say how many to train on, or set schedule.max_steps")
                .into());
            }
            orders.push(Order::new(&task.name, config.seed, items));
        }
        let total = total_steps(config, &orders);
        if total.is_none() && config.optimizer.schedule != LrSchedule::Constant {
            return Err(ConfigError::new(
                "optimizer.schedule",
                "a falling learning rate needs to know the last step",
            )
            .help("set schedule.max_steps")
            .into());
        }
        let rules = Rules {
            loss: &config.loss,
            tasks: config.task.iter().map(|t| TaskLoss::of(&config.loss, t)).collect(),
            temperatures: config
                .task
                .iter()
                .map(|t| t.temperature.unwrap_or(config.rollout.temperature))
                .collect(),
            max_completion_tokens: config.rollout.max_completion_tokens as usize,
            apart: parts.scheduler.wants_task_gradients(),
        };
        let reference = match rules.tasks.iter().any(|t| t.beta > 0.0) {
            true => Some((parts.reference)()?),
            false => None,
        };
        let (state, records, saved) = restore_or_start(&mut parts, &orders)?;
        parts.progress.report(Report::Begin { done: state.step, steps: total });
        let mut run =
            Self { parts, reference, rules, orders, longest, total, state, records, saved };
        run.lengthen()?;
        Ok(run)
    }

    /// Gives the next phase the batches that it would have had if a limit that was raised since had
    /// not cut it short.
    fn lengthen(&mut self) -> Result<(), TrainError> {
        let old = self.saved.as_ref().and_then(|saved| saved.limit);
        let batches = self.state.decided.as_ref().map_or(0, Vec::len) as u64;
        if batches > 0 && old != self.state.limit && old == Some(self.state.step + batches) {
            self.decide(false)?;
        }
        Ok(())
    }

    fn boundary(&mut self) -> Result<Boundary, TrainError> {
        let config = self.parts.config;
        let step = self.state.step;
        let at_limit = config.schedule.max_steps > 0 && step >= config.schedule.max_steps;
        let mut improved = false;
        if at_limit {
            self.state.keep_end(self.records.position());
        }
        if step == 0 || self.crossed(config.eval.every) || at_limit {
            match self.validate()? {
                Some(better) => improved |= better,
                None => return self.interrupt(),
            }
        }
        let batches = match &self.state.decided {
            Some(batches) => batches.len(),
            None => self.decide(at_limit)?,
        };
        let last = batches == 0;
        if last {
            match self.validate()? {
                Some(better) => improved |= better,
                None => return self.interrupt(),
            }
        }
        if (step == 0 || last) && !self.test()? {
            return self.interrupt();
        }
        if last || improved || self.crossed(config.checkpoint.every) {
            self.save()?;
        }
        if last {
            return Ok(Boundary::End(Ending::Finished));
        }
        if self.parts.stop.load(Ordering::Relaxed) {
            return self.interrupt();
        }
        Ok(Boundary::Go)
    }

    fn interrupt(&mut self) -> Result<Boundary, TrainError> {
        self.save()?;
        Ok(Boundary::End(Ending::Interrupted))
    }

    /// True where the latest phase took a step whose number is a multiple of `every`.
    pub(crate) fn crossed(&self, every: u64) -> bool {
        every > 0 && self.state.step / every > self.state.phase_began / every
    }

    /// Validates, unless that was done at this step or is not wanted at all. True where the result
    /// is the best so far, none where the run was told to stop meanwhile.
    pub(crate) fn validate(&mut self) -> Result<Option<bool>, TrainError> {
        let plan = EvalPlan::validation(self.parts.config);
        let wanted = self.parts.config.eval.every > 0 && plan.is_something();
        if !wanted || self.state.validated == Some(self.state.step) {
            return Ok(Some(false));
        }
        let Some(event) = self.evaluate(&plan)? else { return Ok(None) };
        self.state.validated = Some(self.state.step);
        let schedule = &self.parts.config.schedule;
        let trained: Vec<(&String, &TaskEval)> =
            event.tasks.iter().filter(|(name, _)| schedule.trains(name)).collect();
        // The mean is over the tasks that this run trains: the best checkpoint of a run of one task
        // is the one that is best at it, whatever it did to the others.
        let accuracies: Vec<f64> =
            trained.iter().filter_map(|(_, t)| Some(t.accuracy()?.mean)).collect();
        for task in self.parts.tasks {
            let Some((task, result)) = trained.iter().find(|(name, _)| **name == task.name) else {
                continue;
            };
            self.state.observations.push(Observation {
                task: (*task).clone(),
                prompts: 0,
                mean_reward: 0.0,
                mean_abs_advantage: 0.0,
                gradient_norm: 0.0,
                entropy: result.entropy.unwrap_or(0.0),
                accuracy: result.accuracy().map(|a| a.mean),
            });
        }
        if accuracies.is_empty() {
            return Ok(Some(false));
        }
        let accuracy = crate::advantage::mean(&accuracies);
        let better = self.state.best.is_none_or(|(_, best)| accuracy > best);
        if better {
            self.state.best = Some((self.state.step, accuracy));
        }
        Ok(Some(better))
    }

    /// Evaluates the test splits, unless that was done at this step or is not wanted. False where
    /// the run was told to stop meanwhile.
    pub(crate) fn test(&mut self) -> Result<bool, TrainError> {
        let plan = EvalPlan::test(self.parts.config);
        if !plan.is_something() || self.state.tested == Some(self.state.step) {
            return Ok(true);
        }
        if self.evaluate(&plan)?.is_none() {
            return Ok(false);
        }
        self.state.tested = Some(self.state.step);
        Ok(true)
    }

    fn evaluate(&mut self, plan: &EvalPlan) -> Result<Option<EvalEvent>, TrainError> {
        let parts = &mut self.parts;
        let evaluation = Evaluation {
            config: parts.config,
            tasks: parts.tasks,
            policy: &mut *parts.policy,
            tokenizer: parts.tokenizer,
            problems: parts.problems,
            scorer: parts.scorer,
            progress: parts.progress,
            stop: parts.stop,
        };
        let Some(Evaluated { event, samples, .. }) = evaluate(evaluation, plan, self.state.step)?
        else {
            return Ok(None);
        };
        for sample in &samples {
            self.records.sample(sample)?;
        }
        parts.progress.report(Report::Eval(&event));
        for line in too_much_lost(&event, parts.config) {
            parts.progress.report(Report::Notice(&line));
        }
        self.records.event(&Event::Eval(event.clone()))?;
        Ok(Some(event))
    }

    /// Asks the scheduler for the batches of the next phase; returns how many there are.
    fn decide(&mut self, at_limit: bool) -> Result<usize, TrainError> {
        let config = self.parts.config;
        let mut batches = self.state.decided.take().unwrap_or_default();
        let mut wanted = u64::from(config.rollout.batches_per_phase);
        if config.schedule.max_steps > 0 {
            wanted = wanted
                .min(config.schedule.max_steps - self.state.step.min(config.schedule.max_steps));
        }
        while !at_limit && (batches.len() as u64) < wanted {
            let observations = std::mem::take(&mut self.state.observations);
            let decision = self
                .parts
                .scheduler
                .next(&self.state.scheduler.0, &observations)
                .map_err(TrainError::Scheduler)?;
            self.state.scheduler = Bytes(decision.state);
            if decision.batch.is_empty() {
                break;
            }
            batches.push(self.shares(&decision.batch)?);
        }
        let count = batches.len();
        self.state.decided = Some(batches);
        Ok(count)
    }

    fn shares(&self, batch: &[crate::outside::Share]) -> Result<Vec<(usize, u32)>, TrainError> {
        let refuse = |message: String| TrainError::Scheduler(message.into());
        let mut shares = Vec::new();
        for share in batch.iter().filter(|s| s.prompts > 0) {
            let task = self.parts.tasks.iter().position(|t| t.name == share.task);
            let task = task.filter(|_| self.parts.config.schedule.trains(&share.task));
            let task = task.ok_or_else(|| {
                refuse(format!(
                    "asked for the task `{}`, which this run does not train",
                    share.task
                ))
            })?;
            shares.push((task, share.prompts));
        }
        let prompts: u64 = shares.iter().map(|s| u64::from(s.1)).sum();
        let most = self.parts.config.rollout.prompts_per_batch;
        if prompts == 0 || prompts > u64::from(most) {
            return Err(refuse(format!(
                "asked for a batch of {prompts} prompts; a batch holds 1 to {most}"
            )));
        }
        Ok(shares)
    }

    /// The rest of the phase that the run was stopped in.
    fn unfinished(&self) -> Result<Option<Unfinished>, TrainError> {
        let path = self.parts.folder.checkpoint(self.state.step);
        self.state.within_phase.then(|| Unfinished::read(&path)).transpose()
    }

    /// Writes a checkpoint, unless the latest one is the same.
    pub(crate) fn save(&mut self) -> Result<(), TrainError> {
        self.save_with(None)
    }

    /// The same, with the rest of the phase at hand.
    pub(crate) fn save_with(&mut self, phase: Option<&Unfinished>) -> Result<(), TrainError> {
        self.state.within_phase = phase.is_some();
        self.state.records = self.records.position();
        if self.saved.as_ref() == Some(&self.state) {
            return Ok(());
        }
        self.records.sync()?;
        let folder = self.parts.folder;
        let path = checkpoint::write(
            folder,
            &self.state,
            phase,
            &*self.parts.policy,
            self.parts.tokenizer,
        )?;
        if let Some((step, accuracy)) = self.state.best {
            checkpoint::mark_best(folder, step, accuracy)?;
        }
        checkpoint::prune(folder, self.parts.config.checkpoint.keep, self.state.best.map(|b| b.0))?;
        self.saved = Some(self.state.clone());
        self.parts.progress.report(Report::Checkpoint { step: self.state.step, path: &path });
        Ok(())
    }

    pub(crate) fn summary(self, ending: Ending) -> Result<Summary, TrainError> {
        let tests: Vec<EvalEvent> = self
            .parts
            .folder
            .events()?
            .into_iter()
            .filter_map(|e| match e {
                Event::Eval(e) if e.purpose == "test" => Some(e),
                _ => None,
            })
            .collect();
        let steps = self.state.step;
        Ok(Summary {
            ending,
            steps,
            before: tests.iter().find(|e| e.step == 0).cloned(),
            after: tests.into_iter().rfind(|e| e.step == steps && steps > 0),
            best: self.state.best.map(|b| b.0),
        })
    }
}
