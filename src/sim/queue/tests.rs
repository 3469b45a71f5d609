//! The ladder queue held against the plain one, over kinds of load that are hard on it.

use super::reference::ReferenceQueue;
use super::*;
use crate::sim::rng::{Stream, Streams};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

impl<E> EventQueue<E> {
    /// Events that memory is held for.
    fn allocated(&self) -> usize {
        self.front.room() + self.ladder.chunks.room()
    }

    /// How often an event was put into a bucket.
    fn moves(&self) -> u64 {
        self.ladder.chunks.moved
    }
}

/// Both queues, fed the same.
#[derive(Default)]
struct Pair {
    fast: EventQueue<u32>,
    plain: ReferenceQueue<u32>,
    pushed: u32,
}

impl Pair {
    fn push(&mut self, time: u64, phase: u8) {
        let time = SimTime(time.min(u64::MAX - 1));
        self.fast.push(time, Phase(phase), self.pushed);
        self.plain.push(time, Phase(phase), self.pushed);
        self.pushed += 1;
    }

    fn pop(&mut self) -> Option<Fired<u32>> {
        assert_eq!(self.fast.peek_time(), self.plain.peek_time());
        assert_eq!(self.fast.len(), self.plain.len());
        assert_eq!(self.fast.is_empty(), self.plain.is_empty());
        let fired = self.fast.pop();
        assert_eq!(fired, self.plain.pop());
        fired
    }

    fn now(&self) -> u64 {
        self.fast.now().0
    }

    fn drain(&mut self) {
        while self.pop().is_some() {}
    }
}

const MS: u64 = 1_000_000;
const DAY: u64 = 86_400_000 * MS;

/// What to do next, in random tests.
#[derive(Clone, Debug)]
enum Step {
    /// Plan so many events, each this long from now, apart by that.
    Push {
        count: u16,
        delay: u64,
        apart: u64,
        phases: u8,
    },
    Pop {
        count: u16,
    },
}

fn delays() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => Just(0),
        3 => 0u64..4,
        3 => 0u64..5_000,
        3 => 0u64..20 * MS,
        2 => 0u64..3 * DAY,
        2 => (0u32..60).prop_map(|bits| 1u64 << bits),
        1 => (0u32..60).prop_map(|bits| (1u64 << bits) - 1),
        1 => u64::MAX / 4..u64::MAX,
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let apart = prop_oneof![3 => Just(0), 2 => 0u64..3, 2 => 0u64..1000, 1 => delays()];
    let push = (1u16..200, delays(), apart, 1u8..5)
        .prop_map(|(count, delay, apart, phases)| Step::Push { count, delay, apart, phases });
    let pop = (1u16..200).prop_map(|count| Step::Pop { count });
    prop::collection::vec(prop_oneof![3 => push, 2 => pop], 1..60)
}

proptest! {
    #![proptest_config(Config { cases: 512, rng_seed: RngSeed::Fixed(2), ..Config::default() })]

    #[test]
    fn equal_to_the_plain_queue(steps in steps()) {
        let mut pair = Pair::default();
        for step in steps {
            match step {
                Step::Push { count, delay, apart, phases } => {
                    for i in 0..u64::from(count) {
                        let at = pair.now().saturating_add(delay);
                        let phase = (i % u64::from(phases)) as u8;
                        pair.push(at.saturating_add(i.saturating_mul(apart)), phase);
                    }
                }
                Step::Pop { count } => {
                    for _ in 0..count {
                        pair.pop();
                    }
                }
            }
        }
        pair.drain();
    }
}

/// Takes and plans `rounds` events: each one taken plans the next by `delay`.
fn hold(pair: &mut Pair, rounds: usize, mut delay: impl FnMut(&mut Stream) -> u64) {
    let mut stream = Streams::new(4).stream("hold", 0);
    for _ in 0..rounds {
        let fired = pair.pop().expect("holding keeps the number of events");
        let phase = stream.below(3) as u8;
        pair.push(fired.time.0.saturating_add(delay(&mut stream)), phase);
    }
}

#[test]
fn steady_loads() {
    type Delay = fn(&mut Stream) -> u64;
    let rows: [(&str, Delay); 8] = [
        ("evenly spread", |s| s.below(2 * MS)),
        ("nearly one instant", |s| s.below(3)),
        ("always the same delay", |_| 10 * MS),
        ("fractions of a nanosecond apart", |s| s.below(2)),
        ("from nanoseconds to months, evenly in the exponent", |s| 1 << s.below(53)),
        (
            "mostly now, seldom in three days",
            |s| if s.below(50) == 0 { 3 * DAY } else { s.below(99) },
        ),
        ("on a grid of ten seconds", |s| s.below(5) * 10_000 * MS),
        ("either side of large powers of two", |s| (1u64 << (20 + s.below(20))) - s.below(3)),
    ];
    for (sentence, delay) in rows {
        for n in [1, 2, 5, 63, 64, 65, 200, 3000, 20_000] {
            let mut pair = Pair::default();
            let mut stream = Streams::new(n).stream("start", 0);
            for _ in 0..n {
                pair.push(delay(&mut stream), 1);
            }
            hold(&mut pair, 30_000, delay);
            assert_eq!(pair.fast.len(), n as usize, "{sentence}");
            pair.drain();
        }
    }
}

#[test]
fn growing_and_shrinking_between_one_and_many() {
    let mut pair = Pair::default();
    let mut stream = Streams::new(1).stream("tide", 0);
    for tide in 0..6u32 {
        let (most, reach) = (1 << (2 * tide + 3), 1u64 << (12 + 6 * (tide % 4)));
        while pair.fast.len() < most {
            let delay = stream.below(reach);
            pair.push(pair.now() + delay, 0);
            if stream.below(4) == 0 {
                pair.pop();
            }
        }
        while pair.fast.len() > 1 {
            pair.pop();
            if stream.below(4) == 0 {
                pair.push(pair.now() + stream.below(reach), 0);
            }
        }
    }
    pair.drain();
}

#[test]
fn one_instant_with_very_many_events() {
    let mut pair = Pair::default();
    for i in 0..20_000u32 {
        pair.push(5 * MS, (i % 3) as u8);
    }
    pair.push(9 * DAY, 0);
    for i in 0..20_000u32 {
        let fired = pair.pop().unwrap();
        if fired.time.0 == 5 * MS && i % 2 == 0 {
            pair.push(5 * MS, 2 + (i % 2) as u8);
            pair.push(5 * MS + u64::from(i % 700), 1);
        }
    }
    pair.drain();
}

#[test]
fn many_events_before_a_crowded_instant() {
    // The front answers up to the crowded instant while events are planned in the gap before it.
    let mut pair = Pair::default();
    pair.push(1, 0);
    for _ in 0..5_000 {
        pair.push(DAY, 0);
    }
    pair.pop();
    for i in 0..5_000u64 {
        pair.push(2 + (i * 7919) % 100_000, 0);
    }
    hold(&mut pair, 20_000, |s| s.below(1000));
    for _ in 0..12_000 {
        pair.pop();
    }
    pair.drain();
}

#[test]
fn the_last_instants_of_time() {
    let mut pair = Pair::default();
    for i in 0..300 {
        pair.push(u64::MAX - 1 - i % 7, (i % 2) as u8);
        pair.push(i, 0);
    }
    pair.drain();
    assert_eq!(pair.now(), u64::MAX - 1);
    for _ in 0..200 {
        pair.push(u64::MAX - 1, 3);
    }
    pair.drain();
}

#[test]
fn same_instant_by_phase_then_by_planning() {
    let mut queue = EventQueue::default();
    let t = SimTime(7);
    for (phase, event) in [(2, "c1"), (0, "a1"), (2, "c2"), (1, "b1"), (0, "a2")] {
        queue.push(t, Phase(phase), event);
    }
    let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|f| (f.event, f.seq)).collect();
    assert_eq!(order, [("a1", 1), ("a2", 4), ("b1", 3), ("c1", 0), ("c2", 2)]);
}

#[test]
#[should_panic(expected = "planned in the past")]
fn the_past_is_closed() {
    let mut queue = EventQueue::default();
    queue.push(SimTime(7), Phase(0), ());
    queue.pop();
    queue.push(SimTime(6), Phase(0), ());
}

#[test]
#[should_panic(expected = "never happens")]
fn never_is_not_an_instant() {
    EventQueue::default().push(SimTime::NEVER, Phase(0), ());
}

#[test]
fn events_that_are_left_are_dropped_once() {
    let event = std::rc::Rc::new(());
    let mut queue = EventQueue::default();
    for i in 0..10_000u64 {
        queue.push(SimTime(i * i), Phase(0), event.clone());
    }
    for _ in 0..500 {
        queue.pop();
    }
    assert_eq!(std::rc::Rc::strong_count(&event), 9_501);
    drop(queue);
    assert_eq!(std::rc::Rc::strong_count(&event), 1);
}

#[test]
fn memory_follows_the_events_that_are_pending() {
    let mut queue = EventQueue::default();
    let mut stream = Streams::new(1).stream("memory", 0);
    for _ in 0..200_000 {
        queue.push(SimTime(stream.below(DAY)), Phase(0), 0u64);
    }
    for _ in 0..50_000 {
        queue.push(SimTime(DAY), Phase(0), 0u64);
    }
    let full = queue.allocated();
    assert!(full < 4 * 250_000, "room for {full} events when full");
    while queue.len() > 100 {
        queue.pop();
    }
    for _ in 0..100_000 {
        let fired = queue.pop().unwrap();
        queue.push(fired.time + crate::units::SimDuration(stream.below(DAY)), Phase(0), 0);
    }
    let idle = queue.allocated();
    assert!(idle < 15_000, "room for {idle} events when 100 are pending");
}

#[test]
fn hard_loads_move_events_few_times() {
    type Delay = fn(&mut Stream) -> u64;
    let rows: [(&str, u64, Delay); 5] = [
        ("evenly spread", 6, |s| s.below(2 * MS)),
        ("evenly in the exponent", 12, |s| 1 << s.below(53)),
        ("one instant", 6, |_| 0),
        ("mostly now, seldom far", 8, |s| if s.below(50) == 0 { 3 * DAY } else { s.below(99) }),
        ("a grid", 6, |s| s.below(5) * 10_000 * MS),
    ];
    for (sentence, at_most, delay) in rows {
        let mut queue = EventQueue::default();
        let mut stream = Streams::new(2).stream("moves", 0);
        for _ in 0..30_000 {
            queue.push(SimTime(delay(&mut stream)), Phase(0), ());
        }
        for _ in 0..100_000 {
            let fired = queue.pop().unwrap();
            let later = crate::units::SimDuration(delay(&mut stream));
            queue.push(fired.time + later, Phase(0), ());
        }
        let moves = queue.moves() / 130_000;
        assert!(moves < at_most, "{sentence}: {moves} moves per event");
    }
}
