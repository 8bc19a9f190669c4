#!/bin/bash
# A Docker host with two networks, DOCKER-USER rules, and an administrator who filters frames with ebtables too.
. "$(dirname "$0")/../make/lib.sh"
HOST=dock FORM=kmsg OURS='10\.20\.0\.|172\.1[78]\.0\.|IN=vethdb OUT= MAC source = 02:42:ac:11:00:66'

container() { # NAME BRIDGE ADDRESS GATEWAY MAC
    ns "$1"
    wire host "veth$1" "fe:42:${5#02:42:}" "$1" eth0 "$5"
    on_ip host link set "veth$1" master "$2"
    addr "$1" eth0 "$3/16"
    on_ip "$1" route add default via "$4"
    on_ip "$1" neigh replace "$4" lladdr "$(on host cat "/sys/class/net/$2/address")" dev eth0 nud permanent
    on_ip host neigh replace "$3" lladdr "$5" dev "$2" nud permanent
    on host bridge fdb replace "$5" dev "veth$1" master static
}

bridge_ns() { # NAME MAC ADDRESS
    on_ip host link add "$1" address "$2" type bridge mcast_snooping 0
    addr host "$1" "$3/16"
    on_ip host link set "$1" up
}

build() {
    host_ns; ns client
    on host sysctl -qw net.bridge.bridge-nf-call-iptables=1
    wire host eth0 52:54:00:14:00:05 client eth0 52:54:00:14:00:09
    addr host eth0 10.20.0.5/24
    addr client eth0 10.20.0.9/24 10.20.0.66/24
    meet host eth0 10.20.0.5 52:54:00:14:00:05 client eth0 10.20.0.9 52:54:00:14:00:09
    on_ip host neigh replace 10.20.0.66 lladdr 52:54:00:14:00:09 dev eth0 nud permanent
    bridge_ns docker0 02:42:5e:aa:00:01 172.17.0.1
    bridge_ns br-5c1f0e9d2a77 02:42:5e:bb:00:01 172.18.0.1
    container web docker0 172.17.0.2 172.17.0.1 02:42:ac:11:00:02
    container db docker0 172.17.0.3 172.17.0.1 02:42:ac:11:00:03
    container app br-5c1f0e9d2a77 172.18.0.2 172.18.0.1 02:42:ac:12:00:02
    on_ip web neigh replace 172.17.0.3 lladdr 02:42:ac:11:00:03 dev eth0 nud permanent
    on_ip db neigh replace 172.17.0.2 lladdr 02:42:ac:11:00:02 dev eth0 nud permanent
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
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.18.0.0/16 ! -o br-5c1f0e9d2a77 -j MASQUERADE
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p udp -m udp --dport 80 -j MASQUERADE
-A DOCKER -i br-5c1f0e9d2a77 -j RETURN
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p udp -m udp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o br-5c1f0e9d2a77 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o br-5c1f0e9d2a77 -j DOCKER
-A FORWARD -i br-5c1f0e9d2a77 ! -o br-5c1f0e9d2a77 -j ACCEPT
-A FORWARD -i br-5c1f0e9d2a77 -o br-5c1f0e9d2a77 -j ACCEPT
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p udp -m udp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i br-5c1f0e9d2a77 ! -o br-5c1f0e9d2a77 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o br-5c1f0e9d2a77 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -s 10.20.0.66/32 -j DROP
-A DOCKER-USER -j RETURN
COMMIT
END
    on host ebtables -t nat -A PREROUTING -i vethdb -s ! 02:42:ac:11:00:03 --log-level info --log-prefix EB-SPOOF --log-ip -j DROP
    on host ebtables -t nat -A PREROUTING -p IPv4 --log-level info --log-prefix "TRACE: eb:nat:PREROUTING" --log-ip -j CONTINUE
    on host ebtables -t filter -A FORWARD -p IPv4 --ip-proto udp --ip-dport 22 --log-level info --log-prefix EB-SSH --log-ip -j DROP
    on host ebtables -t filter -A FORWARD -p IPv4 --log-level info --log-prefix "TRACE: eb:filter:FORWARD" --log-ip -j CONTINUE
    on host ebtables -t filter -A FORWARD -p IPv4 --ip-proto udp --ip-dport 3306 -j DROP
    on host ebtables -t filter -A OUTPUT -p IPv4 --ip-proto udp --ip-dport 81 --log-level info --log-prefix EB-OUT --log-ip -j DROP
    on host ebtables -t nat -A POSTROUTING -p IPv4 --log-level info --log-prefix "TRACE: eb:nat:POSTROUTING" --log-ip -j CONTINUE
    echo_udp web 80; echo_udp web 5432; echo_udp client 9000; echo_udp db 5432
    sleep 0.5
}

traffic() {
    udp client 10.20.0.5 8080 50001 10.20.0.9
    udp client 10.20.0.5 8080 50066 10.20.0.66
    udp app 172.17.0.2 80 50002
    udp web 172.17.0.3 22 50022
    udp web 172.17.0.3 5432 50003
    udp web 172.17.0.3 3306 50306
    udp web 10.20.0.9 9000 50004
    udp host 172.17.0.2 81 50081
    on_ip db link set eth0 address 02:42:ac:11:00:66
    on_ip db neigh replace 172.17.0.1 lladdr 02:42:5e:aa:00:01 dev eth0 nud permanent
    on_ip db neigh replace 172.17.0.2 lladdr 02:42:ac:11:00:02 dev eth0 nud permanent
    udp db 172.17.0.2 5432 50005
}
collect() {
    collect_rules; collect_context; collect_bridge
    ask "$CASE/ebtables.rules" ebtables-save
    ask "$CASE/ebtables-list.txt" "ebtables -L --Lc --Ln; ebtables -t nat -L --Lc --Ln"
}
main
