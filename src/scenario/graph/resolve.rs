//! From calls, clients and balancing as written to what is simulated: references, ranges, defaults.

use super::file::{
    ArrivalsFile, BackOffFile, BalancingFile, CacheFile, CallFile, CallsFile, CircuitBreakerFile,
    ConnectionsFile, JitterFile, LevelFile, RetriesFile, ServiceTimeFile, ShedFile, WarmUpFile,
};
use super::model::{
    Arrivals, Balancing, Cache, Call, CircuitBreaker, Connections, Level, Load, Patience, Retries,
    Serving, Shed, Step, WarmUp,
};
use crate::api::Text;
use crate::scenario::file::{ScenarioFile, TrafficFile, WorkloadFile};
use crate::scenario::model::Objects;
use crate::scenario::resolve::Resolver;
use crate::scenario::value::Ratio;
use crate::units::SimDuration;
use std::collections::{BTreeMap, BTreeSet};

/// Waits of Envoy's retries: `retry_back_off.base_interval`, and ten times that.
const BACK_OFF: SimDuration = SimDuration::from_millis(25);
/// Most tries beyond the first: more than that is a slip.
const MOST_ATTEMPTS: u32 = 100;
/// Most requests of one call at once.
const MOST_FAN_OUT: u32 = 10_000;
/// Envoy's circuit breaking: `max_connections`, `max_pending_requests`.
const CONNECTIONS: u32 = 1024;
/// Envoy's outlier detection: `consecutive_5xx`, `base_ejection_time`.
const FAILURES: u32 = 5;
const OPEN: SimDuration = SimDuration::from_secs(30);

const SHARE: &str = "is a share between 0% and 100%";
const SCV: &str = "is a squared coefficient of variation, between 0 and 1000";

fn is_scv(x: f64) -> bool {
    (0.0..=1000.0).contains(&x)
}

impl Resolver<'_> {
    /// Whom a workload calls, step by step.
    pub(in crate::scenario) fn calls(
        &mut self,
        given: &CallsFile,
        path: &str,
        objects: &Objects,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        match given {
            CallsFile::Each(all) => {
                for (name, each) in all {
                    let path = format!("{path}.{name}");
                    self.times(*each, &path);
                    if let Some(service) = self.callee(name, &path, objects) {
                        steps.push(Step { calls: vec![Call::plain(service, *each)] });
                    }
                }
            }
            CallsFile::Steps(all) => {
                for (index, step) in all.iter().enumerate() {
                    let calls = self.step(step, &format!("{path}[{index}]"), objects);
                    if !calls.is_empty() {
                        steps.push(Step { calls });
                    }
                }
            }
        }
        steps
    }

    fn times(&mut self, times: f64, path: &str) {
        if !(times >= 0.0 && times.is_finite()) {
            self.error(path, "is a number of calls, 0 or more", None);
        }
    }

    fn step(&mut self, given: &CallFile, path: &str, objects: &Objects) -> Vec<Call> {
        let Some(side_by_side) = &given.parallel else {
            return self.call(given, path, objects).into_iter().collect();
        };
        let alone = CallFile { parallel: given.parallel.clone(), ..CallFile::default() };
        if format!("{alone:?}") != format!("{given:?}") {
            let hint = "say it of each of the calls".to_string();
            self.error(path, "`parallel` stands alone in its step", Some(hint));
        }
        if side_by_side.is_empty() {
            self.error(&format!("{path}.parallel"), "needs a call at least", None);
        }
        let mut calls = Vec::new();
        for (index, call) in side_by_side.iter().enumerate() {
            let path = format!("{path}.parallel[{index}]");
            if call.parallel.is_some() {
                let hint = "all calls of a step are made at once already".to_string();
                self.error(&path, "`parallel` within `parallel`", Some(hint));
            } else {
                calls.extend(self.call(call, &path, objects));
            }
        }
        calls
    }

    fn call(&mut self, given: &CallFile, path: &str, objects: &Objects) -> Option<Call> {
        let Some(name) = &given.to else {
            let hint = "`to: SERVICE`, or `parallel: [...]`".to_string();
            self.error(path, "a step calls somebody", Some(hint));
            return None;
        };
        let service = self.callee(name, &format!("{path}.to"), objects);
        let times = given.times.unwrap_or(1.0);
        self.times(times, &format!("{path}.times"));
        let fan_out = given.fan_out.unwrap_or(1);
        if !(1..=MOST_FAN_OUT).contains(&fan_out) {
            let message = format!("is a number of requests, 1 to {MOST_FAN_OUT}");
            self.error(&format!("{path}.fan-out"), message, None);
        }
        let probability = given.probability.map_or(1.0, |ratio| ratio.0);
        self.share(probability, &format!("{path}.probability"));
        if given.timeout.is_some_and(|t| t.0 == SimDuration::ZERO) {
            self.error(&format!("{path}.timeout"), "must be longer than zero", None);
        }
        let retries = given.retries.as_ref();
        let retries = retries.map(|given| self.retries(given, &format!("{path}.retries")));
        let breaker = given.circuit_breaker;
        let breaker = breaker.map(|b| self.breaker(b, &format!("{path}.circuit-breaker")));
        let connections = given.connections;
        let connections = connections.map(|c| self.connections(c, &format!("{path}.connections")));
        Some(Call {
            service: service?,
            times,
            fan_out,
            probability,
            timeout: given.timeout.map(|span| span.0),
            retries,
            circuit_breaker: breaker,
            connections,
            cache: self.cache(given.cache, &format!("{path}.cache")),
            optional: given.optional.unwrap_or(false),
        })
    }

    fn share(&mut self, share: f64, path: &str) {
        if !(0.0..=1.0).contains(&share) {
            self.error(path, SHARE, None);
        }
    }

    fn retries(&mut self, given: &RetriesFile, path: &str) -> Retries {
        if !(1..=MOST_ATTEMPTS).contains(&given.attempts) {
            let message = format!("is a number of tries beyond the first, 1 to {MOST_ATTEMPTS}");
            self.error(&format!("{path}.attempts"), message, None);
        }
        let base = given.back_off.map_or(BACK_OFF, |back_off| back_off.base.0);
        let max = match given.back_off {
            Some(BackOffFile { max: Some(max), .. }) => max.0,
            _ => base * 10,
        };
        if max < base {
            self.error(&format!("{path}.back-off.max"), "is below base", None);
        }
        let budget = given.budget.map(|Ratio(share)| share);
        if budget.is_some_and(|share| !(0.0..=100.0).contains(&share)) {
            let message = "is a share of the first tries, 0% or more";
            self.error(&format!("{path}.budget"), message, None);
        }
        let jitter = given.jitter != Some(JitterFile::None);
        Retries { attempts: given.attempts, base, max, jitter, budget }
    }

    fn breaker(&mut self, given: CircuitBreakerFile, path: &str) -> CircuitBreaker {
        let failures = given.failures.unwrap_or(FAILURES);
        let open = given.open.map_or(OPEN, |span| span.0);
        if failures == 0 {
            self.error(&format!("{path}.failures"), "must be at least 1", None);
        }
        if open == SimDuration::ZERO {
            self.error(&format!("{path}.open"), "must be longer than zero", None);
        }
        CircuitBreaker { failures, open }
    }

    fn connections(&mut self, given: ConnectionsFile, path: &str) -> Connections {
        let max = given.max.unwrap_or(CONNECTIONS);
        if max == 0 {
            self.error(&format!("{path}.max"), "must be at least 1", None);
        }
        Connections { max, pending: given.pending.unwrap_or(CONNECTIONS) }
    }

    fn cache(&mut self, given: Option<CacheFile>, path: &str) -> Cache {
        let (ratio, warm_up, path) = match given {
            None => return Cache::default(),
            Some(CacheFile::Always(ratio)) => (ratio.0, None, path.to_string()),
            Some(CacheFile::Cold(cold)) => {
                (cold.hit_ratio.0, cold.warm_up, format!("{path}.hit-ratio"))
            }
        };
        self.share(ratio, &path);
        Cache { hit_ratio: ratio, warm_up: warm_up.map_or(SimDuration::ZERO, |span| span.0) }
    }

    /// How the pods of a workload serve.
    pub(in crate::scenario) fn serving(&mut self, given: &WorkloadFile, path: &str) -> Serving {
        let level = given.level.map(|level| match level {
            LevelFile::Fluid => Level::Fluid,
            LevelFile::Requests => Level::Requests,
        });
        let scv = match given.service_time {
            None | Some(ServiceTimeFile::Exponential) => 1.0,
            Some(ServiceTimeFile::Constant) => 0.0,
            Some(ServiceTimeFile::Scv(scv)) => scv,
        };
        if !is_scv(scv) {
            self.error(&format!("{path}.service-time.scv"), SCV, None);
        }
        let warm_up = given.warm_up.map(|given| self.warm_up(given, &format!("{path}.warm-up")));
        let shed = given.shed.map(|given| self.shed(given, &format!("{path}.shed")));
        Serving { level, scv, warm_up, shed: shed.unwrap_or_default() }
    }

    fn warm_up(&mut self, given: WarmUpFile, path: &str) -> WarmUp {
        if given.lasts.0 == SimDuration::ZERO {
            self.error(&format!("{path}.for"), "must be longer than zero", None);
        }
        if !(1.0..=1000.0).contains(&given.slower) {
            self.error(&format!("{path}.slower"), "is a factor of at least 1", None);
        }
        WarmUp { lasts: given.lasts.0, slower: given.slower }
    }

    fn shed(&mut self, given: ShedFile, path: &str) -> Shed {
        if given.in_flight.is_none() && given.wait.is_none() {
            let hint = "`in-flight: NUMBER`, `wait: DURATION` or both".to_string();
            self.error(path, "says not when requests are refused", Some(hint));
        }
        if given.in_flight == Some(0) {
            self.error(&format!("{path}.in-flight"), "must be at least 1", None);
        }
        Shed { in_flight: given.in_flight, wait: given.wait.map(|span| span.0) }
    }

    /// What is said of Services, by index into `objects.destinations()`.
    pub(in crate::scenario) fn balancing(
        &mut self,
        file: &ScenarioFile,
        objects: &Objects,
    ) -> BTreeMap<usize, Balancing> {
        let mut found = BTreeMap::new();
        for (name, given) in &file.services {
            let path = format!("services.{name}");
            let Some(service) = self.service(name, &path, objects) else { continue };
            let balancing = match &given.balancing {
                None => continue,
                Some(BalancingFile::Random) => Balancing::Random,
                Some(BalancingFile::RoundRobin) => Balancing::RoundRobin,
                Some(BalancingFile::LeastRequest) => Balancing::LeastRequest,
                Some(BalancingFile::Weights(weights)) => {
                    let path = format!("{path}.balancing.weights");
                    Balancing::Weights(self.weights(weights, &path, service, objects))
                }
            };
            found.insert(service, balancing);
        }
        found
    }

    fn weights(
        &mut self,
        given: &BTreeMap<String, f64>,
        path: &str,
        service: usize,
        objects: &Objects,
    ) -> Vec<(usize, f64)> {
        let mut found = Vec::new();
        for (name, weight) in given {
            let path = format!("{path}.{name}");
            if !(*weight >= 0.0 && weight.is_finite()) {
                self.error(&path, "is a weight, 0 or more", None);
            }
            let Some(bearer) = self.bearer(name, &path, objects) else { continue };
            let of = objects.destinations().nth(service);
            let is_behind = objects.bearers().nth(bearer).zip(of);
            if is_behind.is_some_and(|(bearer, service)| !bearer.is_behind(service)) {
                self.error(&path, "its pods are not behind this Service", None);
            }
            found.push((bearer, *weight));
        }
        if found.iter().map(|(_, weight)| weight).sum::<f64>() <= 0.0 {
            self.error(path, "one of the weights must be above zero", None);
        }
        found
    }

    /// How many come from outside.
    pub(in crate::scenario) fn load(&mut self, given: &TrafficFile, path: &str) -> Option<Load> {
        let arrivals = match given.arrivals {
            None | Some(ArrivalsFile::Poisson) => Arrivals::Poisson,
            Some(ArrivalsFile::Constant) => Arrivals::Renewal(0.0),
            Some(ArrivalsFile::Scv(scv)) => Arrivals::Renewal(scv),
            Some(ArrivalsFile::SelfSimilar(hurst)) => Arrivals::SelfSimilar(hurst),
        };
        match arrivals {
            Arrivals::Renewal(scv) if !is_scv(scv) => {
                self.error(&format!("{path}.arrivals.scv"), SCV, None);
            }
            Arrivals::SelfSimilar(hurst) if !(0.5..1.0).contains(&hurst) => {
                let path = format!("{path}.arrivals.self-similar");
                self.error(&path, "is a Hurst parameter, from 0.5 to below 1", None);
            }
            _ => {}
        }
        match (&given.rate, &given.users) {
            (Some(rate), None) => {
                if given.think.is_some() {
                    self.error(&format!("{path}.think"), "only `users` think", None);
                }
                let rate = self.curve(rate, &format!("{path}.rate"))?;
                Some(Load::Open { rate, arrivals })
            }
            (None, Some(users)) => {
                if given.arrivals.is_some() {
                    let message = "`users` ask when they have an answer, by no law of arrivals";
                    self.error(&format!("{path}.arrivals"), message, None);
                }
                let users = self.curve(users, &format!("{path}.users"))?;
                let Some(think) = given.think.as_ref().map(|given| given.0.clone()) else {
                    let hint = "`think: {mean: 7s}`".to_string();
                    self.error(&format!("{path}.users"), "need time to think", Some(hint));
                    return None;
                };
                if think.mean() < 0.001 {
                    self.error(&format!("{path}.think"), "must be a millisecond at least", None);
                }
                Some(Load::Closed { users, think })
            }
            (given, _) => {
                let what = if given.is_some() { "both" } else { "neither" };
                let message = format!("has `rate` or `users`, found {what}");
                self.error(path, message, None);
                None
            }
        }
    }

    /// What clients outside do when an answer is late or a failure.
    pub(in crate::scenario) fn patience(&mut self, given: &TrafficFile, path: &str) -> Patience {
        if given.timeout.is_some_and(|t| t.0 == SimDuration::ZERO) {
            self.error(&format!("{path}.timeout"), "must be longer than zero", None);
        }
        let retries = given.retries.as_ref();
        let retries = retries.map(|given| self.retries(given, &format!("{path}.retries")));
        Patience { timeout: given.timeout.map(|span| span.0), retries }
    }

    /// Where clients come from: zones of nodes with their shares, which sum to 1.
    pub(in crate::scenario) fn zones_of_clients(
        &mut self,
        given: &TrafficFile,
        path: &str,
        known: &BTreeSet<Text>,
    ) -> Vec<(Text, f64)> {
        let mut found = Vec::new();
        for (zone, Ratio(share)) in &given.zones {
            let path = format!("{path}.zones.{zone}");
            self.share(*share, &path);
            if !known.contains(zone.as_str()) {
                let known: Vec<String> = known.iter().map(|zone| zone.to_string()).collect();
                self.unknown(&path, "zone", zone, &known);
            }
            found.push((Text::from(zone.as_str()), *share));
        }
        let sum: f64 = found.iter().map(|(_, share)| share).sum();
        if !found.is_empty() && (sum - 1.0).abs() > 1e-6 {
            let message = format!("its shares sum to {}%, not 100%", (sum * 1e4).round() / 100.0);
            let hint = "like `{a: 50%, b: 50%}`".to_string();
            self.error(&format!("{path}.zones"), message, Some(hint));
        }
        found
    }
}
