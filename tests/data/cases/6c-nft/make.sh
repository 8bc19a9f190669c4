#!/bin/bash
# A host with nftables' own rules, some of which log.
. "$(dirname "$0")/../make/lib.sh"
HOST=nfthost FORM=iso OURS='10\.7[45]\.0\.'

build() {
    host_ns; ns client; ns server
    wire host eth0 52:54:00:4a:00:01 client eth0 52:54:00:4a:00:02
    wire host eth1 52:54:00:4b:00:01 server eth0 52:54:00:4b:00:02
    addr host eth0 10.74.0.1/24; addr client eth0 10.74.0.2/24
    addr host eth1 10.75.0.1/24; addr server eth0 10.75.0.2/24
    meet host eth0 10.74.0.1 52:54:00:4a:00:01 client eth0 10.74.0.2 52:54:00:4a:00:02
    meet host eth1 10.75.0.1 52:54:00:4b:00:01 server eth0 10.75.0.2 52:54:00:4b:00:02
    on_ip client route add default via 10.74.0.1
    on_ip server route add default via 10.75.0.1
    on host nft -f - <<'END'
table inet filter {
    set admins {
        type ipv4_addr
        elements = { 10.74.0.2, 10.74.0.9 }
    }
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iif lo accept
        ip saddr @admins udp dport 22 log prefix "ssh: " accept
        udp dport 23 log prefix "telnet: "
        udp dport 23 drop
        udp dport 1000-1999 jump scans
        limit rate 100/second log prefix "input denied: " flags all
    }
    chain scans {
        log prefix "scan: " drop
    }
    chain forward {
        type filter hook forward priority filter; policy accept;
        udp dport { 53, 123 } log prefix "passing: "
        udp dport 4000 log prefix "refused: " reject with icmp type admin-prohibited
    }
    chain output {
        type filter hook output priority filter; policy accept;
    }
}
table ip nat {
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        udp dport 8053 log prefix "publish: " dnat to 10.75.0.2:53
    }
}
END
    sink_udp host 22; echo_udp server 53
    sleep 0.5
}

traffic() {
    udp client 10.74.0.1 22 50022
    udp client 10.74.0.1 23 50023
    udp client 10.74.0.1 1234 51234
    udp client 10.74.0.1 999 50999
    udp client 10.75.0.2 53 50053
    udp client 10.75.0.2 4000 54000
    udp client 10.74.0.1 8053 58053
}
collect() {
    collect_context
    ask "$CASE/nft.rules" nft list ruleset
    ask "$CASE/nft-handles.rules" nft -a list ruleset
}
main
