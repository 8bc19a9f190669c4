//! What the rules, and conntrack's own record, tell of connections.
//!
//! A connection's verdict follows from the told verdicts of its packets as it does from their own in the log.
//! What NAT did, and by which rule, is asked of the caller, connection by connection, within the transaction:
//! so nothing can come between what is read and what is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection as _, FromRow, Row as _};

use crate::model::{
    Connection, Direction, Endpoint, EvidenceOf, Hop, Layer, NatChange, NatKind, Tuple,
    VerdictKind, VerdictTally,
};
use crate::store::StoreError;
use crate::store::endpoint::address_key;
use crate::store::learnt::learn;
use crate::store::names::{HostName, Names};
use crate::store::read::Reader;
use crate::store::read_connections::{Columns, NatColumns, Told, VerdictColumns};
use crate::store::read_links::list;
use crate::store::rules::RuleAt;
use crate::store::snapshots::check_basis;
use crate::store::words::Coded as _;
use crate::store::write::{Memory, Writer};

/// A connection that waits to be told, as the log alone tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct UntoldConnection {
    /// The number of the host.
    pub host_id: i64,
    /// The host.
    pub host: HostName,
    /// The connection: verdict, translations and tuples are the log's own.
    pub connection: Connection,
    /// The ways of its packets in original direction, each once, in order of their first packets.
    pub paths: Vec<Arc<[Hop]>>,
}

/// What is told of a connection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectionTelling {
    /// What is told of its translations, in the order of `Connection::nat`; those beyond the end are not told.
    pub nat: Vec<NatTelling>,
    /// The reply tuple as conntrack recorded it; only parts that the log left unknown are taken.
    pub reply: Option<Tuple>,
    /// Translations that only conntrack's record shows.
    pub more_nat: Vec<(NatChange, Option<RuleAt>)>,
}

/// What is told of one translation; none leaves what the log says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatTelling {
    /// Its kind.
    pub kind: Option<NatKind>,
    /// Whether it was seen.
    pub evidence: Option<EvidenceOf>,
    /// The rule that did it.
    pub rule: Option<RuleAt>,
}

impl Writer {
    /// Tells at most `limit` of the connections that wait, in order of their keys, in one transaction; gives how many.
    ///
    /// `basis` is that of [`Tellings`](super::Tellings). `tell` is asked for each of them.
    #[expect(clippy::manual_async_fn, reason = "the future must be known to be `Send`")]
    pub fn tell_connections(
        &mut self,
        basis: &[i64],
        limit: u32,
        mut tell: impl FnMut(&UntoldConnection) -> ConnectionTelling + Send,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        async move {
            let mut transaction = self.connection.begin_with("begin immediate").await?;
            let memory = &mut self.memory;
            let told = tell_some(&mut transaction, memory, basis, limit, &mut tell).await;
            let told = told.inspect_err(|_| memory.forget())?;
            transaction.commit().await.inspect_err(|_| memory.forget())?;
            Ok(told)
        }
    }
}

type Tell<'a> = &'a mut (dyn FnMut(&UntoldConnection) -> ConnectionTelling + Send);

async fn tell_some(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    basis: &[i64],
    limit: u32,
    tell: Tell<'_>,
) -> Result<u64, StoreError> {
    memory.refresh(connection).await?;
    check_basis(connection, basis).await?;
    let rows: Vec<Columns> =
        sqlx::query_as("select * from connection where untold = 1 order by id limit ?")
            .bind(limit)
            .fetch_all(&mut *connection)
            .await?;
    let n_rows = rows.len() as u64;
    let keys: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let names = Names::default();
    let mut reader = Reader { connection, names: &names };
    let mut packets = reader.packet_verdicts(&keys).await?;
    let mut nat = reader.nat_of(&keys).await?;
    let mut told = Updates::default();
    for row in rows {
        let (id, learnt) = (row.id, row.learnt);
        let nat = nat.remove(&id).unwrap_or_default();
        let packets = packets.remove(&id).unwrap_or_default();
        let mut reader = Reader { connection: &mut *connection, names: &names };
        let untold = UntoldConnection {
            host_id: row.host,
            host: HostName::clone(&*reader.host(row.host).await?),
            connection: reader.connection_of(row, nat.clone(), Told::No).await?,
            paths: reader.original_paths(&packets).await?,
        };
        let verdict = reader.told_verdict(&untold.connection, &packets).await?;
        let telling = tell(&untold);
        told.verdicts.entry(verdict).or_default().push(id);
        put_reply(connection, id, &untold.connection, learnt, telling.reply.as_ref()).await?;
        told.add_nat(connection, memory, id, &nat, &telling.nat).await?;
        put_more_nat(connection, memory, id, &nat, &telling.more_nat).await?;
    }
    told.store(connection).await?;
    Ok(n_rows)
}

/// The packets of a connection that went one way under one telling.
struct PacketVerdicts {
    connection: i64,
    path: i64,
    direction: Direction,
    verdict: VerdictColumns,
    rule: Option<i64>,
    is_told: bool,
    packets: u64,
}

impl FromRow<'_, SqliteRow> for PacketVerdicts {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let direction = Direction::from_code(row.try_get("direction")?);
        Ok(Self {
            connection: row.try_get("connection")?,
            path: row.try_get("path")?,
            direction: direction.map_err(|error| sqlx::Error::Decode(error.into()))?,
            verdict: VerdictColumns::of(row)?,
            rule: row.try_get("rule")?,
            is_told: row.try_get("is_told")?,
            packets: row.try_get::<i64, _>("packets")?.cast_unsigned(),
        })
    }
}

/// What is told of a connection as a whole: its verdict and the rule that decided.
type ToldVerdict = Option<(VerdictColumns, Option<i64>)>;

impl Reader<'_> {
    /// The verdicts of the packets of connections, by connection, in order of their first packets. ICMP errors about a
    /// connection say nothing of it.
    async fn packet_verdicts(
        &mut self,
        keys: &[i64],
    ) -> Result<HashMap<i64, Vec<PacketVerdicts>>, StoreError> {
        let rows: Vec<PacketVerdicts> = sqlx::query_as(
            "select p.connection, w.path, w.direction, coalesce(t.verdict, w.verdict) as verdict,
                iif(t.way is null, w.evidence, t.evidence) as evidence,
                iif(t.way is null, w.verdict_hop, t.verdict_hop) as verdict_hop,
                t.rule, t.way is not null as is_told, count(*) as packets
             from packet p
             join way w on w.id = p.way
             left join telling t on t.way = p.way and t.from_us =
                (select max(x.from_us) from telling x
                    where x.way = p.way and x.from_us <= coalesce(p.wall_us, -9223372036854775808))
             where p.connection in (select value from json_each(?)) and w.direction in (0, 1)
             group by p.connection, p.way, t.from_us
             order by p.connection, min(p.id)",
        )
        .bind(list(keys))
        .fetch_all(&mut *self.connection)
        .await?;
        let mut by_connection: HashMap<i64, Vec<PacketVerdicts>> = HashMap::default();
        for row in rows {
            by_connection.entry(row.connection).or_default().push(row);
        }
        Ok(by_connection)
    }

    /// The verdict on a connection from those on its packets; none when nothing is told of any of them.
    async fn told_verdict(
        &mut self,
        connection: &Connection,
        packets: &[PacketVerdicts],
    ) -> Result<ToldVerdict, StoreError> {
        if !packets.iter().any(|packets| packets.is_told) {
            return Ok(None);
        }
        let mut tally = VerdictTally::default();
        for some in packets {
            let counted = match some.direction {
                Direction::Reply => connection.packets_reply,
                Direction::Original | Direction::Related => connection.packets_original,
            };
            let same_direction = packets.iter().filter(|other| other.direction == some.direction);
            let stored: u64 = same_direction.map(|other| other.packets).sum();
            // The frames of a datagram's fragments are no packets of their own to the connection, which counts fewer
            // then: the datagram's verdict is its own.
            if stored > counted && self.is_bridge_only(some.path).await? {
                continue;
            }
            let kind = VerdictKind::from_code(some.verdict.verdict)?;
            tally.add(kind, some.direction == Direction::Reply, || (some.verdict, some.rule));
        }
        Ok(tally.deciding(connection.state.was_established()).copied())
    }

    /// The ways of packets in original direction, each once.
    async fn original_paths(
        &mut self,
        packets: &[PacketVerdicts],
    ) -> Result<Vec<Arc<[Hop]>>, StoreError> {
        let mut ids: Vec<i64> = Vec::new();
        for some in packets.iter().filter(|some| some.direction == Direction::Original) {
            if !ids.contains(&some.path) {
                ids.push(some.path);
            }
        }
        let mut paths = Vec::with_capacity(ids.len());
        for id in ids {
            paths.push(self.path(id).await?);
        }
        Ok(paths)
    }

    async fn is_bridge_only(&mut self, path: i64) -> Result<bool, StoreError> {
        Ok(self.path(path).await?.iter().all(|hop| hop.layer == Layer::Bridge))
    }
}

/// What many connections are told alike, so that it is written at once.
#[derive(Default)]
struct Updates {
    /// The connections by verdict.
    verdicts: BTreeMap<ToldVerdict, Vec<i64>>,
    /// The connections by the index of a translation and what is told of it.
    nat: BTreeMap<(i64, ToldNat), Vec<i64>>,
}

/// What is told of a translation: kind, evidence and rule, as columns.
type ToldNat = (Option<i64>, Option<i64>, Option<i64>);

impl Updates {
    /// Adds what is told of a connection's own translations; `before` are the rows as they are.
    async fn add_nat(
        &mut self,
        connection: &mut SqliteConnection,
        memory: &mut Memory,
        id: i64,
        before: &[NatColumns],
        told: &[NatTelling],
    ) -> Result<(), StoreError> {
        let nothing = NatTelling::default();
        for (n, row) in before.iter().filter(|row| !row.is_learnt).enumerate() {
            let told = told.get(n).unwrap_or(&nothing);
            let rule = memory.rules.id_of(connection, told.rule.as_ref()).await?;
            let told = (told.kind.map(NatKind::code), told.evidence.map(EvidenceOf::code), rule);
            if (row.told_kind, row.told_evidence, row.rule) != told {
                self.nat.entry((row.idx, told)).or_default().push(id);
            }
        }
        Ok(())
    }

    async fn store(self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        for (told, ids) in self.verdicts {
            let (verdict, rule) = told.unzip();
            sqlx::query(
                "update connection set untold = null, told_verdict = ?, told_evidence = ?, told_hop = ?, told_rule = ?
                 where id in (select value from json_each(?))",
            )
            .bind(verdict.map(|verdict| verdict.verdict))
            .bind(verdict.and_then(|verdict| verdict.evidence))
            .bind(verdict.and_then(|verdict| verdict.verdict_hop))
            .bind(rule.flatten())
            .bind(list(&ids))
            .execute(&mut *connection)
            .await?;
        }
        for ((idx, (kind, evidence, rule)), ids) in self.nat {
            sqlx::query(
                "update nat set told_kind = ?, told_evidence = ?, rule = ?
                 where idx = ? and connection in (select value from json_each(?))",
            )
            .bind(kind)
            .bind(evidence)
            .bind(rule)
            .bind(idx)
            .bind(list(&ids))
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }
}

/// Writes the parts of a reply tuple that conntrack's record tells; `before` are those that it told before.
async fn put_reply(
    connection: &mut SqliteConnection,
    id: i64,
    own: &Connection,
    before: Option<i64>,
    record: Option<&Tuple>,
) -> Result<(), StoreError> {
    let (reply, learnt) = record.map_or((own.reply, None), |record| learn(own.reply, record));
    if learnt.is_none() && before.is_none() {
        return Ok(());
    }
    let key = |end: Endpoint, other: Endpoint| end.addr.filter(|_| end.addr != other.addr);
    sqlx::query(
        "update connection set reply_src = ?, reply_sport = ?, reply_dst = ?, reply_dport = ?,
            reply_src_key = ?, reply_dst_key = ?, learnt = ? where id = ?",
    )
    .bind(reply.src.addr.map(|addr| addr.to_string()))
    .bind(reply.src.port)
    .bind(reply.dst.addr.map(|addr| addr.to_string()))
    .bind(reply.dst.port)
    .bind(key(reply.src, own.original.dst).map(address_key))
    .bind(key(reply.dst, own.original.src).map(address_key))
    .bind(learnt)
    .bind(id)
    .execute(&mut *connection)
    .await?;
    // The search index may keep what is unlearnt one day: it says who can be meant, never who is.
    for end in [reply.src, reply.dst] {
        if end.addr.is_some() || end.port.is_some() {
            sqlx::query("insert or ignore into endpoint (addr, port, owner) values (?, ?, ?)")
                .bind(end.addr.map(address_key).unwrap_or_default())
                .bind(end.port.map_or(-1, i64::from))
                .bind(id)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// Writes the translations that only conntrack's record shows, in place of those that it showed before.
async fn put_more_nat(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    id: i64,
    before: &[NatColumns],
    more: &[(NatChange, Option<RuleAt>)],
) -> Result<(), StoreError> {
    let n_own = before.iter().filter(|row| !row.is_learnt).count();
    if n_own < before.len() {
        sqlx::query("delete from nat where connection = ? and learnt is not null")
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    for (idx, (change, rule)) in (n_own..).zip(more) {
        let rule = memory.rules.id_of(connection, rule.as_ref()).await?;
        let hop = match &change.site {
            Some(hop) => Some(memory.intern.hop(connection, hop).await?),
            None => None,
        };
        sqlx::query(
            "insert into nat (connection, idx, kind, from_addr, from_port, to_addr, to_port, hop, evidence, rule, learnt)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        )
        .bind(id)
        .bind(i64::try_from(idx).unwrap_or(i64::MAX))
        .bind(change.kind.code())
        .bind(change.from.addr.map(|addr| addr.to_string()))
        .bind(change.from.port)
        .bind(change.to.addr.map(|addr| addr.to_string()))
        .bind(change.to.port)
        .bind(hop)
        .bind(change.evidence.code())
        .bind(rule)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
