//! What well-known programs use a rule or a chain for. Said as their use of it, never as what somebody meant by it.

use crate::model::Hook;
use crate::rulebook::{Chain, DevicePattern, Match, Rule, RuleSet, Target, Test};

/// A place in a rule set, as idioms look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub set: &'a RuleSet,
    pub table: &'a str,
    pub chain: &'a Chain,
    /// None at the chain's policy.
    pub rule: Option<&'a Rule>,
    pub target: &'a Target,
}

/// What a rule is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Idiom {
    /// Its name, by which it is told from others.
    pub name: &'static str,
    /// The reason in a few words: `inter-container communication is off`.
    pub brief: Option<&'static str>,
    /// The whole of it.
    pub sentence: &'static str,
    /// Who writes such rules.
    pub owner: Option<Owner>,
}

/// A program that manages chains of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Docker,
    Kubernetes,
    Ufw,
    Firewalld,
    Shorewall,
    Libvirt,
    Fail2ban,
    Calico,
    Podman,
    OpenWrt,
}

impl Owner {
    /// How a change is made to last.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Docker => {
                "docker writes its chains anew when it starts; a rule of your own lasts in DOCKER-USER, which docker \
                 calls first and leaves alone"
            }
            Self::Kubernetes => {
                "kubernetes writes its KUBE- chains anew within seconds; what lasts is a change of the Service or the \
                 NetworkPolicy"
            }
            Self::Ufw => "ufw writes its chains anew; what lasts is a rule made with `ufw allow`",
            Self::Firewalld => {
                "firewalld writes its chains anew; what lasts is a change made with `firewall-cmd --permanent`"
            }
            Self::Shorewall => {
                "shorewall writes its chains anew; what lasts is a line in /etc/shorewall/rules"
            }
            Self::Libvirt => {
                "libvirt writes its chains anew when a network starts; what lasts is a change of the network, or a \
                 rule in a chain that is asked before"
            }
            Self::Fail2ban => {
                "fail2ban manages this chain; `fail2ban-client unban` takes an address out of it"
            }
            Self::Calico => {
                "Calico writes its cali- chains anew; what lasts is a change of its policies"
            }
            Self::OpenWrt => {
                "OpenWrt writes its chains anew; what lasts is a rule in /etc/config/firewall"
            }
            Self::Podman => "podman writes its chains anew when a network or a container starts",
        }
    }

    /// Whose chain this is, by its name; built-in chains are nobody's.
    pub(crate) fn of_chain(name: &str, set: &RuleSet) -> Option<Self> {
        let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        let firewalld = ["IN_", "FWD_", "FWDI_", "FWDO_", "PRE_", "POST_"];
        if begins(&["DOCKER"]) {
            Some(Self::Docker)
        } else if begins(&["KUBE-"]) {
            Some(Self::Kubernetes)
        } else if begins(&["ufw-", "ufw6-"]) {
            Some(Self::Ufw)
        } else if begins(&["f2b-", "fail2ban-"]) {
            Some(Self::Fail2ban)
        } else if begins(&["LIBVIRT_"]) {
            Some(Self::Libvirt)
        } else if begins(&["cali-"]) {
            Some(Self::Calico)
        } else if begins(&["NETAVARK", "CNI-", "CNI_"]) {
            Some(Self::Podman)
        } else if has_chain(set, "INPUT_ZONES") && (begins(&firewalld) || name.contains("_ZONES")) {
            Some(Self::Firewalld)
        } else if has_chain(set, "shorewall") && Hook::from_chain(name.as_bytes()).is_none() {
            Some(Self::Shorewall)
        } else {
            None
        }
    }
}

/// What a rule that ends a packet's way is used for.
pub(crate) fn idiom(spot: &Spot<'_>) -> Option<Idiom> {
    let ends = matches!(spot.target, Target::Drop | Target::Reject { .. });
    let entry = ENTRIES.iter().find(|(applies, _)| ends && applies(spot));
    entry.map(|(_, idiom)| *idiom)
}

/// What a chain is used for, said where a packet goes into it.
pub(crate) fn chain_use(table: &str, chain: &str) -> Option<&'static str> {
    let found = CHAINS.iter().find(|(of_table, start, is_whole, _)| {
        (of_table.is_empty() || *of_table == table)
            && if *is_whole { chain == *start } else { chain.starts_with(start) }
    });
    found.map(|(.., sentence)| *sentence)
}

type Applies = fn(&Spot<'_>) -> bool;

/// The first that applies is said.
const ENTRIES: &[(Applies, Idiom)] = &[
    (
        |spot| comment_has(spot, "has no endpoints"),
        Idiom {
            name: "kube-no-endpoints",
            brief: Some("no pod stands behind that service"),
            sentence: "kubernetes writes this rule for a service without endpoints: nothing that is ready answers for it.",
            owner: Some(Owner::Kubernetes),
        },
    ),
    (
        |spot| comment_has(spot, "has no local endpoints"),
        Idiom {
            name: "kube-no-local-endpoints",
            brief: Some("no pod of that service runs on this node"),
            sentence: "kubernetes writes this rule for a service whose traffic must stay on the node \
                       (externalTrafficPolicy: Local) when none of its pods runs here.",
            owner: Some(Owner::Kubernetes),
        },
    ),
    (
        |spot| {
            &*spot.chain.name == "KUBE-FIREWALL"
                && asks(spot, |test| matches!(test, Test::Mark { .. }))
        },
        Idiom {
            name: "kube-marked",
            brief: Some("kubernetes had marked it for dropping"),
            sentence: "kubernetes marks in KUBE-MARK-DROP what it wants dropped and drops it for the mark in KUBE-FIREWALL.",
            owner: Some(Owner::Kubernetes),
        },
    ),
    (
        |spot| {
            &*spot.chain.name == "KUBE-FIREWALL"
                && asks(spot, |test| matches!(test, Test::Destination(_)))
        },
        Idiom {
            name: "kube-localnet",
            brief: None,
            sentence: "kubernetes keeps 127.0.0.0/8 from being reached by others than this host with this rule.",
            owner: Some(Owner::Kubernetes),
        },
    ),
    (
        is_invalid,
        Idiom {
            name: "invalid",
            brief: Some("conntrack counts it as INVALID"),
            sentence: "INVALID means that conntrack knows no connection that the packet fits into: a late packet of a closed \
                       connection looks like that, or one whose other direction takes another way.",
            owner: None,
        },
    ),
    (
        |spot| same_device(spot).is_some_and(is_docker_bridge),
        Idiom {
            name: "docker-icc",
            brief: Some("inter-container communication is off"),
            sentence: "docker writes this rule when inter-container communication is off (icc=false): containers on one \
                       bridge may speak to each other only where a rule before it says so.",
            owner: Some(Owner::Docker),
        },
    ),
    (
        |spot| same_device(spot).is_some(),
        Idiom {
            name: "same-device",
            brief: Some("what comes in by this device may not leave by it again"),
            sentence: "The rule forbids a way that comes in and leaves by the same device; on a bridge that is the way from one \
                       of its ports to another.",
            owner: None,
        },
    ),
    (
        |spot| &*spot.chain.name == "DOCKER-USER",
        Idiom {
            name: "docker-user",
            brief: None,
            sentence: "docker leaves the chain DOCKER-USER to the administrator: this rule is not one of docker's own.",
            owner: Some(Owner::Docker),
        },
    ),
    (
        |spot| spot.chain.name.starts_with("DOCKER-ISOLATION-STAGE-"),
        Idiom {
            name: "docker-isolation",
            brief: Some("docker keeps its networks apart"),
            sentence: "docker uses the chains DOCKER-ISOLATION-STAGE-1 and -2 to keep its networks apart: what came from one \
                       docker bridge may not leave by another.",
            owner: Some(Owner::Docker),
        },
    ),
    (
        |spot| {
            &*spot.chain.name == "DOCKER"
                && spot.table == "filter"
                && condition(spot, |one| !one.negated && matches!(one.test, Test::Output(_)))
                && condition(spot, |one| one.negated && matches!(one.test, Test::Input(_)))
        },
        Idiom {
            name: "docker-unpublished",
            brief: Some("no published port of a container matches"),
            sentence: "docker ends the chain DOCKER with such a rule: from outside of its bridge a container is reached \
                       through published ports only.",
            owner: Some(Owner::Docker),
        },
    ),
    (
        |spot| {
            spot.table == "raw"
                && asks(spot, |test| matches!(test, Test::Destination(_)))
                && condition(spot, |one| {
                    one.negated && matches!(&one.test, Test::Input(name) if is_docker_bridge(name))
                })
        },
        Idiom {
            name: "docker-direct",
            brief: Some("a container's own address is not for others than its bridge"),
            sentence: "docker uses such a rule to keep others from speaking to a container's own address past its published \
                       ports.",
            owner: Some(Owner::Docker),
        },
    ),
    (
        |spot| spot.chain.name.starts_with("ufw-skip-to-policy-"),
        Idiom {
            name: "ufw-default",
            brief: Some("no ufw rule allows it"),
            sentence: "ufw sends here what none of its rules decides; its default policy does.",
            owner: Some(Owner::Ufw),
        },
    ),
    (
        |spot| spot.rule.is_none() && has_chain(spot.set, "ufw-user-input"),
        Idiom {
            name: "ufw-policy",
            brief: Some("no ufw rule allows it"),
            sentence: "ufw sets the policies of the built-in chains to its defaults: what none of its rules allows ends here.",
            owner: Some(Owner::Ufw),
        },
    ),
    (
        |spot| {
            spot.chain.name.starts_with("ufw-user-") || spot.chain.name.starts_with("ufw6-user-")
        },
        Idiom {
            name: "ufw-user",
            brief: None,
            sentence: "ufw keeps the administrator's rules in this chain: it was made with `ufw deny`, `ufw reject` or `ufw limit`.",
            owner: Some(Owner::Ufw),
        },
    ),
    (
        |spot| spot.chain.name.starts_with("f2b-") || spot.chain.name.starts_with("fail2ban-"),
        Idiom {
            name: "fail2ban",
            brief: Some("fail2ban has banned the sender"),
            sentence: "fail2ban puts an address into such a chain when it sees too many failed attempts from it.",
            owner: Some(Owner::Fail2ban),
        },
    ),
    (
        |spot| text_has(spot, &["-m rpfilter"]),
        Idiom {
            name: "rpfilter",
            brief: Some("the way back to the sender leads elsewhere"),
            sentence: "rpfilter asks whether the way back to the sender leads out of the device that the packet came in by.",
            owner: None,
        },
    ),
    (
        |spot| text_has(spot, &["--hashlimit-above", "--connlimit-above", "--hitcount"]),
        Idiom {
            name: "too-many",
            brief: Some("there were too many like it"),
            sentence: "The rule counts, and matches only what is above its limit: the same packet may be let on at another time.",
            owner: None,
        },
    ),
    (
        |spot| {
            has_chain(spot.set, "INPUT_ZONES") && is_last_rule(spot) && spot.chain.hook.is_some()
        },
        Idiom {
            name: "firewalld-end",
            brief: Some("no firewalld zone allows it"),
            sentence: "firewalld ends INPUT and FORWARD with such a rule: what no zone allows is answered as prohibited.",
            owner: Some(Owner::Firewalld),
        },
    ),
    (
        |spot| {
            matches!(spot.target, Target::Reject { with: Some(with) } if with.ends_with("host-prohibited"))
                && is_last_rule(spot)
        },
        Idiom {
            name: "host-prohibited-end",
            brief: None,
            sentence: "Red Hat's older default rules end INPUT and FORWARD like this: what no rule before allows is answered as \
                       prohibited.",
            owner: None,
        },
    ),
    (
        |spot| comment_has(spot, "!fw3") || comment_has(spot, "!fw4"),
        Idiom {
            name: "openwrt",
            brief: None,
            sentence: "OpenWrt wrote this rule: its chains are named for the zones of /etc/config/firewall and what is done with \
                       their traffic.",
            owner: Some(Owner::OpenWrt),
        },
    ),
    (
        |spot| spot.chain.name.starts_with("LIBVIRT_FW"),
        Idiom {
            name: "libvirt",
            brief: Some("libvirt lets nothing else into or out of its virtual network"),
            sentence: "libvirt ends its chains with such a rule: what none before allows may not pass between its virtual \
                       network and others.",
            owner: Some(Owner::Libvirt),
        },
    ),
    (
        |spot| has_chain(spot.set, "shorewall") && spot.chain.hook.is_none(),
        Idiom {
            name: "shorewall",
            brief: None,
            sentence: "shorewall wrote this rule set: its chains are named for the zones that traffic goes between.",
            owner: Some(Owner::Shorewall),
        },
    ),
];

/// Table (empty for any), the chain's name or its beginning, whether it is the whole name, and what it is used for.
const CHAINS: &[(&str, &str, bool, &str)] = &[
    ("nat", "DOCKER", true, "docker keeps a DNAT rule for each published port there"),
    ("filter", "DOCKER", true, "docker lets in there what may reach its containers from outside"),
    ("", "DOCKER-USER", true, "docker leaves that chain to the administrator"),
    ("", "DOCKER-ISOLATION-STAGE-", false, "docker keeps its networks apart there"),
    ("", "DOCKER-FORWARD", true, "docker's own rules for forwarding begin there"),
    ("", "KUBE-SERVICES", true, "kubernetes looks there for a service with that address"),
    ("", "KUBE-NODEPORTS", true, "kubernetes looks there for a service with that node port"),
    ("", "KUBE-SVC-", false, "kubernetes picks one of the service's pods there"),
    ("", "KUBE-SEP-", false, "that chain stands for one pod of the service"),
    ("", "KUBE-MARK-MASQ", true, "kubernetes marks there what must be masqueraded later"),
    ("", "KUBE-MARK-DROP", true, "kubernetes marks there what must be dropped later"),
    ("", "KUBE-POSTROUTING", true, "kubernetes masquerades there what it has marked"),
    ("", "KUBE-FIREWALL", true, "kubernetes drops there what it has marked for dropping"),
    ("", "KUBE-FORWARD", true, "kubernetes lets the traffic of its services through there"),
    ("", "f2b-", false, "fail2ban keeps banned addresses there"),
    ("", "ufw-user-", false, "ufw keeps the administrator's rules there"),
    ("", "ufw6-user-", false, "ufw keeps the administrator's rules there"),
];

fn has_chain(set: &RuleSet, name: &str) -> bool {
    set.tables.iter().flat_map(|table| &table.chains).any(|chain| &*chain.name == name)
}

fn condition(spot: &Spot<'_>, holds: impl Fn(&Match) -> bool) -> bool {
    spot.rule.is_some_and(|rule| rule.matches.iter().any(holds))
}

/// Whether the rule has a condition, not negated, of that kind.
fn asks(spot: &Spot<'_>, kind: impl Fn(&Test) -> bool) -> bool {
    condition(spot, |one| !one.negated && kind(&one.test))
}

fn comment_has(spot: &Spot<'_>, words: &str) -> bool {
    condition(spot, |one| matches!(&one.test, Test::Comment(text) if text.contains(words)))
}

fn text_has(spot: &Spot<'_>, words: &[&str]) -> bool {
    spot.rule.is_some_and(|rule| words.iter().any(|words| rule.text.contains(words)))
}

fn is_invalid(spot: &Spot<'_>) -> bool {
    asks(
        spot,
        |test| matches!(test, Test::ConnectionState(states) if matches!(&**states, [one] if &**one == "INVALID")),
    )
}

fn is_last_rule(spot: &Spot<'_>) -> bool {
    match (spot.rule, spot.chain.rules.last()) {
        (Some(rule), Some(last)) => std::ptr::eq(rule, last),
        _ => false,
    }
}

/// The device of a rule that asks for nothing but coming in and leaving by it.
fn same_device<'a>(spot: &Spot<'a>) -> Option<&'a DevicePattern> {
    let mut input = None;
    let mut output = None;
    for one in &spot.rule?.matches {
        match (&one.test, one.negated) {
            (Test::Input(name), false) => input = Some(name),
            (Test::Output(name), false) => output = Some(name),
            (Test::Comment(_), _) => {}
            _ => return None,
        }
    }
    input.filter(|name| Some(*name) == output && !name.is_prefix)
}

/// `docker0`, or `br-` and twelve hexadecimal digits.
fn is_docker_bridge(name: &DevicePattern) -> bool {
    let is_id = |id: &[u8]| id.len() == 12 && id.iter().all(u8::is_ascii_hexdigit);
    !name.is_prefix
        && (&*name.name == b"docker0" || name.name.strip_prefix(b"br-").is_some_and(is_id))
}

#[cfg(test)]
mod tests;
