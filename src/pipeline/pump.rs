//! Standard input, read by a thread of its own: who waits for more can still be told to stop.
//!
//! A read that finds nothing for a while returns [`io::ErrorKind::Interrupted`], which means "look around and
//! ask again". The thread ends with the input, or with the program.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// How long a read waits.
const PATIENCE: Duration = Duration::from_millis(100);

/// How much the thread reads at a time.
const BLOCK: usize = 1 << 18;

/// How many blocks may wait to be taken.
const QUEUE: usize = 4;

/// Blocks read ahead.
pub(super) struct Pump {
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    taken: usize,
}

impl Pump {
    /// Begins to read standard input.
    pub(super) fn stdin() -> io::Result<Self> {
        Self::new(io::stdin())
    }

    fn new(input: impl Read + Send + 'static) -> io::Result<Self> {
        let (sender, blocks) = sync_channel(QUEUE);
        std::thread::Builder::new().name("stdin".into()).spawn(move || pump(input, &sender))?;
        Ok(Self { blocks, block: Vec::new(), taken: 0 })
    }
}

/// Reads to the end, or until nobody listens any more.
fn pump(mut input: impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut block = vec![0; BLOCK];
        let result = match input.read(&mut block) {
            Ok(0) => return,
            Ok(length) => {
                block.truncate(length);
                Ok(block)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = result.is_err();
        if sender.send(result).is_err() || failed {
            return;
        }
    }
}

impl Read for Pump {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.len() {
            match self.blocks.recv_timeout(PATIENCE) {
                Ok(block) => (self.block, self.taken) = (block?, 0),
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::Interrupted.into()),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let count = into.len().min(self.block.len() - self.taken);
        into[..count].copy_from_slice(&self.block[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_through_in_order() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
        let mut pump = Pump::new(io::Cursor::new(text.clone())).unwrap();
        let mut out = Vec::new();
        pump.read_to_end(&mut out).unwrap();
        assert_eq!(out, text);
    }

    #[test]
    fn who_waits_can_look_around() {
        struct Silent;
        impl Read for Silent {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                std::thread::park();
                Ok(0)
            }
        }
        let mut pump = Pump::new(Silent).unwrap();
        let error = pump.read(&mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }
}
