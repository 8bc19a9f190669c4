//! What happened at a step, in a sentence or two.

use std::collections::BTreeSet;

use crate::explain::{InferredAt, Phrase, RunKind};
use crate::model::{
    Connection, Direction, EvidenceOf, Hook, Layer, Site, SiteKind, Table, VerdictEvidence,
    VerdictKind,
};
use crate::rulebook::Target;

use super::account::{Account, Rewrite, is_bridge, is_destination};
use super::idioms::chain_use;
use super::names::{endpoint, lossy, nat_word, quoted, sentence};

/// What the rule, policy or chain end of a step did. `known` remembers what has been explained in the story already.
pub(crate) fn deeds(
    account: &Account<'_>,
    step: usize,
    connection: Option<&Connection>,
    known: &mut BTreeSet<String>,
) -> Vec<Phrase> {
    let mut said = Vec::new();
    said.extend(starts_trace(account, step, known));
    said.extend(kept_rewrite(account, step, connection));
    said.extend(prints_as_end(account, step));
    said.extend(act(account, step, known));
    said.extend(account.rewrites.iter().filter(|one| one.by == Some(step)).map(rewritten));
    said.extend(unseen_rewrite(account, step, connection));
    said.extend(ending(account, step));
    said
}

/// What the chain that a step goes into is used for, when that is well known.
pub(crate) fn use_of_chain(account: &Account<'_>, step: usize) -> Option<&'static str> {
    let told = account.told.get(step)?;
    let (Target::Jump(chain) | Target::Goto(chain)) = told.target.as_ref()? else { return None };
    chain_use(&told.place.as_ref()?.table, chain)
}

/// TRACE rules of the chain in which the trace begins: their own hits are not logged.
fn starts_trace(
    account: &Account<'_>,
    step: usize,
    known: &mut BTreeSet<String>,
) -> Option<Phrase> {
    if account.table(step) != Some(Table::Raw) || !is_first_raw(account, step) {
        return None;
    }
    let chain = account.chain(step).filter(|chain| chain.hook.is_some())?;
    let number = account.told.get(step)?.place.as_ref()?.number;
    let before = if number == 0 { chain.len() } else { number - 1 };
    let sight = account.sight(step, None)?;
    let tracing = (1..=before).filter_map(|number| Some((number, chain.rule(number)?)));
    let mut tracing = tracing
        .filter(|(_, rule)| rule.target == Target::Trace && rule.holds(&sight) != Some(false));
    let (number, rule) = tracing.next()?;
    if !known.insert(format!("trace {}", rule.text)) {
        return Some(Phrase::text(format!("Rule {number} starts the trace.")));
    }
    let phrase = quoted(Phrase::text(format!("Rule {number}, ")), &rule.text);
    Some(phrase.say(", starts the trace; its own hit is not logged."))
}

/// Whether no line of the raw table comes before, and the packet has not been traced on its way out already.
fn is_first_raw(account: &Account<'_>, step: usize) -> bool {
    (0..step).all(|at| account.packet.steps[at].hop.layer == Layer::Bridge)
}

/// Addresses that differ without a line of the nat table between: conntrack does again what that did once.
fn kept_rewrite(
    account: &Account<'_>,
    step: usize,
    connection: Option<&Connection>,
) -> Option<Phrase> {
    let is_told = account
        .inferred
        .iter()
        .any(|inferred| inferred.at == InferredAt::ConntrackRestored && inferred.before == step);
    let mut here = account.rewrites.iter().filter(|one| one.seen_at == step && one.by.is_none());
    let rewrite = here.next().filter(|_| !is_told)?;
    let side = if rewrite.is_source { "source" } else { "destination" };
    if account.is_first(connection) {
        return Some(Phrase::text(format!(
            "Its {side} is rewritten, and no line of the nat table stands between: rules of nf_tables print none."
        )));
    }
    let what = match account.packet.direction {
        Some(Direction::Original) => "repeats",
        Some(Direction::Reply) => "undoes",
        Some(Direction::Related) | None => "repeats or undoes",
    };
    Some(Phrase::text(format!(
        "Its {side} is rewritten without a rule: conntrack {what} what was decided for the connection's first packet."
    )))
}

/// A rule without conditions leaves the same line as the end of its chain.
fn prints_as_end(account: &Account<'_>, step: usize) -> Option<Phrase> {
    let told = account.told.get(step)?;
    let number = told.place.as_ref()?.number;
    let Site::Trace { kind, .. } = &*told.step.hop.site else { return None };
    let word = match kind {
        SiteKind::Policy(_) => "policy",
        SiteKind::Return(_) => "return",
        SiteKind::Rule(_) => return None,
    };
    (number > 0).then(|| {
        Phrase::text(format!(
            "The rule has no condition, so the kernel logs it as {word}:{number}, like the end of the chain."
        ))
    })
}

fn act(account: &Account<'_>, step: usize, known: &mut BTreeSet<String>) -> Option<Phrase> {
    let told = account.told.get(step)?;
    if told.is_chain_end {
        return chain_end(account, step);
    }
    let Some(target) = &told.target else { return unknown_act(account, step, known) };
    if told.place.as_ref().is_some_and(|place| place.number == 0) {
        return policy(account, step, target);
    }
    match target {
        Target::Accept => accept(account, step),
        Target::Drop => Some(
            Phrase::default().and(RunKind::Verdict(VerdictKind::Dropped), "Dropped").say(" here."),
        ),
        Target::Reject { with } => Some(reject(with.as_deref())),
        Target::Jump(chain) => Some(jump(chain)),
        Target::Goto(chain) => Some(
            Phrase::text("Over to the chain ")
                .place(&**chain)
                .say(", not to come back to this one."),
        ),
        Target::Return => Some(returned(account, step)),
        Target::Mark { set } => mark(account, step, *set),
        Target::Nfqueue { number, bypass } => Some(queue(*number, *bypass)),
        Target::Queue => Some(queue(None, false)),
        Target::Tproxy => {
            Some(Phrase::text("Handed to a program on this host that listens for it (TPROXY)."))
        }
        Target::Log => log(account, step),
        Target::Notrack => Some(Phrase::text("conntrack is told how to treat it.")),
        Target::Trace => Some(Phrase::text("It is traced already; the rule changes nothing.")),
        Target::Dnat { to } => planned(account, step, "destination", to.as_deref()),
        Target::Redirect { to } => Some(redirect(account, step, to.as_deref())),
        Target::Netmap { to } => {
            planned(account, step, "network part of the address", to.as_deref())
        }
        Target::Snat { to } => planned(account, step, "source", to.as_deref()),
        Target::Masquerade
        | Target::Connmark
        | Target::Continue
        | Target::None
        | Target::Passes(_)
        | Target::Other(_) => None,
    }
}

/// `The end of the chain; back to nat:PREROUTING.`
fn chain_end(account: &Account<'_>, step: usize) -> Option<Phrase> {
    matches!(&*account.told.get(step)?.step.hop.site, Site::Trace { .. })
        .then(|| back(account, step, Phrase::text("The end of the chain")))
}

fn returned(account: &Account<'_>, step: usize) -> Phrase {
    back(account, step, Phrase::text("The rest of the chain is skipped"))
}

/// Where the walk goes on after a chain: the next line tells.
fn back(account: &Account<'_>, step: usize, phrase: Phrase) -> Phrase {
    let here = account.told.get(step);
    let next = here.and_then(|here| {
        let next = account.told.get(step + 1)?;
        let (Site::Trace { table, chain, .. }, Site::Trace { table: own, .. }) =
            (&*next.step.hop.site, &*here.step.hop.site)
        else {
            return None;
        };
        (table == own && next.depth < here.depth.max(1)).then(|| (lossy(table), lossy(chain)))
    });
    match next {
        Some((table, chain)) => phrase.say("; back to ").place(format!("{table}:{chain}")).say("."),
        None => phrase.say("."),
    }
}

fn policy(account: &Account<'_>, step: usize, target: &Target) -> Option<Phrase> {
    let hook = account.hook(step);
    let is_bridge =
        account.told.get(step)?.place.as_ref().is_some_and(|place| is_bridge(place.family));
    if *target == Target::Drop {
        let phrase = Phrase::text("No rule lets it through, so the policy decides: ");
        return Some(phrase.and(RunKind::Verdict(VerdictKind::Dropped), "dropped").say("."));
    }
    let words = match account.table(step) {
        Some(Table::Filter) if !is_bridge => {
            let phrase = Phrase::text("No rule decides, so the policy does: ");
            return Some(
                phrase.and(RunKind::Verdict(VerdictKind::Accepted), let_through(hook)).say("."),
            );
        }
        Some(Table::Nat) if !is_bridge => match hook {
            Some(Hook::Prerouting | Hook::Output) => "No rule rewrites its destination.",
            Some(Hook::Input | Hook::Postrouting) => "No rule rewrites its source.",
            _ => "No rule rewrites it.",
        },
        _ => "No rule stops it.",
    };
    Some(words.into())
}

/// What accepting means at a hook of the filter table.
fn let_through(hook: Option<Hook>) -> &'static str {
    match hook {
        Some(Hook::Input) => "let in",
        Some(Hook::Output) => "let out",
        _ => "let through",
    }
}

fn accept(account: &Account<'_>, step: usize) -> Option<Phrase> {
    let told = account.told.get(step)?;
    let bridge = told.step.hop.layer == Layer::Bridge || told.step.hop.site.is_bridge();
    let hook = account.hook(step);
    let good = |words: &str| {
        let words = sentence(Phrase::text(words));
        Phrase::default().and(RunKind::Verdict(VerdictKind::Accepted), words.plain())
    };
    match account.table(step) {
        Some(Table::Filter) if !bridge => Some(good(let_through(hook))),
        Some(Table::Filter) if hook == Some(Hook::Forward) => {
            Some(good("let through by the bridge"))
        }
        // On a bridge the rule that logs is the rule that lets on; its text says so.
        _ if bridge => None,
        Some(Table::Nat) => {
            Some(Phrase::text("It goes on as it is: the table's other rules are not asked."))
        }
        _ => Some(Phrase::text("It goes on: the table's other rules are not asked.")),
    }
}

fn reject(with: Option<&str>) -> Phrase {
    let phrase = Phrase::default().and(RunKind::Verdict(VerdictKind::Rejected), "Rejected");
    match with {
        Some("tcp-reset") => phrase.say(": dropped, and the sender gets a TCP reset."),
        Some(with) => phrase.say(format!(": dropped, and the sender is told {with}.")),
        None => phrase.say(": dropped, and the sender is told so."),
    }
}

fn jump(chain: &str) -> Phrase {
    Phrase::text("On to the chain ").place(chain).say(".")
}

/// The mark as the lines show it, or as the rule says.
fn mark(account: &Account<'_>, step: usize, set: Option<(u32, u32)>) -> Option<Phrase> {
    let marks = |at: usize| {
        let step = account.packet.steps.get(at).filter(|step| step.hop.layer != Layer::Bridge)?;
        Some(step.header.mark.unwrap_or(0))
    };
    let old = marks(step)?;
    let later = (step + 1..account.packet.steps.len()).find_map(marks);
    let new = later.or_else(|| set.map(|(value, mask)| (old & !mask) ^ value));
    match new {
        Some(new) if new != old => {
            let phrase = Phrase::text("Marked: ");
            Some(phrase.rewritten(format!("0x{old:x}"), format!("0x{new:x}")).say("."))
        }
        Some(new) => Some(Phrase::text(match set {
            Some((value, mask)) if (old & !mask) ^ value != new => {
                format!("The mark stays 0x{old:x} on the lines that follow.")
            }
            _ => format!("Marked 0x{old:x}, as it was already."),
        })),
        None => Some(Phrase::text("Marked.")),
    }
}

fn queue(number: Option<u16>, bypass: bool) -> Phrase {
    let queue = number.map_or_else(String::new, |number| format!(" on queue {number}"));
    let bypass = if bypass { " If none listens it goes on." } else { "" };
    Phrase::text(format!(
        "Handed to a program that listens{queue}; that program decides, and the log does not say what.{bypass}"
    ))
}

fn log(account: &Account<'_>, step: usize) -> Option<Phrase> {
    let rule = account.rule(step)?;
    let phrase = match rule.log_prefix.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(prefix) => format!("Writes a line that begins with \"{prefix}\", and goes on."),
        None => "Writes a line, and goes on.".into(),
    };
    Some(phrase.as_str().into())
}

/// What a nat rule is going to do, where no line shows that it did.
fn planned(account: &Account<'_>, step: usize, what: &str, to: Option<&str>) -> Option<Phrase> {
    if account.rewrites.iter().any(|rewrite| rewrite.by == Some(step)) {
        return None;
    }
    let phrase = Phrase::text(format!("The rule rewrites the {what}"));
    Some(match to {
        Some(to) => phrase.say(" to ").and(RunKind::Changed, to).say("."),
        None => phrase.say("."),
    })
}

fn redirect(account: &Account<'_>, step: usize, to: Option<&str>) -> Phrase {
    if account.rewrites.iter().any(|rewrite| rewrite.by == Some(step)) {
        return Phrase::text("Redirected to this host itself.");
    }
    let port = to.map_or_else(String::new, |port| format!(", port {port}"));
    Phrase::text(format!("Redirected to this host itself{port}."))
}

/// `Destination 10.146.22.21:40000 → 172.17.0.5:6379.`
fn rewritten(rewrite: &Rewrite) -> Phrase {
    let side = if rewrite.is_source { "Source " } else { "Destination " };
    Phrase::text(side).rewritten(&rewrite.old, &rewrite.new).say(".")
}

/// A translation that the connection knows of and that this packet's lines do not show.
fn unseen_rewrite(
    account: &Account<'_>,
    step: usize,
    connection: Option<&Connection>,
) -> Option<Phrase> {
    let change = account.unseen_change(step, connection)?;
    let side = if is_destination(change.kind) { "Destination " } else { "Source " };
    let how = match change.evidence {
        EvidenceOf::Observed => "conntrack or another line says so",
        EvidenceOf::Inferred if connection.is_some_and(|own| own.packets_reply > 0) => {
            "no line shows it, it follows from the packets that came back"
        }
        EvidenceOf::Inferred => "the rule says so, and what it became is not in the log",
    };
    let phrase = match (endpoint(change.from), endpoint(change.to)) {
        (Some(from), Some(to)) => Phrase::text(side).rewritten(from, to),
        _ => Phrase::text(format!("{side}rewritten ({})", nat_word(change.kind))),
    };
    Some(phrase.say(format!("; {how}.")))
}

/// Without a rule's text: what the lines that follow tell.
fn unknown_act(account: &Account<'_>, step: usize, known: &mut BTreeSet<String>) -> Option<Phrase> {
    let told = account.told.get(step)?;
    let Site::Trace { table, kind, .. } = &*told.step.hop.site else { return None };
    let next = account.told.get(step + 1).map(|next| &*next.step.hop.site);
    match (kind, next) {
        (SiteKind::Rule(_), Some(Site::Trace { table: other, chain, .. }))
            if table == other
                && Hook::from_chain(chain).is_none()
                && !same_chain(&told.step.hop.site, chain) =>
        {
            Some(jump(&lossy(chain)))
        }
        (SiteKind::Policy(_) | SiteKind::Return(_), Some(_)) => {
            let is_new = known.insert("end of chain".into());
            let why = "The end of the chain, or a rule without conditions; both are logged alike. ";
            Some(Phrase::text(if is_new { why } else { "" }).say("It goes on."))
        }
        (SiteKind::Policy(_) | SiteKind::Return(_) | SiteKind::Rule(_), _) => None,
    }
}

fn same_chain(site: &Site, name: &[u8]) -> bool {
    matches!(site, Site::Trace { chain, .. } if **chain == *name)
}

/// What ended the way here, where the rule's text does not say it already.
fn ending(account: &Account<'_>, step: usize) -> Option<Phrase> {
    if !account.decides(step) || step + 1 != account.told.len() || account.is_arp() {
        return None;
    }
    let verdict = &account.packet.verdict;
    let target = account.told.get(step)?.target.as_ref();
    match (verdict.kind, verdict.evidence, target) {
        (VerdictKind::Dropped, _, Some(Target::Drop)) => None,
        (VerdictKind::Dropped, Some(VerdictEvidence::Absence), _) => Some(
            Phrase::default()
                .and(RunKind::Verdict(VerdictKind::Dropped), "Dropped")
                .say(" here: no line follows, where one would have to."),
        ),
        (VerdictKind::Rejected, _, None) => Some(
            Phrase::default()
                .and(RunKind::Verdict(VerdictKind::Rejected), "Rejected")
                .say(" here: an answer of this host to it follows."),
        ),
        (VerdictKind::Unknown, _, _) => Some(
            Phrase::default()
                .and(RunKind::Verdict(VerdictKind::Unknown), "No line follows.")
                .say(" What became of the packet is not in the log."),
        ),
        _ => None,
    }
}
