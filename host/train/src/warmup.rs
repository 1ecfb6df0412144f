//! Supervised training on the tasks' own demonstrations (`data.demonstration` of their items):
//! makes the model that reinforcement starts from, or continues one.
//!
//! The loss is the mean negative log-probability of a batch's completion tokens, the
//! end-of-sequence token included; prompts are only read.

use std::sync::atomic::{AtomicBool, Ordering};

use omni_policy::{Policy, Tokenizer};
use omni_record::Item;

use crate::outside::{OutsideError, Problems, Progress, Report};
use crate::phase::adamw;
use crate::prompts::Order;
use crate::schedule::learning_rate;
use crate::supervised::{self, Example};
use crate::{ConfigError, TrainError, WarmupConfig, random};

/// Items that are fetched at once.
const PAGE: u32 = 1024;

/// Everything that a warm-up is made of. `problems` speaks of tasks by their index in the
/// warm-up file.
pub struct Warmup<'a> {
    /// The configuration.
    pub config: &'a WarmupConfig,
    /// The policy, of whatever weights it begins with.
    pub policy: &'a mut dyn Policy,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Where demonstrations come from.
    pub problems: &'a dyn Problems,
    /// The audience.
    pub progress: &'a dyn Progress,
    /// Set from outside to end after the step at hand.
    pub stop: &'a AtomicBool,
}

/// What a warm-up came to.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmupSummary {
    /// Steps taken.
    pub steps: u64,
    /// Mean loss of a token over the last tenth of the steps.
    pub loss: f64,
    /// Demonstrations at hand.
    pub demonstrations: u64,
    /// Demonstrations left out for their length.
    pub too_long: u64,
}

/// The texts that a new tokenizer is trained on: prompts and demonstrations.
///
/// # Errors
/// A source that fails, or an item without a demonstration.
pub fn corpus(config: &WarmupConfig, problems: &dyn Problems) -> Result<Vec<String>, TrainError> {
    let items = config.tokenizer.as_ref().map_or(0, |t| t.items);
    let mut texts = Vec::new();
    for (task, settings) in config.task.iter().enumerate() {
        for item in
            items_of(problems, task, &settings.uses, &settings.split, items.min(settings.items))?
        {
            texts.push(demonstration(&settings.uses, &item)?.to_owned());
            texts.extend(item.messages.into_iter().map(|m| m.content));
        }
    }
    Ok(texts)
}

/// Trains the policy; saving it is the caller's.
///
/// # Errors
/// A source or a model that fails, an item without a demonstration.
pub fn warmup(warmup: Warmup<'_>) -> Result<WarmupSummary, TrainError> {
    let Warmup { config, policy, tokenizer, problems, progress, stop } = warmup;
    config.validate()?;
    let longest = policy.max_positions().min(config.max_tokens as usize);
    let mut sources = Vec::new();
    let mut too_long = 0;
    for (task, settings) in config.task.iter().enumerate() {
        let items = items_of(problems, task, &settings.uses, &settings.split, settings.items)?;
        let mut examples = Vec::with_capacity(items.len());
        for item in &items {
            let example = example(tokenizer, &settings.uses, item)?;
            if example.prompt.len() + example.completion.len() > longest {
                too_long += 1;
            } else {
                examples.push(example);
            }
        }
        if examples.is_empty() && settings.weight > 0.0 {
            return Err(TrainError::task(
                &settings.uses,
                format!(
                    "split `{}` has no demonstration of at most {longest} tokens",
                    settings.split
                ),
            ));
        }
        let order = Order::new(
            &format!("{task} {}", settings.uses),
            config.seed,
            Some(examples.len() as u32),
        );
        sources.push(Source { examples, order, taken: 0, weight: settings.weight });
    }
    if too_long > 0 {
        progress.report(Report::Notice(&format!(
            "{too_long} demonstrations of more than {longest} tokens are left out"
        )));
    }
    let demonstrations = sources.iter().map(|s| s.examples.len() as u64).sum();

    let tail_begins = config.steps - config.steps / 10;
    let (mut shown, mut tail) = ((0.0, 0u64), (0.0, 0u64));
    let mut steps = 0;
    for step in 1..=config.steps {
        let chosen = choose(&mut sources, config, step);
        let batch: Vec<&Example> = chosen.iter().map(|(s, e)| &sources[*s].examples[*e]).collect();
        policy.zero_grad();
        let losses = supervised::accumulate(policy, &batch, config.micro_batch_tokens)?;
        let loss = losses.iter().sum::<f64>() / supervised::tokens(&batch).max(1) as f64;
        let lr = learning_rate(&config.optimizer, step, Some(config.steps));
        let norm = (config.optimizer.max_grad_norm > 0.0).then_some(config.optimizer.max_grad_norm);
        let stats = policy.step(&adamw(&config.optimizer, lr), norm)?;
        steps = step;
        shown = (shown.0 + loss, shown.1 + 1);
        if step > tail_begins {
            tail = (tail.0 + loss, tail.1 + 1);
        }
        let last = step == config.steps || stop.load(Ordering::Relaxed);
        if last || step % config.report_every.max(1) == 0 {
            let loss = shown.0 / shown.1 as f64;
            progress.report(Report::Warmup {
                step,
                steps: config.steps,
                loss,
                lr,
                grad_norm: stats.grad_norm,
            });
            shown = (0.0, 0);
        }
        if last {
            break;
        }
    }
    Ok(WarmupSummary { steps, loss: tail.0 / tail.1.max(1) as f64, demonstrations, too_long })
}

struct Source {
    examples: Vec<Example>,
    order: Order,
    taken: u64,
    weight: f64,
}

/// The examples of a step: (source, example), each source's in its own order.
fn choose(sources: &mut [Source], config: &WarmupConfig, step: u64) -> Vec<(usize, usize)> {
    let total: f64 = sources.iter().map(|s| s.weight).sum();
    let slots = u64::from(config.batch);
    (0..slots)
        .map(|slot| {
            let drawn = random::seed(config.seed, "warmup", "task", step * slots + slot);
            // 53 random bits: uniform in [0, total).
            let mut point = (drawn >> 11) as f64 / (1u64 << 53) as f64 * total;
            let mut chosen = None;
            for (index, source) in sources.iter().enumerate().filter(|(_, s)| s.weight > 0.0) {
                chosen = Some(index);
                point -= source.weight;
                if point < 0.0 {
                    break;
                }
            }
            // At least one weight is positive: `validate` saw to it.
            let index = chosen.unwrap_or(0);
            let source = &mut sources[index];
            let example = source.order.item(source.taken) as usize;
            source.taken += 1;
            (index, example)
        })
        .collect()
}

fn items_of(
    problems: &dyn Problems,
    task: usize,
    name: &str,
    split: &str,
    wanted: u32,
) -> Result<Vec<Item>, TrainError> {
    let failed = |source: OutsideError| TrainError::Problems { task: name.to_owned(), source };
    let splits = problems.splits(task).map_err(failed)?;
    let Some(found) = splits.iter().find(|s| s.name == split) else {
        let known: Vec<&str> = splits.iter().map(|s| s.name.as_str()).collect();
        return Err(TrainError::task(
            name,
            format!("has no split `{split}`; it has {}", known.join(", ")),
        ));
    };
    let wanted = found.items.map_or(wanted, |n| n.min(wanted));
    let mut items = Vec::with_capacity(wanted as usize);
    while (items.len() as u32) < wanted {
        let offset = items.len() as u32;
        let page =
            problems.items(task, split, offset, PAGE.min(wanted - offset)).map_err(failed)?;
        if page.is_empty() {
            return Err(TrainError::task(
                name,
                format!("split `{split}` ended after {offset} of {wanted} items"),
            ));
        }
        items.extend(page);
    }
    Ok(items)
}

fn demonstration<'i>(task: &str, item: &'i Item) -> Result<&'i str, TrainError> {
    item.data.get("demonstration").and_then(serde_json::Value::as_str).ok_or_else(|| {
        TrainError::task(
            task,
            format!("item `{}` has no text `data.demonstration` to learn from", item.id),
        )
    })
}

fn example(tokenizer: &Tokenizer, task: &str, item: &Item) -> Result<Example, TrainError> {
    let messages: Vec<(&str, &str)> =
        item.messages.iter().map(|m| (m.role.as_str(), m.content.as_str())).collect();
    let prompt = tokenizer.encode(&tokenizer.apply_chat_template(&messages, true)?)?;
    let mut completion = tokenizer.encode(demonstration(task, item)?)?;
    let Some(end) = tokenizer.eos_ids().first() else {
        return Err(
            ConfigError::new("tokenizer", "the tokenizer has no end-of-sequence token").into()
        );
    };
    completion.push(*end);
    Ok(Example { prompt: prompt.into(), completion })
}
