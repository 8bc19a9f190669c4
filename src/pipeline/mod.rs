//! Carries logs into the database: one thread reads and thinks, one task writes, a short queue lies between.
//!
//! The thread opens each source, asks the writer under which number (and from which byte on) to read it, hands its
//! lines to the pure part and collects what comes out. Every 50,000 lines or 20,000 outcomes go to the writer as
//! one batch and are stored in one transaction together with the positions they reach. The queue holds four
//! batches: a slow disk slows the reader down, memory stays bounded. When either side fails, the other one ends.

mod pump;
mod reader;
mod report;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::envelope::Timezone;
use crate::model::WallTime;
use crate::stitch::StitchOptions;
use crate::store::{self, Batch, Registered, SourceIdentity, SourceKind, Store, StoreError};

pub use report::{Report, SourceEnd};

use reader::Reader;

/// How many batches may wait for the writer.
const QUEUE: usize = 2;
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
