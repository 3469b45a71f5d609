//! When traffic changes, and what follows from it: rates, full queues, memory.

use super::event::Event;
use super::world::World;
use crate::units::SimTime;

impl World<'_> {
    /// A curve of traffic has its next value.
    pub(super) fn on_traffic(&mut self) {
        let now = self.now;
        let mut rates = vec![0.0; self.scenario.objects.services.len()];
        let mut next = SimTime::NEVER;
        for (index, traffic) in self.scenario.traffic.iter().enumerate() {
            let rate = traffic.rate.at(now);
            rates[traffic.service] += rate * self.draw_noise(index, traffic.noise);
            let resolution = self.scenario.observe.traffic_resolution;
            next = next.min(traffic.rate.next_look(now, resolution));
            if traffic.noise > 0.0 {
                next = next.min(SimTime(now.0 + 1).next_on_grid(SimTime::ZERO, resolution));
            }
        }
        for traffic in &self.scenario.traffic {
            self.network.set_external(traffic.service, rates[traffic.service]);
        }
        self.traffic_changed = true;
        self.plan(next, Event::Traffic);
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
        }
        self.watch_capacity();
        self.watch_memory();
        self.watch_waits();
        self.memory_settles();
        let next = self.network.next_change();
        if next != SimTime::NEVER
            && (next < self.station_planned || self.station_planned <= self.now)
        {
            self.station_planned = next;
            self.plan(next, Event::Station(0));
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
