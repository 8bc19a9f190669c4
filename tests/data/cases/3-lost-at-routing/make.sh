#!/bin/bash
# A router whose routing loses packets in every way: no route, blackhole, unreachable, prohibit, reverse path, martians,
# forwarding switched off on one device, time to live.
. "$(dirname "$0")/../make/lib.sh"
HOST=rtr FORM=iso OURS='10\.6[0-9]\.|ll header'

build() {
    host_ns; ns client; ns server
    wire host eth0 52:54:00:3c:00:01 client eth0 52:54:00:3c:00:02
    wire host eth1 52:54:00:3d:00:01 server eth0 52:54:00:3d:00:02
    wire host eth2 52:54:00:3e:00:01 client eth2 52:54:00:3e:00:02
    addr host eth0 10.60.0.1/24; addr client eth0 10.60.0.2/24 10.60.0.3/24 10.60.0.4/24 10.60.0.5/24
    addr host eth1 10.61.0.1/24; addr server eth0 10.61.0.2/24
    addr host eth2 10.62.0.1/24; addr client eth2 10.62.0.2/24
    meet host eth0 10.60.0.1 52:54:00:3c:00:01 client eth0 10.60.0.2 52:54:00:3c:00:02
    local last
    # Routing sends a neighbour few errors a second: one address for each.
    for last in 3 4 5; do on_ip host neigh replace 10.60.0.$last lladdr 52:54:00:3c:00:02 dev eth0 nud permanent; done
    meet host eth1 10.61.0.1 52:54:00:3d:00:01 server eth0 10.61.0.2 52:54:00:3d:00:02
    meet host eth2 10.62.0.1 52:54:00:3e:00:01 client eth2 10.62.0.2 52:54:00:3e:00:02
    on_ip client route add default via 10.60.0.1
    # Kept apart, or it would leave through the wrong device.
    on_ip client rule add from 10.62.0.2 lookup 62
    on_ip client route add default via 10.62.0.1 table 62
    on_ip server route add default via 10.61.0.1
    on_ip host route add 10.69.0.0/24 via 10.61.0.2
    on_ip host route add blackhole 10.63.0.0/24
    on_ip host route add unreachable 10.64.0.0/24
    on_ip host route add prohibit 10.65.0.0/24
    on host sysctl -qw net.ipv4.conf.eth0.rp_filter=1 net.ipv4.conf.eth0.log_martians=1 net.ipv4.conf.eth2.forwarding=0
    on host iptables-legacy-restore <<'END'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -j TRACE
-A OUTPUT -j TRACE
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 10.60.0.1/32 -p udp -m udp --dport 9063 -j DNAT --to-destination 10.63.0.9:9063
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
COMMIT
END
    echo_udp server 9000
    sleep 0.5
}

traffic() {
    udp client 10.61.0.2 9000 50001
    udp client 198.51.100.7 9000 50002
    udp client 10.63.0.2 9000 50003
    udp client 10.64.0.2 9000 50004 10.60.0.3
    udp client 10.65.0.2 9000 50005 10.60.0.4
    udp client 10.60.0.1 9063 50006
    on client $TOOL forge 10.69.0.9 50007 10.61.0.2 9000 4607
    on client $TOOL forge 127.0.0.9 50008 10.61.0.2 9000 4608
    udp client 10.61.0.2 9000 50009 10.62.0.2
    on client sh -c 'echo hello | timeout 1 socat -t 0.15 - UDP4:10.61.0.2:9000,sourceport=50010,bind=10.60.0.5,ttl=1' || true
    udp client 10.61.0.2 9000 50011
}
collect() {
    collect_rules; collect_context
    ask "$CASE/context/sysctl.txt" "sysctl net.ipv4.ip_forward net.ipv4.conf | grep -E 'ip_forward|\.(forwarding|rp_filter|log_martians|route_localnet|accept_local) '"
    ask "$CASE/truth/nstat.txt" "nstat -as"
}
main
