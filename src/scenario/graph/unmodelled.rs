//! What of calls, clients and balancing is understood and has no effect yet: told by `validate`.
//!
//! A field leaves these lists with the simulation that gives it a meaning.

use super::file::{CallFile, CallsFile};
use crate::scenario::file::ScenarioFile;
use crate::scenario::model::Ignored;
use crate::scenario::resolve::Resolver;

/// Fields of a workload.
const WORKLOAD: &[&str] = &["warm-up"];
/// Fields of an entry of the traffic.
const TRAFFIC: &[&str] = &["arrivals", "zones"];
/// Fields of a Service.
const SERVICE: &[&str] = &["balancing"];

impl Resolver<'_> {
    /// Fields that are given and have no effect yet.
    pub(in crate::scenario) fn unmodelled(&self, file: &ScenarioFile) -> Vec<Ignored> {
        let mut found = Vec::new();
        for (name, workload) in &file.workloads {
            let place = format!("workloads.{name}");
            let mut fields = self.given_of(&place, WORKLOAD);
            if let CallsFile::Steps(steps) = &workload.calls {
                for (index, step) in steps.iter().enumerate() {
                    fields.extend(of_step(&format!("calls[{index}]"), step));
                }
            }
            found.extend(self.without_effect_yet(&place, fields));
        }
        for name in file.services.keys() {
            let place = format!("services.{name}");
            let fields = self.given_of(&place, SERVICE);
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

/// Fields of a step, at this path, that have no effect yet.
fn of_step(path: &str, step: &CallFile) -> Vec<String> {
    let side_by_side = step.parallel.as_deref().unwrap_or_default().iter().enumerate();
    let within = |(index, call)| of_step(&format!("{path}.parallel[{index}]"), call);
    let mut fields: Vec<String> = side_by_side.flat_map(within).collect();
    if step.begins_cold() {
        fields.push(format!("{path}.cache.warm-up"));
    }
    fields
}
