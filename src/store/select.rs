//! A filter as SQL.
//!
//! Connections: exact. Packets: exact but for addresses and ports, which stand inside packed headers; there the SQL lets through too much, never too little, and `Expr::matches` decides.
//! Under a `not` that means the opposite constant, so the builder carries the sign along.

use std::net::IpAddr;

use foldhash::HashMap;
use sqlx::{QueryBuilder, Sqlite};

use crate::filter::{AddressRange, Expr, NumberRange, OneOf, ProtocolName, Side, Term};
use crate::model::{LinkKind, NatKind};
use crate::store::endpoint::address_key;
use crate::store::ways::ARP;
use crate::store::words::Coded;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Table `connection` as `c`.
    Connections,
    /// Table `packet` as `p`, its way as `w`.
    Packets,
}

/// Row keys by public id, as text: looked up before the SQL is built.
pub(crate) type Ids = HashMap<String, i64>;

/// Whether `Expr::matches` must look at what the SQL lets through.
pub(crate) fn is_exact(expr: &Expr, target: Target) -> bool {
    match expr {
        Expr::All(many) | Expr::Any(many) => many.iter().all(|one| is_exact(one, target)),
        Expr::Not(one) => is_exact(one, target),
        Expr::Term(Term::Address(..) | Term::Port(..)) => target == Target::Connections,
        Expr::Term(_) => true,
    }
}

/// Appends conditions to a query.
pub(crate) struct Select<'a> {
    pub sql: &'a mut QueryBuilder<Sqlite>,
    pub target: Target,
    pub ids: &'a Ids,
}

impl Select<'_> {
    /// Appends the condition for `expr`; `positive` is false below an odd number of `not`s.
    pub(crate) fn push(&mut self, expr: &Expr, positive: bool) {
        match expr {
            Expr::All(many) => self.push_many(many, " and ", "1", positive),
            Expr::Any(many) => self.push_many(many, " or ", "0", positive),
            Expr::Not(one) => {
                self.sql.push("((");
                self.push(one, !positive);
                self.sql.push(") is not true)");
            }
            Expr::Term(term) => {
                self.sql.push("(");
                match self.target {
                    Target::Connections => self.connection_term(term),
                    Target::Packets => self.packet_term(term, positive),
                }
                self.sql.push(")");
            }
        }
    }

    fn push_many(&mut self, many: &[Expr], between: &'static str, empty: &str, positive: bool) {
        if many.is_empty() {
            self.sql.push(empty);
        } else {
            self.balanced(many, between, &mut |select, one| select.push(one, positive));
        }
    }

    /// Appends the items with `between` between them, as a balanced tree: SQLite allows an expression a
    /// depth of 1,000, and `a or b or c …` is as deep as it is long.
    pub(crate) fn balanced<T>(
        &mut self,
        items: &[T],
        between: &'static str,
        push: &mut dyn FnMut(&mut Self, &T),
    ) {
        match items {
            [] => {}
            [one] => push(self, one),
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                self.sql.push("(");
                self.balanced(left, between, push);
                self.sql.push(between);
                self.balanced(right, between, push);
                self.sql.push(")");
            }
        }
    }

    fn connection_term(&mut self, term: &Term) {
        match term {
            Term::Address(side, ranges) => self.addresses(address_columns(*side), ranges),
            Term::Port(side, ranges) => self.numbers(port_columns(*side), ranges),
            Term::Protocol(names) => self.codes("c.protocol", names.iter().copied().map(protocol)),
            Term::Host(names) => self.hosts("c.host", names),
            Term::Device(..) | Term::Rule(_) | Term::Chain(_) | Term::Hook(_) => {
                self.sql.push(
                    "exists (select 1 from packet p join way w on w.id = p.way
                        where p.connection = c.id and w.path in (",
                );
                self.paths(term);
                self.sql.push("))");
            }
            Term::Mac(_) => {
                self.sql.push(
                    "exists (select 1 from packet p where p.connection = c.id and p.frames in (",
                );
                self.frames(term);
                self.sql.push("))");
            }
            Term::Nat(kinds) => self.nat("c.id", kinds),
            Term::Verdict(kinds) => self
                .codes("coalesce(c.told_verdict, c.verdict)", kinds.iter().map(|kind| kind.code())),
            Term::State(states) => self.codes("c.state", states.iter().map(|state| state.code())),
            Term::Link(kinds) => self.any_of(kinds, Self::connection_links),
            Term::Since(time) => self.compare("c.last_wall_us >= ", time.0),
            Term::Until(time) => self.compare("c.first_wall_us <= ", time.0),
            Term::Id(ids) => self.ids("c.id", ids, 'c'),
            Term::Lines(ranges) => self.numbers(&["c.lines"], ranges),
        }
    }

    fn packet_term(&mut self, term: &Term, positive: bool) {
        match term {
            Term::Address(..) | Term::Port(..) => {
                self.sql.push(if positive { "1" } else { "0" });
            }
            Term::Protocol(names) => self.codes("w.protocol", names.iter().copied().map(protocol)),
            Term::Host(names) => self.hosts("w.host", names),
            Term::Device(..) | Term::Rule(_) | Term::Chain(_) | Term::Hook(_) => {
                self.sql.push("w.path in (");
                self.paths(term);
                self.sql.push(")");
            }
            Term::Mac(_) => {
                self.sql.push("p.frames in (");
                self.frames(term);
                self.sql.push(")");
            }
            Term::Nat(kinds) => self.nat("p.connection", kinds),
            Term::Verdict(kinds) => self.packet_verdict(kinds),
            Term::State(states) => self.codes(
                "(select c.state from connection c where c.id = p.connection)",
                states.iter().map(|state| state.code()),
            ),
            Term::Link(kinds) => self.any_of(kinds, Self::packet_links),
            Term::Since(time) => self.compare("p.wall_us >= ", time.0),
            Term::Until(time) => self.compare("p.wall_us <= ", time.0),
            Term::Id(ids) => {
                self.ids("p.id", ids, 'p');
                self.sql.push(" or ");
                self.ids("p.connection", ids, 'c');
            }
            Term::Lines(ranges) => self.numbers(&["w.lines"], ranges),
        }
    }

    fn compare(&mut self, left: &str, right: i64) {
        self.sql.push(left).push_bind(right);
    }

    pub(crate) fn codes(&mut self, column: &str, codes: impl Iterator<Item = i64>) {
        self.sql.push(column).push(" in (");
        let mut list = self.sql.separated(", ");
        for code in codes {
            list.push_bind(code);
        }
        self.sql.push(")");
    }

    fn hosts(&mut self, column: &str, names: &[String]) {
        self.sql.push(column).push(" in (select id from host where lower(label) in (");
        let mut list = self.sql.separated(", ");
        for name in names {
            list.push_bind(name.to_ascii_lowercase());
        }
        self.sql.push("))");
    }

    fn addresses(&mut self, columns: &[&str], ranges: &[AddressRange]) {
        self.alternatives(columns, ranges, |sql, column, range| {
            push_address_range(sql, column, range);
        });
    }

    fn numbers(&mut self, columns: &[&str], ranges: &[NumberRange]) {
        self.alternatives(columns, ranges, push_number_range);
    }

    fn alternatives<T>(
        &mut self,
        columns: &[&str],
        ranges: &[T],
        push: impl Fn(&mut QueryBuilder<Sqlite>, &str, &T),
    ) {
        let pairs: Vec<(&str, &T)> = columns
            .iter()
            .flat_map(|column| ranges.iter().map(move |range| (*column, range)))
            .collect();
        self.balanced(&pairs, " or ", &mut |select, (column, range)| {
            push(select.sql, column, range);
        });
    }

    fn ids(&mut self, column: &str, ids: &[String], kind: char) {
        let known: Vec<i64> = ids
            .iter()
            .filter(|id| id.starts_with(kind))
            .filter_map(|id| self.ids.get(id).copied())
            .collect();
        self.codes(column, known.into_iter());
    }

    fn any_of<T: Copy>(&mut self, kinds: &[OneOf<T>], push: fn(&mut Self, Option<T>)) {
        self.balanced(kinds, " or ", &mut |select, kind| match kind {
            OneOf::Any => push(select, None),
            OneOf::Kind(kind) => push(select, Some(*kind)),
            OneOf::None => {
                select.sql.push("((");
                push(select, None);
                select.sql.push(") is not true)");
            }
        });
    }

    fn nat(&mut self, connection: &'static str, kinds: &[OneOf<NatKind>]) {
        self.any_of(
            kinds,
            if connection == "c.id" { Self::connection_nat } else { Self::packet_nat },
        );
    }

    fn connection_nat(&mut self, kind: Option<NatKind>) {
        self.sql.push("exists (select 1 from nat n where n.connection = c.id");
        self.and_kind("coalesce(n.told_kind, n.kind)", kind.map(Coded::code));
        self.sql.push(")");
    }

    fn packet_nat(&mut self, kind: Option<NatKind>) {
        self.sql.push("exists (select 1 from nat n where n.connection = p.connection");
        self.and_kind("coalesce(n.told_kind, n.kind)", kind.map(Coded::code));
        self.sql.push(")");
    }

    fn and_kind(&mut self, column: &str, code: Option<i64>) {
        if let Some(code) = code {
            self.sql.push(" and ").push(column).push(" = ").push_bind(code);
        }
    }

    fn connection_links(&mut self, kind: Option<LinkKind>) {
        self.sql.push("c.id in (");
        self.linked_connections(kind);
        self.sql.push(")");
    }

    fn packet_links(&mut self, kind: Option<LinkKind>) {
        let code = kind.map(Coded::code);
        self.sql.push("(p.id in (select l.from_id from link l where l.from_end = 1");
        self.and_kind("l.kind", code);
        self.sql.push(" union all select l.to_id from link l where l.to_end = 1");
        self.and_kind("l.kind", code);
        self.sql.push(") or p.connection in (");
        self.linked_connections(kind);
        self.sql.push("))");
    }

    /// The connections with a link of this kind, or with a packet that has one.
    fn linked_connections(&mut self, kind: Option<LinkKind>) {
        let code = kind.map(Coded::code);
        self.sql.push("select l.from_id from link l where l.from_end = 0");
        self.and_kind("l.kind", code);
        self.sql.push(" union all select l.to_id from link l where l.to_end = 0");
        self.and_kind("l.kind", code);
        self.sql.push(
            " union all select q.connection from link l join packet q on q.id = l.from_id
                where l.from_end = 1",
        );
        self.and_kind("l.kind", code);
        self.sql.push(
            " union all select q.connection from link l join packet q on q.id = l.to_id
                where l.to_end = 1",
        );
        self.and_kind("l.kind", code);
    }
}

fn address_columns(side: Side) -> &'static [&'static str] {
    match side {
        Side::Source => &["c.src_key"],
        Side::Destination => &["c.dst_key", "c.reply_src_key"],
        Side::Any => &["c.src_key", "c.dst_key", "c.reply_src_key", "c.reply_dst_key"],
    }
}

fn port_columns(side: Side) -> &'static [&'static str] {
    match side {
        Side::Source => &["c.sport"],
        Side::Destination => &["c.dport", "c.reply_sport"],
        Side::Any => &["c.sport", "c.dport", "c.reply_sport", "c.reply_dport"],
    }
}

pub(crate) fn protocol(name: ProtocolName) -> i64 {
    match name {
        ProtocolName::Ip(protocol) => i64::from(protocol.0),
        ProtocolName::Arp => ARP,
    }
}

/// Appends the ranges of an address or port term on the index `endpoint`; nothing for other terms.
pub(crate) fn push_endpoint_ranges(sql: &mut QueryBuilder<Sqlite>, term: &Term) {
    let ids = Ids::default();
    let mut select = Select { sql, target: Target::Connections, ids: &ids };
    match term {
        Term::Address(_, ranges) => select.addresses(&["addr"], ranges),
        Term::Port(_, ranges) => select.numbers(&["port"], ranges),
        _ => {}
    }
}

/// Appends `column between first and last`, of one family only: a longer key may sort between shorter ones.
fn push_address_range(sql: &mut QueryBuilder<Sqlite>, column: &str, range: &AddressRange) {
    let AddressRange { first, last } = *range;
    let length = if matches!(first, IpAddr::V4(_)) { 4 } else { 16 };
    sql.push("(").push(column).push(" between ").push_bind(address_key(first));
    sql.push(" and ").push_bind(address_key(last));
    sql.push(" and length(").push(column).push(") = ").push_bind(length).push(")");
}

/// Appends `column between first and last`.
fn push_number_range(sql: &mut QueryBuilder<Sqlite>, column: &str, range: &NumberRange) {
    let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sql.push("(").push(column).push(" between ").push_bind(bound(range.first));
    sql.push(" and ").push_bind(bound(range.last)).push(")");
}
