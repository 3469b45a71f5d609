//! The event list held against the plain one, over kinds of load that are hard on it.

use super::reference::ReferenceQueue;
use super::*;
use crate::sim::rng::{Stream, Streams};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

impl<E: Copy> EventQueue<E> {
    /// Events that memory is held for.
    fn allocated(&self) -> usize {
        self.ring.room() + self.far.room()
    }

    /// How often an event was put into a bucket.
    fn moves(&self) -> u64 {
        self.ring.moved + self.far.moved()
    }

    /// Goes over to the ring with buckets this wide, whatever the gauge says.
    fn use_ring(&mut self, shift: u32) {
        self.go_over(Verdict::Ring(shift), self.now.0);
        self.pause = 0;
    }

    /// Goes over to the far store for so many events.
    fn use_ladder(&mut self, pause: usize) {
        self.go_over(Verdict::Ladder, 0);
        self.pause = pause;
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
    /// Go over to the ring, its buckets this power of two wide.
    Ring(u32),
    /// Go over to the far store for so many events.
    Ladder(u16),
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
    let ring = prop_oneof![2 => 0u32..30, 1 => 0u32..64].prop_map(Step::Ring);
    let ladder = (1u16..1000).prop_map(Step::Ladder);
    prop::collection::vec(prop_oneof![12 => push, 8 => pop, 3 => ring, 1 => ladder], 1..60)
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
                Step::Ring(shift) => pair.fast.use_ring(shift),
                Step::Ladder(pause) => pair.fast.use_ladder(pause.into()),
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
    let (mut in_use, mut opened, mut closed) = (false, 0, 0);
    let mut watch = |pair: &Pair| {
        let open = pair.fast.ring.is_open();
        opened += u32::from(open && !in_use);
        closed += u32::from(!open && in_use);
        in_use = open;
    };
    for tide in 0..14u32 {
        let (most, reach) = (1 << (2 * (tide % 7) + 3), 1u64 << (14 + 6 * (tide % 4)));
        while pair.fast.len() < most {
            let delay = stream.below(reach);
            pair.push(pair.now() + delay, 0);
            if stream.below(4) == 0 {
                pair.pop();
                watch(&pair);
            }
        }
        while pair.fast.len() > 1 {
            pair.pop();
            watch(&pair);
            if stream.below(4) == 0 {
                pair.push(pair.now() + stream.below(reach), 0);
            }
        }
    }
    pair.drain();
    assert!(opened >= 3 && closed >= 2, "ring opened {opened} times, closed {closed} times");
}

#[test]
fn the_ring_is_used_for_few_events_that_lie_apart() {
    type Delay = fn(&mut Stream) -> u64;
    let rows: [(&str, usize, Delay, bool); 6] = [
        ("ten events", 10, |s| s.below(2000 * MS), true),
        ("a thousand", 1000, |s| s.below(2000 * MS), true),
        ("a thousand, mostly near", 1000, |s| MS << s.below(16), true),
        ("twenty thousand", 20_000, |s| s.below(2000 * MS), false),
        ("a thousand at the same few instants", 1000, |s| s.below(5) * 10_000 * MS, false),
        ("a thousand within nanoseconds", 1000, |s| s.below(3), false),
    ];
    for (sentence, n, delay, ring) in rows {
        let mut pair = Pair::default();
        let mut stream = Streams::new(3).stream("start", 0);
        (0..n).for_each(|_| pair.push(delay(&mut stream), 1));
        hold(&mut pair, 30_000, delay);
        assert_eq!(pair.fast.ring.is_open(), ring, "{sentence}");
    }
}

#[test]
fn either_side_of_the_ring_s_end_and_after_gaps() {
    for shift in [0, 1, 7, 20, 40] {
        let mut pair = Pair::default();
        pair.fast.use_ring(shift);
        let reach = (ring::BUCKETS as u64) << shift;
        let mut stream = Streams::new(5).stream("end", 0);
        for round in 0..2_000u64 {
            let part = reach / 8 * (1 + round % 24);
            for at in [part - 1, part, part + 1, part + (1 << shift)] {
                pair.push(pair.now().saturating_add(at), stream.below(3) as u8);
            }
            if round % 100 == 0 {
                pair.push(pair.now().saturating_add(reach.saturating_mul(1000)), 0);
            }
            for _ in 0..3 + stream.below(3) {
                pair.pop();
            }
            if round % 100 == 50 {
                pair.drain();
            }
            if !pair.fast.ring.is_open() {
                pair.fast.use_ring(shift);
            }
        }
        pair.drain();
    }
}

#[test]
fn more_events_at_once_than_the_ring_has_room_for() {
    let mut pair = Pair::default();
    (0..100).for_each(|i| pair.push(i * MS, 0));
    hold(&mut pair, 5_000, |s| s.below(100 * MS));
    assert!(pair.fast.ring.is_open());
    for i in 0..40_000u64 {
        pair.push(pair.now() + (i * 7919) % (50 * MS), (i % 3) as u8);
    }
    pair.pop();
    assert!(!pair.fast.ring.is_open(), "the far store is for many");
    pair.drain();
}

#[test]
fn a_crowded_instant_while_the_ring_is_in_use() {
    let mut pair = Pair::default();
    pair.fast.use_ring(20);
    for round in 0..20u64 {
        let at = pair.now() + 10 * MS + round;
        for i in 0..300u64 {
            pair.push(at + i % 7 * (round % 2), (i % 5) as u8);
        }
        for i in 0..290u64 {
            pair.pop();
            if i % 3 == 0 {
                pair.push(pair.now(), (i % 5) as u8);
                pair.push(pair.now() + 1, (i % 2) as u8);
            }
        }
        if !pair.fast.ring.is_open() {
            pair.fast.use_ring(20);
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
fn memory_of_the_ring_follows_the_events_that_are_pending() {
    let mut queue = EventQueue::default();
    let mut stream = Streams::new(1).stream("memory", 0);
    let mut plan = |queue: &mut EventQueue<u64>| {
        let later = crate::units::SimDuration(stream.below(DAY));
        queue.push(queue.now() + later, Phase(0), 0);
    };
    (0..4000).for_each(|_| plan(&mut queue));
    for _ in 0..20_000 {
        queue.pop();
        plan(&mut queue);
    }
    assert!(queue.ring.is_open());
    let full = queue.ring.room();
    assert!((3000..4 * 4000 + 1000).contains(&full), "room for {full} events when full");
    while queue.len() > 100 {
        queue.pop();
    }
    for _ in 0..5_000 {
        queue.pop();
        plan(&mut queue);
    }
    let idle = queue.ring.room();
    assert!(idle < 1000, "room for {idle} events when 100 are pending");
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
        for pending in [100, 1000, 4000, 30_000] {
            let mut queue = EventQueue::default();
            let mut stream = Streams::new(2).stream("moves", 0);
            for _ in 0..pending {
                queue.push(SimTime(delay(&mut stream)), Phase(0), ());
            }
            for _ in 0..100_000 {
                let fired = queue.pop().unwrap();
                let later = crate::units::SimDuration(delay(&mut stream));
                queue.push(fired.time + later, Phase(0), ());
            }
            let moves = queue.moves() / (100_000 + pending);
            assert!(moves < at_most, "{sentence}, {pending} pending: {moves} moves per event");
        }
    }
}
