//! The command line: what may be typed, what it does, how it ends.
//!
//! Data goes to standard output, talk to standard error. One file a command; `args` holds them together.

mod anomalies;
mod args;
mod clock;
mod connections;
mod csv;
mod database;
mod demo;
mod diff;
mod doctor;
mod failure;
mod ingest;
mod knowledge;
mod list;
mod output;
mod packets;
mod paint;
mod rules;
mod run_stats;
mod search;
mod shell;
mod show;
mod snapshot;
mod stats;
mod story;
mod summary;
mod table;
mod talk;
mod times;
mod why;

use std::panic::PanicHookInfo;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use args::{Cli, Command, Global};
use failure::{Ending, Outcome};

/// Runs the program: reads the arguments, does what they say, and returns the exit code.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(apologise));
    let cli = match Cli::try_parse_from(args::spare_negations(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let global = cli.global.clone();
    match run(cli) {
        Ok(ending) => ExitCode::from(ending.code()),
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            talk::report(Some(&global), &failure);
            ExitCode::from(Ending::Failed.code())
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let Cli { global, command } = cli;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(dispatch(&global, command))
}

async fn dispatch(global: &Global, command: Command) -> Outcome {
    match command {
        Command::Demo(demo) => demo.run(global).await,
        Command::Ingest(ingest) => ingest.run(global).await,
        Command::Connections(connections) => connections.run(global).await,
        Command::Show(show) => show.run(global).await,
        Command::Packets(packets) => packets.run(global).await,
        Command::Why(why) => why.run(global).await,
        Command::Diff(diff) => diff.run(global).await,
        Command::Rules(rules) => rules.run(global).await,
        Command::Stats(stats) => stats.run(global).await,
        Command::Anomalies(anomalies) => anomalies.run(global).await,
        Command::Snapshot(snapshot) => snapshot.run(global),
        Command::Doctor(doctor) => doctor.run(global),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    }
}

/// Help and version go to standard output and are no errors; misuse is 2.
fn usage(error: &clap::Error) -> ExitCode {
    // A reader that went away misses nothing.
    let _ = error.print();
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    ExitCode::from(code)
}

/// A panic is a bug of ours: say so, and where, without a wall of addresses.
fn apologise(info: &PanicHookInfo<'_>) {
    let what = info.payload_as_str().map_or_else(|| "no message".to_owned(), render_safe);
    let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
    let failure = failure::Failure::new(format!(
        "tracecol {} has met a bug of its own: {what}{place}",
        env!("CARGO_PKG_VERSION")
    ))
    .hint("please report it, with the command and, if you can, the lines it was reading");
    talk::report(None, &failure);
    std::process::exit(2);
}

fn render_safe(text: &str) -> String {
    crate::render::escape_text(text)
}
