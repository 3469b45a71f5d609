//! The tables of budgets, Events, namespaces and the control plane's parts.

use super::{Table, name};
use crate::print::clock;
use crate::print::read::{age, items, number, text};
use serde_json::Value;

pub(super) const PDB: Table = Table {
    columns: &[
        ("NAME", false),
        ("MIN AVAILABLE", false),
        ("MAX UNAVAILABLE", false),
        ("ALLOWED DISRUPTIONS", false),
        ("AGE", false),
    ],
    cells: |pdb, now| {
        let budget = |field: &str| match &pdb["spec"][field] {
            Value::Null => "N/A".to_owned(),
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        vec![
            name(pdb),
            budget("minAvailable"),
            budget("maxUnavailable"),
            number(pdb, "/status/disruptionsAllowed").to_string(),
            age(pdb, now),
        ]
    },
};

pub(super) const QUOTA: Table = Table {
    columns: &[("NAME", false), ("REQUEST", false), ("LIMIT", false), ("AGE", false)],
    cells: |quota, now| {
        let hard = quota["status"]["hard"].as_object().into_iter().flatten();
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (resource, hard) in hard {
            let used = quota["status"]["used"][resource].as_str().unwrap_or("0");
            let cell = format!("{resource}: {used}/{}", hard.as_str().unwrap_or_default());
            if resource.starts_with("limits.") { limits.push(cell) } else { requests.push(cell) }
        }
        vec![name(quota), requests.join(", "), limits.join(", "), age(quota, now)]
    },
};

pub(super) const LIMIT_RANGE: Table = Table {
    columns: &[("NAME", false), ("CREATED AT", false)],
    cells: |range, _| vec![name(range), text(range, "/metadata/creationTimestamp").to_owned()],
};

pub(super) const EVENT: Table = Table {
    columns: &[
        ("LAST SEEN", false),
        ("TYPE", false),
        ("REASON", false),
        ("OBJECT", false),
        ("SUBOBJECT", true),
        ("SOURCE", true),
        ("MESSAGE", false),
        ("FIRST SEEN", true),
        ("COUNT", true),
        ("NAME", true),
    ],
    cells: |event, now| {
        let when = |path: &str| clock::since(event.pointer(path).and_then(Value::as_str), now);
        let kind = text(event, "/involvedObject/kind").to_ascii_lowercase();
        vec![
            when("/lastTimestamp"),
            text(event, "/type").to_owned(),
            text(event, "/reason").to_owned(),
            format!("{kind}/{}", text(event, "/involvedObject/name")),
            text(event, "/involvedObject/fieldPath").to_owned(),
            text(event, "/source/component").to_owned(),
            text(event, "/message").trim().to_owned(),
            when("/firstTimestamp"),
            number(event, "/count").to_string(),
            name(event),
        ]
    },
};

pub(super) const NAMESPACE: Table = Table {
    columns: &[("NAME", false), ("STATUS", false), ("AGE", false)],
    cells: |namespace, now| {
        let phase = text(namespace, "/status/phase").to_owned();
        vec![name(namespace), phase, age(namespace, now)]
    },
};

/// How many keys an object has.
fn data(object: &Value) -> String {
    object["data"].as_object().map_or(0, serde_json::Map::len).to_string()
}

pub(super) const CONFIG_MAP: Table = Table {
    columns: &[("NAME", false), ("DATA", false), ("AGE", false)],
    cells: |map, now| vec![name(map), data(map), age(map, now)],
};

pub(super) const SECRET: Table = Table {
    columns: &[("NAME", false), ("TYPE", false), ("DATA", false), ("AGE", false)],
    cells: |secret, now| {
        vec![name(secret), text(secret, "/type").to_owned(), data(secret), age(secret, now)]
    },
};

pub(super) const COMPONENT_STATUS: Table = Table {
    columns: &[("NAME", false), ("STATUS", false), ("MESSAGE", false), ("ERROR", false)],
    cells: |part, _| {
        let healthy = items(part, "/conditions").iter().find(|c| c["type"] == "Healthy");
        let status = match healthy.and_then(|c| c["status"].as_str()) {
            Some("True") => "Healthy",
            Some(_) => "Unhealthy",
            None => "Unknown",
        };
        let told = |field: &str| healthy.map_or("", |c| text(c, field)).to_owned();
        vec![name(part), status.to_owned(), told("/message"), told("/error")]
    },
};
