//! A matrix as coloured cells with their numbers in them.
//!
//! Both ends of the scale are pale enough for black letters, apart for every kind of colour
//! blindness, and in print without colour the signs still stand in the cells.

use super::axis::range;
use super::canvas::{Anchor, Canvas};
use super::{figure, short};

const CELL: (f64, f64) = (66.0, 40.0);
const NARROW: (f64, f64) = (54.0, 38.0);
const NAME: usize = 14;
const LETTER: f64 = 7.0;
/// Below zero, and above.
const ENDS: [(f64, f64, f64); 2] = [(230.0, 136.0, 32.0), (79.0, 155.0, 205.0)];

/// One cell.
#[derive(Clone, Debug, Default)]
pub struct HeatCell {
    /// What its colour says; a value that is not finite has none.
    pub value: f64,
    /// The number in it, and what stands below it.
    pub text: (String, String),
    /// Set apart: in a dashed frame, without colour.
    pub apart: bool,
}

/// A square matrix over names.
#[derive(Clone, Debug, Default)]
pub struct HeatMap {
    /// Its heading.
    pub title: String,
    /// What it is, in a sentence or two.
    pub caption: String,
    /// What the rows are, in words: `evaluated on`.
    pub rows: String,
    /// What the columns are.
    pub columns: String,
    /// Names of rows and columns.
    pub names: Vec<String>,
    /// The cells by row.
    pub cells: Vec<Vec<HeatCell>>,
    /// Names of both ends of the scale, as `hurt` and `helped`.
    pub ends: (String, String),
    /// A value of the scale as text.
    pub form: Option<fn(f64) -> String>,
}

impl HeatMap {
    /// The map as a `<figure>`.
    #[must_use]
    pub fn render(&self) -> String {
        let any = self.cells.iter().flatten().any(|cell| cell.value.is_finite());
        let drawing = if any { self.draw() } else { String::new() };
        figure(&self.title, &self.caption, "", &drawing)
    }

    /// The largest absolute value that has a colour.
    fn scale(&self) -> f64 {
        let coloured = self.cells.iter().flatten().filter(|cell| !cell.apart);
        let (_, high) = range(coloured.map(|cell| cell.value.abs()));
        if high.is_finite() && high > 0.0 { high } else { 1.0 }
    }

    fn draw(&self) -> String {
        let size = self.names.len();
        let cell = if size > 5 { NARROW } else { CELL };
        let names: Vec<String> = self.names.iter().map(|name| short(name, NAME)).collect();
        let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64;
        let turned = longest * LETTER > cell.0;
        let left = (16.0 + LETTER * longest).max(8.6 * self.rows.chars().count() as f64 + 28.0);
        let head = if turned { 14.0 + 0.62 * LETTER * longest } else { 20.0 };
        let top = 20.0 + head;
        // The last name, when turned, leans out to the right.
        let lean = if turned { 0.8 * LETTER * longest - cell.0 / 2.0 } else { 0.0 };
        let grid = (cell.0 * size as f64, cell.1 * size as f64);
        let width = (left + grid.0 + lean.max(4.0)).max(300.0);
        let mut canvas = Canvas::new(width, top + grid.1 + 46.0);
        canvas.text("strong", Anchor::Start, (left, 13.0), &format!("{} →", self.columns));
        canvas.text("strong", Anchor::End, (left - 8.0, top - 6.0), &format!("{} ↓", self.rows));
        for (index, name) in names.iter().enumerate() {
            let along = cell.0 * (index as f64 + 0.5) + left;
            if turned {
                canvas.turned("tick", Anchor::Start, (along - 4.0, top - 6.0), 38.0, name);
            } else {
                canvas.text("tick", Anchor::Middle, (along, top - 6.0), name);
            }
            let down = cell.1 * (index as f64 + 0.5) + top + 4.0;
            canvas.text("tick", Anchor::End, (left - 8.0, down), name);
        }
        let scale = self.scale();
        for (row, cells) in self.cells.iter().enumerate() {
            for (column, of) in cells.iter().enumerate() {
                let corner = (left + cell.0 * column as f64, top + cell.1 * row as f64);
                self.draw_cell(&mut canvas, of, corner, cell, scale);
            }
        }
        self.draw_scale(&mut canvas, (left, top + grid.1 + 14.0), grid.0.max(150.0), scale);
        canvas.finish(&self.title)
    }

    fn draw_cell(
        &self,
        canvas: &mut Canvas,
        cell: &HeatCell,
        (x, y): (f64, f64),
        size: (f64, f64),
        scale: f64,
    ) {
        let inner = (size.0 - 2.0, size.1 - 2.0);
        if cell.apart || !cell.value.is_finite() {
            canvas.frame((x + 2.0, y + 2.0), (inner.0 - 2.0, inner.1 - 2.0), true);
        } else {
            canvas.rect(&tint(cell.value / scale), (x + 1.0, y + 1.0), inner);
        }
        let middle = x + size.0 / 2.0;
        if cell.text.1.is_empty() {
            canvas.text("axis", Anchor::Middle, (middle, y + size.1 / 2.0 + 4.0), &cell.text.0);
        } else {
            canvas.text("axis", Anchor::Middle, (middle, y + size.1 / 2.0 - 2.0), &cell.text.0);
            canvas.text("small", Anchor::Middle, (middle, y + size.1 / 2.0 + 12.0), &cell.text.1);
        }
    }

    fn draw_scale(&self, canvas: &mut Canvas, (x, y): (f64, f64), width: f64, scale: f64) {
        let steps = 21;
        let step = width / f64::from(steps);
        for index in 0..steps {
            let share = f64::from(index) / f64::from(steps - 1) * 2.0 - 1.0;
            canvas.rect(&tint(share), (x + step * f64::from(index), y), (step + 0.3, 8.0));
        }
        let text = |value: f64| self.form.map_or(String::new(), |form| form(value));
        let below = y + 22.0;
        let low = format!("{} {}", text(-scale), self.ends.0);
        let high = format!("{} {}", self.ends.1, text(scale));
        canvas.text("small", Anchor::Start, (x, below), low.trim());
        canvas.text("small", Anchor::End, (x + width, below), high.trim());
    }
}

/// The colour of a share of the scale, from −1 to 1.
fn tint(share: f64) -> String {
    let share = share.clamp(-1.0, 1.0);
    let end = ENDS[usize::from(share > 0.0)];
    let mix = |channel: f64| (250.0 + (channel - 250.0) * share.abs()).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(end.0), mix(end.1), mix(end.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> HeatMap {
        let cell = |value: f64, apart| HeatCell {
            value,
            text: (format!("{value}"), String::new()),
            apart,
        };
        HeatMap {
            rows: "evaluated on".into(),
            columns: "trained on".into(),
            names: vec!["math".into(), "<b>".into()],
            cells: vec![
                vec![cell(9.0, true), cell(-0.5, false)],
                vec![cell(0.25, false), cell(f64::NAN, false)],
            ],
            ..HeatMap::default()
        }
    }

    #[test]
    fn axes_are_named_and_cells_apart_do_not_stretch_the_scale() {
        let map = map();
        let drawn = map.render();
        assert!(drawn.contains("evaluated on ↓") && drawn.contains("trained on →"), "{drawn}");
        assert!(!drawn.contains("<b>") && drawn.contains("&lt;b&gt;"));
        assert!((map.scale() - 0.5).abs() < 1e-12);
        assert!(drawn.contains(&tint(-1.0)) && drawn.contains(&tint(0.5)));
        assert_eq!(drawn.matches("stroke-dasharray=\"3 2\"").count(), 2, "one apart, one unknown");
    }

    #[test]
    fn black_letters_are_read_on_every_tint() {
        for share in -10..=10 {
            let tint = tint(f64::from(share) / 10.0);
            let channel = |at: usize| f64::from(u8::from_str_radix(&tint[at..at + 2], 16).unwrap());
            let light = |c: f64| ((c / 255.0 + 0.055) / 1.055).powf(2.4);
            let luminance = 0.2126 * light(channel(1))
                + 0.7152 * light(channel(3))
                + 0.0722 * light(channel(5));
            assert!((luminance + 0.05) / 0.05 > 6.0, "{tint}");
        }
    }
}
