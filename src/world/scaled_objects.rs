//! KEDA's operator: polls the triggers of ScaledObjects.
//!
//! Its processes are taken to live and die with those of kube-controller-manager.

use super::controllers::Key;
use super::world::World;
use crate::api::autoscaling::MetricSource;
use crate::api::scaled_object::ScaledObject;
use crate::control::controllers::action::Outcome;
use crate::control::controllers::scaled_object::{self, Polled};
use crate::units::SimTime;

impl World<'_> {
    /// Each object is polled from some instant of its first interval on.
    pub(super) fn begin_polling(&mut self) {
        for (index, object) in self.scenario.objects.scaled_objects.iter().enumerate() {
            let mut stream = self.streams.stream("scaled object phase", index as u64);
            let first = stream.below(object.polling_interval.0.max(1));
            self.enqueue(Key::ScaledObject(index), SimTime(first));
        }
    }

    pub(super) fn sync_scaled_object(&mut self, index: usize) -> Outcome {
        let now = self.now;
        let Some(object) = self.scenario.objects.scaled_objects.get(index) else {
            return Outcome::idle();
        };
        let polled = self.poll(object);
        self.with_controllers(|controllers, world| {
            let is_its = |hpa: &&crate::api::autoscaling::Hpa| {
                hpa.name == object.hpa && hpa.namespace == object.namespace
            };
            let mut hpas = world.store.hpas().map(|(_, hpa)| hpa);
            let (target, kind, name) = match hpas.find(is_its) {
                Some(hpa) => (hpa.target, hpa.target_kind, &*hpa.target_name),
                None => return Outcome::idle(),
            };
            let memory = &mut controllers.scaled_objects[index];
            let target = (target, kind, name);
            scaled_object::sync(object, index, memory, target, &polled, &world.store, now)
        })
    }

    /// Asks the sources of events. Triggers of CPU and memory decide nothing, unless there is no
    /// other.
    fn poll(&self, object: &ScaledObject) -> Polled {
        let mut polled = Polled::default();
        let mut others = 0;
        for trigger in &object.triggers {
            let MetricSource::External(id) = &trigger.source else { continue };
            others += 1;
            match self.metric_values(&object.namespace, &trigger.source) {
                Ok(values) if values.is_empty() => polled.failed = true,
                Ok(values) if values.iter().sum::<i64>() > trigger.activation_milli => {
                    polled.active.push(id.name.clone());
                }
                Ok(_) => {}
                Err(_) => polled.failed = true,
            }
        }
        if others == 0 {
            let all = object.triggers.iter().filter_map(|trigger| trigger.source.resource());
            polled.active = all.map(|resource| resource.name().into()).collect();
        }
        polled
    }
}
