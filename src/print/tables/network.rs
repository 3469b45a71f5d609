//! The tables of Services, of Ingresses and of what stands behind them.
//!
//! Pods have no addresses here: in their place stand the pods' names.

use super::{Table, name};
use crate::print::read::{age, items, pairs, some, text};
use serde_json::Value;

pub(super) const SERVICE: Table = Table {
    columns: &[
        ("NAME", false),
        ("TYPE", false),
        ("CLUSTER-IP", false),
        ("EXTERNAL-IP", false),
        ("PORT(S)", false),
        ("AGE", false),
        ("SELECTOR", true),
    ],
    cells: |service, now| {
        let cluster_ip = items(service, "/spec/clusterIPs").first().and_then(Value::as_str);
        vec![
            name(service),
            text(service, "/spec/type").to_owned(),
            cluster_ip.unwrap_or("<none>").to_owned(),
            external_ip(service),
            ports(service),
            age(service, now),
            pairs(service.pointer("/spec/selector")),
        ]
    },
};

pub(super) const INGRESS: Table = Table {
    columns: &[
        ("NAME", false),
        ("CLASS", false),
        ("HOSTS", false),
        ("ADDRESS", false),
        ("PORTS", false),
        ("AGE", false),
    ],
    cells: |ingress, now| {
        let class = text(ingress, "/spec/ingressClassName");
        let ports = if items(ingress, "/spec/tls").is_empty() { "80" } else { "80, 443" };
        vec![
            name(ingress),
            (if class.is_empty() { "<none>" } else { class }).to_owned(),
            hosts(ingress),
            String::new(),
            ports.to_owned(),
            age(ingress, now),
        ]
    },
};

/// At most three hosts of its rules; `*` when they name none.
fn hosts(ingress: &Value) -> String {
    let rules = items(ingress, "/spec/rules");
    let named = rules.iter().map(|rule| text(rule, "/host")).filter(|host| !host.is_empty());
    let shown: Vec<&str> = named.clone().take(3).collect();
    match (shown.len(), named.count()) {
        (0, _) => "*".to_owned(),
        (3, 4..) => format!("{} + {} more...", shown.join(","), rules.len() - 3),
        _ => shown.join(","),
    }
}

pub(super) const ENDPOINTS: Table = Table {
    columns: &[("NAME", false), ("ENDPOINTS", false), ("AGE", false)],
    cells: |endpoints, now| {
        let pods = names(items(endpoints, "/subsets/0/addresses"));
        vec![name(endpoints), some(&pods, 3, ","), age(endpoints, now)]
    },
};

pub(super) const SLICE: Table = Table {
    columns: &[
        ("NAME", false),
        ("ADDRESSTYPE", false),
        ("PORTS", false),
        ("ENDPOINTS", false),
        ("AGE", false),
    ],
    cells: |slice, now| {
        let pods = names(items(slice, "/endpoints"));
        vec![
            name(slice),
            text(slice, "/addressType").to_owned(),
            "<unset>".to_owned(),
            some(&pods, 3, ",").replace("<none>", "<unset>"),
            age(slice, now),
        ]
    },
};

fn names(targets: &[Value]) -> Vec<String> {
    targets.iter().map(|target| text(target, "/targetRef/name").to_owned()).collect()
}

fn external_ip(service: &Value) -> String {
    match text(service, "/spec/type") {
        "LoadBalancer" => match items(service, "/status/loadBalancer/ingress").first() {
            Some(ingress) => text(ingress, "/ip").to_owned(),
            None => "<pending>".to_owned(),
        },
        "ExternalName" => text(service, "/spec/externalName").to_owned(),
        _ => "<none>".to_owned(),
    }
}

/// `80/TCP,443:30443/TCP`.
fn ports(service: &Value) -> String {
    let port = |port: &Value| {
        let number = port["port"].as_u64().unwrap_or(0);
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        match port["nodePort"].as_u64() {
            Some(node) => format!("{number}:{node}/{protocol}"),
            None => format!("{number}/{protocol}"),
        }
    };
    let ports: Vec<String> = items(service, "/spec/ports").iter().map(port).collect();
    if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") }
}
