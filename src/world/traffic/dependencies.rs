//! Stations outside the cluster, which other stations call: their replicas are told, not found
//! behind a Service. It knows no pods.

use super::network::Network;

impl Network {
    /// A dependency has so many replicas from now on. Rates follow with the next settling; what was
    /// queued at replicas that are gone fails.
    pub fn set_replicas(&mut self, callee: usize, replicas: u32) {
        let front = &mut self.fronts[callee];
        let Some(station) = front.primary else { return };
        front.is_outside = true;
        front.per_station.clear();
        if replicas > 0 {
            front.per_station.push((station, replicas));
        }
        let before = std::mem::replace(&mut self.live[station], replicas);
        self.lost[station] += before.saturating_sub(replicas);
    }
}
