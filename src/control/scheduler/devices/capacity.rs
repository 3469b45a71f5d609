//! How much of a device that allows several claims a request takes, and whether there is so much.
//!
//! Source: dynamic-resource-allocation `structured/internal/incubating/consumable_capacity.go`,
//! v1.37. Steps are whole units: DRAFractionalCapacityRange is off by default.

use super::allocated::{Amounts, add};
use crate::api::devices::{Capacity, CapacityPolicy, CapacityRange, Device};
use crate::api::quantity::Quantity;

const UNREPRESENTABLE: &str =
    "capacity request cannot be represented in the device's range arithmetic";

/// What a request takes of each capacity of a device; `None`: the device lacks one that is asked
/// for. The error is for people, and ends the search.
pub(super) fn consumed(device: &Device, requests: &Amounts) -> Result<Option<Amounts>, String> {
    if requests.keys().any(|name| !device.capacity.contains_key(name)) {
        return Ok(None);
    }
    let mut out = Amounts::new();
    for (name, capacity) in &device.capacity {
        let amount = amount(requests.get(name).copied(), capacity)
            .map_err(|why| format!("capacity {:?}: {why}", &**name))?;
        out.insert(name.clone(), amount);
    }
    Ok(Some(out))
}

/// Whether a request fits into a device beside what is taken of it already
/// (`CmpRequestOverCapacity`).
pub(super) fn fits(
    device: &Device,
    requests: &Amounts,
    taken: &Amounts,
    being_taken: Option<&Amounts>,
) -> Result<bool, String> {
    let Some(consumed) = consumed(device, requests)? else { return Ok(false) };
    for (name, capacity) in &device.capacity {
        let amount = consumed[name];
        if capacity.policy.as_deref().is_some_and(|policy| policy.is_violated_by(amount)) {
            return Ok(false);
        }
        let mut sum = Amounts::from([(name.clone(), amount)]);
        for taken in [Some(taken), being_taken].into_iter().flatten() {
            if let Some(taken) = taken.get(name) {
                add(&mut sum, &Amounts::from([(name.clone(), *taken)]));
            }
        }
        if sum[name] > capacity.value {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is taken of one capacity (`calculateConsumedCapacity`).
fn amount(asked: Option<Quantity>, capacity: &Capacity) -> Result<Quantity, String> {
    let policy = capacity.policy.as_deref();
    let Some(asked) = asked else {
        return Ok(policy.and_then(|policy| policy.default).unwrap_or(capacity.value));
    };
    let Some(policy) = policy else { return Ok(asked) };
    match policy.valid_range {
        Some(range @ CapacityRange { min: Some(min), .. }) => round_up(asked, min, range.step),
        _ => {
            let enough = policy.valid_values.iter().find(|value| asked <= **value);
            Ok(enough.copied().unwrap_or(asked))
        }
    }
}

/// The next step from `min` on (`roundUpRange`).
fn round_up(asked: Quantity, min: Quantity, step: Option<Quantity>) -> Result<Quantity, String> {
    if asked < min {
        return Ok(min);
    }
    let Some(step) = step else { return Ok(asked) };
    let (min, step) = (min.value(), step.value().max(1));
    let steps = (asked.value() - min) / step + i64::from((asked.value() - min) % step != 0);
    match step.checked_mul(steps).and_then(|more| min.checked_add(more)) {
        Some(rounded) => Ok(Quantity::from_units(rounded)),
        None => Err(format!(
            "{UNREPRESENTABLE}: rounding the request up to the next step passes MaxInt64"
        )),
    }
}

impl CapacityPolicy {
    /// Whether so much may not be taken (`violatesPolicy`).
    fn is_violated_by(&self, amount: Quantity) -> bool {
        if self.default == Some(amount) {
            return false;
        }
        match &self.valid_range {
            Some(range) => {
                let off_step = range.step.is_some_and(|step| {
                    let min = range.min.unwrap_or_default();
                    (amount.value() - min.value()) % step.value().max(1) != 0
                });
                range.max.is_some_and(|max| amount > max) || off_step
            }
            None => !self.valid_values.is_empty() && !self.valid_values.contains(&amount),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    fn capacity(value: &str, policy: Option<CapacityPolicy>) -> Capacity {
        Capacity { value: q(value), policy: policy.map(Box::new) }
    }

    fn range(min: &str, max: Option<&str>, step: Option<&str>) -> Option<CapacityPolicy> {
        let range = CapacityRange { min: Some(q(min)), max: max.map(q), step: step.map(q) };
        Some(CapacityPolicy {
            default: Some(q(min)),
            valid_range: Some(range),
            ..Default::default()
        })
    }

    fn values(default: &str, values: &[&str]) -> Option<CapacityPolicy> {
        let valid_values = values.iter().map(|v| q(v)).collect();
        Some(CapacityPolicy { default: Some(q(default)), valid_values, valid_range: None })
    }

    #[test]
    fn a_request_takes_what_the_policy_allows() {
        type Row = (&'static str, Option<&'static str>, Capacity, &'static str, bool);
        let rows: [Row; 10] = [
            ("who asks for nothing takes all", None, capacity("10Gi", None), "10Gi", false),
            (
                "without a policy, what is asked for",
                Some("3Gi"),
                capacity("10Gi", None),
                "3Gi",
                false,
            ),
            ("the default", None, capacity("10Gi", range("2Gi", None, None)), "2Gi", false),
            (
                "at least the minimum",
                Some("1Gi"),
                capacity("10Gi", range("2Gi", None, None)),
                "2Gi",
                false,
            ),
            (
                "any amount above it",
                Some("3500Mi"),
                capacity("10Gi", range("2Gi", None, None)),
                "3500Mi",
                false,
            ),
            (
                "up to the next step",
                Some("3Gi"),
                capacity("10Gi", range("2Gi", None, Some("2Gi"))),
                "4Gi",
                false,
            ),
            (
                "a step exactly",
                Some("4Gi"),
                capacity("10Gi", range("2Gi", None, Some("2Gi"))),
                "4Gi",
                false,
            ),
            (
                "above the maximum",
                Some("7Gi"),
                capacity("10Gi", range("2Gi", Some("6Gi"), Some("2Gi"))),
                "8Gi",
                true,
            ),
            (
                "the next valid value",
                Some("3"),
                capacity("10", values("1", &["1", "4"])),
                "4",
                false,
            ),
            (
                "above the last value",
                Some("5"),
                capacity("10", values("1", &["1", "4"])),
                "5",
                true,
            ),
        ];
        for (sentence, asked, capacity, expected, violates) in rows {
            let found = amount(asked.map(q), &capacity).unwrap();
            assert_eq!(found, q(expected), "{sentence}");
            let violated = capacity.policy.is_some_and(|policy| policy.is_violated_by(found));
            assert_eq!(violated, violates, "{sentence}");
        }
    }
}
