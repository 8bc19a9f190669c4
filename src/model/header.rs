//! The header fields of a line, exactly those that were printed.
//!
//! A field that the line does not have is `None`; nothing is filled in. The
//! same type serves nf-lines (formats 2) and ebtables lines (formats 4), so
//! that one packet seen on both layers can be compared field by field.

use std::net::IpAddr;

use super::IfName;

/// Everything a line says after its prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The hook's devices.
    pub devices: Devices,
    /// The link-layer part, in the form in which it was printed.
    pub link: LinkHeader,
    /// `TUNNEL=a->b` of a SIT device.
    pub tunnel: Option<(IpAddr, IpAddr)>,
    /// The network-layer part.
    pub network: Network,
    /// `UID= GID=` of the local socket.
    pub owner: Option<(u32, u32)>,
    /// `MARK=`, printed only when it is not zero.
    pub mark: Option<u32>,
    /// Words between known fields that the parser does not know, joined by single blanks.
    pub unknown: Option<Box<[u8]>>,
    /// The line ended before its grammar did (buffer limit, repeat text, half a last line).
    pub cut: bool,
}

/// The devices a hook saw. On a bridge seen from the IP tables `input`/`output` name the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Devices {
    /// `IN=`.
    pub input: Option<IfName>,
    /// `OUT=`.
    pub output: Option<IfName>,
    /// `PHYSIN=`, the bridge port the frame came through.
    pub physin: Option<IfName>,
    /// `PHYSOUT=`, the bridge port the frame leaves through (bridged frames only).
    pub physout: Option<IfName>,
}

/// An Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// The link-layer part of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LinkHeader {
    /// Not printed.
    #[default]
    Absent,
    /// `MAC=` with the 14 octets of an Ethernet header.
    Ethernet {
        /// Destination, the first six octets.
        dst: Mac,
        /// Source.
        src: Mac,
        /// EtherType, the last two octets.
        ethertype: u16,
    },
    /// `MAC=` with any other number of octets, none included (tun).
    Octets(Box<[u8]>),
    /// `MACSRC= MACDST= … MACPROTO=` (`--log-macdecode`, nft `flags ether`).
    Decoded {
        /// Source.
        src: Mac,
        /// Destination.
        dst: Mac,
        /// `VPROTO= VID=`, when the tag was still there.
        vlan: Option<Vlan>,
        /// `MACPROTO=`; older kernels may leave it out.
        ethertype: Option<u16>,
    },
    /// `MAC source = … MAC dest = … proto = 0x….` of ebtables.
    Frame {
        /// Source.
        src: Mac,
        /// Destination.
        dst: Mac,
        /// EtherType, or an 802.3 length below 0x0600.
        ethertype: u16,
    },
}

impl LinkHeader {
    /// Source and destination address, when the line has them.
    pub fn addresses(&self) -> Option<(Mac, Mac)> {
        match self {
            Self::Ethernet { dst, src, .. }
            | Self::Decoded { src, dst, .. }
            | Self::Frame { src, dst, .. } => Some((*src, *dst)),
            Self::Absent | Self::Octets(_) => None,
        }
    }

    /// The EtherType, when the line has it.
    pub fn ethertype(&self) -> Option<u16> {
        match self {
            Self::Ethernet { ethertype, .. } | Self::Frame { ethertype, .. } => Some(*ethertype),
            Self::Decoded { ethertype, .. } => *ethertype,
            Self::Absent | Self::Octets(_) => None,
        }
    }
}

/// A VLAN tag as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vlan {
    /// `VPROTO=`, 0x8100 or 0x88a8.
    pub protocol: u16,
    /// `VID=`, which really is the whole TCI: priority, DEI and VLAN id.
    pub tci: u16,
}

impl Vlan {
    /// The VLAN id proper: the TCI's low 12 bits.
    pub fn id(self) -> u16 {
        self.tci & 0x0fff
    }
}

/// The network-layer part of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Network {
    /// Not printed: other EtherType, or ebtables without `--log-ip`.
    #[default]
    Absent,
    /// The word `TRUNCATED`: header not readable.
    Truncated,
    /// `INCOMPLETE IP header` and its like: ebtables could not read the header.
    Incomplete,
    /// IPv4 or IPv6.
    Ip(Box<Ip>),
    /// ARP or RARP.
    Arp(Arp),
}

/// An IP protocol number (`6` TCP, `17` UDP …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ESP.
    pub const ESP: Self = Self(50);
    /// AH.
    pub const AH: Self = Self(51);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self(58);
    /// UDP-Lite.
    pub const UDPLITE: Self = Self(136);

    /// Whether this is ICMP of either family.
    pub fn is_icmp(self) -> bool {
        self == Self::ICMP || self == Self::ICMPV6
    }
}

/// An IP header. ebtables prints only a few of the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ip {
    /// Source address; its kind tells the family.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Total length in bytes (IPv6: payload + 40). Above the MTU for GRO/GSO packets.
    pub length: Option<u32>,
    /// `TOS | PREC`, or `TC`; for ebtables over IPv6 the priority nibble times 16.
    pub tos: Option<u8>,
    /// TTL or hop limit.
    pub ttl: Option<u8>,
    /// IPv4 identification.
    pub id: Option<u16>,
    /// IPv6 flow label.
    pub flow_label: Option<u32>,
    /// CE, DF and MF.
    pub flags: IpFlags,
    /// The fragment part, when the packet is a fragment.
    pub fragment: Option<Fragment>,
    /// IPv4 options, as bytes.
    pub options: Option<Box<[u8]>>,
    /// How many `OPT ( … )` groups of IPv6 extension headers were printed.
    pub extension_headers: u8,
    /// `SPI=` of an AH extension header (IPv6).
    pub ah_spi: Option<u32>,
    /// The header could not be read to its end (`TRUNCATED`, `Unknown Ext Hdr`).
    pub truncated: bool,
    /// The transport protocol, when printed.
    pub protocol: Option<Protocol>,
    /// The transport header.
    pub transport: Transport,
}

/// The IPv4 header's three flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct IpFlags(pub u8);

impl IpFlags {
    /// The reserved ("evil") bit, printed as `CE`.
    pub const CE: u8 = 4;
    /// Don't fragment.
    pub const DF: u8 = 2;
    /// More fragments.
    pub const MF: u8 = 1;

    /// Whether `bit` is set.
    pub fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

/// The fragment part of an IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fragment {
    /// Offset in bytes, both families.
    pub offset: u32,
    /// Whether more fragments follow (IPv6 prints `INCOMPLETE`; IPv4 has `MF`).
    pub more: bool,
    /// The IPv6 fragment identification.
    pub id: Option<u32>,
}

/// The transport header of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Transport {
    /// Nothing printed after the protocol: later fragment, or a protocol without fields.
    #[default]
    Absent,
    /// `INCOMPLETE [n bytes]`, or ebtables' `INCOMPLETE TCP/UDP header` (no number).
    Incomplete(Option<u32>),
    /// TCP.
    Tcp(Tcp),
    /// UDP and UDP-Lite.
    Udp {
        /// Source port.
        sport: u16,
        /// Destination port.
        dport: u16,
        /// The UDP header's own length field.
        length: Option<u16>,
    },
    /// Ports alone: ebtables.
    Ports {
        /// Source port.
        sport: u16,
        /// Destination port.
        dport: u16,
    },
    /// ICMP and ICMPv6.
    Icmp(Box<Icmp>),
    /// `SPI=` of AH or ESP.
    Spi(u32),
}

/// A TCP header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// `SEQ=` and `ACK=`, printed only with `--log-tcp-sequence` (TRACE always has it).
    pub seq_ack: Option<(u32, u32)>,
    /// The window as on the wire, unscaled.
    pub window: u16,
    /// `RES=`.
    pub reserved: u8,
    /// The flags.
    pub flags: TcpFlags,
    /// `URGP=`.
    pub urgent: u16,
    /// The options.
    pub options: TcpOptions,
}

/// The TCP options part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TcpOptions {
    /// Not printed: no options, or not asked for.
    #[default]
    Absent,
    /// The options' bytes.
    Bytes(Box<[u8]>),
    /// Not readable.
    Truncated,
}

/// TCP flags in the order of the header's bits, with AE (accurate ECN) above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// FIN.
    pub const FIN: u16 = 0x01;
    /// SYN.
    pub const SYN: u16 = 0x02;
    /// RST.
    pub const RST: u16 = 0x04;
    /// PSH.
    pub const PSH: u16 = 0x08;
    /// ACK.
    pub const ACK: u16 = 0x10;
    /// URG.
    pub const URG: u16 = 0x20;
    /// ECE.
    pub const ECE: u16 = 0x40;
    /// CWR.
    pub const CWR: u16 = 0x80;
    /// AE.
    pub const AE: u16 = 0x100;

    /// Every flag with its name, in the order in which the kernel prints them.
    pub const NAMES: [(u16, &'static str); 9] = [
        (Self::AE, "AE"),
        (Self::CWR, "CWR"),
        (Self::ECE, "ECE"),
        (Self::URG, "URG"),
        (Self::ACK, "ACK"),
        (Self::PSH, "PSH"),
        (Self::RST, "RST"),
        (Self::SYN, "SYN"),
        (Self::FIN, "FIN"),
    ];

    /// Whether all of `bits` are set.
    pub fn has(self, bits: u16) -> bool {
        self.0 & bits == bits
    }
}

/// An ICMP or ICMPv6 header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// `INCOMPLETE [n bytes]` after the type and code.
    pub incomplete: Option<u32>,
    /// `ID=` and `SEQ=` of echo request and reply.
    pub echo: Option<(u16, u16)>,
    /// `PARAMETER=`, `GATEWAY=`, `POINTER=`.
    pub extra: Option<IcmpExtra>,
    /// `MTU=`.
    pub mtu: Option<u32>,
    /// The packet inside the brackets: the one the error is about.
    pub inner: Option<InnerPacket>,
}

/// The packet quoted inside an ICMP error.
pub type InnerPacket = Box<Ip>;

/// ICMP fields that only one type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IcmpExtra {
    /// `PARAMETER=` of an IPv4 parameter problem.
    Parameter(u32),
    /// `GATEWAY=` of a redirect.
    Gateway(IpAddr),
    /// `POINTER=` of an IPv6 parameter problem.
    Pointer(u32),
}

/// An ARP or RARP body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arp {
    /// Hardware type, 1 for Ethernet.
    pub hardware: u16,
    /// Protocol type, 0x0800 for IPv4.
    pub protocol: u16,
    /// 1 request, 2 reply, 3 and 4 RARP.
    pub operation: u16,
    /// The four addresses; absent when hardware or protocol are others, or the payload was short.
    pub addresses: Option<ArpAddresses>,
    /// `INCOMPLETE …`: the payload could not be read.
    pub incomplete: bool,
    /// The number in `INCOMPLETE [n bytes]`; ebtables prints none.
    pub incomplete_bytes: Option<u32>,
}

/// The four addresses of an ARP body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArpAddresses {
    /// Sender's hardware address.
    pub sender_mac: Mac,
    /// Sender's protocol address.
    pub sender_ip: std::net::Ipv4Addr,
    /// Target's hardware address.
    pub target_mac: Mac,
    /// Target's protocol address.
    pub target_ip: std::net::Ipv4Addr,
}

impl Header {
    /// The IP part, when there is one.
    pub fn ip(&self) -> Option<&Ip> {
        match &self.network {
            Network::Ip(ip) => Some(ip),
            Network::Absent | Network::Truncated | Network::Incomplete | Network::Arp(_) => None,
        }
    }
}

impl Ip {
    /// The TCP header, when there is one.
    pub fn tcp(&self) -> Option<&Tcp> {
        match &self.transport {
            Transport::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }

    /// The ICMP header, when there is one.
    pub fn icmp(&self) -> Option<&Icmp> {
        match &self.transport {
            Transport::Icmp(icmp) => Some(icmp),
            _ => None,
        }
    }

    /// Source and destination port, when printed.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match &self.transport {
            Transport::Tcp(tcp) => Some((tcp.sport, tcp.dport)),
            Transport::Udp { sport, dport, .. } | Transport::Ports { sport, dport } => {
                Some((*sport, *dport))
            }
            Transport::Absent
            | Transport::Incomplete(_)
            | Transport::Icmp(_)
            | Transport::Spi(_) => None,
        }
    }

    /// Whether this is a fragment other than the first.
    pub fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset > 0)
    }
}
