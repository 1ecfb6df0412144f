//! The `tournament` reward: ranks a group's outputs by comparing them with each other.
//!
//! Scores are relative: 1 the group's best, 0 its worst, evenly spaced between, equals alike. After
//! ArenaRL, the outputs are first compared with an anchor (the item's reference), which seeds a
//! single-elimination bracket: about two comparisons for each output instead of one for each pair.
//! A Swiss tournament and a round robin are there too.
//!
//! Equal outputs enter once and share their place. An empty output takes no part and scores 0. An
//! output about which no comparison said anything is undefined, with the reason; it is not last.

mod bouts;
mod format;
mod standing;

use omni_sdk::reward::{Component, Error, Group, Reply, Result, Reward, Turn};
use omni_sdk::rng::Rng;
use omni_writing_compared::{Extract, reference, rubric};
use serde::Deserialize;

use bouts::{Bouts, Pause};
use format::Field;
pub use format::Format;

/// What the item's reference is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReferenceUse {
    /// Every output is first compared with it: that is its `preference`, and seeds the tournament.
    #[default]
    Anchor,
    /// It takes part as one more text; its own place is not reported.
    Participant,
    /// Nothing; an item needs none.
    None,
}

/// The reward and its configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tournament {
    format: Format,
    /// Rounds of a Swiss tournament; absent: as many as single elimination would have.
    rounds: Option<u32>,
    reference: ReferenceUse,
    /// The set of `data.references`; absent: the item's `reference`.
    reference_set: Option<String>,
    extract: Extract,
    /// The judge's name; absent, the task's own.
    judge: Option<String>,
}

/// The relative score.
const RANK: &str = "rank";
/// What the comparison with the reference says, as in the `writing` reward.
const PREFERENCE: &str = "preference";
/// Comparisons that one group may ask for; the host grants 16,384.
const MOST: usize = 16_000;

/// A text that takes part, for all outputs that are equal to it.
#[derive(Debug)]
struct Entrant {
    text: String,
    /// The outputs' places in the group; none for a reference that no output equals.
    outputs: Vec<usize>,
    /// Whether the reference is it.
    reference: bool,
}

impl Reward for Tournament {
    fn components(&self) -> Vec<String> {
        let names: &[&str] = match self.reference {
            ReferenceUse::Anchor => &[RANK, PREFERENCE],
            ReferenceUse::Participant | ReferenceUse::None => &[RANK],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn score(&self, group: &Group, replies: &[Reply]) -> Result<Turn> {
        if self.rounds.is_some() && self.format != Format::Swiss {
            let message = "`config.rounds` is for `format = \"swiss\"`; the others have their own";
            return Err(Error::invalid_input(message));
        }
        match self.play(group, replies) {
            Ok(scores) => Ok(Turn::Done(scores)),
            Err(Pause::Ask(requests)) => Ok(Turn::Ask(requests)),
            Err(Pause::Fault(error)) => Err(error),
        }
    }
}

omni_sdk::export!(reward Tournament);

impl Tournament {
    /// Plays as far as the replies go.
    fn play(
        &self,
        group: &Group,
        replies: &[Reply],
    ) -> std::result::Result<Vec<Vec<Component>>, Pause> {
        let against = match self.reference {
            ReferenceUse::None => None,
            _ => Some(reference(&group.item, self.reference_set.as_deref())?),
        };
        let takes_part = against.as_deref().filter(|_| self.reference == ReferenceUse::Participant);
        let entrants = self.entrants(group, takes_part);
        let rubric = rubric(&group.item)?;
        let mut bouts = Bouts::new(group, rubric, self.judge.as_deref(), replies);

        let anchor = against.as_deref().filter(|_| self.reference == ReferenceUse::Anchor);
        let preferences = match anchor {
            None => vec![Ok(0.5); entrants.len()],
            Some(anchor) => {
                let pairs: Vec<_> = entrants.iter().map(|it| (it.text.as_str(), anchor)).collect();
                bouts.play(&pairs)?
            }
        };
        let field = Field {
            texts: entrants.iter().map(|entrant| entrant.text.as_str()).collect(),
            order: seeded(group.seed, &preferences),
            preferences: preferences.iter().map(|it| *it.as_ref().unwrap_or(&0.5)).collect(),
        };
        let anchored = if anchor.is_some() { entrants.len() } else { 0 };
        let most = self.format.comparisons(field.texts.len(), self.rounds) + anchored;
        if most > MOST {
            let message = format!(
                "{} texts in this format need {most} comparisons, and {MOST} is the most; \
                 set `format = \"elimination\"`",
                field.texts.len()
            );
            return Err(Error::invalid_input(message).into());
        }
        let keys = self.format.play(&field, self.rounds, &mut bouts)?;
        bouts.end()?;
        let ranks = standing::scores(group.rollouts.len(), &entrants, &keys);
        let mut scores: Vec<Vec<Component>> = ranks
            .into_iter()
            .map(|rank| {
                vec![rank.map_or_else(
                    |why| Component::undefined(RANK, why),
                    |rank| Component::scored(RANK, rank),
                )]
            })
            .collect();
        if anchor.is_some() {
            // Nothing written is dispreferred to anything.
            let mut all = vec![Component::scored(PREFERENCE, 0.0); scores.len()];
            for (entrant, preference) in entrants.iter().zip(preferences) {
                let component = match preference {
                    Ok(score) => Component::scored(PREFERENCE, score),
                    Err(why) => Component::undefined(PREFERENCE, why),
                };
                for output in &entrant.outputs {
                    all[*output] = component.clone();
                }
            }
            for (components, preference) in scores.iter_mut().zip(all) {
                components.push(preference);
            }
        }
        Ok(scores)
    }

    /// The group's distinct texts, and the reference where it takes part.
    fn entrants(&self, group: &Group, reference: Option<&str>) -> Vec<Entrant> {
        let mut entrants: Vec<Entrant> = Vec::new();
        for (index, rollout) in group.rollouts.iter().enumerate() {
            let Some(text) = self.extract.text(rollout) else { continue };
            match entrants.iter_mut().find(|entrant| entrant.text == text) {
                Some(entrant) => entrant.outputs.push(index),
                None => entrants.push(Entrant { text, outputs: vec![index], reference: false }),
            }
        }
        if let Some(reference) = reference.map(str::trim) {
            match entrants.iter_mut().find(|entrant| entrant.text == reference) {
                Some(entrant) => entrant.reference = true,
                None => {
                    let text = reference.to_owned();
                    entrants.push(Entrant { text, outputs: Vec::new(), reference: true });
                }
            }
        }
        entrants
    }
}

/// Best first by what the anchor says of them, and by lot among equals. An entrant that the anchor
/// says nothing of stands in the middle.
fn seeded(seed: u32, preferences: &[std::result::Result<f64, String>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..preferences.len()).collect();
    Rng::keyed(u64::from(seed), "seeds of a tournament", 0).shuffle(&mut order);
    let preference = |entrant: usize| preferences[entrant].as_ref().map_or(0.5, |score| *score);
    order.sort_by(|a, b| preference(*b).total_cmp(&preference(*a)));
    order
}
