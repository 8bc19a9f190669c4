//! The part of a filter that asks where packets went, as SQL on the small tables.

use crate::filter::{ChainName, Device, Place, RulePattern, Term};
use crate::model::VerdictKind;
use crate::store::select::{Select, protocol};
use crate::store::words::Coded as _;

impl Select<'_> {
    /// A select of the ways that a packet's term means; of a verdict, those of which it was told at any time.
    pub(crate) fn ways(&mut self, term: &Term) {
        self.sql.push("select w.id from way w where ");
        match term {
            Term::Verdict(kinds) => {
                self.untold_verdict(kinds);
                self.sql.push(" or w.id in (select t.way from telling t where ");
                self.verdict("t.verdict", kinds);
                self.sql.push(")");
            }
            Term::Protocol(names) => self.codes("w.protocol", names.iter().copied().map(protocol)),
            _ => {
                self.sql.push("w.path in (");
                self.paths(term);
                self.sql.push(")");
            }
        }
    }

    /// The condition that the verdict on a packet is one of these. Its way decides, unless it is told otherwise at one
    /// time than at another: only then is the packet's time looked at.
    pub(crate) fn packet_verdict(&mut self, kinds: &[VerdictKind]) {
        self.sql.push("w.id in (select w.id from way w where ");
        self.untold_verdict(kinds);
        self.sql.push(" union all select t.way from telling t group by t.way having min(");
        self.verdict("t.verdict", kinds);
        self.sql.push(")) or w.id in (select t.way from telling t group by t.way having max(");
        self.verdict("t.verdict", kinds);
        self.sql.push(") > min(");
        self.verdict("t.verdict", kinds);
        self.sql.push(")) and ");
        let at_its_time = "(select t.verdict from telling t
            where t.way = w.id and t.from_us <= coalesce(p.wall_us, -9223372036854775808)
            order by t.from_us desc limit 1)";
        self.verdict(at_its_time, kinds);
    }

    /// The condition that nothing is told of a way, and its own verdict is one of these.
    fn untold_verdict(&mut self, kinds: &[VerdictKind]) {
        self.sql.push("(w.id not in (select t.way from telling t) and ");
        self.verdict("w.verdict", kinds);
        self.sql.push(")");
    }

    fn verdict(&mut self, column: &str, kinds: &[VerdictKind]) {
        self.codes(column, kinds.iter().map(|kind| kind.code()));
    }

    /// A select of the paths that a hop term means.
    pub(crate) fn paths(&mut self, term: &Term) {
        self.sql.push(
            "select ph.path from path_hop ph join hop h on h.id = ph.hop join site t on t.id = h.site where ",
        );
        match term {
            Term::Device(device, names) => {
                let columns = match device {
                    Device::In => ["h.input", "h.physin"],
                    Device::Out => ["h.output", "h.physout"],
                };
                for (place, column) in columns.iter().enumerate() {
                    self.sql.push(if place > 0 { " or " } else { "" });
                    self.sql.push(column).push(" in (select d.id from device d where ");
                    self.texts("d.name", names.iter().map(|name| name.to_vec()));
                    self.sql.push(")");
                }
            }
            Term::Rule(rules) => self.either(rules, Self::rule),
            Term::Chain(chains) => self.either(chains, Self::chain),
            Term::Hook(hooks) => {
                let names = hooks.iter().map(|hook| hook.name());
                self.sql.push("t.hook in (");
                let mut list = self.sql.separated(", ");
                for name in names {
                    list.push_bind(name);
                }
                self.sql.push(")");
            }
            _ => {
                self.sql.push("0");
            }
        }
    }

    fn either<T>(&mut self, many: &[T], push: fn(&mut Self, &T)) {
        self.balanced(many, " or ", &mut |select, one| {
            select.sql.push("(");
            push(select, one);
            select.sql.push(")");
        });
    }

    fn rule(&mut self, rule: &RulePattern) {
        match rule {
            RulePattern::Label(label) => {
                self.sql.push("t.label = ").push_bind(label.clone());
            }
            RulePattern::Place { table, chain, place } => {
                self.sql.push("t.kind in (0, 1, 2) and t.table_name = ").push_bind(table.to_vec());
                self.sql.push(" and t.chain = ").push_bind(chain.to_vec());
                match place {
                    None => {}
                    Some(Place::Rule(number)) => {
                        self.sql.push(" and t.kind = 0 and t.number = ").push_bind(*number);
                    }
                    Some(Place::Return) => {
                        self.sql.push(" and t.kind = 1");
                    }
                    Some(Place::Policy) => {
                        self.sql.push(" and t.kind = 2");
                    }
                }
            }
        }
    }

    fn chain(&mut self, (table, chain): &ChainName) {
        self.sql.push("t.chain = ").push_bind(chain.to_vec());
        if let Some(table) = table {
            self.sql.push(" and t.table_name = ").push_bind(table.to_vec());
        }
    }

    /// A select of the lists of frames that have one of the addresses.
    pub(crate) fn frames(&mut self, term: &Term) {
        self.sql.push("select f.frames from frame_mac f where ");
        match term {
            Term::Mac(macs) => self.texts("f.mac", macs.iter().map(|mac| mac.0.to_vec())),
            _ => {
                self.sql.push("0");
            }
        }
    }

    fn texts(&mut self, column: &str, texts: impl Iterator<Item = Vec<u8>>) {
        self.sql.push(column).push(" in (");
        let mut list = self.sql.separated(", ");
        for text in texts {
            list.push_bind(text);
        }
        self.sql.push(")");
    }
}
