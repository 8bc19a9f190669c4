//! The reading thread: source after source through the pure part, in batches to the writer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use tokio::sync::{mpsc, oneshot};

use crate::envelope::PeelOptions;
use crate::model::{Counts, Outcome, SourceId, WallTime};
use crate::pipeline::pump::Pump;
use crate::pipeline::{Event, Input, Message, Options, Report, SourceEnd, Watch};
use crate::source::{self, RawLine, Source, SourceError};
use crate::stitch::Stitch;
use crate::store::{self, Batch, Registered, SourceIdentity, SourceKind};

/// A batch is sent when it has this many lines …
const LINES: u64 = 50_000;
/// … or this many outcomes.
const OUTCOMES: usize = 6_000;
/// The writer has gone: there is nobody to work for.
struct WriterGone;

/// The reading thread's state.
pub(super) struct Reader {
    stitch: Stitch,
    options: Options,
    sender: mpsc::Sender<Message>,
    stop: Arc<AtomicBool>,
    watch: Watch,
    report: Report,
    outcomes: Vec<Outcome>,
    progress: Vec<store::Progress>,
    /// The tally when the last progress was noted.
    noted: Counts,
    /// Lines since the last batch.
    fresh_lines: u64,
    /// The last read brought no line.
    is_idle: bool,
    lines: u64,
    seen: BTreeSet<SourceId>,
}

impl Reader {
    pub(super) fn new(
        options: Options,
        sender: mpsc::Sender<Message>,
        stop: Arc<AtomicBool>,
        watch: Watch,
    ) -> Self {
        Self {
            stitch: Stitch::new(options.stitch.clone()),
            options,
            sender,
            stop,
            watch,
            report: Report::default(),
            outcomes: Vec::new(),
            progress: Vec::new(),
            noted: Counts::default(),
            fresh_lines: 0,
            is_idle: false,
            lines: 0,
            seen: BTreeSet::new(),
        }
    }

    pub(super) fn run(mut self, inputs: Vec<Input>) {
        // When the writer has gone it says itself why.
        let _ = self.read_all(inputs);
    }

    fn read_all(&mut self, inputs: Vec<Input>) -> Result<(), WriterGone> {
        for input in inputs {
            if self.is_stopped() {
                break;
            }
            match open(&input) {
                Ok(source) => self.read_source(source, &input)?,
                Err(error) => self.report.refused.push((name_of(&input), Arc::new(error))),
            }
        }
        self.stitch.finish();
        self.collect();
        self.note_tail();
        self.send_batch()?;
        self.report.counts = *self.stitch.counts();
        self.report.boots = self.stitch.boots();
        self.report.interrupted = self.is_stopped();
        let report = std::mem::take(&mut self.report);
        self.send(Message::Finished(Box::new(report)))
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn read_source(&mut self, mut source: Source, input: &Input) -> Result<(), WriterGone> {
        if source.head().is_empty() {
            // Nothing to know it by: it may become any log.
            let end = match source.lines(&mut |_| {}) {
                Ok(source::Progress::Damaged(error)) => SourceEnd::Damaged(error.to_string()),
                Ok(source::Progress::More | source::Progress::End) => SourceEnd::Empty,
                Err(error) => SourceEnd::Failed(Arc::new(error)),
            };
            self.report.sources.push((SourceId(0), source.name().to_owned(), end));
            return Ok(());
        }
        let registered = self.register(&source, input)?;
        let id = registered.id;
        let end = if self.seen.insert(id) {
            self.read_from(&mut source, &registered)?
        } else {
            SourceEnd::Known
        };
        self.report.sources.push((id, source.name().to_owned(), end));
        Ok(())
    }

    fn register(&self, source: &Source, input: &Input) -> Result<Registered, WriterGone> {
        let kind = match input {
            Input::File(_) | Input::Memory { .. } => SourceKind::File,
            Input::Stdin => SourceKind::Stdin,
        };
        let identity = SourceIdentity::from_head(source.head());
        let (answer, registered) = oneshot::channel();
        let name = source.name().to_owned();
        self.send(Message::Register { identity, name, kind, answer })?;
        registered.blocking_recv().map_err(|_| WriterGone)
    }

    /// Reads what was not ingested yet.
    fn read_from(
        &mut self,
        source: &mut Source,
        known: &Registered,
    ) -> Result<SourceEnd, WriterGone> {
        (self.watch)(Event::Begins { name: source.name(), size: source.size() });
        let id = known.id;
        match go_to(source, known) {
            Ok(true) => {}
            Ok(false) => return Ok(SourceEnd::Changed),
            Err(error) => return Ok(SourceEnd::Failed(Arc::new(error))),
        }
        let begin = source.position();
        self.stitch.add_source(id, self.peel_options(source));
        let end = loop {
            if self.is_stopped() {
                break SourceEnd::Interrupted;
            }
            match self.read_block(source, id) {
                Ok(source::Progress::More) => self.send_when_due(source, id)?,
                Ok(source::Progress::End) if source.position() == begin => break SourceEnd::Known,
                Ok(source::Progress::End) => break SourceEnd::Whole,
                Ok(source::Progress::Damaged(error)) => {
                    break SourceEnd::Damaged(error.to_string());
                }
                Err(error) => break SourceEnd::Failed(Arc::new(error)),
            }
        };
        self.report.bytes += source.position() - begin;
        self.stitch.end_source(id);
        self.collect();
        self.note(source, id, matches!(end, SourceEnd::Whole | SourceEnd::Known));
        Ok(end)
    }

    fn read_block(
        &mut self,
        source: &mut Source,
        id: SourceId,
    ) -> Result<source::Progress, SourceError> {
        let (stitch, mut count) = (&mut self.stitch, 0);
        let progress = source.lines(&mut |line: RawLine<'_>| {
            count += 1;
            if line.left_out > 0 {
                stitch.too_long(id, line.bytes, line.offset);
            }
            stitch.line(id, line.bytes, line.offset);
        })?;
        self.is_idle = count == 0;
        self.fresh_lines += count;
        self.lines += count;
        (self.watch)(Event::Read { consumed: source.consumed(), lines: self.lines });
        self.collect();
        Ok(progress)
    }

    fn peel_options(&self, source: &Source) -> PeelOptions {
        let modified = source.modified().and_then(|time| {
            let since = time.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(since.as_micros()).ok().map(WallTime)
        });
        PeelOptions {
            year: self.options.year,
            timezone: self.options.timezone,
            newest: Some(modified.unwrap_or(self.options.now)),
        }
    }

    /// Takes over what the pure part has found, and tallies it.
    fn collect(&mut self) {
        let fresh = self.stitch.drain();
        for outcome in &fresh {
            self.report.tally(outcome);
        }
        self.outcomes.extend(fresh);
    }

    fn send_when_due(&mut self, source: &Source, id: SourceId) -> Result<(), WriterGone> {
        let is_full = self.fresh_lines >= LINES || self.outcomes.len() >= OUTCOMES;
        // A pipe that has nothing more for now: what came is not kept waiting.
        let is_idle = self.is_idle && self.fresh_lines > 0;
        if !is_full && !is_idle {
            return Ok(());
        }
        self.note(source, id, false);
        self.send_batch()
    }

    /// Notes how far a source has been read and what was counted since the last note.
    fn note(&mut self, source: &Source, id: SourceId, done: bool) {
        let counts = self.counts_since_noted();
        self.progress.push(store::Progress {
            source: id,
            position: source.position(),
            tail_hash: Some(store::hash_tail(source.tail())),
            counts,
            done,
        });
    }

    /// What is counted after the last source ended belongs to it.
    fn note_tail(&mut self) {
        let counts = self.counts_since_noted();
        if let Some(last) = self.progress.last_mut() {
            last.counts.merge(&counts);
        }
    }

    fn counts_since_noted(&mut self) -> Counts {
        let now = *self.stitch.counts();
        let before = std::mem::replace(&mut self.noted, now);
        since(&now, &before)
    }

    fn send_batch(&mut self) -> Result<(), WriterGone> {
        self.fresh_lines = 0;
        let batch = Batch {
            outcomes: std::mem::take(&mut self.outcomes),
            progress: std::mem::take(&mut self.progress),
        };
        if batch.outcomes.is_empty() && batch.progress.is_empty() {
            return Ok(());
        }
        self.send(Message::Batch(batch))
    }

    fn send(&self, message: Message) -> Result<(), WriterGone> {
        self.sender.blocking_send(message).map_err(|_| WriterGone)
    }
}

/// Goes to where reading ended the last time; false when other bytes lie before it now.
fn go_to(source: &mut Source, known: &Registered) -> Result<bool, SourceError> {
    if known.position == 0 {
        return Ok(true);
    }
    let reached = source.skip_to(known.position)?;
    // A shorter copy of what is known has nothing new; it need not have the same end.
    let agrees = known.tail_hash.is_none_or(|hash| hash == store::hash_tail(source.tail()));
    Ok(reached < known.position || agrees)
}

fn open(input: &Input) -> Result<Source, SourceError> {
    match input {
        Input::File(path) => Source::open(path),
        Input::Stdin => stdin(),
        Input::Memory { name, bytes } => Source::new(name.clone(), Box::new(*bytes)),
    }
}

/// What was counted between two looks at a tally.
fn since(now: &Counts, before: &Counts) -> Counts {
    Counts {
        trace: now.trace - before.trace,
        log: now.log - before.log,
        ebtables: now.ebtables - before.ebtables,
        nft: now.nft - before.nft,
        marker: now.marker - before.marker,
        other: now.other - before.other,
        rejected: now.rejected - before.rejected,
        suspect: now.suspect - before.suspect,
        placed: now.placed - before.placed,
        unplaced: now.unplaced - before.unplaced,
    }
}

fn name_of(input: &Input) -> String {
    match input {
        Input::File(path) => path.to_string_lossy().into_owned(),
        Input::Stdin => "-".into(),
        Input::Memory { name, .. } => name.clone(),
    }
}

fn stdin() -> Result<Source, SourceError> {
    let name = "-".to_owned();
    match Pump::stdin() {
        Ok(pump) => Source::new(name, Box::new(pump)),
        Err(source) => Err(SourceError::Read { name, source }),
    }
}
