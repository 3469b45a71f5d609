//! DynamicResources by its definition.
//!
//! The definition knows one rule: whether a list of devices, each for a request, is allowed. It
//! works that out anew for every list, and takes the first complete one in the order of claims,
//! requests, alternatives and devices. It shares nothing with the search but the objects and the
//! selectors. Selectors that fail and claims with very many devices are left to other tests.

use crate::api::Text;
use crate::api::devices::{
    AllocatedDevice, Asks, Attribute, Counters, Device, DeviceClass, DeviceId, DeviceObject,
    DeviceRequest, Reach, ResourceClaim, ResourceSlice,
};
use crate::api::node::Node;
use crate::api::quantity::Quantity;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A device that a node reaches, and the slice that it is in.
#[derive(Clone, Copy)]
struct Reached<'a> {
    slice: &'a ResourceSlice,
    device: &'a Device,
}

impl Reached<'_> {
    fn id(&self) -> DeviceId {
        let (driver, pool) = (self.slice.driver.clone(), self.slice.pool.clone());
        DeviceId { driver, pool, device: self.device.name.clone() }
    }

    fn lies_with(&self, other: &Reached<'_>) -> bool {
        self.slice.driver == other.slice.driver && self.slice.pool == other.slice.pool
    }
}

/// A pool as a node sees it.
struct Pool<'a> {
    id: (&'a Text, &'a Text),
    is_complete: bool,
    /// In the order in which they are sought.
    devices: Vec<Reached<'a>>,
    counters: Vec<&'a Counters>,
    /// Its devices that this node does not reach.
    elsewhere: Vec<Reached<'a>>,
}

/// One device for one request.
#[derive(Clone)]
struct Choice<'a> {
    claim: usize,
    /// `request`, or `request/alternative`.
    name: String,
    asks: &'a DeviceRequest,
    found: Reached<'a>,
}

/// What can be had where, by definition.
pub(super) struct Definition {
    /// With the taints of rules.
    slices: Vec<ResourceSlice>,
    classes: BTreeMap<Text, Arc<DeviceClass>>,
    /// What all claims have.
    taken: Vec<AllocatedDevice>,
}

impl Definition {
    pub(super) fn new<'a>(
        objects: impl IntoIterator<Item = &'a DeviceObject> + Clone,
    ) -> Definition {
        let all = || objects.clone().into_iter();
        let mut slices: Vec<ResourceSlice> = Vec::new();
        let (mut classes, mut taken) = (BTreeMap::new(), Vec::new());
        for object in all() {
            match object {
                DeviceObject::Class(class) => {
                    classes.insert(class.name.clone(), Arc::clone(class));
                }
                DeviceObject::Slice(slice) => slices.push((**slice).clone()),
                DeviceObject::Claim(claim) => {
                    let allocation = claim.allocation.iter();
                    taken.extend(allocation.flat_map(|a| a.devices.iter().cloned()));
                }
                DeviceObject::TaintRule(_) => {}
            }
        }
        for object in all() {
            let DeviceObject::TaintRule(rule) = object else { continue };
            for slice in &mut slices {
                for device in &mut slice.devices {
                    let is = [&slice.driver, &slice.pool, &device.name];
                    let fits = |(given, is): (&Option<Text>, &Text)| {
                        given.as_ref().is_none_or(|given| given == is)
                    };
                    if rule.selector.iter().zip(is).all(fits) {
                        device.taints.push(rule.taint.clone());
                    }
                }
            }
        }
        Definition { slices, classes, taken }
    }

    /// The devices that claims get on a node, in the words of a test; or why there are none.
    pub(super) fn allocate(
        &self,
        node: &Node,
        claims: &[&ResourceClaim],
    ) -> Result<String, String> {
        let pools = self.pools(node);
        for claim in claims {
            for (_, asks) in claim.spec.requests.iter().flat_map(|r| alternatives(&r.name, &r.asks))
            {
                let lacking = pools.iter().find(|pool| !pool.is_complete);
                if let Some(pool) = lacking.filter(|_| asks.count.is_none()) {
                    let name = self.own_name(claim, asks);
                    let (driver, pool) = pool.id;
                    return Err(format!(
                        "claim {}, request {name}: asks for all devices, but resource pool \
                         {driver}/{pool} is currently being updated",
                        claim.name
                    ));
                }
            }
        }
        let found = self.first(&pools, node, claims, (0, 0), &mut Vec::new())?;
        let found = found.ok_or_else(|| "cannot allocate all claims".to_owned())?;
        let told =
            |c: &Choice<'_>| format!("{}={}/{}", c.name, c.found.slice.pool, c.found.device.name);
        Ok(found.iter().map(told).collect::<Vec<_>>().join(" "))
    }

    fn own_name<'c>(&self, claim: &'c ResourceClaim, asks: &DeviceRequest) -> &'c str {
        let mut all = claim.spec.requests.iter().flat_map(|request| match &request.asks {
            Asks::Exactly(exactly) => vec![(&request.name, exactly)],
            Asks::FirstAvailable(list) => list.iter().map(|(name, asks)| (name, asks)).collect(),
        });
        all.find(|(_, its)| std::ptr::eq(*its, asks)).map_or("", |(name, _)| name)
    }

    /// The pools of a node, by driver and name; those with binding conditions come last.
    fn pools(&self, node: &Node) -> Vec<Pool<'_>> {
        let mut names: Vec<(&Text, &Text)> =
            self.slices.iter().map(|s| (&s.driver, &s.pool)).collect();
        names.sort_unstable();
        names.dedup();
        let mut pools: Vec<Pool<'_>> =
            names.into_iter().filter_map(|id| self.pool(id, node)).collect();
        pools.sort_by_key(|pool| {
            pool.devices.iter().any(|found| !found.device.binding_conditions.is_empty())
        });
        pools
    }

    fn pool<'a>(&'a self, id: (&'a Text, &'a Text), node: &Node) -> Option<Pool<'a>> {
        let mut all: Vec<&ResourceSlice> =
            self.slices.iter().filter(|s| (&s.driver, &s.pool) == id).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let is_here = |slice: &&ResourceSlice| match slice.reach {
            Reach::PerDevice => slice.devices.iter().any(|device| reaches(&device.reach, node)),
            _ => reaches(&slice.reach, node),
        };
        let newest = |of: &mut dyn Iterator<Item = &ResourceSlice>| of.map(|s| s.generation).max();
        let here = newest(&mut all.iter().filter(|s| is_here(s)).copied())?;
        let own: Vec<_> =
            all.iter().filter(|s| is_here(s) && s.generation == here).copied().collect();
        let wanted = own[0].slice_count;
        let of_generation: Vec<_> = all.iter().filter(|s| s.generation == here).copied().collect();
        let has_all_here = own.len() as i64 == wanted;
        if !has_all_here && newest(&mut all.iter().copied()) > Some(here) {
            return None;
        }
        let is_complete = has_all_here || of_generation.len() as i64 == wanted;
        let known = if has_all_here { &own } else { &of_generation };
        let devices_of = |slices: &[&'a ResourceSlice]| -> Vec<Reached<'a>> {
            let of = |slice: &&'a ResourceSlice| -> Vec<Reached<'a>> {
                let slice: &'a ResourceSlice = slice;
                slice.devices.iter().map(|device| Reached { slice, device }).collect()
            };
            slices.iter().flat_map(of).collect()
        };
        let others: Vec<_> =
            known.iter().filter(|s| own.iter().all(|o| o.name != s.name)).copied().collect();
        Some(Pool {
            id,
            is_complete,
            devices: if is_complete { devices_of(&own) } else { Vec::new() },
            counters: known.iter().flat_map(|slice| &slice.counter_sets).collect(),
            elsewhere: if is_complete { devices_of(&others) } else { Vec::new() },
        })
    }

    /// The first complete list of choices that begins with `chosen`.
    fn first<'a>(
        &'a self,
        pools: &[Pool<'a>],
        node: &Node,
        claims: &[&'a ResourceClaim],
        (claim, request): (usize, usize),
        chosen: &mut Vec<Choice<'a>>,
    ) -> Result<Option<Vec<Choice<'a>>>, String> {
        let Some(its) = claims.get(claim) else { return Ok(Some(chosen.clone())) };
        let Some(wanted) = its.spec.requests.get(request) else {
            return self.first(pools, node, claims, (claim + 1, 0), chosen);
        };
        for (name, asks) in alternatives(&wanted.name, &wanted.asks) {
            let selected: Vec<Reached<'a>> = pools
                .iter()
                .flat_map(|pool| &pool.devices)
                .filter(|found| self.selects(asks, found, node))
                .copied()
                .collect();
            let lists: Vec<Vec<Reached<'a>>> = match asks.count {
                Some(count) => subsets(&selected, count as usize),
                None => {
                    let large: Vec<_> =
                        selected.into_iter().filter(|f| alone_fits(asks, f.device)).collect();
                    if large.is_empty() { Vec::new() } else { vec![large] }
                }
            };
            for list in lists {
                let before = chosen.len();
                let mut is_allowed = true;
                for found in list {
                    chosen.push(Choice { claim, name: name.clone(), asks, found });
                    match self.objection(pools, claims, chosen) {
                        None => continue,
                        Some("constraint") if asks.count.is_none() => {
                            return Err(format!(
                                "claim {}, request {}: cannot add device {} because a claim \
                                 constraint would not be satisfied",
                                its.name,
                                self.own_name(its, asks),
                                found.id()
                            ));
                        }
                        Some(_) => is_allowed = false,
                    }
                    break;
                }
                if is_allowed {
                    let next = (claim, request + 1);
                    let whole = self.first(pools, node, claims, next, chosen)?;
                    if whole.is_some() {
                        return Ok(whole);
                    }
                }
                chosen.truncate(before);
            }
        }
        Ok(None)
    }

    fn selects(&self, asks: &DeviceRequest, found: &Reached<'_>, node: &Node) -> bool {
        let Reached { slice, device } = found;
        let reached = slice.reach != Reach::PerDevice || reaches(&device.reach, node);
        let mut selectors = self.classes[&asks.class].selectors.iter().chain(&asks.selectors);
        reached && selectors.all(|s| s.matches(&slice.driver, device) == Ok(true))
    }

    /// Why the last choice of a list can't be made beside those before it; the list without it is
    /// allowed.
    fn objection<'a>(
        &self,
        pools: &[Pool<'a>],
        claims: &[&'a ResourceClaim],
        list: &[Choice<'a>],
    ) -> Option<&'static str> {
        let (last, before) = list.split_last()?;
        let (id, device) = (last.found.id(), last.found.device);
        let of_it = || before.iter().filter(|choice| choice.found.id() == id);
        let is_whole = |d: &AllocatedDevice| d.id == id && !d.admin_access && !d.is_share;
        let in_use = if last.asks.admin_access {
            of_it().any(|c| c.claim == last.claim && !device.allows_multiple)
        } else {
            of_it().any(|_| !device.allows_multiple) || self.taken.iter().any(is_whole)
        };
        if in_use {
            return Some("in use");
        }
        if !self.counters_suffice(pools, list) {
            return Some("counters");
        }
        let forbids = |effect: &str| effect == "NoSchedule" || effect == "NoExecute";
        let tolerated = |taint| last.asks.tolerations.iter().any(|t| t.tolerates(taint));
        if device.taints.iter().any(|taint| forbids(&taint.effect) && !tolerated(taint)) {
            return Some("taint");
        }
        if !claims.iter().enumerate().all(|(at, claim)| constraints_hold(claim, at, list)) {
            return Some("constraint");
        }
        (!self.has_room(list)).then_some("capacity")
    }

    /// Whether the counters of the pool of the last device are enough for what has been allocated
    /// and for all chosen devices of it. One that takes of no counter asks for none, nor does the
    /// next share of a device of which there is a share already.
    fn counters_suffice(&self, pools: &[Pool<'_>], list: &[Choice<'_>]) -> bool {
        let Some((last, before)) = list.split_last() else { return true };
        let (id, device) = (last.found.id(), last.found.device);
        let is_share = |d: &AllocatedDevice| d.id == id && d.is_share && !d.admin_access;
        let has_share =
            before.iter().any(|choice| choice.found.id() == id) || self.taken.iter().any(is_share);
        if device.consumes.is_empty() || device.allows_multiple && has_share {
            return true;
        }
        let of_pool = |choice: &&Choice<'_>| choice.found.lies_with(&last.found);
        let mut takers: Vec<(DeviceId, &Device)> = Vec::new();
        for choice in list.iter().filter(of_pool) {
            let (id, device) = (choice.found.id(), choice.found.device);
            let counts_again = !device.allows_multiple;
            let is_shared_already =
                self.taken.iter().any(|d| d.id == id && d.is_share && !d.admin_access);
            if counts_again || !is_shared_already && takers.iter().all(|(known, _)| *known != id) {
                takers.push((id, device));
            }
        }
        let pool =
            pools.iter().find(|p| p.id == (&last.found.slice.driver, &last.found.slice.pool));
        let Some(pool) = pool else { return false };
        let allocated =
            |found: &&Reached<'_>| self.taken.iter().any(|d| d.id == found.id() && !d.admin_access);
        let there = pool.devices.iter().chain(&pool.elsewhere).filter(allocated);
        let users: Vec<&Device> =
            there.map(|found| found.device).chain(takers.iter().map(|(_, d)| *d)).collect();
        pool.counters.iter().all(|set| {
            set.counters.iter().all(|(counter, has)| {
                let takes = users.iter().flat_map(|d| &d.consumes).filter(|c| c.set == set.set);
                let sum = takes
                    .filter_map(|c| c.counters.get(counter))
                    .fold(Quantity::default(), |a, b| a.plus(*b));
                sum <= *has
            })
        })
    }

    /// Whether the last device has what its request asks of it, beside all shares of it.
    fn has_room(&self, list: &[Choice<'_>]) -> bool {
        let Some((last, before)) = list.split_last() else { return true };
        let (id, device) = (last.found.id(), last.found.device);
        let has_all = last.asks.capacity.keys().all(|name| device.capacity.contains_key(name));
        has_all
            && device.capacity.iter().all(|(name, capacity)| {
                let asked = |asks: &DeviceRequest| {
                    asks.capacity.get(name).copied().unwrap_or(capacity.value)
                };
                let mut sum = asked(last.asks);
                for choice in before.iter().filter(|c| c.found.id() == id && device.allows_multiple)
                {
                    sum = sum.plus(asked(choice.asks));
                }
                for share in
                    self.taken.iter().filter(|d| d.id == id && d.is_share && !d.admin_access)
                {
                    sum = sum.plus(share.consumed.get(name).copied().unwrap_or_default());
                }
                sum <= capacity.value
            })
    }
}

fn alternatives<'a>(name: &'a Text, asks: &'a Asks) -> Vec<(String, &'a DeviceRequest)> {
    match asks {
        Asks::Exactly(asks) => vec![(name.to_string(), asks)],
        Asks::FirstAvailable(list) => {
            list.iter().map(|(sub, asks)| (format!("{name}/{sub}"), asks)).collect()
        }
    }
}

/// All choices of `count` items, in their order.
fn subsets<T: Copy>(items: &[T], count: usize) -> Vec<Vec<T>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut out = Vec::new();
    for (at, first) in items.iter().enumerate() {
        for rest in subsets(&items[at + 1..], count - 1) {
            out.push([&[*first][..], &rest].concat());
        }
    }
    out
}

pub(super) fn reaches(reach: &Reach, node: &Node) -> bool {
    match reach {
        Reach::Node(name) => *name == node.name,
        Reach::All => true,
        Reach::Selector(terms) => terms.iter().any(|term| term.matches(&node.name, &node.labels)),
        Reach::PerDevice | Reach::Nowhere => false,
    }
}

fn alone_fits(asks: &DeviceRequest, device: &Device) -> bool {
    asks.capacity.iter().all(|(name, asked)| {
        device.capacity.get(name).is_some_and(|capacity| *asked <= capacity.value)
    })
}

/// Whether the attribute of each constraint of a claim is there on all devices that it is about,
/// and the same or different for all of them.
fn constraints_hold(claim: &ResourceClaim, at: usize, list: &[Choice<'_>]) -> bool {
    claim.spec.constraints.iter().all(|constraint| {
        let is_about = |choice: &&Choice<'_>| {
            let parent = choice.name.split('/').next().unwrap_or("");
            let is_named = |name: &Text| **name == *choice.name || **name == *parent;
            choice.claim == at
                && (constraint.requests.is_empty() || constraint.requests.iter().any(is_named))
        };
        let value = |choice: &Choice<'_>| -> Option<Attribute> {
            let (domain, short) = constraint.attribute.split_once('/')?;
            let attributes = &choice.found.device.attributes;
            let full = attributes.get(&constraint.attribute);
            let own = attributes.get(short).filter(|_| *domain == *choice.found.slice.driver);
            full.or(own).cloned()
        };
        let values: Vec<Option<Attribute>> = list.iter().filter(is_about).map(value).collect();
        let pairs = || (0..values.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        values.iter().all(Option::is_some)
            && pairs().all(|(i, j)| (values[i] == values[j]) != constraint.distinct)
    })
}
