//! KEDA's loop over a ScaledObject: it switches the target on when a source of events is active,
//! and off when none has been for a while. Between one replica and the most its autoscaler decides.
//!
//! Source: kedacore/keda `pkg/scaling/executor/scale_scaledobjects.go`, version 2.

use super::action::{About, Action, Outcome};
use crate::api::Text;
use crate::api::autoscaling::ScaleTarget;
use crate::api::event::EventType::Normal;
use crate::api::scaled_object::ScaledObject;
use crate::store::Store;
use crate::units::SimTime;

/// What a poll of the triggers found.
#[derive(Clone, Debug, Default)]
pub struct Polled {
    /// Metrics of those that are active.
    pub active: Vec<Text>,
    /// Some source could not be asked.
    pub failed: bool,
}

/// What is remembered of a ScaledObject (`status.lastActiveTime`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    last_active: Option<SimTime>,
}

/// What a poll comes to; `index` names the object in Events, `kind` and `name` its target.
pub fn sync(
    object: &ScaledObject,
    index: usize,
    memory: &mut Memory,
    (target, kind, name): (ScaleTarget, &str, &str),
    polled: &Polled,
    store: &Store,
    now: SimTime,
) -> Outcome {
    let mut outcome = Outcome::idle();
    outcome.wake(now + object.polling_interval);
    let Some(scale) = store.scale_of(target) else { return outcome };
    let (current, min) = (scale.replicas, object.min_replica_count);
    let idle = object.idle_replica_count;
    let whom = format!("{kind} {}/{name}", object.namespace);
    let tell = |outcome: &mut Outcome, reason, message| {
        outcome.then(Action::Event {
            kind: Normal,
            reason,
            about: About::ScaledObject(index),
            message,
        });
    };
    if !polled.active.is_empty() {
        memory.last_active = Some(now);
        if current == 0 || idle.is_some() && current < min {
            let replicas = min.max(1);
            outcome.then(Action::Scale { target, replicas });
            let by = polled.active.join(";");
            let message = format!("Scaled {whom} from {current} to {replicas}, triggered by {by}");
            tell(&mut outcome, "KEDAScaleTargetActivated", message);
        }
    } else if polled.failed {
        // Nobody knows: left as it is.
    } else if idle.is_some_and(|idle| current > idle) || current > 0 && min == 0 {
        let cooled = match memory.last_active {
            None => SimTime::ZERO + object.initial_cooldown_period < now,
            Some(last) => last + object.cooldown_period < now,
        };
        if cooled {
            let replicas = idle.unwrap_or(min);
            outcome.then(Action::Scale { target, replicas });
            let message = format!("Deactivated {whom} from {current} to {replicas}");
            tell(&mut outcome, "KEDAScaleTargetDeactivated", message);
        }
    } else if idle.is_none() && current < min {
        outcome.then(Action::Scale { target, replicas: min });
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::controllers::testing::{Bench, at, secs};

    fn object(min: u32, idle: Option<u32>) -> ScaledObject {
        ScaledObject {
            name: "web".into(),
            namespace: "default".into(),
            hpa: "keda-hpa-web".into(),
            polling_interval: secs(30),
            cooldown_period: secs(300),
            initial_cooldown_period: secs(0),
            min_replica_count: min,
            idle_replica_count: idle,
            triggers: Vec::new(),
        }
    }

    #[test]
    fn a_target_is_switched_on_and_off() {
        // Replicas before, minutes since it was last active, whether it is now, replicas after.
        let (none, idle) = (object(0, None), object(3, Some(1)));
        let floor = object(2, None);
        let rows = [
            ("nothing to do at zero", &none, 0, None, false, 0),
            ("an active source wakes it with one pod", &none, 0, None, true, 1),
            ("more are for the autoscaler", &none, 4, None, true, 4),
            ("scaled by somebody else, it goes at once", &none, 4, None, false, 0),
            ("it cools down first", &none, 4, Some(4), false, 4),
            ("and then goes", &none, 4, Some(6), false, 0),
            ("with a floor the autoscaler keeps it", &floor, 4, Some(60), false, 4),
            ("below the floor it is raised", &floor, 0, None, false, 2),
            ("an idle count is below the floor", &idle, 5, Some(6), false, 1),
            ("from there it wakes to the floor", &idle, 1, None, true, 3),
        ];
        for (sentence, object, before, minutes, active, after) in rows {
            let mut bench = Bench::new();
            let id = bench.deployment("web", before);
            let now = at(7200);
            let last_active = minutes.map(|n: u64| SimTime(now.0 - secs(60 * n).0));
            let mut memory = Memory { last_active };
            let active = if active { vec!["s0-kafka".into()] } else { Vec::new() };
            let polled = Polled { active, failed: false };
            let target = (ScaleTarget::Deployment(id), "Deployment", "web");
            let outcome = sync(object, 0, &mut memory, target, &polled, &bench.store, now);
            assert_eq!(outcome.wake_at, now + secs(30), "{sentence}");
            bench.apply(&outcome);
            assert_eq!(bench.store.deployment(id).unwrap().replicas, after, "{sentence}");
        }
    }

    #[test]
    fn a_source_that_cannot_be_asked_changes_nothing() {
        let mut bench = Bench::new();
        let id = bench.deployment("web", 4);
        let target = (ScaleTarget::Deployment(id), "Deployment", "web");
        let polled = Polled { active: Vec::new(), failed: true };
        let mut memory = Memory::default();
        let outcome =
            sync(&object(0, None), 0, &mut memory, target, &polled, &bench.store, at(7200));
        assert!(outcome.batches.is_empty());
    }
}
