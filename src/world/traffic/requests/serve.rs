//! A request and its pod: it arrives, waits, is worked on, and is answered or fails.

use super::draws::{Draws, Purpose};
use super::engine::{Engine, PHASE, Signal, Tick};
use super::inflight::{Origin, Stage, Ticket};
use crate::units::SimTime;

impl Engine {
    /// A request reaches a pod.
    #[inline]
    pub(super) fn arrive(&mut self, pod: u32, key: u64, origin: Origin) {
        let now = self.now;
        let p = &mut self.pods[pod as usize];
        let station = &mut self.stations[p.station as usize];
        station.count.offered += 1;
        p.counters.offered += 1;
        let plan = &station.plan;
        let has_room = p.in_work < plan.concurrency || p.queued < plan.queue;
        let is_shed = plan.shed_at.is_some_and(|most| p.load() >= most)
            || plan
                .shed_wait
                .is_some_and(|most| plan.delay(p.size.cores, p.load()) > most.as_secs_f64());
        if !(p.is_alive && has_room) || is_shed {
            station.count.failed += 1;
            p.counters.failed += 1;
            return self.fail(origin);
        }
        station.presence.comes(now);
        let ticket = self.requests.add(pod, now, key, origin);
        if let Some(late) = &mut station.late
            && let Some(due) = late.begin(now, ticket)
        {
            self.events.push(due, PHASE, Tick::Late { station: p.station });
        }
        if p.in_work < station.plan.concurrency {
            self.begin(ticket);
        } else {
            p.enqueue(&mut self.requests, ticket.place);
        }
        self.load_changed(pod);
        self.watch_memory(pod);
    }

    /// Work on a request begins.
    #[inline]
    fn begin(&mut self, ticket: Ticket) {
        let now = self.now;
        let request = self.requests.get_mut(ticket.place);
        let pod = &mut self.pods[request.pod as usize];
        let plan = &self.stations[pod.station as usize].plan;
        let mut draws = Draws::new(request.key, Purpose::Work);
        request.size = plan.law.draw(|| draws.next_u64());
        if let Some((lasts, slower)) = plan.warm_up {
            let age = now.since(pod.alive_since).as_secs_f64() / lasts.as_secs_f64().max(1e-9);
            request.size *= 1.0 + (slower - 1.0) * (1.0 - age).max(0.0);
        }
        request.began = now;
        pod.in_work += 1;
        let work = request.size * plan.demand.0 as f64;
        if work <= 0.0 {
            return self.wait(ticket);
        }
        request.stage = Stage::Cpu;
        if !pod.cpu.is_shared {
            let at = pod.cpu.begin_alone(now, work);
            self.events.push(at, PHASE, Tick::Cpu(ticket));
        } else if let Some(at) = pod.cpu.begin(now, ticket.place, work) {
            let plan = pod.cpu.plan;
            self.events.push(at, PHASE, Tick::Shared { pod: request.pod, plan });
        }
    }

    /// A request has had its CPU.
    #[inline]
    pub(super) fn on_cpu(&mut self, ticket: Ticket) {
        if !self.requests.lives(ticket) {
            return;
        }
        let request = self.requests.get(ticket.place);
        let pod = &mut self.pods[request.pod as usize];
        let demand = self.stations[pod.station as usize].plan.demand;
        pod.cpu.end_alone(self.now, request.size * demand.0 as f64);
        self.wait(ticket);
    }

    /// One of the requests that share a pod's CPU may have had its own.
    pub(super) fn on_shared(&mut self, pod: u32, plan: u32) {
        if self.pods[pod as usize].cpu.plan != plan {
            return;
        }
        self.pods[pod as usize].cpu.forget_plan();
        while let Some(place) = self.pods[pod as usize].cpu.through(self.now) {
            self.wait(self.requests.ticket(place));
        }
        let cpu = &mut self.pods[pod as usize].cpu;
        if let Some(at) = cpu.plan_next(self.now) {
            let plan = cpu.plan;
            self.events.push(at, PHASE, Tick::Shared { pod, plan });
        }
    }

    /// What else a request has to wait for.
    #[inline]
    fn wait(&mut self, ticket: Ticket) {
        let request = self.requests.get_mut(ticket.place);
        let station = self.pods[request.pod as usize].station;
        let wait = self.stations[station as usize].plan.wait;
        if wait.0 == 0 {
            return self.finish(ticket.place);
        }
        request.stage = Stage::Wait;
        let nanos = (request.size * wait.0 as f64 + 0.5) as u64;
        self.events.push(SimTime(self.now.0.saturating_add(nanos)), PHASE, Tick::Waited(ticket));
    }

    /// What a request waited for has come.
    pub(super) fn on_waited(&mut self, ticket: Ticket) {
        if self.requests.lives(ticket) {
            self.finish(ticket.place);
        }
    }

    /// Work on a request is over.
    #[inline]
    fn finish(&mut self, place: u32) {
        let now = self.now;
        let request = *self.requests.get(place);
        let pod = &mut self.pods[request.pod as usize];
        pod.in_work -= 1;
        let station_number = pod.station;
        let station = &mut self.stations[station_number as usize];
        station.presence.leaves(now, request.arrived);
        self.requests.remove(place);
        if request.origin != Origin::Nobody {
            let stayed = now.0 - request.arrived.0;
            pod.counters.served += 1;
            pod.counters.stayed += stayed;
            station.count.served += 1;
            station.latency.add_one(stayed);
        }
        if let Some(next) = pod.first() {
            pod.unqueue(&mut self.requests, next);
            self.begin(self.requests.ticket(next));
        }
        self.load_changed(request.pod);
        let station = &self.stations[station_number as usize];
        if station.calls.is_empty() || request.origin == Origin::Nobody {
            return self.succeed(request.origin, request.arrived);
        }
        self.call_others(station_number, &request);
    }

    /// Deadlines of a station have come.
    pub(super) fn on_late(&mut self, station: u32) {
        loop {
            let Some(lane) = &mut self.stations[station as usize].late else { return };
            match lane.due(self.now, |ticket| self.requests.lives(ticket)) {
                Ok(ticket) => self.give_up(ticket.place),
                Err(next) => {
                    if let Some(at) = next {
                        self.events.push(at, PHASE, Tick::Late { station });
                    }
                    return;
                }
            }
        }
    }

    /// The caller of a request gives up: if it waits it leaves, if it is in work nobody wants the
    /// answer.
    fn give_up(&mut self, place: u32) {
        let request = self.requests.get_mut(place);
        let (stage, pod) = (request.stage, request.pod);
        let origin = std::mem::replace(&mut request.origin, Origin::Nobody);
        if origin == Origin::Nobody {
            return;
        }
        let p = &mut self.pods[pod as usize];
        p.counters.failed += 1;
        self.stations[p.station as usize].count.failed += 1;
        if stage == Stage::Queued {
            self.leave_queue(place);
            self.load_changed(pod);
        }
        self.fail(origin);
    }

    /// A request that waits goes.
    fn leave_queue(&mut self, place: u32) {
        let request = *self.requests.get(place);
        let pod = &mut self.pods[request.pod as usize];
        pod.unqueue(&mut self.requests, place);
        self.stations[pod.station as usize].presence.leaves(self.now, request.arrived);
        self.requests.remove(place);
    }

    /// A pod's containers have ended: all requests in it fail.
    pub(super) fn drop_requests(&mut self, pod: u32) {
        let now = self.now;
        let mut lost = Vec::new();
        while let Some(place) = self.pods[pod as usize].first() {
            lost.push(self.requests.get(place).origin);
            self.leave_queue(place);
        }
        for place in self.requests.in_work_at(pod) {
            let request = *self.requests.get(place);
            let p = &mut self.pods[pod as usize];
            if request.stage == Stage::Cpu && !p.cpu.is_shared {
                p.cpu.cut(now, request.began);
            }
            p.in_work -= 1;
            self.stations[p.station as usize].presence.leaves(now, request.arrived);
            self.requests.remove(place);
            lost.push(request.origin);
        }
        let p = &mut self.pods[pod as usize];
        p.cpu.clear(now);
        let station = p.station as usize;
        let waiting = self.drop_frames(pod);
        // Those who have given up before have failed before.
        for origin in lost.into_iter().filter(|origin| *origin != Origin::Nobody) {
            self.stations[station].count.failed += 1;
            self.fail(origin);
        }
        waiting.into_iter().for_each(|origin| self.fail(origin));
        self.send_freed();
    }

    /// Seconds until a request that reaches a pod now would be answered, as those in it let expect;
    /// infinite: it is refused.
    pub fn answer_time(&self, pod: u32) -> f64 {
        let p = &self.pods[pod as usize];
        let plan = &self.stations[p.station as usize].plan;
        if p.in_work >= plan.concurrency && p.queued >= plan.queue {
            return f64::INFINITY;
        }
        plan.alone(p.size.cores) + plan.delay(p.size.cores, p.load())
    }

    /// There are more or fewer requests in a pod: its wait may have passed a mark.
    #[inline]
    pub(super) fn load_changed(&mut self, pod: u32) {
        let station = &self.stations[self.pods[pod as usize].station as usize];
        if station.marks.is_empty() {
            return;
        }
        let wait = self.answer_time(pod);
        let passed = station.marks.iter().filter(|mark| wait >= **mark - 1e-9).count() as u32;
        if std::mem::replace(&mut self.pods[pod as usize].passed, passed) != passed {
            self.signals.push(Signal::Wait(pod));
        }
    }

    /// A pod's memory may be full.
    #[inline]
    pub(super) fn watch_memory(&mut self, pod: u32) {
        let p = &self.pods[pod as usize];
        if p.size.full_at.is_some_and(|most| p.load() >= most) {
            self.signals.push(Signal::Full(pod));
        }
    }
}
