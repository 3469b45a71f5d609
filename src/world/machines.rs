//! Machines and their nodes: registration, Ready, return, deletion.

use super::cloud::{self, MachineId, MachineState, entity};
use super::event::{Event, MachineStep};
use super::kubelet::{Images, NodeState};
use super::world::World;
use crate::api::convert::node_features::RESTART_ALL_CONTAINERS;
use crate::api::event::EventType::Normal;
use crate::api::labels::Labels;
use crate::api::node::{INSTANCE_TYPE_LABEL, Node, NodeReady, REGION_LABEL, ZONE_LABEL};
use crate::api::taint::{NOT_READY, Taint, TaintEffect};
use crate::api::{NodeId, Text};
use crate::control::controllers::action::About;
use crate::control::karpenter::News;
use crate::record::rows::NodeRow;
use crate::record::story::Moment;
use crate::scenario::model::NodeGroup;
use crate::units::{OptionalTime, SimTime};
use std::sync::Arc;

/// The node object that a machine of a group makes, without its name.
pub(super) fn node_of(group: &NodeGroup, index: usize, zone: &str) -> Node {
    let region = zone.rsplit_once('-').map_or(zone, |(region, _)| region);
    let mut pairs: Vec<_> = group.labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    // Kubelets and cloud providers still set the old names too, and manifests still select by them.
    for (name, old, value) in [
        (INSTANCE_TYPE_LABEL, "beta.kubernetes.io/instance-type", &*group.machine.name),
        ("kubernetes.io/os", "beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "beta.kubernetes.io/arch", "amd64"),
        (ZONE_LABEL, "failure-domain.beta.kubernetes.io/zone", zone),
        (REGION_LABEL, "failure-domain.beta.kubernetes.io/region", region),
    ] {
        if !value.is_empty() {
            pairs.push((name.into(), value.into()));
            pairs.push((old.into(), value.into()));
        }
    }
    Node {
        name: group.name.clone(),
        labels: Labels::new(pairs),
        taints: group.taints.clone(),
        capacity: group.machine.capacity.clone().into(),
        allocatable: group.machine.allocatable.clone().into(),
        max_pods: group.machine.max_pods,
        group: index,
        // Kubelets declare more; of no other does the scheduler ask.
        declared_features: Arc::new([RESTART_ALL_CONTAINERS.into()]),
        ..Node::empty()
    }
}

/// What a new node of a group leaves for other pods than its static ones: what the cluster
/// autoscaler counts with.
pub(super) fn fresh_node_of(group: &NodeGroup, index: usize, zone: &str) -> Node {
    let mut node = node_of(group, index, zone);
    let mut left = group.machine.allocatable.clone();
    group.static_pods.iter().for_each(|pod| left.subtract(&pod.spec.requests()));
    node.allocatable = left.into();
    node.max_pods = node.max_pods.saturating_sub(group.static_pods.len() as u32);
    node
}

impl World<'_> {
    /// A step of a machine is due.
    pub(super) fn on_machine(&mut self, machine: MachineId, step: MachineStep) {
        if self.outages.is_down() && self.would_register(machine, step) {
            return self.outages.hold(self.now, Event::Machine(machine, step));
        }
        match step {
            MachineStep::Registers => self.machine_registers(machine),
            MachineStep::Ready => self.machine_ready(machine),
            MachineStep::Returns => self.machine_boots_again(machine),
            MachineStep::Gone => self.machine_gone(machine),
            MachineStep::Interrupted => self.machine_interrupted(machine),
            MachineStep::Reclaimed => self.machine_reclaimed(machine),
        }
    }

    /// Whether a kubelet makes its node object with this step.
    fn would_register(&self, machine: MachineId, step: MachineStep) -> bool {
        let node = self.cloud.machines.get(machine).and_then(|machine| machine.node);
        let is_new = node.is_none_or(|node| self.store.node(node).is_none());
        is_new && matches!(step, MachineStep::Registers | MachineStep::Returns)
    }

    /// Asks the cloud for machines of a group.
    pub(super) fn create_machines(&mut self, group: usize, count: u32) -> bool {
        let (accepted, shortage) = self.cloud.create(self.now, group, count, &self.streams);
        for one in &accepted {
            self.ledger.open(self.now, &self.scenario.node_groups[group].machine);
            if one.registers != SimTime::NEVER {
                self.plan(one.registers, Event::Machine(one.machine, MachineStep::Registers));
            }
        }
        if let Some(why) = shortage {
            self.tell_of_shortage(group, why);
        }
        shortage.is_none()
    }

    fn machine_registers(&mut self, machine: MachineId) {
        let Some(m) = self.cloud.machines.get(machine) else { return };
        if m.state != MachineState::Booting || self.cloud.zones_down.contains(&m.zone) {
            return;
        }
        let node = self.register(machine, NodeReady::False);
        self.make_mirrors(node);
        self.bind_pods_of(node);
        let ready = self.now + self.cloud.ready_time(machine, &self.streams);
        self.plan(ready, Event::Machine(machine, MachineStep::Ready));
        let name = self.store.node(node).map(|n| n.name.clone()).unwrap_or_else(|| "".into());
        self.tell_once(Moment::FirstNodeJoins, || format!("the first new node joins: {name}"));
    }

    /// Makes the node object of a machine.
    pub(super) fn register(&mut self, machine: MachineId, ready: NodeReady) -> NodeId {
        let now = self.now;
        let m = &mut self.cloud.machines[machine];
        m.state = MachineState::Running;
        let (group, ordinal, zone) = (m.group, m.ordinal, m.zone.clone());
        let claimed = m.claimed.clone();
        let mut node = self.node_shape(group, &zone);
        node.name =
            match (&claimed, self.scenario.node_groups[group].node_names.get(ordinal as usize)) {
                (Some(claimed), _) => claimed.name.clone(),
                (None, Some(name)) => name.clone(),
                (None, None) => format!("{}-{ordinal}", node.name).into(),
            };
        if let Some(claimed) = &claimed {
            let own = node.labels.iter().map(|(key, value)| (key.clone(), value.clone()));
            node.labels = Labels::new(own.chain(claimed.labels.iter().cloned()).collect());
            node.taints.extend(claimed.taints.iter().cloned());
        }
        node.labels = node.labels.with(self.hostname_label.clone(), node.name.clone());
        (node.ready, node.ready_changed, node.created) = (ready, now, now);
        if ready != NodeReady::True {
            // The TaintNodesByCondition admission plugin taints every new node.
            node.taints.push(Taint::new(NOT_READY, TaintEffect::NoSchedule, now));
        }
        let id = self.store.create_node(node);
        self.cloud.register(machine, id);
        let period = self.scenario.flags.kubelet.lease_renew_interval;
        let mut stream = self.streams.stream("lease phase", entity(group, ordinal));
        let state = NodeState {
            machine,
            alive: true,
            silent_since: OptionalTime::NONE,
            lease_phase: SimTime(now.0 + stream.below(period.0.max(1))),
            start_gate: now,
            images: Images::default(),
            first_ready: if ready == NodeReady::True { now } else { SimTime::NEVER },
            pods_peak: 0,
            busy_wh: 0.0,
            unreported: Vec::new(),
            crashes: 0,
        };
        self.nodes.insert(id, state);
        self.plan_interruption(machine);
        if let Some(claimed) = claimed {
            self.claim_hears(claimed.number, &News::Registered(id));
        }
        id
    }

    /// What nodes of a group and zone have in common; made once, so that they share its strings.
    fn node_shape(&mut self, group: usize, zone: &Text) -> Node {
        let groups = &self.scenario.node_groups;
        let make = || node_of(&groups[group], group, zone);
        self.node_shapes.entry((group, zone.clone())).or_insert_with(make).clone()
    }

    fn machine_ready(&mut self, machine: MachineId) {
        let node = self.cloud.machines.get(machine).and_then(|m| m.node);
        if let Some(node) = node.filter(|node| self.nodes.get(*node).is_some_and(|n| n.alive)) {
            self.node_reports_ready(node);
        }
    }

    /// The kubelet's status says Ready.
    pub(super) fn node_reports_ready(&mut self, node: NodeId) {
        let now = self.now;
        let Some(state) = self.nodes.get_mut(node) else { return };
        state.first_ready = state.first_ready.min(now);
        let mut changed = false;
        self.store.update_node(node, |n| {
            changed = n.ready != NodeReady::True;
            (n.ready, n.ready_changed) = (NodeReady::True, now);
            changed
        });
        if changed {
            let name = self.store.node(node).map(|n| n.name.clone()).unwrap_or_else(|| "".into());
            let message = format!("Node {name} status is now: NodeReady");
            self.publish("kubelet", Normal, "NodeReady", About::Node(node), message);
        }
    }

    fn machine_boots_again(&mut self, machine: MachineId) {
        let Some(m) = self.cloud.machines.get_mut(machine) else { return };
        if m.state != MachineState::Down {
            return;
        }
        m.state = MachineState::Running;
        match m.node.filter(|node| self.store.node(*node).is_some()) {
            Some(node) => self.machine_returns(node),
            None => {
                // Its node object was deleted meanwhile: it registers as a new one.
                if let Some(old) = m.node {
                    self.nodes.remove(old);
                }
                let node = self.register(machine, NodeReady::False);
                self.make_mirrors(node);
                self.bind_pods_of(node);
                let ready = self.now + self.cloud.ready_time(machine, &self.streams);
                self.plan(ready, Event::Machine(machine, MachineStep::Ready));
            }
        }
    }

    /// The autoscaler deletes the machine behind a node: the kubelet, the bill and the node object
    /// end when the cloud is done.
    pub(super) fn delete_machine_of(&mut self, node: NodeId) -> bool {
        let Some(machine) = self.nodes.get(node).map(|state| state.machine) else { return false };
        let Some(gone) = self.cloud.delete(self.now, machine, &self.streams) else { return false };
        self.plan(gone, Event::Machine(machine, MachineStep::Gone));
        if self.shuts_down_gracefully() {
            self.begin_shutdown(node, None, 0);
        }
        true
    }

    /// Takes back machines that have not registered.
    pub(super) fn cancel_machines(&mut self, group: usize, count: u32) {
        for machine in self.cloud.oldest_booting(group, count) {
            if self.cloud.delete(self.now, machine, &self.streams).is_some() {
                self.machine_gone(machine);
            }
        }
    }

    pub(super) fn machine_gone(&mut self, machine: MachineId) {
        if let Some(node) = self.cloud.machines.get(machine).and_then(|m| m.node) {
            self.charge_pods_on(node);
        }
        let claim = self.claim_of(machine);
        let Some(m) = self.cloud.remove(machine) else { return };
        self.ledger.close(self.now, &self.scenario.node_groups[m.group].machine);
        if m.node.is_none_or(|node| self.store.node(node).is_none()) {
            // It has no node: no record will carry its bill.
            let hours = self.now.since(m.billed).as_secs_f64() / 3600.0;
            self.billed += self.scenario.node_groups[m.group].machine.price_per_hour * hours;
        }
        if let Some(node) = m.node {
            self.machine_dies(node);
            self.record_node(node, &m, Some(self.now));
            self.store.remove_node(node);
            self.nodes.remove(node);
            self.evictions.forget_disk(node);
            self.heartbeats_changed(node);
        }
        if let Some(number) = claim {
            self.claim_hears(number, &News::Gone);
        }
    }

    /// Somebody deletes the node object. Its machine and the pods there go on; only garbage
    /// collection takes them.
    pub(super) fn delete_node_object(&mut self, node: NodeId) {
        let now = self.now;
        let machine = self.nodes.get(node).map(|state| state.machine);
        let machine = machine.and_then(|id| Some((id, self.cloud.machines.get(id)?.clone())));
        if let Some((id, machine)) = machine {
            self.record_node(node, &machine, Some(now));
            self.cloud.machines[id].billed = now;
        }
        self.store.remove_node(node);
        self.heartbeats_changed(node);
    }

    /// Hands a node's life to the record, with what its machine has cost in it.
    pub(super) fn record_node(&mut self, id: NodeId, of: &cloud::Machine, gone: Option<SimTime>) {
        let (Some(node), Some(state)) = (self.store.node(id), self.nodes.get(id)) else { return };
        let group = &self.scenario.node_groups[of.group];
        let machine = &group.machine;
        let hours = gone.unwrap_or(self.now).since(of.billed).as_secs_f64() / 3600.0;
        let row = NodeRow {
            uid: node.uid,
            name: node.name.clone(),
            group: group.name.clone(),
            zone: node.zone().into(),
            machine: machine.name.clone(),
            requested: of.requested,
            registered: node.created,
            ready: (state.first_ready != SimTime::NEVER).then_some(state.first_ready),
            gone,
            pods_peak: state.pods_peak,
            cost: machine.price_per_hour * hours,
            energy_wh: machine.idle_watts * hours + state.busy_wh,
        };
        self.billed += row.cost;
        self.recorder.node(&row);
    }
}
