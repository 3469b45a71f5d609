//! Draws panels: axes, layers, the stretches of missed objective and the turning points.
//!
//! It does not know what the panels mean. Texts are plain SVG text, whose width is estimated:
//! no font is needed to draw, and the bytes are the same everywhere.

use super::axis::{TimeAxis, ValueAxis};
use super::legend::{AREA_OPACITY, Entry, MISSED_OPACITY};
use super::palette::{FAILED, GRID, INK, MARK, MUTED, PAPER};
use super::panel::{Layer, Panel, Points, Shape};
use super::sheet::{BOX_PER_FONT, FINE, Measures, Sheet, at, failed, font_style};
use super::{Format, thin};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::io;
use std::ops::Range;

/// Points between the legend of a lower panel and its topmost label.
const AIR: i32 = 6;
/// Points between panels: the topmost label of one needs some of them.
const GAP: i32 = 16;

/// A panel's axes, ready to be drawn on.
pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<TimeAxis, ValueAxis>>;

/// What all panels of a plot share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    /// Title of the plot.
    pub(super) title: &'a str,
    /// What it is drawn for.
    pub(super) format: Format,
    /// Where time begins, points from the left.
    pub(super) left: i32,
    /// Right end of the time axis, seconds.
    pub(super) end_s: f64,
    /// Times of the turning points, seconds, in order; they are numbered from 1.
    pub(super) marks: &'a [f64],
    /// Stretches in which the objective was missed: from and until, seconds.
    pub(super) missed: &'a [(f64, f64)],
}

impl Frame<'_> {
    pub(super) fn measures(&self) -> Measures {
        Measures::of(self.format)
    }

    /// The picture of `panels` as SVG; `alt` says in words what it shows.
    pub(super) fn svg(&self, panels: &[Panel], alt: &str) -> io::Result<String> {
        let m = self.measures();
        let legends: Vec<Vec<Vec<Entry>>> =
            panels.iter().enumerate().map(|(i, p)| self.legend(p, i == 0)).collect();
        let legend_lines: usize = legends.iter().map(Vec::len).sum();
        let gaps = (GAP + AIR) * (panels.len() as i32 - 1);
        let height = m.title + m.line * (legend_lines as i32 + 2) + m.panels + gaps;
        self.on_sheet(height, alt, |sheet| {
            let weights: u32 = panels.iter().map(|p| p.weight).sum();
            let mut top = m.title;
            for (index, (panel, legend)) in panels.iter().zip(&legends).enumerate() {
                for line in legend {
                    self.draw_legend_line(sheet, top, line)?;
                    top += m.line;
                }
                if index == 0 {
                    self.draw_mark_numbers(sheet, top)?;
                    top += m.line - 2;
                } else {
                    top += AIR;
                }
                let last = index + 1 == panels.len();
                let labels = if last { m.line } else { 0 };
                let high = m.panels * panel.weight as i32 / weights.max(1) as i32;
                let area =
                    sheet.clone().shrink(at(0, top), (m.width * FINE, (high + labels) * FINE));
                self.draw_panel(&area, panel, high, labels)?;
                top += high + GAP;
            }
            Ok(())
        })
    }

    /// An empty sheet of the frame's width with its title, filled by `draw`.
    pub(super) fn on_sheet(
        &self,
        height: i32,
        alt: &str,
        draw: impl FnOnce(&Sheet<'_>) -> io::Result<()>,
    ) -> io::Result<String> {
        let m = self.measures();
        let mut svg = String::new();
        {
            let size = ((m.width * FINE) as u32, (height * FINE) as u32);
            let sheet = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            if self.format == Format::File {
                sheet.fill(&PAPER).map_err(failed)?;
                let style = ("sans-serif", 17.0 * f64::from(FINE) * BOX_PER_FONT, FontStyle::Bold);
                let style = style.into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Top));
                sheet.draw_text(self.title, &style, at(12, 12)).map_err(failed)?;
            }
            draw(&sheet)?;
            sheet.present().map_err(failed)?;
        }
        Ok(self.with_head(svg, m.width, height, alt))
    }

    /// Replaces the backend's opening tag by one that scales and speaks.
    fn with_head(&self, svg: String, width: i32, height: i32, alt: &str) -> String {
        let body = svg.split_once('>').map_or("", |(_, body)| body);
        let size = match self.format {
            Format::File => format!(" width=\"{width}\" height=\"{height}\""),
            _ => String::new(),
        };
        let (w, h) = (width * FINE, height * FINE);
        let alt = super::super::html::escape(alt);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\"{size} viewBox=\"0 0 {w} {h}\" role=\"img\" \
             aria-label=\"{alt}\">{body}"
        )
    }

    /// Writes `text` at `place` (points; its top, and left end, middle or right end).
    pub(super) fn text(
        &self,
        sheet: &Sheet<'_>,
        text: &str,
        place: (i32, i32),
        font: f64,
        color: &RGBColor,
        h_pos: HPos,
    ) -> io::Result<()> {
        let style = font_style(font, color).pos(Pos::new(h_pos, VPos::Top));
        sheet.draw_text(text, &style, at(place.0, place.1)).map_err(failed)
    }

    fn draw_panel(
        &self,
        area: &Sheet<'_>,
        panel: &Panel,
        high: i32,
        labels: i32,
    ) -> io::Result<()> {
        let mut chart = self.chart(area, panel.scale.axis((high / 34).max(2) as usize), labels)?;
        self.draw_missed(&mut chart)?;
        for layer in &panel.layers {
            self.draw_layer(&mut chart, layer)?;
        }
        let range = chart.y_range();
        self.draw_mark_lines(&mut chart, range)?;
        // The ground line is in front of what stands on it.
        let ground = chart.y_range().start;
        let line = [(0.0, ground), (self.end_s, ground)];
        let line = PathElement::new(line, MUTED.stroke_width(FINE as u32));
        chart.draw_series([line]).map_err(failed)?;
        Ok(())
    }

    /// A chart with grid and labels, over the whole of `area`; `labels` points below are for the
    /// times, 0: none.
    pub(super) fn chart<'a, 'b>(
        &self,
        area: &'a Sheet<'b>,
        values: ValueAxis,
        labels: i32,
    ) -> io::Result<Chart<'a, 'b>> {
        let m = self.measures();
        let most_labels = ((m.width - self.left - m.right) / (m.font * 5.2) as i32).max(2) as usize;
        let times = TimeAxis { end_s: self.end_s, most_labels };
        let mut chart = ChartBuilder::on(area)
            .margin_right(m.right * FINE)
            .set_label_area_size(LabelAreaPosition::Left, self.left * FINE)
            .set_label_area_size(LabelAreaPosition::Bottom, labels * FINE)
            .build_cartesian_2d(times, values)
            .map_err(failed)?;
        let write_time = |t: &f64| plotters::coord::ranged1d::ValueFormatter::format_ext(&times, t);
        let write_value =
            |v: &f64| plotters::coord::ranged1d::ValueFormatter::format_ext(&values, v);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(GRID.stroke_width(FINE as u32))
            .light_line_style(TRANSPARENT)
            .axis_style(GRID.stroke_width(FINE as u32))
            .label_style(font_style(m.font, &MUTED))
            .x_label_formatter(&write_time)
            .y_label_formatter(&write_value)
            .draw()
            .map_err(failed)?;
        Ok(chart)
    }

    fn draw_missed(&self, chart: &mut Chart<'_, '_>) -> io::Result<()> {
        let range = chart.y_range();
        let shades = self.missed.iter().map(|(from, until)| {
            Rectangle::new(
                [(*from, range.start), (*until, range.end)],
                FAILED.mix(MISSED_OPACITY).filled(),
            )
        });
        chart.draw_series(shades).map_err(failed)?;
        Ok(())
    }

    fn draw_layer(&self, chart: &mut Chart<'_, '_>, layer: &Layer) -> io::Result<()> {
        let buckets = (self.measures().width as usize).min(620);
        let stroke = layer.color.stroke_width(2 * FINE as u32);
        match &layer.shape {
            Shape::Area(band) => {
                let band = thin::band(band, self.end_s, buckets);
                let mut outline = band.upper;
                outline.extend(band.lower.into_iter().rev());
                let fill = layer.color.mix(AREA_OPACITY);
                chart.draw_series([Polygon::new(outline, fill)]).map_err(failed)?;
            }
            Shape::Line(points) => {
                for run in runs(points) {
                    let thin = thin::line(run, self.end_s, buckets);
                    chart.draw_series([PathElement::new(thin, stroke)]).map_err(failed)?;
                }
            }
            Shape::Dashed(points) => {
                for run in runs(points) {
                    let thin = thin::line(run, self.end_s, buckets);
                    let dashes = DashedLineSeries::new(thin, 7 * FINE, 5 * FINE, stroke);
                    chart.draw_series(dashes).map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    /// Lines at the turning points, over the given `range` of values.
    pub(super) fn draw_mark_lines(
        &self,
        chart: &mut Chart<'_, '_>,
        range: Range<f64>,
    ) -> io::Result<()> {
        let style = MARK.mix(0.8).stroke_width(FINE as u32);
        let line = |t: &f64| PathElement::new([(*t, range.start), (*t, range.end)], style);
        chart.draw_series(self.marks.iter().map(line)).map_err(failed)?;
        Ok(())
    }

    /// The numbers of the turning points above the first panel; near ones share a label.
    pub(super) fn draw_mark_numbers(&self, sheet: &Sheet<'_>, top: i32) -> io::Result<()> {
        let m = self.measures();
        let wide = f64::from(m.width - self.left - m.right);
        let place = |t: &f64| f64::from(self.left) + t / self.end_s * wide;
        let font = m.font - 1.0;
        let near = font * 2.0;
        let places: Vec<f64> = self.marks.iter().map(place).collect();
        let mut number = 1;
        for group in places.chunk_by(|a, b| b - a < near) {
            let last = number + group.len() - 1;
            let label = match group.len() {
                1 => number.to_string(),
                2 => format!("{number},{last}"),
                _ => format!("{number}\u{2013}{last}"),
            };
            let middle = (group[0] + group[group.len() - 1]) / 2.0;
            self.text(sheet, &label, (middle as i32, top + 2), font, &MUTED, HPos::Center)?;
            number = last + 1;
        }
        Ok(())
    }
}

/// The stretches of `points` that have values.
fn runs(points: &Points) -> impl Iterator<Item = &[(f64, f64)]> {
    points.split(|(_, v)| !v.is_finite()).filter(|run| !run.is_empty())
}
