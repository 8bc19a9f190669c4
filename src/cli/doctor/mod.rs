//! `tracecol doctor`: will this host's lines reach us, and what switches tracing on for one flow?

mod flow;
mod page;

use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::cli::args::Global;
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::output::{self, Format, List};
use crate::cli::{csv, paint, talk};
use crate::probe::Programs;
use crate::probe::checks::{Answer, Finding, answer, diagnose};
use crate::probe::facts::{Facts, gather};
use crate::probe::tracing::{Group, Plan, plan};

/// How long one program may take.
const TIME: Duration = Duration::from_secs(10);
/// How much one program may say.
const BYTES: usize = 64 * 1024 * 1024;

/// Tell whether this host's TRACE, LOG and ebtables lines will reach us, and how to mend what is in the way.
///
/// Looks at the rules' back end, the kernel's loggers, the network namespace, bridges, the kernel's ring and console, journald,
/// rsyslog and our own rights. Each finding comes with the commands that mend it and those that undo the mending.
/// With --for, prints the commands that switch tracing on for one flow, in both directions, and off again. It runs
/// none of them, and changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo tracecol doctor
  sudo tracecol doctor --for tcp dport 40000
  sudo tracecol doctor --for 10.0.0.5 udp 53          10.0.0.5 on either side
  sudo tracecol doctor --for icmp from 10.1.1.1
  sudo tracecol doctor --for dport:40000 src:10.0.0.0/8   as in a filter

Exit status: 0 TRACE will reach us, 1 it will not, or that cannot be told without root, 2 error.")]
pub(super) struct Doctor {
    /// Print the commands that trace this flow: protocol, addresses, ports
    #[arg(long = "for", value_name = "MATCH", num_args = 1..)]
    flow: Vec<String>,
}

/// The diagnosis as data.
#[derive(Serialize)]
struct Diagnosis<'a> {
    reaches: Answer,
    host: &'a str,
    kernel: &'a str,
    user: &'a str,
    findings: &'a [Finding],
}

/// The commands as data.
#[derive(Serialize)]
struct Commands<'a> {
    reaches: Answer,
    flows: Vec<String>,
    translations: Vec<Translated<'a>>,
    on: &'a [Group],
    off: &'a [String],
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Translated<'a> {
    flow: String,
    rule: &'a str,
}

impl Doctor {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let words = self.flow.join(" ");
        // What was typed wrong is said before the host is asked.
        let flows = if self.flow.is_empty() { None } else { Some(flow::read(&words, global)?) };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let facts = gather(&Programs::new(&path, TIME, BYTES));
        let findings = diagnose(&facts);
        let answer = answer(&findings);
        match flows {
            None => show(global, &facts, &findings, answer)?,
            Some(flows) => {
                let plan = plan(&flows, &facts);
                show_plan(global, &plan, answer)?;
                warn(global, &plan, answer);
            }
        }
        Ok(Ending::found(answer == Answer::Yes))
    }
}

fn show(
    global: &Global,
    facts: &Facts,
    findings: &[Finding],
    reaches: Answer,
) -> Result<(), Failure> {
    match global.output {
        Format::Table => {
            let mut out = output::page(global.color);
            paint::write(&mut out, &page::diagnosis(facts, findings, reaches, output::width()))?;
            out.flush()?;
        }
        Format::Json => {
            let (host, kernel, user) = (&facts.host, &facts.kernel.release.text, &facts.user.name);
            write_json(&Diagnosis { reaches, host, kernel, user, findings })?;
        }
        Format::Ndjson => {
            let mut list = List::new(output::data(), Format::Ndjson);
            for finding in findings {
                list.push(finding)?;
            }
            list.finish()?;
        }
        Format::Csv => {
            let mut table =
                csv::Table::new(&["check", "severity", "found", "why", "mend", "undo"])?;
            for finding in findings {
                table.push(&vec![
                    finding.check.to_owned(),
                    finding.severity.name().to_owned(),
                    finding.found.clone(),
                    finding.why.clone().unwrap_or_default(),
                    finding.mend.join("; "),
                    finding.undo.join("; "),
                ])?;
            }
            table.finish()?;
        }
    }
    Ok(())
}

fn show_plan(global: &Global, plan: &Plan, reaches: Answer) -> Result<(), Failure> {
    match global.output {
        Format::Table => {
            let mut out = output::page(global.color);
            paint::write(&mut out, &page::script(plan))?;
            out.flush()?;
        }
        Format::Json => {
            let translated = plan
                .translations
                .iter()
                .map(|one| Translated { flow: one.flow.to_string(), rule: &one.rule });
            write_json(&Commands {
                reaches,
                flows: plan.flows.iter().map(ToString::to_string).collect(),
                translations: translated.collect(),
                on: &plan.on,
                off: &plan.off,
                warnings: &plan.warnings,
            })?;
        }
        Format::Ndjson | Format::Csv => {
            let lines = plan.on.iter().flat_map(|group| &group.commands);
            let rows =
                lines.map(|line| ("on", line)).chain(plan.off.iter().map(|line| ("off", line)));
            if global.output == Format::Csv {
                let mut table = csv::Table::new(&["when", "command"])?;
                for (when, command) in rows {
                    table.push(&vec![when.to_owned(), command.clone()])?;
                }
                table.finish()?;
            } else {
                let mut list = List::new(output::data(), Format::Ndjson);
                for (when, command) in rows {
                    list.push(&serde_json::json!({ "when": when, "command": command }))?;
                }
                list.finish()?;
            }
        }
    }
    Ok(())
}

fn write_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = output::data();
    writeln!(out, "{}", output::pretty_json(value)?)?;
    Ok(out.flush()?)
}

/// What should be known before the commands are run.
fn warn(global: &Global, plan: &Plan, reaches: Answer) {
    for warning in &plan.warnings {
        talk::note(global, warning);
    }
    match reaches {
        Answer::Yes => {}
        Answer::No => {
            talk::warn(
                global,
                "the lines will not reach us as this host is now: see `tracecol doctor`",
            );
        }
        Answer::Unknown => talk::note(
            global,
            "whether the lines will reach us cannot be told from here: see `sudo tracecol doctor`",
        ),
    }
}
