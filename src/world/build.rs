//! A world at its start: nodes that are there, objects applied, everything planned that is known.

use super::controllers::Key;
use super::event::Event;
use super::level;
use super::memory::limit_of;
use super::settle::is_settled;
use super::traffic::network::{Network, pod_cpu};
use super::traffic::station::PodModel;
use super::traffic::warmth::Cold;
use super::traffic::wiring::Calls;
use super::world::{Parts, World};
use crate::api::DeploymentId;
use crate::api::autoscaling::Hpa;
use crate::api::node::NodeReady;
use crate::api::object::Object;
use crate::api::pod::PodSpec;
use crate::api::service::Service;
use crate::api::workload::Deployment;
use crate::check::Checks;
use crate::control::controllers::resourcequota;
use crate::record::Recorder;
use crate::record::latency::LatencyHistogram;
use crate::scenario::model::{Scenario, Workload};
use crate::sim::rng::Streams;
use crate::units::{MilliCpu, SimDuration, SimTime};
use slotmap::Key as _;

/// Whether an object limits the content of its namespace, or is there for pods that are still to
/// come.
fn limits(object: &Object) -> bool {
    matches!(
        object,
        Object::Quota(_) | Object::LimitRange(_) | Object::Storage(_) | Object::Config(_)
    )
}

impl<'a> World<'a> {
    /// The world of a scenario before anything is in it.
    pub(super) fn new(
        scenario: &'a Scenario,
        seed: u64,
        recorder: Recorder<'a>,
        checks: Checks,
    ) -> World<'a> {
        let streams = Streams::new(seed);
        let noise =
            (0..scenario.traffic.len() as u64).map(|i| streams.stream("traffic", i)).collect();
        let network = network(scenario, &streams);
        let parts = Parts { scenario, streams, recorder, checks, network, noise };
        World::from_parts(parts)
    }

    /// Puts into it what is there when the clock starts.
    pub(super) fn start(&mut self) {
        self.prepare_totals();
        self.add_nodes();
        self.begin_storage();
        self.apply_objects();
        self.limit_namespaces();
        if !self.scenario.cold_start {
            self.settle_start();
        } else {
            let nodes: Vec<_> = self.store.nodes().map(|(id, _)| id).collect();
            nodes.into_iter().for_each(|node| drop(self.make_mirrors(node)));
        }
        self.apply_others();
        self.plan_what_is_known();
        self.after_event();
        self.watch_nodes_memory();
    }

    fn prepare_totals(&mut self) {
        let n = self.scenario.workloads.len();
        let stations = n + self.scenario.dependencies.len();
        let totals = &mut self.recorder.totals;
        totals.restarts = vec![0; n];
        totals.workload_latency = vec![LatencyHistogram::default(); stations];
        totals.nodes_at_start = self.scenario.node_groups.iter().map(|g| g.count).sum();
        self.observed.last_oom = vec![SimTime::ZERO; n];
    }

    /// Nodes that are there and Ready at the start.
    fn add_nodes(&mut self) {
        for (group, spec) in self.scenario.node_groups.iter().enumerate() {
            for _ in 0..spec.count {
                let machine = self.cloud.add_running(group);
                self.ledger.open(SimTime::ZERO, &spec.machine);
                self.register(machine, NodeReady::True);
            }
        }
    }

    /// Objects as by `kubectl apply` at the start.
    fn apply_objects(&mut self) {
        self.tell_of_devices();
        let scenario = self.scenario;
        let objects = &scenario.objects;
        for (index, deployment) in objects.present().iter().enumerate() {
            let deployment = Deployment { created: self.now, ..deployment.clone() };
            let id = self.store.create_deployment(deployment);
            self.workload_of.insert(id, index);
            self.deployments.push(id);
        }
        self.deployments.resize(objects.deployments.len(), DeploymentId::default());
        for (index, service) in objects.services.iter().enumerate() {
            self.tell_scheduler_of_service(service);
            let service = self.with_node_ports(service.clone());
            let id = self.store.create_service(service.clone());
            self.service_index.insert(id, index);
            self.affinity_changes(id);
            for (workload, deployment) in objects.deployments.iter().enumerate() {
                let same = service.namespace == deployment.namespace;
                let selects =
                    |s: &crate::api::labels::Selector| s.matches(&deployment.template.labels);
                if same && service.selector.as_ref().is_some_and(selects) {
                    self.fronted_by[workload].push(id);
                }
            }
        }
        for pdb in &objects.pdbs {
            let id = self.store.create_pdb(pdb.clone());
            for (workload, deployment) in objects.deployments.iter().enumerate() {
                let same = pdb.namespace == deployment.namespace;
                if same && pdb.selector.matches(&deployment.template.labels) {
                    self.guarded_by[workload].push(id);
                }
            }
        }
        for (hpa, target) in &objects.hpas {
            let id = self.store.create_hpa(Hpa { target: self.target_of(*target), ..hpa.clone() });
            self.scaled_by[*target].push(id);
            let bearer = objects.bearers().nth(*target);
            let Some(selector) = bearer.and_then(|bearer| bearer.selector) else { continue };
            let namespace = &hpa.namespace;
            for (workload, deployment) in objects.deployments.iter().enumerate() {
                let template = &deployment.template;
                let labels = template.labels.with("pod-template-hash", template.hash.clone());
                if *namespace == deployment.namespace && selector.matches(&labels) {
                    self.counted_by[workload].push(id);
                }
            }
        }
    }

    /// What limits namespaces is there before any pod is, and has been counted.
    fn limit_namespaces(&mut self) {
        let scenario = self.scenario;
        for object in scenario.objects.applied.iter().filter(|object| limits(object)) {
            if let Err(refusal) = self.apply_object(object, false) {
                self.tell_refusal(&refusal);
            }
        }
        for id in self.store.quotas().map(|(id, _)| id).collect::<Vec<_>>() {
            let outcome = resourcequota::sync(id, &self.store);
            self.apply_quietly(Key::ResourceQuota(id), outcome);
        }
    }

    /// Objects that nothing has settled: their controllers begin with them when the clock starts.
    fn apply_others(&mut self) {
        let scenario = self.scenario;
        let starts =
            |object: &&Object| !limits(object) && (scenario.cold_start || !is_settled(object));
        for object in scenario.objects.applied.iter().filter(starts) {
            if let Err(refusal) = self.apply_object(object, false) {
                self.tell_refusal(&refusal);
            }
        }
    }

    fn plan_what_is_known(&mut self) {
        self.plan(SimTime::ZERO, Event::Traffic);
        self.plan(SimTime::ZERO + self.scenario.observe.every, Event::Observe);
        self.plan_deliveries();
        for (index, entry) in self.scenario.timeline.iter().enumerate() {
            self.plan(entry.at, Event::Begin(index as u32));
            if let Some(until) = entry.until {
                self.plan(until, Event::End(index as u32));
            }
        }
        for id in self.store.hpas().map(|(id, _)| id).collect::<Vec<_>>() {
            // Each object has its own phase on the period's grid.
            let period =
                self.scenario.flags.controller_manager.horizontal_pod_autoscaler_sync_period;
            let mut stream = self.streams.stream("hpa phase", id.data().as_ffi());
            self.enqueue(Key::Hpa(id), SimTime(stream.below(period.0.max(1))));
        }
        self.begin_polling();
        self.begin_scraping();
        self.begin_vpas();
        for key in [Key::NodeLifecycle, Key::TaintEviction, Key::PodGc] {
            self.enqueue(key, SimTime::ZERO);
        }
        if self.scenario.karpenter.is_some() {
            self.enqueue(Key::Karpenter, SimTime::ZERO);
        }
        if self.scenario.flags.cluster_autoscaler.is_some() {
            self.enqueue(Key::ClusterAutoscaler, SimTime::ZERO);
        }
    }
}

/// Stations and call graph of a scenario.
fn network(scenario: &Scenario, streams: &Streams) -> Network {
    let objects = &scenario.objects;
    let bearers = objects.bearers().enumerate();
    let pods = bearers.map(|(workload, bearer)| pod_model(scenario, bearer.spec, workload));
    let outside = || scenario.dependencies.iter().map(|dependency| &dependency.serves);
    let outside_pods = outside().map(|serves| PodModel::new(serves, MilliCpu(1000), None));
    let stations = pods.chain(outside_pods).collect();
    let behind = |service: &Service| objects.bearers().position(|b| b.is_behind(service));
    let first = scenario.workloads.len();
    let after = (first..first + scenario.dependencies.len()).map(Some);
    let primaries = objects.destinations().map(behind).chain(after).collect();
    let calls = |workload: &Workload| {
        let all = workload.calls.iter().flat_map(|step| &step.calls);
        all.map(|call| (call.service, call.requests())).collect()
    };
    let calls = scenario.workloads.iter().chain(outside()).map(calls).collect();
    let mut network = Network::new(stations, primaries, calls);
    if scenario.has_wiring() {
        let calls = |(index, workload): (usize, &Workload)| match scenario.is_followed(index) {
            true => Calls::default(),
            false => Calls { steps: workload.calls.clone(), stops: workload.calls_stop },
        };
        let all = scenario.workloads.iter().chain(outside()).enumerate();
        let calls = all.map(calls).collect();
        network.wire(calls, scenario.traffic.iter().map(|traffic| traffic.patience).collect());
    }
    let services = objects.destinations().count();
    for service in 0..services {
        if let Some(weights) = scenario.weights_of(service) {
            network.set_weights(service, weights.to_vec());
        }
        if scenario.takes_turns(service) {
            network.take_turns(service);
        }
    }
    for (index, dependency) in scenario.dependencies.iter().enumerate() {
        network.set_replicas(services + index, dependency.replicas);
    }
    for (index, bearer) in objects.bearers().enumerate() {
        let is_uneven = || scenario.may_be_uneven().any(|service| bearer.is_behind(service));
        let station = &mut network.stations[index];
        // Pods that are resized may come to differ in what they can do.
        let are_unlike = scenario.workloads[index].is_resized;
        if !station.is_apart() && !scenario.is_followed(index) && (are_unlike || is_uneven()) {
            station.set_apart();
        }
    }
    if scenario.follows_places() {
        network.follow_places(scenario.traffic.iter().map(|traffic| &traffic.zones[..]));
    }
    if scenario.cpu_contention {
        network.set_sharing(scenario.workloads.clone());
    }
    network.set_cold(cold_at_first(scenario));
    if let Some(singly) = level::singly(scenario, streams) {
        network.set_singly(singly);
    }
    network
}

/// What is cold about young pods of each station, where requests are followed as rates.
fn cold_at_first(scenario: &Scenario) -> Vec<Cold> {
    let of = |(index, workload): (usize, &Workload)| match scenario.is_followed(index) {
        true => Cold::default(),
        false => {
            let calls = workload.calls.iter().flat_map(|step| &step.calls);
            let caches = calls.map(|call| call.cache.warm_up);
            let caches = caches.filter(|lasts| *lasts > SimDuration::ZERO).collect();
            Cold { process: workload.serving.warm_up, caches }
        }
    };
    let outside = scenario.dependencies.iter().map(|_| Cold::default());
    scenario.workloads.iter().enumerate().map(of).chain(outside).collect()
}

/// What one pod of a workload can do. Its containers count together.
pub(super) fn pod_model(scenario: &Scenario, spec: &PodSpec, workload: usize) -> PodModel {
    let workload = &scenario.workloads[workload];
    let memory_limit = limit_of(spec).map(|bytes| bytes.0 as f64);
    PodModel::new(workload, cpu_of_pod(scenario, spec, workload), memory_limit)
}

/// The CPU that a pod of a workload may use, on the largest node.
pub(super) fn cpu_of_pod(scenario: &Scenario, spec: &PodSpec, workload: &Workload) -> MilliCpu {
    let largest = scenario.node_groups.iter().map(|g| g.machine.allocatable.cpu).max();
    let node = largest.unwrap_or(MilliCpu(1000));
    let containers = &spec.containers;
    let limits: Option<Vec<MilliCpu>> = containers.iter().map(|c| c.cpu_limit).collect();
    let limit = limits.map(|limits| limits.into_iter().sum());
    let request = containers.iter().map(|c| c.requests.cpu).sum();
    pod_cpu(limit, request, workload.burst, node)
}
