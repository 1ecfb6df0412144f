//! Counts that may be known, bounded, or unknown until a dataset is there.

use std::fmt;

use serde::{Serialize, Serializer};

/// How many of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// So many.
    Exactly(u64),
    /// So many at most: a dataset may have fewer rows than its limit.
    AtMost(u64),
    /// No bound is known.
    Unknown,
}

impl Count {
    /// Nothing.
    pub(crate) const ZERO: Self = Self::Exactly(0);

    /// The number, or the most that it can be.
    pub(crate) fn most(self) -> Option<u64> {
        match self {
            Self::Exactly(n) | Self::AtMost(n) => Some(n),
            Self::Unknown => None,
        }
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// So many times.
    pub(crate) fn times(self, factor: u64) -> Self {
        if factor == 0 { Self::ZERO } else { self.map(|n| n.saturating_mul(factor)) }
    }

    /// The sum of all.
    pub(crate) fn sum(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::ZERO, Self::plus)
    }

    /// Not more than `limit`; a limit bounds what is unknown.
    pub(crate) fn capped(self, limit: u64) -> Self {
        match self {
            Self::Exactly(n) => Self::Exactly(n.min(limit)),
            Self::AtMost(n) => Self::AtMost(n.min(limit)),
            Self::Unknown => Self::AtMost(limit),
        }
    }

    /// The same number, which may be less.
    pub(crate) fn at_most(self) -> Self {
        match self {
            Self::Exactly(0) | Self::Unknown => self,
            Self::Exactly(n) | Self::AtMost(n) => Self::AtMost(n),
        }
    }

    /// A function that grows with the number.
    pub(crate) fn map(self, growing: impl FnOnce(u64) -> u64) -> Self {
        match self {
            Self::Exactly(n) => Self::Exactly(growing(n)),
            Self::AtMost(n) => Self::AtMost(growing(n)),
            Self::Unknown => Self::Unknown,
        }
    }

    fn with(self, other: Self, growing: impl FnOnce(u64, u64) -> u64) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Exactly(a), Self::Exactly(b)) => Self::Exactly(growing(a, b)),
            (Self::Exactly(a) | Self::AtMost(a), Self::Exactly(b) | Self::AtMost(b)) => {
                Self::AtMost(growing(a, b))
            }
        }
    }
}

/// As people read it: `1,024`, `up to 1,024`, `unknown`.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Exactly(n) => grouped(*n),
            Self::AtMost(n) => format!("up to {}", grouped(*n)),
            Self::Unknown => "unknown".to_owned(),
        };
        f.pad(&text)
    }
}

/// `{"exactly": n}`, `{"at_most": n}` or null.
impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exactly(n) => serializer.collect_map([("exactly", n)]),
            Self::AtMost(n) => serializer.collect_map([("at_most", n)]),
            Self::Unknown => serializer.serialize_none(),
        }
    }
}

/// Digits by threes.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_known_as_well_as_its_worst_part() {
        let (two, some, unknown) = (Count::Exactly(2), Count::AtMost(3), Count::Unknown);
        assert_eq!(two.plus(two), Count::Exactly(4));
        assert_eq!(two.plus(some), Count::AtMost(5));
        assert_eq!(two.plus(unknown), Count::Unknown);
        assert_eq!(Count::sum([two, some, some]), Count::AtMost(8));
        assert_eq!(unknown.times(0), Count::ZERO);
        assert_eq!(unknown.capped(7), Count::AtMost(7));
        assert_eq!(some.capped(7), Count::AtMost(3));
    }

    #[test]
    fn digits_stand_by_threes() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(n), text);
        }
    }
}
