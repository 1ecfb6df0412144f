//! A run as a person follows it: one line a step that says what matters, a bar on a terminal.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use omni_record::{EvalEvent, RejectionEvent, StepEvent, SupervisedEvent};
use omni_train::outside::{Phase, Progress, Report};

use crate::console;
use crate::reasons;

/// Renders what the trainer reports.
pub(crate) struct Renderer {
    /// The tasks, in the run's order.
    tasks: Vec<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    steps: Option<u64>,
    bar: Option<ProgressBar>,
    evaluation: Option<ProgressBar>,
    sampling: Option<ProgressBar>,
}

impl Renderer {
    /// A renderer for these tasks.
    pub(crate) fn new(tasks: Vec<String>) -> Self {
        Self { tasks, state: Mutex::default() }
    }

    /// Takes the bars away, so that what follows stands alone.
    pub(crate) fn finish(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for bar in
            [state.bar.take(), state.evaluation.take(), state.sampling.take()].into_iter().flatten()
        {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Renderer {
    fn report(&self, report: Report<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match report {
            Report::Begin { done, steps } => {
                state.steps = steps;
                let bar = console::bar(steps.unwrap_or(0), "training");
                bar.set_position(done);
                state.bar = Some(bar);
            }
            Report::Phase { phase: Phase::Evaluate, done, total } => {
                let bar = state
                    .evaluation
                    .get_or_insert_with(|| console::bar(total as u64, "evaluating"));
                bar.set_length(total as u64);
                bar.set_position(done as u64);
            }
            Report::Phase { phase: Phase::Sample, done, total } => {
                let bar =
                    state.sampling.get_or_insert_with(|| console::bar(total as u64, "sampling"));
                bar.set_position(done as u64);
            }
            Report::Phase { phase, done, total } => {
                if let Some(bar) = &state.bar {
                    bar.set_message(format!("{} {done}/{total}", phase_name(phase)));
                }
            }
            Report::Step(event) => {
                if let Some(bar) = &state.bar {
                    bar.set_position(event.step);
                }
                console::say(step_line(event, state.steps, &self.tasks));
            }
            Report::Rejection { done, total, event } => {
                if done == total
                    && let Some(bar) = state.sampling.take()
                {
                    bar.finish_and_clear();
                }
                console::say(sampling_line(done, total, event, &self.tasks));
            }
            Report::Supervised(event) => {
                if let Some(bar) = &state.bar {
                    bar.set_position(event.step);
                }
                console::say(supervised_line(event, state.steps));
            }
            Report::Eval(event) => {
                if let Some(bar) = state.evaluation.take() {
                    bar.finish_and_clear();
                }
                console::say(eval_line(event, &self.tasks));
            }
            Report::Checkpoint { step, path } => {
                console::say(format!("checkpoint of step {step}: {}", path.display()));
            }
            Report::Warmup { step, steps, loss, lr, grad_norm } => console::say(format!(
                "step {step}/{steps}  loss {loss:.4}  |grad| {grad_norm:.3}  lr {lr:.2e}"
            )),
            Report::Notice(text) => console::say(console::printable(text)),
            // Reports that a newer trainer adds are for newer renderers.
            _ => {}
        }
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Generate => "generating",
        Phase::Score => "scoring",
        Phase::Update => "updating",
        Phase::Sample => "sampling",
        Phase::Evaluate => "evaluating",
    }
}

/// Step, reward of each task, what the optimizer saw, time, and whatever could not be scored.
fn step_line(event: &StepEvent, steps: Option<u64>, tasks: &[String]) -> String {
    let mut words = vec![match steps {
        Some(steps) => format!("step {}/{steps}", event.step),
        None => format!("step {}", event.step),
    }];
    let mut undefined: BTreeMap<&str, u64> = BTreeMap::new();
    let mut judge_failures: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut entropy, mut weight, mut long) = (0.0, 0.0, 0);
    let mut rewards = Vec::new();
    for name in tasks {
        let Some(task) = event.tasks.get(name) else {
            continue;
        };
        let reward = task.reward_mean.map_or("–".to_owned(), |reward| format!("{reward:.3}"));
        rewards.push(format!("{name} {reward}"));
        if let Some(value) = task.entropy {
            entropy += value * f64::from(task.rollouts);
            weight += f64::from(task.rollouts);
        }
        long += task.long_prompts;
        for (kind, count) in &task.judge_failures {
            *judge_failures.entry(kind).or_default() += count;
        }
        for (kind, count) in &task.undefined {
            *undefined.entry(kind).or_default() += count;
        }
    }
    words.push(format!("reward {}", rewards.join(" ")));
    words.push(format!("loss {:+.4}", event.loss));
    if event.kl != 0.0 {
        words.push(format!("kl {:.4}", event.kl));
    }
    if weight > 0.0 {
        words.push(format!("entropy {:.2}", entropy / weight));
    }
    words.push(format!("|grad| {:.2}", event.grad_norm));
    words.push(format!("lr {:.1e}", event.lr));
    words.push(format!("{:.2} s", event.seconds.values().sum::<f64>()));
    if !undefined.is_empty() {
        words.push(format!("undefined: {}", reasons::words(&undefined, &judge_failures)));
    }
    if long > 0 {
        words.push(format!("{long} prompts too long"));
    }
    words.join("  ")
}

/// How far sampling is, and of each task how much was correct and how much was kept.
fn sampling_line(done: u64, total: u64, event: &RejectionEvent, tasks: &[String]) -> String {
    let mut words = vec![format!("sampled {done}/{total} prompts")];
    for name in tasks {
        let Some(task) = event.tasks.get(name).filter(|task| task.sampled > 0) else {
            continue;
        };
        let correct = 100.0 * task.correct as f64 / task.sampled as f64;
        let mut text = format!("{name} {correct:.1} % correct, {} kept", task.kept);
        if task.undefined > 0 {
            text.push_str(&format!(" [{} undefined]", task.undefined));
        }
        words.push(text);
    }
    words.push(format!("{:.1} s", event.seconds));
    words.join("  ")
}

/// What a supervised step learned from.
fn supervised_line(event: &SupervisedEvent, steps: Option<u64>) -> String {
    let step = match steps {
        Some(steps) => format!("step {}/{steps}", event.step),
        None => format!("step {}", event.step),
    };
    format!(
        "{step}  loss {:.4}  |grad| {:.2}  lr {:.1e}  epoch {:.2}  {} examples  {} tokens  {:.2} s",
        event.loss,
        event.grad_norm,
        event.lr,
        event.epoch,
        event.examples,
        event.tokens,
        event.seconds
    )
}

fn eval_line(event: &EvalEvent, tasks: &[String]) -> String {
    let mut words = vec![format!("{} at step {}", event.purpose, event.step)];
    for name in tasks {
        let Some(task) = event.tasks.get(name) else {
            continue;
        };
        let mut text = name.clone();
        match (&task.sampled, &task.greedy) {
            (Some(sampled), Some(greedy)) => {
                text.push_str(&format!(
                    " {:.1} % (greedy {:.1} %)",
                    100.0 * sampled.mean,
                    100.0 * greedy.mean
                ));
            }
            (Some(one), None) | (None, Some(one)) => {
                text.push_str(&format!(" {:.1} %", 100.0 * one.mean));
            }
            (None, None) => text.push_str(" –"),
        }
        if task.unsupported > 0 {
            text.push_str(&format!(" [{} unsupported]", task.unsupported));
        }
        if task.faults() > 0 {
            text.push_str(&format!(" [{} undefined]", task.faults()));
        }
        words.push(text);
    }
    words.push(format!("{:.1} s", event.seconds));
    words.join("  ")
}

#[cfg(test)]
mod tests {
    use omni_record::TaskStep;

    use super::*;

    #[test]
    fn a_step_says_what_matters_in_the_runs_order() {
        let task = |reward| TaskStep {
            rollouts: 8,
            reward_mean: reward,
            entropy: Some(1.25),
            undefined: BTreeMap::from([("fuel".to_owned(), 1)]),
            ..TaskStep::default()
        };
        let event = StepEvent {
            step: 3,
            tasks: BTreeMap::from([
                ("code".to_owned(), task(None)),
                ("math".into(), task(Some(0.5))),
            ]),
            loss: -0.01,
            grad_norm: 0.8,
            lr: 1e-4,
            seconds: BTreeMap::from([("generate".to_owned(), 0.5), ("update".into(), 0.25)]),
            ..StepEvent::default()
        };
        assert_eq!(
            step_line(&event, Some(150), &["math".into(), "code".into()]),
            "step 3/150  reward math 0.500 code –  loss -0.0100  entropy 1.25  |grad| 0.80  \
             lr 1.0e-4  0.75 s  undefined: fuel 2"
        );
    }

    #[test]
    fn a_supervised_step_and_the_sampling_before_it_say_what_matters() {
        let task = omni_record::RejectionTask {
            sampled: 160,
            correct: 40,
            kept: 12,
            undefined: 3,
            ..Default::default()
        };
        let event = RejectionEvent {
            tasks: BTreeMap::from([("math".to_owned(), task), ("qa".into(), Default::default())]),
            seconds: 1.5,
            ..RejectionEvent::default()
        };
        assert_eq!(
            sampling_line(10, 20, &event, &["qa".into(), "math".into()]),
            "sampled 10/20 prompts  math 25.0 % correct, 12 kept [3 undefined]  1.5 s"
        );
        let event = SupervisedEvent {
            step: 2,
            loss: 0.25,
            grad_norm: 1.0,
            lr: 1e-4,
            epoch: 0.5,
            examples: 32,
            tokens: 640,
            seconds: 0.5,
            ..SupervisedEvent::default()
        };
        assert_eq!(
            supervised_line(&event, Some(8)),
            "step 2/8  loss 0.2500  |grad| 1.00  lr 1.0e-4  epoch 0.50  32 examples  640 tokens  0.50 s"
        );
    }
}
