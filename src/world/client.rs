//! A client's rate limit: the token bucket of client-go (`flowcontrol.NewTokenBucketRateLimiter`).
//!
//! Kept as one instant instead of a number of tokens, so that an idle client costs nothing and no
//! fraction of a token is ever rounded. It knows neither requests nor who sends them.

use crate::units::{SimDuration, SimTime};

/// A token bucket in virtual-scheduling form (GCRA).
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Time between two tokens.
    interval: SimDuration,
    /// How far ahead of the steady rate the client may be.
    allowance: SimDuration,
    /// When the next request would be due at the steady rate.
    due: SimTime,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens that gains `qps` a second; `qps` <= 0 means no limit.
    pub fn new(qps: f64, burst: u32) -> TokenBucket {
        let interval =
            if qps > 0.0 { SimDuration::from_secs_f64(1.0 / qps) } else { SimDuration::ZERO };
        let allowance = interval * u64::from(burst.max(1) - 1);
        TokenBucket { interval, allowance, due: SimTime::ZERO }
    }

    /// Whether there is a token now.
    pub fn has_token(&self, now: SimTime) -> bool {
        self.due.max(now) <= now + self.allowance
    }

    /// Takes a token if there is one now.
    pub fn try_take(&mut self, now: SimTime) -> bool {
        let there = self.has_token(now);
        if there {
            self.take(now);
        }
        there
    }

    /// Takes a token and tells when it may be used: `now`, or when it has trickled in.
    pub fn take(&mut self, now: SimTime) -> SimTime {
        self.due = self.due.max(now);
        let granted = SimTime(self.due.0.saturating_sub(self.allowance.0)).max(now);
        self.due += self.interval;
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_in_vain_costs_nothing() {
        let mut bucket = TokenBucket::new(1.0, 3);
        let at = SimTime::from_secs;
        let got: Vec<bool> = (0..5).map(|_| bucket.try_take(at(10))).collect();
        assert_eq!(got, [true, true, true, false, false]);
        assert!(bucket.try_take(at(11)) && !bucket.try_take(at(11)));
    }

    #[test]
    fn a_burst_is_free_and_then_the_rate_holds() {
        let mut bucket = TokenBucket::new(20.0, 30);
        let now = SimTime::from_secs(10);
        let granted: Vec<SimTime> = (0..33).map(|_| bucket.take(now)).collect();
        assert!(granted[..30].iter().all(|t| *t == now), "thirty at once");
        let waits: Vec<u64> = granted[30..].iter().map(|t| t.since(now).0 / 1_000_000).collect();
        assert_eq!(waits, [50, 100, 150], "then one each 50 ms");
        let later = SimTime::from_secs(60);
        assert_eq!(bucket.take(later), later, "the bucket fills again");
    }

    #[test]
    fn no_limit_never_waits() {
        let mut bucket = TokenBucket::new(0.0, 1);
        assert!((0..1000).all(|_| bucket.take(SimTime::ZERO) == SimTime::ZERO));
    }
}
