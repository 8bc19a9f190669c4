//! Which route a packet takes: policy rules, longest prefix, lowest metric, as the kernel asks them.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::net::IpAddr;

use ipnet::IpNet;

use super::facts::{HostContext, PolicyRule, Route, RouteKind};
use crate::model::IfName;

/// What the choice of a route depends on, beside the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouteQuestion {
    /// The packet's source; none when it is not known.
    pub src: Option<IpAddr>,
    /// The packet's mark, as a line prints it: none is 0.
    pub mark: Option<u32>,
    /// The device it came in by; none for what the host itself sends.
    pub input: Option<IfName>,
    /// The device it was seen to leave by, when known. It chooses among equal routes (several next hops), no more.
    pub output: Option<IfName>,
}

/// The route that a packet takes.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteAnswer<'a> {
    /// The route. Its text is the line that says it: of a route, of an own address (table `local` was not given), or of
    /// a policy rule that throws away.
    pub route: Cow<'a, Route>,
    /// The table it is in; empty when a policy rule throws the packet away by itself.
    pub table: Cow<'a, str>,
    /// The policy rule that asked the table; none when no policy rules are known.
    pub rule: Option<&'a PolicyRule>,
    /// Whether the kernel must have chosen it: false when something that decides is not known (the source, another
    /// condition of a policy rule, the routes of a table, which of several next hops).
    pub is_certain: bool,
}

/// A table's best route.
struct Choice<'a> {
    route: Cow<'a, Route>,
    /// Whether no condition that decides is unknown.
    is_sure: bool,
    /// Whether it is one of several next hops, and nothing tells which.
    is_one_of_several: bool,
}

/// What one table says.
enum Found<'a> {
    /// This route.
    Route(Choice<'a>),
    /// Nothing: the next policy rule is asked.
    Nothing,
    /// Its routes are not known.
    Unknown,
}

impl HostContext {
    /// The route to an address. None when no route is known: the caller cannot tell "no route to host" from a text
    /// that was not given, unless it looks at [`HostContext::routes`].
    pub fn route_to(&self, dst: IpAddr, question: &RouteQuestion) -> Option<RouteAnswer<'_>> {
        let (mut answer, is_one_of_several) = self.choose(dst, question)?;
        answer.is_certain &= !is_one_of_several;
        Some(answer)
    }

    /// The route, and whether it is one of several next hops.
    fn choose(&self, dst: IpAddr, question: &RouteQuestion) -> Option<(RouteAnswer<'_>, bool)> {
        let mut rules: Vec<&PolicyRule> =
            self.policy_rules.iter().filter(|rule| rule.is_ipv6 == dst.is_ipv6()).collect();
        if rules.is_empty() {
            return self.route_without_rules(dst, question);
        }
        rules.sort_by_key(|rule| rule.priority);
        let mut is_certain = true;
        let mut skip_to = 0;
        for rule in rules {
            let holds = rule.holds(dst, question);
            if rule.priority < skip_to || holds == Some(false) {
                continue;
            }
            if let Some(target) = rule.goto {
                match holds {
                    Some(_) => skip_to = target,
                    None => is_certain = false,
                }
                continue;
            }
            match self.ask(rule, dst, question) {
                Found::Nothing => {}
                Found::Route(choice) if holds.is_some() => {
                    let answer = RouteAnswer {
                        route: choice.route,
                        table: Cow::Borrowed(rule.table.as_deref().unwrap_or_default()),
                        rule: Some(rule),
                        is_certain: is_certain && choice.is_sure,
                    };
                    return Some((answer, choice.is_one_of_several));
                }
                Found::Route(_) | Found::Unknown => is_certain = false,
            }
        }
        None
    }

    /// Whether a strict reverse path check would pass a packet from `src` that came in by `input`: the route back to
    /// `src` leaves by that device. None when the routes do not tell.
    pub fn reverse_path(&self, src: IpAddr, input: IfName) -> Option<bool> {
        // Loopback packets keep the route they went out with.
        if input.as_bytes() == b"lo" {
            return Some(true);
        }
        let is_known = |route: &Route| same_family(&route.net, src) && is_main(&route.table);
        if !self.routes.iter().any(is_known) {
            return None;
        }
        let question = RouteQuestion { output: Some(input), ..RouteQuestion::default() };
        let Some((answer, _)) = self.choose(src, &question) else { return Some(false) };
        let passes = answer.route.kind == RouteKind::Unicast && answer.route.device == Some(input);
        answer.is_certain.then_some(passes)
    }

    /// The three tables of a host without rules of its own.
    fn route_without_rules(
        &self,
        dst: IpAddr,
        question: &RouteQuestion,
    ) -> Option<(RouteAnswer<'_>, bool)> {
        let tables: &[&str] =
            if dst.is_ipv6() { &["local", "main"] } else { &["local", "main", "default"] };
        tables.iter().find_map(|table| match self.look_up(table, dst, question, None) {
            Found::Route(choice) => {
                let answer = RouteAnswer {
                    route: choice.route,
                    table: Cow::Owned((*table).to_owned()),
                    rule: None,
                    is_certain: choice.is_sure,
                };
                Some((answer, choice.is_one_of_several))
            }
            Found::Nothing | Found::Unknown => None,
        })
    }

    /// What a rule that holds says.
    fn ask<'a>(&'a self, rule: &PolicyRule, dst: IpAddr, question: &RouteQuestion) -> Found<'a> {
        if let Some(kind) = rule.refusal {
            return sure("", kind, everything(dst), None, &rule.text);
        }
        match &rule.table {
            Some(table) => self.look_up(table, dst, question, rule.suppress_prefix),
            // `nop` says nothing; the table of a routing domain depends on the device.
            None if rule.has_more => Found::Unknown,
            None => Found::Nothing,
        }
    }

    /// The best route of a table.
    fn look_up(
        &self,
        table: &str,
        dst: IpAddr,
        question: &RouteQuestion,
        suppress: Option<u8>,
    ) -> Found<'_> {
        let mut routes: Vec<&Route> = self
            .routes
            .iter()
            .filter(|route| *route.table == *table && route.net.contains(&dst))
            .filter(|route| self.is_usable(route))
            .collect();
        if routes.is_empty() {
            return if table == "local" {
                self.local_route(dst)
            } else if self.knows_table(table, dst) {
                Found::Nothing
            } else {
                Found::Unknown
            };
        }
        routes.sort_by_key(|route| {
            let from = route.from.map_or(0, |from| from.prefix_len());
            (Reverse(route.net.prefix_len()), Reverse(from), Reverse(route.has_more), route.metric)
        });
        // A route with a condition that nobody can tell is passed over, and makes the answer unsure.
        let mut is_sure = true;
        let best = routes.iter().position(|route| {
            let holds = match (route.from, question.src) {
                _ if route.has_more => None,
                (None, _) => Some(true),
                (Some(from), Some(src)) => Some(from.contains(&src)),
                (Some(_), None) => None,
            };
            is_sure &= holds.is_some();
            holds == Some(true)
        });
        let Some(best) = best else {
            return if is_sure { Found::Nothing } else { Found::Unknown };
        };
        let rank = |route: &Route| (route.net, route.from, route.metric, route.kind);
        let equal: Vec<&Route> = routes[best..]
            .iter()
            .filter(|route| !route.has_more && rank(route) == rank(routes[best]))
            .copied()
            .collect();
        let left = equal.iter().find(|route| route.device == question.output);
        let route = left.or(equal.first()).copied().unwrap_or(routes[best]);
        if route.kind == RouteKind::Throw
            || suppress.is_some_and(|most| route.net.prefix_len() <= most)
        {
            return Found::Nothing;
        }
        Found::Route(Choice {
            route: Cow::Borrowed(route),
            is_sure,
            is_one_of_several: equal.len() > 1 && left.is_none(),
        })
    }

    /// What table `local` says when it was not given: the own addresses and their broadcast addresses are in it.
    fn local_route(&self, dst: IpAddr) -> Found<'_> {
        let local = |kind, device, text: &str| sure("local", kind, IpNet::from(dst), device, text);
        if let Some(address) = self.own_address(dst) {
            return local(RouteKind::Local, Some(address.device), &address.text);
        }
        if dst.is_loopback() {
            let net = if dst.is_ipv6() { "::1" } else { "127.0.0.0/8" };
            return local(RouteKind::Local, IfName::new(b"lo"), &format!("local {net} dev lo"));
        }
        // A route's preferred source is one of the host's own addresses.
        if let Some(route) = self.routes.iter().find(|route| route.source == Some(dst)) {
            return local(RouteKind::Local, route.device, &route.text);
        }
        let is_broadcast = |net: &IpNet| {
            net.max_prefix_len() == 32 && net.prefix_len() < 31 && net.broadcast() == dst
        };
        match self.addresses.iter().find(|address| is_broadcast(&address.net)) {
            Some(address) => local(RouteKind::Broadcast, Some(address.device), &address.text),
            None => Found::Nothing,
        }
    }

    /// Whether a table's routes were given: some are known, or so many tables are that all must have been asked for.
    /// Table `default` is empty on almost every host.
    fn knows_table(&self, table: &str, dst: IpAddr) -> bool {
        let is_given = |route: &Route| {
            same_family(&route.net, dst) && (*route.table == *table || !is_main(&route.table))
        };
        matches!(table, "local" | "default") || self.routes.iter().any(is_given)
    }

    /// Whether the kernel uses a route at all.
    fn is_usable(&self, route: &Route) -> bool {
        let ignores = |device: &str| {
            let family = if route.net.addr().is_ipv6() { "ipv6" } else { "ipv4" };
            let name = format!("net.{family}.conf.{device}.ignore_routes_with_linkdown");
            self.setting(&name).is_some_and(|setting| setting.number() == Some(1))
        };
        let own = |device| ignores(&super::questions::in_sysctl(device));
        let is_left_out = || ignores("all") || route.device.is_some_and(own);
        !(route.is_dead || route.is_linkdown && is_left_out())
    }
}

impl PolicyRule {
    /// Whether its conditions hold; none when something they ask for is not known.
    fn holds(&self, dst: IpAddr, question: &RouteQuestion) -> Option<bool> {
        let within = |net: Option<IpNet>, addr: Option<IpAddr>| match (net, addr) {
            (None, _) => Some(true),
            (Some(net), Some(addr)) => Some(net.contains(&addr)),
            (Some(net), None) => (net.prefix_len() == 0).then_some(true),
        };
        let mark = question.mark.unwrap_or_default();
        let input = question.input.or(IfName::new(b"lo"));
        let conditions = [
            within(self.source, question.src),
            within(self.destination, Some(dst)),
            Some(self.mark.is_none_or(|(value, mask)| mark & mask == value & mask)),
            Some(self.input.is_none() || self.input == input),
            // Only a socket of the host can be bound to a device.
            match (self.output, question.input) {
                (None, _) => Some(true),
                (Some(_), Some(_)) => Some(false),
                (Some(_), None) => None,
            },
            (!self.has_more).then_some(true),
        ];
        let all = if conditions.contains(&Some(false)) {
            Some(false)
        } else {
            (!conditions.contains(&None)).then_some(true)
        };
        all.map(|holds| holds != self.is_negated)
    }
}

/// A route that no table lists.
fn sure<'a>(
    table: &str,
    kind: RouteKind,
    net: IpNet,
    device: Option<IfName>,
    text: &str,
) -> Found<'a> {
    let route = Route {
        table: table.into(),
        kind,
        net,
        device,
        gateway: None,
        source: None,
        metric: 0,
        from: None,
        has_more: false,
        is_linkdown: false,
        is_dead: false,
        text: text.into(),
    };
    Found::Route(Choice { route: Cow::Owned(route), is_sure: true, is_one_of_several: false })
}

fn same_family(net: &IpNet, addr: IpAddr) -> bool {
    net.addr().is_ipv6() == addr.is_ipv6()
}

fn is_main(table: &str) -> bool {
    table == "main"
}

fn everything(addr: IpAddr) -> IpNet {
    match addr {
        IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}
