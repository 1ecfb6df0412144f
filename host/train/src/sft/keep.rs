//! Which of a prompt's correct outputs are kept.

use std::collections::HashSet;

use crate::random;

/// What is kept of one prompt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    /// Different texts that could be chosen from.
    pub(super) distinct: u32,
    /// The outputs that were chosen, ascending.
    pub(super) outputs: Vec<usize>,
}

/// Chooses at most `keep` different texts among the outputs that have one here; the others are not
/// fit to be kept. Each set of so many texts is as likely as any other, whatever their lengths and
/// however often each was sampled. A text that was sampled several times stands for its first output,
/// since the same text can be several sequences of tokens.
pub(super) fn choose(texts: &[Option<&str>], keep: u32, seed: u64) -> Chosen {
    let mut seen = HashSet::new();
    let first: Vec<usize> = texts
        .iter()
        .enumerate()
        .filter_map(|(output, text)| text.filter(|text| seen.insert(*text)).map(|_| output))
        .collect();
    let distinct = first.len() as u32;
    let mut outputs: Vec<usize> = random::permutation(distinct, seed)
        .into_iter()
        .take(keep as usize)
        .map(|n| first[n as usize])
        .collect();
    outputs.sort_unstable();
    Chosen { distinct, outputs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_once_and_unfit_ones_never() {
        let texts = [Some("a"), None, Some("a"), Some("b"), None];
        let chosen = choose(&texts, 4, 1);
        assert_eq!(chosen, Chosen { distinct: 2, outputs: vec![0, 3] });
        assert_eq!(choose(&texts, 1, 1).outputs.len(), 1);
        assert_eq!(choose(&[None, None], 4, 1), Chosen::default());
        assert_eq!(choose(&[], 4, 1), Chosen::default());
    }

    #[test]
    fn every_text_is_as_likely_wherever_it_stands_and_however_long_or_frequent_it_is() {
        let long = "x".repeat(500);
        // The long text comes last, the first was sampled three times.
        let texts: Vec<Option<&str>> =
            ["a", "a", "a", "bb", "ccc", "dddd", long.as_str()].into_iter().map(Some).collect();
        let mut counts = [0u32; 7];
        for n in 0..5000 {
            let chosen = choose(&texts, 2, random::seed(n, "keep", "math", n));
            assert_eq!((chosen.distinct, chosen.outputs.len()), (5, 2));
            chosen.outputs.iter().for_each(|output| counts[*output] += 1);
        }
        // Two of five each time: 2000 expected; four standard deviations are 139.
        for text in [0, 3, 4, 5, 6] {
            assert!(counts[text].abs_diff(2000) < 139, "{counts:?}");
        }
        assert_eq!((counts[1], counts[2]), (0, 0));
    }

    #[test]
    fn the_seed_decides() {
        let names: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        let texts: Vec<Option<&str>> = names.iter().map(|n| Some(n.as_str())).collect();
        assert_eq!(choose(&texts, 4, 7), choose(&texts, 4, 7));
        assert_ne!(choose(&texts, 4, 7), choose(&texts, 4, 8));
    }
}
