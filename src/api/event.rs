//! Kubernetes Events: only what is common to those who publish and those who record them.

/// `type` of an Event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// For information.
    Normal,
    /// Something may be wrong.
    Warning,
}
