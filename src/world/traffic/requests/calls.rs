//! Calls: what a request asks of other Services, how long it waits for them, and what it does when
//! they fail.
//!
//! A request calls when its own work is done: its place in the pod is free again, and it is a frame
//! that waits for answers. Calls of a step are made at once; the next step begins when all have an
//! answer. A call that fails, or whose answer is late, is tried again if that is wanted. Whoever
//! gives up does not tell the pod: what it has taken it works off, for nobody.

use super::connections::{Connections, Held, Turn};
use super::deadlines::Lane;
use super::draws::{Draws, Purpose, key_of, unit_open};
use super::engine::{Engine, PHASE, Tick};
use super::inflight::{NONE, Origin, Request, Ticket};
use super::plan::{CallPlan, Retries};
use crate::units::{SimDuration, SimTime};

/// A request that waits for its calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    station: u32,
    pod: u32,
    origin: Origin,
    began: SimTime,
    key: u64,
    /// The next step.
    step: u32,
    /// Calls without an answer.
    pending: u32,
    failed: bool,
}

/// A call that is under way: one of its tries, or the wait before the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// Which kind of call.
    kind: u32,
    pub(super) origin: Origin,
    /// The pod that makes it; none for somebody outside.
    pub(super) pod: u32,
    held: Held,
    began: SimTime,
    key: u64,
    tries: u32,
    /// Times that it is still to be made, this one included.
    times: u32,
}

/// All calls of one kind: a place in a workload's calls, or the clients of an entry.
#[derive(Debug)]
pub(super) struct Kind {
    plan: CallPlan,
    late: Option<Lane>,
    connections: Option<Connections>,
    /// Retries that its budget lets it make.
    tokens: f64,
    /// Failures in a row, and until when it is open since there were too many.
    failures: u32,
    open_until: SimTime,
    /// One has been let through to find out whether the callee is well.
    is_trying: bool,
}

/// Most retries that a budget can save up, and what it begins with.
const MOST_TOKENS: f64 = 100.0;
const FIRST_TOKENS: f64 = 10.0;

impl Kind {
    pub(super) fn new(plan: CallPlan) -> Kind {
        Kind {
            late: plan.timeout.map(Lane::new),
            connections: plan.connections.map(Connections::new),
            plan,
            tokens: FIRST_TOKENS,
            failures: 0,
            open_until: SimTime::ZERO,
            is_trying: false,
        }
    }

    /// It asks another Service from now on.
    pub(super) fn go_to(&mut self, service: u32) {
        self.plan.to = service;
    }

    /// A calling pod is gone.
    fn forget(&mut self, pod: u32) {
        if let Some(connections) = &mut self.connections {
            connections.forget(pod);
        }
    }

    /// Whether its circuit breaker lets a try through.
    fn lets_through(&mut self, now: SimTime) -> bool {
        let Some((most, _)) = self.plan.circuit_breaker else { return true };
        if self.failures < most {
            return true;
        }
        now >= self.open_until && !std::mem::replace(&mut self.is_trying, true)
    }

    /// A try that was let through has ended.
    fn note(&mut self, now: SimTime, is_fine: bool) {
        let Some((most, open)) = self.plan.circuit_breaker else { return };
        self.failures = if is_fine { 0 } else { (self.failures + 1).min(most) };
        self.is_trying = false;
        if self.failures >= most {
            self.open_until = now + open;
        }
    }

    /// Whether there is to be another try; it counts.
    fn may_retry(&mut self, tries: u32) -> Option<Retries> {
        let retries = self.plan.retries.filter(|retries| tries <= retries.attempts)?;
        if retries.budget.is_some() {
            if self.tokens < 1.0 {
                return None;
            }
            self.tokens -= 1.0;
        }
        Some(retries)
    }
}

impl Engine {
    /// A request's own work is done: it calls others.
    pub(super) fn call_others(&mut self, station: u32, request: &Request) {
        let Request { pod, origin, arrived: began, key, .. } = *request;
        let frame = Frame { station, pod, origin, began, key, step: 0, pending: 0, failed: false };
        let ticket = self.frames.add(frame);
        self.step(ticket);
    }

    /// A pod's containers have ended: nobody there waits for answers any more. Gives whom its
    /// requests were for.
    pub(super) fn drop_frames(&mut self, pod: u32) -> Vec<Origin> {
        if self.stations[self.pods[pod as usize].station as usize].calls.is_empty() {
            return Vec::new();
        }
        for call in self.calls.find(|call| call.pod == pod) {
            self.calls.remove(call.place);
        }
        self.kinds.iter_mut().for_each(|kind| kind.forget(pod));
        let lost = self.frames.find(|frame| frame.pod == pod);
        lost.into_iter()
            .map(|frame| {
                let origin = self.frames.get(frame.place).origin;
                self.frames.remove(frame.place);
                origin
            })
            .collect()
    }

    /// Makes the calls of a frame's next step, or answers it after the last.
    fn step(&mut self, frame: Ticket) {
        loop {
            let f = *self.frames.get(frame.place);
            let station = &self.stations[f.station as usize];
            let Some(step) = station.calls.get(f.step as usize) else {
                return self.answer(frame);
            };
            if f.failed && station.plan.stops {
                return self.answer(frame);
            }
            let kinds = step.clone();
            let mut made = std::mem::take(&mut self.made);
            for kind in kinds {
                self.make(frame, &f, kind, &mut made);
            }
            let f = self.frames.get_mut(frame.place);
            f.step += 1;
            // One more, so that no answer ends the step before all calls are made.
            f.pending = made.len() as u32 + 1;
            for call in made.drain(..) {
                self.attempt(call);
            }
            self.made = made;
            let f = self.frames.get_mut(frame.place);
            f.pending -= 1;
            if f.pending > 0 {
                return;
            }
        }
    }

    /// Adds the calls of one kind that a frame makes.
    fn make(&mut self, frame: Ticket, f: &Frame, kind: u32, made: &mut Vec<Ticket>) {
        let plan = &self.kinds[kind as usize].plan;
        let key = key_of(f.key, 1 << 32 | u64::from(kind));
        let mut draws = Draws::new(key, Purpose::Calls);
        let whole = libm::floor(plan.times);
        let (is_made, more) = (draws.unit() < plan.probability, draws.unit() < plan.times - whole);
        let times = whole as u32 + u32::from(more);
        if !is_made || times == 0 {
            return;
        }
        for copy in 0..plan.fan_out {
            let key = key_of(key, copy.into());
            let origin = Origin::Frame(frame);
            let (pod, held, began) = (f.pod, Held::Nothing, self.now);
            made.push(self.calls.add(Call {
                kind,
                origin,
                pod,
                held,
                began,
                key,
                tries: 0,
                times,
            }));
        }
    }

    /// A request from outside whose client may give up or try again.
    pub(super) fn call_from_outside(&mut self, kind: u32, key: u64, origin: Origin) {
        let (pod, held, began) = (NONE, Held::Nothing, self.now);
        let call = Call { kind, origin, pod, held, began, key, tries: 0, times: 1 };
        let ticket = self.calls.add(call);
        self.attempt(ticket);
    }

    /// Tries a call once.
    fn attempt(&mut self, ticket: Ticket) {
        let now = self.now;
        let call = self.calls.get_mut(ticket.place);
        call.tries += 1;
        let (kind, tries, key, pod) = (call.kind, call.tries, call.key, call.pod);
        let k = &mut self.kinds[kind as usize];
        if let Some(budget) = k.plan.retries.and_then(|r| r.budget).filter(|_| tries == 1) {
            k.tokens = (k.tokens + budget).min(MOST_TOKENS);
        }
        if !k.lets_through(now) {
            return self.tried(ticket, false, false);
        }
        if k.plan.hit_ratio > 0.0 {
            let mut draws = Draws::new(key_of(key, tries.into()), Purpose::Calls);
            let warm_up = k.plan.cache_warm_up.as_secs_f64();
            let warm = match self.pods.get(pod as usize).filter(|_| warm_up > 0.0) {
                Some(pod) => (now.since(pod.alive_since).as_secs_f64() / warm_up).min(1.0),
                None => 1.0,
            };
            if draws.unit() < k.plan.hit_ratio * warm {
                return self.tried(ticket, true, true);
            }
        }
        let turn = k.connections.as_mut().map(|connections| connections.ask(pod, ticket));
        let held = match turn {
            Some(Turn::Full) => return self.tried(ticket, false, false),
            Some(Turn::Waits) => Held::Waits,
            Some(Turn::Goes) => Held::Has,
            None => Held::Nothing,
        };
        self.calls.get_mut(ticket.place).held = held;
        if let Some(late) = &mut k.late
            && let Some(due) = late.begin(now, ticket)
        {
            self.events.push(due, PHASE, Tick::LateCall { kind });
        }
        if held != Held::Waits {
            let to = k.plan.to;
            self.send(to, (key, tries - 1), Origin::Call(ticket));
        }
    }

    /// Calls that waited for a connection, and have it now, are sent.
    pub(super) fn send_freed(&mut self) {
        while let Some(ticket) = self.freed.pop_front() {
            if self.calls.lives(ticket) {
                let call = self.calls.get(ticket.place);
                let (to, again) = (self.kinds[call.kind as usize].plan.to, call.tries - 1);
                self.send(to, (call.key, again), Origin::Call(ticket));
            }
        }
    }

    /// A call gives back the connection that it has, or its place among those that wait.
    fn release(&mut self, ticket: Ticket) -> Held {
        let call = self.calls.get_mut(ticket.place);
        let (held, kind, pod) = (std::mem::take(&mut call.held), call.kind, call.pod);
        let Some(connections) = &mut self.kinds[kind as usize].connections else { return held };
        match held {
            Held::Nothing => {}
            Held::Waits => connections.leave(pod),
            Held::Has => {
                // It is over, and so are those that wait and have left.
                let waits = |other| other != ticket && self.calls.lives(other);
                if let Some(next) = connections.release(pod, waits) {
                    self.calls.get_mut(next.place).held = Held::Has;
                    self.freed.push_back(next);
                }
            }
        }
        held
    }

    /// Calls of a kind have waited long enough.
    pub(super) fn on_late_call(&mut self, kind: u32) {
        loop {
            let Some(lane) = &mut self.kinds[kind as usize].late else { return };
            match lane.due(self.now, |ticket| self.calls.lives(ticket)) {
                Ok(ticket) => self.tried(ticket, false, true),
                Err(next) => {
                    if let Some(at) = next {
                        self.events.push(at, PHASE, Tick::LateCall { kind });
                    }
                    return;
                }
            }
        }
    }

    /// A try has an answer, or none. `was_made`: the callee was asked.
    pub(super) fn tried(&mut self, ticket: Ticket, is_fine: bool, was_made: bool) {
        if !self.calls.lives(ticket) {
            return;
        }
        let held = self.release(ticket);
        let call = *self.calls.get(ticket.place);
        let kind = &mut self.kinds[call.kind as usize];
        if was_made && held != Held::Waits {
            kind.note(self.now, is_fine);
        }
        if is_fine && call.times > 1 {
            let next = self.calls.renew(ticket.place);
            let c = self.calls.get_mut(ticket.place);
            (c.times, c.tries, c.key) = (call.times - 1, 0, key_of(call.key, u64::MAX));
            return self.attempt(next);
        }
        if !is_fine && let Some(retries) = kind.may_retry(call.tries) {
            let random = Draws::new(key_of(call.key, call.tries.into()), Purpose::Back).next_u64();
            let mut wait = retries.wait(call.tries).0 as f64;
            if retries.jitter {
                wait *= unit_open(random);
            }
            let next = self.calls.renew(ticket.place);
            let at = self.now.saturating_add(SimDuration(wait as u64));
            return self.events.push(at, PHASE, Tick::Again(next));
        }
        let is_needed = !kind.plan.optional;
        self.calls.remove(ticket.place);
        self.called(&call, is_fine || !is_needed, is_fine);
    }

    /// The wait before another try is over.
    pub(super) fn on_again(&mut self, ticket: Ticket) {
        if self.calls.lives(ticket) {
            self.attempt(ticket);
        }
    }

    /// A call is over: whoever made it goes on.
    fn called(&mut self, call: &Call, is_well: bool, is_fine: bool) {
        let Origin::Frame(frame) = call.origin else {
            return match is_fine {
                true => self.succeed(call.origin, call.began),
                false => self.fail(call.origin),
            };
        };
        if !self.frames.lives(frame) {
            return;
        }
        let f = self.frames.get_mut(frame.place);
        f.failed |= !is_well;
        f.pending -= 1;
        if f.pending == 0 {
            self.step(frame);
        }
    }

    /// All that a frame waited for is there.
    fn answer(&mut self, frame: Ticket) {
        let f = *self.frames.get(frame.place);
        self.frames.remove(frame.place);
        match f.failed {
            true => self.fail(f.origin),
            false => self.succeed(f.origin, f.began),
        }
    }
}
