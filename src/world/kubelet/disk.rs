//! The disks of nodes: what lies on them, when they get full, and the images that are deleted then.
//!
//! Only of node groups that say how large their disks are. One filesystem holds images and what
//! pods write; the operating system has its own. What pods write grows in straight lines, so that
//! the look or the collection that finds too much of it is computed, not waited for. Source:
//! kubernetes `pkg/kubelet/images/image_gc_manager.go` and `kubelet.go` (`StartGarbageCollection`),
//! v1.37. When an image was last used is known to the instant here, and at the last look there.

use super::eviction::Observation;
use super::images::ImageId;
use super::state::Containers;
use crate::api::event::EventType::Warning;
use crate::api::{NodeId, PodId};
use crate::control::controllers::action::About;
use crate::scenario::eviction::Signal;
use crate::scenario::model::Workload;
use crate::units::{SimDuration, SimTime};
use crate::world::event::{Event, NodeStep};
use crate::world::world::World;

/// Between two collections of images (`ImageGCPeriod`).
const COLLECTION: SimDuration = SimDuration::from_secs(300);
/// What an image takes on disk, of its compressed size: that for its blobs, and twice as much for
/// its unpacked layers. Assumed.
const UNPACKED: i64 = 3;

/// What lies on the disk of a node.
#[derive(Clone, Debug)]
pub struct Disk {
    images: Vec<Stored>,
    /// The collection that is planned; `NEVER`: none.
    collects: SimTime,
    /// The last collection did not free enough.
    has_failed: bool,
}

/// An image on a disk.
#[derive(Clone, Copy, Debug)]
struct Stored {
    image: ImageId,
    /// Bytes.
    size: i64,
    /// When it came.
    came: SimTime,
    /// When a pod that used it last ended, or it came.
    used: SimTime,
}

/// What a workload's image takes on disk, bytes.
fn size_on_disk(workload: &Workload) -> i64 {
    workload.image_size.0.saturating_mul(UNPACKED)
}

/// `1.5 GiB` (`formatSize`).
fn size_text(bytes: i64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, power)| bytes >= 1 << power) {
        Some((unit, power)) => format!("{:.1} {unit}", bytes as f64 / (1i64 << power) as f64),
        None => format!("{bytes} B"),
    }
}

impl World<'_> {
    /// How large a node's disk is, bytes; `None`: nobody has said.
    fn disk_size(&self, node: NodeId) -> Option<i64> {
        let size = self.store.node(node)?.capacity.ephemeral_storage.0;
        (size > 0).then_some(size)
    }

    /// Bytes that a pod has written, and how many more it writes a second.
    fn written_by(&self, pod: PodId) -> (f64, f64) {
        let Some(state) = self.pods.get(pod) else { return (0.0, 0.0) };
        let Some(workload) = state.workload().filter(|_| state.containers == Containers::Running)
        else {
            return (0.0, 0.0);
        };
        let disk = self.scenario.workloads[workload].disk;
        let rate = disk.growth.0 as f64 / 60.0;
        let seconds = self.now.since(state.container_started).as_secs_f64();
        (disk.base.0 as f64 + rate * seconds, rate)
    }

    /// Bytes that a pod has on its node's disk, as they are measured.
    pub(super) fn measured_disk(&self, pod: PodId) -> i64 {
        self.written_by(pod).0 as i64
    }

    /// Bytes in use on a node's disk, and how many more a second.
    fn disk_use(&self, node: NodeId) -> (f64, f64) {
        let images = self
            .evictions
            .disks
            .get(&node)
            .map_or(0, |disk| disk.images.iter().map(|stored| stored.size).sum::<i64>());
        let pods = self.store.pods_on(node).iter().map(|pod| self.written_by(*pod));
        pods.fold((images as f64, 0.0), |all, pod| (all.0 + pod.0, all.1 + pod.1))
    }

    /// What there is of a node's disk.
    pub(super) fn observe_disk(&self, node: NodeId) -> Option<Observation> {
        let capacity = self.disk_size(node)?;
        let used = self.disk_use(node).0 as i64;
        Some(Observation { available: (capacity - used).max(0), capacity })
    }

    /// More may lie on a node's disk from now on, or faster: plans what will find it too much.
    pub(in crate::world) fn disk_changes(&mut self, node: NodeId) {
        let Some(capacity) = self.disk_size(node) else { return };
        let (used, rate) = self.disk_use(node);
        let kept = [Signal::NodeFs, Signal::ImageFs];
        let kept = kept.map(|signal| self.evictions.most_of(signal, capacity));
        let short_at = self.reaches(used, rate, (capacity - kept[0].max(kept[1])) as f64);
        let over = self.store.pods_on(node).iter().filter_map(|pod| self.over_limit_at(*pod));
        let look = over.chain(short_at).min();
        if let Some(at) = look {
            self.plan_node_look(node, at);
        }
        let high = self.scenario.flags.kubelet.image_gc_high_threshold_percent;
        // Percentages are cut, so it is more than this.
        let level = capacity as f64 * (f64::from(high) - 1.0) / 100.0;
        if high < 100
            && let Some(at) = self.reaches(used, rate, level)
        {
            self.plan_collection(node, at);
        }
    }

    /// When a pod is above a limit of its own; `None`: as things are, never.
    fn over_limit_at(&self, pod: PodId) -> Option<SimTime> {
        let spec = &self.store.pod(pod).filter(|p| !p.phase.is_terminal())?.spec;
        let limit = super::eviction::lowest_limit(spec)?;
        let (written, rate) = self.written_by(pod);
        self.reaches(written, rate, limit)
    }

    /// When something that is `used` and grows by `rate` a second is above `level`.
    fn reaches(&self, used: f64, rate: f64, level: f64) -> Option<SimTime> {
        if used > level {
            return Some(self.now);
        }
        // Past the level by a microsecond, so that it is met for certain whatever the rounding.
        let wait = SimDuration::from_secs_f64(((level - used) / rate).min(1e9));
        (rate > 0.0).then(|| self.now.saturating_add(wait) + SimDuration::from_micros(1))
    }

    fn plan_collection(&mut self, node: NodeId, from: SimTime) {
        let Some(created) = self.store.node(node).map(|n| n.created) else { return };
        // One has just been, perhaps.
        let at = from.max(SimTime(self.now.0 + 1)).next_on_grid(created, COLLECTION);
        let Some(disk) = self.evictions.disks.get_mut(&node) else { return };
        if at < disk.collects {
            disk.collects = at;
            self.plan(at, Event::Node(node, NodeStep::ImageGc));
        }
    }

    /// The kubelet hangs: a collection waits for it.
    pub(super) fn put_off_collection(&mut self, node: NodeId, at: SimTime) {
        let now = self.now;
        let disk = self.evictions.disks.get_mut(&node);
        if let Some(disk) = disk.filter(|disk| disk.collects == now) {
            disk.collects = at;
        }
    }

    /// An image has come to a node, as pods of `workload` need it.
    pub(in crate::world) fn image_comes(&mut self, node: NodeId, image: ImageId, workload: usize) {
        if self.disk_size(node).is_none() {
            return;
        }
        let (came, size) = (self.now, size_on_disk(&self.scenario.workloads[workload]));
        let none = Disk { images: Vec::new(), collects: SimTime::NEVER, has_failed: false };
        let disk = self.evictions.disks.entry(node).or_insert(none);
        if disk.images.iter().all(|stored| stored.image != image) {
            disk.images.push(Stored { image, size, came, used: came });
        }
        self.disk_changes(node);
    }

    /// A pod has ended for good: its image was used until now.
    pub(super) fn image_was_used(&mut self, pod: PodId) {
        let Some(node) = self.store.pod(pod).and_then(|p| p.node) else { return };
        let Some(image) = self.pods.get(pod).map(|state| state.image) else { return };
        let now = self.now;
        let Some(disk) = self.evictions.disks.get_mut(&node) else { return };
        for stored in disk.images.iter_mut().filter(|stored| stored.image == image) {
            stored.used = now;
        }
    }

    /// Deletes images that nobody uses, longest unused first, until so many bytes are free
    /// (`freeSpace`); how many are.
    pub(super) fn free_images(&mut self, node: NodeId, bytes: i64) -> i64 {
        let now = self.now;
        let in_use: Vec<ImageId> = self
            .store
            .pods_on(node)
            .iter()
            .filter_map(|pod| {
                let is_there = self.store.pod(*pod).is_some_and(|p| !p.phase.is_terminal());
                self.pods.get(*pod).filter(|_| is_there).map(|state| state.image)
            })
            .collect();
        let least_age = self.scenario.flags.kubelet.image_minimum_gc_age;
        let Some(disk) = self.evictions.disks.get_mut(&node) else { return 0 };
        let may_go = |stored: &&Stored| {
            !in_use.contains(&stored.image) && now.since(stored.came) >= least_age
        };
        let mut unused: Vec<Stored> = disk.images.iter().filter(may_go).copied().collect();
        unused.sort_by_key(|stored| (stored.used, stored.came));
        let mut freed = 0;
        let mut gone = Vec::new();
        for stored in unused {
            gone.push(stored.image);
            freed += stored.size;
            if freed >= bytes {
                break;
            }
        }
        disk.images.retain(|stored| !gone.contains(&stored.image));
        if let Some(state) = self.nodes.get_mut(node) {
            state.images.remove(&gone);
        }
        freed
    }

    /// A collection of images is due (`GarbageCollect`).
    pub(super) fn collect_images(&mut self, node: NodeId) {
        let now = self.now;
        let Some(seen) = self.observe_disk(node) else { return };
        let kubelet = &self.scenario.flags.kubelet;
        let (high, low) =
            (kubelet.image_gc_high_threshold_percent, kubelet.image_gc_low_threshold_percent);
        match self.evictions.disks.get_mut(&node) {
            Some(disk) if disk.collects == now => disk.collects = SimTime::NEVER,
            _ => return,
        }
        let percent = 100 - seen.available * 100 / seen.capacity.max(1);
        let mut failed = None;
        if percent >= i64::from(high) {
            let wanted = seen.capacity * i64::from(100 - low) / 100 - seen.available;
            let freed = self.free_images(node, wanted);
            failed = (freed < wanted).then(|| failure(percent, seen.capacity, freed));
        }
        let before = self
            .evictions
            .disks
            .get_mut(&node)
            .map(|disk| std::mem::replace(&mut disk.has_failed, failed.is_some()));
        if let Some(message) = failed {
            let about = About::Node(node);
            self.publish("kubelet", Warning, "FreeDiskSpaceFailed", about, message.clone());
            if before == Some(true) {
                self.publish("kubelet", Warning, "ImageGCFailed", about, message);
            }
        }
        self.disk_changes(node);
    }
}

/// What a collection says that could not free enough.
fn failure(percent: i64, capacity: i64, freed: i64) -> String {
    let size = size_text(capacity);
    format!(
        "Insufficient free disk space on the node's image filesystem ({percent}% of {size} used). \
         Failed to free sufficient space by deleting unused images (freed {freed} bytes). \
         Investigate disk usage, as it could be used by active images, logs, volumes, or other data."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_their_largest_unit() {
        let rows =
            [(512, "512 B"), (1536, "1.5 KiB"), (100 << 30, "100.0 GiB"), (3 << 40, "3.0 TiB")];
        for (bytes, text) in rows {
            assert_eq!(size_text(bytes), text);
        }
    }
}
