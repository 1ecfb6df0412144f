//! Rewards by a logistic curve through their running median.

use omni_train::advantage::advantages;
use omni_train::advantage::median::{Curve, Window};
use omni_train::config::{Advantage, MedianMap, Scale};
use proptest::prelude::*;

fn curve(rewards: &[f64], settings: &MedianMap) -> Curve {
    Window::default().curve(rewards, settings).expect("there are rewards")
}

fn mapped(curve: Curve, rewards: &[f64]) -> Vec<Option<f64>> {
    rewards.iter().map(|r| Some(curve.apply(*r))).collect()
}

#[test]
fn the_curve_by_hand() {
    let settings = MedianMap::default();
    // Median 2, quartiles 1 and 3.
    let of_five = curve(&[4.0, 0.0, 2.0, 1.0, 3.0], &settings);
    assert_eq!((of_five.median, of_five.spread), (2.0, 2.0));
    assert_eq!(of_five.apply(2.0), 0.5);
    // Slope 3: one spread above is the logistic of 3.
    assert!((of_five.apply(4.0) - 0.952_574_126_822_433).abs() < 1e-15);
    assert!((of_five.apply(0.0) - 0.047_425_873_177_567).abs() < 1e-15);
    let target = MedianMap { target: 0.25, ..settings.clone() };
    assert!((curve(&[0.0, 1.0], &target).apply(0.5) - 0.25).abs() < 1e-15);
    // Mostly right: both quartiles are 1, and the floor keeps the curve from being a cliff.
    let floor = curve(&[1.0, 1.0, 1.0, 1.0, 0.0], &settings);
    assert_eq!((floor.median, floor.spread), (1.0, 0.1));
    assert_eq!(Window::default().curve(&[], &settings), None);
}

#[test]
fn tasks_of_other_scales_get_the_same_advantages() {
    let settings = MedianMap { floor: 1e-3, ..MedianMap::default() };
    let small = [0.02, 0.05, 0.05, 0.09, 0.0];
    let large = small.map(|r| 40.0 * r - 7.0);
    for scale in [Scale::None, Scale::Group] {
        let advantage = Advantage { scale, ddof: 0, eps: 0.0, ..Advantage::default() };
        let of = |rewards: &[f64]| {
            advantages(&[mapped(curve(rewards, &settings), rewards)], &advantage).remove(0)
        };
        for (a, b) in of(&small).into_iter().zip(of(&large)) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }
    // Unmapped and undivided, the large scale would drown the small one.
    let plain = Advantage { scale: Scale::None, ..Advantage::default() };
    let raw = |rewards: &[f64]| {
        advantages(&[rewards.iter().copied().map(Some).collect::<Vec<_>>()], &plain)[0][3]
    };
    assert!(raw(&large) > 30.0 * raw(&small));
}

#[test]
fn the_curve_acts_in_a_group_that_a_line_would_leave_as_it_is() {
    let settings = Advantage { ddof: 0, eps: 0.0, ..Advantage::default() };
    let group_of = |rewards: &[f64], map: &dyn Fn(f64) -> f64| {
        advantages(&[rewards.iter().map(|r| Some(map(*r))).collect::<Vec<_>>()], &settings)
            .remove(0)
    };
    let three = [0.0, 0.5, 3.0];
    let plain = group_of(&three, &|r| r);
    let line = group_of(&three, &|r| 0.5 + (r - 0.5) / 1.7);
    assert!(plain.iter().zip(&line).all(|(a, b)| (a - b).abs() < 1e-12));
    let curve = curve(&three, &MedianMap::default());
    let curved = group_of(&three, &|r| curve.apply(r));
    // The outlier above the median is pulled in: the other two stand further apart for it.
    let gaps = |a: &[f64]| (a[2] - a[1]) / (a[1] - a[0]);
    assert!((gaps(&plain) - 5.0).abs() < 1e-9 && gaps(&curved) < 2.5, "{plain:?} {curved:?}");
    // Two distinct rewards are two distinct rewards, whatever the curve.
    let two = [0.0, 1.0, 1.0, 0.0];
    let curved = group_of(&two, &|r| curve.apply(r));
    assert!(group_of(&two, &|r| r).iter().zip(&curved).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn the_window_forgets_and_the_phase_at_hand_always_counts() {
    let settings = MedianMap { window: 3, ..MedianMap::default() };
    let mut window = Window::default();
    assert_eq!(window.curve(&[0.0; 7], &settings).map(|c| c.median), Some(0.0));
    // Three zeros are remembered, and five of the phase stand against them.
    assert_eq!(window.curve(&[1.0; 5], &settings).map(|c| c.median), Some(1.0));
    assert_eq!(window.curve(&[0.0; 2], &settings).map(|c| c.median), Some(1.0));
    let text = serde_json::to_string(&window).expect("numbers");
    let mut back: Window = serde_json::from_str(&text).expect("numbers");
    assert_eq!(back, window);
    assert_eq!(back.curve(&[0.1 + 0.2], &settings), window.curve(&[0.1 + 0.2], &settings));
    // Nothing valid in a phase: what is remembered still says where the median lies.
    assert!(window.curve(&[], &settings).is_some());
}

proptest! {
    #[test]
    fn the_curve_is_rising_and_finite(
        mut rewards in prop::collection::vec(-2.0f64..2.0, 1..40),
        target in 0.05f64..0.95, extreme in prop::sample::select(vec![-1e12, 1e12]),
    ) {
        let settings = MedianMap { target, ..MedianMap::default() };
        let curve = curve(&rewards, &settings);
        prop_assert!((curve.apply(curve.median) - target).abs() < 1e-12);
        rewards.sort_by(f64::total_cmp);
        let on: Vec<f64> = rewards.iter().map(|r| curve.apply(*r)).collect();
        prop_assert!(on.windows(2).all(|w| w[0] <= w[1]));
        prop_assert!(on.iter().all(|r| (0.0..=1.0).contains(r)));
        prop_assert!((0.0..=1.0).contains(&curve.apply(extreme)));
    }
}
