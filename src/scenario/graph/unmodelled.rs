//! What of calls, clients and balancing is understood and has no effect yet: told by `validate`.
//!
//! A field leaves these lists with the simulation that gives it a meaning.

use super::file::{CallFile, CallsFile, LevelFile};
use crate::scenario::file::ScenarioFile;
use crate::scenario::model::Ignored;
use crate::scenario::resolve::Resolver;

/// Fields of a workload.
const WORKLOAD: &[&str] = &["service-time", "warm-up", "shed"];
/// Fields of a call.
const CALL: &[&str] =
    &["fan-out", "timeout", "retries", "circuit-breaker", "connections", "cache", "optional"];
/// Fields of an entry of the traffic.
const TRAFFIC: &[&str] = &["arrivals", "users", "think", "timeout", "retries", "zones"];
/// Fields of a Service.
const SERVICE: &[&str] = &["balancing"];

impl Resolver<'_> {
    /// Fields that are given and have no effect yet.
    pub(in crate::scenario) fn unmodelled(&mut self, file: &ScenarioFile) -> Vec<Ignored> {
        let mut found = Vec::new();
        for (name, workload) in &file.workloads {
            let place = format!("workloads.{name}");
            let mut fields = self.given_of(&place, "", WORKLOAD);
            if workload.level == Some(LevelFile::Requests) {
                fields.push("level".to_string());
            }
            if let CallsFile::Steps(steps) = &workload.calls {
                for (index, step) in steps.iter().enumerate() {
                    fields.extend(self.of_step(&place, &format!("calls[{index}]"), step));
                }
            }
            found.extend(self.without_effect_yet(&place, fields));
        }
        for name in file.services.keys() {
            let place = format!("services.{name}");
            let fields = self.given_of(&place, "", SERVICE);
            found.extend(self.without_effect_yet(&place, fields));
        }
        for (index, traffic) in file.traffic.iter().enumerate() {
            let place = format!("traffic[{index}]");
            if traffic.users.is_some() {
                let hint = "give a `rate`".to_string();
                self.error(&format!("{place}.users"), "is not modelled yet", Some(hint));
            }
            let fields = self.given_of(&place, "", TRAFFIC);
            found.extend(self.without_effect_yet(&place, fields));
        }
        found
    }

    fn of_step(&self, place: &str, path: &str, step: &CallFile) -> Vec<String> {
        let side_by_side = step.parallel.as_deref().unwrap_or_default().iter().enumerate();
        let mut fields: Vec<String> = side_by_side
            .flat_map(|(index, call)| {
                self.of_step(place, &format!("{path}.parallel[{index}]"), call)
            })
            .collect();
        fields.extend(self.given_of(place, &format!("{path}."), CALL));
        fields
    }

    /// Those of the fields that are given at a place, with what leads there.
    fn given_of(&self, place: &str, before: &str, fields: &[&str]) -> Vec<String> {
        let node = self.tree.nearest(&format!("{place}.{}", before.trim_end_matches('.')));
        let given = fields.iter().filter(|field| node.get(field).is_some());
        given.map(|field| format!("{before}{field}")).collect()
    }

    fn without_effect_yet(&self, place: &str, fields: Vec<String>) -> Option<Ignored> {
        let span = &self.tree.nearest(place).span;
        let (line, _) = self.sources.out.line_column(&self.name, span.start);
        let reason = "not modelled yet".to_string();
        let (file, object) = (self.name.clone(), place.to_string());
        (!fields.is_empty()).then_some(Ignored { file, line, object, fields, reason })
    }
}
