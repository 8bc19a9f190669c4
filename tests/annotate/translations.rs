//! What NAT did, by the rules and by conntrack's own record.

use super::bench::Bench;

fn line(seconds: u32, micros: u32, site: &str, devices: &str, packet: &str) -> String {
    format!(
        "2026-11-22T10:00:{seconds:02}.{micros:06}+00:00 gw kernel: TRACE: {site} {devices} {packet}\n"
    )
}

fn udp(src: &str, sport: u16, dst: &str, dport: u16) -> String {
    format!(
        "SRC={src} DST={dst} LEN=40 TOS=0x00 PREC=0x00 TTL=63 ID=7 DF PROTO=UDP SPT={sport} DPT={dport} LEN=20 "
    )
}

const NAT: &str = "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n\
    -A POSTROUTING -s 172.17.0.0/16 -o eth0 -j MASQUERADE\nCOMMIT\n";
const FILTER: &str =
    "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";

/// A datagram that goes out and is not answered.
fn unanswered() -> String {
    let packet = udp("172.17.0.2", 5000, "198.51.100.7", 53);
    line(0, 1, "nat:PREROUTING:policy:1", "IN=docker0 OUT=", &packet)
        + &line(0, 2, "filter:FORWARD:policy:1", "IN=docker0 OUT=eth0", &packet)
        + &line(0, 3, "nat:POSTROUTING:rule:1", "IN=docker0 OUT=eth0", &packet)
}

#[tokio::test]
async fn a_masquerade_is_called_so_with_its_rule() {
    let mut bench = Bench::new().await;
    let answer = line(
        1,
        1,
        "filter:FORWARD:policy:1",
        "IN=eth0 OUT=docker0",
        &udp("198.51.100.7", 53, "172.17.0.2", 5000),
    );
    let came = line(
        1,
        0,
        "mangle:PREROUTING:policy:1",
        "IN=eth0 OUT=",
        &udp("198.51.100.7", 53, "10.0.0.1", 5000),
    );
    bench.log(&(unanswered() + &came + &answer)).await;
    bench.rules(&(NAT.to_owned() + FILTER), None).await;
    bench.annotate().await;
    let rows = bench.connections().await;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    let nat = &row.connection.nat;
    assert_eq!(nat.len(), 1);
    assert_eq!(nat[0].kind.name(), "masquerade");
    let rule = row.nat_rules[0].as_ref().unwrap();
    assert_eq!(&*rule.text, "-A POSTROUTING -s 172.17.0.0/16 -o eth0 -j MASQUERADE");
    assert_eq!(nat[0].evidence.name(), "inferred");
}

#[tokio::test]
async fn conntracks_record_tells_what_the_log_cannot() {
    let mut bench = Bench::new().await;
    bench.log(&unanswered()).await;
    bench.rules(&(NAT.to_owned() + FILTER), None).await;
    bench
        .context(
            "conntrack.txt",
            "udp 17 29 src=172.17.0.2 dst=198.51.100.7 sport=5000 dport=53 [UNREPLIED] src=198.51.100.7 dst=10.0.0.1 sport=53 dport=61234 mark=0 use=1\n",
        )
        .await;
    bench.annotate().await;
    let rows = bench.connections().await;
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    let change = &row.connection.nat[0];
    assert_eq!((change.kind.name(), change.evidence.name()), ("masquerade", "observed"));
    assert_eq!(change.to.addr.unwrap().to_string(), "10.0.0.1");
    assert_eq!(change.to.port, Some(61234));
    assert_eq!(row.connection.reply.dst, change.to);
}
