#!/bin/bash
# A host somebody took for a router: net.ipv4.ip_forward is 0.
. "$(dirname "$0")/../make/lib.sh"
HOST=notrouter FORM=dmesg OURS='10\.6[67]\.'

build() {
    host_ns; ns client; ns server
    on host sysctl -qw net.ipv4.ip_forward=0
    wire host eth0 52:54:00:42:00:01 client eth0 52:54:00:42:00:02
    wire host eth1 52:54:00:43:00:01 server eth0 52:54:00:43:00:02
    addr host eth0 10.66.0.1/24; addr client eth0 10.66.0.2/24
    addr host eth1 10.67.0.1/24; addr server eth0 10.67.0.2/24
    meet host eth0 10.66.0.1 52:54:00:42:00:01 client eth0 10.66.0.2 52:54:00:42:00:02
    on_ip client route add default via 10.66.0.1
    on_ip server route add default via 10.67.0.1
    on host iptables-legacy-restore <<'END'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p udp -m udp --dport 9000 -j TRACE
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p udp -m udp --dport 9000 -j ACCEPT
-A FORWARD -p udp -m udp --dport 9000 -j ACCEPT
COMMIT
END
    sink_udp host 9000
    sleep 0.4
}

traffic() {
    udp client 10.67.0.2 9000 50001
    udp client 10.66.0.1 9000 50002
    udp client 10.67.0.1 9000 50003
}
collect() {
    collect_rules; collect_context
    ask "$CASE/context/sysctl.txt" "sysctl net.ipv4.ip_forward net.ipv4.conf | grep -E 'ip_forward|\.(forwarding|rp_filter) '"
    ask "$CASE/truth/nstat.txt" "nstat -as"
}
main
