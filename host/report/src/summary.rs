//! The table before and after training, from evaluation events alone.
//!
//! The terminal and the page show the same rows. The first and the last evaluation of the purpose
//! `test` are compared; a run without those is compared by `validation`, and the table says so.

use omni_record::{Estimate, EvalEvent, Event, TaskEval};

/// What a run's evaluations say of its beginning and its end.
#[derive(Clone, Debug)]
pub struct Summary {
    /// `test` or `validation`.
    pub purpose: String,
    /// The step of the first evaluation.
    pub first_step: u64,
    /// The step of the last one; equal to the first where there was only one.
    pub last_step: u64,
    /// Temperature of the sampled outputs.
    pub temperature: Option<f64>,
    /// One row a task, in the run's order.
    pub rows: Vec<Row>,
    /// The averages of domains, where the run has any.
    pub domains: Vec<Row>,
}

/// One task before and after.
#[derive(Clone, Debug)]
pub struct Row {
    /// The task.
    pub task: String,
    /// What is measured.
    pub metric: String,
    /// Items evaluated.
    pub items: u32,
    /// Mean over sampled outputs.
    pub sampled: Change,
    /// Mean over greedy outputs.
    pub greedy: Change,
    /// The largest k of pass@k, with its values.
    pub pass: Option<(u32, Option<f64>, Option<f64>)>,
}

/// A value before and after.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    /// Before the first step.
    pub before: Option<Estimate>,
    /// After the last.
    pub after: Option<Estimate>,
}

impl Change {
    /// After minus before, where both were measured.
    #[must_use]
    pub fn difference(&self) -> Option<f64> {
        Some(self.after?.mean - self.before?.mean)
    }
}

impl Summary {
    /// Reads the summary off a run's events; none where nothing was evaluated.
    #[must_use]
    pub fn of(events: &[Event]) -> Option<Self> {
        let order = events.iter().find_map(|event| match event {
            Event::Start(start) => Some(start.tasks.clone()),
            _ => None,
        });
        let purpose = ["test", "validation"]
            .into_iter()
            .find(|purpose| evaluations(events, purpose).next().is_some())?;
        let first = evaluations(events, purpose).next()?;
        let last = evaluations(events, purpose).last()?;
        let mut names = order.unwrap_or_default();
        for name in first.tasks.keys() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let single = first.step == last.step;
        let rows = names
            .into_iter()
            .filter_map(|name| {
                let before = first.tasks.get(&name);
                let after = if single { None } else { last.tasks.get(&name) };
                row(name, before, after)
            })
            .collect();
        Some(Self {
            purpose: purpose.to_owned(),
            first_step: first.step,
            last_step: last.step,
            temperature: last.temperature,
            rows,
            domains: last
                .domains
                .iter()
                .filter(|(_, domain)| domain.benchmarks.len() > 1)
                .map(|(name, _)| average(name, first, (!single).then_some(last)))
                .collect(),
        })
    }

    /// The mean over tasks of sampled (or greedy) values: before, after.
    #[must_use]
    pub fn average(&self, greedy: bool) -> (Option<f64>, Option<f64>) {
        let mean = |pick: fn(&Change) -> Option<Estimate>| {
            let values: Option<Vec<f64>> = self
                .rows
                .iter()
                .map(|row| pick(if greedy { &row.greedy } else { &row.sampled }).map(|e| e.mean))
                .collect();
            let values = values.filter(|values| !values.is_empty())?;
            Some(values.iter().sum::<f64>() / values.len() as f64)
        };
        (mean(|change| change.before), mean(|change| change.after))
    }

    /// Column heads for [`Summary::cells`].
    #[must_use]
    pub fn head(&self) -> Vec<String> {
        let sampled = match self.temperature {
            Some(temperature) => format!("T = {temperature}"),
            None => "sampled".to_owned(),
        };
        let k = self.rows.iter().find_map(|row| row.pass.map(|(k, _, _)| k));
        let mut head = vec!["task".to_owned(), "metric".into(), "items".into()];
        head.extend([format!("{sampled} before"), "after".into(), "change".into()]);
        head.extend(["greedy before".to_owned(), "after".into(), "change".into()]);
        if let Some(k) = k {
            head.extend([format!("pass@{k} before"), "after".into()]);
        }
        head
    }

    /// The table's rows as text, percentages with standard errors, and an average last.
    #[must_use]
    pub fn cells(&self) -> Vec<Vec<String>> {
        let with_pass = self.rows.iter().any(|row| row.pass.is_some());
        let mut cells: Vec<Vec<String>> = self
            .rows
            .iter()
            .chain(&self.domains)
            .map(|row| {
                let mut cells = vec![row.task.clone(), row.metric.clone(), row.items.to_string()];
                for change in [&row.sampled, &row.greedy] {
                    cells.push(estimate(change.before));
                    cells.push(estimate(change.after));
                    cells.push(signed(change.difference()));
                }
                if with_pass {
                    let (before, after) = row.pass.map_or((None, None), |(_, b, a)| (b, a));
                    cells.push(percent(before));
                    cells.push(percent(after));
                }
                cells
            })
            .collect();
        if self.rows.len() > 1 {
            let mut average = vec!["average".to_owned(), String::new(), String::new()];
            for greedy in [false, true] {
                let (before, after) = self.average(greedy);
                let difference = before.zip(after).map(|(before, after)| after - before);
                average.extend([percent(before), percent(after), signed(difference)]);
            }
            if with_pass {
                average.extend([String::new(), String::new()]);
            }
            cells.push(average);
        }
        cells
    }

    /// True where there is nothing to compare with.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.first_step == self.last_step
    }

    /// One sentence that says what is compared.
    #[must_use]
    pub fn caption(&self) -> String {
        if self.is_single() {
            return format!("{} split, at step {}", self.purpose, self.first_step);
        }
        format!(
            "{} split, before (step {}) and after (step {}); percent ± standard error over items",
            self.purpose, self.first_step, self.last_step
        )
    }
}

fn evaluations<'a>(events: &'a [Event], purpose: &'a str) -> impl Iterator<Item = &'a EvalEvent> {
    events.iter().filter_map(move |event| match event {
        Event::Eval(eval) if eval.purpose == purpose => Some(eval),
        _ => None,
    })
}

fn row(task: String, before: Option<&TaskEval>, after: Option<&TaskEval>) -> Option<Row> {
    let any = after.or(before)?;
    let k = any.pass_at_k.keys().copied().max().filter(|k| *k > 1);
    let pass_at =
        |eval: Option<&TaskEval>, k: u32| eval.and_then(|eval| eval.pass_at_k.get(&k).copied());
    Some(Row {
        task,
        metric: any.metric.clone(),
        items: any.items,
        sampled: Change {
            before: before.and_then(|eval| eval.sampled),
            after: after.and_then(|eval| eval.sampled),
        },
        greedy: Change {
            before: before.and_then(|eval| eval.greedy),
            after: after.and_then(|eval| eval.greedy),
        },
        pass: k.map(|k| (k, pass_at(before, k), pass_at(after, k))),
    })
}

/// A domain's averages. Before, if there is no after.
fn average(name: &str, before: &EvalEvent, after: Option<&EvalEvent>) -> Row {
    let of = |eval: &EvalEvent| eval.domains.get(name).cloned().unwrap_or_default();
    let (before, after) = (of(before), after.map(of).unwrap_or_default());
    let any = [after.sampled, after.greedy, before.sampled, before.greedy];
    Row {
        task: format!("{name} (average)"),
        metric: String::new(),
        items: any.into_iter().flatten().next().map_or(0, |e| e.items),
        sampled: Change { before: before.sampled, after: after.sampled },
        greedy: Change { before: before.greedy, after: after.greedy },
        pass: None,
    }
}

fn estimate(value: Option<Estimate>) -> String {
    value.map_or("–".to_owned(), |value| {
        format!("{:.1} ± {:.1}", 100.0 * value.mean, 100.0 * value.standard_error)
    })
}

fn percent(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{:.1}", 100.0 * value))
}

fn signed(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{:+.1}", 100.0 * value))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use omni_record::{DomainEval, StartEvent};

    use super::*;

    fn eval(step: u64, means: [f64; 2]) -> Event {
        let tasks: BTreeMap<String, TaskEval> = ["math", "code"]
            .iter()
            .zip(means)
            .map(|(name, mean)| {
                let sampled = Some(Estimate {
                    mean,
                    standard_error: 0.01,
                    items: 100,
                    ..Estimate::default()
                });
                let eval = TaskEval {
                    metric: "accuracy".into(),
                    items: 100,
                    sampled,
                    ..TaskEval::default()
                };
                ((*name).to_owned(), eval)
            })
            .collect();
        Event::Eval(EvalEvent {
            step,
            time: 0.0,
            purpose: "test".into(),
            temperature: Some(1.0),
            tasks,
            seconds: 1.0,
            ..EvalEvent::default()
        })
    }

    fn start() -> Event {
        Event::Start(StartEvent {
            version: 1,
            time: 0.0,
            tasks: vec!["math".into(), "code".into()],
            seed: 0,
            parameters: 1,
        })
    }

    #[test]
    fn first_and_last_are_compared_in_the_runs_order() {
        let events = [start(), eval(0, [0.2, 0.4]), eval(5, [0.9, 0.9]), eval(9, [0.5, 0.4])];
        let summary = Summary::of(&events).unwrap();
        let cells = summary.cells();
        assert_eq!(cells[0][0], "math");
        assert_eq!(cells[0][3..6], ["20.0 ± 1.0", "50.0 ± 1.0", "+30.0"]);
        assert_eq!(cells[2][3..6], ["30.0", "45.0", "+15.0"]);
        assert_eq!(cells[2].len(), summary.head().len());
    }

    #[test]
    fn domains_have_rows_of_their_own_that_the_average_leaves_out() {
        let mut events = [start(), eval(0, [0.2, 0.4]), eval(9, [0.5, 0.4])];
        for (event, mean) in events.iter_mut().skip(1).zip([0.3, 0.6]) {
            let Event::Eval(eval) = event else { unreachable!() };
            let sampled = Some(Estimate { mean, ..Estimate::default() });
            let benchmarks = vec!["amc".into(), "aime".into()];
            let domain = DomainEval { benchmarks, sampled, greedy: None };
            eval.domains.insert("math".into(), domain);
        }
        let cells = Summary::of(&events).unwrap().cells();
        let names: Vec<&str> = cells.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names, ["math", "code", "math (average)", "average"]);
        assert_eq!((cells[2][5].as_str(), cells[3][5].as_str()), ("+30.0", "+15.0"));
    }

    #[test]
    fn one_evaluation_has_no_change() {
        let summary = Summary::of(&[start(), eval(0, [0.2, 0.4])]).unwrap();
        assert_eq!(summary.cells()[0][3..6], ["20.0 ± 1.0", "–", "–"]);
        assert!(Summary::of(&[start()]).is_none());
    }
}
