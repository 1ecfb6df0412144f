//! Asks a run's scheduler for its batches, without training between them.

use omni_train::outside::{ScheduleSetup, Scheduler as _, TaskInfo};

use super::count::Count;
use super::estimate::Batches;
use super::look::{ENDLESS, Look};
use crate::fault::{Fault, Outcome};
use crate::train;

/// Prompts that a task is said to have where its data are not there and nothing bounds them.
const ASSUMED: u32 = 1024;
/// The most batches that are asked for.
const MOST: u64 = 20_000;

/// What the scheduler says.
pub(super) struct Asked {
    /// Its batches; none where their number is not to be known.
    pub(super) batches: Option<Batches>,
    /// What a person should know.
    pub(super) note: Option<String>,
}

/// Asks.
pub(super) fn ask(look: &Look) -> Outcome<Asked> {
    let config = &look.config;
    let mut scheduler = train::scheduler(&look.engine, config)?;
    let refused = |error: &dyn std::fmt::Display| {
        Fault::input(format!("{}: the scheduler refuses this run: {error}", look.file.display()))
    };
    let entries: Vec<_> = config
        .task
        .iter()
        .enumerate()
        .filter(|(_, entry)| config.schedule.trains(entry.label()))
        .collect();
    let mut known = true;
    let mut exact = true;
    let mut tasks = Vec::new();
    for (index, entry) in &entries {
        let items = match (entry.items, look.size(*index, &entry.train_split)) {
            (0, Count::Exactly(ENDLESS)) => None,
            (0, Count::Unknown) => {
                known = false;
                Some(ASSUMED)
            }
            (0, Count::AtMost(most)) => {
                exact = false;
                Some(u32::try_from(most).unwrap_or(u32::MAX))
            }
            (0, Count::Exactly(size)) => Some(u32::try_from(size).unwrap_or(u32::MAX)),
            (items, _) => Some(items),
        };
        tasks.push(TaskInfo { name: entry.label().to_owned(), items, weight: entry.weight });
    }
    let setup = ScheduleSetup {
        tasks,
        prompts_per_batch: config.rollout.prompts_per_batch,
        epochs: config.schedule.epochs,
        seed: omni_train::scheduler_seed(config.seed),
        evidence: look.evidence.as_ref().map(|it| it.for_scheduler()),
    };
    let lacks_evidence = config.schedule.evidence.is_some() && setup.evidence.is_none();
    let unknown = |note: Option<String>| Ok(Asked { batches: None, note });
    if lacks_evidence {
        let note = "the scheduler was not asked: its evidence is not there";
        return unknown(Some(note.to_owned()));
    }
    let mut state = scheduler.start(&setup).map_err(|error| refused(&error))?;
    if !known {
        return unknown(None);
    }
    let limit = match config.schedule.max_steps {
        0 => MOST,
        steps => steps.min(MOST),
    };
    let mut prompts = Vec::new();
    while (prompts.len() as u64) < limit {
        let decision = match scheduler.next(&state, &[]) {
            Ok(decision) => decision,
            Err(error) => {
                let step = prompts.len() + 1;
                let note = format!(
                    "the scheduler was asked for batches without training; for step {step} it had \
                     none: {error}"
                );
                return unknown(Some(note));
            }
        };
        if decision.batch.is_empty() {
            break;
        }
        let mut batch = vec![0; config.task.len()];
        for share in &decision.batch {
            let index = config.task.iter().position(|entry| entry.label() == share.task);
            if let Some(into) = index.and_then(|index| batch.get_mut(index)) {
                *into += u64::from(share.prompts);
            }
        }
        prompts.push(batch);
        state = decision.state;
    }
    if limit == MOST && prompts.len() as u64 == MOST {
        return unknown(Some(format!("the scheduler goes on beyond {MOST} batches")));
    }
    Ok(Asked { batches: Some(Batches { prompts, exact }), note: None })
}
