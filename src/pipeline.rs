//! Carries logs into the database: one thread reads and thinks, one task writes, a short queue lies between.
//!
//! The thread opens each source, asks the writer under which number (and from which byte on) to read it, hands its
//! lines to the pure part and collects what comes out. Every 50,000 lines or 20,000 outcomes go to the writer as
//! one batch and are stored in one transaction together with the positions they reach. The queue holds four
//! batches: a slow disk slows the reader down, memory stays bounded. When either side fails, the other one ends.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::envelope::{PeelOptions, Timezone};
use crate::model::{AnomalyKind, Counts, Gap, Outcome, SourceId, VerdictKind, WallTime};
use crate::source::{self, RawLine, Source, SourceError};
use crate::stitch::{Stitch, StitchOptions};
use crate::store::{self, Batch, Registered, SourceIdentity, SourceKind, Store, StoreError};

/// A batch is sent when it has this many lines …
const LINES: u64 = 50_000;
/// … or this many outcomes.
const OUTCOMES: usize = 20_000;
/// How many batches may wait for the writer.
const QUEUE: usize = 4;
/// How long a reader that waits for its input may hold up an interrupted run.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where lines come from.
#[derive(Debug, Clone)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// Bytes at hand, under a name.
    Memory {
        /// The name to store.
        name: String,
        /// The log.
        bytes: &'static [u8],
    },
}

/// How to understand the lines.
#[derive(Debug, Clone)]
pub struct Options {
    /// Host, namespace label, time range, bounds.
    pub stitch: StitchOptions,
    /// The year of stamps without one.
    pub year: Option<i32>,
    /// The zone of stamps without one.
    pub timezone: Timezone,
    /// The time now: what a source without a modification time is taken to end at.
    pub now: WallTime,
}

/// What happens while a run goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// A source is about to be read.
    Begins {
        /// Its name.
        name: &'a str,
        /// Its size as `consumed` counts it; unknown for a pipe.
        size: Option<u64>,
    },
    /// A block was read.
    Read {
        /// How much of the source is used up.
        consumed: u64,
        /// How many lines the run has seen.
        lines: u64,
    },
}

/// What a run has found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Every line once.
    pub counts: Counts,
    /// Packets stored.
    pub packets: u64,
    /// Connections stored.
    pub connections: u64,
    /// Boots seen.
    pub boots: u64,
    /// What became of the connections.
    pub verdicts: BTreeMap<VerdictKind, u64>,
    /// How often each kind of anomaly arose.
    pub anomalies: BTreeMap<AnomalyKind, u64>,
    /// Known losses, the first thousand of them.
    pub gaps: Vec<Gap>,
    /// How many losses there were.
    pub gap_count: u64,
    /// How many lines are known to be lost.
    pub lost: u64,
    /// Unpacked bytes read.
    pub bytes: u64,
    /// How each input ended, in the order in which they were read.
    pub sources: Vec<(SourceId, String, SourceEnd)>,
    /// Inputs that could not be opened.
    pub refused: Vec<(String, Arc<SourceError>)>,
    /// Whether the run was interrupted.
    pub interrupted: bool,
}

/// How reading a source ended.
#[derive(Debug, Clone)]
pub enum SourceEnd {
    /// It was read to its end.
    Whole,
    /// Every byte of it had been ingested before.
    Known,
    /// It has no bytes.
    Empty,
    /// The archive ends early or is damaged; what it has was used.
    Damaged(String),
    /// Reading failed; what had been read was used.
    Failed(Arc<SourceError>),
    /// It begins as one that is known, and goes on differently: nothing was read.
    Changed,
    /// The run was interrupted.
    Interrupted,
}

/// Why a run failed.
#[derive(Debug, Error)]
pub enum PipelineError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reading thread could not be started.
    #[error("cannot start the reading thread")]
    Thread(#[source] io::Error),
    /// The reading thread ended without a report.
    #[error("the reading thread ended unexpectedly")]
    Reader,
}

/// Called by the reading thread while it reads.
pub type Watch = Box<dyn FnMut(Event<'_>) + Send>;

/// What the reading thread sends.
enum Message {
    Register {
        identity: SourceIdentity,
        name: String,
        kind: SourceKind,
        answer: oneshot::Sender<Registered>,
    },
    Batch(Batch),
    Finished(Box<Report>),
}

/// Reads all inputs, in the order given, into the database. Ctrl-C ends the run early and cleanly.
pub async fn ingest(
    store: &Store,
    inputs: Vec<Input>,
    options: Options,
    watch: Watch,
) -> Result<Report, PipelineError> {
    let mut writer = store.writer().await?;
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel(QUEUE);
    let reader = Reader::new(options, sender, Arc::clone(&stop), watch);
    // A thread of its own, not the runtime's: one that waits for standard input must not hold up the exit.
    std::thread::Builder::new()
        .name("reader".into())
        .spawn(move || reader.run(inputs))
        .map_err(PipelineError::Thread)?;
    let report = write_all(&mut writer, receiver, &stop).await?;
    writer.close().await?;
    Ok(report)
}

/// Stores what comes until the reader has finished.
async fn write_all(
    writer: &mut store::Writer,
    mut receiver: mpsc::Receiver<Message>,
    stop: &AtomicBool,
) -> Result<Report, PipelineError> {
    let mut interrupts = Interrupts::new();
    loop {
        let message = tokio::select! {
            message = receiver.recv() => message,
            () = interrupts.next() => {
                // Whoever presses it twice does not want to wait.
                if stop.swap(true, Ordering::Relaxed) {
                    return Ok(Report::interrupted());
                }
                continue;
            }
            () = tokio::time::sleep(PATIENCE), if stop.load(Ordering::Relaxed) => {
                return Ok(Report::interrupted());
            }
        };
        match message {
            Some(Message::Register { identity, name, kind, answer }) => {
                let registered = writer.register_source(&identity, &name, kind).await?;
                // A reader that has gone shows by its missing report.
                let _ = answer.send(registered);
            }
            Some(Message::Batch(batch)) => writer.write(batch).await?,
            Some(Message::Finished(report)) => return Ok(*report),
            None => return Err(PipelineError::Reader),
        }
    }
}

/// Ctrl-C, as often as it comes. Where signals cannot be had, it never comes.
struct Interrupts(Option<tokio::signal::unix::Signal>);

impl Interrupts {
    fn new() -> Self {
        Self(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).ok())
    }

    async fn next(&mut self) {
        let came = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// The writer has gone: there is nobody to work for.
struct WriterGone;

/// The reading thread's state.
struct Reader {
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
    lines: u64,
    seen: BTreeSet<SourceId>,
}

impl Reader {
    fn new(
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
            lines: 0,
            seen: BTreeSet::new(),
        }
    }

    fn run(mut self, inputs: Vec<Input>) {
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
            self.report.sources.push((SourceId(0), source.name().to_owned(), SourceEnd::Empty));
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
                Ok(source::Progress::More) => self.send_when_full(source, id)?,
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

    fn send_when_full(&mut self, source: &Source, id: SourceId) -> Result<(), WriterGone> {
        if self.fresh_lines < LINES && self.outcomes.len() < OUTCOMES {
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

impl Report {
    /// Interrupted without a tally.
    fn interrupted() -> Self {
        Self { interrupted: true, ..Self::default() }
    }

    fn tally(&mut self, outcome: &Outcome) {
        /// More are counted, not kept.
        const KEPT_GAPS: usize = 1_000;
        match outcome {
            Outcome::Packet(_) => self.packets += 1,
            Outcome::Connection(connection) => {
                self.connections += 1;
                *self.verdicts.entry(connection.verdict.kind).or_default() += 1;
            }
            Outcome::Anomaly(anomaly) => *self.anomalies.entry(anomaly.kind).or_default() += 1,
            Outcome::Gap(gap) => {
                self.gap_count += 1;
                self.lost = self.lost.saturating_add(gap.lost.unwrap_or(0));
                if self.gaps.len() < KEPT_GAPS {
                    self.gaps.push(gap.clone());
                }
            }
            Outcome::Host { .. } | Outcome::Link(_) => {}
        }
    }

    /// Whether some input could not be read, or not to its end.
    pub fn has_failures(&self) -> bool {
        let failed = |end: &SourceEnd| match end {
            SourceEnd::Damaged(_) | SourceEnd::Failed(_) | SourceEnd::Changed => true,
            SourceEnd::Whole | SourceEnd::Known | SourceEnd::Empty | SourceEnd::Interrupted => {
                false
            }
        };
        !self.refused.is_empty() || self.sources.iter().any(|(_, _, end)| failed(end))
    }

    /// Lines that look like netfilter lines and were not used.
    pub fn unparsed(&self) -> u64 {
        self.counts.rejected + self.counts.unplaced
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
        Input::Stdin => Source::stdin(),
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
