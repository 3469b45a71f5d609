//! How long pods get when their node is shut down, by their priority, as scenarios write it.
//!
//! Source: kubernetes `pkg/kubelet/apis/config/types.go` (`ShutdownGracePeriodByPodPriority`),
//! v1.37. It does not know what ends pods.

use super::flags::{Give, Told};
use crate::units::SimDuration;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// From each priority on so long, lowest priority first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PriorityPeriods(pub Vec<(i32, SimDuration)>);

/// One priority and its period.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PriorityPeriodFile {
    /// Pods of this priority, and of any up to the next entry's.
    pub priority: i32,
    /// Seconds until the next entry's turn.
    pub shutdown_grace_period_seconds: u32,
}

impl Give<PriorityPeriods> for Option<Vec<PriorityPeriodFile>> {
    fn give(self, to: &mut PriorityPeriods) {
        let Some(given) = self else { return };
        let one = |entry: &PriorityPeriodFile| {
            let seconds = u64::from(entry.shutdown_grace_period_seconds);
            (entry.priority, SimDuration::from_secs(seconds))
        };
        to.0 = given.iter().map(one).collect();
        to.0.sort_by_key(|(priority, _)| *priority);
    }
}

impl Told for PriorityPeriods {
    fn told(&self) -> Value {
        let one = |(priority, period): &(i32, SimDuration)| {
            let seconds = period.0 / 1_000_000_000;
            json!({"priority": priority, "shutdown-grace-period-seconds": seconds})
        };
        self.0.iter().map(one).collect()
    }
}
