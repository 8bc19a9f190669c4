//! What one line alone can contradict: the chain's length, the rule's devices, the rule's other conditions.

use super::fit::{Clue, Flaw, Trail, Witness};
use crate::model::{Devices, Header, Hop, Site};
use crate::rulebook::{Found, Match, Misfit, Rule, RuleSet, Sight, Spot, Test};

/// The contradictions of single lines. A trail has few; each chain and sentence is named once for the way, or once for
/// each sample.
pub(super) fn check(trail: &Trail<'_>, rules: &RuleSet) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for (index, hop) in trail.path.iter().enumerate() {
        let Site::Trace { table, chain, .. } = &*hop.site else { continue };
        if !rules.family.sees(hop.layer) {
            continue;
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_boxed_str();
        match rules.resolve(&hop.site) {
            Ok(found) => of_rule(trail, index, &found, &mut flaws),
            // A snapshot may be of some tables only, and a table may be loaded later.
            Err(Misfit::NoTable | Misfit::NoPolicy) => {}
            Err(misfit) => flaws.push(Flaw {
                table: text(table),
                chain: text(chain),
                clue: match misfit {
                    Misfit::Length { .. } => Clue::Length,
                    Misfit::Shorter { .. } => Clue::LeastLength,
                    _ => Clue::Line,
                },
                sentence: misfit.sentence().into(),
                witness: Witness::Way,
            }),
        }
    }
    flaws
}

fn of_rule(trail: &Trail<'_>, index: usize, found: &Found<'_>, flaws: &mut Vec<Flaw>) {
    let Spot::Rule(number, rule) = found.spot else { return };
    let flaw = |shown: String, witness| Flaw {
        table: found.table.name.clone(),
        chain: found.chain.name.clone(),
        clue: Clue::Line,
        sentence: format!(
            "rule {number} is `{}`, and a packet that it does not match met it: {shown}",
            rule.text
        )
        .into(),
        witness,
    };
    let hop = &trail.path[index];
    if denies(rule, hop, None) {
        flaws.push(flaw(devices(&hop.devices), Witness::Way));
        return;
    }
    for packet in trail.samples {
        let Some(step) = packet.steps.get(index) else { continue };
        if !step.header.cut && denies(rule, &step.hop, Some(&step.header)) {
            let shown = format!("{} {}", devices(&hop.devices), ends(&step.header));
            flaws.push(flaw(shown, Witness::Sample(packet.first.wall)));
        }
    }
}

/// Whether what a line shows rules out a condition of the rule that printed it. The host's own addresses are not asked:
/// they may be as old as the rules.
fn denies(rule: &Rule, hop: &Hop, header: Option<&Header>) -> bool {
    let sight = Sight { devices: &hop.devices, header, own: None, state: None };
    rule.matches
        .iter()
        .filter(|one| is_shown(one, &hop.devices))
        .any(|one| one.holds(&sight) == Some(false))
}

/// Whether the line would show what the condition asks for. A port that is not printed may still be there.
fn is_shown(one: &Match, devices: &Devices) -> bool {
    match one.test {
        Test::PhysIn(_) => devices.physin.is_some(),
        Test::PhysOut(_) => devices.physout.is_some(),
        _ => true,
    }
}

fn devices(devices: &Devices) -> String {
    let named = [
        ("IN", devices.input),
        ("OUT", devices.output),
        ("PHYSIN", devices.physin),
        ("PHYSOUT", devices.physout),
    ];
    let shown = named.iter().filter_map(|(word, name)| {
        name.map(|name| format!("{word}={}", String::from_utf8_lossy(name.as_bytes())))
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn ends(header: &Header) -> String {
    let Some(ip) = header.ip() else { return String::new() };
    let protocol = ip.protocol.map_or_else(String::new, |one| format!(" PROTO={}", one.name()));
    let ports = ip.ports().map_or_else(String::new, |(from, to)| format!(" SPT={from} DPT={to}"));
    let mark = header.mark.map_or_else(String::new, |mark| format!(" MARK=0x{mark:x}"));
    format!("SRC={} DST={}{protocol}{ports}{mark}", ip.src, ip.dst)
}
