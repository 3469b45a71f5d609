//! Services, Endpoints and EndpointSlices.
//!
//! Addresses of Services and pods are not modelled: endpoints are told by the names of their pods.

use super::meta::{Meta, marked, object, pairs, selector};
use crate::api::ServiceId;
use crate::api::service::{Service, ServicePort, TrafficDistribution};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// How many endpoints one slice has at most (`--max-endpoints-per-slice`).
const PER_SLICE: usize = 100;

fn meta<'a>(
    snapshot: &Snapshot,
    id: ServiceId,
    given: &'a Service,
    kind: &'static str,
    name: &'a str,
) -> Meta<'a> {
    let (version, created) = marked(snapshot, Key::Service(id));
    Meta {
        kind,
        namespace: &given.namespace,
        name,
        ordinal: id.data().as_ffi(),
        labels: Some(&given.labels),
        generation: 0,
        created,
        version,
    }
}

/// A Service.
pub(super) fn service(snapshot: &Snapshot, id: ServiceId, given: &Service) -> Value {
    let mut out = object(&meta(snapshot, id, given, "Service", &given.name));
    out["spec"] = json!({ "sessionAffinity": "None", "type": given.kind.as_str() });
    if let Some(timeout) = given.affinity {
        out["spec"]["sessionAffinity"] = "ClientIP".into();
        let seconds = timeout.0 / crate::units::SimDuration::from_secs(1).0;
        out["spec"]["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": seconds}});
    }
    if given.local {
        out["spec"]["externalTrafficPolicy"] = "Local".into();
    }
    if let Some(rule) = given.distribution {
        out["spec"]["trafficDistribution"] = rule.as_str().into();
    }
    if given.headless {
        out["spec"]["clusterIP"] = "None".into();
        out["spec"]["clusterIPs"] = json!(["None"]);
    }
    if !given.external_name.is_empty() {
        out["spec"]["externalName"] = given.external_name.to_string().into();
    }
    if !given.ports.is_empty() {
        out["spec"]["ports"] = given.ports.iter().map(port).collect();
    }
    if let Some(given) = &given.selector {
        out["spec"]["selector"] = selector(given)["matchLabels"].take();
    }
    if given.publish_not_ready {
        out["spec"]["publishNotReadyAddresses"] = true.into();
    }
    out["status"] = json!({ "loadBalancer": {} });
    if let Some(ip) = &given.load_balancer {
        out["status"]["loadBalancer"]["ingress"] = json!([{ "ip": &**ip, "ipMode": "VIP" }]);
    }
    out
}

fn port(given: &ServicePort) -> Value {
    let target = given.target.parse::<u16>().map_or_else(|_| json!(&*given.target), |n| json!(n));
    let mut out = json!({
        "port": given.port,
        "protocol": &*given.protocol,
        "targetPort": target,
    });
    if !given.name.is_empty() {
        out["name"] = given.name.to_string().into();
    }
    if given.node_port != 0 {
        out["nodePort"] = given.node_port.into();
    }
    out
}

/// The pods behind a Service, as references.
fn targets(snapshot: &Snapshot, given: &Service) -> Vec<Value> {
    let pods = given.endpoints.iter().filter_map(|id| snapshot.store.pod(*id));
    let target = |pod: &crate::api::pod::Pod| {
        let node = pod.node.and_then(|id| snapshot.store.node(id));
        json!({
            "nodeName": node.map(|node| node.name.to_string()),
            "targetRef": {
                "kind": "Pod",
                "name": &*pod.name(),
                "namespace": &*pod.namespace,
                "uid": super::meta::uid("Pod", pod.uid),
            },
        })
    };
    pods.map(target).collect()
}

/// The Endpoints of a Service.
pub(super) fn endpoints(snapshot: &Snapshot, id: ServiceId, given: &Service) -> Value {
    let mut out = object(&meta(snapshot, id, given, "Endpoints", &given.name));
    let targets = targets(snapshot, given);
    if !targets.is_empty() {
        out["subsets"] = json!([{ "addresses": targets }]);
    }
    out
}

/// The hints of a ready endpoint in this zone and on this node: its own zone, and its own node
/// where that is asked for (`staging/src/k8s.io/endpointslice/trafficdist/trafficdist.go`, v1.37).
fn hints(rule: Option<TrafficDistribution>, zone: &str, node: &str) -> Value {
    let mut out = json!({});
    let named = |name: &str| json!([{ "name": name }]);
    if rule.is_some() && !zone.is_empty() {
        out["forZones"] = named(zone);
    }
    if rule == Some(TrafficDistribution::PreferSameNode) && !node.is_empty() {
        out["forNodes"] = named(node);
    }
    out
}

/// Zones of the endpoints of a Service, in their order; empty: unknown.
fn zones(snapshot: &Snapshot, given: &Service) -> Vec<String> {
    let pods = given.endpoints.iter().filter_map(|id| snapshot.store.pod(*id));
    let node = |pod: &crate::api::pod::Pod| pod.node.and_then(|id| snapshot.store.node(id));
    pods.map(|pod| node(pod).map_or("", |node| node.zone()).to_owned()).collect()
}

/// The EndpointSlices of a Service: as many as its endpoints fill.
pub(super) fn slices(snapshot: &Snapshot, id: ServiceId, given: &Service) -> Vec<Value> {
    let (targets, zones) = (targets(snapshot, given), zones(snapshot, given));
    let count = targets.len().div_ceil(PER_SLICE).max(1);
    let slice = |number: usize| {
        let seed = format!("{}/{}/{number}", given.namespace, given.name);
        let suffix = &crate::api::workload::short_hash(&seed)[..5];
        let name = format!("{}-{suffix}", given.name);
        let mut out = object(&meta(snapshot, id, given, "EndpointSlice", &name));
        out["metadata"]["generateName"] = format!("{}-", given.name).into();
        let label = crate::api::labels::Labels::from([(
            "endpointslice.kubernetes.io/managed-by",
            "endpointslice-controller.k8s.io",
        )]);
        let label = label.with("kubernetes.io/service-name", given.name.clone());
        out["metadata"]["labels"] = pairs(&label);
        out["addressType"] = "IPv4".into();
        let here = targets.iter().zip(&zones).skip(number * PER_SLICE).take(PER_SLICE);
        let ready = here.map(|(target, zone)| {
            let mut one = target.clone();
            let node = target["nodeName"].as_str().unwrap_or("");
            let hints = hints(given.distribution, zone, node);
            if hints.as_object().is_some_and(|hints| !hints.is_empty()) {
                one["hints"] = hints;
            }
            if !zone.is_empty() {
                one["zone"] = zone.as_str().into();
            }
            one["conditions"] = json!({ "ready": true, "serving": true, "terminating": false });
            one
        });
        out["endpoints"] = ready.collect();
        out
    };
    (0..count).map(slice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_hinted_for_where_they_are() {
        use TrafficDistribution::{PreferClose, PreferSameNode, PreferSameZone};
        let (zone, node) = (json!([{ "name": "a" }]), json!([{ "name": "n" }]));
        let both = json!({ "forZones": zone, "forNodes": node });
        let rows = [
            ("nothing is asked for", None, "a", "n", json!({})),
            ("its own zone", Some(PreferSameZone), "a", "n", json!({ "forZones": zone })),
            ("by the older name too", Some(PreferClose), "a", "n", json!({ "forZones": zone })),
            ("its node, and its zone for others", Some(PreferSameNode), "a", "n", both),
            ("a node without a zone has none to hint", Some(PreferSameZone), "", "n", json!({})),
            ("but itself", Some(PreferSameNode), "", "n", json!({ "forNodes": node })),
        ];
        for (sentence, rule, zone, node, expected) in rows {
            assert_eq!(hints(rule, zone, node), expected, "{sentence}");
        }
    }
}
