//! Users who wait for an answer and think before they ask again: a closed system.
//!
//! With N users who think for Z and wait for R, N / (Z + R) requests come a second (the interactive
//! response time law, J. D. C. Little 1961 for the whole loop), and R depends on how many come. The
//! rate at which both hold is looked for between none and N / Z; what has piled up in queues counts
//! as it is, and grows or shrinks until as many come as can be served. Arrivals are taken as
//! Poisson ones: right for many users, and for a few of them waits come out too long, since nobody
//! waits behind himself.

use super::network::Network;
use super::wiring::Wiring;
use crate::units::SimTime;

/// Stretches of the longest wait in which rates of closed users follow queues.
const STRETCHES: u32 = 50;
/// Rates that are as near as this, relatively, are the same.
const TOLERANCE: f64 = 1e-9;
/// Rounds over all groups of users, and looks for the rate of one.
const MOST_ROUNDS: u32 = 20;
const MOST_LOOKS: u32 = 60;

impl Network {
    /// Finds how much closed users ask, and lets everything else follow.
    pub(super) fn settle_users(&mut self, now: SimTime) {
        let closed = self.wiring.as_ref().map_or(Vec::new(), |wiring| wiring.closed());
        for round in 0..MOST_ROUNDS {
            let mut most: f64 = 0.0;
            for (asker, users, think) in &closed {
                let before = self.rate_of_asker(*asker);
                let found = self.rate_of_users(now, *asker, *users, *think);
                most = most.max((found - before).abs() / found.max(1e-9));
            }
            if closed.len() < 2 && round == 0 || most <= TOLERANCE {
                break;
            }
        }
        for (asker, _, think) in closed {
            self.come_to_rest(now, asker, think);
        }
    }

    fn rate_of_asker(&self, asker: usize) -> f64 {
        self.wiring.as_ref().map_or(0.0, |wiring| wiring.rate(asker))
    }

    /// The rate at which so many users ask, found between bounds by regula falsi (the Illinois
    /// variant), each time from the state that was there before.
    fn rate_of_users(&mut self, now: SimTime, asker: usize, users: f64, think: f64) -> f64 {
        let state = self.wiring.clone();
        let beyond = |network: &mut Network, rate: f64| {
            network.wiring.clone_from(&state);
            let lasts = network.try_rate(now, asker, rate);
            rate * (think + lasts) - users
        };
        if users <= 0.0 {
            beyond(self, 0.0);
            return 0.0;
        }
        let (mut low, mut at_low) = (0.0, -users);
        let (mut high, mut at_high) = (users / think.max(1e-6), f64::INFINITY);
        let mut rate = high;
        for look in 0..MOST_LOOKS {
            let at = beyond(self, rate);
            if at.abs() <= TOLERANCE * users {
                break;
            }
            let is_high = at > 0.0;
            match is_high {
                true => {
                    (high, at_high, at_low) =
                        (rate, at, if look > 0 { at_low / 2.0 } else { at_low })
                }
                false => (low, at_low, at_high) = (rate, at, at_high / 2.0),
            }
            let slope = at_high - at_low;
            let line = low - at_low * (high - low) / slope;
            // A jump, as at saturation, is closed in on by halves.
            rate = if look % 3 == 2 || !line.is_finite() { (low + high) / 2.0 } else { line };
            if high - low <= TOLERANCE * high {
                break;
            }
        }
        rate
    }

    /// How long a request of these clients lasts when so many come a second.
    fn try_rate(&mut self, now: SimTime, asker: usize, rate: f64) -> f64 {
        if let Some(wiring) = &mut self.wiring {
            wiring.set_rate(asker, rate);
        }
        self.follow_rates(now);
        self.wiring.as_ref().map_or(0.0, |wiring| wiring.lasts(asker))
    }

    /// Where a queue grows or shrinks so slowly that it would stand still before the next look, it
    /// stands still: as many come as are served.
    fn come_to_rest(&mut self, now: SimTime, asker: usize, think: f64) {
        let rate = self.rate_of_asker(asker);
        let lasts = self.wiring.as_ref().map_or(0.0, |wiring| wiring.lasts(asker));
        let gap = |station: &super::station::Station| {
            let ratio = station.load_of_moving_queue()?;
            let step = station.pod.wait_max / f64::from(STRETCHES) / (think + lasts).max(1e-6);
            ((ratio - 1.0).abs() <= step).then_some(ratio)
        };
        let moving = self.stations.iter().find_map(gap);
        if let Some(ratio) = moving.filter(|ratio| *ratio != 1.0) {
            self.try_rate(now, asker, rate / ratio);
        }
    }

    /// Waits at which rates of closed users are looked for anew.
    pub(super) fn marks_of_users(&self, station: usize) -> Vec<f64> {
        let longest = self.stations[station].pod.wait_max;
        (1..=STRETCHES).map(|n| longest * f64::from(n) / f64::from(STRETCHES)).collect()
    }
}

impl Wiring {
    /// Whether anybody is a closed user.
    pub(super) fn has_users(&self) -> bool {
        !self.closed().is_empty()
    }
}
