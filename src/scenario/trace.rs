//! Request-rate traces: one column of a CSV file, plain or gzipped.
//!
//! It knows files and numbers, not what they are used for.

use super::yaml::Span;
use std::io::Read;
use std::path::Path;

/// What is wrong with a trace, and where in its (unpacked) bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TraceError {
    pub span: Span,
    pub message: String,
    pub hint: Option<String>,
}

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
/// The column is missing, or the first cell that is no number, with its place.
pub(super) fn column(bytes: &[u8], name: &str, skip: usize) -> Result<Vec<f64>, TraceError> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(bytes);
    let whole = |e: csv::Error| wrong(of_line(bytes, e.position()), &told(&e), None);
    let headers = reader.headers().map_err(whole)?.clone();
    let index = headers.iter().position(|header| header.trim() == name).ok_or_else(|| {
        let known: Vec<&str> = headers.iter().collect();
        let place = of_line(bytes, headers.position());
        let hint = format!("columns: {}", known.join(", "));
        wrong(place, &format!("there is no column `{name}`"), Some(hint))
    })?;
    let mut values = Vec::new();
    for record in reader.records().skip(skip) {
        let record = record.map_err(whole)?;
        let cell = record.get(index).unwrap_or("");
        let place = || of_cell(bytes, of_line(bytes, record.position()), index);
        let value: f64 = match cell.trim() {
            "" => Ok(0.0),
            cell => cell.parse(),
        }
        .map_err(|_| {
            let hint = "every row of a trace has a number of requests".to_string();
            let message = format!("`{}` in column `{name}` is no number", cell.trim());
            wrong(place(), &message, Some(hint))
        })?;
        if !(value.is_finite() && value >= 0.0) {
            return Err(wrong(place(), &format!("{value} requests can't be: 0 or more"), None));
        }
        values.push(value);
    }
    if values.is_empty() { Err(wrong(0..0, "the trace has no rows", None)) } else { Ok(values) }
}

fn wrong(span: Span, message: &str, hint: Option<String>) -> TraceError {
    TraceError { span, message: message.to_string(), hint }
}

/// What the reader of CSV complains about, without the place.
fn told(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("expected {expected_len} cells as in the header, found {len}")
        }
        csv::ErrorKind::Utf8 { .. } => "the row is not UTF-8".to_string(),
        _ => error.to_string(),
    }
}

/// The line of a record; comments and empty lines before it are skipped.
fn of_line(bytes: &[u8], position: Option<&csv::Position>) -> Span {
    let mut start = position.map_or(0, |p| p.byte() as usize).min(bytes.len());
    loop {
        let length = bytes[start..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - start);
        let line = &bytes[start..start + length];
        let skipped = line.is_empty() || line == b"\r" || line.starts_with(b"#");
        if !skipped || start + length >= bytes.len() {
            return start..start + length;
        }
        start += length + 1;
    }
}

/// A cell of a line; a line with quotes is not taken apart.
fn of_cell(bytes: &[u8], line: Span, index: usize) -> Span {
    let text = &bytes[line.clone()];
    if text.contains(&b'"') {
        return line;
    }
    let cells: Vec<&[u8]> = text.split(|b| *b == b',').collect();
    let before: usize = cells.iter().take(index).map(|cell| cell.len() + 1).sum();
    let start = line.start + before;
    start..start + cells.get(index).map_or(0, |cell| cell.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_by_its_name() {
        let text = b"# note\ntime,requests\n0,5\n60,\n120,7.5\n";
        assert_eq!(column(text, "requests", 0), Ok(vec![5.0, 0.0, 7.5]));
        assert_eq!(column(text, "requests", 2), Ok(vec![7.5]));
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        let rows = [
            ("no such column", "# note\ntime,m\n0,1\n", "time,m", "there is no column `n`"),
            ("no number", "time,n\n0,1\n\n1,x7\n", "x7", "`x7` in column `n` is no number"),
            (
                "too few requests",
                "time,n\n0,1\n# c\n1,-2\n",
                "-2",
                "-2 requests can't be: 0 or more",
            ),
            ("a cell too many", "t,n\n0,1\n1,2,3\n", "1,2,3", "expected 2 cells"),
            (
                "a cell in quotes",
                "t,n\n0,\"a,b\"\n",
                "0,\"a,b\"",
                "`a,b` in column `n` is no number",
            ),
            ("nothing at all", "t,n\n", "", "the trace has no rows"),
        ];
        for (sentence, text, place, message) in rows {
            let error = column(text.as_bytes(), "n", 0).unwrap_err();
            assert_eq!(&text[error.span.clone()], place, "{sentence}");
            assert!(error.message.starts_with(message), "{sentence}: {}", error.message);
        }
    }
}
