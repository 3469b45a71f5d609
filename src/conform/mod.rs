//! Agreement with the real kube-scheduler: recorded cases are replayed, decision for decision.
//!
//! A case is a cluster, steps on it and what the real scheduler decided. Its manifests decode
//! through k8s-openapi and the project's own conversion, so that a case judges those too. This room
//! reads text that it is handed; it does not know files, scenarios or the simulated world.
//!
//! | file | what lives there |
//! |---|---|
//! | `case.rs` | the lines of a recorded case, and what can be wrong with them |
//! | `answer.rs` | a decision as it is recorded and printed; how two of them differ |
//! | `manifest.rs`, `object.rs` | pods, nodes and other objects of a case |
//! | `claims.rs` | classes, slices and claims of devices |
//! | `explained.rs` | scores and rejections of a cycle by the nodes' names |
//! | `cycles.rs` | single cycles, without a queue |
//! | `timeline.rs` | the scheduler with its queue on a virtual clock |
//! | `generate/` | fresh cases, drawn at random |

pub mod answer;
pub mod case;
mod claims;
mod cycles;
mod explained;
pub mod generate;
mod manifest;
mod object;
mod timeline;

pub use crate::control::scheduler::version::Version;

use answer::Answer;
use case::{Case, CaseError};

/// Which way the scheduler takes to its decisions: they must be the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// Every plugin is asked about every node; scores and rejections of nodes are told.
    Plain,
    /// What earlier cycles found out is used again, as in simulations.
    Fast,
}

/// Feature gates that a case may set.
const GATES: [&str; 2] = ["OpportunisticBatching", "SchedulerAsyncPreemption"];

/// What the scheduler decides in `case`: one answer for each scheduling cycle, in order.
///
/// Of the recorded decisions only the random numbers that were handed to the real scheduler are
/// used (`preemptionOffset`).
pub fn replay(case: &Case, path: Path) -> Result<Vec<Answer>, CaseError> {
    let gates = case.header.feature_gates.keys();
    if let Some(gate) = gates.into_iter().find(|gate| !GATES.contains(&gate.as_str())) {
        let known = GATES.join(", ");
        let message = format!("the feature gate {gate} is not modelled; known are {known}");
        return Err(Case::header_error(message));
    }
    match case.header.mode {
        case::Mode::Direct => cycles::replay(case, path),
        case::Mode::Full => timeline::replay(case, path),
    }
}

/// The first difference of each decision of `case` from what was recorded, with its number (from
/// 0): a missing answer and one too many are differences too.
pub fn differences(case: &Case, answers: &[Answer]) -> Vec<(usize, String)> {
    let recorded: Vec<Answer> = case.recorded().collect();
    let mut out = Vec::new();
    for (number, recorded) in recorded.iter().enumerate() {
        let difference = match answers.get(number) {
            Some(answer) => answer.difference_from(recorded),
            None => Some("no decision".to_owned()),
        };
        out.extend(difference.map(|d| (number, format!("{}: {d}", recorded.pod))));
    }
    for (number, answer) in answers.iter().enumerate().skip(recorded.len()) {
        out.push((number, format!("{}: a decision too many", answer.pod)));
    }
    out
}
