//! `tracecol diff`: where two packets, connections or rule sets part.

use std::io::Write;
use std::path::Path;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::output::{self, Format};
use crate::cli::story::{json, snapshots};
use crate::cli::{database, knowledge, paint};
use crate::explain::{self, TracedWay};
use crate::query::{Library, Subject};
use crate::render::{self, Text, escape_text};
use crate::rulebook::Moment;
use crate::store::{PublicId, Store};
use crate::wire;

/// Show where two packets, connections or rule sets part, the first difference first.
///
/// Two ids: the ways of two packets, or of the first packets of two connections. Two files of `iptables-save` and the
/// like, or two snapshots by the numbers that `tracecol rules snapshots` prints (`s1`): the places that traced packets met
/// and of which the two say different things.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tracecol diff c0123456789abc c3456789abcde     works from here, not from there
  tracecol diff s1 after.rules                   which traced packets would meet other rules now

Exit status: 0 no difference, 1 a difference, 2 error.")]
pub(super) struct Diff {
    /// The first one
    #[arg(value_name = "A")]
    left: String,

    /// The second one
    #[arg(value_name = "B")]
    right: String,

    /// Draw with ASCII characters only
    #[arg(long)]
    ascii: bool,
}

/// What an argument names.
enum Side {
    Id(PublicId),
    Rules(Moment),
}

impl Diff {
    pub(super) async fn run(self, global: &Global) -> Outcome {
        database::read(global, async |store| {
            let mut library = Library::load(store).await?;
            let left = side(&self.left, &library)?;
            let right = side(&self.right, &library)?;
            match (left, right) {
                (Side::Id(left), Side::Id(right)) => {
                    self.ways(global, store, &mut library, [left, right]).await
                }
                (Side::Rules(old), Side::Rules(new)) => self.rules(global, store, &old, &new).await,
                _ => Err(Failure::new("one of the two is an id and the other a rule set")),
            }
        })
        .await
    }

    async fn ways(
        &self,
        global: &Global,
        store: &Store,
        library: &mut Library,
        ids: [PublicId; 2],
    ) -> Outcome {
        let mut found = Vec::new();
        for id in &ids {
            let Some(subject) = Subject::find(store, library, id).await? else {
                let text = format!("nothing in this database has the id {id}");
                return Err(Failure::new(text).hint("`tracecol connections` lists them"));
            };
            found.push(subject);
        }
        let [left, right] = &found[..] else { return Ok(Ending::Failed) };
        let taken = |lore: &_| snapshots(global, lore);
        let diff = explain::diff(&left.to_tell(&taken), &right.to_tell(&taken));
        let id = |key| {
            let id = left.packet_id(key);
            if id.is_empty() { right.packet_id(key) } else { id }
        };
        let is_same = diff.ways.iter().all(|way| way.first_difference.is_none());
        match global.output {
            Format::Table | Format::Csv => {
                self.write(global, render::diff(&diff, output::width()))?;
            }
            format => print(&json(format, &wire::Diff::new(&diff, &id))?)?,
        }
        Ok(Ending::found(is_same))
    }

    async fn rules(&self, global: &Global, store: &Store, old: &Moment, new: &Moment) -> Outcome {
        let ways = store.ways().await?;
        let ways: Vec<TracedWay<'_>> =
            ways.iter().map(|way| TracedWay { hops: &way.hops, packets: way.packets }).collect();
        let diff = explain::diff_rules(old, new, &ways);
        let is_same = diff.sites.is_empty();
        match global.output {
            Format::Table | Format::Csv => {
                self.write(global, render::rules_diff(&diff, output::width()))?;
            }
            format => print(&json(format, &wire::RulesDiff::from(&diff))?)?,
        }
        Ok(Ending::found(is_same))
    }

    fn write(&self, global: &Global, page: Text) -> std::io::Result<()> {
        let mut out = output::page(global.color);
        paint::write(&mut out, &if self.ascii { page.into_ascii() } else { page })?;
        out.flush()
    }
}

fn print(text: &str) -> std::io::Result<()> {
    let mut out = output::data();
    writeln!(out, "{text}")?;
    out.flush()
}

fn side(text: &str, library: &Library) -> Result<Side, Failure> {
    if let Ok(id) = text.parse::<PublicId>() {
        return Ok(Side::Id(id));
    }
    let number = text.strip_prefix('s').and_then(|number| number.parse::<i64>().ok());
    if let Some(moment) = number.and_then(|number| library.snapshot(number)) {
        return Ok(Side::Rules(moment));
    }
    if Path::new(text).is_file() {
        return knowledge::rules_of(Path::new(text)).map(Side::Rules);
    }
    let name = escape_text(text);
    Err(Failure::new(format!("`{name}` is no id, no snapshot of this database and no file"))
        .hint("`tracecol connections` lists ids, `tracecol rules snapshots` lists snapshots"))
}
