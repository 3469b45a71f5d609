//! Which group grows: each expander, and chains of them.

use super::testing::{Cloud, autoscaler, group};
use super::*;
use crate::control::flags::{Expander, GroupPriorities};
use Expander::{LeastNodes, LeastWaste, MostPods, Price, Priority, Random};

/// Five pods of one core each: five small machines, two middle ones (8 cores) or one large one. The
/// large one is dear.
fn three_sizes() -> Vec<GroupView> {
    let mut groups = vec![group(0, 1, 0, 5), group(1, 4, 0, 5), group(2, 16, 0, 5)];
    groups[2].price_per_hour = 40.0;
    for (view, name) in groups.iter_mut().zip(["small", "middle", "large"]) {
        view.name = name.to_string();
    }
    groups
}

/// What is ordered for five pods.
fn ordered(
    groups: Vec<GroupView>,
    expander: &[Expander],
    priorities: &[(u32, &[&str])],
) -> (usize, u32) {
    let mut cloud = Cloud::new(groups);
    cloud.workload("web", 5, 1000);
    let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    let priorities: GroupPriorities = priorities.iter().map(|(n, of)| (*n, owned(of))).collect();
    let mut autoscaler = autoscaler(|flags| {
        flags.expander = expander.to_vec();
        flags.priorities = priorities;
    });
    cloud.run(&mut autoscaler, 20);
    let order = cloud.orders()[0].to_string();
    let numbers: Vec<u32> =
        order.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    (numbers[0] as usize, numbers[1])
}

#[test]
fn expanders_choose_by_their_measure() {
    let rows: [(&str, Expander, (usize, u32)); 4] = [
        ("least-waste: five cores of five", LeastWaste, (0, 5)),
        ("price: what costs least for what it takes", Price, (0, 5)),
        ("least-nodes: one is enough", LeastNodes, (2, 1)),
        ("random: the last of three, as the test draws", Random, (2, 1)),
    ];
    for (sentence, expander, expected) in rows {
        assert_eq!(ordered(three_sizes(), &[expander], &[]), expected, "{sentence}");
    }
    let mut groups = three_sizes();
    groups[0].max = 3;
    groups[2].autoscaled = false;
    assert_eq!(
        ordered(groups, &[MostPods], &[]),
        (1, 2),
        "most-pods: the middle group alone has room for all"
    );
}

#[test]
fn priorities_rank_groups_by_name() {
    type Ranks = &'static [(u32, &'static [&'static str])];
    let rows: [(&str, Ranks, (usize, u32)); 5] = [
        ("the highest number wins", &[(10, &["small"]), (50, &["middle"])], (1, 2)),
        ("order in the file does not matter", &[(50, &["middle"]), (10, &["small"])], (1, 2)),
        ("a name is searched, not matched as a whole", &[(10, &["mall"])], (0, 5)),
        ("a group that nobody names is left out", &[(1, &["small|middle"])], (1, 2)),
        ("of a group's several numbers the highest counts", &[(1, &["."]), (9, &["^s"])], (0, 5)),
    ];
    for (sentence, ranks, expected) in rows {
        assert_eq!(ordered(three_sizes(), &[Priority], ranks), expected, "{sentence}");
    }
    let nobody = ordered(three_sizes(), &[Priority], &[(5, &["huge"])]);
    assert_eq!(nobody, (2, 1), "if nobody is named, all are left to draw from");
    let mut full = three_sizes();
    full[1].max = 0;
    let ranks: Ranks = &[(50, &["middle"]), (10, &["small"])];
    assert_eq!(ordered(full, &[Priority], ranks), (0, 5), "what can't grow is no option");
}

#[test]
fn a_chain_asks_the_next_expander_where_one_leaves_several() {
    type Row = (&'static str, &'static [Expander], (usize, u32));
    let rows: [Row; 4] = [
        ("all take five pods: the fewest nodes decide", &[MostPods, LeastNodes], (2, 1)),
        ("all take five pods: waste decides", &[MostPods, LeastWaste], (0, 5)),
        ("small and middle are named: waste decides", &[Priority, LeastWaste], (0, 5)),
        ("the first one decides if it can", &[LeastNodes, Price], (2, 1)),
    ];
    for (sentence, chain, expected) in rows {
        let found = ordered(three_sizes(), chain, &[(7, &["small", "middle"])]);
        assert_eq!(found, expected, "{sentence}");
    }
}
