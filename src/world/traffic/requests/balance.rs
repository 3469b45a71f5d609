//! Who of the pods that are routed to gets the next request.

use super::draws::{Draws, Purpose};
use super::engine::{Affinity, Engine, Front};
use super::inflight::Origin;
use super::plan::Pick;
use super::pod::Pod;
use crate::units::{SimDuration, SimTime};

/// A request that looks for a pod.
pub(super) struct Seating<'a> {
    /// The client that sends it, where clients stick to pods.
    pub(super) client: Option<(u32, u32)>,
    /// The pods that it may go to; `None`: all.
    pub(super) used: Option<&'a [(u64, u32)]>,
    /// When it does.
    pub(super) now: SimTime,
}

impl Engine {
    /// Sends a request to a Service. Tried `again` so often it is the same, but may reach another
    /// pod.
    #[inline]
    pub(super) fn send(&mut self, service: u32, (key, again): (u64, u32), origin: Origin) {
        if self.near.is_some() {
            return self.send_near(service, (key, again), origin);
        }
        let front = &mut self.fronts[service as usize];
        let pod = match front.routed.len() {
            0 => None,
            1 if front.has_any() => Some(front.routed[0].1),
            _ => {
                let key = key.wrapping_add(u64::from(again) << 48);
                let client = self.client_of(service, key, origin);
                let draws = Draws::new(key, Purpose::Balance);
                let seating = Seating { client, used: None, now: self.now };
                self.fronts[service as usize].seat(seating, draws, &self.pods)
            }
        };
        match pod {
            Some(pod) => self.arrive(pod, key, origin),
            None => self.finds_nobody(service, origin),
        }
    }

    /// A request finds no pod that it may go to.
    pub(super) fn finds_nobody(&mut self, service: u32, origin: Origin) {
        if let Some(station) = self.fronts[service as usize].primary {
            let count = &mut self.stations[station as usize].count;
            count.offered += 1;
            count.failed += 1;
        }
        self.fail(origin);
    }

    /// Entry and number of the client that sends a request, if it comes from one and they stick to
    /// the Service's pods.
    #[inline]
    pub(super) fn client_of(&self, service: u32, key: u64, origin: Origin) -> Option<(u32, u32)> {
        self.fronts[service as usize].affinity.as_ref()?;
        let origin = match origin {
            Origin::Call(call) if self.calls.lives(call) => self.calls.get(call.place).origin,
            other => other,
        };
        let (entry, user) = match origin {
            Origin::Entry(entry) => (entry, None),
            Origin::User { entry, user } => (entry, Some(user)),
            _ => return None,
        };
        let addresses = self.entries[entry as usize].addresses?.max(1);
        let drawn = || Draws::new(key, Purpose::Client).below(addresses as usize) as u32;
        Some((entry, user.map_or_else(drawn, |user| user % addresses)))
    }

    /// Clients of a Service stick to pods from now on, or no longer; `timeout` is how long one that
    /// asks nothing is remembered.
    pub fn set_affinity(&mut self, service: usize, timeout: Option<SimDuration>) {
        let affinity = &mut self.fronts[service].affinity;
        match (affinity.as_mut(), timeout) {
            (Some(affinity), Some(timeout)) => affinity.timeout = timeout,
            (None, Some(timeout)) => {
                *affinity = Some(Box::new(Affinity { timeout, seats: Default::default() }));
            }
            (_, None) => *affinity = None,
        }
    }
}

impl Front {
    /// Whether any pod will do.
    fn has_any(&self) -> bool {
        self.affinity.is_none() && !matches!(self.pick, Pick::Weights(_))
    }

    /// The pod that a client was sent to, if it is remembered and still routed to.
    fn seat_of(&self, client: (u32, u32), now: SimTime) -> Option<(u64, u32)> {
        let affinity = self.affinity.as_ref()?;
        let (order, at) = *affinity.seats.get(&client)?;
        if now.since(at) > affinity.timeout {
            return None;
        }
        let place = self.routed.binary_search_by_key(&order, |(other, _)| *other).ok()?;
        Some(self.routed[place])
    }

    /// The pod that a client sticks to, or one out of those that may be used.
    #[inline]
    pub(super) fn seat(&mut self, seating: Seating<'_>, draws: Draws, pods: &[Pod]) -> Option<u32> {
        let Seating { client, used, now } = seating;
        if let Some((_, pod)) = client.and_then(|client| self.stay(client, now)) {
            return Some(pod);
        }
        let Front { routed, pick, turn, affinity, .. } = self;
        let (order, pod) = picked(used.unwrap_or(routed), pick, turn, draws, pods)?;
        if let (Some(client), Some(affinity)) = (client, affinity) {
            affinity.seats.insert(client, (order, now));
        }
        Some(pod)
    }

    /// The pod that a client sticks to, which is remembered from now on.
    fn stay(&mut self, client: (u32, u32), now: SimTime) -> Option<(u64, u32)> {
        let (order, pod) = self.seat_of(client, now)?;
        self.affinity.as_mut()?.seats.insert(client, (order, now));
        Some((order, pod))
    }
}

/// One of these pods, if there is any.
#[inline]
fn picked(
    routed: &[(u64, u32)],
    pick: &Pick,
    turn: &mut u64,
    mut draws: Draws,
    pods: &[Pod],
) -> Option<(u64, u32)> {
    let n = routed.len();
    let first = *routed.get(draws.below(n))?;
    Some(match pick {
        Pick::Random => first,
        Pick::RoundRobin => {
            *turn += 1;
            routed[(*turn % n as u64) as usize]
        }
        Pick::LeastRequest => {
            let second = routed[draws.below(n)];
            let load = |(_, pod): (u64, u32)| pods[pod as usize].load();
            if load(second) < load(first) { second } else { first }
        }
        Pick::Weights(weights) => return picked_by_weight(routed, weights, &mut draws, pods),
    })
}

/// A station by its weight among those that have a pod, and any of its pods.
fn picked_by_weight(
    routed: &[(u64, u32)],
    weights: &[(u32, f64)],
    draws: &mut Draws,
    pods: &[Pod],
) -> Option<(u64, u32)> {
    let of =
        |station: u32| routed.iter().filter(move |(_, pod)| pods[*pod as usize].station == station);
    let present = || weights.iter().filter(|(station, _)| of(*station).next().is_some());
    let all: f64 = present().map(|(_, weight)| weight).sum();
    let mut left = draws.unit() * all;
    let mut chosen = None;
    for (station, weight) in present().filter(|(_, weight)| *weight > 0.0) {
        chosen = Some(*station);
        left -= weight;
        if left <= 0.0 {
            break;
        }
    }
    let station = chosen?;
    of(station).nth(draws.below(of(station).count())).copied()
}
