//! A sheet to draw on: sizes, units, text. It does not know what is drawn.

use super::Format;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::io;

/// Device units per point of the drawing: the backend knows whole units only.
pub(super) const FINE: i32 = 2;
/// The backend divides sizes by this to get from a text's box to its font size.
pub(super) const BOX_PER_FONT: f64 = 1.24;
/// A part of the drawing.
pub(super) type Sheet<'b> = DrawingArea<SVGBackend<'b>, Shift>;

/// Lengths of a format, in points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measures {
    pub(super) width: i32,
    /// Height of all panels together, without legends.
    pub(super) panels: i32,
    pub(super) font: f64,
    pub(super) left: i32,
    pub(super) right: i32,
    pub(super) line: i32,
    pub(super) title: i32,
}

impl Measures {
    pub(super) fn of(format: Format) -> Measures {
        match format {
            Format::File => Measures {
                width: 960,
                panels: 330,
                font: 14.0,
                left: 62,
                right: 22,
                line: 24,
                title: 40,
            },
            Format::Banner => Measures { width: 1240, ..Measures::of(Format::Page) },
            Format::Page => {
                Measures { title: 0, width: 840, panels: 290, ..Measures::of(Format::File) }
            }
            Format::Phone => Measures {
                width: 340,
                panels: 210,
                font: 12.0,
                left: 52,
                right: 22,
                line: 19,
                title: 0,
            },
        }
    }
}

/// An error of the backend as one of input and output.
pub(super) fn failed<E: std::error::Error + Send + Sync>(
    error: DrawingAreaErrorKind<E>,
) -> io::Error {
    io::Error::other(error.to_string())
}

/// A place in points as one in device units.
pub(super) fn at(x: i32, y: i32) -> (i32, i32) {
    (x * FINE, y * FINE)
}

pub(super) fn font_style(font: f64, color: &RGBColor) -> TextStyle<'static> {
    ("sans-serif", font * f64::from(FINE) * BOX_PER_FONT).into_font().color(color)
}

/// About the width of `text` in points, in the usual sans-serif fonts.
pub(super) fn text_width(text: &str, font: f64) -> i32 {
    let share = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | '\'' | '|' => 0.25,
        'f' | 't' | 'r' | ' ' | '-' | '/' | '(' | ')' => 0.33,
        'm' | 'w' | 'M' | 'W' | '%' => 0.86,
        c if c.is_ascii_uppercase() => 0.70,
        _ => 0.57,
    };
    (text.chars().map(share).sum::<f64>() * font).ceil() as i32
}
