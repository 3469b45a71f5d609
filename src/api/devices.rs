//! Dynamic resource allocation: classes of devices, slices that tell which devices there are, and
//! claims on them.
//!
//! Plain data, as far as the scheduler and the resourceclaim controller read it; opaque
//! configuration of drivers is left out. Source: api `resource/v1/types.go`, v1.37.

use super::cel::Program;
use super::node_affinity::NodeSelectorTerm;
use super::quantity::Quantity;
use super::semver::Semver;
use super::{ObjectName, PodId, Text};
use crate::units::SimTime;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Prefix of the extended resource that each class stands for (`ResourceDeviceClassPrefix`).
pub const CLASS_PREFIX: &str = "deviceclass.resource.kubernetes.io/";
/// A claim gets no more devices (`AllocationResultsMaxSize`).
pub const MOST_DEVICES: usize = 32;

/// A DeviceClass.
#[derive(Clone, PartialEq, Debug)]
pub struct DeviceClass {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.creationTimestamp` in seconds of Unix time; 0 when it has none.
    pub created: i64,
    /// `spec.selectors`: all of them hold for its devices.
    pub selectors: Vec<Program>,
    /// `spec.extendedResourceName`.
    pub extended_resource: Option<Text>,
}

/// From which nodes something is reached.
#[derive(Clone, PartialEq, Debug)]
pub enum Reach {
    /// `nodeName`: from this one.
    Node(Text),
    /// `allNodes`.
    All,
    /// `nodeSelector`: from those for which one of the terms holds.
    Selector(Vec<NodeSelectorTerm>),
    /// `perDeviceNodeSelection`: each device says it.
    PerDevice,
    /// Nothing was said: from none.
    Nowhere,
}

/// A ResourceSlice: some devices of a pool.
#[derive(Clone, PartialEq, Debug)]
pub struct ResourceSlice {
    /// `metadata.name`.
    pub name: Text,
    /// `spec.driver`.
    pub driver: Text,
    /// `spec.pool.name`.
    pub pool: Text,
    /// `spec.pool.generation`: slices of older ones do not count.
    pub generation: i64,
    /// `spec.pool.resourceSliceCount`: how many slices the generation has.
    pub slice_count: i64,
    /// `spec.nodeName`, `nodeSelector`, `allNodes` or `perDeviceNodeSelection`.
    pub reach: Reach,
    /// `spec.devices`.
    pub devices: Vec<Device>,
    /// `spec.sharedCounters`.
    pub counter_sets: Vec<Counters>,
    /// Whether a device names compatibility groups. That is off by default in 1.37, and such
    /// slices are passed over.
    pub has_compatibility_groups: bool,
}

/// Amounts of a counter set: what it has, or what a device takes of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Counters {
    /// Name of the set.
    pub set: Text,
    /// Amounts by counter.
    pub counters: BTreeMap<Text, Quantity>,
}

/// A device.
#[derive(Clone, PartialEq, Debug)]
pub struct Device {
    /// Its name, unique in the pool.
    pub name: Text,
    /// `attributes` by name, with or without the driver's domain.
    pub attributes: BTreeMap<Text, Attribute>,
    /// `capacity` by name, likewise.
    pub capacity: BTreeMap<Text, Capacity>,
    /// `consumesCounters`.
    pub consumes: Vec<Counters>,
    /// `nodeName`, `nodeSelector` or `allNodes`; heeded where the slice leaves it to its devices.
    pub reach: Reach,
    /// `taints`.
    pub taints: Vec<DeviceTaint>,
    /// `bindsToNode`.
    pub binds_to_node: bool,
    /// `bindingConditions`.
    pub binding_conditions: Vec<Text>,
    /// `bindingFailureConditions`.
    pub binding_failure_conditions: Vec<Text>,
    /// `allowMultipleAllocations`.
    pub allows_multiple: bool,
}

/// The value of an attribute.
#[derive(Clone, PartialEq, Debug)]
pub enum Attribute {
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i64),
    /// `string`.
    Text(Text),
    /// `version`.
    Version(Semver),
}

/// A capacity.
#[derive(Clone, PartialEq, Debug)]
pub struct Capacity {
    /// How much there is.
    pub value: Quantity,
    /// `requestPolicy`: how much of it may be asked for.
    pub policy: Option<Box<CapacityPolicy>>,
}

/// How much of a capacity may be asked for.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CapacityPolicy {
    /// Who asks for nothing gets so much.
    pub default: Option<Quantity>,
    /// The only amounts, ascending.
    pub valid_values: Vec<Quantity>,
    /// Or a range of them.
    pub valid_range: Option<CapacityRange>,
}

/// `min`, `max` and `step` of amounts.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[allow(missing_docs, reason = "the fields are upstream's")]
pub struct CapacityRange {
    pub min: Option<Quantity>,
    pub max: Option<Quantity>,
    pub step: Option<Quantity>,
}

/// A taint of a device.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the fields are upstream's")]
pub struct DeviceTaint {
    pub key: Text,
    pub value: Text,
    pub effect: Text,
}

/// A toleration of a device's taint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceToleration {
    /// Empty: every key.
    pub key: Text,
    /// `operator: Exists`, not Equal.
    pub exists: bool,
    /// What the taint's value must be.
    pub value: Text,
    /// Empty: every effect.
    pub effect: Text,
}

impl DeviceToleration {
    /// Whether it tolerates the taint (`ToleratesTaint`).
    pub fn tolerates(&self, taint: &DeviceTaint) -> bool {
        (self.effect.is_empty() || self.effect == taint.effect)
            && (self.key.is_empty() || self.key == taint.key)
            && (self.exists || self.value == taint.value)
    }
}

/// A DeviceTaintRule: a taint on devices of others.
#[derive(Clone, PartialEq, Debug)]
pub struct DeviceTaintRule {
    /// `metadata.name`.
    pub name: Text,
    /// Whether it selects devices at all.
    pub selects: bool,
    /// `driver`, `pool` and `device` of the selector; `None`: any.
    pub selector: [Option<Text>; 3],
    /// The taint.
    pub taint: DeviceTaint,
}

/// What a claim asks for (`spec.devices`).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ClaimSpec {
    /// `requests`, all of which must be met.
    pub requests: Vec<Request>,
    /// `constraints` on the devices together.
    pub constraints: Vec<Constraint>,
}

/// A request.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// Its name.
    pub name: Text,
    /// What it asks for.
    pub asks: Asks,
}

/// What a request asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Asks {
    /// `exactly`.
    Exactly(DeviceRequest),
    /// `firstAvailable`: the first of these that can be had, each with its name.
    FirstAvailable(Vec<(Text, DeviceRequest)>),
}

/// Devices that a request or a subrequest asks for.
#[derive(Clone, PartialEq, Debug)]
pub struct DeviceRequest {
    /// `deviceClassName`.
    pub class: Text,
    /// `selectors`: all of them hold.
    pub selectors: Vec<Program>,
    /// `count`; `None`: `allocationMode: All`.
    pub count: Option<i64>,
    /// `adminAccess`.
    pub admin_access: bool,
    /// `tolerations`.
    pub tolerations: Vec<DeviceToleration>,
    /// `capacity.requests`.
    pub capacity: BTreeMap<Text, Quantity>,
}

/// A constraint.
#[derive(Clone, PartialEq, Debug)]
pub struct Constraint {
    /// The requests whose devices it is about; empty: all.
    pub requests: Vec<Text>,
    /// The attribute, fully qualified.
    pub attribute: Text,
    /// `distinctAttribute`, not `matchAttribute`.
    pub distinct: bool,
}

/// A ResourceClaim.
#[derive(Clone, PartialEq, Debug)]
pub struct ResourceClaim {
    /// Namespace and name.
    pub name: ObjectName,
    /// `metadata.uid`.
    pub uid: Text,
    /// The controlling owner.
    pub owner: Option<Consumer>,
    /// What it asks for.
    pub spec: Arc<ClaimSpec>,
    /// `status.allocation`.
    pub allocation: Option<Arc<Allocation>>,
    /// `status.reservedFor`.
    pub reserved_for: Vec<Consumer>,
    /// `status.devices`: what drivers tell of devices that are being made ready.
    pub device_conditions: Vec<DeviceConditions>,
    /// Its deletion was asked for.
    pub is_deleted: bool,
    /// The scheduler made it for a pod's extended resources.
    pub is_for_extended_resources: bool,
}

/// Who uses a claim, or owns it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Consumer {
    /// A pod.
    Pod(PodId),
    /// Somebody else, by UID.
    Other(Text),
}

/// An allocation of devices to a claim.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Allocation {
    /// The devices in the order of requests.
    pub devices: Vec<AllocatedDevice>,
    /// `nodeSelector`: where they can be used; `None`: everywhere.
    pub node_selector: Option<Vec<NodeSelectorTerm>>,
    /// `allocationTimestamp`.
    pub since: Option<SimTime>,
}

/// A device of a pool of a driver.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "the fields are upstream's")]
pub struct DeviceId {
    pub driver: Text,
    pub pool: Text,
    pub device: Text,
}

impl std::fmt::Display for DeviceId {
    /// `driver/pool/device`, as in upstream's messages.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.driver, self.pool, self.device)
    }
}

/// A device that a claim has got.
#[derive(Clone, PartialEq, Debug)]
pub struct AllocatedDevice {
    /// The request, or `request/subrequest`.
    pub request: Text,
    /// The device.
    pub id: DeviceId,
    /// `adminAccess`: others may have it too.
    pub admin_access: bool,
    /// It is one share of a device that allows several (`shareID`).
    pub is_share: bool,
    /// `consumedCapacity`: what the share takes.
    pub consumed: BTreeMap<Text, Quantity>,
    /// `bindingConditions`: all of these must hold before a pod is bound.
    pub binding_conditions: Vec<Text>,
    /// `bindingFailureConditions`.
    pub binding_failure_conditions: Vec<Text>,
}

/// The conditions of an allocated device.
#[derive(Clone, PartialEq, Debug)]
pub struct DeviceConditions {
    /// The device.
    pub id: DeviceId,
    /// The conditions.
    pub conditions: Vec<DeviceCondition>,
}

/// A condition of an allocated device.
#[derive(Clone, PartialEq, Debug)]
pub struct DeviceCondition {
    /// `type`.
    pub kind: Text,
    /// `status: "True"`.
    pub is_true: bool,
    /// `reason`.
    pub reason: Text,
    /// `message`.
    pub message: Text,
}

/// Where a pod's claim comes from (`spec.resourceClaims`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodResourceClaim {
    /// The name by which containers know it.
    pub name: Text,
    /// The claim, or the template that one is made from.
    pub source: ClaimSource,
}

/// Where a pod's claim comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClaimSource {
    /// `resourceClaimName`.
    Claim(Text),
    /// `resourceClaimTemplateName`.
    Template(Text),
}

/// A ResourceClaimTemplate.
#[derive(Clone, PartialEq, Debug)]
pub struct ClaimTemplate {
    /// Namespace and name.
    pub name: ObjectName,
    /// `spec.spec`.
    pub spec: Arc<ClaimSpec>,
}

/// Any of the objects that the scheduler watches.
#[derive(Clone, PartialEq, Debug)]
pub enum DeviceObject {
    /// A DeviceClass.
    Class(Arc<DeviceClass>),
    /// A ResourceSlice.
    Slice(Arc<ResourceSlice>),
    /// A ResourceClaim.
    Claim(Arc<ResourceClaim>),
    /// A DeviceTaintRule.
    TaintRule(Arc<DeviceTaintRule>),
}

impl ResourceClaim {
    /// Whether it is reserved for this pod (`IsReservedForPod`).
    pub fn is_reserved_for(&self, pod: PodId) -> bool {
        self.reserved_for.contains(&Consumer::Pod(pod))
    }
}

/// Domain and identifier of a qualified name; without a domain the driver's counts.
pub fn split_name<'a>(name: &'a str, driver: &'a str) -> (&'a str, &'a str) {
    name.split_once('/').unwrap_or((driver, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerations_tolerate_as_upstream() {
        let taint = DeviceTaint { key: "k".into(), value: "v".into(), effect: "NoSchedule".into() };
        let toleration = |key: &str, exists: bool, value: &str, effect: &str| DeviceToleration {
            key: key.into(),
            exists,
            value: value.into(),
            effect: effect.into(),
        };
        let rows = [
            ("Exists without a key tolerates everything", toleration("", true, "", ""), true),
            ("the key with Exists", toleration("k", true, "", ""), true),
            ("another key", toleration("x", true, "", ""), false),
            ("Equal needs the value", toleration("k", false, "v", ""), true),
            ("another value", toleration("k", false, "w", ""), false),
            ("the effect", toleration("k", true, "", "NoSchedule"), true),
            ("another effect", toleration("k", true, "", "NoExecute"), false),
        ];
        for (sentence, toleration, expected) in rows {
            assert_eq!(toleration.tolerates(&taint), expected, "{sentence}");
        }
    }
}
