//! One evaluation as tables: results by domain and benchmark, win rates, categories, outputs.
//!
//! The terminal and the page show the same rows. Nothing is wider than 100 columns as long as
//! names are short.

use std::collections::BTreeMap;

use omni_record::{Estimate, EvalEvent, PartEval, ReasonKind, TaskEval};

/// A table of text.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalTable {
    /// What it shows.
    pub title: String,
    /// Column heads.
    pub head: Vec<String>,
    /// Its rows, as wide as the head.
    pub rows: Vec<Vec<String>>,
    /// What a reader must know of it.
    pub note: String,
}

/// The tables of an evaluation; `order` is that of its tasks.
#[must_use]
pub fn eval_tables(event: &EvalEvent, order: &[String]) -> Vec<EvalTable> {
    let tasks = ordered(event, order);
    let mut tables = vec![results(event, &tasks)];
    tables.extend(win_rates(&tasks));
    tables.extend(tasks.iter().filter_map(|(name, task)| categories(name, task)));
    tables.push(outputs(&tasks));
    tables
}

type Tasks<'a> = Vec<(&'a str, &'a TaskEval)>;

/// Tasks in their order, those of a domain together.
fn ordered<'a>(event: &'a EvalEvent, order: &[String]) -> Tasks<'a> {
    let place = |name: &str| order.iter().position(|o| o == name).unwrap_or(usize::MAX);
    let mut tasks: Tasks<'a> = event.tasks.iter().map(|(n, t)| (n.as_str(), t)).collect();
    tasks.sort_by_key(|(name, _)| place(name));
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, (_, task)) in tasks.iter().enumerate() {
        if let Some(domain) = &task.domain {
            first.entry(domain).or_insert(index);
        }
    }
    let mut keyed: Vec<(usize, usize)> = tasks
        .iter()
        .enumerate()
        .map(|(i, (_, t))| (t.domain.as_deref().map_or(i, |d| first[d]), i))
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, i)| tasks[i]).collect()
}

fn results(event: &EvalEvent, tasks: &Tasks<'_>) -> EvalTable {
    let sampled = match event.temperature {
        Some(temperature) => format!("T = {temperature} %"),
        None => "sampled %".to_owned(),
    };
    let largest = |t: &TaskEval| t.pass_at_k.keys().copied().max().filter(|k| *k > 1);
    let k = tasks.iter().filter_map(|(_, t)| largest(t)).max();
    let with_first = tasks.iter().any(|(_, t)| t.pass_at_1.is_some());
    let mut head = strings(&["task", "items", &sampled, "greedy %"]);
    head.extend(with_first.then(|| "pass@1".to_owned()));
    head.extend(k.map(|k| format!("pass@{k}")));
    let lost = tasks.iter().any(|(_, t)| !t.lost.is_none());
    head.extend(lost.then(|| "faults %".to_owned()));
    let width = head.len();
    let row = |name: &str, items: u32, sampled, greedy| {
        let mut row = vec![name.to_owned(), items.to_string()];
        row.extend([interval(sampled), interval(greedy)]);
        row.resize(width, String::new());
        row
    };
    let mut rows = Vec::new();
    for (index, (name, task)) in tasks.iter().enumerate() {
        let mut own = row(name, task.items, task.sampled, task.greedy);
        let passes = [with_first.then_some(1), k];
        for (cell, k) in own.iter_mut().skip(4).zip(passes.into_iter().flatten()) {
            *cell = percent(task.pass_at_k.get(&k).copied());
        }
        if let Some(cell) = own.last_mut().filter(|_| lost) {
            *cell = percent(Some(task.lost.fraction()));
        }
        rows.push(own);
        for (part, of) in [&task.benchmarks, &task.references].into_iter().flatten() {
            rows.push(row(&format!("{name}/{part}"), of.items, of.sampled, of.greedy));
        }
        let next = tasks.get(index + 1).and_then(|(_, t)| t.domain.as_ref());
        if let Some(domain) = task.domain.as_ref().filter(|d| next != Some(d))
            && let Some(average) = event.domains.get(domain).filter(|d| d.benchmarks.len() > 1)
        {
            let items = average.sampled.or(average.greedy).map_or(0, |e| e.items);
            rows.push(row(&format!("{domain} average"), items, average.sampled, average.greedy));
        }
    }
    let mut metrics: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, task) in tasks {
        metrics.entry(&task.metric).or_default().push(name);
    }
    let metrics: Vec<String> = match metrics.len() {
        1 => metrics.into_keys().map(str::to_owned).collect(),
        _ => metrics.iter().map(|(m, names)| format!("{m} ({})", names.join(", "))).collect(),
    };
    let mut note = format!("{} split; mean {}", event.purpose, metrics.join(", "));
    match event.bootstrap {
        Some(b) => note.push_str(&format!(
            "; in brackets {} % intervals, {} bootstrap draws over items (seed {})",
            100.0 * b.level,
            b.resamples,
            b.seed
        )),
        None => note.push_str("; ± standard errors over items"),
    }
    if lost {
        note.push_str(
            "; faults: outputs that something failed to score, of those that were to be scored; \
             they are in no mean",
        );
    }
    EvalTable { title: "Results".into(), head, rows, note }
}

fn win_rates(tasks: &Tasks<'_>) -> Option<EvalTable> {
    let mut rows = Vec::new();
    let row = |name: String, part: &PartEval| {
        let verdicts = part.verdicts.unwrap_or_default();
        vec![
            name,
            interval(part.sampled.or(part.greedy)),
            verdicts.wins.to_string(),
            verdicts.ties.to_string(),
            verdicts.losses.to_string(),
            part.rouge_l.map_or("–".to_owned(), |r| format!("{:.4}", r.mean)),
        ]
    };
    for (name, task) in tasks.iter().filter(|(_, task)| task.verdicts.is_some()) {
        let all = PartEval {
            items: task.items,
            unsupported: task.unsupported,
            sampled: task.sampled,
            greedy: task.greedy,
            verdicts: task.verdicts,
            rouge_l: task.rouge_l,
        };
        rows.push(row((*name).to_owned(), &all));
        rows.extend(task.references.iter().map(|(set, part)| row(format!("{name}/{set}"), part)));
        rows.extend(task.turns.iter().map(|(n, part)| row(format!("{name}, turn {n}"), part)));
    }
    (!rows.is_empty()).then(|| EvalTable {
        title: "Win rates".into(),
        head: strings(&["task", "win rate %", "wins", "ties", "losses", "ROUGE-L"]),
        rows,
        note: "a win counts 1, a tie 0.5; judgements without a verdict are left out; ROUGE-L is \
               the mean F measure of outputs with their references (less is more diverse)"
            .into(),
    })
}

fn categories(name: &str, task: &TaskEval) -> Option<EvalTable> {
    if task.categories.is_empty() {
        return None;
    }
    let row = |name: &str, items: u32, unsupported: Option<u32>, sampled, greedy| {
        let unsupported = unsupported.map_or(String::new(), |n| n.to_string());
        vec![name.to_owned(), items.to_string(), interval(sampled), interval(greedy), unsupported]
    };
    let mut rows: Vec<Vec<String>> = task
        .categories
        .iter()
        .map(|(c, part)| row(c, part.items, Some(part.unsupported), part.sampled, part.greedy))
        .collect();
    if let Some(average) = task.category_average {
        let items = average.sampled.or(average.greedy).map_or(0, |e| e.items);
        rows.push(row("average of categories", items, None, average.sampled, average.greedy));
    }
    rows.push(row("all items", task.items, Some(task.unsupported), task.sampled, task.greedy));
    Some(EvalTable {
        title: format!("{name} by category ({})", task.metric),
        head: strings(&["category", "items", "sampled %", "greedy %", "unsupported"]),
        rows,
        note: String::new(),
    })
}

fn outputs(tasks: &Tasks<'_>) -> EvalTable {
    let long = tasks.iter().any(|(_, t)| t.long_prompts + t.long_turns > 0);
    let mut head = strings(&["task", "tokens", "cut %", "entropy", "unsupported"]);
    head.extend(strings(&["unscored", "undefined"]));
    head.extend(long.then(|| "too long".to_owned()));
    let rows = tasks
        .iter()
        .map(|(name, task)| {
            let mut row = vec![
                (*name).to_owned(),
                format!("{:.1}", task.completion_length),
                percent(Some(task.truncated_fraction)),
                task.entropy.map_or("–".to_owned(), |entropy| format!("{entropy:.2}")),
                task.unsupported.to_string(),
                task.unscored.to_string(),
                task.faults().to_string(),
            ];
            row.extend(long.then(|| (task.long_prompts + task.long_turns).to_string()));
            row
        })
        .collect();
    let mut note = "unsupported: items that need what the sandbox lacks; unscored: items without \
                    a score for another reason; both are in no mean. undefined: components that \
                    were somebody's fault"
        .to_owned();
    let unsupported = ReasonKind::Unsupported.as_str();
    let kinds: Vec<String> = tasks
        .iter()
        .flat_map(|(name, task)| task.undefined.iter().map(move |(kind, n)| (name, kind, n)))
        .filter(|(_, kind, _)| *kind != unsupported)
        .map(|(name, kind, n)| format!("{name} {kind} {n}"))
        .collect();
    if !kinds.is_empty() {
        note.push_str(&format!(" ({})", kinds.join(", ")));
    }
    EvalTable { title: "Outputs".into(), head, rows, note }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

fn interval(value: Option<Estimate>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    let percent = |x: f64| 100.0 * x;
    match (value.low, value.high) {
        (Some(low), Some(high)) => {
            format!("{:.1} [{:.1}, {:.1}]", percent(value.mean), percent(low), percent(high))
        }
        _ => format!("{:.1} ± {:.1}", percent(value.mean), percent(value.standard_error)),
    }
}

fn percent(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{:.1}", 100.0 * value))
}

#[cfg(test)]
mod tests {
    use omni_record::{Average, Bootstrap, DomainEval, Lost, Verdicts};

    use super::*;

    fn estimate(mean: f64, low: f64, high: f64) -> Option<Estimate> {
        Some(Estimate { mean, standard_error: 0.01, items: 40, low: Some(low), high: Some(high) })
    }

    fn event() -> EvalEvent {
        let math = |mean: f64| TaskEval {
            metric: "accuracy".into(),
            domain: Some("math".into()),
            items: 40,
            sampled: estimate(mean, mean - 0.1, mean + 0.1),
            greedy: estimate(1.0, 1.0, 1.0),
            pass_at_k: BTreeMap::from([(1, mean), (8, 0.9)]),
            pass_at_1: estimate(mean, mean - 0.1, mean + 0.1),
            ..TaskEval::default()
        };
        let code = TaskEval {
            metric: "accuracy".into(),
            items: 30,
            unsupported: 7,
            unscored: 1,
            greedy: Some(Estimate {
                mean: 0.25,
                standard_error: 0.08,
                items: 22,
                ..Estimate::default()
            }),
            undefined: BTreeMap::from([("unsupported".into(), 7), ("fuel".into(), 1)]),
            lost: Lost { outputs: 1, of: 23, kinds: BTreeMap::from([("fuel".into(), 1)]) },
            ..TaskEval::default()
        };
        let physics =
            PartEval { items: 12, sampled: estimate(0.5, 0.3, 0.7), ..PartEval::default() };
        let qa = TaskEval {
            metric: "accuracy".into(),
            items: 12,
            sampled: estimate(0.5, 0.3, 0.7),
            categories: BTreeMap::from([("physics".into(), physics)]),
            category_average: Some(Average { sampled: estimate(0.5, 0.3, 0.7), greedy: None }),
            ..TaskEval::default()
        };
        let verdicts = Some(Verdicts { wins: 9, ties: 4, losses: 3 });
        let set = PartEval {
            items: 8,
            sampled: estimate(0.6875, 0.5, 0.8),
            verdicts,
            ..PartEval::default()
        };
        let writing = TaskEval {
            metric: "preference".into(),
            items: 8,
            sampled: estimate(0.6875, 0.5, 0.8),
            verdicts,
            rouge_l: estimate(0.1864, 0.1, 0.2),
            references: BTreeMap::from([("gpt-4".into(), set.clone())]),
            turns: BTreeMap::from([(1, set.clone()), (2, set)]),
            ..TaskEval::default()
        };
        EvalEvent {
            purpose: "test".into(),
            temperature: Some(1.0),
            tasks: [
                ("aime", math(0.2)),
                ("amc", math(0.6)),
                ("code", code),
                ("qa", qa),
                ("writing", writing),
            ]
            .map(|(n, t)| (n.to_owned(), t))
            .into(),
            domains: BTreeMap::from([(
                "math".into(),
                DomainEval {
                    benchmarks: vec!["amc".into(), "aime".into()],
                    sampled: estimate(0.4, 0.3, 0.5),
                    greedy: estimate(1.0, 1.0, 1.0),
                },
            )]),
            bootstrap: Some(Bootstrap { resamples: 1000, level: 0.95, seed: 3 }),
            ..EvalEvent::default()
        }
    }

    fn order() -> Vec<String> {
        strings(&["amc", "code", "aime", "qa", "writing"])
    }

    #[test]
    fn a_domains_benchmarks_stand_together_above_their_average() {
        let tables = eval_tables(&event(), &order());
        let names: Vec<&str> = tables[0].rows.iter().map(|row| row[0].as_str()).collect();
        let expected = ["amc", "aime", "math average", "code", "qa", "writing", "writing/gpt-4"];
        assert_eq!(names, expected);
        assert_eq!(tables[0].rows[2][2], "40.0 [30.0, 50.0]");
        assert_eq!(tables[0].rows[0][4..], ["60.0", "90.0", "0.0"]);
        assert_eq!(tables[0].rows[3][3], "25.0 ± 8.0");
        assert_eq!(tables[0].head.last().unwrap(), "faults %");
        assert_eq!(tables[0].rows[3].last().unwrap(), "4.3");
        assert!(
            tables[0].note.contains("95 % intervals, 1000 bootstrap draws over items (seed 3)")
        );
    }

    #[test]
    fn win_rates_categories_and_what_is_unsupported_have_tables() {
        let tables = eval_tables(&event(), &order());
        let titles: Vec<&str> = tables.iter().map(|t| t.title.as_str()).collect();
        assert_eq!(titles, ["Results", "Win rates", "qa by category (accuracy)", "Outputs"]);
        assert_eq!(tables[1].rows[0], ["writing", "68.8 [50.0, 80.0]", "9", "4", "3", "0.1864"]);
        let of = |row: &[String]| row[0].clone();
        let names: Vec<String> = tables[1].rows.iter().map(|r| of(r)).collect();
        assert_eq!(names, ["writing", "writing/gpt-4", "writing, turn 1", "writing, turn 2"]);
        let names: Vec<String> = tables[2].rows.iter().map(|r| of(r)).collect();
        assert_eq!(names, ["physics", "average of categories", "all items"]);
        let code = tables[3].rows.iter().find(|r| r[0] == "code").unwrap();
        assert_eq!(code[4..], ["7", "1", "1"], "an unsupported component is nobody's fault");
        assert!(tables[3].note.ends_with("fault (code fuel 1)"), "{}", tables[3].note);
    }

    #[test]
    fn every_row_is_as_wide_as_its_head_and_fits_the_terminal() {
        for table in eval_tables(&event(), &order()) {
            let columns = table.head.len();
            assert!(table.rows.iter().all(|row| row.len() == columns), "{}", table.title);
            let widest = |i: usize| {
                table.rows.iter().chain([&table.head]).map(|r| r[i].chars().count()).max().unwrap()
            };
            let width: usize = (0..columns).map(|i| widest(i) + 3).sum::<usize>() + 1;
            assert!(width <= 100, "{}: {width}", table.title);
        }
    }

    #[test]
    fn an_evaluation_of_an_older_version_has_tables_too() {
        let old = r#"{"step":0,"time":0.0,"purpose":"test","temperature":null,"seconds":1.0,"tasks":
            {"math":{"split":"test","items":2,"long_prompts":0,"metric":"accuracy","sampled":null,
            "greedy":{"mean":0.5,"standard_error":0.5,"items":2},"pass_at_k":{},"entropy":null,
            "components":{},"completion_length":1.0,"truncated_fraction":0.0,"undefined":{}}}}"#;
        let event: EvalEvent = serde_json::from_str(old).unwrap();
        let tables = eval_tables(&event, &[]);
        assert_eq!(tables[0].rows[0][3], "50.0 ± 50.0");
        assert!(tables[0].note.contains("standard errors"));
        assert_eq!(tables[0].head.last().unwrap(), "greedy %", "no column of faults");
    }
}
