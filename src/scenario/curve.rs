//! Rates over time: the shapes of traffic, and their sums and products.
//!
//! A curve is a pure function of time. It knows neither services nor the event loop.

use crate::units::{SimDuration, SimTime};
use std::sync::Arc;

/// A rate in requests a second (or a factor, inside a product) as a function of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Curve {
    /// Always the same.
    Constant(f64),
    /// `before` until `at`, then `after`.
    Step {
        /// When it changes.
        at: SimTime,
        /// Value before.
        before: f64,
        /// Value from `at` on.
        after: f64,
    },
    /// Straight from `before` at `start` to `after` at `end`; constant outside.
    Ramp {
        /// Where the change begins.
        start: SimTime,
        /// Where it ends; later than `start`.
        end: SimTime,
        /// Value until `start`.
        before: f64,
        /// Value from `end` on.
        after: f64,
    },
    /// A cosine around `mean` with its maximum at `peak` of each period.
    Diurnal {
        /// Mean value.
        mean: f64,
        /// Half the distance between maximum and minimum, at most `mean`.
        amplitude: f64,
        /// When the first maximum is.
        peak: SimTime,
        /// Length of a day.
        period: SimDuration,
    },
    /// `base`, with a spike that rises straight to `peak`, holds, and falls straight again.
    Spike {
        /// Value outside the spike.
        base: f64,
        /// Value at its top.
        peak: f64,
        /// When it begins to rise.
        at: SimTime,
        /// How long it rises.
        rise: SimDuration,
        /// How long it stays at the top.
        hold: SimDuration,
        /// How long it falls.
        fall: SimDuration,
    },
    /// Straight lines between points of (time, value), constant before the first and after the
    /// last; sorted by time.
    Points(Arc<[(SimTime, f64)]>),
    /// A recorded trace: values of equal slots, each constant over its slot; 0 outside.
    Trace {
        /// When the first slot begins.
        start: SimTime,
        /// Length of a slot.
        slot: SimDuration,
        /// Values of the slots, requests a second.
        values: Arc<[f64]>,
    },
    /// All of them added.
    Sum(Vec<Curve>),
    /// All of them multiplied.
    Product(Vec<Curve>),
}

impl Curve {
    /// The value at `t`; never negative.
    pub fn at(&self, t: SimTime) -> f64 {
        let value = match self {
            Curve::Constant(value) => *value,
            Curve::Step { at, before, after } => {
                if t < *at {
                    *before
                } else {
                    *after
                }
            }
            Curve::Ramp { start, end, before, after } => line(t, (*start, *before), (*end, *after)),
            Curve::Diurnal { mean, amplitude, peak, period } => {
                let phase = (t.as_secs_f64() - peak.as_secs_f64()) / period.as_secs_f64();
                mean + amplitude * libm::cos(phase * std::f64::consts::TAU)
            }
            Curve::Spike { base, peak, at, rise, hold, fall } => {
                let top = *at + *rise;
                let end = top + *hold;
                let up = line(t, (*at, *base), (top, *peak));
                let down = line(t, (end, *peak), (end + *fall, *base));
                if t < end { up } else { down }
            }
            Curve::Points(points) => at_points(points, t),
            Curve::Trace { start, slot, values } => at_trace(t, *start, *slot, values),
            Curve::Sum(curves) => curves.iter().map(|c| c.at(t)).sum(),
            Curve::Product(curves) => curves.iter().map(|c| c.at(t)).product(),
        };
        value.max(0.0)
    }

    /// The first instant after `t` at which a simulation that follows the curve in steps of
    /// `resolution` must look again; [`SimTime::NEVER`] when the value stays what it is.
    ///
    /// Jumps are met exactly; continuous change is followed on the grid of `resolution`. What
    /// does not change costs nothing (DESIGN rule 7).
    pub fn next_look(&self, t: SimTime, resolution: SimDuration) -> SimTime {
        let tick = || SimTime(t.0 + 1).next_on_grid(SimTime::ZERO, resolution);
        // Inside [from, to) the curve moves: the next tick, but never past its end.
        let moving = |from: SimTime, to: SimTime| {
            if t < from {
                from
            } else if t < to {
                tick().min(to)
            } else {
                SimTime::NEVER
            }
        };
        match self {
            Curve::Constant(_) => SimTime::NEVER,
            Curve::Step { at, .. } => {
                if t < *at {
                    *at
                } else {
                    SimTime::NEVER
                }
            }
            Curve::Ramp { start, end, .. } => moving(*start, *end),
            Curve::Diurnal { amplitude, .. } => {
                if *amplitude == 0.0 {
                    SimTime::NEVER
                } else {
                    tick()
                }
            }
            Curve::Spike { at, rise, hold, fall, .. } => {
                let top = *at + *rise;
                let down = top + *hold;
                moving(*at, top).min(moving(down, down + *fall))
            }
            Curve::Points(points) => match (points.first(), points.last()) {
                (Some(first), Some(last)) => moving(first.0, last.0),
                _ => SimTime::NEVER,
            },
            Curve::Trace { start, slot, values } => {
                let end = *start + *slot * values.len() as u64;
                if t >= end { SimTime::NEVER } else { SimTime(t.0 + 1).next_on_grid(*start, *slot) }
            }
            Curve::Sum(curves) | Curve::Product(curves) => {
                curves.iter().map(|c| c.next_look(t, resolution)).min().unwrap_or(SimTime::NEVER)
            }
        }
    }
}

/// The value at `t` on the line through two points, held outside of them.
fn line(t: SimTime, (t0, v0): (SimTime, f64), (t1, v1): (SimTime, f64)) -> f64 {
    if t <= t0 && t < t1 {
        v0
    } else if t >= t1 {
        v1
    } else {
        let share = t.since(t0).as_secs_f64() / t1.since(t0).as_secs_f64();
        v0 + (v1 - v0) * share
    }
}

fn at_points(points: &[(SimTime, f64)], t: SimTime) -> f64 {
    let after = points.partition_point(|(at, _)| *at <= t);
    match (after.checked_sub(1).map(|i| points[i]), points.get(after)) {
        (Some(left), Some(right)) => line(t, left, *right),
        (Some(last), None) => last.1,
        (None, Some(first)) => first.1,
        (None, None) => 0.0,
    }
}

fn at_trace(t: SimTime, start: SimTime, slot: SimDuration, values: &[f64]) -> f64 {
    if t < start || slot.0 == 0 {
        return 0.0;
    }
    let index = usize::try_from(t.since(start).0 / slot.0).unwrap_or(usize::MAX);
    values.get(index).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> SimTime = SimTime::from_secs;
    const D: fn(u64) -> SimDuration = SimDuration::from_secs;

    #[test]
    fn curves_have_their_values() {
        let ramp = Curve::Ramp { start: S(10), end: S(20), before: 1.0, after: 3.0 };
        let spike =
            Curve::Spike { base: 1.0, peak: 5.0, at: S(10), rise: D(4), hold: D(10), fall: D(8) };
        let day = Curve::Diurnal { mean: 10.0, amplitude: 4.0, peak: S(100), period: D(200) };
        let points = Curve::Points([(S(10), 1.0), (S(20), 2.0), (S(20), 7.0)].into());
        let trace = Curve::Trace { start: S(5), slot: D(10), values: [4.0, 6.0].into() };
        let rows = [
            (
                "a step has its old value just before",
                Curve::Step { at: S(5), before: 1.0, after: 2.0 },
                4,
                1.0,
            ),
            (
                "a step has its new value at its instant",
                Curve::Step { at: S(5), before: 1.0, after: 2.0 },
                5,
                2.0,
            ),
            (
                "a step at the start is over at once",
                Curve::Step { at: S(0), before: 1.0, after: 2.0 },
                0,
                2.0,
            ),
            ("a ramp is half way in its middle", ramp.clone(), 15, 2.0),
            ("a ramp holds its end", ramp.clone(), 99, 3.0),
            ("a spike rises", spike.clone(), 12, 3.0),
            ("a spike holds", spike.clone(), 20, 5.0),
            ("a spike falls", spike.clone(), 28, 3.0),
            ("a spike is over", spike.clone(), 32, 1.0),
            ("a spike has not begun", spike, 3, 1.0),
            ("a day is at its maximum", day.clone(), 100, 14.0),
            ("and half a day later at its minimum", day, 200, 6.0),
            ("points are joined by lines", points.clone(), 15, 1.5),
            ("two points at one instant are a jump", points, 20, 7.0),
            ("a trace holds its slot", trace.clone(), 14, 4.0),
            ("a trace goes on to the next slot", trace.clone(), 15, 6.0),
            ("a trace is silent after its end", trace.clone(), 25, 0.0),
            ("products multiply", Curve::Product(vec![ramp, Curve::Constant(2.0)]), 15, 4.0),
            (
                "sums add and nothing is negative",
                Curve::Sum(vec![Curve::Constant(-9.0), Curve::Constant(2.0)]),
                1,
                2.0,
            ),
        ];
        for (sentence, curve, at, expected) in rows {
            assert!((curve.at(S(at)) - expected).abs() < 1e-12, "{sentence}: {}", curve.at(S(at)));
        }
    }

    #[test]
    fn between_two_looks_a_piecewise_constant_curve_does_not_change() {
        let curve = Curve::Sum(vec![
            Curve::Step { at: S(7), before: 1.0, after: 2.0 },
            Curve::Trace { start: S(5), slot: D(10), values: [4.0, 6.0].into() },
        ]);
        let mut t = S(0);
        let mut looks = vec![];
        while curve.next_look(t, D(15)) != SimTime::NEVER {
            let next = curve.next_look(t, D(15));
            assert_eq!(curve.at(t), curve.at(SimTime(next.0 - 1)), "at {t}");
            t = next;
            looks.push(t.whole_secs());
        }
        assert_eq!(looks, [5, 7, 15, 25]);
    }

    #[test]
    fn a_ramp_is_followed_on_the_grid_and_ends_exactly() {
        let ramp = Curve::Ramp { start: S(10), end: S(40), before: 1.0, after: 3.0 };
        let mut t = S(0);
        let mut looks = vec![];
        while ramp.next_look(t, D(15)) != SimTime::NEVER {
            t = ramp.next_look(t, D(15));
            looks.push(t.whole_secs());
        }
        assert_eq!(looks, [10, 15, 30, 40]);
    }
}
