//! Connections of calling pods: so many requests to a callee at once, a connection each, and so
//! many that wait for one. More fail at once.
//!
//! It knows pods and tickets of calls, not what becomes of a call.

use super::inflight::Ticket;
use std::collections::{BTreeMap, VecDeque};

/// What a call that asks for a connection gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// One.
    Goes,
    /// A place to wait for one.
    Waits,
    /// Nothing.
    Full,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Held {
    /// It has asked for nothing.
    #[default]
    Nothing,
    /// It waits for a connection.
    Waits,
    /// It has one.
    Has,
}

/// Connections from each pod for calls of one kind.
#[derive(Debug)]
pub(super) struct Connections {
    max: u32,
    pending: u32,
    pools: BTreeMap<u32, Pool>,
}

/// Those of one pod.
#[derive(Debug, Default)]
struct Pool {
    under_way: u32,
    /// First come first served; those that have left are passed over.
    waiting: VecDeque<Ticket>,
    waits: u32,
}

impl Connections {
    pub(super) fn new((max, pending): (u32, u32)) -> Connections {
        Connections { max: max.max(1), pending, pools: BTreeMap::new() }
    }

    /// A call of a pod asks for a connection.
    pub(super) fn ask(&mut self, pod: u32, call: Ticket) -> Turn {
        let pool = self.pools.entry(pod).or_default();
        if pool.under_way < self.max {
            pool.under_way += 1;
            Turn::Goes
        } else if pool.waits < self.pending {
            pool.waits += 1;
            pool.waiting.push_back(call);
            Turn::Waits
        } else {
            Turn::Full
        }
    }

    /// A call of a pod waits no longer.
    pub(super) fn leave(&mut self, pod: u32) {
        if let Some(pool) = self.pools.get_mut(&pod) {
            pool.waits -= 1;
        }
    }

    /// A call of a pod gives its connection back: to the first that waits, if there is one.
    pub(super) fn release(&mut self, pod: u32, lives: impl Fn(Ticket) -> bool) -> Option<Ticket> {
        let pool = self.pools.get_mut(&pod)?;
        while let Some(next) = pool.waiting.pop_front() {
            if lives(next) {
                pool.waits -= 1;
                return Some(next);
            }
        }
        pool.under_way -= 1;
        None
    }

    /// A pod is gone.
    pub(super) fn forget(&mut self, pod: u32) {
        self.pools.remove(&pod);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_goes_to_the_first_that_still_waits() {
        let ticket = |place| Ticket { place, life: 0 };
        let mut all = Connections::new((2, 2));
        let asked: Vec<Turn> = (0..5).map(|place| all.ask(7, ticket(place))).collect();
        assert_eq!(asked, [Turn::Goes, Turn::Goes, Turn::Waits, Turn::Waits, Turn::Full]);
        assert_eq!(all.ask(8, ticket(9)), Turn::Goes, "another pod has its own");
        all.leave(7);
        assert_eq!(all.release(7, |t| t.place != 2), Some(ticket(3)), "the first has left");
        assert_eq!(all.release(7, |_| true), None);
        assert_eq!(all.ask(7, ticket(5)), Turn::Goes);
        assert_eq!(all.ask(7, ticket(6)), Turn::Waits);
        all.forget(7);
        assert_eq!(all.release(7, |_| true), None, "nobody is there");
    }
}
