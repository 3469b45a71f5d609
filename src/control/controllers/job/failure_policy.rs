//! `podFailurePolicy`: what a failed pod means for its Job.
//!
//! Source: kubernetes `pkg/controller/job/pod_failure_policy.go`, v1.37. Containers of a pod end
//! together with one exit code here.

use crate::api::Text;
use crate::api::job::{FailureAction, FailureMatch, FailureRule};
use crate::api::pod::{Pod, PodPhase};
use crate::units::SimTime;

/// What the first rule that matches says of a failed pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Judgement {
    /// Why the Job fails, if it does.
    pub(super) fails_job: Option<String>,
    /// The failure counts towards the limits.
    pub(super) counts: bool,
    /// The pod's index fails.
    pub(super) fails_index: bool,
}

/// Judges a failed pod.
pub(super) fn judge(policy: Option<&[FailureRule]>, pod: &Pod) -> Judgement {
    let rules = policy.into_iter().flatten().enumerate();
    let mut hits = rules.filter_map(|(place, rule)| Some((place, rule.action, hit(rule, pod)?)));
    let Some((place, action, what)) = hits.next() else {
        return Judgement { fails_job: None, counts: true, fails_index: false };
    };
    Judgement {
        fails_job: (action == FailureAction::FailJob).then(|| message(&what, pod, place)),
        counts: action != FailureAction::Ignore,
        fails_index: action == FailureAction::FailIndex,
    }
}

/// What of a pod a rule has matched.
enum Hit {
    Exit(Text, i32),
    Condition(Text),
}

fn message(hit: &Hit, pod: &Pod, rule: usize) -> String {
    let (namespace, name) = (&pod.namespace, pod.name());
    let matching = format!("matching FailJob rule at index {rule}");
    match hit {
        Hit::Exit(container, code) => format!(
            "Container {container} for pod {namespace}/{name} failed with exit code {code} {matching}"
        ),
        Hit::Condition(kind) => format!("Pod {namespace}/{name} has condition {kind} {matching}"),
    }
}

fn hit(rule: &FailureRule, pod: &Pod) -> Option<Hit> {
    match &rule.on {
        FailureMatch::ExitCodes { container, is_in, values } => {
            let code = pod.more.as_ref()?.exit_code.filter(|code| *code != 0)?;
            let wanted = |name: &Text| container.as_ref().is_none_or(|wanted| wanted == name);
            let found = pod.spec.containers.iter().find(|c| wanted(&c.name))?;
            (values.contains(&code) == *is_in).then(|| Hit::Exit(found.name.clone(), code))
        }
        FailureMatch::Conditions(patterns) => {
            let holds = |(kind, status): &&(Text, Text)| condition(pod, kind) == Some(&**status);
            patterns.iter().find(holds).map(|(kind, _)| Hit::Condition(kind.clone()))
        }
    }
}

/// The status of a pod's condition; `None`: it has none of this type.
fn condition(pod: &Pod, kind: &str) -> Option<&'static str> {
    let word = |holds| if holds { "True" } else { "False" };
    let is_seen = pod.started != SimTime::NEVER;
    match kind {
        "DisruptionTarget" => {
            pod.more.as_ref().is_some_and(|more| !more.disruption.is_empty()).then_some("True")
        }
        "PodScheduled" => {
            (pod.node.is_some() || pod.unschedulable).then(|| word(pod.node.is_some()))
        }
        "Ready" | "ContainersReady" => is_seen.then(|| word(pod.ready)),
        "Initialized" | "PodReadyToStartContainers" => {
            is_seen.then(|| word(pod.phase != PodPhase::Pending))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels::Labels;
    use crate::control::controllers::testing::{bare_pod, template};

    fn failed(code: i32, disruption: &'static str) -> Pod {
        let spec = template("job").spec;
        let mut pod = bare_pod("job-x", Labels::default(), spec, SimTime::ZERO);
        pod.phase = PodPhase::Failed;
        pod.more_mut().exit_code = Some(code);
        pod.more_mut().disruption = disruption;
        pod
    }

    fn codes(action: FailureAction, is_in: bool, values: &[i32]) -> FailureRule {
        let (container, values) = (None, values.to_vec());
        FailureRule { action, on: FailureMatch::ExitCodes { container, is_in, values } }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        use FailureAction::{Count, FailIndex, FailJob, Ignore};
        let disrupted = FailureMatch::Conditions(vec![("DisruptionTarget".into(), "True".into())]);
        let disrupted = |action| FailureRule { action, on: disrupted.clone() };
        let named = |name: &str| FailureRule {
            action: FailJob,
            on: FailureMatch::ExitCodes {
                container: Some(name.into()),
                is_in: true,
                values: vec![42],
            },
        };
        let by_code = "Container c for pod default/job-x failed with exit code 42 matching FailJob rule at index";
        let by_condition =
            "Pod default/job-x has condition DisruptionTarget matching FailJob rule at index 0";
        let gone = "DeletionByTaintManager";
        type Row = (&'static str, Vec<FailureRule>, Pod, Option<String>, bool, bool);
        let rows: [Row; 11] = [
            ("no rule: it counts", vec![], failed(1, ""), None, true, false),
            (
                "no rule that matches: it counts",
                vec![codes(Ignore, true, &[7])],
                failed(1, ""),
                None,
                true,
                false,
            ),
            ("ignored", vec![codes(Ignore, true, &[7])], failed(7, ""), None, false, false),
            (
                "the Job fails",
                vec![codes(FailJob, true, &[42])],
                failed(42, ""),
                Some(format!("{by_code} 0")),
                true,
                false,
            ),
            (
                "the index fails",
                vec![codes(FailIndex, true, &[3])],
                failed(3, ""),
                None,
                true,
                true,
            ),
            (
                "all codes but these",
                vec![codes(Ignore, false, &[3])],
                failed(4, ""),
                None,
                false,
                false,
            ),
            (
                "success is no failure",
                vec![codes(Ignore, false, &[3])],
                failed(0, ""),
                None,
                true,
                false,
            ),
            (
                "counted first, whatever follows",
                vec![codes(Count, true, &[42]), codes(FailJob, true, &[42])],
                failed(42, ""),
                None,
                true,
                false,
            ),
            (
                "another container's code",
                vec![named("other"), codes(FailJob, true, &[42])],
                failed(42, ""),
                Some(format!("{by_code} 1")),
                true,
                false,
            ),
            (
                "a disruption is ignored",
                vec![disrupted(Ignore)],
                failed(137, gone),
                None,
                false,
                false,
            ),
            (
                "or fails the Job",
                vec![disrupted(FailJob)],
                failed(137, gone),
                Some(by_condition.to_owned()),
                true,
                false,
            ),
        ];
        for (sentence, rules, pod, fails_job, counts, fails_index) in rows {
            let found = judge(Some(&rules), &pod);
            assert_eq!(found, Judgement { fails_job, counts, fails_index }, "{sentence}");
        }
    }
}
