//! The work of PreBind plugins: in groups one after the other, each plugin writing first and then
//! looking, period by period, whether what it waits for is there.
//!
//! A look is a pure function of what the scheduler has been told. So one at which nothing has been
//! told since the last is passed over: its answer is known.
//!
//! Source: `framework/runtime/framework.go` (`RunPreBindPlugins`, `getPreBindPluginGroups`),
//! `plugins/volumebinding/binder.go` (`BindPodVolumes`), v1.37.

use super::{BindingStep, Bindings, Cycle, Stage, Verdict};
use crate::control::scheduler::Scheduler;
use crate::control::scheduler::framework::{PluginId, PluginSet, PreBindPlugin, Waits};
use crate::control::scheduler::profile::Profile;
use crate::control::scheduler::registry;
use crate::units::SimTime;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is under way and what comes after it.
pub(super) struct Work {
    groups: VecDeque<Vec<PluginId>>,
    running: Vec<Run>,
}

/// A plugin at work.
struct Run {
    plugin: PluginId,
    state: State,
}

enum State {
    /// Its requests are under way.
    Writing,
    /// It looks, and looks again.
    Looking {
        waits: Waits,
        /// When its requests had returned.
        since: SimTime,
        /// When it last looked, and the version of what it saw.
        looked: Option<(SimTime, u64)>,
    },
}

impl State {
    /// When the plugin looks, or gives up, next. Nothing has been due before `after` that has not
    /// been done.
    fn due(&self, version: u64, after: SimTime) -> SimTime {
        let State::Looking { waits, since, looked } = self else { return SimTime::NEVER };
        let end = since.saturating_add(waits.timeout);
        match looked {
            Some((_, seen)) if *seen == version => end,
            looked => {
                let last = looked.map_or(*since, |(at, _)| at);
                let next = after.max(last.saturating_add(waits.period));
                next.next_on_grid(*since, waits.period).min(end)
            }
        }
    }
}

impl Bindings {
    /// When the next plugin looks or gives up, if what it sees is of this version.
    pub(super) fn next_look(&self, version: u64) -> SimTime {
        let works = self.cycles.values().filter_map(Cycle::work);
        let runs = works.flat_map(|work| &work.running);
        let due = runs.map(|run| run.state.due(version, self.looked_after));
        due.min().unwrap_or(SimTime::NEVER)
    }

    /// The first plugin that is at work in a cycle.
    pub(super) fn working(&self, number: u64) -> Option<PluginId> {
        self.cycles.get(&number)?.work()?.running.first().map(|run| run.plugin)
    }
}

impl Cycle {
    fn work(&self) -> Option<&Work> {
        match &self.stage {
            Stage::PreBind(work) => Some(work),
            Stage::Nominating | Stage::Permit => None,
        }
    }

    fn work_mut(&mut self) -> Option<&mut Work> {
        match &mut self.stage {
            Stage::PreBind(work) => Some(work),
            Stage::Nominating | Stage::Permit => None,
        }
    }
}

impl Scheduler {
    /// Nobody lets the pod wait any more: the PreBind plugins begin.
    pub(super) fn begin_pre_bind(&mut self, number: u64, now: SimTime) {
        let Some(cycle) = self.bindings.cycles.get_mut(&number) else { return };
        let profile = &self.core.profiles[cycle.profile];
        let groups = groups(profile, cycle.pre_bind, cycle.parallel);
        cycle.stage = Stage::PreBind(Work { groups, running: Vec::new() });
        self.begin_group(number, now);
    }

    /// The next group of plugins begins; after the last one the pod is to be bound.
    fn begin_group(&mut self, number: u64, now: SimTime) {
        loop {
            let Some(cycle) = self.bindings.cycles.get_mut(&number) else { return };
            let Some(group) = cycle.work_mut().and_then(|work| work.groups.pop_front()) else {
                return self.end_in_binding(number);
            };
            self.core.objects.speak_for(cycle.profile);
            let binding = self.core.pod_binding(&cycle.pod, cycle.pod_is_there, cycle.node);
            let cx = self.core.context(now);
            let (mut running, mut at_once) = (Vec::new(), Vec::new());
            for plugin in group {
                let Some(work) = plugin_of(&self.core.profiles[cycle.profile], plugin) else {
                    continue;
                };
                let reservation = work.writes(&binding);
                if !reservation.is_empty() {
                    running.push(Run { plugin, state: State::Writing });
                    let step = BindingStep::Write { cycle: number, plugin, reservation };
                    self.bindings.steps.push_back(step);
                } else if let Some(waits) = work.waits(&cx, &binding) {
                    let state = State::Looking { waits, since: now, looked: None };
                    running.push(Run { plugin, state });
                    at_once.extend(waits.at_once.then_some(plugin));
                }
            }
            let is_busy = !running.is_empty();
            if let Some(work) = cycle.work_mut() {
                work.running = running;
            }
            if is_busy {
                for plugin in at_once {
                    self.look_at_once(number, plugin, now);
                }
                return;
            }
        }
    }

    /// What a PreBind plugin wrote has reached the API server, or was refused there.
    pub fn pre_bind_written(
        &mut self,
        cycle: u64,
        plugin: PluginId,
        answer: Result<(), String>,
        now: SimTime,
    ) {
        self.advance(now);
        let Some(found) = self.bindings.cycles.get_mut(&cycle) else { return };
        if answer.is_ok() {
            self.core.claims_are_written(found.pod.id);
        }
        self.core.objects.speak_for(found.profile);
        let cx = self.core.context(now);
        let binding = self.core.pod_binding(&found.pod, found.pod_is_there, found.node);
        let waits = plugin_of(&self.core.profiles[found.profile], plugin)
            .and_then(|work| work.waits(&cx, &binding));
        let Some(work) = found.work_mut() else { return };
        let writes = |run: &Run| run.plugin == plugin && matches!(run.state, State::Writing);
        let Some(at) = work.running.iter().position(writes) else { return };
        match (answer, waits) {
            (Err(why), _) => {
                self.end_in_failure(cycle, failed(plugin, &why), now);
            }
            (Ok(()), Some(waits)) => {
                work.running[at].state = State::Looking { waits, since: now, looked: None };
                if waits.at_once {
                    self.look_at_once(cycle, plugin, now);
                }
            }
            (Ok(()), None) => {
                work.running.remove(at);
                if work.running.is_empty() {
                    self.begin_group(cycle, now);
                }
            }
        }
        self.go_on(now);
    }

    /// The plugins look for which it is time, and go on or give up.
    pub(super) fn look(&mut self, now: SimTime) {
        let version = self.version();
        let due: Vec<(u64, PluginId)> = self
            .bindings
            .cycles
            .iter()
            .flat_map(|(number, cycle)| {
                let runs = cycle.work().map_or(&[][..], |work| &work.running);
                runs.iter().map(move |run| (*number, run))
            })
            .filter(|(_, run)| run.state.due(version, self.bindings.looked_after) <= now)
            .map(|(number, run)| (number, run.plugin))
            .collect();
        for (number, plugin) in due {
            self.look_once(number, plugin, now, false);
        }
    }

    /// A plugin looks now, whatever its period: for what lies in the past.
    pub fn look_now(&mut self, cycle: u64, plugin: PluginId, now: SimTime) {
        self.look_at_once(cycle, plugin, now);
        self.go_on(now);
    }

    fn look_at_once(&mut self, number: u64, plugin: PluginId, now: SimTime) {
        self.look_once(number, plugin, now, true);
    }

    fn look_once(&mut self, number: u64, plugin: PluginId, now: SimTime, at_once: bool) {
        let version = self.version();
        let Some(cycle) = self.bindings.cycles.get_mut(&number) else { return };
        let profile = cycle.profile;
        self.core.objects.speak_for(profile);
        let binding = self.core.pod_binding(&cycle.pod, cycle.pod_is_there, cycle.node);
        let Some(asked) = plugin_of(&self.core.profiles[profile], plugin) else { return };
        let answer = asked.is_done(&self.core.context(now), &binding);
        let Some(work) = cycle.work_mut() else { return };
        let Some(at) = work.running.iter().position(|run| run.plugin == plugin) else { return };
        let State::Looking { waits, since, looked } = &mut work.running[at].state else { return };
        // Who gives up looks no more, unless it is the end of a period too.
        let on_grid = now > *since && now.since(*since).0.is_multiple_of(waits.period.0.max(1));
        let is_look = at_once || on_grid;
        match answer {
            Err(why) if is_look => self.end_in_failure(number, failed(plugin, &why), now),
            Ok(true) if is_look => {
                work.running.remove(at);
                if work.running.is_empty() {
                    self.begin_group(number, now);
                }
            }
            _ if now >= since.saturating_add(waits.timeout) => {
                let why = failed(plugin, waits.timed_out);
                self.end_in_failure(number, why, now);
            }
            _ => *looked = Some((now, version)),
        }
    }
}

fn failed(plugin: PluginId, why: &str) -> Verdict {
    let name = registry::name_of(plugin);
    Verdict::Failed(format!("running PreBind plugin {name:?}: {why}"))
}

fn plugin_of(profile: &Profile, plugin: PluginId) -> Option<&Arc<dyn PreBindPlugin>> {
    profile.pre_bind.iter().find(|(id, _)| *id == plugin).map(|(_, found)| found)
}

/// The plugins with something to do in the order of the profile: neighbours that may work side by
/// side are one group. One that has nothing to do parts its neighbours if it may not.
fn groups(profile: &Profile, works: PluginSet, parallel: PluginSet) -> VecDeque<Vec<PluginId>> {
    let mut groups: VecDeque<Vec<PluginId>> = VecDeque::new();
    let mut is_open = false;
    for (id, _) in &profile.pre_bind {
        is_open &= parallel.has(*id);
        if !works.has(*id) {
            continue;
        }
        match groups.back_mut().filter(|_| is_open) {
            Some(group) => group.push(*id),
            None => groups.push_back(vec![*id]),
        }
        is_open = parallel.has(*id);
    }
    groups
}
