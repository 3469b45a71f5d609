//! Spot machines: the cloud announces that it wants one back, and takes it.
//!
//! When a machine's end comes is drawn once, at its registration, from a stream of its own, or the
//! timeline says it. A group keeps its size, as scaling groups of the clouds do: another machine is
//! asked for at once. It does not know why the cloud wants a machine back.

use super::cloud::{MachineId, MachineState, entity};
use super::event::{Event, MachineStep};
use super::world::World;
use crate::api::event::EventType::Warning;
use crate::api::{NodeId, Text};
use crate::control::controllers::action::About;
use crate::record::story::Moment;
use crate::scenario::market::OnNotice;
use crate::units::SimDuration;

/// How often a group asks again for a machine that it was refused (assumed; AWS documents no more
/// than that a scaling group keeps trying).
const ASKS_AGAIN: SimDuration = SimDuration::from_secs(60);

impl World<'_> {
    /// A machine has registered: when the cloud will want it back is decided now.
    pub(super) fn plan_interruption(&mut self, machine: MachineId) {
        let Some(m) = self.cloud.machines.get(machine) else { return };
        let spot = self.scenario.node_groups[m.group].spot.as_ref();
        let Some(interruption) = spot.and_then(|spot| spot.interruption.as_ref()) else { return };
        let mut stream = self.streams.stream("spot interruption", entity(m.group, m.ordinal));
        let lives = SimDuration::from_secs_f64(interruption.sample(&mut stream));
        self.plan(self.now + lives, Event::Machine(machine, MachineStep::Interrupted));
    }

    /// Machines of nodes that the timeline names, if they are spot machines.
    pub(super) fn interrupt(&mut self, nodes: Vec<NodeId>) {
        for node in nodes {
            let Some(machine) = self.nodes.get(node).map(|state| state.machine) else { continue };
            // What comes of it is the same as if the cloud had thought of it by itself.
            self.plan(self.now, Event::Machine(machine, MachineStep::Interrupted));
        }
    }

    /// The cloud announces that it takes a machine back.
    pub(super) fn machine_interrupted(&mut self, machine: MachineId) {
        let Some(m) = self.cloud.machines.get_mut(machine) else { return };
        let Some(spot) = &self.scenario.node_groups[m.group].spot else { return };
        if m.state == MachineState::Deleting || std::mem::replace(&mut m.interrupted, true) {
            return;
        }
        let node = m.node.filter(|node| self.store.node(*node).is_some());
        self.plan(self.now + spot.notice, Event::Machine(machine, MachineStep::Reclaimed));
        let Some((id, name)) = node.zip(self.node_name(node)) else { return };
        self.recorder.totals.spot_interruptions += 1;
        let notice = spot.notice;
        self.tell_once(Moment::SpotInterrupted, || {
            format!("the cloud takes the first spot machine back: {name}, in {notice}")
        });
        let message = format!("Spot machine of node {name} is interrupted in {notice}");
        self.publish(
            "cloud-controller-manager",
            Warning,
            "SpotInterruption",
            About::Node(id),
            message,
        );
        if let Some(number) = self.claim_of(machine) {
            let m = &self.cloud.machines[machine];
            let (group, zone) = (m.group, m.zone.clone());
            return self.claim_interrupted(number, group, &zone);
        }
        match spot.on_notice {
            OnNotice::Drain => self.drain(&[name]),
            OnNotice::Shutdown if self.shuts_down_gracefully() => self.begin_shutdown(id, None, 0),
            OnNotice::Shutdown | OnNotice::Nothing => {}
        }
    }

    fn node_name(&self, node: Option<NodeId>) -> Option<Text> {
        self.store.node(node?).map(|node| node.name.clone())
    }

    /// The notice is over: the machine is gone, and its group asks for another one.
    pub(super) fn machine_reclaimed(&mut self, machine: MachineId) {
        let is_claimed = self.claim_of(machine).is_some();
        let Some(group) = self.cloud.reclaim(machine) else { return };
        self.machine_gone(machine);
        if !is_claimed {
            self.refill(group);
        }
    }

    /// A group that the cloud has taken a machine from asks for another one.
    pub(super) fn refill(&mut self, group: usize) {
        if self.cloud.target(group) >= self.cloud.max(group) {
            return;
        }
        if !self.create_machines(group, 1) && self.cloud.is_below_minimum(group) {
            // Above it, who wants more asks for more.
            self.plan(self.now + ASKS_AGAIN, Event::Refill(group as u32));
        }
        self.autoscaler_changed();
    }
}
