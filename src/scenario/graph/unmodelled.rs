//! What of clients and balancing is understood and has no effect yet: told by `validate`.
//!
//! A field leaves these lists with the simulation that gives it a meaning.

use crate::api::service::Service;
use crate::scenario::file::ScenarioFile;
use crate::scenario::model::{Ignored, Scenario};
use crate::scenario::resolve::{Resolver, is_named};

/// Fields of an entry of the traffic.
const TRAFFIC: &[&str] = &["arrivals"];
/// Fields of a Service.
const SERVICE: &[&str] = &["balancing"];

/// Whether rates follow the weights of the Service that a file calls so.
pub(super) fn weighs(name: &str, scenario: &Scenario) -> bool {
    let is_meant = |s: &Service| is_named(name, &s.namespace, &s.name);
    let index = scenario.objects.destinations().position(is_meant);
    index.is_some_and(|index| scenario.weights_of(index).is_some())
}

impl Resolver<'_> {
    /// Fields that are given and have no effect yet.
    pub(in crate::scenario) fn unmodelled(
        &self,
        file: &ScenarioFile,
        scenario: &Scenario,
    ) -> Vec<Ignored> {
        let mut found = Vec::new();
        for name in file.services.keys() {
            let place = format!("services.{name}");
            let fields = match weighs(name, scenario) {
                true => Vec::new(),
                false => self.given_of(&place, SERVICE),
            };
            found.extend(self.without_effect_yet(&place, fields));
        }
        for index in 0..file.traffic.len() {
            let place = format!("traffic[{index}]");
            let fields = self.given_of(&place, TRAFFIC);
            found.extend(self.without_effect_yet(&place, fields));
        }
        found
    }

    /// Those of the fields that are given at a place.
    fn given_of(&self, place: &str, fields: &[&str]) -> Vec<String> {
        let node = self.tree.nearest(place);
        let given = fields.iter().filter(|field| node.get(field).is_some());
        given.map(|field| (*field).to_string()).collect()
    }

    fn without_effect_yet(&self, place: &str, fields: Vec<String>) -> Option<Ignored> {
        let span = &self.tree.nearest(place).span;
        let (line, _) = self.sources.out.line_column(&self.name, span.start);
        let reason = "not modelled yet".to_string();
        let (file, object) = (self.name.clone(), place.to_string());
        (!fields.is_empty()).then_some(Ignored { file, line, object, fields, reason })
    }
}
