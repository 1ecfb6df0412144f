//! What to evaluate on.

use crate::RunConfig;

/// What to evaluate on.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalPlan {
    /// Written to the record: `validation` or `test`.
    pub purpose: String,
    /// One split for each task.
    pub splits: Vec<String>,
    /// Items of each split; fewer where it has fewer.
    pub items: u32,
    /// Sampled outputs for each item; 0 leaves sampling out.
    pub samples: u32,
    /// Their temperature.
    pub temperature: f64,
    /// Also one greedy output for each item.
    pub greedy: bool,
    /// Items of each task whose sampled outputs the entropy is measured on, where
    /// [`measures_entropy`](Self::measures_entropy); it costs a forward pass.
    pub entropy_items: u32,
    /// Items of each task whose outputs are returned as samples.
    pub shown: u32,
    /// Draws of the bootstrap; 0 leaves intervals out.
    pub bootstrap: u32,
}

impl EvalPlan {
    /// What `[eval]` says: the validation splits.
    #[must_use]
    pub fn validation(config: &RunConfig) -> Self {
        Self {
            purpose: "validation".into(),
            splits: config.task.iter().map(|t| t.validation_split.clone()).collect(),
            items: config.eval.items,
            samples: config.eval.samples,
            temperature: config.eval.temperature,
            greedy: config.eval.greedy,
            entropy_items: config.eval.items,
            shown: 1,
            bootstrap: config.eval.bootstrap,
        }
    }

    /// What `[eval.final]` says: the test splits.
    #[must_use]
    pub fn test(config: &RunConfig) -> Self {
        let last = &config.eval.last;
        Self {
            purpose: "test".into(),
            splits: config.task.iter().map(|t| t.test_split.clone()).collect(),
            items: last.items,
            samples: last.samples,
            temperature: last.temperature,
            greedy: last.greedy,
            entropy_items: 200.min(last.items),
            shown: 5,
            bootstrap: config.eval.bootstrap,
        }
    }

    /// False where there is nothing to do.
    #[must_use]
    pub fn is_something(&self) -> bool {
        self.items > 0 && (self.samples > 0 || self.greedy)
    }

    /// Whether outputs are sampled as METHOD.md, section 5, measures entropy: at a temperature of 1.
    /// At another one there is none in the record, since it could not be compared with any other.
    #[must_use]
    pub fn measures_entropy(&self) -> bool {
        self.samples > 0 && self.temperature == 1.0
    }

    /// What a person should know, where outputs are sampled and their entropy is left out.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        let left_out = self.is_something() && self.samples > 0 && !self.measures_entropy();
        left_out.then(|| {
            let table = if self.purpose == "test" { "eval.final" } else { "eval" };
            format!(
                "{} entropy is left out: it is that of outputs sampled at a temperature of 1, and \
                 `{table}.temperature` is {}",
                self.purpose, self.temperature
            )
        })
    }
}
