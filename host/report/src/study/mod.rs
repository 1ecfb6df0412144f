//! A study's page: findings, the accuracy of every method, orders as predicted and as measured,
//! both matrices, training, cost, outputs.

mod accuracy;
mod cost;
mod findings;
mod matrices;
mod method;
mod names;
mod numbers;
mod orders;
mod samples;
mod training;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use omni_record::{STUDY_VERSION, Study};

use self::names::{Letters, count};
use self::numbers::Numbers;
use self::training::Training;
use crate::ReportError;
use crate::html::{escape, page};
use crate::output::Document;
use crate::table::{Table, duration};

/// The record that a study's report is made from.
pub const RECORD: &str = "study.json";

/// Writes the report of a study's folder beside its record, and says where the page is.
///
/// # Errors
/// When the record cannot be read, is of a newer version, or something cannot be written.
pub fn write(folder: &Path) -> Result<PathBuf, ReportError> {
    document(folder)?.write(folder)
}

/// The report of a study's folder.
pub(crate) fn document(folder: &Path) -> Result<Document, ReportError> {
    let study = read(&folder.join(RECORD))?;
    Ok(report(&study, folder))
}

/// The picture of a study: its orders as predicted and as measured.
pub(crate) fn picture(folder: &Path) -> Result<String, ReportError> {
    let path = folder.join(RECORD);
    let study = read(&path)?;
    let chart = orders::gain_chart(&Numbers::of(&study), &Letters::of(&study));
    chart.standalone().ok_or_else(|| ReportError::Study {
        path,
        problem: "no order has been trained yet, so there is nothing to draw".into(),
    })
}

/// The report of a record; run folders are looked for in the study's.
fn report(study: &Study, folder: &Path) -> Document {
    let numbers = Numbers::of(study);
    let letters = Letters::of(study);
    let name = match study.name.as_str() {
        "" => crate::name_of(folder).unwrap_or_else(|| "study".to_owned()),
        name => name.to_owned(),
    };
    let missing = findings::missing(&numbers);
    let findings = findings::findings(&numbers, &letters);
    let mut body = Body { html: String::new(), tables: Vec::new() };
    body.head(&name, study);
    body.sentences(&missing, &findings);
    body.accuracy(&numbers, &letters);
    body.orders(&numbers, &letters);
    body.matrices(&numbers);
    let training = Training::read(&numbers, &letters, folder);
    body.training(&training);
    body.cost(&numbers, &letters);
    let outputs = samples::html(&numbers, &letters, folder);
    if !outputs.is_empty() {
        body.section("Sample outputs", "The same items of the test split, as each method answers them: its first output, with the components of its reward.");
        body.html.push_str(&outputs);
    }
    body.section("How it was measured", "");
    body.html.push_str(&method::html(&numbers));
    body.tables.push(accuracy::measurements(&numbers));
    body.tables.retain(|table| !table.rows.is_empty());
    Document {
        kind: "study",
        page: page(&format!("{name} – omni-host"), &body.html),
        name,
        findings: missing.into_iter().chain(findings).collect(),
        tables: body.tables,
    }
}

/// The page being put together, and the tables that were put on it or go beside it.
struct Body {
    html: String,
    tables: Vec<Table>,
}

impl Body {
    fn head(&mut self, name: &str, study: &Study) {
        let progress = &study.progress;
        let seeds: Vec<String> = study.seeds.iter().map(u64::to_string).collect();
        let mut facts = vec![
            count(study.tasks.len(), "task"),
            count(study.methods.len(), "policy").replace("policys", "policies"),
            format!("{} {}", if seeds.len() == 1 { "seed" } else { "seeds" }, seeds.join(", ")),
            format!("{} of {} steps done", progress.done, progress.total),
        ];
        if progress.seconds > 0.0 {
            facts.push(format!("{} of processor time", duration(progress.seconds)));
        }
        let _ = write!(
            self.html,
            "<h1>{}</h1><p class=\"facts\">{}</p>",
            escape(name),
            escape(&facts.join(" · "))
        );
    }

    fn section(&mut self, title: &str, note: &str) {
        let _ = write!(self.html, "<h2>{}</h2>", escape(title));
        self.note(note);
    }

    fn note(&mut self, note: &str) {
        if !note.is_empty() {
            let _ = write!(self.html, "<p class=\"note\">{}</p>", escape(note));
        }
    }

    fn sentences(&mut self, missing: &[String], findings: &[String]) {
        if !missing.is_empty() {
            self.html.push_str("<div class=\"warn\">");
            for sentence in missing {
                let _ = write!(self.html, "<p>{}</p>", escape(sentence));
            }
            self.html.push_str("</div>");
        }
        self.section("Findings", "");
        if findings.is_empty() {
            self.html
                .push_str("<p class=\"none\">Too little was measured yet to say anything.</p>");
            return;
        }
        self.html.push_str("<ul>");
        for sentence in findings {
            // A number stays with its unit and its error.
            let sentence = sentence.replace(" %", "\u{a0}%").replace(" ± ", "\u{a0}±\u{a0}");
            let _ = write!(self.html, "<li>{}</li>", escape(&sentence));
        }
        self.html.push_str("</ul>");
    }

    /// Puts a table on the page and keeps it for the files.
    fn table(&mut self, table: Table) {
        self.html.push_str(&table.html());
        self.tables.push(table);
    }

    fn charts(&mut self, class: &str, charts: impl IntoIterator<Item = String>) {
        let charts: String = charts.into_iter().collect();
        if !charts.is_empty() {
            let _ = write!(self.html, "<div class=\"{class}\">{charts}</div>");
        }
    }

    fn accuracy(&mut self, numbers: &Numbers<'_>, letters: &Letters) {
        self.section("Accuracy", "");
        self.table(accuracy::table(numbers));
        if numbers.study.methods.iter().any(|m| !m.runs.is_empty()) {
            self.charts("charts", accuracy::charts(numbers, letters).iter().map(|c| c.render()));
        }
    }

    fn orders(&mut self, numbers: &Numbers<'_>, letters: &Letters) {
        if numbers.study.orders.is_empty() {
            return;
        }
        let note =
            format!("Orders are written in letters, first trained first: {}.", letters.key());
        self.section("Orders, predicted and measured", &note);
        let trained = numbers.trained().count();
        let mut charts = Vec::new();
        if trained > 0 {
            charts.push(orders::gain_chart(numbers, letters).render());
            charts.extend(orders::rank_chart(numbers, letters).map(|chart| chart.render()));
        }
        let ranking = numbers.study.ranking.as_ref();
        charts.extend(ranking.map(|ranking| orders::correlation_chart(ranking).render()));
        self.charts("charts", charts);
        if let Some(ranking) = ranking {
            self.table(orders::correlations(ranking, numbers.study.tasks.len()));
        }
        self.table(orders::table(numbers, letters));
        if trained > 0 {
            self.table(orders::predictions(numbers, letters));
            let charts = orders::accuracy_charts(numbers, letters);
            self.charts("charts", charts.iter().map(|chart| chart.render()));
        }
    }

    fn matrices(&mut self, numbers: &Numbers<'_>) {
        let Some(shown) = matrices::shown(numbers.study) else { return };
        self.section("What training on one task does to the others", "");
        let mut maps = vec![matrices::transfer(numbers, shown).render()];
        maps.extend(matrices::entropy(numbers, shown).map(|map| map.render()));
        self.charts("charts wide", maps);
        self.table(matrices::own_table(numbers));
        let more: Vec<String> = numbers
            .study
            .evidence
            .iter()
            .filter(|evidence| !std::ptr::eq(*evidence, shown))
            .flat_map(|evidence| {
                let transfer = matrices::transfer(numbers, evidence).render();
                [Some(transfer), matrices::entropy(numbers, evidence).map(|map| map.render())]
            })
            .flatten()
            .collect();
        if !more.is_empty() {
            self.html.push_str("<details><summary>The same, seed by seed</summary>");
            self.charts("charts wide", more);
            self.html.push_str("</details>");
        }
        self.tables.push(matrices::table(numbers));
    }

    fn training(&mut self, training: &Training) {
        let charts = training.charts();
        if charts.is_empty() && training.unread.is_empty() {
            return;
        }
        self.section(
            "Training",
            "One seed of each method, its first. Steps are counted from the base on, through all \
             phases of a curriculum; dashed lines mark where the task changes. Pale lines are \
             single steps, heavy ones the mean of the last ten that held the task. Rewards and \
             entropies are of the outputs that were trained on.",
        );
        self.charts("charts", charts.iter().map(|chart| chart.render()));
        for problem in &training.unread {
            self.note(&format!("Not read: {problem}"));
        }
        self.tables.push(training.table());
    }

    fn cost(&mut self, numbers: &Numbers<'_>, letters: &Letters) {
        let table = cost::table(numbers);
        if !table.rows.is_empty() {
            self.section("Cost", "");
            self.table(table);
            self.charts("charts", [cost::chart(numbers, letters).render()]);
        }
        if let Some((table, charts)) = cost::diversity(numbers, letters) {
            self.section("Diversity of writing", "");
            self.table(table);
            self.charts("charts", charts.iter().map(|chart| chart.render()));
        }
    }
}

/// The record.
fn read(path: &Path) -> Result<Study, ReportError> {
    let failed = |problem: String| ReportError::Study { path: path.to_owned(), problem };
    let text = std::fs::read(path).map_err(|e| failed(format!("cannot be read: {e}")))?;
    let version = serde_json::from_slice::<Version>(&text)
        .map_err(|e| failed(format!("not a study's record: {e}")))?
        .version;
    if version > STUDY_VERSION {
        return Err(failed(format!(
            "a record of version {version}, but this program reads up to {STUDY_VERSION}; use a \
             newer omni-host"
        )));
    }
    serde_json::from_slice(&text).map_err(|e| failed(format!("not a study's record: {e}")))
}

/// What a record says of itself first.
#[derive(serde::Deserialize)]
struct Version {
    version: u32,
}
