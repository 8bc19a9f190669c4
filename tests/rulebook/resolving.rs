//! From sites to rules, and why not.

use tracecol::model::{Site, SiteKind};
use tracecol::rulebook::{Misfit, RuleSet, Target, read};

const RULES: &str = "\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:USER - [0:0]
:EMPTY - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m comment --comment \"no condition but this\" -j ACCEPT
-A INPUT -j USER
-A INPUT -j ACCEPT
-A USER -j RETURN
-A USER -p tcp -j LOG --log-prefix \"[UFW BLOCK] \"
-A USER -j LOG --log-prefix \"twice \"
-A USER -j LOG --log-prefix \"twice \"
-A USER -j NFLOG --nflog-prefix \"[UFW BLOCK] \"
-A USER -j NFLOG --nflog-prefix \"to a program\"
-A USER -j LOG --log-prefix \"a prefix that is longer than the kernel keeps\"
COMMIT
";

fn rules() -> RuleSet {
    read(RULES, "iptables.txt").sets.remove(0)
}

fn trace(table: &str, chain: &str, kind: SiteKind) -> Site {
    Site::Trace { table: table.as_bytes().into(), chain: chain.as_bytes().into(), kind }
}

#[test]
fn every_kind_of_line() {
    use SiteKind::{Policy, Return, Rule};
    let set = rules();
    let ask = |chain: &str, kind: SiteKind| {
        set.resolve(&trace("filter", chain, kind))
            .map(|found| (found.label(), found.text(), found.target()))
    };
    let found = |label: &str, text: &str, target: Target| {
        Ok((label.to_owned(), Some(text.to_owned()), Some(target)))
    };
    assert_eq!(
        ask("INPUT", Rule(1)),
        found("filter:INPUT:rule:1", "-A INPUT -i lo -j ACCEPT", Target::Accept)
    );
    // A comment is a condition for the kernel.
    let text = "-A INPUT -m comment --comment \"no condition but this\" -j ACCEPT";
    assert_eq!(ask("INPUT", Rule(2)), found("filter:INPUT:rule:2", text, Target::Accept));
    assert_eq!(
        ask("INPUT", Policy(2)),
        Err(Misfit::OtherKind { number: 2, is_rule: false, has: 4 })
    );
    // A rule without conditions prints as the chain's end.
    assert_eq!(
        ask("INPUT", Policy(4)),
        found("filter:INPUT:rule:4", "-A INPUT -j ACCEPT", Target::Accept)
    );
    assert_eq!(ask("INPUT", Rule(4)), Err(Misfit::OtherKind { number: 4, is_rule: true, has: 4 }));
    assert_eq!(
        ask("USER", Return(1)),
        found("filter:USER:rule:1", "-A USER -j RETURN", Target::Return)
    );
    assert_eq!(ask("USER", Rule(1)), Err(Misfit::OtherKind { number: 1, is_rule: true, has: 7 }));
    // A jump has no condition either, and yet it does not.
    let jump = found("filter:INPUT:rule:3", "-A INPUT -j USER", Target::Jump("USER".into()));
    assert_eq!(ask("INPUT", Rule(3)), jump);
    // The ends.
    assert_eq!(
        ask("INPUT", Policy(5)),
        found("filter:INPUT:policy", "-P INPUT DROP", Target::Drop)
    );
    assert_eq!(
        ask("FORWARD", Policy(1)),
        found("filter:FORWARD:policy", "-P FORWARD ACCEPT", Target::Accept)
    );
    assert_eq!(ask("USER", Return(8)), Ok(("filter:USER:return".to_owned(), None, None)));
    assert_eq!(ask("EMPTY", Return(1)), Ok(("filter:EMPTY:return".to_owned(), None, None)));
    // What cannot be.
    assert_eq!(ask("INPUT", Policy(6)), Err(Misfit::Length { had: 5, has: 4 }));
    assert_eq!(ask("EMPTY", Return(5)), Err(Misfit::Length { had: 4, has: 0 }));
    assert_eq!(ask("INPUT", Rule(5)), Err(Misfit::Shorter { had: 5, has: 4 }));
    assert_eq!(ask("INPUT", Rule(0)), Err(Misfit::Shorter { had: 0, has: 4 }));
    assert_eq!(ask("INPUT", Rule(u32::MAX)), Err(Misfit::Shorter { had: u32::MAX, has: 4 }));
    assert_eq!(ask("INPUT", Return(5)), Err(Misfit::OtherChain));
    assert_eq!(ask("USER", Policy(8)), Err(Misfit::OtherChain));
    assert_eq!(ask("OUTPUT", Policy(1)), Err(Misfit::NoChain));
    assert_eq!(set.resolve(&trace("nat", "INPUT", Policy(1))).unwrap_err(), Misfit::NoTable);
}

#[test]
fn numbers_are_rules_and_ends_have_none() {
    let set = rules();
    let number = |kind| set.resolve(&trace("filter", "INPUT", kind)).unwrap().number();
    assert_eq!(number(SiteKind::Rule(3)), 3);
    assert_eq!(number(SiteKind::Policy(4)), 4);
    assert_eq!(number(SiteKind::Policy(5)), 0);
}

#[test]
fn prefixes() {
    let set = rules();
    let ask = |prefix: &str| {
        set.resolve(&Site::Log { prefix: prefix.as_bytes().into() }).map(|found| found.label())
    };
    // Blanks around do not count; what a program prints gives way to what the kernel prints.
    assert_eq!(ask("[UFW BLOCK] "), Ok("filter:USER:rule:2".to_owned()));
    assert_eq!(ask("[UFW BLOCK]"), Ok("filter:USER:rule:2".to_owned()));
    assert_eq!(ask("to a program"), Ok("filter:USER:rule:6".to_owned()));
    assert_eq!(ask("a prefix that is longer than "), Ok("filter:USER:rule:7".to_owned()));
    assert_eq!(ask("a prefix"), Err(Misfit::NoPrefix));
    let places = vec!["filter:USER:rule:3".to_owned(), "filter:USER:rule:4".to_owned()];
    assert_eq!(ask("twice"), Err(Misfit::ManyPrefixes(places)));
    assert_eq!(ask(""), Err(Misfit::NoPrefix));
}

#[test]
fn bridge_prefixes_that_name_their_chain() {
    let text = "\
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
-A INPUT --log-prefix \"TRACE: eb:filter:INPUT\" -j ACCEPT
-A FORWARD --log-prefix \"same\" -j CONTINUE
-A INPUT --log-prefix \"same\" -j CONTINUE
-A FORWARD --log-prefix \"lone\" -j CONTINUE
*nat
:OUTPUT ACCEPT
-A OUTPUT --log-prefix \"same\" -j CONTINUE
";
    let set = read(text, "").sets.remove(0);
    let bridge = |chain: &str, prefix: &str| Site::Bridge {
        table: b"filter"[..].into(),
        chain: chain.as_bytes().into(),
        prefix: prefix.as_bytes().into(),
    };
    let label = |site: &Site| set.resolve(site).map(|found| found.label());
    let input = "eb:filter:INPUT:rule:1".to_owned();
    assert_eq!(label(&bridge("INPUT", "TRACE: eb:filter:INPUT ")), Ok(input));
    // Several rules print it: the chain that it names decides.
    assert_eq!(label(&bridge("INPUT", "same")), Ok("eb:filter:INPUT:rule:2".to_owned()));
    // The only rule that prints it stands elsewhere: prefixes are but a convention.
    assert_eq!(label(&bridge("INPUT", "lone")), Ok("eb:filter:FORWARD:rule:2".to_owned()));
    let several = Site::BridgeLog { prefix: b"same"[..].into() };
    assert!(matches!(label(&several), Err(Misfit::ManyPrefixes(places)) if places.len() == 3));
}

#[test]
fn misfits_in_words() {
    let sentence = |misfit: Misfit| misfit.sentence();
    assert_eq!(
        sentence(Misfit::Length { had: 4, has: 3 }),
        "the chain had 4 rules, the snapshot has 3"
    );
    assert_eq!(
        sentence(Misfit::Length { had: 1, has: 0 }),
        "the chain had 1 rule, the snapshot has 0"
    );
    let shorter = Misfit::Shorter { had: 9, has: 3 };
    assert_eq!(sentence(shorter), "the chain had at least 9 rules, the snapshot has 3");
    assert_eq!(sentence(Misfit::Contradicted("it rained".to_owned())), "it rained");
}

#[test]
fn lines_that_nf_tables_itself_printed_once() {
    let text = "table ip t {\n chain c {\n type filter hook input priority 0; policy drop;\n accept\n ip saddr 10.0.0.1 return\n }\n}\n";
    let set = read(text, "").sets.remove(0);
    let ask = |kind| set.resolve(&trace("t", "c", kind)).map(|found| found.text());
    assert_eq!(ask(SiteKind::Rule(1)), Ok(Some("accept".to_owned())));
    assert_eq!(ask(SiteKind::Policy(u32::MAX)), Ok(Some("policy drop".to_owned())));
    assert_eq!(ask(SiteKind::Rule(3)), Err(Misfit::Shorter { had: 3, has: 2 }));
}
