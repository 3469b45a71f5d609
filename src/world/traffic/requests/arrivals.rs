//! When requests come from outside.
//!
//! A process is one of unit rate; it runs as fast as the rate says. The next request comes when the
//! integral of the rate has grown by the next gap: the exact inversion of a rate that is constant
//! in pieces. So what the k-th gap is does not depend on the rate, and a change of the rate moves
//! the next request without a new draw.

use super::draws::Law;
use crate::sim::rng::{Stream, Streams};
use crate::units::SimTime;

/// How requests come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Process {
    /// Gaps by a law of mean 1: exponential ones are Poisson arrivals.
    Renewal(Law),
    /// Poisson arrivals whose rate is that of many sources that are on and off by turns, for times
    /// with heavy tails: bursts at all scales (W. Willinger et al., "Self-Similarity Through
    /// High-Variability", IEEE/ACM Transactions on Networking 5(1), 1997).
    SelfSimilar {
        /// Hurst's exponent, above 0.5 and below 1.
        hurst: f64,
    },
}

/// Poisson arrivals.
pub const POISSON: Process = Process::Renewal(Law::Exponential);

/// Sources that are on and off by turns: half of them are on, on average. The relative deviation of
/// the rate over short times is one over the root of their number.
const SOURCES: u32 = 16;
/// Mean time that a source is on, and that it is off, seconds.
const TURN: f64 = 1.0;

/// The arrivals of one entry.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    process: Process,
    gaps: Stream,
    /// Requests a second.
    rate: f64,
    /// The factor of the sources on it.
    factor: f64,
    /// What is left of the gap at `since`.
    left: f64,
    since: SimTime,
    /// Plans of the next arrival before this one are overtaken.
    pub(super) epoch: u32,
    sources: Vec<Source>,
}

/// One that is on or off.
#[derive(Clone, Debug)]
struct Source {
    turns: Stream,
    is_on: bool,
}

impl Arrivals {
    /// Those of entry `number`, at a rate of 0.
    pub(super) fn new(process: Process, number: u64, streams: &Streams) -> Arrivals {
        let mut gaps = streams.stream("request arrivals", number);
        let sources = match process {
            Process::Renewal(_) => 0,
            Process::SelfSimilar { .. } => SOURCES,
        };
        let source = |i: u32| {
            let mut turns = streams.stream("request sources", number << 16 | u64::from(i));
            let is_on = turns.unit() < 0.5;
            Source { turns, is_on }
        };
        let sources = (0..sources).map(source).collect();
        let left = first_gap(process, &mut gaps);
        let mut arrivals = Arrivals {
            process,
            gaps,
            rate: 0.0,
            factor: 1.0,
            left,
            since: SimTime::ZERO,
            epoch: 0,
            sources,
        };
        arrivals.factor = arrivals.share_on();
        arrivals
    }

    /// Rate of the sources that are on, relative to its mean.
    fn share_on(&self) -> f64 {
        if self.sources.is_empty() {
            return 1.0;
        }
        let on = self.sources.iter().filter(|source| source.is_on).count();
        2.0 * on as f64 / self.sources.len() as f64
    }

    /// Changes the rate; whether the next arrival has to be planned anew.
    pub(super) fn set_rate(&mut self, now: SimTime, rate: f64) -> bool {
        if rate == self.rate {
            return false;
        }
        self.progress(now);
        self.rate = rate;
        self.epoch = self.epoch.wrapping_add(1);
        true
    }

    fn progress(&mut self, now: SimTime) {
        let passed = now.since(self.since).as_secs_f64() * self.rate * self.factor;
        self.left = (self.left - passed).max(0.0);
        self.since = now;
    }

    /// When the next request comes at the present rate.
    pub(super) fn next(&self) -> SimTime {
        let rate = self.rate * self.factor;
        if rate <= 0.0 {
            return SimTime::NEVER;
        }
        let nanos = libm::ceil(self.left / rate * 1e9);
        if nanos < 9e18 {
            SimTime(self.since.0.saturating_add(nanos as u64))
        } else {
            SimTime::NEVER
        }
    }

    /// A request has come: draws the gap to the next.
    pub(super) fn come(&mut self, now: SimTime) {
        let law = match self.process {
            Process::Renewal(law) => law,
            Process::SelfSimilar { .. } => Law::Exponential,
        };
        self.left = law.draw(|| self.gaps.next_u64());
        self.since = now;
    }

    /// How many sources there are.
    pub(super) fn sources(&self) -> u32 {
        self.sources.len() as u32
    }

    /// Seconds until the end of a source's first turn, which began at any time before.
    pub(super) fn first_turn(&mut self, source: u32) -> f64 {
        let Process::SelfSimilar { hurst } = self.process else { return f64::INFINITY };
        let (shape, shortest) = turn_law(hurst);
        let u = self.sources[source as usize].turns.unit_open();
        // The rest of a Pareto turn in the middle of which time begins.
        let short = shortest / TURN;
        if u < short {
            u * TURN
        } else {
            shortest * libm::pow((1.0 - u) * shape, -1.0 / (shape - 1.0))
        }
    }

    /// A source's turn ends: seconds until the next does.
    pub(super) fn turn(&mut self, now: SimTime, source: u32) -> f64 {
        let Process::SelfSimilar { hurst } = self.process else { return f64::INFINITY };
        let (shape, shortest) = turn_law(hurst);
        self.progress(now);
        let one = &mut self.sources[source as usize];
        one.is_on = !one.is_on;
        let seconds = shortest * libm::exp(-libm::log(one.turns.unit_open()) / shape);
        self.factor = self.share_on();
        self.epoch = self.epoch.wrapping_add(1);
        seconds
    }
}

/// The first gap begins at any time before: for exponential ones it is as any other.
fn first_gap(process: Process, gaps: &mut Stream) -> f64 {
    match process {
        Process::Renewal(Law::Constant) => gaps.unit_open(),
        Process::Renewal(law) => law.draw(|| gaps.next_u64()),
        Process::SelfSimilar { .. } => Law::Exponential.draw(|| gaps.next_u64()),
    }
}

/// Shape and shortest time of a source's Pareto turns.
fn turn_law(hurst: f64) -> (f64, f64) {
    let shape = 3.0 - 2.0 * hurst.clamp(0.501, 0.999);
    (shape, TURN * (shape - 1.0) / shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arrivals in each second of `seconds` at a rate of 100.
    fn counts(process: Process, seconds: usize) -> Vec<f64> {
        let mut arrivals = Arrivals::new(process, 0, &Streams::new(1));
        let after = |s: f64| SimTime((s * 1e9) as u64);
        let mut turns: Vec<SimTime> =
            (0..arrivals.sources()).map(|i| after(arrivals.first_turn(i))).collect();
        arrivals.set_rate(SimTime::ZERO, 100.0);
        let mut counts = vec![0.0; seconds];
        loop {
            let next = arrivals.next();
            let turn = turns.iter().copied().enumerate().min_by_key(|(_, at)| *at);
            if let Some((source, at)) = turn.filter(|(_, at)| *at < next) {
                turns[source] = SimTime(at.0 + (arrivals.turn(at, source as u32) * 1e9) as u64);
                continue;
            }
            let Some(count) = counts.get_mut(next.whole_secs() as usize) else { return counts };
            *count += 1.0;
            arrivals.come(next);
        }
    }

    /// Variance of the means of blocks, as a share of the squared mean.
    fn variance(counts: &[f64], block: usize) -> f64 {
        let means: Vec<f64> =
            counts.chunks_exact(block).map(|c| c.iter().sum::<f64>() / block as f64).collect();
        let mean = means.iter().sum::<f64>() / means.len() as f64;
        let squares: f64 = means.iter().map(|m| (m - mean) * (m - mean)).sum();
        squares / means.len() as f64 / (mean * mean)
    }

    #[test]
    fn the_mean_rate_is_what_was_asked_for() {
        for process in [
            POISSON,
            Process::Renewal(Law::Constant),
            Process::Renewal(Law::of_scv(4.0)),
            Process::Renewal(Law::of_scv(0.3)),
        ] {
            let all: f64 = counts(process, 2000).iter().sum();
            assert!((all / 200_000.0 - 1.0).abs() < 0.02, "{process:?}: {all}");
        }
    }

    #[test]
    fn counts_vary_as_the_law_says() {
        // Over long times the variance of the count is its mean times the law's.
        for (scv, most) in [(0.0, 0.01), (0.25, 0.05), (1.0, 0.1), (4.0, 0.5)] {
            let counts = counts(Process::Renewal(Law::of_scv(scv)), 8000);
            let index = variance(&counts, 1) * 100.0;
            assert!((index - scv).abs() < most, "{scv}: {index}");
        }
    }

    #[test]
    fn bursts_of_self_similar_arrivals_do_not_smooth_out() {
        // The variance of a mean over m seconds falls as m^(2H - 2): as 1/m for Poisson arrivals.
        let slope = |process| {
            let counts = counts(process, 1 << 13);
            let (fine, coarse) = (variance(&counts, 8), variance(&counts, 128));
            1.0 + libm::log(coarse / fine) / libm::log(16.0) / 2.0
        };
        let found = slope(Process::SelfSimilar { hurst: 0.8 });
        assert!((found - 0.8).abs() < 0.1, "{found}");
        let found = slope(POISSON);
        assert!((found - 0.5).abs() < 0.1, "{found}");
    }

    #[test]
    fn a_change_of_rate_moves_the_next_arrival_and_draws_nothing() {
        let mut arrivals = Arrivals::new(POISSON, 0, &Streams::new(1));
        assert_eq!(arrivals.next(), SimTime::NEVER, "nothing comes at no rate");
        arrivals.set_rate(SimTime::ZERO, 1.0);
        let first = arrivals.next();
        assert!(arrivals.set_rate(SimTime(first.0 / 2), 10.0));
        assert!(!arrivals.set_rate(SimTime(first.0 / 2), 10.0), "nothing has changed");
        let sooner = SimTime(first.0 / 2 + first.0 / 20);
        assert!(arrivals.next().since(sooner).0 < 10 && sooner.since(arrivals.next()).0 < 10);
    }
}
