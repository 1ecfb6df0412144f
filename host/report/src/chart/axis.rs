//! Round values along an axis, and where values lie on it.

/// From values to places.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    ticks: Ticks,
    /// Where the lowest and the highest value lie.
    ends: (f64, f64),
    bounds: (f64, f64),
}

impl Axis {
    /// An axis that ends at round values.
    pub(super) fn round(values: (f64, f64), ends: (f64, f64)) -> Self {
        let ticks = Ticks::over(values);
        let bounds = (ticks.low(), ticks.high());
        Self { ticks, ends, bounds }
    }

    /// An axis that ends where the values do.
    pub(super) fn tight(values: (f64, f64), ends: (f64, f64)) -> Self {
        let bounds = widen(values);
        Self { ticks: Ticks::over(bounds), ends, bounds }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value - self.bounds.0) / (self.bounds.1 - self.bounds.0);
        self.ends.0 + share * (self.ends.1 - self.ends.0)
    }

    pub(super) fn bounds(&self) -> (f64, f64) {
        self.bounds
    }

    /// Places and words of its ticks.
    pub(super) fn labels(&self) -> Vec<(f64, String)> {
        let slack = 1e-9 * (self.bounds.1 - self.bounds.0);
        self.ticks
            .labels()
            .into_iter()
            .filter(|(v, _)| *v >= self.bounds.0 - slack && *v <= self.bounds.1 + slack)
            .map(|(value, label)| (self.at(value), label))
            .collect()
    }
}

/// The least and the greatest of what is finite.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
}

/// A range that is wider than nothing.
fn widen((low, high): (f64, f64)) -> (f64, f64) {
    if !(low.is_finite() && high.is_finite()) {
        (0.0, 1.0)
    } else if high > low {
        (low, high)
    } else {
        // Nothing but zeros lies on the floor of its chart.
        let pad = low.abs() * 0.1;
        if low == 0.0 { (0.0, 1.0) } else { (low - pad, high + pad) }
    }
}

/// Round values that cover a range.
#[derive(Clone, Debug)]
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
                    format!("{value:.digits$}").replace('-', "−")
                };
                (value, label)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_range() {
        let labels = |low, high| {
            Ticks::over((low, high)).labels().into_iter().map(|(_, l)| l).collect::<Vec<_>>()
        };
        assert_eq!(labels(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(0.0, 12.0), ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5"]);
        assert_eq!(labels(-0.03, 0.01).first().map(String::as_str), Some("−0.03"));
        for (low, high) in [(3.0, 3.0), (0.0, 0.0), (-5.0, 1e7), (1e-9, 2e-9)] {
            let ticks = Ticks::over((low, high));
            assert!(ticks.low() <= low && ticks.high() >= high, "{low} {high}");
            assert!(ticks.labels().len() <= 12, "{low} {high}");
        }
    }

    #[test]
    fn a_tight_axis_has_no_ticks_outside_of_its_values() {
        let axis = Axis::tight((3.0, 17.0), (100.0, 200.0));
        assert_eq!((axis.at(3.0), axis.at(17.0)), (100.0, 200.0));
        assert!(axis.labels().iter().all(|(x, _)| (100.0..=200.0).contains(x)));
        let nothing = Axis::round(range([f64::NAN].into_iter()), (0.0, 1.0));
        assert!(nothing.at(0.5).is_finite());
    }
}
