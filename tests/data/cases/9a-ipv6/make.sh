#!/bin/bash
# A host with IPv6: address translation, user chains, REJECT and policy in ip6tables, beside an iptables of other rules.
. "$(dirname "$0")/../make/lib.sh"
HOST=six FORM=iso OURS='fd00:9[01]|fd00:0090|fd00:0091|10\.90\.0\.'

build() {
    host_ns; ns client; ns server
    local where
    for where in host client server; do with_ipv6 $where; done
    on host sysctl -qw net.ipv6.conf.all.forwarding=1
    wire host eth0 52:54:00:90:00:01 client eth0 52:54:00:90:00:02
    wire host eth1 52:54:00:91:00:01 server eth0 52:54:00:91:00:02
    addr host eth0 fd00:90::1/64 10.90.0.1/24; addr client eth0 fd00:90::2/64 10.90.0.2/24
    addr host eth1 fd00:91::1/64; addr server eth0 fd00:91::2/64
    meet host eth0 fd00:90::1 52:54:00:90:00:01 client eth0 fd00:90::2 52:54:00:90:00:02
    meet host eth1 fd00:91::1 52:54:00:91:00:01 server eth0 fd00:91::2 52:54:00:91:00:02
    meet host eth0 10.90.0.1 52:54:00:90:00:01 client eth0 10.90.0.2 52:54:00:90:00:02
    on_ip client -6 route add default via fd00:90::1
    on_ip server -6 route add default via fd00:91::1
    on host ip6tables-legacy-restore <<'END'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p udp -j TRACE
-A OUTPUT -p ipv6-icmp -m icmp6 --icmpv6-type 1 -j TRACE
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d fd00:90::1/128 -p udp -m udp --dport 8053 -j DNAT --to-destination [fd00:91::2]:53
-A POSTROUTING -s fd00:91::/64 -o eth0 -j MASQUERADE
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:web6 - [0:0]
-A INPUT -p ipv6-icmp -j ACCEPT
-A INPUT -p udp -m udp --dport 7000 -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -p udp -m udp --dport 53 -j web6
-A FORWARD -p udp -m udp --dport 9 -j REJECT --reject-with icmp6-adm-prohibited
-A FORWARD -s fd00:91::/64 -p udp -m udp --dport 5000 -j ACCEPT
-A web6 -s fd00:90::2/128 -j ACCEPT
-A web6 -j DROP
COMMIT
END
    on host iptables-legacy-restore <<'END'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -p udp -j TRACE
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -p udp -m udp --dport 7001 -j ACCEPT
-A INPUT -p udp -m udp --dport 7000 -j DROP
COMMIT
END
    on_ip client addr add fd00:90::3/64 dev eth0 nodad
    on_ip host neigh replace fd00:90::3 lladdr 52:54:00:90:00:02 dev eth0 nud permanent
    serve server socat UDP6-RECVFROM:53,fork,reuseaddr PIPE
    serve client socat "UDP6-RECVFROM:5000,bind=[fd00:90::2],fork,reuseaddr" PIPE
    serve host socat -u UDP6-RECV:7000,reuseaddr,ipv6only OPEN:/dev/null
    sleep 0.7
}

udp6() { on "$1" timeout 2 sh -c "echo hello | socat -t 0.15 - 'UDP6:[$2]:$3,sourceport=$4,bind=[$5]'" || true; }

traffic() {
    udp6 client fd00:90::1 8053 58053 fd00:90::2
    udp6 client fd00:91::2 53 50053 fd00:90::3
    udp6 client fd00:91::2 9 50009 fd00:90::2
    udp6 client fd00:91::2 4000 54000 fd00:90::2
    udp6 client fd00:90::1 7000 57000 fd00:90::2
    udp6 client fd00:90::1 7002 57002 fd00:90::2
    udp6 server fd00:90::2 5000 55000 fd00:91::2
    udp client 10.90.0.1 7000 57000
}
collect_rules() {
    ask "$CASE/iptables.rules" iptables-legacy-save
    ask "$CASE/ip6tables.rules" ip6tables-legacy-save
    ask "$CASE/truth/iptables-counters.txt" "iptables-legacy-save -c; ip6tables-legacy-save -c"
}
collect_context() {
    ask "$CASE/context/ip-addr.txt" ip addr show
    ask "$CASE/context/ip-route.txt" ip route show table all
    ask "$CASE/context/ip6-route.txt" ip -6 route show table all
    ask "$CASE/context/ip6-neigh.txt" ip -6 neigh show
}
main
