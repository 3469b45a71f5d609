//! Who leads: the components that work only while they hold their lease, how they lose it, and
//! what a new leader begins with.
//!
//! A leader that crashes, or cannot renew its lease in time, is gone with all that it kept in
//! memory; its process starts again and stands for election, as do the other replicas. A new
//! leader lists everything and begins with full work queues and empty memories. The times are in
//! [`super::election`]. It knows no controller's logic.

use super::controllers::Key;
use super::election;
use super::event::Event;
use super::schedule::Notice;
use super::world::World;
use crate::api::owner::Owner;
use crate::control::leader_election::LeaderElection;
use crate::record::story::Moment;
use crate::record::wording;
use crate::scenario::model::{Component, Flags};
use crate::sim::rng::Streams;
use crate::units::{SimDuration, SimTime};

/// From the end of a component's process until a new one stands for election: the kubelet notices
/// and starts it again. Not measured; the first restart of a container has no back-off.
const RESTART: SimDuration = SimDuration::from_secs(2);

/// What happens to a leadership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderStep {
    /// The leader has not been able to renew its lease until now.
    GivesUp,
    /// A candidate may take the lease.
    Takes,
}

/// A component that leads, or is about to.
struct Leader {
    rules: LeaderElection,
    /// It is part of this cluster.
    is_there: bool,
    /// It renews its lease on the grid of this instant.
    phase: SimTime,
    /// Its last renewal before an outage of the API server.
    renewed: SimTime,
    /// While nobody leads: since when, and what is known of candidates.
    vacancy: Option<Vacancy>,
    /// Its renewals are followed one by one.
    is_followed: bool,
    /// How many have led before: steps of an earlier term find nothing to do.
    terms: u32,
}

/// Nobody leads.
#[derive(Clone, Copy)]
struct Vacancy {
    since: SimTime,
    /// When the lease was renewed last.
    renewed: SimTime,
    /// When the process that was lost is back.
    starts: SimTime,
}

/// All components that elect leaders.
pub(super) struct Leaders {
    leaders: [Leader; Component::ALL.len()],
    replicas: u32,
    /// Some component has no leader.
    any_away: bool,
}

impl Leaders {
    /// Every component is led from the start.
    pub(super) fn new(flags: &Flags, streams: &Streams) -> Leaders {
        let autoscaler = flags.cluster_autoscaler.as_ref();
        let leader = |component: Component| {
            let rules = match component {
                Component::ControllerManager => Some(flags.controller_manager.leader_election()),
                Component::Scheduler => Some(flags.scheduler.leader_election()),
                Component::ClusterAutoscaler => autoscaler.map(|flags| flags.leader_election()),
            };
            let is_there = rules.is_some();
            let rules = rules.unwrap_or_default();
            let phase = streams.stream("leader phase", component as u64);
            let phase = SimTime({ phase }.below(rules.retry_period.0.max(1)));
            let renewed = SimTime::ZERO;
            Leader { rules, is_there, phase, renewed, vacancy: None, is_followed: false, terms: 0 }
        };
        Leaders {
            leaders: Component::ALL.map(leader),
            replicas: flags.control_plane.replicas.max(1),
            any_away: false,
        }
    }

    /// Whether nobody leads a component.
    pub(super) fn is_away(&self, component: Component) -> bool {
        self.any_away && self.leaders[component as usize].vacancy.is_some()
    }

    /// Whether a component has had another leader before.
    pub(super) fn has_changed(&self, component: Component) -> bool {
        self.leaders[component as usize].terms > 0
    }

    /// The rules by which a component elects its leader.
    pub(super) fn rules_of(&self, component: Component) -> LeaderElection {
        self.leaders[component as usize].rules
    }

    /// The rules and the last renewal of a lease in this term; `None`: it is over.
    pub(super) fn lease_of(
        &self,
        component: Component,
        term: u32,
    ) -> Option<(LeaderElection, SimTime)> {
        let leader = &self.leaders[component as usize];
        let leads = leader.vacancy.is_none() && leader.terms == term;
        leads.then_some((leader.rules, leader.renewed))
    }

    /// A leader has renewed its lease.
    pub(super) fn lead_is_renewed(&mut self, component: Component, now: SimTime) {
        let leader = &mut self.leaders[component as usize];
        (leader.phase, leader.renewed) = (now, now);
    }

    /// Begins to follow the renewals of a leader: when the next one is, and in which term; `None`:
    /// they are followed, or there are none.
    pub(super) fn next_renewal(
        &mut self,
        component: Component,
        now: SimTime,
    ) -> Option<(SimTime, u32)> {
        let leader = &mut self.leaders[component as usize];
        let leads = leader.is_there && leader.rules.leader_elect && leader.vacancy.is_none();
        if !leads || std::mem::replace(&mut leader.is_followed, true) {
            return None;
        }
        leader.renewed = election::last_renewal(&leader.rules, leader.phase, now);
        Some((leader.renewed + leader.rules.retry_period, leader.terms))
    }

    /// The renewals of a leader are no longer followed.
    pub(super) fn is_computed(&mut self, component: Component) {
        self.leaders[component as usize].is_followed = false;
    }

    /// Whether the process of a component runs at `now`, leading or not.
    pub(super) fn is_running(&self, component: Component, now: SimTime) -> bool {
        let vacancy = self.leaders[component as usize].vacancy;
        self.replicas > 1 || vacancy.is_none_or(|vacancy| vacancy.starts <= now)
    }
}

impl World<'_> {
    /// The run ends: whoever has no leader now has had none until the end.
    pub(super) fn count_leaderless(&mut self) {
        let leader = &self.leaders.leaders[Component::ControllerManager as usize];
        if let Some(vacancy) = leader.vacancy {
            let totals = &mut self.recorder.totals;
            totals.leaderless_s += self.now.since(vacancy.since).as_secs_f64();
        }
        self.flow_follows();
    }

    /// The API server is gone: leaders that cannot renew their leases give up in time.
    pub(super) fn leaders_are_cut_off(&mut self) {
        let (now, returned) = (self.now, self.outages.returned);
        for component in Component::ALL {
            let leader = &mut self.leaders.leaders[component as usize];
            if !leader.is_there || !leader.rules.leader_elect || leader.vacancy.is_some() {
                continue;
            }
            let last = election::last_renewal(&leader.rules, leader.phase, now);
            // What fell into an earlier outage was none.
            if last >= returned {
                leader.renewed = last;
            }
            let (at, term) = (election::gives_up(&leader.rules, leader.renewed), leader.terms);
            self.plan(at, Event::Leader(component, LeaderStep::GivesUp, term));
        }
    }

    /// The API server is back: candidates go on.
    pub(super) fn leaders_find_back(&mut self) {
        for component in Component::ALL {
            if self.leaders.is_away(component) {
                self.plan_election(component);
            }
        }
    }

    /// The leading process of a component ends; it is started again at `until`, or at once.
    pub(super) fn component_crashes(&mut self, component: Component, until: Option<SimTime>) {
        let now = self.now;
        let starts = until.unwrap_or(now) + RESTART;
        let leader = &mut self.leaders.leaders[component as usize];
        if !leader.is_there {
            return;
        }
        if let Some(vacancy) = &mut leader.vacancy {
            // It was about to stand for election.
            vacancy.starts = vacancy.starts.max(starts);
            leader.terms += 1;
            self.plan_election(component);
            return;
        }
        let last = election::last_renewal(&leader.rules, leader.phase, now);
        if !self.outages.is_down() && last >= self.outages.returned {
            leader.renewed = last;
        }
        self.loses_leader(component, starts);
    }

    /// A step of a leadership is due.
    pub(super) fn on_leader(&mut self, component: Component, step: LeaderStep, term: u32) {
        let leader = &self.leaders.leaders[component as usize];
        if leader.terms != term {
            return;
        }
        match step {
            LeaderStep::GivesUp => {
                let due = election::gives_up(&leader.rules, leader.renewed);
                let last = election::last_try(&leader.rules, leader.renewed);
                let failed = self.outages.is_down() || self.outages.returned > last;
                if leader.vacancy.is_none() && due == self.now && failed {
                    self.gives_up(component);
                }
            }
            LeaderStep::Takes if self.outages.is_down() => {}
            LeaderStep::Takes => match self.ask_for_lead(component) {
                Ok(_) => self.takes_lead(component),
                Err(at) => {
                    let entity = u64::from(term) << 40 | self.now.0 >> 24 << 8 | component as u64;
                    let mut stream = self.streams.stream("election again", entity);
                    let pause = election::pause(&self.leaders.rules_of(component), &mut stream);
                    let next = at.max(self.now + pause);
                    self.plan(next, Event::Leader(component, LeaderStep::Takes, term));
                }
            },
        }
    }

    /// A leader has not been able to renew its lease for too long: its process ends.
    pub(super) fn gives_up(&mut self, component: Component) {
        let renewed = self.leaders.leaders[component as usize].renewed;
        let text = format!(
            "{} gives up: it could not renew its lease for {}",
            component.name(),
            wording::duration(self.now.since(renewed).as_secs_f64())
        );
        self.tell_moment(Moment::LeaderLost, text);
        self.loses_leader(component, self.now + RESTART);
    }

    /// A component is without a leader; its memory is lost.
    fn loses_leader(&mut self, component: Component, starts: SimTime) {
        let since = self.now;
        let leader = &mut self.leaders.leaders[component as usize];
        leader.is_followed = false;
        leader.vacancy = Some(Vacancy { since, renewed: leader.renewed, starts });
        leader.terms += 1;
        self.leaders.any_away = true;
        match component {
            Component::Scheduler => self.stop_scheduler(),
            _ => self.queues.stop(component, &self.scenario.flags),
        }
        self.plan_election(component);
    }

    /// Plans when somebody takes the lead; while the API server is down nobody can.
    fn plan_election(&mut self, component: Component) {
        if self.outages.is_down() {
            return;
        }
        let leader = &self.leaders.leaders[component as usize];
        let Some(vacancy) = leader.vacancy else { return };
        let (rules, term) = (leader.rules, leader.terms);
        let entity =
            |replica: u32| u64::from(term) << 32 | u64::from(replica) << 8 | component as u64;
        let (back, since) = (self.outages.returned, vacancy.since);
        let at = if rules.leader_elect {
            let mut stream = self.streams.stream("election", entity(0));
            let mut at = election::newcomer_takes(&rules, vacancy.starts, back, &mut stream);
            for replica in 1..self.leaders.replicas {
                let mut stream = self.streams.stream("election", entity(replica));
                let pause = election::pause(&rules, &mut stream);
                let look = SimDuration(stream.below(pause.0));
                let seen = vacancy.renewed + look;
                let runs_out = seen + rules.lease_duration;
                let from = back.max(since);
                at = at.min(election::takes(&rules, seen, runs_out, from, &mut stream));
            }
            at
        } else {
            vacancy.starts.max(self.seen_by(component))
        };
        self.plan(at, Event::Leader(component, LeaderStep::Takes, term));
    }

    /// A candidate leads from now on: it lists everything and begins.
    fn takes_lead(&mut self, component: Component) {
        let now = self.now;
        let leader = &mut self.leaders.leaders[component as usize];
        let Some(vacancy) = leader.vacancy.take() else { return };
        leader.terms += 1;
        (leader.phase, leader.renewed) = (now, now);
        self.leaders.any_away = self.leaders.leaders.iter().any(|one| one.vacancy.is_some());
        self.lists_anew(component);
        self.watch_lead(component);
        if component == Component::ControllerManager {
            let totals = &mut self.recorder.totals;
            totals.leaderless_s += now.since(vacancy.since).as_secs_f64();
        }
        let away = wording::duration(now.since(vacancy.since).as_secs_f64());
        let text = format!("{} leads again, after {away} without", component.name());
        self.tell_moment(Moment::LeaderElected, text);
        match component {
            Component::ControllerManager => self.controllers_begin(),
            Component::Scheduler => self.scheduler_begins(),
            Component::ClusterAutoscaler => {
                self.restart_controllers(component);
                self.notify(Key::ClusterAutoscaler);
            }
        }
    }

    /// Every controller finds everything in its queue.
    fn controllers_begin(&mut self) {
        self.restart_controllers(Component::ControllerManager);
        let all: Vec<Key> = self.every_key();
        all.into_iter().for_each(|key| self.notify(key));
        self.look_at_all_volumes();
        for id in self.store.owners().map(|(id, _)| id).collect::<Vec<_>>() {
            if self.store.job(id).is_some() {
                self.job_changed(id);
            } else {
                self.notify_owner(id);
            }
        }
        for id in self.store.cron_jobs().map(|(id, _)| id).collect::<Vec<_>>() {
            self.cron_job_changed(id);
        }
    }

    /// The keys of all objects that are not told of in a way of their own.
    fn every_key(&self) -> Vec<Key> {
        let store = &self.store;
        let loops = [
            Key::NodeLifecycle,
            Key::TaintEviction,
            Key::PodGc,
            Key::GarbageCollector,
            Key::OrphanPods,
        ];
        let mut keys = Vec::from(loops);
        keys.extend(self.scenario.karpenter.as_ref().map(|_| Key::Karpenter));
        keys.extend(store.deployments().map(|(id, _)| Key::Deployment(id)));
        keys.extend(store.services().map(|(id, _)| Key::EndpointSlice(id)));
        keys.extend(store.hpas().map(|(id, _)| Key::Hpa(id)));
        keys.extend((0..self.scenario.objects.scaled_objects.len()).map(Key::ScaledObject));
        let vpa = [Key::VpaRecommender, Key::VpaUpdater];
        keys.extend(vpa.into_iter().filter(|_| store.has_vpas()));
        keys.extend(store.pdbs().map(|(id, _)| Key::Disruption(id)));
        keys.extend(store.namespaces().map(|(id, _)| Key::Namespace(id)));
        keys.extend(store.quotas().map(|(id, _)| Key::ResourceQuota(id)));
        if store.has_storage() {
            keys.extend(store.claims().map(|(id, _)| Key::Claim(id)));
            keys.extend(store.volumes().map(|(id, _)| Key::Volume(id)));
        }
        keys
    }

    /// The scheduler begins with an empty memory and is told of everything.
    fn scheduler_begins(&mut self) {
        self.new_scheduler();
        for service in self.store.services().map(|(_, s)| s.clone()).collect::<Vec<_>>() {
            self.tell_scheduler_of_service(&service);
        }
        let mut nodes: Vec<_> = self.store.nodes().map(|(id, n)| (n.uid, id)).collect();
        nodes.sort_unstable();
        nodes.into_iter().for_each(|(_, id)| self.scheduler_sees(Notice::Node(id)));
        let sets = |owner: &Owner| matches!(owner, Owner::ReplicaSet(_) | Owner::StatefulSet(_));
        let owners = self.store.owners().filter(|(_, owner)| sets(owner));
        for id in owners.map(|(id, _)| id).collect::<Vec<_>>() {
            self.scheduler_sees(Notice::ReplicaSet(id));
        }
        for id in self.store.pdbs().map(|(id, _)| id).collect::<Vec<_>>() {
            self.scheduler_sees(Notice::Budget(id));
        }
        self.tell_devices_anew();
        for object in self.store.storage_objects() {
            self.scheduler_sees(Notice::Storage(object));
        }
        let mut pods: Vec<_> = self.store.pods().map(|(id, p)| (p.uid, id)).collect();
        pods.sort_unstable();
        pods.into_iter().for_each(|(_, id)| self.scheduler_sees(Notice::Pod(id)));
    }
}
