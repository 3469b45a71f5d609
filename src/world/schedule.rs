//! The scheduler on the virtual clock.
use super::world::World;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::{NodeId, PodId};
use crate::control::flags::SchedulerFlags;

/// What the scheduler's informers bring.
#[derive(Debug)]
pub(super) enum Notice {
    Pod(PodId),
    PodGone(PodId, Box<Pod>),
    Node(NodeId),
    NodeGone(NodeId, Box<Node>),
}
pub(super) struct SchedulerDriver;
impl SchedulerDriver {
    pub(super) fn new(_: &SchedulerFlags) -> Self {
        SchedulerDriver
    }
}
impl World<'_> {
    pub(super) fn scheduler_sees(&mut self, _n: Notice) {}
    pub(super) fn on_scheduler(&mut self) {}
    pub(super) fn on_bind(&mut self, _p: PodId, _n: NodeId) {}
    pub(super) fn on_unschedulable(&mut self, _p: PodId) {}
}
