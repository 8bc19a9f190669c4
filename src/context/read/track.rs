//! `conntrack -L`, `conntrack -E`, `/proc/net/nf_conntrack`.

use std::net::IpAddr;

use super::Reader;
use super::words::squeezed;
use crate::context::{ConntrackEntry, ConntrackTuple, Kind};
use crate::model::{Protocol, WallTime};

/// A direction's values, as they come.
#[derive(Debug, Clone, Copy, Default)]
struct Sight {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    sport: Option<u16>,
    dport: Option<u16>,
    icmp_id: Option<u16>,
    has_icmp_code: bool,
}

impl Reader {
    /// `[1795364245.128124] [NEW] tcp 6 120 SYN_SENT src=… dst=… sport=… dport=… [UNREPLIED] src=… …`.
    pub(super) fn track_line(&mut self, number: usize, words: &[&str]) -> bool {
        if !words.iter().any(|word| word.starts_with("src=")) {
            return false;
        }
        let mut rest = words;
        let at = rest.first().and_then(|word| stamp(word));
        rest = &rest[usize::from(at.is_some())..];
        let event = rest.first().and_then(|word| word.strip_prefix('[')?.strip_suffix(']'));
        rest = &rest[usize::from(event.is_some())..];
        // `-o extended` and the file in /proc name the family first.
        if let ["ipv4" | "ipv6", family, ..] = rest
            && super::is_number(family)
        {
            rest = &rest[2..];
        }
        let Some(protocol) = protocol(rest) else { return false };
        self.found(Kind::Conntrack);
        let head = rest.iter().take_while(|word| !word.contains('='));
        let state = head.skip(1).find(|word| word.starts_with(|c: char| c.is_ascii_uppercase()));
        let (Some(original), Some(reply)) = tuples(rest) else {
            self.remark(number, "a conntrack entry without both its directions");
            return true;
        };
        self.facts.conntrack.push(ConntrackEntry {
            at,
            event: event.map(Into::into),
            protocol,
            state: state.map(|state| (*state).into()),
            original,
            reply,
            is_replied: !rest.contains(&"[UNREPLIED]"),
            is_assured: rest.contains(&"[ASSURED]"),
            text: squeezed(words),
        });
        true
    }
}

/// `[1795364245.128124]`.
fn stamp(word: &str) -> Option<WallTime> {
    let (seconds, fraction) = word.strip_prefix('[')?.strip_suffix(']')?.split_once('.')?;
    let seconds: i64 = seconds.parse().ok()?;
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some(WallTime(seconds.checked_mul(1_000_000)?.checked_add(micros)?))
}

/// The number after the protocol's name, or the name alone.
fn protocol(words: &[&str]) -> Option<u8> {
    let name = words.first()?;
    if let Some(number) = words.get(1).and_then(|word| word.parse().ok()) {
        return Some(number);
    }
    Protocol::NAMED.iter().find(|(_, known)| known == name).map(|(protocol, _)| protocol.0)
}

/// The two directions: each begins with `src=`.
fn tuples(words: &[&str]) -> (Option<ConntrackTuple>, Option<ConntrackTuple>) {
    let mut sights = [Sight::default(); 2];
    let mut seen = 0_usize;
    for word in words {
        let Some((key, value)) = word.split_once('=') else { continue };
        if key == "src" {
            seen += 1;
        }
        let Some(sight) = seen.checked_sub(1).and_then(|place| sights.get_mut(place)) else {
            continue;
        };
        match key {
            "src" => sight.src = value.parse().ok(),
            "dst" => sight.dst = sight.dst.or(value.parse().ok()),
            "sport" => sight.sport = sight.sport.or(value.parse().ok()),
            "dport" => sight.dport = sight.dport.or(value.parse().ok()),
            "code" => sight.has_icmp_code = true,
            // `-o id` adds an `id=` of another meaning at the end.
            "id" if sight.has_icmp_code => sight.icmp_id = sight.icmp_id.or(value.parse().ok()),
            _ => {}
        }
    }
    (sights[0].whole(), sights[1].whole())
}

impl Sight {
    fn whole(self) -> Option<ConntrackTuple> {
        Some(ConntrackTuple {
            src: self.src?,
            dst: self.dst?,
            sport: self.sport,
            dport: self.dport,
            icmp_id: self.icmp_id,
        })
    }
}
