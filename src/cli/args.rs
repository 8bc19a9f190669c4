//! What may be typed: one table of commands and options, from which help, man page and completions are made.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::cli::output::{Colour, Format};
use crate::cli::times::{TimeStyle, Zone, parse_zone};
use crate::cli::{
    anomalies, connections, demo, diff, doctor, ingest, packets, rules, shell, show, snapshot,
    stats, why,
};

/// Rebuilds packets and connections from the Linux firewall's kernel log lines.
///
/// Reads what `iptables -j TRACE`, `-j LOG` and `ebtables --log` leave in the log, puts every line back into its packet
/// and every packet into its connection, across NAT and bridges, and shows the way it went.
#[derive(Debug, Parser)]
#[command(name = "tracecol", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  tracecol demo                                  see it work, on built-in captures
  tracecol ingest /var/log/kern.log*             read logs, packed ones too
  journalctl -k -o export | tracecol ingest -    read the journal
  tracecol ls dport:40000 nat:dnat               connections to a translated port
  tracecol show c0123456789abc                   one connection, hook by hook
  tracecol why 10.0.0.5:443                      what became of it, in words
  tracecol snapshot gw1                          keep this host's rules, routes, bridges, containers
  tracecol doctor                                will this host's TRACE lines reach us?

Exit status: 0 found or done, 1 nothing found, 2 error, 130 interrupted.")]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Demo(demo::Demo),
    Ingest(ingest::Ingest),
    Connections(connections::Connections),
    Show(show::Show),
    Packets(packets::Packets),
    Why(why::Why),
    Diff(diff::Diff),
    Rules(rules::Rules),
    Stats(stats::StatsCommand),
    Anomalies(anomalies::Anomalies),
    Snapshot(snapshot::Snapshot),
    Doctor(doctor::Doctor),
    Completions(shell::Completions),
    Man(shell::Man),
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Database file [default: tracecol.db in `$STATE_DIRECTORY`, in `/var/lib/tracecol` for root, or in
    /// `$XDG_STATE_HOME/tracecol`]
    #[arg(long, global = true, env = "TRACECOL_DB", value_name = "FILE", hide_env_values = true)]
    pub db: Option<PathBuf>,

    /// Form of the data on standard output: table, json, ndjson or csv
    #[arg(
        long,
        short,
        global = true,
        env = "TRACECOL_OUTPUT",
        value_enum,
        default_value = "table",
        value_name = "FORM",
        hide_possible_values = true,
        hide_env_values = true
    )]
    pub output: Format,

    /// Use colours: auto, always or never; auto honours `NO_COLOR`
    #[arg(
        long,
        global = true,
        env = "TRACECOL_COLOR",
        value_enum,
        default_value = "auto",
        value_name = "WHEN",
        hide_possible_values = true,
        hide_env_values = true
    )]
    pub color: Colour,

    /// Say nothing on standard error but errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more on standard error
    #[arg(long, short, global = true)]
    pub verbose: bool,

    #[command(flatten)]
    clock: ClockFlags,
}

/// At most one of them.
#[derive(Debug, Clone, Args)]
struct ClockFlags {
    /// Show times in UTC (the default)
    #[arg(long, global = true, conflicts_with_all = ["local", "uptime"])]
    utc: bool,

    /// Show times in this machine's time zone
    #[arg(long, global = true, conflicts_with = "uptime")]
    local: bool,

    /// Show the kernel's own time stamps: seconds since boot
    #[arg(long, global = true)]
    uptime: bool,
}

impl Global {
    pub(super) fn times(&self) -> TimeStyle {
        match &self.clock {
            ClockFlags { local: true, .. } => TimeStyle::Local,
            ClockFlags { uptime: true, .. } => TimeStyle::Uptime,
            ClockFlags { .. } => TimeStyle::Utc,
        }
    }
}

/// The filter, as words of the command line.
#[derive(Debug, Clone, Args)]
pub(super) struct Filter {
    /// Conditions such as `dport:40000 nat:dnat -src:10.0.0.0/8 since:2h`; see below
    #[arg(value_name = "FILTER")]
    words: Vec<String>,
}

/// The filter language in short, below the help of commands that take one.
pub(super) const FILTER_HELP: &str = "\
Filter:
  addr: src: dst: port: sport: dport:   addresses, networks, ranges, ports, port ranges
  proto: state: verdict: nat: link:     tcp, established, dropped, dnat, proxy, …
  in: out: mac: host: id:               devices, hardware addresses, the log's host, public ids
  rule:filter/FORWARD/3 chain: hook:    where it passed
  since: until: lines:>20               times (2026-11-22T13:07, 2h) and sizes
  Blanks mean AND; OR, -not, (groups) and \"quotes\" are understood.";

impl Filter {
    /// The words as one text: quoting the filter as a whole or not is the same.
    pub(super) fn text(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|word| word.trim_start()).collect();
        words.join(" ")
    }
}

/// Puts a blank before words such as `-src:10.0.0.0/8` and `-(…)`: conditions that are negated, not options.
pub(super) fn spare_negations(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let spare = |argument: OsString| match argument.to_str() {
        Some(text) if is_negation(text) => OsString::from(format!(" {text}")),
        _ => argument,
    };
    arguments.map(spare).collect()
}

fn is_negation(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-') else { return false };
    let key = rest.split(':').next().unwrap_or_default();
    rest.starts_with('(')
        || (key.len() < rest.len()
            && !key.is_empty()
            && key.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// For clap: a time zone.
pub(super) fn zone(text: &str) -> Result<Zone, String> {
    parse_zone(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn negations_are_no_options() {
        for text in ["-src:10.0.0.0/8", "-host:a", "-(nat:dnat OR link:proxy)"] {
            assert!(is_negation(text), "{text}");
        }
        for text in ["-q", "--db", "-", "-:", "src:1", "-o", "--output:json"] {
            assert!(!is_negation(text), "{text}");
        }
    }
}
