//! `stormglass describe`: an object of a finished run's cluster at any instant, as kubectl
//! describes it.

use super::again::{Again, Trouble};
use super::get::what;
use super::look::{self, When};
use super::{Outcome, complain, print};
use crate::print::describe;
use crate::units::SimTime;
use clap::Args;
use std::path::PathBuf;

/// Describe an object of the cluster of a finished run at any instant, as kubectl does.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  stormglass describe results/hello/1 deployment web --at 2m1s
  stormglass describe results/hello/1 node/node-1

The run is repeated for it, so the scenario and what it names must still be there, unchanged.")]
pub(super) struct Describe {
    /// A result folder, like results/hello/1.
    result: PathBuf,
    /// KIND, KIND NAME... or KIND/NAME...
    #[arg(required = true, value_name = "KIND")]
    what: Vec<String>,
    #[command(flatten)]
    when: When,
    /// The namespace.
    #[arg(short, long, default_value = "default")]
    namespace: String,
}

impl Describe {
    pub(super) fn execute(&self) -> Outcome {
        self.print().unwrap_or_else(|trouble| trouble.tell())
    }

    fn print(&self) -> Result<Outcome, Trouble> {
        let what = what(&self.what)?;
        let again = Again::of(&self.result, self.when.scenario.as_deref())?;
        let instant = self.when.instant(&again, SimTime::ZERO + again.scenario.duration)?;
        let printed =
            look::at(&again, instant, |snapshot| describe(snapshot, &what, &self.namespace))?;
        let outcome = print(&printed.text);
        printed.notes.iter().for_each(|note| complain(note));
        Ok(outcome.or(if printed.missing { Outcome::Missed } else { Outcome::Fine }))
    }
}
