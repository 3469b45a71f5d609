//! Attempts to schedule a pod, as text: one table per attempt, nodes in rows.
//!
//! It knows nothing of how they came about.

use crate::record::attempt::{Attempt, NodeVerdict};
use crate::record::wording::{count, grouped};
use std::collections::BTreeMap;

/// So many nodes are told one by one, unless all are asked for.
const ONE_BY_ONE: usize = 20;

/// The attempts to schedule `pod`; with `all`, every node of each.
pub fn text(pod: &str, attempts: &[Attempt], all: bool) -> String {
    let mut out = format!("Pod {pod}: ");
    match attempts.last() {
        None => {
            out.push_str(
                "never tried.\nIt came with a node, or asks for a scheduler that is not there, \
                 or its scheduling gates were never removed.\n",
            );
        }
        Some(last) => {
            let fate = match &last.node {
                Some(node) if last.message.is_empty() => format!("goes to {node}"),
                _ => "goes nowhere".to_owned(),
            };
            let tries = count(attempts.len() as u64, "attempt");
            out.push_str(&format!("{fate} after {tries}.\n"));
        }
    }
    let mut rest = attempts;
    while let [first, ..] = rest {
        let same = rest.iter().take_while(|a| is_the_same(a, first)).count();
        out.push('\n');
        attempt(&mut out, &rest[..same], all);
        rest = &rest[same..];
    }
    out
}

/// Whether nothing but the time is another.
fn is_the_same(a: &Attempt, b: &Attempt) -> bool {
    (&a.node, &a.message, &a.nominated) == (&b.node, &b.message, &b.nominated)
        && (&a.pre_filter, &a.nodes) == (&b.pre_filter, &b.nodes)
}

/// One attempt, or several in a row that are the same.
fn attempt(out: &mut String, same: &[Attempt], all: bool) {
    let [first, ..] = same else { return };
    match same {
        [_] => out.push_str(&format!("Attempt {} at {}: ", first.number, first.time)),
        [.., last] => out.push_str(&format!(
            "Attempts {} to {}, {} to {}, all the same: ",
            first.number, last.number, first.time, last.time
        )),
        [] => {}
    }
    let looked_at = format!(
        "{} of {} looked at",
        grouped(first.nodes.len() as u64),
        count(first.nodes_in_all as u64, "node")
    );
    let feasible = first.nodes.iter().filter(|n| n.rejected_by.is_none()).count() as u64;
    match &first.node {
        Some(node) => {
            out.push_str(&format!(
                "{node}, of {}; {looked_at}\n",
                count(feasible, "feasible node")
            ));
            if !first.message.is_empty() {
                out.push_str(&format!("  not bound to it: {}\n", first.message));
            }
        }
        None => out.push_str(&format!("no node; {looked_at}\n  {}\n", first.message)),
    }
    if let Some(node) = &first.nominated {
        out.push_str(&format!("  nominated to {node}, where pods of lower priority make room\n"));
    }
    scores(out, first, all);
    rejections(out, first, all);
}

/// The feasible nodes, the best first, with a column for each plugin that scored.
fn scores(out: &mut String, attempt: &Attempt, all: bool) {
    let mut feasible: Vec<&NodeVerdict> =
        attempt.nodes.iter().filter(|node| node.rejected_by.is_none()).collect();
    let is_chosen = |node: &NodeVerdict| attempt.node.as_ref() == Some(&node.node);
    // Of equal totals the chosen one comes first; the others keep the order of the search.
    feasible.sort_by_key(|node| (std::cmp::Reverse(node.total()), !is_chosen(node)));
    let Some(best) = feasible.first() else { return };
    if best.scores.is_empty() {
        let why = if feasible.len() == 1 { "the only one: not scored" } else { "not scored" };
        out.push_str(&format!("  {}  {why}\n", best.node));
        return;
    }
    let shown = if all { feasible.len() } else { ONE_BY_ONE };
    let mut rows = vec![vec!["node".to_owned(), "total".to_owned()]];
    rows[0].extend(best.scores.iter().map(|(plugin, _)| (*plugin).to_owned()));
    for node in feasible.iter().take(shown) {
        let mark = if is_chosen(node) { " <-" } else { "" };
        let mut row = vec![format!("{}{mark}", node.node), node.total().to_string()];
        row.extend(node.scores.iter().map(|(_, score)| score.to_string()));
        rows.push(row);
    }
    table(out, &rows);
    if feasible.len() > shown {
        let more = count((feasible.len() - shown) as u64, "more feasible node");
        out.push_str(&format!("  and {more} (--all shows them)\n"));
    }
}

/// The rejected nodes: one by one if they are few, else by what they were rejected for.
fn rejections(out: &mut String, attempt: &Attempt, all: bool) {
    let rejected: Vec<(&NodeVerdict, &'static str)> =
        attempt.nodes.iter().filter_map(|node| Some((node, node.rejected_by?))).collect();
    if rejected.is_empty() {
        return;
    }
    let mut rows = vec![["node", "rejected by", "because"].map(str::to_owned).to_vec()];
    if all || rejected.len() <= ONE_BY_ONE {
        rows.extend(rejected.iter().map(|(node, plugin)| {
            vec![node.node.to_string(), (*plugin).to_owned(), node.reasons.join(", ")]
        }));
    } else {
        let mut groups: BTreeMap<(&str, String), Vec<&NodeVerdict>> = BTreeMap::new();
        for (node, plugin) in rejected {
            groups.entry((plugin, node.reasons.join(", "))).or_default().push(node);
        }
        for ((plugin, reasons), nodes) in groups {
            let name = match &nodes[..] {
                [one] => one.node.to_string(),
                [one, ..] => format!("{} nodes, like {}", grouped(nodes.len() as u64), one.node),
                [] => continue,
            };
            rows.push(vec![name, plugin.to_owned(), reasons]);
        }
    }
    table(out, &rows);
}

/// Columns as wide as their widest entry; numbers stand to the right.
fn table(out: &mut String, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|at| wide(at).unwrap_or(0)).collect();
    let numbers = |at: usize| {
        rows.iter().skip(1).filter_map(|r| r.get(at)).all(|cell| cell.parse::<i64>().is_ok())
    };
    for row in rows {
        let mut line = String::from(" ");
        for (at, cell) in row.iter().enumerate() {
            let width = widths[at];
            line.push(' ');
            match numbers(at) {
                true => line.push_str(&format!("{cell:>width$} ")),
                false => line.push_str(&format!("{cell:<width$} ")),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SimTime;

    fn rejected(node: &str) -> NodeVerdict {
        NodeVerdict {
            node: node.into(),
            rejected_by: Some("NodeResourcesFit"),
            reasons: vec!["Insufficient cpu".to_owned()],
            scores: Vec::new(),
        }
    }

    fn feasible(node: &str, fit: i64) -> NodeVerdict {
        NodeVerdict {
            node: node.into(),
            rejected_by: None,
            reasons: Vec::new(),
            scores: vec![("TaintToleration", 300), ("NodeResourcesFit", fit)],
        }
    }

    fn failed(number: u32, nodes: Vec<NodeVerdict>) -> Attempt {
        Attempt {
            time: SimTime::from_secs(u64::from(number)),
            number,
            node: None,
            message: "0/2 nodes are available: 2 Insufficient cpu.".to_owned(),
            nominated: None,
            pre_filter: String::new(),
            nodes_in_all: nodes.len(),
            nodes,
        }
    }

    #[test]
    fn attempts_are_tables() {
        let few = vec![rejected("a"), rejected("b")];
        let placed = Attempt {
            node: Some("b".into()),
            message: String::new(),
            ..failed(3, vec![feasible("a", 7), feasible("b", 90), rejected("c")])
        };
        let attempts = [failed(1, few.clone()), failed(2, few), placed];
        let expected = "\
Pod default/web-1: goes to b after 3 attempts.

Attempts 1 to 2, 00:00:01 to 00:00:02, all the same: no node; 2 of 2 nodes looked at
  0/2 nodes are available: 2 Insufficient cpu.
  node  rejected by       because
  a     NodeResourcesFit  Insufficient cpu
  b     NodeResourcesFit  Insufficient cpu

Attempt 3 at 00:00:03: b, of 2 feasible nodes; 3 of 3 nodes looked at
  node  total  TaintToleration  NodeResourcesFit
  b <-    390              300                90
  a       307              300                 7
  node  rejected by       because
  c     NodeResourcesFit  Insufficient cpu
";
        assert_eq!(text("default/web-1", &attempts, false), expected);
    }

    #[test]
    fn many_nodes_are_told_by_what_they_were_rejected_for() {
        let nodes: Vec<NodeVerdict> = (0..1500).map(|i| rejected(&format!("n{i}"))).collect();
        let told = text("default/web-1", &[failed(1, nodes.clone())], false);
        assert!(
            told.contains("1,500 nodes, like n0  NodeResourcesFit  Insufficient cpu"),
            "{told}"
        );
        let all = text("default/web-1", &[failed(1, nodes)], true);
        assert_eq!(all.lines().count(), told.lines().count() + 1499, "--all tells each");
        assert!(text("default/web-1", &[], false).contains("never tried"));
    }
}
