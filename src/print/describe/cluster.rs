//! Budgets, Services, and kinds of which there is little to say.

use super::text::Lines;
use crate::print::read::{items, number, pairs, selector, some, text};
use crate::print::{Snapshot, objects, yaml};
use serde_json::Value;

pub(super) fn pdb(snapshot: &Snapshot, pdb: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(pdb);
    for (title, field) in [("Min available", "minAvailable"), ("Max unavailable", "maxUnavailable")]
    {
        match &pdb["spec"][field] {
            Value::Null => {}
            Value::String(text) => lines.field(0, title, text),
            number => lines.field(0, title, number),
        }
    }
    lines.field(0, "Selector", selector(pdb.pointer("/spec/selector")));
    lines.line(0, "Status:");
    for (title, field) in [
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ] {
        lines.field(2, title, number(pdb, &format!("/status/{field}")));
    }
    lines.events(snapshot, pdb);
    lines.finish()
}

pub(super) fn service(snapshot: &Snapshot, service: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(service);
    lines.labels(service);
    lines.field(0, "Selector", pairs(service.pointer("/spec/selector")));
    lines.field(0, "Type", text(service, "/spec/type"));
    lines.field(0, "IP Families", "<none>");
    lines.field(0, "IP", text(service, "/spec/clusterIP"));
    let ips = items(service, "/spec/clusterIPs").first().and_then(Value::as_str);
    lines.field(0, "IPs", ips.unwrap_or("<none>"));
    if !text(service, "/spec/externalName").is_empty() {
        lines.field(0, "External Name", text(service, "/spec/externalName"));
    }
    for ingress in items(service, "/status/loadBalancer/ingress") {
        let [ip, mode] = ["/ip", "/ipMode"].map(|at| text(ingress, at));
        lines.field(0, "LoadBalancer Ingress", format_args!("{ip} ({mode})"));
    }
    // Pods have no addresses: endpoints are told by their pods, behind every port.
    let [namespace, name] = ["/metadata/namespace", "/metadata/name"].map(|at| text(service, at));
    let all = objects::list(snapshot, "Endpoints");
    let its = all
        .iter()
        .find(|e| text(e, "/metadata/namespace") == namespace && text(e, "/metadata/name") == name);
    let targets = its.map_or(&[][..], |its| items(its, "/subsets/0/addresses"));
    let pods: Vec<String> =
        targets.iter().map(|target| text(target, "/targetRef/name").to_owned()).collect();
    let endpoints = some(&pods, 3, ",");
    let ports = items(service, "/spec/ports");
    for port in ports {
        let name = Some(text(port, "/name")).filter(|name| !name.is_empty()).unwrap_or("<unset>");
        let protocol = text(port, "/protocol");
        lines.field(0, "Port", format_args!("{name}\t{}/{protocol}", number(port, "/port")));
        let target = match &port["targetPort"] {
            Value::String(name) => name.clone(),
            number => number.to_string(),
        };
        lines.field(0, "TargetPort", format_args!("{target}/{protocol}"));
        if port["nodePort"].is_u64() {
            let node = number(port, "/nodePort");
            lines.field(0, "NodePort", format_args!("{name}\t{node}/{protocol}"));
        }
        lines.field(0, "Endpoints", &endpoints);
    }
    if ports.is_empty() {
        lines.field(0, "Endpoints", &endpoints);
    }
    lines.field(0, "Session Affinity", text(service, "/spec/sessionAffinity"));
    lines.events(snapshot, service);
    lines.finish()
}

/// An object of another kind: its head, and the rest as YAML.
pub(super) fn other(snapshot: &Snapshot, object: &Value) -> String {
    let mut lines = Lines::default();
    lines.field(0, "Name", text(object, "/metadata/name"));
    if !text(object, "/metadata/namespace").is_empty() {
        lines.field(0, "Namespace", text(object, "/metadata/namespace"));
    }
    lines.labels(object);
    let mut rest = object.clone();
    if let Some(map) = rest.as_object_mut() {
        map.remove("metadata");
        map.remove("apiVersion");
        map.remove("kind");
    }
    let rest = yaml::text(&rest);
    let mut told = lines.finish();
    told.push_str(&rest);
    let mut events = Lines::default();
    events.events(snapshot, object);
    told + &events.finish()
}
