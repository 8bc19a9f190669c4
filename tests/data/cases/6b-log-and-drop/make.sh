#!/bin/bash
# A hand-made firewall that logs what it drops, without TRACE.
. "$(dirname "$0")/../make/lib.sh"
HOST=fw FORM=iso OURS='10\.7[23]\.0\.'

build() {
    host_ns; ns client; ns server
    wire host eth0 52:54:00:48:00:01 client eth0 52:54:00:48:00:02
    wire host eth1 52:54:00:49:00:01 server eth0 52:54:00:49:00:02
    addr host eth0 10.72.0.1/24; addr client eth0 10.72.0.2/24
    addr host eth1 10.73.0.1/24; addr server eth0 10.73.0.2/24
    meet host eth0 10.72.0.1 52:54:00:48:00:01 client eth0 10.72.0.2 52:54:00:48:00:02
    meet host eth1 10.73.0.1 52:54:00:49:00:01 server eth0 10.73.0.2 52:54:00:49:00:02
    on_ip client route add default via 10.72.0.1
    on_ip server route add default via 10.73.0.1
    on host iptables-legacy-restore <<'END'
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:LOGDROP - [0:0]
:LOGREJECT - [0:0]
-A INPUT -p tcp -m tcp --dport 23 -j LOG --log-prefix "TELNET: "
-A INPUT -p tcp -m tcp --dport 23 -j DROP
-A INPUT -p udp -m udp --dport 514 -j LOG --log-prefix "SYSLOG: "
-A INPUT -p udp -m udp --dport 514 -j ACCEPT
-A INPUT -p udp -m udp --dport 1000:1999 -j LOGDROP
-A INPUT -s 10.72.0.0/24 -p udp -m udp --dport 2000 -j LOG --log-prefix "ODD: "
-A INPUT -s 10.99.0.0/16 -p udp -m udp --dport 2000 -j DROP
-A INPUT -p udp -m udp --dport 3000 -j LOG --log-prefix "FW-"
-A INPUT -p udp -m udp --dport 3000 -j DROP
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -p udp -m udp --dport 3000 -j LOG --log-prefix "FW-"
-A FORWARD -p udp -m udp --dport 3000 -j ACCEPT
-A FORWARD -p udp -m udp --dport 4000 -j LOGREJECT
-A FORWARD -m limit --limit 100/sec -j LOG --log-prefix "FORWARD DENIED "
-A OUTPUT -p udp -m udp --dport 53 -j LOG --log-prefix "DNS "
-A LOGDROP -m limit --limit 10/min -j LOG --log-prefix "DROPPED: "
-A LOGDROP -j DROP
-A LOGREJECT -j LOG --log-prefix "REFUSED "
-A LOGREJECT -p tcp -j REJECT --reject-with tcp-reset
-A LOGREJECT -j REJECT --reject-with icmp-admin-prohibited
COMMIT
END
    sink_udp host 514; sink_udp host 2000; sink_udp server 3000; echo_udp server 53
    sleep 0.5
}

traffic() {
    knock client 10.72.0.1 23 50023
    udp client 10.72.0.1 514 50514
    udp client 10.72.0.1 1234 51234
    udp client 10.72.0.1 2000 52000
    udp client 10.72.0.1 3000 53000
    udp client 10.73.0.2 3000 53001
    udp client 10.73.0.2 4000 54000
    udp client 10.73.0.2 5000 55000
    udp host 10.73.0.2 53 50053
}
main
