//! Classes, slices and claims of devices (`resource/v1`), with the API server's defaulting.
//!
//! Source: `pkg/apis/resource/v1/defaults.go`, `pkg/apis/resource/validation/validation.go`, v1.37.
//! Opaque configuration is left out, as is what is off by default: lists as attributes, derived
//! attributes, node operations to skip.

use super::pod_affinity::node_term;
use super::{FieldError, quantity, text, texts};
use crate::api::cel::Program;
use crate::api::devices::{
    Asks, Attribute, Capacity, CapacityPolicy, CapacityRange, ClaimSpec, ClaimTemplate, Constraint,
    Counters, Device, DeviceClass, DeviceRequest, DeviceTaint, DeviceTaintRule, DeviceToleration,
    Reach, Request, ResourceSlice,
};
use crate::api::node_affinity::NodeSelectorTerm;
use crate::api::quantity::Quantity;
use crate::api::semver::Semver;
use crate::api::{ObjectName, Text};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::resource::v1 as resource;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;
use std::sync::Arc;

/// `firstAvailable` has no more entries (`FirstAvailableDeviceRequestMaxSize`).
pub(crate) const MOST_SUBREQUESTS: usize = 8;

/// A DeviceClass.
pub fn class(given: &resource::DeviceClass, errors: &mut Vec<FieldError>) -> DeviceClass {
    let spec = given.spec.clone().unwrap_or_default();
    let created = given.metadata.creation_timestamp.as_ref();
    DeviceClass {
        name: text(given.metadata.name.as_ref()),
        created: created.map_or(0, |time| time.0.as_second()),
        selectors: selectors(spec.selectors.as_ref(), "spec.selectors", errors),
        extended_resource: spec.extended_resource_name.as_deref().map(Text::from),
    }
}

/// A ResourceSlice.
pub fn slice(given: &resource::ResourceSlice, errors: &mut Vec<FieldError>) -> ResourceSlice {
    let spec = &given.spec;
    let nodes = Nodes {
        name: spec.node_name.as_ref(),
        all: spec.all_nodes,
        selector: spec.node_selector.as_ref(),
    };
    let per_device = spec.per_device_node_selection.unwrap_or(false);
    let reach = match nodes.reach("spec", errors) {
        Reach::Nowhere if per_device => Reach::PerDevice,
        reach => reach,
    };
    let devices = spec.devices.iter().flatten();
    let sets = spec.shared_counters.iter().flatten().enumerate();
    let groups = |device: &resource::Device| {
        let consumed = device.consumes_counters.iter().flatten();
        consumed.flat_map(|c| &c.compatibility_groups).any(|groups| !groups.is_empty())
    };
    if spec.pool.resource_slice_count < 1 {
        let message = "a pool has one slice at least";
        errors.push(FieldError::new("spec.pool.resourceSliceCount".to_owned(), message));
    }
    // Slices with counters need no nodes of their own.
    let has_counters = spec.shared_counters.as_ref().is_some_and(|sets| !sets.is_empty());
    if reach == Reach::Nowhere && !has_counters {
        let message = "expected one of nodeName, nodeSelector, allNodes, perDeviceNodeSelection";
        errors.push(FieldError::new("spec".to_owned(), message));
    }
    ResourceSlice {
        name: text(given.metadata.name.as_ref()),
        driver: spec.driver.as_str().into(),
        pool: spec.pool.name.as_str().into(),
        generation: spec.pool.generation,
        slice_count: spec.pool.resource_slice_count,
        reach,
        has_compatibility_groups: devices.clone().any(groups),
        devices: devices
            .enumerate()
            .map(|(i, device)| self::device(device, &format!("spec.devices[{i}]"), errors))
            .collect(),
        counter_sets: sets
            .map(|(i, set)| {
                counters(&set.name, &set.counters, &format!("spec.sharedCounters[{i}]"), errors)
            })
            .collect(),
    }
}

/// The three ways to say from which nodes something is reached.
struct Nodes<'a> {
    name: Option<&'a String>,
    all: Option<bool>,
    selector: Option<&'a core::NodeSelector>,
}

impl Nodes<'_> {
    fn reach(&self, path: &str, errors: &mut Vec<FieldError>) -> Reach {
        if let Some(name) = self.name.filter(|name| !name.is_empty()) {
            return Reach::Node(name.as_str().into());
        }
        if self.all == Some(true) {
            return Reach::All;
        }
        let Some(selector) = self.selector else { return Reach::Nowhere };
        let path = format!("{path}.nodeSelector.nodeSelectorTerms");
        if selector.node_selector_terms.len() != 1 {
            errors.push(FieldError::new(path.clone(), "expected exactly one term"));
        }
        Reach::Selector(terms(selector, &path, errors))
    }
}

fn terms(
    given: &core::NodeSelector,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Vec<NodeSelectorTerm> {
    let terms = given.node_selector_terms.iter().enumerate();
    terms.map(|(i, term)| node_term(term, &format!("{path}[{i}]"), errors)).collect()
}

fn device(given: &resource::Device, path: &str, errors: &mut Vec<FieldError>) -> Device {
    let nodes = Nodes {
        name: given.node_name.as_ref(),
        all: given.all_nodes,
        selector: given.node_selector.as_ref(),
    };
    let mut attributes = BTreeMap::new();
    for (name, value) in given.attributes.iter().flatten() {
        if let Some(value) = attribute(value, &format!("{path}.attributes[{name}]"), errors) {
            attributes.insert(name.as_str().into(), value);
        }
    }
    let mut capacities = BTreeMap::new();
    for (name, value) in given.capacity.iter().flatten() {
        let value = capacity(value, &format!("{path}.capacity[{name}]"), errors);
        capacities.insert(name.as_str().into(), value);
    }
    let consumed = given.consumes_counters.iter().flatten().enumerate();
    Device {
        name: given.name.as_str().into(),
        attributes,
        capacity: capacities,
        consumes: consumed
            .map(|(i, set)| {
                let path = format!("{path}.consumesCounters[{i}]");
                counters(&set.counter_set, &set.counters, &path, errors)
            })
            .collect(),
        reach: nodes.reach(path, errors),
        taints: given.taints.iter().flatten().map(taint).collect(),
        binds_to_node: given.binds_to_node.unwrap_or(false),
        binding_conditions: texts(given.binding_conditions.as_ref()),
        binding_failure_conditions: texts(given.binding_failure_conditions.as_ref()),
        allows_multiple: given.allow_multiple_allocations.unwrap_or(false),
    }
}

fn attribute(
    given: &resource::DeviceAttribute,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Attribute> {
    let found = match (given.int, given.bool, &given.string, &given.version) {
        (Some(value), None, None, None) => Attribute::Int(value),
        (None, Some(value), None, None) => Attribute::Bool(value),
        (None, None, Some(value), None) => Attribute::Text(value.as_str().into()),
        (None, None, None, Some(value)) => match Semver::parse(value) {
            Ok(version) => Attribute::Version(version),
            Err(error) => {
                errors.push(FieldError::new(format!("{path}.version"), error));
                return None;
            }
        },
        _ => {
            let message = "expected exactly one of int, bool, string, version";
            errors.push(FieldError::new(path.to_owned(), message));
            return None;
        }
    };
    Some(found)
}

fn capacity(
    given: &resource::DeviceCapacity,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Capacity {
    let value = quantity(&given.value, || format!("{path}.value"), errors);
    let Some(policy) = &given.request_policy else { return Capacity { value, policy: None } };
    let path = format!("{path}.requestPolicy");
    let mut one =
        |given: &QuantityText, field: &str| quantity(given, || format!("{path}.{field}"), errors);
    let policy = CapacityPolicy {
        default: policy.default.as_ref().map(|given| one(given, "default")),
        valid_values: policy
            .valid_values
            .iter()
            .flatten()
            .map(|given| one(given, "validValues"))
            .collect(),
        valid_range: policy.valid_range.as_ref().map(|range| CapacityRange {
            min: Some(&range.min)
                .filter(|min| !min.0.is_empty())
                .map(|min| one(min, "validRange.min")),
            max: range.max.as_ref().map(|max| one(max, "validRange.max")),
            step: range.step.as_ref().map(|step| one(step, "validRange.step")),
        }),
    };
    let step = policy.valid_range.and_then(|range| range.step);
    if step.is_some_and(|step| step.value() < 1) {
        errors.push(FieldError::new(format!("{path}.validRange.step"), "must be above zero"));
    }
    Capacity { value, policy: Some(Box::new(policy)) }
}

fn counters(
    set: &str,
    given: &BTreeMap<String, resource::Counter>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Counters {
    let one = |(name, counter): (&String, &resource::Counter)| {
        let path = || format!("{path}.counters[{name}].value");
        (Text::from(name.as_str()), quantity(&counter.value, path, errors))
    };
    Counters { set: set.into(), counters: given.iter().map(one).collect() }
}

fn taint(given: &resource::DeviceTaint) -> DeviceTaint {
    DeviceTaint {
        key: given.key.as_str().into(),
        value: text(given.value.as_ref()),
        effect: given.effect.as_str().into(),
    }
}

/// A DeviceTaintRule.
pub fn taint_rule(given: &resource::DeviceTaintRule) -> DeviceTaintRule {
    let selector = given.spec.device_selector.as_ref();
    let part = |part: fn(&resource::DeviceTaintSelector) -> &Option<String>| {
        selector.and_then(|selector| part(selector).as_deref()).map(Text::from)
    };
    DeviceTaintRule {
        name: text(given.metadata.name.as_ref()),
        selects: selector.is_some(),
        selector: [part(|s| &s.driver), part(|s| &s.pool), part(|s| &s.device)],
        taint: taint(&given.spec.taint),
    }
}

/// A ResourceClaimTemplate; `namespace` is the one it goes to when it names none.
pub fn template(
    given: &resource::ResourceClaimTemplate,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> ClaimTemplate {
    let spec = given.spec.as_ref().and_then(|spec| spec.spec.clone()).unwrap_or_default();
    ClaimTemplate {
        name: name(&given.metadata, namespace),
        spec: Arc::new(claim_spec(&spec, "spec.spec", errors)),
    }
}

/// Namespace and name of an object.
pub(super) fn name(metadata: &ObjectMeta, namespace: &str) -> ObjectName {
    let namespace = metadata.namespace.as_deref().unwrap_or(namespace);
    ObjectName { namespace: namespace.into(), name: text(metadata.name.as_ref()) }
}

/// What a claim asks for.
pub fn claim_spec(
    given: &resource::ResourceClaimSpec,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> ClaimSpec {
    let Some(devices) = &given.devices else { return ClaimSpec::default() };
    let path = format!("{path}.devices");
    let requests = devices.requests.iter().flatten().enumerate();
    let requests = requests.filter_map(|(i, given)| {
        let path = format!("{path}.requests[{i}]");
        let asks = asks(given, &path, errors)?;
        Some(Request { name: given.name.as_str().into(), asks })
    });
    let requests = requests.collect();
    let constraints = devices.constraints.iter().flatten().enumerate();
    let constraints = constraints
        .filter_map(|(i, given)| constraint(given, &format!("{path}.constraints[{i}]"), errors));
    ClaimSpec { requests, constraints: constraints.collect() }
}

fn asks(given: &resource::DeviceRequest, path: &str, errors: &mut Vec<FieldError>) -> Option<Asks> {
    let several = given.first_available.iter().flatten();
    match (&given.exactly, several.clone().count()) {
        (Some(exactly), 0) => {
            let path = format!("{path}.exactly");
            Some(Asks::Exactly(device_request(exactly, &path, errors)))
        }
        (None, count) if count > 0 => {
            if count > MOST_SUBREQUESTS {
                let message = format!("more than {MOST_SUBREQUESTS} subrequests");
                errors.push(FieldError::new(format!("{path}.firstAvailable"), message));
            }
            let one = |(i, given): (usize, &resource::DeviceSubRequest)| {
                let path = format!("{path}.firstAvailable[{i}]");
                (given.name.as_str().into(), device_request(given, &path, errors))
            };
            Some(Asks::FirstAvailable(several.enumerate().map(one).collect()))
        }
        _ => {
            let message = "expected exactly one of exactly and firstAvailable";
            errors.push(FieldError::new(path.to_owned(), message));
            None
        }
    }
}

/// What exact requests and subrequests have in common.
trait Asked {
    fn class(&self) -> &str;
    fn mode(&self) -> Option<&str>;
    fn count(&self) -> Option<i64>;
    fn selectors(&self) -> Option<&Vec<resource::DeviceSelector>>;
    fn tolerations(&self) -> Option<&Vec<resource::DeviceToleration>>;
    fn capacity(&self) -> Option<&BTreeMap<String, QuantityText>>;
    fn admin_access(&self) -> bool;
}

macro_rules! asked {
    ($type:ty, $self:ident => $admin:expr) => {
        impl Asked for $type {
            fn class(&$self) -> &str {
                &$self.device_class_name
            }
            fn mode(&$self) -> Option<&str> {
                $self.allocation_mode.as_deref()
            }
            fn count(&$self) -> Option<i64> {
                $self.count
            }
            fn selectors(&$self) -> Option<&Vec<resource::DeviceSelector>> {
                $self.selectors.as_ref()
            }
            fn tolerations(&$self) -> Option<&Vec<resource::DeviceToleration>> {
                $self.tolerations.as_ref()
            }
            fn capacity(&$self) -> Option<&BTreeMap<String, QuantityText>> {
                $self.capacity.as_ref().and_then(|capacity| capacity.requests.as_ref())
            }
            fn admin_access(&$self) -> bool {
                $admin
            }
        }
    };
}

asked!(resource::ExactDeviceRequest, self => self.admin_access.unwrap_or(false));
asked!(resource::DeviceSubRequest, self => false);

fn device_request(given: &dyn Asked, path: &str, errors: &mut Vec<FieldError>) -> DeviceRequest {
    let count = match (given.mode(), given.count()) {
        (None | Some("" | "ExactCount"), None | Some(0)) => Some(1),
        (None | Some("" | "ExactCount"), Some(count)) if count > 0 => Some(count),
        (Some("All"), None | Some(0)) => None,
        (Some("All"), Some(_)) => {
            let message = "allocationMode All takes no count";
            errors.push(FieldError::new(format!("{path}.count"), message));
            None
        }
        (None | Some("" | "ExactCount"), Some(_)) => {
            errors.push(FieldError::new(format!("{path}.count"), "must be above zero"));
            None
        }
        (Some(other), _) => {
            let message = format!("{other:?} is none of ExactCount, All");
            errors.push(FieldError::new(format!("{path}.allocationMode"), message));
            None
        }
    };
    if given.class().is_empty() {
        errors.push(FieldError::new(format!("{path}.deviceClassName"), "a class is needed"));
    }
    let capacity = given.capacity().into_iter().flatten().map(|(name, given)| {
        let path = || format!("{path}.capacity.requests[{name}]");
        (Text::from(name.as_str()), quantity(given, path, errors))
    });
    let capacity: BTreeMap<Text, Quantity> = capacity.collect();
    DeviceRequest {
        class: given.class().into(),
        selectors: selectors(given.selectors(), &format!("{path}.selectors"), errors),
        count,
        admin_access: given.admin_access(),
        tolerations: given.tolerations().into_iter().flatten().map(toleration).collect(),
        capacity,
    }
}

fn toleration(given: &resource::DeviceToleration) -> DeviceToleration {
    DeviceToleration {
        key: text(given.key.as_ref()),
        exists: given.operator.as_deref() == Some("Exists"),
        value: text(given.value.as_ref()),
        effect: text(given.effect.as_ref()),
    }
}

fn constraint(
    given: &resource::DeviceConstraint,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Constraint> {
    let (attribute, distinct) = match (&given.match_attribute, &given.distinct_attribute) {
        (Some(attribute), None) => (attribute, false),
        (None, Some(attribute)) => (attribute, true),
        _ => {
            let message = "expected exactly one of matchAttribute and distinctAttribute";
            errors.push(FieldError::new(path.to_owned(), message));
            return None;
        }
    };
    let requests = texts(given.requests.as_ref());
    Some(Constraint { requests, attribute: attribute.as_str().into(), distinct })
}

fn selectors(
    given: Option<&Vec<resource::DeviceSelector>>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Vec<Program> {
    let mut one = |(i, selector): (usize, &resource::DeviceSelector)| {
        let path = format!("{path}[{i}].cel.expression");
        let Some(cel) = &selector.cel else {
            errors.push(FieldError::new(path, "an expression is needed"));
            return None;
        };
        Program::new(&cel.expression)
            .map_err(|error| errors.push(FieldError::new(path, error)))
            .ok()
    };
    given.into_iter().flatten().enumerate().filter_map(&mut one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn slice_with(device: serde_json::Value) -> (ResourceSlice, Vec<FieldError>) {
        let given = json!({
            "metadata": {"name": "s"},
            "spec": {
                "driver": "gpu.example.com", "nodeName": "n", "devices": [device],
                "pool": {"name": "n", "generation": 1, "resourceSliceCount": 1},
            },
        });
        let mut errors = Vec::new();
        let slice = slice(&serde_json::from_value(given).unwrap(), &mut errors);
        (slice, errors)
    }

    #[test]
    fn what_is_off_by_default_does_not_act() {
        let (plain, errors) =
            slice_with(json!({"name": "d", "attributes": {"m": {"string": "a"}}}));
        assert!(errors.is_empty() && plain.devices[0].attributes.len() == 1);
        let (_, errors) = slice_with(json!({"name": "d", "attributes": {"m": {"strings": ["a"]}}}));
        assert_eq!(errors.len(), 1, "a list is no attribute: {errors:?}");
        let groups = json!([{"counterSet": "c", "counters": {}, "compatibilityGroups": ["g"]}]);
        let (grouped, _) = slice_with(json!({"name": "d", "consumesCounters": groups}));
        assert!(grouped.has_compatibility_groups, "the allocator passes over such a slice");
        assert!(!plain.has_compatibility_groups);
        let mapped = json!({"name": "d", "nodeAllocatableResourceMappings": {"cpu": {}}});
        let (mapped, errors) = slice_with(mapped);
        assert!(errors.is_empty(), "what else a device maps is read by nobody: {errors:?}");
        assert_eq!(mapped.devices[0].capacity.len(), 0);
    }
}
