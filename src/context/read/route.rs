//! `ip route` of any table, and `route -n`, `netstat -rn`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::words::{after, device, device_after, net, number_after, squeezed};
use super::{Reader, Section};
use crate::context::{Kind, Route, RouteKind};

/// The table that a text names: the three that every host has by their names.
pub(super) fn table_name(word: &str) -> Box<str> {
    match word {
        "255" => "local".into(),
        "254" => "main".into(),
        "253" => "default".into(),
        other => other.into(),
    }
}

fn kind(word: &str) -> Option<RouteKind> {
    Some(match word {
        "unicast" => RouteKind::Unicast,
        // An anycast address is the host's own, too.
        "local" | "anycast" => RouteKind::Local,
        "broadcast" => RouteKind::Broadcast,
        "multicast" => RouteKind::Multicast,
        "blackhole" => RouteKind::Blackhole,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        "throw" => RouteKind::Throw,
        _ => return None,
    })
}

impl Reader {
    /// `172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.42.1`.
    pub(super) fn route_line(&mut self, number: usize, words: &[&str]) -> bool {
        if words[0] == "nexthop" {
            return self.next_hop(words);
        }
        let given = kind(words[0]);
        let rest = &words[usize::from(given.is_some())..];
        let Some(dst) = rest.first() else { return false };
        let is_ipv6 = self.is_ipv6_route(rest);
        let Some(dst) = net(dst, is_ipv6).filter(|_| *dst != "all") else { return false };
        // A lone address could be anything; a route of the plain kind leads somewhere.
        let leads = given.is_some()
            || rest.iter().any(|word| LEADING.contains(word))
            || rest[0].contains('/');
        if !leads {
            return false;
        }
        if rest.contains(&"uid") {
            // The answer of `ip route get`, which is no route.
            return true;
        }
        let kind = given.unwrap_or(RouteKind::Unicast);
        let Some(table) = self.table_of(kind, dst, rest) else {
            self.remark(number, "a route to the host itself whose table is not known is left out");
            return true;
        };
        self.found(Kind::Routes);
        let hops = rest.iter().position(|word| *word == "nexthop").unwrap_or(rest.len());
        let route = route(kind, dst, table, words, &rest[..hops]);
        let waits = kind == RouteKind::Unicast && route.device.is_none() && route.gateway.is_none();
        self.facts.routes.push(route.clone());
        self.section =
            if waits { Section::NextHops { route, is_first: true } } else { Section::Open };
        for hop in rest[hops..].split(|word| *word == "nexthop").filter(|hop| !hop.is_empty()) {
            self.next_hop(&[&["nexthop"], hop].concat());
        }
        true
    }

    /// `nexthop via 10.0.0.1 dev eth0 weight 1`: a route of its own for every next hop.
    fn next_hop(&mut self, words: &[&str]) -> bool {
        let Section::NextHops { route, is_first } = &mut self.section else { return false };
        let mut hop = route.clone();
        take_hop(&mut hop, words);
        // `default` does not say of which family it is; a gateway does, unless it is said to be of the other.
        if let Some(IpAddr::V6(_)) = hop.gateway
            && hop.net.prefix_len() == 0
            && !words.contains(&"inet6")
        {
            hop.net = IpNet::V6(ipnet::Ipv6Net::default());
        }
        hop.text = format!("{} {}", route.text, squeezed(words)).into();
        if std::mem::take(is_first) {
            self.facts.routes.pop();
        }
        self.facts.routes.push(hop);
        true
    }

    /// Whether `default` is `::/0`.
    fn is_ipv6_route(&self, words: &[&str]) -> bool {
        let is_v6 = |word: &str| word.contains(':') && word.parse::<IpAddr>().is_ok();
        match after(words, "via") {
            Some("inet6") => false,
            Some("inet") => true,
            Some(gateway) => is_v6(gateway),
            None => {
                self.hint.is_ipv6
                    || words.contains(&"pref")
                    || after(words, "src").is_some_and(is_v6)
            }
        }
    }

    /// The table of a route: the one it names, the one that was asked for, `main`. Routes of table `local` stand
    /// under its name; one to more than an address that names no table may be of any other.
    fn table_of(&self, kind: RouteKind, dst: IpNet, words: &[&str]) -> Option<Box<str>> {
        if let Some(table) = after(words, "table") {
            return Some(table_name(table));
        }
        if let Some(table) = &self.hint.table {
            return Some(table.clone());
        }
        let is_one = dst.prefix_len() == dst.max_prefix_len() || dst.addr().is_loopback();
        match kind {
            RouteKind::Local if !is_one => None,
            RouteKind::Local | RouteKind::Broadcast => Some("local".into()),
            _ => Some("main".into()),
        }
    }

    /// A row of `route -n` or `netstat -rn`: destination, gateway, mask, flags, three numbers, device.
    pub(super) fn kernel_route(&mut self, words: &[&str]) -> bool {
        let [dst, gateway, mask, flags, metric, .., name] = words else { return false };
        let (true, Ok(dst), Ok(mask)) = (words.len() == 8, dst.parse::<IpAddr>(), mask.parse())
        else {
            return false;
        };
        let Ok(net) = IpNet::with_netmask(dst, mask) else { return false };
        let device = device(name).filter(|_| !matches!(*name, "*" | "-"));
        let kind = match device {
            _ if flags.contains('!') => RouteKind::Unreachable,
            Some(_) => RouteKind::Unicast,
            None => RouteKind::Blackhole,
        };
        self.found(Kind::Routes);
        // The fifth column of `netstat -rn` is the segment size; its rows have no metric.
        let has_metric = self.section == Section::KernelRoutes;
        self.facts.routes.push(Route {
            device,
            gateway: gateway.parse().ok().filter(|gateway: &IpAddr| !gateway.is_unspecified()),
            metric: metric.parse().ok().filter(|_| has_metric).unwrap_or_default(),
            ..route(kind, net, "main".into(), words, &[])
        });
        true
    }
}

/// Words that a route to somewhere has.
const LEADING: &[&str] = &["dev", "via", "nexthop", "nhid", "metric", "proto", "encap"];

fn route(kind: RouteKind, net: IpNet, table: Box<str>, all: &[&str], words: &[&str]) -> Route {
    let mut route = Route {
        table,
        kind,
        net: net.trunc(),
        device: None,
        gateway: None,
        source: after(words, "src").and_then(|word| word.parse().ok()),
        metric: number_after(words, "metric"),
        from: after(words, "from").and_then(|word| super::words::net(word, true)),
        has_more: ["tos", "dsfield"].iter().any(|key| words.contains(key)),
        is_linkdown: false,
        is_dead: false,
        text: squeezed(all),
    };
    take_hop(&mut route, words);
    route
}

/// Device, gateway and state.
fn take_hop(route: &mut Route, words: &[&str]) {
    let via =
        words.iter().position(|word| *word == "via").map_or(&[][..], |place| &words[place + 1..]);
    let gateway = match via {
        ["inet" | "inet6", gateway, ..] | [gateway, ..] => gateway.parse().ok(),
        [] => None,
    };
    route.gateway = gateway;
    route.device = device_after(words, "dev");
    route.is_linkdown = words.contains(&"linkdown");
    route.is_dead = words.contains(&"dead");
}
