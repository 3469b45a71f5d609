//! Images on nodes: what is cached, what is being pulled, and how fast.
//!
//! A pull flows at the rate that the registry gives at the moment: what is left of it takes longer
//! or shorter from the instant at which that changes. While the registry is out nothing flows, and
//! a pull for which nothing has come for as long as the container runtime waits fails. Source:
//! kubernetes `pkg/kubelet/images/puller.go`, v1.37 (one pull after the other, or all at once).
//!
//! It knows no pod but by its id, and no back-off.

use crate::api::PodId;
use crate::scenario::model::{KubeletFlags, Machine, Workload};
use crate::units::{SimDuration, SimTime};

/// The images of one Deployment's pods together: equal lists have equal ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageId(pub u32);

/// How the image registry answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Registry {
    /// How many times as long everything takes.
    pub factor: f64,
    /// It does not answer at all: the time without progress after which a pull fails.
    pub outage: Option<SimDuration>,
}

impl Default for Registry {
    fn default() -> Registry {
        Registry { factor: 1.0, outage: None }
    }
}

/// Time to pull and unpack a workload's images on a machine with an idle link.
///
/// Download and unpacking overlap, so the slower one counts; each layer adds a fixed time.
/// Measured rates: 25 to 45 MB/s compressed, unpacking 130 to 190 MB/s uncompressed, about 0.04 s
/// per layer (research/data.md section 3).
pub(super) fn pull_time(
    workload: &Workload,
    machine: &Machine,
    kubelet: &KubeletFlags,
    factor: f64,
) -> SimDuration {
    let bytes = workload.image_size.0 as f64;
    let download = factor * bytes / machine.pull_bytes_per_second;
    let unpack = bytes / machine.unpack_bytes_per_second;
    let layers = f64::from(workload.image_layers) * kubelet.layer_seconds;
    SimDuration::from_secs_f64(download.max(unpack) + layers)
}

/// Time to find that an image that is there needs no pull.
pub(super) fn resolve_time(kubelet: &KubeletFlags, factor: f64) -> SimDuration {
    SimDuration::from_secs_f64(kubelet.image_resolve.as_secs_f64() * factor)
}

/// A pod's request for an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PullRequest {
    /// Ordinal of the request on its node.
    pub id: u32,
    /// Who asked.
    pub pod: PodId,
    /// In which life of its containers.
    pub incarnation: u16,
    /// For the pods of which Deployment of the scenario.
    pub workload: usize,
    /// What is pulled.
    pub image: ImageId,
    /// When it was asked for.
    pub since: SimTime,
    /// The pod's sandbox is new: the kubelet's next relist makes it look at the pod again.
    pub fresh: bool,
    /// The pull itself, once it has begun.
    pub flow: Option<Flow>,
}

/// A pull that has begun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// When it began.
    pub begun: SimTime,
    /// What it takes in all at the present rate.
    whole: SimDuration,
    /// What was left to do at `at`, at the present rate.
    left: SimDuration,
    /// When `left` was true.
    at: SimTime,
    /// The registry is out: the patience of the container runtime.
    patience: Option<SimDuration>,
}

impl Flow {
    /// A pull that begins now and takes `whole` while the registry answers.
    pub(super) fn new(now: SimTime, whole: SimDuration, registry: &Registry) -> Flow {
        Flow { begun: now, whole, left: whole, at: now, patience: registry.outage }
    }

    /// When it ends, one way or the other, if nothing changes.
    pub(super) fn due(&self) -> SimTime {
        self.at + self.patience.unwrap_or(self.left)
    }

    /// Whether bytes had come before the registry went out.
    pub(super) fn was_under_way(&self) -> bool {
        self.at > self.begun
    }

    /// Whether it ends with the image.
    pub(super) fn succeeds(&self) -> bool {
        self.patience.is_none()
    }

    /// From now on the whole would take `whole`, and the registry answers or not: the share that is
    /// left takes its share of that.
    pub(super) fn change(&mut self, now: SimTime, whole: SimDuration, registry: &Registry) {
        if self.patience.is_none() {
            let flowed = now.since(self.at).0;
            self.left = SimDuration(self.left.0.saturating_sub(flowed));
            self.at = now;
        }
        let scaled =
            u128::from(self.left.0) * u128::from(whole.0) / u128::from(self.whole.0.max(1));
        self.left = SimDuration(u64::try_from(scaled).unwrap_or(u64::MAX));
        self.whole = whole;
        match (self.patience, registry.outage) {
            // What has waited for an answer goes on waiting.
            (Some(_), Some(_)) => {}
            (_, outage) => (self.patience, self.at) = (outage, now),
        }
    }
}

/// The image side of a node.
#[derive(Clone, Debug, Default)]
pub struct Images {
    cached: Vec<ImageId>,
    /// What is being pulled; most nodes pull nothing.
    pulls: Option<Box<Pulls>>,
    /// How many pulls have been asked for.
    asked: u32,
}

/// Pulls asked for, oldest first.
type Pulls = Vec<PullRequest>;

impl Images {
    /// Whether an image is there.
    pub fn has(&self, image: ImageId) -> bool {
        self.cached.contains(&image)
    }

    /// An image is there from now on.
    pub fn add(&mut self, image: ImageId) {
        if !self.has(image) {
            // There are many nodes, and most hold few images: room by halves, not by doubling.
            if self.cached.len() == self.cached.capacity() {
                self.cached.reserve_exact(self.cached.len() / 2 + 1);
            }
            self.cached.push(image);
        }
    }

    /// Images are there no more.
    pub(super) fn remove(&mut self, images: &[ImageId]) {
        self.cached.retain(|image| !images.contains(image));
    }

    /// Takes a request into the queue.
    pub(super) fn ask(&mut self, mut request: PullRequest) {
        self.asked += 1;
        request.id = self.asked;
        self.pulls.get_or_insert_default().push(request);
    }

    fn requests(&mut self) -> &mut [PullRequest] {
        self.pulls.as_deref_mut().map_or(&mut [], Vec::as_mut_slice)
    }

    /// The requests that may begin now: all, or with `serialize` one after the other.
    pub(super) fn beginners(&mut self, serialize: bool) -> impl Iterator<Item = &mut PullRequest> {
        let ahead = if serialize { 1 } else { usize::MAX };
        self.requests().iter_mut().take(ahead).filter(|request| request.flow.is_none())
    }

    /// Pulls that have begun.
    pub(super) fn running(&mut self) -> impl Iterator<Item = &mut PullRequest> {
        self.requests().iter_mut().filter(|request| request.flow.is_some())
    }

    /// The images that are there.
    pub(super) fn cached(&self) -> Vec<ImageId> {
        self.cached.clone()
    }

    /// Whether nothing is being pulled.
    pub(super) fn is_idle(&self) -> bool {
        self.pulls.is_none()
    }

    /// Takes out what ends now with pull `id`; empty when that is not due. An image that comes is
    /// there for all who wait for it.
    pub(super) fn end(&mut self, id: u32, now: SimTime) -> Vec<PullRequest> {
        let due = |request: &&PullRequest| request.flow.is_some_and(|flow| flow.due() == now);
        let Some(ended) =
            self.requests().iter().find(|request| request.id == id).filter(due).copied()
        else {
            return Vec::new();
        };
        let comes = ended.flow.is_some_and(|flow| flow.succeeds()) && !self.has(ended.image);
        if comes {
            self.add(ended.image);
        }
        let ends =
            |request: &mut PullRequest| request.id == id || (comes && request.image == ended.image);
        let ended = self.pulls.iter_mut().flat_map(|pulls| pulls.extract_if(.., ends)).collect();
        self.pulls.take_if(|pulls| pulls.is_empty());
        ended
    }

    /// Forgets pulls that had not finished when the machine died.
    pub(super) fn drop_unfinished(&mut self) {
        self.pulls = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> SimTime = SimTime::from_secs;
    const D: fn(u64) -> SimDuration = SimDuration::from_secs;
    const FINE: Registry = Registry { factor: 1.0, outage: None };
    const OUT: Registry = Registry { factor: 1.0, outage: Some(SimDuration::from_secs(30)) };

    /// A pull of 100 s that begins at 0 s in `first`; then what changes, and when.
    fn ends(first: Registry, changes: &[(u64, u64, Registry)]) -> (SimTime, bool) {
        let mut flow = Flow::new(S(0), D(100), &first);
        for (at, whole, registry) in changes {
            assert!(flow.due() > S(*at), "it has not ended");
            flow.change(S(*at), D(*whole), registry);
        }
        (flow.due(), flow.succeeds())
    }

    #[test]
    fn a_pull_follows_the_registry() {
        type Row<'a> = (&'a str, Registry, &'a [(u64, u64, Registry)], u64, bool);
        #[rustfmt::skip]
        let rows: [Row<'_>; 9] = [
            ("nothing changes", FINE, &[], 100, true),
            ("half of it is left when everything takes four times as long", FINE, &[(50, 400, FINE)], 250, true),
            ("and is fast again after another quarter", FINE, &[(50, 400, FINE), (150, 100, FINE)], 175, true),
            ("a registry that is out keeps it waiting for 30 s", OUT, &[], 30, false),
            ("one that goes out in the middle, too", FINE, &[(50, 100, OUT)], 80, false),
            ("one that is back in time lets it go on where it was", FINE, &[(50, 100, OUT), (70, 100, FINE)], 120, true),
            ("and it flows at the rate that holds then", FINE, &[(50, 100, OUT), (70, 200, FINE)], 170, true),
            ("a second outage on top changes nothing", FINE, &[(50, 100, OUT), (60, 100, OUT)], 80, false),
            ("each outage has its own patience", FINE, &[(50, 100, OUT), (70, 100, FINE), (80, 100, OUT)], 110, false),
        ];
        for (sentence, first, changes, expected, succeeds) in rows {
            assert_eq!(ends(first, changes), (S(expected), succeeds), "{sentence}");
        }
    }

    /// Requests for images 0, 1 and 0 again, one after the other or at once.
    fn three(serialize: bool) -> Images {
        let mut images = Images::default();
        for image in [0, 1, 0] {
            images.ask(PullRequest {
                id: 0,
                pod: PodId::default(),
                incarnation: 0,
                workload: 0,
                image: ImageId(image),
                since: S(0),
                fresh: true,
                flow: None,
            });
        }
        images.beginners(serialize).for_each(|r| r.flow = Some(Flow::new(S(0), D(10), &FINE)));
        images
    }

    fn ids(requests: &[PullRequest]) -> Vec<u32> {
        requests.iter().map(|request| request.id).collect()
    }

    #[test]
    fn an_image_that_comes_is_there_for_all_who_wait() {
        let mut images = three(true);
        assert!(images.end(2, S(10)).is_empty(), "the second one has not begun");
        assert!(images.end(1, S(9)).is_empty(), "the first one is not due");
        assert_eq!(ids(&images.end(1, S(10))), [1, 3]);
        assert!(images.has(ImageId(0)) && !images.has(ImageId(1)));
        assert_eq!(images.beginners(true).map(|r| r.id).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_pull_that_fails_fails_alone() {
        for serialize in [true, false] {
            let mut images = three(serialize);
            images.running().for_each(|r| r.flow = Some(Flow::new(S(0), D(10), &OUT)));
            assert_eq!(ids(&images.end(1, S(30))), [1]);
            assert!(!images.has(ImageId(0)));
            let next: Vec<u32> = images.beginners(serialize).map(|r| r.id).collect();
            assert_eq!(next, if serialize { vec![2] } else { vec![] });
        }
    }
}
