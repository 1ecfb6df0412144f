//! The answers that are known, as many as are kept.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::ledger::Digest;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    /// Texts.
    pub(crate) texts: usize,
    /// Their length together, in bytes.
    pub(crate) bytes: usize,
}

/// Answers by content; where there is a bound, the oldest ones go.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    known: HashMap<Digest, Arc<str>>,
    bound: Option<Bound>,
    /// Where there is a bound: the contents in the order in which they came.
    order: VecDeque<Digest>,
    bytes: usize,
}

impl Texts {
    /// None yet, and never more than the bound allows.
    pub(crate) fn bounded(bound: Bound) -> Self {
        Self { bound: Some(bound), ..Self::default() }
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn contains(&self, digest: &Digest) -> bool {
        self.known.contains_key(digest)
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<&Arc<str>> {
        self.known.get(digest)
    }

    /// Keeps a content's text, where it has none.
    pub(crate) fn insert(&mut self, digest: Digest, text: &str) {
        if self.contains(&digest) {
            return;
        }
        self.known.insert(digest, text.into());
        let Some(bound) = self.bound else { return };
        self.order.push_back(digest);
        self.bytes += text.len();
        while self.len() > bound.texts || self.bytes > bound.bytes {
            let Some(oldest) = self.order.pop_front() else { return };
            self.bytes -= self.known.remove(&oldest).map_or(0, |text| text.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the contents 0 to 9 are known.
    fn known(texts: &Texts) -> Vec<u8> {
        assert!(texts.bound.is_none() || texts.order.len() == texts.len());
        (0..10).filter(|n| texts.contains(&[*n; 32])).collect()
    }

    #[test]
    fn the_oldest_go_first() {
        let mut texts = Texts::bounded(Bound { texts: 3, bytes: 10 });
        for n in 0..5 {
            texts.insert([n; 32], "x");
        }
        assert_eq!(known(&texts), [2, 3, 4]);
        // What is there keeps its place and its text.
        texts.insert([2; 32], "another");
        assert_eq!(texts.get(&[2; 32]).unwrap().as_ref(), "x");
        texts.insert([5; 32], "long text");
        assert_eq!(known(&texts), [4, 5]);
        texts.insert([6; 32], "longer than all");
        assert!(known(&texts).is_empty());
        texts.insert([7; 32], "0123456789");
        assert_eq!(known(&texts), [7]);
    }

    #[test]
    fn without_a_bound_nothing_goes() {
        let mut texts = Texts::default();
        for n in 0..10 {
            texts.insert([n; 32], &"long".repeat(1000));
        }
        assert_eq!(known(&texts).len(), 10);
    }
}
