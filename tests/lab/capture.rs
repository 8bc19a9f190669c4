//! One scenario run on the kernel: what it printed, and what its tools said beside it.

use std::path::Path;

use super::conntrack::{Account, Watch};
use super::ground::say;
use super::host::{Plan, SeedHost};
use super::recorder::Recorder;

/// The kernel's records and the truth about them.
pub(crate) struct Capture {
    /// `/dev/kmsg` records as read.
    pub(crate) kmsg: String,
    /// The same records as syslog would have written them.
    pub(crate) syslog: String,
    /// conntrack's account.
    pub(crate) account: Account,
    /// Rule sets, addresses, routes, bridge: file name and content.
    pub(crate) context: Vec<(&'static str, String)>,
}

impl Capture {
    /// Builds the host, runs `drive` on it and records. A run that lost records is run again, twice at most.
    pub(crate) fn record(name: &str, plan: Plan, drive: fn(&SeedHost)) -> Self {
        for attempt in 1..=3 {
            match Self::once(plan, drive) {
                Ok(capture) => return capture,
                Err(lost) => say(&format!("{name}: attempt {attempt} lost records: {lost}")),
            }
        }
        panic!("{name}: the kernel log was overrun three times");
    }

    fn once(plan: Plan, drive: fn(&SeedHost)) -> Result<Self, String> {
        let host = SeedHost::build(plan);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let watch = Watch::start(&host.dhost, folder.path().join("events"));
        let recorder = Recorder::start();
        drive(&host);
        let recording = recorder.finish();
        let account = watch.finish(&host.dhost);
        let kmsg = String::from_utf8(recording.records).expect("kmsg escapes what is not ASCII");
        if recording.overruns > 0 {
            return Err(format!("{} overruns", recording.overruns));
        }
        check_sequence(&kmsg)?;
        let syslog = syslog_form(&kmsg, boot_time());
        Ok(Self { kmsg, syslog, account, context: host.context() })
    }

    /// Writes everything into a folder, named as in `sample-logs`.
    pub(crate) fn save(&self, folder: &Path) {
        std::fs::create_dir_all(folder).expect("the folder is made");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).expect("the file is written");
        };
        write("kern.kmsg", &self.kmsg);
        write("kern.log", &self.syslog);
        write("conntrack-events.txt", &self.account.events);
        write("conntrack-list.txt", &self.account.list);
        for (name, text) in &self.context {
            write(name, text);
        }
    }
}

/// One record's fields. Lines of a record after its first start with a blank: its dictionary.
pub(crate) struct Record<'a> {
    pub(crate) sequence: u64,
    pub(crate) usec: u64,
    pub(crate) is_continuation: bool,
    pub(crate) text: &'a str,
}

/// The records of a capture, in order.
pub(crate) fn records(kmsg: &str) -> impl Iterator<Item = Record<'_>> {
    kmsg.lines().filter(|line| !line.starts_with(' ')).map(|line| {
        let (head, text) = line.split_once(';').expect("a record has a semicolon");
        let fields: Vec<_> = head.split(',').collect();
        Record {
            sequence: fields[1].parse().expect("sequence"),
            usec: fields[2].parse().expect("microseconds"),
            is_continuation: fields[3] == "c",
            text,
        }
    })
}

fn check_sequence(kmsg: &str) -> Result<(), String> {
    let numbers: Vec<_> = records(kmsg).map(|record| record.sequence).collect();
    match numbers.windows(2).find(|pair| pair[1] != pair[0] + 1) {
        Some(pair) => Err(format!("a jump from {} to {}", pair[0], pair[1])),
        None => Ok(()),
    }
}

/// Wraps records as rsyslog's file format does: precise stamp, host, tag, kernel's own stamp.
fn syslog_form(kmsg: &str, boot: chrono::DateTime<chrono::Utc>) -> String {
    let wrap = |record: Record<'_>| {
        let at = boot + chrono::TimeDelta::microseconds(record.usec.cast_signed());
        let (seconds, rest) = (record.usec / 1_000_000, record.usec % 1_000_000);
        let text = record.text.replace("\\x5c", "\\");
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, false);
        format!("{at} dhost kernel: [{seconds:5}.{rest:06}] {text}\n")
    };
    records(kmsg).map(wrap).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the lab stands outside: it asks the machine's clock"
)]
fn boot_time() -> chrono::DateTime<chrono::Utc> {
    let uptime = std::fs::read_to_string("/proc/uptime").expect("/proc/uptime");
    let seconds: f64 =
        uptime.split(' ').next().and_then(|text| text.parse().ok()).expect("seconds");
    let up = std::time::Duration::from_secs_f64(seconds);
    chrono::DateTime::from(std::time::SystemTime::now() - up)
}
