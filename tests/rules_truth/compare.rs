//! What the product says against what is written; every difference a line.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::kernel::{Counter, counters};
use super::product::Product;
use super::scene::{Run, Scene, Written};

/// Differences of all runs of a scene.
pub(super) fn scene(scene: &Scene) -> Vec<String> {
    let mut differences = Vec::new();
    for (number, run) in scene.expected.runs.iter().enumerate() {
        let said = Product::ingest(scene, run).and_then(|product| {
            let mut found = compare(scene, run, &product)?;
            // The first run has the rules that the kernel counted, and no others.
            if number == 0 {
                found.extend(miscounted(scene, &product)?);
            }
            Ok(found)
        });
        let found = said.unwrap_or_else(|failure| vec![failure]);
        differences.extend(found.iter().map(|one| format!("{}, {}: {one}", scene.name, run.name)));
    }
    differences
}

fn compare(scene: &Scene, run: &Run, product: &Product) -> Result<Vec<String>, String> {
    let connections = product.connections()?;
    let written = scene.connections(run);
    let mut differences = unlisted(run, written, &connections);
    for one in written {
        let Some(connection) = connections.iter().find(|said| original(said) == one.original)
        else {
            differences.push(format!("{}: is not there", one.original));
            continue;
        };
        let found = connection_differences(one, connection, product)?;
        differences.extend(found.iter().map(|what| format!("{}: {what}", one.original)));
    }
    differences.extend(false_claims(run, &connections, product)?);
    Ok(differences)
}

/// Rules of which the product has counted other packets than the kernel.
fn miscounted(scene: &Scene, product: &Product) -> Result<Vec<String>, String> {
    let Some(untraced) = &scene.expected.traced_but else { return Ok(Vec::new()) };
    let mut differences = Vec::new();
    let report = product.rules()?;
    let counters: Vec<Counter> =
        scene.expected.counters.iter().flat_map(|file| counters(&scene.text(file))).collect();
    // The first hit of a TRACE rule is not logged, and ebtables logs only where it is told to.
    let counted = counters.iter().filter(|counter| {
        !untraced.contains(&counter.chain)
            && !counter.text.contains("-j TRACE")
            && (!counter.text.contains("--ip-proto") || counter.text.contains("--log-prefix"))
    });
    for Counter { table, text, packets, .. } in counted {
        let same = |rule: &&Value| rule["table"] == **table && rule["text"] == **text;
        let said: u64 =
            list(&report["rules"]).filter(same).filter_map(|it| it["packets"].as_u64()).sum();
        if said != *packets {
            differences
                .push(format!("{table} {text}: {said} packets, but the kernel counted {packets}"));
        }
    }
    Ok(differences)
}

/// Connections that nobody wrote down.
fn unlisted(run: &Run, written: &[Written], connections: &[Value]) -> Vec<String> {
    let known = |said: &&Value| written.iter().any(|one| one.original == original(said));
    let more = connections.iter().filter(|said| !run.partly && !known(said));
    more.map(|said| format!("{}: was not to be there", original(said))).collect()
}

/// What must not be claimed of any connection, and what must be said of some.
fn false_claims(
    run: &Run,
    connections: &[Value],
    product: &Product,
) -> Result<Vec<String>, String> {
    let mut differences = Vec::new();
    let mut stories = String::new();
    for connection in connections {
        let id = connection["id"].as_str().unwrap_or_default();
        if !run.never.is_empty() {
            let claimed = claims(&product.show(id)?);
            let wrong = run.never.iter().filter(|text| claimed.contains(text.as_str()));
            differences
                .extend(wrong.map(|text| format!("{}: claims {text}", original(connection))));
        }
        if !run.said.is_empty() {
            stories += &product.story(id)?;
        }
    }
    if !run.said.is_empty() && !run.said.iter().any(|words| stories.contains(&words.to_lowercase()))
    {
        differences.push(format!("no story says {}", run.said.join(" or ")));
    }
    Ok(differences)
}

fn connection_differences(
    written: &Written,
    said: &Value,
    product: &Product,
) -> Result<Vec<String>, String> {
    let mut differences = Vec::new();
    if let Some(verdict) = &written.verdict {
        differences.extend(fields("verdict", verdict, &said["verdict"]));
    }
    if let Some(nat) = &written.nat {
        differences.extend(nat_differences(nat, &said["nat"]));
    }
    let id = said["id"].as_str().unwrap_or_default();
    if written.is_about_packets() {
        differences.extend(shown_differences(written, &product.show(id)?));
    }
    if !written.story.is_empty() || !written.untold.is_empty() {
        differences.extend(story_differences(written, &product.story(id)?));
    }
    Ok(differences)
}

fn story_differences(written: &Written, story: &str) -> Vec<String> {
    let has = |words: &String| story.contains(&words.to_lowercase());
    let missing = written.story.iter().filter(|words| !has(words));
    let missing = missing.map(|words| format!("the story does not say {words}"));
    let untold = written.untold.iter().filter(|words| has(words));
    missing.chain(untold.map(|words| format!("the story says {words}"))).collect()
}

fn shown_differences(written: &Written, shown: &Value) -> Vec<String> {
    let packets = || list(&shown["packet_list"]);
    let mut differences = Vec::new();
    for (name, steps) in &written.packets {
        let (direction, number) = name.split_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        let mut numbered = packets().filter(|packet| packet["direction"] == direction);
        match numbered.nth(number - 1) {
            Some(packet) => differences.extend(step_differences(name, steps, packet)),
            None => differences.push(format!("no packet {name}")),
        }
    }
    let links: Vec<&Value> = packets().chain([shown]).flat_map(|one| list(&one["links"])).collect();
    let unlinked =
        written.links.iter().filter(|kind| !links.iter().any(|it| it["kind"] == ***kind));
    differences.extend(unlinked.map(|kind| format!("no link {kind}")));
    let inferred: Vec<&str> = packets()
        .flat_map(|packet| list(&packet["steps"]))
        .filter(|step| step["inferred"] == true)
        .filter_map(|step| step["text"].as_str())
        .collect();
    let uncited =
        written.cites.iter().filter(|text| !inferred.iter().any(|said| said.contains(*text)));
    differences.extend(uncited.map(|text| format!("no inferred step cites {text}")));
    let claimed = claims(shown);
    let wrong = written.never.iter().filter(|text| claimed.contains(text.as_str()));
    differences.extend(wrong.map(|text| format!("claims {text}")));
    differences
}

/// Steps that a line shows, each with its place and rule.
fn step_differences(name: &str, written: &Value, packet: &Value) -> Vec<String> {
    let said: Vec<&Value> =
        list(&packet["steps"]).filter(|step| step["inferred"] != true).collect();
    let written: Vec<&Value> = list(written).collect();
    let mut differences = Vec::new();
    if written.len() != said.len() {
        let places: Vec<String> = said.iter().map(|step| step["at"].to_string()).collect();
        let (want, have) = (written.len(), said.len());
        differences.push(format!("{name}: {want} steps, but {have}: {}", places.join(" ")));
    }
    for (number, (want, step)) in written.iter().zip(&said).enumerate() {
        let number = number + 1;
        if !is_place(&want[0], &step["at"]) {
            differences.push(format!("{name}, step {number}: at {}, not {}", step["at"], want[0]));
        }
        if !allows(&want[1], &step["rule"]) {
            let at = &step["at"];
            differences.push(format!(
                "{name}, step {number} {at}: rule {}, not {}",
                step["rule"], want[1]
            ));
        }
    }
    differences
}

/// In the order of time, request before answer: the same number, and each like one that is written.
fn nat_differences(written: &[Map<String, Value>], said: &Value) -> Vec<String> {
    let said: Vec<&Value> = list(said).collect();
    let optional = |one: &Map<String, Value>| one.contains_key("perhaps");
    let least = written.iter().filter(|one| !optional(one)).count();
    if said.len() < least || said.len() > written.len() {
        let all = Value::from(said.into_iter().cloned().collect::<Vec<_>>());
        return vec![format!("nat: {} changes, not {least}: {all}", list(&all).count())];
    }
    written.iter().zip(said).flat_map(|(one, said)| fields("nat", one, said)).collect()
}

/// Every written field of an object.
fn fields(what: &str, written: &Map<String, Value>, said: &Value) -> Vec<String> {
    let differs = |(key, value): &(&String, &Value)| match key.as_str() {
        "perhaps" => false,
        "site" => !is_place(value, &said[key.as_str()]),
        _ => !allows(value, &said[key.as_str()]),
    };
    let wrong = written.iter().filter(differs);
    wrong.map(|(key, value)| format!("{what} {key}: {}, not {value}", said[key])).collect()
}

/// Whether it is what is written, or one of several.
fn allows(written: &Value, said: &Value) -> bool {
    match written {
        Value::Array(ways) => ways.iter().any(|way| allows(way, said)),
        one => one == said,
    }
}

/// A place; of a bridge's the number may be told or not, and outer blanks of a prefix do not count.
fn is_place(written: &Value, said: &Value) -> bool {
    match (written, said) {
        (Value::Array(ways), _) => ways.iter().any(|way| is_place(way, said)),
        (Value::String(want), Value::String(said)) => {
            let numbered = |rest: &str| want.starts_with("eb:") && rest.starts_with(":rule:");
            want.trim() == said.trim() || said.strip_prefix(want.as_str()).is_some_and(numbered)
        }
        _ => written == said,
    }
}

/// Every rule text claimed of a connection and its packets: by itself, and with its place, `filter:INPUT:rule:2 = -A INPUT …`.
fn claims(shown: &Value) -> BTreeSet<String> {
    let packets = || list(&shown["packet_list"]);
    let verdicts = packets().map(|packet| &packet["verdict"]).chain([&shown["verdict"]]);
    let steps = packets().flat_map(|packet| list(&packet["steps"]));
    let placed = verdicts.chain(list(&shown["nat"])).map(|one| (&one["site"], &one["rule"]));
    let placed = placed.chain(steps.map(|step| (&step["at"], &step["rule"])));
    let texts = placed.filter_map(|(place, rule)| Some((place.as_str()?, rule.as_str()?)));
    texts.flat_map(|(place, rule)| [rule.to_owned(), format!("{place} = {rule}")]).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// `udp 10.0.0.2:4001 > 10.0.0.1:53`, `udp [fd00::2]:1 > [fd00::1]:2`, `icmp 10.0.0.2 > 10.0.0.1 id 7`.
fn original(connection: &Value) -> String {
    let side = &connection["original"];
    let text = |key: &str| side[key].as_str().unwrap_or("?").to_owned();
    let protocol = connection["protocol"].as_str().unwrap_or("?");
    if side["icmp_id"].is_number() {
        return format!("{protocol} {} > {} id {}", text("src"), text("dst"), side["icmp_id"]);
    }
    let end = |addr: String, port: &Value| {
        if addr.contains(':') { format!("[{addr}]:{port}") } else { format!("{addr}:{port}") }
    };
    let (from, to) = (end(text("src"), &side["sport"]), end(text("dst"), &side["dport"]));
    format!("{protocol} {from} > {to}")
}
