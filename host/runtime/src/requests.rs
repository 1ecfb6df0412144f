//! What a reward asks for, and who does it.
//!
//! A round's programs run in parallel on the guest threads while its comparisons go to the
//! judges; replies keep the order of asking. Everything that could make a result depend on
//! timing is left out: identical programs are run once but charged each time, and replies are
//! kept by position.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use omni_record::{Fuel, ReasonKind, Undefined};

use crate::bindings::exports::omni::plugin::reward as wit;
use crate::error::undefined;
use crate::limits::LoopLimits;
use crate::model::{Model, NoModel};
use crate::plugin::{InterpreterPlugin, JudgePlugin, Judged, PendingRun};
use crate::values::{Comparison, Execution, Program, Verdict};

/// A judge with the configuration that a task gives it.
#[derive(Clone, Debug)]
pub struct ConfiguredJudge {
    /// The plugin.
    pub plugin: JudgePlugin,
    /// A JSON object.
    pub config: String,
}

/// What a reward's requests can reach.
#[derive(Clone)]
pub struct Effects {
    /// Interpreters by language.
    pub interpreters: HashMap<String, InterpreterPlugin>,
    /// The judge for comparisons that name none.
    pub judge: Option<ConfiguredJudge>,
    /// Judges by the names that comparisons use.
    pub judges: HashMap<String, ConfiguredJudge>,
    /// What judges' questions go to.
    pub model: Arc<dyn Model>,
    /// What the loop grants.
    pub limits: LoopLimits,
}

impl Default for Effects {
    fn default() -> Self {
        Self {
            interpreters: HashMap::new(),
            judge: None,
            judges: HashMap::new(),
            model: Arc::new(NoModel),
            limits: LoopLimits::default(),
        }
    }
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Effects")
            .field("interpreters", &self.interpreters)
            .field("judge", &self.judge)
            .field("judges", &self.judges)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Programs that were run for this group already, with what they gave.
#[derive(Default)]
pub(crate) struct Executed(Mutex<HashMap<Program, Arc<Execution>>>);

impl Executed {
    fn get(&self, program: &Program) -> Option<Arc<Execution>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(program).cloned()
    }

    fn put(&self, program: Program, execution: &Arc<Execution>) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(program, Arc::clone(execution));
    }
}

/// One reward's conversation with the host: the replies so far and what they cost.
pub(crate) struct Turns<'a> {
    effects: &'a Effects,
    executed: &'a Executed,
    item: &'a str,
    seed: u32,
    pub(crate) replies: Arc<Vec<wit::Reply>>,
    pub(crate) reply_bytes: u64,
    pub(crate) fuel: Fuel,
    pub(crate) reproducible: bool,
    rounds: u32,
    request_bytes: u64,
    /// Failed replies' texts, to tell whose fault an undefined component is.
    failures: Vec<(ReasonKind, String)>,
}

/// A program of a round.
enum Run {
    Done(Done),
    /// The same as an earlier one of the round, by position.
    SameAs(usize),
    Pending(PendingRun, Program),
}

/// What became of one request.
#[derive(Clone)]
struct Done {
    reply: wit::Reply,
    failure: Option<(ReasonKind, String)>,
    fuel: Fuel,
    reproducible: bool,
}

impl Done {
    fn executed(execution: &Execution, reproducible: bool) -> Self {
        Self {
            reply: wit::Reply::Executed(execution.into()),
            failure: None,
            fuel: Fuel { reward: 0, programs: execution.fuel },
            reproducible,
        }
    }

    fn failed(kind: ReasonKind, message: String) -> Self {
        Self {
            reply: wit::Reply::Failed(message.clone()),
            failure: Some((kind, message)),
            fuel: Fuel::default(),
            reproducible: true,
        }
    }
}

impl<'a> Turns<'a> {
    pub(crate) fn new(
        effects: &'a Effects,
        executed: &'a Executed,
        item: &'a str,
        seed: u32,
    ) -> Self {
        Self {
            effects,
            executed,
            item,
            seed,
            replies: Arc::default(),
            reply_bytes: 0,
            fuel: Fuel::default(),
            reproducible: true,
            rounds: 0,
            request_bytes: 0,
            failures: Vec::new(),
        }
    }

    /// Performs one round's requests and appends the replies.
    pub(crate) fn perform(&mut self, requests: Vec<wit::Request>) -> Result<(), Undefined> {
        self.grant(&requests)?;
        let mut done: Vec<Option<Done>> = requests.iter().map(|_| None).collect();
        let mut comparisons: Vec<(usize, Comparison)> = Vec::new();
        let mut programs: Vec<(usize, Program)> = Vec::new();
        for (i, request) in requests.into_iter().enumerate() {
            match request {
                wit::Request::Execute(program) => programs.push((i, program.into())),
                wit::Request::Compare(comparison) => comparisons.push((i, comparison.into())),
            }
        }
        // Programs are queued before the judges sit, and waited for afterwards.
        let runs = self.start(&programs);
        let judged = self.compare(&comparisons);
        for (i, result) in judged.into_iter().chain(self.collect(runs)) {
            done[i] = Some(result);
        }
        let replies = Arc::make_mut(&mut self.replies);
        for result in done {
            let result = result.unwrap_or_else(|| {
                Done::failed(ReasonKind::Host, "the request was not performed".into())
            });
            self.reply_bytes = self.reply_bytes.saturating_add(reply_bytes(&result.reply));
            replies.push(result.reply);
            self.failures.extend(result.failure);
            self.fuel += result.fuel;
            self.reproducible &= result.reproducible;
        }
        Ok(())
    }

    /// Whether the loop may go on with these requests.
    fn grant(&mut self, requests: &[wit::Request]) -> Result<(), Undefined> {
        let limits = &self.effects.limits;
        self.rounds += 1;
        self.request_bytes += requests.iter().map(request_bytes).sum::<u64>();
        let message = if requests.is_empty() {
            "asks for nothing and is not done".to_owned()
        } else if self.rounds > limits.rounds {
            format!("still asks after {} rounds", limits.rounds)
        } else if self.replies.len() + requests.len() > limits.requests as usize {
            format!("more than {} requests", limits.requests)
        } else if self.request_bytes > limits.request_bytes {
            format!("more than {} bytes of requests", limits.request_bytes)
        } else {
            return Ok(());
        };
        Err(undefined(ReasonKind::Contract, message))
    }

    /// Queues a round's programs; those that this group or round has had already are not run
    /// again.
    fn start(&self, programs: &[(usize, Program)]) -> Vec<(usize, Run)> {
        let mut started: HashMap<Program, usize> = HashMap::new();
        let mut runs = Vec::with_capacity(programs.len());
        for (at, program) in programs {
            let Some(interpreter) = self.effects.interpreters.get(&program.language) else {
                runs.push((*at, Run::Done(self.no_interpreter(&program.language))));
                continue;
            };
            let cap = self.effects.limits.program;
            let mut program = program.clone();
            program.limits = Some(program.limits.map_or(cap, |l| l.capped_by(cap)));
            let run = if let Some(execution) = self.executed.get(&program) {
                Run::Done(Done::executed(&execution, true))
            } else if let Some(same) = started.get(&program) {
                Run::SameAs(*same)
            } else {
                started.insert(program.clone(), runs.len());
                Run::Pending(interpreter.submit(&program, self.item), program)
            };
            runs.push((*at, run));
        }
        runs
    }

    /// Waits for a round's programs.
    fn collect(&self, runs: Vec<(usize, Run)>) -> Vec<(usize, Done)> {
        let mut done: Vec<(usize, Done)> = Vec::with_capacity(runs.len());
        for (at, run) in runs {
            let result = match run {
                Run::Done(result) => result,
                Run::SameAs(earlier) => done[earlier].1.clone(),
                Run::Pending(pending, program) => match pending.wait() {
                    (Ok(execution), reproducible) => {
                        let execution = Arc::new(execution);
                        if reproducible {
                            self.executed.put(program, &execution);
                        }
                        Done::executed(&execution, reproducible)
                    }
                    (Err(error), reproducible) => {
                        let mut result = Done::failed(ReasonKind::Interpreter, error.to_string());
                        result.fuel.programs = error.fuel;
                        result.reproducible = reproducible;
                        result
                    }
                },
            };
            done.push((at, result));
        }
        done
    }

    fn no_interpreter(&self, language: &str) -> Done {
        let mut known: Vec<&str> = self.effects.interpreters.keys().map(String::as_str).collect();
        known.sort_unstable();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        let message = format!("no interpreter for `{language}`; loaded: {known}");
        Done::failed(ReasonKind::Interpreter, message)
    }

    /// All comparisons of a round, one sitting for each judge they name.
    fn compare(&self, comparisons: &[(usize, Comparison)]) -> Vec<(usize, Done)> {
        let mut by_judge: Vec<(Option<&str>, Vec<usize>)> = Vec::new();
        for (at, (_, comparison)) in comparisons.iter().enumerate() {
            let judge = comparison.judge.as_deref();
            match by_judge.iter_mut().find(|(name, _)| *name == judge) {
                Some((_, list)) => list.push(at),
                None => by_judge.push((judge, vec![at])),
            }
        }
        let mut done = Vec::with_capacity(comparisons.len());
        for (name, list) in by_judge {
            let judge = match name {
                None => self.effects.judge.as_ref(),
                Some(name) => self.effects.judges.get(name),
            };
            let Some(judge) = judge else {
                let message = match name {
                    None => "this task has no judge".to_owned(),
                    Some(name) => format!("this task has no judge `{name}`"),
                };
                for at in list {
                    done.push((
                        comparisons[at].0,
                        Done::failed(ReasonKind::Judge, message.clone()),
                    ));
                }
                continue;
            };
            let asked: Vec<Comparison> = list.iter().map(|&at| comparisons[at].1.clone()).collect();
            let Judged { verdicts, fuel, reproducible } = judge.plugin.judge(
                &judge.config,
                &asked,
                self.seed,
                self.item,
                &*self.effects.model,
                &self.effects.limits,
            );
            let mut fuel = Fuel { reward: fuel, programs: 0 };
            for (at, verdict) in list.into_iter().zip(verdicts) {
                let mut result = match verdict {
                    Ok(verdict) => Done {
                        reply: wit::Reply::Compared((&verdict).into()),
                        failure: match verdict {
                            Verdict::Undecided(why) => Some((ReasonKind::Judge, why)),
                            Verdict::Preferred(_) => None,
                        },
                        fuel: Fuel::default(),
                        reproducible,
                    },
                    Err(fault) => {
                        let kind = fault.kind.as_str();
                        let message =
                            format!("{}, decide: {kind}: {}", judge.plugin.label(), fault.message);
                        Done::failed(ReasonKind::Judge, message)
                    }
                };
                // The sitting's fuel is counted once, with its first comparison.
                result.fuel = std::mem::take(&mut fuel);
                result.reproducible = reproducible;
                done.push((comparisons[at].0, result));
            }
        }
        done
    }

    /// Whose fault a component is that the reward calls undefined: its own, unless it passes on
    /// what a failed reply said.
    pub(crate) fn blame(&self, why: &str) -> ReasonKind {
        self.failures
            .iter()
            .find(|(_, message)| !message.is_empty() && why.contains(message.as_str()))
            .map_or(ReasonKind::Plugin, |(kind, _)| *kind)
    }
}

fn request_bytes(request: &wit::Request) -> u64 {
    let bytes = match request {
        wit::Request::Execute(p) => p.source.len() + p.stdin.len() + p.language.len(),
        wit::Request::Compare(c) => {
            c.first.len()
                + c.second.len()
                + c.rubric.as_ref().map_or(0, String::len)
                + c.conversation.iter().map(|m| m.content.len() + 8).sum::<usize>()
        }
    };
    bytes as u64 + 32
}

fn reply_bytes(reply: &wit::Reply) -> u64 {
    let bytes = match reply {
        wit::Reply::Executed(e) => e.stdout.len() + e.stderr.len(),
        wit::Reply::Compared(_) => 0,
        wit::Reply::Failed(message) => message.len(),
    };
    bytes as u64 + 64
}
