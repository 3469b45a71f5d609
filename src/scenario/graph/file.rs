//! Calls, clients and balancing as a scenario file writes them.

use crate::scenario::value::{Ratio, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// How closely the requests of a workload are followed.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum LevelFile {
    /// As rates, with formulas for each pod.
    Fluid,
    /// One by one.
    Requests,
}

/// Requests to other Services: a map, one after the other, or a list of steps.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum CallsFile {
    /// How many for each request served, on average.
    Each(BTreeMap<String, f64>),
    /// Steps, one after the other.
    Steps(Vec<CallFile>),
}

impl Default for CallsFile {
    fn default() -> Self {
        CallsFile::Each(BTreeMap::new())
    }
}

struct CallsVisitor;

impl<'de> Visitor<'de> for CallsVisitor {
    type Value = CallsFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("calls: {SERVICE: NUMBER, ...}, or a list of steps like {to: SERVICE}")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CallsFile, A::Error> {
        BTreeMap::deserialize(MapAccessDeserializer::new(map)).map(CallsFile::Each)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<CallsFile, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(CallsFile::Steps)
    }
}

impl<'de> Deserialize<'de> for CallsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CallsVisitor)
    }
}

/// A step: a call (`to`), or several side by side (`parallel`).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CallFile {
    /// The Service that is called: `name` or `namespace/name`.
    pub to: Option<String>,
    /// Calls that are made at once; the step is over when all are.
    pub parallel: Option<Vec<CallFile>>,
    /// How often, one after the other; on average, if it is no whole number. Default 1.
    pub times: Option<f64>,
    /// Requests that each of them consists of, sent at once and all waited for. Default 1.
    pub fan_out: Option<u32>,
    /// Chance that the call is made at all. Default 100%.
    pub probability: Option<Ratio>,
    /// A request not answered after this has failed for its caller; the callee goes on with it.
    /// Default: no limit but the callee's own.
    pub timeout: Option<Span>,
    /// Failed requests are sent again. Default: they are not.
    pub retries: Option<RetriesFile>,
    /// Calls fail at once while the callee fails. Default: none.
    pub circuit_breaker: Option<CircuitBreakerFile>,
    /// Limits of connections from one calling pod. Default: none.
    pub connections: Option<ConnectionsFile>,
    /// Share of the requests that the caller answers itself, or a cache that is cold in a new pod.
    pub cache: Option<CacheFile>,
    /// Its failure does not fail the request that it is made for. Default false.
    pub optional: Option<bool>,
}

/// Failed requests are sent again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RetriesFile {
    /// Tries beyond the first.
    pub attempts: u32,
    /// Waits before them; each is twice as long as the one before. Default base 25ms, max ten times
    /// as much (Envoy's).
    #[serde(default)]
    pub back_off: Option<BackOffFile>,
    /// What is drawn of a wait. Default full.
    #[serde(default)]
    pub jitter: Option<JitterFile>,
    /// Most retries, as a share of the first tries. Default: no limit.
    #[serde(default)]
    pub budget: Option<Ratio>,
}

/// Waits before a retry.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BackOffFile {
    /// The first.
    pub base: Span,
    /// The longest. Default: ten times the first.
    #[serde(default)]
    pub max: Option<Span>,
}

/// What is drawn of a wait.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum JitterFile {
    /// Any wait up to the whole.
    Full,
    /// The whole wait, always.
    None,
}

/// Calls fail at once while the callee fails.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CircuitBreakerFile {
    /// Failures in a row that open it. Default 5.
    pub failures: Option<u32>,
    /// How long it stays open; then one request is let through, and decides. Default 30s.
    pub open: Option<Span>,
}

/// Limits of connections from one calling pod to a Service, a request each.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConnectionsFile {
    /// Most requests under way at once. Default 1024 (Envoy's).
    pub max: Option<u32>,
    /// Most requests that wait for one of them; more fail at once. Default 1024 (Envoy's).
    pub pending: Option<u32>,
}

/// A cache of the caller: a share, or a share that a new pod has to reach first.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum CacheFile {
    /// Share of the requests that never reach the callee.
    Always(Ratio),
    /// A cache that begins empty.
    Cold(ColdCacheFile),
}

/// A cache that begins empty.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ColdCacheFile {
    /// Share of the requests that never reach the callee, once it is warm.
    pub hit_ratio: Ratio,
    /// Time in which the share of a new pod rises from nothing to that, in a straight line.
    /// Default 0s.
    #[serde(default)]
    pub warm_up: Option<Span>,
}

struct CacheVisitor;

impl<'de> Visitor<'de> for CacheVisitor {
    type Value = CacheFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a share like 80%, or {hit-ratio: 80%, warm-up: 10m}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<CacheFile, E> {
        let share = crate::scenario::value::parse_ratio(text).map_err(E::custom)?;
        Ok(CacheFile::Always(Ratio(share)))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<CacheFile, E> {
        Ok(CacheFile::Always(Ratio(number as f64)))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<CacheFile, E> {
        Ok(CacheFile::Always(Ratio(number as f64)))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<CacheFile, E> {
        Ok(CacheFile::Always(Ratio(number)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CacheFile, A::Error> {
        ColdCacheFile::deserialize(MapAccessDeserializer::new(map)).map(CacheFile::Cold)
    }
}

impl<'de> Deserialize<'de> for CacheFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CacheVisitor)
    }
}

/// The law by which something varies around its mean: a word, or its squared coefficient of
/// variation.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceTimeFile {
    /// Memoryless: a squared coefficient of variation of 1.
    Exponential,
    /// Always the same: 0.
    Constant,
    /// Any squared coefficient of variation.
    Scv(f64),
}

/// The law of the times between two requests.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArrivalsFile {
    /// Each comes without regard to the others.
    Poisson,
    /// As regular as a clock.
    Constant,
    /// Independent times with this squared coefficient of variation.
    Scv(f64),
    /// Bursts on all time scales, with this Hurst parameter, between 0.5 and 1.
    SelfSimilar(f64),
}

/// A process that has just become ready is slow.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WarmUpFile {
    /// How long it takes until it is as fast as it gets.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// How many times as long its work takes at first.
    pub slower: f64,
}

/// A pod refuses requests while it has too much to do.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShedFile {
    /// When so many are in it, in work or waiting.
    pub in_flight: Option<u32>,
    /// When a new one would have to wait longer than this.
    pub wait: Option<Span>,
}

/// What is said of a Service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ServiceFile {
    /// Who gets the next request. Default random, as by kube-proxy.
    pub balancing: Option<BalancingFile>,
}

/// Who gets the next request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BalancingFile {
    /// Any pod, each with the same chance.
    Random,
    /// One after the other.
    RoundRobin,
    /// The one with fewer requests of two that are drawn.
    LeastRequest,
    /// Pods of workloads by weight, shared evenly among the pods of each.
    Weights(BTreeMap<String, f64>),
}
