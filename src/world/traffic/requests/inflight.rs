//! Requests under way, in places that are used again.
//!
//! A request is known by its place and its life: how often the place has been used. An event that
//! names a life that is over finds nothing to do. Nothing is allocated once there are as many
//! places as requests have ever been under way at once.

use crate::units::SimTime;

/// No place.
pub(super) const NONE: u32 = u32::MAX;

/// A request and its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) place: u32,
    pub(super) life: u32,
}

/// Who waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nobody any more.
    Nobody,
    /// Somebody outside, of an open entry.
    Entry(u32),
    /// A user of a closed entry.
    User {
        /// The entry.
        entry: u32,
        /// Which user.
        user: u32,
    },
    /// A call of another request, or of a client who may try again: this try of it.
    Call(Ticket),
    /// A request that waits for its calls.
    Frame(Ticket),
}

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nowhere: the place is free.
    Free,
    /// In the queue of its pod.
    Queued,
    /// In work: it needs CPU.
    Cpu,
    /// In work: it waits for something else.
    Wait,
}

/// One request in a pod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) life: u32,
    pub(super) stage: Stage,
    pub(super) pod: u32,
    /// When it reached its pod.
    pub(super) arrived: SimTime,
    /// What its numbers are hashed from.
    pub(super) key: u64,
    /// How large it is, of mean 1; drawn when work begins.
    pub(super) size: f64,
    /// When work began.
    pub(super) began: SimTime,
    pub(super) origin: Origin,
    /// Neighbours in the queue.
    pub(super) before: u32,
    pub(super) after: u32,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    places: Vec<Request>,
    free: Vec<u32>,
}

impl InFlight {
    /// A new request.
    #[inline]
    pub(super) fn add(&mut self, pod: u32, now: SimTime, key: u64, origin: Origin) -> Ticket {
        let request = Request {
            life: 0,
            stage: Stage::Queued,
            pod,
            arrived: now,
            key,
            size: 0.0,
            began: now,
            origin,
            before: NONE,
            after: NONE,
        };
        match self.free.pop() {
            Some(place) => {
                let life = self.places[place as usize].life;
                self.places[place as usize] = Request { life, ..request };
                Ticket { place, life }
            }
            None => {
                self.places.push(request);
                Ticket { place: self.places.len() as u32 - 1, life: 0 }
            }
        }
    }

    /// A request is over.
    #[inline]
    pub(super) fn remove(&mut self, place: u32) {
        let request = &mut self.places[place as usize];
        request.life = request.life.wrapping_add(1);
        request.stage = Stage::Free;
        self.free.push(place);
    }

    /// The ticket of the request at a place.
    #[inline]
    pub(super) fn ticket(&self, place: u32) -> Ticket {
        Ticket { place, life: self.places[place as usize].life }
    }

    #[inline]
    pub(super) fn get(&self, place: u32) -> &Request {
        &self.places[place as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: u32) -> &mut Request {
        &mut self.places[place as usize]
    }

    /// Whether a request is still under way.
    #[inline]
    pub(super) fn lives(&self, ticket: Ticket) -> bool {
        self.places[ticket.place as usize].life == ticket.life
    }

    /// All requests in pods.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.places.iter().filter(|request| request.stage != Stage::Free)
    }

    /// Those in work in a pod, by place.
    pub(super) fn in_work_at(&self, pod: u32) -> Vec<u32> {
        let is_in_work = |stage| matches!(stage, Stage::Cpu | Stage::Wait);
        let works = |request: &Request| request.pod == pod && is_in_work(request.stage);
        let places = self.places.iter().enumerate();
        places.filter(|(_, request)| works(request)).map(|(place, _)| place as u32).collect()
    }
}
