//! Undefined components by reason, in words.

use std::collections::BTreeMap;

/// Counts by kind; a judge's with what its model failed with, as in `fuel 2, judge 3 (timeout 3)`.
pub(crate) fn words<K: AsRef<str> + Ord>(
    undefined: &BTreeMap<K, u64>,
    judge_failures: &BTreeMap<K, u64>,
) -> String {
    let list = |counts: &BTreeMap<K, u64>| {
        let words: Vec<String> =
            counts.iter().map(|(kind, count)| format!("{} {count}", kind.as_ref())).collect();
        words.join(", ")
    };
    let words: Vec<String> = undefined
        .iter()
        .map(|(kind, count)| {
            let kind = kind.as_ref();
            if kind == omni_record::ReasonKind::Judge.as_str() && !judge_failures.is_empty() {
                format!("{kind} {count} ({})", list(judge_failures))
            } else {
                format!("{kind} {count}")
            }
        })
        .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judges_count_says_what_failed() {
        let undefined = BTreeMap::from([("judge", 3), ("fuel", 2)]);
        let failures = BTreeMap::from([("timeout", 1), ("no-verdict", 2)]);
        assert_eq!(words(&undefined, &failures), "fuel 2, judge 3 (no-verdict 2, timeout 1)");
        assert_eq!(words(&undefined, &BTreeMap::new()), "fuel 2, judge 3");
        assert_eq!(words::<&str>(&BTreeMap::new(), &BTreeMap::new()), "");
    }
}
