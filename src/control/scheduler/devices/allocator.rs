//! Devices for claims on one node: what is asked for, what is found, and what becomes of it.
//!
//! Source: dynamic-resource-allocation `structured/internal/incubating/allocator_incubating.go`,
//! v1.37: the implementation that is used with the default feature gates.

use super::Devices;
use super::allocated::{Allocated, Amounts, Taken};
use super::constraint::Held;
use super::pools::{Pool, Seen, State, gather};
use super::search::{At, Chosen, Search, Stop};
use crate::api::Text;
use crate::api::devices::{
    AllocatedDevice, Allocation, Asks, Device, DeviceClass, DeviceId, DeviceRequest, MOST_DEVICES,
    Reach, ResourceClaim, ResourceSlice,
};
use crate::api::labels::{Labels, Operator, Requirement};
use crate::api::node_affinity::NodeSelectorTerm;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Why a node gives nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Only for this node.
    OnNode(&'static str),
    /// Something is wrong with a claim or a class: the pod's cycle ends with an error.
    Fatal(String),
}

/// Finds devices for all `claims` on a node: an allocation for each, in their order; `None`: there
/// are not enough. `in_flight` is what is being written ([`Devices::gather_in_flight`]).
pub(in super::super) fn allocate(
    devices: &Devices,
    in_flight: &Allocated,
    (name, labels): (&Text, &Labels),
    claims: &[&ResourceClaim],
) -> Result<Option<Vec<Allocation>>, Failure> {
    let node = Seen { name, labels };
    let mut search = Search {
        taken: Taken::new(devices, in_flight),
        node,
        claims,
        pools: gather(devices, node),
        requests: Vec::new(),
        constraints: Vec::new(),
        counters: BTreeMap::new(),
        allocating: BTreeMap::new(),
        being_consumed: BTreeMap::new(),
        results: claims.iter().map(|_| Vec::new()).collect(),
        matches: BTreeMap::new(),
        steps: 0,
    };
    for (at, claim) in claims.iter().enumerate() {
        search.prepare(devices, at, claim).map_err(Failure::Fatal)?;
        search.constraints.push(claim.spec.constraints.iter().map(Held::new).collect());
    }
    match search.run() {
        Err(Stop::Fault(why)) => Err(Failure::Fatal(why)),
        Err(Stop::TooMany) => Err(Failure::Fatal("allocation max size exceeded".to_owned())),
        Ok(true) => Ok(Some(search.results.iter().map(|r| allocation(&search, r)).collect())),
        Ok(false) if search.pools.iter().any(|pool| pool.state == State::Invalid) => {
            Err(Failure::OnNode("invalid resource pools were encountered"))
        }
        Ok(false) => Ok(None),
    }
}

/// A request or subrequest with what is known of it before the search.
pub(super) struct Prepared<'a> {
    pub(super) asks: &'a DeviceRequest,
    /// Its own name.
    pub(super) name: &'a Text,
    /// That of the request of which it is one alternative.
    pub(super) parent: Option<&'a Text>,
    pub(super) class: &'a DeviceClass,
    /// How many devices it needs.
    pub(super) count: usize,
    /// Which ones, if it wants all.
    pub(super) all: Vec<At>,
}

impl<'a> Prepared<'a> {
    /// The names by which constraints know it.
    pub(super) fn names(&self) -> (&'a Text, Option<&'a Text>) {
        match self.parent {
            Some(parent) => (parent, Some(self.name)),
            None => (self.name, None),
        }
    }
}

impl<'a> Search<'a> {
    /// Looks at all requests of a claim (the first part of `Allocate`).
    fn prepare(
        &mut self,
        devices: &'a Devices,
        at: usize,
        claim: &'a ResourceClaim,
    ) -> Result<(), String> {
        self.requests.push(Vec::new());
        let mut total = 0;
        for (number, request) in claim.spec.requests.iter().enumerate() {
            self.requests[at].push(Vec::new());
            let mut fewest = usize::MAX;
            let several: Vec<(&Text, &DeviceRequest, Option<&Text>)> = match &request.asks {
                Asks::Exactly(asks) => vec![(&request.name, asks, None)],
                Asks::FirstAvailable(list) => {
                    list.iter().map(|(name, asks)| (name, asks, Some(&request.name))).collect()
                }
            };
            for (name, asks, parent) in several {
                let prepared = self.validate(devices, (at, number), claim, (name, asks, parent))?;
                fewest = fewest.min(prepared.count);
                self.requests[at][number].push(Rc::new(prepared));
            }
            if fewest > MOST_DEVICES - total {
                return Err(format!(
                    "claim {}, request {}: adding {fewest} devices exceeds the claim limit of \
                     {MOST_DEVICES}, with {total} already accounted for",
                    claim.name, request.name
                ));
            }
            total += fewest;
        }
        Ok(())
    }

    /// How many devices a request needs (`validateDeviceRequest`).
    fn validate(
        &mut self,
        devices: &'a Devices,
        (at, number): (usize, usize),
        claim: &ResourceClaim,
        (name, asks, parent): (&'a Text, &'a DeviceRequest, Option<&'a Text>),
    ) -> Result<Prepared<'a>, String> {
        let which = || format!("claim {}, request {name}", claim.name);
        let class = devices.class(&asks.class).ok_or_else(|| {
            format!(
                "{}: could not retrieve device class {1}: deviceclass.resource.k8s.io {1:?} not \
                 found",
                which(),
                &*asks.class
            )
        })?;
        let mut out = Prepared { asks, name, parent, class, count: 0, all: Vec::new() };
        if let Some(count) = asks.count {
            out.count = usize::try_from(count).unwrap_or(0);
            return Ok(out);
        }
        let sub = self.requests[at][number].len();
        for pool in 0..self.pools.len() {
            let id = format!("{}/{}", self.pools[pool].driver, self.pools[pool].name);
            match self.pools[pool].state {
                State::Fine => {}
                State::Incomplete => {
                    return Err(format!(
                        "{}: asks for all devices, but resource pool {id} is currently being \
                         updated",
                        which()
                    ));
                }
                State::Invalid => {
                    return Err(format!(
                        "{}: asks for all devices, but resource pool {id} is currently invalid",
                        which()
                    ));
                }
            }
            for at_device in self.places(pool) {
                if !self.is_selectable((at, number, sub), &out, at_device)? {
                    continue;
                }
                let device = self.device(at_device).1;
                let fits = super::capacity::fits(device, &asks.capacity, &Amounts::new(), None);
                let fits = fits.map_err(|why| {
                    format!("{}: checking capacity for device {}: {why}", which(), device.name)
                })?;
                if fits {
                    out.all.push(at_device);
                }
            }
        }
        out.count = out.all.len();
        Ok(out)
    }

    fn places(&self, pool: usize) -> Vec<At> {
        let slices = self.pools[pool].slices.iter().enumerate();
        let of = |(slice, found): (usize, &&ResourceSlice)| {
            (0..found.devices.len()).map(move |device| At { pool, slice, device })
        };
        slices.flat_map(of).collect()
    }

    /// A device, and the slice that it is in.
    pub(super) fn device(&self, at: At) -> (&'a ResourceSlice, &'a Device) {
        let slice = self.pools[at.pool].slices[at.slice];
        (slice, &slice.devices[at.device])
    }

    /// The name of a device all over the cluster.
    pub(super) fn id(&self, at: At) -> DeviceId {
        let (slice, device) = self.device(at);
        DeviceId {
            driver: slice.driver.clone(),
            pool: slice.pool.clone(),
            device: device.name.clone(),
        }
    }

    /// Whether the device is one that the class and the request select, and reached from the node.
    pub(super) fn is_selectable(
        &mut self,
        key: (usize, usize, usize),
        request: &Prepared<'_>,
        at: At,
    ) -> Result<bool, String> {
        if let Some(known) = self.matches.get(&(key, at)) {
            return Ok(*known);
        }
        let (slice, device) = self.device(at);
        let of_class = request.class.selectors.iter().enumerate().map(|s| (true, s));
        let of_request = request.asks.selectors.iter().enumerate().map(|s| (false, s));
        let mut matches = true;
        for (is_class, (number, selector)) in of_class.chain(of_request) {
            matches = selector.matches(&slice.driver, device).map_err(|why| {
                let whose = match is_class {
                    true => format!("class {}", request.class.name),
                    false => format!("claim {}", self.claims[key.0].name),
                };
                let id = self.id(at);
                format!("{whose}: selector #{number} on device {id}: CEL runtime error: {why}")
            })?;
            if !matches {
                break;
            }
        }
        let per_device = slice.reach == Reach::PerDevice;
        matches &= !per_device || self.node.reaches(&device.reach);
        self.matches.insert((key, at), matches);
        Ok(matches)
    }
}

/// What a claim gets.
fn allocation(search: &Search<'_>, chosen: &[Chosen<'_>]) -> Allocation {
    let devices = chosen.iter().map(|one| {
        let (_, device) = search.device(one.at);
        AllocatedDevice {
            request: match one.parent {
                Some(parent) => format!("{parent}/{}", one.request).into(),
                None => one.request.clone(),
            },
            id: search.id(one.at),
            admin_access: one.admin_access,
            is_share: device.allows_multiple,
            consumed: one.consumed.clone(),
            binding_conditions: device.binding_conditions.clone(),
            binding_failure_conditions: device.binding_failure_conditions.clone(),
        }
    });
    Allocation {
        devices: devices.collect(),
        node_selector: node_selector(search, chosen),
        since: None,
    }
}

/// From which nodes all devices are reached; `None`: from all (`createNodeSelector`).
fn node_selector(search: &Search<'_>, chosen: &[Chosen<'_>]) -> Option<Vec<NodeSelectorTerm>> {
    let mut term = NodeSelectorTerm::default();
    for one in chosen {
        let (slice, device) = search.device(one.at);
        let reach = if slice.reach == Reach::PerDevice { &device.reach } else { &slice.reach };
        if matches!(reach, Reach::Node(_)) || device.binds_to_node {
            let this = Requirement {
                key: "metadata.name".into(),
                operator: Operator::In,
                values: vec![search.node.name.clone()],
            };
            return Some(vec![NodeSelectorTerm { match_fields: vec![this], ..Default::default() }]);
        }
        if let Reach::Selector(terms) = reach
            && let [only] = &terms[..]
        {
            add_new(&only.match_fields, &mut term.match_fields);
            add_new(&only.match_expressions, &mut term.match_expressions);
        }
    }
    let is_empty = term.match_fields.is_empty() && term.match_expressions.is_empty();
    (!is_empty).then(|| vec![term])
}

fn add_new(from: &[Requirement], to: &mut Vec<Requirement>) {
    for requirement in from {
        if !to.contains(requirement) {
            to.push(requirement.clone());
        }
    }
}

/// All devices of a pool, from wherever they are reached.
pub(super) fn devices_of<'a>(
    pool: &Pool<'a>,
) -> impl Iterator<Item = (&'a ResourceSlice, &'a Device)> {
    let slices: Vec<&ResourceSlice> = pool.slices.iter().chain(&pool.elsewhere).copied().collect();
    slices.into_iter().flat_map(|slice| slice.devices.iter().map(move |device| (slice, device)))
}
