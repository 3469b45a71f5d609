//! When traffic changes, and what follows from it: rates, full queues, memory.

use super::event::Event;
use super::traffic::singly::News;
use super::world::World;
use crate::api::ObjectName;
use crate::api::ingress::{self, Backend, Ingress};
use crate::api::service::Service;
use crate::scenario::graph::model::Load;
use crate::scenario::model::{Entry, Traffic};
use crate::sim::queue::EventQueue;
use crate::units::SimTime;

impl World<'_> {
    /// A curve of traffic has its next value.
    pub(super) fn on_traffic(&mut self) {
        let now = self.now;
        let mut next = SimTime::NEVER;
        for (index, traffic) in self.scenario.traffic.iter().enumerate() {
            let curve = traffic.load.curve();
            let rate = curve.at(now);
            self.balancers.asked[index] = rate * self.draw_noise(index, traffic.noise);
            let resolution = self.scenario.observe.traffic_resolution;
            next = next.min(curve.next_look(now, resolution));
            if traffic.noise > 0.0 {
                next = next.min(SimTime(now.0 + 1).next_on_grid(SimTime::ZERO, resolution));
            }
        }
        self.send_traffic();
        self.plan(next, Event::Traffic);
    }

    /// Requests from outside go where they are sent at present.
    pub(super) fn send_traffic(&mut self) {
        let mut rates = vec![(0.0, 0.0); self.scenario.objects.destinations().count()];
        let mut unrouted = 0.0;
        self.balancers.entries =
            self.scenario.traffic.iter().map(|traffic| self.entry_of(traffic)).collect();
        let entries = self.balancers.entries.iter().zip(&self.balancers.asked);
        for (index, (entry, asked)) in entries.enumerate() {
            // Clients whose requests are followed one by one ask nobody else.
            let here = entry.filter(|service| !self.network.is_followed(*service));
            let asked = match &self.scenario.traffic[index].load {
                Load::Closed { think, .. } => {
                    let users = (*asked, think.mean());
                    self.network.set_users(self.now, index, here, users);
                    // Who finds nobody thinks again.
                    unrouted += if entry.is_none() { users.0 / users.1 } else { 0.0 };
                    continue;
                }
                Load::Open { arrivals, .. } => {
                    if let Some(service) = entry {
                        rates[*service].1 += asked * (arrivals.scv().unwrap_or(1.0) - 1.0);
                    }
                    *asked
                }
            };
            self.network.set_asker(self.now, index, here, asked);
            match entry {
                Some(service) => rates[*service].0 += asked,
                None => unrouted += asked,
            }
        }
        for (service, (rate, surplus)) in rates.into_iter().enumerate() {
            self.network.set_external(self.now, service, rate);
            self.network.set_surplus(service, surplus);
        }
        self.network.set_unrouted(self.now, unrouted);
        for (index, to) in self.balancers.entries.iter().enumerate() {
            self.network.set_entry(self.now, index, *to, self.balancers.asked[index]);
        }
        self.send_clients();
        self.send_through_balancers();
        self.send_crowds();
        self.traffic_changed = true;
    }

    /// Where clients stick to pods, it matters whose requests they are. An Ingress stands for its
    /// clients: what it sends on sticks to nobody.
    fn send_clients(&mut self) {
        for service in 0..self.scenario.objects.destinations().count() {
            if !self.network.has_affinity(service) {
                continue;
            }
            for (entry, traffic) in self.scenario.traffic.iter().enumerate() {
                let direct = matches!(traffic.to, Entry::Service(_));
                let reaches = self.balancers.entries.get(entry) == Some(&Some(service));
                let is_open = matches!(traffic.load, Load::Open { .. });
                let sticks = is_open && direct && reaches;
                let rate = if sticks { self.balancers.asked[entry] } else { 0.0 };
                self.network.set_clients(self.now, (service, entry), rate, traffic.clients);
            }
        }
    }

    /// Where a load balancer picks nodes, it matters what goes through it.
    fn send_through_balancers(&mut self) {
        for service in 0..self.scenario.objects.destinations().count() {
            if !self.network.is_balanced(service) {
                continue;
            }
            let entries = self.scenario.traffic.iter().zip(&self.balancers.entries);
            let direct = entries.zip(&self.balancers.asked).filter(|((traffic, entry), _)| {
                matches!(traffic.to, Entry::Service(_)) && **entry == Some(service)
            });
            let rate = direct.map(|(_, asked)| asked).sum();
            self.network.set_balanced_rate(service, rate);
        }
    }

    /// The Service that an entry's requests reach; `None`: none is there, or its load balancer is
    /// not, or no rule of an Ingress wants them. An Ingress sends them on inside the cluster: past
    /// load balancers.
    fn entry_of(&self, traffic: &Traffic) -> Option<usize> {
        match &traffic.to {
            Entry::Service(index) => {
                self.service_at(*index).is_some_and(Service::is_open).then_some(*index)
            }
            Entry::Ingress { only, host, path } => {
                let all = self.store.ingresses().map(|(_, ingress)| ingress);
                let is_meant =
                    |i: &&Ingress| only.as_ref().is_none_or(|name| i.object_name() == *name);
                let (namespace, backend) = ingress::route(all.filter(is_meant), host, path)?;
                let Backend::Service { name, .. } = backend else { return None };
                let name = ObjectName { namespace: namespace.clone(), name: name.clone() };
                let id = self.service_named(&name)?;
                let service = self.store.service(id)?;
                let index = self.service_index.get(id).copied()?;
                backend.has_port(service).then_some(index)
            }
        }
    }

    /// A factor with mean 1 and this relative standard deviation, from the entry's own stream.
    fn draw_noise(&mut self, index: usize, deviation: f64) -> f64 {
        if deviation <= 0.0 {
            return 1.0;
        }
        let variance = libm::log1p(deviation * deviation);
        let median = libm::exp(-variance / 2.0);
        let distribution =
            crate::sim::sample::Distribution::LogNormal(median, libm::sqrt(variance));
        distribution.sample(&mut self.noise[index])
    }

    /// Lets rates follow what has changed, and plans when a queue runs full or empty.
    pub(super) fn settle_traffic(&mut self) {
        self.network.seat_clients(&self.streams);
        self.tell_gates();
        self.network.settle(self.now);
        for workload in 0..self.scaled_by.len() {
            // Only where the use of CPU has changed just now.
            if self.network.stations[workload].steady_since() != self.now {
                continue;
            }
            for index in 0..self.scaled_by[workload].len() {
                let hpa = self.scaled_by[workload][index];
                self.hpa_inputs_changed(hpa);
            }
            self.tell_measuring(workload);
        }
        self.watch_capacity();
        self.watch_memory();
        self.watch_waits();
        self.memory_settles();
        self.plan_requests();
        let next = self.network.next_change();
        if next != SimTime::NEVER
            && (next < self.station_planned || self.station_planned <= self.now)
        {
            self.station_planned = next;
            self.plan(next, Event::Station(0));
        }
    }

    /// Requests that are followed one by one may go on up to the next event.
    pub(super) fn tell_horizon(&mut self, pending: &EventQueue<Event>) {
        if let Some(singly) = self.network.singly() {
            singly.horizon = pending.peek_time().unwrap_or(SimTime::NEVER);
        }
    }

    /// Plans when requests go on that are followed one by one.
    fn plan_requests(&mut self) {
        let now = self.now;
        let Some(singly) = self.network.singly() else { return };
        let next = singly.next();
        if next < singly.planned || singly.planned <= now {
            singly.planned = next;
            self.plan(next, Event::Requests);
        }
    }

    /// Requests go on, up to the next thing that happens in the world, or to the first of theirs
    /// that the world has to know of: it is dealt with at its own instant.
    pub(super) fn on_requests(&mut self) {
        let (now, end) = (self.now, SimTime::ZERO + self.scenario.duration);
        let Some(singly) = self.network.singly().filter(|singly| singly.planned == now) else {
            return;
        };
        let until = SimTime(singly.horizon.0.saturating_sub(1)).min(end).max(now);
        if !singly.has_signals() {
            singly.run(until);
        }
        if singly.has_signals() {
            let at = singly.now();
            if at > now {
                singly.planned = at;
                return self.plan(at, Event::Requests);
            }
            let news = singly.take_news();
            self.heed(news);
        }
        self.plan_requests();
    }

    /// Pods whose memory is full are killed; probes of pods whose wait has passed their patience,
    /// or no longer does, may find otherwise; nodes may have less memory left than they should.
    fn heed(&mut self, news: News) {
        for pod in news.full {
            if self.network.is_alive(pod) {
                self.container_exits(pod, "OOMKilled");
            }
        }
        for pod in news.waits {
            self.probes_may_find_otherwise(pod);
        }
        if news.scraped {
            self.memory_settles();
        }
    }

    /// A queue may have run full or empty.
    pub(super) fn on_station(&mut self) {
        if self.now >= self.station_planned {
            self.station_planned = SimTime::NEVER;
            self.traffic_changed = true;
        }
    }
}
