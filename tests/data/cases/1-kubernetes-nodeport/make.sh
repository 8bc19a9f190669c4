#!/bin/bash
# A Kubernetes node: NodePort, cluster IP, a load balancer's address with allowed sources, a service without endpoints.
. "$(dirname "$0")/../make/lib.sh"
HOST=node1 FORM=iso OURS='192\.168\.50\.|10\.244\.1\.'

pod() { # NAME ADDRESS LAST
    ns "$1"
    wire host "veth$1" "ee:ee:00:00:01:$3" "$1" eth0 "0a:58:0a:f4:01:$3"
    on_ip host link set "veth$1" master cni0
    on host bridge link set dev "veth$1" hairpin on
    addr "$1" eth0 "$2/24"
    on_ip "$1" route add default via 10.244.1.1
    on_ip "$1" neigh replace 10.244.1.1 lladdr 0a:58:0a:f4:01:01 dev eth0 nud permanent
    on_ip host neigh replace "$2" lladdr "0a:58:0a:f4:01:$3" dev cni0 nud permanent
    on host bridge fdb replace "0a:58:0a:f4:01:$3" dev "veth$1" master static
}

build() {
    host_ns; ns client
    on host sysctl -qw net.bridge.bridge-nf-call-iptables=1
    wire host eth0 52:54:00:c0:32:0b client eth0 52:54:00:c0:32:05
    addr host eth0 192.168.50.11/24
    addr client eth0 192.168.50.5/24 192.168.50.77/24
    meet host eth0 192.168.50.11 52:54:00:c0:32:0b client eth0 192.168.50.5 52:54:00:c0:32:05
    on_ip host neigh replace 192.168.50.77 lladdr 52:54:00:c0:32:05 dev eth0 nud permanent
    on_ip host route add default via 192.168.50.5
    on_ip client route add 203.0.113.80 via 192.168.50.11
    addr host lo 203.0.113.80/32
    on_ip host link add cni0 address 0a:58:0a:f4:01:01 type bridge mcast_snooping 0
    addr host cni0 10.244.1.1/24
    on_ip host link set cni0 up
    pod weba 10.244.1.10 0a; pod webb 10.244.1.11 0b; pod tools 10.244.1.20 14
    on host iptables-legacy-restore <<'END'
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A PREROUTING -j TRACE
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-FW-7TUW3SHOPWEBHTTP - [0:0]
:KUBE-MARK-DROP - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SEP-AAAAWEBAHTTP8080 - [0:0]
:KUBE-SEP-BBBBWEBBHTTP8080 - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-7TUW3SHOPWEBHTTP - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-FW-7TUW3SHOPWEBHTTP -m comment --comment "shop/web:http loadbalancer IP" -j KUBE-MARK-MASQ
-A KUBE-FW-7TUW3SHOPWEBHTTP -s 192.168.50.0/28 -m comment --comment "shop/web:http loadbalancer IP" -j KUBE-SVC-7TUW3SHOPWEBHTTP
-A KUBE-FW-7TUW3SHOPWEBHTTP -m comment --comment "shop/web:http loadbalancer IP" -j KUBE-MARK-DROP
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-NODEPORTS -p tcp -m comment --comment "shop/web:http" -m tcp --dport 30080 -j KUBE-MARK-MASQ
-A KUBE-NODEPORTS -p tcp -m comment --comment "shop/web:http" -m tcp --dport 30080 -j KUBE-SVC-7TUW3SHOPWEBHTTP
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SEP-AAAAWEBAHTTP8080 -s 10.244.1.10/32 -m comment --comment "shop/web:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-AAAAWEBAHTTP8080 -p tcp -m comment --comment "shop/web:http" -m tcp -j DNAT --to-destination 10.244.1.10:8080
-A KUBE-SEP-BBBBWEBBHTTP8080 -s 10.244.1.11/32 -m comment --comment "shop/web:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-BBBBWEBBHTTP8080 -p tcp -m comment --comment "shop/web:http" -m tcp -j DNAT --to-destination 10.244.1.11:8080
-A KUBE-SERVICES -d 10.96.12.7/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-SVC-7TUW3SHOPWEBHTTP
-A KUBE-SERVICES -d 203.0.113.80/32 -p tcp -m comment --comment "shop/web:http loadbalancer IP" -m tcp --dport 80 -j KUBE-FW-7TUW3SHOPWEBHTTP
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-7TUW3SHOPWEBHTTP -m comment --comment "shop/web:http" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-AAAAWEBAHTTP8080
-A KUBE-SVC-7TUW3SHOPWEBHTTP -m comment --comment "shop/web:http" -j KUBE-SEP-BBBBWEBBHTTP8080
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-SERVICES - [0:0]
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A FORWARD -i cni0 -o cni0 -m comment --comment "pods among themselves" -j ACCEPT
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "shop/empty:http has no endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30099 -j REJECT --reject-with icmp-port-unreachable
-A KUBE-FIREWALL -m comment --comment "kubernetes firewall for dropping marked packets" -m mark --mark 0x8000/0x8000 -j DROP
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-SERVICES -d 10.96.12.9/32 -p tcp -m comment --comment "shop/empty:http has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable
COMMIT
END
    echo_tcp weba 8080; echo_tcp webb 8080
    sleep 0.5
}

traffic() {
    tcp client 192.168.50.11 30080 50001 192.168.50.5
    tcp client 192.168.50.11 30080 50002 192.168.50.5
    knock client 203.0.113.80 80 50077 192.168.50.77
    tcp client 203.0.113.80 80 50005 192.168.50.5
    knock client 192.168.50.11 30099 50099 192.168.50.5
    knock tools 10.96.12.9 80 50009
    tcp tools 10.96.12.7 80 50007
    tcp weba 10.96.12.7 80 50010
}
collect() { collect_rules; collect_context; collect_bridge; }
main
