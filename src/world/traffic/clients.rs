//! Clients that stick to pods: `sessionAffinity: ClientIP`.
//!
//! Source: kubernetes `pkg/proxy/iptables/proxier.go` (`-m recent`), v1.37: the first request of a
//! client goes to any endpoint, each with the same chance; the next ones to the same, as long as it
//! is an endpoint and the last request is not longer ago than `timeoutSeconds`. Each request begins
//! that time anew, so a client that goes on asking never moves, and a new pod gets none of the old
//! ones. It knows which pods are routed to, not why.

use crate::api::PodId;
use crate::sim::rng::Streams;
use crate::units::{SimDuration, SimTime};

/// The clients of one Service.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The Service, by which draws are named.
    name: String,
    timeout: SimDuration,
    crowds: Vec<Crowd>,
    /// Who is routed to has changed since clients were last seated.
    pub(super) is_stale: bool,
}

/// The clients of one entry of the traffic: each asks as often as the others.
#[derive(Clone, Debug)]
struct Crowd {
    entry: usize,
    /// Requests a second of all.
    rate: f64,
    /// Since when they have asked nothing.
    idle_since: SimTime,
    /// Where each goes; null: nowhere yet.
    seats: Vec<PodId>,
    /// How often each has been given a pod.
    draws: Vec<u32>,
    /// How many go to each of the pods that are routed to, in their order; empty: they don't stick.
    counts: Vec<u32>,
}

impl Clients {
    /// Nobody has asked yet.
    pub fn new(name: String, timeout: SimDuration) -> Clients {
        Clients { name, timeout, crowds: Vec::new(), is_stale: true }
    }

    /// Takes over another `timeoutSeconds`.
    pub fn set_timeout(&mut self, timeout: SimDuration) {
        self.is_stale |= self.timeout != timeout;
        self.timeout = timeout;
    }

    /// So many requests a second come from the `clients` of an entry of the traffic.
    pub fn set_rate(&mut self, now: SimTime, entry: usize, rate: f64, clients: u32) {
        let at = match self.crowds.iter().position(|crowd| crowd.entry == entry) {
            Some(at) => at,
            None if rate <= 0.0 => return,
            None => {
                self.crowds.push(Crowd::new(now, entry, clients));
                self.crowds.len() - 1
            }
        };
        self.is_stale |= self.crowds[at].set_rate(now, rate, self.timeout);
    }

    /// Gives a pod to each client that has none, or whose pod is not routed to any more.
    pub fn seat(&mut self, routed: &[PodId], streams: &Streams) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        for crowd in &mut self.crowds {
            let purpose = format!("session affinity {} {}", self.name, crowd.entry);
            crowd.seat(routed, self.timeout, &purpose, streams);
        }
    }

    /// Requests a second that stick to the pod at this place among those that are routed to.
    pub fn rate_at(&self, place: usize) -> f64 {
        let of = |crowd: &Crowd| {
            let count = crowd.counts.get(place).copied().unwrap_or(0);
            crowd.rate * f64::from(count) / crowd.seats.len().max(1) as f64
        };
        self.crowds.iter().map(of).sum()
    }

    /// Requests a second that stick to any pod.
    pub fn sticking(&self) -> f64 {
        let sticks = |crowd: &&Crowd| !crowd.counts.is_empty();
        self.crowds.iter().filter(sticks).map(|crowd| crowd.rate).sum()
    }
}

impl Crowd {
    fn new(now: SimTime, entry: usize, clients: u32) -> Crowd {
        let n = clients.max(1) as usize;
        let (seats, draws) = (vec![PodId::default(); n], vec![0; n]);
        Crowd { entry, rate: 0.0, idle_since: now, seats, draws, counts: Vec::new() }
    }

    /// Whether a client asks again before it is forgotten.
    fn sticks(&self, timeout: SimDuration) -> bool {
        self.rate > 0.0 && self.seats.len() as f64 / self.rate < timeout.as_secs_f64()
    }

    /// Takes over a rate; whether seats may change by that.
    fn set_rate(&mut self, now: SimTime, rate: f64, timeout: SimDuration) -> bool {
        let (was, stuck) = (self.rate, self.sticks(timeout));
        self.rate = rate;
        if rate <= 0.0 && was > 0.0 {
            self.idle_since = now;
        }
        if rate > 0.0 && was <= 0.0 && now.since(self.idle_since) >= timeout {
            self.seats.fill(PodId::default());
        }
        stuck != self.sticks(timeout)
    }

    fn seat(&mut self, routed: &[PodId], timeout: SimDuration, purpose: &str, streams: &Streams) {
        self.counts.clear();
        if !self.sticks(timeout) || routed.is_empty() {
            if self.rate > 0.0 {
                // Forgotten, or without any pod: where they go next is anybody's guess.
                self.seats.fill(PodId::default());
            }
            return;
        }
        self.counts.resize(routed.len(), 0);
        for (client, seat) in self.seats.iter_mut().enumerate() {
            let place = routed.binary_search(seat).unwrap_or_else(|_| {
                let draws = &mut self.draws[client];
                *draws += 1;
                let entity = (client as u64) << 32 | u64::from(*draws);
                streams.stream(purpose, entity).below(routed.len() as u64) as usize
            });
            *seat = routed[place];
            self.counts[place] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: SimDuration = SimDuration::from_secs(10_800);

    fn pods(n: usize) -> Vec<PodId> {
        let mut ids: slotmap::SlotMap<PodId, ()> = slotmap::SlotMap::with_key();
        (0..n).map(|_| ids.insert(())).collect()
    }

    /// Clients of a Service after each step: who is routed to, and the rate from that second on.
    fn follow(clients: u32, steps: &[(&[PodId], u64, f64)]) -> Vec<Vec<u32>> {
        let streams = Streams::new(1);
        let mut all = Clients::new("default/web".into(), TIMEOUT);
        let step = |(routed, at, rate): &(&[PodId], u64, f64)| {
            all.set_rate(SimTime::from_secs(*at), 0, *rate, clients);
            all.is_stale = true;
            all.seat(routed, &streams);
            all.crowds[0].counts.clone()
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn clients_stay_where_they_are() {
        let p = pods(3);
        let seen = follow(100, &[(&p[..2], 0, 50.0), (&p[..3], 60, 50.0), (&p[1..], 120, 50.0)]);
        assert_eq!(seen[0].iter().sum::<u32>(), 100);
        assert_eq!(seen[1], [seen[0][0], seen[0][1], 0], "a new pod gets nobody");
        let (kept, new) = (seen[2][0], seen[2][1]);
        assert!(kept > seen[0][1] && new > 0, "those of one that went go to any: {seen:?}");
        assert_eq!(kept + new, 100);
    }

    #[test]
    fn the_first_pod_that_is_back_gets_all() {
        let p = pods(3);
        let seen = follow(
            30,
            &[(&p[..1], 0, 9.0), (&[], 9, 9.0), (&p[1..2], 10, 9.0), (&p[1..], 11, 9.0)],
        );
        assert_eq!(seen, [vec![30], vec![], vec![30], vec![30, 0]]);
    }

    #[test]
    fn who_is_silent_for_long_is_forgotten() {
        let p = pods(2);
        let seen = follow(
            40,
            &[
                (&p[..1], 0, 9.0),
                (&p[..1], 60, 0.0),
                (&p, 60 + 10_799, 9.0),
                (&p, 20_000, 0.0),
                (&p, 20_000 + 10_800, 9.0),
                (&p, 40_000, 40.0 / 10_801.0),
            ],
        );
        assert_eq!(seen[2], [40, 0], "a second less than the timeout: they go back");
        assert!(seen[4].iter().all(|n| *n > 5), "forgotten: each draws anew, {:?}", seen[4]);
        assert!(seen[5].is_empty(), "each asks too seldom to be remembered");
    }
}
