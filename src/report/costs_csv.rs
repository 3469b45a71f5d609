//! `costs.csv`: whom the machines' cost is charged to.

use super::cell::Cell;
use super::lines::Lines;
use crate::record::costs::{Share, Spending};
use std::io::{self, Write};

const COLUMNS: [&str; 9] = [
    "scope",
    "namespace",
    "kind",
    "name",
    "cpu_core_hours",
    "memory_gib_hours",
    "cost",
    "idle_share",
    "total_cost",
];

/// Writes the header, workloads, then namespaces, then what was idle.
pub(super) fn write(output: &mut impl Write, spending: &Spending) -> io::Result<()> {
    let mut lines = Lines::new(output);
    lines.row(COLUMNS.iter().map(|name| Cell::Text(name)))?;
    for (scope, shares) in [("workload", &spending.workloads), ("namespace", &spending.namespaces)]
    {
        for share in shares {
            lines.row(cells(scope, share))?;
        }
    }
    let idle = [Cell::Text("idle"), Cell::Empty, Cell::Empty, Cell::Empty, Cell::Empty];
    let cost = [Cell::Empty, spending.idle.into(), Cell::Empty, Cell::Empty];
    lines.row(idle.into_iter().chain(cost))?;
    lines.finish().map(drop)
}

fn cells<'a>(scope: &'a str, share: &'a Share) -> [Cell<'a>; COLUMNS.len()] {
    [
        scope.into(),
        (&*share.namespace).into(),
        share.kind.as_deref().into(),
        share.name.as_deref().into(),
        share.charge.cpu_core_hours.into(),
        share.charge.memory_gib_hours.into(),
        share.charge.cost.into(),
        share.idle_share.into(),
        share.total_cost.into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::costs::{Charge, Costs, Payer};

    #[test]
    fn workloads_namespaces_and_what_was_idle() {
        let mut costs = Costs::default();
        let payer = Payer { namespace: "shop".into(), kind: "Job".into(), name: "report".into() };
        costs.add(payer, &Charge { cpu_core_hours: 2.0, memory_gib_hours: 4.0, cost: 0.5 });
        let mut bytes = Vec::new();
        write(&mut bytes, &costs.spending(2.0)).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(
            lines[1..],
            [
                "workload,shop,Job,report,2,4,0.5,1.5,2",
                "namespace,shop,,,2,4,0.5,1.5,2",
                "idle,,,,,,1.5,,",
            ]
        );
    }
}
