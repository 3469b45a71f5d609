//! Histories in which pods fight for room: few sizes and many priorities on full nodes, disruption
//! budgets, victims that take their time to go, nominations that are told late or never, nodes that
//! change under all of it.

use super::testing::zone_node;
use super::*;
use crate::api::pod_affinity::PodAffinity;
use objects::Budget;

/// What a history does to a chosen victim.
#[derive(Clone, Copy)]
enum Going {
    /// It is gone at once.
    AtOnce,
    /// It is being deleted, and goes later.
    Slowly,
}

/// Two schedulers and what else is there when room is short.
struct Contention {
    pair: Pair,
    budgets: SlotMap<PdbId, (&'static str, &'static str, i64)>,
    going: Vec<PodId>,
    /// Pods that found no node, and how many of them found victims.
    failed: usize,
    preempting: usize,
    in_vain: usize,
}

impl Contention {
    fn new(stream: &mut Stream) -> Contention {
        let absolute = [1, 2, 5, 100][stream.below(4) as usize];
        let percentage = [1, 10, 50][stream.below(3) as usize];
        let args = json!({"minCandidateNodesAbsolute": absolute,
            "minCandidateNodesPercentage": percentage});
        let profiles = json!([{"pluginConfig": [{"name": "DefaultPreemption", "args": args}]}]);
        let configuration: SchedulerConfiguration =
            serde_json::from_value(json!({"profiles": profiles})).unwrap();
        let mut pair = Pair::of(&configuration);
        // In one history of three filters look at other nodes too.
        let is_local = stream.below(3) > 0;
        let kinds = 3 + stream.below(8);
        pair.specs = (0..kinds).map(|_| Arc::new(contending_spec(stream, is_local))).collect();
        pair.most_nodes = [6, 20, 70, 140][stream.below(4) as usize];
        for _ in 0..pair.most_nodes * 3 / 4 {
            pair.add_node(stream);
        }
        Contention {
            pair,
            budgets: SlotMap::with_key(),
            going: Vec::new(),
            failed: 0,
            preempting: 0,
            in_vain: 0,
        }
    }

    fn step(&mut self, stream: &mut Stream) {
        self.pair.now += SimDuration::from_millis(stream.below(3_000));
        match stream.below(20) {
            0 if (self.pair.nodes.len() as u64) < self.pair.most_nodes => {
                self.pair.add_node(stream);
            }
            1 | 2 => self.pair.change_node(stream),
            3 if stream.below(3) == 0 => self.pair.remove_node(stream),
            4 => self.pair.change_pod(stream),
            5 | 6 => self.change_budget(stream),
            7 => self.let_go(stream),
            8..11 => {
                for _ in 0..stream.below(12) {
                    if let Some(id) = pick(self.pair.pods.keys(), stream) {
                        self.pair.remove_pod(id);
                    }
                }
            }
            11 => self.nominate(stream),
            12 => self.end_important(stream),
            _ => self.add_pods(stream),
        }
        self.run(stream);
    }

    fn add_pods(&mut self, stream: &mut Stream) {
        let waiting = self.pair.pods.values().filter(|p| p.node.is_none()).count() as u64;
        for _ in 0..stream.below(20).min(60u64.saturating_sub(waiting)) {
            self.pair.add_pod(stream);
        }
    }

    /// Important pods end, so that there is room for others, which will have to make room again.
    fn end_important(&mut self, stream: &mut Stream) {
        let least = [1, 5, 10][stream.below(3) as usize];
        let is_meant = |pod: &Pod| pod.spec.priority >= least;
        let meant = self.pair.pods.iter().filter(|(_, p)| is_meant(p)).map(|(id, _)| id);
        for id in meant.collect::<Vec<_>>() {
            if stream.below(3) > 0 {
                self.pair.remove_pod(id);
            }
        }
    }

    /// Some pods that are being deleted are gone.
    fn let_go(&mut self, stream: &mut Stream) {
        for id in std::mem::take(&mut self.going) {
            match stream.below(2) {
                0 => self.pair.remove_pod(id),
                _ => self.going.push(id),
            }
        }
    }

    /// A budget comes, goes, selects other pods, or allows another number of disruptions.
    fn change_budget(&mut self, stream: &mut Stream) {
        let rule = (
            NAMESPACES[stream.below(2) as usize],
            APPS[stream.below(4) as usize],
            stream.below(3) as i64,
        );
        let known = pick(self.budgets.keys(), stream);
        let id = match (stream.below(8), known) {
            (0, Some(id)) => {
                self.budgets.remove(id);
                return self.pair.each(|s, _| s.objects_mut().set_budget(id, None));
            }
            (1, Some(id)) => {
                self.budgets[id] = rule;
                id
            }
            (2.., Some(id)) if stream.below(4) > 0 => {
                self.budgets[id].2 = rule.2;
                id
            }
            _ => self.budgets.insert(rule),
        };
        let (namespace, app, allowed) = self.budgets[id];
        // Of some the disruption is under way and in the numbers already.
        let share = [0, 0, 1, 3][stream.below(4) as usize];
        let disrupted: Vec<PodId> =
            self.pair.pods.keys().filter(|_| stream.below(4) < share).collect();
        self.pair.each(|s, _| {
            let budget = Budget {
                namespace: namespace.into(),
                selector: Selector::from_labels(&Labels::from([("app", app)])),
                disruptions_allowed: allowed,
                disrupted_pods: disrupted.clone(),
                version: 0,
            };
            s.objects_mut().set_budget(id, Some(budget));
        });
    }

    /// Somebody else writes a waiting pod's nomination, or takes it away.
    fn nominate(&mut self, stream: &mut Stream) {
        let waiting = self.pair.pods.iter().filter(|(_, p)| p.node.is_none()).map(|(id, _)| id);
        let Some(id) = pick(waiting, stream) else { return };
        let node = pick(self.pair.nodes.keys(), stream).filter(|_| stream.below(3) > 0);
        self.pair.pods[id].nominated = node;
        self.pair.each(|s, w| s.update_pod(id, &w.pods[id], w.now));
    }

    fn run(&mut self, stream: &mut Stream) {
        // Retries may go on for ever while budgets and nominations change.
        for _ in 0..60 {
            self.pair.carry_on();
            let Some(decision) = self.pair.decide() else { break };
            let tried = |s: &Scheduler| s.core().preemption_dry_runs();
            assert_eq!(tried(&self.pair.fast), tried(&self.pair.plain), "{decision:?}");
            match decision {
                Decision::Unschedulable { pod, victims, nomination, message, .. } => {
                    self.failed += 1;
                    self.preempting += usize::from(!victims.is_empty());
                    self.in_vain += usize::from(message.contains("No preemption victims"));
                    self.carry_out(pod, &victims, nomination, stream);
                }
                placed => self.pair.carry_out(placed),
            }
        }
    }

    fn carry_out(
        &mut self,
        pod: PodId,
        victims: &[PodId],
        nomination: Nomination,
        stream: &mut Stream,
    ) {
        if let Nomination::Set(node) = nomination
            && stream.below(4) > 0
            && let Some(there) = self.pair.pods.get_mut(pod)
        {
            there.nominated = node;
            self.pair.each(|s, w| s.update_pod(pod, &w.pods[pod], w.now));
        }
        let going = [Going::AtOnce, Going::Slowly][stream.below(2) as usize];
        for victim in victims {
            match going {
                Going::AtOnce => self.pair.remove_pod(*victim),
                Going::Slowly => {
                    let now = self.pair.now;
                    self.pair.pods[*victim].deletion = now.into();
                    self.pair.each(|s, w| s.update_pod(*victim, &w.pods[*victim], w.now));
                    self.going.push(*victim);
                }
            }
        }
        self.pair.each(|s, w| s.preemption_finished(pod, w.now));
    }
}

/// Required anti-affinity to an application.
fn apart(key: &str, app: &str) -> Option<Box<PodAffinity>> {
    let term = json!({"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}});
    let given = json!({"containers": [], "affinity": {"podAntiAffinity":
        {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
    let given = serde_json::from_value(given).unwrap();
    convert::pod::pod_spec(&given, "spec", &mut Vec::new()).pod_affinity
}

/// A specification of one of few sizes and many priorities.
fn contending_spec(stream: &mut Stream, is_local: bool) -> PodSpec {
    let mut spec = match is_local {
        true => testing::spec([300, 500, 900, 1900, 3000][stream.below(5) as usize], 64),
        false => PodSpec { volumes: Vec::new(), ..random_spec(stream, false) },
    };
    if !is_local && stream.below(2) == 0 {
        let key = [ZONE_LABEL, HOSTNAME_LABEL][stream.below(2) as usize];
        spec.pod_affinity = apart(key, APPS[stream.below(4) as usize]);
    }
    spec.priority = [-5, 0, 0, 0, 1, 5, 10, 100][stream.below(8) as usize];
    spec.never_preempts = stream.below(15) == 0;
    if stream.below(6) == 0 {
        let given = json!({"containers": [{"name": "c", "ports":
            [{"containerPort": 80, "hostPort": 8080}]}]});
        let given = serde_json::from_value(given).unwrap();
        let with_port = convert::pod::pod_spec(&given, "spec", &mut Vec::new());
        spec.containers.extend(with_port.containers);
    }
    spec
}

impl Pair {
    /// A node of four cores.
    fn plain_node(&mut self, name: &str) -> NodeId {
        let id = self.nodes.insert(zone_node(name, "z"));
        self.each(|s, w| s.add_node(id, Arc::new(w.nodes[id].clone()), w.now));
        id
    }

    /// A pod of this application, on a node or waiting.
    fn app_pod(&mut self, app: &str, spec: PodSpec, node: Option<NodeId>) -> PodId {
        let mut new = Pod { node, ..pod(&format!("p{}", self.pods.len()), spec) };
        new.base_mut().labels = Labels::from([("app", app)]);
        let id = self.pods.insert(new);
        self.each(|s, w| s.add_pod(id, &w.pods[id], w.now));
        id
    }

    fn budget(&mut self, id: PdbId, app: &str, disrupted: &[PodId]) {
        self.each(|s, _| {
            let budget = Budget {
                namespace: "default".into(),
                selector: Selector::from_labels(&Labels::from([("app", app)])),
                disruptions_allowed: 0,
                disrupted_pods: disrupted.to_vec(),
                version: 0,
            };
            s.objects_mut().set_budget(id, Some(budget));
        });
    }
}

#[test]
fn nodes_are_tried_again_when_a_budget_changes() {
    type Change = fn(&mut Pair, [PdbId; 2]);
    let rows: [(&str, Change, usize); 5] = [
        ("the lower priority goes while its disruption is under way", |_, _| {}, 0),
        ("and no more when that is over", |pair, [ours, _]| pair.budget(ours, "web", &[]), 1),
        ("or another budget forbids it", |pair, [_, new]| pair.budget(new, "web", &[]), 1),
        ("a budget of others changes nothing", |pair, [_, new]| pair.budget(new, "x", &[]), 0),
        ("nor one against the alternative", |pair, [_, new]| pair.budget(new, "db", &[]), 0),
    ];
    for (sentence, change, expected) in rows {
        let mut pair = Pair::of(&SchedulerConfiguration::default());
        let mut ids: SlotMap<PdbId, ()> = SlotMap::with_key();
        let budgets = [ids.insert(()), ids.insert(())];
        let of = |priority| PodSpec { priority, ..testing::spec(3000, 64) };
        let mut victim = |app: &str, priority| {
            let node = pair.plain_node(app);
            pair.app_pod(app, of(priority), Some(node))
        };
        let victims = [victim("web", 0), victim("db", 5), victim("cache", -1)];
        pair.budget(budgets[0], "web", &[victims[0]]);
        pair.app_pod("urgent", of(100), None);
        let first = pair.decide().unwrap();
        let Decision::Unschedulable { victims: chosen, .. } = first else { panic!("{first:?}") };
        assert_eq!(chosen, [victims[2]], "the least priority of all");
        pair.remove_pod(victims[2]);
        change(&mut pair, budgets);
        pair.app_pod("urgent", of(100), None);
        let second = pair.decide().unwrap();
        let Decision::Unschedulable { victims: chosen, .. } = second else { panic!("{second:?}") };
        assert_eq!(chosen, [victims[expected]], "{sentence}");
    }
}

#[test]
fn a_node_with_nominations_is_asked_again_when_others_have_a_say() {
    let apart_from =
        |app: &str| PodSpec { pod_affinity: apart(ZONE_LABEL, app), ..testing::spec(100, 64) };
    let rows = [
        ("the pod's own term", apart_from("other"), testing::spec(100, 64)),
        ("the other pod's term", testing::spec(100, 64), apart_from("ours")),
    ];
    for (sentence, ours, others) in rows {
        let mut pair = Pair::of(&SchedulerConfiguration::default());
        let (n, m) = (pair.plain_node("n"), pair.plain_node("m"));
        let cordoned = Node { unschedulable: true, ..zone_node("m", "z") };
        pair.nodes[m] = cordoned;
        pair.each(|s, w| s.update_node(m, Arc::new(w.nodes[m].clone()), w.now));
        let other = pair.app_pod("other", others, Some(m));
        let gated = PodSpec { scheduling_gates: vec!["g".into()], ..testing::spec(100, 64) };
        let nominated = pair.pods.insert(Pod { nominated: Some(n), ..pod("nominated", gated) });
        pair.each(|s, w| s.add_pod(nominated, &w.pods[nominated], w.now));
        let pod = pair.app_pod("ours", ours, None);
        let first = pair.decide().unwrap();
        assert!(matches!(first, Decision::Unschedulable { .. }), "{sentence}: {first:?}");
        pair.remove_pod(other);
        let second = pair.decide().unwrap();
        let goes =
            matches!(second, Decision::Scheduled { pod: p, node, .. } if p == pod && node == n);
        assert!(goes, "{sentence}: {second:?}");
    }
}

#[test]
fn preemption_from_memory_is_preemption_by_trial() {
    let (mut failed, mut preempting, mut in_vain) = (0, 0, 0);
    let (mut dry_runs, mut tried) = (0, 0);
    for seed in seeds() {
        let mut stream = Streams::new(seed).stream("contention", 0);
        let mut contention = Contention::new(&mut stream);
        for _ in 0..150 {
            contention.step(&mut stream);
        }
        failed += contention.failed;
        preempting += contention.preempting;
        in_vain += contention.in_vain;
        dry_runs += contention.pair.fast.core().preemption_dry_runs();
        tried += contention.pair.fast.core().preemption_trials();
    }
    let kept = dry_runs - tried;
    assert!(
        preempting > 1_500 && failed - preempting > 50_000 && in_vain > 30_000 && kept > 3 * tried,
        "too little to tell: {preempting} of {failed} preempt, {in_vain} in vain; {tried} of \
         {dry_runs} nodes tried"
    );
}
