//! `events.csv`, `pods.csv` and `nodes.csv`, written row by row while the run goes on.
//!
//! Rows stand in the order in which they come: events by time, pods and nodes as they end.

use super::cell::Cell;
use super::error::ReportError;
use super::lines::Lines;
use super::output::Output;
use crate::record::Sink;
use crate::record::rows::{DeliveryRow, EventRow, EventType, NodeRow, PodRow};
use std::io;
use std::path::{Path, PathBuf};

/// Columns of `events.csv`.
pub const EVENT_COLUMNS: [&str; 8] =
    ["time_s", "type", "reason", "object_kind", "namespace", "name", "component", "message"];

/// Columns of `pods.csv`. Times are instants since the start; empty: did not happen.
pub const POD_COLUMNS: [&str; 15] = [
    "uid",
    "namespace",
    "name",
    "workload",
    "node",
    "created_s",
    "scheduled_s",
    "running_s",
    "ready_s",
    "deletion_s",
    "gone_s",
    "phase",
    "restarts",
    "waiting_reason",
    "end_reason",
];

/// Columns of `nodes.csv`. `cost` is in the currency of `summary.json`.
pub const NODE_COLUMNS: [&str; 12] = [
    "uid",
    "name",
    "group",
    "zone",
    "machine",
    "requested_s",
    "registered_s",
    "ready_s",
    "gone_s",
    "pods_peak",
    "cost",
    "energy_wh",
];

/// Columns of `deliveries.csv`. Times are instants since the start; empty: did not happen.
pub const DELIVERY_COLUMNS: [&str; 9] = [
    "fleet",
    "member",
    "release",
    "team",
    "asked_s",
    "queued_s",
    "begun_s",
    "applied_s",
    "ready_s",
];

/// The file of what people were asked for; there only if they were.
pub(super) const DELIVERIES: &str = "deliveries.csv";

/// Files that the sink writes.
pub(super) const FILES: [&str; 3] = ["events.csv", "nodes.csv", "pods.csv"];

/// A table being written, and the first error met.
#[derive(Debug)]
struct Table {
    lines: Lines<Output>,
    path: std::path::PathBuf,
    failed: Option<io::Error>,
}

impl Table {
    fn create(folder: &Path, name: &str, columns: &[&str]) -> Result<Table, ReportError> {
        let path = folder.join(name);
        let mut lines = Lines::new(Output::create(path.clone())?);
        let failed = lines.row(columns.iter().map(|name| Cell::Text(name))).err();
        Ok(Table { lines, path, failed })
    }

    fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        if self.failed.is_none() {
            self.failed = self.lines.row(cells).err();
        }
    }

    fn close(self) -> Result<(), ReportError> {
        let Table { lines, path, failed } = self;
        if let Some(e) = failed {
            return Err(ReportError::new("write", &path, e));
        }
        lines.finish().map_err(|e| ReportError::new("write", &path, e))?.close()
    }
}

/// Writes rows to files as they come. It never fails in the middle of a run: the first error of
/// each file is kept and told by [`ResultFolder::finish`](super::ResultFolder::finish).
#[derive(Debug)]
pub struct StreamingSink {
    events: Table,
    pods: Table,
    nodes: Table,
    /// Made with its first row.
    deliveries: Option<Table>,
    folder: PathBuf,
    failed: Option<ReportError>,
    workloads: Vec<String>,
}

impl StreamingSink {
    /// Writes into `folder`; `workloads` are the names of the Deployments by index.
    pub(super) fn create(
        folder: &Path,
        workloads: &[String],
    ) -> Result<StreamingSink, ReportError> {
        Ok(StreamingSink {
            events: Table::create(folder, "events.csv", &EVENT_COLUMNS)?,
            pods: Table::create(folder, "pods.csv", &POD_COLUMNS)?,
            nodes: Table::create(folder, "nodes.csv", &NODE_COLUMNS)?,
            deliveries: None,
            folder: folder.to_path_buf(),
            failed: None,
            workloads: workloads.to_vec(),
        })
    }

    /// Has all rows on disk, or tells the first error.
    pub(super) fn close(self) -> Result<(), ReportError> {
        self.events.close()?;
        self.pods.close()?;
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.deliveries.map_or(Ok(()), Table::close)?;
        self.nodes.close()
    }
}

impl Sink for StreamingSink {
    fn event(&mut self, row: &EventRow) {
        let kind = match row.kind {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        };
        let cells: [Cell<'_>; EVENT_COLUMNS.len()] = [
            row.time.into(),
            kind.into(),
            row.reason.into(),
            row.object_kind.into(),
            (&*row.namespace).into(),
            (&*row.name).into(),
            row.component.into(),
            row.message.as_str().into(),
        ];
        self.events.row(cells);
    }

    fn pod(&mut self, row: &PodRow) {
        let workload = row.workload.and_then(|i| self.workloads.get(i)).map(String::as_str);
        let cells: [Cell<'_>; POD_COLUMNS.len()] = [
            row.uid.into(),
            (&*row.namespace).into(),
            (&*row.name).into(),
            workload.into(),
            row.node.as_deref().into(),
            row.created.into(),
            row.scheduled.into(),
            row.running.into(),
            row.ready.into(),
            row.deletion.into(),
            row.gone.into(),
            row.phase.into(),
            row.restarts.into(),
            row.waiting_reason.into(),
            row.end_reason.into(),
        ];
        self.pods.row(cells);
    }

    fn delivery(&mut self, row: &DeliveryRow) {
        if self.deliveries.is_none() && self.failed.is_none() {
            match Table::create(&self.folder, DELIVERIES, &DELIVERY_COLUMNS) {
                Ok(table) => self.deliveries = Some(table),
                Err(error) => self.failed = Some(error),
            }
        }
        let Some(table) = &mut self.deliveries else { return };
        let cells: [Cell<'_>; DELIVERY_COLUMNS.len()] = [
            (&*row.fleet).into(),
            (&*row.member).into(),
            row.release.into(),
            row.team.as_deref().into(),
            row.asked.into(),
            row.queued.into(),
            row.begun.into(),
            row.applied.into(),
            row.ready.into(),
        ];
        table.row(cells);
    }

    fn node(&mut self, row: &NodeRow) {
        let cells: [Cell<'_>; NODE_COLUMNS.len()] = [
            row.uid.into(),
            (&*row.name).into(),
            (&*row.group).into(),
            (&*row.zone).into(),
            (&*row.machine).into(),
            row.requested.into(),
            row.registered.into(),
            row.ready.into(),
            row.gone.into(),
            row.pods_peak.into(),
            row.cost.into(),
            row.energy_wh.into(),
        ];
        self.nodes.row(cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::Scratch;
    use crate::units::SimTime;
    use std::fs;

    #[test]
    fn rows_become_lines() {
        let scratch = Scratch::new("sink-rows");
        let mut sink = StreamingSink::create(scratch.path(), &["shop/web".into()]).unwrap();
        sink.event(&EventRow {
            time: SimTime(1_500_000_000),
            kind: EventType::Warning,
            reason: "FailedScheduling",
            object_kind: "Pod",
            namespace: "shop".into(),
            name: "web-1".into(),
            component: "default-scheduler",
            message: "0/3 nodes are available: 3 Insufficient cpu, \"really\".".into(),
            times: 1,
        });
        sink.pod(&PodRow {
            uid: 7,
            namespace: "shop".into(),
            name: "web-1".into(),
            workload: Some(0),
            node: None,
            created: SimTime::from_secs(1),
            scheduled: None,
            running: None,
            ready: None,
            deletion: None,
            gone: None,
            phase: "Pending",
            restarts: 0,
            waiting_reason: "ImagePullBackOff",
            end_reason: "",
        });
        sink.node(&NodeRow {
            uid: 1,
            name: "pool-1".into(),
            group: "pool".into(),
            zone: "a".into(),
            machine: "n1".into(),
            requested: SimTime::ZERO,
            registered: SimTime::ZERO,
            ready: Some(SimTime::from_secs(30)),
            gone: None,
            pods_peak: 4,
            cost: 0.19,
            energy_wh: 120.5,
        });
        sink.close().unwrap();
        let line = |name: &str| {
            let text = fs::read_to_string(scratch.path().join(name)).unwrap();
            text.lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(
            line("events.csv"),
            "1.5,Warning,FailedScheduling,Pod,shop,web-1,default-scheduler,\
             \"0/3 nodes are available: 3 Insufficient cpu, \"\"really\"\".\""
        );
        assert_eq!(line("pods.csv"), "7,shop,web-1,shop/web,,1,,,,,,Pending,0,ImagePullBackOff,");
        assert_eq!(line("nodes.csv"), "1,pool-1,pool,a,n1,0,0,30,,4,0.19,120.5");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told_at_the_end_and_not_before() {
        let scratch = Scratch::new("sink-full");
        let mut sink = StreamingSink::create(scratch.path(), &[]).unwrap();
        // Every write to this device fails as on a full disk.
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        sink.events.lines = Lines::new(Output::from_file("events.csv".into(), full));
        for second in 0..10_000 {
            sink.event(&EventRow {
                time: SimTime::from_secs(second),
                kind: EventType::Normal,
                reason: "Scheduled",
                object_kind: "Pod",
                namespace: "shop".into(),
                name: "web-1".into(),
                component: "default-scheduler",
                message: "Successfully assigned shop/web-1 to pool-1".into(),
                times: 1,
            });
        }
        let error = sink.close().unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().contains("events.csv: No space left"), "{error}");
        assert!(error.to_string().contains("make room"), "{error}");
    }
}
