//! The command line: one file per command, and what their outcomes mean to the shell.
//!
//! Data goes to stdout; progress, logs and errors to stderr. It knows how to put the rooms
//! together, not their rules.

mod again;
mod conform;
mod conform_controlplane;
mod describe;
mod explain;
mod get;
mod init;
mod look;
mod plan;
mod repeat;
mod run;
mod schema;
mod validate;

use clap::{Parser, Subcommand, ValueEnum};
use std::io::{self, Write};
use std::process::ExitCode;

/// How a command ended (DESIGN rule 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Fine,
    /// An expectation of the scenario, or a recorded decision, was missed; an object is not there.
    Missed,
    /// The input was bad, or a result could not be written.
    BadInput,
    /// An invariant broke: a bug of the simulator.
    Broken,
}

impl Outcome {
    /// The worse of the two.
    fn or(self, other: Outcome) -> Outcome {
        if self.code() >= other.code() { self } else { other }
    }

    fn code(self) -> u8 {
        match self {
            Outcome::Fine => 0,
            Outcome::Missed => 1,
            Outcome::BadInput => 2,
            Outcome::Broken => 3,
        }
    }
}

/// A deterministic discrete-event simulator of Kubernetes clusters.
#[derive(Debug, Parser)]
#[command(
    name = "stormglass",
    version,
    about,
    after_help = "\
Exit codes: 0 ok, 1 an expectation or a recorded decision was missed or an object is not there,
2 bad input, 3 an invariant broke.

Example:
  stormglass run scenarios/hello.yaml"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented starter scenario with its manifest.
    Init(init::Init),
    /// Check scenarios and everything they name, without running them.
    Validate(validate::Validate),
    /// Run a scenario and write its results.
    Run(run::Run),
    /// Find the value of a field that just meets an objective, by search over many runs.
    Plan(plan::Plan),
    /// Explain what happened in a run whose results are there.
    Explain(explain::Explain),
    /// Print objects of the cluster of a finished run at any instant, as kubectl does.
    Get(get::Get),
    /// Describe an object of the cluster of a finished run at any instant, as kubectl does.
    Describe(describe::Describe),
    /// Hold the scheduler against recorded decisions of the real one.
    Conform(conform::Conform),
    /// Print the JSON Schema of scenario files.
    Schema(schema::Schema),
}

/// How a command prints what it has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Init(init) => init.execute(),
        Command::Validate(validate) => validate.execute(),
        Command::Run(run) => run.execute(),
        Command::Plan(plan) => plan.execute(),
        Command::Explain(explain) => explain.execute(),
        Command::Get(get) => get.execute(),
        Command::Describe(describe) => describe.execute(),
        Command::Conform(conform) => conform.execute(),
        Command::Schema(schema) => schema.execute(),
    };
    ExitCode::from(outcome.code())
}

/// Prints to stdout. A reader that has gone away (`| head`) is no error; a full disk is one.
fn print(text: &str) -> Outcome {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("error: can't write to the standard output: {error}"));
            Outcome::BadInput
        }
        _ => Outcome::Fine,
    }
}

/// Prints a message to stderr.
fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
