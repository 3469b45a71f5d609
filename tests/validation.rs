//! Traffic held against queueing theory: single requests, in the engine and in whole worlds.
//!
//! Each cell is run 30 times with other random numbers; the mean of the runs has a 95 % confidence
//! interval, and of all cells at least 93 % must hold the value of theory (as many as chance and no
//! error leave). The quick test runs each cell once, with few requests; `docs/validation.md` has the
//! table of the long one and its command.

#![allow(clippy::print_stdout, reason = "it prints the table of docs/validation.md")]
#![allow(clippy::unwrap_used, reason = "a test")]

mod validation {
    pub mod cells;
    pub mod laws;
    pub mod worlds;
}

use validation::cells::{Estimate, cells};
use validation::worlds::worlds;

/// Runs all cells at these root seeds, prints the table, and gives the share of cells that hold the
/// value of theory.
fn table(seeds: &[u64], requests: u64) -> f64 {
    println!("| model | measure | theory | ours | error | 95 % interval | inside |");
    println!("|---|---|---:|---:|---:|---:|---|");
    let (mut inside, mut all) = (0, 0);
    for cell in cells() {
        for seed in seeds {
            let found = cell.run(*seed, requests);
            println!("{}", row(cell.model, cell.measure, cell.theory, &found));
            all += 1;
            inside += u32::from(found.holds(cell.theory));
        }
    }
    for world in worlds() {
        let model = format!("M/M/{}, load {}, `stormglass run`", world.servers, world.load);
        for seed in seeds {
            let found = world.run(*seed, requests);
            println!("{}", row(&model, "mean wait", world.theory(), &found));
            all += 1;
            inside += u32::from(found.holds(world.theory()));
        }
    }
    println!("\n{inside} of {all} cells hold the value of theory.");
    f64::from(inside) / f64::from(all)
}

fn row(model: &str, measure: &str, theory: f64, found: &Estimate) -> String {
    let error = (found.mean / theory - 1.0) * 100.0;
    let is_inside = if found.holds(theory) { "yes" } else { "no" };
    format!(
        "| {model} | {measure} | {theory:.6} | {:.6} | {error:+.2} % | ±{:.6} | {is_inside} |",
        found.mean, found.half
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
