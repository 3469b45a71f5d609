//! The recorder: takes rows as they come, keeps what the summary needs, hands them to the sink.

use super::rows::{ClusterSample, DeliveryRow, EventRow, NodeRow, PodRow, WorkloadSample};
use super::totals::{NodeGroupTotals, Totals};
use crate::api::Text;
use std::collections::BTreeMap;

/// Where rows go. All methods may be left as they are: a sink takes what it wants.
///
/// A sink must not fail in the middle of a run: it keeps its first error and tells it at the end.
pub trait Sink {
    /// One row of the cluster's time series.
    fn cluster_sample(&mut self, _row: &ClusterSample) {}
    /// One row of a Deployment's time series.
    fn workload_sample(&mut self, _row: &WorkloadSample) {}
    /// A Kubernetes Event.
    fn event(&mut self, _row: &EventRow) {}
    /// A pod's life, complete or cut by the end of the run.
    fn pod(&mut self, _row: &PodRow) {}
    /// A node's life, complete or cut by the end of the run.
    fn node(&mut self, _row: &NodeRow) {}
    /// What people were asked for, when the run ends.
    fn delivery(&mut self, _row: &DeliveryRow) {}
}

/// A sink that drops everything: for runs of which only the summary counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Sink for Discard {}

/// Collects a run's record and passes rows on.
pub struct Recorder<'a> {
    sink: &'a mut dyn Sink,
    /// The cluster's time series, kept for the summary, the plots and `expect`.
    pub cluster: Vec<ClusterSample>,
    /// The Deployments' time series, likewise.
    pub workloads: Vec<WorkloadSample>,
    /// What people were asked for, in the order in which it came to them.
    pub deliveries: Vec<DeliveryRow>,
    /// Number of Events by type: normal, warning.
    pub events: [u64; 2],
    /// Sums and histograms that the world keeps as it goes.
    pub totals: Totals,
    /// Nodes by group and machine type.
    pub node_groups: BTreeMap<(Text, Text), NodeGroupTotals>,
}

impl<'a> Recorder<'a> {
    /// A recorder that hands rows to `sink`.
    pub fn new(sink: &'a mut dyn Sink) -> Recorder<'a> {
        Recorder {
            sink,
            cluster: Vec::new(),
            workloads: Vec::new(),
            deliveries: Vec::new(),
            events: [0, 0],
            totals: Totals::default(),
            node_groups: BTreeMap::new(),
        }
    }

    /// Takes a row of the cluster's time series.
    pub fn cluster_sample(&mut self, row: ClusterSample) {
        self.sink.cluster_sample(&row);
        self.cluster.push(row);
    }

    /// Takes a row of a Deployment's time series.
    pub fn workload_sample(&mut self, row: WorkloadSample) {
        self.sink.workload_sample(&row);
        self.workloads.push(row);
    }

    /// Takes an Event.
    pub fn event(&mut self, row: &EventRow) {
        self.events[row.kind as usize] += 1;
        self.sink.event(row);
    }

    /// Takes a pod's life.
    pub fn pod(&mut self, row: &PodRow) {
        self.sink.pod(row);
    }

    /// Takes what people were asked for.
    pub fn delivery(&mut self, row: DeliveryRow) {
        self.sink.delivery(&row);
        self.deliveries.push(row);
    }

    /// Takes a node's life.
    pub fn node(&mut self, row: &NodeRow) {
        let group = (row.group.clone(), row.machine.clone());
        self.node_groups.entry(group).or_default().add(row);
        self.sink.node(row);
    }
}
