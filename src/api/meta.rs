//! What all objects have in common (`metav1.ObjectMeta`), as far as anything reads it.

use super::Text;
use super::labels::Labels;
use crate::units::SimTime;

/// `metadata` of an object that is neither a pod nor a node.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Meta {
    /// `name`.
    pub name: Text,
    /// `namespace`; empty for what is in none.
    pub namespace: Text,
    /// `labels`.
    pub labels: Labels,
    /// `generation`, raised with each change of the spec.
    pub generation: u64,
    /// When it was created (exact; the API cuts it to the second).
    pub created: SimTime,
    /// It has a `deletionTimestamp`, and a finalizer that says what becomes of its dependents.
    pub deletion: Option<Propagation>,
}

/// `propagationPolicy` of a deletion: what becomes of the objects that the deleted one owns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Propagation {
    /// They are deleted after it.
    #[default]
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay, and are nobody's.
    Orphan,
}
