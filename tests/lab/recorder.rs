//! Reads `/dev/kmsg` fast enough to lose nothing, and knows when it did lose.
//!
//! The ring holds fewer than a thousand TRACE lines and `poll` wakes on the
//! timer tick only, so the reader never waits for it: it reads until EAGAIN
//! and sleeps a tenth of a millisecond.
//!
//! ```text
//! 4,145216,2532747506,-;TRACE: raw:PREROUTING:policy:4 IN=eth0 OUT= MAC=…
//! priority,sequence,microseconds,flags;text
//! ```

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// `O_NONBLOCK` of the architectures the lab runs on (x86, arm).
const NONBLOCK: i32 = 0o4000;
/// A shorter buffer would make the kernel skip a long record.
const RECORD: usize = 8192;
const NAP: Duration = Duration::from_micros(100);
/// Silence after which no packet of a scenario can still be under way.
const QUIET: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);

/// A thread that records the kernel log from now on.
pub(crate) struct Recorder {
    stop: Arc<AtomicBool>,
    seen: Arc<AtomicU64>,
    thread: JoinHandle<Recording>,
}

/// What was recorded.
#[derive(Default)]
pub(crate) struct Recording {
    /// The records as read, one after the other.
    pub(crate) records: Vec<u8>,
    /// How often the ring overran the reader.
    pub(crate) overruns: u64,
}

impl Recorder {
    /// Starts at the end of the log: only what is printed after this returns is recorded.
    pub(crate) fn start() -> Self {
        let mut log = OpenOptions::new()
            .read(true)
            .custom_flags(NONBLOCK)
            .open("/dev/kmsg")
            .expect("/dev/kmsg opens");
        log.seek(SeekFrom::End(0)).expect("/dev/kmsg seeks to its end");
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = std::thread::spawn({
            let (stop, seen) = (Arc::clone(&stop), Arc::clone(&seen));
            move || record(&mut log, &stop, &seen)
        });
        Self { stop, seen, thread }
    }

    /// Waits until the log has been silent for a while, then ends the recording.
    pub(crate) fn finish(self) -> Recording {
        let end = Instant::now() + PATIENCE;
        let (mut last, mut since) = (self.seen.load(Ordering::Relaxed), Instant::now());
        while since.elapsed() < QUIET && Instant::now() < end {
            std::thread::sleep(NAP * 50);
            let now = self.seen.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the recorder ends")
    }
}

/// Asks for real-time priority: under load an ordinary thread is woken too late. Without it the lab tries its luck.
fn hurry() {
    if let Ok(task) = std::fs::read_link("/proc/thread-self") {
        let task = task.file_name().unwrap_or_default().to_owned();
        let _ = Command::new("chrt").args(["-f", "-p", "50"]).arg(task).output();
    }
}

fn record(log: &mut File, stop: &AtomicBool, seen: &AtomicU64) -> Recording {
    hurry();
    let mut recording = Recording::default();
    let mut buffer = [0; RECORD];
    loop {
        match log.read(&mut buffer) {
            Ok(length) => {
                recording.records.extend_from_slice(&buffer[..length]);
                seen.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if error.kind() == ErrorKind::BrokenPipe => recording.overruns += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if stop.load(Ordering::Relaxed) {
                    return recording;
                }
                std::thread::sleep(NAP);
            }
            Err(error) => panic!("/dev/kmsg: {error}"),
        }
    }
}
