//! LimitRanges: what each container and pod of a namespace gets, and may ask for (`core/v1`).

use super::Text;
use super::amounts::Amounts;

/// A LimitRange.
#[derive(Clone, PartialEq, Debug)]
pub struct LimitRange {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `spec.limits`.
    pub limits: Vec<LimitItem>,
}

/// One of a LimitRange's limits, defaulted as by the API server.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LimitItem {
    /// `type` is Pod; otherwise it is Container.
    pub is_of_pod: bool,
    /// `default`: limits of containers that have none.
    pub default: Amounts,
    /// `defaultRequest`: requests of containers that have none.
    pub default_request: Amounts,
    /// `max`.
    pub max: Amounts,
    /// `min`.
    pub min: Amounts,
    /// `maxLimitRequestRatio`.
    pub max_ratio: Amounts,
}

impl LimitItem {
    /// Fills in what follows from the rest (`SetDefaults_LimitRangeItem`): a limit by default is
    /// the largest one, a request that limit, or else the smallest one.
    pub fn fill_in(&mut self) {
        if self.is_of_pod {
            return;
        }
        let fill = |to: &mut Amounts, from: &Amounts| {
            for (name, amount) in from {
                to.entry(name.clone()).or_insert(*amount);
            }
        };
        fill(&mut self.default, &self.max);
        fill(&mut self.default_request, &self.default);
        fill(&mut self.default_request, &self.min);
    }
}
