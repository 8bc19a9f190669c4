//! How often each rule was met: from the counts by way and minute.
//!
//! Packets are read only where that is cheap and the counts do not tell: in minutes that a change of the rules or the
//! asked time cuts in two, and for the exact first and last hit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use crate::model::{Family, Layer, WallTime};
use crate::store::StoreError;
use crate::store::hits::{HitQuery, HitReport, Hits, RuleHits, RuleRow, SiteHits};
use crate::store::names::HostName;
use crate::store::read::Reader;
use crate::store::read_links::list;
use crate::store::read_ways::{EVER, MINUTE_US, Times};
use crate::store::rules::family_of;
use crate::store::tell::NO_REVISION;
use crate::store::words::Coded as _;

/// Hits being counted.
#[derive(Default)]
struct Tally {
    hits: u64,
    packets: u64,
    first: Option<i64>,
    last: Option<i64>,
    minutes: BTreeMap<i64, u64>,
}

impl Tally {
    /// Adds packets that met a place so many times each.
    fn add(&mut self, traffic: &Traffic, times: u64) {
        self.packets += traffic.packets;
        self.hits += traffic.packets * times;
        self.first = self.first.into_iter().chain(traffic.first).min();
        self.last = self.last.max(traffic.last);
        for (minute, packets) in &traffic.minutes {
            *self.minutes.entry(*minute).or_default() += packets * times;
        }
    }

    fn finish(self) -> Hits {
        let minute =
            |(minute, hits): (i64, u64)| (WallTime(minute.saturating_mul(MINUTE_US)), hits);
        Hits {
            hits: self.hits,
            packets: self.packets,
            first: self.first.map(WallTime),
            last: self.last.map(WallTime),
            minutes: self.minutes.into_iter().map(minute).collect(),
        }
    }
}

/// The packets that went a way in some time.
#[derive(Default)]
struct Traffic {
    packets: u64,
    first: Option<i64>,
    last: Option<i64>,
    /// Packets by the minute at which a span begins.
    minutes: BTreeMap<i64, u64>,
}

/// What stands at a host's sites, by time.
struct HostBook {
    host: i64,
    name: Arc<HostName>,
    /// From when on which rule sets held.
    held: BTreeMap<i64, Vec<i64>>,
    /// By site and layer, from when on.
    sites: HashMap<(i64, i64), BTreeMap<i64, Stands>>,
}

/// What stands at a site: a rule's id, or why none is shown.
type Stands = (Option<i64>, Option<String>);

impl HostBook {
    /// The times between `from` and `until` in which nothing changes.
    fn spans(&self, (from, until): Times) -> Vec<Times> {
        let turns = self.held.keys().chain(self.sites.values().flat_map(BTreeMap::keys));
        let within: BTreeSet<i64> = turns.copied().filter(|at| from < *at && *at < until).collect();
        let starts = std::iter::once(from).chain(within.iter().copied());
        let ends = within.iter().copied().chain([until]);
        starts.zip(ends).filter(|(from, until)| from < until).collect()
    }
}

/// The value that holds at a time.
fn at<T>(history: &BTreeMap<i64, T>, time: i64) -> Option<&T> {
    history.range(..=time).next_back().map(|(_, value)| value)
}

/// A site as chains are told by it.
struct SiteRow {
    id: i64,
    label: String,
    /// Whether it is a line of ebtables.
    is_bridge: bool,
    chain: Option<(String, String)>,
}

impl FromRow<'_, SqliteRow> for SiteRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let table: Option<Vec<u8>> = row.try_get("table_name")?;
        let chain: Option<Vec<u8>> = row.try_get("chain")?;
        Ok(Self {
            id: row.try_get("id")?,
            label: row.try_get("label")?,
            is_bridge: row.try_get::<i64, _>("kind")? >= 4,
            chain: table.map(text).zip(chain.map(text)),
        })
    }
}

impl SiteRow {
    /// Whether a line of this layer comes from a chain of a rule set of this family, when the names agree.
    fn is_of(&self, family: Family, layer: Layer) -> bool {
        match family {
            Family::Ip4 => layer == Layer::Ip && !self.is_bridge,
            Family::Ip6 => layer == Layer::Ip6 && !self.is_bridge,
            Family::Inet => matches!(layer, Layer::Ip | Layer::Ip6) && !self.is_bridge,
            Family::Arp => layer == Layer::Arp && !self.is_bridge,
            Family::Bridge => layer == Layer::Bridge || self.is_bridge,
            Family::Netdev => false,
        }
    }
}

/// Where hits are counted: a rule, or a site with the reason for which no rule is shown.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place<'a> {
    Rule(i64),
    Site(i64, &'a str),
}

/// The whole account.
#[derive(Default)]
struct Account {
    rules: HashMap<i64, Tally>,
    misfits: BTreeMap<(i64, i64, String), Tally>,
    /// The rule sets that held.
    held: BTreeSet<i64>,
    /// Chains that lines came from: rule set, table, chain.
    reached: HashSet<(i64, String, String)>,
}

impl Reader<'_> {
    /// How often each rule was met.
    pub(crate) async fn rule_hits(&mut self, query: &HitQuery) -> Result<HitReport, StoreError> {
        let times = (
            query.since.map_or(EVER.0, |since| since.0),
            query.until.map_or(EVER.1, |until| until.0),
        );
        let bucket = i64::from(query.bucket_minutes.max(1));
        let sites = self.site_rows().await?;
        let families = self.families().await?;
        let mut account = Account::default();
        let mut hosts = Vec::new();
        for host in self.host_ids(query.host.as_deref()).await? {
            let book = self.host_book(host).await?;
            let paths = self.way_sites(host).await?;
            for span in book.spans(times) {
                let held = at(&book.held, span.0).map_or(&[][..], Vec::as_slice);
                account.held.extend(held);
                let untimed = times == EVER && span.0 == EVER.0;
                let traffic = self.traffic(host, span, bucket, untimed).await?;
                for (way, traffic) in traffic {
                    let path = paths.get(&way).map_or(&[][..], Vec::as_slice);
                    account.add(&book, span.0, path, &traffic);
                    for (site, layer) in path {
                        let Some(site) = sites.get(site) else { continue };
                        let layer = Layer::from_code(*layer)?;
                        let of = |family: &Family| site.is_of(*family, layer);
                        let held = held.iter().filter(|id| families.get(id).is_some_and(of));
                        account.reach(held.copied(), site.chain.as_ref());
                    }
                }
            }
            hosts.push(book);
        }
        let misfits = std::mem::take(&mut account.misfits);
        let misfits = misfits.into_iter().map(|((host, site, misfit), tally)| {
            let host = hosts.iter().find(|book| book.host == host).map(|book| &*book.name);
            SiteHits {
                host: host.map(|host| host.name.clone()).unwrap_or_default(),
                netns: host.and_then(|host| host.netns.clone()),
                at: sites.get(&site).map(|site| site.label.clone()).unwrap_or_default(),
                misfit,
                hits: tally.finish(),
            }
        });
        let misfits = misfits.collect();
        Ok(HitReport { rules: self.rules_with_hits(account).await?, misfits })
    }

    async fn rules_with_hits(&mut self, mut account: Account) -> Result<Vec<RuleHits>, StoreError> {
        let met = account.rules.keys().map(|rule| rule >> 24);
        let revisions: BTreeSet<i64> = account.held.iter().copied().chain(met).collect();
        let revisions: Vec<i64> = revisions.into_iter().filter(|id| *id != NO_REVISION).collect();
        let rows: Vec<RuleColumns> = sqlx::query_as(
            "select r.*, v.id as revision, v.snapshot, v.family, v.from_us, s.host, s.netns
             from revision v
             join snapshot s on s.id = v.snapshot
             join rule r on r.id between v.id << 24 and (v.id << 24) + 16777215
             where v.id in (select value from json_each(?))
             order by r.id",
        )
        .bind(list(&revisions))
        .fetch_all(&mut *self.connection)
        .await?;
        for RuleColumns(id, rule) in &rows {
            if account.rules.contains_key(id) {
                account.reached.insert((rule.revision, rule.table.clone(), rule.chain.clone()));
            }
        }
        let rules = rows.into_iter().map(|RuleColumns(id, rule)| {
            let chain = (rule.revision, rule.table.clone(), rule.chain.clone());
            RuleHits {
                hits: account.rules.remove(&id).unwrap_or_default().finish(),
                chain_reached: account.reached.contains(&chain),
                rule,
            }
        });
        Ok(rules.collect())
    }

    async fn host_ids(&mut self, name: Option<&str>) -> Result<Vec<i64>, StoreError> {
        let ids = sqlx::query_scalar(
            "select id from host where ?1 is null or lower(label) = lower(?1) order by id",
        )
        .bind(name)
        .fetch_all(&mut *self.connection)
        .await?;
        Ok(ids)
    }

    async fn host_book(&mut self, host: i64) -> Result<HostBook, StoreError> {
        let held: Vec<(i64, i64)> = sqlx::query_as(
            "select from_us, revision from held where host = ? order by from_us, revision",
        )
        .bind(host)
        .fetch_all(&mut *self.connection)
        .await?;
        let stands: Vec<SiteColumns> = sqlx::query_as("select * from rule_site where host = ?")
            .bind(host)
            .fetch_all(&mut *self.connection)
            .await?;
        let mut book = HostBook {
            host,
            name: self.host(host).await?,
            held: BTreeMap::new(),
            sites: HashMap::new(),
        };
        for (from, revision) in held {
            book.held.entry(from).or_default().push(revision);
        }
        for SiteColumns { site, from_us, stands } in stands {
            book.sites.entry(site).or_default().insert(from_us, stands);
        }
        Ok(book)
    }

    /// The packets of a host in a time, by way. `untimed` takes those without wall time along.
    async fn traffic(
        &mut self,
        host: i64,
        span: Times,
        bucket: i64,
        untimed: bool,
    ) -> Result<BTreeMap<i64, Traffic>, StoreError> {
        let mut ways: BTreeMap<i64, Traffic> = BTreeMap::new();
        let Cut { parts, minutes } = cut(span);
        let mut counts: Vec<(i64, i64, i64)> = sqlx::query_as(
            "select w.id, m.minute / ?, sum(m.packets) from way w
             cross join way_minute m on m.way = w.id and m.minute >= ? and m.minute < ? and m.minute <> -1
             where w.host = ? group by 1, 2",
        )
        .bind(bucket)
        .bind(minutes.0)
        .bind(minutes.1)
        .bind(host)
        .fetch_all(&mut *self.connection)
        .await?;
        for (from, until) in parts {
            let part: Vec<(i64, i64)> = sqlx::query_as(
                "select p.way, count(*) from packet p where p.wall_us >= ? and p.wall_us < ?
                    and p.way in (select id from way where host = ?) group by p.way",
            )
            .bind(from)
            .bind(until)
            .bind(host)
            .fetch_all(&mut *self.connection)
            .await?;
            let minute = from.div_euclid(MINUTE_US).div_euclid(bucket);
            counts.extend(part.into_iter().map(|(way, packets)| (way, minute, packets)));
        }
        for (way, minute, packets) in counts {
            let traffic = ways.entry(way).or_default();
            let packets = packets.cast_unsigned();
            traffic.packets += packets;
            *traffic.minutes.entry(minute.saturating_mul(bucket)).or_default() += packets;
        }
        for (way, traffic) in &mut ways {
            if let Some(exact) = self.way_span(*way, span).await? {
                (traffic.first, traffic.last) = (Some(exact.first.0), Some(exact.last.0));
            }
        }
        if untimed {
            let counts: Vec<(i64, i64)> = sqlx::query_as(
                "select w.id, m.packets from way w
                 cross join way_minute m on m.way = w.id and m.minute = -1 where w.host = ?",
            )
            .bind(host)
            .fetch_all(&mut *self.connection)
            .await?;
            for (way, packets) in counts {
                ways.entry(way).or_default().packets += packets.cast_unsigned();
            }
        }
        Ok(ways)
    }

    /// The sites of a host's ways with their layers, in order.
    async fn way_sites(&mut self, host: i64) -> Result<HashMap<i64, Vec<(i64, i64)>>, StoreError> {
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
            "select w.id, h.site, h.layer from way w join path_hop o on o.path = w.path
             join hop h on h.id = o.hop where w.host = ? order by w.id, o.idx",
        )
        .bind(host)
        .fetch_all(&mut *self.connection)
        .await?;
        let mut ways: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        for (way, site, layer) in rows {
            ways.entry(way).or_default().push((site, layer));
        }
        Ok(ways)
    }

    async fn site_rows(&mut self) -> Result<HashMap<i64, SiteRow>, StoreError> {
        let rows: Vec<SiteRow> =
            sqlx::query_as("select * from site").fetch_all(&mut *self.connection).await?;
        Ok(rows.into_iter().map(|site| (site.id, site)).collect())
    }

    async fn families(&mut self) -> Result<HashMap<i64, Family>, StoreError> {
        let rows: Vec<(i64, String)> = sqlx::query_as("select id, family from revision")
            .fetch_all(&mut *self.connection)
            .await?;
        rows.into_iter().map(|(id, family)| Ok((id, family_of(&family)?))).collect()
    }
}

impl Account {
    /// Notes that a line came from this chain of the rule sets.
    fn reach(&mut self, held: impl Iterator<Item = i64>, chain: Option<&(String, String)>) {
        let Some((table, chain)) = chain else { return };
        self.reached.extend(held.map(|revision| (revision, table.clone(), chain.clone())));
    }

    /// Adds the packets that went a path, under what stood at its sites at a time.
    fn add(&mut self, book: &HostBook, time: i64, path: &[(i64, i64)], traffic: &Traffic) {
        let mut places: BTreeMap<Place<'_>, u64> = BTreeMap::new();
        for site in path {
            let place = match book.sites.get(site).and_then(|history| at(history, time)) {
                Some((Some(rule), _)) => Place::Rule(*rule),
                Some((None, Some(misfit))) => Place::Site(site.0, misfit),
                Some((None, None)) | None => continue,
            };
            *places.entry(place).or_default() += 1;
        }
        for (place, times) in places {
            let tally = match place {
                Place::Rule(rule) => self.rules.entry(rule).or_default(),
                Place::Site(site, misfit) => {
                    self.misfits.entry((book.host, site, misfit.to_owned())).or_default()
                }
            };
            tally.add(traffic, times);
        }
    }
}

/// A time as whole minutes and the parts of minutes before and after them.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    parts: Vec<Times>,
    /// From the first to before the second.
    minutes: (i64, i64),
}

fn cut((from, until): Times) -> Cut {
    let floor = |time: i64| time.div_euclid(MINUTE_US);
    let ceiling = |time: i64| floor(time) + i64::from(time.rem_euclid(MINUTE_US) != 0);
    let first = if from == EVER.0 { floor(from) } else { ceiling(from) };
    let end = if until == EVER.1 { ceiling(until) } else { floor(until) };
    if end < first {
        // Both are within one minute.
        return Cut { parts: vec![(from, until)], minutes: (first, first) };
    }
    let mut parts = Vec::new();
    if from != EVER.0 && from < first * MINUTE_US {
        parts.push((from, first * MINUTE_US));
    }
    if until != EVER.1 && end * MINUTE_US < until {
        parts.push((end * MINUTE_US, until));
    }
    Cut { parts, minutes: (first, end) }
}

/// A row of table `rule_site` without its host.
struct SiteColumns {
    /// Site and layer.
    site: (i64, i64),
    from_us: i64,
    stands: Stands,
}

impl FromRow<'_, SqliteRow> for SiteColumns {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            site: (row.try_get("site")?, row.try_get("layer")?),
            from_us: row.try_get("from_us")?,
            stands: (row.try_get("rule")?, row.try_get("misfit")?),
        })
    }
}

/// A row of table `rule` with its rule set, and its id.
struct RuleColumns(i64, RuleRow);

impl FromRow<'_, SqliteRow> for RuleColumns {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let family: String = row.try_get("family")?;
        let family = family_of(&family).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let rule = RuleRow {
            revision: row.try_get("revision")?,
            snapshot: row.try_get("snapshot")?,
            host: row.try_get("host")?,
            netns: row.try_get("netns")?,
            from: row.try_get::<Option<i64>, _>("from_us")?.map(WallTime),
            family,
            table: row.try_get("table_name")?,
            chain: row.try_get("chain")?,
            number: row.try_get("number")?,
            text: row.try_get("text")?,
            target: row.try_get("target")?,
        };
        Ok(Self(row.try_get("id")?, rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_at_minutes() {
        const M: i64 = MINUTE_US;
        let cut = |from, until| {
            let Cut { parts, minutes } = super::cut((from, until));
            (parts, minutes)
        };
        assert_eq!(cut(2 * M, 5 * M), (vec![], (2, 5)));
        assert_eq!(
            cut(2 * M - 1, 5 * M + 7),
            (vec![(2 * M - 1, 2 * M), (5 * M, 5 * M + 7)], (2, 5))
        );
        assert_eq!(cut(2 * M + 1, 2 * M + 9), (vec![(2 * M + 1, 2 * M + 9)], (3, 3)));
        assert_eq!(cut(M + 1, 2 * M), (vec![(M + 1, 2 * M)], (2, 2)));
        assert_eq!(cut(M, M + 5), (vec![(M, M + 5)], (1, 1)));
        let (parts, (first, end)) = cut(EVER.0, EVER.1);
        assert_eq!(parts, []);
        assert!(first < -1_000_000 && end > 1_000_000);
        assert_eq!(cut(EVER.0, M).0, []);
        assert_eq!(cut(EVER.0, M + 1).0, [(M, M + 1)]);
    }
}
