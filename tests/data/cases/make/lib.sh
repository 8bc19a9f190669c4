# How a scene is made: sourced by the make.sh of each, which says `build` and `traffic`.
#
# The host under examination is the namespace tf-host; only it has rules, so only it logs. What the log is held
# against is asked of the kernel right after the traffic: rule counters, conntrack's events and entries.

set -euo pipefail

MAKE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CASE=$(cd "$(dirname "$0")" && pwd)
TOOL="python3 $MAKE/tool.py"
WORK=$(mktemp -d)
HOST=gw FORM=iso OURS='10\.'
PIDS=()

# A namespace with loopback up; IPv6 only when asked for.
ns() {
    ip netns add "tf-$1"
    ip netns exec "tf-$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 \
        net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
        net.ipv4.conf.all.accept_redirects=0 net.ipv4.conf.default.accept_redirects=0 \
        net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0
    ip -n "tf-$1" link set lo up
}

# The host: forwards, counts, and logs each family with the kernel's own logger.
host_ns() {
    ns host
    on host sysctl -qw net.ipv4.ip_forward=1 net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_log.2=nf_log_ipv4 \
        net.netfilter.nf_log.7=nf_log_bridge net.netfilter.nf_log.10=nf_log_ipv6
}

with_ipv6() {
    on "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
        net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.default.router_solicitations=0 \
        net.ipv6.conf.default.addr_gen_mode=1 net.ipv6.conf.all.addr_gen_mode=1
}

on() { local where=$1; shift; ip netns exec "tf-$where" "$@"; }
on_ip() { local where=$1; shift; ip -n "tf-$where" "$@"; }

# wire A IF MAC B IF MAC
wire() {
    on_ip "$1" link add "$2" address "$3" type veth peer name "$5" address "$6" netns "tf-$4"
    on_ip "$1" link set "$2" up
    on_ip "$4" link set "$5" up
}

# addr NS IF ADDRESS...
addr() { local where=$1 device=$2 one; shift 2; for one in "$@"; do on_ip "$where" addr add "$one" dev "$device"; done; }

# Neighbours that know each other, so that no ARP is part of the story: meet A IF ADDR MAC B IF ADDR MAC
meet() {
    on_ip "$1" neigh replace "$7" lladdr "$8" dev "$2" nud permanent
    on_ip "$5" neigh replace "$3" lladdr "$4" dev "$6" nud permanent
}

# A program in the background, in a namespace.
serve() {
    local where=$1; shift
    setpriv --pdeathsig KILL -- ip netns exec "tf-$where" "$@" >"$WORK/server.${#PIDS[@]}" 2>&1 &
    PIDS+=($!)
}

echo_tcp() { serve "$1" socat "TCP4-LISTEN:$2,fork,reuseaddr${3:+,bind=$3}" PIPE; }
echo_udp() { serve "$1" socat "UDP4-RECVFROM:$2,fork,reuseaddr${3:+,bind=$3}" PIPE; }
sink_udp() { serve "$1" socat -u "UDP4-RECV:$2,reuseaddr${3:+,bind=$3}" OPEN:/dev/null; }

# udp NS ADDRESS PORT SOURCEPORT [SOURCE]: one datagram and the answer, if there is one.
udp() { on "$1" timeout 2 sh -c "echo hello | socat -t 0.15 - UDP4:$2:$3,sourceport=$4${5:+,bind=$5}" || true; }

# tcp NS ADDRESS PORT SOURCEPORT [SOURCE]: a short conversation.
tcp() { on "$1" timeout 2 sh -c "echo hello | nc -N ${5:+-s $5} -p $4 $2 $3" || true; }

# knock NS ADDRESS PORT SOURCEPORT [SOURCE]: a single SYN; gives up before it is repeated.
knock() { on "$1" timeout 0.7 sh -c "nc ${5:+-s $5} -p $4 $2 $3 </dev/null" || true; }

clean() {
    local pid name
    for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
    PIDS=()
    for name in $(ip netns list | awk '/^tf-/ {print $1}'); do
        for pid in $(ip netns pids "$name"); do kill -KILL "$pid" 2>/dev/null || true; done
        ip netns del "$name"
    done
}

# What the host's own tools say; foreign namespaces would have names here that a real host does not show.
ask() { local file=$1; shift; on host sh -c "mount -t tmpfs none /run/netns; $*" >"$file"; }

# Replaced or extended by scenes.
collect_rules() {
    ask "$CASE/iptables.rules" iptables-legacy-save
    ask "$CASE/truth/iptables-counters.txt" iptables-legacy-save -c
}
collect_context() {
    ask "$CASE/context/ip-addr.txt" ip addr show
    ask "$CASE/context/ip-route.txt" ip route show table all
    ask "$CASE/context/ip-rule.txt" ip rule show
    ask "$CASE/context/ip-neigh.txt" ip neigh show
}
collect_bridge() {
    ask "$CASE/context/bridge-link.txt" bridge link show
    ask "$CASE/context/bridge-fdb.txt" bridge fdb show
}
collect_ebtables() { ask "$CASE/ebtables.rules" ebtables-save; ask "$CASE/truth/ebtables-counters.txt" "ebtables -L --Lc; ebtables -t nat -L --Lc"; }
collect() { collect_rules; collect_context; }
before() { :; }

start_record() {
    rm -f "$WORK/kmsg"
    # Real-time priority: the ring holds fewer than a thousand lines.
    chrt -f 50 $TOOL record "$WORK/kmsg" & RECORDER=$!
    until [ -e "$WORK/kmsg" ]; do sleep 0.02; done
    on host conntrack -E -o timestamp -b 8388608 >"$WORK/events" 2>/dev/null & WATCH=$!
    sleep 0.3
}
stop_record() {
    sleep 0.4
    kill "$WATCH" 2>/dev/null || true; wait "$WATCH" 2>/dev/null || true
    kill "$RECORDER"; wait "$RECORDER" || true
}

once() {
    clean
    mkdir -p "$CASE/context" "$CASE/truth"
    build
    sleep 0.3
    before
    start_record
    traffic
    stop_record
    $TOOL ours "$WORK/kmsg" "$OURS" || return 1
    cp "$WORK/events" "$CASE/truth/conntrack-events.txt"
    on host sh -c 'conntrack -L -f ipv4 -o extended 2>/dev/null; conntrack -L -f ipv6 -o extended 2>/dev/null' >"$CASE/truth/conntrack-list.txt"
    collect
    $TOOL text "$FORM" "$HOST" "$WORK/kmsg" >"$CASE/kern.log"
}

main() {
    # The kernel has one log: one capture at a time on this machine.
    exec 9<>/run/tracecol-lab.lock
    flock 9
    local former attempt made=
    former=$(sysctl -n net.netfilter.nf_log_all_netns)
    trap 'clean; sysctl -qw net.netfilter.nf_log_all_netns='"$former"'; rm -rf "$WORK"' EXIT
    sysctl -qw net.netfilter.nf_log_all_netns=1
    for attempt in 1 2 3 4 5; do
        if once; then made=1; break; fi
        echo "attempt $attempt heard something else; again" >&2
    done
    [ -n "$made" ] || exit 1
    wc -lc "$CASE/kern.log"
}
