//! A measured distribution: a table of quantiles with straight lines between them.

use std::fmt;

/// Points (probability, value), from probability 0 (the minimum) to 1 (the maximum).
#[derive(Clone, Debug, PartialEq)]
pub struct QuantileTable {
    points: Vec<(f64, f64)>,
}

/// Why points are no quantile table; places count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantileTableError {
    /// Less than two points.
    TooFew,
    /// A probability or value at this place is infinite or no number.
    NotFinite(usize),
    /// The first probability is not 0 or the last not 1.
    Ends,
    /// The probability at this place is not above the one before.
    ProbabilitiesNotRising(usize),
    /// The value at this place is below the one before.
    ValuesFalling(usize),
}

impl fmt::Display for QuantileTableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew => f.write_str("expected at least two points: minimum and maximum"),
            Self::NotFinite(at) => write!(f, "point {at}: expected finite numbers"),
            Self::Ends => f.write_str("expected probabilities from 0 to 1"),
            Self::ProbabilitiesNotRising(at) => {
                write!(f, "point {at}: expected a probability above the one before")
            }
            Self::ValuesFalling(at) => {
                write!(f, "point {at}: expected a value not below the one before")
            }
        }
    }
}

impl std::error::Error for QuantileTableError {}

impl QuantileTable {
    /// A table of (probability, value), in order.
    ///
    /// # Errors
    /// The first thing that is wrong with the points.
    pub fn new(points: Vec<(f64, f64)>) -> Result<QuantileTable, QuantileTableError> {
        if points.len() < 2 {
            return Err(QuantileTableError::TooFew);
        }
        if let Some(at) = points.iter().position(|(p, v)| !p.is_finite() || !v.is_finite()) {
            return Err(QuantileTableError::NotFinite(at));
        }
        if points[0].0 != 0.0 || points[points.len() - 1].0 != 1.0 {
            return Err(QuantileTableError::Ends);
        }
        for (at, pair) in points.windows(2).enumerate() {
            if pair[1].0 <= pair[0].0 {
                return Err(QuantileTableError::ProbabilitiesNotRising(at + 1));
            }
            if pair[1].1 < pair[0].1 {
                return Err(QuantileTableError::ValuesFalling(at + 1));
            }
        }
        Ok(QuantileTable { points })
    }

    /// The points.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// The value at probability `p`; the ends outside of 0 to 1.
    pub(super) fn quantile(&self, p: f64) -> f64 {
        let above = self.points.partition_point(|(at, _)| *at <= p);
        let above = above.clamp(1, self.points.len() - 1);
        let ((p0, v0), (p1, v1)) = (self.points[above - 1], self.points[above]);
        let part = ((p - p0) / (p1 - p0)).clamp(0.0, 1.0);
        v0 + (v1 - v0) * part
    }

    /// The area under the table.
    pub(super) fn mean(&self) -> f64 {
        self.points.windows(2).map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_between_points() {
        let table = QuantileTable::new(vec![(0.0, 1.0), (0.5, 2.0), (0.9, 2.0), (1.0, 12.0)]);
        let table = table.unwrap();
        let rows = [
            ("the minimum", 0.0, 1.0),
            ("half way to the median", 0.25, 1.5),
            ("the median", 0.5, 2.0),
            ("on a plateau", 0.7, 2.0),
            ("in the tail", 0.95, 7.0),
            ("the maximum", 1.0, 12.0),
            ("no probability, but no panic", 1.5, 12.0),
            ("nor below", -1.0, 1.0),
        ];
        for (sentence, p, expected) in rows {
            assert!((table.quantile(p) - expected).abs() < 1e-12, "{sentence}");
        }
        assert!((table.mean() - (0.75 + 0.8 + 0.7)).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_table() {
        let nan = f64::NAN;
        let rows = [
            ("no points", vec![], QuantileTableError::TooFew),
            ("one point", vec![(0.0, 1.0)], QuantileTableError::TooFew),
            ("no number", vec![(0.0, 1.0), (1.0, nan)], QuantileTableError::NotFinite(1)),
            ("no minimum", vec![(0.1, 1.0), (1.0, 2.0)], QuantileTableError::Ends),
            ("percent instead of parts", vec![(0.0, 1.0), (99.0, 2.0)], QuantileTableError::Ends),
            (
                "two values at one probability",
                vec![(0.0, 1.0), (0.5, 2.0), (0.5, 3.0), (1.0, 4.0)],
                QuantileTableError::ProbabilitiesNotRising(2),
            ),
            (
                "a falling value",
                vec![(0.0, 1.0), (0.5, 3.0), (1.0, 2.0)],
                QuantileTableError::ValuesFalling(2),
            ),
        ];
        for (sentence, points, expected) in rows {
            assert_eq!(QuantileTable::new(points), Err(expected), "{sentence}");
        }
    }
}
