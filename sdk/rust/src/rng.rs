//! Seeded random numbers: the only randomness a plugin has.
//!
//! PCG-XSH-RR with 64 bits of state, seeded through SplitMix64. The sequence of
//! a seed never changes between versions, since items are named by it.

/// A deterministic generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    state: u64,
    increment: u64,
}

fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        let mut rng = Self { state: splitmix(&mut state), increment: splitmix(&mut state) | 1 };
        rng.next_u32();
        rng
    }

    /// The generator of a seed, a name (of a split, say) and an index: so each
    /// item has its own, whatever was generated before it.
    pub fn keyed(seed: u64, name: &str, index: u64) -> Self {
        // FNV-1a: `std`'s hashers promise no stability.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in name.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut state = seed ^ hash;
        let mixed = splitmix(&mut state) ^ index;
        Self::new(mixed)
    }

    /// Any 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(self.increment);
        let shifted = (((old >> 18) ^ old) >> 27) as u32;
        shifted.rotate_right((old >> 59) as u32)
    }

    /// Any 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) << 32 | u64::from(self.next_u32())
    }

    /// A number below `bound`, each equally likely; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // Rejects the remainder of 2^64 by `bound`, so that nothing is biased.
        let reject = bound.wrapping_neg() % bound;
        loop {
            let bits = self.next_u64();
            if bits >= reject {
                return bits % bound;
            }
        }
    }

    /// A number from `low` to `high`, both included; `low` when the range is empty.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let width = high.wrapping_sub(low) as u64;
        if width == u64::MAX {
            return self.next_u64() as i64;
        }
        low.wrapping_add(self.below(width + 1) as i64)
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of these, or none when there are none.
    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len() as u64) as usize)
    }

    /// Puts these into an order, each equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }

    /// `count` different ones of these (all when there are fewer), in a random order.
    pub fn sample<T: Clone>(&mut self, from: &[T], count: usize) -> Vec<T> {
        let mut all = from.to_vec();
        let count = count.min(all.len());
        for first in 0..count {
            let other = first + self.below((all.len() - first) as u64) as usize;
            all.swap(first, other);
        }
        all.truncate(count);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_seed_is_fixed() {
        let mut rng = Rng::new(7);
        let drawn: Vec<_> = (0..4).map(|_| rng.next_u32()).collect();
        assert_eq!(drawn, [3_838_155_060, 2_654_996_221, 640_684_013, 3_374_173_341]);
    }

    #[test]
    fn keys_split_the_stream() {
        assert_ne!(Rng::keyed(1, "train", 0), Rng::keyed(1, "train", 1));
        assert_ne!(Rng::keyed(1, "train", 0), Rng::keyed(1, "test", 0));
        assert_ne!(Rng::keyed(1, "train", 0), Rng::keyed(2, "train", 0));
        assert_eq!(Rng::keyed(1, "train", 5), Rng::keyed(1, "train", 5));
    }

    #[test]
    fn ranges_are_covered_evenly() {
        let mut rng = Rng::new(0);
        let mut counts = [0_u32; 6];
        for _ in 0..6_000 {
            counts[(rng.range(-2, 3) + 2) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        assert_eq!(rng.range(4, 4), 4);
        assert_eq!(rng.range(4, 1), 4);
        rng.range(i64::MIN, i64::MAX);
    }

    #[test]
    fn a_sample_has_no_twins() {
        let mut drawn = Rng::new(3).sample(&(0..20).collect::<Vec<_>>(), 20);
        drawn.sort_unstable();
        assert_eq!(drawn, (0..20).collect::<Vec<_>>());
    }
}
