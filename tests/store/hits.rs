//! How often rules were met: as counted by hand from the packets.

use std::collections::{BTreeMap, BTreeSet};

use tracecol::model::*;
use tracecol::store::*;

use super::book::{NO_RULES, annotate, rule_set, snapshot};
use super::generate::{Dice, Log};
use super::{Temporary, batch, host};

const MINUTE: i64 = 60_000_000;

/// A log of an hour: two hosts, packets without a time, paths that pass a place twice.
fn log() -> Vec<Outcome> {
    let no_rules = NO_RULES.as_bytes().into();
    let mut outcomes = vec![host(), Outcome::Host { id: HostId(1), name: no_rules, netns: None }];
    let mut log = Log::new(SourceId(1), 21);
    let mut dice = Dice::new(4);
    for n in 0..60 {
        log.wall += i64::try_from(dice.below(3)).unwrap() * 47_000_000;
        let host = HostId(u32::from(n % 10 == 0));
        let mut connection = log.connection(1 + n % 5);
        for outcome in &mut connection {
            match outcome {
                Outcome::Packet(packet) => {
                    packet.host = host;
                    if n % 13 == 5 {
                        packet.first.wall = None;
                    }
                    if n % 4 == 1 {
                        let again = packet.steps[packet.steps.len() / 2].clone();
                        packet.steps.push(again);
                    }
                }
                Outcome::Connection(connection) => connection.host = host,
                _ => {}
            }
        }
        outcomes.extend(connection);
    }
    outcomes
}

async fn packets(store: &Store) -> Vec<PacketRow> {
    store.packets(&PacketQuery::default()).await.unwrap()
}

/// The database, the times of its packets, and when its second rule set begins.
async fn told() -> (Temporary, Vec<i64>, i64) {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    writer.write(batch(log())).await.unwrap();
    let rows = packets(&temporary.store).await;
    let mut walls: Vec<i64> =
        rows.iter().filter_map(|row| row.packet.first.wall.map(|wall| wall.0)).collect();
    walls.sort_unstable();
    // In the middle of a minute, between two packets.
    let is_amid = |pair: &&[i64]| pair[0] + 2 < pair[1] && pair[0] / MINUTE == pair[1] / MINUTE;
    let turn = walls.windows(2).skip(walls.len() / 3).find(is_amid).unwrap()[0] + 1;
    writer.add_snapshot(&snapshot("a", Some(0))).await.unwrap();
    writer.add_snapshot(&snapshot("b", Some(turn))).await.unwrap();
    annotate(&temporary.store, &mut writer, &|_, _| None).await;
    (temporary, walls, turn)
}

/// Hits by rule set (0 for misfits) and place (or misfit).
type Account = BTreeMap<(i64, String), Hits>;

fn by_hand(rows: &[PacketRow], query: &HitQuery, turn: i64) -> Account {
    let mut account = Account::new();
    for row in rows {
        let wall = row.packet.first.wall;
        let is_meant = wall.map_or(query.since.is_none() && query.until.is_none(), |wall| {
            query.since.is_none_or(|since| since <= wall)
                && query.until.is_none_or(|until| wall < until)
        });
        if !is_meant {
            continue;
        }
        let revision = 1 + i64::from(wall.is_some_and(|wall| wall.0 >= turn));
        let mut met: BTreeMap<(i64, String), u64> = BTreeMap::new();
        for rule in row.rules.iter().flatten() {
            let of = match &rule.misfit {
                Some(misfit) => (0, misfit.to_string()),
                None => (revision, rule.place.as_deref().unwrap().to_owned()),
            };
            *met.entry(of).or_default() += 1;
        }
        for (of, times) in met {
            let hits = account.entry(of).or_default();
            hits.packets += 1;
            hits.hits += times;
            let Some(wall) = wall else { continue };
            hits.first = Some(hits.first.map_or(wall, |first| first.min(wall)));
            hits.last = hits.last.max(Some(wall));
            let bucket = i64::from(query.bucket_minutes.max(1)) * MINUTE;
            let begin = WallTime(wall.0.div_euclid(bucket) * bucket);
            match hits.minutes.iter_mut().find(|(at, _)| *at == begin) {
                Some((_, hits)) => *hits += times,
                None => hits.minutes.push((begin, times)),
            }
            hits.minutes.sort_unstable();
        }
    }
    account
}

fn label(rule: &RuleRow) -> String {
    let RuleRow { table, chain, number, text, .. } = rule;
    match (number, text) {
        (0, Some(_)) => format!("{table}:{chain}:policy"),
        (0, None) => format!("{table}:{chain}:return"),
        _ => format!("{table}:{chain}:rule:{number}"),
    }
}

/// What was met at all, as an account.
fn met(report: &HitReport) -> Account {
    let rules = report.rules.iter().filter(|rule| rule.hits.hits > 0);
    let rules = rules.map(|rule| ((rule.rule.revision, label(&rule.rule)), rule.hits.clone()));
    let mut account: Account = rules.collect();
    for site in &report.misfits {
        // Several sites may have one misfit.
        let hits = account.entry((0, site.misfit.clone())).or_default();
        assert_eq!(*hits, Hits::default(), "one site each here");
        *hits = site.hits.clone();
    }
    account
}

#[tokio::test]
async fn hits_are_as_counted_by_hand() {
    let (temporary, walls, turn) = told().await;
    let store = &temporary.store;
    let times = [
        None,
        Some(turn),
        Some(turn - 1),
        Some(walls[5]),
        Some(walls[5] + 1),
        Some(walls[70] / MINUTE * MINUTE),
        Some(walls[110]),
        Some(walls[walls.len() - 1]),
        Some(walls[walls.len() - 1] + 1),
    ];
    let rows = packets(store).await;
    let mut n_asked = 0;
    for since in times {
        for until in times {
            for bucket_minutes in [0, 7] {
                let (since, until) = (since.map(WallTime), until.map(WallTime));
                let query = HitQuery { since, until, bucket_minutes, ..HitQuery::default() };
                let report = store.rule_hits(&query).await.unwrap();
                assert_eq!(met(&report), by_hand(&rows, &query, turn), "{query:?}");
                n_asked += usize::from(!met(&report).is_empty());
            }
        }
    }
    assert!(n_asked > 60, "{n_asked}");
}

#[tokio::test]
async fn rules_that_were_never_met_are_told_of_too() {
    let (temporary, _, turn) = told().await;
    let store = &temporary.store;
    let report = store.rule_hits(&HitQuery::default()).await.unwrap();
    let set = rule_set("a", None).rules;
    assert_eq!(report.rules.len(), 2 * set.len());
    for (n, rule) in report.rules.iter().enumerate() {
        let wanted = &set[n % set.len()];
        let own = (&*rule.rule.table, &*rule.rule.chain, rule.rule.number);
        assert_eq!(
            own,
            (&*wanted.table, &*wanted.chain, wanted.number),
            "in the order of the text"
        );
        let (id, from) = if n < set.len() { (1, 0) } else { (2, turn) };
        assert_eq!((rule.rule.revision, rule.rule.snapshot), (id, id));
        assert_eq!(rule.rule.from, Some(WallTime(from)));
        assert_eq!(rule.rule.host.as_deref(), Some("dhost"));
        assert_eq!(
            (rule.rule.family, rule.rule.target.is_some()),
            (Family::Ip4, rule.rule.text.is_some())
        );
        assert_eq!(rule.chain_reached, rule.rule.chain != "INPUT", "{:?}", rule.rule);
    }
    let unmet: BTreeSet<String> = report
        .rules
        .iter()
        .filter(|rule| rule.hits == Hits::default())
        .map(|rule| label(&rule.rule))
        .collect();
    assert!(unmet.contains("filter:FORWARD:policy") && unmet.contains("filter:INPUT:rule:2"));
    assert!(!unmet.contains("filter:FORWARD:rule:1"));

    // Only the rule sets that held in the asked time.
    let early = HitQuery { until: Some(WallTime(turn)), ..HitQuery::default() };
    let report = store.rule_hits(&early).await.unwrap();
    assert!(report.rules.iter().all(|rule| rule.rule.revision == 1));
    let late =
        HitQuery { since: Some(WallTime(turn)), host: Some("DHOST".into()), ..HitQuery::default() };
    let report = store.rule_hits(&late).await.unwrap();
    assert!(report.rules.len() == set.len() && report.rules[0].rule.revision == 2);
    let other = HitQuery { host: Some(NO_RULES.to_owned()), ..HitQuery::default() };
    assert_eq!(store.rule_hits(&other).await.unwrap(), HitReport::default());
}

#[tokio::test]
async fn sites_without_a_rule_stand_apart() {
    let (temporary, ..) = told().await;
    let report = temporary.store.rule_hits(&HitQuery::default()).await.unwrap();
    let found: Vec<(&str, &str, &str)> = report
        .misfits
        .iter()
        .map(|site| (site.host.as_str(), site.at.as_str(), site.misfit.as_str()))
        .collect();
    let misfit = "no chain DOCKER-ISOLATION-STAGE-1";
    let wanted = [
        ("dhost", "filter:DOCKER-ISOLATION-STAGE-1:return:2", misfit),
        ("dhost", "filter:DOCKER-ISOLATION-STAGE-1:rule:1", "no rule 1 there"),
    ];
    assert_eq!(found, wanted);
}

/// A busy way has too many blocks to read: its first and last packets are found by time.
#[tokio::test]
async fn a_way_with_many_blocks() {
    let temporary = Temporary::new().await;
    let mut writer = temporary.writer().await;
    let mut outcomes = vec![host()];
    let mut log = Log::new(SourceId(1), 8);
    for _ in 0..40 {
        outcomes.extend(log.connection(2));
        log.offset += 1 << 20;
        log.wall += 31_000_000;
    }
    writer.write(batch(outcomes)).await.unwrap();
    let rows = packets(&temporary.store).await;
    let ways = temporary.store.ways().await.unwrap();
    assert_eq!(ways.len(), 2);
    for way in ways {
        let mut walls: Vec<WallTime> = rows
            .iter()
            .filter(|row| row.packet.direction == way.direction)
            .filter_map(|row| row.packet.first.wall)
            .collect();
        walls.sort_unstable();
        assert_eq!((way.packets, walls.len()), (40, 40));
        assert_eq!((way.first_wall, way.last_wall), (Some(walls[0]), Some(walls[39])));
        for (a, b) in [(0, 1), (3, 9), (10, 11), (7, 7), (38, 39)] {
            for (early, late) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let from = WallTime(walls[a].0 + early);
                let until = WallTime(walls[b].0 + late);
                let within = walls.iter().filter(|wall| from <= **wall && **wall < until);
                let wanted = within.clone().min().zip(within.max());
                let span = temporary.store.span(&[way.id], Some(from), Some(until)).await.unwrap();
                assert_eq!(span.map(|span| (span.first, span.last)), wanted.map(|(a, b)| (*a, *b)));
            }
        }
        let samples = temporary.store.samples(way.id, 2).await.unwrap();
        let samples: Vec<Option<WallTime>> =
            samples.iter().map(|packet| packet.first.wall).collect();
        assert_eq!(samples, [walls[0], walls[1], walls[38], walls[39]].map(Some));
    }
}
