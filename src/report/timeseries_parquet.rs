//! `timeseries.parquet`: the same rows and columns as `timeseries.csv`, typed and compressed.
//!
//! Row groups are filled one after the other, so memory does not follow the length of the run.

use super::cell::Cell;
use super::timeseries::{COLUMNS, Column, Kind, Row};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use std::io::{self, Write};
use std::sync::Arc;

/// Rows of a row group: a few megabytes of cells.
const ROW_GROUP: usize = 1 << 16;

/// Writes all `rows`.
pub(super) fn write<'a>(
    output: &mut (impl Write + Send),
    rows: impl Iterator<Item = Row<'a>>,
) -> io::Result<()> {
    write_rows(output, rows).map_err(io_error)
}

/// The system's error inside an error of the parquet crate, so that its kind is known.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inside) => match inside.downcast::<io::Error>() {
            Ok(e) => *e,
            Err(inside) => io::Error::other(inside),
        },
        error => io::Error::other(error),
    }
}

fn write_rows<'a>(
    output: &mut (impl Write + Send),
    mut rows: impl Iterator<Item = Row<'a>>,
) -> Result<()> {
    let schema = Arc::new(parse_message_type(&schema())?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(format!("stormglass {}", env!("CARGO_PKG_VERSION")))
        .build();
    let mut file = SerializedFileWriter::new(output, schema, Arc::new(properties))?;
    let mut group: Vec<Row<'a>> = Vec::new();
    loop {
        group.clear();
        group.extend(rows.by_ref().take(ROW_GROUP));
        if group.is_empty() {
            break;
        }
        let mut writer = file.next_row_group()?;
        for column in COLUMNS {
            if let Some(mut column_writer) = writer.next_column()? {
                write_column(&mut column_writer, column, &group)?;
                column_writer.close()?;
            }
        }
        writer.close()?;
    }
    file.close()?;
    Ok(())
}

/// The table in Parquet's schema language.
fn schema() -> String {
    let fields: Vec<String> = COLUMNS
        .iter()
        .map(|c| match c.kind {
            Kind::Text => format!("required binary {} (STRING);", c.name),
            Kind::Required => format!("required double {};", c.name),
            Kind::Number => format!("optional double {};", c.name),
            Kind::Whole => format!("optional int64 {};", c.name),
        })
        .collect();
    format!("message timeseries {{ {} }}", fields.join(" "))
}

fn write_column(
    writer: &mut SerializedColumnWriter<'_>,
    column: &Column,
    rows: &[Row<'_>],
) -> Result<()> {
    let cells = || rows.iter().map(|row| (column.value)(*row));
    // 1: there is a value; 0: there is none. Only optional columns have such levels.
    let levels = || -> Vec<i16> { cells().map(|c| i16::from(!is_empty(c))).collect() };
    match column.kind {
        Kind::Text => {
            let values: Vec<ByteArray> = cells().map(text).collect();
            writer.typed::<ByteArrayType>().write_batch(&values, None, None)?;
        }
        Kind::Required => {
            let values: Vec<f64> = cells().filter_map(number).collect();
            writer.typed::<DoubleType>().write_batch(&values, None, None)?;
        }
        Kind::Number => {
            let values: Vec<f64> = cells().filter_map(number).collect();
            writer.typed::<DoubleType>().write_batch(&values, Some(&levels()), None)?;
        }
        Kind::Whole => {
            let values: Vec<i64> = cells().filter_map(whole).collect();
            writer.typed::<Int64Type>().write_batch(&values, Some(&levels()), None)?;
        }
    }
    Ok(())
}

/// As in the CSV file, what is not finite counts as not there.
fn is_empty(cell: Cell<'_>) -> bool {
    match cell {
        Cell::Empty => true,
        Cell::Float(x) => !x.is_finite(),
        _ => false,
    }
}

fn text(cell: Cell<'_>) -> ByteArray {
    match cell {
        Cell::Text(text) => ByteArray::from(text),
        _ => ByteArray::from(""),
    }
}

fn number(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Float(x) => x.is_finite().then_some(x),
        Cell::Seconds(ns) => Some(ns as f64 / 1e9),
        _ => None,
    }
}

fn whole(cell: Cell<'_>) -> Option<i64> {
    match cell {
        Cell::Integer(n) => Some(n as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::rows::{ClusterSample, WorkloadSample};
    use crate::report::testing::Scratch;
    use crate::units::SimTime;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    fn written(cluster: &[ClusterSample], workloads: &[WorkloadSample]) -> Vec<u8> {
        let names = ["shop/web".to_owned()];
        let mut bytes = Vec::new();
        write(&mut bytes, super::super::timeseries::rows(cluster, workloads, &names)).unwrap();
        bytes
    }

    fn reader(name: &str, bytes: &[u8]) -> (Scratch, SerializedFileReader<std::fs::File>) {
        let scratch = Scratch::new(name);
        let path = scratch.path().join("timeseries.parquet");
        std::fs::write(&path, bytes).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        (scratch, SerializedFileReader::new(file).unwrap())
    }

    #[test]
    fn what_is_written_reads_back() {
        let time = SimTime(60_500_000_000);
        let cluster =
            ClusterSample { time, nodes: 3, capacity_rps: f64::INFINITY, ..Default::default() };
        let workload = WorkloadSample { time, in_flight: 2.5, ..Default::default() };
        let bytes = written(&[cluster], &[workload]);
        let (_scratch, reader) = reader("parquet-reads-back", &bytes);
        let created_by = reader.metadata().file_metadata().created_by().unwrap();
        assert!(created_by.starts_with("stormglass "), "{created_by}");
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(|r| r.unwrap()).collect();
        let column = |name: &str| COLUMNS.iter().position(|c| c.name == name).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].get_double(column("time_s")).unwrap(), 60.5);
        assert_eq!(rows[0].get_string(column("scope")).unwrap(), "cluster");
        assert_eq!(rows[0].get_long(column("nodes")).unwrap(), 3);
        assert!(rows[0].get_double(column("capacity_rps")).is_err(), "no bound is no number");
        assert_eq!(rows[1].get_string(column("scope")).unwrap(), "shop/web");
        assert_eq!(rows[1].get_double(column("in_flight_requests")).unwrap(), 2.5);
        assert!(rows[1].get_long(column("nodes")).is_err(), "a Deployment has no nodes");
    }

    #[test]
    fn no_rows_are_a_file_too() {
        let bytes = written(&[], &[]);
        let (_scratch, reader) = reader("parquet-empty", &bytes);
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
