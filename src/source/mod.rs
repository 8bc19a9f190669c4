//! Opens a log wherever it lies, packed or not, and hands out its lines with their byte offsets.
//!
//! A file or standard input comes in; lines come out, each with its offset in the *unpacked* bytes, so that
//! every finding can lead back to the very bytes it rests on. This folder does not know what a line means.

mod lines;
mod order;
mod unpack;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use thiserror::Error;

pub use lines::RawLine;
pub use order::oldest_first;
pub use unpack::Packing;

use lines::Splitter;

/// How much is read at a time.
const BLOCK: usize = 1 << 20;

/// How many bytes from the beginning name a source.
pub const HEAD: usize = 1024;

/// Why a source could not be read.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The path names a directory.
    #[error("`{0}` is a directory")]
    Directory(PathBuf),
    /// The path could not be opened.
    #[error("cannot open `{path}`")]
    Open {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The source could not be read on.
    #[error("cannot read `{name}`")]
    Read {
        /// The source's name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Whether there is more to read.
#[derive(Debug)]
pub enum Progress {
    /// There may be more.
    More,
    /// Everything was read.
    End,
    /// The packed file ends too early or is damaged here; all lines before were handed out.
    Damaged(io::Error),
}

/// One log, opened, with its first bytes at hand.
pub struct Source {
    name: String,
    packing: Packing,
    reader: Box<dyn Read + Send>,
    /// A second handle to the same plain file, by which it can be positioned.
    seek: Option<File>,
    size: Option<u64>,
    modified: Option<SystemTime>,
    head: Vec<u8>,
    block: Box<[u8]>,
    /// How much of `block` was read and not yet handed out.
    filled: usize,
    ended: bool,
    failed: Option<io::Error>,
    splitter: Splitter,
    /// The last bytes before the position.
    tail: Vec<u8>,
    /// The last bytes read: the beginning of a line that is not complete yet among them.
    recent: Vec<u8>,
    consumed: Arc<AtomicU64>,
}

impl Source {
    /// Opens a file. Directories are refused.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let fail = |source| SourceError::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(fail)?;
        let facts = file.metadata().map_err(fail)?;
        if facts.is_dir() {
            return Err(SourceError::Directory(path.to_owned()));
        }
        let size = facts.is_file().then_some(facts.len());
        let seek = if size.is_some() { Some(file.try_clone().map_err(fail)?) } else { None };
        let name = path.to_string_lossy().into_owned();
        let mut source = Self::new(name, Box::new(file))?;
        source.size = size;
        source.seek = seek.filter(|_| source.packing == Packing::Plain);
        source.modified = facts.modified().ok();
        Ok(source)
    }

    /// Reads from anything, under a name. Waits for the first bytes.
    pub fn new(name: String, input: Box<dyn Read + Send>) -> Result<Self, SourceError> {
        let consumed = Arc::new(AtomicU64::new(0));
        let counted = Counted { input, consumed: Arc::clone(&consumed) };
        let (packing, reader) = match unpack::unpack(Box::new(counted)) {
            Ok(unpacked) => unpacked,
            Err(source) => return Err(SourceError::Read { name, source }),
        };
        let mut source = Self {
            name,
            packing,
            reader,
            seek: None,
            size: None,
            modified: None,
            head: Vec::new(),
            block: vec![0; BLOCK].into_boxed_slice(),
            filled: 0,
            ended: false,
            failed: None,
            splitter: Splitter::default(),
            tail: Vec::new(),
            recent: Vec::new(),
            consumed,
        };
        while source.filled < HEAD && !source.ended {
            source.read();
        }
        source.head = source.block[..source.filled.min(HEAD)].to_vec();
        Ok(source)
    }

    /// The source's name: its path as given, or `-`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the source is packed.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// The file's size on disk, packed as it is; none for a pipe.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// When the file was last written; none for a pipe.
    pub fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// The first unpacked bytes, at most [`HEAD`] of them. They name the source, whatever its path.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// How many unpacked bytes have been handed out as lines: where to go on another time.
    pub fn position(&self) -> u64 {
        self.splitter.position()
    }

    /// How many bytes of the file, packed as it is, have been used up: what [`Self::size`] counts.
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// The last bytes before [`Self::position`], at most [`HEAD`] of them.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Goes on at `position`, leaving out what lies before. To be called BEFORE the first lines are taken.
    ///
    /// Returns where the source really stands: less than `position` when it is shorter.
    pub fn skip_to(&mut self, position: u64) -> Result<u64, SourceError> {
        let reached = match (&mut self.seek, self.size) {
            (Some(file), Some(size)) => {
                let target = position.min(size);
                let from = target.saturating_sub(HEAD as u64);
                match read_between(file, from, target) {
                    Ok(tail) => self.recent = tail,
                    Err(source) => {
                        return Err(SourceError::Read { name: self.name.clone(), source });
                    }
                }
                (self.filled, self.ended) = (0, false);
                self.consumed.store(target, Ordering::Relaxed);
                target
            }
            _ => self.read_past(position),
        };
        self.tail.clone_from(&self.recent);
        self.splitter.start_at(reached);
        Ok(reached)
    }

    /// Reads on once and hands out the lines that are complete, at the end the last one too.
    pub fn lines(&mut self, sink: &mut dyn FnMut(RawLine<'_>)) -> Result<Progress, SourceError> {
        if self.filled == 0 && !self.ended {
            self.read();
        }
        let block = &self.block[..self.filled];
        self.splitter.push(block, sink);
        if let Some(end) = memchr::memrchr(b'\n', block) {
            self.tail.clone_from(&self.recent);
            remember(&mut self.tail, &block[..=end]);
        }
        remember(&mut self.recent, block);
        self.filled = 0;
        if !self.ended {
            return Ok(Progress::More);
        }
        self.splitter.finish(sink);
        self.tail.clone_from(&self.recent);
        match self.failed.take() {
            None => Ok(Progress::End),
            Some(source) if self.packing == Packing::Plain => {
                Err(SourceError::Read { name: self.name.clone(), source })
            }
            Some(error) => Ok(Progress::Damaged(error)),
        }
    }

    /// Leaves out bytes by reading them; returns how far it came.
    fn read_past(&mut self, position: u64) -> u64 {
        let mut reached = 0;
        loop {
            let left = usize::try_from(position - reached).unwrap_or(usize::MAX);
            let passed = left.min(self.filled);
            remember(&mut self.recent, &self.block[..passed]);
            self.block.copy_within(passed..self.filled, 0);
            self.filled -= passed;
            reached += passed as u64;
            if reached == position || self.ended {
                return reached;
            }
            self.read();
        }
    }

    /// Reads once, behind what is waiting in the block.
    fn read(&mut self) {
        match self.reader.read(&mut self.block[self.filled..]) {
            Ok(0) => self.ended = true,
            Ok(n) => self.filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => (self.failed, self.ended) = (Some(error), true),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({:?} at {})", self.name, self.position())
    }
}

/// Counts what is read.
struct Counted {
    input: Box<dyn Read + Send>,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Reads `from..to` and leaves the file standing at `to`.
fn read_between(file: &mut File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(to - from).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Keeps the last [`HEAD`] bytes of everything read.
fn remember(last: &mut Vec<u8>, block: &[u8]) {
    last.extend_from_slice(&block[block.len().saturating_sub(HEAD)..]);
    let extra = last.len().saturating_sub(HEAD);
    last.drain(..extra);
}

#[cfg(test)]
mod tests;
