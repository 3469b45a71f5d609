//! Traffic held against queueing theory: the request level against the formulas' values, and the
//! fluid level against the request level.
//!
//! Each cell is run 30 times with other random numbers; the mean of the runs has a 95 % confidence
//! interval, and of all cells at least 93 % must hold the value of theory (as many as chance and no
//! error leave). The quick test runs each cell once, with few requests; `docs/validation.md` has the
//! table of the long one and its command.

#![allow(clippy::print_stdout, reason = "it prints the table of docs/validation.md")]

mod validation {
    pub mod cells;
    pub mod laws;
}

use validation::cells::{Cell, cells};

/// Runs all cells at these root seeds, prints the table, and gives the share of cells that hold the
/// value of theory.
fn table(seeds: &[u64], requests: u64) -> f64 {
    println!("| model | measure | theory | ours | error | 95 % interval | inside |");
    println!("|---|---|---:|---:|---:|---:|---|");
    let (mut inside, mut all) = (0, 0);
    for cell in cells() {
        for seed in seeds {
            let found = cell.run(*seed, requests);
            println!("{}", row(&cell, &found));
            all += 1;
            inside += u32::from(found.holds(cell.theory));
        }
    }
    println!("\n{inside} of {all} cells hold the value of theory.");
    f64::from(inside) / f64::from(all)
}

fn row(cell: &Cell, found: &validation::cells::Estimate) -> String {
    let error = (found.mean / cell.theory - 1.0) * 100.0;
    let is_inside = if found.holds(cell.theory) { "yes" } else { "no" };
    format!(
        "| {} | {} | {:.6} | {:.6} | {error:+.2} % | ±{:.6} | {is_inside} |",
        cell.model, cell.measure, cell.theory, found.mean, found.half
    )
}

#[test]
fn few_requests_hold_the_values_of_theory() {
    // Wide intervals, but a wrong formula or a wrong discipline lies far outside of them.
    let share = table(&[1], 3_000);
    assert!(share >= 0.93, "{share}");
}

#[test]
#[ignore = "minutes without optimisation: see docs/validation.md for the command"]
fn many_requests_hold_the_values_of_theory() {
    let share = table(&[1, 2, 3], 100_000);
    assert!(share >= 0.93, "{share}");
}
