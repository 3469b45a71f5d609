//! How values are written in CSV files: one form for each, the same on every machine.
//!
//! Times are seconds since the start with as many decimals as they need, numbers are the shortest
//! text that reads back as the same number, and what does not apply is empty.

use crate::units::{SimDuration, SimTime};
use std::io::Write;

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

impl Cell<'_> {
    /// Writes it at the end of `bytes`, without anything around it.
    pub(super) fn append_to(self, bytes: &mut Vec<u8>) {
        match self {
            Cell::Text(text) => bytes.extend_from_slice(text.as_bytes()),
            Cell::Integer(n) => append_whole(bytes, n),
            Cell::Seconds(ns) => append_seconds(bytes, ns),
            Cell::Float(x) if x.is_finite() => {
                // Writing to a Vec does not fail.
                let _ = write!(bytes, "{x}");
            }
            Cell::Empty | Cell::Float(_) => {}
        }
    }
}

fn append_whole(bytes: &mut Vec<u8>, n: u64) {
    bytes.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

fn append_seconds(bytes: &mut Vec<u8>, ns: u64) {
    const SECOND: u64 = 1_000_000_000;
    let (whole, fraction) = (ns / SECOND, ns % SECOND);
    append_whole(bytes, whole);
    if fraction > 0 {
        // With a second more there is a digit in front of the nine.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(SECOND + fraction);
        bytes.push(b'.');
        bytes.extend_from_slice(digits[1..].trim_end_matches('0').as_bytes());
    }
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
        for (sentence, cell, expected) in rows {
            let mut bytes = Vec::new();
            cell.append_to(&mut bytes);
            assert_eq!(String::from_utf8(bytes).unwrap(), expected, "{sentence}");
        }
    }
}
