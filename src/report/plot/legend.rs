//! The legend of a panel: its caption and a sample of each layer, in lines above it.

use super::Format;
use super::frame::Frame;
use super::palette::{FAILED, INK, MUTED};
use super::panel::{Layer, Panel, Shape};
use super::sheet::{Sheet, at, failed, text_width};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use std::io;

/// Opacity of filled bands: what lies behind stays visible.
pub(super) const AREA_OPACITY: f64 = 0.72;
/// Opacity of the stretches of missed objective, behind everything.
pub(super) const MISSED_OPACITY: f64 = 0.11;
/// Width of the sample of a layer in the legend, points.
const SWATCH: i32 = 16;

/// An entry of a legend.
pub(super) struct Entry {
    text: String,
    swatch: Option<Swatch>,
}

#[derive(Clone, Copy)]
struct Swatch {
    color: RGBColor,
    /// Opacity of a filled one; `None`: a line.
    area: Option<f64>,
    dashed: bool,
}

impl Entry {
    fn of(layer: &Layer) -> Entry {
        let swatch = Swatch {
            color: layer.color,
            area: matches!(layer.shape, Shape::Area(_)).then_some(AREA_OPACITY),
            dashed: matches!(layer.shape, Shape::Dashed(_)),
        };
        Entry { text: layer.label.clone(), swatch: Some(swatch) }
    }

    fn missed() -> Entry {
        let swatch = Swatch { color: FAILED, area: Some(2.0 * MISSED_OPACITY), dashed: false };
        Entry { text: "objective missed".to_owned(), swatch: Some(swatch) }
    }

    fn width(&self, font: f64) -> i32 {
        let swatch = if self.swatch.is_some() { SWATCH + 5 } else { 0 };
        swatch + text_width(&self.text, font) + 16
    }
}

impl Swatch {
    fn draw(self, sheet: &Sheet<'_>, left: i32, middle: i32) -> io::Result<()> {
        let bar = |from: i32, to: i32, half: i32, style: ShapeStyle| {
            let corners = [at(left + from, middle - half), at(left + to, middle + half)];
            sheet.draw(&Rectangle::new(corners, style)).map_err(failed)
        };
        if let Some(opacity) = self.area {
            bar(0, SWATCH, 5, self.color.mix(opacity).filled())
        } else if self.dashed {
            bar(0, 6, 1, self.color.filled())?;
            bar(10, SWATCH, 1, self.color.filled())
        } else {
            bar(0, SWATCH, 1, self.color.filled())
        }
    }
}

impl Frame<'_> {
    /// The lines of a panel's legend: its caption, then its layers, broken where the width ends.
    pub(super) fn legend(&self, panel: &Panel, first: bool) -> Vec<Vec<Entry>> {
        let m = self.measures();
        let caption = Entry { text: panel.caption.to_owned(), swatch: None };
        let layers = panel.layers.iter().filter(|l| !l.label.is_empty()).map(Entry::of);
        let missed = (first && !self.missed.is_empty()).then(Entry::missed);
        let mut lines: Vec<Vec<Entry>> = vec![Vec::new()];
        let mut used = 0;
        for entry in std::iter::once(caption).chain(layers).chain(missed) {
            let width = entry.width(m.font);
            if used + width > m.width - m.right && used > 0 {
                lines.push(Vec::new());
                used = 0;
            }
            used += width;
            if let Some(line) = lines.last_mut() {
                line.push(entry);
            }
        }
        lines
    }

    pub(super) fn draw_legend_line(
        &self,
        sheet: &Sheet<'_>,
        top: i32,
        line: &[Entry],
    ) -> io::Result<()> {
        let m = self.measures();
        let mut left = if self.format == Format::Phone { 4 } else { 12 };
        for entry in line {
            let mut text_left = left;
            if let Some(swatch) = &entry.swatch {
                swatch.draw(sheet, left, top + m.font as i32 / 2 + 3)?;
                text_left += SWATCH + 5;
            }
            let color = if entry.swatch.is_some() { INK } else { MUTED };
            self.text(sheet, &entry.text, (text_left, top + 3), m.font, &color, HPos::Left)?;
            left += entry.width(m.font);
        }
        Ok(())
    }
}
