//! The closing words of an ingest run: what was read, what came of it, what was not understood.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crate::annotate;
use crate::cli::args::Global;
use crate::cli::stats::{counted, kinds};
use crate::cli::talk::{self, DIM, HINT, WARNING, bytes, many};
use crate::model::Severity;
use crate::pipeline::{Report, SourceEnd};
use crate::render::{escape_text, grouped};

/// Says which sources could not be read, or only in part. Said even when quiet.
pub(super) fn sources(global: &Global, report: &Report) -> io::Result<()> {
    for (name, error) in &report.refused {
        refused(global, name, error)?;
    }
    for (_, name, end) in &report.sources {
        let name = escape_text(name);
        match end {
            SourceEnd::Whole => talk::detail(global, &format!("`{name}` was read to its end")),
            SourceEnd::Interrupted => {
                talk::detail(global, &format!("`{name}` was not read to its end"));
            }
            SourceEnd::Known => {
                talk::note(global, &format!("`{name}` is already ingested, nothing to do"));
            }
            SourceEnd::Empty => talk::note(global, &format!("`{name}` is empty")),
            SourceEnd::Damaged(reason) => talk::warn(
                global,
                &format!(
                    "`{name}` is damaged or cut off ({}); what could be unpacked was used",
                    escape_text(reason)
                ),
            ),
            SourceEnd::Failed(error) => {
                let text = chain(error.as_ref());
                talk::warn(global, &format!("{text}; what had been read was used"));
            }
            SourceEnd::Changed => talk::warn(
                global,
                &format!(
                    "`{name}` begins like a log that was ingested and goes on differently; it was not read"
                ),
            ),
        }
    }
    Ok(())
}

fn refused(global: &Global, name: &str, error: &crate::source::SourceError) -> io::Result<()> {
    let mut out = talk::stderr(global);
    let error_style = talk::ERROR;
    writeln!(out, "{error_style}error:{error_style:#} {}", chain(error))?;
    let name = escape_text(name);
    let hint = match error {
        crate::source::SourceError::Directory(_) => {
            Some(format!("name the files in it: {name}/kern.log*"))
        }
        crate::source::SourceError::Open { source, .. } => match source.kind() {
            io::ErrorKind::NotFound if name.contains(['*', '?', '[']) => {
                Some("the shell found no file for this pattern".to_owned())
            }
            io::ErrorKind::NotFound => {
                Some("check the spelling; a log may also have been rotated away".to_owned())
            }
            io::ErrorKind::PermissionDenied => {
                Some("logs belong to root or the group adm: use sudo, or join the group".to_owned())
            }
            _ => None,
        },
        crate::source::SourceError::Read { .. } => None,
    };
    match hint {
        Some(hint) => writeln!(out, "{HINT}hint:{HINT:#} {hint}"),
        None => Ok(()),
    }
}

/// An error with its causes, safe to print.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    escape_text(&text)
}

/// Writes the summary.
pub(super) fn write(
    global: &Global,
    report: &Report,
    told: &annotate::Report,
    took: Duration,
    database: &Path,
    database_bytes: u64,
) -> io::Result<()> {
    let mut out = talk::stderr(global);
    if report.interrupted {
        writeln!(
            out,
            "{WARNING}interrupted:{WARNING:#} what was read until then is stored; the same command goes on from there"
        )?;
    }
    let mut row = |name: &str, text: &str| writeln!(out, "{DIM}{name:<12}{DIM:#}{text}");
    row("read", &read(report, took))?;
    row("lines", &counted(report.counts.total(), &kinds(&report.counts)))?;
    row("packets", &grouped(report.packets))?;
    // These are the log's own verdicts; rules may have told others.
    let by_log = report.verdicts.iter().filter(|_| told.revisions == 0);
    let verdicts: Vec<_> = by_log.map(|(kind, count)| (kind.name(), *count)).collect();
    row("connections", &counted(report.connections, &verdicts))?;
    if report.gap_count > 0 {
        row(
            "gaps",
            &format!("{}, {} lost", grouped(report.gap_count), many(report.lost, "line", "lines")),
        )?;
    }
    anomalies(&mut row, report)?;
    row(
        "database",
        &format!("{} ({})", escape_text(&database.to_string_lossy()), bytes(database_bytes)),
    )?;
    if report.unparsed() > 0 {
        let count = many(report.unparsed(), "line", "lines");
        writeln!(
            out,
            "{HINT}why:{HINT:#}  tracecol anomalies shows the {count} that could not be used"
        )?;
    }
    if report.connections > 0 {
        writeln!(out, "{HINT}next:{HINT:#} tracecol connections")?;
    } else if report.counts.netfilter() + report.counts.rejected == 0 && report.counts.total() > 0 {
        writeln!(
            out,
            "{HINT}hint:{HINT:#} no netfilter lines: is there a TRACE or LOG rule? `iptables -t raw -A PREROUTING -p tcp --dport 80 -j TRACE` makes some"
        )?;
    }
    out.flush()
}

/// What the rule sets and the host's context added, and where they do not fit.
pub(super) fn told(global: &Global, told: &annotate::Report) -> io::Result<()> {
    for line in &told.unread {
        let name = escape_text(&line.snapshot);
        let text = format!("`{name}` line {}: {}", line.line, escape_text(&line.sentence));
        talk::detail(global, &text);
    }
    for misfit in &told.misfits {
        let chain = format!("{} {}", escape_text(&misfit.table), escape_text(&misfit.chain));
        let name = escape_text(&misfit.snapshot);
        let sentence = escape_text(&misfit.sentence);
        talk::warn(global, &format!("`{name}`: its chain {chain} is not used: {sentence}"));
    }
    if told.revisions == 0 || global.quiet {
        return Ok(());
    }
    let mut out = talk::stderr(global);
    let mut text = many(told.revisions as u64, "rule set", "rule sets");
    if !told.unread.is_empty() {
        let lines = many(told.unread.len() as u64, "line", "lines");
        text = format!("{text}, {lines} not understood (-v shows them)");
    }
    writeln!(out, "{DIM}{:<12}{DIM:#}{text}", "rules")?;
    out.flush()
}

fn read(report: &Report, took: Duration) -> String {
    let is_read =
        |end: &SourceEnd| !matches!(end, SourceEnd::Known | SourceEnd::Empty | SourceEnd::Changed);
    let count = report.sources.iter().filter(|(_, _, end)| is_read(end)).count();
    let seconds = took.as_secs_f64();
    let mut text = format!(
        "{}, {} in {seconds:.1} s",
        many(count as u64, "source", "sources"),
        bytes(report.bytes)
    );
    // A rate over a moment says nothing.
    if seconds >= 0.5 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rate for people"
        )]
        let rate = (report.counts.total() as f64 / seconds) as u64;
        text = format!("{text} ({} lines/s)", grouped(rate));
    }
    text
}

fn anomalies(row: &mut dyn FnMut(&str, &str) -> io::Result<()>, report: &Report) -> io::Result<()> {
    let mut kinds: Vec<_> = report.anomalies.iter().collect();
    kinds.sort_by_key(|(kind, _)| std::cmp::Reverse(kind.severity()));
    let mut name = "anomalies";
    for (kind, count) in kinds {
        let weight = match kind.severity() {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Loss => "loss",
        };
        row(name, &format!("{} {} ({weight})", grouped(*count), kind.name()))?;
        name = "";
    }
    Ok(())
}
