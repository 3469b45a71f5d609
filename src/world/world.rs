//! The world of one run: everything that is simulated, and the dispatch of events to it.
//!
//! Reading order: [`super::event`] (all that can happen), this file (state and dispatch), then one
//! file per part. Parts change objects only through the store and plan events only through
//! [`World::plan`]; after each event the watchers are told, rates settle and the checks look.

use super::admission::Defaulted;
use super::api_server::ApiServer;
use super::bearers::Others;
use super::cloud::Cloud;
use super::controllers::WorkQueues;
use super::devices::Claims;
use super::event::Event;
use super::explain::Watched;
use super::fleets::Deliveries;
use super::forecast::Past;
use super::kubelet::{Evictions, NodeState, PodState, Registry, Undertakings};
use super::leaders::Leaders;
use super::ledger::Ledger;
use super::memory::Memory;
use super::outage::Outages;
use super::proxies::Proxies;
use super::run::Audience;
use super::schedule::SchedulerDriver;
use super::services::Balancers;
use super::syncs::Controllers;
use super::traffic::network::Network;
use super::volumes::Volumes;
use super::vpas::Vpas;
use super::watch::Said;
use crate::api::node::{HOSTNAME_LABEL, Node};
use crate::api::pod::Pod;
use crate::api::refusal::Refusal;
use crate::api::{DeploymentId, HpaId, NodeId, OwnerId, PdbId, PodId, ServiceId, Text};
use crate::check::{Checks, Violation};
use crate::control::controllers::action::About;
use crate::record::Recorder;
use crate::record::rows::EventRow;
use crate::record::story::{Moment, TurningPoint};
use crate::scenario::metrics::GivenMetrics;
use crate::scenario::model::Scenario;
use crate::sim::hash::EventLogHash;
use crate::sim::queue::EventQueue;
use crate::sim::rng::Streams;
use crate::sim::sample::Distribution;
use crate::store::{Change, Store};
use crate::units::{MilliCpu, SimDuration, SimTime};
use slotmap::SecondaryMap;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that is simulated in one run.
pub struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) now: SimTime,
    pub(super) streams: Streams,
    pub(super) store: Store,
    pub(super) recorder: Recorder<'a>,
    pub(super) log: EventLogHash,
    pub(super) checks: Checks,
    /// Events planned while one is handled; the loop takes them over afterwards.
    agenda: Vec<(SimTime, Event)>,

    // Control plane.
    pub(super) queues: WorkQueues,
    /// Boxed, since they are lent out for every change.
    pub(super) controllers: Option<Box<Controllers>>,
    pub(super) scheduler: SchedulerDriver,
    pub(super) api_server: ApiServer,
    pub(super) outages: Outages,
    pub(super) leaders: Leaders,
    pub(super) claims: Claims,
    pub(super) volumes: Box<Volumes>,

    // Machines and pods.
    pub(super) cloud: Cloud,
    pub(super) ledger: Ledger,
    pub(super) nodes: SecondaryMap<NodeId, NodeState>,
    /// What nodes of one group and zone have in common.
    pub(super) node_shapes: BTreeMap<(usize, Text), Node>,
    /// Some pods have named their node: kubelets look whether they fit.
    pub(super) names_nodes: bool,
    /// Of which pods it has just been said that they have several budgets.
    pub(super) said_of_budgets: Said,
    /// Names of nodes that are gone and of which an Event has yet to say so.
    pub(super) gone_nodes: BTreeMap<NodeId, Text>,
    pub(super) hostname_label: Text,
    pub(super) pods: SecondaryMap<PodId, PodState>,
    /// Images of pods, by their names together; the place is the number of an image.
    pub(super) images: Vec<Vec<Text>>,
    pub(super) registry: Registry,
    /// What kubelets do when their nodes run short.
    pub(super) evictions: Evictions,
    /// What kubelets are at beside their pods.
    pub(super) kubelets: Undertakings,
    /// Entries of the timeline that hold for the registry, in the order of their beginnings.
    pub(super) registry_faults: Vec<usize>,
    /// When a container of each Deployment last started or ended.
    pub(super) containers_changed: Vec<SimTime>,
    /// Pods of each Deployment whose samples may differ from the others'.
    pub(super) unlike: Vec<BTreeSet<PodId>>,
    pub(super) crash_loops: Vec<Option<SimDuration>>,
    pub(super) name_shift: u64,
    /// What the metrics API says of pods whose load is not simulated, by their label `app`.
    pub(super) given_metrics: BTreeMap<Text, GivenMetrics>,
    /// What limits put into pods of each template.
    pub(super) defaulted: Defaulted,
    /// Why the last request was refused, until its sender is told.
    pub(super) refused: Option<Refusal>,
    /// How many pods have been refused: their names are drawn too.
    pub(super) refused_pods: u64,
    /// How many pods owners have made whose templates tell how containers behave.
    pub(super) created_of: BTreeMap<OwnerId, u32>,
    /// Sum of the bills of recorded nodes: the other side of the ledger.
    pub(super) billed: f64,

    // Traffic.
    pub(super) network: Network,
    pub(super) traffic_changed: bool,
    pub(super) station_planned: SimTime,
    pub(super) memory: Memory,
    /// Whether probes of each Deployment's pods fail by their timeouts, as last seen.
    pub(super) slow: Vec<Vec<bool>>,
    pub(super) noise: Vec<crate::sim::rng::Stream>,
    pub(super) proxies: Proxies,
    pub(super) balancers: Balancers,

    /// The past of each metric that is asked for a forecast.
    pub(super) pasts: Vec<Past>,
    /// The Vertical Pod Autoscaler, if there are objects for it.
    pub(super) vpas: Option<Box<Vpas>>,
    /// What people deliver, if fleets come or have releases.
    pub(super) deliveries: Option<Box<Deliveries>>,

    // Who belongs to whom, by index in the scenario.
    pub(super) workload_of: SecondaryMap<DeploymentId, usize>,
    pub(super) deployments: Vec<DeploymentId>,
    pub(super) others: Others,
    pub(super) service_index: SecondaryMap<ServiceId, usize>,
    pub(super) fronted_by: Vec<Vec<ServiceId>>,
    pub(super) guarded_by: Vec<Vec<PdbId>>,
    pub(super) scaled_by: Vec<Vec<HpaId>>,
    /// Autoscalers that count a Deployment's pods: their targets' selectors match them.
    pub(super) counted_by: Vec<Vec<HpaId>>,
    /// What selects pods has changed since the start: their own labels decide.
    pub(super) selects_by_labels: bool,

    // Levels kept for the record.
    pub(super) cpu_requested: Vec<MilliCpu>,
    pub(super) observed: super::observe::Observed,
    pub(super) told: Vec<Moment>,
    /// The pod whose scheduling is explained, if any.
    pub(super) watched: Option<Watched>,
    /// Who sees every change, if anybody does.
    pub(super) audience: Option<&'a mut dyn Audience>,
}

/// The parts of a world that building needs to put together; the rest starts empty.
pub(super) struct Parts<'a> {
    pub scenario: &'a Scenario,
    pub streams: Streams,
    pub recorder: Recorder<'a>,
    pub checks: Checks,
    pub network: Network,
    pub noise: Vec<crate::sim::rng::Stream>,
}

impl<'a> World<'a> {
    pub(super) fn from_parts(parts: Parts<'a>) -> World<'a> {
        let (scenario, n) = (parts.scenario, parts.scenario.workloads.len());
        World {
            scenario,
            now: SimTime::ZERO,
            store: Store::default(),
            recorder: parts.recorder,
            log: EventLogHash::default(),
            checks: parts.checks,
            agenda: Vec::new(),
            queues: WorkQueues::new(&scenario.flags),
            controllers: Some(Box::new(Controllers::new(scenario))),
            scheduler: SchedulerDriver::new(&scenario.flags.scheduler, parts.streams),
            api_server: ApiServer::new(&scenario.flags.api_server, &parts.streams),
            outages: Outages::default(),
            leaders: Leaders::new(&scenario.flags, &parts.streams),
            claims: Claims::new(scenario),
            volumes: Box::default(),
            cloud: Cloud::new(&scenario.node_groups, &scenario.flags.cloud),
            ledger: Ledger::default(),
            nodes: SecondaryMap::new(),
            node_shapes: BTreeMap::new(),
            names_nodes: false,
            said_of_budgets: Said::default(),
            gone_nodes: BTreeMap::new(),
            hostname_label: HOSTNAME_LABEL.into(),
            pods: SecondaryMap::new(),
            images: Vec::new(),
            registry: Registry::default(),
            evictions: Evictions::new(&scenario.flags.kubelet),
            kubelets: Undertakings::default(),
            registry_faults: Vec::new(),
            containers_changed: vec![SimTime::ZERO; n],
            unlike: vec![BTreeSet::new(); n],
            crash_loops: vec![None; n],
            name_shift: parts.streams.stream("pod names", 0).below(1 << 40),
            given_metrics: BTreeMap::new(),
            defaulted: Defaulted::default(),
            refused: None,
            refused_pods: 0,
            created_of: BTreeMap::new(),
            billed: 0.0,
            network: parts.network,
            traffic_changed: true,
            station_planned: SimTime::NEVER,
            memory: Memory::new(n),
            slow: vec![Vec::new(); n],
            noise: parts.noise,
            proxies: Proxies::default(),
            balancers: Balancers::new(scenario),
            pasts: vec![Past::default(); scenario.metrics.len()],
            vpas: None,
            deliveries: None,
            workload_of: SecondaryMap::new(),
            deployments: Vec::new(),
            others: Others::new(scenario),
            service_index: SecondaryMap::new(),
            fronted_by: vec![Vec::new(); n],
            guarded_by: vec![Vec::new(); n],
            scaled_by: vec![Vec::new(); n],
            counted_by: vec![Vec::new(); n],
            selects_by_labels: false,
            cpu_requested: vec![MilliCpu::ZERO; n],
            observed: super::observe::Observed::default(),
            told: Vec::new(),
            watched: None,
            audience: None,
            streams: parts.streams,
        }
    }

    /// Plans an event. Nothing is ever planned in the past.
    pub(super) fn plan(&mut self, at: SimTime, event: Event) {
        if at != SimTime::NEVER {
            self.agenda.push((at.max(self.now), event));
        }
    }

    /// Moves what has been planned to the event list.
    pub(super) fn hand_over(&mut self, pending: &mut EventQueue<Event>) {
        for (at, event) in self.agenda.drain(..) {
            pending.push(at, event.phase(), event);
        }
    }

    /// Handles one event: acts, tells the watchers, settles rates, checks.
    pub(super) fn handle(&mut self, now: SimTime, event: Event) -> Result<(), Violation> {
        self.now = now;
        self.act(event);
        self.after_event();
        self.check(false)
    }

    /// What follows every event, and the building of the world.
    pub(super) fn after_event(&mut self) {
        self.tell_watchers();
        if std::mem::take(&mut self.traffic_changed) {
            self.settle_traffic();
        }
    }

    pub(super) fn act(&mut self, event: Event) {
        match event {
            Event::Request { flight, index } => self.on_request(flight, index),
            Event::Sync(key) => self.on_sync(key),
            Event::SyncDone(key) => self.on_sync_done(key),
            Event::Scheduler => self.on_scheduler(),
            Event::Bind { pod, node } => self.on_bind(pod, node),
            Event::Expect { pod, node, cycle } => self.on_expect(pod, node, cycle),
            Event::PreBind { cycle, plugin } => self.on_pre_bind(cycle, plugin),
            Event::Claims(pod) => self.on_claims(pod),
            Event::Csi(step) => self.on_csi(step),
            Event::Preempt(pod) => self.on_preempt(pod),
            Event::Evict { pod, again } => self.on_evict(pod, again),
            Event::Sent(id) => self.on_sent(id),
            Event::Unanswered(id) => self.on_unanswered(id),
            Event::Renews(node) => self.on_renews(node),
            Event::RenewsLead(component, term) => self.on_renews_lead(component, term),
            Event::Report { pod, incarnation, step } => self.step_pod(pod, incarnation, step),
            Event::Unschedulable(pod) => self.on_unschedulable(pod),
            Event::Kubelet { pod, incarnation, step } => self.on_kubelet(pod, incarnation, step),
            Event::Pull { node, id } => self.on_pull(node, id),
            Event::Machine(machine, step) => self.on_machine(machine, step),
            Event::Node(node, step) => self.on_node_step(node, step),
            Event::NodeReports(node) => self.on_node_reports(node),
            Event::Reconnects(node) => self.on_reconnects(node),
            Event::Leader(component, step, term) => self.on_leader(component, step, term),
            Event::Proxy => self.on_proxy(),
            Event::Names => self.on_names(),
            Event::Balancers => self.on_balancers(),
            Event::Balancer { service, number } => self.on_balancer(service, number),
            Event::NodeChecks(service) => self.on_node_checks(service),
            Event::Traffic => self.on_traffic(),
            Event::Station(_) => self.on_station(),
            Event::Refill(group) => self.refill(group as usize),
            Event::Requests => self.on_requests(),
            Event::Memory(workload) => self.on_memory(workload as usize),
            Event::Begin(index) => self.on_begin(index as usize),
            Event::End(index) => self.on_end(index as usize),
            Event::Delivered(job) => self.on_delivered(job),
            Event::Replaced(fleet, member) => self.on_replaced(fleet as usize, member as usize),
            Event::Scrape(metric) => self.on_scrape(metric as usize),
            Event::Observe => self.on_observe(),
        }
    }

    /// Draws seconds for a pod from a stream of its own: `purpose`, the pod, its present life.
    pub(super) fn sample_for(
        &self,
        pod: PodId,
        purpose: &'static str,
        distribution: &Distribution,
    ) -> SimDuration {
        let uid = self.store.pod(pod).map_or(0, |p| p.uid);
        let life = self.pods.get(pod).map_or(0, |state| u64::from(state.incarnation));
        let mut stream = self.streams.stream(purpose, uid | (life << 48));
        SimDuration::from_secs_f64(distribution.sample(&mut stream))
    }

    /// A container of a pod started or ended: its samples begin or cease.
    pub(super) fn containers_change(&mut self, pod: PodId) {
        if let Some(workload) = self.pods.get(pod).and_then(|state| state.workload()) {
            self.containers_changed[workload] = self.now;
            self.memory_is_freed(pod, workload);
            self.unlike[workload].insert(pod);
        }
    }

    /// CPU that a pod requests.
    pub(super) fn requested_cpu(&self, pod: &Pod) -> MilliCpu {
        pod.spec.requests().cpu
    }

    /// Kind, namespace and name of what an Event is about; `None` when it is gone.
    pub(super) fn name_of(&self, about: About) -> Option<(&'static str, Text, Text)> {
        let none: Text = "".into();
        Some(match about {
            About::Pod(id) => {
                let pod = self.store.pod(id)?;
                ("Pod", pod.namespace.clone(), pod.name())
            }
            About::Node(id) => {
                let name = self.store.node(id).map(|node| &node.name);
                ("Node", none, name.or_else(|| self.gone_nodes.get(&id))?.clone())
            }
            About::Deployment(id) => {
                let d = self.store.deployment(id)?;
                ("Deployment", d.namespace.clone(), d.name.clone())
            }
            About::Owner(id) => {
                let owner = self.store.owner(id)?;
                (owner.kind(), owner.namespace().clone(), owner.name().clone())
            }
            About::CronJob(id) => {
                let job = self.store.cron_job(id)?;
                ("CronJob", job.meta.namespace.clone(), job.meta.name.clone())
            }
            About::Hpa(id) => {
                let hpa = self.store.hpa(id)?;
                ("HorizontalPodAutoscaler", hpa.namespace.clone(), hpa.name.clone())
            }
            About::Vpa(id) => {
                let vpa = self.store.vpa(id)?;
                ("VerticalPodAutoscaler", vpa.namespace.clone(), vpa.name.clone())
            }
            About::Pdb(id) => {
                let pdb = self.store.pdb(id)?;
                ("PodDisruptionBudget", pdb.namespace.clone(), pdb.name.clone())
            }
            About::Claim(id) => {
                let claim = self.store.claim(id)?;
                ("PersistentVolumeClaim", claim.namespace.clone(), claim.name.clone())
            }
            About::Volume(id) => ("PersistentVolume", none, self.store.volume(id)?.name.clone()),
            About::Service(id) => {
                let service = self.store.service(id)?;
                ("Service", service.namespace.clone(), service.name.clone())
            }
            About::ScaledObject(index) => {
                let object = self.scenario.objects.scaled_objects.get(index)?;
                ("ScaledObject", object.namespace.clone(), object.name.clone())
            }
            About::NodeClaim(number) => {
                let karpenter = self.controllers.as_ref()?.karpenter.as_ref()?;
                ("NodeClaim", none, karpenter.claim_name(number)?.clone())
            }
            About::NodePool(index) => {
                let karpenter = self.controllers.as_ref()?.karpenter.as_ref()?;
                ("NodePool", none, karpenter.pool_name(index)?.clone())
            }
            About::Group(index) => {
                let group = self.scenario.node_groups.get(index)?;
                (
                    "ConfigMap",
                    "kube-system".into(),
                    format!("cluster-autoscaler-status/{}", group.name).into(),
                )
            }
        })
    }

    /// Notes a turning point.
    pub(super) fn tell_moment(&mut self, kind: Moment, text: String) {
        self.recorder.totals.moments.push(TurningPoint { time: self.now, kind, text });
    }

    /// Notes a turning point of which only the first is told.
    pub(super) fn tell_once(&mut self, kind: Moment, text: impl FnOnce() -> String) {
        if !self.told.contains(&kind) {
            self.told.push(kind);
            self.tell_moment(kind, text());
        }
    }

    /// Feeds a change to the hash of the event log.
    pub(super) fn log_change(&mut self, change: &Change) {
        let (kind, id) = super::log::change_record(&self.store, change);
        self.log.record(self.now, kind, &[id]);
    }

    /// Feeds an Event to the hash of the event log.
    pub(super) fn log_event(&mut self, row: &EventRow) {
        self.log.record_bytes(self.now, super::log::EVENT, row.reason.as_bytes());
        self.log.record_bytes(self.now, super::log::EVENT, row.message.as_bytes());
    }
}
