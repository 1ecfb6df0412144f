//! What the quickstart's generators have in common: splits without shared problems, random access
//! to endless sequences, and demonstrations of which a share is wrong.
//!
//! A problem belongs to the split that the hash of its content falls into, whatever the seed, so
//! no two splits share a problem, nor do weights that one seed made and tests that another draws.
//! An item is drawn again until it falls into the split that is asked for.

use omni_sdk::task::{Error, Item, Result, Rng, Split};
use serde_json::{Map, Value};

mod demonstration;

pub use demonstration::{Solution, broken};

/// The splits, each with its share of all problems.
pub const SPLITS: [(&str, f64); 4] =
    [("train", 0.45), ("warmup", 0.35), ("validation", 0.1), ("test", 0.1)];

/// Draws until a problem falls into the split; a split's share makes 10 to be expected.
const MOST_DRAWS: u32 = 20_000;

/// The settings that every generator has.
#[derive(Debug, Clone, Copy)]
pub struct Common {
    /// Which endless sequence of problems it is.
    pub seed: u64,
    /// The share of wrong demonstrations in the split `warmup`.
    pub wrong: f64,
    /// The share of those that break the form instead of having a wrong result in the right one.
    pub broken: f64,
}

impl Default for Common {
    fn default() -> Self {
        Self { seed: 0, wrong: 0.5, broken: 0.15 }
    }
}

impl Common {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// `invalid-input` with the key.
    pub fn check(&self) -> Result<()> {
        for (key, share) in [("wrong", self.wrong), ("broken", self.broken)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(Error::invalid_input(format!(
                    "`{key}` is {share}; it is a share, from 0 to 1"
                )));
            }
        }
        Ok(())
    }
}

/// Whether a number of the configuration is in its range.
///
/// # Errors
/// `invalid-input` with the key and the range.
pub fn in_range(key: &str, value: u32, range: std::ops::RangeInclusive<u32>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = range.into_inner();
    Err(Error::invalid_input(format!("`{key}` is {value}; it is from {low} to {high}")))
}

/// One problem, with right and wrong ways to answer it.
#[derive(Debug, Clone)]
pub struct Problem {
    /// What the policy sees.
    pub prompt: String,
    /// The answer, where the reward compares with one.
    pub reference: Option<String>,
    /// For the reward.
    pub data: Map<String, Value>,
    /// A right answer.
    pub right: Solution,
    /// Answers that the reward must not take for right.
    pub wrong: Vec<Solution>,
}

/// The splits that every generator has; none of them ends.
pub fn splits() -> Vec<Split> {
    SPLITS.iter().map(|(name, _)| Split::endless(*name)).collect()
}

/// The split that a problem belongs to.
pub fn split_of(key: &str) -> &'static str {
    let mut at = Rng::keyed(0x5eed, key, 0).unit();
    for (name, share) in SPLITS {
        if at < share {
            return name;
        }
        at -= share;
    }
    SPLITS[0].0
}

/// The item at an index of a split. `draw` gives what makes a problem this one and no other, and
/// how to make the rest of it, which is done only for a problem of the split.
///
/// # Errors
/// `invalid-input` for an unknown split, and when the settings leave the split without problems.
pub fn item<F>(
    common: &Common,
    split: &str,
    index: u32,
    draw: impl Fn(&mut Rng) -> (String, F),
) -> Result<Item>
where
    F: FnOnce(&mut Rng) -> Problem,
{
    common.check()?;
    if !SPLITS.iter().any(|(name, _)| *name == split) {
        let known: Vec<_> = SPLITS.iter().map(|(name, _)| *name).collect();
        return Err(Error::invalid_input(format!(
            "no split `{split}`; there are {}",
            known.join(", ")
        )));
    }
    let mut rng = Rng::keyed(common.seed, split, u64::from(index));
    let (_, finish) = (0..MOST_DRAWS)
        .map(|_| draw(&mut rng))
        .find(|(key, _)| split_of(key) == split)
        .ok_or_else(|| {
            Error::invalid_input(format!(
                "these settings leave no problem for the split `{split}`; make it harder"
            ))
        })?;
    let problem = finish(&mut rng);
    let mut data = problem.data;
    if split == "warmup" {
        let (text, is) =
            demonstration::demonstrate(common, &problem.right, &problem.wrong, &mut rng);
        data.insert("demonstration".to_owned(), text.into());
        data.insert("demonstration_is".to_owned(), is.into());
    }
    let mut item = Item::new(format!("{split}-{index}"), problem.prompt).with_data(&data)?;
    item.reference = problem.reference;
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_get_their_shares() {
        let mut counts = std::collections::HashMap::new();
        for n in 0..20_000 {
            *counts.entry(split_of(&format!("problem {n}"))).or_insert(0.0) += 1.0 / 20_000.0;
        }
        for (name, share) in SPLITS {
            assert!((counts[name] - share).abs() < 0.015, "{name}: {}", counts[name]);
        }
    }

    #[test]
    fn settings_are_checked() {
        for (key, common) in [
            ("`wrong`", Common { wrong: 1.5, ..Common::default() }),
            ("`broken`", Common { broken: f64::NAN, ..Common::default() }),
        ] {
            assert!(common.check().unwrap_err().message().contains(key));
        }
    }
}
