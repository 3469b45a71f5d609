//! What of clients and balancing has a meaning only for single requests: told by `validate` where
//! requests are rates.

use super::file::ArrivalsFile;
use crate::api::service::Service;
use crate::scenario::file::ScenarioFile;
use crate::scenario::model::{Ignored, Scenario};
use crate::scenario::resolve::{Resolver, is_named};

/// Whether rates follow the weights of the Service that a file calls so.
pub(super) fn weighs(name: &str, scenario: &Scenario) -> bool {
    place_called(name, scenario).is_some_and(|index| scenario.weights_of(index).is_some())
}

/// The place of the Service that a file calls so.
pub(super) fn place_called(name: &str, scenario: &Scenario) -> Option<usize> {
    let is_meant = |s: &Service| is_named(name, &s.namespace, &s.name);
    scenario.objects.destinations().position(is_meant)
}

impl Resolver<'_> {
    /// Fields that are given and have no effect on rates.
    pub(in crate::scenario) fn unmodelled(
        &self,
        file: &ScenarioFile,
        scenario: &Scenario,
    ) -> Vec<Ignored> {
        let mut found = Vec::new();
        for (name, given) in &file.services {
            let is_meant = place_called(name, scenario).is_some_and(|i| scenario.balances_rates(i));
            if given.balancing.is_some() && !is_meant {
                found.push(self.only_singly(&format!("services.{name}"), "balancing"));
            }
        }
        for (index, given) in file.traffic.iter().enumerate() {
            if matches!(given.arrivals, Some(ArrivalsFile::SelfSimilar(_))) {
                found.push(self.only_singly(&format!("traffic[{index}]"), "arrivals"));
            }
        }
        found
    }

    fn only_singly(&self, place: &str, field: &str) -> Ignored {
        let span = &self.tree.nearest(place).span;
        let (line, _) = self.sources.out.line_column(&self.name, span.start);
        let reason = "has a meaning only for single requests".to_string();
        let (file, object) = (self.name.clone(), place.to_string());
        Ignored { file, line, object, fields: vec![field.to_string()], reason }
    }
}
