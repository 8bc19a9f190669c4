//! conntrack's view of a TCP connection: its states, and how far both sides have come.
//!
//! The transitions are those of the kernel's table
//! (`net/netfilter/nf_conntrack_proto_tcp.c`, `tcp_conntracks`); the time-outs
//! its defaults (`Documentation/networking/nf_conntrack-sysctl.rst`).

use crate::model::{Ip, Tcp, TcpFlags, TcpState};

/// What a segment is to conntrack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Syn,
    SynAck,
    Fin,
    Ack,
    Rst,
    None,
}

fn kind(flags: TcpFlags) -> Kind {
    if flags.has(TcpFlags::RST) {
        Kind::Rst
    } else if flags.has(TcpFlags::SYN) {
        if flags.has(TcpFlags::ACK) { Kind::SynAck } else { Kind::Syn }
    } else if flags.has(TcpFlags::FIN) {
        Kind::Fin
    } else if flags.has(TcpFlags::ACK) {
        Kind::Ack
    } else {
        Kind::None
    }
}

/// The state after a segment in original direction.
fn after_original(state: TcpState, kind: Kind) -> TcpState {
    use TcpState::{
        Close, CloseWait, Established, FinWait, LastAck, None, SynRecv, SynSent, SynSent2, TimeWait,
    };
    match (kind, state) {
        (Kind::Syn, None | TimeWait | Close) => SynSent,
        (Kind::SynAck, SynSent2) => SynRecv,
        // Beyond the kernel's table: an ACK or FIN after a lone SYN means the answer was not logged.
        (Kind::Fin, None | SynSent | SynRecv | Established) => FinWait,
        (Kind::Fin, FinWait | CloseWait) => LastAck,
        (Kind::Ack, None | SynRecv | SynSent) => Established,
        (Kind::Ack, FinWait) => CloseWait,
        (Kind::Ack, LastAck) => TimeWait,
        (Kind::Rst, _) => Close,
        _ => state,
    }
}

/// The state after a segment in reply direction.
fn after_reply(state: TcpState, kind: Kind) -> TcpState {
    use TcpState::{
        Close, CloseWait, Established, FinWait, LastAck, None, SynRecv, SynSent, SynSent2, TimeWait,
    };
    match (kind, state) {
        (Kind::Syn, SynSent) => SynSent2,
        (Kind::Syn, TimeWait) => SynSent,
        (Kind::SynAck, None | SynSent | SynSent2) => SynRecv,
        (Kind::Fin, None | SynRecv | Established) => FinWait,
        (Kind::Fin, FinWait | CloseWait) => LastAck,
        (Kind::Ack, FinWait) => CloseWait,
        (Kind::Ack, LastAck) => TimeWait,
        // Not in the kernel's table: the original direction was not logged.
        (Kind::Ack, None) => Established,
        (Kind::Rst, _) => Close,
        _ => state,
    }
}

/// One side's progress.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Side {
    /// The initial sequence number, once told.
    isn: Option<u32>,
    /// The end of what this side has sent, by its own segments or by the peer's acknowledgement.
    end: Option<u32>,
    /// How far the peer has acknowledged it.
    acked: Option<u32>,
    /// A segment of its own was logged, not only the peer's answers.
    is_seen: bool,
    fin: bool,
}

impl Side {
    fn saw_end(&mut self, end: u32) {
        if self.end.is_none_or(|known| is_not_before(end, known)) {
            self.end = Some(end);
        }
    }

    fn saw_ack(&mut self, ack: u32) {
        if self.acked.is_none_or(|known| is_not_before(ack, known)) {
            self.acked = Some(ack);
        }
    }

    /// Payload bytes sent so far; `None` when the start is not in the log. A FIN that was only
    /// acknowledged, not logged, cannot be told from a byte.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        let sent = self.end?.wrapping_sub(self.isn?).wrapping_sub(1);
        Some(if self.fin {
            Bytes { least: sent.saturating_sub(1), most: sent.saturating_sub(1) }
        } else {
            Bytes { least: sent.saturating_sub(1), most: sent }
        })
    }
}

/// How many payload bytes a side has sent, to within a FIN that was not logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) least: u32,
    pub(super) most: u32,
}

impl Bytes {
    /// Whether both can be the same amount; the amount, if so.
    pub(super) fn common(self, other: Self) -> Option<u32> {
        let (least, most) = (self.least.max(other.least), self.most.min(other.most));
        (least <= most).then_some(most)
    }
}

/// The whole connection's progress.
#[derive(Debug, Clone, Copy)]
pub(super) struct TcpTrack {
    pub(super) state: TcpState,
    pub(super) original: Side,
    pub(super) reply: Side,
    /// ISN of the last SYN in original direction; tells a retransmission from a new connection.
    pub(super) last_syn: Option<u32>,
}

impl Default for TcpTrack {
    fn default() -> Self {
        Self {
            state: TcpState::None,
            original: Side::default(),
            reply: Side::default(),
            last_syn: None,
        }
    }
}

impl TcpTrack {
    /// Takes in one segment.
    pub(super) fn segment(&mut self, tcp: &Tcp, payload: Option<u32>, is_reply: bool) {
        let kind = kind(tcp.flags);
        if let Some((seq, ack)) = tcp.seq_ack {
            if kind == Kind::Syn && !is_reply {
                self.last_syn = Some(seq);
                if matches!(self.state, TcpState::None | TcpState::TimeWait | TcpState::Close) {
                    self.original = Side::default();
                    self.reply = Side::default();
                }
            }
            let (own, peer) = if is_reply {
                (&mut self.reply, &mut self.original)
            } else {
                (&mut self.original, &mut self.reply)
            };
            own.is_seen = true;
            let acks_unseen_fin = kind == Kind::Ack
                && own.fin
                && !peer.is_seen
                && peer.acked.is_some_and(|acked| ack != acked && is_not_before(ack, acked));
            progress(own, peer, kind, seq, ack, payload);
            // The peer's direction is not logged; what is acknowledged last is its FIN.
            if acks_unseen_fin && matches!(self.state, TcpState::FinWait | TcpState::CloseWait) {
                self.state = TcpState::LastAck;
            }
        }
        self.state =
            if is_reply { after_reply(self.state, kind) } else { after_original(self.state, kind) };
    }

    /// Whether a SYN with sequence number `isn` would make conntrack start anew.
    pub(super) fn reopens(&self, isn: Option<u32>) -> bool {
        let another = isn.is_none() || self.last_syn.is_none() || isn != self.last_syn;
        another && matches!(self.state, TcpState::TimeWait | TcpState::Close | TcpState::None)
    }

    /// Whether the peer has acknowledged a segment that ends at `end`.
    pub(super) fn has_acknowledged(&self, is_reply: bool, end: u32) -> bool {
        let side = if is_reply { &self.reply } else { &self.original };
        side.acked.is_some_and(|acked| is_not_before(acked, end))
    }

    /// Whether neither side has begun to close it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, TcpState::SynSent | TcpState::SynRecv | TcpState::Established)
    }

    /// conntrack's default time-out in this state.
    pub(super) fn timeout_s(&self) -> u32 {
        match self.state {
            TcpState::SynSent | TcpState::SynSent2 | TcpState::FinWait | TcpState::TimeWait => 120,
            TcpState::SynRecv | TcpState::CloseWait => 60,
            TcpState::Established => 432_000,
            TcpState::LastAck => 30,
            TcpState::Close => 10,
            TcpState::None => 300,
        }
    }
}

fn progress(own: &mut Side, peer: &mut Side, kind: Kind, seq: u32, ack: u32, payload: Option<u32>) {
    match kind {
        Kind::Syn | Kind::SynAck => {
            own.isn = Some(seq);
            own.end = Some(seq.wrapping_add(1));
            own.fin = false;
        }
        Kind::Fin => {
            own.fin = true;
            if let Some(payload) = payload {
                own.saw_end(seq.wrapping_add(payload).wrapping_add(1));
            }
        }
        Kind::Ack => {
            if let Some(payload) = payload {
                own.saw_end(seq.wrapping_add(payload));
            }
            // The handshake's last ACK tells the ISN of a SYN-ACK that was not logged.
            let ends_handshake = own.isn.is_some_and(|isn| seq == isn.wrapping_add(1));
            if ends_handshake && payload == Some(0) && peer.isn.is_none() && peer.end.is_none() {
                peer.isn = Some(ack.wrapping_sub(1));
            }
        }
        Kind::Rst | Kind::None => {}
    }
    if matches!(kind, Kind::SynAck | Kind::Ack | Kind::Fin) {
        peer.saw_ack(ack);
    }
    match kind {
        // A SYN-ACK tells the ISN of a SYN that was not logged.
        Kind::SynAck => {
            if peer.isn.is_none() {
                peer.isn = Some(ack.wrapping_sub(1));
                peer.end = Some(ack);
            }
        }
        Kind::Ack | Kind::Fin => peer.saw_end(ack),
        Kind::Syn | Kind::Rst | Kind::None => {}
    }
}

/// Comparison of sequence numbers, which run round (RFC 9293, 3.4).
fn is_not_before(one: u32, other: u32) -> bool {
    one.wrapping_sub(other) < 0x8000_0000
}

/// Where a segment ends in sequence space; `None` when it takes up none.
pub(super) fn segment_end(ip: &Ip, tcp: &Tcp) -> Option<u32> {
    let (seq, _) = tcp.seq_ack?;
    let markers = u32::from(tcp.flags.has(TcpFlags::SYN)) + u32::from(tcp.flags.has(TcpFlags::FIN));
    let length = payload(ip, tcp, true)?.saturating_add(markers);
    (length > 0 && !tcp.flags.has(TcpFlags::RST)).then(|| seq.wrapping_add(length))
}

/// The payload of a TCP segment; `None` when the line does not tell the options' length.
pub(super) fn payload(ip: &Ip, tcp: &Tcp, options_are_printed: bool) -> Option<u32> {
    let tcp_options = match &tcp.options {
        crate::model::TcpOptions::Bytes(bytes) => u32::try_from(bytes.len()).ok()?,
        crate::model::TcpOptions::Absent if options_are_printed => 0,
        crate::model::TcpOptions::Absent | crate::model::TcpOptions::Truncated => return None,
    };
    let ip_header = if ip.src.is_ipv6() {
        if ip.extension_headers > 0 {
            return None;
        }
        40
    } else {
        20 + ip.options.as_ref().map_or(0, |options| u32::try_from(options.len()).unwrap_or(0))
    };
    ip.length?.checked_sub(ip_header + 20 + tcp_options)
}
