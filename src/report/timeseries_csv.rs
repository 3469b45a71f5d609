//! `timeseries.csv`.

use super::cell::Cell;
use super::lines::Lines;
use super::timeseries::{COLUMNS, Row};
use std::io::{self, Write};

/// Writes the header and all `rows`.
pub(super) fn write<'a>(
    output: &mut impl Write,
    rows: impl Iterator<Item = Row<'a>>,
) -> io::Result<()> {
    let mut lines = Lines::new(output);
    lines.row(COLUMNS.iter().map(|c| Cell::Text(c.name)))?;
    for row in rows {
        lines.row(COLUMNS.iter().map(|c| (c.value)(row)))?;
    }
    lines.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::rows::ClusterSample;
    use crate::units::SimTime;

    #[test]
    fn a_header_and_a_line_per_row() {
        let sample = ClusterSample {
            time: SimTime(60_500_000_000),
            nodes: 3,
            cost: 1.25,
            ..Default::default()
        };
        let mut bytes = Vec::new();
        write(&mut bytes, [Row::Cluster(&sample)].into_iter()).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("time_s,scope,interval_s,offered_requests,"));
        assert_eq!(lines[1], "60.5,cluster,0,0,0,0,0,,,,,0,0,0,0,0,0,3,0,0,0,0,0,0,1.25,0,0");
    }
}
