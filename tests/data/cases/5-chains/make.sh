#!/bin/bash
# A host whose chains call each other in every way there is.
. "$(dirname "$0")/../make/lib.sh"
HOST=chains FORM=classic OURS='10\.50\.0\.|127\.0\.0\.1'

build() {
    host_ns; ns client
    wire host eth0 52:54:00:50:00:01 client eth0 52:54:00:50:00:02
    addr host eth0 10.50.0.1/24; addr client eth0 10.50.0.2/24
    meet host eth0 10.50.0.1 52:54:00:50:00:01 client eth0 10.50.0.2 52:54:00:50:00:02
    on host iptables-legacy-restore <<'END'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -j TRACE
-A OUTPUT -p udp -m udp --dport 6050:6059 -j TRACE
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT DROP [0:0]
:tier1 - [0:0]
:tier2 - [0:0]
:tier3 - [0:0]
:side - [0:0]
:gone - [0:0]
:yes - [0:0]
:no - [0:0]
:back - [0:0]
:logdrop - [0:0]
:note - [0:0]
:empty - [0:0]
-A INPUT -m comment --comment "only a note: counts, decides nothing"
-A INPUT -p udp -m udp --dport 6000:6009 -j LOG --log-prefix "seen: "
-A INPUT -p udp -m udp --dport 6000:6009 -j tier1
-A INPUT -p udp -m udp --dport 6010:6019 -g side
-A INPUT -p udp -m udp --dport 6020 -j yes
-A INPUT -p udp -m udp --dport 6021 -j no
-A INPUT -p udp -m udp --dport 6022:6023 -j back
-A INPUT -p udp -m udp --dport 6030 -j logdrop
-A INPUT -p udp -m udp --dport 6031 -m limit --limit 1/min --limit-burst 1 -j LOG --log-prefix "limited: "
-A INPUT -p udp -m udp --dport 6031 -j DROP
-A INPUT -p udp -m udp --dport 6032 -j note
-A INPUT -p udp -m udp --dport 6033 -j empty
-A INPUT -p udp -m udp --dport 6034 -j RETURN
-A INPUT -p udp -m udp --dport 6035 -j LOG --log-prefix "twice "
-A INPUT -p udp -m udp --dport 6036 -j LOG --log-prefix "twice "
-A INPUT -p udp -m udp --dport 6035:6036 -j ACCEPT
-A INPUT -p udp -m udp --dport 6012 -j ACCEPT
-A INPUT -p udp -m udp --dport 6034 -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A OUTPUT -p udp -m udp --dport 6051 -j DROP
-A OUTPUT -j ACCEPT
-A OUTPUT -p udp -m udp --dport 6052 -j DROP
-A back -p udp -m udp --dport 6022 -j RETURN
-A back -j RETURN
-A back -j DROP
-A gone -j DROP
-A logdrop -j LOG --log-prefix "drop: "
-A logdrop -j DROP
-A no -j DROP
-A note -m comment --comment "a \"quoted\" note"
-A note -m comment --comment "let in" -j ACCEPT
-A side -p udp -m udp --dport 6010 -j ACCEPT
-A side -p udp -m udp --dport 6011 -j gone
-A tier1 -p udp -m udp --dport 6001 -j ACCEPT
-A tier1 -j tier2
-A tier1 -p udp -m udp --dport 6004 -j REJECT --reject-with icmp-host-prohibited
-A tier2 -p udp -m udp --dport 6002 -j DROP
-A tier2 -g tier3
-A tier2 -j DROP
-A tier3 -p udp -m udp --dport 6003 -j ACCEPT
-A tier3 -p udp -m udp --dport 6004 -j RETURN
-A tier3 -p udp -m udp --dport 6005 -j LOG --log-prefix "deep: "
-A yes -j ACCEPT
-A yes -j DROP
COMMIT
END
    local port
    for port in 6001 6003 6010 6020 6032 6035 6036; do sink_udp host $port; done
    sleep 0.5
}

traffic() {
    local port
    for port in 6001 6002 6003 6004 6005 6010 6011 6012 6020 6021 6022 6023 6030; do udp client 10.50.0.1 $port 4$port; done
    udp client 10.50.0.1 6031 46031; udp client 10.50.0.1 6031 56031
    for port in 6032 6033 6034 6035 6036; do udp client 10.50.0.1 $port 4$port; done
    udp host 10.50.0.2 6051 46051
    udp host 10.50.0.2 6052 46052
    udp host 127.0.0.1 6053 46053
}
main
