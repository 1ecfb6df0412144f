//! Where a run begins: at its first step, or where its newest checkpoint left it.

use omni_record::{Event, Position, RecordWriter, StartEvent, VERSION};

use crate::checkpoint::{self, Bytes, State};
use crate::evaluate::EvalPlan;
use crate::faults::Faults;
use crate::outside::{Report, ScheduleSetup, TaskInfo};
use crate::prompts::Order;
use crate::{RunConfig, TrainError, Training, clock, random};

/// Steps that a schedule which uses every prompt takes at most; none where only the scheduler
/// knows.
pub(crate) fn total_steps(config: &RunConfig, orders: &[Order]) -> Option<u64> {
    let batch = config.rollout.prompts_per_batch.max(1);
    let (whole, part) = (config.schedule.epochs.floor(), config.schedule.epochs.fract());
    // By task and epoch, since a pure batch at an epoch's end is short.
    let steps = |n: u32| {
        let rest = (f64::from(n) * part).round() as u32;
        whole as u64 * u64::from(n.div_ceil(batch)) + u64::from(rest.div_ceil(batch))
    };
    let epochs = orders.iter().map(|o| o.items.map(steps)).sum::<Option<u64>>();
    match (config.schedule.max_steps, epochs) {
        (0, epochs) => epochs,
        (limit, Some(epochs)) => Some(limit.min(epochs)),
        (limit, None) => Some(limit),
    }
}

pub(crate) fn restore_or_start(
    parts: &mut Training<'_>,
    orders: &[Order],
) -> Result<(State, RecordWriter, Option<State>), TrainError> {
    let config = parts.config;
    let names: Vec<String> = parts.tasks.iter().map(|t| t.name.clone()).collect();
    let validation = (config.eval.every > 0).then(|| EvalPlan::validation(config));
    for plan in validation.into_iter().chain([EvalPlan::test(config)]) {
        if let Some(notice) = plan.notice() {
            parts.progress.report(Report::Notice(&notice));
        }
    }
    let (found, passed_over) = checkpoint::newest(parts.folder)?;
    if parts.resume {
        for notice in &passed_over {
            parts.progress.report(Report::Notice(notice));
        }
        if let Some((path, saved)) = found {
            checkpoint::same_run(&saved, config.seed, &names)?;
            let mut state = saved.clone();
            let raised = raise(parts, &mut state)?;
            checkpoint::load(&path, parts.policy)?;
            let records = parts.folder.open(state.records)?;
            let notice = format!("resumed after step {} from {}", state.step, path.display());
            parts.progress.report(Report::Notice(&notice));
            if let Some(notice) = raised {
                parts.progress.report(Report::Notice(&notice));
            }
            return Ok((state, records, Some(saved)));
        }
    } else if found.is_some() {
        return Err(TrainError::Resume(format!(
            "{} already holds a run; go on with --resume, or choose another folder with --out",
            parts.folder.root().display()
        )));
    }
    let setup = ScheduleSetup {
        tasks: names
            .iter()
            .zip(orders)
            .zip(&config.task)
            .filter(|((name, _), _)| config.schedule.trains(name))
            .map(|((name, order), task)| TaskInfo {
                name: name.clone(),
                items: order.items,
                weight: task.weight,
            })
            .collect(),
        prompts_per_batch: config.rollout.prompts_per_batch,
        epochs: config.schedule.epochs,
        seed: random::scheduler(config.seed),
        evidence: parts.evidence.cloned(),
    };
    let scheduler = parts.scheduler.start(&setup).map_err(TrainError::Setup)?;
    let continued = match &config.policy.continue_from {
        Some(path) => {
            let earlier = checkpoint::earlier(path)?;
            checkpoint::load(path, parts.policy)?;
            Some((path, earlier))
        }
        None => None,
    };
    let mut records = parts.folder.open(Position::default())?;
    records.event(&Event::Start(StartEvent {
        version: VERSION,
        time: clock::now(),
        tasks: names.clone(),
        seed: config.seed,
        parameters: parts.policy.parameters() as u64,
    }))?;
    let mut state = State {
        seed: config.seed,
        taken: vec![0; names.len()],
        faults: vec![Faults::default(); names.len()],
        tasks: names,
        scheduler: Bytes(scheduler),
        limit: Some(config.schedule.max_steps),
        ..State::default()
    };
    if let Some((path, earlier)) = continued {
        let notice =
            format!("continuing after {} steps from {}", earlier.steps_in_all(), path.display());
        parts.progress.report(Report::Notice(&notice));
        if earlier.within_phase {
            parts.progress.report(Report::Notice(
                "that run was stopped within a rollout phase: what it had written for its next \
                 steps is left out; to learn from it first, go on with that run (--resume) and \
                 continue from its last checkpoint",
            ));
        }
        state.take_over(earlier);
    }
    Ok((state, records, None))
}

/// Lets a run take more steps than it was to, as if it had been to take them from the start; says
/// what a person should know of that.
fn raise(parts: &Training<'_>, state: &mut State) -> Result<Option<String>, TrainError> {
    let config = parts.config;
    let Some(old) = state.limit else { return Ok(None) };
    if !config.may_raise(old)? {
        return Ok(None);
    }
    state.limit = Some(config.schedule.max_steps);
    let over = state.decided.as_ref().is_some_and(Vec::is_empty);
    let ended = state.undo_end(|step| parts.folder.checkpoint(step).is_dir());
    let (held, holds) = (old.saturating_sub(state.phase_began), config.rollout.batches_per_phase);
    Ok(if (ended || state.within_phase) && held < u64::from(holds) {
        Some(format!(
            "schedule.max_steps = {old} cut the latest rollout phase to {held} of {holds} batches; \
             a run with a larger one from the start would have written more outputs before that \
             phase's updates, so this one is not the same to the byte"
        ))
    } else if ended {
        Some(format!(
            "going on beyond schedule.max_steps = {old}, as if the run had been to take more steps \
             from the start: the evaluations of its old end are taken out of the records"
        ))
    } else if over {
        Some(format!(
            "the scheduler ended this run before its schedule.max_steps = {old}, so a larger one \
             adds no step; to train on, let a new run begin here with `policy.continue_from`"
        ))
    } else {
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_batches_at_the_end_of_every_epoch_are_steps_too() {
        let mut config = RunConfig::default();
        config.rollout.prompts_per_batch = 4;
        let orders = [Order::new("math", 0, Some(9)), Order::new("code", 0, Some(4))];
        let mut total = |epochs, max_steps| {
            config.schedule.epochs = epochs;
            config.schedule.max_steps = max_steps;
            total_steps(&config, &orders)
        };
        assert_eq!(total(1.0, 0), Some(3 + 1));
        assert_eq!(total(3.0, 0), Some(9 + 3));
        // Half of nine is five: two batches; half of four is two: one.
        assert_eq!(total(1.5, 0), Some(3 + 2 + 1 + 1));
        assert_eq!(total(3.0, 5), Some(5));
    }
}
