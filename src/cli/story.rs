//! A connection or packet told as a story, for `show --as story` and `why`.

use std::io::Write;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::failure::{Ending, Failure, Outcome};
use crate::cli::output::{self, Format};
use crate::cli::times::Detail;
use crate::cli::{csv, paint, talk};
use crate::explain::{self, SnapshotFact};
use crate::model::Stamp;
use crate::query::{HostLore, Library, Subject};
use crate::store::{PublicId, Store};
use crate::{render, wire};

/// How to tell.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct StoryArgs {
    /// Leave out what the words mean
    #[arg(long)]
    pub no_glossary: bool,

    /// Draw with ASCII characters only
    #[arg(long)]
    pub ascii: bool,
}

/// Tells what has this id.
pub(super) async fn tell(
    global: &Global,
    store: &Store,
    library: &mut Library,
    id: &PublicId,
    args: &StoryArgs,
) -> Outcome {
    let Some(subject) = Subject::find(store, library, id).await? else {
        talk::note(global, &format!("nothing in this database has the id {id}"));
        return Ok(Ending::Nothing);
    };
    let told = explain::story(&subject.to_tell(&|lore| snapshots(global, lore)));
    let mut out = match global.output {
        Format::Table => {
            let page = render::story(&told, output::width(), !args.no_glossary);
            let mut out = output::page(global.color);
            paint::write(&mut out, &if args.ascii { page.into_ascii() } else { page })?;
            out.flush()?;
            return Ok(Ending::Done);
        }
        Format::Csv => {
            csv::steps(&subject.packets)?;
            return Ok(Ending::Done);
        }
        Format::Json | Format::Ndjson => output::data(),
    };
    let told = wire::Story::new(&told, &|key| subject.packet_id(key));
    writeln!(out, "{}", json(global.output, &told)?)?;
    out.flush()?;
    Ok(Ending::Done)
}

/// One value as JSON: pretty when it stands alone.
pub(super) fn json(format: Format, value: &impl serde::Serialize) -> Result<String, Failure> {
    Ok(if format == Format::Json { output::pretty_json(value)? } else { output::json(value)? })
}

/// When the rule sets that held were taken, in the user's own time.
pub(super) fn snapshots(global: &Global, lore: &HostLore) -> Vec<SnapshotFact> {
    let taken = |from| {
        let stamp = Stamp { wall: Some(from), uptime: None };
        let times = global.times();
        format!("{}{}", times.show(&stamp, Detail::Full), times.zone(&stamp))
    };
    lore.revisions()
        .filter_map(|revision| {
            Some(SnapshotFact { revision: revision.id, taken: taken(revision.from?) })
        })
        .collect()
}
