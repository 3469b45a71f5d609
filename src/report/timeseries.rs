//! The time series as one table in long form: what `timeseries.csv` and `timeseries.parquet` hold.
//!
//! One row per instant and scope: `cluster`, then each Deployment by index. Columns that don't
//! apply to a scope are empty. It knows no file format.

use super::cell::Cell;
use crate::record::rows::{ClusterSample, Quantiles, WorkloadSample};
use crate::units::{MilliCpu, SimDuration, SimTime};

/// `scope` of the rows for the whole cluster.
pub const CLUSTER_SCOPE: &str = "cluster";

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Row<'a> {
    /// Of the whole cluster.
    Cluster(&'a ClusterSample),
    /// Of a Deployment, with its name.
    Workload(&'a WorkloadSample, &'a str),
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text in every row.
    Text,
    /// A number in every row.
    Required,
    /// A number or nothing.
    Number,
    /// A whole number or nothing.
    Whole,
}

/// A column.
pub(super) struct Column {
    /// Its name; the unit is in it unless it is a plain count.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) kind: Kind,
    /// Its value in a row.
    pub(super) value: for<'a> fn(Row<'a>) -> Cell<'a>,
}

fn cores(cpu: MilliCpu) -> Cell<'static> {
    Cell::Float(cpu.cores())
}

impl<'a> Row<'a> {
    fn time(self) -> SimTime {
        match self {
            Row::Cluster(r) => r.time,
            Row::Workload(r, _) => r.time,
        }
    }

    fn interval(self) -> SimDuration {
        match self {
            Row::Cluster(r) => r.interval,
            Row::Workload(r, _) => r.interval,
        }
    }

    fn latency(self) -> Option<Quantiles> {
        match self {
            Row::Cluster(r) => r.latency,
            Row::Workload(r, _) => r.latency,
        }
    }

    /// A value of cluster rows only.
    fn cluster<T: Into<Cell<'a>>>(self, value: impl Fn(&ClusterSample) -> T) -> Cell<'a> {
        match self {
            Row::Cluster(r) => value(r).into(),
            Row::Workload(..) => Cell::Empty,
        }
    }

    /// A value of both kinds of rows.
    fn both<T: Into<Cell<'a>>>(
        self,
        cluster: impl Fn(&ClusterSample) -> T,
        workload: impl Fn(&WorkloadSample) -> T,
    ) -> Cell<'a> {
        match self {
            Row::Cluster(r) => cluster(r).into(),
            Row::Workload(r, _) => workload(r).into(),
        }
    }

    /// A value of a Deployment's rows only.
    fn workload<T: Into<Cell<'a>>>(self, value: impl Fn(&WorkloadSample) -> T) -> Cell<'a> {
        match self {
            Row::Cluster(_) => Cell::Empty,
            Row::Workload(r, _) => value(r).into(),
        }
    }

    fn scope(self) -> Cell<'a> {
        match self {
            Row::Cluster(_) => Cell::Text(CLUSTER_SCOPE),
            Row::Workload(_, name) => Cell::Text(name),
        }
    }
}

macro_rules! columns {
    ($($name:literal $kind:ident |$row:ident| $value:expr;)*) => {
        &[$(Column { name: $name, kind: Kind::$kind, value: |$row| $value }),*]
    };
}

/// All columns in the order of the file.
///
/// Counts and levels are those at `time_s`; requests, latencies, CPU used and power are of the
/// interval that ends there. For the cluster requests are those from outside, for a Deployment
/// those that reach its pods.
pub(super) const COLUMNS: &[Column] = columns! {
    "time_s" Required |r| r.time().into();
    "scope" Text |r| r.scope();
    "interval_s" Required |r| r.interval().into();
    "offered_requests" Number |r| r.both(|c| c.offered, |w| w.offered);
    "served_requests" Number |r| r.both(|c| c.served, |w| w.served);
    "failed_requests" Number |r| r.both(|c| c.failed, |w| w.failed);
    "capacity_rps" Number |r| r.both(|c| c.capacity_rps, |w| w.capacity_rps);
    "in_flight_requests" Number |r| r.workload(|w| w.in_flight);
    "latency_p50_s" Number |r| r.latency().map(|l| l.p50).into();
    "latency_p95_s" Number |r| r.latency().map(|l| l.p95).into();
    "latency_p99_s" Number |r| r.latency().map(|l| l.p99).into();
    "pods_desired" Whole |r| r.both(|c| c.pods_desired, |w| w.desired);
    "pods" Whole |r| r.both(|c| c.pods, |w| w.current);
    "pods_ready" Whole |r| r.both(|c| c.pods_ready, |w| w.ready);
    "pods_unbound" Whole |r| r.both(|c| c.pods_unbound, |w| w.pending);
    "pods_unschedulable" Whole |r| r.cluster(|c| c.pods_unschedulable);
    "pods_starting" Whole |r| r.cluster(|c| c.pods_starting);
    "nodes" Whole |r| r.cluster(|c| c.nodes);
    "nodes_ready" Whole |r| r.cluster(|c| c.nodes_ready);
    "nodes_booting" Whole |r| r.cluster(|c| c.nodes_booting);
    "nodes_limit" Whole |r| r.cluster(|c| c.nodes_limit);
    "cpu_used_cores" Number |r| r.both(|c| cores(c.cpu_used), |w| cores(w.cpu_used));
    "cpu_requested_cores" Number |r| r.both(|c| cores(c.cpu_requested), |w| cores(w.cpu_requested));
    "cpu_allocatable_cores" Number |r| r.cluster(|c| cores(c.cpu_allocatable));
    "cost" Number |r| r.cluster(|c| c.cost);
    "cost_per_hour" Number |r| r.cluster(|c| c.cost_per_hour);
    "power_w" Number |r| r.cluster(|c| c.watts);
};

/// All rows in the order of the file: by time, the cluster before the Deployments by index.
pub(super) fn rows<'a>(
    cluster: &'a [ClusterSample],
    workloads: &'a [WorkloadSample],
    names: &'a [String],
) -> impl Iterator<Item = Row<'a>> {
    // Samples come by time; the Deployments of one instant need not come by index.
    let mut order: Vec<u32> = (0..workloads.len() as u32).collect();
    order.sort_by_key(|&i| {
        let row = &workloads[i as usize];
        (row.time, row.workload)
    });
    let mut cluster = cluster.iter().peekable();
    let mut order = order.into_iter().map(|i| &workloads[i as usize]).peekable();
    std::iter::from_fn(move || {
        let workload_is_earlier = match (cluster.peek(), order.peek()) {
            (Some(c), Some(w)) => w.time < c.time,
            (None, Some(_)) => true,
            _ => false,
        };
        if !workload_is_earlier {
            return cluster.next().map(Row::Cluster);
        }
        let name = |w: &WorkloadSample| names.get(w.workload).map_or("", String::as_str);
        order.next().map(|w| Row::Workload(w, name(w)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_by_time_then_scope() {
        let at = |s| SimTime::from_secs(s);
        let cluster = [1, 2].map(|s| ClusterSample { time: at(s), ..Default::default() });
        let workload = |s, workload| WorkloadSample { time: at(s), workload, ..Default::default() };
        let workloads = [workload(1, 1), workload(1, 0), workload(2, 0), workload(3, 1)];
        let names = ["a".to_owned(), "b".to_owned()];
        let told: Vec<_> = rows(&cluster, &workloads, &names)
            .map(|r| (r.time().whole_secs(), r.scope()))
            .collect();
        let expected = [(1, "cluster"), (1, "a"), (1, "b"), (2, "cluster"), (2, "a"), (3, "b")];
        assert_eq!(told, expected.map(|(s, scope)| (s, Cell::Text(scope))));
    }

    #[test]
    fn each_column_fits_its_kind() {
        let (cluster, workload) = (ClusterSample::default(), WorkloadSample::default());
        for row in [Row::Cluster(&cluster), Row::Workload(&workload, "a")] {
            for column in COLUMNS {
                let fits = match ((column.value)(row), column.kind) {
                    (Cell::Text(_), kind) => kind == Kind::Text,
                    (Cell::Seconds(_), kind) => kind == Kind::Required,
                    (Cell::Float(_), kind) => kind == Kind::Number,
                    (Cell::Integer(_), kind) => kind == Kind::Whole,
                    (Cell::Empty, kind) => matches!(kind, Kind::Number | Kind::Whole),
                };
                assert!(fits, "{}", column.name);
            }
        }
    }
}
