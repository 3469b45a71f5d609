//! Formulas that have no value in the literature at hand.

/// Requests a second of `users` who think `think` seconds, before `servers` servers of mean service
/// time 1: the machine repairman (J. W. Cohen; C. Palm 1947), from its birth and death chain.
pub fn repairman(users: u32, think: f64, servers: u32) -> f64 {
    let (mut weight, mut all, mut done) = (1.0, 1.0, 0.0);
    for n in 1..=users {
        // From n - 1 at the servers to n.
        let busy = f64::from(n.min(servers));
        weight *= f64::from(users - n + 1) / think / busy;
        all += weight;
        done += weight * busy;
    }
    done / all
}

/// Mean wait in an M/M/c queue whose servers are busy for this share of the time, in mean times of
/// work: Erlang's C formula (A. K. Erlang 1917).
pub fn mean_wait(servers: u32, load: f64) -> f64 {
    let (c, offered) = (f64::from(servers), f64::from(servers) * load);
    // Erlang's B by its recursion.
    let lost = (1..=servers).fold(1.0, |lost, n| {
        let lost = offered * lost;
        lost / (f64::from(n) + lost)
    });
    let waits = lost / (1.0 - load * (1.0 - lost));
    waits / (c - offered)
}

#[test]
fn waits_are_those_of_the_literature() {
    // The cells of the engine have them as numbers.
    for (servers, load, wait) in
        [(1, 0.8, 4.0), (2, 0.8, 1.777_778), (8, 0.9, 0.876_916), (100, 0.95, 0.101_291)]
    {
        assert!((mean_wait(servers, load) - wait).abs() < 1e-6, "{servers}, {load}");
    }
}

#[test]
fn the_repairman_is_mean_value_analysis() {
    // One server: the exact recursion (M. Reiser and S. S. Lavenberg, JACM 27(2), 1980).
    let (mut length, mut throughput) = (0.0, 0.0);
    for n in 1..=10 {
        let time = 1.0 + length;
        throughput = f64::from(n) / (8.0 + time);
        length = throughput * time;
    }
    assert!((repairman(10, 8.0, 1) - throughput).abs() < 1e-12);
}
