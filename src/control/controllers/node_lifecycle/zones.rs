//! Zones: how disrupted each is, and how fast its nodes may be given their NoExecute taint.
//!
//! Source: kubernetes `pkg/controller/nodelifecycle/node_lifecycle_controller.go`
//! (`handleDisruption`, `ComputeZoneState`, `setLimiterInZone`), `scheduler/rate_limited_queue.go`,
//! v1.37.

use crate::api::NodeId;
use crate::control::flags::ControllerManagerFlags;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeSet;

/// State of a zone (`ZoneState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum ZoneState {
    /// Most nodes are ready.
    #[default]
    Normal,
    /// Too many are not.
    PartialDisruption,
    /// All are not.
    FullDisruption,
}

/// A token bucket of one token.
#[derive(Clone, Copy, Debug)]
struct Limiter {
    /// Tokens a second; not positive: never.
    rate: f64,
    /// When the next token is there.
    next: SimTime,
}

impl Limiter {
    fn has_token(&self, now: SimTime) -> bool {
        self.rate > 0.0 && self.next <= now
    }

    fn interval(rate: f64) -> SimDuration {
        SimDuration::from_secs_f64(1.0 / rate)
    }

    fn take(&mut self, now: SimTime) {
        self.next = now + Limiter::interval(self.rate);
    }

    /// Another rate (`SwapLimiter`): who was waiting waits a whole interval from now.
    fn swap(&mut self, rate: f64, now: SimTime) {
        if rate == self.rate {
            return;
        }
        let next = if rate <= 0.0 {
            SimTime::NEVER
        } else if self.has_token(now) {
            now
        } else {
            now + Limiter::interval(rate)
        };
        *self = Limiter { rate, next };
    }
}

/// A zone with its queue of nodes that wait for the taint.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub name: String,
    pub state: ZoneState,
    limiter: Limiter,
    /// Upstream puts the waiting nodes in anew at every check, by several workers, so their order
    /// is anybody's; here the oldest goes first.
    pub queue: BTreeSet<(u64, NodeId)>,
    /// Nodes, and how many of them are not ready.
    pub size: u32,
    pub unready: u32,
}

impl Zone {
    pub(super) fn new(name: &str, flags: &ControllerManagerFlags) -> Zone {
        Zone {
            name: name.to_string(),
            state: ZoneState::Normal,
            limiter: Limiter { rate: flags.node_eviction_rate, next: SimTime::ZERO },
            queue: BTreeSet::new(),
            size: 0,
            unready: 0,
        }
    }

    /// One node more.
    pub(super) fn count(&mut self, unready: bool) {
        self.size += 1;
        self.unready += u32::from(unready);
    }

    /// One node less.
    pub(super) fn uncount(&mut self, unready: bool) {
        self.size -= 1;
        self.unready -= u32::from(unready);
    }

    /// A node of the zone is counted as it is now.
    pub(super) fn turn(&mut self, counted: &mut bool, unready: bool) {
        self.uncount(*counted);
        self.count(unready);
        *counted = unready;
    }

    /// The state that the counts make.
    pub(super) fn computed_state(&self, flags: &ControllerManagerFlags) -> ZoneState {
        let share = f64::from(self.unready) / f64::from(self.size.max(1));
        if self.unready == self.size && self.unready > 0 {
            ZoneState::FullDisruption
        } else if self.unready > 2 && share >= flags.unhealthy_zone_threshold {
            ZoneState::PartialDisruption
        } else {
            ZoneState::Normal
        }
    }

    /// Enters a state with the rate that goes with it.
    pub(super) fn enter(&mut self, state: ZoneState, flags: &ControllerManagerFlags, now: SimTime) {
        self.state = state;
        let rate = match state {
            ZoneState::PartialDisruption if self.size > flags.large_cluster_size_threshold => {
                flags.secondary_node_eviction_rate
            }
            ZoneState::PartialDisruption => 0.0,
            ZoneState::Normal | ZoneState::FullDisruption => flags.node_eviction_rate,
        };
        self.limiter.swap(rate, now);
    }

    /// All zones are down: nothing is evicted.
    pub(super) fn stop(&mut self, now: SimTime) {
        self.state = ZoneState::FullDisruption;
        self.limiter.swap(0.0, now);
    }

    /// The next node that may get its taint now.
    pub(super) fn pop(&mut self, now: SimTime) -> Option<NodeId> {
        if !self.limiter.has_token(now) {
            return None;
        }
        let (_, node) = self.queue.pop_first()?;
        self.limiter.take(now);
        Some(node)
    }

    /// When the next node in the queue may get its taint.
    pub(super) fn next_token(&self) -> SimTime {
        if self.queue.is_empty() || self.limiter.rate <= 0.0 {
            SimTime::NEVER
        } else {
            self.limiter.next
        }
    }
}
