//! Request-rate traces: one column of a CSV file, plain or gzipped.
//!
//! It knows files and numbers, not what they are used for.

use std::io::Read;
use std::path::Path;

/// What is wrong with a trace, for a message.
pub(super) type TraceError = (String, Option<String>);

/// Reads the whole file, unpacked if it is gzipped.
///
/// # Errors
/// It can't be read.
pub(super) fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let bytes = std::fs::read(path)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    // A bound far above any trace of minutes, far below what would hurt.
    flate2::read::GzDecoder::new(&bytes[..]).take(1 << 30).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}

/// The numbers of a column, rows before `skip` left out; an empty cell counts as zero.
///
/// # Errors
/// The column is missing, or the first cell that is no number, with its line.
pub(super) fn column(bytes: &[u8], name: &str, skip: usize) -> Result<Vec<f64>, TraceError> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(bytes);
    let headers = reader.headers().map_err(|e| (e.to_string(), None))?.clone();
    let index = headers.iter().position(|header| header.trim() == name).ok_or_else(|| {
        let known: Vec<&str> = headers.iter().collect();
        (format!("there is no column `{name}`"), Some(format!("columns: {}", known.join(", "))))
    })?;
    let mut values = Vec::new();
    for record in reader.records().skip(skip) {
        let record = record.map_err(|e| (e.to_string(), None))?;
        let line = record.position().map_or(0, |p| p.line());
        let cell = record.get(index).unwrap_or("").trim();
        let value: f64 = if cell.is_empty() { Ok(0.0) } else { cell.parse() }.map_err(|_| {
            (format!("line {line}: `{cell}` in column `{name}` is no number"), None)
        })?;
        if !(value.is_finite() && value >= 0.0) {
            return Err((format!("line {line}: {value} requests can't be"), None));
        }
        values.push(value);
    }
    if values.is_empty() { Err(("it has no rows".to_string(), None)) } else { Ok(values) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_by_its_name() {
        let text = b"# note\ntime,requests\n0,5\n60,\n120,7.5\n";
        assert_eq!(column(text, "requests", 0), Ok(vec![5.0, 0.0, 7.5]));
        assert_eq!(column(text, "requests", 2), Ok(vec![7.5]));
        let (message, hint) = column(text, "request", 0).unwrap_err();
        assert!(message.contains("no column") && hint.unwrap().contains("requests"));
        let (message, _) = column(b"n\n1\nx\n", "n", 0).unwrap_err();
        assert!(message.contains("line 3") && message.contains("`x`"), "{message}");
    }
}
