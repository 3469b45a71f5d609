//! Speeds of pods found with little work, held against the plain way: every node looked at in every
//! pass, and every pod's answers found by itself.
//!
//! Whatever happens to a cluster, all that pods do is the same bit for bit. Only histograms of
//! latencies are summed up in another order: pods that are alike are added up first.

use super::*;
use crate::record::latency::LatencyHistogram;
use crate::scenario::curve::Curve;
use crate::scenario::graph::model::{Call, Patience, Retries, Step, WarmUp};
use crate::units::SimDuration;
use crate::world::traffic::station::Tally;
use crate::world::traffic::warmth::Cold;
use crate::world::traffic::wiring::Calls;
use proptest::prelude::*;
use slotmap::SlotMap;

const STATIONS: usize = 3;
const NODES: usize = 3;

/// Something that happens to a cluster.
#[derive(Clone, Debug)]
enum Change {
    /// A pod of a kind comes to a node; of the station after the last one: it serves nothing.
    Come { station: usize, node: usize, kind: usize },
    /// A pod is gone; Services may route to it for ever.
    Go { pod: usize, is_routed: bool },
    /// The containers of a pod die, or answer again.
    Live(usize, bool),
    /// So many requests a second come to a station from outside.
    Ask(usize, f64),
    /// So many milliseconds pass.
    Wait(u64),
    /// Sums are handed over.
    Count,
    /// The search for speeds is given up after a pass.
    GiveUp,
}

/// How calls are made.
#[derive(Clone, Copy, Debug)]
struct Manner {
    /// With timeouts and retries.
    is_wired: bool,
    /// Pods of the first station are slow while they are young.
    is_cold: bool,
}

struct Cluster {
    network: Network,
    now: SimTime,
    workloads: Vec<Workload>,
    ids: SlotMap<PodId, ()>,
    nodes: Vec<NodeId>,
    pods: Vec<(PodId, usize)>,
    /// What has been handed over.
    sums: Vec<u64>,
    latencies: Vec<LatencyHistogram>,
}

impl Cluster {
    fn new(manner: Manner, is_plain: bool) -> Cluster {
        let workload = &crate::world::tests::scenario(1, 1, Curve::Constant(0.0)).workloads[0];
        let idle = |cpu| Workload { idle_cpu: MilliCpu(cpu), ..workload.clone() };
        let workloads = vec![idle(0), idle(50), idle(100)];
        let models = workloads.iter().map(|workload| PodModel::of_cores(workload, 1.0, None));
        let calls = vec![vec![(1, 1.0), (2, 0.5)], vec![(2, 1.0)], Vec::new()];
        let services = (0..STATIONS).map(Some).collect();
        let mut network = Network::new(models.collect(), services, calls.clone());
        network.set_sharing(workloads.clone());
        if manner.is_wired {
            network.wire(calls.iter().map(|calls| wired(calls)).collect(), vec![patience(); 3]);
        }
        if manner.is_cold {
            let process = Some(WarmUp { lasts: SimDuration::from_secs(3), slower: 2.0 });
            let first = Cold { process, ..Cold::default() };
            network.set_cold(vec![first, Cold::default(), Cold::default()]);
        }
        if is_plain {
            network.share_plainly();
        }
        let mut nodes: SlotMap<NodeId, ()> = SlotMap::with_key();
        Cluster {
            network,
            now: SimTime::ZERO,
            workloads,
            ids: SlotMap::with_key(),
            nodes: (0..NODES).map(|_| nodes.insert(())).collect(),
            pods: Vec::new(),
            sums: Vec::new(),
            latencies: vec![LatencyHistogram::default(); STATIONS + 1],
        }
    }

    fn come(&mut self, station: usize, node: usize, kind: usize) {
        let id = self.ids.insert(());
        let (limit, request) = [(0.5, 100), (1.0, 1000), (2.0, 500), (6.0, 0)][kind];
        let serves = self.workloads.get(station).map(|workload| Serves {
            station,
            usual: PodModel::of_cores(workload, limit, None),
            cores: limit,
        });
        let qos = [Qos::Burstable, Qos::Guaranteed, Qos::Burstable, Qos::BestEffort][kind];
        let guest = Guest { qos, request: MilliCpu(request), serves: serves.clone() };
        if let Some(serves) = serves {
            self.network.add_pod(id, station);
            self.network.stations[station].fit_lane(id, serves.usual);
        }
        let cores = [MilliCpu(1000), MilliCpu(3920), MilliCpu(8000)][node];
        self.network.join_node(id, (self.nodes[node], cores), guest);
        self.network.set_alive(self.now, id, true);
        self.network.route(self.now, station.min(STATIONS - 1), id, true);
        self.pods.push((id, station));
    }

    fn happen(&mut self, change: &Change) {
        let place = |pod: usize, pods: &[(PodId, usize)]| pod % pods.len().max(1);
        match *change {
            Change::Come { station, node, kind } => self.come(station, node, kind),
            Change::Go { pod, is_routed } if !self.pods.is_empty() => {
                let (id, station) = self.pods.remove(place(pod, &self.pods));
                self.network.remove_pod(self.now, id);
                self.ids.remove(id);
                if !is_routed {
                    self.network.route(self.now, station.min(STATIONS - 1), id, false);
                }
            }
            Change::Live(pod, alive) if !self.pods.is_empty() => {
                let (id, _) = self.pods[place(pod, &self.pods)];
                self.network.set_alive(self.now, id, alive);
            }
            Change::Ask(station, rate) => {
                self.network.set_external(self.now, station, rate);
                self.network.set_asker(self.now, station, Some(station), rate);
            }
            Change::Wait(millis) => {
                let until = self.now + SimDuration::from_millis(millis);
                // Queues with retries may turn to and fro without end within an instant.
                for _ in 0..200 {
                    let next = self.network.next_change();
                    if next > until {
                        break;
                    }
                    self.network.settle(next);
                    self.now = next;
                }
                self.now = self.now.max(until);
            }
            Change::Count => self.count(),
            Change::GiveUp => {
                self.network.follow(self.now);
                return self.network.look_for_speeds(self.now, 1);
            }
            Change::Go { .. } | Change::Live(..) => {}
        }
        self.network.settle(self.now);
    }

    fn count(&mut self) {
        for station in 0..STATIONS {
            let mut latency = LatencyHistogram::default();
            let tally = self.network.take_interval(self.now, station, &mut latency);
            self.latencies[station].merge(&latency);
            let Tally { offered, served, failed, in_flight, cpu, idle, needed } = tally;
            let sums = [offered, served, failed, in_flight, cpu, idle, needed];
            self.sums.extend(sums.map(f64::to_bits));
        }
        let entries = self.network.take_entries(self.now);
        self.latencies[STATIONS].merge(&entries.latency);
        let sums = [entries.offered, entries.served, entries.failed];
        self.sums.extend(sums.map(f64::to_bits));
    }

    /// All that can be seen of the pods, in bits.
    fn shown(&self) -> Vec<u64> {
        let mut shown = vec![self.network.next_change().0];
        for (id, _) in self.pods.iter().filter(|(_, station)| *station < STATIONS) {
            let cores = self.network.cores_of(*id).unwrap_or(-1.0);
            let used = self.network.cpu_of(*id, self.now);
            shown.extend([cores, used, self.network.rate_of(*id)].map(f64::to_bits));
        }
        for station in &self.network.stations {
            for (_, queue) in station.lanes() {
                let rates = queue.rates();
                let wants = (queue.wanted_cores(), queue.pod.rate);
                let waits = (queue.mean_latency(), queue.answer_time());
                shown.extend([rates.offered, rates.served, rates.failed].map(f64::to_bits));
                shown.extend([wants.0, wants.1, waits.0, waits.1].map(f64::to_bits));
                shown.push(queue.backlog().to_bits());
            }
        }
        let fronts = self.network.fronts.iter();
        shown.extend(fronts.flat_map(|front| [front.success, front.latency].map(f64::to_bits)));
        shown
    }
}

fn patience() -> Patience {
    let base = SimDuration::from_millis(25);
    let retries = Retries { attempts: 1, base, max: base * 10, jitter: true, budget: Some(0.2) };
    Patience { timeout: Some(SimDuration::from_secs(2)), retries: Some(retries) }
}

fn wired(calls: &[(usize, f64)]) -> Calls {
    let timeout = Some(SimDuration::from_millis(800));
    let call = |(service, times): &(usize, f64)| Call { timeout, ..Call::plain(*service, *times) };
    Calls { steps: vec![Step { calls: calls.iter().map(call).collect() }], stops: true }
}

fn any_change() -> impl Strategy<Value = Change> {
    // More rows of a kind: more of them.
    let come = (0..=STATIONS, 0..NODES, 0usize..4).prop_map(|(station, node, kind)| Change::Come {
        station,
        node,
        kind,
    });
    let rate = prop_oneof![Just(0.0), 0.0..60.0, 0.0..1500.0];
    prop_oneof![
        6 => come,
        1 => (0usize..50, any::<bool>()).prop_map(|(pod, is_routed)| Change::Go { pod, is_routed }),
        2 => (0usize..50, any::<bool>()).prop_map(|(pod, alive)| Change::Live(pod, alive)),
        5 => (0..STATIONS, rate).prop_map(|(station, rate)| Change::Ask(station, rate)),
        4 => (1u64..4000).prop_map(Change::Wait),
        1 => Just(Change::Count),
        1 => Just(Change::GiveUp),
    ]
}

fn near(found: &LatencyHistogram, plain: &LatencyHistogram) -> bool {
    let mean = |latency: &LatencyHistogram| latency.mean().unwrap_or(0.0);
    let pairs = [(found.total(), plain.total()), (mean(found), mean(plain))];
    pairs.iter().all(|(a, b)| (a - b).abs() <= 1e-12 * b.abs().max(1.0))
}

proptest! {
    #[test]
    fn little_work_finds_what_the_plain_way_does(
        (is_wired, is_cold) in any::<(bool, bool)>(),
        changes in prop::collection::vec(any_change(), 1..40),
    ) {
        let manner = Manner { is_wired: is_wired && !is_cold, is_cold };
        let [mut quick, mut plain] = [false, true].map(|is_plain| Cluster::new(manner, is_plain));
        for (at, change) in changes.iter().chain([&Change::Count]).enumerate() {
            quick.happen(change);
            plain.happen(change);
            prop_assert_eq!(quick.now, plain.now);
            prop_assert_eq!(quick.shown(), plain.shown(), "after change {}: {:?}", at, change);
            prop_assert_eq!(&quick.sums, &plain.sums, "after change {}: {:?}", at, change);
        }
        for (quick, plain) in quick.latencies.iter().zip(&plain.latencies) {
            prop_assert!(near(quick, plain), "{quick:?} is not {plain:?}");
        }
    }
}
