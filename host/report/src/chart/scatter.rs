//! Points with error bars, in groups with shapes of their own.

use std::fmt::Write as _;

use super::axis::{Axis, range};
use super::canvas::{Anchor, Canvas, shape};
use super::{STYLE, colour, figure, point_legend};
use crate::html::escape;

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 42.0;

/// One point.
#[derive(Clone, Debug, Default)]
pub struct Point {
    /// Where it lies; a point that is not finite is left out.
    pub at: (f64, f64),
    /// Half the length of its bars along x and y.
    pub errors: (Option<f64>, Option<f64>),
    /// What is shown to who points at it.
    pub name: String,
}

/// Points of one kind.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Their name in the legend.
    pub name: String,
    /// Their colour and shape, by index.
    pub look: usize,
    /// The points.
    pub points: Vec<Point>,
}

/// A chart of points.
#[derive(Clone, Debug, Default)]
pub struct Scatter {
    /// Its heading.
    pub title: String,
    /// What it is, in a sentence.
    pub caption: String,
    /// What x measures.
    pub x: String,
    /// What y measures.
    pub y: String,
    /// The points; later groups lie above.
    pub groups: Vec<Group>,
    /// Whether both axes have one scale, with the diagonal drawn.
    pub diagonal: bool,
}

impl Scatter {
    /// The chart as a `<figure>`.
    #[must_use]
    pub fn render(&self) -> String {
        let any = self.groups.iter().flat_map(|g| &g.points).any(finite);
        let drawing = if any { self.draw() } else { String::new() };
        figure(&self.title, &self.caption, &self.legend(), &drawing)
    }

    /// The chart as an SVG file of its own, title and legend drawn into it; none where it is empty.
    #[must_use]
    pub fn standalone(&self) -> Option<String> {
        let groups: Vec<&Group> =
            self.groups.iter().filter(|group| group.points.iter().any(finite)).collect();
        if groups.is_empty() {
            return None;
        }
        let band = 30.0 + 16.0 * groups.len() as f64;
        // Bold letters are of about this width; no font is measured.
        let size = ((WIDTH - 16.0) / (0.7 * self.title.chars().count() as f64)).min(13.0);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" \
             font-family=\"system-ui,sans-serif\"><style>{STYLE}</style>\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
             <text x=\"10\" y=\"18\" font-size=\"{size:.1}\" font-weight=\"600\">{}</text>",
            HEIGHT + band,
            escape(&self.title)
        );
        for (index, group) in groups.iter().enumerate() {
            let y = 32.0 + 16.0 * index as f64;
            let _ = write!(
                out,
                "<path d=\"{}\" fill=\"{}\"/><text x=\"74\" y=\"{:.0}\" font-size=\"12\">{}</text>",
                shape(group.look, LEFT + 8.0, y),
                colour(group.look),
                y + 4.0,
                escape(&group.name)
            );
        }
        let _ = writeln!(out, "<g transform=\"translate(0 {band})\">{}</g></svg>", self.draw());
        Some(out)
    }

    fn legend(&self) -> String {
        let groups: Vec<&Group> =
            self.groups.iter().filter(|group| group.points.iter().any(finite)).collect();
        match groups.len() {
            0 | 1 => String::new(),
            _ => point_legend(groups.into_iter().map(|group| (group.name.as_str(), group.look))),
        }
    }

    fn draw(&self) -> String {
        let points = || self.groups.iter().flat_map(|g| &g.points).filter(|p| finite(p));
        let span = |at: f64, error: Option<f64>| {
            let error = error.filter(|e| e.is_finite()).unwrap_or(0.0);
            [at - error, at + error]
        };
        let mut xs = range(points().flat_map(|p| span(p.at.0, p.errors.0)));
        let mut ys = range(points().flat_map(|p| span(p.at.1, p.errors.1)));
        if self.diagonal {
            xs = (xs.0.min(ys.0), xs.1.max(ys.1));
            ys = xs;
        }
        let x = Axis::round(xs, (LEFT, WIDTH - RIGHT));
        let y = Axis::round(ys, (HEIGHT - BOTTOM, TOP));
        let mut canvas = Canvas::new(WIDTH, HEIGHT);
        for (at, label) in y.labels() {
            canvas.line("grid", (LEFT, at), (WIDTH - RIGHT, at));
            canvas.text("tick", Anchor::End, (LEFT - 6.0, at + 4.0), &label);
        }
        for (at, label) in x.labels() {
            canvas.line("grid", (at, TOP), (at, HEIGHT - BOTTOM));
            canvas.text("tick", Anchor::Middle, (at, HEIGHT - BOTTOM + 16.0), &label);
        }
        let middle = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 8.0);
        canvas.text("axis", Anchor::Middle, middle, &self.x);
        let beside = (12.0, (TOP + HEIGHT - BOTTOM) / 2.0);
        canvas.turned("axis", Anchor::Middle, beside, 90.0, &self.y);
        if self.diagonal {
            let (low, high) = x.bounds();
            canvas.line("guide", (x.at(low), y.at(low)), (x.at(high), y.at(high)));
        }
        for group in &self.groups {
            for point in group.points.iter().filter(|p| finite(p)) {
                let at = (x.at(point.at.0), y.at(point.at.1));
                let colour = colour(group.look);
                if let Some(error) = point.errors.0.filter(|e| e.is_finite()) {
                    let [low, high] = span(point.at.0, Some(error)).map(|v| x.at(v));
                    canvas.coloured_line("thin", colour, (low, at.1), (high, at.1));
                }
                if let Some(error) = point.errors.1.filter(|e| e.is_finite()) {
                    let [low, high] = span(point.at.1, Some(error)).map(|v| y.at(v));
                    canvas.coloured_line("thin", colour, (at.0, low), (at.0, high));
                }
                canvas.mark(group.look, at, colour, &point.name);
            }
        }
        canvas.finish(&self.title)
    }
}

fn finite(point: &Point) -> bool {
    point.at.0.is_finite() && point.at.1.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_bars_and_the_diagonal_is_one_scale() {
        let point = |x, y| Point { at: (x, y), errors: (None, Some(1.0)), name: "<p>".into() };
        let group = |look, points| Group { name: format!("g{look}"), look, points };
        let chart = Scatter {
            diagonal: true,
            groups: vec![
                group(0, vec![point(10.0, 20.0), point(f64::NAN, 1.0)]),
                group(1, vec![point(30.0, 25.0)]),
            ],
            ..Scatter::default()
        };
        let drawn = chart.render();
        assert_eq!(drawn.matches("class=\"thin\"").count(), 2);
        assert_eq!(drawn.matches("class=\"guide\"").count(), 1);
        assert!(drawn.contains("&lt;p&gt;") && !drawn.contains("<p>") && !drawn.contains("NaN"));
        assert!(drawn.contains(">g1<"));
    }
}
