//! Two rankings of the same things side by side, a line from each place to the other.

use super::canvas::{Anchor, Canvas};
use super::{colour, figure, point_legend};

const WIDTH: f64 = 400.0;
const ROW: f64 = 18.0;
const TOP: f64 = 24.0;
/// Letters of a name with its value, at most.
const NAME: usize = 34;

/// One thing with two values; ranks are by falling value, ties by the order given.
#[derive(Clone, Debug, Default)]
pub struct Ranked {
    /// What it is called, in few letters.
    pub name: String,
    /// The value on the left.
    pub left: f64,
    /// The value on the right.
    pub right: f64,
    /// Both as text.
    pub text: (String, String),
    /// A colour of its own, by index; the others are grey.
    pub colour: Option<usize>,
}

/// A chart of two rankings.
#[derive(Clone, Debug, Default)]
pub struct RankChart {
    /// Its heading.
    pub title: String,
    /// What it is, in a sentence.
    pub caption: String,
    /// What ranks on the left and on the right.
    pub sides: (String, String),
    /// Names of the colours that entries have.
    pub legend: Vec<(String, usize)>,
    /// What is ranked; entries without two finite values are left out.
    pub entries: Vec<Ranked>,
}

impl RankChart {
    /// The chart as a `<figure>`.
    #[must_use]
    pub fn render(&self) -> String {
        let entries: Vec<&Ranked> =
            self.entries.iter().filter(|e| e.left.is_finite() && e.right.is_finite()).collect();
        let drawing = if entries.is_empty() { String::new() } else { self.draw(&entries) };
        let legend = match self.legend.is_empty() {
            true => String::new(),
            false => point_legend(self.legend.iter().map(|(name, look)| (name.as_str(), *look))),
        };
        figure(&self.title, &self.caption, &legend, &drawing)
    }

    fn draw(&self, entries: &[&Ranked]) -> String {
        let longest = entries
            .iter()
            .flat_map(|e| {
                [&e.text.0, &e.text.1].map(|t| t.chars().count() + e.name.chars().count())
            })
            .max()
            .unwrap_or(0);
        let side = 26.0 + 7.7 * longest.min(NAME) as f64;
        let width = (2.0 * side + 110.0).max(WIDTH);
        let (from, to) = (side, width - side);
        let lefts = ranks(entries.iter().map(|e| e.left));
        let rights = ranks(entries.iter().map(|e| e.right));
        let place = |rank: usize| TOP + ROW * (rank as f64 + 0.5);
        let mut canvas = Canvas::new(width, TOP + ROW * entries.len() as f64 + 6.0);
        canvas.text("strong", Anchor::End, (from - 6.0, 14.0), &self.sides.0);
        canvas.text("strong", Anchor::Start, (to + 6.0, 14.0), &self.sides.1);
        // Those with a colour lie above.
        let mut drawn: Vec<usize> = (0..entries.len()).collect();
        drawn.sort_by_key(|&index| entries[index].colour.is_some());
        for index in drawn {
            let entry = entries[index];
            let (left, right) = (place(lefts[index]), place(rights[index]));
            let tone = entry.colour.map_or("#9a9a9a", colour);
            let class = if entry.colour.is_some() { "line" } else { "thin" };
            canvas.coloured_line(class, tone, (from, left), (to, right));
            if let Some(look) = entry.colour {
                canvas.mark(look, (from, left), tone, "");
                canvas.mark(look, (to, right), tone, "");
            }
            let class = if entry.colour.is_some() { "strong" } else { "tick" };
            let text = format!("{}  {}", entry.text.0, entry.name);
            canvas.label(class, Anchor::End, (from - 7.0, left + 4.0), &text, NAME);
            let text = format!("{}  {}", entry.name, entry.text.1);
            canvas.label(class, Anchor::Start, (to + 7.0, right + 4.0), &text, NAME);
        }
        canvas.finish(&self.title)
    }
}

/// Values nearer than this are equal: what remains of sums in another order.
const EQUAL: f64 = 1e-12;

/// The rank of each value, from 0: how many lie above it. Equal ones share it.
pub(crate) fn shared_ranks(values: impl Iterator<Item = f64>) -> Vec<usize> {
    let values: Vec<f64> = values.collect();
    let above = |value: &f64| values.iter().filter(|other| **other > value + EQUAL).count();
    values.iter().map(above).collect()
}

/// The place of each value by falling order, from 0; equal ones in the order given.
fn ranks(values: impl Iterator<Item = f64>) -> Vec<usize> {
    let values: Vec<f64> = values.collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let mut ranks = vec![0; values.len()];
    for (rank, index) in order.into_iter().enumerate() {
        ranks[index] = rank;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_fall_with_the_value() {
        assert_eq!(ranks([0.1, 0.3, 0.2, 0.3].into_iter()), [3, 0, 2, 1]);
    }

    #[test]
    fn equal_values_share_a_rank() {
        assert_eq!(shared_ranks([0.1, 0.3, 0.2, 0.1 + 0.2].into_iter()), [3, 0, 2, 0]);
    }

    #[test]
    fn a_line_joins_both_places() {
        let entry = |name: &str, left, right| Ranked {
            name: name.into(),
            left,
            right,
            ..Ranked::default()
        };
        let chart = RankChart {
            entries: vec![entry("a", 2.0, 1.0), entry("b", 1.0, 2.0), entry("c", f64::NAN, 3.0)],
            ..RankChart::default()
        };
        let drawn = chart.render();
        assert_eq!(drawn.matches("class=\"thin\"").count(), 2);
        assert!(drawn.contains("y1=\"33.0\"") && drawn.contains("y2=\"51.0\""), "{drawn}");
        assert!(!drawn.contains("NaN"));
    }
}
