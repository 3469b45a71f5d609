//! Deadlines: what has not happened so long after it began.
//!
//! All deadlines of one lane are the same time after their beginning, so they come in the order in
//! which they are set: a lane is a queue, and only its head is planned as an event. Most are
//! overtaken by the answer; they are passed over when they reach the head.

use super::inflight::Ticket;
use crate::units::{SimDuration, SimTime};
use std::collections::VecDeque;

/// Deadlines of one kind.
#[derive(Debug)]
pub(super) struct Lane {
    after: SimDuration,
    set: VecDeque<(SimTime, Ticket)>,
    /// An event for the head is on its way.
    planned: bool,
}

impl Lane {
    pub(super) fn new(after: SimDuration) -> Lane {
        Lane { after, set: VecDeque::new(), planned: false }
    }

    /// Something has begun; gives the instant for which an event has to be planned, if any.
    #[inline]
    pub(super) fn begin(&mut self, now: SimTime, ticket: Ticket) -> Option<SimTime> {
        let due = now.saturating_add(self.after);
        self.set.push_back((due, ticket));
        (!std::mem::replace(&mut self.planned, true)).then_some(due)
    }

    /// The event has come: the next one that is due and lives. If there is none, gives the instant
    /// for which the next event has to be planned.
    pub(super) fn due(
        &mut self,
        now: SimTime,
        lives: impl Fn(Ticket) -> bool,
    ) -> Result<Ticket, Option<SimTime>> {
        while let Some((due, ticket)) = self.set.front().copied() {
            let is_alive = lives(ticket);
            if is_alive && due > now {
                return Err(Some(due));
            }
            self.set.pop_front();
            if is_alive {
                return Ok(ticket);
            }
        }
        self.planned = false;
        Err(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lives_is_late_and_only_the_head_is_planned() {
        let s = SimTime::from_secs;
        let ticket = |place| Ticket { place, life: 0 };
        let mut lane = Lane::new(SimDuration::from_secs(10));
        assert_eq!(lane.begin(s(0), ticket(0)), Some(s(10)));
        assert_eq!(lane.begin(s(1), ticket(1)), None);
        assert_eq!(lane.begin(s(2), ticket(2)), None);
        let lives = |t: Ticket| t.place != 1;
        assert_eq!(lane.due(s(10), lives), Ok(ticket(0)));
        assert_eq!(lane.due(s(10), lives), Err(Some(s(12))), "the second is answered already");
        assert_eq!(lane.due(s(12), lives), Ok(ticket(2)));
        assert_eq!(lane.due(s(12), lives), Err(None));
        assert_eq!(lane.begin(s(20), ticket(3)), Some(s(30)));
    }
}
