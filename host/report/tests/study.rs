//! A study's report, from the record to the page and the files.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;

use omni_record::{Correlation, MethodKind, Study};
use serde_json::Value as Json;

const FOUR: [&str; 4] = ["math", "code", "qa", "writing"];

struct Report {
    page: String,
    json: Json,
    folder: tempfile::TempDir,
}

impl Report {
    fn of(study: &Study) -> Self {
        let folder = tempfile::tempdir().unwrap();
        common::write(study, folder.path());
        let page = omni_report::study::write(folder.path()).unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        Self {
            page: read(&page),
            json: serde_json::from_str(&read(&folder.path().join("report.json"))).unwrap(),
            folder,
        }
    }

    fn findings(&self) -> Vec<&str> {
        self.json["findings"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect()
    }

    /// The finding that holds the words.
    fn finding(&self, words: &str) -> &str {
        self.findings().into_iter().find(|f| f.contains(words)).unwrap_or_else(|| {
            panic!("nothing says `{words}`: {:#?}", self.findings());
        })
    }

    fn row(&self, table: &str, key: &str, value: impl Into<Json>) -> &Json {
        let value = value.into();
        let rows = self.json["tables"][table]["rows"].as_array().unwrap();
        rows.iter().find(|row| row[key] == value).unwrap()
    }

    fn csv(&self, table: &str) -> Vec<Vec<String>> {
        let path = self.folder.path().join(format!("tables/{table}.csv"));
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(fields).collect()
    }
}

/// The fields of a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

/// Text between two marks, again and again.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from).skip(1).map(|rest| rest.split(to).next().unwrap()).collect()
}

/// A cell of the page: its numbers, and how far rounding may have moved them.
fn numbers(cell: &str) -> Vec<(f64, f64)> {
    let plain: String = cell.split('<').map(|part| part.rsplit('>').next().unwrap()).collect();
    plain
        .replace('−', "-")
        .split(" ± ")
        .filter_map(|word| {
            let word = word.trim_end_matches('≈').trim();
            let digits = word.split_once('.').map_or(0, |(_, digits)| digits.len());
            Some((word.parse().ok()?, 0.501 / 10f64.powi(digits as i32)))
        })
        .collect()
}

#[test]
fn every_number_on_the_page_is_in_the_files_and_csv_and_json_agree() {
    let report = Report::of(&common::study(&FOUR, &[0, 1, 2]));
    let mut compared = 0;
    for (name, table) in report.json["tables"].as_object().unwrap() {
        let rows = table["rows"].as_array().unwrap();
        let csv = report.csv(name);
        assert_eq!(csv.len(), rows.len() + 1, "{name}");
        for (line, row) in csv[1..].iter().zip(rows) {
            for (key, text) in csv[0].iter().zip(line) {
                match &row[key] {
                    Json::Null => assert_eq!(text, "", "{name} {key}"),
                    Json::Number(number) => {
                        assert_eq!(text.parse::<f64>().unwrap(), number.as_f64().unwrap());
                    }
                    other => assert_eq!(text, other.as_str().unwrap(), "{name} {key}"),
                }
            }
        }
        let Some(html) = between(&report.page, &format!("<table id=\"{name}\">"), "</table>").pop()
        else {
            continue;
        };
        let head = between(html, "<thead><tr>", "</thead>")[0];
        let heads = between(head, "<th", "</th>");
        let columns = table["columns"].as_array().unwrap();
        // Columns on the page stand in the files' order.
        let mut shown = Vec::new();
        for head in heads.iter().map(|head| head.split_once('>').unwrap().1) {
            let from = shown.last().map_or(0, |(at, _)| at + 1);
            let at = (from..columns.len()).find(|at| columns[*at]["head"] == head).unwrap();
            shown.push((at, &columns[at]));
        }
        for (line, row) in between(html, "<tr>", "</tr>").into_iter().skip(1).zip(rows) {
            for (cell, (_, column)) in between(line, "<td", "</td>").into_iter().zip(&shown) {
                let key = column["key"].as_str().unwrap();
                let scale = match column["unit"].as_str().unwrap() {
                    "text" | "seconds" => continue,
                    "fraction" => 100.0,
                    _ => 1.0,
                };
                let cell = cell.split_once('>').unwrap().1;
                let values = [row[key].as_f64(), row[format!("{key}_se")].as_f64()];
                let values: Vec<f64> = values.into_iter().flatten().collect();
                let on_page = numbers(cell);
                assert_eq!(on_page.len(), values.len(), "{name} {key}: {cell}");
                for ((found, slack), value) in on_page.into_iter().zip(values) {
                    assert!((found - scale * value).abs() <= slack, "{name} {key}: {cell} {value}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 400, "{compared}");
}

#[test]
fn means_and_errors_are_over_seeds() {
    let study = common::study(&FOUR, &[0, 1, 2]);
    let joint = study.methods.iter().find(|m| m.kind == MethodKind::Joint).unwrap();
    let values: Vec<f64> = joint.runs.iter().map(|run| run.test["math"].accuracy.mean).collect();
    let mean = values.iter().sum::<f64>() / 3.0;
    let error = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 6.0).sqrt();
    let report = Report::of(&study);
    let row = report.row("accuracy", "name", "joint");
    assert!((row["accuracy_math"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert!((row["accuracy_math_se"].as_f64().unwrap() - error).abs() < 1e-12);
    assert!(report.page.contains("± one standard error over seeds"));
    assert!(!report.findings().iter().any(|f| f.contains("trained with one seed")));
    // Its gain is not in the record, and so made of its accuracies, seed by seed.
    let base = &study.methods[0].runs[0].test;
    let gains = joint.runs.iter().flat_map(|run| {
        FOUR.map(|task| (run.test[task].accuracy.mean / base[task].accuracy.mean).ln())
    });
    let gain = gains.sum::<f64>() / 12.0;
    assert!((row["mean_log_gain"].as_f64().unwrap() - gain).abs() < 1e-12);
}

#[test]
fn one_seed_has_errors_over_items_and_says_so() {
    let report = Report::of(&common::study(&FOUR, &[7]));
    assert!(report.page.contains("over items (there is one seed"));
    report.finding("Every method was trained with one seed");
    report.finding("There is no noise ceiling");
    let row = report.row("accuracy", "name", "joint");
    let (mean, error) = (row["accuracy_qa"].as_f64().unwrap(), row["accuracy_qa_se"].as_f64());
    assert!((error.unwrap() - (mean * (1.0 - mean) / 2000.0).sqrt()).abs() < 1e-9);
    assert!(report.page.contains("Backward transfer (seed 7)"));
}

#[test]
fn findings_claim_what_intervals_allow() {
    let mut study = common::study(&FOUR, &[0, 1, 2]);
    let report = Report::of(&study);
    assert!(report.finding("Spearman").contains("0.71 (95 % interval 0.38 to 0.88)"));
    assert!(report.finding("Spearman").contains("p = 0.004"));
    assert!(report.finding("Spearman").ends_with("predictions rank these orders."));
    assert!(report.finding("Noise ceiling").contains("seed 0 and seed 1"));
    assert!(report.finding("the order predicted worst").contains("clear of the errors"));
    assert!(report.finding("is best in 40.0 %").contains("2 of the 23 others"));
    let ranking = study.ranking.as_mut().unwrap();
    ranking.spearman = Correlation { value: 0.3, low: -0.12, high: 0.63, p_value: Some(0.16) };
    ranking.ceiling.as_mut().unwrap().spearman = Correlation { low: -0.2, ..ranking.spearman };
    let joint = study.methods.iter().position(|m| m.kind == MethodKind::Joint).unwrap();
    let curriculum = study.methods.iter().position(|m| m.kind == MethodKind::Curriculum).unwrap();
    for (seed, shift) in [(0, 0.01), (1, -0.01), (2, 0.005)] {
        let gain = study.methods[curriculum].runs[seed].gain.unwrap();
        let near = omni_record::Gain { score: gain.score + shift, ..gain };
        study.methods[joint].runs[seed].gain = Some(near);
    }
    let report = Report::of(&study);
    assert!(report.finding("Spearman").contains("is not shown"));
    assert!(report.finding("Noise ceiling").contains("no prediction could be shown to be right"));
    assert!(report.finding("The chosen order").contains("cannot be told from “joint”"));
}

#[test]
fn what_p_can_show_depends_on_the_number_of_tasks() {
    let said = |tasks: &[&str], p: f64| {
        let mut study = common::study(tasks, &[0]);
        study.ranking.as_mut().unwrap().spearman.p_value = Some(p);
        Report::of(&study).finding("Spearman").to_owned()
    };
    let least = said(&FOUR, 1.0 / 24.0);
    assert!(
        least.contains("p = 0.042") && least.contains("of 4 tasks it can never be below 0.042")
    );
    assert!(least.ends_with("predictions rank these orders."), "{least}");
    let two = said(&FOUR, 2.0 / 24.0);
    assert!(
        two.contains("2 of the 24 correlate as far") && two.contains("neither shown nor ruled")
    );
    assert!(said(&FOUR, 15.0 / 24.0).ends_with("is not shown by it."));
    // Of three tasks p is never below one in six, whatever the predictions are worth.
    let three = said(&FOUR[..3], 1.0 / 6.0);
    assert!(three.contains("1 of the 6") && three.contains("neither shown nor ruled out"));
    let five = ["a", "b", "c", "d", "e"];
    assert!(said(&five, 0.125).contains("may well be chance (p = 0.125 by"));
}

#[test]
fn the_ceiling_is_that_of_what_is_ranked() {
    let mut study = common::study(&FOUR, &[0, 1]);
    // Two seeds agree by 0.8: √0.8 with one of them, √(1.6 / 1.8) with their mean.
    let said = Report::of(&study).finding("Noise ceiling").to_owned();
    assert!(said.contains("with one seed, which is ranked here, at about 0.89"), "{said}");
    study.ranking.as_mut().unwrap().of = "mean of 2 seeds".into();
    let said = Report::of(&study).finding("Noise ceiling").to_owned();
    assert!(said.contains("the mean of 2 seeds, which is ranked here, at about 0.94"), "{said}");
}

#[test]
fn accuracies_are_predicted_for_the_split_that_they_are_measured_on() {
    let mut study = common::study(&["math", "code"], &[0]);
    // The test split is easier by half for the base, and the log gain is the validation split's.
    study.evidence[0].base_accuracy[0] = 0.4;
    study.methods[0].runs[0].test.get_mut("math").unwrap().accuracy.mean = 0.6;
    for order in &mut study.orders {
        order.predicted.insert("math".into(), 0.5);
        order.predicted_errors.insert("math".into(), 0.02);
        order.measured[0].accuracy.insert("math".into(), 0.75);
        let predicted = order.predicted["code"];
        order.measured[0].accuracy.insert("code".into(), predicted);
        order.measured[0].score = order.score - 0.1;
    }
    let report = Report::of(&study);
    let row = &report.json["tables"]["predictions"]["rows"][0];
    assert!((row["math_predicted"].as_f64().unwrap() - 0.75).abs() < 1e-12);
    assert!((row["math_predicted_se"].as_f64().unwrap() - 0.03).abs() < 1e-12);
    let said = report.finding("Measured test accuracies lie");
    assert!(said.contains("lie 0.0 points from"), "{said}");
    assert!(said.contains("below the predicted ones for 2 of the 2"), "{said}");
    assert!(said.contains("measured less predicted is −10.0"), "{said}");
}

#[test]
fn joint_training_above_every_order_is_said() {
    let mut study = common::study(&FOUR, &[0]);
    let best = study.orders.iter().map(|o| o.measured[0].score).fold(f64::MIN, f64::max);
    let joint = study.methods.iter_mut().find(|m| m.kind == MethodKind::Joint).unwrap();
    let gain = omni_record::Gain { score: best + 0.2, standard_error: 0.001 };
    joint.runs[0].gain = Some(gain);
    let above = Report::of(&study).finding("“joint” is measured above").to_owned();
    assert!(above.contains("above every one of the 24 orders that were trained, clear of"));
    assert!(above.contains("is +20.0 (95 % interval"), "{above}");
}

#[test]
fn orders_with_equal_predictions_share_a_rank() {
    let mut study = common::study(&["math", "code", "qa"], &[0]);
    study.orders[2].score = study.orders[1].score;
    let report = Report::of(&study);
    let rows = report.json["tables"]["orders"]["rows"].as_array().unwrap();
    let mut ranks: Vec<u64> =
        rows.iter().map(|row| row["predicted_rank"].as_u64().unwrap()).collect();
    ranks.sort_unstable();
    assert_eq!(ranks, [1, 2, 2, 4, 5, 6]);
}

#[test]
fn predictions_that_no_accuracy_can_reach_are_said() {
    let mut study = common::study(&["math", "code"], &[0]);
    assert!(!Report::of(&study).findings().iter().any(|f| f.contains("above 100 %")));
    study.orders[0].predicted.insert("math".into(), 1.18);
    Report::of(&study).finding("1 of the 4 predictions are above 100 %");
}

#[test]
fn orders_are_ranked_over_the_seeds_that_all_of_them_have() {
    let mut study = common::study(&["math", "code", "qa"], &[0, 1]);
    for order in &mut study.orders[1..] {
        order.measured.truncate(1);
    }
    // The second seed lifts what has it.
    study.orders[0].measured[0].score = 0.1;
    study.orders[0].measured[1].score = 0.9;
    let report = Report::of(&study);
    let row = report.row("orders", "predicted_rank", 1);
    assert_eq!((&row["measured"], &row["seeds"]), (&Json::from(0.1), &Json::from(1)));
    assert!(report.page.contains("Measured gains are of seed 0, which all of them have"));
    assert!(report.finding("orders trained").contains("compared over seed 0, which all"));
}

#[test]
fn a_study_that_has_just_begun_says_what_is_missing() {
    let mut study = common::study(&FOUR, &[0, 1]);
    study.progress.done = 3;
    study.progress.failed =
        [("seed-0/joint/run".to_owned(), "ended with 1; log\n  error: disk full <b>\n".to_owned())]
            .into();
    study.evidence.clear();
    study.orders.clear();
    study.ranking = None;
    study.methods.retain(|m| matches!(m.kind, MethodKind::Base | MethodKind::Single));
    study.methods[1].runs.truncate(1);
    study.methods[2].runs[0].test.remove("qa");
    let report = Report::of(&study);
    report.finding("not finished: 3 of the 40 steps");
    report.finding("neither matrices nor predictions");
    report.finding("math alone has 1 of 2 seeds");
    report.finding("code alone: 1 evaluation without all of the tasks");
    report.finding("seed-0/joint/run failed: error: disk full <b>");
    assert!(
        report.page.contains("disk full &lt;b&gt;") && !report.page.contains("Backward transfer (")
    );
    let many = (0..9).map(|n| (format!("step-{n}"), "x".repeat(4000)));
    study.progress.failed = many.collect();
    let report = Report::of(&study);
    assert!(report.finding("step-4 failed").chars().count() < 300);
    report.finding("4 further steps failed as well");
    study.methods.clear();
    let bare = Report::of(&study);
    assert!(bare.page.contains("Nothing was measured yet") && bare.page.contains("Too little"));
    let nothing = Study { version: 1, ..Study::default() };
    assert!(Report::of(&nothing).page.contains("How it was measured"));
}

#[test]
fn axes_of_the_matrices_are_named_each_their_way_round() {
    let report = Report::of(&common::study(&["math", "code"], &[0]));
    let heats = between(&report.page, "<figure><figcaption>", "</figure>");
    let heat = |title: &str| *heats.iter().find(|f| f.starts_with(title)).unwrap();
    let transfer = heat("Backward transfer (");
    assert!(transfer.contains("evaluated on ↓") && transfer.contains("trained on →"));
    let entropy = heat("Change of token entropy (");
    assert!(entropy.contains("trained on ↓") && entropy.contains("evaluated on →"));
    // One entry of each lies where its axes say: in the first row's second cell.
    let study = common::study(&["math", "code"], &[0]);
    let evidence = &study.evidence[0];
    let shown = |value: f64| format!(">{:+.1}<", 100.0 * value).replace('-', "−");
    let first = |heat: &str, value: f64, other: f64| {
        let at = |value: f64| heat.find(&shown(value)).unwrap();
        assert!(at(value) < at(other), "{heat}");
    };
    let transfer_matrix = &evidence.backward_transfer;
    first(transfer, transfer_matrix[0][1], transfer_matrix[1][0]);
    let entropy_matrix = evidence.entropy_change.as_ref().unwrap();
    first(entropy, entropy_matrix[0][1], entropy_matrix[1][0]);
    let row =
        report.csv("matrices").into_iter().find(|r| r[1] == "code" && r[2] == "math").unwrap();
    assert_eq!(row[3].parse::<f64>().unwrap(), study.evidence[0].backward_transfer[0][1]);
    let change = study.evidence[0].entropy_change.as_ref().unwrap()[1][0];
    assert_eq!(row[5].parse::<f64>().unwrap(), change);
}

#[test]
fn curves_go_on_through_the_phases_of_a_curriculum() {
    let report = Report::of(&common::study(&["math", "code", "qa"], &[0]));
    let curriculum = common::study(&["math", "code", "qa"], &[0]).orders[0].order.clone();
    let rows = report.csv("training");
    let steps = |task: &str| -> Vec<u64> {
        let of =
            |r: &&Vec<String>| r[0] == curriculum.join("+") && r[2] == "reward" && r[3] == task;
        rows.iter().filter(of).map(|r| r[4].parse().unwrap()).collect()
    };
    for (phase, task) in curriculum.iter().enumerate() {
        let steps = steps(task);
        let first = 40 * phase as u64;
        assert_eq!((steps[0], *steps.last().unwrap(), steps.len()), (first + 1, first + 40, 40));
    }
    let title = "<figcaption>curriculum: reward</figcaption>";
    let chart = between(&report.page, title, "</figure>")[0];
    assert_eq!(chart.matches("class=\"guide\"").count(), 2, "the task changes twice");
}

#[test]
fn methods_answer_side_by_side() {
    let report = Report::of(&common::study(&FOUR, &[0]));
    let item = between(&report.page, "<summary>item test-0</summary>", "</details>")[0];
    for words in ["<b>base</b>", "<b>joint</b>", "<b>TIES merge</b>", "joint: 0+2=2", "accuracy 1"]
    {
        assert!(item.contains(words), "{words}");
    }
    assert!(!item.contains("code alone"), "another task's single policy");
}

#[test]
fn hostile_names_stay_text() {
    let names =
        ["<script>alert(1)</script>", "\"><img src=x>", "a,b\n=1+1", "ünïcödé 任务 \u{202e}x"];
    let mut study = common::study(&names, &[0, 1]);
    study.name = "</title><script>".into();
    for method in &mut study.methods {
        method.label = format!("<iframe>{}", method.label);
        for run in &mut method.runs {
            run.runs.clear();
            run.outputs = run.outputs.take().filter(|_| method.kind == MethodKind::Base);
        }
    }
    let report = Report::of(&study);
    for tag in ["<script", "<img", "<iframe", "\u{202e}"] {
        assert!(!report.page.contains(tag), "{tag}");
    }
    for word in ["http://", "https://", "src=\"", "<link", "url("] {
        assert!(!report.page.contains(word), "{word}");
    }
    let csv = std::fs::read_to_string(report.folder.path().join("tables/self.csv")).unwrap();
    assert!(csv.contains("\"a,b\n=1+1\","), "{csv}");
}

#[test]
fn nothing_outside_of_the_study_is_read() {
    let mut study = common::study(&["math", "code"], &[0]);
    let outside = tempfile::tempdir().unwrap();
    common::write(&study, outside.path());
    for method in &mut study.methods {
        for run in &mut method.runs {
            let away = |path: &Path| outside.path().join(path);
            run.runs = run.runs.iter().map(|path| away(path)).collect();
            run.outputs = run.outputs.as_deref().map(away);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let record = serde_json::to_vec(&study).unwrap();
    std::fs::write(folder.path().join("study.json"), record).unwrap();
    let page = std::fs::read_to_string(omni_report::write(folder.path()).unwrap()).unwrap();
    assert!(!page.contains("Sample outputs") && !page.contains("0+2=2"));
    assert!(page.contains("not a folder of this study"));
}

#[test]
fn the_same_record_gives_the_same_bytes_for_few_tasks_and_for_many() {
    let nine = ["a1", "b", "c", "d", "e", "f", "g", "a-very-long-name-of-a-task-indeed", "i"];
    for (tasks, seeds) in
        [(&nine[..2], &[0][..]), (&nine[..3], &[0, 1][..]), (&nine[..], &[0, 1, 2])]
    {
        let study = common::study(tasks, seeds);
        let (one, two) = (Report::of(&study), Report::of(&study));
        assert_eq!((&one.page, &one.json), (&two.page, &two.json));
        assert!(!one.page.contains("NaN") && !one.page.contains("inf"), "{tasks:?}");
    }
}

#[test]
fn a_record_that_cannot_be_read_says_where_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let message = |text: &str| {
        std::fs::write(folder.path().join("study.json"), text).unwrap();
        omni_report::write(folder.path()).unwrap_err().to_string()
    };
    assert!(message("{").contains("study.json: not a study's record"));
    let newer = message("{\"version\": 99}");
    assert!(newer.contains("version 99") && newer.contains("newer omni-host"), "{newer}");
    let wrong = message("{\"version\": 1, \"name\": 3}");
    assert!(wrong.contains("line 1 column"), "{wrong}");
}

#[test]
fn out_leaves_the_records_alone() {
    let (study, out) = (common::study(&["math", "code"], &[0]), tempfile::tempdir().unwrap());
    let folder = tempfile::tempdir().unwrap();
    common::write(&study, folder.path());
    let page = omni_report::write_to(folder.path(), &out.path().join("deep/er")).unwrap();
    assert_eq!(page, out.path().join("deep/er/report.html"));
    assert!(!folder.path().join("report.html").exists() && !folder.path().join("tables").exists());
    let picture = omni_report::picture(folder.path()).unwrap();
    assert!(picture.starts_with("<svg xmlns") && picture.contains("predicted mean log gain"));
}
