//! Ingresses: hosts, paths and who stands behind them.

use super::text::Lines;
use crate::print::read::{items, some, text};
use crate::print::{Snapshot, objects};
use serde_json::Value;

pub(super) fn ingress(snapshot: &Snapshot, ingress: &Value) -> String {
    let mut lines = Lines::default();
    lines.field(0, "Name", text(ingress, "/metadata/name"));
    lines.pairs("Labels", ingress.pointer("/metadata/labels"), "=");
    lines.field(0, "Namespace", text(ingress, "/metadata/namespace"));
    lines.field(0, "Address", "");
    let class = Some(text(ingress, "/spec/ingressClassName")).filter(|class| !class.is_empty());
    lines.field(0, "Ingress Class", class.unwrap_or("<none>"));
    let told = |backend: &Value| backend_of(snapshot, ingress, backend);
    let default = ingress.pointer("/spec/defaultBackend").map_or("<default>".to_owned(), &told);
    lines.field(0, "Default backend", &default);
    let tls = items(ingress, "/spec/tls");
    if !tls.is_empty() {
        lines.line(0, "TLS:");
    }
    for one in tls {
        let hosts: Vec<&str> = items(one, "/hosts").iter().filter_map(Value::as_str).collect();
        let hosts = hosts.join(",");
        match text(one, "/secretName") {
            "" => lines.line(1, format_args!("SNI routes {hosts}")),
            secret => lines.line(1, format_args!("{secret} terminates {hosts}")),
        }
    }
    lines.line(0, "Rules:");
    lines.line(1, "Host\tPath\tBackends");
    lines.line(1, "----\t----\t--------");
    let rules = items(ingress, "/spec/rules");
    for rule in rules {
        let host = Some(text(rule, "/host")).filter(|host| !host.is_empty()).unwrap_or("*");
        lines.line(1, format_args!("{host}\t"));
        for path in items(rule, "/http/paths") {
            let backend = told(&path["backend"]);
            lines.line(2, format_args!("\t{} \t{backend}", text(path, "/path")));
        }
    }
    if rules.is_empty() {
        lines.line(1, format_args!("*\t*\t{default}"));
    }
    lines.pairs("Annotations", ingress.pointer("/metadata/annotations"), ": ");
    lines.events(snapshot, ingress);
    lines.finish()
}

/// `web:80 (web-0,web-1)`: pods have no addresses, so they are told by their names.
fn backend_of(snapshot: &Snapshot, ingress: &Value, backend: &Value) -> String {
    let name = text(backend, "/service/name");
    if name.is_empty() {
        let [kind, name] = ["/resource/kind", "/resource/name"].map(|at| text(backend, at));
        return format!("APIGroup: <none>, Kind: {kind}, Name: {name}");
    }
    let port = match backend.pointer("/service/port/number") {
        Some(number) => number.to_string(),
        None => text(backend, "/service/port/name").to_owned(),
    };
    let namespace = text(ingress, "/metadata/namespace");
    let all = objects::list(snapshot, "Endpoints");
    let its = all.iter().find(|endpoints| {
        text(endpoints, "/metadata/namespace") == namespace
            && text(endpoints, "/metadata/name") == name
    });
    let Some(its) = its else {
        return format!("{name}:{port} (<error: services {name:?} not found>)");
    };
    let targets = items(its, "/subsets/0/addresses").iter();
    let pods: Vec<String> = targets.map(|t| text(t, "/targetRef/name").to_owned()).collect();
    let pods = if pods.is_empty() { String::new() } else { some(&pods, 3, ",") };
    format!("{name}:{port} ({pods})")
}
