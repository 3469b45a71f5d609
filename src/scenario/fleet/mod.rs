//! Fleets: populations of alike objects, and when their members come.
//!
//! A validated fleet is plain data: members that are there from the start are among the scenario's
//! objects like any others, those that come later bring their commands with them. It does not know
//! the seed of a run: who the members are is part of the question, when they come is not.

mod draw;
pub mod file;
mod people;
mod read;
mod template;

use super::kubectl::Command;
use crate::api::Text;
use crate::api::object::Target;
use crate::api::workload::Deployment;
use crate::scenario::hours::Hours;
use crate::scenario::model::Objects;
use crate::sim::sample::Distribution;
use crate::units::{SimDuration, SimTime};

pub(super) use read::Later;

/// A population of alike objects.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Its name.
    pub name: Text,
    /// Its members, by number.
    pub members: Vec<Member>,
    /// When they come; `None`: they are there from the start.
    pub arrival: Option<Arrival>,
    /// What people do before a new member is applied.
    pub delivery: Delivery,
    /// New versions of members that are there.
    pub releases: Option<Releases>,
}

/// One of a fleet.
#[derive(Clone, Debug)]
pub struct Member {
    /// `<fleet>-<number>`.
    pub name: Text,
    /// Its objects.
    pub targets: Vec<Target>,
    /// What makes them; nothing for one that is there from the start.
    pub applied: Vec<Command>,
    /// What ends those whose place it takes.
    pub replaced: Vec<Command>,
}

/// When members of a fleet come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Not before.
    pub from: SimTime,
    /// Not after.
    pub until: SimTime,
    /// In equal steps so far apart; `None`: at any time, one as likely as the other.
    pub every: Option<SimDuration>,
    /// Those replaced end so long after members have come.
    pub after: SimDuration,
    /// Only in these hours, if they come at any time.
    pub hours: Hours,
}

/// What people do before something is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Seconds that whoever asks takes alone, at first.
    pub takes: Distribution,
    /// Who has to work on it after that: an index into the scenario's teams.
    pub team: Option<usize>,
    /// Which share needs the team at all.
    pub share: f64,
    /// Seconds of working time that one of the team takes.
    pub work: Distribution,
}

impl Default for Delivery {
    /// Applied at once.
    fn default() -> Delivery {
        let none = Distribution::Constant(0.0);
        Delivery { takes: none.clone(), team: None, share: 1.0, work: none }
    }
}

/// New versions of members that are there.
#[derive(Clone, Debug)]
pub struct Releases {
    /// Of each member on each day that is worked, in the mean.
    pub per_day: f64,
    /// When people ask for them.
    pub hours: Hours,
    /// What they do before one is applied.
    pub delivery: Delivery,
}

/// People who work on what they are asked for, one thing each at a time, first come, first served.
#[derive(Clone, Debug)]
pub struct Team {
    /// Its name.
    pub name: Text,
    /// How many they are.
    pub people: u32,
    /// When they work.
    pub hours: Hours,
}

impl Arrival {
    /// In how many steps they come; 1 if they come at any time.
    pub fn steps(&self) -> u64 {
        match self.every {
            Some(every) if every > SimDuration::ZERO => 1 + self.until.since(self.from).0 / every.0,
            _ => 1,
        }
    }
}

impl Objects {
    /// The Deployments that are there at the start.
    pub fn present(&self) -> &[Deployment] {
        &self.deployments[..self.deployments.len() - self.arriving]
    }
}
