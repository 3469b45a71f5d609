//! The search for devices: depth first through claims, requests and devices, in the order of pools
//! and slices by name; the first solution counts.
//!
//! Source: dynamic-resource-allocation `structured/internal/incubating/allocator_incubating.go`
//! (`allocateOne`, `allocateDevice`), v1.37. Upstream gives up on a node after 10 s by the clock
//! (DRASchedulerFilterTimeout); here after a number of steps.

use super::allocated::{Amounts, Taken, add, subtract};
use super::allocator::{Prepared, devices_of};
use super::capacity;
use super::constraint::Held;
use super::pools::{Pool, Seen, State};
use crate::api::Text;
use crate::api::devices::{Device, DeviceTaint, MOST_DEVICES, ResourceClaim};
use crate::api::quantity::Quantity;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// So many steps stand for 10 s of upstream's.
const MOST_STEPS: u64 = 2_000_000;

/// A device by its place: of pools, their slices and the devices of those.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct At {
    pub(super) pool: usize,
    pub(super) slice: usize,
    pub(super) device: usize,
}

/// Why the search ends without an answer.
pub(super) enum Stop {
    /// The claim would get more devices than it may.
    TooMany,
    /// Something is wrong with a claim or a class.
    Fault(String),
}

/// A device that is sought.
#[derive(Clone, Copy)]
struct Wanted {
    claim: usize,
    request: usize,
    sub: usize,
    device: usize,
}

/// A device that has been chosen.
pub(super) struct Chosen<'a> {
    pub(super) at: At,
    pub(super) request: &'a Text,
    pub(super) parent: Option<&'a Text>,
    pub(super) admin_access: bool,
    pub(super) consumed: Amounts,
}

/// Amounts of counters, by set and name.
type CounterAmounts<'a> = BTreeMap<(&'a Text, &'a Text), Quantity>;

/// Counters of a pool.
#[derive(Default)]
pub(super) struct PoolCounters<'a> {
    /// What allocated devices leave; may be below zero.
    available: CounterAmounts<'a>,
    /// What the devices take that have been chosen.
    consumed: CounterAmounts<'a>,
}

/// A search on one node.
pub(super) struct Search<'a> {
    pub(super) taken: Taken<'a>,
    pub(super) node: Seen<'a>,
    pub(super) claims: &'a [&'a ResourceClaim],
    pub(super) pools: Vec<Pool<'a>>,
    /// By claim, request and alternative.
    pub(super) requests: Vec<Vec<Vec<Rc<Prepared<'a>>>>>,
    pub(super) constraints: Vec<Vec<Held<'a>>>,
    /// By pool, once a device of it takes of counters.
    pub(super) counters: BTreeMap<usize, PoolCounters<'a>>,
    /// Devices that have been chosen for one claim alone, with the claims.
    pub(super) allocating: BTreeMap<At, BTreeSet<usize>>,
    /// What chosen shares take of devices.
    pub(super) being_consumed: BTreeMap<At, Amounts>,
    pub(super) results: Vec<Vec<Chosen<'a>>>,
    /// Whether a device is one that a request selects.
    pub(super) matches: BTreeMap<((usize, usize, usize), At), bool>,
    pub(super) steps: u64,
}

/// What a choice has changed, to be undone.
#[derive(Default)]
struct Undo {
    counters: bool,
    constraints: usize,
    marked: bool,
    /// What was added to the device's consumption, and whether there had been any.
    consumed: Option<(Amounts, bool)>,
    is_result: bool,
}

impl<'a> Search<'a> {
    /// Whether there are devices for all claims; they are in the results then.
    pub(super) fn run(&mut self) -> Result<bool, Stop> {
        self.one(Wanted { claim: 0, request: 0, sub: 0, device: 0 }, false, At::default())
    }

    fn prepared(&self, wanted: Wanted) -> Rc<Prepared<'a>> {
        Rc::clone(&self.requests[wanted.claim][wanted.request][wanted.sub])
    }

    /// The next device and all after it (`allocateOne`). Devices of one request are sought from
    /// `start` on: their order does not matter.
    fn one(&mut self, wanted: Wanted, in_subrequest: bool, start: At) -> Result<bool, Stop> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            let name = self.node.name;
            return Err(Stop::Fault(format!("node {name}: timed out trying to allocate devices")));
        }
        if wanted.claim >= self.claims.len() {
            return Ok(true);
        }
        if wanted.request >= self.requests[wanted.claim].len() {
            let next = Wanted { claim: wanted.claim + 1, request: 0, sub: 0, device: 0 };
            return match self.one(next, false, At::default()) {
                // Another choice for this claim may leave the next ones a smaller alternative.
                Err(Stop::TooMany) => Ok(false),
                other => other,
            };
        }
        if !in_subrequest && self.prepared(wanted).parent.is_some() {
            return self.alternatives(wanted);
        }
        let request = self.prepared(wanted);
        let (count, wants_all) = (request.count, request.asks.count.is_none());
        if wants_all && count == 0 {
            return Ok(false);
        }
        if wanted.device >= count {
            let next = Wanted { request: wanted.request + 1, sub: 0, device: 0, ..wanted };
            return self.one(next, false, At::default());
        }
        if count - wanted.device > MOST_DEVICES - self.results[wanted.claim].len() {
            return Err(Stop::TooMany);
        }
        match wants_all {
            true => self.one_of_all(wanted, in_subrequest),
            false => self.one_of_any(wanted, in_subrequest, start),
        }
    }

    /// The first alternative of a request that can be had.
    fn alternatives(&mut self, wanted: Wanted) -> Result<bool, Stop> {
        let mut too_many = true;
        for sub in 0..self.requests[wanted.claim][wanted.request].len() {
            match self.one(Wanted { sub, ..wanted }, true, At::default()) {
                Err(Stop::TooMany) => continue,
                Ok(false) => too_many = false,
                other => return other,
            }
        }
        if too_many { Err(Stop::TooMany) } else { Ok(false) }
    }

    /// The next device of a request that wants all: it is known which.
    fn one_of_all(&mut self, wanted: Wanted, in_subrequest: bool) -> Result<bool, Stop> {
        let at = self.prepared(wanted).all[wanted.device];
        let Some(undo) = self.choose(wanted, at, true)? else { return Ok(false) };
        let next = Wanted { device: wanted.device + 1, ..wanted };
        let found = self.one(next, in_subrequest, At::default());
        if !matches!(found, Ok(true)) {
            self.undo(wanted, at, undo);
        }
        found
    }

    /// The next device of any that will do.
    fn one_of_any(&mut self, wanted: Wanted, in_subrequest: bool, start: At) -> Result<bool, Stop> {
        for pool in start.pool..self.pools.len() {
            if self.pools[pool].state != State::Fine {
                continue;
            }
            let first = if pool == start.pool { start.slice } else { 0 };
            for slice in first..self.pools[pool].slices.len() {
                let is_start = pool == start.pool && slice == start.slice;
                let first = if is_start { start.device } else { 0 };
                for device in first..self.pools[pool].slices[slice].devices.len() {
                    let at = At { pool, slice, device };
                    if !self.is_candidate(wanted, at)? {
                        continue;
                    }
                    let Some(undo) = self.choose(wanted, at, false)? else { continue };
                    let next = Wanted { device: wanted.device + 1, ..wanted };
                    let after = At { device: device + 1, ..at };
                    let found = self.one(next, in_subrequest, after);
                    if matches!(found, Ok(true)) {
                        return found;
                    }
                    self.undo(wanted, at, undo);
                    found?;
                }
            }
        }
        Ok(false)
    }

    /// Whether a device is free, selected and large enough.
    fn is_candidate(&mut self, wanted: Wanted, at: At) -> Result<bool, Stop> {
        let admin = self.prepared(wanted).asks.admin_access;
        if admin && self.is_chosen_for(at, wanted.claim) || !admin && self.is_in_use(at) {
            return Ok(false);
        }
        let key = (wanted.claim, wanted.request, wanted.sub);
        let request = self.prepared(wanted);
        if !self.is_selectable(key, &request, at).map_err(Stop::Fault)? {
            return Ok(false);
        }
        self.has_capacity(wanted, at, "checking")
    }

    fn has_capacity(&self, wanted: Wanted, at: At, doing: &str) -> Result<bool, Stop> {
        let (_, device) = self.device(at);
        let request = self.prepared(wanted);
        let taken = match device.capacity.is_empty() {
            true => Amounts::new(),
            false => self.taken.consumed(&self.id(at)),
        };
        let being_taken = self.being_consumed.get(&at);
        let fits = capacity::fits(device, &request.asks.capacity, &taken, being_taken);
        fits.map_err(|why| {
            let (claim, id) = (&self.claims[wanted.claim].name, self.id(at));
            Stop::Fault(format!(
                "claim {claim}, request {}: {doing} capacity for device {id}: {why}",
                request.name
            ))
        })
    }

    fn is_chosen_for(&self, at: At, claim: usize) -> bool {
        self.allocating.get(&at).is_some_and(|claims| claims.contains(&claim))
    }

    fn is_in_use(&self, at: At) -> bool {
        self.allocating.get(&at).is_some_and(|claims| !claims.is_empty())
            || self.taken.is_whole(&self.id(at))
    }

    /// Takes a device if it can be had (`allocateDevice`); with `must` a constraint that does not
    /// hold is an error.
    fn choose(&mut self, wanted: Wanted, at: At, must: bool) -> Result<Option<Undo>, Stop> {
        let mut undo = Undo::default();
        match self.try_to_choose(wanted, at, must, &mut undo) {
            Ok(true) => Ok(Some(undo)),
            Ok(false) => {
                self.undo(wanted, at, undo);
                Ok(None)
            }
            Err(stop) => {
                self.undo(wanted, at, undo);
                Err(stop)
            }
        }
    }

    fn try_to_choose(
        &mut self,
        wanted: Wanted,
        at: At,
        must: bool,
        undo: &mut Undo,
    ) -> Result<bool, Stop> {
        let (slice, device) = self.device(at);
        let request = self.prepared(wanted);
        let (asks, own, parent) = (request.asks, request.name, request.parent);
        let names = request.names();
        let (many, admin) = (device.allows_multiple, asks.admin_access);
        let in_same = !many && admin && self.is_chosen_for(at, wanted.claim);
        if in_same || !admin && self.is_in_use(at) {
            return Ok(false);
        }
        // A further share of a device takes no more counters.
        let is_share_already =
            many && (self.being_consumed.contains_key(&at) || self.taken.is_shared(&self.id(at)));
        if !is_share_already && !device.consumes.is_empty() {
            if !self.take_counters(at) {
                return Ok(false);
            }
            undo.counters = true;
        }
        let tolerated = |taint: &DeviceTaint| asks.tolerations.iter().any(|t| t.tolerates(taint));
        let forbids = |taint: &&DeviceTaint| matches!(&*taint.effect, "NoSchedule" | "NoExecute");
        if device.taints.iter().filter(forbids).any(|taint| !tolerated(taint)) {
            return Ok(false);
        }
        for held in &mut self.constraints[wanted.claim] {
            if held.add(names, &slice.driver, device) {
                undo.constraints += 1;
                continue;
            }
            if !must {
                return Ok(false);
            }
            let (claim, id) = (&self.claims[wanted.claim].name, self.id(at));
            return Err(Stop::Fault(format!(
                "claim {claim}, request {own}: cannot add device {id} because a claim constraint \
                 would not be satisfied"
            )));
        }
        if !many {
            self.allocating.entry(at).or_default().insert(wanted.claim);
            undo.marked = true;
        }
        if !self.has_capacity(wanted, at, "rechecking")? {
            return Ok(false);
        }
        let mut consumed = Amounts::new();
        if many {
            let amounts = capacity::consumed(device, &asks.capacity).map_err(Stop::Fault)?;
            consumed = amounts.unwrap_or_default();
            let existed = self.being_consumed.contains_key(&at);
            add(self.being_consumed.entry(at).or_default(), &consumed);
            undo.consumed = Some((consumed.clone(), existed));
        }
        let chosen = Chosen { at, request: own, parent, admin_access: admin, consumed };
        self.results[wanted.claim].push(chosen);
        undo.is_result = true;
        Ok(true)
    }

    /// Takes a choice back (`rollbackDevice`).
    fn undo(&mut self, wanted: Wanted, at: At, undo: Undo) {
        if undo.is_result {
            self.results[wanted.claim].pop();
        }
        if let Some((amounts, existed)) = undo.consumed {
            let sums = self.being_consumed.entry(at).or_default();
            subtract(sums, &amounts);
            if !existed && sums.values().all(|sum| *sum == Quantity::default()) {
                self.being_consumed.remove(&at);
            }
        }
        if undo.marked
            && let Some(claims) = self.allocating.get_mut(&at)
        {
            claims.remove(&wanted.claim);
        }
        let names = self.prepared(wanted).names();
        for held in self.constraints[wanted.claim][..undo.constraints].iter_mut().rev() {
            held.remove(names);
        }
        if undo.counters {
            self.give_counters_back(at);
        }
    }

    /// Whether there are enough counters for a device; they are taken then
    /// (`checkAvailableCounters`).
    fn take_counters(&mut self, at: At) -> bool {
        let (_, device) = self.device(at);
        if !self.counters.contains_key(&at.pool) {
            let available = available(&self.pools[at.pool], self.taken);
            let counters = PoolCounters { available, consumed: CounterAmounts::new() };
            self.counters.insert(at.pool, counters);
        }
        let Some(pool) = self.counters.get_mut(&at.pool) else { return false };
        for_each_counter(device, |key, amount| {
            let sum = pool.consumed.entry(key).or_default();
            *sum = sum.plus(amount);
        });
        let enough = pool.available.iter().all(|(key, available)| {
            *available >= pool.consumed.get(key).copied().unwrap_or_default()
        });
        if !enough {
            self.give_counters_back(at);
        }
        enough
    }

    fn give_counters_back(&mut self, at: At) {
        let (_, device) = self.device(at);
        let Some(pool) = self.counters.get_mut(&at.pool) else { return };
        for_each_counter(device, |key, amount| {
            let sum = pool.consumed.entry(key).or_default();
            *sum = sum.minus(amount);
        });
    }
}

/// What allocated devices leave of a pool's counters.
fn available<'a>(pool: &Pool<'a>, taken: Taken<'_>) -> CounterAmounts<'a> {
    let mut out = CounterAmounts::new();
    for set in pool.counters.values() {
        out.extend(set.counters.iter().map(|(name, amount)| ((&set.set, name), *amount)));
    }
    for (slice, device) in devices_of(pool).filter(|(_, device)| !device.consumes.is_empty()) {
        let id = crate::api::devices::DeviceId {
            driver: slice.driver.clone(),
            pool: slice.pool.clone(),
            device: device.name.clone(),
        };
        if taken.is_taken(&id) {
            for_each_counter(device, |key, amount| {
                if let Some(left) = out.get_mut(&key) {
                    *left = left.minus(amount);
                }
            });
        }
    }
    out
}

fn for_each_counter<'a>(device: &'a Device, mut take: impl FnMut((&'a Text, &'a Text), Quantity)) {
    for consumed in &device.consumes {
        for (name, amount) in &consumed.counters {
            take((&consumed.set, name), *amount);
        }
    }
}
