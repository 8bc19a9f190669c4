//! A packet of which no line follows and no rule says why: where it must have been lost, and what may have been the
//! reason, held against the host's context.

use std::net::IpAddr;

use crate::context::{RouteKind, RouteQuestion, Setting};
use crate::explain::Phrase;
use crate::model::{Hook, IfName, Ip, Layer, Site, SiteKind, Table, VerdictKind};
use crate::rulebook::{Dialect, Target};

use super::account::{Account, End};
use super::names::{device, lossy};
use super::scene::Scene;

/// A possible reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    pub kind: ReasonKind,
    pub odds: Odds,
    pub sentence: Phrase,
}

/// What may have ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReasonKind {
    Route,
    ReversePath,
    Forwarding,
    TimeToLive,
    Source,
    Conntrack,
    Neighbour,
    Silent,
    Listener,
}

impl ReasonKind {
    /// How it was lost, in a few words.
    pub(crate) fn brief(self) -> Option<&'static str> {
        match self {
            Self::Route => Some("for want of a route"),
            Self::ReversePath => Some("to the reverse path filter"),
            Self::Forwarding => Some("because forwarding is off"),
            Self::TimeToLive => Some("because its time to live was up"),
            Self::Source => Some("because it claims to come from this host itself"),
            Self::Neighbour => Some("for want of the next hop's hardware address"),
            Self::Conntrack | Self::Silent | Self::Listener => None,
        }
    }
}

/// What the host's context says of a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Odds {
    /// It fits what the context says.
    Likely,
    /// Nothing is known for or against it.
    Possible,
    /// The context speaks against it.
    RuledOut,
}

/// Where a packet whose last line is this one must have been lost; none when the rule itself may have ended it.
pub(crate) fn where_lost(
    scene: &Scene<'_, '_>,
    account: &Account<'_>,
    end: &End,
) -> Option<&'static str> {
    let step = end.step;
    if may_end(account, step) || account.is_arp() {
        return None;
    }
    let told = account.told.get(step)?;
    if told.step.hop.layer == Layer::Bridge {
        return Some("it was lost in the bridge");
    }
    Some(match account.hook(step)? {
        Hook::Brouting => return None,
        Hook::Prerouting => {
            let to_host = destination(account, step).is_some_and(|dst| scene.is_own(dst));
            match (to_host, prints_behind(scene)) {
                (true, true) => "it was lost on its way to INPUT",
                (true, false) => "it seems to have been lost on its way to INPUT",
                (false, true) => "it was lost at routing or before FORWARD",
                (false, false) => "it seems to have been lost at routing or before FORWARD",
            }
        }
        Hook::Input if account.table(step) == Some(Table::Mangle) => {
            "it was lost before filter:INPUT, or that table is not in use and prints no line"
        }
        Hook::Input => "it was lost between INPUT and the program it was for",
        Hook::Forward => "it was lost between FORWARD and POSTROUTING",
        Hook::Output => "it was lost between OUTPUT and POSTROUTING",
        Hook::Postrouting => "it was lost on its way out of the last device",
    })
}

/// The chain that must have printed another line behind this one: whatever a packet meets in it, even its end prints one.
/// Where none is, lines are missing, and the packet need not be.
pub(crate) fn breaks_off(account: &Account<'_>, step: usize) -> Option<String> {
    let told = account.told.get(step)?;
    let Site::Trace { table, chain, .. } = &*told.step.hop.site else { return None };
    let place = |chain: &str| Some(format!("{}:{chain}", lossy(table)));
    match &told.target {
        Some(Target::Jump(to) | Target::Goto(to)) => place(to),
        Some(target) if target.goes_on() == Some(true) => place(&lossy(chain)),
        // Behind the end of a chain comes a line of its caller.
        None if told.is_chain_end => {
            match &*account.told.get(account.caller(step)?)?.step.hop.site {
                Site::Trace { chain, .. } => place(&lossy(chain)),
                Site::Log { .. } | Site::Bridge { .. } | Site::BridgeLog { .. } => None,
            }
        }
        _ => None,
    }
}

/// Whether the rule or policy of a step may have ended the packet, as far as is known.
fn may_end(account: &Account<'_>, step: usize) -> bool {
    let Some(told) = account.told.get(step) else { return true };
    match &told.target {
        _ if account.is_doubted(step) => true,
        Some(
            Target::Drop
            | Target::Reject { .. }
            | Target::Queue
            | Target::Nfqueue { .. }
            | Target::Other(_),
        ) => true,
        Some(_) => false,
        // The nat table does not drop.
        None => account.table(step) != Some(Table::Nat) && !is_end_of_raw(account, step),
    }
}

/// The end of `raw:PREROUTING` nearly always accepts, and what comes next is not sure to print a line.
fn is_end_of_raw(account: &Account<'_>, step: usize) -> bool {
    let Some(told) = account.told.get(step) else { return false };
    account.table(step) == Some(Table::Raw)
        && told.misfit.is_none()
        && matches!(&*told.step.hop.site, Site::Trace { kind: SiteKind::Policy(_), .. })
}

/// Whether a line of another packet shows that the chains behind routing print lines.
fn prints_behind(scene: &Scene<'_, '_>) -> bool {
    let behind = |account: &Account<'_>| {
        let steps = account.packet.steps.iter().zip(&account.hooks);
        let mut ip = steps.filter(|(step, _)| step.hop.layer != Layer::Bridge);
        ip.any(|(_, hook)| matches!(hook, Some(Hook::Forward | Hook::Input)))
    };
    scene.accounts.iter().any(behind)
}

/// Where the packet was to go after this step: DNAT may have given it a destination that no line shows.
pub(crate) fn destination(account: &Account<'_>, step: usize) -> Option<IpAddr> {
    match &account.told.get(step)?.target {
        Some(Target::Dnat { to: Some(to) }) => target_addr(to),
        Some(Target::Dnat { to: None } | Target::Redirect { .. }) => None,
        _ => Some(account.header(step)?.ip()?.dst),
    }
}

/// `172.17.0.5` of `172.17.0.5:6379`; none for ranges.
fn target_addr(to: &str) -> Option<IpAddr> {
    let to = to.trim();
    let socket = || to.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    let bare =
        to.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(to, |(addr, _)| addr);
    let before_port = || bare.split_once(':').filter(|(_, port)| !port.contains(':'));
    socket()
        .or_else(|| bare.parse().ok())
        .or_else(|| before_port().and_then(|(addr, _)| addr.parse().ok()))
}

/// What may have ended the packet that the answer is about.
pub(crate) fn reasons(scene: &Scene<'_, '_>) -> Vec<Reason> {
    if scene.kind() != Some(VerdictKind::Unknown) {
        return Vec::new();
    }
    let Some((account, End { step, .. })) = scene.end() else { return Vec::new() };
    let Some(ip) = account.header(step).and_then(|header| header.ip()) else { return Vec::new() };
    let Some(told) = account.told.get(step) else { return Vec::new() };
    let is_lines = breaks_off(account, step).is_some();
    if told.step.hop.layer == Layer::Bridge || may_end(account, step) || is_lines {
        return Vec::new();
    }
    let case = Case { scene, account, step, ip };
    let mut reasons: Vec<Reason> = match account.hook(step) {
        Some(Hook::Prerouting) => case.before_routing(),
        Some(Hook::Postrouting) => vec![case.neighbour()],
        Some(Hook::Input) => vec![case.listener()],
        Some(Hook::Forward | Hook::Output | Hook::Brouting) | None => Vec::new(),
    };
    reasons.sort_by_key(|reason| reason.odds);
    reasons
}

struct Case<'s, 'a, 'c> {
    scene: &'s Scene<'a, 'c>,
    account: &'s Account<'a>,
    step: usize,
    ip: &'s Ip,
}

impl Case<'_, '_, '_> {
    fn input(&self) -> Option<IfName> {
        self.account.packet.steps.get(self.step)?.hop.devices.input
    }

    fn before_routing(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let dst = destination(self.account, self.step);
        let is_own = dst.is_some_and(|dst| self.scene.is_own(dst));
        if !is_own {
            reasons.extend(self.time_to_live());
            reasons.extend(dst.map(|dst| self.route(dst)));
            reasons.extend(self.forwarding());
        }
        reasons.extend(self.reverse_path());
        reasons.extend(self.source());
        reasons.extend(self.conntrack());
        reasons.extend(self.silent());
        reasons
    }

    /// A router may not forward what has no time left.
    fn time_to_live(&self) -> Option<Reason> {
        let ttl = self.ip.ttl.filter(|ttl| *ttl <= 1)?;
        Some(Reason {
            kind: ReasonKind::TimeToLive,
            odds: Odds::Likely,
            sentence: Phrase::text(format!(
                "Its time to live is {ttl}: a router that would have to pass it on ends it and answers \"time exceeded\"."
            )),
        })
    }

    fn route(&self, dst: IpAddr) -> Reason {
        let (odds, sentence) = self.route_words(dst);
        Reason { kind: ReasonKind::Route, odds, sentence }
    }

    fn route_words(&self, dst: IpAddr) -> (Odds, Phrase) {
        let to = Phrase::text("Possible: there is no route to ").address(dst.to_string()).say(".");
        let Some(context) = self.scene.context().filter(|context| !context.routes.is_empty())
        else {
            return (Odds::Possible, to);
        };
        let question = RouteQuestion {
            src: Some(self.ip.src),
            mark: self.account.header(self.step).and_then(|header| header.mark),
            input: self.input(),
            output: None,
        };
        let Some(answer) = context.route_to(dst, &question) else {
            let none = Phrase::text("Likely: none of the routes that were given leads to ");
            return (Odds::Likely, none.address(dst.to_string()).say("."));
        };
        match answer.route.kind {
            RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit => (
                Odds::Likely,
                Phrase::text("Likely: the route to ")
                    .address(dst.to_string())
                    .say(" throws it away: `")
                    .cite(&*answer.route.text)
                    .say("`."),
            ),
            _ if answer.is_certain => (
                Odds::RuledOut,
                Phrase::text("It is not for want of a route: `")
                    .cite(&*answer.route.text)
                    .say("`."),
            ),
            _ => (
                Odds::Possible,
                Phrase::text("Less likely: it took another route than `")
                    .cite(&*answer.route.text)
                    .say("`."),
            ),
        }
    }

    fn forwarding(&self) -> Option<Reason> {
        let input = self.input()?;
        let setting = self
            .scene
            .context()
            .and_then(|context| context.forwarding(input, self.ip.dst.is_ipv6()));
        let (odds, sentence) = match setting.and_then(|setting| Some((setting, setting.number()?)))
        {
            None => (Odds::Possible, Phrase::text("Possible: forwarding is off on this host.")),
            Some((setting, 0)) => (Odds::Likely, cited("Likely: forwarding is off", setting)),
            Some((setting, _)) => (Odds::RuledOut, cited("Forwarding is on", setting)),
        };
        Some(Reason { kind: ReasonKind::Forwarding, odds, sentence })
    }

    /// IPv6 has no such setting, and what claims to come from the host itself ends whatever it is.
    fn reverse_path(&self) -> Option<Reason> {
        if self.ip.src.is_ipv6() || self.scene.is_own(self.ip.src) {
            return None;
        }
        let input = self.input()?;
        let named = |words: &str| Phrase::text(words).device(device(input));
        let context = self.scene.context();
        let setting = context.and_then(|context| context.rp_filter(input));
        let known = setting.and_then(|setting| Some((setting, setting.number()?)));
        let back = context.and_then(|context| context.reverse_path(self.ip.src, input));
        let possible = || {
            named("Possible: the reverse path filter on ")
                .say(" ended it, because an answer to ")
                .address(self.ip.src.to_string())
                .say(" would leave by another device.")
        };
        let (odds, sentence) = match (known, back) {
            (Some((setting, 0)), _) => {
                (Odds::RuledOut, cited("The reverse path filter is off", setting))
            }
            (Some((setting, 1)), Some(false)) => (
                Odds::Likely,
                named("Likely: the reverse path filter on ")
                    .say(" ended it: it is strict (`")
                    .cite(&*setting.text)
                    .say("`), and an answer to ")
                    .address(self.ip.src.to_string())
                    .say(" would leave by another device."),
            ),
            (Some((_, 1 | 2)), Some(true)) => (
                Odds::RuledOut,
                Phrase::text("The reverse path filter has no reason: an answer to ")
                    .address(self.ip.src.to_string())
                    .say(" would leave by ")
                    .device(device(input))
                    .say(" too."),
            ),
            _ => (Odds::Possible, possible()),
        };
        Some(Reason { kind: ReasonKind::ReversePath, odds, sentence })
    }

    /// Routing takes nothing from outside that claims to come from the host itself.
    fn source(&self) -> Option<Reason> {
        let input = self.input().filter(|name| name.as_bytes() != b"lo")?;
        self.scene.is_own(self.ip.src).then(|| Reason {
            kind: ReasonKind::Source,
            odds: Odds::Likely,
            sentence: Phrase::text("Likely: it claims to come from ")
                .address(self.ip.src.to_string())
                .say(", this host's own address, and came in on ")
                .device(device(input))
                .say("; routing ends such packets (a \"martian source\")."),
        })
    }

    /// Between raw and mangle conntrack looks at the packet, and waits for the rest of a fragmented one.
    fn conntrack(&self) -> Option<Reason> {
        if self.account.table(self.step) != Some(Table::Raw) {
            return None;
        }
        let sentence = if self.ip.fragment.is_some() {
            "Possible: it waits for its other fragments; conntrack puts them together before the next table is asked."
        } else {
            "Possible: conntrack ended it, because its table was full."
        };
        Some(Reason {
            kind: ReasonKind::Conntrack,
            odds: Odds::Possible,
            sentence: sentence.into(),
        })
    }

    /// Whether a table with chains behind PREROUTING is in use: all chains of a table are put to use together. The packet
    /// itself met mangle, which has one at every hook, or the rules that were saved have such a table: only tables
    /// in use are saved.
    fn has_chains_behind(&self) -> bool {
        let is_mangle = |index| self.account.table(index) == Some(Table::Mangle);
        let layer = self.account.packet.steps.get(self.step).map(|step| step.hop.layer);
        let mut saved = layer.into_iter().flat_map(|layer| self.account.lore.rules.of(layer));
        (0..=self.step).any(is_mangle)
            || saved.any(|revision| {
                revision.rules.dialect == Dialect::IptablesSave
                    && ["filter", "mangle", "security"]
                        .iter()
                        .any(|table| revision.rules.table(table).is_some())
            })
    }

    /// A table prints lines only once somebody has put it to use.
    fn silent(&self) -> Option<Reason> {
        (!self.has_chains_behind() && !prints_behind(self.scene)).then(|| Reason {
            kind: ReasonKind::Silent,
            odds: Odds::Possible,
            sentence: Phrase::text(
                "Possible: it went on, and the chains behind print no line because their tables are not in use.",
            ),
        })
    }

    /// The next hop's hardware address must be known before anything is sent.
    fn neighbour(&self) -> Reason {
        let (odds, sentence) = match self.scene.asked_in_vain(self.account) {
            Some(asked) => (Odds::Likely, Phrase::text("Likely: ").append(asked.sentence())),
            None => (
                Odds::Possible,
                Phrase::text(
                    "Possible: the next hop did not tell its hardware address (ARP, or neighbour discovery for IPv6), \
                     so the packet could not be sent.",
                ),
            ),
        };
        Reason { kind: ReasonKind::Neighbour, odds, sentence }
    }

    fn listener(&self) -> Reason {
        let port = self.ip.ports().map(|(_, port)| port);
        let words = match port {
            Some(port) => {
                format!("Possible: no program listens on port {port}, or its queue was full.")
            }
            None => "Possible: no program was there to take it.".to_owned(),
        };
        Reason { kind: ReasonKind::Listener, odds: Odds::Possible, sentence: words.as_str().into() }
    }
}

/// Words and the setting that says so.
fn cited(words: &str, setting: &Setting) -> Phrase {
    Phrase::text(format!("{words}: `")).cite(&*setting.text).say("`.")
}
