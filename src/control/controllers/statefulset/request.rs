//! What only the statefulset controller asks the API server for.

use crate::api::labels::Labels;
use crate::api::stateful_set::{Claim, ClaimOwner, Revision, StatefulSetStatus};
use crate::api::{ClaimId, OwnerId, PodId, Text};
use crate::control::controllers::action::Action;

/// A request about a StatefulSet, its revisions and its claims.
#[derive(Clone, Debug)]
pub enum Request {
    /// Write its status.
    Status {
        /// The set.
        set: OwnerId,
        /// The status.
        status: StatefulSetStatus,
    },
    /// Create a revision, or give one of that name another number.
    Revision {
        /// The set.
        set: OwnerId,
        /// The revision.
        revision: Revision,
    },
    /// Delete a revision.
    ForgetRevision {
        /// The set.
        set: OwnerId,
        /// Its name.
        name: Text,
    },
    /// Give a pod the labels of its identity.
    Relabel {
        /// The pod.
        pod: PodId,
        /// All its labels.
        labels: Labels,
    },
    /// Create a claim. Refused while one of its name is being deleted.
    CreateClaim(Claim),
    /// Say with what a claim goes.
    ClaimOwner {
        /// The claim.
        claim: ClaimId,
        /// Its controller.
        owner: Option<ClaimOwner>,
    },
    /// Delete a claim; it goes when its pod no longer uses it.
    DeleteClaim(ClaimId),
}

impl From<Request> for Action {
    fn from(request: Request) -> Action {
        Action::StatefulSet(Box::new(request))
    }
}
