//! Changing the size of ReplicaSets: scaling events, proportional scaling, the revision history.
//!
//! Source: kubernetes `pkg/controller/deployment/sync.go` (`scale`, `scaleReplicaSet`,
//! `cleanupDeployment`), `util/deployment_util.go` (`GetReplicaSetProportion`), v1.37.

use super::{Set, Sync, max_surge};
use crate::api::workload::{Deployment, Strategy};
use crate::control::controllers::action::Action;
use std::cmp::Reverse;

/// Where a set stands in [`Sync`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    New,
    Old(usize),
}

impl Sync<'_> {
    pub(super) fn at(&mut self, place: Place) -> Option<&mut Set> {
        match place {
            Place::New => self.new.as_mut(),
            Place::Old(index) => self.old.get_mut(index),
        }
    }

    fn seen(&self, place: Place) -> Option<&Set> {
        match place {
            Place::New => self.new.as_ref(),
            Place::Old(index) => self.old.get(index),
        }
    }

    /// Sets with `spec.replicas` above zero.
    fn active(&self) -> Vec<Place> {
        let places = (0..self.old.len()).map(Place::Old).chain([Place::New]);
        places.filter(|place| self.seen(*place).is_some_and(|set| set.replicas > 0)).collect()
    }

    /// Gives a set this many replicas; true when that is a change. With `force` the annotations are
    /// brought up to date even if the number stays.
    pub(super) fn resize(&mut self, place: Place, replicas: u32, force: bool) -> bool {
        let d = self.deployment;
        let (desired, max) = (d.replicas, d.replicas + max_surge(d));
        let Some(set) = self.at(place) else { return false };
        let before = set.replicas;
        let marks = (set.desired, set.max) != (desired, max);
        if before == replicas && !(force && marks) {
            return false;
        }
        (set.replicas, set.desired, set.max) = (replicas, desired, max);
        let (Some(id), name) = (set.id, set.name.clone()) else { return false };
        self.outcome.then(Action::ScaleReplicaSet { set: id, replicas, desired, max });
        if before != replicas {
            let way = if before < replicas { "up" } else { "down" };
            self.tell(format!("Scaled {way} replica set {name} from {before} to {replicas}"));
        }
        before != replicas
    }

    /// After the Deployment was scaled, or while it is paused: one active set takes the whole
    /// change, several share it in proportion to their size.
    pub(super) fn scale(&mut self) {
        let d = self.deployment;
        let active = self.active();
        match active.as_slice() {
            [] => {
                let latest = if self.new.is_some() {
                    Some(Place::New)
                } else {
                    self.old.len().checked_sub(1).map(Place::Old)
                };
                if let Some(place) = latest {
                    self.resize(place, d.replicas, false);
                }
            }
            [only] => {
                self.resize(*only, d.replicas, false);
            }
            _ if self.is_saturated() => {
                for index in 0..self.old.len() {
                    self.resize(Place::Old(index), 0, false);
                }
            }
            _ if matches!(d.strategy, Strategy::RollingUpdate { .. }) => self.share(active),
            _ => {}
        }
    }

    fn is_saturated(&self) -> bool {
        let wanted = self.deployment.replicas;
        self.new.as_ref().is_some_and(|new| {
            new.replicas == wanted && new.desired == wanted && new.status.available == wanted
        })
    }

    /// Shares what is missing or too much among the active sets, the largest first.
    fn share(&mut self, mut active: Vec<Place>) {
        let d = self.deployment;
        let allowed = if d.replicas > 0 { d.replicas + max_surge(d) } else { 0 };
        let change = i64::from(allowed) - i64::from(self.total());
        active.sort_by(|a, b| {
            let (Some(a), Some(b)) = (self.seen(*a), self.seen(*b)) else {
                return std::cmp::Ordering::Equal;
            };
            // Of equal ones the newer grows first and the older shrinks first.
            let age = if change > 0 { b.age().cmp(&a.age()) } else { a.age().cmp(&b.age()) };
            Reverse(a.replicas).cmp(&Reverse(b.replicas)).then(age)
        });
        let mut shared = 0;
        let mut sizes = Vec::new();
        for place in &active {
            let Some(set) = self.seen(*place) else { continue };
            let part = proportion(set, d, change, shared);
            shared += part;
            sizes.push((*place, i64::from(set.replicas) + part));
        }
        if let Some(first) = sizes.first_mut() {
            first.1 = (first.1 + change - shared).max(0);
        }
        for (place, size) in sizes {
            self.resize(place, u32::try_from(size).unwrap_or(0), true);
        }
    }

    /// Removes the oldest revisions above `revisionHistoryLimit`. A set whose pods still terminate
    /// waits for the next sync: here nothing collects them after their owner.
    pub(super) fn clean_up_history(&mut self) {
        let limit = self.deployment.revision_history_limit as usize;
        let surplus = self.old.len().saturating_sub(limit);
        let mut by_revision: Vec<&Set> = self.old.iter().collect();
        by_revision.sort_by_key(|set| set.revision);
        let removable = |set: &&Set| {
            let empty = set.id.is_some_and(|id| self.store.pods_of(id).is_empty());
            set.status.replicas == 0 && set.replicas == 0 && set.observed && empty
        };
        let removed: Vec<_> =
            by_revision.into_iter().take(surplus).filter(removable).filter_map(|s| s.id).collect();
        for set in removed {
            self.outcome.then(Action::DeleteReplicaSet { set });
        }
    }
}

/// A set's share of `change`, of which `shared` is given away already.
fn proportion(set: &Set, d: &Deployment, change: i64, shared: i64) -> i64 {
    if set.replicas == 0 || change == shared {
        return 0;
    }
    let left = change - shared;
    let fraction = fraction(set, d);
    if change > 0 { fraction.min(left) } else { fraction.max(left) }
}

/// By how much a set would grow if it kept its share of the Deployment.
fn fraction(set: &Set, d: &Deployment) -> i64 {
    let size = i64::from(set.replicas);
    if d.replicas == 0 {
        return -size;
    }
    let before = if set.max > 0 { set.max } else { d.status.replicas };
    if before == 0 {
        return 0;
    }
    let whole = f64::from(d.replicas + max_surge(d));
    // Never negative, so that rounding half up is rounding as upstream.
    (f64::from(set.replicas) * whole / f64::from(before) + 0.5) as i64 - size
}
