//! What the API server and etcd can bear: seats by priority level, and the work that waits behind
//! them.
//!
//! A request first needs a seat of its level (priority and fairness, or one pool for all), then its
//! turn at the workers of API server and etcd, whom all levels share. Load that is not simulated
//! request by request, such as that of agents on every node, is a flow: it fills its seats as far
//! as it can, and work waits accordingly. Between two looks everything is linear, so nothing is
//! ticked. Sources: kubernetes `staging/src/k8s.io/apiserver/pkg/server/filters/maxinflight.go`,
//! `pkg/apis/flowcontrol/bootstrap/default.go`, v1.37. It knows neither what requests ask for nor
//! who sends them.

use crate::scenario::model::ApiServerFlags;
use crate::sim::rng::Stream;
use crate::units::{SimDuration, SimTime};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A priority level (`PriorityLevelConfiguration`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// `node-high`: leases and statuses of nodes.
    NodeHigh,
    /// `system`: what else kubelets ask.
    System,
    /// `leader-election`.
    LeaderElection,
    /// `workload-high`: the control plane's components.
    WorkloadHigh,
    /// `workload-low`: service accounts of workloads.
    WorkloadLow,
}

/// Levels, and `nominalConcurrencyShares` of each; all of upstream's make 245 (with those of
/// `global-default` and `catch-all`).
const SHARES: [u64; 5] = [40, 30, 10, 40, 100];
const ALL_SHARES: u64 = 245;
/// A request waits for a seat for a quarter of the time that it may take (`requestWaitLimit`).
const WAIT_PART: u64 = 4;

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    /// It is done at this instant.
    Done(SimTime),
    /// `429 Too Many Requests`, at this instant.
    TooMany(SimTime),
    /// It took too long: its sender gives up at this instant.
    TimedOut(SimTime),
}

/// Requests that come so steadily that nobody follows each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Flow {
    /// Requests a second.
    pub rate: f64,
    /// Work of each, seconds.
    pub work: f64,
}

/// The seats and the work that waits.
#[derive(Debug)]
pub(super) struct Overload {
    is_fair: bool,
    queue_limit: usize,
    request_timeout: SimDuration,
    workers: f64,
    seats: [usize; SHARES.len()],
    total: usize,
    /// When each request in flight, or waiting for a seat, is done, by level.
    in_flight: [BinaryHeap<Reverse<SimTime>>; SHARES.len()],
    /// Seconds of work that wait for a worker, as of `at`.
    backlog: f64,
    at: SimTime,
    flow: Flow,
    draws: Stream,
    /// Requests of the flow that were refused.
    flow_refused: f64,
}

impl Overload {
    /// What the flags allow; `None`: there is no limit.
    pub(super) fn new(flags: &ApiServerFlags, draws: Stream) -> Option<Overload> {
        let reads = flags.max_requests_inflight;
        let total = (reads + flags.max_mutating_requests_inflight) as usize;
        let seats = SHARES.map(|share| (total as u64 * share).div_ceil(ALL_SHARES) as usize);
        (reads > 0).then(|| Overload {
            is_fair: flags.enable_priority_and_fairness,
            queue_limit: flags.queue_length_limit as usize,
            request_timeout: flags.request_timeout,
            workers: f64::from(flags.workers.max(1)),
            seats,
            total,
            in_flight: Default::default(),
            backlog: 0.0,
            at: SimTime::ZERO,
            flow: Flow::default(),
            draws,
            flow_refused: 0.0,
        })
    }

    /// Another flow from now on.
    pub(super) fn set_flow(&mut self, now: SimTime, flow: Flow) {
        self.advance(now);
        self.flow = flow;
    }

    /// Requests of the flow that have been refused up to now.
    pub(super) fn flow_refused(&mut self, now: SimTime) -> f64 {
        self.advance(now);
        self.flow_refused
    }

    /// How long a request that has a seat waits for a worker.
    pub(super) fn wait(&mut self, now: SimTime) -> SimDuration {
        self.advance(now);
        SimDuration::from_secs_f64(self.backlog / self.workers)
    }

    /// Whether the flow asks for more than there is, or work still waits.
    pub(super) fn is_strained(&mut self, now: SimTime) -> bool {
        self.advance(now);
        self.flow.rate * self.flow.work > self.workers || self.backlog > 0.001
    }

    /// The most work of the flow that can wait: it has no more seats.
    fn most(&self) -> f64 {
        let seats = if self.is_fair { self.seats[Level::WorkloadLow as usize] } else { self.total };
        (seats as f64 - self.workers).max(0.0) * self.flow.work
    }

    /// The share of the flow's requests that find a seat.
    fn admitted(&self) -> f64 {
        let asked = self.flow.rate * self.flow.work;
        let is_full = asked > self.workers && self.backlog >= self.most() * 0.999;
        if is_full { self.workers / asked } else { 1.0 }
    }

    /// Work comes and is done until now.
    fn advance(&mut self, now: SimTime) {
        let mut left = now.since(self.at).as_secs_f64();
        self.at = now;
        let asked = self.flow.rate * self.flow.work;
        let most = self.most();
        if self.backlog > most && asked > 0.0 {
            // The flow has to wait until there are seats for it again.
            let takes = ((self.backlog - most) / self.workers).min(left);
            self.backlog -= takes * self.workers;
            self.flow_refused += takes * self.flow.rate;
            left -= takes;
        }
        let grows = asked - self.workers;
        if grows <= 0.0 {
            self.backlog = (self.backlog + grows * left).max(0.0);
            return;
        }
        let until_full = ((most - self.backlog) / grows).clamp(0.0, left);
        self.backlog = (self.backlog + grows * until_full).min(most.max(self.backlog));
        self.flow_refused += (left - until_full) * self.flow.rate * (grows / asked);
    }

    /// A request that takes so much work comes now; its sender waits for so long.
    pub(super) fn admit(
        &mut self,
        now: SimTime,
        level: Level,
        work: SimDuration,
        patience: SimDuration,
    ) -> Answer {
        self.advance(now);
        for heap in &mut self.in_flight {
            while heap.peek().is_some_and(|Reverse(done)| *done <= now) {
                heap.pop();
            }
        }
        let place = level as usize;
        let start = if self.is_fair {
            match self.seat_of(place, now) {
                Ok(start) => start,
                Err(refused) => return refused,
            }
        } else {
            let others: usize = self.in_flight.iter().map(BinaryHeap::len).sum();
            let share = self.admitted();
            if others >= self.total || (share < 1.0 && self.draws.unit() >= share) {
                return Answer::TooMany(now);
            }
            now
        };
        self.backlog += work.as_secs_f64();
        let done = start + SimDuration::from_secs_f64(self.backlog / self.workers) + work;
        self.in_flight[place].push(Reverse(done));
        let patience = patience.min(self.request_timeout);
        if done.since(now) > patience {
            return Answer::TimedOut(now + patience);
        }
        Answer::Done(done)
    }

    /// When a request of a level has a seat: now, or when another one leaves it.
    fn seat_of(&self, place: usize, now: SimTime) -> Result<SimTime, Answer> {
        let seats = self.seats[place].max(1);
        let ahead = self.in_flight[place].len();
        if ahead < seats {
            return Ok(now);
        }
        let waiting = ahead - seats;
        if waiting >= self.queue_limit {
            return Err(Answer::TooMany(now));
        }
        // Who came before is done in this order; one seat is free after so many.
        let mut done: Vec<SimTime> = self.in_flight[place].iter().map(|done| done.0).collect();
        done.sort_unstable();
        let start = done[waiting];
        let longest = SimDuration(self.request_timeout.0 / WAIT_PART);
        if start.since(now) > longest { Err(Answer::TooMany(now + longest)) } else { Ok(start) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Streams;

    fn ms(n: u64) -> SimDuration {
        SimDuration::from_millis(n)
    }

    fn at(n: u64) -> SimTime {
        SimTime::ZERO + ms(n)
    }

    /// 245 seats: the shares are the seats. Four workers.
    fn server(is_fair: bool) -> Overload {
        let flags = ApiServerFlags {
            max_requests_inflight: 200,
            max_mutating_requests_inflight: 45,
            enable_priority_and_fairness: is_fair,
            queue_length_limit: 3,
            workers: 4,
            ..ApiServerFlags::default()
        };
        Overload::new(&flags, Streams::new(1).stream("test", 0)).unwrap()
    }

    #[test]
    fn without_a_limit_there_is_nothing_to_model() {
        let stream = Streams::new(1).stream("test", 0);
        assert!(Overload::new(&ApiServerFlags::default(), stream).is_none());
    }

    #[test]
    fn a_level_has_seats_a_short_queue_and_then_429() {
        let mut server = server(true);
        let mut answers = Vec::new();
        for _ in 0..14 {
            answers.push(server.admit(at(0), Level::LeaderElection, ms(8), ms(60_000)));
        }
        let Answer::Done(first) = answers[0] else { panic!("{answers:?}") };
        assert_eq!(first, at(10), "2 ms of four workers for what waits, and its own 8 ms");
        assert!(answers[..13].iter().all(|a| matches!(a, Answer::Done(_))), "{answers:?}");
        assert!(answers[10] > answers[0], "ten have seats, three wait for one");
        assert_eq!(answers[13], Answer::TooMany(at(0)), "and the queue is full");
        let other = server.admit(at(0), Level::NodeHigh, ms(8), ms(60_000));
        assert!(matches!(other, Answer::Done(_)), "other levels have seats of their own");
    }

    #[test]
    fn a_flow_fills_its_seats_and_everybody_waits_behind_it() {
        // 100 requests a second of 80 ms: eight seconds of work a second for four workers.
        let flow = Flow { rate: 100.0, work: 0.08 };
        #[rustfmt::skip]
        let rows = [
            ("with levels the flow has 100 seats: 96 requests of 80 ms wait for four workers", true, 1.92),
            ("without them it takes all 245", false, 4.82),
        ];
        for (sentence, is_fair, expected) in rows {
            let mut server = server(is_fair);
            server.set_flow(at(0), flow);
            let soon = server.wait(at(1000)).as_secs_f64();
            assert!((soon - 1.0).abs() < 0.01, "work piles up at four a second: {soon}");
            let full = server.wait(at(60_000)).as_secs_f64();
            assert!((full - expected).abs() < 0.01, "{sentence}: {full}");
            assert!(server.is_strained(at(60_000)));
            server.set_flow(at(60_000), Flow::default());
            assert!(!server.is_strained(at(66_000)), "what waits is done soon after");
        }
    }

    #[test]
    fn who_shares_the_flows_seats_is_refused_like_it_and_who_waits_too_long_gives_up() {
        let flow = Flow { rate: 100.0, work: 0.08 };
        let mut shared = server(false);
        shared.set_flow(at(0), flow);
        let mut counts = (0, 0, 0);
        for n in 0..200 {
            let now = at(60_000 + n);
            match shared.admit(now, Level::NodeHigh, SimDuration(1), ms(4000)) {
                Answer::Done(_) => counts.0 += 1,
                Answer::TooMany(_) => counts.1 += 1,
                Answer::TimedOut(when) => {
                    counts.2 += 1;
                    assert_eq!(when, now + ms(4000), "after its own time");
                }
            }
        }
        assert_eq!(counts.0, 0, "nobody is answered in four seconds: {counts:?}");
        assert!((80..120).contains(&counts.1), "half find no seat: {counts:?}");
        let mut levels = server(true);
        levels.set_flow(at(0), flow);
        let answer = levels.admit(at(60_000), Level::NodeHigh, SimDuration(1), ms(4000));
        assert!(
            matches!(answer, Answer::Done(_)),
            "with levels two seconds of waiting: {answer:?}"
        );
        assert!(levels.flow_refused(at(60_000)) > 2000.0, "it is the flow that is refused");
    }
}
