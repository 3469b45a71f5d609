//! The event list in the hold model, against the binary heap of the standard library.
//!
//! Hold (D. W. Jones, CACM 29(4), 1986): take the next event, let it happen, plan one more, with a
//! constant number of events pending. Both lists hold the same events and get the same delays; the
//! table at the end sets the one against the other. Time is the process's CPU time, so whoever else
//! uses the machine is left out.

#![allow(missing_docs, reason = "criterion_group! writes items without documentation")]

use cpu_time::ProcessTime;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;
use stormglass::sim::queue::reference::ReferenceQueue;
use stormglass::sim::queue::{EventQueue, Fired, Phase};
use stormglass::sim::rng::Streams;
use stormglass::sim::sample::Distribution;
use stormglass::units::{SimDuration, SimTime};

/// Events pending, and the ratio that the event list has to reach.
const SIZES: [(usize, f64); 3] = [(1_000, 2.0), (100_000, 3.0), (1_000_000, 5.0)];

/// Delays that are drawn beforehand, so that drawing is no part of what is measured.
const DRAWN: usize = 8192;

const MS: f64 = 1e6;
const S: f64 = 1e9;

/// How long after an event the one that it plans is due: a name, and delays in nanoseconds.
fn loads() -> [(&'static str, Vec<u64>); 3] {
    [
        ("uniform", drawn(&Distribution::Uniform(0.0, 2.0 * S))),
        ("exponential", drawn(&Distribution::Exponential(S))),
        ("timers", timers()),
    ]
}

fn drawn(distribution: &Distribution) -> Vec<u64> {
    let mut stream = Streams::new(1).stream("delays", 0);
    (0..DRAWN).map(|_| distribution.sample(&mut stream) as u64).collect()
}

/// As a cluster plans them: mostly constants (watch latency, probe, sync, back-off, lease, grace),
/// some that are drawn (API latency, start of a container, boot of a machine).
fn timers() -> Vec<u64> {
    let constants = [MS, 10.0 * MS, S, 2.0 * S, 10.0 * S, 15.0 * S, 30.0 * S, 300.0 * S];
    let mut stream = Streams::new(1).stream("timers", 0);
    let api = Distribution::LogNormal(5.0 * MS, 0.7);
    let start = Distribution::LogNormal(3.0 * S, 0.5);
    let boot = Distribution::LogNormal(60.0 * S, 0.3);
    let mut delay = || match stream.below(16) {
        0..10 => stream.pick(&constants).copied().unwrap_or(S),
        10..13 => api.sample(&mut stream),
        13..15 => start.sample(&mut stream),
        _ => boot.sample(&mut stream),
    };
    (0..DRAWN).map(|_| delay() as u64).collect()
}

/// Of the size and shape of the simulation's own events.
#[derive(Clone, Copy)]
enum Event {
    Sync { controller: u32, key: [u32; 2] },
    Bind { pod: [u32; 2], node: [u32; 2] },
    Kubelet { pod: [u32; 2], incarnation: u32, step: u8 },
    Observe,
}

impl Event {
    fn numbered(i: usize) -> Event {
        let id = [i as u32, 1];
        match i % 8 {
            0 => Event::Sync { controller: 1, key: id },
            1 | 2 => Event::Bind { pod: id, node: [7, 1] },
            3 => Event::Observe,
            _ => Event::Kubelet { pod: id, incarnation: 0, step: 0 },
        }
    }
}

/// What both lists can do.
trait Pending: Default {
    fn push(&mut self, time: SimTime, phase: Phase, event: Event);
    fn pop(&mut self) -> Option<Fired<Event>>;
}

impl Pending for EventQueue<Event> {
    fn push(&mut self, time: SimTime, phase: Phase, event: Event) {
        EventQueue::push(self, time, phase, event);
    }
    fn pop(&mut self) -> Option<Fired<Event>> {
        EventQueue::pop(self)
    }
}

impl Pending for ReferenceQueue<Event> {
    fn push(&mut self, time: SimTime, phase: Phase, event: Event) {
        ReferenceQueue::push(self, time, phase, event);
    }
    fn pop(&mut self) -> Option<Fired<Event>> {
        ReferenceQueue::pop(self)
    }
}

/// A simulation that does next to nothing.
struct Hold<'a, Q> {
    pending: Q,
    delays: &'a [u64],
    handled: usize,
    seen: u64,
}

impl<'a, Q: Pending> Hold<'a, Q> {
    /// With so many events pending, in the steady state.
    fn new(pending: usize, delays: &'a [u64]) -> Self {
        let mut hold = Hold { pending: Q::default(), delays, handled: 0, seen: 0 };
        for i in 0..pending {
            let event = Event::numbered(i);
            hold.plan(SimTime::ZERO, event);
        }
        hold.run(2 * pending as u64);
        hold
    }

    fn plan(&mut self, now: SimTime, event: Event) {
        let delay = self.delays[self.handled % DRAWN];
        self.handled += 1;
        let phase = match event {
            Event::Kubelet { .. } => Phase(2),
            Event::Bind { .. } => Phase(4),
            Event::Sync { .. } => Phase(7),
            Event::Observe => Phase(9),
        };
        self.pending.push(now + SimDuration(delay), phase, event);
    }

    /// The handler: what happens, and what is planned then.
    fn handle(&mut self, now: SimTime, event: Event) {
        let next = match event {
            Event::Sync { controller, key } => {
                self.seen += u64::from(key[0]);
                Event::Sync { controller: (controller + 1) % 9, key }
            }
            Event::Bind { pod, node } => {
                self.seen ^= u64::from(node[0]);
                Event::Kubelet { pod, incarnation: node[1], step: 0 }
            }
            Event::Kubelet { pod, incarnation, step: 3 } => {
                self.seen += u64::from(incarnation);
                Event::Bind { pod, node: [pod[0] / 30, 1] }
            }
            Event::Kubelet { pod, incarnation, step } => {
                Event::Kubelet { pod, incarnation, step: step + 1 }
            }
            Event::Observe => Event::Observe,
        };
        self.plan(now, next);
    }

    fn run(&mut self, events: u64) {
        for _ in 0..events {
            let Some(fired) = self.pending.pop() else { return };
            self.handle(fired.time, fired.event);
        }
    }
}

/// Nanoseconds of CPU per event, of each batch.
type Batches = Vec<f64>;

/// Measures one list; tells criterion, and gives back the median.
fn measure<Q: Pending>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    (pending, delays): (usize, &[u64]),
) -> Option<f64> {
    let batches: RefCell<Batches> = RefCell::default();
    // Made when it is asked for, not if it is filtered out, and kept: criterion asks for each sample.
    let mut made: Option<Hold<'_, Q>> = None;
    group.bench_function(BenchmarkId::new(name, pending), |bencher| {
        let hold = made.get_or_insert_with(|| Hold::new(pending, delays));
        bencher.iter_custom(|events| {
            let start = ProcessTime::now();
            hold.run(events);
            let took = start.elapsed();
            black_box(hold.seen);
            if events > 1000 {
                batches.borrow_mut().push(took.as_nanos() as f64 / events as f64);
            }
            took
        });
    });
    let mut batches = batches.into_inner();
    batches.sort_by(f64::total_cmp);
    batches.get(batches.len() / 2).copied()
}

fn hold(criterion: &mut Criterion) {
    let mut rows = Vec::new();
    for (load, delays) in &loads() {
        let mut group = criterion.benchmark_group(format!("hold/{load}"));
        group.throughput(Throughput::Elements(1));
        for (pending, wanted) in SIZES {
            let case = (pending, delays.as_slice());
            let ours = measure::<EventQueue<Event>>(&mut group, "event-list", case);
            let heap = measure::<ReferenceQueue<Event>>(&mut group, "binary-heap", case);
            if let (Some(ours), Some(heap)) = (ours, heap) {
                rows.push(row(load, pending, (ours, heap), wanted));
            }
        }
        group.finish();
    }
    print_table(&rows);
}

fn row(load: &str, pending: usize, (ours, heap): (f64, f64), wanted: f64) -> String {
    let (ratio, millions) = (heap / ours, 1e3 / ours);
    format!(
        "| {load} | {pending} | {ours:.1} | {heap:.1} | {ratio:.1} (at least {wanted}) | {millions:.1} |"
    )
}

#[allow(clippy::print_stdout, reason = "the table is what the benchmark is run for")]
fn print_table(rows: &[String]) {
    if rows.is_empty() {
        return;
    }
    println!(
        "| delays | pending | event list, ns/event | std heap, ns/event | ratio | million events/s |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    println!("{}", rows.join("\n"));
}

criterion_group! {
    name = kernel;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(30);
    targets = hold
}

fn main() {
    kernel();
    Criterion::default().configure_from_args().final_summary();
}
