//! The bill: what machines cost and what energy they take, as integrals over time.
//!
//! Kept twice on purpose: as running integrals here and per node in its record. A check holds the
//! two against each other.

use crate::scenario::model::Machine;
use crate::units::SimTime;

/// Running integrals of all machines that are paid for.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    since: SimTime,
    per_hour: f64,
    idle_watts: f64,
    count: u32,
    cost: f64,
    idle_wh: f64,
    busy_wh: f64,
    hours: f64,
}

impl Ledger {
    fn advance(&mut self, now: SimTime) {
        let hours = now.since(self.since).as_secs_f64() / 3600.0;
        self.since = self.since.max(now);
        self.cost += self.per_hour * hours;
        self.idle_wh += self.idle_watts * hours;
        self.hours += f64::from(self.count) * hours;
    }

    /// A machine is paid for from `now` on.
    pub fn open(&mut self, now: SimTime, machine: &Machine) {
        self.advance(now);
        self.per_hour += machine.price_per_hour;
        self.idle_watts += machine.idle_watts;
        self.count += 1;
    }

    /// A machine is gone.
    pub fn close(&mut self, now: SimTime, machine: &Machine) {
        self.advance(now);
        self.count -= 1;
        // The last one out leaves exactly nothing, whatever the rounding before.
        let left = if self.count == 0 { 0.0 } else { 1.0 };
        self.per_hour = (self.per_hour - machine.price_per_hour) * left;
        self.idle_watts = (self.idle_watts - machine.idle_watts) * left;
    }

    /// Adds energy that work took beyond idling, watt hours.
    pub fn add_busy_energy(&mut self, watt_hours: f64) {
        self.busy_wh += watt_hours;
    }

    /// Money up to `now`.
    pub fn cost(&mut self, now: SimTime) -> f64 {
        self.advance(now);
        self.cost
    }

    /// Money per hour at present.
    pub fn cost_per_hour(&self) -> f64 {
        self.per_hour
    }

    /// Watts of all machines if they idled.
    pub fn idle_watts(&self) -> f64 {
        self.idle_watts
    }

    /// Energy up to `now`, watt hours.
    pub fn energy_wh(&mut self, now: SimTime) -> f64 {
        self.advance(now);
        self.idle_wh + self.busy_wh
    }

    /// Machine hours up to `now`.
    pub fn machine_hours(&mut self, now: SimTime) -> f64 {
        self.advance(now);
        self.hours
    }
}
