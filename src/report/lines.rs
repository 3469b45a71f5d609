//! Rows of CSV files as the csv crate writes them, byte for byte, in a fifth of its time.
//!
//! Events are most of what a run writes, and the crate's writer goes through each field byte by
//! byte: that was a tenth of a launch. Here a text without anything to quote is copied as it is. A
//! test holds the two against each other. It does not know what a row means.

use super::cell::Cell;
use memchr::{memchr, memchr_iter, memchr3};
use std::io::{self, Write};

/// Bytes gathered before they are handed on.
const BLOCK: usize = 1 << 15;

/// Texts of fewer bytes are gone through byte by byte.
const SHORT: usize = 32;

/// Writes rows to `out`.
#[derive(Debug)]
pub(super) struct Lines<W: Write> {
    out: W,
    bytes: Vec<u8>,
}

impl<W: Write> Lines<W> {
    /// No rows so far.
    pub(super) fn new(out: W) -> Lines<W> {
        Lines { out, bytes: Vec::with_capacity(BLOCK + 1024) }
    }

    /// One row.
    ///
    /// # Errors
    /// What `out` says; the rows gathered so far are then lost.
    pub(super) fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) -> io::Result<()> {
        let start = self.bytes.len();
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.bytes.push(b',');
            }
            match cell {
                Cell::Text(text) => append_text(&mut self.bytes, text.as_bytes()),
                number => number.append_to(&mut self.bytes),
            }
        }
        if self.bytes.len() == start {
            // A single field without text would be no row at all.
            self.bytes.extend_from_slice(b"\"\"");
        }
        self.bytes.push(b'\n');
        if self.bytes.len() >= BLOCK { self.hand_on() } else { Ok(()) }
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.bytes);
        self.bytes.clear();
        written
    }

    /// Hands on what is left.
    ///
    /// # Errors
    /// What the writer says.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.hand_on()?;
        self.out.flush()?;
        Ok(self.out)
    }
}

fn append_text(bytes: &mut Vec<u8>, text: &[u8]) {
    if is_plain(text) {
        bytes.extend_from_slice(text);
        return;
    }
    bytes.push(b'"');
    let mut from = 0;
    for quote in memchr_iter(b'"', text) {
        // Up to the quote, and the quote once more.
        bytes.extend_from_slice(&text[from..=quote]);
        bytes.push(b'"');
        from = quote + 1;
    }
    bytes.extend_from_slice(&text[from..]);
    bytes.push(b'"');
}

fn is_plain(text: &[u8]) -> bool {
    // Most are names: to begin a search costs more than to look at each byte.
    if text.len() < SHORT {
        return !text.iter().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r'));
    }
    memchr3(b',', b'"', b'\n', text).is_none() && memchr(b'\r', text).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Value {
        Empty,
        Integer(u64),
        Float(f64),
        Seconds(u64),
        Text(String),
    }

    impl Value {
        fn cell(&self) -> Cell<'_> {
            match self {
                Value::Empty => Cell::Empty,
                Value::Integer(n) => Cell::Integer(*n),
                Value::Float(x) => Cell::Float(*x),
                Value::Seconds(ns) => Cell::Seconds(*ns),
                Value::Text(text) => Cell::Text(text),
            }
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Empty),
            any::<u64>().prop_map(Value::Integer),
            any::<f64>().prop_map(Value::Float),
            any::<u64>().prop_map(Value::Seconds),
            "[a-z,\"\n\r ;']{0,12}".prop_map(Value::Text),
            "[a-z ]{24,40}[a-z,\"\n\r]{0,4}".prop_map(Value::Text),
            "\\PC{0,6}".prop_map(Value::Text),
        ]
    }

    proptest! {
        #[test]
        fn rows_are_those_of_the_csv_crate(
            rows in prop::collection::vec(prop::collection::vec(any_value(), 1..6), 0..40),
        ) {
            let mut lines = Lines::new(Vec::new());
            let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &rows {
                lines.row(row.iter().map(Value::cell)).unwrap();
                csv.write_record(row.iter().map(|value| {
                    let mut text = Vec::new();
                    value.cell().append_to(&mut text);
                    text
                })).unwrap();
            }
            let (ours, theirs) = (lines.finish().unwrap(), csv.into_inner().unwrap());
            prop_assert_eq!(String::from_utf8(ours), String::from_utf8(theirs));
        }
    }

    #[test]
    fn long_files_are_handed_on_block_by_block() {
        let mut lines = Lines::new(Vec::new());
        for n in 0..10_000u64 {
            lines.row([Cell::Integer(n), Cell::Text("a text of some length")]).unwrap();
            assert!(lines.bytes.len() < BLOCK);
        }
        let text = String::from_utf8(lines.finish().unwrap()).unwrap();
        assert_eq!(text.lines().count(), 10_000);
        assert_eq!(text.lines().last(), Some("9999,a text of some length"));
    }
}
