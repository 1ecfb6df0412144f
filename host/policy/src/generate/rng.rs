//! Counter-based random numbers: Philox 4×32 with 10 rounds (Salmon et al., SC 2011).
//!
//! A draw is a pure function of (seed, sample index, position), so it does not matter in what
//! order, in what batch or on how many threads tokens are drawn.

use crate::backend::Draw;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// The block cipher: 128 random bits for a key and a counter.
fn philox(mut key: [u32; 2], mut counter: [u32; 4]) -> [u32; 4] {
    let wide = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    for _ in 0..10 {
        let (high0, low0) = wide(MULTIPLIERS[0], counter[0]);
        let (high1, low1) = wide(MULTIPLIERS[1], counter[2]);
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

fn halves(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

/// 128 random bits for a draw.
fn bits(draw: Draw) -> [u32; 4] {
    let ([p0, p1], [s0, s1]) = (halves(draw.position), halves(draw.sample));
    philox(halves(draw.seed), [p0, p1, s0, s1])
}

fn uniform_of(high: u32, low: u32) -> f64 {
    let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
    bits as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// Uniform in [0, 1), 53 bits.
pub(crate) fn uniform(draw: Draw) -> f64 {
    let [a, b, ..] = bits(draw);
    uniform_of(a, b)
}

/// Standard normal, by Box and Muller.
pub(crate) fn normal(draw: Draw) -> f64 {
    let [a, b, c, d] = bits(draw);
    // In (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - uniform_of(a, b)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform_of(c, d)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution (`kat_vectors`).
    #[test]
    fn philox_matches_the_published_vectors() {
        assert_eq!(philox([0, 0], [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 2], [u32::MAX; 4]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox(
                [0xa409_3822, 0x299f_31d0],
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn moments() {
        let draws = || (0..100_000).map(|position| Draw { seed: 3, sample: 1, position });
        let mean = |f: &dyn Fn(Draw) -> f64| draws().map(f).sum::<f64>() / 1e5;
        assert!((mean(&uniform) - 0.5).abs() < 5e-3);
        assert!(mean(&normal).abs() < 1.5e-2);
        assert!((mean(&|d| normal(d).powi(2)) - 1.0).abs() < 2e-2);
        assert!(draws().map(uniform).all(|u| (0.0..1.0).contains(&u)));
    }
}
