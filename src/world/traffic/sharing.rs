//! Pods that share the cores of their nodes: how fast each is depends on what the others want.
//!
//! What a pod wants is what its requests need, or all it can have while some wait; how fast it then
//! is [`super::contention`] says. Speeds decide what is served, and so what callees are asked,
//! which may be on the same nodes: [`Network`] looks for speeds at which all of this holds
//! together, from those that held before. Pods that are no stations want nothing, but those of
//! class Burstable weigh all the same. It is told who is on which node, not why.
//!
//! Nodes whose pods have room whatever happens are passed over, and what is known of a node holds
//! until its pods want something else; tests hold this against looking at everything.

#[cfg(test)]
mod plain_tests;

use super::contention::{Claim, Cpu, weight};
use super::network::Network;
use super::station::{PodModel, Station};
use crate::api::qos::Qos;
use crate::api::{NodeId, PodId};
use crate::scenario::model::Workload;
use crate::units::{MilliCpu, SimTime};
use std::collections::BTreeMap;

/// Passes of the search for speeds at most; where pods share a node with those that they call, it
/// halves its steps when it goes to and fro.
const MOST_PASSES: u32 = 60;
/// Change of a speed that is none, cores.
const TOLERANCE: f64 = 1e-9;
/// Cores for requests that a pod has in any case, however many others there are.
const LEAST: f64 = 1e-6;

/// A pod on a node.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its class.
    pub qos: Qos,
    /// CPU that it requests.
    pub request: MilliCpu,
    /// What it does for requests, if anything.
    pub serves: Option<Serves>,
}

/// A pod that is part of a station.
#[derive(Clone, Debug)]
pub struct Serves {
    /// The station.
    pub station: usize,
    /// What the pod can do by its own limit or, without one, by its burst.
    pub usual: PodModel,
    /// Cores that it has for that.
    pub cores: f64,
}

/// Who shares which cores.
#[derive(Debug)]
pub(super) struct Sharing {
    /// By station.
    workloads: Vec<Workload>,
    nodes: BTreeMap<NodeId, Node>,
    node_of: BTreeMap<PodId, NodeId>,
    /// Every node is looked at anew in each pass, and every pod finds what it answers by itself:
    /// the definition of what is otherwise found with less work.
    is_plain: bool,
}

#[derive(Debug)]
struct Node {
    cores: f64,
    guests: BTreeMap<PodId, Placed>,
    /// Each guest that is a station has what it can use at most.
    all_have_most: bool,
    /// Somebody's cores have changed since steps were whole ones.
    moved: bool,
    /// Of guests that are stations: which one, cores for idle use, cores that are the most.
    bounds: Vec<(usize, f64, f64)>,
    /// What guests that are stations wanted at the last look, and what was open to them.
    last: Option<(Vec<Wanted>, Open)>,
}

/// What the requests of a pod need, cores, and whether it is live.
type Wanted = (f64, bool);
/// Cores that each pod could use.
type Open = Vec<(PodId, f64)>;

impl Node {
    fn new(cores: f64) -> Node {
        let (bounds, guests) = (Vec::new(), BTreeMap::new());
        Node { cores, guests, all_have_most: false, moved: false, bounds, last: None }
    }

    /// Somebody has come or gone.
    fn change(&mut self, workloads: &[Workload]) {
        (self.all_have_most, self.last) = (false, None);
        let serving = self.guests.values().filter_map(|placed| placed.guest.serves.as_ref());
        let bound = |serves: &Serves| {
            let idle = workloads[serves.station].idle_cpu.cores();
            (serves.station, idle, (serves.cores + idle).min(self.cores))
        };
        self.bounds = serving.map(bound).collect();
    }

    /// Whether there is room for the most that any one can use beside what the others want, were
    /// it as much as any pod of their stations wants; by more than sums are rounded by.
    fn has_room(&self, stations: &[Station]) -> bool {
        let (mut all, mut more) = (0.0, 0.0_f64);
        for (station, idle, most) in &self.bounds {
            let wants = (stations[*station].most_wanted() + idle).min(*most);
            all += wants;
            more = more.max(most - wants);
        }
        all + more <= self.cores - TOLERANCE
    }

    /// Whether each guest has the most that it can use.
    fn gives_most(&self) -> bool {
        let serving = self.guests.values().filter(|placed| placed.guest.serves.is_some());
        let mut pairs = serving.zip(&self.bounds);
        pairs.all(|(placed, (.., most))| (placed.granted - most).abs() <= TOLERANCE / 2.0)
    }
}

/// A pod, and the cores that it has at present, those for its idle use included.
#[derive(Debug)]
struct Placed {
    guest: Guest,
    granted: f64,
    /// What they would have had to change by in the last pass, and the part of it that was taken.
    change: f64,
    step: f64,
}

impl Sharing {
    fn new(workloads: Vec<Workload>) -> Sharing {
        let (nodes, node_of) = (BTreeMap::new(), BTreeMap::new());
        Sharing { workloads, nodes, node_of, is_plain: false }
    }

    /// What the pods of a node that are stations want now, in their order.
    fn wanted(node: &Node, wants: impl Fn(PodId, usize) -> Wanted) -> Vec<Wanted> {
        let serving = node.guests.iter().filter_map(|(pod, placed)| {
            let station = placed.guest.serves.as_ref()?.station;
            Some(wants(*pod, station))
        });
        serving.collect()
    }

    /// Cores that each pod of a node that is a station could use, where they want this.
    fn open(node: &Node, wanted: &[Wanted]) -> Open {
        let all = node.guests.iter();
        let serving = all.filter(|(_, placed)| placed.guest.serves.is_some());
        let wanted = wanted.iter().zip(&node.bounds);
        let claims = serving.zip(wanted).map(|((pod, placed), ((wanted, is_live), bound))| {
            let Guest { qos, request, .. } = &placed.guest;
            let (_, idle, most) = *bound;
            let wants = if *is_live { (wanted + idle).min(most) } else { 0.0 };
            (*pod, Claim { qos: *qos, weight: weight(*request), wants, most })
        });
        let (pods, claims): (Vec<PodId>, Vec<Claim>) = claims.unzip();
        let burstable = node.guests.values().filter(|p| p.guest.qos == Qos::Burstable);
        let burstable = weight(burstable.map(|placed| placed.guest.request).sum());
        let open = Cpu { cores: node.cores, burstable }.open_to(&claims);
        pods.into_iter().zip(open).collect()
    }

    /// Steps are whole ones again.
    fn restart(&mut self) {
        for node in self.nodes.values_mut().filter(|node| node.moved) {
            node.moved = false;
            for placed in node.guests.values_mut() {
                (placed.change, placed.step) = (0.0, 1.0);
            }
        }
    }

    /// Lets pods have what they could use now, or come nearer to it; whether anything changed by
    /// that. `wants` is told the station of a pod; where `as_asked`, it is what its queue wants,
    /// and nodes that have room are passed over.
    fn pass(
        &mut self,
        (now, as_asked): (SimTime, bool),
        stations: &mut [Station],
        wants: impl Fn(&[Station], PodId, usize) -> Wanted,
    ) -> bool {
        let Sharing { workloads, nodes, is_plain, .. } = self;
        let passes_over = as_asked && !*is_plain;
        let mut moved = false;
        for node in nodes.values_mut() {
            if passes_over && node.all_have_most && node.has_room(stations) {
                continue;
            }
            let wanted = Self::wanted(node, |pod, station| wants(stations, pod, station));
            let known = node.last.take().filter(|(before, _)| !*is_plain && *before == wanted);
            let open = match known {
                Some((_, open)) => open,
                None => Self::open(node, &wanted),
            };
            for (pod, target) in &open {
                let Some(placed) = node.guests.get_mut(pod) else { continue };
                let changed = placed.approach(*target);
                if let Some(serves) = placed.guest.serves.as_ref().filter(|_| changed) {
                    let model = fitted(&workloads[serves.station], serves, placed.granted);
                    stations[serves.station].refit_lane(now, *pod, model);
                }
                node.moved |= changed;
                moved |= changed;
            }
            node.all_have_most = node.gives_most();
            node.last = Some((wanted, open));
        }
        moved
    }
}

impl Placed {
    /// Has what was found, or comes nearer to it; whether it changed by that.
    fn approach(&mut self, target: f64) -> bool {
        let change = target - self.granted;
        if change.abs() <= TOLERANCE {
            return false;
        }
        let factor = if change * self.change < 0.0 { 0.5 } else { 1.1 };
        self.step = (self.step * factor).clamp(0.01, 1.0);
        self.change = change;
        self.granted = if self.step == 1.0 { target } else { self.granted + self.step * change };
        true
    }
}

/// What a pod can do with the cores that it has.
fn fitted(workload: &Workload, serves: &Serves, granted: f64) -> PodModel {
    let idle = workload.idle_cpu.cores();
    if granted >= serves.cores + idle {
        return serves.usual;
    }
    let cores = (granted - idle).max(LEAST);
    // Where there is not even enough for what it does without requests, it does less of it.
    let idle_cores = (granted - cores).clamp(0.0, idle);
    PodModel { idle_cores, ..PodModel::of_cores(workload, cores, serves.usual.memory_limit) }
}

impl Network {
    /// From now on, before there is any pod, pods of one node share its cores; `workloads` by
    /// station. Each of their pods has a queue of its own.
    pub fn set_sharing(&mut self, workloads: Vec<Workload>) {
        for station in self.stations.iter_mut().take(workloads.len()) {
            if !station.is_apart() {
                station.set_apart();
            }
        }
        for station in &mut self.stations {
            station.take_down_together();
        }
        self.sharing = Some(Box::new(Sharing::new(workloads)));
    }

    /// From now on, before there is any pod, all is found in the plain way.
    #[cfg(test)]
    pub(super) fn share_plainly(&mut self) {
        self.stations.iter_mut().for_each(Station::find_each_alone);
        if let Some(sharing) = &mut self.sharing {
            sharing.is_plain = true;
        }
    }

    /// A pod is on a node whose pods have so much CPU together.
    pub fn join_node(&mut self, pod: PodId, (id, cpu): (NodeId, MilliCpu), guest: Guest) {
        let Some(sharing) = &mut self.sharing else { return };
        if sharing.node_of.insert(pod, id).is_some() {
            return;
        }
        let node = sharing.nodes.entry(id).or_insert_with(|| Node::new(cpu.cores()));
        let idle = |station: usize| sharing.workloads[station].idle_cpu.cores();
        let granted = guest.serves.as_ref().map_or(0.0, |s| s.cores + idle(s.station));
        node.guests.insert(pod, Placed { guest, granted, change: 0.0, step: 1.0 });
        node.change(&sharing.workloads);
    }

    /// A pod has ended or is gone.
    pub fn leave_node(&mut self, pod: PodId) {
        let Some(sharing) = &mut self.sharing else { return };
        let Some(id) = sharing.node_of.remove(&pod) else { return };
        if let Some(node) = sharing.nodes.get_mut(&id) {
            node.guests.remove(&pod);
            node.change(&sharing.workloads);
            if node.guests.is_empty() {
                sharing.nodes.remove(&id);
            }
        }
    }

    /// Cores that a pod uses at present, if pods share those of their nodes.
    pub fn cores_of(&self, pod: PodId) -> Option<f64> {
        self.sharing.as_ref()?;
        let endpoint = self.endpoints.get(pod)?;
        let station = &self.stations[endpoint.station()];
        station.has_lane(pod).then(|| station.lane(pod).cores())
    }

    /// Lets pods be as fast as what the others want allows.
    pub(super) fn share_cores(&mut self, now: SimTime) {
        self.look_for_speeds(now, MOST_PASSES);
    }

    fn look_for_speeds(&mut self, now: SimTime, most_passes: u32) {
        let Some(mut sharing) = self.sharing.take() else { return };
        sharing.restart();
        let mut passes = 0;
        while passes < most_passes {
            let wants = |stations: &[Station], pod, station: usize| {
                let queue = stations[station].lane(pod);
                (queue.wanted_cores(), queue.endpoints().0 > 0)
            };
            if !sharing.pass((now, true), &mut self.stations, wants) {
                break;
            }
            self.follow(now);
            passes += 1;
        }
        if passes == most_passes {
            // Whatever the others want, this much is theirs.
            sharing.restart();
            sharing.pass((now, false), &mut self.stations, |_, _, _| (f64::INFINITY, true));
            self.follow(now);
        }
        if passes > 0 {
            self.stations.iter_mut().for_each(|station| station.release_lanes(now));
        }
        self.sharing = Some(sharing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::latency::LatencyHistogram;
    use crate::scenario::curve::Curve;
    use crate::units::SimDuration;
    use proptest::prelude::*;
    use slotmap::SlotMap;

    const S: fn(u64) -> SimTime = SimTime::from_secs;

    /// One pod each of stations on one node: what it requests, thousandths of a core, and cores by
    /// its limit. Requests take 10 ms of CPU; pods are never idle at work.
    #[derive(Debug)]
    struct Packed {
        network: Network,
        cores: f64,
        limits: Vec<f64>,
        pods: Vec<PodId>,
    }

    impl Packed {
        fn new(cores: i64, pods: &[(i64, f64)], calls: Vec<Vec<(usize, f64)>>) -> Packed {
            let mut workload = crate::world::tests::scenario(1, 1, Curve::Constant(0.0)).workloads;
            workload[0].idle_cpu = MilliCpu::ZERO;
            let workload = &workload[0];
            let model = |cores: f64| PodModel::of_cores(workload, cores, None);
            let models = pods.iter().map(|(_, cores)| model(*cores)).collect();
            let mut network = Network::new(models, (0..pods.len()).map(Some).collect(), calls);
            network.set_sharing(vec![workload.clone(); pods.len()]);
            let mut nodes: SlotMap<NodeId, ()> = SlotMap::with_key();
            let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
            let (node, mut known) = (nodes.insert(()), Vec::new());
            for (station, (request, limit)) in pods.iter().enumerate() {
                let pod = ids.insert(());
                let serves = Serves { station, usual: model(*limit), cores: *limit };
                let request = MilliCpu(*request);
                let guest = Guest { qos: Qos::Burstable, request, serves: Some(serves) };
                network.add_pod(pod, station);
                network.join_node(pod, (node, MilliCpu(cores * 1000)), guest);
                network.set_alive(S(0), pod, true);
                network.route(S(0), station, pod, true);
                known.push(pod);
            }
            let limits = pods.iter().map(|(_, cores)| *cores).collect();
            Packed { network, cores: cores as f64, limits, pods: known }
        }

        /// From now on so many requests a second come to each station from outside.
        fn ask(&mut self, now: SimTime, rates: &[f64]) {
            for (service, rate) in rates.iter().enumerate() {
                self.network.set_external(now, service, *rate);
            }
            self.network.settle(now);
        }

        fn follow(&mut self, until: SimTime) {
            while self.network.next_change() <= until {
                let at = self.network.next_change();
                self.network.settle(at);
            }
        }

        fn used(&self) -> Vec<f64> {
            self.pods.iter().map(|pod| self.network.cores_of(*pod).unwrap_or(0.0)).collect()
        }

        fn wanted(&self) -> Vec<f64> {
            let queues = self.pods.iter().zip(&self.network.stations);
            queues.map(|(pod, station)| station.lane(*pod).wanted_cores()).collect()
        }

        /// Requests a second that each pod could serve.
        fn speeds(&self) -> Vec<f64> {
            let queues = self.pods.iter().zip(&self.network.stations);
            queues.map(|(pod, station)| station.lane(*pod).pod.rate).collect()
        }
    }

    fn near(found: &[f64], expected: &[f64]) -> bool {
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6 * b.max(1.0))
    }

    #[test]
    fn pods_are_as_fast_as_the_others_allow() {
        type Row = (&'static str, &'static [(i64, f64)], [f64; 2], [f64; 2], [f64; 2]);
        let rows: [Row; 5] = [
            (
                "nobody asks much: each is as fast as its limit allows",
                &[(1000, 2.0), (1000, 2.0)],
                [100.0, 50.0],
                [1.0, 0.5],
                [200.0, 200.0],
            ),
            (
                "one asks for what is left beside the other, and is no faster than that",
                &[(1000, 4.0), (1000, 4.0)],
                [100.0, 250.0],
                [1.0, 2.5],
                [200.0, 300.0],
            ),
            (
                "both ask for more than there is: by weight, 39 to 118",
                &[(1000, 4.0), (3000, 4.0)],
                [400.0, 400.0],
                [4.0 * 39.0 / 157.0, 4.0 * 118.0 / 157.0],
                [400.0 * 39.0 / 157.0, 400.0 * 118.0 / 157.0],
            ),
            (
                "a small weight is no harm to who wants less than its part",
                &[(1000, 4.0), (3000, 4.0)],
                [50.0, 400.0],
                [0.5, 3.5],
                [400.0 * 39.0 / 157.0, 350.0],
            ),
            (
                "a limit leaves the rest to the other, whatever the weights",
                &[(1000, 4.0), (3000, 1.5)],
                [400.0, 400.0],
                [2.5, 1.5],
                [250.0, 150.0],
            ),
        ];
        for (sentence, pods, rates, used, speeds) in rows {
            let mut packed = Packed::new(4, pods, vec![Vec::new(); 2]);
            packed.ask(S(0), &rates);
            assert!(near(&packed.speeds(), &speeds), "{sentence}: {:?}", packed.speeds());
            // A steady queue gives up a request in some millions.
            let found = packed.used();
            assert!(
                found.iter().zip(used).all(|(a, b)| (a - b).abs() < 1e-4),
                "{sentence}: {found:?}"
            );
        }
    }

    #[test]
    fn what_has_piled_up_wants_all_it_can_get() {
        let mut packed = Packed::new(4, &[(500, 4.0), (1000, 4.0)], vec![Vec::new(); 2]);
        let part = 400.0 * 20.0 / 59.0;
        packed.ask(S(0), &[100.0, 350.0]);
        packed.follow(S(1));
        assert!(near(&packed.speeds(), &[part, 300.0]), "{:?}", packed.speeds());
        packed.ask(S(1), &[100.0, 210.0]);
        // 50 are in the queue, 90 of them go each second.
        assert!(near(&packed.speeds(), &[part, 300.0]), "{:?}", packed.speeds());
        assert!((packed.used()[1] - 3.0).abs() < 1e-6, "{:?}", packed.used());
        packed.follow(S(2));
        assert!(near(&packed.speeds(), &[190.0, 300.0]), "{:?}", packed.speeds());
    }

    #[test]
    fn who_calls_a_pod_of_its_own_node_finds_a_speed_that_fits_both() {
        // What is offered to the callee is twice what the caller serves: a + 2 a = 4 cores. Whole
        // steps would go to and fro between one core and two for ever.
        let mut packed =
            Packed::new(4, &[(1000, 4.0), (3000, 4.0)], vec![vec![(1, 2.0)], Vec::new()]);
        packed.ask(S(0), &[400.0, 0.0]);
        let used = packed.used();
        assert!((used[0] - 4.0 / 3.0).abs() < 1e-3, "{used:?}");
        assert!((used[1] - 8.0 / 3.0).abs() < 1e-3, "{used:?}");
        assert!(used.iter().sum::<f64>() <= 4.0 + 1e-6, "{used:?}");
    }

    #[test]
    fn a_search_that_is_given_up_leaves_each_pod_its_part() {
        let mut packed =
            Packed::new(4, &[(1000, 4.0), (3000, 4.0)], vec![vec![(1, 2.0)], Vec::new()]);
        packed.network.set_external(S(0), 0, 400.0);
        packed.network.follow(S(0));
        assert!(packed.used().iter().sum::<f64>() > 4.0 + 1.0, "as if each were alone");
        packed.network.look_for_speeds(S(0), 1);
        let parts = [400.0 * 39.0 / 157.0, 400.0 * 118.0 / 157.0];
        assert!(near(&packed.speeds(), &parts), "{:?}", packed.speeds());
        assert!(packed.used().iter().sum::<f64>() < 4.0);
    }

    #[test]
    fn when_one_looks_does_not_matter() {
        let run = |looks: u64| {
            let mut packed = Packed::new(4, &[(1000, 4.0), (2000, 4.0)], vec![Vec::new(); 2]);
            packed.ask(S(0), &[150.0, 100.0]);
            for (from, rates) in [(10, [350.0, 380.0]), (20, [100.0, 290.0]), (30, [90.0, 90.0])] {
                packed.follow(S(from));
                packed.ask(S(from), &rates);
                for look in 1..=looks {
                    let at = S(from) + SimDuration(10_000_000_000 * look / (looks + 1));
                    packed.follow(at);
                    packed.network.settle(at);
                }
            }
            packed.follow(S(60));
            let each = |station: usize| {
                let mut latency = LatencyHistogram::default();
                let tally = packed.network.take_interval(S(60), station, &mut latency);
                (tally.served, tally.failed, tally.cpu)
            };
            [0, 1].map(each)
        };
        let once = run(0);
        assert!(once[0].1 > 100.0, "some fail: {once:?}");
        for (a, b) in once.into_iter().zip(run(7)) {
            let gaps = [(a.0, b.0), (a.1, b.1), (a.2, b.2)].map(|(a, b)| (a - b).abs());
            assert!(gaps.iter().all(|gap| *gap < 1e-3), "{a:?} is not {b:?}");
        }
    }

    #[test]
    fn who_leaves_leaves_its_part() {
        let mut packed = Packed::new(4, &[(1000, 4.0), (1000, 4.0)], vec![Vec::new(); 2]);
        packed.ask(S(0), &[300.0, 300.0]);
        assert!(near(&packed.used(), &[2.0, 2.0]));
        let gone = packed.pods[1];
        packed.network.remove_pod(S(1), gone);
        packed.network.settle(S(1));
        assert!(near(&packed.speeds()[..1], &[400.0]), "{:?}", packed.speeds());
        assert_eq!(packed.network.cores_of(gone), None);
    }

    /// Stations that call those after them, whatever they request, may use and are asked.
    fn any_packed() -> impl Strategy<Value = (Packed, Vec<f64>)> {
        let one = (100i64..3000, 0.2..4.0, 0.0..300.0);
        let calls = prop::collection::vec(prop_oneof![Just(0.0), 0.1..3.0], 6);
        (1i64..5, prop::collection::vec(one, 4), calls).prop_map(|(cores, pods, each)| {
            let mut each = each.into_iter();
            let calls = (0..4usize).map(|from| {
                let to = (from + 1..4).zip(&mut each);
                to.filter(|(_, times)| *times > 0.0).collect()
            });
            let calls = calls.collect();
            let rates = pods.iter().map(|(.., rate)| *rate).collect();
            let pods: Vec<(i64, f64)> = pods.into_iter().map(|(m, cores, _)| (m, cores)).collect();
            (Packed::new(cores, &pods, calls), rates)
        })
    }

    proptest! {
        #[test]
        fn no_core_is_used_twice_nor_idle_while_somebody_is_short(
            (mut packed, rates) in any_packed(),
            second in prop::collection::vec(0.0..300.0, 4),
        ) {
            let cores = packed.cores;
            for (at, rates) in [(0, rates), (30, second)] {
                packed.follow(S(at));
                packed.ask(S(at), &rates);
                for look in 1..4 {
                    let used: f64 = packed.used().iter().sum();
                    prop_assert!(used <= cores + 1e-6, "{used} of {cores} cores");
                    // A queue close to saturation loses some of what it could have served.
                    let wanted = packed.wanted();
                    let speeds = packed.speeds().into_iter().map(|rate| rate * 0.01);
                    let pairs: Vec<(f64, f64)> = wanted.into_iter().zip(speeds).collect();
                    let taken: f64 = pairs.iter().map(|(wanted, speed)| wanted.min(*speed)).sum();
                    let is_short = pairs.iter().zip(&packed.limits).any(|((wanted, speed), limit)| {
                        *wanted > speed + 1e-6 && *speed < limit.min(cores) - 1e-6
                    });
                    prop_assert!(!is_short || taken > cores - 1e-6, "{taken} of {cores} cores");
                    packed.follow(S(at + look));
                    packed.network.settle(S(at + look));
                }
            }
        }
    }
}
