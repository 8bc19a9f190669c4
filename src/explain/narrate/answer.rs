//! The answer: one sentence that says what became of it, where, and by which rule.

use crate::explain::{Phrase, RootCause, RulePlace, RunKind, ToldStep, root_cause};
use crate::model::{
    Connection, Direction, EvidenceOf, Hook, NatChange, Site, SiteKind, Table, Tuple, VerdictKind,
};
use crate::rulebook::Target;

use super::account::{Account, End, is_destination};
use super::lost::{Odds, Reason, breaks_off, where_lost};
use super::names::{
    count, endpoint, flow, is_later_fragment, listed, nat_word, place, quoted, rule_place,
    sentence, somebody,
};
use super::scene::{Scene, idiom_of};

/// What became of it.
pub(crate) fn answer(scene: &Scene<'_, '_>, reasons: &[Reason]) -> Phrase {
    let Some((account, end)) = scene.end() else {
        return Phrase::text("There is no packet to tell of.");
    };
    match scene.kind() {
        Some(VerdictKind::Dropped) => dropped(account, &end),
        Some(VerdictKind::Rejected) => rejected(account, &end),
        Some(VerdictKind::Accepted) => accepted(scene, account, &end),
        Some(VerdictKind::Consumed) => consumed(scene, account, &end),
        Some(VerdictKind::Unknown) | None => unknown(scene, account, &end, reasons),
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

/// At filter:FORWARD rule 5 with its text, or by the policy of filter:INPUT.
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
    let header = account.header(end.step);
    header.map(|header| flow(header, is_later_fragment(account.packet))).unwrap_or_default()
}

/// `Dropped behind LOG "[UFW BLOCK]": filter:a rule 1 or filter:b rule 2 wrote the line, and either way it is dropped.`
fn behind_log(phrase: Phrase, account: &Account<'_>, end: &End, word: &str) -> Phrase {
    let Some(told) = account.told.get(end.step) else { return phrase.say(".") };
    let phrase = phrase.say(" behind ").place(place(told)).say(": ");
    let phrase = match writers(told) {
        Some(writers) => phrase.append(writers).say(" wrote the line, and "),
        None => phrase,
    };
    let flow = flow_at(account, end);
    phrase.say("whichever rule decided over ").append(flow).say(format!(", it was {word}."))
}

/// The rules that may have written a line.
pub(crate) fn writers(told: &ToldStep<'_>) -> Option<Phrase> {
    let rule = |one: &RulePlace| {
        let text = rule_place(one.family, &one.table, &one.chain, one.number);
        Phrase::default().place(text)
    };
    let rules: Vec<Phrase> = told.one_of.iter().map(rule).collect();
    (!rules.is_empty()).then(|| listed(rules, "or"))
}

fn dropped(account: &Account<'_>, end: &End) -> Phrase {
    if end.is_open() {
        let phrase = opening(account, VerdictKind::Dropped, "Dropped");
        return behind_log(phrase, account, end, "dropped");
    }
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
    if end.is_open() {
        let phrase = opening(account, VerdictKind::Rejected, "Rejected");
        return behind_log(phrase, account, end, "rejected");
    }
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
    let Some(connection) = scene.whole() else { return accepted_packet(account, end) };
    if connection.packets_reply == 0 {
        return unanswered(scene, connection, account, end);
    }
    let phrase = Phrase::default().and(RunKind::Verdict(VerdictKind::Accepted), "Reached").say(" ");
    let phrase = phrase.append(target(scene, connection));
    came_back(with_how(phrase, scene, connection, account, end), connection)
}

/// `: DNAT by nat:DOCKER rule 1 and let through by the policy of filter:FORWARD`.
fn with_how(
    phrase: Phrase,
    scene: &Scene<'_, '_>,
    connection: &Connection,
    account: &Account<'_>,
    end: &End,
) -> Phrase {
    let mut how = translations(scene, connection);
    how.extend(let_through(account, end));
    if how.is_empty() { phrase } else { phrase.say(": ").append(listed(how, "and")) }
}

fn came_back(phrase: Phrase, connection: &Connection) -> Phrase {
    match connection.packets_reply {
        0 => phrase.say("; nothing came back in this log."),
        packets => phrase.say(format!("; {} came back.", count(packets, "packet"))),
    }
}

/// Let through to 10.2.2.2:80 by filter:FORWARD rule 2; nothing came back in this log.
fn unanswered(
    scene: &Scene<'_, '_>,
    connection: &Connection,
    account: &Account<'_>,
    end: &End,
) -> Phrase {
    let words = let_words(account, end).unwrap_or("let through");
    let words = sentence(Phrase::text(words)).plain();
    let verdict = RunKind::Verdict(VerdictKind::Accepted);
    let phrase = Phrase::default().and(verdict, words.trim_end_matches('.')).say(" to ");
    let phrase = phrase.append(target(scene, connection));
    let phrase = match let_by(account, end) {
        Some(by) => phrase.say(" by ").append(by),
        None => phrase,
    };
    let translated = translations(scene, connection);
    let phrase = if translated.is_empty() {
        phrase
    } else {
        phrase.say(", with ").append(listed(translated, "and"))
    };
    match scene.asked_in_vain(account) {
        Some(asked) => phrase
            .say("; nobody told the hardware address of ")
            .address(asked.addr.to_string())
            .say(", and nothing came back in this log."),
        None => came_back(phrase, connection),
    }
}

/// `172.17.0.5:6379 (asked for 10.146.22.21:40000)`.
fn target(scene: &Scene<'_, '_>, connection: &Connection) -> Phrase {
    let is_container = real_target(connection).addr.is_some_and(|addr| {
        scene.context().is_some_and(|context| context.container_at(addr).is_some())
    });
    let here = if scene.is_local() && !is_container { " on this host itself" } else { "" };
    named_target(scene, connection, here)
}

/// The same, where it is said already that it is on this host.
fn asked(scene: &Scene<'_, '_>, connection: &Connection) -> Phrase {
    named_target(scene, connection, "")
}

fn named_target(scene: &Scene<'_, '_>, connection: &Connection, here: &str) -> Phrase {
    let asked = endpoint(connection.original.dst);
    let real = real_target(connection);
    let real_text = endpoint(real).or_else(|| asked.clone()).unwrap_or_else(|| "its target".into());
    let phrase = match real.addr {
        Some(addr) => somebody(addr, real.port, scene.context()),
        None => Phrase::default().address(real_text.clone()),
    };
    let phrase = phrase.say(here);
    match asked.filter(|asked| *asked != real_text) {
        Some(asked) => phrase.say(" (asked for ").address(asked).say(")"),
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
    let words = let_words(account, end)?;
    Some(Phrase::text(words).say(" by ").append(let_by(account, end)?))
}

/// What the filter table's decision means at its hook.
fn let_words(account: &Account<'_>, end: &End) -> Option<&'static str> {
    if end.is_open() {
        return None;
    }
    let by_book = end.place.as_ref().and_then(|place| Table::from_name(place.table.as_bytes()));
    if by_book.or(account.table(end.step)) != Some(Table::Filter) {
        return None;
    }
    Some(match account.hook(end.step) {
        Some(Hook::Input) => "let in",
        Some(Hook::Output) => "let out",
        _ => "let through",
    })
}

/// The policy of filter:FORWARD, or filter:FORWARD rule 2 with its text.
fn let_by(account: &Account<'_>, end: &End) -> Option<Phrase> {
    let_words(account, end)?;
    let (phrase, place) = (Phrase::default(), end_place(account, end));
    Some(match (place.strip_suffix(" policy"), &end.rule) {
        (Some(chain), _) if end.is_policy() => phrase.say("the policy of ").place(chain),
        (_, Some(rule)) => quoted(phrase.place(place).say(", "), rule),
        (_, None) => phrase.place(place),
    })
}

/// A packet without a connection, or one of a connection that is not told with it.
fn accepted_packet(account: &Account<'_>, end: &End) -> Phrase {
    let verdict = RunKind::Verdict(VerdictKind::Accepted);
    let words = sentence(Phrase::text(let_words(account, end).unwrap_or("it went on"))).plain();
    let phrase = Phrase::default().and(verdict, words.trim_end_matches('.'));
    let phrase = match let_by(account, end) {
        Some(by) => phrase.say(" by ").append(by),
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
    let taken = verdict("Taken by a program on this host");
    match scene.whole() {
        Some(connection) => {
            let taken = taken.say(" as ").append(asked(scene, connection));
            came_back(with_how(taken, scene, connection, account, end), connection)
        }
        None => at_rule(taken, account, end).say(": ").append(flow_at(account, end)).say("."),
    }
}

fn unknown(scene: &Scene<'_, '_>, account: &Account<'_>, end: &End, reasons: &[Reason]) -> Phrase {
    let verdict = RunKind::Verdict(VerdictKind::Unknown);
    if account.is_arp() && account.hook(end.step) == Some(Hook::Input) {
        let up = Phrase::default().and(verdict, "Up to this host");
        return up.say(": ").append(flow_at(account, end)).say(".");
    }
    let phrase = Phrase::default().and(verdict, "Not told by the log");
    let phrase = match account.packet.direction {
        Some(Direction::Reply) => phrase.say(": the reply was last seen at "),
        Some(Direction::Related) => phrase.say(": the ICMP error about it was last seen at "),
        Some(Direction::Original) | None => phrase.say(": last seen at "),
    };
    let Some(told) = account.told.get(end.step) else { return phrase.say("no place.") };
    let phrase = phrase.place(place(told));
    if matches!(&*told.step.hop.site, Site::Log { .. } | Site::BridgeLog { .. }) {
        return phrase.say("; what the rules after that did is not in the log.");
    }
    if let Some(chain) = breaks_off(account, end.step) {
        let phrase = phrase.say("; a line of ").place(chain);
        return phrase.say(" had to follow and did not: lines are missing in the log.");
    }
    match where_lost(scene, account, end) {
        Some(lost) => {
            let likely = reasons.iter().find(|reason| reason.odds == Odds::Likely);
            let phrase = phrase.say("; nothing after, so ").say(lost);
            match likely.and_then(|reason| reason.kind.brief()) {
                Some(brief) => phrase.say(format!(", likely {brief}.")),
                None => phrase.say("."),
            }
        }
        None if account.is_doubted(end.step) => phrase
            .say("; nothing after. The rules that were given for that table are not those it met."),
        None if told.rule.is_none() && !account.is_arp() => {
            let is_rule = matches!(
                &*told.step.hop.site,
                Site::Trace { kind: SiteKind::Rule(_), .. } | Site::Bridge { .. }
            );
            phrase.say(if is_rule {
                "; nothing after. What that rule does is not known."
            } else {
                "; nothing after. Whether it accepts or drops there is not known."
            })
        }
        None => phrase.say("; nothing after."),
    }
}
