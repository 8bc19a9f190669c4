//! A database that takes in logs and snapshots, and is asked what it tells.

use tempfile::TempDir;
use tracecol::annotate::{self, Report};
use tracecol::envelope::PeelOptions;
use tracecol::model::{Outcome, WallTime};
use tracecol::stitch::{Stitch, StitchOptions};
use tracecol::store::{
    Batch, ConnectionQuery, ConnectionRow, FromHow, NewSnapshot, Order, PacketQuery, PacketRow,
    SnapshotKind, SourceIdentity, SourceKind, Store,
};

/// Midnight of the day on which everything happens, in seconds since 1970.
const DAY: i64 = 1_795_305_600;

/// A time of that day, in seconds since midnight.
pub(super) fn at(seconds: i64) -> WallTime {
    WallTime((DAY + seconds) * 1_000_000)
}

pub(super) struct Bench {
    _folder: TempDir,
    pub(super) store: Store,
    logs: usize,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("test.db")).await.unwrap();
        Self { _folder: folder, store, logs: 0 }
    }

    /// Takes in a log.
    pub(super) async fn log(&mut self, text: &str) {
        self.logs += 1;
        let mut writer = self.store.writer().await.unwrap();
        let name = format!("log {}\n{text}", self.logs);
        let identity = SourceIdentity::from_head(name.as_bytes());
        let source =
            writer.register_source(&identity, "kern.log", SourceKind::File).await.unwrap().id;
        let mut stitch = Stitch::new(StitchOptions::default());
        stitch.add_source(source, PeelOptions::default());
        let mut offset = 0;
        for line in text.lines() {
            stitch.line(source, line.as_bytes(), offset);
            offset += line.len() as u64 + 1;
        }
        stitch.finish();
        let outcomes: Vec<Outcome> = stitch.drain();
        writer.write(Batch { outcomes, progress: Vec::new() }).await.unwrap();
        writer.close().await.unwrap();
    }

    /// Adds a rule set.
    pub(super) async fn rules(&self, text: &str, from: Option<WallTime>) -> i64 {
        self.snapshot(SnapshotKind::Rules, "iptables.rules", text, from, None).await
    }

    /// Adds a piece of context.
    pub(super) async fn context(&self, name: &str, text: &str) -> i64 {
        self.snapshot(SnapshotKind::Context, name, text, None, None).await
    }

    pub(super) async fn snapshot(
        &self,
        kind: SnapshotKind,
        name: &str,
        text: &str,
        from: Option<WallTime>,
        host: Option<&str>,
    ) -> i64 {
        let snapshot = NewSnapshot {
            kind,
            host: host.map(str::to_owned),
            netns: None,
            from,
            from_how: FromHow::Given,
            name: name.to_owned(),
            text: text.as_bytes().to_vec(),
        };
        let mut writer = self.store.writer().await.unwrap();
        let added = writer.add_snapshot(&snapshot).await.unwrap();
        writer.close().await.unwrap();
        added.id
    }

    pub(super) async fn annotate(&self) -> Report {
        annotate::run(&self.store).await.unwrap()
    }

    pub(super) async fn packets(&self) -> Vec<PacketRow> {
        let query = PacketQuery { order: Order::OldestFirst, ..PacketQuery::default() };
        self.store.packets(&query).await.unwrap()
    }

    pub(super) async fn connections(&self) -> Vec<ConnectionRow> {
        let query = ConnectionQuery { order: Order::OldestFirst, ..ConnectionQuery::default() };
        self.store.connections(&query).await.unwrap()
    }

    /// One line a packet: its verdict and the rule that decided.
    pub(super) async fn verdicts(&self) -> Vec<String> {
        let line = |row: PacketRow| {
            let rule =
                row.verdict_rule.map_or_else(|| "-".to_owned(), |rule| rule.text.to_string());
            format!("{} · {rule}", row.packet.verdict.kind.name())
        };
        self.packets().await.into_iter().map(line).collect()
    }

    /// What is told of the last step of each packet: the rule's text, or why there is none.
    pub(super) async fn last_steps(&self) -> Vec<String> {
        let line = |row: PacketRow| {
            let told = row.rules.last().cloned().flatten();
            told.map_or_else(
                || "-".to_owned(),
                |told| match (told.text, told.misfit) {
                    (Some(text), None) => text.to_string(),
                    (_, Some(why)) => format!("? {why}"),
                    (None, None) => "end".to_owned(),
                },
            )
        };
        self.packets().await.into_iter().map(line).collect()
    }
}

/// The lines of a datagram to port 53 that came in at a time and ended at a place of filter:INPUT, if it is one of the
/// chain's rules or its end: `rule:2`, `policy:3`.
pub(super) fn datagram(host: &str, seconds: i64, place: &str) -> String {
    let id = seconds % 60_000;
    let line = |micros: u32, site: &str| {
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!(
            "2026-11-22T{hours:02}:{minutes:02}:{seconds:02}.{micros:06}+00:00 {host} kernel: TRACE: {site} IN=eth0 OUT= \
             MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=10.0.0.2 DST=10.0.0.1 LEN=40 TOS=0x00 PREC=0x00 TTL=64 \
             ID={id} DF PROTO=UDP SPT={} DPT=53 LEN=20 \n",
            5000 + seconds,
        )
    };
    line(10, "raw:PREROUTING:policy:2") + &line(20, &format!("filter:INPUT:{place}"))
}

/// A filter table whose INPUT has these rules.
pub(super) fn filter(policy: &str, rules: &[&str]) -> String {
    let rules: Vec<String> = rules.iter().map(|rule| format!("-A INPUT {rule}\n")).collect();
    format!(
        "*filter\n:INPUT {policy} [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{}COMMIT\n",
        rules.concat()
    )
}
