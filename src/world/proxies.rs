//! The kube-proxies: when nodes route by endpoints that have changed.
//!
//! Source: kubernetes `pkg/proxy/runner/bounded_frequency_runner.go`, v1.37. A proxy that has
//! rested for `--iptables-min-sync-period` acts on a change at once; what comes sooner waits until
//! that time has passed since its last sync ended, and is taken over with everything else by then.
//! One sync is for all Services. Every node's proxy sees the same changes at the same instant and
//! takes equally long, so one stands for all.
//!
//! It knows which endpoints a Service has, not why.

use super::event::Event;
use super::world::World;
use crate::api::{PodId, ServiceId};
use crate::scenario::model::KubeProxyFlags;
use crate::units::{SimDuration, SimTime};

/// An endpoint of a Service that came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ChangedEndpoint {
    service: ServiceId,
    pod: PodId,
}

/// Endpoints that changed, and whether nodes route to them from then on.
type Routes = Vec<(ChangedEndpoint, bool)>;

/// What the proxies have yet to do.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    /// Endpoints that changed since the last sync began.
    waiting: Vec<ChangedEndpoint>,
    /// What the sync that is running will have written, and whether nodes then route to it.
    running: Option<Routes>,
    /// The beginning or the end of a sync is planned.
    planned: bool,
    /// When the next sync may begin.
    rested: SimTime,
}

impl Proxies {
    /// Notes endpoints of a Service that came or went.
    pub(super) fn note(&mut self, service: ServiceId, pods: impl Iterator<Item = PodId>) {
        self.waiting.extend(pods.map(|pod| ChangedEndpoint { service, pod }));
    }

    /// The proxies see a change; when their next sync begins, if that is not planned already.
    fn sees(&mut self, now: SimTime) -> Option<SimTime> {
        let unplanned = !std::mem::replace(&mut self.planned, true);
        unplanned.then(|| now.max(self.rested))
    }

    /// A sync begins or ends: what nodes now route by, and when the next beginning or end is.
    /// `look` tells of changed endpoints whether they are routed to.
    fn turn(
        &mut self,
        now: SimTime,
        flags: &KubeProxyFlags,
        look: impl FnOnce(Vec<ChangedEndpoint>) -> Routes,
    ) -> (Routes, Option<SimTime>) {
        self.planned = false;
        let written = self.running.take().unwrap_or_else(|| {
            let routes = look(std::mem::take(&mut self.waiting));
            self.planned = flags.sync_time > SimDuration::ZERO;
            routes
        });
        if self.planned {
            self.running = Some(written);
            return (Routes::new(), Some(now + flags.sync_time));
        }
        self.rested = now + flags.iptables_min_sync_period;
        let next = if self.waiting.is_empty() { None } else { self.sees(now) };
        (written, next)
    }
}

impl World<'_> {
    /// A Service's endpoints changed: the proxies see it, and sync if they have rested.
    pub(super) fn endpoints_changed(&mut self) {
        let seen = self.seen_by_proxies();
        if let Some(at) = self.proxies.sees(seen) {
            self.plan(at, Event::Proxy);
        }
    }

    /// A sync begins or ends.
    pub(super) fn on_proxy(&mut self) {
        let mut proxies = std::mem::take(&mut self.proxies);
        let flags = &self.scenario.flags.kube_proxy;
        let (written, next) = proxies.turn(self.now, flags, |changed| self.routes_of(changed));
        self.proxies = proxies;
        self.route_by(written);
        if let Some(at) = next {
            self.plan(at, Event::Proxy);
        }
    }

    /// The proxies have long since followed: for the settled start.
    pub(super) fn proxies_are_settled(&mut self) {
        let changed = std::mem::take(&mut self.proxies.waiting);
        let routes = self.routes_of(changed);
        self.route_by(routes);
        for id in self.store.services().map(|(id, _)| id).collect::<Vec<_>>() {
            self.nodes_may_answer_otherwise(id, true);
        }
    }

    /// These endpoints of a Service are routed to, or not, as they are endpoints now.
    pub(super) fn route_by_now(&mut self, service: ServiceId, pods: Vec<PodId>) {
        let changed = pods.into_iter().map(|pod| ChangedEndpoint { service, pod }).collect();
        let routes = self.routes_of(changed);
        self.route_by(routes);
    }

    /// Whether changed endpoints are endpoints now.
    fn routes_of(&self, mut changed: Vec<ChangedEndpoint>) -> Routes {
        changed.sort_unstable();
        changed.dedup();
        let routed = |change: &ChangedEndpoint| {
            let service = self.store.service(change.service);
            service.is_some_and(|s| s.endpoints.binary_search(&change.pod).is_ok())
        };
        changed.into_iter().map(|change| (change, routed(&change))).collect()
    }

    fn route_by(&mut self, routes: Routes) {
        self.traffic_changed |= !routes.is_empty();
        let mut concerned: Vec<ServiceId> =
            routes.iter().map(|(change, _)| change.service).collect();
        concerned.dedup();
        for (ChangedEndpoint { service, pod }, routed) in routes {
            let Some(index) = self.service_index.get(service).copied() else { continue };
            self.tell_place(pod);
            self.network.route(self.now, index, pod, routed);
            self.samples_differ(pod);
            self.queue_of_probes_changed(pod);
        }
        concerned.into_iter().for_each(|id| self.nodes_may_answer_otherwise(id, false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds after which each change is acted on, for changes at these seconds.
    fn acted_on(changes: &[f64], period: f64, takes: f64) -> Vec<f64> {
        let span = SimDuration::from_secs_f64;
        let at = |seconds: f64| SimTime::ZERO + span(seconds);
        let flags =
            KubeProxyFlags { iptables_min_sync_period: span(period), sync_time: span(takes) };
        let mut proxies = Proxies::default();
        let (mut done, mut next) = (Vec::new(), None);
        let mut turn = |proxies: &mut Proxies, now: SimTime| {
            let all = |changed: Vec<_>| changed.into_iter().map(|change| (change, true)).collect();
            let (written, next) = proxies.turn(now, &flags, all);
            done.extend(written.iter().map(|_| now.as_secs_f64()));
            next
        };
        for change in changes {
            while let Some(due) = next.filter(|due| *due <= at(*change)) {
                next = turn(&mut proxies, due);
            }
            proxies.note(ServiceId::default(), [PodId::default()].into_iter());
            next = next.or(proxies.sees(at(*change)));
        }
        while let Some(due) = next {
            next = turn(&mut proxies, due);
        }
        done
    }

    #[test]
    fn changes_are_acted_on_as_by_a_bounded_frequency_runner() {
        type Row<'a> = (&'a str, &'a [f64], f64, f64, &'a [f64]);
        #[rustfmt::skip]
        let rows: [Row<'_>; 7] = [
            ("an isolated change is acted on at once", &[5.0], 1.0, 0.0, &[5.0]),
            ("so is each after a rest", &[5.0, 7.0], 1.0, 0.0, &[5.0, 7.0]),
            ("a second one waits until the period is over", &[5.0, 5.25], 1.0, 0.0, &[5.0, 6.0]),
            ("all that come meanwhile go together", &[5.0, 5.25, 5.5], 1.0, 0.0, &[5.0, 6.0, 6.0]),
            ("the period counts anew from each sync", &[5.0, 5.5, 6.5], 1.0, 0.0, &[5.0, 6.0, 7.0]),
            ("without a period each is acted on at once", &[5.0, 5.25], 0.0, 0.0, &[5.0, 5.25]),
            ("a sync that takes time leaves out what comes during it, and the period begins at its \
              end", &[5.0, 5.25], 1.0, 0.5, &[5.5, 7.0]),
        ];
        for (sentence, changes, period, takes, expected) in rows {
            assert_eq!(acted_on(changes, period, takes), expected, "{sentence}");
        }
    }
}
