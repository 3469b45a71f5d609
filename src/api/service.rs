//! Services and the endpoints behind them.

use super::labels::{Labels, Selector};
use super::{PodId, Text};

/// A Service together with its EndpointSlices' content.
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.selector`; a Service without one has no endpoints of its own.
    pub selector: Option<Selector>,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// Endpoints with condition `ready`, as the EndpointSlice controller last wrote them, sorted.
    pub endpoints: Vec<PodId>,
}
