//! Amounts of resources as the API writes them.
//!
//! What manifests said is not kept letter for letter: an amount is written in the largest unit in
//! which it is a whole number.

use crate::api::resources::Resources;
use crate::units::{Bytes, MilliCpu};
use serde_json::{Map, Value};

/// `500m`, `2`.
pub(in crate::print) fn cpu(amount: MilliCpu) -> String {
    match amount.0 % 1000 {
        0 => (amount.0 / 1000).to_string(),
        _ => format!("{}m", amount.0),
    }
}

/// `256Mi`, `250M`, `1500k`.
pub(in crate::print) fn bytes(amount: Bytes) -> String {
    const UNITS: &[(&str, i64)] = &[
        ("Ti", 1 << 40),
        ("Gi", 1 << 30),
        ("Mi", 1 << 20),
        ("T", 1_000_000_000_000),
        ("G", 1_000_000_000),
        ("M", 1_000_000),
        ("Ki", 1 << 10),
        ("k", 1000),
    ];
    let whole = UNITS.iter().find(|(_, size)| amount.0 != 0 && amount.0 % size == 0);
    whole.map_or_else(|| amount.0.to_string(), |(unit, size)| format!("{}{unit}", amount.0 / size))
}

/// A resource list; amounts of zero are left out.
pub(super) fn list(amounts: &Resources) -> Map<String, Value> {
    let mut out = Map::new();
    if amounts.cpu != MilliCpu::ZERO {
        out.insert("cpu".to_owned(), cpu(amounts.cpu).into());
    }
    for (name, amount) in
        [("memory", amounts.memory), ("ephemeral-storage", amounts.ephemeral_storage)]
    {
        if amount.0 != 0 {
            out.insert(name.to_owned(), bytes(amount).into());
        }
    }
    for (name, amount) in amounts.scalars() {
        let text = match name.starts_with("hugepages-") {
            true => bytes(Bytes(amount)),
            false => amount.to_string(),
        };
        out.insert(name.to_string(), text.into());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_in_their_largest_unit() {
        for (milli, expected) in [(500, "500m"), (2000, "2"), (0, "0"), (1500, "1500m")] {
            assert_eq!(cpu(MilliCpu(milli)), expected);
        }
        let rows = [
            (256 << 20, "256Mi"),
            (16 << 30, "16Gi"),
            (250_000_000, "250M"),
            (1_500_000, "1500k"),
            (1001, "1001"),
            (0, "0"),
        ];
        for (amount, expected) in rows {
            assert_eq!(bytes(Bytes(amount)), expected);
        }
    }
}
