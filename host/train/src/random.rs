//! Seeds and orders. Nothing here has a state: every number is a function of the run's seed and of
//! what it is for, which is why a resumed run draws what an unbroken one would have drawn.

/// A seed for one purpose.
pub(crate) fn seed(run: u64, purpose: &str, name: &str, index: u64) -> u64 {
    let mut hash = mix(run ^ 0x9e37_79b9_7f4a_7c15);
    for part in [purpose, name] {
        for byte in part.bytes() {
            hash = mix(hash ^ u64::from(byte));
        }
        // Ends the part, so that ("ab", "c") is not ("a", "bc").
        hash = mix(hash ^ 0x100);
    }
    mix(hash ^ index)
}

/// The upper half of a seed, for those who take 32 bits.
pub(crate) fn short(seed: u64) -> u32 {
    (seed >> 32) as u32
}

/// The seed that a run's scheduler is given.
#[must_use]
pub fn scheduler(run: u64) -> u32 {
    short(seed(run, "scheduler", "", 0))
}

/// The finaliser of SplitMix64 after one step: a bijection that scatters.
fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of numbers from a seed (SplitMix64), for what no single number is enough for.
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `n`, which must be above 0. Lemire's multiplication; its bias is below
    /// `n / 2^64`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let drawn = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((u128::from(drawn) * n as u128) >> 64) as usize
    }
}

/// `0 .. n` in an order that depends on the seed alone (Fisher and Yates).
pub(crate) fn permutation(n: u32, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n).collect();
    let mut state = seed;
    for i in (1..order.len()).rev() {
        state = mix(state);
        // Lemire's multiplication; its bias at these sizes is below 2^-32.
        let j = ((u128::from(state) * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_holds_every_item_once_and_follows_its_seed() {
        let order = permutation(1000, 7);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(order, sorted);
        assert_eq!(order, permutation(1000, 7));
        assert_ne!(order, permutation(1000, 8));
    }

    #[test]
    fn first_places_are_uniform() {
        let mut counts = [0u32; 8];
        for s in 0..8000 {
            counts[permutation(8, seed(s, "order", "math", 0))[0] as usize] += 1;
        }
        // Eight bins of 1000; four standard deviations are 118.
        assert!(counts.iter().all(|c| c.abs_diff(1000) < 118), "{counts:?}");
    }

    #[test]
    fn draws_are_uniform_and_follow_their_seed() {
        let mut counts = [0u32; 5];
        let mut draws = Draws::new(3);
        (0..10_000).for_each(|_| counts[draws.below(5)] += 1);
        // Five bins of 2000; four standard deviations are 160.
        assert!(counts.iter().all(|c| c.abs_diff(2000) < 160), "{counts:?}");
        let some = |seed| {
            let mut draws = Draws::new(seed);
            (0..8).map(|_| draws.below(1 << 40)).collect::<Vec<_>>()
        };
        assert_eq!(some(3), some(3));
        assert_ne!(some(3), some(4));
    }

    #[test]
    fn purposes_and_names_do_not_run_into_each_other() {
        assert_ne!(seed(1, "ab", "c", 0), seed(1, "a", "bc", 0));
        assert_ne!(seed(1, "order", "math", 0), seed(2, "order", "math", 0));
    }
}
