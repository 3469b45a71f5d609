//! Cases drawn at random: clusters, pods and steps, without what anybody decided.
//!
//! The real scheduler is asked what it decides there (`conformance/oracle/`), then ours. A case is
//! a function of (family, seed, number) and of nothing else. It holds only what upstream defines:
//! no preemption among more than a hundred nodes, no ties that a map's order breaks, no list of
//! node names to search in a map's order. Nothing here knows how a scheduler decides.
//!
//! | file | what is drawn there |
//! |---|---|
//! | `mix.rs` | families: how often a case has what |
//! | `draw.rs` | chances and choices |
//! | `node.rs` | nodes |
//! | `pod.rs` | pods: resources, tolerations, ports, claims |
//! | `affinity.rs` | affinities and spread constraints of pods |
//! | `object.rs` | namespaces, Services, budgets, volumes and claims |
//! | `waiting.rs` | local volumes, capacities of drivers, attachments |
//! | `devices.rs` | classes, slices and claims of devices |
//! | `config.rs` | configurations of the scheduler |

mod affinity;
mod config;
mod devices;
mod draw;
mod mix;
mod node;
mod object;
mod pod;
mod waiting;

use super::Version;
use crate::sim::rng::Streams;
use draw::Draw;
use mix::Mix;
use serde_json::{Value, json};

/// Names of the families, in the order of the documentation.
pub fn families() -> impl Iterator<Item = &'static str> {
    mix::FAMILIES.iter().map(|mix| mix.family)
}

/// Whether cases of a family are for schedulers of this version: devices are modelled as 1.37 has
/// them.
pub fn is_for(family: &str, version: Version) -> bool {
    let mix = mix::FAMILIES.iter().find(|mix| mix.family == family);
    version == Version::V1_37 || mix.is_some_and(|mix| !mix.has_devices())
}

/// The name of a case.
pub fn name(family: &str, seed: u64, number: u64) -> String {
    format!("{family}-{seed}-{number:04}")
}

/// The text of case `number` of a family, a JSON object a line, for a scheduler of this version;
/// none if there is no such family. Versions differ in nothing but the header.
pub fn case(family: &str, seed: u64, number: u64, version: Version) -> Option<String> {
    let mix = mix::FAMILIES.iter().find(|mix| mix.family == family)?;
    let streams = Streams::new(seed);
    let mut story = Story {
        mix,
        draw: Draw::new(streams.stream(&format!("case {family}"), number)),
        lines: Vec::new(),
        nodes: Vec::new(),
        gone: Vec::new(),
        asked: Vec::new(),
        profiles: 1,
        claims: 0,
        named: 0,
        generations: 1,
    };
    story.head(&name(family, seed, number), seed, version);
    story.world();
    for _ in 0..story.mix.steps {
        story.step();
    }
    let mut text = String::new();
    for line in &story.lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    Some(text)
}

/// A case in the making.
struct Story {
    mix: &'static Mix,
    draw: Draw,
    lines: Vec<Value>,
    /// Numbers of the nodes that are there.
    nodes: Vec<u64>,
    /// Numbers of nodes that were deleted and may return.
    gone: Vec<u64>,
    /// Pods that were to be scheduled and have not been deleted.
    asked: Vec<Value>,
    /// How many profiles the scheduler has.
    profiles: u64,
    /// How many claims there are.
    claims: u64,
    /// How many pods have got a name.
    named: u64,
    /// The newest generation of a pool of devices.
    generations: u64,
}

impl Story {
    fn head(&mut self, name: &str, seed: u64, version: Version) {
        let mut head = json!({
            "name": name,
            "family": self.mix.family,
            "seed": seed,
            "kubernetes": version.name(),
            "mode": "direct",
            "parallelism": 1,
            "scoresRecorded": true,
            "featureGates": {"OpportunisticBatching": false, "SchedulerAsyncPreemption": false},
        });
        if self.draw.chance(self.mix.config) {
            let (config, profiles) = config::any(&mut self.draw, self.mix);
            head["config"] = config;
            self.profiles = profiles;
        }
        self.lines.push(json!({"case": head}));
    }

    /// The cluster before the first step.
    fn world(&mut self) {
        let (fewest, most) = self.mix.nodes;
        let count = self.draw.between(fewest, most);
        let (objects, claims) = object::all(&mut self.draw, self.mix, count);
        self.claims = claims;
        self.lines.extend(objects.into_iter().map(|object| json!({"object": object})));
        for number in 0..count {
            let node = self.node(number);
            self.lines.push(json!({"node": node}));
            self.nodes.push(number);
        }
        for _ in 0..self.draw.between(0, count / 2 + 2) {
            let node = self.draw.between(0, count - 1);
            let mut pod = self.pod();
            pod["spec"]["nodeName"] = json!(format!("n{node}"));
            pod["status"]["phase"] = json!("Running");
            self.lines.push(json!({"pod": pod}));
        }
    }

    fn node(&mut self, number: u64) -> Value {
        let mut node = node::any(&mut self.draw, self.mix, number);
        if self.mix.has_devices() {
            devices::on_node(&mut self.draw, self.mix, &mut node);
        }
        node
    }

    fn pod(&mut self) -> Value {
        let number = self.named;
        self.named += 1;
        let mut pod = pod::any(&mut self.draw, self.mix, number, self.claims);
        if self.mix.has_devices() {
            let made = devices::for_pod(&mut self.draw, self.mix, number, &mut pod);
            self.lines.extend(made.into_iter().map(|claim| json!({"object": claim})));
        }
        if self.profiles > 1 && self.draw.chance(40) {
            pod["spec"]["schedulerName"] = json!("second-scheduler");
        }
        pod
    }

    fn step(&mut self) {
        if self.draw.chance(self.mix.churn) {
            let step = self.churn();
            self.lines.push(json!({"step": step}));
        } else if !self.asked.is_empty() && self.draw.chance(self.mix.deleted) {
            let chosen = self.draw.below(self.asked.len());
            let metadata = self.asked.swap_remove(chosen)["metadata"].take();
            let name =
                [&metadata["namespace"], &metadata["name"]].map(|v| v.as_str().unwrap_or(""));
            self.lines.push(json!({"step": {"op": "deletePod", "name": name.join("/")}}));
        } else {
            // A pod that runs by then is passed over.
            let again = !self.asked.is_empty() && self.draw.chance(self.mix.again);
            let pod = if again {
                let recent = self.asked.len().min(8);
                self.asked[self.asked.len() - 1 - self.draw.below(recent)].clone()
            } else {
                let pod = self.pod();
                self.asked.push(pod.clone());
                pod
            };
            self.lines.push(json!({"step": {"op": "schedule", "pod": pod}}));
        }
    }

    fn churn(&mut self) -> Value {
        match self.draw.below(4) {
            0 if self.nodes.len() > 2 => {
                let chosen = self.draw.below(self.nodes.len());
                let number = self.nodes.remove(chosen);
                self.gone.push(number);
                json!({"op": "deleteNode", "name": format!("n{number}")})
            }
            1 if !self.gone.is_empty() => {
                let chosen = self.draw.below(self.gone.len());
                let number = self.gone.remove(chosen);
                self.added(number)
            }
            2 => {
                let number = (self.nodes.len() + self.gone.len()) as u64;
                self.added(number)
            }
            _ => {
                let number = self.nodes[self.draw.below(self.nodes.len())];
                if self.mix.has_devices() && self.draw.chance(50) {
                    self.generations += 1;
                    let changed =
                        devices::change(&mut self.draw, self.mix, number, self.generations);
                    self.lines.extend(changed.into_iter().map(|slice| json!({"object": slice})));
                }
                json!({"op": "updateNode", "node": self.node(number)})
            }
        }
    }

    fn added(&mut self, number: u64) -> Value {
        self.nodes.push(number);
        json!({"op": "addNode", "node": self.node(number)})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::case::Case;
    use crate::conform::{Path, replay};

    #[test]
    fn a_case_is_a_function_of_its_name() {
        for family in families() {
            let text = case(family, 3, 1, Version::default()).expect("a family");
            assert_eq!(case(family, 3, 1, Version::default()).as_ref(), Some(&text), "{family}");
            assert_ne!(case(family, 3, 2, Version::default()).as_ref(), Some(&text), "{family}");
            assert_ne!(case(family, 4, 1, Version::default()).as_ref(), Some(&text), "{family}");
        }
        assert_eq!(case("no-such-family", 1, 1, Version::default()), None);
    }

    /// The fast path tells no scores and no rejections; all else must be the same.
    #[test]
    fn both_paths_decide_the_same_in_every_family() {
        for family in families() {
            let mut placed = 0;
            for number in 0..3 {
                let text = case(family, 11, number, Version::default()).expect("a family");
                let case = Case::read(text.as_bytes()).expect("a case");
                let plain = replay(&case, Path::Plain).expect("a case that can be played");
                let fast = replay(&case, Path::Fast).expect("a case that can be played");
                assert_eq!(plain.len(), fast.len(), "{family} {number}");
                for (at, (plain, fast)) in plain.iter().zip(&fast).enumerate() {
                    let difference = fast.difference_from(plain);
                    assert_eq!(difference, None, "{family} {number}, decision {at}");
                }
                placed += plain.iter().filter(|a| a.node.is_some()).count();
            }
            assert!(placed > 30, "{family}: only {placed} pods were placed");
        }
    }
}
