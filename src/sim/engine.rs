//! The run loop: takes the next event, hands it to the model, until nothing is left to do.
//!
//! It does not know what an event does, nor a terminal: whoever draws progress is called now and
//! then with what it needs.

use super::queue::{EventQueue, Fired};
use crate::units::SimTime;
use std::ops::ControlFlow;

/// What is simulated.
pub trait Model {
    /// Something that can be due.
    type Event: Copy;
    /// Why the model itself may stop a run: a broken invariant, a question that is answered.
    type Stop;

    /// Lets `event` happen at `now` and plans what follows from it in `pending`, at `now` or later.
    ///
    /// `Break` ends the run after this event; what is pending stays pending.
    fn handle(
        &mut self,
        now: SimTime,
        event: Self::Event,
        pending: &mut EventQueue<Self::Event>,
    ) -> ControlFlow<Self::Stop>;
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended<S> {
    /// How many events were handled.
    pub events: u64,
    /// The instant of the last event handled; where the queue stood if there was none.
    pub last: SimTime,
    /// Why there were no more.
    pub reason: Reason<S>,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason<S> {
    /// Nothing is pending any more.
    Exhausted,
    /// All that is pending is due after the horizon.
    Horizon,
    /// The model stopped it.
    Stopped(S),
}

/// Handles all events up to and including those at `until`.
///
/// It may be called again with a later horizon: two runs in a row are one run.
pub fn run<M: Model>(
    model: &mut M,
    pending: &mut EventQueue<M::Event>,
    until: SimTime,
) -> Ended<M::Stop> {
    run_with_progress(model, pending, until, u64::MAX, |_, _| {})
}

/// As [`run`]; every `every` events `progress` is told the instant and the number of events so far.
///
/// `every` of 0 counts as 1.
pub fn run_with_progress<M: Model>(
    model: &mut M,
    pending: &mut EventQueue<M::Event>,
    until: SimTime,
    every: u64,
    mut progress: impl FnMut(SimTime, u64),
) -> Ended<M::Stop> {
    let every = every.max(1);
    let (mut events, mut until_progress) = (0, every);
    let reason = loop {
        match pending.peek_time() {
            None => break Reason::Exhausted,
            Some(time) if time > until => break Reason::Horizon,
            Some(_) => {}
        }
        let Some(Fired { time, event, .. }) = pending.pop() else { break Reason::Exhausted };
        let flow = model.handle(time, event, pending);
        events += 1;
        until_progress -= 1;
        if until_progress == 0 {
            progress(time, events);
            until_progress = every;
        }
        if let ControlFlow::Break(stop) = flow {
            break Reason::Stopped(stop);
        }
    };
    Ended { events, last: pending.now(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::queue::Phase;
    use crate::units::SimDuration;

    /// Writes down what happens; each event may plan another one.
    #[derive(Default)]
    struct Diary {
        seen: Vec<(u64, &'static str)>,
    }

    #[derive(Clone, Copy)]
    enum Event {
        Note(&'static str),
        Again { every: SimDuration },
        Spread,
        Stop,
    }

    impl Model for Diary {
        type Event = Event;
        type Stop = &'static str;

        fn handle(
            &mut self,
            now: SimTime,
            event: Event,
            pending: &mut EventQueue<Event>,
        ) -> ControlFlow<&'static str> {
            let word = match event {
                Event::Note(word) => word,
                Event::Again { every } => {
                    pending.push(now + every, Phase(1), event);
                    "again"
                }
                Event::Spread => {
                    pending.push(now, Phase(2), Event::Note("second"));
                    pending.push(now, Phase(1), Event::Note("first"));
                    "spread"
                }
                Event::Stop => return ControlFlow::Break("enough"),
            };
            self.seen.push((now.0, word));
            ControlFlow::Continue(())
        }
    }

    fn planned(events: &[(u64, u8, Event)]) -> EventQueue<Event> {
        let mut pending = EventQueue::default();
        for (time, phase, event) in events {
            pending.push(SimTime(*time), Phase(*phase), *event);
        }
        pending
    }

    #[test]
    fn how_runs_end() {
        let again = Event::Again { every: SimDuration(10) };
        let rows = [
            ("nothing planned, nothing done", vec![], 100, 0, 0, Reason::Exhausted),
            (
                "events at the horizon are handled",
                vec![(5, 0, Event::Note("a")), (100, 0, Event::Note("b"))],
                100,
                2,
                100,
                Reason::Exhausted,
            ),
            (
                "events after the horizon are not",
                vec![(5, 0, Event::Note("a")), (101, 0, Event::Note("b"))],
                100,
                1,
                5,
                Reason::Horizon,
            ),
            ("a loop runs to the horizon", vec![(0, 0, again)], 100, 11, 100, Reason::Horizon),
            (
                "the model stops before others of the same instant",
                vec![(7, 0, Event::Stop), (7, 0, Event::Note("late"))],
                100,
                1,
                7,
                Reason::Stopped("enough"),
            ),
        ];
        for (sentence, events, until, count, last, reason) in rows {
            let mut pending = planned(&events);
            let ended = run(&mut Diary::default(), &mut pending, SimTime(until));
            let expected = Ended { events: count, last: SimTime(last), reason };
            assert_eq!(ended, expected, "{sentence}");
        }
    }

    #[test]
    fn events_planned_at_once_come_by_phase() {
        let mut diary = Diary::default();
        let mut pending = planned(&[(3, 1, Event::Note("before")), (3, 0, Event::Spread)]);
        run(&mut diary, &mut pending, SimTime(3));
        assert_eq!(diary.seen, [(3, "spread"), (3, "before"), (3, "first"), (3, "second")]);
    }

    #[test]
    fn two_runs_in_a_row_are_one_run() {
        let start = [(0, 0, Event::Again { every: SimDuration(3) }), (4, 0, Event::Spread)];
        let (mut whole, mut parts) = (Diary::default(), Diary::default());
        run(&mut whole, &mut planned(&start), SimTime(50));
        let mut pending = planned(&start);
        for until in [0, 3, 4, 20, 49, 50] {
            run(&mut parts, &mut pending, SimTime(until));
        }
        assert_eq!(parts.seen, whole.seen);
    }

    #[test]
    fn progress_is_told_every_so_many_events() {
        let mut pending = planned(&[(0, 0, Event::Again { every: SimDuration(1) })]);
        let mut told = Vec::new();
        run_with_progress(&mut Diary::default(), &mut pending, SimTime(99), 30, |now, events| {
            told.push((now.0, events));
        });
        assert_eq!(told, [(29, 30), (59, 60), (89, 90)]);
    }
}
