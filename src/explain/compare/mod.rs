//! Holds two packets, two connections or two rule sets against each other.

mod align;
mod parting;
mod rules;

pub use rules::diff_rules;

use crate::explain::narrate::{Account, Scene, doubts, flow, sentence};
use crate::explain::{Diff, Phrase, RunKind, Subject, WayDiff};
use crate::model::{Direction, VerdictKind};

use self::align::align;
use self::parting::Parting;

/// Holds two packets or connections against each other: their first original packets, then their first replies.
pub fn diff(left: &Subject<'_>, right: &Subject<'_>) -> Diff {
    let (left, right) = (Scene::new(left), Scene::new(right));
    let requests = (first(&left, false), first(&right, false));
    let replies = (first(&left, true), first(&right, true));
    let mut ways = Vec::new();
    let has_reply = replies.0.is_some() || replies.1.is_some();
    if requests.0.is_some() || requests.1.is_some() {
        ways.push(way(if has_reply { "The request" } else { "The packet" }, requests));
    }
    if has_reply {
        let title = match replies {
            (Some(_), None) => "The reply (only the first has one)",
            (None, Some(_)) => "The reply (only the second has one)",
            _ => "The reply",
        };
        ways.push(way(title, replies));
    }
    let parting =
        [("", requests), ("the replies ", replies)].into_iter().find_map(|(whose, pair)| {
            let (one, other) = (pair.0?, pair.1?);
            Parting::find(one, other, &align(one, other)).map(|parting| (whose, parting))
        });
    let (answer, because) = match &parting {
        Some((whose, parting)) => (parting.answer(whose), parting.because()),
        None => (alike(&left, &right, requests, replies), Vec::new()),
    };
    let mut said = because;
    said.push(ends(&left, &right));
    Diff {
        left: label(&left),
        right: label(&right),
        answer: sentence(answer),
        because: said,
        ways,
        doubts: all_doubts(&left, &right),
    }
}

type Pair<'s, 'a, 'b> = (Option<&'s Account<'a>>, Option<&'s Account<'b>>);

/// The first packet of a direction; packets without one count as original.
fn first<'s, 'a>(scene: &'s Scene<'a, '_>, is_reply: bool) -> Option<&'s Account<'a>> {
    let fits = |account: &&Account<'a>| {
        let direction = account.packet.direction;
        let is_alone = scene.accounts.len() == 1;
        match direction {
            Some(Direction::Reply) => is_reply && !is_alone || !is_reply && is_alone,
            Some(Direction::Original) => !is_reply,
            Some(Direction::Related) | None => !is_reply && is_alone,
        }
    };
    scene.accounts.iter().find(fits)
}

fn way(title: &str, pair: Pair<'_, '_, '_>) -> WayDiff {
    let rows = match pair {
        (Some(left), Some(right)) => align(left, right),
        (Some(only), None) => align::alone(only, true),
        (None, Some(only)) => align::alone(only, false),
        (None, None) => Vec::new(),
    };
    WayDiff {
        title: Phrase::text(title),
        packets: (pair.0.map(Account::key), pair.1.map(Account::key)),
        first_difference: rows.iter().position(|row| !row.is_same),
        rows,
    }
}

/// What a side is, and what became of it: `10.1.1.1 → 10.2.2.2:22, accepted`.
fn label(scene: &Scene<'_, '_>) -> Phrase {
    let name = scene.main().and_then(|account| Some(flow(account.header(0)?, false)));
    let name = name.unwrap_or_else(|| Phrase::text("no packet"));
    match scene.kind() {
        Some(kind) => name.say(", ").and(RunKind::Verdict(kind), verdict_word(kind)),
        None => name,
    }
}

fn verdict_word(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Accepted => "accepted",
        VerdictKind::Dropped => "dropped",
        VerdictKind::Rejected => "rejected",
        VerdictKind::Consumed => "taken by a program",
        VerdictKind::Unknown => "its end not known",
    }
}

/// No step tells them apart.
fn alike(
    left: &Scene<'_, '_>,
    right: &Scene<'_, '_>,
    requests: Pair<'_, '_, '_>,
    replies: Pair<'_, '_, '_>,
) -> Phrase {
    match (requests, replies) {
        ((None, _) | (_, None), _) => Phrase::text("One of the two has no packet to compare"),
        (_, (Some(_), None)) => {
            Phrase::text("Both go the same way there; only the first has a reply in this log")
        }
        (_, (None, Some(_))) => {
            Phrase::text("Both go the same way there; only the second has a reply in this log")
        }
        _ if left.kind() != right.kind() => Phrase::text(
            "They meet the same places with the same rules, and yet they ended otherwise",
        ),
        _ => Phrase::text("Both go the same way"),
    }
}

/// `The first was accepted, the second was dropped.`
fn ends(left: &Scene<'_, '_>, right: &Scene<'_, '_>) -> Phrase {
    let one = |phrase: Phrase, scene: &Scene<'_, '_>| {
        let kind = scene.kind().unwrap_or(VerdictKind::Unknown);
        let phrase = match kind {
            VerdictKind::Unknown => phrase.say(": "),
            _ => phrase.say(" was "),
        };
        phrase.and(RunKind::Verdict(kind), verdict_word(kind))
    };
    if left.kind() == right.kind() {
        let kind = left.kind().unwrap_or(VerdictKind::Unknown);
        let phrase = match kind {
            VerdictKind::Unknown => Phrase::text("Of both: "),
            _ => Phrase::text("Both were "),
        };
        return sentence(phrase.and(RunKind::Verdict(kind), verdict_word(kind)));
    }
    let phrase = one(Phrase::text("The first"), left).say(", ");
    sentence(one(phrase.say("the second"), right))
}

fn all_doubts(left: &Scene<'_, '_>, right: &Scene<'_, '_>) -> Vec<Phrase> {
    let mut all: Vec<Phrase> = Vec::new();
    for doubt in doubts(left).into_iter().chain(doubts(right)) {
        if !all.contains(&doubt) {
            all.push(doubt);
        }
    }
    all
}
