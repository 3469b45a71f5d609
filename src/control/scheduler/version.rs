//! Whose rules count: the minor version of kube-scheduler, and how older ones differ from 1.37.
//!
//! Everything here is written after 1.37. What older versions decide otherwise, and what is heeded
//! of it, stands in this file; each place that has two ways asks it. Source: the same files of
//! `pkg/scheduler` in v1.34.0, v1.35.0, v1.36.0 and v1.37.2, and the defaults in
//! `pkg/features/kube_features.go`.
//!
//! One thing is not here since it does not differ: all of them compute the number of feasible nodes
//! to find from the list that is searched, which a PreFilter result may have narrowed.

/// A minor version of Kubernetes whose scheduler is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// The last one that draws among equal nodes.
    V1_34,
    /// Ties go by the layout of a heap; equal pods in a row may share.
    V1_35,
    /// Balance is scored as a change; nodes declare features.
    V1_36,
    /// The one that everything else is written after.
    #[default]
    V1_37,
}

impl Version {
    /// All that are known, oldest first.
    pub const ALL: [Version; 4] = [Version::V1_34, Version::V1_35, Version::V1_36, Version::V1_37];

    /// As people write it: `1.37`.
    pub fn name(self) -> &'static str {
        match self {
            Version::V1_34 => "1.34",
            Version::V1_35 => "1.35",
            Version::V1_36 => "1.36",
            Version::V1_37 => "1.37",
        }
    }

    /// The version that a release like `1.36.0` or `v1.36` is one of.
    pub fn of_release(release: &str) -> Option<Version> {
        let release = release.strip_prefix('v').unwrap_or(release);
        let is_release = |version: &Version| {
            let patch = release.strip_prefix(version.name());
            patch.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        Version::ALL.into_iter().find(is_release)
    }

    /// Whether one of several best nodes is drawn, each as likely as the others (`selectHost`).
    /// Since 1.35 the root of a heap over the feasible nodes is the winner.
    pub fn draws_among_ties(self) -> bool {
        self <= Version::V1_34
    }

    /// Whether the reason of TaintToleration names the taint.
    pub fn names_the_taint(self) -> bool {
        self <= Version::V1_34
    }

    /// Whether DynamicResources says in the message of every pod that it has nothing to do.
    pub fn tells_of_no_claims(self) -> bool {
        self <= Version::V1_36
    }

    /// Whether the message of a pod for which victims were found says so.
    pub fn tells_of_victims(self) -> bool {
        self >= Version::V1_37
    }

    /// Whether OpportunisticBatching is there, and on by default.
    pub fn batches(self) -> bool {
        self >= Version::V1_35
    }

    /// Whether batching scores the last pod's node again if it is still feasible. Before, what was
    /// kept was thrown away then.
    pub fn rescores_the_last_node(self) -> bool {
        self >= Version::V1_37
    }

    /// Whether NodeResourcesBalancedAllocation scores by how much better balanced a pod makes a
    /// node. Before, by how balanced it then is.
    pub fn scores_change_of_balance(self) -> bool {
        self >= Version::V1_36
    }

    /// Whether NodeDeclaredFeatures is there, and on by default.
    pub fn heeds_node_features(self) -> bool {
        self >= Version::V1_36
    }

    /// Whether ImageLocality finds images of image volumes.
    pub fn finds_image_volumes(self) -> bool {
        self >= Version::V1_36
    }

    /// Whether they also count among the images that a pod wants.
    pub fn counts_image_volumes(self) -> bool {
        self >= Version::V1_37
    }

    /// Whether the gate StorageCapacityScoring is on: VolumeBinding scores by free capacity.
    pub fn scores_storage_capacity(self) -> bool {
        self >= Version::V1_37
    }

    /// Whether the gate VolumeLimitScaling is on: a CSI driver may insist on being on the node.
    pub fn heeds_missing_csi_drivers(self) -> bool {
        self >= Version::V1_37
    }
}

#[cfg(test)]
mod tests;
