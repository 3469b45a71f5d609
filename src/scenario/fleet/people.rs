//! People of a scenario: teams, their hours, and what they do before something is applied.
//!
//! It knows the sections of the file, not how long anybody waits.

use super::file::{DeliveryFile, FleetFile, HoursFile};
use super::{Delivery, Team};
use crate::scenario::file::ScenarioFile;
use crate::scenario::hours::Hours;
use crate::scenario::resolve::Resolver;
use crate::scenario::value::Varying;
use crate::sim::sample::Distribution;
use crate::units::SimDuration;

/// Most people of a team: beyond any, and below what would fill the memory by a slip.
const MOST_PEOPLE: u32 = 100_000;
/// A day, the longest that anybody works.
const DAY: SimDuration = SimDuration::from_secs(86_400);

/// Working hours as written; hours that can't be are told of elsewhere.
pub(super) fn hours(given: Option<&HoursFile>) -> Hours {
    match given {
        Some(given) if is_fine(given) => {
            Hours { from: given.from.0, until: given.until.0, weekends: given.weekends }
        }
        _ => Hours::ALWAYS,
    }
}

fn is_fine(given: &HoursFile) -> bool {
    given.from.0 < given.until.0 && given.until.0 <= DAY
}

/// What people do, as written.
pub(super) fn delivery(file: &ScenarioFile, given: Option<&DeliveryFile>) -> Delivery {
    let Some(given) = given else { return Delivery::default() };
    let or_none = |varying: &Option<Varying>| {
        varying.as_ref().map_or(Distribution::Constant(0.0), |varying| varying.0.clone())
    };
    let team = |name: &String| file.teams.iter().position(|team| team.name == *name);
    Delivery {
        takes: or_none(&given.takes),
        team: given.team.as_ref().and_then(team),
        share: given.share.map_or(1.0, |share| share.0),
        work: or_none(&given.work),
    }
}

impl Resolver<'_> {
    /// The teams of a scenario.
    pub(in crate::scenario) fn teams(&mut self, file: &ScenarioFile) -> Vec<Team> {
        for (index, given) in file.teams.iter().enumerate() {
            let path = format!("teams[{index}]");
            if file.teams[..index].iter().any(|other| other.name == given.name) {
                let message = format!("two teams are named `{}`", given.name);
                self.error(&format!("{path}.name"), message, None);
            }
            if !(1..=MOST_PEOPLE).contains(&given.people) {
                let message = format!("a team has 1 to {MOST_PEOPLE} people");
                self.error(&format!("{path}.people"), message, None);
            }
            self.check_hours(given.hours.as_ref(), &format!("{path}.hours"));
        }
        let team = |given: &super::file::TeamFile| Team {
            name: given.name.as_str().into(),
            people: given.people,
            hours: hours(given.hours.as_ref()),
        };
        file.teams.iter().map(team).collect()
    }

    /// Whether a fleet says well who delivers it and its releases, and when.
    pub(super) fn check_people(&mut self, file: &ScenarioFile, given: &FleetFile, path: &str) {
        if let Some(arrive) = &given.arrive {
            self.check_hours(arrive.hours.as_ref(), &format!("{path}.arrive.hours"));
            if arrive.every.is_some() && arrive.hours.is_some() {
                let message = "steps come at their time: no hours";
                self.error(&format!("{path}.arrive.hours"), message, None);
            }
        }
        if given.delivery.is_some() && given.arrive.is_none() {
            let hint = "say when its members come: arrive: {until: 30d}".to_string();
            let message = "only what comes later is delivered";
            self.error(&format!("{path}.delivery"), message, Some(hint));
        }
        self.check_delivery(file, given.delivery.as_ref(), &format!("{path}.delivery"));
        if let Some(releases) = &given.releases {
            let path = format!("{path}.releases");
            if !(releases.per_day > 0.0 && releases.per_day <= 1e4) {
                self.error(&format!("{path}.per-day"), "is a number above 0, at most 10000", None);
            }
            self.check_hours(releases.hours.as_ref(), &format!("{path}.hours"));
            self.check_delivery(file, releases.delivery.as_ref(), &format!("{path}.delivery"));
        }
    }

    fn check_delivery(&mut self, file: &ScenarioFile, given: Option<&DeliveryFile>, path: &str) {
        let Some(given) = given else { return };
        if !(0.0..=1.0).contains(&given.share.map_or(1.0, |share| share.0)) {
            self.error(&format!("{path}.share"), "is a share between 0% and 100%", None);
        }
        let known: Vec<String> = file.teams.iter().map(|team| team.name.clone()).collect();
        match &given.team {
            Some(name) if !known.contains(name) => {
                self.unknown(&format!("{path}.team"), "team", name, &known);
            }
            Some(_) if given.work.is_none() => {
                let hint = "give the working time of one of the team: work: 4h".to_string();
                self.error(path, "how long does the team work on it?", Some(hint));
            }
            None if given.work.is_some() || given.share.is_some() => {
                let hint = "name one of `teams`".to_string();
                self.error(path, "which team works on it?", Some(hint));
            }
            _ => {}
        }
    }

    fn check_hours(&mut self, given: Option<&HoursFile>, path: &str) {
        if given.is_some_and(|given| !is_fine(given)) {
            let hint = "like {from: 9h, until: 17h}; at most until 24h".to_string();
            self.error(path, "a day's work ends after it began", Some(hint));
        }
    }
}
