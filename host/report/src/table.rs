//! Tables of numbers, which the page, the CSV files and the JSON file have in common.
//!
//! A cell holds the number as it was computed. The page rounds it; the files do not. Shares and
//! log gains are fractions in the files and hundredths on the page.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use crate::html::escape;

/// How a column's numbers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Words.
    Text,
    /// A whole number.
    Count,
    /// A fraction, in hundredths.
    Percent,
    /// A fraction, in hundredths with its sign.
    Signed,
    /// As it is, with so many digits.
    Plain(usize),
    /// Seconds, in a unit that suits.
    Seconds,
}

impl Form {
    /// A number of this form.
    pub(crate) fn number(self, value: f64) -> String {
        if !value.is_finite() {
            return "–".to_owned();
        }
        let text = match self {
            Self::Text | Self::Count => format!("{value:.0}"),
            Self::Percent => format!("{:.1}", 100.0 * value),
            Self::Signed => format!("{:+.1}", 100.0 * value),
            Self::Plain(digits) => format!("{value:.digits$}"),
            Self::Seconds => duration(value),
        };
        // A rounded nothing has no sign.
        let nothing = text.chars().all(|c| matches!(c, '-' | '+' | '0' | '.'));
        let text = if nothing { text.replace(['-', '+'], "") } else { text };
        text.replace('-', "−")
    }

    /// A number with its error.
    pub(crate) fn measured(self, value: f64, error: Option<f64>) -> String {
        let number = self.number(value);
        match error.filter(|e| e.is_finite() && value.is_finite()) {
            None => number,
            Some(error) => {
                let form = if self == Self::Signed { Self::Percent } else { self };
                format!("{number} ± {}", form.number(error))
            }
        }
    }

    /// What the files hold, where the page holds something else.
    fn unit(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Count => "count",
            Self::Percent | Self::Signed => "fraction",
            Self::Plain(_) => "number",
            Self::Seconds => "seconds",
        }
    }
}

/// Seconds in a unit that suits.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else if seconds < 7200.0 {
        format!("{:.1} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

/// One column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Its name in files.
    pub(crate) key: String,
    /// Its head on the page.
    pub(crate) head: String,
    /// How its numbers are shown.
    pub(crate) form: Form,
    /// Whether its numbers have standard errors, which files hold as `KEY_se`.
    pub(crate) errors: bool,
    /// Whether it is in the files alone.
    pub(crate) hidden: bool,
}

impl Column {
    /// A column of numbers or words.
    pub(crate) fn new(key: impl Into<String>, head: impl Into<String>, form: Form) -> Self {
        Self { key: key.into(), head: head.into(), form, errors: false, hidden: false }
    }

    /// Its numbers have standard errors.
    pub(crate) fn with_errors(mut self) -> Self {
        self.errors = true;
        self
    }

    /// It is in the files alone.
    pub(crate) fn in_files(mut self) -> Self {
        self.hidden = true;
        self
    }
}

/// What a cell holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Value {
    /// Nothing was measured.
    #[default]
    None,
    /// Words.
    Text(String),
    /// A number and its standard error.
    Number(f64, Option<f64>),
}

/// What is said of a cell beside its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    #[default]
    None,
    /// The best of its column.
    Best,
    /// It cannot be told from the best.
    Tie,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    pub(crate) value: Value,
    pub(crate) mark: Mark,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { value: Value::Text(text.into()), mark: Mark::None }
    }

    pub(crate) fn number(value: f64) -> Self {
        Self { value: Value::Number(value, None), mark: Mark::None }
    }

    pub(crate) fn count(value: impl Into<u64>) -> Self {
        Self::number(value.into() as f64)
    }

    /// A number that may be absent.
    pub(crate) fn maybe(value: Option<f64>) -> Self {
        value.map_or_else(Self::default, Self::number)
    }

    /// A number with its error.
    pub(crate) fn measured(value: f64, error: Option<f64>) -> Self {
        Self { value: Value::Number(value, error), mark: Mark::None }
    }

    /// What the page shows.
    pub(crate) fn shown(&self, form: Form) -> String {
        match &self.value {
            Value::None => "–".to_owned(),
            Value::Text(text) => text.clone(),
            Value::Number(value, error) => form.measured(*value, *error),
        }
    }
}

/// A table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// Its name in files.
    pub(crate) name: &'static str,
    /// Its heading.
    pub(crate) title: String,
    /// The sentences that say what it is.
    pub(crate) note: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Rows on the page, from the first; none for all.
    pub(crate) most: Option<usize>,
}

impl Table {
    /// The rows that the page shows.
    fn on_page(&self) -> &[Vec<Cell>] {
        let most = self.most.unwrap_or(self.rows.len());
        &self.rows[..most.min(self.rows.len())]
    }

    /// The table as HTML, with heading and note.
    pub(crate) fn html(&self) -> String {
        let mut out = String::new();
        if !self.title.is_empty() {
            let _ = write!(out, "<h3>{}</h3>", escape(&self.title));
        }
        if self.rows.is_empty() {
            out.push_str("<p class=\"none\">Nothing was measured yet.</p>");
            return out;
        }
        let _ = write!(out, "<div class=\"scroll\"><table id=\"{}\"><thead><tr>", self.name);
        let shown: Vec<(usize, &Column)> =
            self.columns.iter().enumerate().filter(|(_, c)| !c.hidden).collect();
        for (_, column) in &shown {
            let _ = write!(out, "<th{}>{}</th>", class(column), escape(&column.head));
        }
        out.push_str("</tr></thead><tbody>");
        for row in self.on_page() {
            out.push_str("<tr>");
            for (index, column) in &shown {
                let cell = row.get(*index).cloned().unwrap_or_default();
                let text = escape(&cell.shown(column.form));
                let text = match cell.mark {
                    Mark::None => text,
                    Mark::Best => format!("<b>{text}</b>"),
                    Mark::Tie => format!("{text} <i title=\"cannot be told from the best\">≈</i>"),
                };
                let _ = write!(out, "<td{}>{text}</td>", class(column));
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div>");
        let mut note = self.note.clone();
        let left = self.rows.len() - self.on_page().len();
        if left > 0 {
            let _ = write!(
                note,
                " The other {left} of {} rows are in tables/{}.csv.",
                self.rows.len(),
                self.name
            );
        }
        if !note.is_empty() {
            let _ = write!(out, "<p class=\"note\">{}</p>", escape(note.trim()));
        }
        out
    }

    /// The table as CSV (RFC 4180, with line feeds): a head, then a line for each row. What is
    /// absent is empty.
    pub(crate) fn csv(&self) -> String {
        let mut out = self.keys().iter().map(|key| quoted(key)).collect::<Vec<_>>().join(",");
        out.push('\n');
        for row in &self.rows {
            let mut fields = Vec::new();
            for (index, column) in self.columns.iter().enumerate() {
                let (value, error) = match row.get(index).map(|cell| &cell.value) {
                    None | Some(Value::None) => (String::new(), None),
                    Some(Value::Text(text)) => (quoted(text), None),
                    Some(Value::Number(value, error)) => (number(*value), *error),
                };
                fields.push(value);
                if column.errors {
                    fields.push(error.map_or(String::new(), number));
                }
            }
            out.push_str(&fields.join(","));
            out.push('\n');
        }
        out
    }

    /// Names of the files' columns.
    fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for column in &self.columns {
            keys.push(column.key.clone());
            if column.errors {
                keys.push(format!("{}_se", column.key));
            }
        }
        keys
    }

    /// The table as JSON: what its columns are, and an object for each row.
    pub(crate) fn json(&self) -> Json {
        let columns: Vec<Json> = self
            .columns
            .iter()
            .map(|c| json!({"key": c.key, "head": c.head, "unit": c.form.unit()}))
            .collect();
        let rows: Vec<Json> = self.rows.iter().map(|row| self.json_row(row)).collect();
        json!({"title": self.title, "note": self.note, "columns": columns, "rows": rows})
    }

    fn json_row(&self, row: &[Cell]) -> Json {
        let mut object = Map::new();
        for (column, cell) in self.columns.iter().zip(row) {
            let (value, error) = match &cell.value {
                Value::None => (Json::Null, None),
                Value::Text(text) => (Json::from(text.as_str()), None),
                // What is whole is written so, and what is not finite is null.
                Value::Number(value, _) if column.form == Form::Count && value.is_finite() => {
                    (Json::from(*value as i64), None)
                }
                Value::Number(value, error) => (Json::from(*value), *error),
            };
            object.insert(column.key.clone(), value);
            if column.errors {
                object.insert(format!("{}_se", column.key), Json::from(error));
            }
        }
        Json::Object(object)
    }
}

/// Words stand on the left.
fn class(column: &Column) -> &'static str {
    if column.form == Form::Text { " class=\"text\"" } else { "" }
}

/// A number that reads back as itself, as JSON has it; nothing where it is not finite.
fn number(value: f64) -> String {
    if !value.is_finite() {
        String::new()
    } else if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.0}")
    } else {
        Json::from(value).to_string()
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            name: "accuracy",
            title: "Accuracy".into(),
            note: "Test split.".into(),
            columns: vec![
                Column::new("method", "method", Form::Text),
                Column::new("math", "math", Form::Percent).with_errors(),
                Column::new("steps", "steps", Form::Count).in_files(),
            ],
            rows: vec![
                vec![
                    Cell::text("a, \"b\" <i>"),
                    Cell { mark: Mark::Best, ..Cell::measured(0.51234, Some(0.01)) },
                    Cell::count(7u32),
                ],
                vec![Cell::text("c"), Cell::number(f64::NAN), Cell::default()],
            ],
            most: None,
        }
    }

    #[test]
    fn page_and_files_hold_the_same_numbers() {
        let table = table();
        let html = table.html();
        assert!(html.contains("<td><b>51.2 ± 1.0</b></td>"), "{html}");
        assert!(html.contains("a, &quot;b&quot; &lt;i&gt;") && !html.contains("steps"));
        assert!(html.contains("<td>–</td>") && !html.contains("NaN"), "{html}");
        let csv = "method,math,math_se,steps\n\"a, \"\"b\"\" <i>\",0.51234,0.01,7\nc,,,\n";
        assert_eq!(table.csv(), csv);
        let json = table.json();
        assert_eq!(json["rows"][0]["math"], 0.51234);
        assert_eq!(json["rows"][0]["steps"], 7);
        assert_eq!(json["rows"][1]["math"], Json::Null);
        assert_eq!(json["columns"][1]["unit"], "fraction");
    }

    #[test]
    fn what_the_page_leaves_out_is_said() {
        let table = Table { most: Some(1), ..table() };
        let html = table.html();
        assert!(html.contains("The other 1 of 2 rows are in tables/accuracy.csv"), "{html}");
        assert!(table.csv().contains("\nc,"));
    }

    #[test]
    fn numbers_in_files_read_back_as_themselves() {
        for value in [0.1, -4.4994390158148434e-18, 1e300, 7.0, -0.0, 12345.678] {
            let text = number(value);
            assert!(text.len() < 26 && text.parse::<f64>().unwrap() == value, "{text}");
        }
        assert_eq!((number(7.0).as_str(), number(f64::INFINITY).as_str()), ("7", ""));
    }

    #[test]
    fn a_rounded_nothing_has_no_sign() {
        assert_eq!(Form::Signed.number(-0.0001), "0.0");
        assert_eq!(Form::Signed.number(-0.01), "−1.0");
        assert_eq!(Form::Signed.measured(0.1, Some(0.02)), "+10.0 ± 2.0");
        assert_eq!(Form::Seconds.number(300.0), "5.0 min");
    }
}
