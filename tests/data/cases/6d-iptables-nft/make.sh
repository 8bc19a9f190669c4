#!/bin/bash
# A host whose iptables is the nf_tables one: LOG works, and a TRACE rule prints nothing.
. "$(dirname "$0")/../make/lib.sh"
HOST=debian FORM=iso OURS='10\.76\.0\.'

build() {
    host_ns; ns client
    wire host eth0 52:54:00:4c:00:01 client eth0 52:54:00:4c:00:02
    addr host eth0 10.76.0.1/24; addr client eth0 10.76.0.2/24
    meet host eth0 10.76.0.1 52:54:00:4c:00:01 client eth0 10.76.0.2 52:54:00:4c:00:02
    on host iptables-nft-restore <<'END'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p udp -j TRACE
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:web - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p udp -m udp --dport 443 -j web
-A INPUT -p udp -m udp --dport 161 -j LOG --log-prefix "snmp "
-A INPUT -p udp -m udp --dport 161 -j REJECT --reject-with icmp-port-unreachable
-A INPUT -j LOG --log-prefix "input-drop: " --log-ip-options
-A web -s 10.76.0.66/32 -j LOG --log-prefix "web-bad "
-A web -s 10.76.0.66/32 -j DROP
-A web -j LOG --log-prefix "web-ok "
-A web -j ACCEPT
COMMIT
END
    sink_udp host 443
    addr client eth0 10.76.0.66/24
    on_ip host neigh replace 10.76.0.66 lladdr 52:54:00:4c:00:02 dev eth0 nud permanent
    sleep 0.5
}

traffic() {
    udp client 10.76.0.1 443 50443 10.76.0.2
    udp client 10.76.0.1 443 50444 10.76.0.66
    udp client 10.76.0.1 161 50161 10.76.0.2
    udp client 10.76.0.1 69 50069 10.76.0.2
}
collect() {
    collect_context
    ask "$CASE/iptables.rules" iptables-nft-save
    ask "$CASE/truth/iptables-counters.txt" iptables-nft-save -c
    ask "$CASE/nft.rules" nft list ruleset
}
main
