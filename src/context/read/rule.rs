//! `ip rule`.

use super::Reader;
use super::route::table_name;
use super::words::{net, number, squeezed};
use crate::context::{Kind, PolicyRule, RouteKind};
use crate::model::IfName;

impl Reader {
    /// `120: from all fwmark 0x100/0xff00 iif docker0 lookup 100`.
    pub(super) fn rule_line(&mut self, number: usize, words: &[&str]) -> bool {
        let [priority, rest @ ..] = words else { return false };
        let (Some(priority), ["from", ..] | ["not", "from", ..]) =
            (priority.strip_suffix(':').and_then(|word| word.parse().ok()), rest)
        else {
            return false;
        };
        let mut rule = PolicyRule {
            priority,
            is_ipv6: self.hint.is_ipv6,
            is_negated: false,
            source: None,
            destination: None,
            mark: None,
            input: None,
            output: None,
            has_more: false,
            table: None,
            suppress_prefix: None,
            goto: None,
            refusal: None,
            text: squeezed(words),
        };
        self.found(Kind::PolicyRules);
        if parts(&mut rule, rest).is_none() {
            self.remark(
                number,
                "a policy rule that is not complete, or not as `ip rule` prints it",
            );
        } else {
            self.facts.policy_rules.push(rule);
        }
        true
    }
}

/// Reads a rule's conditions and what it does. None when a value is missing or wrong.
fn parts(rule: &mut PolicyRule, words: &[&str]) -> Option<()> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "not" => rule.is_negated = true,
            "from" | "to" => {
                let given = *words.next()?;
                let side = if *word == "from" { &mut rule.source } else { &mut rule.destination };
                if given != "all" {
                    let net = net(given, rule.is_ipv6)?.trunc();
                    rule.is_ipv6 = matches!(net, ipnet::IpNet::V6(_));
                    *side = Some(net);
                }
            }
            "fwmark" => {
                let given = words.next()?;
                let (value, mask) = given.split_once('/').unwrap_or((given, "0xffffffff"));
                rule.mark = Some((number(value)?, number(mask)?));
            }
            "iif" => rule.input = Some(IfName::new(words.next()?.as_bytes())?),
            "oif" => rule.output = Some(IfName::new(words.next()?.as_bytes())?),
            "lookup" | "table" => rule.table = Some(table_name(words.next()?)),
            "suppress_prefixlength" => rule.suppress_prefix = Some(words.next()?.parse().ok()?),
            "goto" => rule.goto = Some(words.next()?.parse().ok()?),
            "blackhole" => rule.refusal = Some(RouteKind::Blackhole),
            "unreachable" => rule.refusal = Some(RouteKind::Unreachable),
            "prohibit" => rule.refusal = Some(RouteKind::Prohibit),
            // A device that does not exist, a rule that does nothing, a `goto` without its rule.
            "[detached]" | "nop" | "[unresolved]" | "unresolved" => {}
            // Who added it, and what only accounting asks for.
            "proto" | "protocol" | "realms" => {
                words.next()?;
            }
            // Conditions that a line of the log does not show, with their values.
            _ => rule.has_more = true,
        }
    }
    if rule.table.as_deref() == Some("[l3mdev-table]") {
        rule.table = None;
        rule.has_more = true;
    }
    Some(())
}
