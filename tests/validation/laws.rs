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
