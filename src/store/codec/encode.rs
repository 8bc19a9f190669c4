//! A packet to bytes.

use crate::model::Packet;
use crate::store::codec::flat::{Field, Flat};
use crate::store::codec::flow::{Flow, Way};
use crate::store::codec::shape::{VERSION, Workbench};
use crate::store::codec::{Columns, EXPECTED, OFFSETS, REVERSED, frames, gaps, lines};

/// Packs packets one after the other; what it needs is allocated once.
#[derive(Default)]
pub(crate) struct Encoder {
    workbench: Workbench,
    frames: Vec<u8>,
}

/// A packet's steps, ready to be stored.
pub(crate) struct Encoded<'a> {
    pub columns: Columns,
    pub gaps: Option<String>,
    pub shape: &'a [u8],
    pub frames: &'a [u8],
    pub detail: Vec<u8>,
}

const COLUMNS: u64 = Field::Length.bit() | Field::Id.bit() | Field::TcpFlags.bit();

impl Encoder {
    /// Packs a packet; `None` for a packet without steps, which cannot be told from damage. `flow` is that
    /// of its connection, when the connection's first packet is another one and already packed.
    pub(crate) fn encode(&mut self, packet: &Packet, flow: Option<&Flow>) -> Option<Encoded<'_>> {
        if packet.steps.is_empty() {
            return None;
        }
        let offsets = || packet.steps.iter().map(|step| step.offset_us);
        let gaps = gaps::to_text(offsets());
        let lines = || packet.steps.iter().map(|step| &step.lines);
        let line_flags = lines::flags(packet.key, lines());
        let flags = self.begin(packet, flow, gaps.is_none());
        self.workbench.parts.shared.extend([VERSION, line_flags, flags]);
        let mut columns = Columns::default();
        let frames = self.workbench.take_apart(&packet.steps, |header| columns.take(header));
        self.frames.clear();
        frames::put_frames(&frames, &mut self.frames);
        let parts = &mut self.workbench.parts;
        if gaps.is_none() {
            gaps::put(offsets(), &mut parts.own);
        }
        lines::put_lines(packet.key, line_flags, lines(), &mut parts.own);
        let detail = parts.own.clone();
        Some(Encoded { columns, gaps, shape: &parts.shared, frames: &self.frames, detail })
    }

    /// Clears the workbench and fills in what is expected; gives the packet's flags.
    fn begin(&mut self, packet: &Packet, flow: Option<&Flow>, offsets_inside: bool) -> u8 {
        let parts = &mut self.workbench.parts;
        parts.shared.clear();
        parts.own.clear();
        parts.elsewhere = COLUMNS;
        parts.expects = flow.is_some();
        let mut flags = if offsets_inside { OFFSETS } else { 0 };
        if let Some(flow) = flow {
            let way = Way::of(packet);
            flow.expect(way, &mut parts.expected);
            flags |= EXPECTED | if way == Way::Reversed { REVERSED } else { 0 };
        }
        flags
    }
}

impl Columns {
    /// Takes the values that were not seen before.
    fn take(&mut self, header: &Flat) {
        self.length = self.length.or(header.number(Field::Length));
        self.ip_id = self.ip_id.or(header.number(Field::Id));
        self.tcp_flags = self.tcp_flags.or(header.number(Field::TcpFlags));
    }
}
