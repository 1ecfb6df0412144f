//! The quickstart's code: a small Python function from examples of what it returns.
//!
//! The tests call it with inputs that the prompt does not show. Two problems are the same when
//! their functions are, so a held-out function was never trained on in any examples.

mod function;

use omni_quickstart_generate::{Common, Problem, Solution, in_range, item, splits};
use omni_sdk::task::{Error, Item, Result, Rng, Split, Task};
use serde::Deserialize;

pub use function::{Family, Function, Input};

/// The generator and its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Functions {
    /// Which endless sequence of problems it is.
    pub seed: u64,
    /// The share of wrong demonstrations in the split `warmup`.
    pub wrong: f64,
    /// The share of those that break the form.
    pub broken: f64,
    /// How hard, from 1 to 3; sets what the keys below leave open.
    pub level: u32,
    /// The families that functions are drawn from.
    pub families: Option<Vec<Family>>,
    /// The greatest factor.
    pub max_factor: u32,
    /// The greatest constant.
    pub max_constant: u32,
    /// How many tests there are.
    pub tests: u32,
}

impl Default for Functions {
    fn default() -> Self {
        let Common { seed, wrong, broken } = Common::default();
        Self {
            seed,
            wrong,
            broken,
            level: 2,
            families: None,
            max_factor: 9,
            max_constant: 20,
            tests: 3,
        }
    }
}

impl Functions {
    fn families(&self) -> Result<Vec<Family>> {
        in_range("level", self.level, 1..=3)?;
        in_range("max_factor", self.max_factor, 4..=9)?;
        in_range("max_constant", self.max_constant, 5..=50)?;
        in_range("tests", self.tests, 2..=4)?;
        let families = match &self.families {
            Some(families) => families.clone(),
            None => Family::of_level(self.level).to_vec(),
        };
        if families.is_empty() {
            return Err(Error::invalid_input(
                "`families` is empty; it names linear, append, prepend, subtract, square or around",
            ));
        }
        Ok(families)
    }
}

impl Task for Functions {
    fn splits(&self) -> Result<Vec<Split>> {
        self.families()?;
        Ok(splits())
    }

    fn item(&self, split: &str, index: u32) -> Result<Item> {
        let families = self.families()?;
        let common = Common { seed: self.seed, wrong: self.wrong, broken: self.broken };
        item(&common, split, index, |rng: &mut Rng| {
            let family = rng.choose(&families).copied().unwrap_or(Family::Linear);
            let function = Function::draw(family, self.max_factor, self.max_constant, rng);
            let key = function.expression();
            let finish = move |rng: &mut Rng| {
                let (shown, hidden) = function.inputs(self.tests as usize, rng);
                let examples: Vec<_> = shown
                    .iter()
                    .map(|input| format!("f({input})={}", function.value(input)))
                    .collect();
                let assertions: Vec<_> = hidden
                    .iter()
                    .map(|input| format!("assert f({input}) == {}", function.value(input)))
                    .collect();
                let mut data = serde_json::Map::new();
                data.insert("kind".to_owned(), family.name().into());
                data.insert("entry_point".to_owned(), "f".into());
                data.insert("assertions".to_owned(), assertions.into());
                Problem {
                    prompt: format!("{} def f?", examples.join(" ")),
                    reference: None,
                    data,
                    right: Solution::new(function.thoughts(&shown), function.source()),
                    wrong: function.mistakes(&shown, &hidden),
                }
            };
            (key, finish)
        })
    }
}

omni_sdk::export!(task Functions);
