//! What the parts of a story share: the packets' accounts, and which of them the answer is about.

use std::net::IpAddr;

use crate::context::HostContext;
use crate::explain::{Phrase, Subject};
use crate::model::{Connection, Direction, Hook, Hop, Layer, Verdict, VerdictKind};

use super::account::{Account, End};
use super::idioms::{Idiom, Spot, idiom};

/// A subject with its packets told.
pub(crate) struct Scene<'a, 's> {
    pub subject: &'s Subject<'a>,
    /// One for each packet of the subject.
    pub accounts: Vec<Account<'a>>,
    /// The packet whose end the answer tells.
    main: usize,
}

impl<'a, 's> Scene<'a, 's> {
    pub(crate) fn new(subject: &'s Subject<'a>) -> Self {
        let accounts: Vec<Account<'a>> = subject
            .packets
            .iter()
            .enumerate()
            .map(|(at, seen)| Account::new(at + 1, seen, subject))
            .collect();
        let mut scene = Self { subject, accounts, main: 0 };
        scene.main = main(&scene.accounts, scene.whole());
        scene
    }

    pub(crate) fn main(&self) -> Option<&Account<'a>> {
        self.accounts.get(self.main)
    }

    pub(crate) fn connection(&self) -> Option<&'a Connection> {
        self.subject.connection
    }

    /// Whether packets of the connection came back.
    pub(crate) fn is_answered(&self) -> bool {
        self.connection().is_some_and(|connection| connection.packets_reply > 0)
    }

    /// What became of the connection, or of the packet when that alone is told.
    pub(crate) fn verdict(&self) -> Option<&'a Verdict> {
        let own = || self.main().map(|account| &account.packet.verdict);
        self.whole().map(|connection| &connection.verdict).or_else(own)
    }

    /// The connection, when the story is about it and not about one of its packets.
    pub(crate) fn whole(&self) -> Option<&'a Connection> {
        let connection = self.subject.connection?;
        let all =
            [connection.packets_original, connection.packets_reply, connection.packets_related];
        let is_one_of_many = self.accounts.len() == 1 && all.iter().sum::<u64>() > 1;
        (!is_one_of_many).then_some(connection)
    }

    pub(crate) fn kind(&self) -> Option<VerdictKind> {
        self.verdict().map(|verdict| verdict.kind)
    }

    /// Where the way of the packet that the answer is about was decided, or last seen.
    pub(crate) fn end(&self) -> Option<(&Account<'a>, End)> {
        let account = self.main()?;
        let of_connection = self.verdict().and_then(|verdict| verdict.site.as_ref());
        let is_there = |hop: &Hop| account.packet.steps.iter().any(|step| step.hop == *hop);
        let end =
            of_connection.filter(|hop| is_there(hop)).and_then(|hop| account.end_at(Some(hop)));
        Some((account, end.or_else(|| account.end.clone())?))
    }

    pub(crate) fn context(&self) -> Option<&'a HostContext> {
        self.accounts.iter().find_map(Account::context)
    }

    /// Whether packets were seen on their way into this host itself.
    pub(crate) fn is_local(&self) -> bool {
        let is_original =
            |account: &&Account<'_>| account.packet.direction != Some(Direction::Reply);
        self.accounts.iter().filter(is_original).any(|account| {
            let last = account.packet.steps.iter().zip(&account.hooks);
            let mut ip = last.filter(|(step, _)| step.hop.layer != Layer::Bridge);
            ip.any(|(_, hook)| *hook == Some(Hook::Input))
        })
    }

    /// The question that was asked on a packet's behalf and not answered, when the packet was not seen any more after it.
    pub(crate) fn asked_in_vain(&self, account: &Account<'_>) -> Option<InVain> {
        let last = account.packet.steps.len().checked_sub(1)?;
        let is_way_out = matches!(account.hook(last), Some(Hook::Output | Hook::Postrouting));
        if !is_way_out || account.packet.steps[last].hop.layer == Layer::Bridge {
            return None;
        }
        let mine = self.subject.waits.iter().filter(|wait| wait.waiting == account.key());
        let arps = mine.filter_map(|wait| self.accounts.iter().find(|one| one.key() == wait.arp));
        let mut asked: Option<InVain> = None;
        for arp in arps.filter_map(Account::arp) {
            match (arp.operation, arp.addresses) {
                (1, Some(known)) => {
                    let times = asked.map_or(0, |asked| asked.times) + 1;
                    asked = Some(InVain { addr: known.target_ip.into(), times });
                }
                (2, _) => return None,
                _ => {}
            }
        }
        asked
    }

    /// Whether an address is the host's own, as far as is known.
    pub(crate) fn is_own(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || self.context().is_some_and(|context| context.is_own(addr))
    }
}

/// A question for a hardware address to which no answer is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InVain {
    pub addr: IpAddr,
    /// How often it was asked.
    pub times: usize,
}

impl InVain {
    pub(crate) fn sentence(self) -> Phrase {
        let often = match self.times {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            times => format!("{times} times"),
        };
        let phrase = Phrase::text("this host asked for the hardware address of ");
        phrase.address(self.addr.to_string()).say(format!(
            " {often}, and no answer is in the log; without it nothing can be sent there."
        ))
    }
}

/// The packet that became what the connection became, of the original direction rather than of another.
fn main(accounts: &[Account<'_>], connection: Option<&Connection>) -> usize {
    let rank = |account: &Account<'_>| {
        let verdict = &account.packet.verdict;
        let is_decider = connection.is_none_or(|connection| {
            verdict.kind == connection.verdict.kind
                && (connection.verdict.site.is_none() || verdict.site == connection.verdict.site)
        });
        let is_alike = connection.is_none_or(|connection| verdict.kind == connection.verdict.kind);
        let is_original = account.packet.direction == Some(Direction::Original);
        (account.is_arp(), !is_decider, !is_alike, !is_original, account.number)
    };
    let best = accounts.iter().enumerate().min_by_key(|(_, account)| rank(account));
    best.map_or(0, |(at, _)| at)
}

/// What the rule that ended a packet's way is used for.
pub(crate) fn idiom_of(account: &Account<'_>, end: &End) -> Option<Idiom> {
    let place = end.place.as_ref()?;
    let chain = account.chain_at(place)?;
    idiom(&Spot {
        set: account.set_at(place)?,
        table: &place.table,
        chain,
        rule: chain.rule(place.number),
        target: end.target.as_ref()?,
    })
}
