//! What the rules tell of ways and sites: written beside what the log alone says, never over it.
//!
//! A run of telling goes like this; it may be killed between any two calls, and the next run completes it:
//!
//! 1. [`Store::pending`](crate::store::Store::pending): nothing waits, nothing to do.
//! 2. When ways wait: [`Store::snapshots`](crate::store::Store::snapshots), [`Writer::file_rules`] for each rules snapshot, [`Store::ways`](crate::store::Store::ways), and one
//!    [`Writer::tell`] with what is told of the ways that wait (or of all).
//! 3. [`Writer::tell_connections`] until it has told none.

use std::sync::Arc;

use foldhash::HashMap;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection as _, FromRow, Row as _};

use crate::model::{Layer, Site, Verdict, WallTime};
use crate::store::StoreError;
use crate::store::read_links::list;
use crate::store::rules::RuleAt;
use crate::store::snapshots::check_basis;
use crate::store::words::Coded as _;
use crate::store::write::{Memory, Writer};

/// What is told, of any number of ways and sites, in one transaction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tellings {
    /// The numbers of the snapshots that this rests on, as [`Store::snapshots`](crate::store::Store::snapshots) gave them. When they are no longer
    /// those of the database, nothing is written and [`StoreError::SnapshotsChanged`] says so.
    pub basis: Vec<i64>,
    /// The ways told. What was told of one before is replaced; the others keep what they have.
    pub ways: Vec<WayTelling>,
    /// The sites told. What was told of one before is replaced; the others keep what they have.
    pub sites: Vec<SiteTelling>,
    /// Which rule sets held when. What was told of a host before is replaced.
    pub held: Vec<HostRules>,
}

/// What the rules tell of a way.
#[derive(Debug, Clone, PartialEq)]
pub struct WayTelling {
    /// The way's number.
    pub way: i64,
    /// The verdicts by time; empty when the rules tell nothing and the log's own verdict holds.
    /// The earliest reaches back to the beginning.
    pub verdicts: Vec<VerdictFrom>,
}

/// A verdict, from a time on. Where the rules of one time tell a verdict and those of another none, the latter's is the
/// log's own.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictFrom {
    /// The time; none is the beginning.
    pub from: Option<WallTime>,
    /// The verdict. Its site is one of the way's hops.
    pub verdict: Verdict,
    /// The rule that decided.
    pub rule: Option<RuleAt>,
}

/// What the rules tell of a site.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteTelling {
    /// The number of the host.
    pub host_id: i64,
    /// The layer of the line.
    pub layer: Layer,
    /// The site.
    pub site: Arc<Site>,
    /// What stands there by time; empty when no rule set says anything of it.
    /// The earliest reaches back to the beginning.
    pub stands: Vec<StandsFrom>,
}

/// What stands at a site, from a time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandsFrom {
    /// The time; none is the beginning.
    pub from: Option<WallTime>,
    /// What stands there; none when no rule set of that time is for this layer.
    pub stands: Option<Stands>,
}

/// What stands at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// This rule, policy or chain end.
    Rule(RuleAt),
    /// A rule set is there but cannot be the one that the packets met: a sentence.
    Misfit(Box<str>),
}

/// Which rule sets held on a host, by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRules {
    /// The number of the host.
    pub host_id: i64,
    /// By time; the earliest reaches back to the beginning.
    pub held: Vec<RulesFrom>,
}

/// Which rule sets held, from a time on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesFrom {
    /// The time; none is the beginning.
    pub from: Option<WallTime>,
    /// The numbers of the rule sets, as [`Writer::file_rules`] gave them.
    pub revisions: Vec<i64>,
}

impl Writer {
    /// Writes what the rules tell of ways and sites. Connections with a packet on a way that was told otherwise
    /// before wait to be told again. Gives the number of ways of which something else is told than before.
    #[expect(clippy::manual_async_fn, reason = "the future must be known to be `Send`")]
    pub fn tell(
        &mut self,
        tellings: &Tellings,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        async move {
            let mut transaction = self.connection.begin_with("begin immediate").await?;
            let memory = &mut self.memory;
            let told = tell(&mut transaction, memory, tellings).await;
            let changed = told.inspect_err(|_| memory.forget())?;
            transaction.commit().await.inspect_err(|_| memory.forget())?;
            Ok(changed)
        }
    }
}

/// A row of table `telling` without its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct VerdictRow {
    from_us: i64,
    verdict: i64,
    evidence: Option<i64>,
    hop: Option<i64>,
    rule: Option<i64>,
}

impl FromRow<'_, SqliteRow> for VerdictRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            from_us: row.try_get("from_us")?,
            verdict: row.try_get("verdict")?,
            evidence: row.try_get("evidence")?,
            hop: row.try_get("verdict_hop")?,
            rule: row.try_get("rule")?,
        })
    }
}

/// A row of table `rule_site` without its site.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StandsRow {
    from_us: i64,
    rule: Option<i64>,
    misfit: Option<String>,
}

async fn tell(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    tellings: &Tellings,
) -> Result<u64, StoreError> {
    memory.refresh(connection).await?;
    check_basis(connection, &tellings.basis).await?;
    let was_told = was_told(connection).await?;
    let before = verdicts_before(connection).await?;
    let mut changed = 0;
    let mut told_otherwise = Vec::new();
    for WayTelling { way, verdicts } in &tellings.ways {
        let was_told = was_told.get(way).copied();
        let was_told = was_told.ok_or(StoreError::NoSuch { what: "way", id: *way })?;
        let rows = verdict_rows(connection, memory, verdicts).await?;
        if before.get(way).map_or(&[][..], Vec::as_slice) != rows {
            put_verdicts(connection, *way, &rows).await?;
            changed += 1;
            told_otherwise.extend(was_told.then_some(*way));
        }
        if !was_told {
            sqlx::query("update way set told = 1 where id = ?")
                .bind(way)
                .execute(&mut *connection)
                .await?;
        }
    }
    // The connections of a way that was not told since it came, or since the snapshots changed, wait already.
    if !told_otherwise.is_empty() {
        await_telling(connection, &told_otherwise).await?;
    }
    for site in &tellings.sites {
        put_site(connection, memory, site).await?;
    }
    for host in &tellings.held {
        put_held(connection, host).await?;
    }
    Ok(changed)
}

/// All ways, and whether each was told.
async fn was_told(connection: &mut SqliteConnection) -> Result<HashMap<i64, bool>, StoreError> {
    let rows: Vec<(i64, bool)> =
        sqlx::query_as("select id, told is not null from way").fetch_all(&mut *connection).await?;
    Ok(rows.into_iter().collect())
}

/// What was told of the ways before.
async fn verdicts_before(
    connection: &mut SqliteConnection,
) -> Result<HashMap<i64, Vec<VerdictRow>>, StoreError> {
    let rows: Vec<(i64, VerdictRow)> = sqlx::query("select * from telling order by way, from_us")
        .try_map(|row: SqliteRow| Ok((row.try_get("way")?, VerdictRow::from_row(&row)?)))
        .fetch_all(&mut *connection)
        .await?;
    let mut before: HashMap<i64, Vec<VerdictRow>> = HashMap::default();
    for (way, row) in rows {
        before.entry(way).or_default().push(row);
    }
    Ok(before)
}

async fn verdict_rows(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    verdicts: &[VerdictFrom],
) -> Result<Vec<VerdictRow>, StoreError> {
    let mut rows: Vec<VerdictRow> = Vec::with_capacity(verdicts.len());
    for (from_us, told) in by_time(verdicts, |told| told.from) {
        let (verdict, evidence, hop) = memory.intern.verdict(connection, &told.verdict).await?;
        let rule = memory.rules.id_of(connection, told.rule.as_ref()).await?;
        let row = VerdictRow { from_us, verdict, evidence, hop, rule };
        let same = |last: &VerdictRow| VerdictRow { from_us, ..*last } == row;
        if !rows.last().is_some_and(same) {
            rows.push(row);
        }
    }
    Ok(rows)
}

async fn put_verdicts(
    connection: &mut SqliteConnection,
    way: i64,
    rows: &[VerdictRow],
) -> Result<(), StoreError> {
    sqlx::query("delete from telling where way = ?").bind(way).execute(&mut *connection).await?;
    for row in rows {
        sqlx::query(
            "insert into telling (way, from_us, verdict, evidence, verdict_hop, rule) values (?, ?, ?, ?, ?, ?)",
        )
        .bind(way)
        .bind(row.from_us)
        .bind(row.verdict)
        .bind(row.evidence)
        .bind(row.hop)
        .bind(row.rule)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Makes the connections with a packet on one of the ways wait to be told again.
async fn await_telling(connection: &mut SqliteConnection, ways: &[i64]) -> Result<(), StoreError> {
    sqlx::query(
        "update connection set untold = 1 where untold is null and id in
            (with wanted as materialized (select value as way from json_each(?))
             select p.connection
             from (select distinct b.block as block from wanted w join way_block b on b.way = w.way) b
             cross join packet p on p.id between b.block << 20 and (b.block << 20) + 1048575
             where p.way in (select way from wanted))",
    )
    .bind(list(ways))
    .execute(&mut *connection)
    .await?;
    Ok(())
}

async fn put_site(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    telling: &SiteTelling,
) -> Result<(), StoreError> {
    let site = memory.intern.site(connection, &telling.site).await?;
    let layer = telling.layer.code();
    let mut rows: Vec<StandsRow> = Vec::with_capacity(telling.stands.len());
    for (from_us, told) in by_time(&telling.stands, |told| told.from) {
        let (rule, misfit) = match &told.stands {
            None => (None, None),
            Some(Stands::Rule(at)) => (Some(memory.rules.id(connection, at).await?), None),
            Some(Stands::Misfit(sentence)) => (None, Some(sentence.to_string())),
        };
        let row = StandsRow { from_us, rule, misfit };
        let same = |last: &StandsRow| last.rule == row.rule && last.misfit == row.misfit;
        if !rows.last().is_some_and(same) {
            rows.push(row);
        }
    }
    if rows.iter().all(|row| row.rule.is_none() && row.misfit.is_none()) {
        rows.clear();
    }
    sqlx::query("delete from rule_site where host = ? and site = ? and layer = ?")
        .bind(telling.host_id)
        .bind(site)
        .bind(layer)
        .execute(&mut *connection)
        .await?;
    for row in rows {
        sqlx::query(
            "insert into rule_site (host, site, layer, from_us, rule, misfit) values (?, ?, ?, ?, ?, ?)",
        )
        .bind(telling.host_id)
        .bind(site)
        .bind(layer)
        .bind(row.from_us)
        .bind(row.rule)
        .bind(row.misfit)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// `held.revision` when no rule set held.
pub(crate) const NO_REVISION: i64 = 0;

async fn put_held(connection: &mut SqliteConnection, host: &HostRules) -> Result<(), StoreError> {
    sqlx::query("delete from held where host = ?")
        .bind(host.host_id)
        .execute(&mut *connection)
        .await?;
    for (from_us, rules) in by_time(&host.held, |rules| rules.from) {
        let none = [NO_REVISION];
        let revisions = if rules.revisions.is_empty() { &none[..] } else { &rules.revisions };
        for revision in revisions {
            sqlx::query("insert or ignore into held (host, from_us, revision) values (?, ?, ?)")
                .bind(host.host_id)
                .bind(from_us)
                .bind(revision)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// The items in order of time, each with the column `from_us`: the earliest reaches back to the beginning, and of
/// those of one time the last counts.
fn by_time<T>(items: &[T], from: impl Fn(&T) -> Option<WallTime>) -> Vec<(i64, &T)> {
    let mut timed: Vec<(i64, &T)> =
        items.iter().map(|item| (from(item).map_or(i64::MIN, |from| from.0), item)).collect();
    timed.sort_by_key(|(from, _)| *from);
    if let Some((from, _)) = timed.first().copied() {
        timed
            .iter_mut()
            .filter(|(other, _)| *other == from)
            .for_each(|(other, _)| *other = i64::MIN);
    }
    let mut last_of_each: Vec<(i64, &T)> = Vec::with_capacity(timed.len());
    for (from, item) in timed {
        match last_of_each.last_mut() {
            Some(last) if last.0 == from => *last = (from, item),
            _ => last_of_each.push((from, item)),
        }
    }
    last_of_each
}
