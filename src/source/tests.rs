//! Opening, unpacking, splitting and resuming, against real bytes.

use std::fmt::Write as _;
use std::io::{Cursor, Read, Write};
use std::path::PathBuf;

use super::{Packing, Progress, RawLine, Source, SourceError, oldest_first};

type Lines = Vec<(u64, Vec<u8>, u64)>;

fn keep(lines: &mut Lines) -> impl FnMut(RawLine<'_>) {
    |line| lines.push((line.offset, line.bytes.to_vec(), line.left_out))
}

fn read(source: &mut Source) -> (Lines, Option<String>) {
    let mut lines = Lines::new();
    loop {
        let progress = source.lines(&mut keep(&mut lines)).unwrap();
        match progress {
            Progress::More => {}
            Progress::End => return (lines, None),
            Progress::Damaged(error) => return (lines, Some(error.to_string())),
        }
    }
}

fn open(bytes: impl Into<Vec<u8>>) -> Source {
    Source::new("x".into(), Box::new(Cursor::new(bytes.into()))).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn lines_know_their_offsets_and_the_last_needs_no_newline() {
    let (lines, _) = read(&mut open("ab\n\nc\r\nlast"));
    let expected: Lines = vec![
        (0, b"ab".into(), 0),
        (3, b"".into(), 0),
        (4, b"c\r".into(), 0),
        (7, b"last".into(), 0),
    ];
    assert_eq!(lines, expected);
    assert_eq!(read(&mut open("")).0, Lines::new());
    let empty: Lines = vec![(0, vec![], 0)];
    assert_eq!(read(&mut open("\n")).0, empty);
}

/// Gives no more than so many bytes at a time.
struct Drip(Cursor<Vec<u8>>, usize);

impl Read for Drip {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(self.1);
        self.0.read(&mut into[..most])
    }
}

#[test]
fn the_position_lies_before_a_line_that_is_not_complete() {
    let text: Vec<u8> = (0..3_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    let drip = Drip(Cursor::new(text.clone()), 1_037);
    let mut source = Source::new("x".into(), Box::new(drip)).unwrap();
    let mut lines = Lines::new();
    loop {
        let progress = source.lines(&mut keep(&mut lines)).unwrap();
        if !matches!(progress, Progress::More) {
            break;
        }
        let position = usize::try_from(source.position()).unwrap();
        let handed_out: usize = lines.iter().map(|(_, line, _)| line.len() + 1).sum();
        assert_eq!(position, handed_out);
        assert!(text[..position].ends_with(source.tail()));
        assert_eq!(source.tail().len(), position.min(super::HEAD));
        // Who goes on from here sees exactly the other lines.
        let mut rest = open(text.clone());
        rest.skip_to(source.position()).unwrap();
        assert_eq!(read(&mut rest).0.len(), 3_000 - lines.len());
    }
    assert_eq!(lines.len(), 3_000);
}

#[test]
fn any_cut_into_blocks_gives_the_same_lines() {
    let text = b"one\ntwo two\n\n\nthree three three\nfour".to_vec();
    let (whole, _) = read(&mut open(text.clone()));
    for size in 1..=text.len() {
        let drip = Drip(Cursor::new(text.clone()), size);
        let mut source = Source::new("x".into(), Box::new(drip)).unwrap();
        assert_eq!(read(&mut source).0, whole, "blocks of {size}");
    }
}

#[test]
fn a_long_line_is_cut_and_the_next_one_is_found() {
    for length in [65_536, 65_537, 1_048_575, 1_048_576, 3_000_000] {
        let mut text = vec![b'x'; length];
        text.extend_from_slice(b"\nnext\n");
        let (lines, _) = read(&mut open(text));
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].1.len(), 65_536);
        assert_eq!(lines[0].2, length as u64 - 65_536);
        assert_eq!(lines[1], (length as u64 + 1, b"next".to_vec(), 0));
    }
}

#[test]
fn packing_is_told_by_content() {
    let text = b"first line\nsecond line\n";
    let cases = [
        (Packing::Plain, text.to_vec()),
        (Packing::Gzip, gzip(text)),
        (Packing::Zstd, zstd(text)),
        (Packing::Xz, xz(text)),
        (Packing::Bzip2, bzip2(text)),
    ];
    for (packing, packed) in cases {
        let mut source = open(packed);
        assert_eq!(source.packing(), packing);
        assert_eq!(source.head(), text, "{packing:?}");
        let (lines, damage) = read(&mut source);
        assert_eq!(lines[1], (11, b"second line".to_vec(), 0), "{packing:?}");
        assert_eq!(damage, None);
        assert_eq!(source.position(), text.len() as u64);
    }
    assert_eq!(open("BZh9 is no bzip2 without its mark").packing(), Packing::Plain);
}

#[test]
fn members_are_joined_in_the_middle_of_a_line() {
    for pack in [gzip, bzip2, xz, zstd] {
        let packed = [pack(b"one\ntw"), pack(b"o\nthree\n")].concat();
        let (lines, damage) = read(&mut open(packed));
        assert_eq!(damage, None);
        let expected: Lines =
            vec![(0, b"one".into(), 0), (4, b"two".into(), 0), (8, b"three".into(), 0)];
        assert_eq!(lines, expected);
    }
}

#[test]
fn a_truncated_archive_gives_what_it_has() {
    // Noise packs badly, so that the first part of the archive already holds many lines.
    let mut state = 1_u64;
    let mut text = String::new();
    for n in 0..40_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        writeln!(text, "{n} {state}").unwrap();
    }
    for pack in [gzip, bzip2, xz, zstd] {
        let packed = pack(text.as_bytes());
        let (lines, damage) = read(&mut open(&packed[..packed.len() * 3 / 4]));
        assert!(damage.is_some(), "the damage is reported");
        let whole = &lines[..lines.len() - 1];
        assert!(whole.len() > 1_000, "{} lines", whole.len());
        for (expected, (_, line, _)) in text.lines().zip(whole) {
            assert_eq!(line, expected.as_bytes());
        }
    }
}

#[test]
fn resuming_leaves_out_what_lies_before() {
    let text: Vec<u8> = (0..300_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    std::fs::write(&plain, &text).unwrap();
    let mark = b"line 200000\n";
    let at = text.windows(mark.len()).position(|window| window == mark).unwrap() as u64;

    for mut source in [Source::open(&plain).unwrap(), open(text.clone()), open(gzip(&text))] {
        assert_eq!(source.skip_to(at).unwrap(), at);
        assert!(source.tail().ends_with(b"line 199999\n"));
        let (lines, _) = read(&mut source);
        assert_eq!(lines[0], (at, b"line 200000".to_vec(), 0));
        assert_eq!(lines.len(), 100_000);
        assert_eq!(source.position(), text.len() as u64);
        assert!(source.tail().ends_with(b"line 299999\n"));
    }
    let beyond = text.len() as u64 + 5;
    for mut source in [Source::open(&plain).unwrap(), open(gzip(&text))] {
        assert_eq!(source.skip_to(beyond).unwrap(), text.len() as u64);
        assert_eq!(read(&mut source).0, Lines::new());
    }
}

#[test]
fn directories_and_missing_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Source::open(dir.path()), Err(SourceError::Directory(_))));
    let missing = dir.path().join("no such file");
    assert!(matches!(Source::open(&missing), Err(SourceError::Open { .. })));
}

#[test]
fn a_file_tells_size_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kern.log");
    std::fs::write(&path, "x\n").unwrap();
    let source = Source::open(&path).unwrap();
    assert_eq!((source.size(), source.consumed()), (Some(2), 2));
    let age = source.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(age.as_secs() > 1_600_000_000);
}

#[test]
fn rotated_siblings_come_oldest_first() {
    let order = |names: &[&str]| -> Vec<String> {
        oldest_first(names.iter().map(PathBuf::from).collect())
            .into_iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect()
    };
    assert_eq!(
        order(&["a/kern.log", "a/kern.log.1", "a/kern.log.10.gz", "a/kern.log.2.gz"]),
        ["a/kern.log.10.gz", "a/kern.log.2.gz", "a/kern.log.1", "a/kern.log"]
    );
    assert_eq!(
        order(&["messages", "messages-20260110.xz", "messages-20251227.xz"]),
        ["messages-20251227.xz", "messages-20260110.xz", "messages"]
    );
    assert_eq!(order(&["b.log", "a.log", "x/b.log.1"]), ["b.log", "a.log", "x/b.log.1"]);
    assert_eq!(order(&["b.log", "z", "b.log.1"]), ["b.log.1", "b.log", "z"]);
    assert_eq!(order(&["case-1.log", "case-2.log"]), ["case-1.log", "case-2.log"]);
}
