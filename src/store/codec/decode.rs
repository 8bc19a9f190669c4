//! Bytes to a packet's steps.

use crate::model::{Hop, LinkHeader, PacketKey, Step};
use crate::store::codec::bytes::Input;
use crate::store::codec::difference::Sources;
use crate::store::codec::flat::{Field, Flat};
use crate::store::codec::flow::{Flow, Way};
use crate::store::codec::lines::Lines;
use crate::store::codec::{Columns, Damaged, EXPECTED, OFFSETS, REVERSED, gaps, shape};

/// A packet's steps, as read from the store.
pub(crate) struct Stored<'a> {
    pub key: PacketKey,
    pub columns: Columns,
    pub gaps: Option<&'a str>,
    pub shape: &'a [u8],
    pub frames: &'a [LinkHeader],
    pub detail: &'a [u8],
    pub hops: &'a [Hop],
    /// The flow of the packet's connection, when [`needs_flow`] says so.
    pub flow: Option<Flow>,
}

/// Whether a packet of this shape can only be read with the flow of its connection.
pub(crate) fn needs_flow(shape: &[u8]) -> Result<bool, Damaged> {
    let [_, flags] = shape::read_flags(&mut Input::new(shape))?;
    Ok(flags & EXPECTED != 0)
}

/// Undoes [`crate::store::codec::Encoder::encode`].
pub(crate) fn decode(stored: &Stored<'_>) -> Result<Vec<Step>, Damaged> {
    let mut shared = Input::new(stored.shape);
    let [line_flags, flags] = shape::read_flags(&mut shared)?;
    let own = Input::new(stored.detail);
    let expected = expected(stored.flow, flags)?;
    let mut sources = Sources { shared, own, elsewhere: stored.columns.give(), expected };
    let headers = shape::put_together(&mut sources, stored.hops, stored.frames)?;
    let mut input = sources.own;
    let offsets = match stored.gaps {
        Some(text) => gaps::from_text(text)?,
        None if flags & OFFSETS != 0 => gaps::read(stored.hops.len(), &mut input)?,
        None => return Err(Damaged("the offsets are missing")),
    };
    if offsets.len() != stored.hops.len() {
        return Err(Damaged("not as many offsets as steps"));
    }
    let mut lines = Lines::new(stored.key, line_flags);
    let mut steps = Vec::with_capacity(headers.len());
    for ((header, hop), offset_us) in headers.into_iter().zip(stored.hops).zip(offsets) {
        steps.push(Step { hop: hop.clone(), offset_us, header, lines: lines.next(&mut input)? });
    }
    if input.is_empty() { Ok(steps) } else { Err(Damaged("more detail than steps")) }
}

/// The values that a packet with these flags lets expect.
fn expected(flow: Option<Flow>, flags: u8) -> Result<Option<[Flat; 2]>, Damaged> {
    if flags & EXPECTED == 0 {
        return Ok(None);
    }
    let flow = flow.ok_or(Damaged("the connection's first packet is missing"))?;
    let mut expected = <[Flat; 2]>::default();
    flow.expect(if flags & REVERSED == 0 { Way::Same } else { Way::Reversed }, &mut expected);
    Ok(Some(expected))
}

impl Columns {
    fn give(&self) -> Flat {
        let mut flat = Flat::default();
        flat.set_some(Field::Length, self.length);
        flat.set_some(Field::Id, self.ip_id);
        flat.set_some(Field::TcpFlags, self.tcp_flags);
        flat
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        Boot, Confidence, Devices, Header, HostId, IfName, Ip, IpFlags, Layer, Network, Packet,
        Position, Protocol, Site, SiteKind, SourceId, Stamp, StepLines, Transport, Trust, Verdict,
        VerdictKind,
    };
    use crate::store::codec::{Encoder, read_frames};

    const KEY: PacketKey = PacketKey { source: SourceId(1), offset: 330 };

    fn hop(n: u32) -> Hop {
        let kind = SiteKind::Rule(n);
        let site = Site::Trace { table: (*b"raw").into(), chain: (*b"OUTPUT").into(), kind };
        let devices = Devices { output: IfName::new(b"eth0"), ..Devices::default() };
        Hop { layer: Layer::Ip, site: Arc::new(site), devices }
    }

    fn packet() -> Packet {
        let ip = Ip {
            src: [10, 0, 0, 1].into(),
            dst: [10, 0, 0, 2].into(),
            length: Some(60),
            tos: Some(0),
            ttl: Some(64),
            id: Some(7),
            flow_label: None,
            flags: IpFlags(2),
            fragment: None,
            options: Some((*b"\x01\x02").into()),
            extension_headers: 0,
            ah_spi: None,
            truncated: false,
            protocol: Some(Protocol::UDP),
            transport: Transport::Udp { sport: 53, dport: 54, length: Some(40) },
        };
        let header = Header {
            devices: hop(1).devices,
            network: Network::Ip(Box::new(ip)),
            ..Header::default()
        };
        let later = Header { mark: Some(9), ..header.clone() };
        let step = |n: u32, header: Header| Step {
            hop: hop(n),
            offset_us: Some(i64::from(n) * 7 - 7),
            header: Arc::new(header),
            lines: StepLines {
                head: Position {
                    source: SourceId(1),
                    offset: u64::from(n) * 330,
                    seq: None,
                    copy: 0,
                },
                pieces: Vec::new(),
            },
        };
        Packet {
            key: KEY,
            host: HostId(0),
            boot: Boot(0),
            connection: None,
            direction: None,
            first: Stamp::default(),
            trust: Trust::Text,
            confidence: Confidence::Exact,
            verdict: Verdict { kind: VerdictKind::Unknown, evidence: None, site: None },
            steps: vec![step(1, header.clone()), step(2, header), step(3, later)],
        }
    }

    fn read(shape: &[u8], detail: &[u8], gaps: Option<&str>) -> Result<Vec<Step>, Damaged> {
        let columns = Columns { length: Some(60), ip_id: Some(7), tcp_flags: None };
        let hops = [hop(1), hop(2), hop(3)];
        decode(&Stored {
            key: KEY,
            columns,
            gaps,
            shape,
            frames: &[],
            detail,
            hops: &hops,
            flow: None,
        })
    }

    #[test]
    fn a_plain_packet_is_small() {
        let mut encoder = Encoder::default();
        let packet = packet();
        let bytes = encoder.encode(&packet, None).unwrap();
        // Addresses 8, ports 4, TTL 1, UDP length 2, options 3, the mark 1; two lines, each 330 bytes on: 4.
        assert_eq!(bytes.detail.len(), 23);
        assert_eq!(bytes.gaps.as_deref(), Some("''"));
        let steps = read(bytes.shape, &bytes.detail, bytes.gaps.as_deref()).unwrap();
        assert_eq!(steps, packet.steps);
        assert!(Arc::ptr_eq(&steps[0].header, &steps[1].header), "equal headers are shared");
    }

    #[test]
    fn damage_is_told() {
        let mut encoder = Encoder::default();
        let packet = packet();
        let bytes = encoder.encode(&packet, None).unwrap();
        let (shape, detail) = (bytes.shape, &bytes.detail[..]);
        for (shape, detail, gaps, reason) in [
            (&shape[..0], detail, Some("''"), "ends too early"),
            (&[9, 0, 0][..], detail, Some("''"), "a shape of a later version"),
            (&[1, 0, EXPECTED], detail, Some("''"), "the connection's first packet is missing"),
            (shape, &detail[..20], Some("''"), "ends too early"),
            (shape, &[detail, &[0]].concat()[..], Some("''"), "more detail than steps"),
            (shape, detail, Some("'"), "not as many offsets as steps"),
            (shape, detail, None, "the offsets are missing"),
        ] {
            assert_eq!(read(shape, detail, gaps), Err(Damaged(reason)));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(
            shape in proptest::collection::vec(any::<u8>(), 0..60),
            detail in proptest::collection::vec(any::<u8>(), 0..80),
            gaps in proptest::option::of("\\PC{0,4}|\t[0-9,-]{0,9}"),
            known in any::<bool>(),
        ) {
            let mut shape = shape;
            if known && shape.len() > 3 {
                shape[0] = 1;
                shape[2] &= OFFSETS;
            }
            if let Ok(steps) = read(&shape, &detail, gaps.as_deref()) {
                prop_assert_eq!(steps.len(), 3);
            }
            if let Ok(frames) = read_frames(&detail) {
                prop_assert!(frames.len() <= detail.len());
            }
        }

        #[test]
        fn one_changed_byte_is_no_panic(place in 0usize..200, value in any::<u8>()) {
            let mut encoder = Encoder::default();
            let packet = packet();
            let bytes = encoder.encode(&packet, None).unwrap();
            let (mut shape, mut detail) = (bytes.shape.to_vec(), bytes.detail);
            let place = place % (shape.len() + detail.len());
            match shape.get_mut(place) {
                Some(byte) => *byte = value,
                None => detail[place - shape.len()] = value,
            }
            if let Ok(steps) = read(&shape, &detail, Some("''")) {
                prop_assert_eq!(steps.len(), 3);
            }
        }
    }
}
