//! The steps of a packet as JSON, each with what changed since the one before, and the inferred ones among them.

use std::net::IpAddr;

use serde::Serialize;

use crate::explain::{Inferred, RulePlace, ToldStep};
use crate::model::{Header, Layer, Network, Position, Site, SourceId};
use crate::rulebook::Family;
use crate::wire::parts::{device, lossy};

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// `raw:PREROUTING:policy:3`, `eb:nat:OUTPUT`, `eb:?`, `log:…`; the rule's place for a LOG line whose prefix a rule
    /// book knows; `route`, `bridge`, `conntrack:new`, `conntrack:restored`, `neighbour:wait`, `local` or `wire` for
    /// an inferred step.
    pub at: String,
    /// The prefix of a line that was made by a LOG rule or by ebtables, where `at` does not tell it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// `ip`, `ip6`, `bridge`, `arp`.
    pub layer: &'static str,
    /// Microseconds since the packet's first line.
    pub offset_us: Option<i64>,
    /// IN=.
    #[serde(rename = "in")]
    pub input: Option<String>,
    /// OUT=.
    #[serde(rename = "out")]
    pub output: Option<String>,
    /// PHYSIN=.
    pub physin: Option<String>,
    /// PHYSOUT=.
    pub physout: Option<String>,
    /// Source address; ARP's sender.
    pub src: Option<IpAddr>,
    /// Source port.
    pub sport: Option<u16>,
    /// Destination address; ARP's target.
    pub dst: Option<IpAddr>,
    /// Destination port.
    pub dport: Option<u16>,
    /// TTL or hop limit.
    pub ttl: Option<u8>,
    /// MARK=, when not zero.
    pub mark: Option<u32>,
    /// The rule's text, when a rule book knows it.
    pub rule: Option<String>,
    /// Why the rule book's text is not used here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub misfit: Option<String>,
    /// What was decided at an inferred step, and what that rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Which fields differ from what the packet showed before.
    pub changed: Vec<&'static str>,
    /// Whether no line says so and it follows from others.
    pub inferred: bool,
    /// The lines it was read from.
    pub lines: Vec<Line>,
}

/// The place of a line.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The source's name.
    pub source: String,
    /// Byte offset in the uncompressed source.
    pub offset: u64,
    /// kmsg sequence number.
    pub seq: Option<u64>,
    /// n for the n-th copy that a "message repeated" line stands for; left out for the line itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy: Option<u32>,
}

/// The steps with the inferred ones in their places.
pub(super) fn steps(
    told: &[ToldStep<'_>],
    inferred: &[Inferred],
    source_name: &dyn Fn(SourceId) -> String,
) -> Vec<Step> {
    let mut seen = Seen::default();
    let mut all = Vec::with_capacity(told.len() + inferred.len());
    let before = |index: usize| inferred.iter().filter(move |step| step.before == index);
    for (index, one) in told.iter().enumerate() {
        let layer = one.step.hop.layer;
        all.extend(before(index).map(|step| Step::inferred(step, layer)));
        all.push(step(one, &mut seen, source_name));
    }
    let layer = told.last().map_or(Layer::Ip, |last| last.step.hop.layer);
    all.extend(before(told.len()).map(|step| Step::inferred(step, layer)));
    all
}

impl Step {
    /// A step that no line shows.
    fn inferred(step: &Inferred, layer: Layer) -> Self {
        Self {
            at: step.at.name().to_owned(),
            prefix: None,
            layer: layer.name(),
            offset_us: None,
            input: None,
            output: None,
            physin: None,
            physout: None,
            src: None,
            sport: None,
            dst: None,
            dport: None,
            ttl: None,
            mark: None,
            rule: None,
            misfit: None,
            text: Some(step.sentence.plain()),
            changed: Vec::new(),
            inferred: true,
            lines: Vec::new(),
        }
    }
}

fn step(told: &ToldStep<'_>, seen: &mut Seen, source_name: &dyn Fn(SourceId) -> String) -> Step {
    let step = told.step;
    let now = Seen::of(&step.header, !step.hop.site.is_bridge());
    let changed = seen.advance(&now);
    let devices = &step.hop.devices;
    let line = |position: &Position| Line {
        source: source_name(position.source),
        offset: position.offset,
        seq: position.seq,
        copy: (position.copy > 0).then_some(position.copy),
    };
    let (at, prefix) = at(told);
    Step {
        at,
        prefix,
        layer: step.hop.layer.name(),
        offset_us: step.offset_us,
        input: device(devices.input),
        output: device(devices.output),
        physin: device(devices.physin),
        physout: device(devices.physout),
        src: now.src,
        sport: now.sport,
        dst: now.dst,
        dport: now.dport,
        ttl: now.ttl,
        mark: step.header.mark,
        rule: told.rule.as_deref().map(str::to_owned),
        misfit: told.misfit.as_deref().map(str::to_owned),
        text: None,
        changed,
        inferred: false,
        lines: std::iter::once(&step.lines.head).chain(&step.lines.pieces).map(line).collect(),
    }
}

/// Where a step is, and the prefix where that does not tell it all.
fn at(told: &ToldStep<'_>) -> (String, Option<String>) {
    let site = &told.step.hop.site;
    match (&**site, &told.place) {
        (Site::Log { prefix }, Some(place)) => (place_label(place), Some(lossy(prefix))),
        (Site::BridgeLog { prefix }, Some(place)) => {
            (format!("eb:{}:{}", place.table, place.chain), Some(lossy(prefix)))
        }
        (Site::BridgeLog { prefix }, None) => (site.label(), Some(lossy(prefix))),
        (Site::Log { .. }, None) | (Site::Trace { .. } | Site::Bridge { .. }, _) => {
            (site.label(), None)
        }
    }
}

/// `filter:FORWARD:rule:3`; `eb:filter:FORWARD:rule:3` for a bridge's.
fn place_label(place: &RulePlace) -> String {
    let RulePlace { family, table, chain, number, .. } = place;
    let layer = if *family == Family::Bridge { "eb:" } else { "" };
    format!("{layer}{table}:{chain}:rule:{number}")
}

/// The fields that are watched for changes. A line that does not print a field says nothing about it.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    src: Option<IpAddr>,
    sport: Option<u16>,
    dst: Option<IpAddr>,
    dport: Option<u16>,
    ttl: Option<u8>,
    tos: Option<u8>,
    length: Option<u32>,
    ip_id: Option<u16>,
    /// Zero is not printed, so on the IP layer no mark means zero.
    mark: Option<u32>,
}

impl Seen {
    fn of(header: &Header, prints_mark: bool) -> Self {
        let mark = header.mark.or(prints_mark.then_some(0));
        match &header.network {
            Network::Ip(ip) => {
                let ports = ip.ports();
                Self {
                    src: Some(ip.src),
                    sport: ports.map(|(sport, _)| sport),
                    dst: Some(ip.dst),
                    dport: ports.map(|(_, dport)| dport),
                    ttl: ip.ttl,
                    tos: ip.tos,
                    length: ip.length,
                    ip_id: ip.id,
                    mark,
                }
            }
            Network::Arp(arp) => Self {
                src: arp.addresses.map(|addresses| IpAddr::V4(addresses.sender_ip)),
                dst: arp.addresses.map(|addresses| IpAddr::V4(addresses.target_ip)),
                mark,
                ..Self::default()
            },
            Network::Absent | Network::Truncated | Network::Incomplete => {
                Self { mark, ..Self::default() }
            }
        }
    }

    /// Takes over what `now` says; names the fields that say something else than before.
    fn advance(&mut self, now: &Self) -> Vec<&'static str> {
        let changes = [
            ("src", take_over(&mut self.src, now.src)),
            ("sport", take_over(&mut self.sport, now.sport)),
            ("dst", take_over(&mut self.dst, now.dst)),
            ("dport", take_over(&mut self.dport, now.dport)),
            ("ttl", take_over(&mut self.ttl, now.ttl)),
            ("tos", take_over(&mut self.tos, now.tos)),
            ("length", take_over(&mut self.length, now.length)),
            ("ip_id", take_over(&mut self.ip_id, now.ip_id)),
            ("mark", take_over(&mut self.mark, now.mark)),
        ];
        changes.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
    }
}

fn take_over<T: PartialEq>(before: &mut Option<T>, now: Option<T>) -> bool {
    let Some(now) = now else { return false };
    let changed = before.as_ref().is_some_and(|before| *before != now);
    *before = Some(now);
    changed
}
