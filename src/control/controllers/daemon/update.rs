//! The rolling update: old pods go, or new ones come beside them, within `maxUnavailable` or
//! `maxSurge` (`rollingUpdate`).
//!
//! Upstream goes through nodes in the random order of a Go map; here in that of their
//! registration.

use super::{Sync, Todo};
use crate::api::PodId;
use crate::api::pod::Pod;
use crate::api::workload::IntOrPercent;

/// A pod with its id.
type One<'a> = Option<(PodId, &'a Pod)>;

impl Sync<'_> {
    /// The next step of the update.
    pub(super) fn rolling_update(&self, surge: IntOrPercent, unavailable: IntOrPercent) -> Todo {
        let desired = self.spots.iter().filter(|(spot, _)| spot.runs).count() as u32;
        match (surge.of(desired, true), unavailable.of(desired, true)) {
            (0, 0) => self.replace(1),
            (0, unavailable) => self.replace(unavailable),
            (surge, _) => self.surge(surge, desired),
        }
    }

    /// The pod of the present template and that of another one; `None`: there are several of a
    /// kind (`findUpdatedPodsOnNode`).
    fn new_and_old<'b>(&self, pods: &[(PodId, &'b Pod)]) -> Option<(One<'b>, One<'b>)> {
        let (mut new, mut old) = (None, None);
        for (id, pod) in pods.iter().filter(|(_, pod)| pod.deletion.is_none()) {
            let kind = if self.is_updated(pod) { &mut new } else { &mut old };
            if kind.replace((*id, *pod)).is_some() {
                return None;
            }
        }
        Some((new, old))
    }

    /// Deletes old pods: all that are not available, and as many others as may be.
    fn replace(&self, most: u32) -> Todo {
        let (mut away, mut unavailable, mut candidates) = (0, Vec::new(), Vec::new());
        for (_, pods) in self.spots.iter() {
            match self.new_and_old(pods) {
                Some((None, Some((id, old)))) if self.is_available(old) => candidates.push(id),
                Some((None, Some((id, _)))) => {
                    unavailable.push(id);
                    away += 1;
                }
                Some((Some((_, new)), None)) => away += u32::from(!self.is_available(new)),
                // None there, both, or too many: that is for `manage` to mend.
                _ => away += 1,
            }
        }
        let rest = most.saturating_sub(away) as usize;
        unavailable.extend(candidates.into_iter().take(rest));
        Todo { nodes: Vec::new(), pods: unavailable }
    }

    /// Creates new pods beside old ones, and deletes old ones whose new ones are available.
    fn surge(&self, most: u32, desired: u32) -> Todo {
        let mut todo = Todo::default();
        let (mut surging, mut available) = (0, 0);
        let (mut candidates, mut elsewhere) = (Vec::new(), Vec::new());
        for (spot, pods) in self.spots.iter() {
            let Some((new, old)) = self.new_and_old(pods) else {
                surging += 1;
                continue;
            };
            available += u32::from(old.or(new).is_some_and(|(_, pod)| self.is_available(pod)));
            let Some((id, old)) = old else { continue };
            match (new, spot.node) {
                (Some((_, new)), _) if self.is_available(new) => todo.pods.push(id),
                (Some(_), _) => surging += 1,
                // Upstream fails at a node that is gone, and does nothing until its pods are.
                (None, None) => return Todo::default(),
                (None, Some(node)) => match (self.is_available(old), spot.runs) {
                    (false, false) => todo.pods.push(id),
                    (false, true) => todo.nodes.push(node.name.clone()),
                    (true, false) => elsewhere.push(id),
                    (true, true) => candidates.push(node.name.clone()),
                },
            }
        }
        // Where pods are no longer meant to be they go as others become available.
        let spare = available.saturating_sub(desired) as usize;
        todo.pods.extend(elsewhere.into_iter().take(spare));
        let rest = most.saturating_sub(surging) as usize;
        todo.nodes.extend(candidates.into_iter().take(rest));
        todo
    }
}
