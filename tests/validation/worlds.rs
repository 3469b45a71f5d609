//! Queues of whole worlds: a scenario file, a pod, kube-proxy and metrics around the same servers.

use super::cells::Estimate;
use super::laws::mean_wait;
use std::path::Path;
use stormglass::check::Stride;
use stormglass::record::Sink;
use stormglass::record::rows::WorkloadSample;
use stormglass::scenario::{Overrides, load};
use stormglass::world::{RunOptions, run};

/// Mean time that a request is worked on, seconds: the file's.
const WORK: f64 = 0.1;

/// An M/M/c queue in a world.
pub struct World {
    pub servers: u32,
    pub load: f64,
}

/// Those of the table.
pub fn worlds() -> Vec<World> {
    let all = [(1, 0.5), (1, 0.8), (2, 0.8), (4, 0.8), (8, 0.9)];
    all.map(|(servers, load)| World { servers, load }).into()
}

#[derive(Default)]
struct Rows(Vec<WorkloadSample>);

impl Sink for Rows {
    fn workload_sample(&mut self, row: &WorkloadSample) {
        self.0.push(row.clone());
    }
}

impl World {
    /// The mean wait of theory, in mean times of work.
    pub fn theory(&self) -> f64 {
        mean_wait(self.servers, self.load)
    }

    /// The mean wait of about so many requests after a third of that has passed, at 30 seeds.
    pub fn run(&self, seed: u64, requests: u64) -> Estimate {
        let rate = f64::from(self.servers) * self.load / WORK;
        // Whole minutes, for these are the rows.
        let minutes = (requests as f64 / rate / 60.0).ceil() as u64 * 4 / 3 + 1;
        let set = [
            format!("workloads.server.concurrency={}", self.servers),
            format!("workloads.server.burst={}", self.servers),
            format!("traffic.server.rate={rate}"),
            format!("duration={minutes}m"),
        ];
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/validation/mmc.yaml");
        let scenario = load(&file, &Overrides { set: set.into(), until: None }).unwrap();
        let one = |number: u64| {
            let mut rows = Rows::default();
            let options = RunOptions { checks: Stride::NowAndThen };
            run(&scenario, seed << 32 | number, options, &mut rows, |_| {}).unwrap();
            let late = rows.0.iter().filter(|row| row.time.as_secs_f64() > minutes as f64 * 15.0);
            let sums = late.fold((0.0, 0.0, 0.0), |(present, cpu, served), row| {
                let seconds = row.interval.as_secs_f64();
                let cores = row.cpu_used.cores() * seconds;
                (present + row.in_flight * seconds, cpu + cores, served + row.served)
            });
            // What was worked is known: less chance than with the mean of the law.
            (sums.0 - sums.1) / sums.2 / WORK
        };
        Estimate::of(&(0..30).map(one).collect::<Vec<f64>>())
    }
}
