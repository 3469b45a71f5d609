//! Namespaces that are being deleted, and those that have been.
//!
//! A namespace is there from the start for whatever is in it; only its end makes it an object.

use super::Text;
use crate::units::SimTime;

/// A namespace at its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Namespace {
    /// `metadata.name`.
    pub name: Text,
    /// How far its end is.
    pub phase: NamespacePhase,
    /// Whether its controller has written that its content could not be deleted at once
    /// (`status.conditions`, the part that changes); `None`: it has written nothing yet.
    pub content_failure: Option<bool>,
}

/// How far the end of a namespace is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamespacePhase {
    /// It has a `deletionTimestamp`, this one, and `status.phase` Terminating.
    Terminating(SimTime),
    /// It is gone.
    Gone,
    /// It has been made again.
    Active,
}

impl Namespace {
    /// When its deletion was asked for, while it lasts.
    pub fn deletion(&self) -> Option<SimTime> {
        match self.phase {
            NamespacePhase::Terminating(at) => Some(at),
            NamespacePhase::Gone | NamespacePhase::Active => None,
        }
    }
}
