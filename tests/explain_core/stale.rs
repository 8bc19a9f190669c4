//! A rule set that is not the one that packets met is never used as if it were.

use std::fs;
use std::path::Path;

use tracecol::explain::Distrust;

use super::scene::{Scene, moment, sample};

const CASES: [&str; 5] = [
    "case1-remote",
    "case2-localhost-proxy",
    "case3-container-to-container",
    "case3-icc-off-dropped",
    "case3-icc-off-linked",
];

/// Rules that somebody may have put in or taken out since.
const STRANGERS: [&str; 6] = [
    "-j LOG --log-prefix \"new \"",
    "-p udp -j DROP",
    "-j ACCEPT",
    "-i eth7 -j RETURN",
    "-p tcp -m tcp --dport 6379 -j DROP",
    "-s 192.0.2.0/24 -j DROP",
];

#[test]
fn the_right_rules_are_not_doubted() {
    for case in CASES {
        assert_eq!(Scene::sample(case).misfits(), Vec::<String>::new(), "{case}");
    }
}

/// A changed text, and what was changed.
struct Changed {
    what: String,
    text: String,
}

/// Every rule taken out, every rule exchanged with the next of its chain, a strange rule at every place, every
/// chain under another name.
fn changes(rules: &str) -> Vec<Changed> {
    let lines: Vec<&str> = rules.lines().collect();
    let mut changes = Vec::new();
    let mut add = |what: String, lines: Vec<String>| {
        changes.push(Changed { what, text: lines.join("\n") + "\n" });
    };
    let owned = || lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
    for (index, line) in lines.iter().enumerate() {
        if let Some(chain) = chain_of(line) {
            let mut without = owned();
            without.remove(index);
            add(format!("without `{line}`"), without);
            if lines.get(index + 1).and_then(|next| chain_of(next)) == Some(chain) {
                let mut swapped = owned();
                swapped.swap(index, index + 1);
                add(format!("`{line}` behind the next"), swapped);
            }
            for stranger in STRANGERS {
                let mut with = owned();
                with.insert(index, format!("-A {chain} {stranger}"));
                add(format!("`{stranger}` before `{line}`"), with);
            }
        }
        if let Some(name) = line.strip_prefix(':').and_then(|rest| rest.split(' ').next())
            && line.contains(" - ")
        {
            let renamed = owned().iter().map(|line| line.replace(name, "OTHER")).collect();
            add(format!("{name} under another name"), renamed);
        }
        if line.starts_with(':') && line.contains(" ACCEPT ") {
            let mut closed = owned();
            closed[index] = line.replace(" ACCEPT ", " DROP ");
            add(format!("`{line}` as DROP"), closed);
        }
    }
    changes
}

fn chain_of(line: &str) -> Option<&str> {
    line.strip_prefix("-A ")?.split(' ').next()
}

/// What is told of every step of every packet, as `site · text`.
fn told(scene: &Scene) -> Vec<Vec<String>> {
    (0..scene.packets.len()).map(|packet| scene.told(packet)).collect()
}

/// Changes of which no line can tell: another rule that drops the very same packet, and the policy of the last chain a
/// bridged packet meets.
fn is_beyond_telling(case: &str, what: &str) -> bool {
    (case == "case3-icc-off-dropped"
        && what.starts_with("`-p tcp -m tcp --dport 6379 -j DROP` before"))
        || (case.starts_with("case3") && what.starts_with("`:POSTROUTING ACCEPT"))
}

#[test]
fn no_changed_rule_set_tells_a_wrong_rule() {
    let mut wrong = Vec::new();
    let mut caught = 0;
    let mut tried = 0;
    for case in CASES {
        let mut scene = Scene::sample(case);
        let right = told(&scene);
        let (rules, frames) = (sample(case, "iptables.rules"), sample(case, "ebtables.rules"));
        for change in changes(&rules) {
            tried += 1;
            scene.moment = moment(&[&change.text, &frames]);
            scene.distrust = Distrust::default();
            let misfits = scene.fit();
            caught += usize::from(!misfits.is_empty());
            for misfit in misfits {
                let key = (misfit.family, misfit.table, misfit.chain);
                scene.distrust.0.insert(key, misfit.sentence);
            }
            if is_beyond_telling(case, &change.what) {
                continue;
            }
            let differs = told(&scene).into_iter().flatten().zip(right.iter().flatten());
            for (told, right) in differs {
                if told.trim() != right.trim() && !told.contains(" · ? ") {
                    wrong.push(format!("{case}, {}: {told}\n    not {right}", change.what));
                }
            }
        }
    }
    wrong.sort_unstable();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(caught > tried / 2, "only {caught} of {tried} were caught");
}

/// One line of a log is lost, and nothing says so. Of all lines of the cases one leaves a gap that cannot be told from
/// another rule: that of the chain which a jump led to, in a log with one such packet.
#[test]
fn a_lost_line_is_no_reason_to_doubt_the_rules() {
    for case in CASES {
        let log = sample(case, "kern.log");
        let lines: Vec<&str> = log.lines().collect();
        let rules = [sample(case, "iptables.rules"), sample(case, "ebtables.rules")];
        for gone in 0..lines.len() {
            if lines[gone].contains("nat:DOCKER:rule:1") {
                continue;
            }
            let mut rest = lines.clone();
            rest.remove(gone);
            let scene = Scene::of(&(rest.join("\n") + "\n"), &[&rules[0], &rules[1]]);
            assert_eq!(scene.misfits(), Vec::<String>::new(), "{case} without {}", lines[gone]);
        }
    }
}

/// Lines that somebody left out of the whole log before giving it away are no sign of other rules.
#[test]
fn a_log_without_some_kind_of_line_is_no_reason_to_doubt_the_rules() {
    for case in ["1-kubernetes-nodeport", "5-chains"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases").join(case);
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let (log, rules) = (text("kern.log"), text("iptables.rules"));
        assert_eq!(Scene::of(&log, &[&rules]).misfits(), Vec::<String>::new(), "{case}");
        for left_out in [":policy:", ":return:", "KUBE-MARK", "KUBE-SEP", ":tier2:", ":side:"] {
            let rest: Vec<&str> = log.lines().filter(|line| !line.contains(left_out)).collect();
            let scene = Scene::of(&(rest.join("\n") + "\n"), &[&rules]);
            assert_eq!(scene.misfits(), Vec::<String>::new(), "{case} without {left_out}");
        }
    }
}
