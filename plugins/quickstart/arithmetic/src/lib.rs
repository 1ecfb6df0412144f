//! The quickstart's math: sums, differences, products and linear equations in small numbers.
//!
//! Thoughts go digit by digit, as on paper: `17+25` is `7+5=12 1+2+1=4`, so 42.

mod calculation;

use omni_quickstart_generate::{Common, Problem, in_range, item, splits};
use omni_sdk::task::{Error, Item, Result, Rng, Split, Task};
use serde::Deserialize;

pub use calculation::{Calculation, Kind};

/// The generator and its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Arithmetic {
    /// Which endless sequence of problems it is.
    pub seed: u64,
    /// The share of wrong demonstrations in the split `warmup`.
    pub wrong: f64,
    /// The share of those that break the form.
    pub broken: f64,
    /// How hard, from 1 to 3; sets what the keys below leave open.
    pub level: u32,
    /// The greatest operand.
    pub max: Option<u32>,
    /// The greatest factor of a product, and coefficient of an equation.
    pub max_factor: Option<u32>,
    /// What there is to calculate.
    pub kinds: Vec<Kind>,
}

impl Default for Arithmetic {
    fn default() -> Self {
        let Common { seed, wrong, broken } = Common::default();
        Self {
            seed,
            wrong,
            broken,
            level: 2,
            max: None,
            max_factor: None,
            kinds: Kind::ALL.to_vec(),
        }
    }
}

impl Arithmetic {
    /// The greatest operand and the greatest factor.
    fn bounds(&self) -> Result<(u32, u32)> {
        in_range("level", self.level, 1..=3)?;
        let (max, factor) = [(30, 4), (60, 6), (99, 9)][self.level as usize - 1];
        let (max, factor) = (self.max.unwrap_or(max), self.max_factor.unwrap_or(factor));
        in_range("max", max, 20..=99)?;
        in_range("max_factor", factor, 2..=9)?;
        if self.kinds.is_empty() {
            return Err(Error::invalid_input(
                "`kinds` is empty; it names add, subtract, multiply or linear",
            ));
        }
        Ok((max, factor))
    }
}

impl Task for Arithmetic {
    fn splits(&self) -> Result<Vec<Split>> {
        self.bounds()?;
        Ok(splits())
    }

    fn item(&self, split: &str, index: u32) -> Result<Item> {
        let (max, factor) = self.bounds()?;
        let common = Common { seed: self.seed, wrong: self.wrong, broken: self.broken };
        item(&common, split, index, |rng: &mut Rng| {
            let kind = rng.choose(&self.kinds).copied().unwrap_or(Kind::Add);
            let calculation = Calculation::draw(kind, max, factor, rng);
            let finish = move |_: &mut Rng| {
                let mut data = serde_json::Map::new();
                data.insert("kind".to_owned(), kind.name().into());
                Problem {
                    prompt: calculation.prompt(),
                    reference: Some(calculation.result().to_string()),
                    data,
                    right: calculation.solution(),
                    wrong: calculation.mistakes(),
                }
            };
            (calculation.key(), finish)
        })
    }
}

omni_sdk::export!(task Arithmetic);
