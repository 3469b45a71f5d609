//! What the kubelet's prober keeps of a pod whose probes find something else than they should.
//!
//! Source: kubernetes `pkg/kubelet/prober/worker.go`, v1.37. A probe that finds what it found
//! before has no watch: nothing is kept of it, and nothing happens. Plain data.

use crate::api::pod::{Container, Probe};
use crate::units::SimTime;
use std::fmt;

/// What probes find of a pod's containers in their present life.
#[derive(Clone, Debug)]
pub struct Health {
    /// Since when they hang; `NEVER`: they don't.
    pub hung: SimTime,
    /// The entry of the timeline that hangs them; `u32::MAX`: they do so by themselves.
    pub hung_by: u32,
    /// They answered when they hung.
    pub answered: bool,
    /// Probes that find, or have found, something wrong.
    pub watches: Vec<Watch>,
    /// The exit code with which a container that a probe has condemned will have ended.
    pub condemned: Option<i32>,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            hung: SimTime::NEVER,
            hung_by: u32::MAX,
            answered: false,
            watches: Vec::new(),
            condemned: None,
        }
    }
}

impl Health {
    /// Whether a readiness probe has failed often enough.
    pub fn is_unready(&self) -> bool {
        self.watches.iter().any(|watch| watch.kind == ProbeKind::Readiness && watch.failed)
    }
}

/// A probe's worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watch {
    /// Which container of the pod.
    pub container: usize,
    /// Which of its probes.
    pub kind: ProbeKind,
    /// When it asked what has not been answered yet; `NEVER`: nothing.
    pub asked: SimTime,
    /// When it asks next, or gives up what it has asked.
    pub next: SimTime,
    /// Whether the last answer was fine (`lastResult`).
    pub fine: bool,
    /// How often in a row (`resultRun`).
    pub run: u32,
    /// What it believes: it has failed often enough, and not been fine often enough since.
    pub failed: bool,
}

/// The three probes of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// Until it succeeds the others wait.
    Startup,
    /// Ends a container when it fails.
    Liveness,
    /// Takes the pod out of its Services when it fails.
    Readiness,
}

impl fmt::Display for ProbeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Liveness => "Liveness",
            ProbeKind::Readiness => "Readiness",
        })
    }
}

impl ProbeKind {
    /// A container's probe of this kind.
    pub fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            ProbeKind::Startup => container.startup_probe.as_ref(),
            ProbeKind::Liveness => container.liveness_probe.as_ref(),
            ProbeKind::Readiness => container.readiness_probe.as_ref(),
        }
    }
}
