//! What the parts of a story share: the packets' accounts, and which of them the answer is about.

use std::net::IpAddr;

use crate::context::HostContext;
use crate::explain::Subject;
use crate::model::{Connection, Direction, Hook, Layer, Verdict, VerdictKind};

use super::account::Account;
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
        let main = main(&accounts, subject.connection);
        Self { subject, accounts, main }
    }

    pub(crate) fn main(&self) -> Option<&Account<'a>> {
        self.accounts.get(self.main)
    }

    pub(crate) fn connection(&self) -> Option<&'a Connection> {
        self.subject.connection
    }

    /// What became of the connection, or of the packet when there is none.
    pub(crate) fn verdict(&self) -> Option<&'a Verdict> {
        let own = || self.main().map(|account| &account.packet.verdict);
        self.connection().map(|connection| &connection.verdict).or_else(own)
    }

    pub(crate) fn kind(&self) -> Option<VerdictKind> {
        self.verdict().map(|verdict| verdict.kind)
    }

    /// The deciding step of the packet that the answer is about, or its last one.
    pub(crate) fn end(&self) -> Option<(&Account<'a>, usize)> {
        let account = self.main()?;
        let of_connection = self.verdict().and_then(|verdict| verdict.site.as_ref());
        let by_site = of_connection
            .and_then(|hop| account.packet.steps.iter().rposition(|step| step.hop == *hop));
        Some((account, by_site.or_else(|| account.end())?))
    }

    pub(crate) fn context(&self) -> Option<&'a HostContext> {
        self.accounts.iter().find_map(|account| account.context())
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

    /// Whether an address is the host's own, as far as is known.
    pub(crate) fn is_own(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || self.context().is_some_and(|context| context.is_own(addr))
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

/// What the rule of a step is used for.
pub(crate) fn idiom_at(account: &Account<'_>, step: usize) -> Option<Idiom> {
    let told = account.told.get(step)?;
    let place = told.place.as_ref()?;
    let revision = account.lore.rules.revisions.iter().find(|one| one.id == place.revision)?;
    idiom(&Spot {
        set: &revision.rules,
        table: &place.table,
        chain: account.chain(step)?,
        rule: account.rule(step),
        target: told.target.as_ref()?,
    })
}
