//! The plot of a plan: how many seeds meet the objective at each value, and what single runs
//! measured there.
//!
//! It is handed numbers. Both panels share the axis of values.

use super::Format;
use super::axis::{Unit, ValueAxis};
use super::frame::Frame;
use super::legend::AREA_OPACITY;
use super::palette::{CAPACITY, COMING, FAILED, GRID, INK, LIMIT, MUTED, READY};
use super::panel::{Band, Layer, Panel, Points, Scale, Shape, highest};
use super::sheet::{FINE, Measures, Sheet, at, failed, font_style};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::io;

/// What is drawn of a plan.
#[derive(Clone, Debug)]
pub(in crate::report) struct PlanPlot {
    /// What is varied, with its unit.
    pub(in crate::report) path: String,
    /// Values and the share of seeds that meet the objective there, with its interval; in order.
    pub(in crate::report) shares: Vec<Share>,
    /// Between two values it is as at the lower one; else as at the upper one.
    pub(in crate::report) holds_upwards: bool,
    /// Share of seeds that shall meet it.
    pub(in crate::report) meet: f64,
    /// The answer.
    pub(in crate::report) answer: Option<f64>,
    /// Its interval; an end that is not known is that of the axis.
    pub(in crate::report) interval: Option<(f64, f64)>,
    /// What the lower panel shows.
    pub(in crate::report) measure: &'static str,
    /// How that is written.
    pub(in crate::report) unit: Unit,
    /// Runs: value, what was measured, whether it met the objective.
    pub(in crate::report) runs: Vec<(f64, f64, bool)>,
    /// Bounds of the objective.
    pub(in crate::report) bounds: Vec<f64>,
}

/// The share of seeds at a value.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) struct Share {
    pub(in crate::report) value: f64,
    pub(in crate::report) share: f64,
    pub(in crate::report) low: f64,
    pub(in crate::report) high: f64,
}

/// Points that a label of the axis of values takes across.
const LABEL: f64 = 70.0;

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, ValueAxis>>;

impl PlanPlot {
    /// The picture as SVG.
    ///
    /// # Errors
    /// The drawing library failed; none is known to happen.
    pub(in crate::report) fn svg(&self, title: &str, format: Format) -> io::Result<String> {
        let m = Measures::of(format);
        let frame = Frame { title, format, left: m.left, end_s: 1.0, marks: &[], missed: &[] };
        let panels = [self.upper(), self.lower()];
        let legends: Vec<_> = panels.iter().map(|panel| frame.legend(panel, false)).collect();
        let lines: usize = legends.iter().map(Vec::len).sum();
        let height = m.title + m.line * (lines as i32 + 2) + m.panels + 36;
        let alt = format!("share of seeds that meet the objective, and runs, by {}", self.path);
        frame.on_sheet(height, &alt, |sheet| {
            let mut top = m.title;
            let high = m.panels / 2;
            for (index, (panel, legend)) in panels.iter().zip(&legends).enumerate() {
                for line in legend {
                    frame.draw_legend_line(sheet, top, line)?;
                    top += m.line;
                }
                top += 6;
                let labels = if index == 1 { m.line } else { 0 };
                let area =
                    sheet.clone().shrink(at(0, top), (m.width * FINE, (high + labels) * FINE));
                self.draw(&area, panel, &frame, labels, index == 1)?;
                top += high + 12;
            }
            let place = (m.width - m.right, top + m.line - 6);
            let right = plotters::style::text_anchor::HPos::Right;
            frame.text(sheet, &self.path, place, m.font, &MUTED, right)
        })
    }

    fn upper(&self) -> Panel {
        let step = |value: fn(&Share) -> f64| -> Points { self.steps(value) };
        let (lower, upper) = (step(|s| s.low), step(|s| s.high));
        let (from, to) = self.ends();
        let band = Layer {
            label: "interval".to_owned(),
            color: COMING,
            shape: Shape::Area(Band { lower, upper }),
        };
        let wanted = vec![(from, self.meet), (to, self.meet)];
        let layers = vec![
            band,
            Layer::line("seeds that meet it", READY, step(|s| s.share)),
            Layer::dashed("wanted", LIMIT, wanted),
            Layer::line("answer and its interval", CAPACITY, Vec::new()),
        ];
        let scale = Scale::Linear(1.0, Unit::Share);
        Panel { caption: "Share of seeds", scale, weight: 1, layers }
    }

    fn lower(&self) -> Panel {
        let (from, to) = self.ends();
        let bound = |&bound: &f64| vec![(from, bound), (to, bound)];
        let mut layers: Vec<Layer> = vec![
            Layer::line("a run that meets it", READY, Vec::new()),
            Layer::line("a run that does not", FAILED, Vec::new()),
        ];
        for (i, points) in self.bounds.iter().map(bound).enumerate() {
            layers.push(Layer::dashed(if i == 0 { "bound" } else { "" }, LIMIT, points));
        }
        let runs: Points = self.runs.iter().map(|(value, y, _)| (*value, *y)).collect();
        let bounds: Points = self.bounds.iter().map(|y| (0.0, *y)).collect();
        let top = highest(runs.iter().chain(&bounds));
        Panel { caption: self.measure, scale: Scale::Linear(top, self.unit), weight: 1, layers }
    }

    /// The ends of the axis of values: all that was asked, with a margin.
    fn ends(&self) -> (f64, f64) {
        let values = || self.runs.iter().map(|(value, ..)| *value);
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        if !(low.is_finite() && high.is_finite()) {
            return (0.0, 1.0);
        }
        let margin = ((high - low) * 0.03).max(high.abs() * 0.005).max(0.01);
        (low - margin, high + margin)
    }

    /// A line of steps between the values.
    fn steps(&self, height: fn(&Share) -> f64) -> Points {
        let mut points = Points::new();
        for share in &self.shares {
            if let Some(&(value, before)) = points.last() {
                let corner = match self.holds_upwards {
                    true => (share.value, before),
                    false => (value, height(share)),
                };
                points.push(corner);
            }
            points.push((share.value, height(share)));
        }
        points
    }

    fn draw(
        &self,
        area: &Sheet<'_>,
        panel: &Panel,
        frame: &Frame<'_>,
        labels: i32,
        with_runs: bool,
    ) -> io::Result<()> {
        let m = frame.measures();
        let values = panel.scale.axis((m.panels / 2 / 34).max(2) as usize);
        let (from, to) = self.ends();
        let mut chart = ChartBuilder::on(area)
            .margin_right(m.right * FINE)
            .set_label_area_size(LabelAreaPosition::Left, m.left * FINE)
            .set_label_area_size(LabelAreaPosition::Bottom, labels * FINE)
            .build_cartesian_2d(from..to, values)
            .map_err(failed)?;
        let write = |v: &f64| plotters::coord::ranged1d::ValueFormatter::format_ext(&values, v);
        let most_labels = (f64::from(m.width - m.left) / LABEL).max(2.0) as usize;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(most_labels)
            .bold_line_style(GRID.stroke_width(FINE as u32))
            .light_line_style(TRANSPARENT)
            .axis_style(GRID.stroke_width(FINE as u32))
            .label_style(font_style(m.font, &MUTED))
            .x_label_formatter(&|x: &f64| number(*x))
            .y_label_formatter(&write)
            .draw()
            .map_err(failed)?;
        self.draw_answer(&mut chart)?;
        panel.layers.iter().try_for_each(|layer| draw_layer(&mut chart, layer))?;
        if with_runs {
            let dot = |(x, y, met): &(f64, f64, bool)| {
                let color = if *met { READY } else { FAILED };
                Circle::new((*x, *y), 3 * FINE, color.mix(AREA_OPACITY).filled())
            };
            chart.draw_series(self.runs.iter().map(dot)).map_err(failed)?;
        }
        let ground = [(from, values.min), (to, values.min)];
        let ground = PathElement::new(ground, INK.stroke_width(FINE as u32));
        chart.draw_series([ground]).map_err(failed)?;
        Ok(())
    }

    /// The answer, and its interval behind it.
    fn draw_answer(&self, chart: &mut Chart<'_, '_>) -> io::Result<()> {
        let range = chart.y_range();
        if let Some((low, high)) = self.interval {
            let (from, to) = self.ends();
            let corners = [(low.max(from), range.start), (high.min(to), range.end)];
            let shade = Rectangle::new(corners, CAPACITY.mix(0.13).filled());
            chart.draw_series([shade]).map_err(failed)?;
        }
        if let Some(answer) = self.answer {
            let line = [(answer, range.start), (answer, range.end)];
            let line = PathElement::new(line, CAPACITY.stroke_width(2 * FINE as u32));
            chart.draw_series([line]).map_err(failed)?;
        }
        Ok(())
    }
}

fn draw_layer(chart: &mut Chart<'_, '_>, layer: &Layer) -> io::Result<()> {
    let stroke = layer.color.stroke_width(2 * FINE as u32);
    match &layer.shape {
        Shape::Area(band) => {
            let mut outline = band.upper.clone();
            outline.extend(band.lower.iter().rev());
            let fill = layer.color.mix(0.35);
            chart.draw_series([Polygon::new(outline, fill)]).map_err(failed)?;
        }
        Shape::Line(points) => {
            chart.draw_series([PathElement::new(points.clone(), stroke)]).map_err(failed)?;
        }
        Shape::Dashed(points) => {
            let dashes = DashedLineSeries::new(points.clone(), 7 * FINE, 5 * FINE, stroke);
            chart.draw_series(dashes).map_err(failed)?;
        }
    }
    Ok(())
}

/// A number of the axis, with no more decimals than it has.
fn number(x: f64) -> String {
    let text = format!("{x:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
