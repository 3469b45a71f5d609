//! Calls, clients and balancing as JSON that a scenario file could say; what is as by default is
//! left out.

use super::model::{
    Arrivals, Balancing, Call, Level, Load, Patience, Retries, Serving, Shed, Step,
};
use crate::scenario::curve::Curve;
use crate::scenario::flags::Told;
use crate::scenario::model::{Traffic, Workload};
use crate::units::SimDuration;
use serde_json::{Map, Value, json};

/// Calls: as a map, or as a list where steps stop at a failure.
pub(in crate::scenario) fn calls(workload: &Workload, service: impl Fn(usize) -> String) -> Value {
    let steps = &workload.calls;
    if !workload.calls_stop {
        let all = steps.iter().flat_map(|step| &step.calls);
        let each = all.map(|call| (service(call.service), json!(call.times)));
        return each.collect::<Map<_, _>>().into();
    }
    let step = |step: &Step| match &step.calls[..] {
        [alone] => call(alone, &service),
        calls => json!({"parallel": calls.iter().map(|c| call(c, &service)).collect::<Vec<_>>()}),
    };
    steps.iter().map(step).collect()
}

fn call(call: &Call, service: impl Fn(usize) -> String) -> Value {
    let mut told = json!({"to": service(call.service)});
    let plain = Call::plain(call.service, 1.0);
    if call.times != plain.times {
        told["times"] = call.times.into();
    }
    if call.fan_out != plain.fan_out {
        told["fan-out"] = call.fan_out.into();
    }
    if call.probability != plain.probability {
        told["probability"] = call.probability.into();
    }
    if let Some(timeout) = call.timeout {
        told["timeout"] = timeout.told();
    }
    if let Some(given) = &call.retries {
        told["retries"] = retries(given);
    }
    if let Some(breaker) = call.circuit_breaker {
        told["circuit-breaker"] =
            json!({"failures": breaker.failures, "open": breaker.open.told()});
    }
    if let Some(connections) = call.connections {
        told["connections"] = json!({"max": connections.max, "pending": connections.pending});
    }
    if call.cache.hit_ratio > 0.0 {
        let (ratio, warm_up) = (call.cache.hit_ratio, call.cache.warm_up);
        let cold = warm_up > SimDuration::ZERO;
        let told_cold = || json!({"hit-ratio": ratio, "warm-up": warm_up.told()});
        told["cache"] = if cold { told_cold() } else { ratio.into() };
    }
    if call.optional {
        told["optional"] = true.into();
    }
    told
}

fn retries(given: &Retries) -> Value {
    let mut told = json!({
        "attempts": given.attempts,
        "back-off": {"base": given.base.told(), "max": given.max.told()},
        "jitter": if given.jitter { "full" } else { "none" },
    });
    if let Some(budget) = given.budget {
        told["budget"] = budget.into();
    }
    told
}

/// How the pods of a workload serve.
pub(in crate::scenario) fn serving(serving: &Serving, told: &mut Value) {
    let Serving { level, scv, warm_up, shed } = serving;
    if let Some(level) = level {
        told["level"] = match level {
            Level::Fluid => "fluid".into(),
            Level::Requests => "requests".into(),
        };
    }
    if *scv != 1.0 {
        told["service-time"] = json!({"scv": scv});
    }
    if let Some(warm_up) = warm_up {
        told["warm-up"] = json!({"for": warm_up.lasts.told(), "slower": warm_up.slower});
    }
    if *shed != Shed::default() {
        let mut said = Map::new();
        said.extend(shed.in_flight.map(|n| ("in-flight".to_string(), n.into())));
        said.extend(shed.wait.map(|wait| ("wait".to_string(), wait.told())));
        told["shed"] = said.into();
    }
}

/// How many come from outside, and what they do when an answer is late or a failure.
pub(in crate::scenario) fn load(
    traffic: &Traffic,
    shape: impl Fn(&Curve) -> Value,
    told: &mut Value,
) {
    match &traffic.load {
        Load::Open { rate, arrivals } => {
            told["rate"] = shape(rate);
            match arrivals {
                Arrivals::Poisson => {}
                Arrivals::Renewal(scv) => told["arrivals"] = json!({"scv": scv}),
                Arrivals::SelfSimilar(h) => told["arrivals"] = json!({"self-similar": h}),
            }
        }
        Load::Closed { users, think } => {
            told["users"] = shape(users);
            told["think"] = think.told();
        }
    }
    let Patience { timeout, retries: again } = &traffic.patience;
    if let Some(timeout) = timeout {
        told["timeout"] = timeout.told();
    }
    if let Some(given) = again {
        told["retries"] = retries(given);
    }
    if !traffic.zones.is_empty() {
        let zones = traffic.zones.iter().map(|(zone, share)| (zone.to_string(), json!(share)));
        told["zones"] = zones.collect::<Map<_, _>>().into();
    }
}

/// Who gets the next request of a Service.
pub(in crate::scenario) fn balancing(
    balancing: &Balancing,
    bearer: impl Fn(usize) -> String,
) -> Value {
    let told = match balancing {
        Balancing::Random => "random".into(),
        Balancing::RoundRobin => "round-robin".into(),
        Balancing::LeastRequest => "least-request".into(),
        Balancing::Weights(weights) => {
            let each = weights.iter().map(|(index, weight)| (bearer(*index), json!(weight)));
            json!({"weights": each.collect::<Map<_, _>>()})
        }
    };
    json!({"balancing": told})
}
