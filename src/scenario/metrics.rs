//! What a metrics API says of pods whose load is not simulated.

use crate::units::{SimDuration, SimTime};

/// CPU samples of the pods of one application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GivenMetrics {
    /// Milli-CPU of all ready pods together over time, straight lines between the points.
    pub total: Vec<(SimTime, f64)>,
    /// The same of each pod.
    pub per_pod: Vec<(SimTime, f64)>,
    /// Pods that have been running for less have no sample.
    pub missing_younger: SimDuration,
    /// Pods at these places, by name, have no sample.
    pub missing: Vec<usize>,
    /// The API answers with no samples at all.
    pub none: bool,
    /// Samples of pods lie so far from what is given, evenly to both sides: a part of 1.
    pub noise: f64,
}

/// The value of a curve at `at`.
pub fn value(points: &[(SimTime, f64)], at: SimTime) -> Option<f64> {
    let next = points.iter().position(|(time, _)| *time > at);
    let (before, after) = match next {
        None => return points.last().map(|(_, value)| *value),
        Some(0) => return points.first().map(|(_, value)| *value),
        Some(next) => (points[next - 1], points[next]),
    };
    let part = at.since(before.0).as_secs_f64() / after.0.since(before.0).as_secs_f64();
    Some(before.1 + (after.1 - before.1) * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_straight_between_points() {
        let s = SimTime::from_secs;
        let points = [(s(10), 100.0), (s(20), 200.0)];
        let rows = [(5, 100.0), (10, 100.0), (15, 150.0), (20, 200.0), (90, 200.0)];
        for (at, expected) in rows {
            assert_eq!(value(&points, s(at)), Some(expected), "at {at} s");
        }
        assert_eq!(value(&[], s(1)), None);
    }
}
