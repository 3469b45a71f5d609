//! When clients of the API server try again while it does not answer: the back-offs of client-go
//! and of the kubelet, walked from try to try.
//!
//! Each is given the instant of its first try and when the server is back, and says at which try
//! it is answered. They know neither who the client is nor why the server was away.

use crate::sim::rng::Stream;
use crate::units::{SimDuration, SimTime};

/// Longest pause between two tries of a kubelet that renews its lease or registers
/// (`lease/controller.go`, `maxBackoff`; `kubelet_node_status.go`).
const KUBELET_LONGEST: SimDuration = SimDuration::from_secs(7);
/// First pause of both.
const KUBELET_FIRST: SimDuration = SimDuration::from_millis(100);
/// First and longest pause of a reflector, each up to twice as long by its jitter of 1
/// (`tools/cache/reflector.go`, `defaultBackoffInit`, `defaultBackoffMax`).
const REFLECTOR: (SimDuration, SimDuration) =
    (SimDuration::from_millis(800), SimDuration::from_secs(30));

/// When a watch is there again that broke at `broken` and is asked for anew after each pause.
pub(super) fn watch(broken: SimTime, back: SimTime, stream: &mut Stream) -> SimTime {
    let (mut wait, longest) = REFLECTOR;
    let mut at = broken;
    while at < back {
        at += SimDuration(wait.0 + stream.below(wait.0 + 1));
        wait = (wait * 2).min(longest);
    }
    at
}

/// When a lease is renewed that was due at `due` (`backoffEnsureLease`).
pub(super) fn lease(due: SimTime, back: SimTime) -> SimTime {
    // It doubles before it waits.
    kubelet(due, back, KUBELET_FIRST * 2)
}

/// When a kubelet registers its node that wanted to at `due` (`registerWithAPIServer`).
pub(super) fn registration(due: SimTime, back: SimTime) -> SimTime {
    kubelet(due, back, KUBELET_FIRST)
}

/// The try of a kubelet that is answered, if it tried first at `due` and then after this pause.
fn kubelet(due: SimTime, back: SimTime, first: SimDuration) -> SimTime {
    let (mut at, mut pause) = (due, first);
    while at < back {
        at += pause;
        pause = (pause * 2).min(KUBELET_LONGEST);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Streams;

    fn ms(n: u64) -> SimTime {
        SimTime(n * 1_000_000)
    }

    #[test]
    fn kubelets_try_again_after_pauses_that_double_up_to_seven_seconds() {
        #[rustfmt::skip]
        let rows = [
            ("a lease that is due when the server is back is renewed at once", lease as fn(_, _) -> _, 1000, 1000, 1000),
            ("after a short outage within a moment", lease, 1000, 1100, 1200),
            ("the tries are 0.2, 0.6, 1.4, 3, 6.2 and 12.6 s after the first", lease, 0, 6_300, 12_600),
            ("and then each 7 s", lease, 0, 20_000, 26_600),
            ("a registration begins with a shorter pause", registration, 0, 50, 100),
            ("and reaches the same longest one", registration, 0, 13_000, 19_700),
        ];
        for (sentence, tries, due, back, expected) in rows {
            assert_eq!(tries(ms(due), ms(back)), ms(expected), "{sentence}");
        }
    }

    #[test]
    fn watches_come_back_within_a_minute() {
        let mut late = 0;
        for seed in 1..200 {
            let mut stream = Streams::new(seed).stream("test", 0);
            let short = watch(ms(0), ms(500), &mut stream);
            assert!((ms(800)..=ms(1600)).contains(&short), "the first pause is 0.8 s to 1.6 s");
            let long = watch(ms(0), ms(600_000), &mut stream);
            assert!((ms(600_000)..=ms(660_000)).contains(&long), "no pause is longer than 60 s");
            late += u32::from(long > ms(620_000));
        }
        assert!(late > 50, "after a long outage many wait for more than 20 s: {late}");
    }
}
