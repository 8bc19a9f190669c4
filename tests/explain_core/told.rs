//! The rule at every step of the sample logs' packets, written by hand.

use super::scene::Scene;

const EB: &str =
    "--log-level info --log-prefix \"TRACE: eb:{}\" --log-ip --log-arp --log-ip6 -j ACCEPT";

/// A step on the bridge, where every chain has one rule.
fn frame(place: &str) -> String {
    let chain = place.split(':').next_back().unwrap();
    format!("eb:{place} · -A {chain} {}", EB.replace("{}", place))
}

fn lines<const N: usize>(lines: [&str; N]) -> Vec<String> {
    lines
        .iter()
        .map(|line| match line.strip_prefix("eb:") {
            Some(place) => frame(place),
            None => (*line).to_owned(),
        })
        .collect()
}

#[test]
fn a_remote_user_asks_through_the_published_port() {
    let scene = Scene::sample("case1-remote");
    let syn = lines([
        "raw:PREROUTING:policy:3 · -P PREROUTING ACCEPT",
        "nat:PREROUTING:rule:1 · -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        "  nat:DOCKER:rule:1 · -A DOCKER -d 10.146.22.21/32 ! -i docker0 -p tcp -m tcp --dport 40000 -j DNAT --to-destination 172.17.0.5:6379",
        "filter:FORWARD:policy:4 · -P FORWARD ACCEPT",
        "nat:POSTROUTING:policy:2 · -P POSTROUTING ACCEPT",
        "eb:filter:OUTPUT",
        "eb:nat:OUTPUT",
        "eb:nat:POSTROUTING",
    ]);
    assert_eq!(scene.told(0), syn);
    assert_eq!(scene.verdict(0), "accepted (policy) filter:FORWARD:policy:4 · -P FORWARD ACCEPT");
    let question = ["filter:OUTPUT", "nat:OUTPUT", "nat:POSTROUTING"].map(frame).to_vec();
    assert_eq!(scene.told(1), [question.clone(), question].concat(), "ARP, out of both ports");
    assert_eq!(scene.told(2), lines(["eb:nat:PREROUTING", "eb:filter:INPUT"]), "the ARP answer");
    let reply = lines([
        "eb:nat:PREROUTING",
        "raw:PREROUTING:policy:3 · -P PREROUTING ACCEPT",
        "eb:filter:INPUT",
        "filter:FORWARD:rule:2 · -A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
    ]);
    let request = lines([
        "raw:PREROUTING:policy:3 · -P PREROUTING ACCEPT",
        "filter:FORWARD:rule:3 · -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "eb:filter:OUTPUT",
        "eb:nat:OUTPUT",
        "eb:nat:POSTROUTING",
    ]);
    for index in 3..scene.packets.len() {
        let is_reply = scene.is_reply(index);
        assert_eq!(scene.told(index), if is_reply { &reply } else { &request }[..], "{index}");
        let verdict = if is_reply {
            "accepted (rule) filter:FORWARD:rule:2 · -A FORWARD -i docker0 ! -o docker0 -j ACCEPT"
        } else {
            "accepted (rule) filter:FORWARD:rule:3 · -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        };
        assert_eq!(scene.verdict(index), verdict);
    }
}

#[test]
fn the_host_asks_its_own_published_port() {
    let scene = Scene::sample("case2-localhost-proxy");
    let near = lines([
        "raw:OUTPUT:policy:4 · -P OUTPUT ACCEPT",
        "nat:OUTPUT:policy:2 · -P OUTPUT ACCEPT",
        "filter:OUTPUT:policy:1 · -P OUTPUT ACCEPT",
        "nat:POSTROUTING:policy:2 · -P POSTROUTING ACCEPT",
        // A TRACE rule that a packet meets which is traced already prints its line.
        "raw:PREROUTING:rule:1 · -A PREROUTING -p tcp -m tcp --dport 40000 -j TRACE",
        "raw:PREROUTING:policy:3 · -P PREROUTING ACCEPT",
        "filter:INPUT:policy:1 · -P INPUT ACCEPT",
    ]);
    assert_eq!(scene.told(0), near);
    assert_eq!(scene.verdict(0), "accepted (policy) filter:INPUT:policy:1 · -P INPUT ACCEPT");
    let back = lines([
        "raw:OUTPUT:policy:4 · -P OUTPUT ACCEPT",
        "filter:OUTPUT:policy:1 · -P OUTPUT ACCEPT",
        "raw:PREROUTING:policy:3 · -P PREROUTING ACCEPT",
        "filter:INPUT:policy:1 · -P INPUT ACCEPT",
    ]);
    assert_eq!(scene.told(1), back);
    let far = lines([
        "raw:OUTPUT:policy:4 · -P OUTPUT ACCEPT",
        "nat:OUTPUT:policy:2 · -P OUTPUT ACCEPT",
        "filter:OUTPUT:policy:1 · -P OUTPUT ACCEPT",
        "nat:POSTROUTING:policy:2 · -P POSTROUTING ACCEPT",
        "eb:filter:OUTPUT",
        "eb:nat:OUTPUT",
        "eb:nat:POSTROUTING",
    ]);
    assert_eq!(scene.told(3), far);
    assert_eq!(scene.verdict(3), "accepted (policy) filter:OUTPUT:policy:1 · -P OUTPUT ACCEPT");
    let answer = lines([
        "eb:nat:PREROUTING",
        "raw:PREROUTING:policy:3 · -P PREROUTING ACCEPT",
        "eb:filter:INPUT",
        "filter:INPUT:policy:1 · -P INPUT ACCEPT",
    ]);
    assert_eq!(scene.told(6), answer);
    for index in 0..scene.packets.len() {
        let misfits = scene.tell(index).into_iter().filter_map(|told| told.misfit);
        assert_eq!(misfits.collect::<Vec<_>>(), [], "{index}");
    }
}

#[test]
fn a_container_asks_another() {
    for (case, place, rule) in [
        ("case3-container-to-container", "rule:1", "-A FORWARD -i docker0 -o docker0 -j ACCEPT"),
        (
            "case3-icc-off-linked",
            "rule:2",
            "-A FORWARD -s 172.17.0.4/32 -d 172.17.0.2/32 -i docker0 -o docker0 -p tcp -m tcp --dport 6379 -j ACCEPT",
        ),
    ] {
        let scene = Scene::sample(case);
        let forward = format!("filter:FORWARD:{place} · {rule}");
        let syn = lines([
            "eb:nat:PREROUTING",
            "raw:PREROUTING:policy:4 · -P PREROUTING ACCEPT",
            "nat:PREROUTING:policy:2 · -P PREROUTING ACCEPT",
            "eb:filter:FORWARD",
            &forward,
            "eb:nat:POSTROUTING",
            "nat:POSTROUTING:policy:2 · -P POSTROUTING ACCEPT",
        ]);
        assert_eq!(scene.told(2), syn, "{case}");
        assert_eq!(scene.verdict(2), format!("accepted (rule) {forward}"));
    }
}

#[test]
fn a_container_may_not_ask_another() {
    let scene = Scene::sample("case3-icc-off-dropped");
    let syn = lines([
        "eb:nat:PREROUTING",
        "raw:PREROUTING:policy:4 · -P PREROUTING ACCEPT",
        "nat:PREROUTING:policy:2 · -P PREROUTING ACCEPT",
        "eb:filter:FORWARD",
        "filter:FORWARD:rule:1 · -A FORWARD -i docker0 -o docker0 -j DROP",
    ]);
    for index in [2, 3] {
        assert_eq!(scene.told(index), syn);
        assert_eq!(
            scene.verdict(index),
            "dropped (rule) filter:FORWARD:rule:1 · -A FORWARD -i docker0 -o docker0 -j DROP"
        );
    }
}

#[test]
fn without_rules_the_log_speaks_alone() {
    let mut scene = Scene::sample("case3-icc-off-dropped");
    scene.moment.revisions.clear();
    assert!(scene.told(2).iter().all(|line| line.ends_with(" · -")), "{:?}", scene.told(2));
    assert_eq!(scene.verdict(2), "dropped (absence) filter:FORWARD:rule:1 · -");
}
