//! Which Deployments failed requests, and when: a row per Deployment, darker where more failed.

use super::axis::{Unit, ValueAxis};
use super::frame::Frame;
use super::palette::{FAILURE_STEPS, INK, MUTED};
use super::sheet::{FINE, Measures, Sheet, at, failed, text_width};
use super::{Data, Format};
use crate::record::rows::WorkloadSample;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use std::io;

/// Rows at most: of more Deployments those that failed most are shown.
const MOST_ROWS: usize = 24;
/// Upper ends of the steps of the colour scale, as shares of requests; above the last is the last.
const STEPS: [f64; 4] = [0.001, 0.01, 0.1, 0.5];
/// Their names in the legend.
const STEP_NAMES: [&str; 5] = ["none", "to 1%", "to 10%", "to 50%", "more"];

/// One Deployment's failures over time.
struct Row<'a> {
    name: &'a str,
    failed: f64,
    /// Offered and failed in each span of time.
    spans: Vec<(f64, f64)>,
}

/// Heights in points.
#[derive(Clone, Copy)]
struct Layout {
    /// Of a row, its name included where that stands above.
    row: i32,
    /// Of the name above a row; 0 where names stand beside.
    name: i32,
    /// Where time begins.
    left: i32,
}

pub(super) fn svg(data: &Data<'_>, frame: &Frame<'_>) -> io::Result<String> {
    let m = frame.measures();
    let phone = frame.format == Format::Phone;
    // No more spans than samples, or some would have none.
    let most = data.results.cluster.len().max(1);
    let rows = rows(data, most.min(if phone { 56 } else { 144 }));
    let layout = if phone {
        Layout { row: 34, name: 17, left: 18 }
    } else {
        let names = rows.iter().map(|r| text_width(r.name, m.font)).max().unwrap_or(0);
        Layout { row: 23, name: 0, left: (names + 24).clamp(m.left, m.width / 2) }
    };
    let frame = Frame { left: layout.left, ..*frame };
    let body = layout.row * rows.len().max(1) as i32;
    let height = m.title + 3 * m.line + body + 4;
    frame.on_sheet(height, "Share of failed requests of each service over time", |sheet| {
        draw_legend(&frame, sheet, m)?;
        frame.draw_mark_numbers(sheet, m.title + m.line)?;
        let top = m.title + 2 * m.line - 2;
        draw_names(&frame, sheet, &rows, layout, top)?;
        let size = (m.width * FINE, (body + m.line) * FINE);
        let area = sheet.clone().shrink(at(0, top), size);
        draw_cells(&frame, &area, &rows, layout, data.end_s)
    })
}

/// The Deployments in the scenario's order; of too many those that failed most.
fn rows<'a>(data: &Data<'a>, spans: usize) -> Vec<Row<'a>> {
    let name = |name: &'a String| Row { name, failed: 0.0, spans: vec![(0.0, 0.0); spans] };
    let mut rows: Vec<Row<'a>> = data.results.names.iter().map(name).collect();
    for sample in data.results.workloads {
        if let Some(row) = rows.get_mut(sample.workload) {
            row.failed += sample.failed;
            let span = &mut row.spans[span_of(sample, data.end_s, spans)];
            span.0 += sample.offered;
            span.1 += sample.failed;
        }
    }
    if rows.len() > MOST_ROWS {
        let mut by_failed: Vec<usize> = (0..rows.len()).collect();
        by_failed.sort_by(|&a, &b| rows[b].failed.total_cmp(&rows[a].failed));
        by_failed.truncate(MOST_ROWS);
        let mut index = 0;
        rows.retain(|_| {
            index += 1;
            by_failed.contains(&(index - 1))
        });
    }
    rows
}

/// The span in which the sample's interval has its middle.
fn span_of(sample: &WorkloadSample, end_s: f64, spans: usize) -> usize {
    let middle = sample.time.as_secs_f64() - sample.interval.as_secs_f64() / 2.0;
    ((middle / end_s * spans as f64) as usize).min(spans - 1)
}

/// The step of the colour scale; `None`: no requests.
fn step((offered, failed): (f64, f64)) -> Option<usize> {
    let share = failed / offered;
    (offered > 0.0).then(|| STEPS.iter().filter(|end| share > **end).count())
}

fn draw_legend(frame: &Frame<'_>, sheet: &Sheet<'_>, m: Measures) -> io::Result<()> {
    let mut left = if frame.format == Format::Phone { 4 } else { 12 };
    let caption = if frame.format == Format::Phone { "failed" } else { "requests failed" };
    frame.text(sheet, caption, (left, m.title + 3), m.font, &MUTED, HPos::Left)?;
    left += text_width(caption, m.font) + 14;
    let gap = if frame.format == Format::Phone { 5 } else { 14 };
    for (color, name) in FAILURE_STEPS.iter().zip(STEP_NAMES) {
        let middle = m.title + m.font as i32 / 2 + 3;
        let corners = [at(left, middle - 5), at(left + 11, middle + 5)];
        sheet.draw(&Rectangle::new(corners, color.filled())).map_err(failed)?;
        frame.text(sheet, name, (left + 15, m.title + 3), m.font, &INK, HPos::Left)?;
        left += 15 + text_width(name, m.font) + gap;
    }
    Ok(())
}

fn draw_names(
    frame: &Frame<'_>,
    sheet: &Sheet<'_>,
    rows: &[Row<'_>],
    layout: Layout,
    top: i32,
) -> io::Result<()> {
    let m = frame.measures();
    let room = if layout.name > 0 { m.width - 20 } else { layout.left - 20 };
    for (index, row) in (0..).zip(rows) {
        let name = shortened(row.name, room, m.font);
        let y = top + index * layout.row;
        if layout.name > 0 {
            frame.text(sheet, &name, (layout.left, y + 2), m.font, &INK, HPos::Left)?;
        } else {
            frame.text(sheet, &name, (layout.left - 8, y + 5), m.font, &INK, HPos::Right)?;
        }
    }
    Ok(())
}

/// The end of `name` that has room: what tells Deployments apart stands last.
fn shortened(name: &str, room: i32, font: f64) -> String {
    if text_width(name, font) <= room {
        return name.to_owned();
    }
    let tails = name.char_indices().map(|(from, _)| format!("\u{2026}{}", &name[from..]));
    tails.skip(1).find(|tail| text_width(tail, font) <= room).unwrap_or_default()
}

fn draw_cells(
    frame: &Frame<'_>,
    area: &Sheet<'_>,
    rows: &[Row<'_>],
    layout: Layout,
    end_s: f64,
) -> io::Result<()> {
    let high = f64::from(layout.row);
    let max = high * rows.len().max(1) as f64;
    let values = ValueAxis { min: 0.0, max, log: false, unit: Unit::Amount, most_labels: 0 };
    let mut chart = frame.chart(area, values, frame.measures().line)?;
    for (index, row) in rows.iter().enumerate() {
        let above = max - high * index as f64 - f64::from(layout.name) - 2.0;
        let below = max - high * (index + 1) as f64 + 1.0;
        let seconds = end_s / row.spans.len() as f64;
        let steps: Vec<(usize, Option<usize>)> =
            row.spans.iter().map(|s| step(*s)).enumerate().collect();
        // Neighbours of one colour are one rectangle.
        let cells = steps.chunk_by(|a, b| a.1 == b.1).filter_map(|run| {
            let color = FAILURE_STEPS[run[0].1?];
            let (from, until) = (run[0].0, run[run.len() - 1].0 + 1);
            let corners = [(from as f64 * seconds, below), (until as f64 * seconds, above)];
            Some(Rectangle::new(corners, color.filled()))
        });
        chart.draw_series(cells).map_err(failed)?;
        frame.draw_mark_lines(&mut chart, below..above)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_steps() {
        let rows = [
            ("no requests have no colour", (0.0, 0.0), None),
            ("none failed", (1000.0, 0.0), Some(0)),
            ("a thousandth is as good as none", (1000.0, 1.0), Some(0)),
            ("one percent", (100.0, 1.0), Some(1)),
            ("more than half", (100.0, 51.0), Some(4)),
        ];
        for (sentence, span, expected) in rows {
            assert_eq!(step(span), expected, "{sentence}");
        }
    }

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(shortened("shop/web", 200, 14.0), "shop/web");
        let tail = shortened("a-very-long-namespace/checkout", 80, 14.0);
        assert_eq!(tail, "\u{2026}/checkout");
        assert!(text_width(&tail, 14.0) <= 80);
    }
}
