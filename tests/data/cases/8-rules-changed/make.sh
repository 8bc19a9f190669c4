#!/bin/bash
# A host whose rules are changed while the log is being written; iptables-save was run before and after.
. "$(dirname "$0")/../make/lib.sh"
HOST=changing FORM=iso OURS='10\.80\.0\.'

build() {
    host_ns; ns client
    wire host eth0 52:54:00:50:80:01 client eth0 52:54:00:50:80:02
    addr host eth0 10.80.0.1/24; addr client eth0 10.80.0.2/24 10.80.0.3/24
    meet host eth0 10.80.0.1 52:54:00:50:80:01 client eth0 10.80.0.2 52:54:00:50:80:02
    on_ip host neigh replace 10.80.0.3 lladdr 52:54:00:50:80:02 dev eth0 nud permanent
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
:app - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p udp -m udp --dport 9000 -j app
-A INPUT -p udp -m udp --dport 9100 -j ACCEPT
-A app -s 10.80.0.0/24 -p udp -j ACCEPT
COMMIT
END
    sink_udp host 9000; sink_udp host 9100
    sleep 0.5
}

phase() { # LAST DIGIT OF THE SOURCE PORTS
    udp client 10.80.0.1 9000 5000$1 10.80.0.2
    udp client 10.80.0.1 9000 5100$1 10.80.0.3
    udp client 10.80.0.1 9100 5200$1 10.80.0.2
    udp client 10.80.0.1 9200 5300$1 10.80.0.2
}

traffic() {
    ask "$CASE/before.rules" iptables-legacy-save
    sleep 1.2
    phase 1
    ask "$CASE/truth/counters-before.txt" iptables-legacy-save -c
    sleep 1.2
    on host iptables-legacy -I INPUT 2 -s 10.80.0.3/32 -j DROP
    on host iptables-legacy -R app 1 -s 10.80.0.7/32 -p udp -j ACCEPT
    on host iptables-legacy -A app -j LOG --log-prefix "app: "
    on host iptables-legacy -Z
    ask "$CASE/after.rules" iptables-legacy-save
    sleep 1.2
    phase 2
    ask "$CASE/truth/counters-after.txt" iptables-legacy-save -c
}
collect() { collect_context; }
main
