//! Families of cases: how often one of them has what.

/// What a family is made of; chances are in percent, of each pod unless said otherwise.
pub(super) struct Mix {
    pub(super) family: &'static str,
    /// Fewest and most nodes at the start.
    pub(super) nodes: (u64, u64),
    /// How many steps there are.
    pub(super) steps: u64,
    /// Of a step: it deletes a pod.
    pub(super) deleted: u64,
    /// Of a cycle: a pod of before is tried again, if it doesn't run.
    pub(super) again: u64,
    /// Of a step: a node comes, goes or changes.
    pub(super) churn: u64,
    /// Of a case: the scheduler is configured.
    pub(super) config: u64,
    /// Init containers, overhead, limits without requests, extended resources.
    pub(super) odd: u64,
    /// Selectors and affinities for nodes.
    pub(super) node_affinity: u64,
    /// Of a node: taints; of a pod: tolerations.
    pub(super) taints: u64,
    /// Affinities and anti-affinities for pods.
    pub(super) pod_affinity: u64,
    /// Spread constraints.
    pub(super) spread: u64,
    /// Of a label: a Service or a ReplicaSet has it; of a pod: it has an owner.
    pub(super) owners: u64,
    /// Host ports.
    pub(super) ports: u64,
    /// Of a node and a pod: images.
    pub(super) images: u64,
    /// Claims.
    pub(super) volumes: u64,
    /// Whether there are local volumes, drivers that tell their capacity, and attachments.
    pub(super) waits: bool,
    /// Claims of devices.
    pub(super) devices: u64,
    /// Whether there are partitions of devices, shared ones and rules that taint them.
    pub(super) partitions: u64,
    /// Extended resources that are had as devices.
    pub(super) extended: u64,
    /// Of a pod: it needs a feature of the kubelet; half as often of a node: it declares one.
    pub(super) features: u64,
    /// Priorities, and budgets against their use. Only in clusters of at most a hundred nodes:
    /// among more, upstream tries a sample in a map's order.
    pub(super) priorities: u64,
}

impl Mix {
    /// Whether there are devices at all.
    pub(super) fn has_devices(&self) -> bool {
        self.devices + self.extended > 0
    }
}

const PLAIN: Mix = Mix {
    family: "",
    nodes: (2, 30),
    steps: 105,
    deleted: 8,
    again: 8,
    churn: 0,
    config: 0,
    odd: 0,
    node_affinity: 0,
    taints: 0,
    pod_affinity: 0,
    spread: 0,
    owners: 0,
    ports: 0,
    images: 0,
    volumes: 0,
    waits: false,
    devices: 0,
    partitions: 0,
    extended: 0,
    features: 0,
    priorities: 0,
};

/// All families.
pub(super) const FAMILIES: &[Mix] = &[
    Mix { family: "resources", odd: 60, ..PLAIN },
    Mix { family: "node-affinity", node_affinity: 70, odd: 10, ..PLAIN },
    Mix { family: "taints", taints: 60, ..PLAIN },
    Mix { family: "pod-affinity", pod_affinity: 60, ..PLAIN },
    Mix { family: "spread", spread: 70, node_affinity: 15, taints: 10, ..PLAIN },
    Mix { family: "default-spread", owners: 70, ..PLAIN },
    Mix { family: "ports-images", ports: 40, images: 70, ..PLAIN },
    Mix { family: "volumes", volumes: 60, ..PLAIN },
    Mix { family: "volumes-wait", volumes: 75, waits: true, ..PLAIN },
    Mix { family: "devices", devices: 80, nodes: (2, 12), again: 20, churn: 6, ..PLAIN },
    Mix {
        family: "devices-shared",
        devices: 85,
        partitions: 1,
        nodes: (2, 9),
        again: 20,
        churn: 4,
        priorities: 30,
        ..PLAIN
    },
    Mix {
        family: "devices-extended",
        devices: 25,
        extended: 60,
        nodes: (2, 9),
        again: 15,
        churn: 6,
        taints: 10,
        ..PLAIN
    },
    Mix { family: "node-features", features: 70, taints: 10, node_affinity: 10, ..PLAIN },
    Mix { family: "large", nodes: (1_000, 3_000), steps: 60, taints: 15, spread: 5, ..PLAIN },
    Mix { family: "preemption", nodes: (2, 9), priorities: 80, again: 20, odd: 15, ..PLAIN },
    Mix {
        family: "preemption-mix",
        nodes: (2, 9),
        priorities: 75,
        again: 20,
        taints: 15,
        pod_affinity: 15,
        spread: 15,
        ports: 10,
        node_affinity: 10,
        ..PLAIN
    },
    Mix { family: "churn", churn: 25, spread: 15, taints: 10, owners: 20, ..PLAIN },
    Mix {
        family: "config",
        config: 100,
        odd: 20,
        node_affinity: 20,
        taints: 20,
        pod_affinity: 20,
        spread: 15,
        owners: 20,
        images: 20,
        ..PLAIN
    },
    Mix {
        family: "sampling",
        nodes: (100, 400),
        steps: 160,
        config: 50,
        odd: 10,
        node_affinity: 15,
        taints: 15,
        pod_affinity: 8,
        spread: 8,
        owners: 15,
        churn: 4,
        ..PLAIN
    },
    Mix {
        family: "kitchen-sink",
        nodes: (3, 40),
        steps: 120,
        again: 12,
        churn: 6,
        config: 30,
        odd: 20,
        node_affinity: 20,
        taints: 20,
        pod_affinity: 20,
        spread: 20,
        owners: 30,
        ports: 10,
        images: 25,
        volumes: 15,
        priorities: 60,
        ..PLAIN
    },
];
