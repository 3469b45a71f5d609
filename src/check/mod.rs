//! Invariants that are checked inside the simulation, from outside of what they judge.
//!
//! A check recounts from the objects themselves what the parts of the world keep as running
//! counts. It does not know how a state came about. A broken invariant is a bug of ours, never a
//! result: the run ends with exit code 3 and the command that repeats it.

mod capacity;
mod endpoints;
mod lifecycle;

use crate::api::ServiceId;
use crate::store::Store;
use crate::units::SimTime;
use lifecycle::Lifecycle;
use std::ops::Range;

/// How often the state is recounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stride {
    /// Never.
    Off,
    /// After every so many events, and at the end.
    Events(u64),
}

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
}

/// What a check found wrong, before it is known when.
type Finding = Option<(&'static str, String)>;

/// All checks of one run.
#[derive(Debug)]
pub struct Checks {
    stride: Stride,
    events: u64,
    lifecycle: Lifecycle,
    /// The Service whose endpoints are recounted at the next look.
    service: usize,
    /// Found between events, told after the next one.
    pending: Finding,
}

impl Checks {
    /// Checks that look every `stride`.
    pub fn new(stride: Stride) -> Checks {
        Checks { stride, events: 0, lifecycle: Lifecycle::default(), service: 0, pending: None }
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
        match self.stride {
            Stride::Events(n) if self.events.is_multiple_of(n) => {
                // One Service a look, in turn: a look should cost what the pods cost.
                self.service = self.service.wrapping_add(1);
                let services = view.store.services().count().max(1);
                let service = self.service % services;
                self.look(view, service..service + 1)
            }
            _ if self.pending.is_some() => self.report(view.now, self.pending.clone()),
            _ => Ok(()),
        }
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
            .or_else(|| self.lifecycle.illegal_move(view.store))
            .or_else(|| lifecycle::lost(view.store, view.pods_gone))
            .or_else(|| endpoints::stale(view, services));
        self.report(view.now, found)
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
        let scale = in_flight.abs().max(latency_sum.abs());
        if self.stride != Stride::Off
            && scale > 1e-3
            && (in_flight - latency_sum).abs() > 1e-3 * scale
        {
            let found = format!("{in_flight} request-seconds in pods, {latency_sum} by latencies");
            self.pending.get_or_insert(("Little's law", found));
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
