//! Puts a log and its rotated predecessors into the order in which they were written.
//!
//! ```text
//! kern.log.2.gz  kern.log.1  kern.log            numbered: the highest number is the oldest
//! kern.log-20260110.xz  kern.log-20260117  kern.log   dated: the earliest date is the oldest
//! ```
//!
//! Anything else keeps its place.

use std::path::{Path, PathBuf};

/// Sorts siblings of one rotated log oldest first, at the place of the first of them.
pub fn oldest_first(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut families: Vec<(PathBuf, Vec<(Age, PathBuf)>)> = Vec::new();
    for path in paths {
        let (base, age) = family(&path);
        match families.iter_mut().find(|(known, _)| *known == base) {
            Some((_, members)) => members.push((age, path)),
            None => families.push((base, vec![(age, path)])),
        }
    }
    for (_, members) in &mut families {
        members.sort_by(|(left, _), (right, _)| left.cmp(right));
    }
    families.into_iter().flat_map(|(_, members)| members).map(|(_, path)| path).collect()
}

/// Ordered from old to new.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// `x-20260110`, possibly with a time or a serial number.
    Dated(String),
    /// `x.3`: the higher, the older.
    Numbered(std::cmp::Reverse<u32>),
    /// `x` itself.
    Current,
}

/// The log's own name without what rotation added, and how old this one is.
fn family(path: &Path) -> (PathBuf, Age) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return (path.to_owned(), Age::Current);
    };
    let stem = [".gz", ".zst", ".xz", ".bz2"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name);
    if let Some((base, number)) = stem.rsplit_once('.')
        && let Ok(number) = number.parse()
    {
        return (path.with_file_name(base), Age::Numbered(std::cmp::Reverse(number)));
    }
    if let Some((base, date)) = split_date(stem) {
        return (path.with_file_name(base), Age::Dated(date.to_owned()));
    }
    (path.with_file_name(stem), Age::Current)
}

/// Splits `kern.log-20260110` (or `-20260110-1768003200`, `-2026-01-10`) at the dash before the date.
fn split_date(stem: &str) -> Option<(&str, &str)> {
    stem.match_indices('-').find_map(|(at, _)| {
        let date = &stem[at + 1..];
        let digits = date.bytes().filter(u8::is_ascii_digit).count();
        let only = date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b'_');
        (only && digits >= 8).then_some((&stem[..at], date))
    })
}
