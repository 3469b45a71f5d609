//! Agreement with the real control plane: recorded scripts are played again in a simulated world.
//!
//! A script is what somebody did with `kubectl` to a real API server with real controllers and
//! scheduler, and a stand-in for the kubelets whose delays are known. The same is done here, and
//! what came of it is compared with the recorded repeats, up to what differs between those: names
//! drawn at random, the choice among equal nodes, the spread of times. This room reads text that it
//! is handed; it knows no files.
//!
//! | file | what lives there |
//! |---|---|
//! | `script.rs` | a script: nodes, and actions with their times |
//! | `stage.rs` | the scenario that a script makes |
//! | `play.rs` | its actions as commands |
//! | `patch.rs` | patches of objects |
//! | `history.rs` | what essentially happened, in a recording or in a world |
//! | `watching.rs` | the history of a world, written down while it runs |
//! | `compare.rs` | the first difference between two histories |
//! | `status.rs` | the same of the status of a StatefulSet |
//! | `order.rs` | the same of the order in which its pods do things |

mod compare;
mod history;
mod order;
mod patch;
mod play;
mod script;
mod stage;
mod status;
#[cfg(test)]
mod tests;
mod watching;

pub use history::{History, RecordingError};
pub use script::Script;

use crate::scenario::model::Scenario;
use crate::world::run_before;

/// What playing a script came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing essential differs from what was recorded.
    Agrees,
    /// The first difference.
    Differs(String),
    /// The script does something that is not modelled.
    NotModelled(String),
}

/// How often a script is played: what happens may hang on who is first by a few milliseconds, in a
/// real cluster as here, where latencies are drawn; and on when the controllers were started, since
/// when their loops turn: nobody wrote that down.
const PLAYS: usize = 24;

/// Plays a script and compares what happens with the recorded repeats, with other latencies again
/// until it agrees.
pub fn check(script: &Script, repeats: &[History]) -> Verdict {
    let shared = script.class == "shared";
    let margin = if shared { compare::SHARED_MARGIN_MS } else { compare::MARGIN_MS };
    // Which pod is on a node is drawn, so whom it befalls is too.
    let alike = |history: History| match script.touches_nodes() {
        true => history.without_ordinals(),
        false => history,
    };
    let repeats: Vec<History> = repeats.iter().cloned().map(alike).collect();
    let mut first = None;
    for play in 0..PLAYS {
        // A busy API server answered late: what was asked for came about no earlier.
        let repeat = repeats.get(play % repeats.len().max(1));
        let answers = repeat.map_or(&[][..], |repeat| &repeat.answers);
        let clock = repeat.map(|repeat| repeat.clock).unwrap_or_default();
        let scenario = match stage::scenario(script, answers, clock, play) {
            Ok(scenario) => scenario,
            Err(reason) => return Verdict::NotModelled(reason),
        };
        let difference = match once(&scenario, scenario.seed + play as u64) {
            Err(violation) => Some(violation),
            Ok(ours) => compare::difference(&alike(ours), &repeats, margin),
        };
        match difference {
            None => return Verdict::Agrees,
            Some(difference) => _ = first.get_or_insert(difference),
        }
    }
    Verdict::Differs(first.unwrap_or_default())
}

/// What one play comes to, or the invariant that it breaks.
fn once(scenario: &Scenario, seed: u64) -> Result<History, String> {
    let mut watching = watching::Watching::default();
    let mut events = watching::Events::default();
    match run_before(scenario, seed, &mut events, &mut watching) {
        Ok(_) => Ok(watching.into_history(events)),
        Err(violation) => Err(violation.to_string()),
    }
}
