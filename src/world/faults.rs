//! The timeline: faults and changes, from their beginning to their end.

use super::cloud::{Machine, MachineId, MachineState};
use super::event::{Event, MachineStep};
use super::kubelet::{Containers, Registry};
use super::world::World;
use crate::api::node::NodeReady;
use crate::api::{NodeId, PodId, Text};
use crate::record::story::Moment;
use crate::record::wording;
use crate::scenario::model::{Happening, NodeSelection, PodSelection};
use crate::units::{OptionalTime, SimTime};

impl World<'_> {
    /// An entry of the timeline begins.
    pub(super) fn on_begin(&mut self, index: usize) {
        let scenario = self.scenario;
        let entry = &scenario.timeline[index];
        let told = describe(self, &entry.what);
        if self.outages.is_down() && is_request(&entry.what) {
            let text = format!("the connection to the server was refused; not done: {told}");
            return self.tell_moment(Moment::TimelineBegins, text);
        }
        self.tell_moment(Moment::TimelineBegins, told);
        self.begin(index);
    }

    fn begin(&mut self, index: usize) {
        let scenario = self.scenario;
        let entry = &scenario.timeline[index];
        match &entry.what {
            Happening::NodeCrash(selection) => {
                for node in self.draw_nodes(selection, index) {
                    self.crash(node, entry.until, index);
                }
            }
            Happening::NodeShutdown(selection) => {
                for node in self.draw_nodes(selection, index) {
                    self.shut_down(node, entry.until, index);
                }
            }
            Happening::NodeHang(selection) => {
                for node in self.draw_nodes(selection, index) {
                    self.hang(node, entry.until);
                }
            }
            Happening::ZoneOutage { zone } => self.zone_down(zone, index),
            Happening::ContainerCrash(selection) => {
                for pod in self.draw_pods(selection, index) {
                    self.container_exits(pod, "Error");
                }
            }
            Happening::ContainerHang(selection) => {
                for pod in self.draw_pods(selection, index) {
                    self.containers_hang(pod, index as u32);
                }
            }
            Happening::CrashLoop { deployment, after } => {
                self.crash_loops[*deployment] = Some(*after);
                for pod in self.running_pods(*deployment) {
                    self.container_exits(pod, "Error");
                }
            }
            Happening::DeletePods(selection) => {
                for pod in self.draw_pods(selection, index) {
                    self.delete_pod(pod, None, "Deleted");
                }
            }
            Happening::RegistrySlow { .. } | Happening::RegistryOutage { .. } => {
                self.registry_faults.push(index);
                self.registry_follows();
            }
            Happening::Dependency { .. } => self.dependencies_follow(),
            Happening::NodeGroupMax { .. }
            | Happening::StockOut(_)
            | Happening::SpotInterruption(_)
            | Happening::NodeAdd { .. } => self.begin_in_cloud(index),
            Happening::ApiServerOutage
            | Happening::ComponentCrash { .. }
            | Happening::ApiLoad(_)
            | Happening::MaxNodesTotal { .. } => self.begin_in_control_plane(index),
            Happening::Kubectl(command) => self.kubectl(command),
            Happening::Kubelet { node, reports } => self.switch_kubelet(node, *reports),
            Happening::Neighbors { requests } => self.neighbors_ask(*requests, index),
            Happening::Metrics { app, given } => {
                self.given_metrics.insert(app.clone(), (**given).clone());
            }
            Happening::Scale { deployment, replicas } => {
                let id = self.deployments[*deployment];
                self.store.scale_deployment(id, *replicas);
            }
        }
    }

    /// What befalls the cloud begins.
    fn begin_in_cloud(&mut self, index: usize) {
        match &self.scenario.timeline[index].what {
            Happening::NodeGroupMax { group, max } => {
                self.cloud.set_max(*group, *max);
                self.autoscaler_changed();
            }
            Happening::StockOut(out) => self.cloud.stock_outs.push((**out).clone()),
            Happening::SpotInterruption(selection) => {
                let nodes = self.draw_spot_nodes(selection, index);
                self.interrupt(nodes);
            }
            Happening::NodeAdd { group } => {
                let machine = self.cloud.add_running(*group);
                self.ledger.open(self.now, &self.scenario.node_groups[*group].machine);
                self.register(machine, NodeReady::True);
            }
            _ => {}
        }
    }

    /// What befalls the control plane begins.
    fn begin_in_control_plane(&mut self, index: usize) {
        let entry = &self.scenario.timeline[index];
        match &entry.what {
            Happening::ApiServerOutage => self.api_server_goes_down(),
            Happening::ApiLoad(_) => self.api_load_changes(index, true),
            Happening::ComponentCrash { component } => {
                self.component_crashes(*component, entry.until);
            }
            Happening::MaxNodesTotal { max } => {
                if let Some(controllers) = &mut self.controllers {
                    controllers.set_max_nodes_total(*max);
                }
                self.autoscaler_changed();
            }
            _ => {}
        }
    }

    /// An entry of the timeline is over. Crashed and hung nodes plan their own return.
    pub(super) fn on_end(&mut self, index: usize) {
        let scenario = self.scenario;
        let what = &scenario.timeline[index].what;
        self.tell_moment(Moment::TimelineEnds, describe_end(self, what));
        match what {
            Happening::ZoneOutage { zone } => self.zone_up(zone),
            Happening::Dependency { .. } => self.dependencies_follow(),
            Happening::StockOut(out) => {
                let outs = &mut self.cloud.stock_outs;
                let place = outs.iter().position(|other| *other == **out);
                place.map(|place| outs.remove(place));
            }
            Happening::ApiServerOutage => self.api_server_returns(),
            Happening::ApiLoad(_) => self.api_load_changes(index, false),
            Happening::CrashLoop { deployment, .. } => self.crash_loops[*deployment] = None,
            Happening::ContainerHang(selection) => {
                for pod in self.running_pods(selection.deployment) {
                    self.containers_answer_again(pod, index as u32);
                }
            }
            Happening::RegistrySlow { .. } | Happening::RegistryOutage { .. } => {
                self.registry_faults.retain(|other| *other != index);
                self.registry_follows();
            }
            _ => {}
        }
    }

    /// The registry answers as the latest of its faults of each kind says.
    fn registry_follows(&mut self) {
        let mut registry = Registry::default();
        for index in &self.registry_faults {
            match &self.scenario.timeline[*index].what {
                Happening::RegistrySlow { factor } => registry.factor = *factor,
                Happening::RegistryOutage { fails_after } => registry.outage = Some(*fails_after),
                _ => {}
            }
        }
        self.registry = registry;
        self.registry_changes();
    }

    fn crash(&mut self, node: NodeId, until: Option<SimTime>, index: usize) {
        self.machine_stops(node, until, index as u64);
    }

    /// A machine is told to stop. One whose kubelet is given no time, or hangs, just stops.
    fn shut_down(&mut self, node: NodeId, until: Option<SimTime>, index: usize) {
        let hears = self.nodes.get(node).is_some_and(|state| state.silent_since.is_none());
        if hears && self.shuts_down_gracefully() {
            self.begin_shutdown(node, until, index as u64);
        } else {
            self.machine_stops(node, until, index as u64);
        }
    }

    /// A machine stops, to boot again when it is `until`; `entry` of the timeline draws how long
    /// that takes. One that the cloud takes back does not.
    pub(super) fn machine_stops(&mut self, node: NodeId, until: Option<SimTime>, entry: u64) {
        let Some(machine) = self.nodes.get(node).map(|state| state.machine) else { return };
        self.machine_dies(node);
        let Some(m) = self.cloud.machines.get_mut(machine) else { return };
        if m.state == MachineState::Deleting {
            return;
        }
        m.state = MachineState::Down;
        if let Some(until) = until {
            let boot = self.cloud.reboot_time(machine, entry, &self.streams);
            let from = until.max(self.now);
            self.plan(from + boot, Event::Machine(machine, MachineStep::Returns));
        }
    }

    fn hang(&mut self, node: NodeId, until: Option<SimTime>) {
        let now = self.now;
        if let Some(state) = self.nodes.get_mut(node) {
            state.falls_silent(now);
        }
        self.heartbeats_changed(node);
        if let Some(until) = until {
            self.plan(until, Event::NodeReports(node));
        }
    }

    /// The kubelet of a node is silent from now on, or reports again.
    fn switch_kubelet(&mut self, name: &str, reports: bool) {
        match self.node_named(name) {
            Some(node) if reports => self.on_node_reports(node),
            Some(node) => self.hang(node, None),
            None => {}
        }
    }

    /// A silent kubelet reports again.
    pub(super) fn on_node_reports(&mut self, node: NodeId) {
        if self.outages.is_down() {
            return self.outages.hold(self.now, Event::NodeReports(node));
        }
        let Some(state) = self.nodes.get_mut(node).filter(|state| state.alive) else { return };
        state.silent_since = OptionalTime::NONE;
        let unreported = std::mem::take(&mut state.unreported);
        self.node_reports_ready(node);
        self.status_may_change(node);
        for (pod, incarnation, step) in unreported {
            self.on_kubelet(pod, incarnation, step);
        }
        // The kubelet catches up with what it missed: deletions first of all.
        for pod in self.store.pods_on(node).to_vec() {
            let Some(p) = self.store.pod(pod) else { continue };
            let serves = self.pods.get(pod).is_some_and(|s| s.containers == Containers::Running);
            if p.deletion.is_some() {
                self.plan_pod(self.now, pod, super::event::PodStep::Stop);
            } else if p.started == SimTime::NEVER {
                self.plan_pod(self.now, pod, super::event::PodStep::Seen);
            } else if serves {
                if self.is_up(pod) {
                    self.store.set_pod_ready(pod, true, self.now);
                }
                self.probes_may_find_otherwise(pod);
            }
        }
        self.heartbeats_changed(node);
    }

    /// Whether the application of a pod whose containers run answers.
    pub(super) fn is_up(&self, pod: PodId) -> bool {
        let Some(state) = self.pods.get(pod) else { return false };
        if let Some(health) = state.health().filter(|_| state.is_hung()) {
            return health.answered && !health.is_unready();
        }
        if state.health().is_some_and(|health| health.is_unready()) {
            return false;
        }
        match state.workload() {
            Some(_) => self.network.is_alive(pod),
            None => state.first_ready != SimTime::NEVER,
        }
    }

    fn zone_down(&mut self, zone: &Text, index: usize) {
        self.cloud.zones_down.push(zone.clone());
        let until = self.scenario.timeline[index].until;
        let all = NodeSelection { group: None, zone: Some(zone.clone()), count: None };
        for node in self.draw_nodes(&all, index) {
            self.crash(node, until, index);
        }
        // Machines that were booting there never come up.
        for machine in self.cloud.machines.values_mut() {
            if machine.zone == *zone && machine.state == MachineState::Booting {
                machine.stillborn = true;
            }
        }
    }

    fn zone_up(&mut self, zone: &Text) {
        if let Some(at) = self.cloud.zones_down.iter().position(|z| z == zone) {
            self.cloud.zones_down.remove(at);
        }
    }

    /// The nodes that a fault hits: those that match and are alive, drawn without replacement.
    fn draw_nodes(&self, selection: &NodeSelection, index: usize) -> Vec<NodeId> {
        self.draw_nodes_where(selection, index, |_| true)
    }

    /// Likewise, of spot machines alone.
    fn draw_spot_nodes(&self, selection: &NodeSelection, index: usize) -> Vec<NodeId> {
        let is_spot = |m: &Machine| self.scenario.node_groups[m.group].spot.is_some();
        self.draw_nodes_where(selection, index, is_spot)
    }

    fn draw_nodes_where(
        &self,
        selection: &NodeSelection,
        index: usize,
        counts: impl Fn(&Machine) -> bool,
    ) -> Vec<NodeId> {
        let matches = |id: NodeId, machine: MachineId| {
            let m = self.cloud.machines.get(machine).filter(|m| counts(m))?;
            // The groups of a NodePool have its name in common.
            let groups = &self.scenario.node_groups;
            let is_of = |group: usize| groups[group].name == groups[m.group].name;
            let group = selection.group.is_none_or(is_of);
            let zone = selection.zone.as_ref().is_none_or(|zone| *zone == m.zone);
            (group && zone).then(|| (self.store.node(id).map_or(0, |n| n.uid), id))
        };
        let mut found: Vec<(u64, NodeId)> = self
            .nodes
            .iter()
            .filter(|(_, state)| state.alive)
            .filter_map(|(id, state)| matches(id, state.machine))
            .collect();
        found.sort_unstable();
        self.draw("timeline nodes", index, found, selection.count)
    }

    /// The pods that a fault hits: running ones of a Deployment, drawn without replacement.
    fn draw_pods(&self, selection: &PodSelection, index: usize) -> Vec<PodId> {
        let found = self.running_by_uid(selection.deployment);
        self.draw("timeline pods", index, found, selection.count)
    }

    fn draw<T: Copy>(
        &self,
        purpose: &str,
        index: usize,
        mut found: Vec<(u64, T)>,
        count: Option<u32>,
    ) -> Vec<T> {
        let count = count.map_or(found.len(), |n| (n as usize).min(found.len()));
        let mut stream = self.streams.stream(purpose, index as u64);
        for place in 0..count {
            let rest = (found.len() - place) as u64;
            let pick = place + stream.below(rest) as usize;
            found.swap(place, pick);
        }
        found.into_iter().take(count).map(|(_, id)| id).collect()
    }

    fn running_by_uid(&self, workload: usize) -> Vec<(u64, PodId)> {
        let mut found = Vec::new();
        for id in self.pods_of_workload(workload) {
            let running = self.pods.get(id).is_some_and(|s| s.containers == Containers::Running);
            if let Some(pod) = self.store.pod(id).filter(|_| running) {
                found.push((pod.uid, id));
            }
        }
        found.sort_unstable();
        found
    }

    pub(super) fn running_pods(&self, deployment: usize) -> Vec<PodId> {
        self.running_by_uid(deployment).into_iter().map(|(_, id)| id).collect()
    }

    /// One running pod of a workload, drawn by how often this has been asked.
    pub(super) fn draw_running_pod(&mut self, workload: usize, purpose: &str) -> Option<PodId> {
        let found = self.running_by_uid(workload);
        self.observed.draws += 1;
        let mut stream = self.streams.stream(purpose, self.observed.draws);
        (!found.is_empty()).then(|| found[stream.below(found.len() as u64) as usize].1)
    }
}

/// Whether something is asked of the API server.
fn is_request(what: &Happening) -> bool {
    matches!(what, Happening::DeletePods(_) | Happening::Kubectl(_) | Happening::Scale { .. })
}

/// How many of something are hit.
fn told(count: Option<u32>, one: &str) -> String {
    count.map_or(format!("all {one}s"), |n| wording::count(n.into(), one))
}

/// What happens, for the story.
fn describe(world: &World<'_>, what: &Happening) -> String {
    let objects = &world.scenario.objects;
    let deployment = |index: usize| objects.deployments[index].name.to_string();
    let group = |index: usize| world.scenario.node_groups[index].name.to_string();
    let nodes = |selection: &NodeSelection| {
        let count = told(selection.count, "node");
        let of = selection.group.map_or(String::new(), |g| format!(" of group {}", group(g)));
        let zone = selection.zone.as_ref().map_or(String::new(), |z| format!(" in zone {z}"));
        format!("{count}{of}{zone}")
    };
    let pods = |selection: &PodSelection| {
        format!("{} of {}", told(selection.count, "pod"), deployment(selection.deployment))
    };
    match what {
        Happening::NodeCrash(selection) => {
            let verb = if selection.count == Some(1) { "crashes" } else { "crash" };
            format!("{} {verb}", nodes(selection))
        }
        Happening::NodeShutdown(selection) => {
            let verb = if selection.count == Some(1) { "is" } else { "are" };
            format!("{} {verb} shut down", nodes(selection))
        }
        Happening::NodeHang(selection) => {
            format!("nothing is heard any more of {}", nodes(selection))
        }
        Happening::ZoneOutage { zone } => format!("zone {zone} loses power"),
        Happening::ContainerCrash(selection) => format!("containers of {} crash", pods(selection)),
        Happening::ContainerHang(selection) => format!("containers of {} hang", pods(selection)),
        Happening::CrashLoop { deployment: d, after } => {
            format!("containers of {} exit {after} after their start", deployment(*d))
        }
        Happening::DeletePods(selection) => {
            let verb = if selection.count == Some(1) { "is" } else { "are" };
            format!("{} {verb} deleted", pods(selection))
        }
        Happening::RegistrySlow { factor } => format!("image pulls take {factor} times as long"),
        Happening::RegistryOutage { .. } => "the image registry does not answer".to_string(),
        Happening::Dependency { dependency, replicas } => world.told_of(*dependency, *replicas),
        Happening::ApiServerOutage => "the API server does not answer".to_string(),
        Happening::ApiLoad(load) => {
            let nodes = world.nodes.values().filter(|state| state.alive).count() as f64;
            let rate = wording::amount(load.rate + load.per_node * nodes);
            format!("others ask the API server for lists, {rate} times a second")
        }
        Happening::ComponentCrash { component } => {
            format!("the leading {} crashes", component.name())
        }
        Happening::NodeGroupMax { group: g, max } => {
            format!("the limit of node group {} is set to {max} nodes", group(*g))
        }
        Happening::MaxNodesTotal { max } => format!("the cluster's node limit is set to {max}"),
        Happening::StockOut(out) => out.told(),
        Happening::SpotInterruption(selection) => {
            format!("the cloud wants spot machines back: {}", nodes(selection))
        }
        Happening::Kubectl(command) => command.told(),
        Happening::Kubelet { node, reports: false } => {
            format!("nothing is heard any more of node {node}")
        }
        Happening::Kubelet { node, reports: true } => format!("node {node} reports again"),
        Happening::Neighbors { .. } => "others keep the controllers busy".to_string(),
        Happening::Metrics { app, .. } => format!("the load of {app} is another"),
        Happening::NodeAdd { group: g } => format!("a node of group {} joins", group(*g)),
        Happening::Scale { deployment: d, replicas } => {
            format!("{} is scaled to {replicas} by hand", deployment(*d))
        }
    }
}

/// What is over, for the story.
fn describe_end(world: &World<'_>, what: &Happening) -> String {
    match what {
        Happening::NodeCrash(_) => "what crashed boots again".to_string(),
        Happening::NodeShutdown(_) => "what was shut down boots again".to_string(),
        Happening::NodeHang(_) => "the silent kubelets report again".to_string(),
        Happening::ZoneOutage { zone } => format!("zone {zone} has power again"),
        Happening::CrashLoop { deployment, .. } => {
            let name = &world.scenario.objects.deployments[*deployment].name;
            format!("containers of {name} no longer exit")
        }
        Happening::ContainerHang(_) => "what hangs answers again".to_string(),
        Happening::RegistryOutage { .. } => "the image registry answers again".to_string(),
        Happening::Dependency { dependency, .. } => {
            world.told_of(*dependency, world.replicas_of(*dependency)) + " again"
        }
        Happening::ApiServerOutage => "the API server answers again".to_string(),
        Happening::ApiLoad(_) => "the others ask no more".to_string(),
        Happening::StockOut(_) => "the cloud has machines again".to_string(),
        Happening::ComponentCrash { component } => {
            format!("the {} that crashed starts again", component.name())
        }
        Happening::RegistrySlow { .. } => "image pulls take their usual time again".to_string(),
        other => format!("over: {}", describe(world, other)),
    }
}
