//! Formulas of a pod as a queue with several servers and callers who give up (M/M/c+D).
//!
//! Requests arrive by a Poisson process, take exponential times and wait in order; one that would
//! wait longer than its caller's patience leaves unserved. Without patience's end this is M/M/c;
//! with none at all, Erlang's loss system. The load may reach and pass saturation, and nothing
//! jumps there.
//!
//! Sources: A. K. Erlang 1917; D. Y. Barrer, Queuing with impatient customers and ordered service,
//! Operations Research 5 (1957); B. V. Gnedenko and I. N. Kovalenko, Introduction to Queueing
//! Theory, 1968; A. O. Allen, Probability, Statistics, and Queueing Theory, 1978. Pure functions of
//! numbers.

/// Erlang's B: the chance that an arrival is lost with `servers` servers and no queue, for `load` =
/// arrival rate x service time. By the recursion that neither overflows nor cancels.
pub fn erlang_b(servers: u32, load: f64) -> f64 {
    (1..=servers).fold(1.0, |b, n| load * b / (f64::from(n) + load * b))
}

/// One pod under a steady load: what a request meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Response {
    /// Chance to give up.
    pub lost: f64,
    /// Chance to be served after a wait.
    pub waits: f64,
    /// Rate at which the density of the waiting time falls, per second.
    pub wait_rate: f64,
    /// Longest wait, seconds.
    pub patience: f64,
}

impl Response {
    /// A pod of `servers` servers with service times of mean `service` seconds, at `arrivals`
    /// requests a second whose callers wait up to `patience` seconds.
    ///
    /// The density of the wait is that of M/M/c up to `patience`; what lies beyond is the time in
    /// which arrivals give up.
    pub fn steady(servers: u32, service: f64, arrivals: f64, patience: f64) -> Response {
        Response::spread(servers, service, arrivals, patience, 1.0)
    }

    /// The same, with waits that are `spread` times as long: (Ca + Cs) / 2 by Allen and Cunneen,
    /// the squared coefficients of variation of the times between arrivals and of service times.
    /// That is exact for one server with Poisson arrivals and callers who don't give up, and an
    /// approximation else.
    pub fn spread(
        servers: u32,
        service: f64,
        arrivals: f64,
        patience: f64,
        spread: f64,
    ) -> Response {
        let spread = spread.max(1e-3);
        let capacity = f64::from(servers) / service;
        let wait_rate = (capacity - arrivals).max(0.0) / spread;
        let busy = erlang_b(servers, arrivals * service);
        let waits = capacity / spread * busy * exp_area(wait_rate, patience);
        let lost = busy * libm::exp(-wait_rate * patience);
        let all = (1.0 - busy) + waits + lost;
        Response { lost: lost / all, waits: waits / all, wait_rate, patience }
    }

    /// Mean wait over all arrivals, seconds, those who give up counting nothing.
    pub fn mean_wait(&self) -> f64 {
        let area = exp_area(self.wait_rate, self.patience);
        if area > 0.0 { self.waits * exp_moment(self.wait_rate, self.patience) / area } else { 0.0 }
    }

    /// The waiting time of those who wait and are served, in slices of (share, mean seconds): the
    /// shares sum to 1; cut at the quantiles 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999.
    pub fn wait_slices(&self) -> [(f64, f64); 8] {
        const CUTS: [f64; 9] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0];
        let (rate, longest) = (self.wait_rate, self.patience);
        let whole = exp_area(rate, longest);
        let mut slices = [(0.0, 0.0); 8];
        let mut from = 0.0;
        for (i, slice) in slices.iter_mut().enumerate() {
            let share = CUTS[i + 1] - CUTS[i];
            let to = if i == 7 { longest } else { exp_area_inverse(rate, CUTS[i + 1] * whole) };
            let mass = share * whole;
            let moment = exp_moment(rate, to) - exp_moment(rate, from);
            let mean = if mass > 0.0 { moment / mass } else { from };
            *slice = (share, mean.clamp(from, to.max(from)));
            from = to;
        }
        slices
    }
}

/// Integral of e^(-rate w) for w from 0 to `to`.
fn exp_area(rate: f64, to: f64) -> f64 {
    if rate > 0.0 { -libm::expm1(-rate * to) / rate } else { to }
}

/// The `to` at which [`exp_area`] is `area`.
fn exp_area_inverse(rate: f64, area: f64) -> f64 {
    if rate > 0.0 { -libm::log1p(-rate * area) / rate } else { area }
}

/// Integral of w e^(-rate w) for w from 0 to `to`; by its series where the closed form cancels.
fn exp_moment(rate: f64, to: f64) -> f64 {
    let x = rate * to;
    if x > 0.5 {
        return (1.0 - libm::exp(-x) * (1.0 + x)) / (rate * rate);
    }
    // Sum over j of (-x)^j / (j! (j + 2)).
    let (mut sum, mut term) = (0.0, 1.0);
    for j in 0..16 {
        let j = f64::from(j);
        sum += term / (j + 2.0);
        term *= -x / (j + 1.0);
    }
    to * to * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_patience_it_is_erlang_c() {
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
            let response = Response::steady(servers, 1.0, load, 1e4);
            assert!((response.waits - chance).abs() < 1e-6, "C({servers}, {load})");
            assert!((response.mean_wait() - wait).abs() < 1e-5, "Wq({servers}, {load})");
            assert!(response.lost < 1e-12);
        }
    }

    #[test]
    fn with_one_server_it_is_the_formula_of_pollaczek_and_khinchine() {
        for (load, scv) in [(0.5, 0.0), (0.8, 0.0), (0.8, 4.0), (0.9, 0.25)] {
            let spread = (1.0 + scv) / 2.0;
            let response = Response::spread(1, 1.0, load, 1e5, spread);
            let wait = load * spread / (1.0 - load);
            assert!((response.mean_wait() / wait - 1.0).abs() < 1e-9, "{load} {scv}");
        }
    }

    #[test]
    fn without_patience_it_is_erlang_b() {
        for (servers, load, lost) in [(10, 8.0, 0.121_661), (100, 95.0, 0.048_804)] {
            let response = Response::steady(servers, 1.0, load, 0.0);
            assert!((response.lost - lost).abs() < 1e-6 && response.waits == 0.0);
        }
    }

    #[test]
    fn with_some_patience_it_is_the_formula_of_one_server() {
        // M/M/1+D: P(lost) = (1 - r) r e^(-(1 - r) t) / (1 - r^2 e^(-(1 - r) t)), r the load and t
        // the patience in service times.
        for (r, t) in [(0.5, 1.0), (0.9, 3.0), (0.99, 0.2), (0.999, 50.0)] {
            let e = libm::exp(-(1.0 - r) * t);
            let lost = (1.0 - r) * r * e / (1.0 - r * r * e);
            let response = Response::steady(1, 1.0, r, t);
            assert!((response.lost - lost).abs() < 1e-12, "{r} {t}: {} {lost}", response.lost);
        }
    }

    #[test]
    fn nothing_jumps_at_saturation() {
        let at = |load| Response::steady(4, 1.0, load, 20.0);
        let (below, on) = (at(4.0 - 1e-12), at(4.0));
        assert!((below.lost - on.lost).abs() < 1e-9);
        assert!((below.mean_wait() - on.mean_wait()).abs() < 1e-9);
        // Every wait is as likely as every other: half the patience on average.
        assert!((on.mean_wait() / on.waits - 10.0).abs() < 1e-9);
        assert!(on.lost < 0.02, "callers of much patience are served: {}", on.lost);
    }

    #[test]
    fn slices_have_the_mean_of_the_closed_form() {
        for load in [0.1, 0.7, 0.99, 1.0 - 1e-6, 1.0 - 1e-12, 1.0] {
            for patience in [0.0, 1e-3, 0.7, 30.0, 1e4] {
                let response = Response::steady(1, 1.0, load, patience);
                let mean: f64 = response.wait_slices().iter().map(|(share, w)| share * w).sum();
                let gap = (mean * response.waits - response.mean_wait()).abs();
                assert!(gap <= 1e-9 * response.mean_wait(), "{load} {patience}: {gap}");
            }
        }
    }
}
