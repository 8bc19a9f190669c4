//! Looks at a database file before anything opens it, and touches nothing.
//!
//! The first 100 bytes of a SQLite file say enough: 0 the magic, 16 the page size, 28 the number of
//! pages, 60 the user version, 68 the application id (all big-endian).

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// `trcc`: the mark that migration 1 leaves in the file's header.
pub(crate) const APPLICATION_ID: u32 = 0x7472_6363;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What stands at a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A file without a byte.
    EmptyFile,
    /// A database of ours.
    Ours {
        /// Its schema version, as far as the file itself tells (a write-ahead log may know better).
        version: u32,
    },
}

/// Tells what stands at `path`; anything that is not ours is an error.
pub(crate) fn inspect(path: &Path) -> Result<Found, StoreError> {
    let open_error = |source| StoreError::Open { path: path.to_owned(), source };
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        other => other.map_err(open_error)?,
    };
    if !metadata.is_file() {
        return Err(StoreError::NotAFile(path.to_owned()));
    }
    if metadata.len() == 0 {
        return Ok(Found::EmptyFile);
    }
    let mut header = Vec::with_capacity(100);
    File::open(path)
        .and_then(|file| file.take(100).read_to_end(&mut header))
        .map_err(open_error)?;
    if !header.starts_with(MAGIC) {
        return Err(StoreError::NotADatabase(path.to_owned()));
    }
    if number(&header, 68) != Some(APPLICATION_ID) {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    check_size(path, &header, metadata.len())?;
    Ok(Found::Ours { version: number(&header, 60).unwrap_or_default() })
}

/// A file that is shorter than its header says has lost its end.
fn check_size(path: &Path, header: &[u8], size: u64) -> Result<(), StoreError> {
    let page_size = match header.get(16..18) {
        Some(&[0, 1]) => 65_536,
        Some(&[high, low]) => u64::from(u16::from_be_bytes([high, low])),
        _ => 0,
    };
    let pages = u64::from(number(header, 28).unwrap_or_default());
    if page_size < 512 || !page_size.is_power_of_two() {
        return Err(corrupt(path, "its header is not readable"));
    }
    if size < page_size * pages && !has_log(path) {
        return Err(corrupt(path, "the file is shorter than its header says"));
    }
    Ok(())
}

fn corrupt(path: &Path, reason: &str) -> StoreError {
    StoreError::Corrupt { path: path.to_owned(), reason: reason.to_owned() }
}

fn number(header: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*header.get(at..)?.first_chunk()?))
}

/// Whether a write-ahead log with content lies beside the database.
pub(crate) fn has_log(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|metadata| metadata.len() > 0)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
