//! The `stormglass` program. It only hands the arguments to the `cli` room.

fn main() -> std::process::ExitCode {
    stormglass::cli::main()
}
