//! Cuts blocks of bytes into lines and says where each one begins.
//!
//! A line ends with `\n`, which is not part of it; what follows the last `\n` is a line too. Lines that lie
//! within one block are handed out without being copied.

use memchr::memchr_iter;

/// Longer lines are cut here: nothing that the kernel prints comes near it.
pub(super) const LONGEST: usize = 64 * 1024;

/// One line as it stands in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// Its bytes without the `\n`, at most 64 KiB of them.
    pub bytes: &'a [u8],
    /// Where it begins in the unpacked source.
    pub offset: u64,
    /// How many bytes of it were left out because it is too long.
    pub left_out: u64,
}

/// Cuts lines out of blocks that end anywhere.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    left_out: u64,
    /// Whether a line has begun: it may still be empty in `carry` only when all was left out.
    open: bool,
    /// Where the open line begins, or the next one will.
    line_start: u64,
    /// The offset behind the last byte taken.
    taken: u64,
}

impl Splitter {
    /// Sets the offset of the first byte to come.
    pub(super) fn start_at(&mut self, offset: u64) {
        *self = Self { line_start: offset, taken: offset, ..Self::default() };
    }

    /// The offset behind the last line handed out: a line that is not complete yet lies after it.
    pub(super) fn position(&self) -> u64 {
        self.line_start
    }

    /// Takes a block and hands out every line that ends in it.
    pub(super) fn push(&mut self, block: &[u8], sink: &mut dyn FnMut(RawLine<'_>)) {
        let block_start = self.taken;
        self.taken += block.len() as u64;
        let mut begin = 0;
        for end in memchr_iter(b'\n', block) {
            let piece = &block[begin..end];
            if self.open {
                self.extend(piece);
                self.hand_out(sink);
            } else {
                let (bytes, left_out) = cut(piece);
                sink(RawLine { bytes, offset: self.line_start, left_out });
            }
            begin = end + 1;
            self.line_start = block_start + begin as u64;
        }
        if begin < block.len() {
            self.open = true;
            self.extend(&block[begin..]);
        }
    }

    /// Hands out the last line when it has no `\n`.
    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(RawLine<'_>)) {
        if self.open {
            self.hand_out(sink);
            self.line_start = self.taken;
        }
    }

    fn extend(&mut self, piece: &[u8]) {
        let kept = piece.len().min(LONGEST - self.carry.len());
        self.carry.extend_from_slice(&piece[..kept]);
        self.left_out += (piece.len() - kept) as u64;
    }

    fn hand_out(&mut self, sink: &mut dyn FnMut(RawLine<'_>)) {
        sink(RawLine { bytes: &self.carry, offset: self.line_start, left_out: self.left_out });
        self.carry.clear();
        self.left_out = 0;
        self.open = false;
    }
}

/// The first 64 KiB, and how much was left out.
fn cut(line: &[u8]) -> (&[u8], u64) {
    let kept = line.len().min(LONGEST);
    (&line[..kept], (line.len() - kept) as u64)
}
