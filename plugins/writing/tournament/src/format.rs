//! The three forms of a tournament: who meets whom, and what places an entrant.

use serde::Deserialize;

use crate::bouts::{Bouts, Outcome, Pause};
use crate::standing::Standing;

/// Who meets whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A bracket: who loses is out. One comparison less than there are texts.
    #[default]
    Elimination,
    /// Rounds in which texts of like standing meet, never twice. Half a comparison for each text
    /// and round.
    Swiss,
    /// Each meets every other.
    RoundRobin,
}

/// Those who take part.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub(crate) texts: Vec<&'a str>,
    /// Entrants, the best seed first.
    pub(crate) order: Vec<usize>,
    /// What the anchor says of each entrant.
    pub(crate) preferences: Vec<f64>,
}

impl Field<'_> {
    fn len(&self) -> usize {
        self.texts.len()
    }

    fn play(&self, bouts: &mut Bouts<'_>, pairs: &[(usize, usize)]) -> Result<Vec<Outcome>, Pause> {
        let texts: Vec<_> = pairs.iter().map(|(a, b)| (self.texts[*a], self.texts[*b])).collect();
        bouts.play(&texts)
    }

    /// Each entrant's place among the seeds.
    fn seeds(&self) -> Vec<usize> {
        let mut seeds = vec![0; self.len()];
        for (seed, entrant) in self.order.iter().enumerate() {
            seeds[*entrant] = seed;
        }
        seeds
    }
}

/// The rounds of a bracket for so many.
fn rounds_of(entrants: usize) -> u32 {
    entrants.next_power_of_two().trailing_zeros()
}

impl Format {
    /// How many comparisons it takes at most.
    pub(crate) fn comparisons(self, entrants: usize, rounds: Option<u32>) -> usize {
        match self {
            Self::Elimination => entrants,
            Self::Swiss => entrants / 2 * swiss_rounds(entrants, rounds),
            Self::RoundRobin => entrants * entrants.saturating_sub(1) / 2,
        }
    }

    /// Plays it: the standing of each entrant.
    pub(crate) fn play(
        self,
        field: &Field<'_>,
        rounds: Option<u32>,
        bouts: &mut Bouts<'_>,
    ) -> Result<Vec<Standing>, Pause> {
        match self {
            Self::Elimination => elimination(field, bouts),
            Self::Swiss => swiss(field, rounds, bouts),
            Self::RoundRobin => round_robin(field, bouts),
        }
    }
}

/// The order of the seeds in a bracket, such that the best two can only meet at its end.
fn bracket(size: usize) -> Vec<usize> {
    let mut slots = vec![0];
    while slots.len() < size {
        let double = slots.len() * 2;
        slots = slots.iter().flat_map(|seed| [*seed, double - 1 - seed]).collect();
    }
    slots
}

/// Single elimination. Placed by the round of the loss, then by the anchor. A tie makes the two one
/// from then on: the better seed goes on for both. Where a bout says nothing the better seed goes
/// on, and the other's place is unknown.
fn elimination(field: &Field<'_>, bouts: &mut Bouts<'_>) -> Result<Vec<Standing>, Pause> {
    let seeds = field.seeds();
    let count = field.len();
    let mut standings = vec![Standing::Unknown(String::new()); count];
    // Whom an entrant shares its fate with.
    let mut with: Vec<usize> = (0..count).collect();
    let mut decided = vec![false; count];
    let mut last_fault: Vec<Option<String>> = vec![None; count];
    let mut slots: Vec<Option<usize>> =
        bracket(count.next_power_of_two()).iter().map(|at| field.order.get(*at).copied()).collect();
    let mut round = 0.0;
    while slots.len() > 1 {
        let met = slots.chunks(2).filter_map(|pair| Some((pair[0]?, pair[1]?)));
        let pairs: Vec<(usize, usize)> =
            met.map(|(a, b)| if seeds[a] < seeds[b] { (a, b) } else { (b, a) }).collect();
        let mut outcomes = field.play(bouts, &pairs)?.into_iter().zip(pairs);
        let mut next = Vec::with_capacity(slots.len() / 2);
        for pair in slots.chunks(2) {
            let (Some(_), Some(_)) = (pair[0], pair[1]) else {
                next.push(pair[0].or(pair[1]));
                continue;
            };
            let Some((outcome, (better, other))) = outcomes.next() else { continue };
            if outcome.is_ok() {
                decided[better] = true;
                decided[other] = true;
            }
            next.push(Some(match outcome {
                Ok(score) if score < 0.5 => {
                    standings[better] = Standing::placed([round, field.preferences[better], 0.0]);
                    other
                }
                Ok(score) if score > 0.5 => {
                    standings[other] = Standing::placed([round, field.preferences[other], 0.0]);
                    better
                }
                Ok(_) => {
                    with[other] = better;
                    better
                }
                Err(why) => {
                    last_fault[better] = Some(why.clone());
                    standings[other] = Standing::Unknown(why);
                    better
                }
            }));
        }
        slots = next;
        round += 1.0;
    }
    if let Some(Some(best)) = slots.first().copied() {
        // Who went through without a single verdict has won nothing.
        standings[best] = match last_fault[best].take() {
            Some(why) if !decided[best] => Standing::Unknown(why),
            _ => Standing::placed([round, field.preferences[best], 0.0]),
        };
    }
    for entrant in 0..count {
        let mut fate = entrant;
        while with[fate] != fate {
            fate = with[fate];
        }
        standings[entrant] = standings[fate].clone();
    }
    Ok(standings)
}

/// Results of an entrant in a Swiss tournament or a round robin.
#[derive(Debug, Clone, Default)]
struct Table {
    points: f64,
    /// Opponents of bouts that were decided.
    beaten_or_not: Vec<usize>,
    fault: Option<String>,
}

impl Table {
    fn note(&mut self, opponent: usize, outcome: Outcome) {
        match outcome {
            Ok(points) => {
                self.points += points;
                self.beaten_or_not.push(opponent);
            }
            Err(why) => self.fault = Some(why),
        }
    }

    fn played(&self) -> f64 {
        self.beaten_or_not.len() as f64
    }

    /// The share of points, drawn towards a half, so that sitting out is neither won nor lost.
    fn share(&self) -> f64 {
        (self.points + 0.5) / (self.played() + 1.0)
    }

    /// Unknown where bouts failed and none was decided.
    fn standing(&self, key: [f64; 3]) -> Standing {
        match &self.fault {
            Some(why) if self.beaten_or_not.is_empty() => Standing::Unknown(why.clone()),
            _ => Standing::placed(key),
        }
    }
}

fn note(tables: &mut [Table], (a, b): (usize, usize), outcome: Outcome) {
    tables[b].note(a, outcome.clone().map(|points| 1.0 - points));
    tables[a].note(b, outcome);
}

/// Each against every other, in one round. Placed by the share of points, then by the anchor.
fn round_robin(field: &Field<'_>, bouts: &mut Bouts<'_>) -> Result<Vec<Standing>, Pause> {
    let count = field.len();
    let pairs: Vec<_> = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))).collect();
    let mut tables = vec![Table::default(); count];
    for (pair, outcome) in pairs.iter().zip(field.play(bouts, &pairs)?) {
        note(&mut tables, *pair, outcome);
    }
    let keys = tables.iter().zip(&field.preferences);
    Ok(keys.map(|(table, anchor)| table.standing([table.share(), *anchor, 0.0])).collect())
}

fn swiss_rounds(entrants: usize, rounds: Option<u32>) -> usize {
    let wanted = rounds.unwrap_or_else(|| rounds_of(entrants)) as usize;
    wanted.min(entrants.saturating_sub(1))
}

/// Pairs those who stand beside each other and have not met. Two who are left over because they
/// have met take the opponents of a pair before them, the nearest that allows it, or sit out.
fn paired(mut order: Vec<usize>, met: &[Vec<bool>]) -> Vec<(usize, usize)> {
    let mut pairs: Vec<(usize, usize)> = Vec::with_capacity(order.len() / 2);
    let mut left = Vec::new();
    while !order.is_empty() {
        let a = order.remove(0);
        match order.iter().position(|b| !met[a][*b]) {
            Some(at) => pairs.push((a, order.remove(at))),
            None => left.push(a),
        }
    }
    for two in left.chunks_exact(2) {
        let (a, b) = (two[0], two[1]);
        let swap = pairs.iter().enumerate().rev().find_map(|(at, (c, d))| {
            let turned = [(*c, *d), (*d, *c)];
            let fits = turned.into_iter().find(|(c, d)| !met[a][*c] && !met[b][*d]);
            fits.map(|(c, d)| (at, c, d))
        });
        if let Some((at, c, d)) = swap {
            pairs[at] = (c, a);
            pairs.push((d, b));
        }
    }
    pairs
}

/// Rounds between those of like standing. Placed by the share of points, then by their opponents'
/// shares, then by the anchor.
fn swiss(
    field: &Field<'_>,
    rounds: Option<u32>,
    bouts: &mut Bouts<'_>,
) -> Result<Vec<Standing>, Pause> {
    let count = field.len();
    let mut tables = vec![Table::default(); count];
    let mut met = vec![vec![false; count]; count];
    let mut sat_out = vec![0_u32; count];
    for _ in 0..swiss_rounds(count, rounds) {
        let mut order = field.order.clone();
        order.sort_by(|a, b| tables[*b].share().total_cmp(&tables[*a].share()));
        if count % 2 == 1 {
            // The lowest of those who sat out least.
            let least = order.iter().map(|it| sat_out[*it]).min().unwrap_or_default();
            if let Some(at) = order.iter().rposition(|it| sat_out[*it] == least) {
                sat_out[order.remove(at)] += 1;
            }
        }
        let pairs = paired(order, &met);
        if pairs.is_empty() {
            break;
        }
        for (pair, outcome) in pairs.iter().zip(field.play(bouts, &pairs)?) {
            met[pair.0][pair.1] = true;
            met[pair.1][pair.0] = true;
            note(&mut tables, *pair, outcome);
        }
    }
    let opponents = |table: &Table| {
        let shares: f64 = table.beaten_or_not.iter().map(|it| tables[*it].share()).sum();
        shares / table.played().max(1.0)
    };
    let keys = tables.iter().zip(&field.preferences);
    Ok(keys
        .map(|(table, anchor)| table.standing([table.share(), opponents(table), *anchor]))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_two_seeds_meet_last() {
        assert_eq!(bracket(1), [0]);
        assert_eq!(bracket(4), [0, 3, 1, 2]);
        assert_eq!(bracket(8), [0, 7, 3, 4, 1, 6, 2, 5]);
        assert_eq!([1, 2, 3, 4, 5, 16].map(rounds_of), [0, 1, 2, 2, 3, 4]);
    }

    #[test]
    fn comparisons_are_few() {
        assert_eq!(Format::Elimination.comparisons(16, None), 16);
        assert_eq!(Format::Swiss.comparisons(16, None), 32);
        assert_eq!(Format::Swiss.comparisons(3, Some(9)), 2);
        assert_eq!(Format::RoundRobin.comparisons(16, None), 120);
    }
}
