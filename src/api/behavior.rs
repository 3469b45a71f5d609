//! How the containers of a pod behave: what no specification says.
//!
//! A template tells it in annotations `stormglass/...`, so that a manifest with them is still one
//! that a real cluster takes. Times are from one step of a pod's life to the next.

use super::Text;
use super::config::ConfigKind;
use crate::units::{Bytes, SimDuration};

/// What the containers of a pod do once a kubelet has it. Containers count together.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Behavior {
    /// `start-ms`: from the kubelet's first sight to Running, instead of what the node takes.
    pub start: Option<SimDuration>,
    /// `ready-ms`: from Running to Ready, beside what probes add.
    pub ready: Option<SimDuration>,
    /// `stop-ms`: from SIGTERM to the end, at most the grace period.
    pub stop: Option<SimDuration>,
    /// `never-start`: it stays Pending on its node.
    pub never_starts: bool,
    /// `never-ready`: it runs and is never Ready.
    pub never_ready: bool,
    /// `run-ms`: from Running until the containers end by themselves.
    pub run: Option<SimDuration>,
    /// `fail-ms`: the same for a pod whose exit code is not 0.
    pub fail: Option<SimDuration>,
    /// `exit-code`: with which they then end.
    pub exit_code: i32,
    /// `exit-codes`: the same by completion index of an Indexed Job; 0 beyond the list.
    pub exit_codes: Vec<i32>,
    /// `fail-first`: so many pods of an owner, in order of creation, end with 1 whatever is said.
    pub fail_first: u32,
    /// `hang-ms`: from Running until they are there and answer nothing.
    pub hang: Option<SimDuration>,
    /// `init-ms`: how long init containers run, in their order; the last for all that follow.
    pub init_runs: Vec<SimDuration>,
    /// `init-failures`: how often each of them fails before it succeeds.
    pub init_failures: Vec<u32>,
    /// `creates`: Secrets and ConfigMaps of its namespace that are there once it has succeeded.
    pub creates: Vec<(ConfigKind, Text)>,
    /// `memory`: what they take together when they start.
    pub memory: Bytes,
    /// `memory-growth`: what they gain a minute, until they meet their limits.
    pub memory_growth: Bytes,
    /// `stop-exit-code`: with which they end when they are stopped.
    pub stop_exit_code: i32,
}

impl Behavior {
    /// The exit code of the owner's pod number `rank` (from 1), which may have a completion index.
    pub fn exit_code_of(&self, rank: u32, index: Option<usize>) -> i32 {
        // Pods without an owner are not counted.
        if (1..=self.fail_first).contains(&rank) {
            return if self.exit_code == 0 { 1 } else { self.exit_code };
        }
        match index {
            Some(index) if !self.exit_codes.is_empty() => {
                self.exit_codes.get(index).copied().unwrap_or(0)
            }
            _ if self.fail_first > 0 => 0,
            _ => self.exit_code,
        }
    }

    /// How long containers run that end with `code`; `None`: they don't end.
    pub fn run_time(&self, code: i32) -> Option<SimDuration> {
        if code == 0 { self.run } else { self.fail.or(self.run) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_end_as_they_are_told() {
        let indexed = Behavior { exit_codes: vec![0, 42], ..Behavior::default() };
        let first = Behavior { fail_first: 2, ..Behavior::default() };
        let all = Behavior { exit_code: 7, ..Behavior::default() };
        let none = Behavior::default();
        let rows = [
            ("all alike", &all, 5, None, 7),
            ("the first pods fail", &first, 2, None, 1),
            ("and no others", &first, 3, None, 0),
            ("by index", &indexed, 9, Some(1), 42),
            ("beyond the list all is well", &indexed, 9, Some(5), 0),
            ("a pod without an owner is none of the first", &all, 0, None, 7),
            ("and ends well by default", &none, 0, None, 0),
        ];
        for (sentence, behavior, rank, index, code) in rows {
            assert_eq!(behavior.exit_code_of(rank, index), code, "{sentence}");
        }
    }

    #[test]
    fn failing_pods_may_run_for_another_time() {
        let seconds = |s| Some(SimDuration::from_secs(s));
        let both = Behavior { run: seconds(9), fail: seconds(2), ..Behavior::default() };
        let one = Behavior { run: seconds(9), ..Behavior::default() };
        let rows = [
            ("well", &both, 0, seconds(9)),
            ("badly", &both, 1, seconds(2)),
            ("badly, with one time for both", &one, 1, seconds(9)),
            ("without any they run on", &Behavior::default(), 1, None),
        ];
        for (sentence, behavior, code, expected) in rows {
            assert_eq!(behavior.run_time(code), expected, "{sentence}");
        }
    }
}
