//! A team as a queue: who comes first is served first, by whoever is free first.
//!
//! Time is working time, so nights and weekends are not in it; all is integers. It knows jobs and
//! people, not what is delivered.

use crate::units::SimDuration;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A team at work.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// When each of the people is free, in working time.
    free: BinaryHeap<Reverse<SimDuration>>,
    /// Working time of all people together that jobs take.
    busy: SimDuration,
}

/// When a job was begun and done, in working time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub begun: SimDuration,
    pub done: SimDuration,
}

impl Queue {
    /// A team of so many people, at least one.
    pub(super) fn new(people: u32) -> Queue {
        let free = (0..people.max(1)).map(|_| Reverse(SimDuration::ZERO)).collect();
        Queue { free, busy: SimDuration::ZERO }
    }

    /// Working time of all people together that jobs have taken by `end`. Who is busy then has been
    /// since before, if all jobs had come by then.
    pub(super) fn worked_by(&self, end: SimDuration) -> SimDuration {
        let beyond = self.free.iter().map(|Reverse(free)| free.0.saturating_sub(end.0)).sum();
        SimDuration(self.busy.0.saturating_sub(beyond))
    }

    /// A job that takes `work` comes at `asked`, not before any that came earlier.
    pub(super) fn serve(&mut self, asked: SimDuration, work: SimDuration) -> Served {
        let Reverse(free) = self.free.pop().unwrap_or(Reverse(SimDuration::ZERO));
        let begun = asked.max(free);
        let done = begun + work;
        self.free.push(Reverse(done));
        self.busy += work;
        Served { begun, done }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Streams;
    use crate::sim::sample::Distribution;

    /// Erlang C: the chance to wait, and with it the mean wait, of M/M/k.
    fn mean_wait(people: u32, rate: f64, work: f64) -> f64 {
        let load = rate * work;
        let (mut term, mut sum) = (1.0, 0.0);
        for k in 0..people {
            sum += term;
            term *= load / f64::from(k + 1);
        }
        let waiting = term / (1.0 - load / f64::from(people));
        let chance = waiting / (sum + waiting);
        chance * work / (f64::from(people) - load)
    }

    /// Mean wait over one run of `jobs` jobs, seconds.
    fn simulated(seed: u64, people: u32, rate: f64, work: &Distribution, jobs: usize) -> f64 {
        let streams = Streams::new(seed);
        let (mut gaps, mut works) = (streams.stream("gaps", 0), streams.stream("works", 0));
        let gap = Distribution::Exponential(1.0 / rate);
        let mut queue = Queue::new(people);
        let (mut asked, mut waited) = (SimDuration::ZERO, 0.0);
        for _ in 0..jobs {
            asked += SimDuration::from_secs_f64(gap.sample(&mut gaps));
            let work = SimDuration::from_secs_f64(work.sample(&mut works));
            waited += queue.serve(asked, work).begun.as_secs_f64() - asked.as_secs_f64();
        }
        waited / jobs as f64
    }

    #[test]
    fn waiting_is_that_of_queueing_theory() {
        // Known: a queue of one at half its capacity waits as long as it works.
        assert!((mean_wait(1, 0.5, 1.0) - 1.0).abs() < 1e-12);
        let hour = 3600.0;
        let rows = [
            ("one person at 70 %", 1, 0.7 / hour, Distribution::Exponential(hour), 1.0),
            ("three at 80 %", 3, 2.4 / hour, Distribution::Exponential(hour), 1.0),
            ("eight at 85 %", 8, 6.8 / hour, Distribution::Exponential(hour), 1.0),
            // Pollaczek and Khinchine: work that does not vary waits half as long.
            ("one at 70 % with equal jobs", 1, 0.7 / hour, Distribution::Constant(hour), 0.5),
        ];
        for (sentence, people, rate, work, factor) in rows {
            let theory = mean_wait(people, rate, hour) * factor;
            let runs: Vec<f64> =
                (1..=30).map(|seed| simulated(seed, people, rate, &work, 20_000)).collect();
            let mean = runs.iter().sum::<f64>() / 30.0;
            let spread = runs.iter().map(|run| (run - mean) * (run - mean)).sum::<f64>();
            // Student's t for 29 degrees of freedom, 99.9 % of the time.
            let bound = 3.659 * (spread / 29.0 / 30.0).sqrt();
            assert!((mean - theory).abs() < bound, "{sentence}: {mean} +- {bound}, {theory}");
            assert!(bound < theory * 0.1, "{sentence}: too few jobs to tell");
        }
    }

    #[test]
    fn who_comes_first_is_served_first() {
        let second = SimDuration::from_secs;
        let mut queue = Queue::new(2);
        let rows = [(0, 10, 0, 10), (1, 2, 1, 3), (2, 5, 3, 8), (2, 1, 8, 9)];
        for (asked, work, begun, done) in rows {
            let served = queue.serve(second(asked), second(work));
            assert_eq!(served, Served { begun: second(begun), done: second(done) }, "at {asked}");
        }
        assert_eq!(queue.worked_by(second(30)), second(18));
        assert_eq!(queue.worked_by(second(9)), second(17), "a second of the first is to be done");
        let later = queue.serve(second(20), second(1));
        assert_eq!(
            later,
            Served { begun: second(20), done: second(21) },
            "who is free begins at once"
        );
    }
}
