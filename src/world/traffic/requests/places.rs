//! Places that are used again, known by their number and their life.

use super::inflight::Ticket;

/// Things in places.
#[derive(Debug)]
pub(super) struct Places<T> {
    all: Vec<(u32, T)>,
    free: Vec<u32>,
}

impl<T> Default for Places<T> {
    fn default() -> Places<T> {
        Places { all: Vec::new(), free: Vec::new() }
    }
}

impl<T> Places<T> {
    pub(super) fn add(&mut self, what: T) -> Ticket {
        match self.free.pop() {
            Some(place) => {
                let (life, old) = &mut self.all[place as usize];
                *old = what;
                Ticket { place, life: *life }
            }
            None => {
                self.all.push((0, what));
                Ticket { place: self.all.len() as u32 - 1, life: 0 }
            }
        }
    }

    /// What is there stays, and is known by a new ticket only.
    pub(super) fn renew(&mut self, place: u32) -> Ticket {
        let life = &mut self.all[place as usize].0;
        *life = life.wrapping_add(1);
        Ticket { place, life: *life }
    }

    pub(super) fn remove(&mut self, place: u32) {
        self.renew(place);
        self.free.push(place);
    }

    pub(super) fn lives(&self, ticket: Ticket) -> bool {
        self.all[ticket.place as usize].0 == ticket.life
    }

    /// Tickets of those for whom this holds. What has been removed is not among them.
    pub(super) fn find(&self, wanted: impl Fn(&T) -> bool) -> Vec<Ticket> {
        let mut is_free = vec![false; self.all.len()];
        self.free.iter().for_each(|place| is_free[*place as usize] = true);
        let all = self.all.iter().enumerate();
        let found = all.filter(|(place, (_, what))| !is_free[*place] && wanted(what));
        found.map(|(place, (life, _))| Ticket { place: place as u32, life: *life }).collect()
    }

    pub(super) fn get(&self, place: u32) -> &T {
        &self.all[place as usize].1
    }

    pub(super) fn get_mut(&mut self, place: u32) -> &mut T {
        &mut self.all[place as usize].1
    }
}
