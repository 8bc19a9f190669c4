//! Links, anomalies and gaps on their way into the database.

use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnection;

use crate::model::{Anomaly, Gap, Link, LinkTarget, Position};
use crate::store::StoreError;
use crate::store::insert::{Insert, insert};
use crate::store::key::{packet_row_key, row_key};
use crate::store::words::Coded as _;

/// The remarks of a batch.
#[derive(Default)]
pub(crate) struct Remarks {
    links: Vec<LinkColumns>,
    anomalies: Vec<AnomalyColumns>,
    gaps: Vec<GapColumns>,
}

struct LinkColumns {
    from: (i64, i64),
    kind: i64,
    to: (i64, i64),
    evidence: String,
}

struct AnomalyColumns {
    position: i64,
    copy: u32,
    kind: &'static str,
    digest: i64,
    seq: Option<i64>,
    text: Vec<u8>,
}

struct GapColumns {
    position: i64,
    copy: u32,
    reason: &'static str,
    host: i64,
    seq: Option<i64>,
    wall_us: Option<i64>,
    uptime_us: Option<i64>,
    lost: Option<i64>,
}

/// The word `end` and the row key of a link's end.
pub(crate) fn end(target: LinkTarget) -> Result<(i64, i64), StoreError> {
    Ok(match target {
        LinkTarget::Connection(key) => (0, packet_row_key(key)?),
        LinkTarget::Packet(key) => (1, packet_row_key(key)?),
    })
}

fn place(position: &Position) -> Result<i64, StoreError> {
    row_key(position.source, position.offset)
}

impl Remarks {
    pub(crate) fn add_link(&mut self, link: &Link) -> Result<(), StoreError> {
        self.links.push(LinkColumns {
            from: end(link.from)?,
            kind: link.kind.code(),
            to: end(link.to)?,
            evidence: link.evidence.to_string(),
        });
        Ok(())
    }

    pub(crate) fn add_anomaly(&mut self, anomaly: &Anomaly) -> Result<(), StoreError> {
        let [a, b, c, d, ..] = Sha256::digest(&anomaly.text)[..] else {
            return Err(StoreError::Damaged("a hash without bytes"));
        };
        self.anomalies.push(AnomalyColumns {
            position: place(&anomaly.position)?,
            copy: anomaly.position.copy,
            kind: anomaly.kind.name(),
            digest: i64::from(u32::from_be_bytes([a, b, c, d])),
            seq: anomaly.position.seq.map(u64::cast_signed),
            text: anomaly.text.to_vec(),
        });
        Ok(())
    }

    pub(crate) fn add_gap(&mut self, gap: &Gap, host: i64) -> Result<(), StoreError> {
        self.gaps.push(GapColumns {
            position: place(&gap.position)?,
            copy: gap.position.copy,
            reason: gap.reason.name(),
            host,
            seq: gap.position.seq.map(u64::cast_signed),
            wall_us: gap.stamp.wall.map(|wall| wall.0),
            uptime_us: gap.stamp.uptime.map(|uptime| uptime.0.cast_signed()),
            lost: gap.lost.map(u64::cast_signed),
        });
        Ok(())
    }

    pub(crate) async fn store(self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        const LINKS: Insert = Insert {
            head: "insert or ignore into link (from_end, from_id, kind, to_end, to_id, evidence) ",
            tail: "",
            columns: 6,
        };
        const ANOMALIES: Insert = Insert {
            head: "insert or ignore into anomaly (position, copy, kind, digest, seq, text) ",
            tail: "",
            columns: 6,
        };
        const GAPS: Insert = Insert {
            head: "insert or ignore into gap (position, copy, reason, host, seq, wall_us, uptime_us, lost) ",
            tail: "",
            columns: 8,
        };
        insert(connection, &LINKS, self.links, |values, row| {
            values
                .push_bind(row.from.0)
                .push_bind(row.from.1)
                .push_bind(row.kind)
                .push_bind(row.to.0)
                .push_bind(row.to.1)
                .push_bind(row.evidence);
        })
        .await?;
        insert(connection, &ANOMALIES, self.anomalies, |values, row| {
            values
                .push_bind(row.position)
                .push_bind(row.copy)
                .push_bind(row.kind)
                .push_bind(row.digest)
                .push_bind(row.seq)
                .push_bind(row.text);
        })
        .await?;
        insert(connection, &GAPS, self.gaps, |values, row| {
            values
                .push_bind(row.position)
                .push_bind(row.copy)
                .push_bind(row.reason)
                .push_bind(row.host)
                .push_bind(row.seq)
                .push_bind(row.wall_us)
                .push_bind(row.uptime_us)
                .push_bind(row.lost);
        })
        .await?;
        Ok(())
    }
}
