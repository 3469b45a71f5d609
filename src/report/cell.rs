//! How values are written in CSV files: one form for each, the same on every machine.
//!
//! Times are seconds since the start with as many decimals as they need, numbers are the shortest
//! text that reads back as the same number, and what does not apply is empty.

use crate::units::{SimDuration, SimTime};
use std::fmt::Write;

/// A value of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// Does not apply.
    Empty,
    /// A whole number.
    Integer(u64),
    /// Any other number; written empty when it is not finite.
    Float(f64),
    /// Seconds, from nanoseconds.
    Seconds(u64),
    /// A text.
    Text(&'a str),
}

impl From<SimTime> for Cell<'_> {
    fn from(time: SimTime) -> Self {
        Cell::Seconds(time.0)
    }
}

impl From<SimDuration> for Cell<'_> {
    fn from(length: SimDuration) -> Self {
        Cell::Seconds(length.0)
    }
}

impl From<f64> for Cell<'_> {
    fn from(x: f64) -> Self {
        Cell::Float(x)
    }
}

impl From<u32> for Cell<'_> {
    fn from(n: u32) -> Self {
        Cell::Integer(u64::from(n))
    }
}

impl From<u64> for Cell<'_> {
    fn from(n: u64) -> Self {
        Cell::Integer(n)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Cell::Text(text)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Empty, Into::into)
    }
}

/// Turns cells into text; keeps its memory between rows.
#[derive(Debug, Default)]
pub(super) struct CellText(String);

impl CellText {
    /// The text of `cell`.
    pub(super) fn of<'t>(&'t mut self, cell: Cell<'t>) -> &'t str {
        self.0.clear();
        // Writing to a String does not fail.
        let _ = match cell {
            Cell::Empty => Ok(()),
            Cell::Text(text) => return text,
            Cell::Integer(n) => return self.whole(n),
            Cell::Float(x) if x.is_finite() => write!(self.0, "{x}"),
            Cell::Float(_) => Ok(()),
            Cell::Seconds(ns) => return self.seconds(ns),
        };
        &self.0
    }

    fn whole(&mut self, n: u64) -> &str {
        self.0.push_str(itoa::Buffer::new().format(n));
        &self.0
    }

    fn seconds(&mut self, ns: u64) -> &str {
        const SECOND: u64 = 1_000_000_000;
        let (whole, fraction) = (ns / SECOND, ns % SECOND);
        self.whole(whole);
        if fraction > 0 {
            // With a second more there is a digit in front of the nine.
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(SECOND + fraction);
            self.0.push('.');
            self.0.push_str(digits[1..].trim_end_matches('0'));
        }
        &self.0
    }
}

/// The system's error inside an error of the csv crate, whose own conversion hides its kind.
pub(super) fn io_error(error: csv::Error) -> std::io::Error {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(e) => e,
        _ => std::io::Error::other(text),
    }
}

/// Writes one row of `cells`.
pub(super) fn write_row<'a, W: std::io::Write>(
    csv: &mut csv::Writer<W>,
    text: &mut CellText,
    cells: impl IntoIterator<Item = Cell<'a>>,
) -> std::io::Result<()> {
    for cell in cells {
        csv.write_field(text.of(cell)).map_err(io_error)?;
    }
    csv.write_record(None::<&[u8]>).map_err(io_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_read_back_as_what_they_are() {
        let rows = [
            ("what does not apply is empty", Cell::Empty, ""),
            ("whole numbers are plain", Cell::Integer(12_400), "12400"),
            ("whole floats have no point", Cell::Float(12_400.0), "12400"),
            ("floats are as short as they can be", Cell::Float(0.1), "0.1"),
            ("but lose nothing", Cell::Float(0.1 + 0.2), "0.30000000000000004"),
            ("what is no number is empty", Cell::Float(f64::NAN), ""),
            ("whole seconds are plain", Cell::Seconds(60_000_000_000), "60"),
            ("decimals are trimmed", Cell::Seconds(1_500_000_000), "1.5"),
            ("nanoseconds are kept", Cell::Seconds(1), "0.000000001"),
            ("an unknown time is empty", Cell::from(None::<SimTime>), ""),
        ];
        let mut text = CellText::default();
        for (sentence, cell, expected) in rows {
            assert_eq!(text.of(cell), expected, "{sentence}");
        }
    }
}
