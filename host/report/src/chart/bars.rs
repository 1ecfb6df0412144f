//! Bars that lie on their side, so that names are read, with whiskers for errors.

use super::axis::{Axis, range};
use super::canvas::{Anchor, Canvas};
use super::{colour, figure};

const WIDTH: f64 = 400.0;
const ROW: f64 = 21.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 38.0;
/// Letters of a name that fit beside a bar, and the width of one.
const NAME: usize = 19;
const LETTER: f64 = 6.7;

/// One bar.
#[derive(Clone, Debug, Default)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// Its length; a bar that is not finite is left out.
    pub value: f64,
    /// Ends of its whisker.
    pub ends: Option<(f64, f64)>,
    /// What stands behind it, as the table has it.
    pub text: String,
    /// Its colour, by index.
    pub colour: usize,
}

/// A chart of bars, or of points where zero means nothing.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    /// Its heading.
    pub title: String,
    /// What it is, in a sentence.
    pub caption: String,
    /// What lengths measure, with its unit.
    pub x: String,
    /// The bars, from above.
    pub bars: Vec<Bar>,
    /// A value that is marked by a dashed line.
    pub line: Option<f64>,
    /// Points in place of bars, which need not begin at zero.
    pub points: bool,
    /// Values that the axis must show at least.
    pub include: Vec<f64>,
}

impl Bars {
    /// The chart as a `<figure>`.
    #[must_use]
    pub fn render(&self) -> String {
        let bars: Vec<&Bar> = self.bars.iter().filter(|bar| bar.value.is_finite()).collect();
        let drawing = if bars.is_empty() { String::new() } else { self.draw(&bars) };
        figure(&self.title, &self.caption, "", &drawing)
    }

    fn draw(&self, bars: &[&Bar]) -> String {
        let longest = bars.iter().map(|bar| bar.name.chars().count()).max().unwrap_or(0);
        let left = 12.0 + LETTER * longest.min(NAME) as f64;
        let texts = bars.iter().map(|bar| bar.text.chars().count()).max().unwrap_or(0);
        let right = 10.0 + 6.2 * texts as f64;
        let bottom = TOP + ROW * bars.len() as f64;
        let ends = bars.iter().filter_map(|bar| bar.ends).flat_map(|(low, high)| [low, high]);
        let zero = if self.points { None } else { Some(0.0) };
        let values = bars.iter().map(|bar| bar.value).chain(ends).chain(zero);
        let values = values.chain(self.include.iter().copied()).chain(self.line);
        let span = (left, WIDTH - right);
        let x = Axis::round(range(values), span);
        let mut canvas = Canvas::new(WIDTH, bottom + BOTTOM);
        for (at, label) in thinned(x.labels(), span.1 - span.0) {
            canvas.line("grid", (at, TOP), (at, bottom));
            canvas.text("tick", Anchor::Middle, (at, bottom + 15.0), &label);
        }
        // A long name of the axis is held within the drawing.
        let half = 3.3 * self.x.chars().count() as f64;
        let middle =
            ((span.0 + span.1) / 2.0).clamp(half.min(WIDTH / 2.0), (WIDTH - half).max(WIDTH / 2.0));
        canvas.text("axis", Anchor::Middle, (middle, bottom + 32.0), &self.x);
        let (low, high) = x.bounds();
        let origin = x.at(0.0f64.clamp(low, high));
        if low <= 0.0 && high >= 0.0 {
            canvas.line("zero", (origin, TOP), (origin, bottom));
        }
        if let Some(value) = self.line.filter(|value| value.is_finite()) {
            canvas.line("guide", (x.at(value), TOP), (x.at(value), bottom));
        }
        for (index, bar) in bars.iter().enumerate() {
            let middle = TOP + ROW * (index as f64 + 0.5);
            canvas.label("tick", Anchor::End, (left - 6.0, middle + 4.0), &bar.name, NAME);
            let end = x.at(bar.value);
            if !self.points {
                let size = ((end - origin).abs().max(0.8), ROW - 7.0);
                canvas.rect(colour(bar.colour), (origin.min(end), middle - size.1 / 2.0), size);
            }
            if let Some((low, high)) = bar.ends.filter(|(l, h)| l.is_finite() && h.is_finite()) {
                let (low, high) = (x.at(low), x.at(high));
                canvas.line("whisker", (low, middle), (high, middle));
                for at in [low, high] {
                    canvas.line("whisker", (at, middle - 3.5), (at, middle + 3.5));
                }
            }
            if self.points {
                canvas.mark(bar.colour, (end, middle), colour(bar.colour), "");
            }
            canvas.text("small", Anchor::Start, (WIDTH - right + 8.0, middle + 4.0), &bar.text);
        }
        canvas.finish(&self.title)
    }
}

/// As many labels as stand apart in a width.
fn thinned(labels: Vec<(f64, String)>, width: f64) -> Vec<(f64, String)> {
    let needed: f64 =
        labels.iter().map(|(_, label)| 10.0 + 7.0 * label.chars().count() as f64).sum();
    let every = (needed / width).ceil().max(1.0) as usize;
    labels.into_iter().step_by(every).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, value: f64) -> Bar {
        Bar {
            name: name.into(),
            value,
            ends: Some((value - 0.1, value + 0.1)),
            text: format!("{value:.1}"),
            colour: 0,
        }
    }

    #[test]
    fn bars_begin_at_zero_and_go_both_ways() {
        let chart = Bars { bars: vec![bar("a", 0.5), bar("b", -0.5)], ..Bars::default() };
        let drawn = chart.render();
        let starts: Vec<f64> = drawn
            .split("<rect x=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        let widths: Vec<f64> = drawn
            .split("width=\"")
            .skip(2)
            .step_by(1)
            .take(2)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!((starts[1] + widths[1] - starts[0]).abs() < 0.2, "they meet at zero: {drawn}");
        assert_eq!(drawn.matches("class=\"whisker\"").count(), 6);
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let chart = Bars { bars: vec![bar("a", f64::NAN), bar("b", 1.0)], ..Bars::default() };
        assert!(!chart.render().contains("NaN"));
        let none = Bars { bars: vec![bar("a", f64::NAN)], ..Bars::default() };
        assert!(none.render().contains("No values were recorded"));
    }
}
