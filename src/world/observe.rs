//! Rows of the time series, and the levels kept for them.

use super::event::Event;
use super::world::World;
use crate::record::latency::LatencyHistogram;
use crate::record::objective::{Target, missed};
use crate::record::rows::{ClusterSample, WorkloadSample};
use crate::record::story::Moment;
use crate::store::PodTally;
use crate::units::{MilliCpu, SimDuration, SimTime};

/// Levels and times that observation keeps between events.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    since: SimTime,
    /// Pods without a node, and since when this number holds.
    waiting: i64,
    waiting_since: SimTime,
    /// Since when the node limit holds back pods; `None`: it does not.
    at_limit_since: Option<SimTime>,
    /// When a pod of each Deployment was last OOM-killed.
    pub last_oom: Vec<SimTime>,
    /// Draws made in the course of the run.
    pub draws: u64,
    /// Energy up to the last row, watt hours; kept where carbon is counted.
    energy_wh: f64,
    /// Demand is above capacity at present.
    over_capacity: bool,
    /// Room for the latencies of one interval, used again and again.
    latency: LatencyHistogram,
}

impl World<'_> {
    /// A row of the time series is due.
    pub(super) fn on_observe(&mut self) {
        self.observe_now();
        let next = self.now + self.scenario.observe.every;
        let end = SimTime::ZERO + self.scenario.duration;
        // The last row is written when the run ends.
        if next < end {
            self.plan(next, Event::Observe);
        }
    }

    /// Writes the rows of the interval that ends now.
    pub(super) fn observe_now(&mut self) {
        let interval = self.now.since(self.observed.since);
        if interval == SimDuration::ZERO {
            return;
        }
        self.observed.since = self.now;
        self.settle_pending();
        let mut used = MilliCpu::ZERO;
        let levels = self.workload_levels();
        for (workload, level) in levels.iter().enumerate() {
            used += self.observe_workload(workload, interval, level);
        }
        self.observe_dependencies(interval);
        self.observe_cluster(interval, used, &levels);
        self.observe_etcd();
    }

    fn observe_etcd(&mut self) {
        let objects = self.store.object_count() as u64;
        let totals = &mut self.recorder.totals;
        totals.objects_peak = totals.objects_peak.max(objects);
        totals.objects_at_end = objects;
    }

    fn observe_workload(
        &mut self,
        workload: usize,
        interval: SimDuration,
        level: &PodTally,
    ) -> MilliCpu {
        let row = WorkloadSample {
            desired: self.desired_of(workload),
            current: level.unmarked,
            ready: level.ready,
            pending: level.unbound,
            cpu_requested: self.cpu_requested[workload],
            ..self.observe_station(workload, interval)
        };
        let cpu_used = row.cpu_used;
        self.recorder.workload_sample(row);
        cpu_used
    }

    /// What a station's requests did in the interval that ends now; nothing of its pods.
    pub(super) fn observe_station(
        &mut self,
        workload: usize,
        interval: SimDuration,
    ) -> WorkloadSample {
        let mut latency = std::mem::take(&mut self.observed.latency);
        let tally = self.network.take_interval(self.now, workload, &mut latency);
        let station = &mut self.network.stations[workload];
        let keep = self.scenario.flags.metrics_server.metric_resolution * 4;
        station.forget_before(SimTime(self.now.0.saturating_sub(keep.0)));
        let seconds = interval.as_secs_f64();
        let cpu_used = MilliCpu((tally.cpu / seconds * 1000.0).round() as i64);
        let row = WorkloadSample {
            time: self.now,
            interval,
            workload,
            offered: tally.offered,
            served: tally.served,
            failed: tally.failed,
            capacity_rps: station.capacity(),
            in_flight: tally.in_flight / seconds,
            latency: latency.quantiles(),
            cpu_used,
            ..WorkloadSample::default()
        };
        self.recorder.totals.workload_latency[workload].merge(&latency);
        if self.network.singly_at(workload).is_none() {
            // Requests that are followed one by one are recounted with the network.
            let latency_sum = latency.mean().unwrap_or(0.0) * latency.total();
            self.checks.littles_law(tally.in_flight, latency_sum);
            self.checks.utilisation_law(tally.cpu - tally.idle, tally.needed);
        }
        self.log.record(
            self.now,
            super::log::SAMPLE,
            &[row.served.to_bits(), row.failed.to_bits()],
        );
        self.observed.latency = latency;
        row
    }

    fn observe_cluster(&mut self, interval: SimDuration, cpu_used: MilliCpu, levels: &[PodTally]) {
        let now = self.now;
        let entries = self.network.take_entries(now);
        let total = |f: fn(&PodTally) -> u32| levels.iter().map(f).sum::<u32>();
        let ready = self.store.ready_nodes();
        let seconds = interval.as_secs_f64();
        let busy_watts = self.busy_watts(cpu_used);
        self.ledger.add_busy_energy(busy_watts * seconds / 3600.0);
        self.count_carbon(interval);
        let row = ClusterSample {
            time: now,
            interval,
            offered: entries.offered,
            served: entries.served,
            failed: entries.failed,
            capacity_rps: self.network.entry_capacity(),
            latency: entries.latency.quantiles(),
            nodes: self.store.node_count() as u32,
            nodes_ready: ready.ready,
            nodes_booting: self.cloud.booting(),
            nodes_limit: self.node_limit(),
            pods_desired: self.store.deployments().map(|(_, d)| d.replicas).sum::<u32>()
                + self.desired_of_others(),
            pods: total(|l| l.all),
            pods_ready: total(|l| l.ready),
            pods_unbound: total(|l| l.unbound),
            pods_unschedulable: total(|l| l.unschedulable),
            pods_starting: total(|l| l.starting),
            cpu_requested: self.cpu_requested.iter().copied().sum(),
            cpu_allocatable: ready.allocatable,
            cpu_used,
            cost: self.ledger.cost(now),
            cost_per_hour: self.ledger.cost_per_hour(),
            watts: self.ledger.idle_watts() + busy_watts,
        };
        self.observe_crossing(interval);
        self.recorder.totals.entry_latency.merge(&entries.latency);
        let observe = &self.scenario.observe;
        let target = Target {
            error_budget: observe.error_budget,
            latency_s: observe.latency_objective.as_secs_f64(),
        };
        if missed(&row, target) {
            self.recorder.totals.entry_latency_missed.merge(&entries.latency);
        }
        self.log.record(
            now,
            super::log::SAMPLE,
            &[row.served.to_bits(), row.failed.to_bits(), row.cost.to_bits()],
        );
        self.recorder.cluster_sample(row);
    }

    /// The energy of the interval that ends now, at the mean carbon intensity of its beginning,
    /// middle and end (Simpson's rule).
    fn count_carbon(&mut self, interval: SimDuration) {
        let Some(curve) = &self.scenario.observe.carbon_intensity else { return };
        let energy = self.ledger.energy_wh(self.now);
        let spent = energy - std::mem::replace(&mut self.observed.energy_wh, energy);
        let back = |part: u64| curve.at(SimTime(self.now.0 - interval.0 / 2 * part));
        let per_kwh = (back(2) + 4.0 * back(1) + back(0)) / 6.0;
        *self.recorder.totals.carbon_g.get_or_insert(0.0) += spent / 1000.0 * per_kwh;
    }

    /// Watts beyond idling that this much CPU takes, on the average machine.
    fn busy_watts(&mut self, used: MilliCpu) -> f64 {
        let (spread, cores) = self.cloud.power();
        if cores > 0.0 { used.cores() * spread / cores } else { 0.0 }
    }

    /// Upper limit of nodes over all groups, and the total limit where one is set.
    pub(super) fn node_limit(&self) -> u32 {
        let groups = (0..self.cloud.group_count()).map(|group| self.cloud.max(group)).sum();
        match self.controllers.as_ref().map_or(0, |c| c.max_nodes_total()) {
            0 => groups,
            total => total.min(groups),
        }
    }

    /// The numbers of each workload's pods.
    fn workload_levels(&self) -> Vec<PodTally> {
        (0..self.scenario.workloads.len()).map(|workload| self.level_of(workload)).collect()
    }

    /// The number of pods without a node changed.
    pub(super) fn waiting_pods(&mut self, change: i64) {
        self.settle_pending();
        self.observed.waiting += change;
    }

    fn settle_pending(&mut self) {
        let seconds = self.now.since(self.observed.waiting_since).as_secs_f64();
        self.recorder.totals.pending_pod_s += self.observed.waiting as f64 * seconds;
        self.observed.waiting_since = self.now;
    }

    /// The cluster autoscaler tells whether a node limit holds back pods.
    pub(super) fn at_limit(&mut self, limit: Option<String>) {
        match (self.observed.at_limit_since, limit) {
            (None, Some(what)) => {
                self.observed.at_limit_since = Some(self.now);
                self.tell_once(Moment::NodeLimitReached, || what);
            }
            (Some(since), None) => {
                self.recorder.totals.at_limit_s += self.now.since(since).as_secs_f64();
                self.observed.at_limit_since = None;
            }
            _ => {}
        }
    }

    /// Notices when demand passes what the ready pods can serve.
    pub(super) fn watch_capacity(&mut self) {
        let (demand, capacity) = (self.network.external(), self.network.entry_capacity());
        let over = demand > capacity && demand > 0.0;
        if over && !self.observed.over_capacity {
            self.tell_once(Moment::DemandPassesCapacity, || {
                format!("demand, {demand:.0} requests/s, passes what the ready pods can serve, {capacity:.0}/s")
            });
        }
        self.observed.over_capacity = over;
    }

    /// A pod's energy is charged to its node when it goes.
    pub(super) fn settle_energy(&mut self, id: crate::api::PodId, pod: &crate::api::pod::Pod) {
        let Some(node) = pod.node else { return };
        let core_seconds = self.network.cpu_of(id, self.now);
        let Some(state) = self.nodes.get_mut(node) else { return };
        let Some(m) = self.cloud.machines.get(state.machine) else { return };
        let machine = &self.scenario.node_groups[m.group].machine;
        let per_core =
            (machine.peak_watts - machine.idle_watts) / machine.capacity.cpu.cores().max(1e-9);
        state.busy_wh += core_seconds * per_core / 3600.0;
    }

    /// Ends the record: the last rows, and the lives of what is still there.
    pub(super) fn finish_record(&mut self) {
        self.observe_now();
        self.at_limit(None);
        let mut pods = Vec::with_capacity(self.store.pod_count());
        pods.extend(self.store.pods().map(|(id, _)| id));
        pods.sort_unstable_by_key(|id| self.store.pod(*id).map(|pod| pod.uid));
        for id in pods {
            let Some(pod) = self.store.pod(id).cloned() else { continue };
            self.settle_energy(id, &pod);
            self.charge_for_node(id, &pod);
            self.record_pod(id, &pod, None);
        }
        let mut nodes: Vec<_> = self.store.nodes().map(|(id, _)| id).collect();
        nodes.sort_unstable_by_key(|id| self.store.node(*id).map(|node| node.uid));
        for id in nodes {
            let machine = self.nodes.get(id).map(|state| state.machine);
            let machine = machine.and_then(|machine| self.cloud.machines.get(machine));
            if let Some(machine) = machine.cloned() {
                self.record_node(id, &machine, None);
            }
        }
        self.record_deliveries();
        let now = self.now;
        let totals = &mut self.recorder.totals;
        totals.unbound_at_end = self.observed.waiting.max(0) as u32;
        totals.nodes_at_end = self.store.node_count() as u32;
        totals.node_hours = self.ledger.machine_hours(now);
        totals.cost = self.ledger.cost(now);
        totals.energy_wh = self.ledger.energy_wh(now);
    }
}
