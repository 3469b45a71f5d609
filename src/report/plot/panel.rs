//! What a plot shows, as data: panels of layers over time. It does not know how they are drawn.

use super::axis::{Unit, ValueAxis};
use plotters::style::RGBColor;

/// Values over time: seconds since the start, and the value; NaN where there is none.
pub(super) type Points = Vec<(f64, f64)>;

/// One picture over the shared time axis.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// What is measured, with its unit.
    pub(super) caption: &'static str,
    /// The vertical axis.
    pub(super) scale: Scale,
    /// Its part of the height, relative to the other panels.
    pub(super) weight: u32,
    /// From the back to the front.
    pub(super) layers: Vec<Layer>,
}

/// The vertical axis of a panel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scale {
    /// From 0 to about this value.
    Linear(f64, Unit),
    /// Between these values, equal distances being equal ratios.
    Log(f64, f64, Unit),
}

impl Scale {
    /// The axis, with room for `most_labels`.
    pub(super) fn axis(self, most_labels: usize) -> ValueAxis {
        match self {
            Scale::Linear(max, unit) => ValueAxis::linear(max, unit, most_labels),
            Scale::Log(min, max, unit) => ValueAxis::logarithmic(min, max, unit),
        }
    }
}

/// Something drawn in a panel, with its entry in the legend.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// Its name in the legend.
    pub(super) label: String,
    /// Its colour.
    pub(super) color: RGBColor,
    /// Its shape.
    pub(super) shape: Shape,
}

/// The shape of a layer.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Filled between two lines.
    Area(Band),
    /// A line.
    Line(Points),
    /// A broken line.
    Dashed(Points),
}

/// A filled band; both lines have the same times.
#[derive(Clone, Debug)]
pub(super) struct Band {
    /// Its lower edge.
    pub(super) lower: Points,
    /// Its upper edge.
    pub(super) upper: Points,
}

impl Layer {
    /// A line through `points`.
    pub(super) fn line(label: &str, color: RGBColor, points: Points) -> Layer {
        Layer { label: label.to_owned(), color, shape: Shape::Line(points) }
    }

    /// A broken line through `points`.
    pub(super) fn dashed(label: &str, color: RGBColor, points: Points) -> Layer {
        Layer { label: label.to_owned(), color, shape: Shape::Dashed(points) }
    }
}

/// Bands that stand on one another, from below.
pub(super) fn stack(layers: Vec<(&str, RGBColor, Points)>) -> Vec<Layer> {
    let mut lower: Option<Points> = None;
    let mut stacked = Vec::with_capacity(layers.len());
    for (label, color, points) in layers {
        let ground = lower.unwrap_or_else(|| points.iter().map(|(t, _)| (*t, 0.0)).collect());
        let on_ground = ground.iter().zip(&points).map(|((t, below), (_, v))| (*t, below + v));
        let upper: Points = on_ground.collect();
        let shape = Shape::Area(Band { lower: ground, upper: upper.clone() });
        stacked.push(Layer { label: label.to_owned(), color, shape });
        lower = Some(upper);
    }
    stacked
}

/// Largest finite value; 0 when there is none.
pub(super) fn highest<'p>(points: impl IntoIterator<Item = &'p (f64, f64)>) -> f64 {
    points.into_iter().map(|(_, v)| *v).filter(|v| v.is_finite()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::palette;

    #[test]
    fn bands_stand_on_one_another() {
        let layers = stack(vec![
            ("a", palette::READY, vec![(0.0, 1.0), (1.0, 2.0)]),
            ("b", palette::FAILED, vec![(0.0, 10.0), (1.0, 0.0)]),
        ]);
        let Shape::Area(b) = &layers[1].shape else { panic!("an area") };
        assert_eq!(b.lower, [(0.0, 1.0), (1.0, 2.0)]);
        assert_eq!(b.upper, [(0.0, 11.0), (1.0, 2.0)]);
    }
}
