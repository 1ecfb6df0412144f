//! Line charts as inline SVG, with no dependency and nothing fetched.
//!
//! A chart is data in, text out: the same series give the same bytes. Points that are not finite
//! are gaps in the line. Colours are Okabe and Ito's, which colour-blind readers can tell apart.

use std::fmt::Write as _;

use crate::html::escape;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 42.0;

/// How a chart's parts look, for the page and for a picture of its own.
pub(crate) const STYLE: &str = "\
.line{fill:none;stroke-width:2}.pale{fill:none;stroke-width:1;opacity:.28}\
.grid{stroke:#e6e6e6}.tick{font-size:12px;fill:#555}.axis{font-size:13px;fill:#333}";

/// Line colours, in the order of the series.
pub const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5d4037", "#222222"];

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

/// A chart of lines over a shared x axis.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Its heading.
    pub title: String,
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
        let mut out = String::new();
        let _ = write!(out, "<figure><figcaption>{}</figcaption>", escape(&self.title));
        if self.is_empty() {
            out.push_str("<p class=\"none\">No values were recorded.</p></figure>");
            return out;
        }
        self.legend(&mut out);
        self.draw(&mut out);
        out.push_str("</figure>");
        out
    }

    /// The chart as an SVG file of its own, its title and legend drawn into it.
    #[must_use]
    pub fn standalone(&self) -> String {
        let band = 52.0;
        let mut drawn = String::new();
        if !self.is_empty() {
            self.draw(&mut drawn);
        }
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" \
             font-family=\"system-ui,sans-serif\"><style>{STYLE}</style>\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
             <text x=\"{LEFT}\" y=\"20\" font-size=\"15\" font-weight=\"600\">{}</text>",
            HEIGHT + band,
            escape(&self.title)
        );
        let mut x = LEFT;
        for (index, series) in self.series.iter().enumerate() {
            let _ = write!(
                out,
                "<rect x=\"{x:.0}\" y=\"34\" width=\"14\" height=\"4\" fill=\"{}\"/>\
                 <text x=\"{:.0}\" y=\"41\" font-size=\"13\">{}</text>",
                COLOURS[index % COLOURS.len()],
                x + 19.0,
                escape(&series.name)
            );
            // Names are of about this width at this size; no font is measured.
            x += 36.0 + 7.5 * series.name.chars().count() as f64;
        }
        let _ = writeln!(out, "<g transform=\"translate(0 {band})\">{drawn}</g></svg>");
        out
    }

    fn legend(&self, out: &mut String) {
        if self.series.len() < 2 {
            return;
        }
        out.push_str("<p class=\"legend\">");
        for (index, series) in self.series.iter().enumerate() {
            let _ = write!(
                out,
                "<span><i style=\"background:{}\"></i>{}</span> ",
                COLOURS[index % COLOURS.len()],
                escape(&series.name)
            );
        }
        out.push_str("</p>");
    }

    fn draw(&self, out: &mut String) {
        let points = || self.series.iter().flat_map(|series| &series.points).filter(|p| finite(p));
        let (x0, x1) = widen(range(points().map(|p| p.0)));
        let ticks_y = Ticks::over(range(points().map(|p| p.1).chain(self.include.iter().copied())));
        let (y0, y1) = (ticks_y.low(), ticks_y.high());
        let px = |x: f64| LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT);
        let py = |y: f64| HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM);

        let _ = write!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(&self.title)
        );
        for (value, label) in ticks_y.labels() {
            let y = py(value);
            let _ = write!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0
            );
        }
        for (value, label) in Ticks::over((x0, x1)).labels() {
            if value < x0 || value > x1 {
                continue;
            }
            let _ = write!(
                out,
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                px(value),
                HEIGHT - BOTTOM + 16.0
            );
        }
        let _ = write!(
            out,
            "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text class=\"axis\" transform=\"translate(13 {:.1}) rotate(-90)\" \
             text-anchor=\"middle\">{}</text>",
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 8.0,
            escape(&self.x),
            (TOP + HEIGHT - BOTTOM) / 2.0,
            escape(&self.y)
        );
        for (index, series) in self.series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let smooth = self.smooth > 1 && !series.marks;
            let class = if smooth { "pale" } else { "line" };
            path(out, &series.points, class, colour, &px, &py);
            if smooth {
                path(out, &running_mean(&series.points, self.smooth), "line", colour, &px, &py);
            }
            if series.marks || series.points.len() == 1 {
                for point in series.points.iter().filter(|p| finite(p)) {
                    let _ = write!(
                        out,
                        "<circle r=\"3.5\" cx=\"{:.1}\" cy=\"{:.1}\" fill=\"{colour}\"/>",
                        px(point.0),
                        py(point.1)
                    );
                }
            }
        }
        out.push_str("</svg>");
    }
}

fn path(
    out: &mut String,
    points: &[(f64, f64)],
    class: &str,
    colour: &str,
    px: &impl Fn(f64) -> f64,
    py: &impl Fn(f64) -> f64,
) {
    let mut line = String::new();
    let mut pen_down = false;
    for point in points {
        if finite(point) {
            let step = if pen_down { 'L' } else { 'M' };
            let _ = write!(line, "{step}{:.1} {:.1}", px(point.0), py(point.1));
        }
        pen_down = finite(point);
    }
    let _ = write!(out, "<path class=\"{class}\" stroke=\"{colour}\" d=\"{line}\"/>");
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

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
}

/// A range that is wider than nothing.
fn widen((low, high): (f64, f64)) -> (f64, f64) {
    if high > low {
        (low, high)
    } else {
        let pad = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
        (low - pad, high + pad)
    }
}

/// Round values that cover a range.
struct Ticks {
    step: f64,
    first: i64,
    last: i64,
}

impl Ticks {
    fn over(values: (f64, f64)) -> Self {
        let (low, high) = widen(values);
        let rough = (high - low) / 5.0;
        let magnitude = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * magnitude)
            .find(|step| *step >= rough * (1.0 - 1e-9))
            .unwrap_or(magnitude * 10.0);
        let slack = 1e-9;
        Self {
            step,
            first: (low / step + slack).floor() as i64,
            last: (high / step - slack).ceil() as i64,
        }
    }

    fn low(&self) -> f64 {
        self.first as f64 * self.step
    }

    fn high(&self) -> f64 {
        self.last as f64 * self.step
    }

    fn labels(&self) -> Vec<(f64, String)> {
        let fraction = self.step.log10().floor();
        // 2.5 needs one digit more than its magnitude says.
        let extra = usize::from((self.step / 10f64.powf(fraction) - 2.5).abs() < 1e-6);
        let digits = if fraction < 0.0 { -fraction as usize } else { 0 } + extra;
        (self.first..=self.last)
            .map(|index| {
                let value = index as f64 * self.step;
                let label = if self.step < 1e-4 || value.abs() >= 1e6 {
                    format!("{value:.1e}")
                } else {
                    format!("{value:.digits$}")
                };
                (value, label)
            })
            .collect()
    }
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
    fn ticks_are_round_and_cover_the_range() {
        let labels = |low, high| {
            Ticks::over((low, high)).labels().into_iter().map(|(_, l)| l).collect::<Vec<_>>()
        };
        assert_eq!(labels(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(0.0, 12.0), ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5"]);
        assert_eq!(labels(-0.03, 0.01).first().map(String::as_str), Some("-0.03"));
        for (low, high) in [(3.0, 3.0), (0.0, 0.0), (-5.0, 1e7), (1e-9, 2e-9)] {
            let ticks = Ticks::over((low, high));
            assert!(ticks.low() <= low && ticks.high() >= high, "{low} {high}");
            assert!(ticks.labels().len() <= 12, "{low} {high}");
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
        let drawn = hostile.render();
        assert!(!drawn.contains("<script>") && !drawn.contains("<b>"), "{drawn}");
    }

    #[test]
    fn the_heavy_line_is_a_running_mean() {
        let points: Vec<_> = (0..4).map(|i| (f64::from(i), f64::from(i))).collect();
        assert_eq!(running_mean(&points, 2), [(0.0, 0.0), (1.0, 0.5), (2.0, 1.5), (3.0, 2.5)]);
    }
}
