//! An M/M/c queue in SimCore: prints the requests served and their mean time, seconds.
//!
//! Arguments: servers, requests a second, mean service time in seconds, requests.

use serde::Serialize;
use simcore::{cast, Event, EventHandler, Simulation, SimulationContext};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

#[derive(Clone, Serialize)]
struct Arrival {}

#[derive(Clone, Serialize)]
struct Done {
    arrived: f64,
}

/// The servers and their queue.
struct Servers {
    free: usize,
    rate: f64,
    service: f64,
    left: u64,
    queue: VecDeque<f64>,
    served: u64,
    time: f64,
    ctx: SimulationContext,
}

impl Servers {
    fn exponential(&self, mean: f64) -> f64 {
        -mean * (1.0 - self.ctx.rand()).ln()
    }

    fn begin(&mut self, arrived: f64) {
        self.free -= 1;
        let service = self.exponential(self.service);
        self.ctx.emit_self(Done { arrived }, service);
    }
}

impl EventHandler for Servers {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Arrival {} => {
                if self.free > 0 {
                    self.begin(event.time);
                } else {
                    self.queue.push_back(event.time);
                }
                self.left -= 1;
                if self.left > 0 {
                    let gap = self.exponential(1.0 / self.rate);
                    self.ctx.emit_self(Arrival {}, gap);
                }
            }
            Done { arrived } => {
                self.free += 1;
                self.served += 1;
                self.time += event.time - arrived;
                if let Some(arrived) = self.queue.pop_front() {
                    self.begin(arrived);
                }
            }
        })
    }
}

fn main() {
    let arguments: Vec<f64> = std::env::args().skip(1).map(|a| a.parse().expect("a number")).collect();
    let [servers, rate, service, requests] = arguments[..] else { panic!("four numbers") };
    let mut sim = Simulation::new(1);
    let ctx = sim.create_context("servers");
    ctx.emit_self(Arrival {}, 0.0);
    let servers = Rc::new(RefCell::new(Servers {
        free: servers as usize,
        rate,
        service,
        left: requests as u64,
        queue: VecDeque::new(),
        served: 0,
        time: 0.0,
        ctx,
    }));
    sim.add_handler("servers", servers.clone());
    sim.step_until_no_events();
    let servers = servers.borrow();
    println!("{} {}", servers.served, servers.time / servers.served as f64);
}
