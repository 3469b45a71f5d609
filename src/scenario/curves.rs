//! Traffic: from shapes as written to curves.

use super::curve::Curve;
use super::resolve::Resolver;
use super::shapes::{PointFile, RateFile, ShapeFile, TraceFile};
use super::trace;
use super::value::Span;
use crate::units::{SimDuration, SimTime};

/// The highest rate, requests a second: above it, counts of a run lose their last digits.
const MOST: f64 = 1e12;

/// A number, not drowned in its digits.
fn told(value: f64) -> String {
    if value.abs() < MOST { value.to_string() } else { format!("{value:e}") }
}

impl Resolver<'_> {
    pub(super) fn curve(&mut self, given: &RateFile, path: &str) -> Option<Curve> {
        match given {
            RateFile::Constant(value) => {
                self.rate(*value, path);
                Some(Curve::Constant(*value))
            }
            RateFile::Shape(shape) => self.shape(shape, path),
        }
    }

    /// Rates, and the factors that they are multiplied by.
    fn rate(&mut self, value: f64, path: &str) {
        if !(0.0..=MOST).contains(&value) {
            self.error(path, format!("{} is no rate: between 0 and 1e12", told(value)), None);
        }
    }

    fn shape(&mut self, shape: &ShapeFile, path: &str) -> Option<Curve> {
        let mut found = Vec::new();
        if let Some(value) = shape.constant {
            self.rate(value, &format!("{path}.constant"));
            found.push(Curve::Constant(value));
        }
        if let Some(s) = &shape.step {
            self.rate(s.from, &format!("{path}.step.from"));
            self.rate(s.to, &format!("{path}.step.to"));
            found.push(Curve::Step { at: s.at.instant(), before: s.from, after: s.to });
        }
        if let Some(r) = &shape.ramp {
            self.rate(r.from, &format!("{path}.ramp.from"));
            self.rate(r.to, &format!("{path}.ramp.to"));
            if r.end.0 <= r.start.0 {
                self.error(&format!("{path}.ramp.end"), "must be after start", None);
            }
            let (start, end) = (r.start.instant(), r.end.instant());
            found.push(Curve::Ramp { start, end, before: r.from, after: r.to });
        }
        if let Some(d) = &shape.diurnal {
            self.rate(d.mean, &format!("{path}.diurnal.mean"));
            if !(d.amplitude >= 0.0 && d.amplitude <= d.mean) {
                let message = "must be between 0 and the mean: a rate can't be negative";
                self.error(&format!("{path}.diurnal.amplitude"), message, None);
            }
            let day = Span(SimDuration::from_secs(86_400));
            let period = d.period.unwrap_or(day).0;
            if period == SimDuration::ZERO {
                self.error(&format!("{path}.diurnal.period"), "must be longer than zero", None);
            }
            let (mean, amplitude, peak) = (d.mean, d.amplitude, d.peak.instant());
            found.push(Curve::Diurnal { mean, amplitude, peak, period });
        }
        if let Some(s) = &shape.spike {
            self.rate(s.base, &format!("{path}.spike.base"));
            self.rate(s.peak, &format!("{path}.spike.peak"));
            found.push(Curve::Spike {
                base: s.base,
                peak: s.peak,
                at: s.at.instant(),
                rise: s.rise.0,
                hold: s.hold.0,
                fall: s.fall.0,
            });
        }
        if let Some(points) = &shape.points {
            found.extend(self.points(points, &format!("{path}.points")));
        }
        if let Some(trace) = &shape.trace {
            found.extend(self.trace(trace, &format!("{path}.trace")));
        }
        if let Some(curves) = &shape.sum {
            found.push(Curve::Sum(self.curves(curves, &format!("{path}.sum"))));
        }
        if let Some(curves) = &shape.product {
            found.push(Curve::Product(self.curves(curves, &format!("{path}.product"))));
        }
        let given = shape.count();
        if given != 1 {
            let hint = "one of constant, step, ramp, diurnal, spike, points, trace, sum, product";
            self.error(path, format!("expected one shape, found {given}"), Some(hint.into()));
        }
        found.pop()
    }

    fn curves(&mut self, given: &[RateFile], path: &str) -> Vec<Curve> {
        let one = |(index, rate): (usize, &RateFile)| self.curve(rate, &format!("{path}[{index}]"));
        given.iter().enumerate().filter_map(one).collect()
    }

    fn points(&mut self, given: &[PointFile], path: &str) -> Option<Curve> {
        let points: Vec<(SimTime, f64)> = given.iter().map(|p| (p.at.instant(), p.value)).collect();
        for (index, pair) in points.windows(2).enumerate() {
            if pair[1].0 < pair[0].0 {
                let message = "points are in order of time";
                self.error(&format!("{path}[{}].at", index + 1), message, None);
            }
        }
        for (index, (_, value)) in points.iter().enumerate() {
            self.rate(*value, &format!("{path}[{index}].value"));
        }
        if points.is_empty() {
            self.error(path, "needs a point at least", None);
        }
        Some(Curve::Points(points.into()))
    }

    fn trace(&mut self, given: &TraceFile, path: &str) -> Option<Curve> {
        let file = self.folder.join(&given.file);
        let at = self.place(&format!("{path}.file"));
        let slot = given.slot.0;
        if slot == SimDuration::ZERO {
            self.error(&format!("{path}.slot"), "must be longer than zero", None);
            return None;
        }
        let scale = given.scale.unwrap_or(1.0);
        self.rate(scale, &format!("{path}.scale"));
        let shown = file.display().to_string();
        let bytes = self.sources.bytes(&file, &shown, Some(at))?;
        match trace::column(&bytes, &given.column, given.skip.unwrap_or(0)) {
            Ok(counts) => {
                let factor = scale / slot.as_secs_f64();
                let values: Vec<f64> = counts.into_iter().map(|count| count * factor).collect();
                let start = given.start.map_or(SimTime::ZERO, Span::instant);
                Some(Curve::Trace { start, slot, values: values.into() })
            }
            Err(error) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.sources.out.files.push((shown.clone(), text));
                self.sources.out.at(&shown, error.span, error.message, error.hint);
                None
            }
        }
    }
}
