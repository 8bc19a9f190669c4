//! A small teller: it tells by rule sets what a real one would, cut down to what the store has to keep.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracecol::model::*;
use tracecol::store::*;

/// The chains of the rule sets here, as `generate` walks them.
const CHAINS: &[(&str, &str)] = &[
    ("raw", "PREROUTING"),
    ("mangle", "PREROUTING"),
    ("mangle", "FORWARD"),
    ("mangle", "POSTROUTING"),
    ("nat", "PREROUTING"),
    ("nat", "DOCKER"),
    ("nat", "POSTROUTING"),
    ("filter", "INPUT"),
    ("filter", "FORWARD"),
    ("filter", "DOCKER-USER"),
];

/// A host of which no rules are known.
pub(crate) const NO_RULES: &str = "another";

/// Rules in each chain.
const N_RULES: u32 = 4;

/// A snapshot of rules whose text is its tag.
pub(crate) fn snapshot(tag: &str, from: Option<i64>) -> NewSnapshot {
    NewSnapshot {
        kind: SnapshotKind::Rules,
        host: Some("dhost".to_owned()),
        netns: None,
        from: from.map(WallTime),
        from_how: if from.is_some() { FromHow::Given } else { FromHow::Unknown },
        name: format!("{tag}.txt"),
        text: tag.as_bytes().to_vec(),
    }
}

/// The rule set that a tag stands for: four rules in every chain.
pub(crate) fn rule_set(tag: &str, from: Option<WallTime>) -> NewRevision {
    let mut rules = Vec::new();
    for (table, chain) in CHAINS {
        let is_builtin = Hook::from_chain(chain.as_bytes()).is_some();
        let rule = |number, text: Option<String>| NewRule {
            table: (*table).into(),
            chain: (*chain).into(),
            number,
            target: text.as_ref().map(|_| "ACCEPT".into()),
            text: text.map(String::into_boxed_str),
        };
        rules.push(rule(0, is_builtin.then(|| format!("-P {chain} ACCEPT"))));
        rules.extend((1..=N_RULES).map(|n| rule(n, Some(format!("-A {chain} -j {tag}{n}")))));
    }
    NewRevision { family: Family::Ip4, from, rules }
}

/// What stands at a site by a rule set.
pub(crate) fn stands(revision: i64, site: &Site) -> Option<Stands> {
    let Site::Trace { table, chain, kind } = site else { return None };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().into_boxed_str();
    let (table, chain) = (text(table), text(chain));
    if !CHAINS.contains(&(&table, &chain)) {
        let misfit = match kind {
            SiteKind::Rule(number) => format!("no rule {number} there"),
            SiteKind::Return(_) | SiteKind::Policy(_) => format!("no chain {chain}"),
        };
        return Some(Stands::Misfit(misfit.into()));
    }
    let number = match kind {
        SiteKind::Rule(number) => *number,
        SiteKind::Return(_) | SiteKind::Policy(_) => 0,
    };
    Some(Stands::Rule(RuleAt { revision, table, chain, number }))
}

/// How the verdict on a way is told: by the way and the tag of the rule set.
pub(crate) type Judge<'a> = &'a dyn Fn(&WayFacts, &str) -> Option<VerdictKind>;

/// Tells by the rule of a way's last hop that has one; the verdict says which chain and tag decided.
pub(crate) fn dropped_by(tag: &'static str) -> impl Fn(&WayFacts, &str) -> Option<VerdictKind> {
    move |way, of| {
        let kind = if of == tag { VerdictKind::Dropped } else { VerdictKind::Accepted };
        (way.direction != Some(Direction::Reply)).then_some(kind)
    }
}

/// A whole run of telling; tells how much there was to tell: ways told otherwise, and connections.
pub(crate) async fn annotate(store: &Store, writer: &mut Writer, judge: Judge<'_>) -> (u64, u64) {
    let basis = tell_ways(store, writer, judge).await;
    let connections = tell_connections(writer, &basis.0, u32::MAX).await;
    (basis.1, connections)
}

/// The first half of a run.
pub(crate) async fn tell_ways(
    store: &Store,
    writer: &mut Writer,
    judge: Judge<'_>,
) -> (Vec<i64>, u64) {
    let (basis, history) = file(store, writer).await;
    let mut tellings = Tellings { basis: basis.clone(), ..Tellings::default() };
    let mut sites: BTreeSet<(i64, Layer, Arc<Site>)> = BTreeSet::new();
    let mut hosts = BTreeSet::new();
    for way in store.ways().await.unwrap() {
        if way.host.name == NO_RULES {
            tellings.ways.push(WayTelling { way: way.id, verdicts: Vec::new() });
            continue;
        }
        let verdicts = history.iter().filter_map(|(from, revision, tag)| {
            let kind = judge(&way, tag)?;
            let is_trace = |hop: &&Hop| stands(*revision, &hop.site).is_some();
            let hop = way.hops.iter().rev().find(is_trace)?;
            let rule = match stands(*revision, &hop.site) {
                Some(Stands::Rule(rule)) => Some(rule),
                _ => None,
            };
            let evidence = Some(VerdictEvidence::Rule);
            let verdict = Verdict { kind, evidence, site: Some(hop.clone()) };
            Some(VerdictFrom { from: *from, verdict, rule })
        });
        tellings.ways.push(WayTelling { way: way.id, verdicts: verdicts.collect() });
        sites.extend(way.hops.iter().map(|hop| (way.host_id, hop.layer, Arc::clone(&hop.site))));
        hosts.insert(way.host_id);
    }
    tellings.sites.extend(sites.into_iter().map(|(host_id, layer, site)| {
        let stands = history.iter().map(|(from, revision, _)| StandsFrom {
            from: *from,
            stands: if layer == Layer::Ip { stands(*revision, &site) } else { None },
        });
        SiteTelling { host_id, layer, stands: stands.collect(), site }
    }));
    tellings.held.extend(hosts.into_iter().map(|host_id| {
        let held = history
            .iter()
            .map(|(from, revision, _)| RulesFrom { from: *from, revisions: vec![*revision] });
        HostRules { host_id, held: held.collect() }
    }));
    (basis, writer.tell(&tellings).await.unwrap())
}

/// Files the rules of all snapshots; gives the basis and the history: from when, which rule set, its tag.
type History = Vec<(Option<WallTime>, i64, String)>;
async fn file(store: &Store, writer: &mut Writer) -> (Vec<i64>, History) {
    let snapshots = store.snapshots().await.unwrap();
    let mut history = Vec::new();
    for snapshot in &snapshots {
        if snapshot.kind == SnapshotKind::Rules {
            let tag = String::from_utf8(snapshot.text.clone()).unwrap();
            let set = rule_set(&tag, snapshot.from);
            let ids = writer.file_rules(snapshot.id, &[set]).await.unwrap();
            history.push((snapshot.from, ids[0], tag));
        }
    }
    (snapshots.iter().map(|snapshot| snapshot.id).collect(), history)
}

/// The second half: every destination that was rewritten was redirected, by rule 2 of nat:DOCKER in the first set.
pub(crate) async fn tell_connections(writer: &mut Writer, basis: &[i64], limit: u32) -> u64 {
    let tell = |untold: &UntoldConnection| {
        let nat = untold.connection.nat.iter().map(|_| NatTelling {
            kind: Some(NatKind::Redirect),
            evidence: Some(EvidenceOf::Observed),
            rule: Some(RuleAt {
                revision: 1,
                table: "nat".into(),
                chain: "DOCKER".into(),
                number: 2,
            }),
        });
        ConnectionTelling { nat: nat.collect(), ..ConnectionTelling::default() }
    };
    writer.tell_connections(basis, limit, tell).await.unwrap()
}
