//! The table that a finished study prints: tasks by methods.

use std::path::Path;

use omni_record::{Method, Study};

use crate::console;
use crate::fault::{Blame as _, Outcome};

/// Prints the record's methods and how well predictions ranked orders.
pub(crate) fn show(record: &Path) -> Outcome<()> {
    let text = std::fs::read_to_string(record).or_run_at(record.display())?;
    let study: Study = serde_json::from_str(&text).or_run_at(record.display())?;
    let mut head = vec!["trained"];
    head.extend(study.tasks.iter().map(String::as_str));
    head.push("gain %");
    let rows: Vec<Vec<String>> = study.methods.iter().map(|it| row(&study, it)).collect();
    console::result(console::table(&head, &rows))?;
    console::say(caption(&study));
    Ok(())
}

fn row(study: &Study, method: &Method) -> Vec<String> {
    let mut row = vec![console::printable(&method.label)];
    for task in &study.tasks {
        let of_seeds: Vec<f64> =
            method.runs.iter().filter_map(|run| Some(run.test.get(task)?.accuracy.mean)).collect();
        row.push(shown(&of_seeds, 3, 1.0));
    }
    let gains: Vec<f64> = method.runs.iter().filter_map(|run| Some(run.gain?.score)).collect();
    row.push(shown(&gains, 1, 100.0));
    row
}

/// The mean over seeds, with its standard error where there are several.
fn shown(values: &[f64], digits: usize, scale: f64) -> String {
    if values.is_empty() {
        return "–".into();
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    if values.len() == 1 {
        return format!("{:.digits$}", scale * mean);
    }
    let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (spread / (count - 1.0) / count).sqrt();
    format!("{:.digits$} ± {:.digits$}", scale * mean, scale * error)
}

fn caption(study: &Study) -> String {
    let measure = &study.measure;
    let mut text = format!(
        "test splits, {} outputs; gain: weighted mean log gain over the base",
        measure.outputs
    );
    if study.seeds.len() > 1 {
        text.push_str(&format!(
            "; ±: standard error over {} seeds where a method has several",
            study.seeds.len()
        ));
    }
    if let Some(ranking) = &study.ranking {
        let (rho, tau) = (ranking.spearman, ranking.kendall);
        text.push_str(&format!(
            "\n{} orders, predicted against measured ({}): Spearman {:.2} [{:.2}, {:.2}], Kendall \
             {:.2} [{:.2}, {:.2}]",
            ranking.orders, ranking.of, rho.value, rho.low, rho.high, tau.value, tau.low, tau.high
        ));
        if let Some(p_value) = rho.p_value {
            text.push_str(&format!("; p = {p_value:.2} when the prediction's tasks are exchanged"));
        }
        if let Some(ceiling) = &ranking.ceiling {
            let rho = ceiling.spearman;
            text.push_str(&format!(
                "; {} orders with seed {} against seed {}: Spearman {:.2} [{:.2}, {:.2}]",
                ceiling.orders, ceiling.seeds.0, ceiling.seeds.1, rho.value, rho.low, rho.high
            ));
        }
    }
    text
}
