//! Quantities as Kubernetes writes them, in thousandths.

use serde_json::Value;

const UNITS: [(&str, i128); 10] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("e9", 1_000_000_000),
    ("e6", 1_000_000),
    ("", 1),
];

/// The amount in thousandths; 0 if there is none.
pub fn milli(given: &Value) -> i128 {
    let written = match given {
        Value::Number(number) => number.to_string(),
        other => other.as_str().unwrap_or("0").to_owned(),
    };
    if let Some(number) = written.strip_suffix('m') {
        return number.parse().unwrap();
    }
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((written.strip_suffix(suffix)?, *unit)))
        .unwrap();
    number.parse::<i128>().unwrap() * unit * 1_000
}
