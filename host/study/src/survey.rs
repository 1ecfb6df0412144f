//! What of a study is finished on the disk, and whether it is what would be made now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::StudyError;
use crate::execute::{Growing, LOCK, Standing};
use crate::finished::Finished;
use crate::graph::Graph;
use crate::step::Step;

/// Reads what is finished, and the graph that follows from it.
///
/// Steps named by `redo` (a step or a folder of steps), and all that wait for them, are removed.
///
/// # Errors
/// Finished steps that the study would now make in another way, all of them by name.
pub fn survey(
    root: &Path,
    study: &mut dyn Growing,
    redo: &[String],
) -> Result<Standing, StudyError> {
    let mut standing = Standing::default();
    let mut used: BTreeSet<&String> = BTreeSet::new();
    loop {
        standing.graph = study.graph(&standing)?;
        for name in redo {
            let within = format!("{name}/");
            let named = |step: &&Step| step.id == *name || step.id.starts_with(&within);
            let steps: Vec<String> =
                standing.graph.steps.iter().filter(named).map(|it| it.id.clone()).collect();
            if !steps.is_empty() && used.insert(name) {
                for id in with_dependents(&standing.graph, &steps) {
                    if is_held(&root.join(&id)) {
                        return Err(StudyError::StepBusy(id));
                    }
                    remove(&root.join(&id))?;
                }
            }
        }
        let before = standing.done.len();
        find_finished(root, study, &mut standing)?;
        if standing.done.len() == before {
            break;
        }
    }
    match redo.iter().find(|name| !used.contains(name)) {
        Some(name) => Err(StudyError::NoStep(name.clone())),
        None => Ok(standing),
    }
}

/// Adds steps that are finished on the disk and not known yet.
pub(crate) fn find_finished(
    root: &Path,
    study: &dyn Growing,
    standing: &mut Standing,
) -> Result<(), StudyError> {
    let mut changed = Vec::new();
    for step in &standing.graph.steps {
        if standing.done.contains_key(&step.id) {
            continue;
        }
        let Some(found) = Finished::read(&root.join(&step.id))? else { continue };
        // What waits for a step that has changed, or is to be made, is looked at after it.
        let Some(wanted) = wanted(step, study, &standing.done) else { continue };
        match found.differs(&wanted) {
            None => {
                standing.done.insert(step.id.clone(), found);
            }
            Some(why) => changed.push(format!(
                "{}: {why}; bring that back, or make the step again, with all that waits for it: \
                 --redo {}",
                step.id, step.id
            )),
        }
    }
    if changed.is_empty() { Ok(()) } else { Err(StudyError::Changed(changed)) }
}

/// What a step would be made from; none where it waits for a step that is not finished.
pub(crate) fn wanted(
    step: &Step,
    study: &dyn Growing,
    done: &BTreeMap<String, Finished>,
) -> Option<Finished> {
    let mut inputs = study.inputs();
    if !step.evidence {
        inputs.remove("evidence.json");
    }
    for id in &step.after {
        inputs.insert(id.clone(), done.get(id)?.output.clone());
    }
    Some(Finished::of(step, inputs))
}

/// Steps with all that wait for them.
fn with_dependents(graph: &Graph, steps: &[String]) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = steps.iter().cloned().collect();
    // A step stands after all that it waits for.
    for step in &graph.steps {
        if step.after.iter().any(|id| found.contains(id)) {
            found.insert(step.id.clone());
        }
    }
    found
}

/// Whether a process holds a step's lock, which commands that outlive their study do.
fn is_held(step: &Path) -> bool {
    let lock = std::fs::File::open(step.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

fn remove(folder: &Path) -> Result<(), StudyError> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StudyError::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
