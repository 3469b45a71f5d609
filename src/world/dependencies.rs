//! What the cluster depends on and does not run: how large it is at present, and its rows.
//!
//! It knows the scenario's timeline and the network's stations, no pods.

use super::world::World;
use crate::record::rows::WorkloadSample;
use crate::scenario::model::Happening;
use crate::units::{MilliCpu, SimDuration};

impl World<'_> {
    /// A dependency's replicas at present: as the last entry of the timeline says that has begun
    /// and is not over.
    pub(super) fn replicas_of(&self, dependency: usize) -> u32 {
        let begun = self.scenario.timeline.iter().filter(|entry| entry.at <= self.now);
        let present = begun.filter(|entry| entry.until.is_none_or(|until| until > self.now));
        let mut says = present.filter_map(|entry| match entry.what {
            Happening::Dependency { dependency: d, replicas } if d == dependency => Some(replicas),
            _ => None,
        });
        says.next_back().unwrap_or(self.scenario.dependencies[dependency].replicas)
    }

    /// Dependencies are as large as they are told to be.
    pub(super) fn dependencies_follow(&mut self) {
        let services = self.scenario.objects.destinations().count();
        for dependency in 0..self.scenario.dependencies.len() {
            let replicas = self.replicas_of(dependency);
            self.network.set_replicas(services + dependency, replicas);
        }
        self.traffic_changed = true;
    }

    /// How large a dependency is, for the story.
    pub(super) fn told_of(&self, dependency: usize, replicas: u32) -> String {
        let name = &self.scenario.dependencies[dependency].name;
        match replicas {
            0 => format!("{name} is gone"),
            1 => format!("{name} has one replica"),
            _ => format!("{name} has {replicas} replicas"),
        }
    }

    /// Writes the rows of dependencies for the interval that ends now.
    pub(super) fn observe_dependencies(&mut self, interval: SimDuration) {
        for dependency in 0..self.scenario.dependencies.len() {
            let replicas = self.replicas_of(dependency);
            let station = self.scenario.workloads.len() + dependency;
            let row = self.observe_station(station, interval);
            self.recorder.workload_sample(WorkloadSample {
                desired: replicas,
                current: replicas,
                ready: replicas,
                cpu_used: MilliCpu::ZERO,
                ..row
            });
        }
    }
}
