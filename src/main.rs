//! Starts tracecol.

use std::process::ExitCode;

fn main() -> ExitCode {
    tracecol::cli::main()
}
