//! The paper's own tables: their orders, predictions and gains.
#![expect(clippy::unwrap_used, reason = "tests")]

use omni_curriculum::{
    EntropyChange, Evidence, Matrix, Prediction, all_orders, exact, forgettability, greedy,
    local_search, net_greedy, upper_bound,
};
use serde_json::Value;

const LETTERS: [char; 4] = ['M', 'C', 'Q', 'W'];

fn table4() -> Value {
    serde_json::from_str(include_str!("fixtures/paper_table4.json")).unwrap()
}

fn table1() -> Value {
    serde_json::from_str(include_str!("fixtures/paper_table1.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect()
}

fn names(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

fn evidence4(transposed: bool) -> Evidence {
    let table = table4();
    let mut rows: Vec<Vec<f64>> = table["bwt_rows_are_evaluated_columns_are_trained"]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .collect();
    if transposed {
        rows = (0..4).map(|i| (0..4).map(|j| rows[j][i]).collect()).collect();
    }
    let list = |key: &str| numbers(&table[key]);
    Evidence::new(names(&table["tasks"]), list("base_accuracy"), list("self_accuracy"), &rows)
        .unwrap()
}

fn evidence1() -> Evidence {
    let table = table1();
    let tasks = names(&table["tasks"]);
    let base = numbers(&table["base_accuracy"]);
    let by_trained: Vec<Vec<f64>> = tasks
        .iter()
        .map(|task| numbers(&table["single_task_accuracy_by_trained_task"][task]))
        .collect();
    let own = (0..4).map(|k| by_trained[k][k]).collect();
    let rows: Vec<Vec<f64>> =
        (0..4).map(|i| (0..4).map(|j| (by_trained[j][i] / base[i]).ln()).collect()).collect();
    Evidence::new(tasks, base, own, &rows).unwrap()
}

fn word(order: &[usize]) -> String {
    order.iter().map(|&task| LETTERS[task]).collect()
}

#[test]
fn all_24_orders_of_table_4_come_out_as_printed() {
    let table = table4();
    let ranked = all_orders(&evidence4(false)).unwrap();
    let printed = table["orders"].as_array().unwrap();
    assert_eq!(ranked.len(), printed.len());
    for (ours, theirs) in ranked.iter().zip(printed) {
        assert_eq!(word(&ours.order), theirs["order"].as_str().unwrap());
        for (a, b) in ours.accuracies.iter().zip(numbers(&theirs["predicted"])) {
            assert!((a - b).abs() <= 0.05 + 1e-9, "{}: {a} is printed as {b}", word(&ours.order));
        }
        let gain = theirs["mean_log_gain_percent"].as_f64().unwrap();
        assert!((100.0 * ours.score - gain).abs() <= 0.1, "{}: {gain}", word(&ours.order));
    }
}

#[test]
fn the_orders_chosen_for_table_4_are_the_papers() {
    let evidence = evidence4(false);
    let expected = &table4()["expected"];
    assert_eq!(word(&exact(&evidence).unwrap()), expected["exact"].as_str().unwrap());
    assert_eq!(word(&greedy(&evidence)), expected["greedy"].as_str().unwrap());
    assert_eq!(word(&forgettability(&evidence)), expected["forgettability"].as_str().unwrap());
    assert_eq!(word(&net_greedy(&evidence)), "MCQW");
    assert_eq!(word(&local_search(&evidence)), "MCQW");
    // Read with the indices as printed, the paper's greedy rule gives its worst order.
    let transposed = expected["greedy_with_the_matrix_transposed"].as_str().unwrap();
    assert_eq!(word(&greedy(&evidence4(true))), transposed);
    let best = Prediction::of(&evidence, &exact(&evidence).unwrap());
    assert!(best.score <= upper_bound(&evidence) + 1e-12);
}

#[test]
fn table_1_gives_what_section_5_1_reports() {
    let evidence = evidence1();
    let expected = &table1()["expected"];
    let best = Prediction::of(&evidence, &exact(&evidence).unwrap());
    assert_eq!(word(&best.order), expected["exact"].as_str().unwrap());
    let gain = expected["exact_mean_log_gain_percent"].as_f64().unwrap();
    assert!((100.0 * best.score - gain).abs() < 0.005, "{}", best.score);
    assert_eq!(word(&greedy(&evidence)), expected["greedy"].as_str().unwrap());
    assert_eq!(word(&forgettability(&evidence)), expected["forgettability"].as_str().unwrap());
    assert_eq!(word(&net_greedy(&evidence)), word(&best.order));
    let ranked = all_orders(&evidence).unwrap();
    assert_eq!(word(&ranked[23].order), expected["worst"].as_str().unwrap());
}

#[test]
fn entropy_flags_a_raising_task_before_a_lowering_one() {
    // Writing raises the others' entropy, maths lowers its own.
    let rows = [
        vec![-0.3, -0.1, -0.1, -0.05],
        vec![-0.1, 0.0, -0.1, -0.05],
        vec![-0.1, -0.1, 0.1, -0.05],
        vec![0.2, 0.1, 0.1, 0.3],
    ];
    let change = EntropyChange::new(Matrix::from_rows(&rows).unwrap()).unwrap();
    assert!((change.on_others(3) - 0.4 / 3.0).abs() < 1e-12);
    assert!(change.flags(&[0, 1, 2, 3]).is_empty());
    let flags = change.flags(&[3, 2, 0, 1]);
    assert_eq!(flags.len(), 1);
    assert_eq!((flags[0].raising, flags[0].lowering), (3, 0));
}
