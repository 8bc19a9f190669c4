//! What led to the answer: the cause behind the cause, what was rewritten, what the rule is used for, and relations.

use crate::explain::{LinkFact, Phrase, RootCause, root_cause};
use crate::model::{EvidenceOf, LinkKind, NatChange, VerdictKind};

use super::account::{Account, is_destination};
use super::answer::{end_place, nat_step};
use super::lost::Reason;
use super::names::{endpoint, listed, nat_word, place, quoted, sentence};
use super::near::near_misses;
use super::scene::{Scene, idiom_of};

/// The reasons behind the answer, the most telling first.
pub(crate) fn because(scene: &Scene<'_, '_>, reasons: &[Reason]) -> Vec<Phrase> {
    let mut said = Vec::new();
    if let Some((account, end)) = scene.end() {
        said.extend(
            root_cause(&account.told).map(|cause| marked(account, cause)).into_iter().flatten(),
        );
        let ended = matches!(scene.kind(), Some(VerdictKind::Dropped | VerdictKind::Rejected));
        let idiom = if ended { idiom_of(account, &end) } else { None };
        said.extend(idiom.map(|idiom| sentence(Phrase::text(idiom.sentence))));
    }
    said.extend(near_misses(scene));
    said.extend(reasons.iter().map(|reason| reason.sentence.clone()));
    if let Some(connection) = scene.whole() {
        said.extend(connection.nat.iter().map(|change| translation(scene, change)));
    }
    if scene.kind() == Some(VerdictKind::Accepted) {
        let asked = scene.main().and_then(|account| scene.asked_in_vain(account));
        said.extend(asked.map(|asked| sentence(asked.sentence())));
    }
    said.extend(other_ends(scene));
    said.extend(scene.subject.links.iter().filter_map(|link| relation(scene, link)));
    said
}

/// Both rules of a drop for a mark.
fn marked(account: &Account<'_>, cause: RootCause) -> Vec<Phrase> {
    let rule = |step: usize, words: &str| {
        let told = account.told.get(step)?;
        let phrase = Phrase::default().place(place(told)).say(", ");
        Some(quoted(phrase, told.rule.as_deref()?).say(words))
    };
    let set = rule(cause.set_at, &format!(", put the mark 0x{:x} on it", cause.mark));
    let ended = rule(cause.ended_at, ", asked for the mark.");
    let Some((set, ended)) = set.zip(ended) else { return Vec::new() };
    let mut said = vec![set.say("; ").append(ended)];
    said.extend(sent(account, cause.set_at));
    said
}

/// The two rules that led into the chain of a step: what they ask for is why it came there.
fn sent(account: &Account<'_>, step: usize) -> Option<Phrase> {
    let rule = |at: usize| {
        let told = account.told.get(at)?;
        Some(quoted(Phrase::default().place(place(told)).say(", "), told.rule.as_deref()?))
    };
    let by = account.caller(step)?;
    let phrase = Phrase::text("It came to that rule by ").append(rule(by)?);
    Some(match account.caller(by).and_then(rule) {
        Some(from) => phrase.say(", and there by ").append(from).say("."),
        None => phrase.say("."),
    })
}

/// `DNAT: 10.146.22.21:40000 → 172.17.0.5:6379 by nat:DOCKER rule 1, `…`.`
fn translation(scene: &Scene<'_, '_>, change: &NatChange) -> Phrase {
    let phrase = Phrase::text(format!("{}: ", nat_word(change.kind)));
    let phrase = match (endpoint(change.from), endpoint(change.to)) {
        (Some(from), Some(to)) => phrase.rewritten(from, to),
        (Some(from), None) => {
            phrase.and(crate::explain::RunKind::Former, from).say(" is rewritten")
        }
        _ if is_destination(change.kind) => phrase.say("the destination is rewritten"),
        _ => phrase.say("the source is rewritten"),
    };
    let told = nat_step(scene, change).and_then(|(account, step)| account.told.get(step));
    let phrase = match told {
        Some(told) => {
            let phrase = phrase.say(" by ").place(place(told));
            match &told.rule {
                Some(rule) => quoted(phrase.say(", "), rule),
                None => phrase,
            }
        }
        None => phrase,
    };
    match change.evidence {
        EvidenceOf::Observed => phrase.say("."),
        EvidenceOf::Inferred if is_seen(scene, change) => phrase.say(
            ": its lines show it, and no line of the nat table stands between. Rules of nf_tables print none.",
        ),
        EvidenceOf::Inferred if scene.is_answered() => {
            phrase.say("; no line shows it, it follows from the other direction.")
        }
        EvidenceOf::Inferred => {
            phrase.say("; the rule says so, and what it became is not in the log.")
        }
    }
}

/// Whether two lines of the connection's first packet show a translation.
fn is_seen(scene: &Scene<'_, '_>, change: &NatChange) -> bool {
    let first = scene.accounts.iter().filter(|account| account.is_first(scene.connection()));
    let mut rewrites = first.flat_map(|account| &account.rewrites);
    rewrites.any(|rewrite| rewrite.is_source != is_destination(change.kind))
}

/// Packets of the connection that ended otherwise than it did.
fn other_ends(scene: &Scene<'_, '_>) -> Vec<Phrase> {
    let Some(kind) = scene.whole().map(|connection| connection.verdict.kind) else {
        return Vec::new();
    };
    let others = |wanted: VerdictKind| {
        let found = scene
            .accounts
            .iter()
            .filter(move |account| !account.is_arp() && account.packet.verdict.kind == wanted);
        found.collect::<Vec<_>>()
    };
    let mut said = Vec::new();
    for (wanted, word) in [(VerdictKind::Dropped, "dropped"), (VerdictKind::Rejected, "rejected")] {
        let found = others(wanted);
        if wanted == kind || found.is_empty() {
            continue;
        }
        let first = found[0];
        let phrase = numbers(&found.iter().map(|account| account.number).collect::<Vec<_>>());
        let be = if found.len() == 1 { "was" } else { "were" };
        let phrase =
            phrase.say(format!(" {be} ")).and(crate::explain::RunKind::Verdict(wanted), word);
        let at = first.end.as_ref().map(|end| end_place(first, end));
        said.push(sentence(match at {
            Some(at) if found.len() == 1 => phrase.say(" at ").place(at),
            Some(at) => phrase.say(", the first of them at ").place(at),
            None => phrase,
        }));
    }
    said
}

/// `Packet 3`, `Packets 3, 5 and 7`, `Packets 3, 5, 7, 9 and 12 more`.
pub(crate) fn numbers(numbers: &[usize]) -> Phrase {
    const NAMED: usize = 6;
    let word = if numbers.len() == 1 { "Packet " } else { "Packets " };
    let mut parts: Vec<Phrase> =
        numbers.iter().take(NAMED).map(|number| Phrase::text(number.to_string())).collect();
    if numbers.len() > NAMED {
        parts.push(Phrase::text(format!("{} more", numbers.len() - NAMED)));
    }
    Phrase::text(word).append(listed(parts, "and"))
}

fn relation(scene: &Scene<'_, '_>, link: &LinkFact) -> Option<Phrase> {
    let number = link.packet.and_then(|key| {
        scene.accounts.iter().find(|account| account.key() == key).map(|account| account.number)
    });
    let this = match number {
        Some(number) if scene.accounts.len() > 1 => format!("packet {number}"),
        Some(_) => "this packet".to_owned(),
        None => "this connection".to_owned(),
    };
    let other = &link.other;
    let words = match (link.kind, link.is_later) {
        // The wait is told at the step where it happened, a copy once where it is one.
        (LinkKind::ArpWait, _) | (LinkKind::Retransmission, false) => return None,
        (LinkKind::Retransmission, true) => {
            return Some(told(format!("{this} is {other}, sent again.")));
        }
        (LinkKind::Proxy, false) => format!(
            "a program on this host took this connection and opened another one for it, as docker-proxy does: {other}"
        ),
        (LinkKind::Proxy, true) => format!(
            "a program on this host opened this connection on behalf of another one, as docker-proxy does: {other}"
        ),
        (LinkKind::IcmpError, true) => format!("{this} is an ICMP error about {other}"),
        (LinkKind::IcmpError, false) => format!("an ICMP error came back about {this}: {other}"),
        (LinkKind::Reset, true) => format!("{this} is the answer that REJECT sent to {other}"),
        (LinkKind::Reset, false) => format!("the answer that REJECT sent to {this} is {other}"),
        (LinkKind::Expectation, true) => format!("{this} was announced by {other}"),
        (LinkKind::Expectation, false) => format!("{this} announced {other}"),
    };
    Some(match link.evidence.trim().trim_end_matches('.') {
        "" => told(format!("{words}.")),
        evidence => told(format!("{words} ({evidence}).")),
    })
}

fn told(words: String) -> Phrase {
    sentence(Phrase::text(words))
}
