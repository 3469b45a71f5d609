//! Services (`core/v1`) and PodDisruptionBudgets (`policy/v1`).

use super::workload::int_or_percent;
use super::{FieldError, labels, selector};
use crate::api::labels::Selector;
use crate::api::policy::{Budget, Pdb, PdbStatus, UnhealthyPods};
use crate::api::service::{Service, ServicePort, ServiceType, TrafficDistribution};
use crate::api::workload::IntOrPercent;
use crate::units::SimDuration;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::policy::v1 as policy;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A Service; `namespace` is the one it goes to when it names none.
pub fn service(given: &core::Service, namespace: &str, errors: &mut Vec<FieldError>) -> Service {
    let spec = given.spec.clone().unwrap_or_default();
    let kind = service_type(spec.type_.as_deref(), errors);
    let wanted = spec.selector.as_ref().filter(|pairs| !pairs.is_empty());
    // An ExternalName has no endpoints, whatever it selects.
    let wanted = wanted.filter(|_| kind != ServiceType::ExternalName);
    let cluster_ip = spec.cluster_ip.as_deref().unwrap_or("");
    Service {
        name: given.metadata.name.as_deref().unwrap_or("").into(),
        namespace: given.metadata.namespace.as_deref().unwrap_or(namespace).into(),
        labels: labels(given.metadata.labels.as_ref()),
        selector: wanted.map(|pairs| Selector::from_labels(&labels(Some(pairs)))),
        publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
        kind,
        headless: cluster_ip == "None",
        ports: spec.ports.iter().flatten().enumerate().map(|(i, p)| port(i, p, errors)).collect(),
        affinity: affinity(&spec, errors),
        local: is_local(&spec, kind, errors),
        distribution: distribution(&spec, errors),
        external_name: spec.external_name.as_deref().unwrap_or("").into(),
        load_balancer: None,
        endpoints: Vec::new(),
    }
}

/// `timeoutSeconds` where nothing is said (`DefaultClientIPServiceAffinitySeconds`).
const REMEMBERED: i32 = 10_800;
/// The longest one (`MaxClientIPServiceAffinitySeconds`).
const LONGEST: i32 = 86_400;

/// For how long clients are remembered, if they are.
fn affinity(spec: &core::ServiceSpec, errors: &mut Vec<FieldError>) -> Option<SimDuration> {
    match spec.session_affinity.as_deref().unwrap_or("None") {
        "None" => return None,
        "ClientIP" => {}
        other => {
            let message = format!("{other:?} is none of None, ClientIP");
            errors.push(FieldError::new("spec.sessionAffinity".into(), message));
            return None;
        }
    }
    let config = spec.session_affinity_config.as_ref().and_then(|c| c.client_ip.as_ref());
    let seconds = config.and_then(|config| config.timeout_seconds).unwrap_or(REMEMBERED);
    if !(1..=LONGEST).contains(&seconds) {
        let message = format!("must be seconds, 1 to {LONGEST}");
        let path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
        errors.push(FieldError::new(path.into(), message));
        return None;
    }
    Some(SimDuration::from_secs(seconds.unsigned_abs().into()))
}

/// Whether requests from outside stay on the node they come to.
fn is_local(spec: &core::ServiceSpec, kind: ServiceType, errors: &mut Vec<FieldError>) -> bool {
    let message = match spec.external_traffic_policy.as_deref() {
        None | Some("") => return false,
        Some("Cluster" | "Local") if !kind.has_node_ports() => {
            "may only be set for externally-accessible services".to_owned()
        }
        Some("Cluster") => return false,
        Some("Local") => return true,
        Some(other) => format!("{other:?} is none of Cluster, Local"),
    };
    errors.push(FieldError::new("spec.externalTrafficPolicy".into(), message));
    false
}

/// Which endpoints proxies are asked to prefer.
fn distribution(
    spec: &core::ServiceSpec,
    errors: &mut Vec<FieldError>,
) -> Option<TrafficDistribution> {
    let given = spec.traffic_distribution.as_deref()?;
    let known = TrafficDistribution::named(given);
    if known.is_none() {
        let names = TrafficDistribution::ALL.map(TrafficDistribution::as_str).join(", ");
        let message = format!("{given:?} is none of {names}");
        errors.push(FieldError::new("spec.trafficDistribution".into(), message));
    }
    known
}

fn service_type(given: Option<&str>, errors: &mut Vec<FieldError>) -> ServiceType {
    let given = given.unwrap_or("ClusterIP");
    ServiceType::named(given).unwrap_or_else(|| {
        let message =
            format!("{given:?} is none of ClusterIP, NodePort, LoadBalancer, ExternalName");
        errors.push(FieldError::new("spec.type".into(), message));
        ServiceType::ClusterIp
    })
}

fn port(index: usize, given: &core::ServicePort, errors: &mut Vec<FieldError>) -> ServicePort {
    let mut number = |given: i32, field: &str| {
        u16::try_from(given).ok().filter(|port| *port > 0).unwrap_or_else(|| {
            let message = "must be a port, 1 to 65535".to_owned();
            errors.push(FieldError::new(format!("spec.ports[{index}].{field}"), message));
            0
        })
    };
    let port = number(given.port, "port");
    let target = match &given.target_port {
        Some(IntOrString::Int(target)) => target.to_string(),
        Some(IntOrString::String(name)) => name.clone(),
        None => port.to_string(),
    };
    ServicePort {
        name: given.name.as_deref().unwrap_or("").into(),
        protocol: given.protocol.as_deref().unwrap_or("TCP").into(),
        port,
        target: target.into(),
        node_port: given.node_port.filter(|n| *n != 0).map_or(0, |n| number(n, "nodePort")),
    }
}

/// A PodDisruptionBudget.
pub fn pdb(
    given: &policy::PodDisruptionBudget,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> Pdb {
    let spec = given.spec.clone().unwrap_or_default();
    let of = |value, name: &str, errors: &mut Vec<FieldError>| {
        int_or_percent(value, &format!("spec.{name}"), errors)
    };
    let budget = match (&spec.min_available, &spec.max_unavailable) {
        (Some(min), None) => Budget::MinAvailable(of(min, "minAvailable", errors)),
        (None, Some(max)) => Budget::MaxUnavailable(of(max, "maxUnavailable", errors)),
        (None, None) => Budget::MinAvailable(IntOrPercent::Int(1)),
        (Some(_), Some(_)) => {
            let message = "minAvailable and maxUnavailable exclude each other";
            errors.push(FieldError::new("spec".into(), message));
            Budget::MinAvailable(IntOrPercent::Int(1))
        }
    };
    Pdb {
        name: given.metadata.name.as_deref().unwrap_or("").into(),
        namespace: given.metadata.namespace.as_deref().unwrap_or(namespace).into(),
        selector: selector(spec.selector.as_ref(), "spec.selector", errors),
        budget,
        unhealthy: unhealthy_policy(spec.unhealthy_pod_eviction_policy.as_deref(), errors),
        generation: 1,
        status: PdbStatus::default(),
    }
}

fn unhealthy_policy(given: Option<&str>, errors: &mut Vec<FieldError>) -> UnhealthyPods {
    match given.unwrap_or("IfHealthyBudget") {
        "IfHealthyBudget" => UnhealthyPods::IfHealthyBudget,
        "AlwaysAllow" => UnhealthyPods::AlwaysAllow,
        other => {
            let message = format!("{other:?} is none of IfHealthyBudget, AlwaysAllow");
            errors.push(FieldError::new("spec.unhealthyPodEvictionPolicy".into(), message));
            UnhealthyPods::IfHealthyBudget
        }
    }
}
