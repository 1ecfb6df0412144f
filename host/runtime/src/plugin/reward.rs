//! A verifier: the group call, and what its answer must look like.
//!
//! Faults become undefined components here, never errors: one for each name that the reward
//! may return. A group call that faults is repeated rollout by rollout, so that only the
//! culprits are undefined.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use omni_record::{Component, GroupScore, Item, ReasonKind, Rollout, Undefined, Value};

use super::plugin_handle;
use crate::bindings::exports::omni::plugin::reward as wit;
use crate::bindings::exports::omni::plugin::reward::GuestIndices;
use crate::error::{CallError, undefined};
use crate::guest::{Call, Guest, Outcome};
use crate::requests::{Effects, Executed, Turns};

/// A loaded reward plugin.
#[derive(Clone)]
pub struct RewardPlugin {
    shared: Arc<Shared>,
}

struct Shared {
    guest: Arc<Guest>,
    indices: GuestIndices,
    /// Component names by configuration; a pure function's answer never changes.
    names: Mutex<HashMap<String, Arc<[String]>>>,
}

impl Shared {
    fn new(guest: Arc<Guest>, indices: GuestIndices) -> Self {
        Self { guest, indices, names: Mutex::default() }
    }
}

plugin_handle!(RewardPlugin, "reward", GuestIndices);

/// One group to score: the rollouts of one item.
#[derive(Clone, Copy, Debug)]
pub struct GroupCall<'a> {
    /// The task's name.
    pub task: &'a str,
    /// The reward's configuration, a JSON object.
    pub config: &'a str,
    /// The problem.
    pub item: &'a Item,
    /// What the policy wrote.
    pub rollouts: &'a [Rollout],
    /// The only randomness that the reward gets.
    pub seed: u32,
    /// The reward compares the group's rollouts with each other, so that a group call that
    /// faults is not repeated rollout by rollout.
    pub relative: bool,
}

impl RewardPlugin {
    /// The names of the components that `score` may return under this configuration.
    ///
    /// # Errors
    /// When the plugin faults, refuses its configuration, or names one twice or none.
    pub fn components(&self, config: &str) -> Result<Arc<[String]>, CallError> {
        let Shared { guest, indices, names } = &*self.shared;
        let known = names.lock().unwrap_or_else(PoisonError::into_inner).get(config).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let call = Call::new("components", "", config.len() as u64);
        let (indices, asked) = (indices.clone(), config.to_owned());
        let outcome = guest.call(guest.limits, call, move |store, instance| {
            indices.load(&mut *store, instance)?.call_components(store, &asked)
        });
        let outcome = outcome.flatten();
        let result = outcome.result.and_then(check_names);
        let list: Arc<[String]> = guest
            .finish(
                "components",
                Outcome { result, fuel: outcome.fuel, reproducible: outcome.reproducible },
            )?
            .into();
        names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(config.to_owned(), Arc::clone(&list));
        Ok(list)
    }

    /// Scores a group: one list of components for each rollout, in the order of `components`.
    #[must_use]
    pub fn score(&self, group: &GroupCall<'_>, effects: &Effects) -> GroupScore {
        let mut total = GroupScore {
            rollouts: Vec::with_capacity(group.rollouts.len()),
            fuel: omni_record::Fuel::default(),
            reproducible: true,
        };
        let names = match self.components(group.config) {
            Ok(names) => names,
            Err(error) => {
                // Without names, the reward as a whole stands for its components.
                let names = [self.label().name.clone()];
                total.rollouts = vec![all_undefined(&names, &error.reason); group.rollouts.len()];
                total.fuel.reward = error.fuel;
                total.reproducible = error.reproducible;
                return total;
            }
        };
        if group.rollouts.is_empty() {
            return total;
        }
        let executed = Executed::default();
        let together = self.attempt(group, &names, effects, &executed);
        total.fuel += together.fuel;
        total.reproducible &= together.reproducible;
        match together.result {
            Ok(rollouts) => total.rollouts = rollouts,
            Err(fault) if group.relative || group.rollouts.len() == 1 => {
                total.rollouts = vec![all_undefined(&names, &fault); group.rollouts.len()];
            }
            Err(_) => {
                for attempt in self.one_by_one(group, &names, effects, &executed) {
                    total.fuel += attempt.fuel;
                    total.reproducible &= attempt.reproducible;
                    total.rollouts.push(match attempt.result {
                        Ok(mut rollouts) => rollouts.pop().unwrap_or_default(),
                        Err(fault) => all_undefined(&names, &fault),
                    });
                }
            }
        }
        total
    }

    /// Each rollout as a group of its own, as many at a time as there are guest threads.
    fn one_by_one(
        &self,
        group: &GroupCall<'_>,
        names: &[String],
        effects: &Effects,
        executed: &Executed,
    ) -> Vec<Attempt> {
        let loops = self.shared.guest.runtime.workers.count().min(group.rollouts.len());
        let next = AtomicUsize::new(0);
        let run = || {
            let mut done = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(rollout) = group.rollouts.get(i) else { return done };
                let one = GroupCall { rollouts: std::slice::from_ref(rollout), ..*group };
                done.push((i, self.attempt(&one, names, effects, executed)));
            }
        };
        let mut all = std::thread::scope(|scope| {
            let others: Vec<_> = (1..loops).map(|_| scope.spawn(run)).collect();
            let mut all = run();
            for other in others {
                all.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            all
        });
        all.sort_unstable_by_key(|(i, _)| *i);
        all.into_iter().map(|(_, attempt)| attempt).collect()
    }

    /// The request loop over the given rollouts, and the check of what it ends with.
    fn attempt(
        &self,
        group: &GroupCall<'_>,
        names: &[String],
        effects: &Effects,
        executed: &Executed,
    ) -> Attempt {
        let handed = Arc::new(wit::Group {
            task: group.task.to_owned(),
            config: group.config.to_owned(),
            item: group.item.into(),
            rollouts: group.rollouts.iter().map(Into::into).collect(),
            seed: group.seed,
        });
        let bytes = group_bytes(&handed);
        let mut turns = Turns::new(effects, executed, &group.item.id, group.seed);
        let result = loop {
            match self.turn(&handed, bytes, &mut turns) {
                Err(fault) => break Err(fault),
                Ok(None) => {}
                Ok(Some(lists)) if lists.len() == group.rollouts.len() => {
                    break Ok(lists.into_iter().map(|list| accept(list, names, &turns)).collect());
                }
                Ok(Some(lists)) => {
                    let message = format!(
                        "components for {} rollouts, there are {}",
                        lists.len(),
                        group.rollouts.len()
                    );
                    break Err(undefined(ReasonKind::Contract, message));
                }
            }
        };
        Attempt { result, fuel: turns.fuel, reproducible: turns.reproducible }
    }

    /// One call of `score`, and the requests that it asks for; components when it is done.
    fn turn(
        &self,
        group: &Arc<wit::Group>,
        group_bytes: u64,
        turns: &mut Turns<'_>,
    ) -> Result<Option<Vec<Vec<wit::Component>>>, Undefined> {
        let Shared { guest, indices, .. } = &*self.shared;
        let call = Call::new("score", &group.item.id, group_bytes + turns.reply_bytes);
        let indices = indices.clone();
        let (group, replies) = (Arc::clone(group), Arc::clone(&turns.replies));
        let outcome = guest.call(guest.limits, call, move |store, instance| {
            indices.load(&mut *store, instance)?.call_score(store, &group, &replies)
        });
        let outcome = outcome.flatten();
        turns.fuel.reward = turns.fuel.reward.saturating_add(outcome.fuel);
        turns.reproducible &= outcome.reproducible;
        match outcome.result? {
            wit::Turn::Done(lists) => Ok(Some(lists)),
            wit::Turn::Ask(requests) => turns.perform(requests).map(|()| None),
        }
    }
}

/// What one run of the request loop gave.
struct Attempt {
    result: Result<Vec<Vec<Component>>, Undefined>,
    fuel: omni_record::Fuel,
    reproducible: bool,
}

fn all_undefined(names: &[String], reason: &Undefined) -> Vec<Component> {
    names
        .iter()
        .map(|name| Component { name: name.clone(), value: Value::Undefined(reason.clone()) })
        .collect()
}

fn check_names(names: Vec<String>) -> Result<Vec<String>, Undefined> {
    if names.is_empty() {
        return Err(undefined(ReasonKind::Contract, "it names no components"));
    }
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            let message = format!("it names the component `{name}` twice");
            return Err(undefined(ReasonKind::Contract, message));
        }
    }
    Ok(names)
}

/// Brings one rollout's components into the declared order; what breaks the contract is
/// undefined and says so.
fn accept(list: Vec<wit::Component>, names: &[String], turns: &Turns<'_>) -> Vec<Component> {
    if let Some(unknown) = list.iter().find(|c| !names.contains(&c.name)) {
        let message = format!("unknown component `{}`", unknown.name);
        return all_undefined(names, &undefined(ReasonKind::Contract, message));
    }
    let contract = |message: String| Value::Undefined(undefined(ReasonKind::Contract, message));
    names
        .iter()
        .map(|name| {
            let mut given = list.iter().filter(|c| c.name == *name);
            let value = match (given.next(), given.next()) {
                (None, _) => contract(format!("component `{name}` is missing")),
                (_, Some(_)) => contract(format!("component `{name}` is given twice")),
                (Some(component), None) => match &component.value {
                    wit::Value::Scored(score) if score.is_finite() => Value::Scored(*score),
                    wit::Value::Scored(score) => contract(format!("component `{name}` is {score}")),
                    wit::Value::Undefined(why) => {
                        Value::Undefined(Undefined { kind: turns.blame(why), message: why.clone() })
                    }
                },
            };
            Component { name: name.clone(), value }
        })
        .collect()
}

fn group_bytes(group: &wit::Group) -> u64 {
    let item = &group.item;
    let messages: usize = item.messages.iter().map(|m| m.content.len() + 8).sum();
    let rollouts: usize = group.rollouts.iter().map(|r| r.text.len() + 16).sum();
    let rest = group.task.len()
        + group.config.len()
        + item.id.len()
        + item.data.len()
        + item.reference.as_ref().map_or(0, String::len);
    (messages + rollouts + rest) as u64
}
