//! The limits of a scenario that somebody has set, each as the override that lifts it: to ten times
//! as much.
//!
//! It is asked what could break, not whether it does.

use super::dependencies::Dependency;
use super::model::{NodeGroup, Scenario};
use crate::api::autoscaling::Hpa;
use crate::api::workload::Deployment;

/// So many times the limit is as good as none.
const LIFTED: u32 = 10;

/// `path=value` for `maxReplicas`, sizes of node groups, the total of nodes, the cloud's quota,
/// replicas of dependencies and CPU limits of containers.
pub fn lifts(scenario: &Scenario) -> Vec<String> {
    let mut found = Vec::new();
    let flags = &scenario.flags;
    if let Some(autoscaler) = &flags.cluster_autoscaler {
        let scales = scenario.node_groups.iter().filter(|group| group.autoscaled);
        found.extend(scales.filter_map(size));
        if autoscaler.max_nodes_total > 0 {
            found.push("flags.cluster-autoscaler.max-nodes-total=0".to_owned());
        }
        if let Some(quota) = flags.cloud.cpu_quota {
            found.push(format!("flags.cloud.cpu-quota={}", quota.saturating_mul(LIFTED)));
        }
    }
    found.extend(scenario.objects.hpas.iter().filter_map(|(hpa, _)| most_replicas(hpa)));
    found.extend(scenario.dependencies.iter().filter_map(replicas));
    found.extend(scenario.objects.deployments.iter().flat_map(cpu_limits));
    found
}

/// Whether a path can name it.
fn can_be_named(name: &str) -> bool {
    !name.contains(['.', '[', '*', '='])
}

fn size(group: &NodeGroup) -> Option<String> {
    let max = group.max.saturating_mul(LIFTED);
    can_be_named(&group.name).then(|| format!("nodes.{}.max={max}", group.name))
}

/// A namespace in front of a name, where it is not the default one.
fn within(namespace: &str) -> String {
    if namespace == "default" { String::new() } else { format!("{namespace}/") }
}

fn most_replicas(hpa: &Hpa) -> Option<String> {
    let max = hpa.max_replicas.saturating_mul(LIFTED);
    let space = within(&hpa.namespace);
    can_be_named(&hpa.name).then(|| format!("hpa/{space}{}.spec.maxReplicas={max}", hpa.name))
}

fn replicas(dependency: &Dependency) -> Option<String> {
    let (name, lifted) = (&dependency.name, dependency.replicas.saturating_mul(LIFTED));
    can_be_named(name).then(|| format!("dependencies.{name}.replicas={lifted}"))
}

fn cpu_limits(deployment: &Deployment) -> Vec<String> {
    let (space, name) = (within(&deployment.namespace), &deployment.name);
    let containers = deployment.template.spec.containers.iter();
    let limited = containers.filter(|c| can_be_named(&c.name) && can_be_named(name));
    let lift = |c: &crate::api::pod::Container| {
        let lifted = c.cpu_limit?.0.saturating_mul(i64::from(LIFTED));
        let path = format!("spec.template.spec.containers.{}.resources.limits.cpu", c.name);
        Some(format!("deployment/{space}{name}.{path}={lifted}m"))
    };
    limited.filter_map(lift).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load};
    use std::path::Path;

    #[test]
    fn what_is_lifted_can_be_set() {
        let file = Path::new("scenarios/pokemon-go/launch-50x.yaml");
        let lifts = lifts(&load(file, &Overrides::default()).unwrap());
        assert!(lifts.contains(&"nodes.pool.max=10000".to_owned()), "{lifts:?}");
        let autoscalers = lifts.iter().filter(|lift| lift.starts_with("hpa/")).count();
        assert_eq!(autoscalers, 12, "{lifts:?}");
        let file_with_database = Path::new("scenarios/pokemon-go/opening-days.yaml");
        let database = super::lifts(&load(file_with_database, &Overrides::default()).unwrap());
        assert!(database.contains(&"dependencies.datastore.replicas=100".to_owned()));
        let lifted = load(file, &Overrides { set: lifts, until: None }).unwrap();
        assert_eq!(lifted.node_groups[0].max, 10_000);
    }
}
