//! The answer: one sentence that says what became of it, where, and by which rule.

use crate::explain::{Phrase, RootCause, RunKind, root_cause};
use crate::model::{
    Connection, Direction, EvidenceOf, Hook, NatChange, Site, Table, Tuple, VerdictKind,
};
use crate::rulebook::Target;

use super::account::{Account, End, is_destination};
use super::lost::where_lost;
use super::names::{count, endpoint, flow, listed, nat_word, place, quoted, rule_place, somebody};
use super::scene::{Scene, idiom_of};

/// What became of it.
pub(crate) fn answer(scene: &Scene<'_, '_>) -> Phrase {
    let Some((account, end)) = scene.end() else {
        return Phrase::text("There is no packet to tell of.");
    };
    match scene.kind() {
        Some(VerdictKind::Dropped) => dropped(account, &end),
        Some(VerdictKind::Rejected) => rejected(account, &end),
        Some(VerdictKind::Accepted) => accepted(scene, account, &end),
        Some(VerdictKind::Consumed) => consumed(scene, account, &end),
        Some(VerdictKind::Unknown) | None => unknown(scene, account, &end),
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

/// What a step's place is called, or that of the rule behind it that decided.
pub(crate) fn end_place(account: &Account<'_>, end: &End) -> String {
    match &end.place {
        Some(at) => rule_place(at.family, &at.table, &at.chain, at.number),
        None => account.told.get(end.step).map(place).unwrap_or_default(),
    }
}

/// ` at filter:FORWARD rule 5, `-A …`` or ` by the policy of filter:INPUT, `-P INPUT DROP``.
fn at_rule(phrase: Phrase, account: &Account<'_>, end: &End) -> Phrase {
    let place = end_place(account, end);
    let phrase = match place.strip_suffix(" policy") {
        Some(chain) if end.is_policy() => phrase.say(" by the policy of ").place(chain),
        _ => phrase.say(" at ").place(place),
    };
    match &end.rule {
        Some(rule) => quoted(phrase.say(", "), rule),
        None => phrase,
    }
}

fn flow_at(account: &Account<'_>, end: &End) -> Phrase {
    account.header(end.step).map(flow).unwrap_or_default()
}

fn dropped(account: &Account<'_>, end: &End) -> Phrase {
    let phrase = at_rule(opening(account, VerdictKind::Dropped, "Dropped"), account, end);
    let flow = flow_at(account, end);
    if let Some(cause) = root_cause(&account.told).filter(|cause| cause.ended_at == end.step) {
        return marked(phrase, account, cause);
    }
    if end.rule.is_none() {
        let phrase =
            phrase.say(": no line of ").append(flow).say(" follows, where one would have to");
        return phrase.say("; what the rule says is not known.");
    }
    let brief = idiom_of(account, end).and_then(|idiom| idiom.brief);
    let phrase = phrase.say(": ");
    let phrase = match brief {
        Some(brief) => phrase.say(format!("{brief}; ")),
        None => phrase,
    };
    nothing_else(phrase, account, end, flow)
}

/// `no rule before it lets 172.17.0.2 → 172.17.0.4:6379 through.`
fn nothing_else(phrase: Phrase, account: &Account<'_>, end: &End, flow: Phrase) -> Phrase {
    if end.is_policy() {
        return phrase.say("no rule of the chain lets ").append(flow).say(" through.");
    }
    let is_first = account.told.get(end.step).is_some_and(|told| told.depth == 0)
        && end.place.as_ref().is_some_and(|place| place.number == 1);
    if is_first {
        let phrase = phrase.say("it is the chain's first rule, so nothing lets ");
        return phrase.append(flow).say(" through before it.");
    }
    phrase.say("no rule before it lets ").append(flow).say(" through.")
}

/// `, because it was marked 0x8000 at nat:KUBE-MARK-DROP rule 1.`
fn marked(phrase: Phrase, account: &Account<'_>, cause: RootCause) -> Phrase {
    let at = account.told.get(cause.set_at).map(place).unwrap_or_default();
    phrase.say(format!(": it was marked 0x{:x} for that at ", cause.mark)).place(at).say(".")
}

fn rejected(account: &Account<'_>, end: &End) -> Phrase {
    let phrase = at_rule(opening(account, VerdictKind::Rejected, "Rejected"), account, end);
    let phrase = match &end.target {
        Some(Target::Reject { with: Some(with) }) if &**with == "tcp-reset" => {
            phrase.say(", which answers with a TCP reset")
        }
        Some(Target::Reject { with: Some(with) }) => {
            phrase.say(format!(", which tells the sender {with}"))
        }
        _ => phrase.say(", which tells the sender so"),
    };
    if let Some(cause) = root_cause(&account.told).filter(|cause| cause.ended_at == end.step) {
        return marked(phrase, account, cause);
    }
    let phrase = match idiom_of(account, end).and_then(|idiom| idiom.brief) {
        Some(brief) => phrase.say(format!(": {brief}; ")),
        None => phrase.say(": "),
    };
    nothing_else(phrase, account, end, flow_at(account, end))
}

fn accepted(scene: &Scene<'_, '_>, account: &Account<'_>, end: &End) -> Phrase {
    let Some(connection) = scene.connection() else { return accepted_packet(account, end) };
    let has_answer = connection.packets_reply > 0;
    let phrase = Phrase::default();
    let phrase = if has_answer {
        phrase.and(RunKind::Verdict(VerdictKind::Accepted), "Reached").say(" ")
    } else {
        phrase.and(RunKind::Verdict(VerdictKind::Accepted), "Let through").say(" to ")
    };
    let phrase = phrase.append(target(scene, connection));
    let mut how = translations(scene, connection);
    how.extend(let_through(account, end));
    let phrase = if how.is_empty() { phrase } else { phrase.say(": ").append(listed(how, "and")) };
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
fn let_through(account: &Account<'_>, end: &End) -> Option<Phrase> {
    let by_book = end.place.as_ref().and_then(|place| Table::from_name(place.table.as_bytes()));
    if by_book.or(account.table(end.step)) != Some(Table::Filter) {
        return None;
    }
    let words = match account.hook(end.step) {
        Some(Hook::Input) => "let in by ",
        Some(Hook::Output) => "let out by ",
        _ => "let through by ",
    };
    let (phrase, place) = (Phrase::text(words), end_place(account, end));
    Some(match (place.strip_suffix(" policy"), &end.rule) {
        (Some(chain), _) if end.is_policy() => phrase.say("the policy of ").place(chain),
        (_, Some(rule)) => quoted(phrase.place(place).say(", "), rule),
        (_, None) => phrase.place(place),
    })
}

/// A packet without a connection, or one of a connection that is not told with it.
fn accepted_packet(account: &Account<'_>, end: &End) -> Phrase {
    let phrase = Phrase::default().and(RunKind::Verdict(VerdictKind::Accepted), "It went on");
    let phrase = match let_through(account, end) {
        Some(how) => phrase.say(", ").append(how),
        None => phrase,
    };
    phrase.say(": ").append(flow_at(account, end)).say(".")
}

fn consumed(scene: &Scene<'_, '_>, account: &Account<'_>, end: &End) -> Phrase {
    let verdict =
        |words: &str| Phrase::default().and(RunKind::Verdict(VerdictKind::Consumed), words);
    if matches!(end.target, Some(Target::Nfqueue { .. } | Target::Queue)) {
        let handed = at_rule(verdict("Handed to a program in userspace"), account, end);
        return handed.say(": that program decides, and the log does not say what.");
    }
    let translated = scene.connection().map(|connection| translations(scene, connection));
    let mut how = translated.unwrap_or_default();
    how.extend(let_through(account, end));
    let taken = verdict("Taken by a program on this host");
    let taken = if how.is_empty() {
        at_rule(taken, account, end)
    } else {
        taken.say(", ").append(listed(how, "and"))
    };
    taken.say(": ").append(flow_at(account, end)).say(".")
}

fn unknown(scene: &Scene<'_, '_>, account: &Account<'_>, end: &End) -> Phrase {
    let verdict = RunKind::Verdict(VerdictKind::Unknown);
    let phrase = Phrase::default().and(verdict, "Not told by the log");
    let phrase = match account.packet.direction {
        Some(Direction::Reply) => phrase.say(": the reply was last seen at "),
        Some(Direction::Related) => phrase.say(": the ICMP error about it was last seen at "),
        Some(Direction::Original) | None => phrase.say(": last seen at "),
    };
    let Some(told) = account.told.get(end.step) else { return phrase.say("no place.") };
    let phrase = phrase.place(place(told));
    if matches!(&*told.step.hop.site, Site::Log { .. } | Site::BridgeLog { .. }) {
        return phrase
            .say(", a rule that writes a line; what the rules after it did is not in the log.");
    }
    match where_lost(scene, account, end) {
        Some(lost) => phrase.say("; nothing after, so ").say(lost).say("."),
        None if told.rule.is_none() && !account.is_arp() => {
            phrase.say("; nothing after. What the rule there does is not known.")
        }
        None => phrase.say("; nothing after."),
    }
}
