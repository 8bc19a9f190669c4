//! The packets' ways: one chapter for each way that is different, the packets that went it folded into it.

use std::collections::BTreeSet;

use crate::explain::{Chapter, Phrase};
use crate::model::{Devices, Direction, Layer, Site, VerdictKind};

use super::account::Account;
use super::because::numbers;
use super::names::{arp_words, count, packet_word};
use super::scene::Scene;
use super::walk::walk;

/// More ways than this are counted only.
const WAYS: usize = 8;

/// Packets that take the same places with the same devices to the same end.
type Way<'a> = (Option<Direction>, VerdictKind, Vec<(Layer, &'a Site, Devices)>);

/// The chapters, and what they leave out.
pub(crate) fn chapters(scene: &Scene<'_, '_>) -> (Vec<Chapter>, Option<Phrase>) {
    let mut ways: Vec<(Way<'_>, Vec<&Account<'_>>)> = Vec::new();
    for account in &scene.accounts {
        let way = way(account);
        match ways.iter_mut().find(|(known, _)| *known == way) {
            Some((_, accounts)) => accounts.push(account),
            None => ways.push((way, vec![account])),
        }
    }
    let told = chosen(&ways, scene);
    let mut said = BTreeSet::new();
    let mut chapters = Vec::new();
    let mut left: (usize, usize) = (0, 0);
    for (at, (_, accounts)) in ways.iter().enumerate() {
        if told.contains(&at) {
            chapters.extend(chapter(scene, accounts, &mut said));
        } else {
            left = (left.0 + 1, left.1 + accounts.len());
        }
    }
    (chapters, left_out(left))
}

fn way<'a>(account: &Account<'a>) -> Way<'a> {
    let hops = account.packet.steps.iter();
    let hops = hops.map(|step| (step.hop.layer, &*step.hop.site, step.hop.devices));
    (account.packet.direction, account.packet.verdict.kind, hops.collect())
}

/// The ways to be told: that of the packet that decides, the first of each direction, then as they come.
fn chosen(ways: &[(Way<'_>, Vec<&Account<'_>>)], scene: &Scene<'_, '_>) -> BTreeSet<usize> {
    let mut chosen = BTreeSet::new();
    let main = scene.main().map(Account::key);
    let holds =
        |accounts: &[&Account<'_>]| accounts.iter().any(|account| Some(account.key()) == main);
    chosen.extend(ways.iter().position(|(_, accounts)| holds(accounts)));
    for direction in [Direction::Original, Direction::Reply] {
        chosen.extend(ways.iter().position(|((of, ..), _)| *of == Some(direction)));
    }
    for at in 0..ways.len() {
        if chosen.len() < WAYS {
            chosen.insert(at);
        }
    }
    chosen
}

fn left_out((ways, packets): (usize, usize)) -> Option<Phrase> {
    let (ways, packets) = (ways as u64, packets as u64);
    (ways > 0).then(|| {
        Phrase::text(format!(
            "Left out: {} of {}.",
            count(ways, "more way"),
            count(packets, "packet")
        ))
    })
}

fn chapter(
    scene: &Scene<'_, '_>,
    accounts: &[&Account<'_>],
    said: &mut BTreeSet<String>,
) -> Option<Chapter> {
    let (first, rest) = accounts.split_first()?;
    let own =
        scene.connection().filter(|connection| first.packet.connection == Some(connection.key));
    Some(Chapter {
        title: title(scene, first),
        packet: first.key(),
        direction: first.packet.direction,
        same: rest.iter().map(|account| account.key()).collect(),
        same_words: same_words(rest),
        steps: walk(first, own, scene.asked_in_vain(first).is_some(), said),
    })
}

/// `The request: SYN, packet 1 of 10`.
fn title(scene: &Scene<'_, '_>, account: &Account<'_>) -> Phrase {
    let is_first = |direction: Direction| {
        let mut same =
            scene.accounts.iter().filter(|other| other.packet.direction == Some(direction));
        same.next().is_some_and(|other| other.number == account.number)
    };
    let word = packet_word(account.packet);
    let words = match account.packet.direction {
        Some(Direction::Original) if is_first(Direction::Original) => {
            format!("The request: {word}")
        }
        Some(Direction::Original) => format!("A later packet of the request: {word}"),
        Some(Direction::Reply) if is_first(Direction::Reply) => format!("The reply: {word}"),
        Some(Direction::Reply) => format!("A later packet of the reply: {word}"),
        Some(Direction::Related) => format!("An error about it: {word}"),
        None if account.is_arp() => return arp_title(scene, account, &word),
        None => format!("The packet: {word}"),
    };
    numbered(scene, account, Phrase::text(words))
}

fn arp_title(scene: &Scene<'_, '_>, account: &Account<'_>, word: &str) -> Phrase {
    let arp = account.arp().and_then(arp_words);
    let phrase = Phrase::text(word);
    numbered(
        scene,
        account,
        match arp {
            Some(words) => phrase.say(": ").append(words),
            None => phrase,
        },
    )
}

fn numbered(scene: &Scene<'_, '_>, account: &Account<'_>, title: Phrase) -> Phrase {
    match scene.accounts.len() {
        0 | 1 => title,
        all => title.say(format!(", packet {} of {all}", account.number)),
    }
}

fn same_words(rest: &[&Account<'_>]) -> Option<Phrase> {
    let all: Vec<usize> = rest.iter().map(|account| account.number).collect();
    (!all.is_empty()).then(|| numbers(&all).say(" went the same way."))
}
