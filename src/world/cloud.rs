//! The cloud: machines of node groups, how long they take to come and go, quota and API limits.
//!
//! It hands out machines and counts what they cost. It knows no pods and no controllers; the node
//! object of a machine is made by whoever hears that it has booted.

use super::client::TokenBucket;
use crate::api::taint::Taint;
use crate::api::{NodeId, Text};
use crate::control::controllers::cluster_autoscaler::Refusal;
use crate::scenario::market::StockOut;
use crate::scenario::model::{CloudFlags, NodeGroup};
use crate::sim::rng::Streams;
use crate::units::{SimDuration, SimTime};
use slotmap::SlotMap;

slotmap::new_key_type! {
    /// A machine of the cloud.
    pub struct MachineId;
}

/// What a machine is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineState {
    /// Asked for, not yet registered.
    Booting,
    /// Its node is registered.
    Running,
    /// It has crashed; its node object may still be there.
    Down,
    /// Its deletion is under way.
    Deleting,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Index of its group.
    pub group: usize,
    /// Number within its group, from 0: part of its name, and what its random draws depend on.
    pub ordinal: u64,
    /// Its zone.
    pub zone: Text,
    /// What it is up to.
    pub state: MachineState,
    /// When it was asked for: paid for from here on.
    pub requested: SimTime,
    /// Up to when records of its former nodes carry its bill.
    pub billed: SimTime,
    /// Its node, once registered.
    pub node: Option<NodeId>,
    /// Never comes up.
    pub stillborn: bool,
    /// The cloud has announced that it takes it back.
    pub interrupted: bool,
    /// The NodeClaim that it is for.
    pub claimed: Option<Box<Claimed>>,
}

/// What a NodeClaim says of the node of its machine.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Number of the NodeClaim.
    pub number: u64,
    /// Name of the node.
    pub name: Text,
    /// Labels beside the machine's own.
    pub labels: Vec<(Text, Text)>,
    /// Taints that it registers with.
    pub taints: Vec<Taint>,
}

/// All machines and groups.
#[derive(Debug)]
pub struct Cloud {
    groups: Vec<Group>,
    /// Every machine that is paid for.
    pub machines: SlotMap<MachineId, Machine>,
    api: TokenBucket,
    flags: CloudFlags,
    /// Zones in which no machine comes up.
    pub zones_down: Vec<Text>,
    /// What it has no more of.
    pub stock_outs: Vec<StockOut>,
    cores_in_use: f64,
    /// Machines that have registered a node.
    registered: u32,
    /// Watts between idle and peak, and cores, of all machines; `None` once they have changed.
    power: Option<(f64, f64)>,
}

#[derive(Debug)]
struct Group {
    spec: NodeGroup,
    max: u32,
    /// Machines wanted: those that exist and are neither deleted nor being deleted.
    target: u32,
    created: u64,
    /// When machines of it were last refused, and why.
    refused: Option<(SimTime, Refusal)>,
}

/// A machine that the cloud has accepted to make.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// The machine.
    pub machine: MachineId,
    /// When its node registers; [`SimTime::NEVER`] for one that never comes up.
    pub registers: SimTime,
}

impl Cloud {
    /// A cloud with these groups and no machines.
    pub fn new(groups: &[NodeGroup], flags: &CloudFlags) -> Cloud {
        let group = |spec: &NodeGroup| Group {
            spec: spec.clone(),
            max: spec.max,
            target: 0,
            created: 0,
            refused: None,
        };
        Cloud {
            groups: groups.iter().map(group).collect(),
            machines: SlotMap::with_key(),
            api: TokenBucket::new(flags.creates_per_second, flags.create_burst),
            flags: flags.clone(),
            zones_down: Vec::new(),
            stock_outs: Vec::new(),
            cores_in_use: 0.0,
            registered: 0,
            power: None,
        }
    }

    /// What a group's machines are like.
    pub fn group(&self, group: usize) -> &NodeGroup {
        &self.groups[group].spec
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// The upper limit of a group, as it is now.
    pub fn max(&self, group: usize) -> u32 {
        self.groups[group].max
    }

    /// Changes the upper limit of a group.
    pub fn set_max(&mut self, group: usize, max: u32) {
        self.groups[group].max = max;
    }

    /// Machines wanted in a group.
    pub fn target(&self, group: usize) -> u32 {
        self.groups[group].target
    }

    /// When machines of a group were last refused, and why.
    pub fn refused(&self, group: usize) -> Option<(SimTime, Refusal)> {
        self.groups[group].refused
    }

    /// Whether a group has fewer machines than it should at least.
    pub fn is_below_minimum(&self, group: usize) -> bool {
        self.groups[group].target < self.groups[group].spec.min
    }

    /// Asks for `count` more machines of a group; fewer come when the quota or the stock ends
    /// before.
    pub fn create(
        &mut self,
        now: SimTime,
        group: usize,
        count: u32,
        streams: &Streams,
    ) -> (Vec<Accepted>, Option<Refusal>) {
        let mut accepted = Vec::new();
        for _ in 0..count {
            if self.exceeds_quota(group) {
                return (accepted, self.refuse(now, group, Refusal::Quota));
            }
            let Some(zone) = self.zone_in_stock(group) else {
                return (accepted, self.refuse(now, group, Refusal::StockOut));
            };
            let at = self.api.take(now);
            accepted.push(self.create_one(now, at, group, zone, streams));
        }
        (accepted, None)
    }

    /// Asks for a machine of a group in one zone, for a NodeClaim.
    ///
    /// # Errors
    /// The quota is used up, or there is none.
    pub fn create_for(
        &mut self,
        now: SimTime,
        group: usize,
        zone: &Text,
        claimed: Claimed,
        streams: &Streams,
    ) -> Result<Accepted, Refusal> {
        if self.exceeds_quota(group) {
            return Err(Refusal::Quota);
        }
        if self.is_out(group, zone) {
            return Err(Refusal::StockOut);
        }
        let at = self.api.take(now);
        let accepted = self.create_one(now, at, group, zone.clone(), streams);
        self.machines[accepted.machine].claimed = Some(Box::new(claimed));
        Ok(accepted)
    }

    fn exceeds_quota(&self, group: usize) -> bool {
        let cores = self.groups[group].spec.machine.capacity.cpu.cores();
        self.flags.cpu_quota.is_some_and(|quota| self.cores_in_use + cores > f64::from(quota))
    }

    fn is_out(&self, group: usize, zone: &Text) -> bool {
        let spec = &self.groups[group].spec;
        let concerns = |out: &StockOut| out.concerns(&spec.machine.name, zone, spec.spot.is_some());
        self.stock_outs.iter().any(concerns)
    }

    fn refuse(&mut self, now: SimTime, group: usize, why: Refusal) -> Option<Refusal> {
        self.groups[group].refused = Some((now, why));
        Some(why)
    }

    /// The next machine's zone: its turn, or the next one after it in which there is one to be had.
    fn zone_in_stock(&self, group: usize) -> Option<Text> {
        let g = &self.groups[group];
        let zones = &g.spec.zones;
        let is_out = |zone: &Text| self.is_out(group, zone);
        if zones.is_empty() {
            return Some(Text::from("")).filter(|zone| !is_out(zone));
        }
        let turn = g.created as usize % zones.len();
        let mut in_turn = zones[turn..].iter().chain(&zones[..turn]);
        in_turn.find(|zone| !is_out(zone)).cloned()
    }

    /// Asked for at `now`, which is when the bill begins; made from `at` on, when the API gets
    /// to it.
    fn create_one(
        &mut self,
        now: SimTime,
        at: SimTime,
        group: usize,
        zone: Text,
        streams: &Streams,
    ) -> Accepted {
        let machine = self.add(now, group, zone);
        let made = &self.machines[machine];
        let spec = &self.groups[group].spec;
        let mut stream = streams.stream("machine boot", entity(group, made.ordinal));
        let seconds = spec.boot.sample(&mut stream);
        let stillborn = stream.unit() < spec.boot_failure || self.zones_down.contains(&made.zone);
        self.machines[machine].stillborn = stillborn;
        let registers = at + SimDuration::from_secs_f64(seconds);
        Accepted { machine, registers: if stillborn { SimTime::NEVER } else { registers } }
    }

    /// A machine that is there from the start.
    pub fn add_running(&mut self, group: usize) -> MachineId {
        let g = &self.groups[group];
        let turn = g.created as usize % g.spec.zones.len().max(1);
        let zone = g.spec.zones.get(turn).cloned().unwrap_or_else(|| "".into());
        let machine = self.add(SimTime::ZERO, group, zone);
        self.machines[machine].state = MachineState::Running;
        machine
    }

    fn add(&mut self, at: SimTime, group: usize, zone: Text) -> MachineId {
        let g = &mut self.groups[group];
        let ordinal = g.created;
        g.created += 1;
        g.target += 1;
        self.cores_in_use += g.spec.machine.capacity.cpu.cores();
        self.power = None;
        self.machines.insert(Machine {
            group,
            ordinal,
            zone,
            state: MachineState::Booting,
            requested: at,
            billed: at,
            node: None,
            stillborn: false,
            interrupted: false,
            claimed: None,
        })
    }

    /// A machine has registered its node.
    pub fn register(&mut self, machine: MachineId, node: NodeId) {
        let m = &mut self.machines[machine];
        self.registered += u32::from(m.node.is_none());
        m.node = Some(node);
    }

    /// Machines that have not registered.
    pub fn booting(&self) -> u32 {
        self.machines.len() as u32 - self.registered
    }

    /// Watts between idle and peak of all machines, and their cores; summed when they change.
    pub fn power(&mut self) -> (f64, f64) {
        let (machines, groups) = (&self.machines, &self.groups);
        *self.power.get_or_insert_with(|| {
            let (mut spread, mut cores) = (0.0, 0.0);
            for m in machines.values() {
                let machine = &groups[m.group].spec.machine;
                spread += machine.peak_watts - machine.idle_watts;
                cores += machine.capacity.cpu.cores();
            }
            (spread, cores)
        })
    }

    /// Time that a crashed machine takes to boot again.
    pub fn reboot_time(&self, machine: MachineId, crash: u64, streams: &Streams) -> SimDuration {
        let m = &self.machines[machine];
        let mut stream =
            streams.stream("machine reboot", entity(m.group, m.ordinal).wrapping_add(crash << 56));
        SimDuration::from_secs_f64(self.groups[m.group].spec.boot.sample(&mut stream))
    }

    /// Seconds from registration to Ready of a machine's node.
    pub fn ready_time(&self, machine: MachineId, streams: &Streams) -> SimDuration {
        let m = &self.machines[machine];
        let mut stream = streams.stream("node ready", entity(m.group, m.ordinal));
        SimDuration::from_secs_f64(self.groups[m.group].spec.ready.sample(&mut stream))
    }

    /// Begins to delete a machine; tells when it will be gone. `None` when that is under way.
    pub fn delete(
        &mut self,
        now: SimTime,
        machine: MachineId,
        streams: &Streams,
    ) -> Option<SimTime> {
        let m = self.machines.get_mut(machine)?;
        if m.state == MachineState::Deleting {
            return None;
        }
        m.state = MachineState::Deleting;
        self.groups[m.group].target -= 1;
        let mut stream = streams.stream("machine delete", entity(m.group, m.ordinal));
        Some(now + SimDuration::from_secs_f64(self.flags.delete.sample(&mut stream)))
    }

    /// The cloud takes a machine back, whoever wants it; its group. `None`: it is going anyway.
    pub fn reclaim(&mut self, machine: MachineId) -> Option<usize> {
        let m = self.machines.get_mut(machine)?;
        if m.state == MachineState::Deleting {
            return None;
        }
        m.state = MachineState::Deleting;
        self.groups[m.group].target -= 1;
        Some(m.group)
    }

    /// A machine is gone: it is no longer paid for.
    pub fn remove(&mut self, machine: MachineId) -> Option<Machine> {
        let removed = self.machines.remove(machine)?;
        self.power = None;
        self.registered -= u32::from(removed.node.is_some());
        self.cores_in_use -= self.groups[removed.group].spec.machine.capacity.cpu.cores();
        Some(removed)
    }

    /// The oldest machines of a group that have not registered: what a lowered target takes back,
    /// since it is lowered for those that do not come.
    pub fn oldest_booting(&self, group: usize, count: u32) -> Vec<MachineId> {
        let mut booting: Vec<(u64, MachineId)> = self
            .machines
            .iter()
            .filter(|(_, m)| m.group == group && m.state == MachineState::Booting)
            .map(|(id, m)| (m.ordinal, id))
            .collect();
        booting.sort_unstable();
        booting.into_iter().take(count as usize).map(|(_, id)| id).collect()
    }
}

/// A number that names a machine among all of a run.
pub fn entity(group: usize, ordinal: u64) -> u64 {
    ((group as u64) << 32) | ordinal
}
