//! The way of a placed pod to its binding: what binding cycles ask for is sent to the API server,
//! with a token for each request, and they go on when it has arrived.
//!
//! It knows no plugin: why a pod waits, and how long, is the scheduler's own business.

use super::event::Event;
use super::world::World;
use crate::api::event::EventType::Normal;
use crate::api::{NodeId, ObjectName, PodId};
use crate::control::controllers::action::About;
use crate::control::scheduler::binding::BindingStep;
use crate::control::scheduler::framework::PluginId;
use crate::control::scheduler::storage::Reservation;
use crate::scenario::model::Component;
use crate::units::SimTime;

/// What is said of a request that no API server takes.
const REFUSED: &str = "the server is currently unable to handle the request";

/// Claims on volumes for which something is reserved.
fn reserved_claims(reservation: &Reservation) -> Vec<ObjectName> {
    let bound = reservation.bindings.iter().map(|(_, claim)| claim);
    bound.chain(reservation.provisions.iter().map(|(claim, _)| claim)).cloned().collect()
}

impl World<'_> {
    /// Sends, at `at`, what binding cycles want done by now.
    pub(super) fn carry_on_bindings(&mut self, at: SimTime) {
        let latency = self.scenario.flags.api_server.write_latency;
        while let Some(step) = self.scheduler.scheduler.next_step(self.now) {
            match step {
                BindingStep::Nominate { pod, node, cycle } => {
                    let sent = self.scheduler.client.take(at);
                    self.send(sent, Event::Expect { pod, node, cycle });
                }
                BindingStep::Write { cycle, plugin, reservation } => {
                    let claims = World::requests_for(&reservation.claims);
                    let requests =
                        reservation.bindings.len() + reservation.provisions.len() + claims;
                    let pod = self.scheduler.scheduler.pod_of_binding(cycle);
                    self.volumes_are_being_written((cycle, plugin), &reservation);
                    self.claims_are_being_written((cycle, plugin), pod, reservation.claims);
                    let mut back = at;
                    for _ in 0..requests {
                        back = self.scheduler.client.take(back) + latency;
                    }
                    self.plan(back, Event::PreBind { cycle, plugin });
                }
                BindingStep::Bind { pod, node } => {
                    let sent = self.scheduler.client.take(at);
                    self.send(sent, Event::Bind { pod, node });
                }
                BindingStep::Free { claim } => self.free_claim(&claim),
                BindingStep::Unreserve { pod, claims } => self.unreserve_claims(pod, &claims),
                BindingStep::Failed(decision) => {
                    self.note_failed_binding(&decision);
                    self.carry_out(decision, at);
                }
            }
        }
    }

    /// What binding cycles want done by now is done by now, for the settled start. Who waits for
    /// time to pass goes on waiting.
    pub(super) fn carry_on_bindings_at_once(&mut self) {
        let now = self.now;
        while let Some(step) = self.scheduler.scheduler.next_step(now) {
            let scheduler = &mut self.scheduler.scheduler;
            match step {
                BindingStep::Nominate { pod, node, cycle } => {
                    self.nominate(pod, Some(node));
                    self.scheduler.scheduler.nomination_written(cycle, now);
                }
                BindingStep::Write { cycle, plugin, reservation } => {
                    let pod = scheduler.pod_of_binding(cycle);
                    self.volumes_are_being_written((cycle, plugin), &reservation);
                    let claims = reserved_claims(&reservation);
                    self.claims_are_being_written((cycle, plugin), pod, reservation.claims);
                    let answer = self.write_reserved(cycle, plugin);
                    self.scheduler.scheduler.pre_bind_written(cycle, plugin, answer, now);
                    self.read_all_notices();
                    if !claims.is_empty() {
                        self.settle_claims_of_pod(&claims);
                        self.scheduler.scheduler.look_now(cycle, plugin, now);
                    }
                }
                BindingStep::Bind { pod, node } => {
                    scheduler.binding_finished(pod, true, now);
                    self.bind_at_once(pod, node);
                }
                BindingStep::Free { claim } => self.free_claim(&claim),
                BindingStep::Unreserve { pod, claims } => self.unreserve_claims(pod, &claims),
                BindingStep::Failed(decision) => {
                    self.note_failed_binding(&decision);
                    self.carry_out_at_once(decision);
                }
            }
            self.pass_over_changes();
        }
        let wake = self.scheduler.scheduler.next_wake(now);
        self.wake_scheduler(wake);
    }

    /// A pod's nominated node reaches the API server. The cycle goes on even if the pod is gone.
    pub(super) fn on_expect(&mut self, pod: PodId, node: NodeId, cycle: u64) {
        let is_heard = !self.goes_unheard();
        if is_heard && self.store.pod(pod).is_some_and(|p| p.node.is_none()) {
            self.nominate(pod, Some(node));
        }
        self.scheduler.scheduler.nomination_written(cycle, self.now);
        self.go_on_binding();
    }

    /// What a PreBind plugin writes, of devices and of volumes.
    fn write_reserved(&mut self, cycle: u64, plugin: PluginId) -> Result<(), String> {
        let answer = self.write_claims(cycle, plugin);
        answer.and(self.write_volumes((cycle, plugin)))
    }

    /// What a PreBind plugin writes has reached the API server.
    pub(super) fn on_pre_bind(&mut self, cycle: u64, plugin: PluginId) {
        let answer = match self.goes_unheard() {
            true => Err(REFUSED.to_string()),
            false => self.write_reserved(cycle, plugin),
        };
        self.scheduler.scheduler.pre_bind_written(cycle, plugin, answer, self.now);
        self.go_on_binding();
    }

    fn go_on_binding(&mut self) {
        self.carry_on_bindings(self.now);
        self.wake_scheduler(self.scheduler.scheduler.next_wake(self.now));
    }

    /// A binding reaches the API server.
    pub(super) fn on_bind(&mut self, pod: PodId, node: NodeId) {
        let now = self.now;
        let is_new = self.leaders.has_changed(Component::Scheduler);
        if is_new && !self.scheduler.core().cache.is_assumed(pod) {
            // Sent, or about to be, by a scheduler that is gone.
            return;
        }
        let bound = !self.goes_unheard() && self.store.bind_pod(pod, node, now);
        self.scheduler.scheduler.binding_finished(pod, bound, now);
        self.carry_on_bindings(now);
        if !bound {
            self.wake_scheduler(self.scheduler.scheduler.next_wake(now));
            return;
        }
        let name = self.store.pod(pod).map(|p| format!("{}/{}", p.namespace, p.name()));
        let node = self.store.node(node).map_or_else(String::new, |n| n.name.to_string());
        let message = format!("Successfully assigned {} to {node}", name.unwrap_or_default());
        self.publish("default-scheduler", Normal, "Scheduled", About::Pod(pod), message);
    }
}
