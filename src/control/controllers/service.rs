//! The service controller of the cloud-controller-manager: load balancers for Services.
//!
//! Source: cloud-provider `controllers/service/controller.go` (`syncLoadBalancerIfNeeded`), v0.37.
//! A worker waits for the cloud while it makes a load balancer, so with one worker (the default)
//! they come one after the other. That the nodes behind them change takes no time here, and a
//! Service that is deleted is gone at once. It knows neither the clock nor the cloud: it is told
//! when one is there.

use super::action::About;
use super::action::Action;
use crate::api::ServiceId;
use crate::api::event::EventType::Normal;
use crate::api::service::{Service, ServiceType};
use crate::store::Store;
use std::collections::{BTreeSet, VecDeque};

/// The controller's memory.
#[derive(Clone, Debug)]
pub struct Services {
    workers: usize,
    waiting: VecDeque<ServiceId>,
    busy: BTreeSet<ServiceId>,
}

/// What a worker begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// The cloud is asked for a load balancer.
    Ensure,
    /// The Service wants none any more: the cloud takes it back.
    Delete,
}

impl Services {
    /// A controller with so many workers (`--concurrent-service-syncs`).
    pub fn new(workers: u32) -> Services {
        Services {
            workers: workers.max(1) as usize,
            waiting: VecDeque::new(),
            busy: BTreeSet::new(),
        }
    }

    /// A Service came, changed or went.
    pub fn changed(&mut self, id: ServiceId) {
        if !self.waiting.contains(&id) {
            self.waiting.push_back(id);
        }
    }

    /// What the next free worker begins with; `None`: none is free, or nothing waits.
    pub fn begin(&mut self, store: &Store) -> Option<(ServiceId, Work)> {
        while self.busy.len() < self.workers {
            let at = self.waiting.iter().position(|id| !self.busy.contains(id))?;
            let id = self.waiting.remove(at)?;
            if let Some(work) = store.service(id).and_then(wanted) {
                if work == Work::Ensure {
                    self.busy.insert(id);
                }
                return Some((id, work));
            }
        }
        None
    }

    /// The cloud has done what a worker waited for.
    pub fn done(&mut self, id: ServiceId) {
        self.busy.remove(&id);
    }
}

fn wanted(service: &Service) -> Option<Work> {
    match (service.kind == ServiceType::LoadBalancer, &service.load_balancer) {
        (true, None) => Some(Work::Ensure),
        (false, Some(_)) => Some(Work::Delete),
        _ => None,
    }
}

/// An Event of the controller.
pub fn event(id: ServiceId, reason: &'static str, message: &str) -> Action {
    let (kind, about) = (Normal, About::Service(id));
    Action::Event { kind, reason, about, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced(store: &mut Store, name: &str) -> ServiceId {
        let kind = ServiceType::LoadBalancer;
        store.create_service(Service { name: name.into(), kind, ..Service::default() })
    }

    /// What is begun, by the Services' names.
    fn begun(services: &mut Services, store: &Store) -> Vec<String> {
        let mut out = Vec::new();
        while let Some((id, work)) = services.begin(store) {
            out.push(format!("{work:?} {}", store.service(id).unwrap().name));
        }
        out
    }

    #[test]
    fn load_balancers_are_made_one_after_the_other() {
        let rows: [(&str, u32, &[&str], &[&str]); 3] = [
            ("one worker takes one", 1, &["Ensure a"], &["Ensure b"]),
            ("two take two", 2, &["Ensure a", "Ensure b"], &["Ensure c"]),
            ("no worker at all is one", 0, &["Ensure a"], &["Ensure b"]),
        ];
        for (sentence, workers, first, second) in rows {
            let mut store = Store::default();
            let ids = ["a", "b", "c"].map(|name| balanced(&mut store, name));
            let mut services = Services::new(workers);
            ids.iter().for_each(|id| services.changed(*id));
            assert_eq!(begun(&mut services, &store), first, "{sentence}");
            store.update_service(ids[0], |s| s.load_balancer.replace("ip".into()).is_none());
            services.done(ids[0]);
            assert_eq!(begun(&mut services, &store), second, "{sentence}, then the next");
        }
    }

    #[test]
    fn only_what_is_wanted_is_done() {
        type Change = fn(&mut Service);
        let rows: [(&str, Change, &[&str]); 5] = [
            ("a new one wants its load balancer", |_| {}, &["Ensure web"]),
            ("one that has it wants nothing", |s| s.load_balancer = Some("ip".into()), &[]),
            ("a ClusterIP wants none", |s| s.kind = ServiceType::ClusterIp, &[]),
            (
                "one that is no longer balanced gives it back",
                |s| (s.kind, s.load_balancer) = (ServiceType::NodePort, Some("ip".into())),
                &["Delete web"],
            ),
            ("nor does an ExternalName", |s| s.kind = ServiceType::ExternalName, &[]),
        ];
        for (sentence, change, expected) in rows {
            let mut store = Store::default();
            let id = balanced(&mut store, "web");
            store.update_service(id, |service| {
                change(service);
                true
            });
            let mut services = Services::new(1);
            services.changed(id);
            services.changed(id);
            assert_eq!(begun(&mut services, &store), expected, "{sentence}");
        }
        let mut store = Store::default();
        let id = balanced(&mut store, "web");
        store.remove_service(id);
        let mut services = Services::new(1);
        services.changed(id);
        assert!(begun(&mut services, &store).is_empty(), "nor does one that is gone");
    }
}
