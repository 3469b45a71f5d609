//! The engine: its event list, and what happens when something is due.
//!
//! It is run up to an instant and no further; between two runs pods, routes and rates may change.
//! What the world has to know at once (a full memory, a wait that was marked) stops a run after the
//! event that raised it.

use super::account::{EntryCount, Presence, StationCount};
use super::arrivals::Arrivals;
use super::calls::{Call, Frame, Kind};
use super::deadlines::Lane;
use super::inflight::{InFlight, Ticket};
use super::near::Near;
use super::places::Places;
use super::plan::{CallPlan, EntryPlan, Pick, Plan, StationPlan};
use super::pod::Pod;
use crate::record::latency::LatencyHistogram;
use crate::sim::queue::{EventQueue, Phase};
use crate::sim::rng::Streams;
use crate::sim::sample::Distribution;
use crate::units::{SimDuration, SimTime};
use std::collections::{BTreeMap, VecDeque};

/// Index of a pod in the engine.
pub type PodIx = u32;

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Tick {
    /// A request comes from outside; overtaken unless the entry's plan is this one.
    Arrival { entry: u32, epoch: u32 },
    /// A request that shares with nobody has had its CPU.
    Cpu(Ticket),
    /// One of those who share may have had it; overtaken unless the pod's plan is this one.
    Shared { pod: u32, plan: u32 },
    /// What a request waited for has come.
    Waited(Ticket),
    /// The head of a station's deadlines.
    Late { station: u32 },
    /// A source of arrivals is on, or off, from now on.
    Turn { entry: u32, source: u32 },
    /// A user has thought.
    Thought { entry: u32, user: u32 },
    /// The head of the deadlines of calls of a kind.
    LateCall { kind: u32 },
    /// The wait before another try of a call is over.
    Again(Ticket),
    /// Counters of all pods are read.
    Scrape,
}

/// All events of one instant are equal: the order of planning decides.
pub(super) const PHASE: Phase = Phase(0);

/// A kind of pods as it runs.
#[derive(Debug)]
pub(super) struct Station {
    pub(super) plan: StationPlan,
    /// Kinds of its calls, step by step.
    pub(super) calls: Vec<Vec<u32>>,
    pub(super) count: StationCount,
    pub(super) latency: LatencyHistogram,
    pub(super) presence: Presence,
    pub(super) late: Option<Lane>,
    /// Waits that somebody wants to know of when they are passed, seconds.
    pub(super) marks: Vec<f64>,
    /// CPU seconds of pods that are forgotten, and of all up to the last time it was taken.
    pub(super) cpu: (f64, f64),
}

/// A Service as it runs.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) primary: Option<u32>,
    /// Pods that are routed to, in their order.
    pub(super) routed: Vec<(u64, u32)>,
    pub(super) pick: Pick,
    /// How many have been sent one after the other.
    pub(super) turn: u64,
    /// Whose clients stick to pods.
    pub(super) affinity: Option<Box<Affinity>>,
}

/// Clients that stick to pods.
#[derive(Debug)]
pub(super) struct Affinity {
    /// For how long one that asks nothing is remembered.
    pub(super) timeout: SimDuration,
    /// By entry and client: the order of the pod that it was sent to, and when.
    pub(super) seats: BTreeMap<(u32, u32), (u64, SimTime)>,
}

/// An entry as it runs.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) to: u32,
    pub(super) key: u64,
    /// Requests so far.
    pub(super) number: u64,
    pub(super) source: Source,
    /// The kind of call that its clients make.
    pub(super) clients: Option<u32>,
    /// Addresses that its requests come from; none: from a proxy.
    pub(super) addresses: Option<u32>,
    pub(super) count: EntryCount,
}

#[derive(Debug)]
pub(super) enum Source {
    Open(Box<Arrivals>),
    Closed { think: Distribution, users: u32, seated: Vec<Seat> },
}

/// A user.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seat {
    /// Is there, asking or thinking.
    pub(super) is_here: bool,
    /// How often it has thought.
    pub(super) thoughts: u32,
}

/// What the world has to know at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// As many requests are in this pod as its memory holds.
    Full(PodIx),
    /// The wait in this pod has passed a mark.
    Wait(PodIx),
    /// Counters have been read.
    Scraped,
}

/// Requests through Services as discrete events.
pub struct Engine {
    pub(super) events: EventQueue<Tick>,
    pub(super) now: SimTime,
    pub(super) stations: Vec<Station>,
    pub(super) fronts: Vec<Front>,
    pub(super) entries: Vec<Entry>,
    pub(super) pods: Vec<Pod>,
    /// Places of pods that are forgotten.
    pub(super) unused: Vec<u32>,
    pub(super) requests: InFlight,
    pub(super) kinds: Vec<Kind>,
    pub(super) frames: Places<Frame>,
    pub(super) calls: Places<Call>,
    /// Calls that have been given a connection and are not sent yet.
    pub(super) freed: VecDeque<Ticket>,
    /// Where everybody is, if that matters.
    pub(super) near: Option<Box<Near>>,
    /// Room for calls that are being made.
    pub(super) made: Vec<Ticket>,
    pub(super) signals: Vec<Signal>,
    pub(super) scrape_period: SimDuration,
    pub(super) tells_scrapes: bool,
    pub(super) handled: u64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Station {
    fn new(plan: StationPlan, kinds: &mut Vec<Kind>) -> Station {
        let mut kind = |call: &CallPlan| {
            kinds.push(Kind::new(*call));
            kinds.len() as u32 - 1
        };
        let step = |step: &Vec<CallPlan>| step.iter().map(&mut kind).collect();
        Station {
            calls: plan.steps.iter().map(step).collect(),
            late: plan.timeout.map(Lane::new),
            plan,
            count: StationCount::default(),
            latency: LatencyHistogram::default(),
            presence: Presence::default(),
            marks: Vec::new(),
            cpu: (0.0, 0.0),
        }
    }
}

impl Engine {
    /// Nobody is there and nothing comes yet.
    pub fn new(plan: &Plan, streams: &Streams) -> Engine {
        let mut kinds = Vec::new();
        let station = |plan: &StationPlan| Station::new(plan.clone(), &mut kinds);
        let stations = plan.stations.iter().map(station).collect();
        let entry = |(number, entry): (usize, &EntryPlan)| {
            let key = streams.stream("requests", number as u64).next_u64();
            let (to, source, theirs, addresses) = match entry {
                EntryPlan::Open { to, process, clients, addresses } => {
                    let arrivals = Arrivals::new(*process, number as u64, streams);
                    (*to, Source::Open(Box::new(arrivals)), clients, *addresses)
                }
                EntryPlan::Closed { to, think, clients, addresses } => {
                    let think = think.clone();
                    let source = Source::Closed { think, users: 0, seated: Vec::new() };
                    (*to, source, clients, *addresses)
                }
            };
            let clients = theirs.map(|call| {
                kinds.push(Kind::new(call));
                kinds.len() as u32 - 1
            });
            Entry { to, key, number: 0, source, clients, addresses, count: EntryCount::default() }
        };
        let entries = plan.entries.iter().enumerate().map(entry).collect();
        let mut engine = Engine {
            events: EventQueue::default(),
            now: SimTime::ZERO,
            stations,
            fronts: plan
                .services
                .iter()
                .map(|s| Front {
                    primary: s.primary,
                    routed: Vec::new(),
                    pick: s.pick.clone(),
                    turn: 0,
                    affinity: None,
                })
                .collect(),
            entries,
            pods: Vec::new(),
            unused: Vec::new(),
            requests: InFlight::default(),
            kinds,
            frames: Places::default(),
            calls: Places::default(),
            freed: VecDeque::new(),
            near: None,
            made: Vec::new(),
            signals: Vec::new(),
            scrape_period: SimDuration::ZERO,
            tells_scrapes: false,
            handled: 0,
        };
        engine.plan_turns();
        engine
    }

    fn plan_turns(&mut self) {
        for entry in 0..self.entries.len() {
            let Source::Open(arrivals) = &mut self.entries[entry].source else { continue };
            for source in 0..arrivals.sources() {
                let at = SimTime::ZERO + SimDuration::from_secs_f64(arrivals.first_turn(source));
                self.events.push(at, PHASE, Tick::Turn { entry: entry as u32, source });
            }
        }
    }

    /// When the next thing is due.
    pub fn next(&self) -> SimTime {
        self.events.peek_time().unwrap_or(SimTime::NEVER)
    }

    /// Events handled so far.
    pub fn handled(&self) -> u64 {
        self.handled
    }

    /// Lets happen all that is due up to `until`, that instant included, or up to the first thing
    /// that the world has to know; gives the instant that it has come to.
    pub fn run(&mut self, until: SimTime) -> SimTime {
        while self.events.peek_time().is_some_and(|time| time <= until) {
            let Some(fired) = self.events.pop() else { break };
            self.now = fired.time;
            self.handled += 1;
            self.handle(fired.event);
            if !self.signals.is_empty() {
                return self.now;
            }
        }
        self.now = self.now.max(until);
        self.now
    }

    /// The instant that it has come to.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// Whether there is something that the world has to know.
    pub fn has_signals(&self) -> bool {
        !self.signals.is_empty()
    }

    /// What the world has to know, and has not been told yet.
    pub fn take_signals(&mut self) -> Vec<Signal> {
        std::mem::take(&mut self.signals)
    }

    #[inline]
    fn handle(&mut self, tick: Tick) {
        match tick {
            Tick::Arrival { entry, epoch } => self.on_arrival(entry, epoch),
            Tick::Cpu(ticket) => self.on_cpu(ticket),
            Tick::Shared { pod, plan } => self.on_shared(pod, plan),
            Tick::Waited(ticket) => self.on_waited(ticket),
            Tick::Late { station } => self.on_late(station),
            Tick::Turn { entry, source } => self.on_turn(entry, source),
            Tick::Thought { entry, user } => self.on_thought(entry, user),
            Tick::LateCall { kind } => self.on_late_call(kind),
            Tick::Again(ticket) => self.on_again(ticket),
            Tick::Scrape => self.on_scrape(),
        }
        if !self.freed.is_empty() {
            self.send_freed();
        }
    }
}
