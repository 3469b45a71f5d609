//! One run: from a scenario and a seed to its record.

use super::controllers::Key;
use super::event::Event;
use super::kubelet::PodState;
use super::world::World;
use crate::api::ObjectName;
use crate::api::pod::Pod;
use crate::api::refusal::Refusal;
use crate::check::{Checks, Stride, View, Violation};
use crate::control::karpenter::Karpenter;
use crate::record::attempt::Attempt;
use crate::record::{Recorder, Sink};
use crate::scenario::kubectl::Command;
use crate::scenario::model::{Component, Scenario};
use crate::sim::queue::EventQueue;
use crate::store::{Change, Store};
use crate::units::SimTime;

/// How a run is made, beside its scenario and seed.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// How often invariants are checked.
    pub checks: Stride,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions { checks: Stride::NowAndThen }
    }
}

/// What a run leaves beside its rows.
pub struct Run<'a> {
    /// Samples, totals and moments.
    pub recorder: Recorder<'a>,
    /// Events handled.
    pub events: u64,
    /// Hash of everything that happened, 32 hexadecimal digits.
    pub event_log_hash: String,
    /// The simulated end.
    pub end: SimTime,
}

/// Runs a scenario. `progress` is told the simulated time now and then.
///
/// # Errors
/// A broken invariant: a bug of the simulator.
pub fn run<'a>(
    scenario: &'a Scenario,
    seed: u64,
    options: RunOptions,
    sink: &'a mut dyn Sink,
    progress: impl FnMut(SimTime),
) -> Result<Run<'a>, Violation> {
    let checks = Checks::new(options.checks);
    let (run, _) = play(World::new(scenario, seed, Recorder::new(sink), checks), progress)?;
    Ok(run)
}

/// Who sees every change of an object, as a watch of all of them would.
pub trait Audience {
    /// An object of the store has changed at `now`. Several changes may have come together: then
    /// the store shows the last.
    fn sees(&mut self, now: SimTime, change: &Change, store: &Store);

    /// A command was answered; `refusal`: so it was refused.
    fn answered(&mut self, now: SimTime, command: &Command, refusal: Option<&Refusal>) {
        let _ = (now, command, refusal);
    }

    /// Somebody has asked for the eviction of a pod; `refusal`: so it was refused.
    fn answers_eviction(&mut self, pod: &Pod, refusal: Option<&Refusal>) {
        let _ = (pod, refusal);
    }
}

/// Runs a scenario before an audience.
///
/// # Errors
/// A broken invariant: a bug of the simulator.
pub fn run_before<'a>(
    scenario: &'a Scenario,
    seed: u64,
    sink: &'a mut dyn Sink,
    audience: &'a mut dyn Audience,
) -> Result<Run<'a>, Violation> {
    let checks = Checks::new(Stride::Events(1));
    let mut world = World::new(scenario, seed, Recorder::new(sink), checks);
    world.audience = Some(audience);
    let (run, _) = play(world, |_| {})?;
    Ok(run)
}

/// Runs a scenario again for the sake of one pod, `namespace/name`: also gives what the scheduler
/// considered each time that it tried to place it; `None`: there was no such pod.
///
/// # Errors
/// A broken invariant: a bug of the simulator.
pub fn explain<'a>(
    scenario: &'a Scenario,
    seed: u64,
    pod: &str,
    sink: &'a mut dyn Sink,
    progress: impl FnMut(SimTime),
) -> Result<(Run<'a>, Option<Vec<Attempt>>), Violation> {
    let mut world = World::new(scenario, seed, Recorder::new(sink), Checks::new(Stride::Off));
    let (namespace, name) = pod.split_once('/').unwrap_or(("default", pod));
    world.watch(ObjectName::new(namespace, name));
    play(world, progress)
}

fn play(
    mut world: World<'_>,
    mut progress: impl FnMut(SimTime),
) -> Result<(Run<'_>, Option<Vec<Attempt>>), Violation> {
    let mut pending: EventQueue<Event> = EventQueue::default();
    let scenario = world.scenario;
    world.start();
    world.hand_over(&mut pending);
    let end = SimTime::ZERO + scenario.duration;
    let mut events = 0u64;
    while pending.peek_time().is_some_and(|time| time <= end) {
        let Some(fired) = pending.pop() else { break };
        world.tell_horizon(&pending);
        world.handle(fired.time, fired.event)?;
        world.hand_over(&mut pending);
        events += 1;
        if events.is_multiple_of(1 << 14) {
            progress(fired.time);
        }
    }
    world.finish(end)?;
    let attempts = world.take_attempts();
    Ok((world.into_run(events, end), attempts))
}

impl<'a> World<'a> {
    /// Lets the checks look at the state: after an event, or when the run ends.
    pub(super) fn check(&mut self, at_end: bool) -> Result<(), Violation> {
        let (queues, network, pods) = (&self.queues, &self.network, &self.pods);
        let karpenter = self.controllers.as_ref().and_then(|c| c.karpenter.as_ref());
        let is_led = !self.outages.is_felt() && !self.leaders.is_away(Component::ControllerManager);
        let view = View {
            store: &self.store,
            now: self.now,
            pods_gone: self.recorder.totals.pods_gone,
            settled: &|service| is_led && queues.is_idle(Key::EndpointSlice(service)),
            counted: &|quota| is_led && queues.is_idle(Key::ResourceQuota(quota)),
            is_led,
            ended_by: &|pod| pods.get(pod).map_or("", PodState::end_reason),
            cores_of: &|pod| network.cores_of(pod),
            miscounted: &|| network.miscounted(),
            exceeded: &|| karpenter.and_then(Karpenter::exceeded),
        };
        if at_end { self.checks.at_end(&view) } else { self.checks.after_event(&view) }
    }

    /// Ends the run at `end`: closes all integrals and looks at everything once more.
    pub(super) fn finish(&mut self, end: SimTime) -> Result<(), Violation> {
        self.now = end;
        self.count_leaderless();
        self.finish_record();
        let booting = self.unregistered_bill();
        let cost = self.ledger.cost(end);
        self.checks.equal("the cost is the sum of the nodes' bills", cost, self.billed + booting);
        self.check(true)
    }

    /// What machines without a node have cost so far.
    fn unregistered_bill(&self) -> f64 {
        let bill = |m: &super::cloud::Machine| {
            let hours = self.now.since(m.billed).as_secs_f64() / 3600.0;
            self.scenario.node_groups[m.group].machine.price_per_hour * hours
        };
        let unnamed =
            |m: &&super::cloud::Machine| m.node.is_none_or(|node| self.store.node(node).is_none());
        self.cloud.machines.values().filter(unnamed).map(bill).sum()
    }

    fn into_run(mut self, events: u64, end: SimTime) -> Run<'a> {
        let hash = self.log.finish();
        let event_log_hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Run { recorder: self.recorder, events, event_log_hash, end }
    }
}
