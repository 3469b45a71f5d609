//! Axes that people read: hours and minutes across, round numbers with k and M up.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use std::ops::Range;

/// Steps between labels of the time axis, seconds.
const TIME_STEPS: [u64; 22] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200,
    86_400, 172_800, 604_800, 2_592_000,
];

/// Simulated time from the start to `end_s`.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeAxis {
    /// Its right end, seconds.
    pub(super) end_s: f64,
    /// Labels that have room.
    pub(super) most_labels: usize,
}

impl TimeAxis {
    /// Seconds between labels.
    fn step(&self) -> u64 {
        let fits = |step: &u64| self.end_s / *step as f64 <= self.most_labels as f64;
        let last = TIME_STEPS[TIME_STEPS.len() - 1];
        TIME_STEPS.into_iter().find(fits).unwrap_or_else(|| {
            last * (self.end_s / last as f64 / self.most_labels.max(1) as f64).ceil() as u64
        })
    }
}

impl Ranged for TimeAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        position(value / self.end_s, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        let step = self.step();
        (0..).map(|i| (i * step) as f64).take_while(|t| *t <= self.end_s).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..self.end_s
    }
}

impl ValueFormatter<f64> for TimeAxis {
    fn format_ext(&self, seconds: &f64) -> String {
        let (s, step) = (*seconds as u64, self.step());
        if step >= 86_400 {
            format!("{}d", s / 86_400)
        } else if self.end_s > 2.0 * 86_400.0 {
            match (s / 86_400, s / 3600 % 24) {
                (day, 0) => format!("{day}d"),
                (_, hour) => format!("{hour:02}:00"),
            }
        } else if step >= 60 {
            format!("{:02}:{:02}", s / 3600, s / 60 % 60)
        } else {
            format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
        }
    }
}

/// How the values of a panel are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Unit {
    /// `12k`.
    Amount,
    /// `12k`, of things that are whole.
    Count,
    /// `1.5 s`, of seconds.
    Seconds,
    /// `50%`, of shares.
    Share,
}

/// Values from below to above.
#[derive(Clone, Copy, Debug)]
pub(super) struct ValueAxis {
    /// Lower end; positive when `log`.
    pub(super) min: f64,
    /// Upper end, above the lower one.
    pub(super) max: f64,
    /// Whether equal distances are equal ratios.
    pub(super) log: bool,
    /// How values are written.
    pub(super) unit: Unit,
    /// Labels that have room, of a linear axis; 0: none.
    pub(super) most_labels: usize,
}

impl ValueAxis {
    /// From 0 to a round number at or above `max`.
    pub(super) fn linear(max: f64, unit: Unit, most_labels: usize) -> ValueAxis {
        let max = if max > 0.0 && max.is_finite() { max } else { 1.0 };
        let axis = ValueAxis { min: 0.0, max, log: false, unit, most_labels };
        let step = axis.step();
        // A hair's breadth of slack: a maximum that is a step must not get another one on top.
        ValueAxis { max: (max / step - 1e-9).ceil() * step, ..axis }
    }

    /// From a round number at or below `min` to one at or above `max`.
    pub(super) fn logarithmic(min: f64, max: f64, unit: Unit) -> ValueAxis {
        let min = if min > 0.0 && min.is_finite() { min } else { 1e-3 };
        let max = if max > min && max.is_finite() { max } else { min * 10.0 };
        let (min, max) = (round_down(min), round_up(max));
        ValueAxis { min, max: max.max(min * 2.0), log: true, unit, most_labels: 0 }
    }

    /// The smallest of 1, 2, 2.5, 5 times a power of ten that gives few enough labels.
    fn step(&self) -> f64 {
        let rough = self.max / self.most_labels.max(1) as f64;
        let power = power_of_ten(rough);
        let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
        let fits = |factor: &f64| factor * power >= rough * (1.0 - 1e-9);
        let step = factors.into_iter().find(fits).unwrap_or(10.0) * power;
        if self.unit == Unit::Count { step.max(1.0).ceil() } else { step }
    }

    /// `value`, moved into the range.
    pub(super) fn clamp(&self, value: f64) -> f64 {
        value.clamp(self.min, self.max)
    }
}

impl Ranged for ValueAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let value = self.clamp(*value);
        let share = if self.log {
            libm::log(value / self.min) / libm::log(self.max / self.min)
        } else {
            (value - self.min) / (self.max - self.min)
        };
        position(share, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        if !self.log && self.most_labels == 0 {
            return Vec::new();
        }
        if !self.log {
            let step = self.step();
            let steps = (self.max / step).round() as u32;
            return (0..=steps).map(|i| f64::from(i) * step).collect();
        }
        // Narrow ranges have room for 1, 2 and 5, wide ones for powers of ten.
        let factors: &[f64] = if self.max / self.min <= 100.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut points = Vec::new();
        let mut power = power_of_ten(self.min);
        while power <= self.max {
            points.extend(factors.iter().map(|f| f * power));
            power *= 10.0;
        }
        points.retain(|p| *p >= self.min * (1.0 - 1e-9) && *p <= self.max * (1.0 + 1e-9));
        points
    }

    fn range(&self) -> Range<f64> {
        self.min..self.max
    }
}

impl ValueFormatter<f64> for ValueAxis {
    fn format_ext(&self, value: &f64) -> String {
        use crate::record::wording;
        match self.unit {
            Unit::Amount | Unit::Count => wording::short(*value),
            Unit::Seconds => wording::duration(*value),
            Unit::Share => wording::percent(*value),
        }
    }
}

/// The pixel at `share` of the way.
fn position(share: f64, limit: (i32, i32)) -> i32 {
    limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
}

/// The largest power of ten not above `x`.
fn power_of_ten(x: f64) -> f64 {
    libm::exp10(libm::floor(libm::log10(x) + 1e-9))
}

fn round_down(x: f64) -> f64 {
    let power = power_of_ten(x);
    let fits = |factor: &f64| factor * power <= x * (1.0 + 1e-9);
    [5.0, 2.0, 1.0].into_iter().find(fits).unwrap_or(1.0) * power
}

fn round_up(x: f64) -> f64 {
    let power = power_of_ten(x);
    let fits = |factor: &f64| factor * power >= x * (1.0 - 1e-9);
    [1.0, 2.0, 5.0, 10.0].into_iter().find(fits).unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels<A: Ranged<ValueType = f64> + ValueFormatter<f64>>(axis: &A) -> Vec<String> {
        axis.key_points(0).iter().map(|p| axis.format_ext(p)).collect()
    }

    #[test]
    fn times_are_labelled_in_human_steps() {
        let rows: [(&str, f64, &[&str]); 5] = [
            ("half a minute", 30.0, &["00:00:00", "00:00:10", "00:00:20", "00:00:30"]),
            ("an hour", 3600.0, &["00:00", "00:15", "00:30", "00:45", "01:00"]),
            ("a day", 86_400.0, &["00:00", "06:00", "12:00", "18:00", "24:00"]),
            ("three days", 259_200.0, &["0d", "1d", "2d", "3d"]),
            ("years", 86_400.0 * 720.0, &["0d", "180d", "360d", "540d", "720d"]),
        ];
        for (sentence, end_s, expected) in rows {
            assert_eq!(labels(&TimeAxis { end_s, most_labels: 4 }), expected, "{sentence}");
        }
    }

    #[test]
    fn values_are_labelled_in_round_steps() {
        let rows: [(&str, ValueAxis, &[&str]); 7] = [
            (
                "a maximum between steps",
                ValueAxis::linear(12_387.0, Unit::Amount, 5),
                &["0", "2.5k", "5k", "7.5k", "10k", "12.5k"],
            ),
            (
                "a maximum at a step",
                ValueAxis::linear(4.0, Unit::Amount, 4),
                &["0", "1", "2", "3", "4"],
            ),
            ("nothing at all", ValueAxis::linear(0.0, Unit::Amount, 2), &["0", "0.5", "1"]),
            ("two pods are not halved", ValueAxis::linear(2.0, Unit::Count, 5), &["0", "1", "2"]),
            ("shares", ValueAxis::linear(0.03, Unit::Share, 3), &["0%", "1%", "2%", "3%"]),
            (
                "a narrow range of latencies",
                ValueAxis::logarithmic(0.06, 0.9, Unit::Seconds),
                &["50 ms", "100 ms", "200 ms", "500 ms", "1 s"],
            ),
            (
                "a wide one",
                ValueAxis::logarithmic(0.01, 30.0, Unit::Seconds),
                &["10 ms", "100 ms", "1 s", "10 s"],
            ),
        ];
        for (sentence, axis, expected) in rows {
            assert_eq!(labels(&axis), expected, "{sentence}");
        }
    }

    #[test]
    fn values_beyond_the_axis_stay_at_its_ends() {
        let axis = ValueAxis::logarithmic(0.1, 10.0, Unit::Seconds);
        assert_eq!(axis.map(&0.0, (100, 0)), 100);
        assert_eq!(axis.map(&1.0, (100, 0)), 50);
        assert_eq!(axis.map(&f64::INFINITY, (100, 0)), 0);
    }
}
