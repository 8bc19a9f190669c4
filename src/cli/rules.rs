//! `tracecol rules`: rule text with hits, and the rule sets and host context that packets are told with.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use comfy_table::Color;

use crate::annotate;
use crate::cli::args::{Global, zone};
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::output::{self, Format, List};
use crate::cli::story::json;
use crate::cli::table::{self, Entry, Head, numbers, text};
use crate::cli::times::{Detail, Zone, parse_time};
use crate::cli::{clock, csv, database, knowledge, summary, talk};
use crate::model::{Stamp, WallTime};
use crate::query::{RuleStatus, rule_report};
use crate::render::{escape_text, grouped};
use crate::store::{
    FromHow, HitQuery, HitReport, NewSnapshot, RuleHits, Snapshot, SnapshotKind, Store, Writer,
};

/// Show the rules with their hits: table by table, chain by chain, in order.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  tracecol rules                                 every rule with its hits
  tracecol rules --unhit --since 1d              what was never hit
  tracecol rules add before.rules after.rules    more rule sets; each holds from its own time on
  tracecol rules add routes/ --host gw1          a folder of rule sets and host context

Rules come from `ingest --rules FILE`, `ingest --context DIR` and `rules add`. Only packets that were logged are counted.")]
pub(super) struct Rules {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    list: ListRules,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(Add),
    Snapshots(Snapshots),
    Remove(Remove),
}

#[derive(Debug, Args)]
struct ListRules {
    /// Only rules without a hit, and chains that were never reached
    #[arg(long)]
    unhit: bool,

    /// Only hits of this host
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Only hits at or after this time: 2026-11-22T13:07:47Z, 2026-11-22, 2h (ago)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Only hits before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// How many minutes a span of hits over time takes together, in JSON
    #[arg(long, value_name = "N", default_value_t = 1)]
    minutes: u32,
}

/// Add rule sets and host context; packets that are stored already are told anew.
#[derive(Debug, Args)]
struct Add {
    /// Files that iptables-save, ip6tables-save, ebtables-save or `nft list ruleset` printed, and folders of them and
    /// of host context
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// From when on they hold [default: the time in their headers, else the file's]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,

    /// The host they were taken on [default: any]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// The label of the network namespace they were taken in
    #[arg(long, value_name = "LABEL")]
    netns: Option<String>,

    /// Zone of times in their headers: utc, local, +02:00, Europe/Berlin
    #[arg(long, env = "TRACECOL_TIMEZONE", value_name = "ZONE", default_value = "utc", value_parser = zone, hide_env_values = true)]
    timezone: Zone,
}

/// List the rule sets and the host context that the database has.
#[derive(Debug, Args)]
struct Snapshots {}

/// Remove a rule set or a piece of host context; packets are told without it.
#[derive(Debug, Args)]
struct Remove {
    /// Its number, as `tracecol rules snapshots` prints it: s1
    #[arg(value_name = "SNAPSHOT", required = true)]
    snapshots: Vec<String>,
}

impl Rules {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        match self.command {
            None => self.list.run(global).await,
            Some(Command::Add(add)) => add.run(global).await,
            Some(Command::Snapshots(_)) => {
                database::read(global, async |store| list_snapshots(global, store).await).await
            }
            Some(Command::Remove(remove)) => remove.run(global).await,
        }
    }
}

impl Add {
    async fn run(self, global: &Global) -> Outcome {
        let from = time("from", self.from.as_deref(), self.timezone)?;
        let mut snapshots: Vec<NewSnapshot> = Vec::new();
        for path in &self.paths {
            let is_folder = path.is_dir();
            let given = knowledge::Given {
                rules: if is_folder { &[] } else { std::slice::from_ref(path) },
                context: is_folder.then_some(path),
                host: self.host.as_deref(),
                netns: self.netns.as_deref(),
                from,
                timezone: self.timezone,
            };
            snapshots.extend(knowledge::read(global, &given)?);
        }
        change(global, async |writer: &mut Writer| {
            let new = knowledge::store(writer, &snapshots).await?;
            let known = snapshots.len() - new;
            if known > 0 {
                talk::note(global, &format!("{known} of them are in the database already"));
            }
            Ok(())
        })
        .await
    }
}

impl Remove {
    async fn run(self, global: &Global) -> Outcome {
        let number = |text: &String| {
            let number = text.strip_prefix('s').unwrap_or(text).parse::<i64>();
            number.map_err(|_| {
                Failure::new(format!("`{}` is no number of a snapshot", escape_text(text)))
                    .hint("`tracecol rules snapshots` lists them")
            })
        };
        let numbers = self.snapshots.iter().map(number).collect::<Result<Vec<i64>, Failure>>()?;
        change(global, async |writer: &mut Writer| {
            for number in &numbers {
                if !writer.remove_snapshot(*number).await? {
                    talk::warn(global, &format!("there is no snapshot s{number}"));
                }
            }
            Ok(())
        })
        .await
    }
}

/// Changes what packets are told with, and tells them anew.
async fn change(
    global: &Global,
    change: impl AsyncFnOnce(&mut Writer) -> Result<(), Failure>,
) -> Outcome {
    let store = database::open(&database::path(global)?).await?;
    let mut writer = store.writer().await?;
    change(&mut writer).await?;
    writer.close().await?;
    let report = annotate::run(&store).await?;
    store.close().await;
    summary::told(global, &report)?;
    Ok(Ending::Done)
}

impl ListRules {
    async fn run(self, global: &Global) -> Outcome {
        let query = HitQuery {
            host: self.host.clone(),
            since: time("since", self.since.as_deref(), Zone::Utc)?,
            until: time("until", self.until.as_deref(), Zone::Utc)?,
            bucket_minutes: self.minutes,
        };
        database::read(global, async |store| {
            let mut report = store.rule_hits(&query).await?;
            let is_empty = report.rules.is_empty();
            if self.unhit {
                report.rules.retain(|rule| {
                    matches!(
                        RuleStatus::of(rule),
                        RuleStatus::NeverHit | RuleStatus::ChainNeverReached
                    ) && rule.rule.number > 0
                });
                report.misfits.clear();
            }
            match global.output {
                Format::Table => {
                    if is_empty {
                        talk::note(
                            global,
                            "the database has no rule sets; add some: tracecol rules add FILE",
                        );
                    }
                    write_chains(global, &report)?;
                }
                Format::Csv => {
                    csv::rules(&report)?;
                }
                Format::Json => print(&json(Format::Json, &rule_report(&report))?)?,
                Format::Ndjson => {
                    let mut list = List::new(output::data(), Format::Ndjson);
                    for rule in &rule_report(&report).rules {
                        list.push(rule)?;
                    }
                    list.finish()?;
                }
            }
            Ok(Ending::found(!report.rules.is_empty()))
        })
        .await
    }
}

fn print(text: &str) -> std::io::Result<()> {
    let mut out = output::data();
    writeln!(out, "{text}")?;
    out.flush()
}

fn time(name: &str, text: Option<&str>, zone: Zone) -> Result<Option<WallTime>, Failure> {
    let Some(text) = text else { return Ok(None) };
    parse_time(text, zone, clock::now())
        .map(Some)
        .map_err(|reason| Failure::new(format!("--{name} `{}`: {reason}", escape_text(text))))
}

/// One block a chain: its name and policy, then its rules.
fn write_chains(global: &Global, report: &HitReport) -> Result<(), Failure> {
    let width = table::width();
    let mut out = output::page(global.color);
    let same_chain = |one: &RuleHits, other: &RuleHits| {
        let key = |rule: &RuleHits| {
            (rule.rule.revision, rule.rule.table.clone(), rule.rule.chain.clone())
        };
        key(one) == key(other)
    };
    for chain in report.rules.chunk_by(same_chain) {
        write_chain(global, &mut out, chain, width)?;
    }
    if !report.misfits.is_empty() {
        let bold = anstyle::Style::new().bold();
        writeln!(out, "{bold}lines that no rule set explains{bold:#}")?;
        let cells = report
            .misfits
            .iter()
            .map(|site| {
                vec![
                    escape_text(&site.at).into(),
                    grouped(site.hits.hits).into(),
                    escape_text(&site.misfit).into(),
                ]
            })
            .collect();
        table::write(
            &mut out,
            &[text("at"), numbers("hits"), text("why")],
            cells,
            global.color,
            width,
        )?;
    }
    out.flush()?;
    Ok(())
}

fn write_chain(
    global: &Global,
    out: &mut impl Write,
    chain: &[RuleHits],
    width: usize,
) -> Result<(), Failure> {
    let Some(first) = chain.first() else { return Ok(()) };
    let (bold, dim) = (anstyle::Style::new().bold(), talk::DIM);
    let row = &first.rule;
    let whose = match (&row.host, &row.netns) {
        (Some(host), Some(netns)) => format!(" on {} {}", escape_text(host), escape_text(netns)),
        (Some(host), None) => format!(" on {}", escape_text(host)),
        (None, Some(netns)) => format!(" in {}", escape_text(netns)),
        (None, None) => String::new(),
    };
    let name = format!("{} {}", escape_text(&row.table), escape_text(&row.chain));
    let reached = if first.chain_reached { "" } else { ", never reached" };
    writeln!(
        out,
        "{bold}{name}{bold:#} {dim}{} s{}{whose}{}{reached}{dim:#}",
        row.family.name(),
        row.snapshot,
        row.from.map_or_else(String::new, |from| format!(" from {}", moment(global, from))),
    )?;
    let heads =
        [numbers("rule"), numbers("hits"), numbers("packets"), text("last hit"), text("text")];
    let cells = chain.iter().map(|rule| cells(global, rule)).collect();
    table::write(out, &heads as &[Head], cells, global.color, width)?;
    writeln!(out)?;
    Ok(())
}

fn cells(global: &Global, one: &RuleHits) -> Vec<Entry> {
    let number = match (one.rule.number, &one.rule.text) {
        (0, Some(_)) => "policy".to_owned(),
        (0, None) => "end".to_owned(),
        (number, _) => number.to_string(),
    };
    let status = RuleStatus::of(one);
    let last = match (status, one.hits.last) {
        (RuleStatus::Hit, Some(last)) => Entry::from(moment(global, last)),
        (RuleStatus::Hit, None) => Entry::from("–"),
        (RuleStatus::NeverHit, _) => Entry::coloured("never hit", Color::Yellow),
        (RuleStatus::ChainNeverReached, _) => Entry::from("chain never reached"),
        (RuleStatus::StartsTrace, _) => Entry::from("starts the trace, its own hit is not logged"),
    };
    let rule =
        one.rule.text.as_deref().map_or_else(|| "back to the caller".to_owned(), escape_text);
    vec![
        number.into(),
        grouped(one.hits.hits).into(),
        grouped(one.hits.packets).into(),
        last,
        rule.into(),
    ]
}

fn moment(global: &Global, wall: WallTime) -> String {
    let stamp = Stamp { wall: Some(wall), uptime: None };
    global.times().show(&stamp, Detail::Seconds)
}

async fn list_snapshots(global: &Global, store: &Store) -> Outcome {
    let snapshots = store.snapshots().await?;
    if global.output != Format::Table {
        let mut list = List::new(output::data(), global.output);
        for snapshot in &snapshots {
            list.push(&crate::query::json::snapshot(snapshot))?;
        }
        return Ok(Ending::found(list.finish()? > 0));
    }
    if snapshots.is_empty() {
        talk::note(global, "the database has no rule sets; add some: tracecol rules add FILE");
        return Ok(Ending::Nothing);
    }
    let heads = [text("snapshot"), text("what"), text("holds from"), text("host"), text("file")];
    let cells = snapshots.iter().map(|snapshot| snapshot_cells(global, snapshot)).collect();
    let mut out = output::page(global.color);
    table::write(&mut out, &heads, cells, global.color, table::width())?;
    out.flush()?;
    Ok(Ending::Done)
}

fn snapshot_cells(global: &Global, snapshot: &Snapshot) -> Vec<Entry> {
    let what = match snapshot.kind {
        SnapshotKind::Rules => "rules",
        SnapshotKind::Context => "context",
    };
    let how = match snapshot.from_how {
        FromHow::Header => "as it says itself",
        FromHow::Given => "as given",
        FromHow::File => "the file's time",
        FromHow::Unknown => "unknown",
    };
    let from = snapshot
        .from
        .map_or_else(|| how.to_owned(), |from| format!("{}, {how}", moment(global, from)));
    let host = snapshot.host.as_deref().map_or_else(|| "any".to_owned(), escape_text);
    vec![
        format!("s{}", snapshot.id).into(),
        what.into(),
        from.into(),
        host.into(),
        escape_text(&snapshot.name).into(),
    ]
}
