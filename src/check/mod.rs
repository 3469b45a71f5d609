//! Invariants that are checked inside the simulation, from outside of what they judge.
//!
//! A check recounts from the objects themselves what the parts of the world keep as running
//! counts. It does not know how a state came about. A broken invariant is a bug of ours, never a
//! result: the run ends with exit code 3 and the command that repeats it.

mod availability;
mod budgets;
mod capacity;
mod endpoints;
mod generations;
mod graph;
mod jobs;
mod lifecycle;
mod ordinals;
mod quotas;
mod tallies;
mod volumes;

use crate::api::{PodId, QuotaId, ServiceId};
use crate::store::Store;
use crate::units::SimTime;
use availability::Availability;
use budgets::Budgets;
use generations::Generations;
use graph::Graph;
use jobs::JobCounts;
use lifecycle::Lifecycle;
use quotas::Quotas;
use std::ops::Range;

/// How often the state is recounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stride {
    /// Never.
    Off,
    /// After every so many events, and at the end.
    Events(u64),
    /// Now and then, and at the end: a look costs what there is, so it comes after four events for
    /// each pod that there is, and after 4,096 where there are few pods. So a run is not longer
    /// looked at than simulated.
    NowAndThen,
}

/// Least events between two looks that come now and then.
const SELDOM: u64 = 4096;
/// Events between two of them for each pod.
const EVENTS_PER_POD: u64 = 4;

/// So many events after each other at most, looks can tell who has taken a pod.
const CLOSE: u64 = 16;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Which one, in a few words.
    pub invariant: &'static str,
    /// What was found.
    pub found: String,
    /// When.
    pub time: SimTime,
    /// After how many events.
    pub event: u64,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Violation { invariant, found, time, event } = self;
        write!(f, "invariant broken: {invariant}: {found} (at {time}, event {event})")
    }
}

impl std::error::Error for Violation {}

/// What checks are shown of a state.
pub struct View<'a> {
    /// All objects.
    pub store: &'a Store,
    /// The instant.
    pub now: SimTime,
    /// Pods that are gone and written down.
    pub pods_gone: u64,
    /// Whether the endpoints of a Service are as its controller wants them: nothing that changed
    /// is still under way.
    pub settled: &'a dyn Fn(ServiceId) -> bool,
    /// Whether a quota is as its controller wants it.
    pub counted: &'a dyn Fn(QuotaId) -> bool,
    /// Whether controllers are at work: the API server answers, and they have a leader.
    pub is_led: bool,
    /// Why a pod that goes was marked for deletion; empty: it was not.
    pub ended_by: &'a dyn Fn(PodId) -> &'static str,
    /// Cores that a pod uses at present, where pods share those of their nodes.
    pub cores_of: &'a dyn Fn(PodId) -> Option<f64>,
    /// What of the endpoints that requests are sent to does not add up, if anything.
    pub miscounted: &'a dyn Fn() -> Option<String>,
    /// Which limit or budget of a NodePool was exceeded, if any.
    pub exceeded: &'a dyn Fn() -> Option<String>,
}

#[cfg(test)]
impl<'a> View<'a> {
    /// Of a store in which all else is as it should be.
    fn of(store: &'a Store, now: SimTime) -> View<'a> {
        View {
            store,
            now,
            pods_gone: 0,
            settled: &|_| true,
            counted: &|_| true,
            is_led: true,
            ended_by: &|_| "",
            cores_of: &|_| None,
            miscounted: &|| None,
            exceeded: &|| None,
        }
    }
}

/// What a check found wrong, before it is known when.
type Finding = Option<(&'static str, String)>;

/// All checks of one run.
#[derive(Debug)]
pub struct Checks {
    stride: Stride,
    events: u64,
    /// The event after which the next look is due that comes now and then.
    next: u64,
    lifecycle: Lifecycle,
    quotas: Quotas,
    jobs: JobCounts,
    generations: Generations,
    graph: Graph,
    availability: Availability,
    budgets: Budgets,
    /// The Service whose endpoints are recounted at the next look.
    service: usize,
    /// Found between events, told after the next one.
    pending: Finding,
}

impl Checks {
    /// Checks that look every `stride`.
    pub fn new(stride: Stride) -> Checks {
        Checks {
            stride,
            events: 0,
            next: SELDOM,
            lifecycle: Lifecycle::default(),
            quotas: Quotas::default(),
            jobs: JobCounts::default(),
            generations: Generations::default(),
            graph: Graph::default(),
            availability: Availability::default(),
            budgets: Budgets::default(),
            service: 0,
            pending: None,
        }
    }

    /// Events seen so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Looks at the state after an event, if it is this event's turn.
    ///
    /// # Errors
    /// The first broken invariant.
    pub fn after_event(&mut self, view: &View<'_>) -> Result<(), Violation> {
        self.events += 1;
        let is_due = match self.stride {
            Stride::Off => false,
            Stride::Events(n) => self.events.is_multiple_of(n),
            Stride::NowAndThen => self.events >= self.next,
        };
        if is_due {
            let pods = view.store.pod_count() as u64;
            self.next = self.events + SELDOM.max(EVENTS_PER_POD * pods);
            // One Service a look, in turn: a look should cost what the pods cost.
            self.service = self.service.wrapping_add(1);
            let services = view.store.services().count().max(1);
            let service = self.service % services;
            return self.look(view, service..service + 1);
        }
        if self.pending.is_some() { self.report(view.now, self.pending.clone()) } else { Ok(()) }
    }

    /// Looks at everything when the run ends.
    ///
    /// # Errors
    /// The first broken invariant.
    pub fn at_end(&mut self, view: &View<'_>) -> Result<(), Violation> {
        if self.stride == Stride::Off { Ok(()) } else { self.look(view, 0..usize::MAX) }
    }

    fn look(&mut self, view: &View<'_>, services: Range<usize>) -> Result<(), Violation> {
        let found = self
            .pending
            .take()
            .or_else(|| capacity::overcommitted(view.store))
            .or_else(|| capacity::overused(view))
            .or_else(|| tallies::wrong(view.store))
            .or_else(|| ordinals::doubled(view.store))
            .or_else(|| volumes::wrong(view.store))
            .or_else(|| self.lifecycle.illegal_move(view.store))
            .or_else(|| lifecycle::lost(view.store, view.pods_gone))
            .or_else(|| self.jobs.wrong(view.store))
            .or_else(|| self.generations.wrong(view.store))
            .or_else(|| self.graph.unsound(view))
            .or_else(|| self.who_took_what(view))
            .or_else(|| endpoints::stale(view, services))
            .or_else(|| self.quotas.exceeded(view.store))
            .or_else(|| quotas::miscounted(view))
            .or_else(|| (view.miscounted)().map(|found| ("every endpoint is counted once", found)))
            .or_else(|| (view.exceeded)().map(|found| ("limits and budgets of pools hold", found)));
        self.report(view.now, found)
    }

    /// What needs to know of each pod who took it, and so looks that are close to each other.
    fn who_took_what(&mut self, view: &View<'_>) -> Finding {
        match self.stride {
            Stride::Events(n) if n <= CLOSE => {
                self.availability.broken(view).or_else(|| self.budgets.violated(view))
            }
            _ => None,
        }
    }

    fn report(&self, time: SimTime, found: Finding) -> Result<(), Violation> {
        match found {
            None => Ok(()),
            Some((invariant, found)) => {
                Err(Violation { invariant, found, time, event: self.events })
            }
        }
    }

    /// Little's law over an interval of one station: the integral of requests in its pods equals
    /// the sum of the times that the served ones spent there.
    ///
    /// The two sides are computed apart (closed form of the level; slices of the latency
    /// distribution), so they agree only if both are right.
    pub fn littles_law(&mut self, in_flight: f64, latency_sum: f64) {
        let what = ["request-seconds in pods", "by latencies"];
        self.law("Little's law", what, in_flight, latency_sum);
    }

    /// The utilisation law over an interval of one station: cores are busy as long as the requests
    /// that are served need them.
    ///
    /// Cores are integrated from rates, requests counted by what came, failed and piled up.
    pub fn utilisation_law(&mut self, busy: f64, needed: f64) {
        let what = ["CPU seconds used", "needed by what was served"];
        self.law("the utilisation law", what, busy, needed);
    }

    fn law(&mut self, law: &'static str, what: [&str; 2], one: f64, other: f64) {
        let scale = one.abs().max(other.abs());
        if self.stride != Stride::Off && scale > 1e-3 && (one - other).abs() > 1e-3 * scale {
            let found = format!("{one} {}, {other} {}", what[0], what[1]);
            self.pending.get_or_insert((law, found));
        }
    }

    /// Two ways to the same total that must agree to rounding.
    pub fn equal(&mut self, invariant: &'static str, one: f64, other: f64) {
        let scale = one.abs().max(other.abs()).max(1.0);
        if self.stride != Stride::Off && (one - other).abs() > 1e-6 * scale {
            self.pending.get_or_insert((invariant, format!("{one} is not {other}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::amounts::Amounts;
    use crate::api::labels::{Labels, Selector};
    use crate::api::pod::PodPhase;
    use crate::api::quantity::Quantity;
    use crate::api::quota::ResourceQuota;
    use crate::api::service::Service;
    use crate::api::{NodeId, PodId};
    use crate::control::controllers::testing::Bench;
    use crate::units::MilliCpu;

    /// A node with two ready pods of one CPU each behind a Service.
    struct Small {
        bench: Bench,
        node: NodeId,
        pods: [PodId; 2],
        service: ServiceId,
        pods_gone: u64,
        miscounted: Option<String>,
        cores: Option<f64>,
        quota: QuotaId,
    }

    impl Small {
        fn new() -> Small {
            let mut bench = Bench::new();
            let node = bench.node("n", "a");
            let set = bench.replica_set("web", 2);
            let mut pods = [bench.ready_pod(set, node), bench.ready_pod(set, node)];
            pods.sort_unstable();
            let service = bench.store.create_service(Service {
                name: "web".into(),
                namespace: "default".into(),
                labels: Labels::default(),
                selector: Some(Selector::from_labels(&Labels::from([("app", "web")]))),
                publish_not_ready: false,
                endpoints: pods.to_vec(),
                ..Service::default()
            });
            let amounts = |n: i64| -> Amounts { [("pods".into(), Quantity::of(n))].into() };
            let quota = bench.store.create_quota(ResourceQuota {
                name: "q".into(),
                namespace: "default".into(),
                hard: amounts(2),
                scopes: Vec::new(),
                known: amounts(2),
                used: amounts(2),
                version: 0,
            });
            Small { bench, node, pods, service, pods_gone: 0, miscounted: None, cores: None, quota }
        }

        fn change(&mut self, change: impl FnOnce(&mut crate::api::pod::Pod)) {
            self.bench.store.update_pod(self.pods[0], |pod| {
                change(pod);
                true
            });
        }

        fn change_owner(&mut self, change: impl FnOnce(&mut crate::api::workload::ReplicaSet)) {
            let owner = self.bench.store.pod(self.pods[0]).and_then(|pod| pod.owner);
            self.bench.store.update_replica_set(owner.unwrap(), |set| {
                change(set);
                true
            });
        }

        fn look(&self, checks: &mut Checks) -> Result<(), Violation> {
            checks.after_event(&View {
                pods_gone: self.pods_gone,
                miscounted: &|| self.miscounted.clone(),
                cores_of: &|_| self.cores,
                ..View::of(&self.bench.store, self.bench.now)
            })
        }
    }

    #[test]
    fn what_is_broken_is_found() {
        type Row = (&'static str, fn(&mut Small, &mut Checks), &'static str);
        let rows: [Row; 18] = [
            (
                "two CPUs requested of one",
                |s, _| {
                    s.bench.store.update_node(s.node, |node| {
                        std::sync::Arc::make_mut(&mut node.allocatable).cpu = MilliCpu(1000);
                        true
                    });
                },
                "no node is over-committed",
            ),
            (
                "two pods where there is place for one",
                |s, _| {
                    s.bench.store.update_node(s.node, |node| {
                        node.max_pods = 1;
                        true
                    });
                },
                "no node is over-committed",
            ),
            (
                "two pods use more than their node has",
                |s, _| {
                    let node = s.bench.store.node(s.node).unwrap();
                    s.cores = Some(node.allocatable.cpu.cores() / 2.0 + 0.001);
                },
                "pods use no more cores than their node has",
            ),
            (
                "a running pod is Pending again",
                |s, _| s.change(|p| (p.phase, p.ready) = (PodPhase::Pending, false)),
                "pods move only forwards",
            ),
            (
                "a pod is on another node",
                |s, _| {
                    let other = s.bench.node("other", "a");
                    s.change(|p| p.node = Some(other));
                },
                "pods move only forwards",
            ),
            (
                "a node is forgotten",
                |s, _| s.change(|p| p.node = None),
                "only running pods are Ready",
            ),
            (
                "Ready without running",
                |s, _| s.change(|p| p.phase = PodPhase::Succeeded),
                "only running pods are Ready",
            ),
            (
                "a pod goes and nobody writes it down",
                |s, _| {
                    s.bench.store.remove_pod(s.pods[0]);
                    s.bench.store.change_endpoints(s.service, &[], &[s.pods[0]]);
                },
                "pods are conserved",
            ),
            ("a pod is written down that is there", |s, _| s.pods_gone = 1, "pods are conserved"),
            (
                "an endpoint is not ready",
                |s, _| s.change(|p| p.ready = false),
                "endpoints are the ready pods",
            ),
            (
                "an endpoint is missing",
                |s, _| s.bench.store.change_endpoints(s.service, &[], &[s.pods[1]]),
                "endpoints are the ready pods",
            ),
            (
                "requests are sent to nobody",
                |s, _| s.miscounted = Some("station 0".into()),
                "every endpoint is counted once",
            ),
            (
                "a quota counts a pod that is not there",
                |s, _| {
                    let one = [("pods".into(), Quantity::of(1))].into();
                    assert!(s.bench.store.count_quota(s.quota, one, Amounts::new(), 0));
                },
                "quotas count their pods",
            ),
            (
                "one pod more than a quota has",
                |s, _| {
                    let one = [("pods".into(), Quantity::of(1))].into();
                    s.bench.store.charge_quota(s.quota, &one);
                },
                "no quota is exceeded",
            ),
            (
                "a StatefulSet's pod is made twice",
                |s, _| {
                    let set = s.bench.stateful_set("db", 2);
                    for _ in 0..2 {
                        s.bench.stateful_pod(set, 1);
                    }
                },
                "a StatefulSet has one pod for an ordinal",
            ),
            (
                "a ReplicaSet's controller has seen what is yet to come",
                |s, _| s.change_owner(|set| set.status.observed_generation = 99),
                "generations are observed in order",
            ),
            (
                "pods are in another namespace than what controls them",
                |s, _| s.change_owner(|set| set.namespace = "elsewhere".into()),
                "the graph of owners is sound",
            ),
            ("requests spend time nowhere", |_, c| c.littles_law(10.0, 10.1), "Little's law"),
        ];
        for (sentence, break_it, invariant) in rows {
            let mut small = Small::new();
            let mut checks = Checks::new(Stride::Events(1));
            assert_eq!(small.look(&mut checks), Ok(()), "{sentence}: nothing is broken yet");
            break_it(&mut small, &mut checks);
            let found = small.look(&mut checks).expect_err(sentence);
            assert_eq!((found.invariant, found.event), (invariant, 2), "{sentence}: {found}");
        }
    }

    #[test]
    fn a_deletion_that_is_taken_back_is_found() {
        let mut small = Small::new();
        let mut checks = Checks::new(Stride::Events(1));
        let now = small.bench.now;
        small.bench.store.mark_pod_deleted(small.pods[0], now);
        small.bench.store.change_endpoints(small.service, &[], &[small.pods[0]]);
        assert_eq!(small.look(&mut checks), Ok(()));
        small.change(|p| p.deletion = SimTime::NEVER.into());
        let found = small.look(&mut checks).unwrap_err();
        assert_eq!(found.invariant, "pods move only forwards");
    }

    #[test]
    fn totals_that_differ_are_told_after_the_next_event() {
        let small = Small::new();
        let mut checks = Checks::new(Stride::Events(1));
        checks.equal("the cost is the sum of the nodes' bills", 1.0, 1.0 + 1e-9);
        assert_eq!(small.look(&mut checks), Ok(()), "rounding is no difference");
        checks.equal("the cost is the sum of the nodes' bills", 1.0, 1.1);
        let found = small.look(&mut checks).unwrap_err();
        assert_eq!(found.invariant, "the cost is the sum of the nodes' bills");
        assert!(found.to_string().contains("event 2"), "{found}");
    }

    #[test]
    fn looks_that_come_now_and_then_find_what_is_broken_too() {
        let mut small = Small::new();
        let mut checks = Checks::new(Stride::NowAndThen);
        small.pods_gone = 7;
        let first = (1..).find(|_| small.look(&mut checks).is_err());
        assert_eq!(first, Some(SELDOM), "few pods");
        checks.next = 0;
        let owner = small.bench.replica_set("crowd", 2000);
        (0..2000).for_each(|_| _ = small.bench.pod(owner));
        assert!(small.look(&mut checks).is_err());
        let then = (1..).find(|_| small.look(&mut checks).is_err());
        assert_eq!(then, Some(EVENTS_PER_POD * 2002), "more pods, fewer looks");
    }

    #[test]
    fn checks_that_are_off_find_nothing() {
        let mut small = Small::new();
        let mut checks = Checks::new(Stride::Off);
        small.pods_gone = 7;
        checks.littles_law(1.0, 2.0);
        checks.equal("never", 1.0, 2.0);
        assert_eq!(small.look(&mut checks), Ok(()));
    }
}
