//! From a task's items to prompts: in which order, as which tokens, and which are too long.

use std::collections::HashMap;

use omni_policy::Tokenizer;
use omni_record::Item;

use crate::config::{LongPrompts, RunConfig, Task};
use crate::outside::Problems;
use crate::random;
use crate::{TaskSpec, TrainError};

/// An item, ready to be given to the policy.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) task: usize,
    pub(crate) item: Item,
    pub(crate) text: String,
    pub(crate) tokens: Vec<u32>,
    /// Of its samples.
    pub(crate) seed: u64,
    /// Of its scoring.
    pub(crate) score_seed: u32,
    /// What its outputs are scored as, instead of `item`: once for each set of references.
    pub(crate) views: Vec<View>,
}

/// An item with one set's reference.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// The set's name.
    pub(crate) set: String,
    pub(crate) item: Item,
}

impl Prompt {
    /// Everything that its outputs are scored as, with the seed of each.
    pub(crate) fn scored_as(&self) -> Vec<(&Item, u32)> {
        if self.views.is_empty() {
            return vec![(&self.item, self.score_seed)];
        }
        let seed = |set| random::short(random::seed(u64::from(self.score_seed), "set", set, 0));
        self.views.iter().map(|view| (&view.item, seed(&view.set))).collect()
    }
}

/// The training data of one task: each item once in each pass, in an order that depends on the
/// run's seed and the task's name alone.
pub(crate) struct Order {
    name: String,
    seed: u64,
    /// None: a generator that never runs out; its items are taken as they come.
    pub(crate) items: Option<u32>,
    pass: Option<(u64, Vec<u32>)>,
}

impl Order {
    pub(crate) fn new(name: &str, seed: u64, items: Option<u32>) -> Self {
        Self { name: name.to_owned(), seed, items, pass: None }
    }

    /// The item at a place in the sequence of all passes.
    pub(crate) fn item(&mut self, position: u64) -> u32 {
        let Some(items) = self.items.filter(|n| *n > 0) else { return position as u32 };
        let pass = position / u64::from(items);
        let order = match self.pass.take() {
            Some((known, order)) if known == pass => order,
            _ => random::permutation(items, random::seed(self.seed, "order", &self.name, pass)),
        };
        let item = order[(position % u64::from(items)) as usize];
        self.pass = Some((pass, order));
        item
    }
}

/// Makes prompts.
pub(crate) struct Prompts<'a> {
    pub(crate) config: &'a RunConfig,
    pub(crate) tasks: &'a [TaskSpec],
    pub(crate) problems: &'a dyn Problems,
    pub(crate) tokenizer: &'a Tokenizer,
    /// Longest sequence of the model.
    pub(crate) max_positions: usize,
}

/// What became of an item.
pub(crate) enum Made {
    Prompt(Box<Prompt>),
    TooLong,
}

impl Prompts<'_> {
    /// The longest prompt that leaves room for a completion.
    ///
    /// # Errors
    /// When completions alone are longer than the model's positions.
    pub(crate) fn longest(&self) -> Result<usize, TrainError> {
        let completion = self.config.rollout.max_completion_tokens as usize;
        if completion >= self.max_positions {
            return Err(crate::ConfigError::new(
                "rollout.max_completion_tokens",
                format!(
                    "{completion} tokens leave no room for a prompt in the model's {} positions",
                    self.max_positions
                ),
            )
            .help("make it smaller")
            .into());
        }
        Ok((self.max_positions - completion).min(self.config.rollout.max_prompt_tokens as usize))
    }

    /// The size of a split; none for a generator that never runs out.
    ///
    /// # Errors
    /// A source that fails, or that has no such split.
    pub(crate) fn split_size(&self, task: usize, split: &str) -> Result<Option<u32>, TrainError> {
        let name = &self.tasks[task].name;
        let splits = self.problems.splits(task).map_err(|source| self.failed(task, source))?;
        match splits.iter().find(|s| s.name == split) {
            Some(found) => Ok(found.items),
            None => {
                let known: Vec<&str> = splits.iter().map(|s| s.name.as_str()).collect();
                Err(TrainError::task(
                    name,
                    format!("has no split `{split}`; it has {}", known.join(", ")),
                ))
            }
        }
    }

    /// The training items of a task: as many as the run file says, or all.
    ///
    /// # Errors
    /// A source that fails, or that has fewer items than the run file asks for.
    pub(crate) fn training_items(
        &self,
        task: usize,
        settings: &Task,
    ) -> Result<Option<u32>, TrainError> {
        let available = self.split_size(task, &settings.train_split)?;
        match (settings.items, available) {
            (0, available) => Ok(available),
            (wanted, Some(available)) if wanted > available => Err(TrainError::task(
                &self.tasks[task].name,
                format!(
                    "`items = {wanted}`, but its split `{}` has {available}",
                    settings.train_split
                ),
            )),
            (wanted, _) => Ok(Some(wanted)),
        }
    }

    /// Items of a split by their numbers, runs of neighbours fetched at once.
    ///
    /// # Errors
    /// A source that fails or gives fewer items than it said it has.
    pub(crate) fn fetch(
        &self,
        task: usize,
        split: &str,
        numbers: &[u32],
    ) -> Result<Vec<Item>, TrainError> {
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut items: HashMap<u32, Item> = HashMap::with_capacity(sorted.len());
        for run in sorted.chunk_by(|a, b| *b == a + 1) {
            let (offset, limit) = (run[0], run.len() as u32);
            let got = self
                .problems
                .items(task, split, offset, limit)
                .map_err(|source| self.failed(task, source))?;
            if got.len() != run.len() {
                return Err(TrainError::task(
                    &self.tasks[task].name,
                    format!(
                        "gave {} items instead of {limit} at offset {offset} of split `{split}`",
                        got.len()
                    ),
                ));
            }
            items.extend(run.iter().copied().zip(got));
        }
        Ok(numbers.iter().filter_map(|n| items.get(n).cloned()).collect())
    }

    /// An item as the policy will read it.
    ///
    /// # Errors
    /// A chat template that fails; a prompt that is too long, where that is an error.
    pub(crate) fn make(
        &self,
        task: usize,
        item: Item,
        purpose: &str,
        index: u64,
        longest: usize,
    ) -> Result<Made, TrainError> {
        let prompt = self.prepare(task, item, purpose, index)?;
        if prompt.tokens.len() <= longest {
            return Ok(Made::Prompt(Box::new(prompt)));
        }
        if self.config.rollout.long_prompts == LongPrompts::Skip {
            return Ok(Made::TooLong);
        }
        Err(TrainError::task(
            &self.tasks[task].name,
            format!(
                "item `{}` has a prompt of {} tokens, longer than {longest} (rollout.max_prompt_tokens, and the \
                 model's {} positions less rollout.max_completion_tokens); set rollout.long_prompts = \"skip\" to \
                 leave such prompts out",
                prompt.item.id,
                prompt.tokens.len(),
                self.max_positions
            ),
        ))
    }

    /// The same, whatever its length.
    ///
    /// # Errors
    /// A chat template that fails, or a prompt without a token.
    pub(crate) fn prepare(
        &self,
        task: usize,
        item: Item,
        purpose: &str,
        index: u64,
    ) -> Result<Prompt, TrainError> {
        let name = &self.tasks[task].name;
        let messages: Vec<(&str, &str)> =
            item.messages.iter().map(|m| (m.role.as_str(), m.content.as_str())).collect();
        let text = self.tokenizer.apply_chat_template(&messages, true)?;
        let tokens = self.tokenizer.encode(&text)?;
        if tokens.is_empty() {
            return Err(TrainError::task(name, format!("item `{}` has an empty prompt", item.id)));
        }
        let seed = random::seed(self.config.seed, purpose, name, index);
        let score_seed = random::short(random::seed(self.config.seed, "score", name, seed));
        Ok(Prompt { task, item, text, tokens, seed, score_seed, views: Vec::new() })
    }

    fn failed(&self, task: usize, source: crate::outside::OutsideError) -> TrainError {
        TrainError::Problems { task: self.tasks[task].name.clone(), source }
    }
}
