//! From where entrants stand to the score of each output.

use crate::Entrant;

/// Where an entrant stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Standing {
    /// By these, the greater the better, the first first.
    Placed([f64; 3]),
    /// Nobody knows, and why.
    Unknown(String),
}

impl Standing {
    /// Rounded, so that sums of the same shares in another order are equal.
    pub(crate) fn placed(key: [f64; 3]) -> Self {
        Self::Placed(key.map(|part| (part * 1e9).round()))
    }
}

/// The score of each of a group's outputs: 1 for the best, 0 for the last, evenly between, the mean
/// of their places for equals. Outputs that take no part (empty ones) count as last, and score 0.
/// Unknown ones do not count. One that is alone scores a half.
pub(crate) fn scores(
    outputs: usize,
    entrants: &[Entrant],
    standings: &[Standing],
) -> Vec<Result<f64, String>> {
    let key = |standing: &Standing| match standing {
        Standing::Placed(key) => Some(*key),
        Standing::Unknown(_) => None,
    };
    // One key for each text that counts: an output, or the reference.
    let weighted = entrants.iter().zip(standings).filter_map(|(entrant, standing)| {
        let texts = entrant.outputs.len() + usize::from(entrant.reference);
        Some((key(standing)?, texts))
    });
    let keys: Vec<([f64; 3], usize)> = weighted.collect();
    let taking_part: usize = entrants.iter().map(|entrant| entrant.outputs.len()).sum();
    let counted = keys.iter().map(|(_, texts)| texts).sum::<usize>() + (outputs - taking_part);
    let mut scores = vec![Ok(0.0); outputs];
    for (entrant, standing) in entrants.iter().zip(standings) {
        let score = match standing {
            Standing::Unknown(why) => Err(why.clone()),
            Standing::Placed(_) if counted < 2 => Ok(0.5),
            Standing::Placed(own) => {
                let sum = |of: fn(&[f64; 3], &[f64; 3]) -> bool| {
                    keys.iter()
                        .filter(|(key, _)| of(key, own))
                        .map(|(_, texts)| texts)
                        .sum::<usize>()
                };
                let better = sum(|key, own| key > own) as f64;
                let equal = sum(|key, own| key == own) as f64;
                let others = counted as f64 - 1.0;
                Ok((others - better - (equal - 1.0) / 2.0) / others)
            }
        };
        for output in &entrant.outputs {
            scores[*output] = score.clone();
        }
    }
    scores
}
