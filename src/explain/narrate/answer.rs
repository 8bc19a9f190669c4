//! The answer: one sentence that says what became of it, where, and by which rule.

use crate::explain::{Phrase, RootCause, RunKind, root_cause};
use crate::model::{
    Connection, Direction, EvidenceOf, Hook, Layer, NatChange, Site, Table, Tuple, VerdictEvidence,
    VerdictKind,
};
use crate::rulebook::Target;

use super::account::{Account, is_destination};
use super::lost::where_lost;
use super::names::{count, endpoint, flow, nat_word, place, quoted, somebody};
use super::scene::{Scene, idiom_at};

/// What became of it.
pub(crate) fn answer(scene: &Scene<'_, '_>) -> Phrase {
    let Some((account, step)) = scene.end() else {
        return Phrase::text("There is no packet to tell of.");
    };
    match scene.kind() {
        Some(VerdictKind::Dropped) => dropped(account, step),
        Some(VerdictKind::Rejected) => rejected(account, step),
        Some(VerdictKind::Accepted) => accepted(scene, account, step),
        Some(VerdictKind::Consumed) => consumed(scene, account, step),
        Some(VerdictKind::Unknown) | None => unknown(scene, account, step),
    }
}

/// `Dropped`, or `The reply was dropped`.
fn opening(account: &Account<'_>, kind: VerdictKind, word: &str) -> Phrase {
    let (subject, word) = match account.packet.direction {
        Some(Direction::Reply) => ("The reply was ", word.to_lowercase()),
        Some(Direction::Related) => ("The ICMP error about it was ", word.to_lowercase()),
        Some(Direction::Original) | None => ("", word.to_owned()),
    };
    Phrase::text(subject).and(RunKind::Verdict(kind), word)
}

/// ` at filter:FORWARD rule 5, `-A …`` or ` by the policy of filter:INPUT, `-P INPUT DROP``.
fn at_rule(phrase: Phrase, account: &Account<'_>, step: usize) -> Phrase {
    let Some(told) = account.told.get(step) else { return phrase };
    let phrase = match &told.place {
        Some(at) if at.number == 0 => {
            phrase.say(" by the policy of ").place(policy_owner(&place(told)))
        }
        _ => phrase.say(" at ").place(place(told)),
    };
    match &told.rule {
        Some(rule) => quoted(phrase.say(", "), rule),
        None => phrase,
    }
}

/// `filter:INPUT` of `filter:INPUT policy`.
fn policy_owner(place: &str) -> String {
    place.strip_suffix(" policy").unwrap_or(place).to_owned()
}

fn dropped(account: &Account<'_>, step: usize) -> Phrase {
    let phrase = at_rule(opening(account, VerdictKind::Dropped, "Dropped"), account, step);
    let flow = account.header(step).map(flow).unwrap_or_default();
    let told = account.told.get(step);
    let is_policy = told.is_some_and(|told| told.place.as_ref().is_some_and(|at| at.number == 0));
    if let Some(cause) = root_cause(&account.told).filter(|cause| cause.ended_at == step) {
        return marked(phrase, account, cause);
    }
    let brief = idiom_at(account, step).and_then(|idiom| idiom.brief);
    if told.is_some_and(|told| told.rule.is_none()) {
        let phrase =
            phrase.say(": no line of ").append(flow).say(" follows, where one would have to");
        return phrase.say("; what the rule says is not known.");
    }
    let phrase = phrase.say(": ");
    let phrase = brief.map_or(phrase.clone(), |brief| phrase.say(format!("{brief}; ")));
    if is_policy {
        return phrase.say("no rule of the chain lets ").append(flow).say(" through.");
    }
    let is_first = told.is_some_and(|told| {
        told.depth == 0 && told.place.as_ref().is_some_and(|at| at.number == 1)
    });
    if is_first {
        phrase
            .say("it is the chain's first rule, so nothing lets ")
            .append(flow)
            .say(" through before it.")
    } else {
        phrase.say("no rule before it lets ").append(flow).say(" through.")
    }
}

/// `, because it was marked 0x8000 at nat:KUBE-MARK-DROP rule 1.`
fn marked(phrase: Phrase, account: &Account<'_>, cause: RootCause) -> Phrase {
    let at = account.told.get(cause.set_at).map(place).unwrap_or_default();
    phrase.say(format!(": it was marked 0x{:x} for that at ", cause.mark)).place(at).say(".")
}

fn rejected(account: &Account<'_>, step: usize) -> Phrase {
    let phrase = at_rule(opening(account, VerdictKind::Rejected, "Rejected"), account, step);
    let target = account.told.get(step).and_then(|told| told.target.as_ref());
    let phrase = match target {
        Some(Target::Reject { with: Some(with) }) if &**with == "tcp-reset" => {
            phrase.say(", which answers with a TCP reset")
        }
        Some(Target::Reject { with: Some(with) }) => {
            phrase.say(format!(", which tells the sender {with}"))
        }
        _ => phrase.say(", which tells the sender so"),
    };
    if let Some(cause) = root_cause(&account.told).filter(|cause| cause.ended_at == step) {
        return marked(phrase, account, cause);
    }
    let flow = account.header(step).map(flow).unwrap_or_default();
    match idiom_at(account, step).and_then(|idiom| idiom.brief) {
        Some(brief) => phrase.say(format!(": {brief}; no rule before it lets ")),
        None => phrase.say(": no rule before it lets "),
    }
    .append(flow)
    .say(" through.")
}

fn accepted(scene: &Scene<'_, '_>, account: &Account<'_>, step: usize) -> Phrase {
    let Some(connection) = scene.connection() else { return accepted_packet(account, step) };
    let has_answer = connection.packets_reply > 0;
    let phrase = Phrase::default();
    let phrase = if has_answer {
        phrase.and(RunKind::Verdict(VerdictKind::Accepted), "Reached").say(" ")
    } else {
        phrase.and(RunKind::Verdict(VerdictKind::Accepted), "Let through").say(" to ")
    };
    let phrase = phrase.append(target(scene, connection));
    let mut how = translations(scene, connection);
    how.extend(let_through(account, step));
    let phrase = if how.is_empty() {
        phrase
    } else {
        phrase.say(": ").append(super::names::listed(how, "and"))
    };
    if has_answer {
        let packets = count(connection.packets_reply, "packet");
        phrase.say(format!("; {packets} came back."))
    } else {
        phrase.say("; nothing came back in this log.")
    }
}

/// `172.17.0.5:6379 (asked for as 10.146.22.21:40000)`.
fn target(scene: &Scene<'_, '_>, connection: &Connection) -> Phrase {
    let asked = endpoint(connection.original.dst);
    let real = real_target(connection);
    let real_text = endpoint(real).or_else(|| asked.clone()).unwrap_or_else(|| "its target".into());
    let phrase = match real.addr {
        Some(addr) => somebody(addr, real.port, scene.context()),
        None => Phrase::default().address(real_text.clone()),
    };
    let phrase = if scene.is_local()
        && real.addr.is_none_or(|addr| {
            scene.context().is_none_or(|context| context.container_at(addr).is_none())
        }) {
        phrase.say(" on this host itself")
    } else {
        phrase
    };
    match asked.filter(|asked| *asked != real_text) {
        Some(asked) => phrase.say(" (asked for as ").address(asked).say(")"),
        None => phrase,
    }
}

/// Where the connection really went: the source of its replies, or what NAT made of its destination.
fn real_target(connection: &Connection) -> crate::model::Endpoint {
    let Tuple { src, .. } = connection.reply;
    if src.addr.is_some() {
        return src;
    }
    let changed = connection.nat.iter().rfind(|change| is_destination(change.kind));
    changed.map_or(connection.original.dst, |change| change.to)
}

/// `DNAT by nat:DOCKER rule 1`, for each translation.
fn translations(scene: &Scene<'_, '_>, connection: &Connection) -> Vec<Phrase> {
    let one = |change: &NatChange| {
        let phrase = Phrase::text(nat_word(change.kind));
        match nat_place(scene, change) {
            Some(place) => phrase.say(" by ").place(place),
            None if change.evidence == EvidenceOf::Inferred => {
                phrase.say(" by a rule no line shows")
            }
            None => phrase,
        }
    };
    connection.nat.iter().map(one).collect()
}

/// The place of the rule that made a translation.
pub(crate) fn nat_place(scene: &Scene<'_, '_>, change: &NatChange) -> Option<String> {
    let (account, step) = nat_step(scene, change)?;
    account.told.get(step).map(place)
}

/// The step of the rule that made a translation.
pub(crate) fn nat_step<'s, 'a>(
    scene: &'s Scene<'a, '_>,
    change: &NatChange,
) -> Option<(&'s Account<'a>, usize)> {
    let hop = change.site.as_ref()?;
    scene.accounts.iter().find_map(|account| {
        let step = account.packet.steps.iter().position(|step| step.hop == *hop)?;
        Some((account, step))
    })
}

/// `let through by the policy of filter:FORWARD`.
fn let_through(account: &Account<'_>, step: usize) -> Option<Phrase> {
    let told = account.told.get(step)?;
    if account.table(step) != Some(Table::Filter) {
        return None;
    }
    let words = match account.hook(step) {
        Some(Hook::Input) => "let in by ",
        Some(Hook::Output) => "let out by ",
        _ => "let through by ",
    };
    let phrase = Phrase::text(words);
    Some(match (&told.place, &told.rule) {
        (Some(at), _) if at.number == 0 => {
            phrase.say("the policy of ").place(policy_owner(&place(told)))
        }
        (Some(_), Some(rule)) => quoted(phrase.place(place(told)).say(", "), rule),
        _ => phrase.place(place(told)),
    })
}

/// A packet without a connection, or one of a connection that is not told with it.
fn accepted_packet(account: &Account<'_>, step: usize) -> Phrase {
    let phrase = Phrase::default().and(RunKind::Verdict(VerdictKind::Accepted), "It went on");
    let flow = account.header(step).map(flow).unwrap_or_default();
    match let_through(account, step) {
        Some(how) => phrase.say(", ").append(how).say(": ").append(flow).say("."),
        None => phrase.say(": ").append(flow).say("."),
    }
}

fn consumed(scene: &Scene<'_, '_>, account: &Account<'_>, step: usize) -> Phrase {
    let taken = Phrase::default()
        .and(RunKind::Verdict(VerdictKind::Consumed), "Taken by a program on this host");
    let told = account.told.get(step);
    let target = told.and_then(|told| told.target.as_ref());
    if matches!(target, Some(Target::Nfqueue { .. } | Target::Queue)) {
        let handed = Phrase::default()
            .and(RunKind::Verdict(VerdictKind::Consumed), "Handed to a program in userspace");
        return at_rule(handed, account, step)
            .say(": that program decides, and the log does not say what.");
    }
    let mut how: Vec<Phrase> =
        scene.connection().map(|connection| translations(scene, connection)).unwrap_or_default();
    how.extend(let_through(account, step));
    let flow = account.header(step).map(flow).unwrap_or_default();
    let taken = if how.is_empty() {
        at_rule(taken, account, step)
    } else {
        taken.say(", ").append(super::names::listed(how, "and"))
    };
    taken.say(": ").append(flow).say(".")
}

fn unknown(scene: &Scene<'_, '_>, account: &Account<'_>, step: usize) -> Phrase {
    let phrase =
        Phrase::default().and(RunKind::Verdict(VerdictKind::Unknown), "Not told by the log");
    let phrase = match account.packet.direction {
        Some(Direction::Reply) => phrase.say(": the reply was last seen at "),
        Some(Direction::Related) => phrase.say(": the ICMP error about it was last seen at "),
        Some(Direction::Original) | None => phrase.say(": last seen at "),
    };
    let Some(told) = account.told.get(step) else { return phrase.say("no place.") };
    let phrase = phrase.place(place(told));
    let verdict = &account.packet.verdict;
    if matches!(&*told.step.hop.site, Site::Log { .. } | Site::BridgeLog { .. }) {
        return phrase.say(
            ", a rule that only writes a line; what the rules after it did is not in the log.",
        );
    }
    if told.step.hop.layer == Layer::Arp || account.is_arp() {
        return phrase.say("; nothing after.");
    }
    let phrase = match where_lost(scene, account, step) {
        Some(lost) => phrase.say("; nothing after, so ").say(lost),
        None => phrase.say("; nothing after"),
    };
    if told.rule.is_none()
        && told.misfit.is_none()
        && verdict.evidence != Some(VerdictEvidence::Reply)
    {
        return phrase.say(". What the rule there says is not known.");
    }
    phrase.say(".")
}
