//! Constraints on the devices of a claim: one attribute is the same for all of them, or different
//! for each.
//!
//! Source: dynamic-resource-allocation `structured/internal/incubating/allocator_incubating.go`,
//! `constraint.go`, v1.37.

use crate::api::Text;
use crate::api::devices::{Attribute, Constraint, Device};

/// A constraint with the devices that have been chosen so far.
pub(super) struct Held<'a> {
    given: &'a Constraint,
    /// The attributes of those devices, in the order of their choice.
    chosen: Vec<&'a Attribute>,
}

impl<'a> Held<'a> {
    pub(super) fn new(given: &'a Constraint) -> Held<'a> {
        Held { given, chosen: Vec::new() }
    }

    /// Whether it is about the devices of a request, or of one of its subrequests.
    fn concerns(&self, request: &str, subrequest: Option<&str>) -> bool {
        let names = &self.given.requests;
        let is_sub = |name: &Text| {
            let parts = name.split_once('/');
            parts.is_some_and(|(r, s)| r == request && Some(s) == subrequest)
        };
        names.is_empty() || names.iter().any(|name| **name == *request || is_sub(name))
    }

    /// Adds a device if the constraint holds with it.
    pub(super) fn add(
        &mut self,
        (request, subrequest): (&Text, Option<&Text>),
        driver: &Text,
        device: &'a Device,
    ) -> bool {
        if !self.concerns(request, subrequest.map(|s| &**s)) {
            return true;
        }
        let Some(attribute) = find(device, driver, &self.given.attribute) else { return false };
        let holds = match self.given.distinct {
            true => self.chosen.iter().all(|chosen| !is_same(attribute, chosen)),
            false => self.chosen.first().is_none_or(|first| is_same(attribute, first)),
        };
        if holds {
            self.chosen.push(attribute);
        }
        holds
    }

    /// Takes the last device away that was added.
    pub(super) fn remove(&mut self, (request, subrequest): (&Text, Option<&Text>)) {
        if self.concerns(request, subrequest.map(|s| &**s)) {
            self.chosen.pop();
        }
    }
}

/// Versions are compared as they are written, builds included.
fn is_same(a: &Attribute, b: &Attribute) -> bool {
    match (a, b) {
        (Attribute::Version(a), Attribute::Version(b)) => a.text == b.text,
        (a, b) => a == b,
    }
}

/// An attribute by its full name; one of the driver's own domain may be told without it
/// (`lookupAttribute`).
fn find<'a>(device: &'a Device, driver: &Text, name: &Text) -> Option<&'a Attribute> {
    if let Some(found) = device.attributes.get(name) {
        return Some(found);
    }
    let (domain, short) = name.split_once('/')?;
    device.attributes.get(short).filter(|_| *domain == **driver)
}
