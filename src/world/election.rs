//! Leader election as client-go does it, in closed form: when a leader renews, when it gives up,
//! and when a candidate takes over.
//!
//! Source: client-go `tools/leaderelection/leaderelection.go`, v0.37. A leader renews its lease
//! every retry period; from the last renewal on it waits one period and then tries for the renew
//! deadline. A candidate looks at the lease every one to 2.2 periods and takes it once it has not
//! seen it change for the lease duration. It knows neither components nor what a leader does.

use crate::control::leader_election::LeaderElection;
use crate::sim::rng::Stream;
use crate::units::{SimDuration, SimTime};

/// When a leader has renewed its lease last, up to `at`; it does on the grid of `phase`.
pub(super) fn last_renewal(rules: &LeaderElection, phase: SimTime, at: SimTime) -> SimTime {
    let period = rules.retry_period.0.max(1);
    SimTime(at.0 - (at.0.saturating_sub(phase.0) % period).min(at.0))
}

/// When a leader gives up whose last renewal was at `renewed`.
pub(super) fn gives_up(rules: &LeaderElection, renewed: SimTime) -> SimTime {
    renewed + rules.retry_period + rules.renew_deadline
}

/// Its last try before it gives up.
pub(super) fn last_try(rules: &LeaderElection, renewed: SimTime) -> SimTime {
    let tries = rules.renew_deadline.0.saturating_sub(1) / rules.retry_period.0.max(1);
    renewed + rules.retry_period + rules.retry_period * tries
}

/// How long a candidate waits between two looks: a retry period and up to 1.2 of them more
/// (`JitterFactor`).
pub(super) fn pause(rules: &LeaderElection, stream: &mut Stream) -> SimDuration {
    let period = rules.retry_period.0;
    SimDuration(period + stream.below(period / 5 * 6 + 1))
}

/// When a candidate that looks first at `first`, then after each pause, finds that it may take a
/// lease that runs out at `runs_out`; not before `from`, for it gets no answer until then.
pub(super) fn takes(
    rules: &LeaderElection,
    first: SimTime,
    runs_out: SimTime,
    from: SimTime,
    stream: &mut Stream,
) -> SimTime {
    let mut at = first;
    while at < runs_out || at < from {
        at += pause(rules, stream);
    }
    at
}

/// When a candidate takes over that has not seen the lease before: what it finds at its first look
/// that is answered counts from there on.
pub(super) fn newcomer_takes(
    rules: &LeaderElection,
    first: SimTime,
    from: SimTime,
    stream: &mut Stream,
) -> SimTime {
    let seen = takes(rules, first, first, from, stream);
    takes(rules, seen, seen + rules.lease_duration, from, stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Streams;

    fn s(n: u64) -> SimTime {
        SimTime::from_secs(n)
    }

    #[test]
    fn a_leader_renews_each_two_seconds_and_gives_up_twelve_after_the_last() {
        let rules = LeaderElection::default();
        let rows = [
            ("the renewal of this very instant counts", s(100), s(100)),
            ("between two renewals the earlier one counts", SimTime(101_900_000_000), s(100)),
            ("then the next one", s(103), s(102)),
        ];
        for (sentence, at, expected) in rows {
            assert_eq!(last_renewal(&rules, s(0), at), expected, "{sentence}");
        }
        assert_eq!(gives_up(&rules, s(100)), s(112), "a pause, and the deadline from its end");
        assert_eq!(last_try(&rules, s(100)), s(110), "at the deadline itself it tries no more");
    }

    #[test]
    fn who_waits_for_a_lease_takes_it_soon_after_it_runs_out() {
        let rules = LeaderElection::default();
        for seed in 1..200 {
            let mut stream = Streams::new(seed).stream("test", 0);
            let looks = SimDuration(2_000_000_000)..=SimDuration(4_400_000_000);
            assert!(looks.contains(&pause(&rules, &mut stream)), "a pause is 2 s to 4.4 s");
            let taken = takes(&rules, s(100), s(115), s(0), &mut stream);
            assert!((s(115)..s(120)).contains(&taken), "a look after it ran out: {taken}");
            let late = takes(&rules, s(100), s(115), s(200), &mut stream);
            assert!((s(200)..s(205)).contains(&late), "or once it is answered: {late}");
            let newcomer = newcomer_takes(&rules, s(100), s(0), &mut stream);
            assert!((s(115)..s(120)).contains(&newcomer), "15 s after its first look: {newcomer}");
            let newcomer = newcomer_takes(&rules, s(100), s(200), &mut stream);
            assert!((s(215)..s(225)).contains(&newcomer), "which must be answered: {newcomer}");
        }
    }
}
