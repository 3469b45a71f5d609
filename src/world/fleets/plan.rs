//! What people are asked for in the course of a run, when they begin with it, and when it is
//! applied: new members of fleets, and releases of those that are there.
//!
//! No cluster has a part in this: it follows from the scenario and the seed, and is computed before
//! the clock starts. Each member and each release has streams of its own.

use super::queue::Queue;
use crate::record::totals::TeamTotals;
use crate::scenario::fleet::{Arrival, Delivery, Fleet};
use crate::scenario::model::Scenario;
use crate::sim::rng::{Stream, Streams};
use crate::sim::sample::Distribution;
use crate::units::{OptionalTime, SimDuration, SimTime, WallClock};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that people are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub fleet: u32,
    pub member: u32,
    /// Number of the release of its member, from 1; 0: the member itself.
    pub release: u32,
    pub asked: SimTime,
    /// Who has to work on it, and since when it waits for them.
    pub team: Option<(u32, SimTime)>,
    /// When the team begins.
    pub begun: SimTime,
    pub applied: SimTime,
    /// When the cluster has done it.
    pub ready: OptionalTime,
}

/// All that is asked for in a run.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In the order in which it comes to the teams.
    pub jobs: Vec<Job>,
    /// How the teams of the scenario spend their time.
    pub teams: Vec<TeamTotals>,
}

/// What happens next; of one instant, what was planned first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// Somebody wants a member, or a release of it.
    Asks { fleet: u32, member: u32, release: u32 },
    /// A job comes to its team.
    Queues { job: u32 },
}

struct Planner<'a> {
    scenario: &'a Scenario,
    streams: Streams,
    end: SimTime,
    coming: BinaryHeap<Reverse<(SimTime, u64, Next)>>,
    planned: u64,
    queues: Vec<Queue>,
    jobs: Vec<Job>,
}

/// When so many members come, in their order.
pub(super) fn instants(
    arrival: &Arrival,
    count: usize,
    clock: WallClock,
    stream: &mut Stream,
) -> Vec<SimTime> {
    if let Some(every) = arrival.every {
        let step = |member: usize| member as u64 * arrival.steps() / count as u64;
        return (0..count).map(|member| arrival.from + every * step(member)).collect();
    }
    let (hours, from) = (arrival.hours, arrival.hours.worked(clock, arrival.from));
    let length = hours.worked(clock, arrival.until).0 - from.0;
    let mut drawn: Vec<u64> = (0..count).map(|_| stream.below(length.max(1))).collect();
    drawn.sort_unstable();
    let instant = |after: u64| hours.instant(clock, SimDuration(from.0 + after + 1));
    drawn.into_iter().map(instant).collect()
}

/// Plans a run.
pub(super) fn plan(scenario: &Scenario, streams: Streams) -> Plan {
    let end = SimTime::ZERO + scenario.duration;
    let mut planner = Planner {
        scenario,
        streams,
        end,
        coming: BinaryHeap::new(),
        planned: 0,
        queues: scenario.teams.iter().map(|team| Queue::new(team.people)).collect(),
        jobs: Vec::new(),
    };
    planner.first();
    while let Some(Reverse((at, _, next))) = planner.coming.pop() {
        match next {
            Next::Asks { fleet, member, release } => planner.asks(at, fleet, member, release),
            Next::Queues { job } => planner.queues_up(at, job as usize),
        }
    }
    let totals = scenario.teams.iter().zip(&planner.queues).map(|(team, queue)| TeamTotals {
        name: team.name.clone(),
        people: team.people,
        work_s: queue.worked_by(team.hours.worked(scenario.clock, end)).as_secs_f64(),
        open_s: team.hours.worked(scenario.clock, end).as_secs_f64(),
    });
    let teams = totals.collect();
    Plan { jobs: planner.jobs, teams }
}

impl Planner<'_> {
    fn put(&mut self, at: SimTime, next: Next) {
        if at <= self.end {
            self.coming.push(Reverse((at, self.planned, next)));
            self.planned += 1;
        }
    }

    /// Who comes by itself: members, and the first releases of those that are there.
    fn first(&mut self) {
        let scenario = self.scenario;
        for (fleet, spec) in scenario.fleets.iter().enumerate() {
            let Some(arrival) = &spec.arrival else {
                for member in 0..spec.members.len() {
                    self.next_release(SimTime::ZERO, fleet as u32, member as u32, 1);
                }
                continue;
            };
            let purpose = format!("fleet {} arrives", spec.name);
            let mut stream = self.streams.stream(&purpose, 0);
            let all = instants(arrival, spec.members.len(), scenario.clock, &mut stream);
            for (member, at) in all.into_iter().enumerate() {
                let (fleet, member) = (fleet as u32, member as u32);
                self.put(at, Next::Asks { fleet, member, release: 0 });
            }
        }
    }

    fn stream(&self, fleet: &Fleet, what: &str, member: u32, release: u32) -> Stream {
        let entity = u64::from(member) << 32 | u64::from(release);
        self.streams.stream(&format!("fleet {} {what}", fleet.name), entity)
    }

    /// Plans when somebody wants the next release of a member, if it has releases.
    fn next_release(&mut self, since: SimTime, fleet: u32, member: u32, release: u32) {
        let spec = &self.scenario.fleets[fleet as usize];
        let Some(releases) = &spec.releases else { return };
        let clock = self.scenario.clock;
        let day = releases.hours.of_a_day().as_secs_f64();
        let gap = Distribution::Exponential(day / releases.per_day);
        let gap = gap.sample(&mut self.stream(spec, "releases", member, release));
        let worked = releases.hours.worked(clock, since);
        let next = SimDuration(worked.0 + SimDuration::from_secs_f64(gap).0 + 1);
        let at = releases.hours.instant(clock, next);
        self.put(at, Next::Asks { fleet, member, release });
    }

    fn delivery_of(&self, fleet: u32, release: u32) -> Option<&Delivery> {
        let spec = &self.scenario.fleets[fleet as usize];
        match release {
            0 => Some(&spec.delivery),
            _ => spec.releases.as_ref().map(|releases| &releases.delivery),
        }
    }

    /// Somebody wants something, and does alone what there is to do before the team.
    fn asks(&mut self, at: SimTime, fleet: u32, member: u32, release: u32) {
        let spec = &self.scenario.fleets[fleet as usize];
        let Some(delivery) = self.delivery_of(fleet, release) else { return };
        let what = if release == 0 { "takes" } else { "release takes" };
        let takes = delivery.takes.sample(&mut self.stream(spec, what, member, release));
        let waits = at + SimDuration::from_secs_f64(takes);
        if release > 0 {
            self.next_release(at, fleet, member, release + 1);
        }
        let job = self.jobs.len() as u32;
        let (team, ready) = (None, OptionalTime::NONE);
        let never = SimTime::NEVER;
        let (begun, applied) = (never, never);
        self.jobs.push(Job { fleet, member, release, asked: at, team, begun, applied, ready });
        self.put(waits, Next::Queues { job });
    }

    /// A job comes to its team, if it needs one.
    fn queues_up(&mut self, at: SimTime, job: usize) {
        let Job { fleet, member, release, .. } = self.jobs[job];
        let spec = &self.scenario.fleets[fleet as usize];
        let Some(delivery) = self.delivery_of(fleet, release).cloned() else { return };
        let kind = if release == 0 { "" } else { "release " };
        let mut chance = self.stream(spec, &format!("{kind}needs a team"), member, release);
        let needs = delivery.share >= 1.0 || chance.unit() < delivery.share;
        let (mut begun, mut applied) = (at, at);
        let team = delivery.team.filter(|_| needs);
        if let Some(team) = team {
            let mut stream = self.stream(spec, &format!("{kind}work"), member, release);
            let work = SimDuration::from_secs_f64(delivery.work.sample(&mut stream));
            let (hours, clock) = (self.scenario.teams[team].hours, self.scenario.clock);
            let served = self.queues[team].serve(hours.worked(clock, at), work);
            begun = hours.open(clock, hours.instant(clock, served.begun).max(at));
            applied =
                if work == SimDuration::ZERO { begun } else { hours.instant(clock, served.done) };
        }
        let done = &mut self.jobs[job];
        (done.begun, done.applied) = (begun, applied);
        done.team = team.map(|team| (team as u32, at));
        if release == 0 {
            self.next_release(applied, fleet, member, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::hours::Hours;
    use crate::sim::rng::Streams;

    fn arrival(every: Option<u64>) -> Arrival {
        Arrival {
            from: SimTime::from_secs(100),
            until: SimTime::from_secs(400),
            every: every.map(SimDuration::from_secs),
            after: SimDuration::ZERO,
            hours: Hours::ALWAYS,
        }
    }

    fn seconds(arrival: &Arrival, count: usize) -> Vec<u64> {
        let mut stream = Streams::new(1).stream("test", 0);
        let found = instants(arrival, count, WallClock::default(), &mut stream);
        found.iter().map(|at| at.whole_secs()).collect()
    }

    #[test]
    fn steps_are_equal_and_begin_and_end_on_time() {
        let found = seconds(&arrival(Some(100)), 8);
        assert_eq!(found, [100, 100, 200, 200, 300, 300, 400, 400]);
        assert_eq!(seconds(&arrival(Some(100)), 2), [100, 300], "fewer members than steps");
    }

    #[test]
    fn drawn_instants_are_in_order_and_spread_evenly() {
        let found = seconds(&arrival(None), 9000);
        assert!(found.is_sorted() && found[0] >= 100 && found[8999] < 400);
        let third = found.iter().filter(|at| **at < 200).count() as f64;
        // Three deviations of a binomial: sqrt(9000 / 3 * 2 / 3) = 45.
        assert!((third - 3000.0).abs() < 135.0, "{third} in the first third");
    }

    #[test]
    fn people_ask_while_they_work() {
        let hour = |n: u64| SimDuration::from_secs(n * 3600);
        let hours = Hours { from: hour(9), until: hour(17), weekends: false };
        let until = SimTime::ZERO + hour(24 * 28);
        let arrival = Arrival { from: SimTime::ZERO, until, hours, ..arrival(None) };
        for at in seconds(&arrival, 500) {
            let (day, hour) = (at / 86_400, at % 86_400 / 3600);
            assert!((9..17).contains(&hour), "at {hour} o'clock");
            assert!(![2, 3].contains(&(day % 7)), "on a weekend: day {day} from a Thursday on");
        }
    }
}
