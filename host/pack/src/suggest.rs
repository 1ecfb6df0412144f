//! "Did you mean …?"

/// A line that helps with an unknown name: the nearest of the known ones if it
/// is near, else all of them.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut known: Vec<_> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    let near = known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.chars().count() / 3))
        .min();
    match near {
        Some((_, candidate)) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", known.join(", ")),
    }
}

/// Levenshtein's, where a bare name also stands for its qualified form.
fn distance(name: &str, candidate: &str) -> usize {
    let bare = candidate.rsplit('/').next().unwrap_or(candidate);
    let whole = edits(name, candidate);
    if name.contains('/') { whole } else { whole.min(edits(name, bare)) }
}

fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_offered_and_far_ones_listed() {
        let known = ["math/math", "code/code", "format/format"];
        assert_eq!(did_you_mean("math/mth", known), "did you mean `math/math`?");
        assert_eq!(did_you_mean("formt", known), "did you mean `format/format`?");
        assert_eq!(
            did_you_mean("qa/wholly-else", known),
            "there are code/code, format/format, math/math"
        );
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
