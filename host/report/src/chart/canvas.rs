//! The strokes that all charts are made of.

use std::fmt::Write as _;

use crate::html::escape;

/// How a chart's parts look, for the page and for a picture of its own.
pub(crate) const STYLE: &str = "\
.line{fill:none;stroke-width:2}.pale{fill:none;stroke-width:1;opacity:.3}\
.grid{stroke:#e3e3e3}.zero{stroke:#777}.guide{stroke:#999;stroke-dasharray:4 3}\
.whisker{stroke:#222;stroke-width:1.3}.thin{stroke-width:1;opacity:.65}\
.tick{font-size:12px;fill:#444}.axis{font-size:12.5px;fill:#222}.small{font-size:10.5px;fill:#333}\
.strong{font-size:12.5px;fill:#111;font-weight:600}";

/// Which side of a text its position is.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// An SVG element being drawn.
pub(super) struct Canvas {
    out: String,
    width: f64,
    height: f64,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { out: String::new(), width, height }
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = write!(
            self.out,
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    pub(super) fn coloured_line(
        &mut self,
        class: &str,
        colour: &str,
        from: (f64, f64),
        to: (f64, f64),
    ) {
        let _ = write!(
            self.out,
            "<line class=\"{class}\" stroke=\"{colour}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" \
             y2=\"{:.1}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    pub(super) fn text(&mut self, class: &str, anchor: Anchor, (x, y): (f64, f64), text: &str) {
        let _ = write!(
            self.out,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{}\">{}</text>",
            anchor.as_str(),
            escape(text)
        );
    }

    /// Text of at most so many characters; the whole of it is shown to who points at it.
    pub(super) fn label(
        &mut self,
        class: &str,
        anchor: Anchor,
        (x, y): (f64, f64),
        text: &str,
        most: usize,
    ) {
        let shown = short(text, most);
        let title = match shown == text {
            true => String::new(),
            false => format!("<title>{}</title>", escape(text)),
        };
        let _ = write!(
            self.out,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{}\">{}{title}</text>",
            anchor.as_str(),
            escape(&shown)
        );
    }

    /// Text that is turned about its end, by so many degrees against the clock.
    pub(super) fn turned(
        &mut self,
        class: &str,
        anchor: Anchor,
        (x, y): (f64, f64),
        degrees: f64,
        text: &str,
    ) {
        let _ = write!(
            self.out,
            "<text class=\"{class}\" transform=\"translate({x:.1} {y:.1}) rotate({:.0})\" \
             text-anchor=\"{}\">{}</text>",
            -degrees,
            anchor.as_str(),
            escape(text)
        );
    }

    pub(super) fn rect(&mut self, fill: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let _ = write!(
            self.out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{fill}\"/>"
        );
    }

    pub(super) fn frame(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), dashed: bool) {
        let dash = if dashed { " stroke-dasharray=\"3 2\"" } else { "" };
        let _ = write!(
            self.out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"none\" stroke=\"#777\"{dash}/>"
        );
    }

    pub(super) fn path(&mut self, class: &str, colour: &str, dash: &str, line: &str) {
        let dash = match dash {
            "" => String::new(),
            dash => format!(" stroke-dasharray=\"{dash}\""),
        };
        let _ =
            write!(self.out, "<path class=\"{class}\" stroke=\"{colour}\"{dash} d=\"{line}\"/>");
    }

    /// A point in the shape of its series; `title` is shown to who points at it.
    pub(super) fn mark(&mut self, series: usize, (x, y): (f64, f64), colour: &str, title: &str) {
        let title = match title {
            "" => String::new(),
            title => format!("<title>{}</title>", escape(title)),
        };
        let _ = write!(
            self.out,
            "<path d=\"{}\" fill=\"{colour}\" stroke=\"#fff\" stroke-width=\".6\">{title}</path>",
            shape(series, x, y)
        );
    }

    /// The element; `label` says what it shows to who cannot see it.
    pub(super) fn finish(self, label: &str) -> String {
        let (width, height) = (self.width, self.height);
        // Never so small that letters are lost, nor so large that the page is one chart.
        let (least, most) = (0.74 * width, 1.2 * width);
        format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" style=\"min-width:{least:.0}px;max-width:{most:.0}px\" \
             role=\"img\" aria-label=\"{}\">{}</svg>",
            escape(label),
            self.out
        )
    }
}

/// The outline of a series' points about a place.
pub(super) fn shape(series: usize, x: f64, y: f64) -> String {
    match series % 5 {
        0 => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", x - 4.0),
        1 => format!("M{:.1} {:.1}h7.4v7.4h-7.4Z", x - 3.7, y - 3.7),
        2 => format!("M{x:.1} {:.1}l4.8 8.4h-9.6Z", y - 5.2),
        3 => format!("M{x:.1} {:.1}l5.2 5.2l-5.2 5.2l-5.2 -5.2Z", y - 5.2),
        _ => format!("M{x:.1} {:.1}l4.8 -8.4h-9.6Z", y + 5.2),
    }
}

/// Text of at most so many characters, an ellipsis for what was cut.
pub(crate) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_kept_for_who_points_at_them() {
        let mut canvas = Canvas::new(10.0, 10.0);
        canvas.label("tick", Anchor::End, (0.0, 0.0), "multiplication <b>", 8);
        let drawn = canvas.finish("a \"b\"");
        assert!(drawn.contains(">multipl…<title>multiplication &lt;b&gt;</title>"), "{drawn}");
        assert!(drawn.contains("aria-label=\"a &quot;b&quot;\""), "{drawn}");
        assert_eq!(short("abc", 3), "abc");
        assert_eq!(short("ab cd", 4), "ab…");
    }
}
