#!/bin/bash
# A gateway that masquerades; what it asks out there is never answered. conntrack's events tell the address that was put in.
. "$(dirname "$0")/../make/lib.sh"
HOST=homegw FORM=iso OURS='10\.95\.0\.|203\.0\.113\.'

build() {
    host_ns; ns client; ns net
    wire host lan0 52:54:00:5f:00:01 client eth0 52:54:00:5f:00:02
    wire host wan0 52:54:00:5e:00:01 net eth0 52:54:00:5e:00:02
    addr host lan0 10.95.0.1/24; addr client eth0 10.95.0.2/24 10.95.0.3/24
    addr host wan0 203.0.113.2/29 203.0.113.3/29; addr net eth0 203.0.113.1/29 198.51.100.9/32
    meet host lan0 10.95.0.1 52:54:00:5f:00:01 client eth0 10.95.0.2 52:54:00:5f:00:02
    on_ip host neigh replace 10.95.0.3 lladdr 52:54:00:5f:00:02 dev lan0 nud permanent
    meet host wan0 203.0.113.2 52:54:00:5e:00:01 net eth0 203.0.113.1 52:54:00:5e:00:02
    on_ip net neigh replace 203.0.113.3 lladdr 52:54:00:5e:00:01 dev eth0 nud permanent
    on_ip client route add default via 10.95.0.1
    on_ip host route add default via 203.0.113.1
    on host iptables-legacy-restore <<'END'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p udp -j TRACE
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.95.0.3/32 -o wan0 -j SNAT --to-source 203.0.113.3
-A POSTROUTING -o wan0 -j MASQUERADE
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i lan0 -o wan0 -j ACCEPT
COMMIT
END
    sink_udp net 9000
    # This one answers with the address of the device, not the one it was asked at.
    echo_udp net 9001
    echo_udp net 9002 198.51.100.9
    sleep 0.5
}

traffic() {
    udp client 198.51.100.9 9000 50001 10.95.0.2
    udp client 198.51.100.9 9000 50001 10.95.0.3
    udp client 198.51.100.9 9001 50002 10.95.0.2
    udp client 198.51.100.9 9002 50003 10.95.0.2
}
collect() {
    collect_rules; collect_context
    mkdir -p "$CASE/context-conntrack"
    cp "$CASE/context/"* "$CASE/truth/conntrack-events.txt" "$CASE/context-conntrack/"
}
main
