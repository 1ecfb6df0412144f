//! Choosing rows by chance that is no chance: a row's draw depends on its id and the seed alone.
//!
//! So a sample stays what it was when rows are added before it or files are read in another order.

/// FNV-1a over the id, mixed with the seed by splitmix64's last steps.
pub(crate) fn draw(seed: u64, id: &str) -> u64 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash ^ mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The `count` of `ids` with the smallest draws, by their positions in ascending order.
pub(crate) fn choose(ids: &[&str], count: usize, seed: u64) -> Vec<usize> {
    let mut ranked: Vec<(u64, usize)> =
        ids.iter().enumerate().map(|(position, id)| (draw(seed, id), position)).collect();
    ranked.sort_unstable();
    let mut chosen: Vec<usize> =
        ranked.into_iter().take(count).map(|(_, position)| position).collect();
    chosen.sort_unstable();
    chosen
}

/// How many of each class go into a sample of `limit`, in proportion to the classes' sizes; what
/// rounding down leaves over goes to the largest remainders, at a tie to the earlier class.
pub(crate) fn shares(sizes: &[usize], limit: usize) -> Vec<usize> {
    let total: u128 = sizes.iter().map(|size| *size as u128).sum();
    if total <= limit as u128 {
        return sizes.to_vec();
    }
    let limit = limit as u128;
    let exact: Vec<u128> = sizes.iter().map(|size| *size as u128 * limit).collect();
    let mut shares: Vec<usize> = exact.iter().map(|share| (share / total) as usize).collect();
    let left = limit as usize - shares.iter().sum::<usize>();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|class| (std::cmp::Reverse(exact[*class] % total), *class));
    for class in order.into_iter().take(left) {
        shares[class] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_go_by_the_largest_remainders() {
        // 10 of 7, 2 and 1: exact 7, 2, 1; 5 of them: 3.5, 1.0, 0.5, and the tie to the first.
        assert_eq!(shares(&[7, 2, 1], 10), [7, 2, 1]);
        assert_eq!(shares(&[7, 2, 1], 5), [4, 1, 0]);
        assert_eq!(shares(&[1, 1, 1], 2), [1, 1, 0]);
        assert_eq!(shares(&[], 2), [0; 0]);
        // SuperGPQA's size: the shares add up, and none is off by one or more.
        let sizes = [7892, 5050, 3618, 2882, 2755, 1406, 1203, 674, 501, 376, 205, 167, 143];
        let total: usize = sizes.iter().sum();
        let shares = shares(&sizes, 5500);
        assert_eq!(shares.iter().sum::<usize>(), 5500);
        for (size, share) in sizes.iter().zip(&shares) {
            let exact = *size as f64 * 5500.0 / total as f64;
            assert!((exact - *share as f64).abs() < 1.0, "{size} {share}");
        }
    }

    #[test]
    fn a_sample_does_not_depend_on_the_other_rows_order() {
        let ids: Vec<String> = (0..100).map(|id| format!("row {id}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let named = |ids: &[&str], seed| {
            let mut names: Vec<String> =
                choose(ids, 10, seed).into_iter().map(|it| ids[it].to_owned()).collect();
            names.sort();
            names
        };
        let reversed: Vec<&str> = ids.iter().rev().copied().collect();
        assert_eq!(named(&ids, 1), named(&reversed, 1));
        assert_ne!(named(&ids, 1), named(&ids, 2));
        assert_eq!(choose(&ids, 1000, 1).len(), 100);
    }
}
