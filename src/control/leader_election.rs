//! How the replicas of a component agree on a leader: the settings of client-go's leader election.
//!
//! Source: client-go `tools/leaderelection`, v0.37; defaults of `component-base`
//! (`config/v1alpha1/defaults.go`). It knows neither leases nor who holds them.

use super::flags::{ClusterAutoscalerFlags, ControllerManagerFlags, SchedulerFlags};
use crate::units::SimDuration;

/// How the replicas of a component agree on the one that works (client-go
/// `tools/leaderelection`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderElection {
    /// `--leader-elect`; without it the one replica works whenever it runs.
    pub leader_elect: bool,
    /// `--leader-elect-lease-duration`: how long others wait after they last saw the lease change.
    pub lease_duration: SimDuration,
    /// `--leader-elect-renew-deadline`: how long a leader tries to renew before it gives up.
    pub renew_deadline: SimDuration,
    /// `--leader-elect-retry-period`: between two renewals of a leader; a candidate waits up to
    /// 1.2 times as long on top.
    pub retry_period: SimDuration,
}

impl Default for LeaderElection {
    fn default() -> LeaderElection {
        LeaderElection {
            leader_elect: true,
            lease_duration: SimDuration::from_secs(15),
            renew_deadline: SimDuration::from_secs(10),
            retry_period: SimDuration::from_secs(2),
        }
    }
}

macro_rules! elects {
    ($($flags:ty)*) => {
        $(impl $flags {
            /// How its replicas agree on a leader.
            pub fn leader_election(&self) -> LeaderElection {
                LeaderElection {
                    leader_elect: self.leader_elect,
                    lease_duration: self.leader_elect_lease_duration,
                    renew_deadline: self.leader_elect_renew_deadline,
                    retry_period: self.leader_elect_retry_period,
                }
            }
        })*
    };
}

elects! { ControllerManagerFlags SchedulerFlags ClusterAutoscalerFlags }
