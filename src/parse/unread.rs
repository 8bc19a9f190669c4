//! Lines without an entry: markers, other people's lines, and those that were lost.

use crate::model::{AnomalyKind, Header, LineKind, LinkHeader, Network};
use crate::parse::ebt::{self, Piece};
use crate::parse::emit::remark;
use crate::parse::line::{LineInput, Parsed, Sink};
use crate::parse::{locate, marker, site};

/// Words behind the devices, and not one of them known: some script's `IN=a OUT=b`.
pub(super) fn says_nothing(header: &Header) -> bool {
    let ports = header.devices.physin.or(header.devices.physout);
    header.unknown.is_some()
        && ports.is_none()
        && header.link == LinkHeader::Absent
        && header.network == Network::Absent
}

pub(super) fn reject(line: &LineInput<'_>, sink: Sink<'_>) -> LineKind {
    remark(AnomalyKind::UnreadableNetfilterLine, line.position, line.payload, sink);
    LineKind::Rejected
}

/// Whether a line that could not be read was netfilter's.
pub(super) fn is_lost(line: &LineInput<'_>) -> bool {
    locate::looks_like_netfilter(line.payload)
        || is_cut_trace(line)
        || may_be_kernels(line)
            && (locate::looks_like_a_middle(line.payload) || locate::ends_in_devices(line.payload))
}

/// Programs may print the same words; their tag tells.
fn may_be_kernels(line: &LineInput<'_>) -> bool {
    line.tag.is_none_or(|tag| tag == b"kernel")
}

/// `** 91 printk messages dropped ** [   12.345678] …` of a console: a marker and a line.
pub(super) fn behind_dropped<'a>(line: &LineInput<'a>, sink: Sink<'_>) -> Option<LineInput<'a>> {
    let (loss, rest) = marker::dropped(line.payload)?;
    let LineInput { position, stamp, .. } = *line;
    sink(Parsed::Gap { position, stamp, lost: loss.lost, reason: loss.reason });
    let payload = site::after_kernel_stamp(rest.trim_ascii_start());
    Some(LineInput { payload, ..*line })
}

/// `TRACE: ` and a known table, but no fields.
pub(super) fn is_cut_trace(line: &LineInput<'_>) -> bool {
    const TABLES: [&[u8]; 6] = [b"raw:", b"mangle:", b"nat:", b"filter:", b"security:", b"eb:"];
    let text = line.payload.strip_prefix(b"TRACE: ");
    text.is_some_and(|text| TABLES.iter().any(|table| text.starts_with(table)))
        && may_be_kernels(line)
}

/// A line that did not come from the kernel: looked at, never used.
pub(super) fn suspect(line: &LineInput<'_>, sink: Sink<'_>) -> LineKind {
    let payload = line.payload;
    let is_piece = matches!(ebt::piece(payload), Some(piece) if piece != Piece::Newline);
    let netfilter = locate::fields(payload).is_some()
        || locate::loose_fields(payload).is_some()
        || is_piece
        || locate::looks_like_netfilter(payload)
        || is_cut_trace(line);
    if netfilter && !locate::is_monitor_text(payload) {
        remark(AnomalyKind::SuspectOrigin, line.position, payload, sink);
        return LineKind::Suspect;
    }
    marker_or_other(line, sink)
}

pub(super) fn marker_or_other(line: &LineInput<'_>, sink: Sink<'_>) -> LineKind {
    let Some(loss) = marker::loss(line.payload, line.tag) else { return LineKind::Other };
    sink(Parsed::Gap {
        position: line.position,
        stamp: line.stamp,
        lost: loss.lost,
        reason: loss.reason,
    });
    LineKind::Marker
}
