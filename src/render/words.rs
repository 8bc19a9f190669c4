//! One packet in words: every step with its offset, its devices, and what changed since the step before.

use std::net::IpAddr;

use crate::model::{Devices, Endpoint, Header, IfName, Ip, Packet, Step};
use crate::render::names::{duration, offset};
use crate::render::span::width as columns;
use crate::render::{Line, Style, Text, endpoint, escape, packet_title, site_name};

/// Longer waits are worth a word.
const LONG_WAIT_US: i64 = 40;

/// Longer site names do not push the rest to the right.
const LONGEST_SITE: usize = 36;

/// Lists a packet's steps.
pub fn words(packet: &Packet, heading: &str, width: usize) -> Text {
    let mut text = Text::default();
    let mut title: Line = (Style::Heading, escape(heading.as_bytes())).into();
    let facts = format!("  {} · {}", packet_title(packet), packet.verdict.kind.name());
    title.push(Style::Dim, facts);
    text.push(title);
    let offsets: Vec<String> =
        packet.steps.iter().map(|step| step.offset_us.map_or_else(|| "·".into(), offset)).collect();
    let sites: Vec<String> = packet.steps.iter().map(|step| site_name(&step.hop.site)).collect();
    let offset_width = offsets.iter().map(|text| columns(text)).max().unwrap_or(0);
    let short = sites.iter().map(|text| columns(text)).filter(|width| *width <= LONGEST_SITE);
    let site_width = short.max().unwrap_or(0);
    let mut before: Option<&Step> = None;
    let mut address_before: Option<&Header> = None;
    for ((step, offset), site) in packet.steps.iter().zip(&offsets).zip(&sites) {
        let mut start = Line::default();
        start.pad_to(2 + offset_width - columns(offset)).push(Style::Dim, offset.clone());
        start.push(Style::Plain, format!("  {site}"));
        let changes = changes(step, before, address_before);
        if !changes.is_empty() {
            start.pad_to(4 + offset_width + site_width);
        }
        text.push_wrapped(start, changes, 6 + offset_width, width);
        before = Some(step);
        if step.header.ip().is_some() {
            address_before = Some(&step.header);
        }
    }
    text
}

/// What is new at this step, each as ` · …`.
fn changes(step: &Step, before: Option<&Step>, address_before: Option<&Header>) -> Vec<Line> {
    let mut chunks: Vec<Line> = Vec::new();
    let wait = before.and_then(|before| step.offset_us?.checked_sub(before.offset_us?));
    if let Some(us) = wait.filter(|us| *us > LONG_WAIT_US) {
        chunks.push((Style::Gap, format!(" · after {}", duration(us.unsigned_abs()))).into());
    }
    for text in devices(step.hop.devices, before.map(|step| step.hop.devices)) {
        chunks.push((Style::Dim, format!(" · {text}")).into());
    }
    if let (Some(old), Some(new)) = (address_before.and_then(Header::ip), step.header.ip()) {
        for (name, from, to, style) in differences(old, new) {
            let mut line: Line = (Style::Dim, format!(" · {name} ")).into();
            line.push(Style::Former, from).push(style, format!(" → {to}"));
            chunks.push(line);
        }
    }
    let old_mark = before.and_then(|before| before.header.mark);
    if let Some(mark) = step.header.mark.filter(|mark| Some(*mark) != old_mark) {
        chunks.push((Style::Dim, format!(" · mark 0x{mark:x}")).into());
    }
    if let Some((uid, gid)) =
        step.header.owner.filter(|_| before.is_none_or(|before| before.header.owner.is_none()))
    {
        chunks.push((Style::Dim, format!(" · uid {uid} gid {gid}")).into());
    }
    if step.header.cut {
        chunks.push((Style::Doubt, " · line is cut".to_owned()).into());
    }
    if !step.lines.pieces.is_empty() {
        let count = step.lines.pieces.len() + 1;
        chunks.push((Style::Doubt, format!(" · put together from {count} torn lines")).into());
    }
    chunks
}

fn devices(now: Devices, before: Option<Devices>) -> Vec<String> {
    let pick = |name: &str, field: fn(Devices) -> Option<IfName>| {
        let device = field(now)?;
        (before.and_then(field) != Some(device))
            .then(|| format!("{name} {}", escape(device.as_bytes())))
    };
    [
        pick("in", |devices| devices.input),
        pick("port in", |devices| devices.physin),
        pick("out", |devices| devices.output),
        pick("port out", |devices| devices.physout),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Fields that both lines print and that differ.
fn differences(old: &Ip, new: &Ip) -> Vec<(&'static str, String, String, Style)> {
    let mut out = Vec::new();
    let mut differ = |name, old: Option<String>, new: Option<String>, style| {
        if let (Some(old), Some(new)) = (old, new)
            && old != new
        {
            out.push((name, old, new, style));
        }
    };
    let ports = old.ports().zip(new.ports());
    let side =
        |addr: IpAddr, port: Option<u16>| Some(endpoint(&Endpoint { addr: Some(addr), port }));
    let (before, after) = ports.map(|(old, new)| (old.0, new.0)).unzip();
    differ("source", side(old.src, before), side(new.src, after), Style::Nat);
    let (before, after) = ports.map(|(old, new)| (old.1, new.1)).unzip();
    differ("destination", side(old.dst, before), side(new.dst, after), Style::Nat);
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    differ("ttl", number(old.ttl.map(u32::from)), number(new.ttl.map(u32::from)), Style::Plain);
    differ("length", number(old.length), number(new.length), Style::Plain);
    differ("tos", number(old.tos.map(u32::from)), number(new.tos.map(u32::from)), Style::Plain);
    out
}
