//! `tracecol ingest`: logs into the database, with a bar while it reads and a summary when it is done.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::annotate;
use crate::cli::args::{Global, zone};
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::output::Format;
use crate::cli::times::{Zone, parse_time};
use crate::cli::{clock, database, knowledge, run_stats, summary, talk};
use crate::correlate::Limits;
use crate::envelope::Timezone;
use crate::model::WallTime;
use crate::pipeline::{self, Event, Input, Options, Report, Watch};
use crate::source::oldest_first;
use crate::stitch::StitchOptions;

/// Read logs into the database.
///
/// Takes syslog files, dmesg and journalctl output in any of their usual forms, and /dev/kmsg captures; packed ones
/// (gzip, zstd, xz, bzip2) are told by their content. What has been ingested before is not ingested again: a log that
/// has grown is read from where it ended. Logs are read in the order given, but rotated siblings (kern.log,
/// kern.log.1, kern.log.2.gz; messages-20260110) oldest first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tracecol ingest /var/log/kern.log*
  journalctl -k -o export | tracecol ingest -
  dmesg | tracecol ingest --host myhost -
  tracecol ingest kern.log --rules iptables-save.txt --context snapshot/
  tracecol ingest --since 2h --strict kern.log && echo everything was understood")]
pub(super) struct Ingest {
    /// Log files; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// The host of all lines, whatever they say themselves
    #[arg(long, env = "TRACECOL_HOST", value_name = "NAME", hide_env_values = true)]
    host: Option<String>,

    /// A label for the network namespace of all lines
    #[arg(long, value_name = "LABEL")]
    netns: Option<String>,

    /// Year of time stamps that have none [default: told by the file's own time]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i32).range(1970..=9999))]
    year: Option<i32>,

    /// Zone of time stamps that have none: utc, local, +02:00, Europe/Berlin
    #[arg(long, env = "TRACECOL_TIMEZONE", value_name = "ZONE", default_value = "utc", value_parser = zone, hide_env_values = true)]
    timezone: Zone,

    /// Rule sets to explain packets with: what iptables-save, ip6tables-save, ebtables-save or `nft list ruleset` printed
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,

    /// A folder with what else is known of the host: rule sets, `ip route`, `ip addr`, `bridge fdb`, `docker inspect`,
    /// `conntrack -E` …, as `tracecol snapshot` collects it
    #[arg(long, value_name = "DIR")]
    context: Option<PathBuf>,

    /// Leave out lines before this time: 2026-11-22T13:07:47Z, 2026-11-22, 2h (ago)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Leave out lines after this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Exit with 1 when some netfilter line could not be used
    #[arg(long)]
    strict: bool,

    /// How many packets of a host may be open at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().open_packets)]
    max_open_packets: usize,

    /// How many connections of a host may be open at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    max_connections: usize,
}

impl Ingest {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        let options = self.options()?;
        let inputs = inputs(&self.paths);
        let given = knowledge::Given {
            rules: &self.rules,
            context: self.context.as_deref(),
            host: self.host.as_deref(),
            netns: self.netns.as_deref(),
            from: None,
            timezone: self.timezone,
        };
        let snapshots = knowledge::read(global, &given)?;
        let path = database::path(global)?;
        let store = database::open(&path).await?;
        let begin = Instant::now();
        let mut writer = store.writer().await?;
        knowledge::store(&mut writer, &snapshots).await?;
        writer.close().await?;
        let bar = bar(global);
        let report = pipeline::ingest(&store, inputs, options, watch(&bar)).await;
        bar.finish_and_clear();
        let report = report.map_err(explain)?;
        let ending = ending(&report, self.strict);
        summary::sources(global, &report)?;
        let told = annotate::run(&store).await?;
        store.close().await;
        // Closing moves what is in the write-ahead log into the file.
        let bytes = std::fs::metadata(&path).map_or(0, |facts| facts.len());
        if !global.quiet {
            summary::write(global, &report, &told, begin.elapsed(), &path, bytes)?;
        }
        summary::told(global, &told)?;
        if global.output != Format::Table {
            run_stats::write(global, &report, bytes)?;
        }
        Ok(ending)
    }

    fn options(&self) -> Result<Options, Failure> {
        let now = clock::now();
        let time = |name: &str, text: &Option<String>| -> Result<Option<WallTime>, Failure> {
            let Some(text) = text else { return Ok(None) };
            let wrong = |reason| {
                Failure::new(format!("--{name} `{}`: {reason}", crate::render::escape_text(text)))
            };
            parse_time(text, self.timezone, now).map(Some).map_err(wrong)
        };
        let stitch = StitchOptions {
            host: self.host.as_ref().map(|name| name.as_bytes().into()),
            netns: self.netns.as_deref().map(Into::into),
            since: time("since", &self.since)?,
            until: time("until", &self.until)?,
            limits: Limits {
                open_packets: self.max_open_packets,
                connections: self.max_connections,
            },
        };
        Ok(Options { stitch, year: self.year, timezone: timezone(self.timezone, now), now })
    }
}

/// The order in which the logs were written.
fn inputs(paths: &[PathBuf]) -> Vec<Input> {
    let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
    oldest_first(paths.to_vec())
        .into_iter()
        .map(|path| if is_stdin(&path) { Input::Stdin } else { Input::File(path) })
        .collect()
}

/// The pure part knows no "local".
fn timezone(zone: Zone, now: WallTime) -> Timezone {
    match zone {
        Zone::Utc => Timezone::Utc,
        Zone::Fixed(seconds) => Timezone::Fixed(seconds),
        Zone::Named(zone) => Timezone::Named(zone),
        Zone::Local => match clock::local_zone() {
            Some(zone) => Timezone::Named(zone),
            None => Timezone::Fixed(clock::local_offset(now)),
        },
    }
}

/// Not everything could be read: 2. Not everything was understood, and that matters: 1.
fn ending(report: &Report, strict: bool) -> Ending {
    if report.interrupted {
        Ending::Interrupted
    } else if report.has_failures() {
        Ending::Failed
    } else if strict && report.unparsed() > 0 {
        Ending::Nothing
    } else {
        Ending::Done
    }
}

pub(super) fn explain(error: pipeline::PipelineError) -> Failure {
    match error {
        pipeline::PipelineError::Store(error) => database::explain(error)
            .hint("what was committed before stays; run the same command again to go on"),
        other => other.into(),
    }
}

/// A bar on standard error, when that is a terminal.
pub(super) fn bar(global: &Global) -> ProgressBar {
    let hidden = global.quiet || !std::io::stderr().is_terminal();
    let target =
        if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Keeps the bar up to date.
pub(super) fn watch(bar: &ProgressBar) -> Watch {
    let bar = bar.clone();
    Box::new(move |event| match event {
        Event::Begins { name, size } => {
            bar.reset();
            let template = if let Some(size) = size {
                bar.set_length(size);
                "{prefix} {wide_bar} {percent:>3} %  {binary_bytes_per_sec}  {msg}  ETA {eta}"
            } else {
                bar.unset_length();
                "{prefix} {spinner} {binary_bytes}  {binary_bytes_per_sec}  {msg}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸ "));
            }
            bar.set_prefix(talk::short_name(name, 24));
        }
        Event::Read { consumed, lines } => {
            bar.set_position(consumed);
            bar.set_message(talk::many(lines, "line", "lines"));
        }
    })
}
