//! Nodes that soft constraints can't tell apart: those with the same keys, in the same domains and
//! with as many matching pods.
//!
//! A cycle scores hundreds of nodes, but hardly any two dozen of cells: of a node only its cell is
//! asked for. Where there are many cells this is given up, and each node is scored by itself.

use super::tally::Place;
use crate::control::scheduler::framework::NodeIndex;
use crate::control::scheduler::topologies::at;
use std::collections::BTreeMap;

/// More cells are not worth it.
const MOST: usize = 256;

/// What constraints see of a node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    /// Which keys it has, and whether it is scored.
    pub(super) place: Place,
    /// By constraint: its domain, or for the hostname its matching pods.
    pub(super) at: Vec<usize>,
}

/// The cells of all nodes.
#[derive(Default)]
pub(super) struct Cells {
    of_node: Vec<u32>,
    made: Vec<Cell>,
    numbers: BTreeMap<Cell, u32>,
    /// By cell: feasible nodes of this cycle.
    counts: Vec<u32>,
    are_many: bool,
}

impl Cells {
    /// A node was counted: this is its cell.
    pub(super) fn put(&mut self, node: NodeIndex, cell: Cell) {
        if self.are_many {
            return;
        }
        let next = self.made.len() as u32;
        let number = *self.numbers.entry(cell.clone()).or_insert(next);
        if number == next {
            self.are_many = self.made.len() == MOST;
            self.made.push(cell);
        }
        *at(&mut self.of_node, node, 0) = number;
    }

    /// The cells in which these nodes lie, each with how many do; `None`: there are too many cells.
    pub(super) fn count(&mut self, nodes: &[NodeIndex]) -> Option<Vec<(u32, u32)>> {
        if self.are_many {
            return None;
        }
        self.counts.clear();
        self.counts.resize(self.made.len(), 0);
        for node in nodes {
            self.counts[self.of_node[node.0 as usize] as usize] += 1;
        }
        let counted = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        Some(counted.map(|(cell, count)| (cell as u32, *count)).collect())
    }

    /// A cell by its number.
    pub(super) fn get(&self, cell: u32) -> &Cell {
        &self.made[cell as usize]
    }

    /// Adds to each node's total what its cell gets; `scores` is by cell.
    pub(super) fn add(&self, nodes: &[NodeIndex], scores: &[i64], totals: &mut [i64]) {
        for (node, total) in nodes.iter().zip(totals) {
            *total += scores[self.of_node[node.0 as usize] as usize];
        }
    }

    /// What a node's cell gets.
    pub(super) fn of(&self, node: NodeIndex, scores: &[i64]) -> i64 {
        scores[self.of_node[node.0 as usize] as usize]
    }

    /// How many cells there are.
    pub(super) fn len(&self) -> usize {
        self.made.len()
    }
}
