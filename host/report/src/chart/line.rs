//! Lines over a shared x axis: curves of training, values measured now and then.

use std::fmt::Write as _;

use super::axis::{Axis, range};
use super::canvas::{Anchor, Canvas, shape};
use super::{STYLE, colour, dash, figure, short};
use crate::html::escape;

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 236.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 40.0;

/// One line of a chart.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, by rising x; a y that is not finite is a gap.
    pub points: Vec<(f64, f64)>,
    /// Drawn as marks joined by a line, for values measured now and then.
    pub marks: bool,
}

/// A stretch of the x axis with a name, as a task that is trained alone for a while.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Phase {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// What it is called.
    pub name: String,
}

/// A chart of lines over a shared x axis.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Its heading.
    pub title: String,
    /// What it is, in a sentence; none where the title says all.
    pub caption: String,
    /// What x counts.
    pub x: String,
    /// What y measures, with its unit.
    pub y: String,
    /// The lines.
    pub series: Vec<Series>,
    /// Points averaged for the heavy line; 0 or 1 draws the points alone.
    pub smooth: usize,
    /// Y values that the axis must show at least.
    pub include: Vec<f64>,
    /// Stretches that are marked off from each other; none or one draws nothing.
    pub phases: Vec<Phase>,
}

impl Chart {
    /// True where no series has a finite point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.series.iter().any(|series| series.points.iter().any(finite))
    }

    /// The chart as a `<figure>` with legend and SVG.
    #[must_use]
    pub fn render(&self) -> String {
        let drawing = if self.is_empty() { String::new() } else { self.draw() };
        figure(&self.title, &self.caption, &self.legend(), &drawing)
    }

    /// The chart as an SVG file of its own, its title and legend drawn into it.
    #[must_use]
    pub fn standalone(&self) -> String {
        let band = 46.0;
        let drawn = if self.is_empty() { String::new() } else { self.draw() };
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" \
             font-family=\"system-ui,sans-serif\"><style>{STYLE}</style>\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
             <text x=\"{LEFT}\" y=\"18\" font-size=\"14\" font-weight=\"600\">{}</text>",
            HEIGHT + band,
            escape(&self.title)
        );
        let mut x = LEFT;
        for (index, series) in self.series.iter().enumerate() {
            let name = short(&series.name, 16);
            let _ = write!(
                out,
                "<path d=\"M{x:.0} 34h22\" stroke=\"{}\" stroke-width=\"2.5\" \
                 stroke-dasharray=\"{}\"/><text x=\"{:.0}\" y=\"38\" font-size=\"12\">{}</text>",
                colour(index),
                if dash(index).is_empty() { "none" } else { dash(index) },
                x + 26.0,
                escape(&name)
            );
            // Names are of about this width at this size; no font is measured.
            x += 40.0 + 7.2 * name.chars().count() as f64;
        }
        let _ = writeln!(out, "<g transform=\"translate(0 {band})\">{drawn}</g></svg>");
        out
    }

    fn legend(&self) -> String {
        let mut out = String::new();
        let shown = || {
            self.series.iter().enumerate().filter(|(_, series)| series.points.iter().any(finite))
        };
        if shown().count() < 2 {
            return out;
        }
        out.push_str("<p class=\"legend\">");
        for (index, series) in shown() {
            let mark = match series.marks {
                true => {
                    format!("<path d=\"{}\" fill=\"{}\"/>", shape(index, 12.0, 6.0), colour(index))
                }
                false => String::new(),
            };
            let _ = write!(
                out,
                "<span><svg viewBox=\"0 0 24 12\" aria-hidden=\"true\"><path d=\"M0 6h24\" stroke=\"{}\" \
                 stroke-width=\"2.5\" stroke-dasharray=\"{}\"/>{mark}</svg>{}</span> ",
                colour(index),
                if dash(index).is_empty() { "none" } else { dash(index) },
                escape(&series.name)
            );
        }
        out.push_str("</p>");
        out
    }

    fn draw(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points).filter(|p| finite(p));
        let top = if self.phases.len() > 1 { TOP + 14.0 } else { TOP };
        let y = Axis::round(
            range(points().map(|p| p.1).chain(self.include.iter().copied())),
            (HEIGHT - BOTTOM, top),
        );
        // Values as small as rounding errors have long labels.
        let letters = y.labels().iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
        let left = (26.0 + 7.0 * letters as f64).max(LEFT);
        let ends = self.phases.iter().flat_map(|phase| [phase.from, phase.to]);
        let x = Axis::tight(range(points().map(|p| p.0).chain(ends)), (left, WIDTH - RIGHT));
        let mut canvas = Canvas::new(WIDTH, HEIGHT);
        for (at, label) in y.labels() {
            canvas.line("grid", (left, at), (WIDTH - RIGHT, at));
            canvas.text("tick", Anchor::End, (left - 6.0, at + 4.0), &label);
        }
        for (at, label) in x.labels() {
            canvas.text("tick", Anchor::Middle, (at, HEIGHT - BOTTOM + 16.0), &label);
        }
        let middle = ((left + WIDTH - RIGHT) / 2.0, HEIGHT - 6.0);
        canvas.text("axis", Anchor::Middle, middle, &self.x);
        let beside = (12.0, (top + HEIGHT - BOTTOM) / 2.0);
        canvas.turned("axis", Anchor::Middle, beside, 90.0, &self.y);
        self.draw_phases(&mut canvas, &x, left);
        for (index, series) in self.series.iter().enumerate() {
            let smooth = self.smooth > 1 && !series.marks;
            let place = |p: &(f64, f64)| (x.at(p.0), y.at(p.1));
            if smooth {
                canvas.path("pale", colour(index), "", &trace(&series.points, place));
                let mean = running_mean(&series.points, self.smooth);
                canvas.path("line", colour(index), dash(index), &trace(&mean, place));
            } else {
                canvas.path("line", colour(index), dash(index), &trace(&series.points, place));
            }
            if series.marks || series.points.len() == 1 {
                for point in series.points.iter().filter(|p| finite(p)) {
                    canvas.mark(index, place(point), colour(index), "");
                }
            }
        }
        canvas.finish(&self.title)
    }

    fn draw_phases(&self, canvas: &mut Canvas, x: &Axis, left: f64) {
        if self.phases.len() < 2 {
            return;
        }
        for (index, phase) in self.phases.iter().enumerate() {
            let (from, to) = (x.at(phase.from).max(left), x.at(phase.to).min(WIDTH - RIGHT));
            if index > 0 {
                canvas.line("guide", (from, TOP - 6.0), (from, HEIGHT - BOTTOM));
            }
            let most = ((to - from) / 6.4).max(1.0) as usize;
            canvas.label(
                "small",
                Anchor::Middle,
                ((from + to) / 2.0, TOP + 4.0),
                &phase.name,
                most,
            );
        }
    }
}

/// The outline of a line; what is not finite lifts the pen.
fn trace(points: &[(f64, f64)], place: impl Fn(&(f64, f64)) -> (f64, f64)) -> String {
    let mut line = String::new();
    let mut pen_down = false;
    for point in points {
        if finite(point) {
            let step = if pen_down { 'L' } else { 'M' };
            let (x, y) = place(point);
            let _ = write!(line, "{step}{x:.1} {y:.1}");
        }
        pen_down = finite(point);
    }
    line
}

fn finite(point: &(f64, f64)) -> bool {
    point.0.is_finite() && point.1.is_finite()
}

/// The mean of the last `window` finite values at every point.
fn running_mean(points: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    let finite: Vec<(f64, f64)> = points.iter().copied().filter(finite).collect();
    finite
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let last = &finite[(index + 1).saturating_sub(window)..=index];
            (point.0, last.iter().map(|p| p.1).sum::<f64>() / last.len() as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            title: "t".into(),
            series: vec![Series { name: "s".into(), points, marks: false }],
            ..Chart::default()
        }
    }

    #[test]
    fn what_is_not_finite_is_a_gap() {
        let drawn = chart(vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.5), (3.0, 2.0)]).render();
        assert_eq!(drawn.matches('M').count(), 2, "{drawn}");
        assert!(!drawn.contains("NaN"));
    }

    #[test]
    fn an_empty_chart_says_so() {
        let drawn = chart(vec![(0.0, f64::INFINITY)]).render();
        assert!(drawn.contains("No values were recorded"));
        assert!(!drawn.contains("<svg"));
    }

    #[test]
    fn names_are_escaped() {
        let mut hostile = chart(vec![(0.0, 1.0), (1.0, 2.0)]);
        hostile.title = "<script>alert(1)</script>".into();
        hostile.series.push(Series { name: "\"><b>".into(), ..Series::default() });
        hostile.phases =
            ["<i>", "</svg>"].map(|name| Phase { from: 0.0, to: 1.0, name: name.into() }).into();
        for drawn in [hostile.render(), hostile.standalone()] {
            for tag in ["<script>", "<b>", "<i>"] {
                assert!(!drawn.contains(tag), "{drawn}");
            }
        }
    }

    #[test]
    fn phases_are_named_and_divided() {
        let mut chart = chart(vec![(0.0, 1.0), (10.0, 2.0)]);
        let phase = |from, to, name: &str| Phase { from, to, name: name.into() };
        chart.phases = vec![phase(0.0, 4.0, "code"), phase(4.0, 10.0, "math")];
        let drawn = chart.render();
        assert!(drawn.contains(">code<") && drawn.contains(">math<"), "{drawn}");
        assert_eq!(drawn.matches("class=\"guide\"").count(), 1, "one change of task");
    }

    #[test]
    fn the_heavy_line_is_a_running_mean() {
        let points: Vec<_> = (0..4).map(|i| (f64::from(i), f64::from(i))).collect();
        assert_eq!(running_mean(&points, 2), [(0.0, 0.0), (1.0, 0.5), (2.0, 1.5), (3.0, 2.5)]);
    }
}
