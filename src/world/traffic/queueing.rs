//! Formulas of a pod as a queue with several servers (M/M/c).
//!
//! Sources: A. K. Erlang 1917; any text on queueing, e.g. Harchol-Balter, Performance Modeling and
//! Design of Computer Systems, 2013, ch. 14. Pure functions of numbers.

/// Erlang's C: the chance that an arrival must wait, for `servers` >= 1 and `load` = arrival rate x
/// service time < `servers`. 1 at or beyond saturation.
///
/// By the recursion of Erlang's B, which neither overflows nor cancels.
pub fn erlang_c(servers: u32, load: f64) -> f64 {
    let c = f64::from(servers);
    if load >= c {
        return 1.0;
    }
    let b = erlang_b(servers, load);
    let rho = load / c;
    b / (1.0 - rho + rho * b)
}

/// Erlang's B: the chance that an arrival is lost with `servers` servers and no queue.
pub fn erlang_b(servers: u32, load: f64) -> f64 {
    (1..=servers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b))
}

/// One pod under a steady load: what a request meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Response {
    /// Mean service time, seconds.
    pub service: f64,
    /// Chance to wait at all.
    pub wait_chance: f64,
    /// Rate at which the waiting time of those who wait decays, per second.
    pub wait_rate: f64,
}

impl Response {
    /// A pod of `servers` servers with exponential service times of mean `service` seconds, at
    /// `arrivals` requests a second (below capacity).
    pub fn steady(servers: u32, service: f64, arrivals: f64) -> Response {
        let wait_chance = erlang_c(servers, arrivals * service);
        let wait_rate = (f64::from(servers) / service - arrivals).max(1e-9);
        Response { service, wait_chance, wait_rate }
    }

    /// Mean time in the pod, seconds.
    #[cfg(test)]
    pub fn mean(&self) -> f64 {
        self.service + self.wait_chance / self.wait_rate
    }

    /// Chance that waiting alone takes longer than `seconds`.
    pub fn wait_exceeds(&self, seconds: f64) -> f64 {
        if seconds <= 0.0 {
            self.wait_chance
        } else {
            self.wait_chance * libm::exp(-self.wait_rate * seconds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erlang_c_has_its_tabulated_values() {
        // servers, load, P(wait), mean wait in service times: research/perf_fidelity.md section 4.
        let rows = [
            (1, 0.8, 0.8, 4.0),
            (2, 1.6, 0.711_111, 1.777_778),
            (4, 2.8, 0.428_654, 0.357_212),
            (8, 7.2, 0.701_533, 0.876_916),
            (16, 14.4, 0.591_343, 0.369_590),
            (100, 95.0, 0.506_457, 0.101_291),
        ];
        for (servers, load, chance, wait) in rows {
            let response = Response::steady(servers, 1.0, load);
            assert!((response.wait_chance - chance).abs() < 1e-6, "C({servers}, {load})");
            assert!((response.mean() - 1.0 - wait).abs() < 1e-5, "Wq({servers}, {load})");
        }
    }

    #[test]
    fn erlang_b_has_its_tabulated_values() {
        assert!((erlang_b(10, 8.0) - 0.121_661).abs() < 1e-6);
        assert!((erlang_b(100, 95.0) - 0.048_804).abs() < 1e-6);
    }

    #[test]
    fn at_saturation_everyone_waits() {
        assert_eq!(erlang_c(4, 4.0), 1.0);
        assert_eq!(erlang_c(4, 9.0), 1.0);
    }
}
