#!/bin/bash
# A router on which every kind of end can be met.
. "$(dirname "$0")/../make/lib.sh"
HOST=gw FORM=iso OURS='10\.3[01]\.0\.'

build() {
    host_ns; ns client; ns server
    wire host eth0 52:54:00:30:00:01 client eth0 52:54:00:30:00:02
    wire host eth1 52:54:00:31:00:01 server eth0 52:54:00:31:00:02
    addr host eth0 10.30.0.1/24; addr client eth0 10.30.0.2/24
    addr host eth1 10.31.0.1/24; addr server eth0 10.31.0.2/24
    meet host eth0 10.30.0.1 52:54:00:30:00:01 client eth0 10.30.0.2 52:54:00:30:00:02
    meet host eth1 10.31.0.1 52:54:00:31:00:01 server eth0 10.31.0.2 52:54:00:31:00:02
    on_ip client route add default via 10.30.0.1
    on_ip server route add default via 10.31.0.1
    on_ip host rule add fwmark 0x1/0x1 lookup 100
    on_ip host route add local default dev lo table 100
    on host iptables-legacy-restore <<'END'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -j TRACE
-A PREROUTING -p udp -m udp --dport 7001 -j DROP
-A OUTPUT -j TRACE
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DIVERT - [0:0]
-A PREROUTING -p udp -m udp --dport 7002 -j DROP
-A PREROUTING -p tcp -m socket --transparent -j DIVERT
-A PREROUTING -i eth0 -p tcp -m tcp --dport 8081 -j TPROXY --on-port 9000 --on-ip 0.0.0.0 --tproxy-mark 0x1/0x1
-A FORWARD -p udp -m udp --dport 7003 -j DROP
-A POSTROUTING -p udp -m udp --dport 7004 -j DROP
-A DIVERT -j MARK --set-xmark 0x1/0xffffffff
-A DIVERT -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -i eth0 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 23 -j REJECT --reject-with tcp-reset
-A INPUT -p udp -m udp --dport 69 -j REJECT --reject-with icmp-port-unreachable
-A INPUT -p tcp -m multiport --dports 22,8080 -j ACCEPT
-A INPUT -i eth0 -p tcp -m mark --mark 0x1/0x1 -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -p udp -m udp --dport 7010 -j NFQUEUE --queue-num 1
-A FORWARD -p udp -m udp --dport 7011 -j NFQUEUE --queue-num 2 --queue-bypass
-A FORWARD -p udp -m udp --dport 7012:7013 -j NFQUEUE --queue-num 3
-A FORWARD -p tcp -m tcp --dport 110 -j REJECT --reject-with tcp-reset
-A FORWARD -p tcp -m tcp --dport 143 -j REJECT --reject-with icmp-admin-prohibited
-A FORWARD -p udp -m multiport --dports 7003,7004,7005,7006 -j ACCEPT
-A FORWARD -p udp -m udp --dport 7020 -j DROP
-A OUTPUT -o lo -j ACCEPT
-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A OUTPUT -p tcp -m tcp --dport 25 -j REJECT --reject-with icmp-port-unreachable
-A OUTPUT -p udp -m udp --dport 53:54 -j ACCEPT
COMMIT
*security
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -p udp -m udp --dport 7005 -j DROP
-A OUTPUT -p udp -m udp --dport 54 -j DROP
COMMIT
END
    serve host socat TCP4-LISTEN:8080,fork,reuseaddr PIPE
    serve host socat TCP4-LISTEN:9000,fork,reuseaddr,ip-transparent PIPE
    serve host $TOOL queue 3 7012:accept 7013:drop
    echo_udp server 53
    echo_udp server 7006
    sink_udp server 7011
    sink_udp server 7012
    sleep 0.5
}

traffic() {
    local port
    for port in 7001 7002 7003 7004 7005 7006; do udp client 10.31.0.2 $port 4$port; done
    for port in 7010 7011 7012 7013 7020 7021; do udp client 10.31.0.2 $port 4$port; done
    knock client 10.31.0.2 110 40110
    knock client 10.31.0.2 143 40143
    udp client 10.30.0.1 5353 45353
    udp client 10.30.0.1 69 40069
    knock client 10.30.0.1 23 40023
    tcp client 10.30.0.1 80 40080
    tcp client 10.31.0.2 8081 48081
    knock host 10.31.0.2 25 40025
    udp host 10.31.0.2 123 40123
    udp host 10.31.0.2 54 40054
    udp host 10.31.0.2 53 40053
}
main
