//! Lines of other kernels, other tools and other vendors: odd, and still of use.

use std::net::IpAddr;

use tracecol::model::{
    AnomalyKind, Arp, IcmpExtra, LineKind, LinkHeader, Network, Protocol, Site, TcpFlags, Transport,
};

use super::{Read, read_lines, read_one};

const MAC: &str = "MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00";

/// Source, destination, protocol and ports in one line of text.
fn tuple(read: &Read) -> String {
    let ip = read.header.ip().unwrap();
    let protocol = ip.protocol.map_or_else(|| "?".to_owned(), |protocol| protocol.0.to_string());
    let ports = ip.ports().map_or_else(String::new, |(from, to)| format!(" {from}>{to}"));
    format!("{} {} {protocol}{ports}", ip.src, ip.dst)
}

fn quiet(payload: &str) -> Read {
    let mut output = read_lines([payload.as_bytes()]);
    assert_eq!(output.anomalies, [], "{payload}");
    output.entries.remove(0)
}

#[test]
fn a_router_with_kernel_2_4_prints_levels_between_fields() {
    let read = quiet(
        "DROP IN=vlan1 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00:45:00:00:28 \
         <1>SRC=192.0.2.9 DST=198.51.100.4 <1>LEN=40 TOS=0x00 PREC=0x00 TTL=113 ID=9 DF \
         <1>PROTO=TCP SPT=4444 DPT=445 SEQ=77 ACK=0 WINDOW=65535 RES=0x00 SYN URGP=0 ",
    );
    assert_eq!(tuple(&read), "192.0.2.9 198.51.100.4 6 4444>445");
    assert_eq!(read.header.ip().unwrap().tcp().unwrap().seq_ack, Some((77, 0)));
    assert!(matches!(&read.header.link, LinkHeader::Octets(octets) if octets.len() == 18));
}

#[test]
fn ulogd_writes_tos_without_0x_and_a_mark_of_zero() {
    let read = quiet(&format!(
        "TRACE: raw:PREROUTING:policy:4  IN=eth0 OUT= {MAC} SRC=192.0.2.9 DST=198.51.100.4 LEN=84 \
         TOS=10 PREC=0x20 TTL=64 ID=22636 DF PROTO=ICMP TYPE=8 CODE=0 ID=28241 SEQ=3 MARK=0x0 "
    ));
    let ip = read.header.ip().unwrap();
    assert_eq!(
        (ip.tos, ip.id, ip.icmp().unwrap().echo),
        (Some(0x30), Some(22636), Some((28241, 3)))
    );
    assert_eq!(read.header.mark, None);
    assert!(matches!(read.site, Site::Trace { .. }));
}

#[test]
fn a_gateway_writes_marks_without_0x_and_no_reserved_bits() {
    let read = quiet(&format!(
        "[WAN_IN-RET-7] DESCR=\"Allow [x\" IN=eth8 OUT=br96 {MAC} SRC=192.0.2.9 DST=198.51.100.4 \
         LEN=60 TOS=00 PREC=0x00 TTL=49 ID=51 DF PROTO=TCP SPT=38618 DPT=443 SEQ=25 ACK=0 \
         WINDOW=65535 SYN URGP=0 MARK=1a0000"
    ));
    assert_eq!(tuple(&read), "192.0.2.9 198.51.100.4 6 38618>443");
    assert_eq!(read.header.mark, Some(0x1a_0000));
    assert_eq!(
        read.site,
        Site::Log { prefix: b"[WAN_IN-RET-7] DESCR=\"Allow [x\" ".as_slice().into() }
    );
}

#[test]
fn a_hypervisor_leaves_empty_devices_out() {
    let read = quiet(
        "0 1 HOST-OUT policy REJECT: OUT=vmbr0.94 SRC=10.3.94.12 DST=10.3.94.10 LEN=60 TOS=0x10 \
         PREC=0x00 TTL=64 ID=59 DF PROTO=TCP SPT=49566 DPT=22 SEQ=7084 ACK=0 WINDOW=64240 SYN ",
    );
    assert_eq!(tuple(&read), "10.3.94.12 10.3.94.10 6 49566>22");
    assert_eq!(read.header.devices.input, None);
    assert_eq!(read.header.devices.output.unwrap().as_bytes(), b"vmbr0.94");
    assert_eq!(read.site, Site::Log { prefix: b"0 1 HOST-OUT policy REJECT: ".as_slice().into() });
}

#[test]
fn ipv6_may_be_shortened_and_out_of_order() {
    let read = quiet(
        "IN=fw OUT=fw PHYSIN=a PHYSOUT=b SRC=2001:db8::a DST=2001:db8::17 LEN=40 TC=0 \
         FLOWLBL=634336 HOPLIMIT=64 PROTO=UDP SPT=59368 DPT=53 LEN=9 ",
    );
    assert_eq!(tuple(&read), "2001:db8::a 2001:db8::17 17 59368>53");
    let ip = read.header.ip().unwrap();
    assert_eq!((ip.flow_label, ip.ttl, ip.length), (Some(634_336), Some(64), Some(40)));
    assert_eq!(ip.transport, Transport::Udp { sport: 59368, dport: 53, length: Some(9) });
}

#[test]
fn a_vendors_word_between_fields_is_kept_and_remarked() {
    let line = format!(
        "IN=eth0 OUT= {MAC} TAG=5 SRC=192.0.2.9 DST=198.51.100.4 LEN=36 TOS=0x00 PREC=0xC0 TTL=1 \
         ID=0 PROTO=IGMP NATLOG "
    );
    let output = read_lines([line.as_bytes()]);
    assert_eq!(output.anomaly_kinds(), [AnomalyKind::UnknownWord]);
    assert_eq!(*output.anomalies[0].text, *b"TAG=5 NATLOG");
    assert_eq!(tuple(&output.entries[0]), "192.0.2.9 198.51.100.4 2");
    assert_eq!(output.entries[0].header.unknown.as_deref(), Some(b"TAG=5 NATLOG".as_slice()));
    assert!(!output.entries[0].header.cut);
}

#[test]
fn names_of_protocols_are_known() {
    for (name, number) in
        [("GRE", 47), ("sctp", 132), ("OSPF", 89), ("IPv6-ICMP", 58), ("115", 115)]
    {
        let read = read_one(format!(
            "IN=a OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=36 TOS=0x00 PREC=0x00 TTL=1 ID=0 PROTO={name} "
        ));
        assert_eq!(read.header.ip().unwrap().protocol, Some(Protocol(number)), "{name}");
    }
}

#[test]
fn empty_values_may_lack_their_blank() {
    let read = quiet(
        "IN=ppp0 OUT= MAC=SRC=192.0.2.9 DST=198.51.100.4 LEN=28 TOS=0x00 PREC=0x00 TTL=9 ID=1 \
         PROTO=UDP SPT=1 DPT=2 LEN=8",
    );
    assert_eq!(tuple(&read), "192.0.2.9 198.51.100.4 17 1>2");
    assert_eq!(read.header.link, LinkHeader::Octets(Box::default()));
}

#[test]
fn octets_may_lack_their_leading_zero() {
    let read = read_one("IN=a OUT= MACSRC=aa:51:e1:d:58:f6 MACDST=2:0:0:0:0:1 MACPROTO=88cc ");
    let LinkHeader::Decoded { src, dst, ethertype, .. } = read.header.link else { panic!() };
    assert_eq!(src.0, [0xaa, 0x51, 0xe1, 0x0d, 0x58, 0xf6]);
    assert_eq!((dst.0, ethertype), ([2, 0, 0, 0, 0, 1], Some(0x88cc)));
}

/// The same five keys stand twice, and mean another thing each time.
#[test]
fn keys_that_occur_twice_are_told_apart() {
    let read = quiet(
        "IN=a  OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=56 TOS=0x00 PREC=0x00 TTL=64 ID=12 PROTO=ICMP \
         TYPE=5 CODE=1 GATEWAY=192.0.2.99 [SRC=192.0.2.1 DST=192.0.2.9 LEN=28 TOS=0x00 PREC=0x00 \
         TTL=63 ID=78 PROTO=UDP SPT=5 DPT=6 LEN=8 ] MARK=0x7 ",
    );
    let ip = read.header.ip().unwrap();
    let icmp = ip.icmp().unwrap();
    let inner = icmp.inner.as_ref().unwrap();
    assert_eq!((ip.length, ip.ttl, ip.id), (Some(56), Some(64), Some(12)));
    assert_eq!((inner.length, inner.ttl, inner.id), (Some(28), Some(63), Some(78)));
    assert_eq!(inner.transport, Transport::Udp { sport: 5, dport: 6, length: Some(8) });
    let gateway: IpAddr = "192.0.2.99".parse().unwrap();
    assert_eq!(icmp.extra, Some(IcmpExtra::Gateway(gateway)));
    assert_eq!(read.header.mark, Some(7));
}

/// Two blanks between two fields send the line down the tolerant way, which must agree.
#[test]
fn both_ways_agree_on_every_sample() {
    let mut compared = 0;
    for record in include_str!("../data/lines.jsonl").lines() {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        if !matches!(record["expect"]["kind"].as_str().unwrap(), "trace" | "log") {
            continue;
        }
        let payload = super::payload_of(record["kmsg"].as_str().unwrap().as_bytes());
        let at = payload.windows(5).rposition(|bytes| bytes == b" OUT=").unwrap();
        let spread = [&payload[..at], b" ", &payload[at..]].concat();
        let (fast, tolerant) = (read_one(&payload), read_one(&spread));
        assert_eq!(fast.header, tolerant.header, "{}", record["id"]);
        assert_eq!(fast.site, tolerant.site, "{}", record["id"]);
        compared += 1;
    }
    assert_eq!(compared, 302);
}

#[test]
fn old_arp_and_reverse_arp_have_the_same_form() {
    let read = quiet(
        "IN=br0 OUT= MACSRC=02:00:00:00:00:01 MACDST=ff:ff:ff:ff:ff:ff MACPROTO=8035 ARP HTYPE=1 \
         PTYPE=0x0800 OPCODE=3 MACSRC=02:00:00:00:00:01 IPSRC=0.0.0.0 MACDST=02:00:00:00:00:01 \
         IPDST=0.0.0.0",
    );
    let Network::Arp(Arp { operation: 3, addresses: Some(addresses), .. }) = read.header.network
    else {
        panic!("{read:?}")
    };
    assert_eq!(addresses.sender_mac.0, [2, 0, 0, 0, 0, 1]);
}

#[test]
fn a_line_without_addresses_is_an_entry_all_the_same() {
    for body in
        ["MACSRC=02:00:00:00:00:01 MACDST=02:00:00:00:00:02 MACPROTO=88cc ", "TRUNCATED", ""]
    {
        let line = format!("x: IN=eth0 OUT= {body}");
        let output = read_lines([line.as_bytes()]);
        assert_eq!(output.kinds, [LineKind::Log], "{line}");
        assert!(output.entries[0].header.ip().is_none());
        assert_eq!(output.anomalies, [], "{line}");
    }
}

#[test]
fn scripts_that_speak_of_devices_are_not_netfilter() {
    let output = read_lines([
        b"starting firewall IN=eth0 OUT=eth1 please wait".as_slice(),
        b"iptables: in=value",
        b"iptables: IN",
        b"PLUGIN=off and CHECKOUT=done",
        b"",
    ]);
    let other = LineKind::Other;
    assert_eq!(output.kinds, [LineKind::Rejected, other, other, other, other]);
    assert_eq!(output.anomaly_kinds(), [AnomalyKind::UnreadableNetfilterLine]);
    assert_eq!(*output.anomalies[0].text, *b"starting firewall IN=eth0 OUT=eth1 please wait");
}

#[test]
fn netlink_tools_text_is_left_to_its_own_reader() {
    let output = read_lines([
        b"PACKET: 2 2d66b5b7 IN=eth0 OUT=eth1 MACSRC=aa:51:e1:d:58:f6 MACDST=c2:8d:13:dc:ac:4f MACPROTO=0800 SRC=192.0.2.9 DST=192.0.2.1 LEN=84 TOS=0x0 TTL=64 ID=55300 DF ".as_slice(),
        b" TRACE: 2 2d66b5b7 raw:PREROUTING:rule:0x4:CONTINUE  -4 -t raw -A PREROUTING -p icmp -j TRACE",
        b"trace id 07a3ff ip raw PREROUTING packet: iif \"eth0\" ip saddr 192.0.2.9",
    ]);
    assert_eq!(output.kinds, [LineKind::Other; 3]);
    assert_eq!(output.anomalies, []);
    // A prefix that looks like it is still a prefix.
    assert_eq!(read_lines([b"PACKET: IN=eth0 OUT= ".as_slice()]).kinds, [LineKind::Log]);
}

#[test]
fn the_evil_bit_and_every_flag() {
    let read = quiet(
        "IN=a OUT= SRC=192.0.2.9 DST=192.0.2.1 LEN=44 TOS=0x1E PREC=0xE0 TTL=64 ID=30 CE DF MF \
         PROTO=TCP SPT=1 DPT=2 SEQ=4294967295 ACK=4294967295 WINDOW=65535 RES=0x38 AE CWR ECE URG \
         ACK PSH RST SYN FIN URGP=65535 OPT (01010100) UID=4294967294 GID=0 MARK=0xffffffff ",
    );
    let ip = read.header.ip().unwrap();
    assert_eq!((ip.tos, ip.flags.0), (Some(0xfe), 7));
    assert_eq!(ip.tcp().unwrap().flags, TcpFlags(0x1ff));
    assert_eq!(read.header.owner, Some((4_294_967_294, 0)));
    assert_eq!(read.header.mark, Some(u32::MAX));
}
