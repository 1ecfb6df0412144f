//! Orders against brute force, bounds against orders, bootstrap against arithmetic.
#![expect(clippy::unwrap_used, reason = "tests")]

use omni_curriculum::{
    Confidence, Evidence, EvidenceError, ItemAccuracies, Prediction, all_orders, exact, greedy,
    local_search, upper_bound,
};
use proptest::prelude::*;

fn evidence(rows: &[Vec<f64>], weights: Vec<f64>) -> Evidence {
    let size = rows.len();
    let tasks = (0..size).map(|k| format!("t{k}")).collect();
    Evidence::new(tasks, vec![0.5; size], vec![0.6; size], rows)
        .unwrap()
        .with_weights(weights)
        .unwrap()
}

fn arbitrary() -> impl Strategy<Value = Evidence> {
    (1_usize..=7).prop_flat_map(|size| {
        let rows = prop::collection::vec(prop::collection::vec(-0.5..0.3_f64, size), size);
        let weights = prop::collection::vec(0.1..2.0_f64, size);
        (rows, weights).prop_map(|(rows, weights)| evidence(&rows, weights))
    })
}

/// Algorithm 1 of the paper, step by step.
fn simulated(evidence: &Evidence, order: &[usize]) -> Vec<f64> {
    let mut accuracies = evidence.base().to_vec();
    for &trained in order {
        for (i, accuracy) in accuracies.iter_mut().enumerate().filter(|(i, _)| *i != trained) {
            *accuracy *= evidence.transfer()[(i, trained)].exp();
        }
        accuracies[trained] = evidence.own()[trained];
    }
    accuracies
}

proptest! {
    #[test]
    fn exact_is_the_best_of_all_orders(evidence in arbitrary()) {
        let all = all_orders(&evidence).unwrap();
        let found = Prediction::of(&evidence, &exact(&evidence).unwrap());
        prop_assert!((found.score - all[0].score).abs() < 1e-12);
        let bound = upper_bound(&evidence);
        prop_assert!(found.score <= bound + 1e-12);
        let searched = Prediction::of(&evidence, &local_search(&evidence)).score;
        prop_assert!(searched <= found.score + 1e-12);
        prop_assert!(searched >= Prediction::of(&evidence, &greedy(&evidence)).score - 1e-12);
    }

    #[test]
    fn predictions_are_algorithm_1s(evidence in arbitrary()) {
        for prediction in all_orders(&evidence).unwrap().iter().take(50) {
            let simulated = simulated(&evidence, &prediction.order);
            for (a, b) in prediction.accuracies.iter().zip(simulated) {
                prop_assert!((a - b).abs() < 1e-12 * b.max(1.0), "{a} {b}");
            }
        }
    }
}

#[test]
fn without_transfer_the_order_is_the_evidences() {
    let none = evidence(&vec![vec![0.0; 5]; 5], vec![1.0; 5]);
    assert_eq!(exact(&none).unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(local_search(&none), [0, 1, 2, 3, 4]);
    assert_eq!(all_orders(&none).unwrap()[0].order, [0, 1, 2, 3, 4]);
}

#[test]
fn twenty_tasks_exactly_and_two_hundred_by_search() {
    let mut state = 7_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f64 / (1 << 24) as f64 - 0.6
    };
    let mut square =
        |size: usize| (0..size).map(|_| (0..size).map(|_| random()).collect()).collect::<Vec<_>>();
    let twenty = evidence(&square(20), vec![1.0; 20]);
    let best = Prediction::of(&twenty, &exact(&twenty).unwrap()).score;
    let searched = Prediction::of(&twenty, &local_search(&twenty)).score;
    assert!(searched <= best && best <= upper_bound(&twenty));
    let many = evidence(&square(200), vec![1.0; 200]);
    assert!(exact(&many).is_none() && all_orders(&many).is_none());
    let order = local_search(&many);
    let found = Prediction::of(&many, &order).score;
    assert!(found > Prediction::of(&many, &greedy(&many)).score && found <= upper_bound(&many));
    // No single insertion does better.
    for from in (0..200).step_by(17) {
        for to in (0..200).step_by(23) {
            let mut other = order.clone();
            let task = other.remove(from);
            other.insert(to, task);
            assert!(Prediction::of(&many, &other).score <= found + 1e-9);
        }
    }
}

#[test]
fn a_certain_order_is_certain_and_a_tie_is_not() {
    let rows = vec![vec![0.0, 0.0], vec![-0.2, 0.0]];
    let certain = evidence(&rows, vec![1.0; 2])
        .with_standard_errors(&[vec![0.0, 0.01], vec![0.01, 0.0]])
        .unwrap();
    let confidence = Confidence::from_standard_errors(&certain, 500, 1).unwrap();
    assert_eq!(confidence.standings.len(), 1);
    assert!((confidence.of_best() - 1.0).abs() < 1e-12);
    let doubtful = certain.with_standard_errors(&[vec![0.0, 0.2], vec![0.2, 0.0]]).unwrap();
    let confidence = Confidence::from_standard_errors(&doubtful, 4000, 1).unwrap();
    // The difference is normal with mean 0.2 and deviation 0.2 √2: Φ(0.707) = 0.760.
    assert!((confidence.of_best() - 0.760).abs() < 0.025, "{}", confidence.of_best());
    assert_eq!(confidence.standings[1].order, [1, 0]);
    assert!(confidence.standings[1].is_indistinguishable());
}

#[test]
fn paired_items_leave_out_what_makes_an_item_hard() {
    // The trained policy solves exactly what the base solves, on 400 items of which half are hard:
    // the accuracies are uncertain, the transfer is not.
    let items: Vec<f64> = (0..400).map(|n| f64::from(n % 2 == 0)).collect();
    let better: Vec<f64> =
        items.iter().enumerate().map(|(n, x)| x.max(f64::from(n % 5 == 1))).collect();
    let accuracies = ItemAccuracies {
        base: vec![items.clone(), items.clone()],
        trained: vec![vec![better.clone(), items.clone()], vec![items.clone(), better]],
    };
    let transfer = accuracies.transfer(0.01, 400, 3).unwrap();
    assert!((transfer.matrix[(0, 0)] - (0.6_f64 / 0.5).ln()).abs() < 1e-12);
    assert!(transfer.matrix[(0, 1)].abs() < 1e-12);
    assert!(transfer.standard_errors[(0, 1)] < 1e-12);
    // Delta method: items newly solved, a tenth of all, against the base's half.
    let error = transfer.standard_errors[(0, 0)];
    assert!((0.025..0.06).contains(&error), "{error}");
    assert!(transfer.floored.is_empty());
    let never = ItemAccuracies { base: vec![vec![0.0; 9]], trained: vec![vec![vec![1.0; 9]]] };
    let transfer = never.transfer(0.01, 10, 3).unwrap();
    assert_eq!(transfer.floored, [(0, None)]);
    assert!((transfer.matrix[(0, 0)] - 100_f64.ln()).abs() < 1e-12);
}

#[test]
fn wrong_evidence_says_what_is_wrong() {
    let new = |names: &[&str], base: Vec<f64>, rows: &[Vec<f64>]| {
        let own = vec![0.5; names.len()];
        Evidence::new(names.iter().map(|it| (*it).to_owned()).collect(), base, own, rows)
    };
    let square = [vec![0.0, 0.1], vec![0.1, 0.0]];
    assert_eq!(new(&[], vec![], &[]), Err(EvidenceError::NoTasks));
    let repeated = new(&["a", "a"], vec![0.5; 2], &square);
    assert_eq!(repeated, Err(EvidenceError::Repeated("a".into())));
    let zero = new(&["a", "b"], vec![0.5, 0.0], &square).unwrap_err();
    assert!(zero.to_string().contains("`base_accuracy` of `b` is 0"), "{zero}");
    let ragged = new(&["a", "b"], vec![0.5; 2], &[vec![0.0, 0.1], vec![0.1]]).unwrap_err();
    assert!(matches!(ragged, EvidenceError::NotSquare { row: 1, found: 1, .. }), "{ragged}");
    let nan = new(&["a", "b"], vec![0.5; 2], &[vec![0.0, f64::NAN], vec![0.1, 0.0]]).unwrap_err();
    assert!(nan.to_string().contains("`a` evaluated after `b` was trained"), "{nan}");
    // The diagonal is ignored, whatever it holds.
    assert!(new(&["a", "b"], vec![0.5; 2], &[vec![f64::NAN, 0.1], vec![0.1, 9.0]]).is_ok());
    let weights = new(&["a", "b"], vec![0.5; 2], &square).unwrap().with_weights(vec![0.0; 2]);
    assert_eq!(weights, Err(EvidenceError::NoWeight));
}
