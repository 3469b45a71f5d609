//! What the request level is told of a scenario.
//!
//! The scenario has decided which parts of its graph are followed request by request; the engine
//! is told of all of it, in the same places, and is sent the requests of those parts.

use super::build::cpu_of_pod;
use super::memory::limit_of;
use super::traffic::requests::arrivals::Process;
use super::traffic::requests::draws::Law;
use super::traffic::requests::{CallPlan, EntryPlan, Pick, Plan, ServicePlan, Size, StationPlan};
use super::traffic::singly::Singly;
use crate::api::pod::PodSpec;
use crate::api::vertical_pod_autoscaler::{UpdateMode, Vpa};
use crate::scenario::bearers::Bearer;
use crate::scenario::graph::model::{Arrivals, Balancing, Call, Load};
use crate::scenario::model::{Entry, Scenario, Traffic, Workload};
use crate::sim::rng::Streams;
use crate::units::Bytes;

/// Requests one by one, if the scenario has any.
pub(super) fn singly(scenario: &Scenario, streams: &Streams) -> Option<Singly> {
    let mut parts = scenario.followed().peekable();
    parts.peek()?;
    let objects = &scenario.objects;
    let pairs = || objects.bearers().zip(&scenario.workloads);
    let primary = |service| objects.bearers().position(|b| b.is_behind(service));
    let service = |(index, service)| ServicePlan {
        primary: primary(service).map(|station| station as u32),
        pick: pick(scenario.balancing.get(&index)),
    };
    let plan = Plan {
        stations: pairs().enumerate().map(|(at, pair)| station(scenario, at, pair)).collect(),
        services: objects.destinations().enumerate().map(service).collect(),
        entries: scenario.traffic.iter().map(entry).collect(),
    };
    let bytes = |w: &Workload| (w.memory.0 as f64, w.memory_per_request.0 as f64);
    let memory = scenario.workloads.iter().map(bytes).collect();
    let scrape = scenario.flags.metrics_server.metric_resolution;
    let mut singly = Singly::new(&plan, memory, scrape, streams);
    parts.for_each(|part| singly.follow(&part.workloads, &part.services));
    Some(singly)
}

/// What a pod with this specification may use.
pub(super) fn size_of(scenario: &Scenario, spec: &PodSpec, workload: &Workload) -> Size {
    let each = workload.memory_per_request.0 as f64;
    let holds = |limit: Bytes| (limit.0 - workload.memory.0).max(0) as f64 / each;
    // The first request beyond what the limit holds.
    let full_at = limit_of(spec).filter(|_| each > 0.0).map(|limit| holds(limit) as u32 + 1);
    Size { cores: cpu_of_pod(scenario, spec, workload).cores(), full_at }
}

fn station(
    scenario: &Scenario,
    index: usize,
    (bearer, workload): (Bearer<'_>, &Workload),
) -> StationPlan {
    let spec = bearer.spec;
    let changes =
        |(vpa, of): &(Vpa, usize)| *of == index && vpa.mode() == UpdateMode::InPlaceOrRecreate;
    let serving = &workload.serving;
    StationPlan {
        demand: workload.demand,
        wait: workload.wait,
        law: Law::of_scv(serving.scv),
        size: size_of(scenario, spec, workload),
        varies: scenario.objects.vpas.iter().any(changes),
        concurrency: workload.concurrency.max(1),
        queue: workload.queue,
        timeout: Some(workload.timeout),
        warm_up: serving.warm_up.map(|w| (w.lasts, w.slower)),
        shed_at: serving.shed.in_flight,
        shed_wait: serving.shed.wait,
        steps: workload.calls.iter().map(|step| step.calls.iter().map(call).collect()).collect(),
        stops: workload.calls_stop,
    }
}

fn call(call: &Call) -> CallPlan {
    CallPlan {
        to: call.service as u32,
        times: call.times,
        fan_out: call.fan_out,
        probability: call.probability,
        timeout: call.timeout,
        retries: call.retries,
        circuit_breaker: call.circuit_breaker.map(|breaker| (breaker.failures, breaker.open)),
        connections: call.connections.map(|limits| (limits.max, limits.pending)),
        hit_ratio: call.cache.hit_ratio,
        cache_warm_up: call.cache.warm_up,
        optional: call.optional,
    }
}

/// Where it goes is told with its rate, or its users.
fn entry(traffic: &Traffic) -> EntryPlan {
    let patience = traffic.patience;
    let gives_up = patience.timeout.is_some() || patience.retries.is_some();
    let clients = gives_up.then(|| CallPlan {
        timeout: patience.timeout,
        retries: patience.retries,
        ..CallPlan::plain(0)
    });
    // An Ingress stands for its clients: what it sends on sticks to nobody.
    let addresses = matches!(traffic.to, Entry::Service(_)).then_some(traffic.clients);
    match &traffic.load {
        Load::Open { arrivals, .. } => {
            let process = process(*arrivals);
            EntryPlan::Open { to: 0, process, clients, addresses }
        }
        Load::Closed { think, .. } => {
            EntryPlan::Closed { to: 0, think: think.clone(), clients, addresses }
        }
    }
}

fn process(arrivals: Arrivals) -> Process {
    match arrivals {
        Arrivals::Poisson => Process::Renewal(Law::Exponential),
        Arrivals::Renewal(scv) => Process::Renewal(Law::of_scv(scv)),
        Arrivals::SelfSimilar(hurst) => Process::SelfSimilar { hurst },
    }
}

fn pick(balancing: Option<&Balancing>) -> Pick {
    match balancing {
        Some(Balancing::RoundRobin) => Pick::RoundRobin,
        Some(Balancing::LeastRequest) => Pick::LeastRequest,
        Some(Balancing::Weights(weights)) => {
            Pick::Weights(weights.iter().map(|(index, weight)| (*index as u32, *weight)).collect())
        }
        Some(Balancing::Random) | None => Pick::Random,
    }
}
