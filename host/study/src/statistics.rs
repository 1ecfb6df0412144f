//! Rank correlations, and intervals of what was bootstrapped.

/// Spearman's ρ: the correlation of ranks, ties sharing their mean rank. None where either side does
/// not vary, or there are fewer than two values.
///
/// # Panics
/// When the sides differ in length.
#[must_use]
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    assert_eq!(x.len(), y.len(), "values come in pairs");
    pearson(&ranks(x), &ranks(y))
}

/// Kendall's τ-b, which corrects for ties. None where either side does not vary.
///
/// # Panics
/// When the sides differ in length.
#[must_use]
pub fn kendall(x: &[f64], y: &[f64]) -> Option<f64> {
    assert_eq!(x.len(), y.len(), "values come in pairs");
    let (mut agree, mut pairs_x, mut pairs_y) = (0.0, 0.0, 0.0);
    for i in 0..x.len() {
        for j in 0..i {
            let (dx, dy) = (sign(x[i] - x[j]), sign(y[i] - y[j]));
            agree += dx * dy;
            pairs_x += dx * dx;
            pairs_y += dy * dy;
        }
    }
    let scale = f64::sqrt(pairs_x * pairs_y);
    (scale > 0.0).then(|| agree / scale)
}

/// 0 for equal values, where [`f64::signum`] gives 1.
fn sign(difference: f64) -> f64 {
    if difference == 0.0 { 0.0 } else { difference.signum() }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        // Chunks lie one after the other in `order`, so the first's place is its offset.
        let below = values.iter().filter(|value| **value < values[tied[0]]).count();
        for &at in tied {
            ranks[at] = below as f64 + (tied.len() as f64 + 1.0) / 2.0;
        }
    }
    ranks
}

fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let (mean_x, mean_y) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        xy += (x - mean_x) * (y - mean_y);
        xx += (x - mean_x).powi(2);
        yy += (y - mean_y).powi(2);
    }
    let scale = f64::sqrt(xx * yy);
    (scale > 0.0).then(|| (xy / scale).clamp(-1.0, 1.0))
}

/// The mean; 0 of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The standard deviation with n − 1; 0 for fewer than two values.
pub(crate) fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    let sum: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (sum / (values.len() - 1) as f64).sqrt()
}

/// The largest correction of [`interval`], in standard deviations: with it the lower end is still
/// above the samples' median.
const MOST_BIAS: f64 = 1.0;

/// The bias-corrected central 95 % of bootstrapped values (Efron 1987, without acceleration): a
/// rank correlation of resampled, and so noisier, values is nearer to 0 than the one of the values
/// themselves, which the correction undoes. The correction is bounded and the interval always holds
/// `value`: near a correlation of 1 all samples lie below it, and an unbounded correction would leave
/// nothing but the largest of them. (`value`, `value`) where there are no samples.
#[must_use]
pub fn interval(value: f64, samples: &[f64]) -> (f64, f64) {
    if samples.is_empty() {
        return (value, value);
    }
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let below = sorted.iter().filter(|sample| **sample < value).count() as f64;
    let ties = sorted.iter().filter(|sample| **sample == value).count() as f64;
    let share = ((below + ties / 2.0) / count).clamp(0.5 / count, 1.0 - 0.5 / count);
    let bias = normal_quantile(share).clamp(-MOST_BIAS, MOST_BIAS);
    let at = |quantile: f64| {
        let share = normal_share(2.0 * bias + normal_quantile(quantile));
        sorted[(share * (count - 1.0)).round() as usize]
    };
    (at(0.025).min(value), at(0.975).max(value))
}

/// The share of a standard normal below `z` (Abramowitz and Stegun 26.2.17, to 1e-7).
fn normal_share(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let tail = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let upper = density * tail;
    if z >= 0.0 { 1.0 - upper } else { upper }
}

/// The inverse of [`normal_share`], by bisection: it is asked a few times only.
fn normal_quantile(share: f64) -> f64 {
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if normal_share(middle) < share { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: Option<f64>, wanted: f64) {
        let found = found.expect("there is a value");
        assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted}");
    }

    #[test]
    fn rank_correlations_are_those_of_scipy() {
        // scipy.stats 1.17: spearmanr and kendalltau of these.
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let y = [2.1, 1.0, 3.3, 3.0, 8.0, 5.5, 9.0, 7.0];
        close(spearman(&x, &y), 0.833_333_333_333_333_5);
        close(kendall(&x, &y), 0.642_857_142_857_142_8);
        let x = [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0];
        let y = [5.0, 5.0, 4.0, 4.0, 3.0, 6.0, 1.0];
        close(spearman(&x, &y), -0.552_606_552_125_861_8);
        close(kendall(&x, &y), -0.500_773_395_667_191_5);
    }

    #[test]
    fn a_side_that_does_not_vary_has_no_correlation() {
        assert_eq!(spearman(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(kendall(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]), None);
        assert_eq!(spearman(&[], &[]), None);
        assert_eq!(kendall(&[1.0], &[1.0]), None);
    }

    #[test]
    fn an_unbiased_bootstrap_has_its_percentiles_and_a_biased_one_is_moved() {
        let samples: Vec<f64> = (0..=1000).map(|n| f64::from(n) / 1000.0).collect();
        let (low, high) = interval(0.5, &samples);
        assert!((low - 0.025).abs() < 2e-3 && (high - 0.975).abs() < 2e-3, "{low} {high}");
        // Most samples lie below the value, so the interval lies above the middle.
        let (low, high) = interval(0.8, &samples);
        assert!(low > 0.3 && high > 0.99, "{low} {high}");
        // All of them do: the interval still has a width, and holds the value.
        let (low, high) = interval(1.5, &samples);
        assert!((0.4..0.6).contains(&low) && high == 1.5, "{low} {high}");
        let (low, high) = interval(-0.5, &samples);
        assert!(low == -0.5 && (0.4..0.6).contains(&high), "{low} {high}");
        assert_eq!(interval(0.3, &[]), (0.3, 0.3));
    }

    #[test]
    fn the_normal_distribution_is_the_tables() {
        assert!((normal_quantile(0.975) - 1.959_964).abs() < 1e-5);
        assert!((normal_share(-1.0) - 0.158_655_25).abs() < 1e-6);
    }
}
