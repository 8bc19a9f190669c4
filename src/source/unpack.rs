//! Tells how a log is packed by its first bytes, never by its name, and unpacks it.
//!
//! ```text
//! 1f 8b                            gzip, any number of members
//! 28 b5 2f fd, 5x 2a 4d 18         zstd, any number of frames, skippable ones too
//! fd 37 7a 58 5a 00                xz, any number of streams
//! 42 5a 68 3n  31 41 59 26 53 59   bzip2 ("BZh9" and the mark of a block, or of the end)
//! ```

use std::io::{self, BufReader, Cursor, Read};

/// How a source is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
}

/// As many bytes as the longest mark has.
const SNIFF: usize = 10;

/// Unpackers read this much at a time.
const PACKED_BLOCK: usize = 128 * 1024;

/// Looks at the first bytes and puts the fitting unpacker in front.
pub(super) fn unpack(
    mut input: Box<dyn Read + Send>,
) -> io::Result<(Packing, Box<dyn Read + Send>)> {
    let mut first = Vec::with_capacity(SNIFF);
    input.by_ref().take(SNIFF as u64).read_to_end(&mut first)?;
    let packing = packing_of(&first);
    let whole = Cursor::new(first).chain(input);
    let buffered = |whole| BufReader::with_capacity(PACKED_BLOCK, whole);
    let reader: Box<dyn Read + Send> = match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(whole))),
        Packing::Zstd => Box::new(zstd::Decoder::with_buffer(buffered(whole))?),
        Packing::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(buffered(whole))),
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered(whole))),
    };
    Ok((packing, reader))
}

fn packing_of(first: &[u8]) -> Packing {
    match first {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y', ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, b'r', b'E', b'8', b'P', 0x90, ..] => Packing::Bzip2,
        _ => Packing::Plain,
    }
}
