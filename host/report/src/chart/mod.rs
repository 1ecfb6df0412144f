//! Charts as inline SVG, with no dependency and nothing fetched.
//!
//! A chart is data in, text out: the same data give the same bytes, and what is not finite is left
//! out. Drawings are narrow (some 400 units), so that their letters are still read on a phone;
//! wider ones scroll. Colours are Okabe and Ito's, which colour-blind readers can tell apart, and
//! never the only difference: lines have dashes, points have shapes, cells have numbers.

mod axis;
mod bars;
mod canvas;
mod heat;
mod line;
mod rank;
mod scatter;

pub use bars::{Bar, Bars};
pub use heat::{HeatCell, HeatMap};
pub use line::{Chart, Phase, Series};
pub(crate) use rank::shared_ranks;
pub use rank::{RankChart, Ranked};
pub use scatter::{Group, Point, Scatter};

pub(crate) use canvas::{STYLE, short};

/// Colours, in the order of series.
pub const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5d4037", "#222222"];

/// Dashes of the same series; the first is solid.
const DASHES: [&str; 8] = ["", "7 3", "2 2.5", "9 3 2 3", "", "7 3", "2 2.5", "9 3 2 3"];

/// The colour of a series.
fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

/// The dashes of a series.
fn dash(index: usize) -> &'static str {
    DASHES[index % DASHES.len()]
}

/// A chart with its heading, the sentence that says what it is, and its legend.
fn figure(title: &str, caption: &str, legend: &str, drawing: &str) -> String {
    use crate::html::escape;
    let mut out = format!("<figure><figcaption>{}</figcaption>", escape(title));
    if !caption.is_empty() {
        out.push_str(&format!("<p class=\"note\">{}</p>", escape(caption)));
    }
    if drawing.is_empty() {
        out.push_str("<p class=\"none\">No values were recorded.</p></figure>");
    } else {
        out.push_str(legend);
        out.push_str(&format!("<div class=\"scroll\">{drawing}</div></figure>"));
    }
    out
}

/// Names beside the shapes of their points.
fn point_legend<'a>(entries: impl Iterator<Item = (&'a str, usize)>) -> String {
    use crate::html::escape;
    let mut out = "<p class=\"legend\">".to_owned();
    for (name, look) in entries {
        out.push_str(&format!(
            "<span><svg class=\"dot\" viewBox=\"0 0 12 12\" aria-hidden=\"true\"><path d=\"{}\" \
             fill=\"{}\"/></svg>{}</span> ",
            canvas::shape(look, 6.0, 6.0),
            colour(look),
            escape(name)
        ));
    }
    out.push_str("</p>");
    out
}
