//! Images on nodes: what is cached, and how long a pull takes.

use super::state::NodeState;
use crate::scenario::model::{KubeletFlags, Machine, Workload};
use crate::units::{SimDuration, SimTime};

/// The images of one Deployment's pods together: equal lists have equal ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageId(pub u32);

/// Time to pull and unpack a workload's images on a machine with an idle link.
///
/// Download and unpacking overlap, so the slower one counts; each layer adds a fixed time.
/// Measured rates: 25 to 45 MB/s compressed, unpacking 130 to 190 MB/s uncompressed, about 0.04 s
/// per layer (research/data.md section 3).
pub(super) fn pull_time(
    workload: &Workload,
    machine: &Machine,
    kubelet: &KubeletFlags,
    registry_factor: f64,
) -> SimDuration {
    let bytes = workload.image_size.0 as f64;
    let download = registry_factor * bytes / machine.pull_bytes_per_second;
    let unpack = bytes / machine.unpack_bytes_per_second;
    let layers = f64::from(workload.image_layers) * kubelet.layer_seconds;
    SimDuration::from_secs_f64(download.max(unpack) + layers)
}

impl NodeState {
    /// When an image that is cached or under way will be there.
    pub(super) fn image_ready(&self, image: ImageId) -> Option<SimTime> {
        self.images.iter().find(|(id, _)| *id == image).map(|(_, at)| *at)
    }

    /// Begins to pull an image; tells when it will be there. With `serialize_image_pulls` it waits
    /// for the pulls before it.
    pub(super) fn pull(
        &mut self,
        now: SimTime,
        image: ImageId,
        takes: SimDuration,
        serialize: bool,
    ) -> SimTime {
        let begins = if serialize { self.pull_gate.max(now) } else { now };
        let done = begins + takes;
        self.pull_gate = self.pull_gate.max(done);
        self.images.push((image, done));
        done
    }

    /// Forgets pulls that had not finished when the machine died.
    pub(super) fn drop_unfinished_pulls(&mut self, now: SimTime) {
        self.images.retain(|(_, at)| *at <= now);
        self.pull_gate = now;
        self.start_gate = now;
    }
}
