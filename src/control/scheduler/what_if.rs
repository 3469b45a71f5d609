//! Would a pod fit on a node, were there such a node? For the Cluster Autoscaler and for planners.
//!
//! It runs PreFilter and Filter of a profile on nodes that need not exist; it knows neither the
//! scheduler's cache nor its queue.
//!
//! Source of the idea: cluster-autoscaler `simulator/clustersnapshot`, `SchedulePod`.

use super::claim_uses::NO_USES;
use super::config::ProfileConfiguration;
use super::framework::{Context, NodeIndex, NodeList, PluginId, Status};
use super::node_info::NodeInfo;
use super::objects::Objects;
use super::pod_info::PodInfo;
use super::profile::{ConfigurationError, CycleState, Profile};
use super::registry;
use super::version::Version;
use crate::units::SimTime;

/// Asks a profile's filters about suppositions.
pub struct WhatIf {
    profile: Profile,
}

/// Why a pod does not fit.
#[derive(Clone, PartialEq, Debug)]
pub struct Unfit {
    /// The plugin that says so; `None` when several together leave no node.
    pub plugin: Option<PluginId>,
    /// Its words.
    pub status: Status,
}

impl Unfit {
    /// The plugin's name.
    pub fn plugin_name(&self) -> &'static str {
        self.plugin.map_or("", registry::name_of)
    }
}

/// A pod whose PreFilter has been run against a set of nodes, to be asked about each of them.
pub struct Question<'a> {
    profile: &'a Profile,
    cx: Context<'a>,
    pod: &'a PodInfo,
    state: CycleState,
    only: Option<Vec<crate::api::Text>>,
}

impl WhatIf {
    /// With the filters of this profile.
    pub fn new(profile: &ProfileConfiguration) -> Result<WhatIf, ConfigurationError> {
        Ok(WhatIf { profile: Profile::new(profile)? })
    }

    /// Prepares the question whether `pod` fits on one of `nodes`, in a cluster of just these
    /// nodes (affinity and spreading see no others). `order` must be `0..nodes.len()`.
    pub fn ask<'a>(
        &'a self,
        pod: &'a PodInfo,
        nodes: &'a [NodeInfo],
        order: &'a [NodeIndex],
        objects: &'a Objects,
    ) -> Result<Question<'a>, Unfit> {
        let nodes = NodeList { infos: nodes, order };
        let cx = Context {
            nodes,
            with_affinity: nodes,
            with_required_anti_affinity: nodes,
            objects,
            claim_uses: &NO_USES,
            now: SimTime::ZERO,
            version: Version::default(),
        };
        let found = self.profile.run_pre_filter(&cx, pod);
        match found.rejected {
            Some((plugin, status)) => Err(Unfit { plugin, status }),
            None => Ok(Question {
                profile: &self.profile,
                cx,
                pod,
                state: found.state,
                only: found.nodes,
            }),
        }
    }

    /// Whether `pod` fits on `node`, taken as a cluster of one with these objects.
    pub fn fits(&self, pod: &PodInfo, node: &NodeInfo, objects: &Objects) -> Result<(), Unfit> {
        self.ask(pod, std::slice::from_ref(node), &[NodeIndex(0)], objects)?.fits_on(0)
    }
}

impl Question<'_> {
    /// Whether the pod fits on the node at this place.
    pub fn fits_on(&self, node: usize) -> Result<(), Unfit> {
        let info = &self.cx.nodes.infos[node];
        if self.only.as_ref().is_some_and(|names| !names.contains(info.name())) {
            let status = Status::unresolvable(&["node(s) didn't satisfy plugin(s)"]);
            return Err(Unfit { plugin: None, status });
        }
        let verdict = self.profile.run_filter(&self.cx, &self.state, self.pod, info);
        verdict.map_err(|(plugin, status)| Unfit { plugin: Some(plugin), status })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{node, pod_info, spec};
    use super::*;
    use crate::api::PodId;
    use std::sync::Arc;

    #[test]
    fn a_node_that_does_not_exist_is_filled_pod_by_pod() {
        let what_if = WhatIf::new(&ProfileConfiguration::default()).unwrap();
        let pod = pod_info(PodId::default(), spec(1500, 1024));
        let objects = Objects::default();
        let mut info = NodeInfo::new(Arc::new(node("template")));
        for _ in 0..2 {
            assert_eq!(what_if.fits(&pod, &info, &objects), Ok(()));
            info.add_pod(pod.clone());
        }
        let unfit = what_if.fits(&pod, &info, &objects).unwrap_err();
        assert_eq!(unfit.plugin_name(), "NodeResourcesFit");
        assert_eq!(unfit.status.message(), "Insufficient cpu");
    }
}
