//! Which end of a range is sought: the smallest value that is enough, or the largest that is
//! carried.

use serde::Serialize;

/// What is sought among values that meet the objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Find {
    /// Of a resource: more of it helps, and costs.
    Smallest,
    /// Of a load: more of it hurts, and is wanted.
    Largest,
}

/// Fields of which more is saved or carried: their largest value is sought.
const LOADS: &[&str] =
    &["averageUtilization", "averageValue", "rate", "scale", "peak", "demand", "boot-failure"];

impl Find {
    /// What is usually sought of the field at `path`: of traffic, and of what an autoscaler aims
    /// at, the largest; of anything else the smallest.
    pub fn of(path: &str) -> Find {
        let steps = || path.split(['.', '[', '/']);
        let is_load = steps().next() == Some("traffic") || steps().any(|s| LOADS.contains(&s));
        if is_load { Find::Largest } else { Find::Smallest }
    }

    /// `smallest`, `largest`.
    pub fn word(self) -> &'static str {
        match self {
            Find::Smallest => "smallest",
            Find::Largest => "largest",
        }
    }

    /// The index of `count` values that is the `level`-th from the end where the objective is
    /// hardest to meet.
    pub fn index(self, level: usize, count: usize) -> usize {
        match self {
            Find::Smallest => level,
            Find::Largest => count - 1 - level,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_wanted_large_and_resources_small() {
        let rows = [
            ("nodes.pool.max", Find::Smallest),
            ("hpa/web.spec.maxReplicas", Find::Smallest),
            ("hpa/web.spec.metrics[0].resource.target.averageUtilization", Find::Largest),
            ("traffic.web.scale", Find::Largest),
            ("traffic.*.rate.spike.peak", Find::Largest),
            ("deployment/web.spec.replicas", Find::Smallest),
            ("nodes.pool.count", Find::Smallest),
        ];
        for (path, expected) in rows {
            assert_eq!(Find::of(path), expected, "{path}");
        }
    }
}
