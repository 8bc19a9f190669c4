//! What a line shows that the lines before did not: devices, addresses, time to live, mark.

use std::net::IpAddr;

use crate::explain::Phrase;
use crate::model::{Arp, Header, IfName, Layer, Network, Packet, Step};

use super::names::{arp_words, device, is_later_fragment, lasting, socket};

/// Shorter pauses between two lines of a packet are not worth a word.
const PAUSE_US: u64 = 1_000;

/// An address, with the port when the line has it.
type End = (IpAddr, Option<u16>);

/// What has been shown of a packet so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    /// It is a later fragment: what ebtables prints as its ports are bytes of its payload.
    is_fragment: bool,
    input: Option<IfName>,
    output: Option<IfName>,
    port_in: Option<IfName>,
    port_out: Option<IfName>,
    ends: Option<(End, End)>,
    ttl: Option<u8>,
    mark: u32,
    arp: Option<Arp>,
    offset_us: Option<i64>,
    cut: bool,
}

/// Which changes a sentence tells, so that they need not be shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    pub source: bool,
    pub destination: bool,
    pub mark: bool,
}

impl Shown {
    /// Nothing has been shown of this packet yet.
    pub(crate) fn of(packet: &Packet) -> Self {
        Self { is_fragment: is_later_fragment(packet), ..Self::default() }
    }

    /// What is new on this line.
    pub(crate) fn advance(&mut self, step: &Step, told: Told) -> Phrase {
        let mut parts = Vec::new();
        self.pause(step, &mut parts);
        self.devices(step, &mut parts);
        match &step.header.network {
            Network::Ip(_) => self.addresses(&step.header, told, &mut parts),
            Network::Arp(arp) => self.arp(arp, &mut parts),
            Network::Absent | Network::Truncated | Network::Incomplete => {}
        }
        if step.hop.layer != Layer::Bridge {
            let mark = step.header.mark.unwrap_or(0);
            if mark != self.mark && !told.mark {
                let change = (format!("0x{:x}", self.mark), format!("0x{mark:x}"));
                parts.push(Phrase::text("mark ").rewritten(change.0, change.1));
            }
            self.mark = mark;
        }
        if step.header.cut && !self.cut {
            self.cut = true;
            parts.push(Phrase::text("the line is cut"));
        }
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or_default();
        parts.fold(first, |all, part| all.say(" · ").append(part))
    }

    fn pause(&mut self, step: &Step, parts: &mut Vec<Phrase>) {
        let wait = step.offset_us.zip(self.offset_us).and_then(|(now, old)| now.checked_sub(old));
        let wait = wait.and_then(|us| u64::try_from(us).ok()).filter(|us| *us >= PAUSE_US);
        parts.extend(wait.map(|us| Phrase::text(format!("{} later", lasting(us)))));
        self.offset_us = step.offset_us.or(self.offset_us);
    }

    /// On a bridge line IN and OUT are ports; on an IP line of a bridged packet PHYSIN and PHYSOUT are.
    fn devices(&mut self, step: &Step, parts: &mut Vec<Phrase>) {
        let devices = step.hop.devices;
        let mut show = |known: &mut Option<IfName>, now: Option<IfName>, words: &str| {
            if let Some(name) = now.filter(|now| Some(*now) != *known) {
                parts.push(Phrase::text(words).device(device(name)));
            }
            *known = now.or(*known);
        };
        if step.hop.layer == Layer::Bridge || step.hop.site.is_bridge() {
            show(&mut self.port_in, devices.input, "in port ");
            show(&mut self.port_out, devices.output, "out port ");
        } else {
            show(&mut self.input, devices.input, "in ");
            show(&mut self.port_in, devices.physin, "in port ");
            show(&mut self.output, devices.output, "out ");
            show(&mut self.port_out, devices.physout, "out port ");
        }
    }

    fn addresses(&mut self, header: &Header, told: Told, parts: &mut Vec<Phrase>) {
        let Some(ip) = header.ip() else { return };
        let (sport, dport) = ip.ports().filter(|_| !self.is_fragment).unzip();
        let (src, dst) = ((ip.src, sport), (ip.dst, dport));
        let words = |end: End| socket(end.0, end.1);
        // A line without ports is no news of them.
        let differs = |old: End, new: End| {
            old.0 != new.0 || (old.1 != new.1 && old.1.is_some() && new.1.is_some())
        };
        if let Some((old_src, old_dst)) = self.ends {
            if differs(old_src, src) && !told.source {
                parts.push(Phrase::text("from ").rewritten(words(old_src), words(src)));
            }
            if differs(old_dst, dst) && !told.destination {
                parts.push(Phrase::text("to ").rewritten(words(old_dst), words(dst)));
            }
        } else {
            parts.push(Phrase::default().address(words(src)).say(" → ").address(words(dst)));
        }
        if dport.is_some() || self.ends.is_none_or(|(old, _)| old.1.is_none()) {
            self.ends = Some((src, dst));
        }
        if let Some(ttl) = ip.ttl {
            match self.ttl {
                None => parts.push(Phrase::text(format!("TTL {ttl}"))),
                Some(old) if old != ttl => {
                    parts.push(Phrase::text("TTL ").rewritten(old.to_string(), ttl.to_string()));
                }
                Some(_) => {}
            }
            self.ttl = Some(ttl);
        }
    }

    fn arp(&mut self, arp: &Arp, parts: &mut Vec<Phrase>) {
        if self.arp.is_none() {
            parts.extend(arp_words(arp));
            self.arp = Some(*arp);
        }
    }
}
