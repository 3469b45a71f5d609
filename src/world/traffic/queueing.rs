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

/// What stands for no variation at all.
const LEAST: f64 = 1e-3;

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

    /// The same for arrivals and service times of the squared coefficients of variation `scv`, in
    /// this order, and spread (Ca + Cs) / 2 times the correction of W. Kraemer and M.
    /// Langenbach-Belz for arrivals that are more regular than chance; the chance to wait is theirs
    /// too (W. Whitt, The Queueing Network Analyzer, Bell System Technical Journal 62(9), 1983,
    /// section 5.1).
    ///
    /// With one server that is near to what is exact; with several, waits that are short come out
    /// too long.
    pub fn renewal(
        servers: u32,
        service: f64,
        arrivals: f64,
        patience: f64,
        scv: (f64, f64),
    ) -> Response {
        let (from, work) = scv;
        let capacity = f64::from(servers) / service;
        let load = (arrivals / capacity).min(1.0);
        let spare = (1.0 - load).max(0.0);
        // Of arrivals and work like clockwork nobody waits: nearly nobody, so that it is a number.
        let both = (from + work).max(LEAST);
        let even = if from < 1.0 {
            libm::exp(-2.0 * spare * (1.0 - from) * (1.0 - from) / (3.0 * load * both))
        } else {
            1.0
        };
        let spread = (both / 2.0 * even).max(LEAST / 2.0);
        // The chance to wait is so many times that of arrivals by chance, 1 - spare x fewer.
        let square = load * load * (4.0 * from + work);
        let weight = if from < 1.0 {
            (1.0 + from + load * work) / (1.0 + load * (work - 1.0) + square).max(LEAST)
        } else {
            4.0 * load / (from + square)
        };
        let fewer = ((1.0 - from) * weight).min((1.0 - LEAST) / spare);
        let times = 1.0 - spare * fewer;
        let busy = erlang_b(servers, arrivals * service);
        let factor = times * (1.0 - busy) / ((1.0 - busy) + busy * fewer);
        // The rate at which the density falls, without end of patience: its mean and the chance to
        // wait say it.
        let spread = spread / times;
        let wait_rate = (capacity - arrivals).max(0.0) / spread;
        let waits = capacity / spread * busy * factor * exp_area(wait_rate, patience);
        let lost = busy * factor * libm::exp(-wait_rate * patience);
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

    /// G/M/1: the chance to wait, as root of s = E e^(-(1 - s) T / work), where `transform` gives
    /// it of the times T between arrivals of mean 1.
    fn chance_to_wait(load: f64, transform: impl Fn(f64) -> f64) -> f64 {
        (0..10_000).fold(0.5, |s, _| transform((1.0 - s) / load))
    }

    /// Of times of one length; of k phases in turn; of either of two exponential lengths, chosen
    /// so that both have the same part in the mean.
    fn transform(scv: f64, s: f64) -> f64 {
        if scv == 0.0 {
            return libm::exp(-s);
        }
        if scv <= 1.0 {
            return libm::pow(1.0 + s * scv, -1.0 / scv);
        }
        let first = (1.0 + libm::sqrt((scv - 1.0) / (scv + 1.0))) / 2.0;
        let of = |part: f64| part * 2.0 * part / (2.0 * part + s);
        of(first) + of(1.0 - first)
    }

    #[test]
    fn regular_arrivals_are_near_to_what_is_exact_of_one_server() {
        // Coefficient of the arrivals, load, margins of the mean wait and of the chance to wait.
        let rows = [
            ("a clock's, half busy", 0.0, 0.5, 0.01, 0.02),
            ("a clock's", 0.0, 0.8, 0.01, 0.01),
            ("a clock's, close to saturation", 0.0, 0.95, 0.01, 0.01),
            ("every fourth by chance, half busy", 0.25, 0.5, 0.08, 0.07),
            ("every fourth by chance", 0.25, 0.8, 0.04, 0.02),
            ("every other by chance", 0.5, 0.8, 0.04, 0.02),
            ("every other by chance, close to saturation", 0.5, 0.95, 0.01, 0.01),
            ("by chance", 1.0, 0.8, 1e-9, 1e-9),
            ("in bursts", 4.0, 0.8, 0.03, 0.01),
            ("in bursts, close to saturation", 4.0, 0.95, 0.02, 0.01),
        ];
        for (sentence, scv, load, margin, of_chance) in rows {
            let chance = chance_to_wait(load, |s| transform(scv, s));
            let wait = chance / (1.0 - chance);
            let found = Response::renewal(1, 1.0, load, 1e5, (scv, 1.0));
            let gap = found.mean_wait() / wait - 1.0;
            assert!(gap.abs() < margin, "{sentence}: {} for {wait}", found.mean_wait());
            let gap = found.waits / chance - 1.0;
            assert!(gap.abs() < of_chance, "{sentence}: {} for {chance}", found.waits);
            assert!(found.lost < 1e-9, "{sentence}: nobody gives up");
        }
    }

    #[test]
    fn of_regular_arrivals_a_server_without_a_queue_loses_fewer() {
        // An arrival is lost if the work that the last one began or met is not done: exact.
        for (scv, load) in [(0.0, 0.5), (0.0, 0.95), (0.25, 0.5), (0.25, 0.8), (0.5, 0.8)] {
            let refused = transform(scv, 1.0 / load);
            let gap = |lost: f64| (lost - refused).abs();
            let found = Response::renewal(1, 1.0, load, 0.0, (scv, 1.0)).lost;
            let by_chance = Response::steady(1, 1.0, load, 0.0).lost;
            assert!(gap(found) < 0.4 * gap(by_chance), "{scv} {load}: {found} for {refused}");
        }
    }

    #[test]
    fn arrivals_by_chance_are_the_formula_of_chance() {
        for (servers, load) in [(1, 0.5), (4, 3.9), (4, 4.0), (16, 2.0)] {
            for (work, patience) in [(0.0, 3.0), (1.0, 0.0), (4.0, 50.0)] {
                let found = Response::renewal(servers, 1.0, load, patience, (1.0, work));
                let plain = Response::spread(servers, 1.0, load, patience, (1.0 + work) / 2.0);
                for (one, other) in [
                    (found.lost, plain.lost),
                    (found.waits, plain.waits),
                    (found.mean_wait(), plain.mean_wait()),
                ] {
                    assert!((one - other).abs() < 1e-9, "{servers} {load} {work}: {one} {other}");
                }
            }
        }
    }

    #[test]
    fn clockwork_waits_for_nothing() {
        for load in [0.5, 0.99, 1.0] {
            let found = Response::renewal(1, 1.0, load, 100.0, (0.0, 0.0));
            assert!(found.lost < 1e-3, "{load}: {}", found.lost);
            // At saturation every wait is as likely as every other.
            assert!(load == 1.0 || found.mean_wait() < 0.1, "{load}: {}", found.mean_wait());
        }
    }

    #[test]
    fn nothing_jumps_at_saturation_whatever_the_laws() {
        for servers in [1, 4] {
            for scv in [(0.0, 1.0), (0.25, 0.0), (0.0, 4.0), (4.0, 0.0), (9.0, 4.0)] {
                let of = |load: f64| {
                    let load = load * f64::from(servers);
                    Response::renewal(servers, 1.0, load, 20.0, scv)
                };
                let (below, on) = (of(1.0 - 1e-12), of(1.0));
                assert!((below.lost - on.lost).abs() < 1e-9, "{servers} {scv:?}");
                assert!((below.mean_wait() - on.mean_wait()).abs() < 1e-8, "{servers} {scv:?}");
                let mut last = 0.0;
                for load in 1..=100 {
                    let found = of(f64::from(load) / 100.0);
                    let all = found.lost + found.waits;
                    assert!(
                        (0.0..=1.0).contains(&all) && found.lost > last - 1e-9,
                        "{scv:?} {load}"
                    );
                    last = found.lost;
                }
            }
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
